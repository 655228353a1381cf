"""Cells that drift cold and hot against their own place, and what alone is no drift."""

from collections.abc import Callable

import numpy as np
import pytest

from models.base import View
from models.heat_state import HeatState
from tests.models.views import CURRENT, START_US, VOLTAGE, blank, layout
from twin.signals import SCALAR_READINGS

CELLS = layout(6)
SCAN_S = 900.0
BEAM = SCALAR_READINGS.index("beam_position_mm")
Change = Callable[[View], None]


def nothing(_view: View) -> None:
    """No fault."""


class Line:
    """Six cells with an anode change a day, weather on the shells, and a twin that is wrong by a kelvin."""

    def __init__(self, seed: int = 8) -> None:
        self.rng = np.random.default_rng(seed)
        self.noise = np.zeros((3, 6))
        self.detector = HeatState(CELLS)
        self.k = 0

    def run(self, hours: float, change: Change = nothing) -> np.ndarray:
        """Scores (n_scans, 2, n_cells): cold, hot."""
        scores = []
        for _ in range(round(hours * 3600 / SCAN_S)):
            self.k += 1
            view = blank(CELLS, START_US + round(self.k * SCAN_S * 1e6), SCAN_S)
            keep = np.exp(-SCAN_S / (8 * 3600.0))
            self.noise = keep * self.noise + np.sqrt(1 - keep**2) * self.rng.standard_normal((3, 6))
            dip_C = 4.0 * ((self.k + 10 * np.arange(6)) % 96 < 24)
            day = np.sin(2 * np.pi * self.k / 96.0)
            view.scalar[VOLTAGE], view.scalar[CURRENT], view.scalar[BEAM] = 4.1, 300_000.0, 150.0
            view.shell_temp_C[:] = 285.0 + 4.0 * day + 2.0 * self.noise[0][:, None]
            estimate = view.estimate._replace(
                assessed=np.ones(6, dtype=np.bool_),
                bath_temp_C=961.0 + 1.5 * self.noise[1] - dip_C,
                superheat_C=8.0 + 0.7 * self.noise[2],
                superheat_sd_C=np.full(6, 1.2),
                heat_loss_kW=560.0 * (1.0 + 0.015 * self.noise[0]),
            )
            view = view._replace(estimate=estimate)
            change(view)
            cold, hot = (score.value[:, 0] for score in self.detector.update(view))
            scores.append((cold, hot))
        return np.array(scores)


def moved(bath_C: float = 0.0, shell_C: float = 0.0, superheat_C: float = 0.0, heat: float = 0.0) -> Change:
    """A cell 2 that has moved."""

    def change(view: View) -> None:
        view.estimate.bath_temp_C[2] += bath_C
        view.shell_temp_C[2] += shell_C
        view.estimate.superheat_C[2] += superheat_C
        view.estimate.heat_loss_kW[2] *= 1.0 + heat

    return change


def test_normal_weeks_are_quiet() -> None:
    assert np.nanmax(Line().run(14 * 24.0)) < 1.0


@pytest.mark.parametrize(("sign", "row"), [(-1.0, 0), (1.0, 1)])
def test_a_cell_that_leaves_its_place_is_found_within_two_days_and_its_return_too(
    sign: float, row: int
) -> None:
    line = Line()
    line.run(96.0)
    scores = line.run(48.0, moved(8.0 * sign, 20.0 * sign, 1.5 * sign, 0.08 * sign))
    assert (scores[:, row, 2] >= 1.0).any()
    assert not (scores[:, 1 - row, 2] >= 1.0).any()
    assert not (np.delete(scores, 2, axis=2) >= 1.0).any()
    found = line.detector.explain(("cell_cold", "cell_hot")[row], 2, 0)
    assert found.evidence["bath_temp_drift_C"] == pytest.approx(8.0 * sign, abs=4.0)
    assert found.causes[0].cause == ("heat_input_low", "heat_input_high")[row]
    assert line.run(24.0)[-1, row, 2] < 0.8


@pytest.mark.parametrize(
    "change",
    [moved(bath_C=-12.0), moved(shell_C=40.0), moved(superheat_C=-2.0), moved(heat=0.10)],
    ids=["temperature alone", "shells alone", "superheat alone", "heat alone"],
)
def test_one_witness_is_no_drift(change: Change) -> None:
    # A fall of temperature alone keeps a cell normal (Zhu and Li 2020, by physics reference 7.1).
    line = Line()
    line.run(96.0)
    assert np.nanmax(line.run(36.0, change)) < 1.0


def test_one_shell_thermocouple_is_no_hot_cell() -> None:
    def bad(view: View) -> None:
        view.shell_temp_C[2, 3] += 150.0
        view.estimate.superheat_C[2] += 1.5

    line = Line()
    line.run(96.0)
    assert np.nanmax(line.run(36.0, bad)) < 1.0


def test_a_voltmeter_that_steps_makes_no_hot_cell() -> None:
    def bad(view: View) -> None:
        # The twin believes it.
        view.scalar[VOLTAGE, 2] += 0.5
        view.estimate.bath_temp_C[2] += 20.0
        view.estimate.superheat_C[2] += 12.0
        view.estimate.heat_loss_kW[2] += 140.0

    line = Line()
    line.run(96.0)
    scores = line.run(36.0, bad)
    # One scan goes by before the step is sure; an alarm takes two.
    assert np.isnan(scores[1:, 1, 2]).all()


def test_what_the_line_shares_is_no_drift() -> None:
    def ramp(view: View) -> None:
        view.estimate.bath_temp_C[:] += 8.0
        view.estimate.heat_loss_kW[:] *= 1.08
        view.shell_temp_C[:] += 15.0

    line = Line()
    line.run(96.0)
    assert np.nanmax(line.run(48.0, ramp)) < 1.0


def test_a_bath_that_is_colder_than_usual_beside_warm_shells_is_no_cold_cell() -> None:
    # After a hot spell the ledge is thin for a day, and what is usual has followed the spell.
    line = Line()
    line.run(96.0)
    assert np.nanmax(line.run(36.0, moved(-5.0, 14.0, -1.8, -0.02))[:, 0]) < 1.0
    # With shells that cool too it is one.
    line = Line()
    line.run(96.0)
    assert np.nanmax(line.run(36.0, moved(-5.0, -14.0, -1.8, -0.02))[:, 0, 2]) >= 1.0


def test_a_cell_on_its_way_home_is_not_told_any_more() -> None:
    def spell(hold_h: float) -> float:
        line = Line()
        line.run(96.0)
        highest = np.nanmax(line.run(hold_h, moved(9.0, 25.0, 2.0, 0.08))[:, 1, 2])
        for share in np.linspace(0.75, 0.35, 9):
            scores = line.run(3.0, moved(9.0 * share, 25.0 * share, 2.0, 0.08))
            highest = max(highest, np.nanmax(scores[:, 1, 2]))
        return float(highest)

    assert spell(6.0) < 1.0
    assert spell(20.0) >= 1.0
