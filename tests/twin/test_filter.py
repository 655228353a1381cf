"""The filter of the slow states: late samples, honest spreads, and what it must not do."""

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from twin.filter import N_SNAPSHOTS, Filter, new_filter
from twin.jit import kernel
from twin.late import correct
from twin.observer import NE107, STATUS_REASONS, Observer
from twin.params import params_for
from twin.sigma import ALF3, ALUMINA, BATH, LEDGE, LEVEL, LIQUIDUS, NAMES, N, bath_kg_at, sample_of
from twin.state import LOST, Estimate, fixed_of

CONSUMPTION_KG_S = 1.76123e-4 * 300 * 0.945


class Line:
    """Cells on a steady diet; a test changes what it is about."""

    def __init__(self, n: int = 2):
        self.current_A, self.voltage_V = 300e3, 4.18
        self.n = n
        self.observer = Observer(
            [params_for("generic_300kA", 300e3)] * n, np.zeros(n, dtype=np.int64), np.full((n, 1), -1)
        )
        self.rng = np.random.default_rng(5)
        self.feed = np.ones(n)

    @property
    def filter(self) -> Filter:
        return self.observer._filter  # pyright: ignore[reportPrivateUsage]

    @property
    def heat_ref_W(self) -> NDArray[np.float64]:
        return self.observer._state.heat_ref_W  # pyright: ignore[reportPrivateUsage]

    def run(self, hours: float, scan_s: float = 60.0) -> Estimate:
        none, empty = np.full(self.n, np.nan), np.full((self.n, 1), np.nan)
        estimate = None
        for _ in range(round(hours * 3600 / scan_s)):
            estimate = self.observer.step(
                scan_s,
                np.full(self.n, self.current_A),
                self.voltage_V + np.full(self.n, 0.003 * self.rng.standard_normal()),
                empty,
                empty,
                np.full(self.n, 25.0),
                CONSUMPTION_KG_S * scan_s * self.feed,
                none,
                empty,
            )
        assert estimate is not None
        return estimate


def test_prior_is_of_liquidus_and_superheat():
    params = params_for("generic_300kA", 300e3)
    f = new_filter(fixed_of([params], [True], np.zeros(1, dtype=np.int64), np.full((1, 1), -1)))
    assert len(NAMES) == N == f.mean.shape[1]
    assert np.linalg.eigvalsh(f.cov[0]).min() > 0
    assert f.mean[0, BATH] == pytest.approx(params.bath_temp_C, abs=1)
    # Liquidus and analysis: 3.5 K of equation, 4.4 K/wt% of AlF3 (Solheim), a little of alumina and wall.
    assert 5 < np.sqrt(f.cov[0, BATH, BATH]) < 7


def test_a_late_sample_says_less_than_a_fresh_one():
    line = Line(3)
    before = line.run(30)
    line.observer.sample(0, "bath_temp_C", float(before.bath_temp_C[0]) + 6.0, 0.0)
    line.observer.sample(1, "bath_temp_C", float(before.bath_temp_C[1]) + 6.0, 12 * 3600.0)
    after = line.run(1 / 60)
    fresh, late, none = (after.bath_temp_C - before.bath_temp_C).tolist()
    assert 4.5 < fresh < 6.0
    assert 3.0 < late < 6.0
    assert abs(none) < 0.2
    assert after.bath_temp_sd_C[0] < after.bath_temp_sd_C[1] < after.bath_temp_sd_C[2]


def test_a_late_sample_is_compared_with_the_state_of_its_own_time():
    line = Line(1)
    line.run(6)
    then = line.run(1 / 60)
    line.feed[:] = 0.5
    now = line.run(2)
    moved = float(now.alumina_pct[0] - then.alumina_pct[0])
    assert moved < -0.3
    # What was true two hours ago is no surprise, although it is far from what is true now.
    line.observer.sample(0, "alumina_pct", float(then.alumina_pct[0]), 2 * 3600.0)
    assert abs(float(line.run(1 / 60).alumina_pct[0] - now.alumina_pct[0])) < 0.1


def test_correcting_late_is_nearly_correcting_in_time():
    on_time, late = Line(1), Line(1)
    on_time.run(10)
    late.run(10)
    value = float(on_time.filter.mean[0, BATH]) + 5.0
    chemistry = on_time.observer._state.chemistry_pct[0]  # pyright: ignore[reportPrivateUsage]
    correct(on_time.filter, 0, BATH, value, 1.6, 0.0, chemistry)
    on_time.run(5)
    late.run(5)
    correct(late.filter, 0, BATH, value, 1.6, 5 * 3600.0, chemistry)
    gained = on_time.filter.mean[0, BATH] - late.filter.mean[0, BATH]
    assert abs(gained) < 0.5
    assert late.filter.cov[0, BATH, BATH] == pytest.approx(on_time.filter.cov[0, BATH, BATH], rel=0.15)


