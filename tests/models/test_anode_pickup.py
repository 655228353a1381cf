"""Pick-ups: what a cell's own changes teach, which of them do not, and how soon an odd one is told."""

import numpy as np
import pytest

from models.anode_pickup import (
    HIGH,
    LATE,
    LOW,
    PickupLimits,
    Pickups,
    expected_half_h,
    new_pickups,
    pickup_step,
    restart,
)
from models.base import FloatArray

LIM = PickupLimits()
N = np.array([1])


def steep(age_h: FloatArray, stretch: float = 1.0, level: float = 1.0) -> FloatArray:
    """A plant whose anodes load later and more steeply than the law for all plants, and stay a little lower."""
    x = np.maximum(age_h - 1.0, 0.0) / (9.0 * stretch)
    return level * (0.06 + 0.88 * (1.0 - np.exp(-(x**2.2))))


def told(p: Pickups, stretch: float, level: float) -> dict[int, float]:
    """One change; verdicts by the age at which they were passed first."""
    restart(p, 0, 0)
    first: dict[int, float] = {}
    for minute in range(1, 25 * 60):
        age = np.array([[minute / 60.0]])
        share = steep(age, stretch, level)
        pickup_step(p, age, share, np.array([60.0]), N, np.zeros((1, 1), dtype=np.bool_), LIM)
        for kind in (LATE, HIGH, LOW):
            if p.odds[kind, 0, 0] >= LIM.odds_ln:
                first.setdefault(kind, minute / 60.0)
    return first


def taught(changes: int, first: tuple[float, float] = (1.0, 1.0)) -> Pickups:
    """A cell that saw so many healthy changes, the first perhaps an odd one."""
    rng = np.random.default_rng(5)
    p = new_pickups(1, 1, LIM)
    told(p, *first)
    for _ in range(changes):
        assert told(p, float(np.exp(rng.normal(0.0, 0.07))), float(np.exp(rng.normal(0.0, 0.03)))) == {}
    return p


@pytest.mark.parametrize(
    ("stretch", "level", "kind", "by_h"),
    [(1.7, 1.0, LATE, 8.0), (1.0, 0.75, HIGH, 12.0), (1.0, 1.3, LOW, 12.0)],
)
def test_own_changes_make_odd_ones_plain_before_they_are_loaded(
    stretch: float, level: float, kind: int, by_h: float
) -> None:
    assert told(taught(7), stretch, level)[kind] < by_h


def test_without_own_changes_only_what_no_plant_does_is_told() -> None:
    assert told(new_pickups(1, 1, LIM), 1.2, 1.0) == {}
    assert LATE in told(new_pickups(1, 1, LIM), 2.5, 1.0)


def test_odd_change_among_the_first_does_not_become_the_measure() -> None:
    p = taught(5, first=(1.0, 0.75))
    clean = taught(5)
    np.testing.assert_allclose(p.shape[0, 20:], clean.shape[0, 20:], rtol=0.06)
    low_h, high_h = expected_half_h(p, 0, False, LIM)
    assert low_h < 8.5 < high_h
    assert LATE in told(p, 1.7, 1.0)


def test_told_changes_teach_nothing_until_the_cell_does_nothing_else() -> None:
    p = taught(5)
    before = p.shape.copy()
    for _ in range(3):
        assert LATE in told(p, 1.7, 1.0)
        np.testing.assert_array_equal(p.shape, before)
    told(p, 1.7, 1.0)
    assert (p.shape != before).any()
