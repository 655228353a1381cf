"""Collector bars: pairs that warm, bars that drift alone, cells without bars, and bars together with iron."""

import numpy as np
import pytest

from models.base import Taken, View
from models.bottom_loss import BottomLoss
from tests.models.views import CURRENT, START_US, blank, layout

DAY_US = 86_400_000_000
CELLS = layout(2)._replace(n_bars=np.array([12, 12]))
SCAN_S = 600.0


class Bars:
    """Bars of two cells: places of their own, line current and air that all share, draught of an hour on each."""

    def __init__(self, seed: int = 3) -> None:
        self.rng = np.random.default_rng(seed)
        self.place_C = 210.0 + 8.0 * self.rng.standard_normal((2, 12))
        self.noise_C = np.zeros((2, 12))
        self.more_C = np.zeros((2, 12))
        self.time_us = START_US

    def step(self) -> View:
        self.time_us += round(SCAN_S * 1e6)
        hours = (self.time_us - START_US) / 3.6e9
        keep = np.exp(-SCAN_S / 3600.0)
        self.noise_C = keep * self.noise_C + 2.0 * np.sqrt(1 - keep**2) * self.rng.standard_normal((2, 12))
        view = blank(CELLS, self.time_us, SCAN_S)
        shared_C = 6.0 * np.sin(2 * np.pi * hours / 24.0)
        bars_C = self.place_C + self.noise_C + shared_C + self.more_C
        return view._replace(bar_temp_C=bars_C + self.rng.standard_normal((2, 12)))


def run(bars: Bars, detector: BottomLoss, days: float, rise_C_d: np.ndarray | float = 0.0) -> np.ndarray:
    scores = []
    for _ in range(round(days * 86400 / SCAN_S)):
        bars.more_C = bars.more_C + np.asarray(rise_C_d) * SCAN_S / 86400.0
        scores.append(detector.update(bars.step())[0].value[:, 0])
    return np.array(scores)


def rise(*numbers: int) -> np.ndarray:
    """Bars of the first cell that warm, counted from 1."""
    mask = np.zeros((2, 12))
    mask[0, [n - 1 for n in numbers]] = 1.0
    return mask


def test_sound_bars_are_quiet_for_a_month() -> None:
    scores = run(Bars(), BottomLoss(CELLS), 30.0)
    assert np.isnan(scores[:143]).all()
    assert np.nanmax(scores) < 0.6


def test_neighbours_that_warm_are_found_within_a_day_and_named() -> None:
    bars, detector = Bars(), BottomLoss(CELLS)
    run(bars, detector, 4.0)
    scores = run(bars, detector, 2.0, 30.0 * rise(5, 6, 7))
    first_h = np.flatnonzero(scores[:, 0] >= 1.0)[0] * SCAN_S / 3600.0
    assert first_h < 20.0
    assert np.nanmax(scores[:, 1]) < 0.6
    found = detector.explain("bottom_loss", 0, 0)
    assert found.evidence["bar_number"] in (5.0, 6.0, 7.0)
    assert found.evidence["bars_risen"] == 3.0
    assert found.causes[0].cause == "lining_attack_bottom"
    # They cool again: the alarm ends, for the heat was not learned as usual.
    after = run(bars, detector, 1.5, -60.0 * rise(5, 6, 7))
    bars.more_C[:] = 0.0
    after = run(bars, detector, 1.0)
    assert after[-1, 0] < 0.8


def test_a_bar_alone_is_a_thermocouple() -> None:
    bars, detector = Bars(), BottomLoss(CELLS)
    run(bars, detector, 4.0)
    bars.more_C = 80.0 * rise(5)
    assert np.nanmax(run(bars, detector, 3.0)[:, 0]) < 0.6


def test_shared_heat_is_no_attack() -> None:
    bars, detector = Bars(), BottomLoss(CELLS)
    run(bars, detector, 4.0)
    assert np.nanmax(run(bars, detector, 2.0, 20.0)) < 0.6


def test_warm_bars_make_iron_alone_believed() -> None:
    def last(more_C: float, rise_ppm: float) -> float:
        bars, detector = Bars(), BottomLoss(CELLS)
        score = np.full(2, np.nan)
        for k in range(round(14 * 86400 / SCAN_S)):
            bars.more_C = more_C * rise(5, 6) * max(0.0, k / 144 - 12.0)
            view = bars.step()
            if k % 144 == 0:
                ppm = 1100.0 + rise_ppm * max(0, k // 144 - 9)
                taken = Taken(0, "metal_iron_ppm", view.time_us - DAY_US // 3, ppm)
                view = view._replace(samples=(taken,))
            score = detector.update(view)[0].value[:, 0]
        return float(score[0])

    assert 0.5 <= last(0.0, 120.0) < 1.0
    assert 0.2 <= last(5.0, 0.0) < 1.0
    assert last(5.6, 120.0) >= 1.0


def test_cells_without_bars_are_judged_by_their_metal_only() -> None:
    bare = layout(2)._replace(n_bars=np.zeros(2, dtype=np.int64))
    detector = BottomLoss(bare)
    last = np.zeros((2, 1))
    for day in range(3):
        view = blank(bare, START_US + day * DAY_US)
        taken = Taken(0, "metal_silicon_ppm", view.time_us - DAY_US // 3, 2500.0)
        last = detector.update(view._replace(samples=(taken,)))[0].value
    assert last[0, 0] == pytest.approx(1.25)
    assert np.isnan(last[1, 0])


def test_bars_that_drop_out_and_come_back_do_not_move_the_others() -> None:
    bars, detector = Bars(), BottomLoss(CELLS)
    # Half of the bars stand 60 degC lower for good.
    bars.place_C[:, :6] -= 60.0
    run(bars, detector, 4.0)
    scores = []
    for k in range(round(3 * 86400 / SCAN_S)):
        view = bars.step()
        view.bar_temp_C[0, : 5 if k < 150 else 0] = np.nan
        scores.append(detector.update(view)[0].value[:, 0])
    assert np.nanmax(scores) < 0.6


def test_bars_are_not_judged_while_the_line_is_off_and_warms_again() -> None:
    bars, detector = Bars(), BottomLoss(CELLS)

    def go(hours: float, current_A: float, cooling_C: np.ndarray) -> np.ndarray:
        scores = []
        for _ in range(round(hours * 3600.0 / SCAN_S)):
            bars.more_C = bars.more_C - cooling_C * SCAN_S / 3600.0
            view = bars.step()
            view.scalar[CURRENT] = current_A
            scores.append(detector.update(view)[0].value[:, 0])
        return np.array(scores)

    # Bars at the ends cool faster.
    pace_C_h = np.where(np.abs(np.arange(12) - 5.5) > 4.0, 40.0, 15.0)[None, :]
    go(96.0, 300_000.0, 0.0 * pace_C_h)
    assert np.isnan(go(3.0, 0.0, pace_C_h)).all()
    assert np.isnan(go(3.0, 300_000.0, -pace_C_h)).all()
    assert np.nanmax(go(48.0, 300_000.0, 0.0 * pace_C_h)) < 0.6
