"""Every detector of the registry keeps the promises of ``models.base``."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.base import CellLayout, Taken, View
from models.registry import DETECTORS, KINDS, build
from tests.models import contracts
from tests.models.views import CURRENT, DUCT, START_US, VOLTAGE, Room, blank, layout
from twin.signals import ALARM_KINDS, SCALAR_READINGS

CELLS = layout(3, n_anodes=6)
BEAM = SCALAR_READINGS.index("beam_position_mm")
Check = Callable[[contracts.Make, CellLayout, Sequence[View]], None]


@pytest.fixture(scope="module")
def views() -> list[View]:
    """Five hours with holes, refusals, a melting side, a stuck voltage, an anode change and an anode that burns off."""
    room = Room(CELLS, change_every_h=20.0)
    room.age_h[0, 2] = 6.0
    room.tau_h[0, 2] = 40.0
    room.age_h[1, 0] = room.life_h - 1.0
    seen: list[View] = []
    for minute in range(300):
        room.shell_C[1, 4:6] = max(0, minute - 60) * 0.25
        room.stuck[2] = minute > 150
        view = room.step()
        view.bar_temp_C[:] = 210.0 + room.rng.normal(0.0, 2.0, view.bar_temp_C.shape)
        view.scalar[DUCT] = 120.0 + room.rng.normal(0.0, 2.0, 3) + 0.1 * minute
        view.scalar[BEAM] = 150.0
        if minute >= 200:
            for share in (view.anode_current_A, view.estimate.anode_frac):
                whole = share[0].sum()
                share[0, 4] *= 0.03
                share[0] *= whole / share[0].sum()
        if minute % 11 == 3:
            view.anode_current_A[:] = np.nan
            view.estimate.anode_frac[:] = np.nan
        if minute % 5:
            view.shell_temp_C[:] = np.nan
            view.estimate.shell_residual_C[:] = np.nan
        if 100 <= minute < 120:
            view.scalar[VOLTAGE, 0] = np.nan
            view.scalar_bad[VOLTAGE, 0] = 6
        if 130 <= minute < 140:
            view.scalar[CURRENT] = np.nan
        seen.append(view._replace(samples=metal(minute, view.time_us)))
    return seen


def metal(minute: int, time_us: int) -> tuple[Taken, ...]:
    """Samples of metal, half a day apart and late; one cell dissolves."""
    if minute % 12:
        return ()
    taken_us = time_us - (300 - minute) // 12 * 43_200_000_000
    return tuple(
        Taken(cell, signal, taken_us, ppm * (1.0 + max(0.0, (minute - 150) / 60 if cell == 1 else 0.0)))
        for cell in range(3)
        for signal, ppm in (("metal_iron_ppm", 800.0), ("metal_silicon_ppm", 400.0))
    )


@pytest.mark.parametrize("check", contracts.ALL, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", DETECTORS)
def test_contract(name: str, check: Check, views: list[View]) -> None:
    check(DETECTORS[name], CELLS, views)


def test_views_of_the_contract_do_raise_something(views: list[View]) -> None:
    # The contracts would hold for a detector that never says anything.
    highest: dict[str, float] = {}
    for detector in build(CELLS):
        for scores in contracts.run(detector, views):
            for score in scores:
                top = np.where(np.isfinite(score.value), score.value, 0.0).max()
                highest[score.kind] = max(highest.get(score.kind, 0.0), float(top))
    assert highest["anode_burnoff"] >= 1.0
    assert highest["ledge_thinning"] >= 1.0
    assert highest["sensor_fault"] >= 1.0
    assert highest["bottom_loss"] >= 1.0


def test_registry_scores_contract_kinds_once() -> None:
    kinds = [kind for detector in build(CELLS) for kind in detector.kinds]
    assert tuple(kinds) == KINDS
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) <= set(ALARM_KINDS)
    assert [detector.name for detector in build(CELLS)] == list(DETECTORS)


def test_cells_without_instruments_are_taken_and_not_judged() -> None:
    bare = layout(2)._replace(
        n_anodes=np.zeros(2, dtype=np.int64),
        n_shell=np.zeros(2, dtype=np.int64),
        shell_side=np.full((2, 1), -1, dtype=np.int64),
    )
    detectors = build(bare)
    for minute in range(90):
        view = blank(bare, START_US + minute * 60_000_000)
        view.scalar[VOLTAGE] = 4.1 + 0.001 * minute
        view.last_good_us[VOLTAGE] = view.time_us
        for detector in detectors:
            for score in detector.update(view):
                assert not (score.value >= 1.0).any()
                if score.kind in ("ledge_thinning", "side_wall_hot", "anode_slow_pickup"):
                    assert np.isnan(score.value).all()
