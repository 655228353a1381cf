"""The observer as the pipeline uses it: scans in, estimates and residuals out."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.shared_data import TRACES, needs_shared_data
from twin.heat import shell_temp_C
from twin.observer import STATUS_REASONS, Estimate, Observer
from twin.params import params_for

N_ANODES, SIDES_OF_SENSORS = 30, [2, 2, 2, 3, 3, 3, 0, 1]
CONSUMPTION_KG_S = 1.76123e-4 * 300 * 0.945  # alumina, reference report 6.2


class Bench:
    """Cells fed with what a quiet plant would measure; a test changes what it is about."""

    def __init__(self, n_cells: int = 2):
        self.n = n_cells
        self.observer = Observer(
            [params_for("generic_300kA", 300e3)] * n_cells,
            np.full(n_cells, N_ANODES),
            np.tile(SIDES_OF_SENSORS, (n_cells, 1)),
        )
        self.shell_C = np.tile([270.0, 280, 265, 290, 300, 275, 250, 255], (n_cells, 1))
        self.voltage_V = np.full(n_cells, 4.18)
        self.age_h = np.tile(np.linspace(80.0, 590.0, N_ANODES), (n_cells, 1))
        self.anode_A = np.full((n_cells, N_ANODES), 10e3)
        self.current_A = np.full(n_cells, 300e3)
        self.beam_mm = np.full(n_cells, np.nan)

    def scan(self, scan_s: float = 10.0) -> Estimate:
        self.age_h = self.age_h + scan_s / 3600
        return self.observer.step(
            scan_s,
            self.current_A,
            self.voltage_V,
            self.anode_A,
            self.shell_C,
            np.full(self.n, 25.0),
            np.full(self.n, CONSUMPTION_KG_S * scan_s),
            self.beam_mm,
            self.age_h,
        )

    def run(self, hours: float, scan_s: float = 30.0) -> Estimate:
        estimate = self.scan(scan_s)
        for _ in range(int(hours * 3600 / scan_s) - 1):
            estimate = self.scan(scan_s)
        return estimate


def finite(estimate: Estimate, cell: int) -> bool:
    return all(np.all(np.isfinite(field[cell])) for field in estimate)


def test_a_quiet_cell_is_assessed_after_ten_minutes_and_looks_healthy():
    bench = Bench()
    early = bench.run(0.1)
    assert not early.assessed.any()
    assert STATUS_REASONS[int(early.status[0])].startswith("starting up")
    late = bench.run(24)
    assert late.assessed.all()
    assert not late.status.any()
    assert finite(late, 0)
    assert abs(late.voltage_residual_V[0]) < 0.005
    assert np.abs(late.shell_residual_C).max() < 2
    assert 950 < late.bath_temp_C[0] < 975
    assert 4 < late.superheat_C[0] < 14
    assert 2 < late.alumina_pct[0] < 3.5
    assert 35 < late.acd_mm[0] < 50
    assert 60 < late.ledge_bath_mm[0] < 100
    # 300 (4.18 - 0.18 - 2.03) kW
    assert late.heat_loss_kW[0] == pytest.approx(590, abs=10)
    assert 0.92 < late.current_efficiency[0] < 0.96
    assert 4.5 < late.bath_temp_sd_C[0] < 8
    assert late.superheat_C[0] == pytest.approx(late.bath_temp_C[0] - late.liquidus_C[0])


def test_melting_ledge_shows_on_its_side_only():
    bench = Bench()
    estimate = bench.run(6)
    for minute in range(120):
        bench.shell_C[0, 3:6] += 8.0 / 60
        estimate = bench.run(1 / 60)
        if minute == 60:
            assert estimate.shell_residual_C[0, 3:6] == pytest.approx([8.1] * 3, abs=1.5)
    assert estimate.shell_residual_C[0, 3:6] == pytest.approx([16] * 3, abs=2)
    assert np.abs(estimate.shell_residual_C[0, :3]).max() < 2
    assert np.abs(estimate.shell_residual_C[1]).max() < 2
    # The reported ledge of the cell follows the evidence: half its perimeter by some 20 mm.
    assert 3 < estimate.ledge_bath_mm[1] - estimate.ledge_bath_mm[0] < 15
    # A lasting deviation is not learned away within two days.
    assert bench.run(48, 60.0).shell_residual_C[0, 3] > 13


def test_each_thermocouple_has_its_own_normal_level():
    bench = Bench()
    bench.shell_C[1] += 90.0
    estimate = bench.run(1)
    assert np.abs(estimate.shell_residual_C).max() < 0.5
    bench.shell_C[0, 0] += 4.0
    assert bench.run(1).shell_residual_C[0, 0] == pytest.approx(4, abs=0.5)
    assert bench.run(20 * 24, 300.0).shell_residual_C[0, 0] < 0.5


def test_ambient_swing_is_expected():
    n = 1
    observer = Observer([params_for(None, 300e3)], np.array([0]), np.array([SIDES_OF_SENSORS]))
    none, worst = np.full(n, np.nan), 0.0
    for minute in range(0, 24 * 60, 2):
        ambient = 20 + 7 * np.sin(2 * np.pi * minute / 1440)
        # What a steady 5.5 kW/m2 does to a face in this air.
        shell = np.full((n, 8), shell_temp_C(5500.0, ambient, 0.85))
        now = np.full(n, ambient)
        empty = np.full((n, 1), np.nan)
        estimate = observer.step(
            120, np.full(n, 300e3), np.full(n, 4.2), empty, shell, now, np.zeros(n), none, empty
        )
        worst = max(worst, float(np.abs(estimate.shell_residual_C).max()))
    assert worst < 2.5


def test_voltage_excursion_shows_for_hours_and_a_lasting_level_is_learned():
    bench = Bench()
    bench.run(8)
    bench.voltage_V[0] += 0.040
    assert bench.scan().voltage_residual_V[0] == pytest.approx(0.040, abs=0.004)
    assert bench.run(0.5).voltage_residual_V[0] > 0.025
    assert abs(bench.run(24).voltage_residual_V[0]) < 0.010
    assert abs(bench.scan().voltage_residual_V[1]) < 0.005


def test_beam_movement_is_expected_in_the_voltage():
    bench = Bench()
    bench.beam_mm[:] = 100.0
    bench.run(4)
    before = bench.scan()
    bench.beam_mm[0] += 1.0
    after = bench.scan()
    # Ohm: 0.819 A/cm2 through 1 mm of a bath of 2.2 S/cm.
    assert after.voltage_expected_V[0] - before.voltage_expected_V[0] == pytest.approx(0.0372, rel=0.03)
    assert after.acd_mm[0] - before.acd_mm[0] == pytest.approx(0.9, abs=0.2)
    bench.beam_mm[1] += 150.0  # re-racking: the anodes stay where they are
    assert abs(bench.scan().voltage_residual_V[1]) < 0.01


def test_anode_effect_is_a_residual_and_teaches_nothing():
    bench = Bench()
    before = bench.run(4)
    bench.voltage_V[0] = 30.0
    effect = bench.run(0.05, 10.0)
    assert effect.voltage_residual_V[0] > 20
    bench.voltage_V[0] = 4.18
    after = bench.scan()
    assert abs(after.voltage_residual_V[0]) < 0.03
    assert 0 < after.bath_temp_C[0] - before.bath_temp_C[0] < 15


def test_young_anode_is_expected_to_carry_little():
    bench = Bench()
    bench.age_h[0, 6] = 8.0
    bench.anode_A[0, 6] = 4.5e3
    estimate = bench.scan()
    z = (estimate.anode_frac - estimate.anode_expected_frac) / estimate.anode_expected_sd_frac
    assert np.abs(z).max() < 1
    bench.anode_A[0, 6] = 1.2e3
    estimate = bench.scan()
    z = (estimate.anode_frac - estimate.anode_expected_frac) / estimate.anode_expected_sd_frac
    assert z[0, 6] < -2.5
    bench.anode_A[1, :] = np.nan
    assert np.isnan(bench.scan().anode_frac[1]).all()


@pytest.mark.parametrize("age_h", [0.0, 24.0])
def test_bath_temperature_sample_corrects_and_narrows(age_h: float):
    bench = Bench()
    before = bench.run(2)
    bench.observer.sample(0, "bath_temp_C", float(before.bath_temp_C[0]) + 10.0, age_h * 3600)
    after = bench.scan()
    share = (after.bath_temp_C[0] - before.bath_temp_C[0]) / 10
    assert (0.7 < share < 0.95) if age_h == 0 else (0.4 < share < 0.7)
    assert after.bath_temp_sd_C[0] < (3.2 if age_h == 0 else 5)
    # The correction stays, the certainty does not; the neighbour learns nothing.
    later = bench.run(24)
    assert later.bath_temp_C[0] - later.bath_temp_C[1] > 0.5 * share * 10
    assert after.bath_temp_sd_C[0] < later.bath_temp_sd_C[0] < before.bath_temp_sd_C[0]
    assert after.bath_temp_C[1] == pytest.approx(before.bath_temp_C[1], abs=0.1)


def test_a_mistyped_sample_does_limited_harm():
    bench = Bench()
    before = bench.run(1)
    bench.observer.sample(0, "bath_temp_C", 700.0, 0.0)
    bench.observer.sample(0, "bath_temp_C", float("nan"), 0.0)
    assert abs(bench.scan().bath_temp_C[0] - before.bath_temp_C[0]) < 30


def test_analyses_move_composition_and_liquidus():
    bench = Bench()
    before = bench.run(1)
    bench.observer.sample(0, "excess_alf3_pct", 9.0, 3600.0)
    bench.observer.sample(1, "alumina_pct", 3.4, 60.0)
    bench.observer.sample(1, "metal_iron_ppm", 900.0, 60.0)
    after = bench.scan()
    # -4.4 K per wt% AlF3 at this composition (Solheim): less AlF3 is a higher liquidus.
    assert after.liquidus_C[0] > before.liquidus_C[0] + 3
    assert after.alumina_pct[1] > before.alumina_pct[1] + 0.3
    assert after.alumina_sd_pct[1] < before.alumina_sd_pct[1]


def test_underfeeding_lowers_alumina_by_the_published_rate():
    bench = Bench(1)
    end = bench.run(1)
    start = end.alumina_pct[0]
    n = np.full(1, np.nan)
    for _ in range(180):
        end = bench.observer.step(
            10,
            bench.current_A,
            bench.voltage_V,
            bench.anode_A,
            bench.shell_C,
            n,
            np.zeros(1),
            n,
            bench.age_h,
        )
    # Reference report 6.2: -0.0428 wt%/min without feed, less what is still dissolving (tau 500 s).
    assert -0.0428 * 30 < end.alumina_pct[0] - start < -0.0428 * 30 * 0.5


def test_reasons_for_not_assessing():
    cell = params_for(None, 300e3)
    observer = Observer([cell] * 5 + [None], np.zeros(6, dtype=np.int64), np.full((6, 1), -1))
    current = np.array([np.nan, 300e3, 100e3, 300e3, 300e3, 300e3])
    voltage = np.array([4.2, np.nan, 4.2, 4.2, 4.2, 4.2])
    none, empty = np.full(6, np.nan), np.full((6, 1), np.nan)
    observer.event(3, "cell_state", {"state": "STARTUP"})

    def step(times: int) -> Estimate:
        for _ in range(times - 1):
            observer.step(10, current, voltage, empty, empty, none, np.zeros(6), none, empty)
        return observer.step(10, current, voltage, empty, empty, none, np.zeros(6), none, empty)

    estimate = step(90)
    words = [
        "no line_current_A rec",
        "no cell_voltage_V rec",
        "line_current_A outside",
        "cell reported",
        "",
        "technology",
    ]
    for cell_index, word in enumerate(words):
        status = int(estimate.status[cell_index])
        assert estimate.assessed[cell_index] == (status == 0)
        assert STATUS_REASONS.get(status, "").startswith(word), cell_index
    current[4] = np.nan
    assert step(90).assessed[4]
    assert STATUS_REASONS[int(step(2).status[4])] == "no line_current_A for 15 minutes"
    current[4], voltage[4] = 300e3, np.nan
    assert STATUS_REASONS[int(step(92).status[4])] == "no cell_voltage_V for 15 minutes"
    observer.event(3, "cell_state", {"state": "NORMAL"})
    assert step(1).assessed[3]


def test_nothing_is_made_up_for_a_cell_never_heard_of():
    observer = Observer([params_for(None, 300e3)], np.array([2]), np.array([[2, -1]]))
    none = np.full(1, np.nan)
    estimate = observer.step(
        10,
        none,
        none,
        np.full((1, 2), np.nan),
        np.full((1, 2), np.nan),
        none,
        np.zeros(1),
        none,
        np.full((1, 2), np.nan),
    )
    for name in (
        "voltage_expected_V",
        "bath_temp_C",
        "acd_mm",
        "ledge_bath_mm",
        "heat_loss_kW",
        "alumina_pct",
    ):
        assert np.isnan(getattr(estimate, name)).all(), name
    assert np.isnan(estimate.shell_expected_C).all()


def test_gap_of_hours_is_stable():
    bench = Bench()
    before = bench.run(3)
    for gap_s in (3600.0, 5 * 3600.0, 40 * 3600.0):
        estimate = bench.scan(gap_s)
        assert finite(estimate, 0)
        assert estimate.bath_temp_C[0] == pytest.approx(before.bath_temp_C[0], abs=4)
    assert np.abs(bench.run(0.2).shell_residual_C).max() < 4


def test_a_cell_does_not_depend_on_the_others():
    three, one = Bench(3), Bench(1)
    for bench in (three, one):
        bench.voltage_V[0] = 4.3
        bench.anode_A[0, 3] = 7e3
    three.voltage_V[1] = np.nan
    three.current_A[2] = 0.0
    together, alone = three.run(1), one.run(1)
    for a, b in zip(together, alone, strict=True):
        assert np.array_equal(a[0], b[0], equal_nan=True)


def test_a_restored_observer_continues_bit_for_bit_and_outputs_are_its_own():
    bench = Bench()
    first = bench.run(2)
    kept = [field.copy() for field in first]
    bench.observer.sample(0, "bath_temp_C", 970.0, 600.0)
    bench.observer.event(1, "tap", {"metal_kg": 1900.0})
    bench.observer.event(1, "beam_move", {"delta_mm": -2.0})
    bench.observer.event(0, "alf3_feed", {"mass_kg": 20.0})
    copy = Bench()
    copy.__dict__.update({k: v.copy() if isinstance(v, np.ndarray) else v for k, v in bench.__dict__.items()})
    copy.observer = pickle.loads(pickle.dumps(bench.observer))
    for a, b in zip(bench.run(1), copy.run(1), strict=True):
        assert np.array_equal(a, b, equal_nan=True)
    for field, copied in zip(first, kept, strict=True):
        assert np.array_equal(field, copied, equal_nan=True)


@needs_shared_data
def test_real_cell_of_126_kA():
    table = pq.read_table(TRACES / "smelter_126kA" / "readings").to_pydict()
    time_s = np.array([moment.timestamp() for moment in table["time"]])
    time_s -= time_s[0]
    volts = np.array(table["cell_voltage_V"], dtype=float)
    amps = np.array(table["line_current_A"], dtype=float)
    observer = Observer([params_for(None, 126.5e3)], np.array([0]), np.full((1, 1), -1))
    none, empty = np.full(1, np.nan), np.full((1, 1), np.nan)

    def mean(values: np.ndarray, within: np.ndarray) -> np.ndarray:
        there = values[within & np.isfinite(values)]
        return np.array([there.mean() if there.size else np.nan])

    residual: list[float] = []
    for k in range(int(time_s[-1] // 10)):
        within = (time_s >= 10 * k) & (time_s < 10 * k + 10)
        estimate = observer.step(
            10, mean(amps, within), mean(volts, within), empty, empty, none, np.zeros(1), none, empty
        )
        if estimate.assessed[0]:
            assert np.isfinite(estimate.voltage_expected_V[0])
            residual.append(float(estimate.voltage_residual_V[0]))
    quiet = np.array(residual)
    assert len(quiet) > 400
    # The beam raise of +148 mV was not recorded and must show; without it, tens of millivolts of feed cycle.
    assert 0.10 < np.nanmax(quiet) < 0.20
    assert 0.004 < np.nanstd(quiet[quiet < 0.06]) < 0.030
    assert np.nanmin(quiet) > -0.08


def test_daily_alf3_keeps_the_composition_and_a_single_bag_is_seen():
    bench = Bench()
    start = bench.run(1)
    bench.observer.event(1, "alf3_feed", {"mass_kg": 35.0})
    # 35 kg in 7 t of bath is 0.5 wt%, and 4.4 K per wt% (Solheim).
    assert bench.scan().liquidus_C[1] - start.liquidus_C[1] == pytest.approx(-0.5 * 4.4, abs=0.5)
    end = start
    for _ in range(10):
        # 16 kg per tonne of metal, 2.28 t a day.
        bench.observer.event(0, "alf3_feed", {"mass_kg": 36.5})
        end = bench.run(24, 60.0)
    assert end.liquidus_C[0] == pytest.approx(start.liquidus_C[0], abs=4)
