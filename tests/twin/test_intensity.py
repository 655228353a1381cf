"""Intensities, levels and lines against the energy reference."""

import numpy as np
import pytest

from twin.energy import METAL_KG_PER_KAH, WindowAccount
from twin.intensity import (
    METHOD_CONFIGURED,
    METHOD_METERED,
    METHOD_RECTIFIER,
    Basis,
    allocate_ac,
    indicators,
    line_indicators,
)
from twin.limits import load_limits

LIMITS = load_limits()
HOUR_S = 3600.0


def account(
    voltage_V: list[float],
    current_A: float = 5e5,
    efficiency: float = 0.93,
    covered: list[float] | None = None,
    rectifier_kWh: float = 0.0,
    line_dc_kWh: float = 0.0,
    counted: float = 0.0,
    n_lines: int = 1,
) -> WindowAccount:
    """An hour of constant voltages."""
    share = np.ones(len(voltage_V)) if covered is None else np.array(covered)
    charge_kAh = np.full(len(voltage_V), current_A / 1000.0) * share
    return WindowAccount(
        window="hour",
        start_us=0,
        end_us=3_600_000_000,
        dc_energy_kWh=np.array(voltage_V) * charge_kAh,
        charge_kAh=charge_kAh,
        metal_kg=METAL_KG_PER_KAH * charge_kAh * efficiency,
        current_efficiency=np.where(charge_kAh > 0, efficiency, np.nan),
        heat_loss_kW=np.full(len(voltage_V), 600.0),
        covered_s=share * HOUR_S,
        coverage=share,
        rectifier_ac_kWh=np.full(n_lines, rectifier_kWh),
        line_dc_kWh=np.full(n_lines, line_dc_kWh),
        counter_s=np.full(n_lines, counted * HOUR_S),
        auxiliary_ac_kWh=np.zeros(n_lines),
        auxiliary_s=np.zeros(n_lines),
    )


def one_line(n: int) -> np.ndarray:
    return np.zeros(n, dtype=np.int64)


# --- cells


def test_break_even_voltages() -> None:
    # Energy reference 2.6: with CE 0.93 and 0.985, 13000 needs 3.99622 V and 13350 needs 4.10381 V.
    figures = indicators(
        account([3.99621, 3.99623, 4.10380, 4.10382]), one_line(4), LIMITS, Basis(rectifier_efficiency=0.985)
    )
    assert figures.level_code.tolist() == [2, 3, 3, 4]
    assert abs(figures.gap_to_benchmark_kwh_per_t[0]) < 0.05
    assert abs(figures.gap_to_baseline_kwh_per_t[3]) < 0.05
    assert figures.method.tolist() == [METHOD_CONFIGURED] * 4


def test_sensitivities() -> None:
    # Energy reference 2.4, 2.6: 10 mV is 32.043 kWh/t DC at 93 %; CE 93 to 94 % at 3.95 V is -134.648;
    # 0.1 point of the rectifier is 13.0 kWh/t.
    base = indicators(account([3.95, 3.96]), one_line(2), LIMITS)
    assert np.diff(base.dc_kwh_per_t)[0] == pytest.approx(32.043, abs=5e-4)
    better = indicators(account([3.95]), one_line(1), LIMITS, current_efficiency=np.array([0.94]))
    assert better.dc_kwh_per_t[0] - base.dc_kwh_per_t[0] == pytest.approx(-134.648, abs=5e-4)
    worse = indicators(account([3.95]), one_line(1), LIMITS, Basis(rectifier_efficiency=0.984))
    assert worse.ac_kwh_per_t[0] - base.ac_kwh_per_t[0] == pytest.approx(13.0, abs=0.1)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ({}, 2),
        ({"covered": [0.99]}, 3),
        ({"covered": [0.8]}, 4),
        ({"covered": [0.79]}, 0),
        ({"efficiency": 0.84}, 0),
        ({"efficiency": 0.98}, 0),
        ({"current_A": 0.0}, 0),
    ],
)
def test_what_is_not_assessed(case: dict[str, object], code: int) -> None:
    figures = indicators(account([3.99], **case), one_line(1), LIMITS)  # pyright: ignore
    assert figures.level_code.tolist() == [code]
    if case == {"current_A": 0.0}:
        assert np.isnan(figures.ac_kwh_per_t[0])
        assert figures.dc_energy_kwh[0] == 0.0


def test_uncertainty_is_made_of_its_parts() -> None:
    only_ce = Basis(
        rectifier_efficiency_sd=0.0,
        voltage_sd_V=0.0,
        unmetered_busbar_sd_frac=0.0,
        current_efficiency_sd=0.01,
    )
    figures = indicators(account([4.0]), one_line(1), LIMITS, only_ce)
    # One point of 93 points.
    assert figures.uncertainty_kwh_per_t[0] == pytest.approx(figures.ac_kwh_per_t[0] / 93.0)
    whole = indicators(account([4.0]), one_line(1), LIMITS)
    half = indicators(account([4.0], covered=[0.5]), one_line(1), LIMITS)
    assert figures.uncertainty_kwh_per_t[0] < whole.uncertainty_kwh_per_t[0] < half.uncertainty_kwh_per_t[0]


# --- meters


