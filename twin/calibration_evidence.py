"""From a history to evidence: what was measured of every quantity that calibration fits, as robust means of points."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.calibration_history import WINDOW_S, History
from twin.heat import nominal_bath, shell_flux_W_m2, side_share
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import back_emf_V, voltage_haupin

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: What is measured of a cell: voltage at rated current [V], cathode resistance [ohm], current efficiency [-], bath and
#: liquidus temperature [degC], excess AlF3 and CaF2 [wt%], log of the heat flux off the shell [ln W/m2].
VOLTAGE, CATHODE, EFFICIENCY, BATH, LIQUIDUS, ALF3, CAF2, SHELL = range(8)
N_QUANTITIES = 8
QUANTITIES = (
    "cell_voltage_V",
    "cathode_ohm",
    "current_efficiency_frac",
    "bath_temp_C",
    "liquidus_temp_C",
    "excess_alf3_pct",
    "caf2_pct",
    "shell_flux",
)
_SAMPLED = {"bath_temp_C": BATH, "liquidus_temp_C": LIQUIDUS, "excess_alf3_pct": ALF3, "caf2_pct": CAF2}
#: Least spread of one point, and what no number of points averages out: the instrument, where it is put, and for the
#: shell what the few spots see of the wall and the air near it. Physics reference 8.1 (CATHODE is set by the current).
POINT_SD = np.array([0.005, 0.0, 0.0, 1.6, 1.6, 0.35, 0.15, 0.03])
LASTING_SD = np.array([0.004, 0.0, 0.005, 1.0, 1.0, 0.2, 0.15, 0.08])
CATHODE_SD_V = 0.012
#: Fewer points than this say nothing.
MIN_POINTS = np.array([3, 1, 1, 5, 3, 3, 3, 3])
_DAY_S = 86400.0
_MIN_WINDOWS = 6
#: Metal by charge at 100 % efficiency [kg/(s A)] and its density [kg/m3].
_METAL_kg_sA, _METAL_kg_m3 = 0.335572e-3 / 3600.0, 2300.0
_HEIGHT_SD_M = 0.010
_MIN_HEIGHTS, _MIN_TAPS, _MIN_CHARGE_SHARE = 8, 5, 0.95
#: A gap between taps longer than this many tap intervals is a tap that nobody wrote down.
_TAP_GAP = 1.7
_HUBER_SD, _HUBER_STEPS = 1.5, 20


class Points(NamedTuple):
    """Single values of one quantity in one part of a history, cells first, NaN where a cell has fewer.

    Attributes
    ----------
    value, sd : (n_cells, n_points)
        In the unit of the quantity; ``sd`` is that of one point.
    """

    value: FloatArray
    sd: FloatArray


class Evidence(NamedTuple):
    """Robust mean of the points of every quantity.

    Attributes
    ----------
    value, sd, spread : (n_cells, N_QUANTITIES)
        ``sd`` of the mean, with what does not average out; ``spread`` of one point; NaN where there are too few points.
    n_points, n_refused : (n_cells, N_QUANTITIES)
        Points used, and points that no cell of the technology can have.
    """

    value: FloatArray
    sd: FloatArray
    spread: FloatArray
    n_points: IntArray
    n_refused: IntArray


def points_of(
    history: History, params: list[CellParams], shell_side: IntArray, first_s: float, last_s: float
) -> list[Points]:
    """Single values of every quantity in one part of a history.

    Parameters
    ----------
    history
        As gathered.
    params
        Constants of each cell before calibration.
    shell_side : (n_cells, n_shell)
        Side of each shell sensor, -1 where there is none.
    first_s, last_s
        The part: ``first_s <= t < last_s`` [s].

    Returns
    -------
    list of Points
        One of each quantity, in the order of ``QUANTITIES``. Voltage and shell have one point a day: the median of
        its quiet hours, of at least six. Current efficiency has one point: a line through metal held and tapped.
    """
    n = len(params)
    columns: list[list[list[tuple[float, float]]]] = [[[] for _ in range(n)] for _ in QUANTITIES]
    daily = _daily(history, params, shell_side, first_s, last_s)
    for cell in range(n):
        for quantity, values in zip((VOLTAGE, SHELL), daily, strict=True):
            columns[quantity][cell] = [(v, POINT_SD[quantity]) for v in values[:, cell] if v == v]
        efficiency = _efficiency(history, params[cell], cell, first_s, last_s)
        if efficiency is not None:
            columns[EFFICIENCY][cell] = [efficiency]
    current_A = _mean_current(history, params)
    for sample in history.samples:
        if not first_s <= sample.time_s < last_s:
            continue
        if sample.signal in _SAMPLED:
            quantity = _SAMPLED[sample.signal]
            columns[quantity][sample.cell].append((sample.value, POINT_SD[quantity]))
        elif sample.signal == "cathode_drop_V":
            amp = current_A[sample.cell]
            columns[CATHODE][sample.cell].append((sample.value / amp, CATHODE_SD_V / amp))
    return [_padded(column) for column in columns]


def evidence_of(
    points: list[Points], expected: FloatArray, prior_sd: FloatArray, least_points: IntArray = MIN_POINTS
) -> Evidence:
    """Robust means of points.

    Parameters
    ----------
    points
        From ``points_of``.
    expected, prior_sd : (n_cells, N_QUANTITIES)
        What cells of the technology have, and its standard deviation; a point further away than five of it and its own
        is a mistake and refused.
    least_points : (N_QUANTITIES,)
        Fewer points than this say nothing.
    """
    n = expected.shape[0]
    value, sd, spread = (np.full((n, N_QUANTITIES), np.nan) for _ in range(3))
    count, refused = (np.zeros((n, N_QUANTITIES), dtype=np.int64) for _ in range(2))
    for quantity, found in enumerate(points):
        gate = 5.0 * np.hypot(found.sd, prior_sd[:, quantity, None])
        wrong = np.abs(found.value - expected[:, quantity, None]) > gate
        kept = np.where(wrong, np.nan, found.value)
        refused[:, quantity] = wrong.sum(axis=1)
        count[:, quantity] = (~np.isnan(kept)).sum(axis=1)
        here = count[:, quantity] >= least_points[quantity]
        if here.any():
            mean, scale, error = huber_mean(kept[here], found.sd[here])
            value[here, quantity], spread[here, quantity] = mean, scale
            sd[here, quantity] = np.hypot(error, LASTING_SD[quantity])
    return Evidence(value, sd, spread, count, refused)


def huber_mean(values: FloatArray, least_sd: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of each row by Huber's weights, spread of its points, and standard error of the mean.

    Parameters
    ----------
    values, least_sd : (n, n_points)
        Points, NaN where there is none, at least one a row; the spread of a row is the median deviation, but at least
        the mean of ``least_sd``.

    Returns
    -------
    (n,), (n,), (n,)

    Notes
    -----
    P. J. Huber, Ann. Math. Statist. 35 (1964) 73, with 1.5 standard deviations.
    """
    middle = np.nanmedian(values, axis=1)
    scale = 1.4826 * np.nanmedian(np.abs(values - middle[:, None]), axis=1)
    scale = np.maximum(scale, np.nanmean(least_sd, axis=1))
    weight = np.zeros_like(values)
    for _ in range(_HUBER_STEPS):
        off = np.abs(values - middle[:, None]) / scale[:, None]
        weight = np.where(np.isnan(values), 0.0, 1.0 / np.maximum(off / _HUBER_SD, 1.0))
        middle = np.nansum(weight * values, axis=1) / weight.sum(axis=1)
    return middle, scale, scale / np.sqrt(weight.sum(axis=1))