def test_a_misread_sample_moves_little_and_a_second_one_more():
    line = Line(1)
    for _ in range(6):
        estimate = line.run(12)
        line.observer.sample(0, "bath_temp_C", float(estimate.bath_temp_C[0]), 600.0)
    settled = line.run(1)
    line.observer.sample(0, "bath_temp_C", float(settled.bath_temp_C[0]) + 40.0, 600.0)
    moved = float(line.run(1 / 60).bath_temp_C[0] - settled.bath_temp_C[0])
    assert 0 < moved < 3.0


def test_covariances_stay_positive_and_spreads_finite_over_a_month_with_a_gap():
    line = Line(2)
    for day in range(30):
        estimate = line.run(24, 120.0)
        if day % 2:
            line.observer.sample(0, "bath_temp_C", 963.0 + day % 3, 3600.0)
            line.observer.sample(0, "alumina_pct", 2.4, 15 * 3600.0)
            line.observer.sample(0, "liquidus_temp_C", 954.0, 3600.0)
            line.observer.sample(0, "excess_alf3_pct", 12.5, 15 * 3600.0)
        if day == 15:
            line.run(5.0, 5 * 3600.0)
        for cov in line.filter.cov:
            assert np.linalg.eigvalsh(cov).min() > -1e-9
        assert np.isfinite(estimate.bath_temp_C).all()
    assert np.isfinite(line.filter.past_s[0]).sum() == N_SNAPSHOTS
    sampled, unsampled = (float(x) for x in line.run(1).bath_temp_sd_C)
    assert 0.5 < sampled < 2.5
    assert 4 < unsampled < 8


def test_a_voltmeter_that_repeats_itself_teaches_nothing():
    line = Line(1)
    line.run(6)
    before = line.filter.mean[0, [ALUMINA, LEVEL]].copy()
    none, empty = np.full(1, np.nan), np.full((1, 1), np.nan)
    for _ in range(300):
        line.observer.step(
            60.0,
            np.full(1, 300e3),
            np.full(1, 4.30),
            empty,
            empty,
            none,
            np.full(1, CONSUMPTION_KG_S * 60),
            none,
            empty,
        )
    alumina, level = line.filter.mean[0, [ALUMINA, LEVEL]] - before
    # Ten minutes pass before it is known; the 120 mV would be all of the level otherwise.
    assert abs(level) < 0.06
    assert abs(alumina) < 0.3


@pytest.mark.parametrize("residual_V", [0.0, 1.6])
def test_three_hours_without_line_current_are_survived_and_said(residual_V: float):
    line = Line(2)
    before = line.run(30)
    line.observer.sample(0, "bath_temp_C", float(before.bath_temp_C[0]), 60.0)
    line.run(2)
    line.current_A, line.voltage_V, line.feed[:] = 0.0, residual_V, 0.0
    dark = line.run(3)
    assert not dark.assessed.any()
    assert {STATUS_REASONS[int(status)][:12] for status in dark.status} == {"line_current"}
    # Freezing holds the melt up: without it 600 kW less what the reaction took would cool 41 MJ/K by 53 K an hour.
    assert (dark.bath_temp_C < before.bath_temp_C - 10).all()
    assert (dark.bath_temp_C > 890).all()
    assert (dark.superheat_C < 0).all()
    assert (dark.bath_temp_sd_C > 2 * before.bath_temp_sd_C[0]).all()
    assert (dark.ledge_bath_mm > before.ledge_bath_mm).all()
    line.current_A, line.voltage_V, line.feed[:] = 300e3, 4.33, 1.0
    back = line.run(20)
    line.voltage_V = 4.18
    line.observer.sample(0, "bath_temp_C", 962.0, 600.0)
    after = line.run(10)
    assert after.assessed.all()
    assert (back.superheat_C > 0).all()
    assert after.bath_temp_C == pytest.approx([962, float(after.bath_temp_C[1])], abs=8)
    assert after.bath_temp_C[1] == pytest.approx(before.bath_temp_C[1], abs=3 * after.bath_temp_sd_C[1])
    assert after.alumina_pct == pytest.approx([2.5, 2.5], abs=1.0)
    for cov in line.filter.cov:
        assert np.linalg.eigvalsh(cov).min() > -1e-9


