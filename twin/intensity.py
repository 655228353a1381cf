"""Energy per tonne of metal, how certain it is, and where it stands against the limits in force."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.energy import METAL_KG_PER_KAH, WindowAccount
from twin.limits import Limits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: How the AC energy of a cell was found.
METHOD_CONFIGURED, METHOD_RECTIFIER, METHOD_METERED = 1, 2, 3
#: Less of a window covered has no class (energy reference 7.8): an hour 80 %, a day 23 hours, a month 95 %.
MIN_COVERAGE = {"hour": 0.80, "day": 23.0 / 24.0, "month": 0.95}


class Basis(NamedTuple):
    """What the figures rest on besides the samples; every ``_sd`` is one standard deviation.

    Attributes
    ----------
    rectifier_efficiency
        DC over AC energy where the registers do not say (fraction).
    rectifier_efficiency_sd
        Of that setting: half a point, the published range of rectifiers being 0.978-0.989.
    metered_efficiency_sd
        Of the ratio of two revenue registers: class 0.2 each, hence 0.2 points or so.
    current_efficiency_sd
        Of the current efficiency in force (fraction).
    voltage_sd_V
        Of a cell's voltage channel [V]: 2-5 mV.
    current_sd_frac
        Of the line current's transducer: 0.1 %.
    uncovered_sd_frac
        By how much the intensity of time not covered may differ from the covered one.
    min_register_coverage
        Registers that span less than this share of the window are not used.
    gap_voltage_V
        Time that is not covered counts with this mean voltage when the class is decided, so that a gap never
        improves a class.
    low_current_efficiency, high_current_efficiency
        Outside is a fault of the data and not assessed.
    low_rectifier_efficiency, high_rectifier_efficiency
        Outside is a metering fault and the registers are not used.
    unmetered_busbar_sd_frac
        What the cells' terminals do not see, as a share of DC energy, where it is not metered: usually
        0.5-2.5 %.
    min_busbar_error_frac, max_busbar_frac
        Believable share of the line's DC energy that the cells do not use: a little below zero by the
        meters' errors, and at most this; else a scale is wrong and the meters are used for their ratio
        only.
    metered_coverage
        Share of the window that every cell and the registers must cover before AC energy counts as metered.
    """

    rectifier_efficiency: float = 0.985
    rectifier_efficiency_sd: float = 0.005
    metered_efficiency_sd: float = 0.002
    current_efficiency_sd: float = 0.01
    voltage_sd_V: float = 0.005
    current_sd_frac: float = 0.001
    uncovered_sd_frac: float = 0.03
    min_register_coverage: float = 0.5
    gap_voltage_V: float = 6.0
    low_current_efficiency: float = 0.85
    high_current_efficiency: float = 0.97
    low_rectifier_efficiency: float = 0.95
    high_rectifier_efficiency: float = 0.995
    unmetered_busbar_sd_frac: float = 0.01
    min_busbar_error_frac: float = 0.002
    max_busbar_frac: float = 0.03
    metered_coverage: float = 0.9


class Intensity(NamedTuple):
    """The fields of ``cell_energy`` or ``line_energy``, one element per cell or line; NaN where unknown.

    Attributes
    ----------
    dc_energy_kwh, ac_energy_kwh, metal_kg, current_efficiency, dc_kwh_per_t, ac_kwh_per_t, heat_loss_kw
        By contract.
    gap_to_benchmark_kwh_per_t, gap_to_baseline_kwh_per_t
        Positive is worse than the limit.
    level_code : int64
        1, 2, 3: level met; 4: none; 0: not assessed.
    coverage
        Share of the window, 0-1.
    uncertainty_kwh_per_t
        One standard deviation of ``ac_kwh_per_t``.
    method : int64
        How AC energy was found: ``METHOD_CONFIGURED``, ``METHOD_RECTIFIER`` or ``METHOD_METERED``; no field
        by contract.
    """

    dc_energy_kwh: FloatArray
    ac_energy_kwh: FloatArray
    metal_kg: FloatArray
    current_efficiency: FloatArray
    dc_kwh_per_t: FloatArray
    ac_kwh_per_t: FloatArray
    heat_loss_kw: FloatArray
    gap_to_benchmark_kwh_per_t: FloatArray
    gap_to_baseline_kwh_per_t: FloatArray
    level_code: IntArray
    coverage: FloatArray
    uncertainty_kwh_per_t: FloatArray
    method: IntArray


def allocate_ac(line_ac_kWh: float, dc_energy_kWh: FloatArray) -> FloatArray:
    """Share a line's AC energy among its cells by their DC energy; closes exactly up to rounding.

    Parameters
    ----------
    line_ac_kWh
        Rectifier register difference [kWh].
    dc_energy_kWh : (n_cells,)
        [kWh]; NaN when their sum is not positive.

    Notes
    -----
    Spreads rectifier and busbar losses in proportion, energy reference 2.4.
    """
    total_kWh = float(dc_energy_kWh.sum())
    share = line_ac_kWh / total_kWh if total_kWh > 0.0 else math.nan
    return np.asarray(dc_energy_kWh * share, dtype=np.float64)


def indicators(
    account: WindowAccount,
    line_index: IntArray,
    limits: Limits,
    basis: Basis | None = None,
    current_efficiency: FloatArray | None = None,
) -> Intensity:
    """Figures of every cell for one window.

    Parameters
    ----------
    account
        From the ledger.
    line_index : (n_cells,)
        Line of each cell.
    limits
        In force for the window.
    basis
        See `Basis`.
    current_efficiency : (n_cells,)
        Replaces the one the ledger held (fraction), for instance when a month's metal has been weighed.

    Notes
    -----
    The line current is in energy and in charge and cancels in kWh/t, so its error counts only where the AC
    energy is metered. Without metering, loss behind the cells' terminals is not in the AC energy; its usual
    size is in the uncertainty. One cell's class is indicative: regulation knows lines and years only
    (energy reference 2.1, 2.4).
    """
    b = Basis() if basis is None else basis
    efficiency = account.current_efficiency if current_efficiency is None else current_efficiency
    metal_kg = METAL_KG_PER_KAH * account.charge_kAh * efficiency
    factor, factor_sd, method = _ac_factor(account, line_index, b)
    ac_kWh = account.dc_energy_kWh * factor[line_index]
    made = metal_kg > 0.0
    dc_per_t = _ratio(1000.0 * account.dc_energy_kWh, metal_kg, made)
    ac_per_t = _ratio(1000.0 * ac_kWh, metal_kg, made)
    voltage_V = _ratio(account.dc_energy_kWh, account.charge_kAh, made)
    relative = np.sqrt(
        (b.current_efficiency_sd / np.where(made, efficiency, np.nan)) ** 2
        + (b.voltage_sd_V / voltage_V) ** 2
        + factor_sd[line_index] ** 2
        + ((1.0 - account.coverage) * b.uncovered_sd_frac) ** 2
    )
    assessed = (
        (account.coverage >= MIN_COVERAGE[account.window])
        & (efficiency >= b.low_current_efficiency)
        & (efficiency <= b.high_current_efficiency)
    )
    return Intensity(
        dc_energy_kwh=account.dc_energy_kWh.copy(),
        ac_energy_kwh=ac_kWh,
        metal_kg=metal_kg,
        current_efficiency=efficiency.copy(),
        dc_kwh_per_t=dc_per_t,
        ac_kwh_per_t=ac_per_t,
        heat_loss_kw=account.heat_loss_kW.copy(),
        gap_to_benchmark_kwh_per_t=ac_per_t - limits.benchmark_kwh_per_t,
        gap_to_baseline_kwh_per_t=ac_per_t - limits.baseline_kwh_per_t,
        level_code=np.where(
            assessed,
            limits.levels(_conservative(ac_per_t, account.coverage, efficiency, factor[line_index], b)),
            np.int64(0),
        ),
        coverage=account.coverage.copy(),
        uncertainty_kwh_per_t=relative * ac_per_t,
        method=method[line_index],
    )


def line_indicators(
    cells: Intensity,
    account: WindowAccount,
    line_index: IntArray,
    limits: Limits,
    basis: Basis | None = None,
) -> Intensity:
    """Figures of every line for one window: sums of energy over sums of metal, never means of ratios.

    Parameters
    ----------
    cells
        From `indicators` of the same account.
    account, line_index, limits, basis
        As there.

    Notes
    -----
    Coverage is the mean of all cells of the line, silent ones included. Uncertainty takes the cells' errors
    as fully correlated, because the current efficiency is one setting for all: it does not shrink with the
    number of cells.
    """
    b = Basis() if basis is None else basis
    n_lines = len(account.counter_s)
    counted = np.isfinite(cells.ac_kwh_per_t)

    def total(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
        return _by_line(np.where(where, values, 0.0), line_index, n_lines)

    dc_kWh, ac_kWh = total(cells.dc_energy_kwh, counted), total(cells.ac_energy_kwh, counted)
    metal_kg, charge_kAh = total(cells.metal_kg, counted), total(account.charge_kAh, counted)
    made = metal_kg > 0.0
    known_heat = np.isfinite(cells.heat_loss_kw)
    heat_kW = total(cells.heat_loss_kw, known_heat)
    any_heat = total(np.ones(len(line_index)), known_heat) > 0.0
    n_cells = total(np.ones(len(line_index)), np.ones(len(line_index), dtype=np.bool_))
    coverage = total(cells.coverage, np.isfinite(cells.coverage)) / np.maximum(n_cells, 1.0)
    ac_per_t = _ratio(1000.0 * ac_kWh, metal_kg, made)
    efficiency = _ratio(metal_kg, METAL_KG_PER_KAH * charge_kAh, made)
    assessed = (
        (coverage >= MIN_COVERAGE[account.window])
        & (efficiency >= b.low_current_efficiency)
        & (efficiency <= b.high_current_efficiency)
    )
    method = np.zeros(n_lines, dtype=np.int64)
    method[line_index] = cells.method
    return Intensity(
        dc_energy_kwh=dc_kWh,
        ac_energy_kwh=ac_kWh,
        metal_kg=metal_kg,
        current_efficiency=efficiency,
        dc_kwh_per_t=_ratio(1000.0 * dc_kWh, metal_kg, made),
        ac_kwh_per_t=ac_per_t,
        heat_loss_kw=np.where(any_heat, heat_kW, np.nan),
        gap_to_benchmark_kwh_per_t=ac_per_t - limits.benchmark_kwh_per_t,
        gap_to_baseline_kwh_per_t=ac_per_t - limits.baseline_kwh_per_t,
        level_code=np.where(
            assessed,
            limits.levels(_conservative(ac_per_t, coverage, efficiency, _ratio(ac_kWh, dc_kWh, made), b)),
            np.int64(0),
        ),
        coverage=coverage,
        uncertainty_kwh_per_t=_ratio(
            total(cells.uncertainty_kwh_per_t * cells.metal_kg, counted), metal_kg, made
        ),
        method=method,
    )


def _conservative(
    ac_per_t: FloatArray, coverage: FloatArray, efficiency: FloatArray, factor: FloatArray, b: Basis
) -> FloatArray:
    """AC intensity with the time not covered at the gap's voltage; the current there is taken as elsewhere."""
    gap = (
        1000.0
        * b.gap_voltage_V
        / (METAL_KG_PER_KAH * np.where(efficiency > 0.0, efficiency, np.nan))
        * factor
    )
    missing = np.clip(1.0 - coverage, 0.0, 1.0)
    return np.where(missing > 0.0, (1.0 - missing) * ac_per_t + missing * gap, ac_per_t)


