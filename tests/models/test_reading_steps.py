"""Steps that are instruments and steps that are the cell; rods against their sum."""

import numpy as np
import pytest

from models.base import View
from models.reading_steps import ShellSteps, VoltageSteps
from models.rod_sum import RodSum
from tests.models.views import CURRENT, START_US, VOLTAGE, blank, layout
from twin.signals import SCALAR_READINGS

BEAM = SCALAR_READINGS.index("beam_position_mm")
CELLS = layout(2, n_anodes=20)


def shells(values: list[float], scan_s: float = 120.0) -> float:
    """Sum of steps after some readings."""
    steps, found = ShellSteps((1, 1)), np.zeros((1, 1))
    for value in values:
        found = steps.update(np.array([[value]]), scan_s)
    return float(found[0, 0])


def test_a_shell_that_leaps_and_stays_has_stepped_and_a_spike_has_not() -> None:
    assert shells([300.0] * 20 + [330.0] * 10) == pytest.approx(30.0, rel=0.02)
    assert shells([300.0] * 20 + [330.0] + [300.0] * 10) == 0.0
    assert abs(shells([300.0] * 20 + [330.0] * 10 + [300.0] * 10)) < 1.0


def test_a_melt_out_is_no_step() -> None:
    # 300 to 600 degC in three hours (physics reference 7.2: in hours), also read every ten minutes.
    assert shells([300.0 + 100.0 / 30.0 * k for k in range(90)]) == 0.0
    assert shells([300.0 + 100.0 / 6.0 * k for k in range(18)], 600.0) == 0.0


def voltages(
    change_V: float,
    moved_mm: float = 0.0,
    effect: bool = False,
    minutes: int = 30,
    beam_lost_min: int = 10_000,
) -> float:
    """Step found after a change of the voltage, with or without a move of the beam or an anode effect."""
    rng, steps, found = np.random.default_rng(1), VoltageSteps(1), np.zeros(1)
    for minute in range(60 + minutes):
        view = blank(layout(1), START_US + minute * 60_000_000)
        later = minute >= 60
        view.scalar[VOLTAGE] = 4.1 + later * change_V + 0.02 * rng.standard_normal()
        view.scalar[CURRENT] = 300_000.0
        view.scalar[BEAM] = np.nan if minute >= beam_lost_min else 150.0 + later * moved_mm
        view.voltage_high_V[:] = 30.0 if effect and minute == 60 else view.scalar[VOLTAGE]
        found = steps.update(view)
    return float(found[0])


def test_a_voltage_that_steps_without_the_beam_is_a_voltmeter() -> None:
    assert voltages(0.5) == pytest.approx(0.5, abs=0.1)
    assert voltages(-0.4) == pytest.approx(-0.4, abs=0.1)
    assert voltages(0.5, minutes=3) == 0.0
    # A spike or a slip, a raised beam, and what an anode effect leaves behind.
    assert voltages(0.15) == 0.0
    assert voltages(0.5, moved_mm=10.0) == 0.0
    assert voltages(0.5, effect=True) == 0.0
    # Of a beam that was lost nobody knows whether it was raised; a short gap of it is none.
    assert voltages(0.5, beam_lost_min=40) == 0.0
    assert voltages(0.5, beam_lost_min=58) == pytest.approx(0.5, abs=0.1)


class Rods:
    """Rods of two cells with gains of their own, anodes that wander by 3 % and change places of current."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.gain = 1.0 + 0.02 * self.rng.standard_normal((2, 20))
        self.true = np.ones((2, 20))
        self.error = np.ones((2, 20))
        self.noise = np.zeros((2, 20))
        self.minute = 0

    def step(self) -> View:
        self.minute += 5
        view = blank(CELLS, START_US + self.minute * 60_000_000, 300.0)
        self.noise = 0.97 * self.noise + 0.03 * np.sqrt(1.0 - 0.97**2) * self.rng.standard_normal((2, 20))
        current = self.true * (1.0 + self.noise)
        current *= 300_000.0 / current.sum(axis=1, keepdims=True)
        view.scalar[CURRENT] = 300_000.0
        view.anode_age_h[:] = 300.0
        read = current * self.gain * self.error
        return view._replace(anode_current_A=read * (1.0 + 0.002 * self.rng.standard_normal((2, 20))))

    def run(self, detector: RodSum, hours: float) -> np.ndarray:
        return np.array([detector.update(self.step()) for _ in range(round(hours * 12))])


def test_a_rod_that_gains_is_named_and_an_anode_that_does_is_not() -> None:
    rods, detector = Rods(), RodSum(CELLS)
    quiet = rods.run(detector, 48.0)
    assert np.isnan(quiet[:143]).all()
    assert np.nanmax(quiet) < 1.0
    rods.error[0, 6] = 1.10
    rods.true[1, 6] = 1.4
    scores = rods.run(detector, 2.0)
    assert scores[-1, 0] >= 1.0
    assert np.max(scores[:, 1]) < 1.0
    anode, evidence = detector.suspect(0)
    assert anode == 7
    assert evidence["error_of_one_rod_frac"] == pytest.approx(0.10, abs=0.04)
    rods.error[0, 6] = 1.0
    assert rods.run(detector, 2.0)[-1, 0] < 0.8


def test_an_open_rod_is_named_and_a_burnt_off_anode_is_not() -> None:
    rods, detector = Rods(), RodSum(CELLS)
    rods.run(detector, 24.0)
    rods.error[0, 2] = 0.0
    rods.true[1, 2] = 0.0
    scores = rods.run(detector, 1.0)
    assert scores[-1, 0] > 5.0
    assert np.max(scores[:, 1]) < 1.0
    assert detector.suspect(0)[0] == 3


def test_a_new_instrument_is_the_place_after_three_days() -> None:
    rods, detector = Rods(), RodSum(CELLS)
    rods.run(detector, 24.0)
    rods.error[0, 4] = 1.2
    scores = rods.run(detector, 96.0)
    assert scores[24, 0] >= 1.0
    assert scores[-1, 0] < 0.8


def test_the_meter_of_the_line_is_no_fault_of_its_cells() -> None:
    many = layout(6, n_anodes=20)
    rng, detector = np.random.default_rng(2), RodSum(many)
    scores = np.zeros(6)
    for k in range(30 * 12):
        view = blank(many, START_US + k * 300_000_000, 300.0)
        view.scalar[CURRENT] = 300_000.0 * (1.01 if k > 24 * 12 else 1.0)
        view.anode_current_A[:] = 15_000.0 * (1.0 + 0.002 * rng.standard_normal((6, 20)))
        if k > 27 * 12:
            view.anode_current_A[3, 4] *= 1.1
        scores = detector.update(view)
        if k == 27 * 12:
            assert np.max(scores) < 1.0
    assert (scores >= 1.0).tolist() == [False, False, False, True, False, False]


def test_cells_without_rods_are_not_judged() -> None:
    bare = CELLS._replace(n_anodes=np.zeros(2, dtype=np.int64))
    rods, detector = Rods(), RodSum(bare)
    assert np.isnan(rods.run(detector, 24.0)).all()