def _padded(column: list[list[tuple[float, float]]]) -> Points:
    width = max(1, max(len(points) for points in column))
    table = np.full((2, len(column), width), np.nan)
    for cell, points in enumerate(column):
        for k, point in enumerate(points):
            table[:, cell, k] = point
    return Points(table[0], table[1])


def _daily(
    history: History, params: list[CellParams], shell_side: IntArray, first_s: float, last_s: float
) -> tuple[FloatArray, FloatArray]:
    """Medians by day of voltage at rated current and of the log flux of the shell, (n_days, n_cells)."""
    volt_V = _at_rated_current(history, params)
    emissivity = np.array([cell.shell_emissivity for cell in params])
    weights = _sensor_weights(params, shell_side)
    flux = np.full(volt_V.shape, np.nan)
    _shell_log_flux(history.shell_temp_C, history.ambient_temp_C, emissivity, weights, flux)
    day = np.floor((history.time_s - 0.5 * WINDOW_S - history.start_s) / _DAY_S)
    inside = (history.time_s - WINDOW_S >= first_s) & (history.time_s <= last_s)
    found: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for number in np.unique(day[inside]):
        rows = inside & (day == number)
        for values, medians in zip((volt_V, flux), found, strict=True):
            enough = (~np.isnan(values[rows])).sum(axis=0) >= _MIN_WINDOWS
            median = np.full(len(params), np.nan)
            median[enough] = np.nanmedian(values[rows][:, enough], axis=0)
            medians.append(median)
    volts, fluxes = (np.array(medians).reshape(-1, len(params)) for medians in found)
    return volts, fluxes


