"""How the line current divides over the anodes of a cell, and how a new anode picks it up."""

from math import exp, isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.jit import kernel
from twin.params import CellParams

FloatArray = NDArray[np.float64]

#: Spread of ln(pick-up time constant) between healthy changes: 50 % is reached at 6 to 12 h, 90 % at 16 to 30 h.
_LN_TAU_SD = 0.20
#: Spread of the share of an anode just set: 0.03 to 0.08.
_START_SD_FRAC = 0.025
#: After three days the law stands at 1 whatever the time constant.
_SETTLED_H = 72.0
#: Ages below are never learned from: an anode is still being loaded.
_LEARN_FROM_H = 48.0
#: Healthy anodes differ by 8 % before their own level is known, and scatter by 3 % around it.
_UNKNOWN_SD_FRAC = 0.08
_SCATTER_SD_FRAC = 0.03
_LEARN_TAU_H = 72.0
_LEARN_START_H = 12.0
#: Beyond this an anode is not learned: its deviation is for the detectors.
_LEARN_WITHIN_FRAC = 0.15


@kernel
def pickup_frac(age_h: float, params: CellParams) -> float:
    """Current of an anode relative to a settled one, by hours since it was set [-]; 1 where the age is NaN.

    Notes
    -----
    Working law I0 + (1 - I0)(1 - exp(-((t - t0)/tau)^n)); no published table is reachable. It agrees with the
    published ranges: half load at 6 to 12 h, 90 % at 16 to 30 h.
    """
    if isnan(age_h) or age_h >= _SETTLED_H:
        return 1.0
    loading_h = age_h - params.pickup_delay_h
    if loading_h <= 0.0:
        return params.pickup_start_frac
    grown = 1.0 - exp(-((loading_h / params.pickup_tau_h) ** params.pickup_exponent))
    return params.pickup_start_frac + (1.0 - params.pickup_start_frac) * grown


@kernel
def pickup_sd_frac(age_h: float, params: CellParams) -> float:
    """Spread of ``pickup_frac`` between healthy anode changes, one standard deviation [-]."""
    if isnan(age_h) or age_h >= _SETTLED_H:
        return 0.0
    x = max(age_h - params.pickup_delay_h, 0.0) / params.pickup_tau_h
    left = exp(-(x**params.pickup_exponent))
    by_time = (1.0 - params.pickup_start_frac) * params.pickup_exponent * x**params.pickup_exponent * left
    return sqrt((by_time * _LN_TAU_SD) ** 2 + (left * _START_SD_FRAC) ** 2)


@kernel
def expect_anodes(
    age_h: FloatArray,
    frac: FloatArray,
    base_frac: FloatArray,
    learned_h: FloatArray,
    n_anodes: int,
    params: CellParams,
    expected_frac: FloatArray,
    expected_sd_frac: FloatArray,
) -> None:
    """Write what each anode of one cell should carry relative to the mean anode, and the spread of that.

    Parameters
    ----------
    age_h : (n_anodes_max,)
        Hours since set; NaN counts as settled.
    frac : (n_anodes_max,)
        Measured current over the mean of the measured; expectation is relative to the same anodes. Where none
        is measured, to all.
    base_frac, learned_h : (n_anodes_max,)
        Own level of each settled anode and for how long it has been learned.
    n_anodes
        Anodes of this cell; beyond it the outputs are NaN.
    params
        Pick-up law.
    expected_frac, expected_sd_frac : (n_anodes_max,)
        Outputs.

    Notes
    -----
    What young anodes do not carry is shared by the others in proportion.
    """
    total, count, total_all = 0.0, 0, 0.0
    for anode in range(n_anodes):
        # Few anodes are young: passing all constants for each of the others would cost more than the rest.
        young = age_h[anode] < _SETTLED_H
        raw = base_frac[anode] * (pickup_frac(age_h[anode], params) if young else 1.0)
        expected_frac[anode] = raw
        total_all += raw
        if not isnan(frac[anode]):
            total += raw
            count += 1
    mean = total / count if count > 0 else total_all / max(n_anodes, 1)
    for anode in range(n_anodes):
        own_sd = sqrt(_SCATTER_SD_FRAC**2 + _UNKNOWN_SD_FRAC**2 * exp(-learned_h[anode] / 24.0))
        young = age_h[anode] < _SETTLED_H
        load_sd = pickup_sd_frac(age_h[anode], params) if young else 0.0
        raw = expected_frac[anode]
        expected_sd_frac[anode] = sqrt((raw * own_sd) ** 2 + load_sd**2) / mean
        expected_frac[anode] = raw / mean
    expected_frac[n_anodes:] = nan
    expected_sd_frac[n_anodes:] = nan