def _by_line(values: FloatArray, line_index: IntArray, n_lines: int) -> FloatArray:
    return np.asarray(np.bincount(line_index, weights=values, minlength=n_lines), dtype=np.float64)


def _ratio(over: FloatArray, under: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    return np.divide(over, under, out=np.full(np.shape(over), np.nan), where=where)


def _ac_factor(
    account: WindowAccount, line_index: IntArray, b: Basis
) -> tuple[FloatArray, FloatArray, IntArray]:
    """AC energy for a unit of a cell's DC energy, its relative standard deviation and the method, by line."""
    n_lines = len(account.counter_s)
    span_s = (account.end_us - account.start_us) * 1e-6
    read = (account.counter_s >= b.min_register_coverage * span_s) & (account.rectifier_ac_kWh > 0.0)
    eta = _ratio(account.line_dc_kWh, account.rectifier_ac_kWh, read)
    read &= (eta >= b.low_rectifier_efficiency) & (eta <= b.high_rectifier_efficiency)
    busbar_sd = b.unmetered_busbar_sd_frac
    factor = np.where(read, 1.0 / np.where(read, eta, 1.0), 1.0 / b.rectifier_efficiency)
    sd = np.where(
        read,
        np.hypot(b.metered_efficiency_sd, busbar_sd),
        np.hypot(b.rectifier_efficiency_sd / b.rectifier_efficiency, busbar_sd),
    )
    method = np.where(read, METHOD_RECTIFIER, METHOD_CONFIGURED).astype(np.int64)
    # With every cell and the meters covered, mean powers give the whole loss, busbars included.
    covered = account.coverage >= b.metered_coverage
    power_kW = _ratio(3600.0 * account.dc_energy_kWh, account.covered_s, covered)
    cells_kW = _by_line(np.where(covered, power_kW, 0.0), line_index, n_lines)
    uncovered = _by_line(np.where(covered, 0.0, 1.0), line_index, n_lines)
    whole_read = account.counter_s >= b.metered_coverage * span_s
    metered = read & whole_read & (uncovered == 0.0) & (cells_kW > 0.0)
    line_kW = _ratio(3600.0 * account.line_dc_kWh, account.counter_s, metered)
    busbar = 1.0 - _ratio(cells_kW, line_kW, metered)
    metered &= (busbar >= -b.min_busbar_error_frac) & (busbar <= b.max_busbar_frac)
    whole_kW = _ratio(3600.0 * account.rectifier_ac_kWh, account.counter_s, metered)
    factor = np.where(metered, _ratio(whole_kW, cells_kW, metered), factor)
    sd = np.where(metered, np.hypot(b.metered_efficiency_sd, b.current_sd_frac), sd)
    return factor, sd, np.where(metered, METHOD_METERED, method)