def _at_rated_current(history: History, params: list[CellParams]) -> FloatArray:
    """Voltage at rated current: the part that grows with the current is scaled, the electrochemical part is not."""
    volt_V = np.full(history.cell_voltage_V.shape, np.nan)
    for cell, p in enumerate(params):
        parts = voltage_haupin(p.rated_current_A, 45.0, p.bath_temp_C, nominal_bath(p), p)
        emf_V = back_emf_V(parts)
        amp = history.line_current_A[:, cell] / p.rated_current_A
        usual = (amp > 0.7) & (amp < 1.3)
        volt_V[usual, cell] = emf_V + (history.cell_voltage_V[usual, cell] - emf_V) / amp[usual]
    return volt_V


def _sensor_weights(params: list[CellParams], shell_side: IntArray) -> FloatArray:
    """Share of the wall that each shell sensor speaks for; sensors of a side share it, an unknown side has none."""
    weights = np.zeros(shell_side.shape)
    for cell, p in enumerate(params):
        for side in np.unique(shell_side[cell]):
            here = shell_side[cell] == side
            if side >= 0:
                weights[cell, here] = side_share(int(side), p) / here.sum()
    return weights


@kernel
def _shell_log_flux(
    shell_C: FloatArray, ambient_C: FloatArray, emissivity: FloatArray, weights: FloatArray, out: FloatArray
) -> None:
    """Log of the mean flux off the shell, by window and cell; NaN where half of the wall is not measured."""
    for w in range(out.shape[0]):
        for c in range(out.shape[1]):
            total, share = 0.0, 0.0
            for s in range(shell_C.shape[2]):
                flux = shell_flux_W_m2(shell_C[w, c, s], ambient_C[w, c], emissivity[c])
                if weights[c, s] > 0.0 and flux > 0.0:
                    total += weights[c, s] * flux
                    share += weights[c, s]
            if share >= 0.5:
                out[w, c] = np.log(total / share)


def _mean_current(history: History, params: list[CellParams]) -> FloatArray:
    """Mean current of each cell [A]; rated where none was measured."""
    measured = ~np.isnan(history.line_current_A)
    total = np.where(measured, history.line_current_A, 0.0).sum(axis=0)
    rated = np.array([p.rated_current_A for p in params])
    return np.where(measured.any(axis=0), total / np.maximum(measured.sum(axis=0), 1), rated)


def _efficiency(
    history: History, params: CellParams, cell: int, first_s: float, last_s: float
) -> tuple[float, float] | None:
    """Current efficiency and its standard error: metal held and tapped against charge; None where records are missing.

    Notes
    -----
    Metal held is the measured height on the area of the pad. A tap that nobody wrote down would be metal never made:
    a gap in the record of taps, or of more than 5 % of the current, leaves nothing to say.
    """
    heights = [
        sample
        for sample in history.samples
        if sample.cell == cell and sample.signal == "metal_height_m" and first_s <= sample.time_s < last_s
    ]
    taps = [tap for tap in history.taps if tap.cell == cell and first_s <= tap.time_s < last_s]
    inside = (history.time_s - WINDOW_S >= first_s) & (history.time_s <= last_s)
    charge = history.charge_As[inside, cell]
    known = ~np.isnan(charge)
    if len(heights) < _MIN_HEIGHTS or len(taps) < _MIN_TAPS:
        return None
    if known.sum() < _MIN_CHARGE_SHARE * (last_s - first_s) / WINDOW_S:
        return None
    times = [first_s, *(tap.time_s for tap in taps), last_s]
    if max(b - a for a, b in pairwise(times)) > _TAP_GAP * params.tap_interval_h * 3600.0:
        return None
    mean_A = float(charge[known].mean()) / WINDOW_S
    made_kg = np.array([_METAL_kg_sA * mean_A * (sample.time_s - first_s) for sample in heights])
    tapped_kg = np.array([sum(tap.metal_kg for tap in taps if tap.time_s < s.time_s) for s in heights])
    kg_m = _METAL_kg_m3 * params.cathode_area_m2
    held_kg = kg_m * np.array([sample.value for sample in heights]) + tapped_kg
    slope, error = _line(made_kg, held_kg, kg_m * _HEIGHT_SD_M)
    return slope, error


def _line(x: FloatArray, y: FloatArray, least_sd: float) -> tuple[float, float]:
    """Slope of a line through points by Huber's weights, and its standard error."""
    weight = np.ones_like(x)
    slope, error = np.nan, np.nan
    for _ in range(_HUBER_STEPS):
        x0, y0 = np.average(x, weights=weight), np.average(y, weights=weight)
        spread = float(np.sum(weight * (x - x0) ** 2))
        slope = float(np.sum(weight * (x - x0) * (y - y0))) / spread
        off = y - y0 - slope * (x - x0)
        scale = max(1.4826 * float(np.median(np.abs(off))), least_sd)
        weight = 1.0 / np.maximum(np.abs(off) / scale / _HUBER_SD, 1.0)
        error = scale / np.sqrt(spread)
    return slope, error