def test_a_cell_first_seen_without_current_is_not_lost_when_it_comes():
    line = Line(1)
    line.current_A, line.voltage_V, line.feed[:] = 0.0, 1.6, 0.0
    line.run(10)
    line.current_A, line.voltage_V = 300e3, 4.2
    for _ in range(12):
        out = line.run(0.2)
        assert out.status[0] != LOST
        assert np.isfinite(line.heat_ref_W).all()
        assert np.isfinite(line.filter.mean).all()


def test_ledge_that_freezes_in_an_outage_leaves_alumina_and_alf3_to_the_bath():
    line = Line(1)
    params = params_for("generic_300kA", 300e3)
    before = line.run(30)
    line.current_A, line.voltage_V, line.feed[:] = 0.0, 1.6, 0.0
    # What had not dissolved does so in the first half hour and is no part of this balance.
    line.run(0.75)
    start = line.filter.mean[0].copy()
    dark = line.run(2.25)
    end = line.filter.mean[0]
    left = bath_kg_at(float(end[LEDGE]), params) / bath_kg_at(float(start[LEDGE]), params)
    assert left < 0.9
    assert end[ALF3] * left == pytest.approx(start[ALF3], rel=0.03)
    # Alumina rises as much but for its way back to the aim, which the filter does not stop in an outage.
    assert 0.5 / left + 0.5 < end[ALUMINA] / start[ALUMINA] < 1.03 / left
    assert dark.alumina_sd_pct[0] > 1.3 * before.alumina_sd_pct[0]
    # What is believed of heat and ledge does not follow the voltage of the restart, which has more reasons.
    kept = []
    for voltage_V in (4.2, 4.5):
        copy = pickle.loads(pickle.dumps(line))
        copy.current_A, copy.voltage_V = 300e3, voltage_V
        copy.run(1 / 60)
        kept.append(copy.filter.mean[0, LEDGE])
    assert kept[0] == pytest.approx(kept[1], abs=0.2)


@pytest.mark.parametrize("superheat_C", [8.0, -0.5, -3.0, -40.0])
def test_what_a_sample_says_of_the_state_is_the_slope_of_it(superheat_C: float):
    params = params_for("generic_300kA", 300e3)
    f = new_filter(fixed_of([params], [True], np.zeros(1, dtype=np.int64), np.full((1, 1), -1)))
    chemistry, h, unused = np.array([5.0, 0.0, 0.0, 0.0]), np.empty(N), np.empty(N)
    x = f.mean[0].copy()
    x[BATH] = sample_of(LIQUIDUS, f.mean[0], chemistry, h) + superheat_C
    for kind in (BATH, LIQUIDUS, ALUMINA, ALF3):
        here = sample_of(kind, x, chemistry, h)
        for i, step in enumerate([0.1, 0.1, 0.1, 0.05, *[0.01] * (N - 4)]):
            moved = x.copy()
            moved[i] += step
            slope = (sample_of(kind, moved, chemistry, unused) - here) / step
            assert slope == pytest.approx(h[i], abs=0.02 * (1 + abs(h[i])))
    if superheat_C < -1.0:
        melt, liquidus = (sample_of(kind, x, chemistry, h) for kind in (BATH, LIQUIDUS))
        assert melt == pytest.approx(liquidus - 1.0)
        assert melt > x[BATH]


def test_an_impossible_estimate_starts_anew_and_says_so():
    line = Line(2)
    line.run(3)
    line.filter.mean[0, ALUMINA] = np.nan
    lost = line.run(1 / 60)
    assert np.isfinite(lost.bath_temp_C).all()
    said = line.run(1 / 60)
    assert STATUS_REASONS[int(said.status[0])].startswith("the estimate was no longer")
    assert said.assessed.tolist() == [False, True]
    assert line.run(0.5).assessed.all()
    assert 5 < np.sqrt(line.filter.cov[0, BATH, BATH]) < 7


def test_ledge_is_never_known_better_than_what_nothing_measures():
    line = Line(1)
    estimate = line.run(24)
    for _ in range(9):
        line.observer.sample(0, "bath_temp_C", 962.0, 600.0)
        line.observer.sample(0, "liquidus_temp_C", 953.0, 600.0)
        estimate = line.run(24)
    assert 4 < estimate.ledge_bath_sd_mm[0] < 12


def test_division_by_zero_in_a_kernel_is_not_an_exception():
    @kernel
    def divided(a: float, b: float) -> float:
        return a / b

    assert divided(1.0, 0.0) == np.inf
    assert np.isnan(divided(0.0, 0.0))
    assert np.isnan(divided(np.nan, 1.0))


def test_every_status_has_a_category_of_ne_107():
    assert set(NE107) == {0, *STATUS_REASONS}
    assert set(NE107.values()) == {"good", "failure", "function check", "out of specification", "maintenance"}
