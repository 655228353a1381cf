"""Balance of alumina: blocked feeders, sludge and lost efficiency show in the feed that the controller asks for."""

import numpy as np
import pytest

from models.base import Done, Taken
from models.feeding import Feeding
from tests.models.views import CURRENT, CURRENT_A, START_US, VOLTAGE, blank, layout

SCAN_s = 600.0
CELLS = layout(3, n_anodes=6)
USE_kg = CURRENT_A * 1.76123e-7 * 0.945 * SCAN_s


class Line:
    """Three cells whose feed swings with the cycle of an hour; ratios of feed to use are set by the test."""

    def __init__(self, seed: int = 1, shot: tuple[float, ...] = (1.0, 1.05, 0.96)) -> None:
        self.detector, self.rng = Feeding(CELLS), np.random.default_rng(seed)
        self.shot = np.array(shot)
        self.held = np.zeros(3)
        self.time_us = START_US
        self.bath_C = np.full(3, 960.0)
        self.seen: dict[str, list[np.ndarray]] = {kind: [] for kind in self.detector.kinds}

    def run(
        self,
        hours: float,
        ratio: tuple[float, ...] = (1.0, 1.0, 1.0),
        volts: float = 4.15,
        *,
        logged: bool = True,
        late: bool = False,
    ) -> None:
        """Go on for some hours; entries that are not logged come all at once where ``late``."""
        held_back: list[Done] = []
        steps = round(hours * 3600.0 / SCAN_s)
        for step in range(steps):
            self.time_us += round(SCAN_s * 1e6)
            view = blank(CELLS, self.time_us, SCAN_s)
            view.scalar[VOLTAGE] = volts + 0.01 * self.rng.standard_normal(3)
            view.scalar[CURRENT] = CURRENT_A
            # What the bath holds back swings by half an hour of use and comes back.
            now = 0.6 * self.held + 1.2 * self.rng.standard_normal(3)
            view.feed_kg[:] = USE_kg * (np.array(ratio) + 0.25 * (now - self.held)) * self.shot
            self.held = now
            if not logged:
                held_back += [
                    Done(c, "alumina_feed", self.time_us, {"mass_kg": float(view.feed_kg[c])})
                    for c in range(3)
                ]
                view.feed_kg[:] = 0.0
            if late and step == steps - 1:
                for entry in held_back:
                    view.feed_kg[entry.cell] += float(entry.attributes["mass_kg"] or 0.0)
                view = view._replace(done=tuple(held_back))
            view.anode_age_h[:] = 300.0
            estimate = view.estimate._replace(
                assessed=np.ones(3, dtype=np.bool_),
                bath_temp_C=self.bath_C.copy(),
                superheat_C=np.full(3, 8.0),
            )
            for score in self.detector.update(view._replace(estimate=estimate)):
                self.seen[score.kind].append(score.value[:, 0].copy())

    def highest(self, kind: str, last_h: float) -> np.ndarray:
        """Highest score of each cell in the last hours."""
        return np.nanmax(np.array(self.seen[kind])[-round(last_h * 3600.0 / SCAN_s) :], axis=0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_normal_cells_are_quiet_whatever_their_shots_weigh(seed: int) -> None:
    line = Line(seed)
    line.run(120.0)
    for kind in line.detector.kinds:
        assert (line.highest(kind, 110.0) < 1.0).all(), kind


def test_a_feeder_that_gives_nothing_is_told_within_hours_and_cleared() -> None:
    line = Line()
    line.run(72.0)
    line.run(6.0, (1.33, 1.0, 1.0))
    score = line.highest("feeder_blocked", 6.0)
    assert score[0] >= 1.0
    assert (score[1:] < 1.0).all()
    found = line.detector.explain("feeder_blocked", 0, 0)
    assert found.evidence["feed_excess_6h_pct"] == pytest.approx(33.0, abs=5.0)
    assert found.evidence["usual_feed_over_use"] == pytest.approx(1.0, abs=0.02)
    assert found.causes[0].cause == "feeder_hole_blocked"
    line.run(14.0)
    assert line.detector.update(blank(CELLS, line.time_us + 1, SCAN_s))[0].value[0, 0] < 0.8
    assert line.highest("sludge", 14.0)[0] < 1.0


def test_alumina_that_dissolves_from_the_bottom_is_sludge_and_no_loss_of_efficiency() -> None:
    line = Line()
    line.run(72.0)
    line.run(12.0, (1.0, 0.8, 1.0))
    assert line.highest("sludge", 12.0)[1] >= 1.0
    assert line.detector.explain("sludge", 1, 0).causes[0].cause == "overfed"
    line.run(36.0, (1.0, 0.96, 1.0))
    assert line.highest("efficiency_loss", 48.0)[1] < 1.0


def test_lost_efficiency_is_told_within_two_days_and_sooner_with_a_warmer_bath() -> None:
    def hours_until(warmer_K: float) -> float:
        line = Line()
        line.run(96.0)
        line.bath_C[2] += warmer_K
        line.run(48.0, (1.0, 1.0, 0.95))
        assert line.highest("sludge", 48.0)[2] < 1.0
        assert line.highest("efficiency_loss", 48.0)[0] < 1.0
        above = np.array(line.seen["efficiency_loss"])[-288:, 2] >= 1.0
        assert above.any()
        return float(np.argmax(above)) / 6.0

    assert hours_until(4.0) < hours_until(0.0) <= 36.0


def test_a_cell_without_a_feed_log_is_not_judged_and_gaps_are_survived() -> None:
    line = Line(shot=(0.0, 1.0, 1.0))
    line.run(96.0)
    line.run(10.0, volts=np.nan)
    for kind in line.detector.kinds:
        scores = np.array(line.seen[kind])
        # The usual of a cell that logs nothing is learned to be nothing.
        assert np.isnan(scores[60 * 6 : 96 * 6, 0]).all(), kind
        assert np.isfinite(scores[30 * 6 : 96 * 6, 1]).all(), kind
        assert np.isnan(scores[-1]).all(), kind
    line.run(6.0)
    assert (np.array(line.seen["feeder_blocked"])[-1, 1:] < 1.0).all()


def test_a_risen_cathode_drop_stands_in_the_evidence() -> None:
    line = Line()
    line.run(30.0)
    for drop_V in (0.30, 0.31, 0.36):
        view = blank(CELLS, line.time_us + 1, SCAN_s)
        line.detector.update(view._replace(samples=(Taken(1, "cathode_drop_V", line.time_us, drop_V),)))
    found = line.detector.explain("sludge", 1, 0)
    assert found.evidence["cathode_drop_rise_mV"] == pytest.approx(57.0, abs=4.0)


@pytest.mark.parametrize(("ratio", "kind"), [(1.25, "feeder_blocked"), (0.75, "sludge")])
def test_a_lasting_change_of_the_shots_is_told_once_and_then_usual(ratio: float, kind: str) -> None:
    line = Line()
    line.run(96.0)
    line.run(24.0, (ratio, 1.0, 1.0))
    assert line.highest(kind, 24.0)[0] >= 1.0
    line.run(84.0, (ratio, 1.0, 1.0))
    line.run(96.0, (ratio, 1.0, 1.0))
    for name in line.detector.kinds:
        assert (line.highest(name, 90.0) < 1.0).all(), name
    # A feeder that is blocked at the new level is found as at the old one.
    line.run(8.0, (1.33 * ratio, 1.0, 1.0))
    assert line.highest("feeder_blocked", 8.0)[0] >= 1.0


def test_trouble_of_many_days_that_ends_is_over() -> None:
    line = Line()
    line.run(96.0)
    line.run(120.0, (1.25, 1.0, 1.0))
    line.run(24.0)
    line.run(72.0)
    for name in line.detector.kinds:
        assert (line.highest(name, 72.0) < 1.0).all(), name
    assert line.detector.explain("sludge", 0, 0).evidence["usual_feed_over_use"] == pytest.approx(
        1.0, abs=0.03
    )


@pytest.mark.parametrize("hours", [1.5, 3.0, 8.0])
@pytest.mark.parametrize("late", [False, True])
def test_a_hole_in_the_feed_log_is_no_trouble(hours: float, late: bool) -> None:
    line = Line()
    line.run(72.0)
    line.run(hours, logged=False, late=late)
    line.run(36.0)
    for kind in line.detector.kinds:
        assert (line.highest(kind, 36.0 + hours) < 1.0).all(), kind


def test_trouble_in_the_first_hours_does_not_become_usual() -> None:
    line = Line()
    line.run(6.0, (1.3, 1.0, 1.0))
    line.run(60.0)
    for kind in line.detector.kinds:
        assert line.highest(kind, 50.0)[0] < 1.0, kind
    assert line.detector.explain("sludge", 0, 0).evidence["usual_feed_over_use"] == pytest.approx(
        1.0, abs=0.03
    )


@pytest.mark.parametrize(("every_s", "late_s"), [(1800, 0), (3600, 0), (600, 400)])
def test_rare_entries_and_late_ones_after_a_hole_are_judged(every_s: int, late_s: int) -> None:
    detector = Feeding(CELLS)
    use_kg_s = CURRENT_A * 1.76123e-7 * 0.945
    waiting: list[tuple[int, int]] = []
    score = np.nan
    for step in range(1, 72 * 30 + 1):
        time_s = 120 * step
        view = blank(CELLS, START_US + time_s * 1_000_000, 120.0)
        view.scalar[VOLTAGE], view.scalar[CURRENT] = 4.15, CURRENT_A
        view.anode_age_h[:] = 300.0
        # A log that was away for an hour and a half.
        if time_s % every_s == 0 and not 36.0 < time_s / 3600 < 37.5:
            waiting.append((time_s + late_s, time_s))
        done: list[Done] = []
        while waiting and waiting[0][0] <= time_s:
            _, taken_s = waiting.pop(0)
            mass_kg = use_kg_s * every_s
            view.feed_kg[:] += mass_kg
            at_us = START_US + taken_s * 1_000_000
            done += [Done(c, "alumina_feed", at_us, {"mass_kg": mass_kg}) for c in range(len(view.feed_kg))]
        score = max(float(s.value[0, 0]) for s in detector.update(view._replace(done=tuple(done))))
    assert score < 0.5
