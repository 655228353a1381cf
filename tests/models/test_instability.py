"""Rolling metal, and a twin that does not describe its cell."""

import numpy as np
import pytest

from models.instability import Instability
from models.twin_range import TwinRange
from tests.models.views import CURRENT, CURRENT_A, START_US, VOLTAGE, Room, blank, hours_of, layout
from twin.state import LOST, OUT_OF_RANGE

CELLS = layout(2, n_anodes=20)
ALONG = np.tile(np.linspace(-1.0, 1.0, 10), 2)


def scores(
    minutes: int, swing_V: float, tilt: float, period_s: float = 40.0, with_anodes: bool = True
) -> np.ndarray:
    """Scores of the first cell, which swings after three quiet hours, and of the second, which does not."""
    detector, rng, found = Instability(CELLS), np.random.default_rng(5), []
    noise = np.zeros(2)
    for k in range(6 * (180 + minutes)):
        view = blank(CELLS, START_US + (k + 1) * 10_000_000, 10.0)
        noise = 0.6 * noise + 0.005 * rng.standard_normal(2)
        rolls = np.array([1.0 if k >= 6 * 180 else 0.0, 0.0])
        phase = 2.0 * np.pi * k * 10.0 / period_s + 0.3 * np.sin(k / 50.0)
        view.scalar[VOLTAGE] = 4.15 + noise + 0.5 * swing_V * rolls * np.sin(phase)
        view.voltage_low_V[:] = view.voltage_high_V[:] = view.scalar[VOLTAGE]
        view.scalar[CURRENT] = CURRENT_A
        if with_anodes:
            share = 1.0 + 0.01 * rng.standard_normal((2, 20)) + tilt * rolls[:, None] * ALONG * np.cos(phase)
            view.anode_current_A[:] = CURRENT_A / 20.0 * share
        found.append(detector.update(view)[0].value[:, 0].copy())
    if minutes >= 20:
        evidence = detector.explain("instability", 0, 0).evidence
        assert ("swing_along_pct" in evidence) is with_anodes
    return np.array(found)


def test_a_wave_in_voltage_or_in_opposite_halves_is_told_within_half_an_hour() -> None:
    for swing_V, tilt, with_anodes in ((0.080, 0.0, False), (0.0, 0.04, True)):
        found = scores(30, swing_V, tilt, with_anodes=with_anodes)
        assert np.nanmax(found[6 * 60 : 6 * 180]) < 1.0
        assert np.nanmax(found[6 * 180 :, 0]) >= 1.0
        assert np.nanmax(found[6 * 180 :, 1]) < 1.0


def test_small_slow_and_fast_swings_are_normal() -> None:
    assert np.nanmax(scores(30, 0.020, 0.004)[:, 0]) < 1.0
    # A feed cycle, and a disturbance of two minutes.
    assert np.nanmax(scores(30, 0.050, 0.0, period_s=1800.0)[:, 0]) < 1.0
    assert np.nanmax(scores(2, 0.200, 0.05)[:, 0]) < 1.0


def test_scans_too_long_for_the_wave_are_not_judged() -> None:
    room, detector = Room(CELLS, scan_s=60.0), Instability(CELLS)
    assert all(np.isnan(detector.update(view)[0].value).all() for view in hours_of(room, 2.0))


def test_a_lost_twin_and_a_lasting_contradiction_are_told_a_sound_one_is_not() -> None:
    room, detector = Room(CELLS), TwinRange(CELLS)
    found = []
    for minute, view in enumerate(hours_of(room, 12.0)):
        view.estimate.voltage_residual_V[:] = [0.02, 0.02 if minute < 180 else 0.25]
        view.estimate.status[0] = LOST if minute == 400 else 0
        found.append(detector.update(view)[0].value[:, 0].copy())
    told = np.array(found)
    assert np.nanmax(told[:400, 0]) < 0.8
    assert told[401, 0] >= 1.0
    assert told[-1, 0] < 0.8
    assert np.nanmax(told[:180, 1]) < 0.8
    assert told[-1, 1] >= 1.0
    assert detector.explain("twin_out_of_range", 1, 0).evidence["mean_residual_V"] == pytest.approx(
        0.25, abs=0.01
    )


@pytest.mark.parametrize(("share", "raised"), [(0.4, True), (0.0, False)])
def test_a_range_left_for_hours_is_told_an_outage_is_not(share: float, raised: bool) -> None:
    room, detector = Room(CELLS), TwinRange(CELLS)
    score = np.full((2, 1), np.nan)
    for view in hours_of(room, 6.0):
        view.scalar[CURRENT] = share * CURRENT_A
        view.estimate.status[:] = OUT_OF_RANGE
        view.estimate.assessed[:] = False
        score = detector.update(view)[0].value
    assert bool((score >= 1.0).all()) is raised