def test_allocation_closes() -> None:
    # Energy reference 2.4: 4500 kWh AC, cells 1450/1462/1475 -> 1487.349 / 1499.658 / 1512.993.
    shared = allocate_ac(4500.0, np.array([1450.0, 1462.0, 1475.0]))
    assert shared == pytest.approx([1487.349, 1499.658, 1512.993], abs=5e-4)
    assert shared.sum() == pytest.approx(4500.0, rel=1e-15)
    assert np.isnan(allocate_ac(1.0, np.zeros(2))).all()


def test_metered_line_closes_on_the_rectifiers_register() -> None:
    # Three cells of 500 kA for an hour; busbars take 1 % of the line's DC energy.
    cells_kWh = 500.0 * (3.9 + 4.0 + 4.1)
    metered = account(
        [3.9, 4.0, 4.1], rectifier_kWh=cells_kWh / 0.99 / 0.985, line_dc_kWh=cells_kWh / 0.99, counted=1.0
    )
    figures = indicators(metered, one_line(3), LIMITS)
    assert figures.method.tolist() == [METHOD_METERED] * 3
    assert figures.ac_energy_kwh.sum() == pytest.approx(cells_kWh / 0.99 / 0.985, rel=1e-12)
    np.testing.assert_allclose(
        figures.ac_energy_kwh, allocate_ac(cells_kWh / 0.99 / 0.985, metered.dc_energy_kWh)
    )
    plain = indicators(account([3.9, 4.0, 4.1]), one_line(3), LIMITS)
    assert (figures.uncertainty_kwh_per_t < plain.uncertainty_kwh_per_t).all()


@pytest.mark.parametrize(
    ("change", "method", "factor"),
    [
        ({"covered": [1.0, 0.8]}, METHOD_RECTIFIER, 1 / 0.98),
        ({"counted": 0.6}, METHOD_RECTIFIER, 1 / 0.98),
        ({"counted": 0.4}, METHOD_CONFIGURED, 1 / 0.985),
        ({"line_dc_kWh": 4000.0 * 0.997}, METHOD_RECTIFIER, 4000.0 / 0.98 / (4000.0 * 0.997)),
        ({"line_dc_kWh": 4000.0 * 0.9}, METHOD_CONFIGURED, 1 / 0.985),
        ({"rectifier_kWh": 4000.0 * 1.001}, METHOD_CONFIGURED, 1 / 0.985),
    ],
)
def test_when_meters_are_believed(change: dict[str, object], method: int, factor: float) -> None:
    # Two cells of 4 V at 500 kA for an hour: 4000 kWh.
    case: dict[str, object] = {"rectifier_kWh": 4000.0 / 0.98, "line_dc_kWh": 4000.0, "counted": 1.0}
    figures = indicators(account([4.0, 4.0], **{**case, **change}), one_line(2), LIMITS)  # pyright: ignore
    assert figures.method.tolist() == [method] * 2
    assert figures.ac_energy_kwh[0] == pytest.approx(2000.0 * factor, rel=1e-12)


# --- lines


def test_line_is_a_ratio_of_sums() -> None:
    # Energy reference 7.7: 30000 t at 13000 and 5000 t at 13900 are 13128.571 kWh/t, not 13450.
    figures = account([4.0, 4.0])
    metal_kg = np.array([30000.0, 5000.0])
    ac_kWh = np.array([13000.0, 13900.0]) * metal_kg / 1000.0
    charge_kAh = metal_kg / (METAL_KG_PER_KAH * 0.93)
    cells = indicators(
        figures._replace(charge_kAh=charge_kAh, dc_energy_kWh=ac_kWh * 0.985, metal_kg=metal_kg),
        one_line(2),
        LIMITS,
    )
    assert cells.ac_kwh_per_t == pytest.approx([13000.0, 13900.0], rel=1e-12)
    line = line_indicators(cells, figures._replace(charge_kAh=charge_kAh), one_line(2), LIMITS)
    assert line.ac_kwh_per_t[0] == pytest.approx(13128.571, abs=5e-4)
    assert line.gap_to_benchmark_kwh_per_t[0] == pytest.approx(128.571, abs=5e-4)
    assert line.level_code.tolist() == [3]
    assert line.current_efficiency[0] == pytest.approx(0.93, rel=1e-12)
    assert line.heat_loss_kw[0] == 1200.0


def test_lines_do_not_mix_and_a_silent_cell_lowers_coverage_only() -> None:
    line_index = np.array([0, 1, 0, 1], dtype=np.int64)
    hour = account([3.9, 4.2, 3.9, 4.2], covered=[1.0, 1.0, 0.0, 1.0], n_lines=2)
    line = line_indicators(indicators(hour, line_index, LIMITS), hour, line_index, LIMITS)
    alone = indicators(account([3.9, 4.2]), one_line(2), LIMITS)
    np.testing.assert_allclose(line.ac_kwh_per_t, alone.ac_kwh_per_t, rtol=1e-12)
    assert line.coverage.tolist() == [0.5, 1.0]
    # Half of a line has no class, as little as half of a cell.
    assert line.level_code.tolist() == [0, 4]


def test_line_without_metal_has_no_intensity() -> None:
    hour = account([0.0, 0.0], current_A=0.0)
    line = line_indicators(indicators(hour, one_line(2), LIMITS), hour, one_line(2), LIMITS)
    assert np.isnan(line.ac_kwh_per_t[0])
    assert line.level_code.tolist() == [0]
