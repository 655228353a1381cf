"""Calibration finds what was put into a history, leaves alone what the history does not show, and says why."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from twin.bath import liquidus_solheim
from twin.calibration import (
    APPLIED,
    NO_DATA,
    NOT_IDENTIFIED,
    OUT_OF_RANGE,
    WORSE,
    CellCalibration,
    Correction,
    calibrate,
)
from twin.calibration_evidence import huber_mean
from twin.calibration_fit import FACTORS, NAMES
from twin.calibration_history import HandSample, History, HistoryBuilder
from twin.heat import nominal_bath, shell_temp_C, steady
from twin.params import CellParams, params_for, range_of

TECHNOLOGY = params_for("generic_300kA", 300e3)
SIDES_OF_SENSORS = np.array([2, 2, 2, 3, 3, 3, 0, 1])
METAL_kg_day = 0.335572e-3 * 24 * 300e3
DAY_S = 86400.0


class Cell(NamedTuple):
    """A cell of the twin with constants of its own, and what is wrong with its record."""

    params: CellParams
    shell: bool = True
    samples: bool = True
    lost_tap: bool = False
    typo_every: int = 0
    back_after_day: float = np.inf


def own(**changes: float) -> CellParams:
    return TECHNOLOGY._replace(**changes)


def record(cells: list[Cell], days: int = 20, seed: int = 3) -> History:
    """A history that cells of the twin would leave, measured three times an hour."""
    builder = HistoryBuilder(np.full(len(cells), TECHNOLOGY.nominal_voltage_V), 8)
    noise = [np.random.default_rng([seed, round(1e6 * sum(cell.params))]) for cell in cells]
    n = len(cells)
    nominal = [steady(cell.params) for cell in cells]
    for third in range(days * 72):
        time_s = 1200.0 * (third + 1)
        air_C = 25.0 + 5.0 * np.sin(2 * np.pi * time_s / DAY_S)
        voltage_V, shell_C = np.empty(n), np.full((n, 8), np.nan)
        for i, cell in enumerate(cells):
            voltage_V[i] = cell.params.nominal_voltage_V + noise[i].normal(0.0, 0.01)
            if time_s % (20 * 3600.0) < 4 * 3600.0:
                voltage_V[i] += 0.04
            if third % 500 == 7:
                voltage_V[i] = 30.0
            if third % 97 == 5:
                voltage_V[i] = np.nan
            flux = cell.params.bath_ledge_W_m2K * nominal[i].superheat_C / cell.params.shell_area_frac
            if cell.shell:
                shell_C[i] = shell_temp_C(flux, air_C, cell.params.shell_emissivity) + noise[i].normal(
                    0.0, 1.0, 8
                )
        builder.add(
            time_s, np.ones(n, dtype=np.bool_), np.full(n, 300e3), voltage_V, np.full(n, air_C), shell_C
        )
    for i, cell in enumerate(cells):
        for change in range(days * 24 // 20):
            builder.event(i, "anode_change", {"anode": 1}, change * 20 * 3600.0)
        if cell.samples:
            sample_by_hand(builder, i, cell, nominal[i].liquidus_C, days, noise[i])
    return builder.history()


def sample_by_hand(
    builder: HistoryBuilder,
    i: int,
    cell: Cell,
    liquidus_C: float,
    days: int,
    noise: np.random.Generator,
) -> None:
    """A visit each day at the time when no anode is new, a tap after it."""
    p, held_kg = cell.params, cell.params.metal_mass_kg
    for day in range(days):
        time_s = (day + 0.4) * DAY_S
        while time_s % (20 * 3600.0) < 4 * 3600.0:
            time_s += 3600.0
        typo = 20.0 if cell.typo_every and day % cell.typo_every == 1 else 0.0
        bath_C = p.bath_temp_C if day < cell.back_after_day else TECHNOLOGY.bath_temp_C
        held_kg += METAL_kg_day * p.current_efficiency_frac
        values = {
            "bath_temp_C": bath_C + noise.normal(0.0, 1.5) + typo,
            "liquidus_temp_C": liquidus_C + noise.normal(0.0, 1.5) - typo,
            "excess_alf3_pct": p.excess_alf3_pct + noise.normal(0.0, 0.3),
            "caf2_pct": p.caf2_pct + noise.normal(0.0, 0.15),
        }
        if day % 30 == 3:
            values["cathode_drop_V"] = 300e3 * p.cathode_ohm + noise.normal(0.0, 0.008)
        for signal, value in values.items():
            builder.sample(HandSample(i, signal, time_s, value))
        at_s = (day + 0.9) * DAY_S
        height_m = held_kg / 2300.0 / p.cathode_area_m2 + noise.normal(0.0, 0.007)
        builder.sample(HandSample(i, "metal_height_m", at_s + 0.1 * DAY_S - 1.0, height_m))
        if not (cell.lost_tap and day == days // 3):
            builder.event(i, "tap", {"metal_kg": 2250.0}, at_s + 0.1 * DAY_S)
        held_kg -= 2250.0


def calibrated(*cells: Cell, days: int = 20, old: CellParams = TECHNOLOGY) -> list[CellCalibration]:
    sides = np.array([SIDES_OF_SENSORS if cell.shell else np.full(8, -1) for cell in cells])
    return calibrate(record(list(cells), days), [old] * len(cells), sides)


def correction(result: CellCalibration, name: str) -> Correction:
    return result.corrections[NAMES.index(name)]


DIFFERENT = own(
    nominal_voltage_V=TECHNOLOGY.nominal_voltage_V + 0.06,
    cathode_ohm=TECHNOLOGY.cathode_ohm * 1.15,
    bath_temp_C=TECHNOLOGY.bath_temp_C + 3.0,
    excess_alf3_pct=TECHNOLOGY.excess_alf3_pct - 0.5,
    caf2_pct=TECHNOLOGY.caf2_pct + 0.9,
    bath_ledge_W_m2K=TECHNOLOGY.bath_ledge_W_m2K * 1.3,
)
SHOWN = [
    "nominal_voltage_V",
    "cathode_ohm",
    "bath_temp_C",
    "excess_alf3_pct",
    "caf2_pct",
    "bath_ledge_W_m2K",
]


def test_what_was_put_in_is_found_with_its_uncertainty():
    result = calibrated(Cell(DIFFERENT))[0]
    for name in SHOWN:
        found = correction(result, name)
        true = getattr(DIFFERENT, name)
        assert found.verdict == APPLIED, (name, found.reason)
        assert abs(found.new - true) < 2.5 * found.sd, name
        assert abs(found.new - true) < 0.5 * abs(found.old - true), name
        assert 0 < found.sd < 0.71 * found.prior_sd
        assert getattr(result.params, name) == found.new
    # Anodes are changed, taps run and effects burn in this record: none of it is in the voltage.
    assert result.params.nominal_voltage_V == pytest.approx(DIFFERENT.nominal_voltage_V, abs=0.002)
    for residual in result.residuals:
        if residual.quantity in ("cell_voltage_V", "bath_temp_C", "caf2_pct", "shell_flux"):
            assert abs(residual.after) < abs(residual.before)


def test_what_nothing_measures_keeps_its_value_and_is_said():
    result = calibrated(Cell(DIFFERENT._replace(metal_ledge_W_m2K=2200.0, ledge_bath_mm=60.0)))[0]
    for name in ("metal_ledge_W_m2K", "ledge_bath_mm", "shell_area_frac"):
        found = correction(result, name)
        assert found.verdict == NOT_IDENTIFIED
        assert found.new == found.old == getattr(TECHNOLOGY, name)
        assert found.reason


def test_without_shell_sensors_the_wall_is_left_alone():
    result = calibrated(Cell(DIFFERENT, shell=False))[0]
    for name in ("bath_ledge_W_m2K", "shell_area_frac"):
        found = correction(result, name)
        assert (found.verdict, found.new) == (NO_DATA, found.old)
        assert "shell_temp_C" in found.reason
    assert correction(result, "nominal_voltage_V").verdict == APPLIED


def test_without_samples_only_what_instruments_show_changes():
    result = calibrated(Cell(DIFFERENT, samples=False))[0]
    for name in ("cathode_ohm", "current_efficiency_frac", "bath_temp_C", "excess_alf3_pct", "caf2_pct"):
        found = correction(result, name)
        assert (found.verdict, found.new) == (NO_DATA, found.old), name
    assert correction(result, "nominal_voltage_V").verdict == APPLIED


def test_two_days_are_not_enough():
    result = calibrated(Cell(DIFFERENT), days=2)[0]
    assert result.params == TECHNOLOGY
    assert correction(result, "nominal_voltage_V").verdict == NO_DATA


def test_a_factor_that_wants_to_leave_its_range_is_refused_and_not_clipped():
    old = own(bath_ledge_W_m2K=2900.0, ledge_bath_mm=20.0)
    high = range_of("bath_ledge_W_m2K", 300e3)[1]
    result = calibrated(Cell(old._replace(bath_ledge_W_m2K=4500.0)), old=old)[0]
    found = correction(result, "bath_ledge_W_m2K")
    assert found.fitted > high
    assert (found.verdict, found.new) == (OUT_OF_RANGE, old.bath_ledge_W_m2K)
    assert "is outside 200 to 3000" in found.reason
    assert correction(result, "caf2_pct").verdict != OUT_OF_RANGE


def test_values_that_are_impossible_together_are_refused():
    liquidus_C = liquidus_solheim(nominal_bath(TECHNOLOGY))
    result = calibrated(Cell(own(bath_temp_C=liquidus_C - 6.0), shell=False))[0]
    refused = [c for c in result.corrections if c.verdict == OUT_OF_RANGE]
    assert refused
    assert all("superheat" in c.reason and c.new == c.old for c in refused)
    assert steady(result.params).superheat_C >= 2.0


def test_a_correction_that_later_days_speak_against_is_not_applied():
    result = calibrated(Cell(own(bath_temp_C=TECHNOLOGY.bath_temp_C + 4.0), back_after_day=14))[0]
    found = correction(result, "bath_temp_C")
    assert found.fitted == pytest.approx(TECHNOLOGY.bath_temp_C + 4.0, abs=1.5)
    assert (found.verdict, found.new) == (WORSE, TECHNOLOGY.bath_temp_C)
    assert "held-out bath_temp_C" in found.reason


def test_transcription_errors_change_little():
    clean, wrong = (calibrated(Cell(DIFFERENT, typo_every=every))[0] for every in (0, 9))
    for name in SHOWN:
        a, b = correction(clean, name), correction(wrong, name)
        assert b.verdict == APPLIED
        assert abs(a.new - b.new) < a.sd, name


def test_a_cell_does_not_depend_on_its_neighbours():
    cells = [Cell(DIFFERENT), Cell(own(bath_temp_C=960.0), shell=False), Cell(TECHNOLOGY, samples=False)]
    forward, backward = calibrated(*cells), calibrated(*cells[::-1])
    for a, b in zip(forward, backward[::-1], strict=True):
        for one, other in zip(a.corrections, b.corrections, strict=True):
            assert (one.verdict, one.n_points) == (other.verdict, other.n_points)
            assert one.new == pytest.approx(other.new, rel=1e-12)
            assert one.sd == pytest.approx(other.sd, rel=1e-9)


def test_current_efficiency_needs_months_and_every_tap():
    true = own(current_efficiency_frac=0.92)
    whole, lost = calibrated(Cell(true), Cell(true._replace(caf2_pct=5.5), lost_tap=True), days=60)
    found = correction(whole, "current_efficiency_frac")
    assert found.verdict == APPLIED
    assert abs(found.new - 0.92) < 2.5 * found.sd
    assert correction(lost, "current_efficiency_frac").verdict == NO_DATA
    short = correction(calibrated(Cell(true), days=20)[0], "current_efficiency_frac")
    assert short.verdict in (NOT_IDENTIFIED, NO_DATA)
    assert short.new == short.old


def test_stuck_meter_outage_and_time_out_of_operation_do_not_count():
    builder = HistoryBuilder(np.array([4.2]), 1)
    rng = np.random.default_rng(1)

    def hours(count: int, voltage_V: Callable[[], float], since_h: int) -> None:
        for third in range(3 * count):
            time_s = 3600.0 * since_h + 1200.0 * (third + 1)
            values = (np.array([300e3]), np.array([voltage_V()]), np.array([25.0]), np.array([[280.0]]))
            builder.add(time_s, np.array([True]), *values)

    hours(10, lambda: 4.2 + rng.normal(0.0, 0.01), 0)
    hours(5, lambda: 4.9, 10)
    hours(5, lambda: np.nan, 15)
    builder.event(0, "cell_state", {"state": "STOPPED"}, 20 * 3600.0)
    hours(5, lambda: 4.5 + rng.normal(0.0, 0.01), 20)
    builder.sample(HandSample(0, "bath_temp_C", 22 * 3600.0, 930.0))
    builder.sample(HandSample(0, "bath_temp_C", 5 * 3600.0, 960.0))
    builder.sample(HandSample(0, "bath_temp_C", 5 * 3600.0, 960.0))
    builder.sample(HandSample(0, "bath_temp_C", 6 * 3600.0, float("nan")))
    history = builder.history()
    assert np.flatnonzero(~np.isnan(history.cell_voltage_V[:, 0])).tolist() == list(range(10))
    assert [s.value for s in history.samples] == [960.0]
    assert history.n_disturbed[0] == 5


def test_robust_mean_of_a_row_with_one_wild_point():
    values = np.array([[1.0, 1.2, 0.8, 1.1, 0.9, 50.0], [2.0, np.nan, np.nan, np.nan, np.nan, np.nan]])
    mean, spread, error = huber_mean(values, np.full(values.shape, 0.1))
    assert mean == pytest.approx([1.05, 2.0], abs=0.05)
    assert spread[1] == error[1] == pytest.approx(0.1)
    assert error[0] < 0.2


def test_every_prior_has_its_source_and_lies_within_the_range():
    for factor in FACTORS:
        assert factor.source
        low, high = range_of(factor.name, 300e3)
        assert low < getattr(TECHNOLOGY, factor.name) < high


def test_share_is_checked():
    with pytest.raises(ValueError, match="fitted_share"):
        calibrate(record([Cell(TECHNOLOGY)], 2), [TECHNOLOGY], SIDES_OF_SENSORS[None], 0.95)
