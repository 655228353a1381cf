"""Metal made, from taps and the metal left in the cells, and current efficiency with its error bar."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.energy import METAL_KG_PER_KAH

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Density of molten aluminium at bath temperature [t/m3], energy reference 2.7.
METAL_T_PER_M3 = 2.30
#: Cell current efficiency: below this many days it is not given (reference 2.7).
MIN_DAYS = 14.0
#: Outside this range the data are at fault; it is no record (energy reference 2.7).
LOW_EFFICIENCY, HIGH_EFFICIENCY = 0.85, 0.97
#: Ladles and cast house differ by more than this only where metal is missing.
MAX_SCALE_FRAC = 0.05
_FAR = 1e12


def liquid_metal_t(
    tapped_t: float, inventory_end_t: float, inventory_start_t: float, back_t: float = 0.0
) -> float:
    """Liquid metal made [t]: tapped, less what was charged back, plus what the cells hold more than before.

    Notes
    -----
    Energy reference 2.3. Weighed at the ladle, not as delivered and not as ingots.
    """
    return tapped_t - back_t + inventory_end_t - inventory_start_t


def current_efficiency(liquid_t: float, charge_kAh: float) -> float:
    """Current efficiency (fraction) of metal [t] and the charge of all cells together [kAh]; NaN without charge.

    Examples
    --------
    >>> round(current_efficiency(37_180 + 5_385 - 5_210, 119_784_000.0), 6)
    0.929316
    """
    theoretical_t = METAL_KG_PER_KAH * charge_kAh / 1000.0
    return liquid_t / theoretical_t if theoretical_t > 0.0 else math.nan


def level_error_t(metal_area_m2: float, level_sd_m: float) -> float:
    """Error of the difference of two inventories [t] by the error of one level [m]; energy reference 2.7."""
    return metal_area_m2 * METAL_T_PER_M3 * level_sd_m * math.sqrt(2.0)


def efficiency_error(
    metal_area_m2: float, level_sd_m: float, days: float, theoretical_t_per_day: float
) -> float:
    """Error of a current efficiency (fraction) from two levels only, ``days`` apart; energy reference 2.7."""
    return level_error_t(metal_area_m2, level_sd_m) / (days * theoretical_t_per_day)


class Weighing(NamedTuple):
    """How well metal is weighed and levels are read; every ``_sd`` is one standard deviation.

    Attributes
    ----------
    level_sd_m
        Of one reading of the metal level by hand, its rounding included [m].
    tap_sd_frac
        Of one tap's weight (fraction).
    scale_sd_frac
        Of the ladle scale, common to all taps, after it was held against the cast house (fraction).
    month_sd_frac
        By how much a cell's current efficiency differs from one month to the next (fraction).
    prior_efficiency, prior_sd_frac
        What is known of any cell before a single tap: loose.
    """

    level_sd_m: float = 0.0076
    tap_sd_frac: float = 0.01
    scale_sd_frac: float = 0.001
    month_sd_frac: float = 0.005
    prior_efficiency: float = 0.93
    prior_sd_frac: float = 0.03


class Efficiency(NamedTuple):
    """Current efficiency of every cell by month.

    Attributes
    ----------
    value, sd : (n_cells, n_months)
        Fraction; NaN below 14 days with levels.
    covariance : (n_cells, n_months, n_months)
        Of the values of one cell, without the common error of the scale.
    days : (n_cells,)
        Span between the first and the last level used.
    """

    value: FloatArray
    sd: FloatArray
    covariance: FloatArray
    days: FloatArray


def weighed_efficiency(
    level_days: FloatArray,
    level_m: FloatArray,
    tapped_kg: FloatArray,
    charge_kAh: FloatArray,
    taps: FloatArray,
    metal_area_m2: FloatArray,
    weighing: Weighing | None = None,
) -> Efficiency:
    """Fit every cell's current efficiency to its taps and metal levels by generalised least squares.

    Parameters
    ----------
    level_days : (n_cells, n_levels)
        When each level was read [d], rising along a row; NaN where a cell has fewer.
    level_m : (n_cells, n_levels)
        Metal level [m]; NaN for none.
    tapped_kg, taps : (n_cells, n_levels)
        Metal tapped, and the number of taps, since any fixed instant.
    charge_kAh : (n_cells, n_levels, n_months)
        Charge since that instant, by the month in which it flowed.
    metal_area_m2 : (n_cells,)
        Area of the metal pad.
    weighing
        See `Weighing`.

    Notes
    -----
    The metal in a cell is what it held, plus k CE Q, less the taps. All levels count, not the first and the last
    only, so that the error is about half of energy reference 2.7's. Errors of taps add up from one level to the
    next. Assumes that the pad's area does not change; a change of the ledge by 1 % of the area reads as 1 % of
    the inventory. Validated on the simulated line only (`benchmarks/bench_ledger.py`).
    """
    w = Weighing() if weighing is None else weighing
    n_cells, n_levels, n_months = charge_kAh.shape
    there = np.isfinite(level_m) & np.isfinite(level_days) & np.isfinite(charge_kAh).all(axis=2)
    per_m = metal_area_m2 * METAL_T_PER_M3 * 1000.0
    held = np.where(there, np.nan_to_num(level_m) * per_m[:, None] + tapped_kg, 0.0)
    # The design: metal held at first, then k Q of each month.
    x = np.zeros((n_cells, n_levels, 1 + n_months))
    x[:, :, 0] = there
    x[:, :, 1:] = np.where(there[:, :, None], METAL_KG_PER_KAH * np.nan_to_num(charge_kAh), 0.0)
    usual_kg = np.divide(tapped_kg.max(axis=1), np.maximum(taps.max(axis=1), 1.0))
    shared = np.minimum(taps[:, :, None], taps[:, None, :])
    cov = shared * ((w.tap_sd_frac * usual_kg) ** 2)[:, None, None]
    cov = np.where(there[:, :, None] & there[:, None, :], cov, 0.0)
    index = np.arange(n_levels)
    cov[:, index, index] += np.where(there, ((per_m * w.level_sd_m) ** 2)[:, None], _FAR)
    weight = np.linalg.solve(cov, x)
    normal = np.swapaxes(x, 1, 2) @ weight
    right = (np.swapaxes(weight, 1, 2) @ held[:, :, None])[:, :, 0]
    # Months hang together, and the first one on a loose prior; what is held at first is free but for a limit.
    normal[:, 0, 0] += _FAR**-1
    tie = 1.0 / w.month_sd_frac**2
    for month in range(n_months - 1):
        normal[:, month + 1 : month + 3, month + 1 : month + 3] += tie * np.array([[1.0, -1.0], [-1.0, 1.0]])
    prior = 1.0 / w.prior_sd_frac**2
    normal[:, 1, 1] += prior
    right[:, 1] += prior * w.prior_efficiency
    covariance = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    value = (covariance @ right[:, :, None])[:, 1:, 0]
    with np.errstate(invalid="ignore"):
        days = np.where(there, level_days, -np.inf).max(axis=1) - np.where(there, level_days, np.inf).min(
            axis=1
        )
    days = np.where(there.any(axis=1), days, 0.0)
    known = (days >= MIN_DAYS)[:, None]
    own = covariance[:, 1:, 1:]
    variance = np.diagonal(own, axis1=1, axis2=2)
    sd = np.sqrt(variance + (w.scale_sd_frac * value) ** 2)
    return Efficiency(np.where(known, value, np.nan), np.where(known, sd, np.nan), own, days)


def scale_factor(cast_kg: float, tapped_kg: float) -> float:
    """Factor that brings ladle weights to the cast house's weigh-in; 1 where either is missing.

    Raises
    ------
    ValueError
        They differ by more than 5 %: then metal is missing, not weighed wrong.

    Notes
    -----
    Energy reference 2.7: correct the bias of tap weights by the cast house.
    """
    if not (cast_kg > 0.0 and tapped_kg > 0.0):
        return 1.0
    factor = cast_kg / tapped_kg
    if abs(factor - 1.0) > MAX_SCALE_FRAC:
        raise ValueError(
            f"cast house weighed {cast_kg:.0f} kg of {tapped_kg:.0f} kg tapped: metal is missing"
        )
    return factor
