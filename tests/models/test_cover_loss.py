"""Lost cover on the gas of made-up cells, and what looks like it: work, weather, suction, power, thermometers."""

from collections.abc import Callable

import numpy as np
import pytest

from models.base import Done, Taken, View
from models.cover_loss import CoverLoss
from tests.models.views import CURRENT, DUCT, START_US, blank, layout
from twin.signals import SCALAR_READINGS

AMBIENT = SCALAR_READINGS.index("ambient_temp_C")
FLOW = SCALAR_READINGS.index("duct_gas_flow_Nm3_h")
SCAN_S = 450.0
N = 6
Change = Callable[[float, View], None]


def nothing(_hours: float, _view: View) -> None:
    """No fault."""


class Gas:
    """Gas 90 to 120 degC over the air, noise of an hour, a change every 20 h and a tap every 24 h with their log."""

    def __init__(self, seed: int = 2, n: int = N, logged: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.cells = layout(n)
        self.detector = CoverLoss(self.cells)
        self.over_C = self.rng.uniform(90.0, 120.0, n)
        self.first_h = self.rng.uniform(0.0, 20.0, n)
        self.noise_C = np.zeros(n)
        self.logged = logged
        self.k = 0

    def view(self) -> View:
        self.k += 1
        hours = self.k * SCAN_S / 3600.0
        view = blank(self.cells, START_US + round(hours * 3.6e9), SCAN_S)
        n = len(self.over_C)
        keep = np.exp(-SCAN_S / 3600.0)
        self.noise_C = keep * self.noise_C + 1.8 * np.sqrt(1 - keep**2) * self.rng.standard_normal(n)
        changed_h, tapped_h = (hours - self.first_h) % 20.0, (hours - self.first_h - 9.0) % 24.0
        work_C = 18.0 * (changed_h < 1.6) - 20.0 * (tapped_h < 0.6)
        view.scalar[AMBIENT] = 25.0 + 5.0 * np.sin(2 * np.pi * hours / 24.0)
        view.scalar[CURRENT] = 300_000.0
        view.scalar[DUCT] = view.scalar[AMBIENT] + self.over_C + self.noise_C + work_C
        estimate = view.estimate._replace(bath_temp_C=np.full(n, 960.0))
        done: list[Done] = []
        for event, age_h in (("anode_change", changed_h), ("tap", tapped_h)):
            # The log comes ten minutes late.
            late = (age_h >= 1 / 6) & (age_h < 1 / 6 + SCAN_S / 3600.0) & self.logged
            done += [Done(int(c), event, view.time_us - 600_000_000, {}) for c in np.flatnonzero(late)]
        return view._replace(estimate=estimate, done=tuple(done))

    def run(self, hours: float, change: Change = nothing) -> np.ndarray:
        scores = []
        for k in range(round(hours * 3600 / SCAN_S)):
            view = self.view()
            change(k * SCAN_S / 3600.0, view)
            scores.append(self.detector.update(view)[0].value[:, 0])
        return np.array(scores)


def first_h(scores: np.ndarray, cell: int) -> float:
    above = np.flatnonzero(scores[:, cell] >= 1.0)
    return (above[0] + 1) * SCAN_S / 3600.0 if len(above) else np.inf


@pytest.mark.parametrize("logged", [True, False])
def test_work_on_the_cell_is_no_lost_cover(logged: bool) -> None:
    scores = Gas(logged=logged).run(8 * 24.0)
    assert np.isnan(scores[: 8 * 19]).all()
    assert np.isfinite(scores[8 * 48 :]).mean() > 0.95
    assert np.nanmax(scores) < 1.0


@pytest.mark.parametrize(("rise_C", "within_h"), [(8.0, 12.0), (12.0, 7.0), (20.0, 5.0)])
def test_poor_cover_is_found_and_its_end_too(rise_C: float, within_h: float) -> None:
    def open_top(hours: float, view: View) -> None:
        view.scalar[DUCT, 2] += rise_C if hours < 30.0 else 0.0

    gas = Gas()
    gas.run(48.0)
    scores = gas.run(42.0, open_top)
    assert first_h(scores, 2) < within_h
    assert all(first_h(scores, c) == np.inf for c in range(N) if c != 2)
    assert scores[29 * 8, 2] >= 1.0
    assert scores[-1, 2] < 0.8
    assert gas.detector.explain("cover_loss", 2, 0).evidence["normal_spread_C"] < 4.0


def test_what_the_line_shares_is_no_lost_cover() -> None:
    def wind(hours: float, view: View) -> None:
        view.scalar[DUCT] += 10.0

    gas = Gas()
    gas.run(48.0)
    assert np.nanmax(gas.run(24.0, wind)) < 1.0
    # Two cells alone cannot tell.
    few = Gas(n=2)
    few.run(48.0)
    assert np.nanmax(few.run(24.0, wind)) >= 1.0


def test_heat_that_the_current_explains_is_no_lost_cover() -> None:
    def hotter(_hours: float, view: View) -> None:
        view.scalar[DUCT, 1] += 0.08 * gas.over_C[1]
        view.scalar[CURRENT, 1] *= 1.1

    gas = Gas()
    gas.run(48.0)
    assert np.nanmax(gas.run(24.0, hotter)[:, 1]) < 1.0


def test_less_suction_warms_the_gas_and_carries_no_more_heat() -> None:
    def sucks(share: float) -> Change:
        def change(_hours: float, view: View) -> None:
            view.scalar[FLOW] = 8000.0
            view.scalar[FLOW, 3] *= share
            view.scalar[DUCT, 3] += (1.0 / share - 1.0) * gas.over_C[3]

        return change

    gas = Gas()
    gas.run(48.0, sucks(1.0))
    assert np.nanmax(gas.run(24.0, sucks(0.85))[:, 3]) < 1.0


def test_a_cold_bath_speaks_for_cover_and_work_for_a_hole_that_it_left() -> None:
    def open_top(hours: float, view: View) -> None:
        view.scalar[DUCT, 0] += 12.0

    gas = Gas()
    gas.run(48.0)
    gas.run(6.0, open_top)
    before = {c.cause: c.weight for c in gas.detector.explain("cover_loss", 0, 0).causes}
    for _ in range(3):
        view = gas.view()
        taken = Taken(0, "bath_temp_C", view.time_us, 956.0)
        gas.detector.update(view._replace(samples=(taken,)))
    found = gas.detector.explain("cover_loss", 0, 0)
    after = {c.cause: c.weight for c in found.causes}
    assert found.evidence["bath_less_twin_C"] == pytest.approx(-4.0)
    assert after["cover_thin_or_hole"] > before["cover_thin_or_hole"]
    # The gas alone could as well be anodes that burn.
    assert "airburn" in before
    assert "airburn" not in after


def test_without_a_duct_thermometer_nothing_is_judged() -> None:
    gas = Gas()

    def blind(_hours: float, view: View) -> None:
        view.scalar[DUCT, 4] = np.nan

    assert np.isnan(gas.run(48.0, blind)[:, 4]).all()


@pytest.mark.parametrize(("covers_are_logged", "within_h"), [(True, 17.0), (False, 9.0)])
def test_an_anode_that_waits_for_its_cover_is_told_after_a_shift_and_a_half(
    covers_are_logged: bool, within_h: float
) -> None:
    gas = Gas()
    gas.first_h[:] = 0.0
    undressed = False

    def step() -> float:
        view = gas.view()
        hours = (gas.k * SCAN_S / 3600.0) % 20.0
        done = view.done
        if covers_are_logged and not undressed and 1.5 <= hours < 1.5 + SCAN_S / 3600.0:
            done += tuple(Done(c, "cover", view.time_us, {}) for c in range(N))
        if undressed:
            view.scalar[DUCT, 2] += 14.0
        return float(gas.detector.update(view._replace(done=done))[0].value[2, 0])

    before = [step() for _ in range(8 * 120)]
    assert np.nanmax(before) < 1.0
    undressed = True
    after = np.array([step() for _ in range(8 * 19)])
    told_h = (np.flatnonzero(after >= 1.0)[0] + 1) * SCAN_S / 3600.0
    assert told_h < within_h
    assert (told_h > 12.0) == covers_are_logged