@kernel
def _learns(age_h: float, frac: float, expected_frac: float) -> bool:
    """Whether an anode is settled, measured and near what is expected of it."""
    if isnan(frac) or age_h < _LEARN_FROM_H:
        return False
    return abs(frac / expected_frac - 1.0) <= _LEARN_WITHIN_FRAC


@kernel
def learn_anodes(
    age_h: FloatArray,
    last_age_h: FloatArray,
    frac: FloatArray,
    expected_frac: FloatArray,
    n_anodes: int,
    dt_h: float,
    base_frac: FloatArray,
    learned_h: FloatArray,
) -> None:
    """Move the own level of settled anodes slowly towards what they carry; a changed anode starts anew.

    Parameters
    ----------
    age_h, last_age_h : (n_anodes_max,)
        Age now and at the last call (updated); a younger age than before is a change of the anode.
    frac, expected_frac : (n_anodes_max,)
        Measured and expected share.
    n_anodes, dt_h
        Anodes of this cell; time since the last measurement [h].
    base_frac, learned_h : (n_anodes_max,)
        Changed in place.

    Notes
    -----
    What all learning anodes have in common is not learned: it is the current that a faulty anode leaves to them.
    """
    total, count = 0.0, 0
    for anode in range(n_anodes):
        age = age_h[anode]
        last = last_age_h[anode]
        if not isnan(age) and ((isnan(last) and age < _LEARN_FROM_H) or age < last - 0.1):
            base_frac[anode] = 1.0
            learned_h[anode] = 0.0
        last_age_h[anode] = age
        if _learns(age, frac[anode], expected_frac[anode]):
            total += frac[anode] / expected_frac[anode]
            count += 1
    for anode in range(n_anodes):
        if not _learns(age_h[anode], frac[anode], expected_frac[anode]):
            continue
        ratio = frac[anode] / expected_frac[anode] * count / total
        gain = dt_h / min(learned_h[anode] + _LEARN_START_H + dt_h, _LEARN_TAU_H + dt_h)
        base_frac[anode] = min(max(base_frac[anode] * (1.0 + gain * (ratio - 1.0)), 0.7), 1.4)
        learned_h[anode] += dt_h


def split(line_current_A: FloatArray, resistance_ohm: FloatArray) -> FloatArray:
    """Divide the line current over parallel anodes.

    Parameters
    ----------
    line_current_A : (n_cells,)
        [A]
    resistance_ohm : (n_cells, n_anodes_max)
        Slope resistance of each anode path [ohm], positive; NaN where there is no anode.

    Returns
    -------
    (n_cells, n_anodes_max)
        Anode currents [A], NaN where there is no anode; they sum to the line current.

    Notes
    -----
    Beam and metal pad are equipotentials and the back-EMF is the same for all anodes (linearised).

    Examples
    --------
    >>> split(np.array([300.0]), np.array([[1.0, 2.0]]))
    array([[200., 100.]])
    """
    conductance = 1.0 / resistance_ohm
    total = np.nansum(conductance, axis=1)
    return line_current_A[:, None] * conductance / total[:, None]
