"""One scan of all cells: what is held of the readings, and voltage, shell and anodes against what is expected."""

from math import exp, isfinite, isnan

import numpy as np
from numpy.typing import NDArray

from twin.anodes import expect_anodes, learn_anodes
from twin.bath import Bath
from twin.heat import Steady, equivalent_V
from twin.jit import kernel
from twin.params import CellParams
from twin.shell import compare_shell, first_ambient
from twin.sigma import LEDGE, bath_at, closing_mm_s, efficiency, melt_at
from twin.state import (
    CURRENT_SILENT,
    GOOD,
    LOST,
    NO_CURRENT,
    NO_VOLTAGE,
    NOT_NORMAL,
    OUT_OF_RANGE,
    STARTING,
    UNKNOWN,
    VOLTAGE_SILENT,
    Estimate,
    Fixed,
    Measured,
    State,
    nominal_at,
    params_at,
)
from twin.voltage import bath_slope_V_mm, total_V, voltage_haupin

FloatArray = NDArray[np.float64]

#: A reading stands for this long; after it the cell is not assessed [s].
HOLD_S = 900.0
#: Data that the twin needs before it says anything [s].
WARM_UP_S = 600.0

#: Voltage noise 15 mV with a memory of 900 s, as variance times time [V2 s].
_LEVEL_NOISE_V2S = 0.015**2 * 900.0
#: The level follows a lasting change in about three hours.
_LEVEL_DRIFT_V2_s = _LEVEL_NOISE_V2S / (3 * 3600.0) ** 2
_LEVEL_CLIP_V = 0.1
#: Larger: anode effect, outage or wrong reading; nothing is learned from it.
_LEVEL_GATE_V = 1.0
#: Larger beam movements go with tapping or re-racking: the distance does not follow them.
_BEAM_FOLLOWED_MM = 4.0
_BEAM_MEMORY_S = 1200.0
#: Expected voltage does not follow the estimate into the steep branch, which is too uncertain there [wt%].
_ALUMINA_FLOOR_PCT = 2.1
_LOSS_FILTER_S, _COAST_S = 600.0, 6 * 3600.0


@kernel
def _take_in(state: State, measured: Measured, c: int, scan_s: float) -> None:
    """Hold the newest current, voltage and ambient temperature, and how old they are."""
    state.current_age_s[c] += scan_s
    state.voltage_age_s[c] += scan_s
    state.feed_age_s[c] += scan_s
    state.lost_age_s[c] += scan_s
    if measured.feed_kg[c] > 0.0:
        state.feed_age_s[c] = 0.0
    if not isnan(measured.line_current_A[c]):
        state.line_current_A[c] = measured.line_current_A[c]
        state.current_age_s[c] = 0.0
    if not isnan(measured.cell_voltage_V[c]):
        state.cell_voltage_V[c] = measured.cell_voltage_V[c]
        state.voltage_age_s[c] = 0.0
    if state.current_age_s[c] <= HOLD_S and state.voltage_age_s[c] <= HOLD_S:
        state.running_s[c] += min(scan_s, HOLD_S)
    ambient_C = measured.ambient_temp_C[c]
    if isnan(ambient_C):
        return
    if state.ambient_seen[c] == 0.0:
        first_ambient(state, c, ambient_C)
        state.ambient_seen[c] = 1.0
    state.ambient_C[c] = ambient_C


@kernel
def _loss(state: State, c: int, scan_s: float, params: CellParams, efficiency_frac: float) -> None:
    """Power in the cell less that of the reaction, over ten minutes."""
    current_A = state.line_current_A[c]
    drop_V = state.cell_voltage_V[c] - current_A * params.external_ohm - equivalent_V(efficiency_frac)
    gain = min(min(scan_s, _COAST_S) / _LOSS_FILTER_S, 1.0)
    before_W = state.loss_W[c]
    state.loss_W[c] = (
        current_A * drop_V if isnan(before_W) else before_W + gain * (current_A * drop_V - before_W)
    )


@kernel
def _move_beam(
    state: State, c: int, scan_s: float, beam_mm: float, slope_V_mm: float, closing: float
) -> None:
    """Let the expected voltage follow small beam movements; after large ones, look anew."""
    state.beam_recent_mm[c] *= exp(-scan_s / _BEAM_MEMORY_S)
    moved_mm = 0.0
    if not isnan(beam_mm):
        if not isnan(state.beam_mm[c]):
            moved_mm = beam_mm - state.beam_mm[c]
            state.level_V[c] -= slope_V_mm * closing * min(scan_s, HOLD_S)
        state.beam_mm[c] = beam_mm
    elif isnan(state.beam_mm[c]):
        moved_mm = state.beam_pending_mm[c]
    state.beam_pending_mm[c] = 0.0
    if abs(moved_mm) >= 0.05:
        state.beam_recent_mm[c] += moved_mm
        if abs(state.beam_recent_mm[c]) <= _BEAM_FOLLOWED_MM and abs(moved_mm) <= _BEAM_FOLLOWED_MM:
            state.level_V[c] += slope_V_mm * moved_mm
            state.moved_V[c] = slope_V_mm * moved_mm
            state.disturbance_V2[c] += (0.25 * slope_V_mm * moved_mm) ** 2
        else:
            state.disturbance_V2[c] += 0.05**2
    state.moved_V2[c] = state.disturbance_V2[c]
    state.level_var[c] += state.disturbance_V2[c] + _LEVEL_DRIFT_V2_s * scan_s
    state.disturbance_V2[c] = 0.0


@kernel
def _voltage(
    state: State,
    measured: Measured,
    c: int,
    scan_s: float,
    bath_C: float,
    bath: Bath,
    params: CellParams,
    nominal: Steady,
    out: Estimate,
) -> None:
    """Compare the voltage with the chain and the level of the last hours, which then follows it a little."""
    current_A = state.line_current_A[c]
    seen = Bath(
        bath.excess_alf3_pct,
        bath.caf2_pct,
        max(bath.alumina_pct, _ALUMINA_FLOOR_PCT),
        bath.lif_pct,
        bath.mgf2_pct,
        bath.kf_pct,
    )
    chain_V = total_V(voltage_haupin(current_A, nominal.acd_mm, bath_C, seen, params))
    slope_V_mm = bath_slope_V_mm(current_A, bath_C, seen, params)
    _move_beam(state, c, scan_s, measured.beam_mm[c], slope_V_mm, closing_mm_s(current_A, params))
    innovation_V = measured.cell_voltage_V[c] - chain_V - state.level_V[c]
    fresh = not isnan(innovation_V)
    if isnan(state.level_var[c]) and fresh and abs(innovation_V) < 1.5:
        state.level_V[c] += innovation_V
        state.level_var[c] = _LEVEL_NOISE_V2S / min(max(scan_s, 10.0), HOLD_S)
        innovation_V = 0.0
    if isnan(state.level_var[c]):
        return
    out.voltage_expected_V[c] = chain_V + state.level_V[c]
    out.voltage_residual_V[c] = innovation_V
    if fresh and abs(innovation_V) < _LEVEL_GATE_V:
        clip_V = 5.0 * _LEVEL_CLIP_V if state.running_s[c] < WARM_UP_S else _LEVEL_CLIP_V
        gain = state.level_var[c] / (state.level_var[c] + _LEVEL_NOISE_V2S / min(scan_s, HOLD_S))
        state.level_V[c] += gain * min(max(innovation_V, -clip_V), clip_V)
        state.level_var[c] *= 1.0 - gain


@kernel
def _anodes(
    state: State, measured: Measured, fixed: Fixed, c: int, scan_s: float, params: CellParams, out: Estimate
) -> None:
    """Shares of the anodes: measured, expected, and their own level learned."""
    n = fixed.n_anodes[c]
    total_A, count = 0.0, 0
    for anode in range(n):
        if not isnan(measured.anode_current_A[c, anode]):
            total_A += measured.anode_current_A[c, anode]
            count += 1
    state.anode_gap_s[c] += scan_s
    if 2 * count >= n and total_A > 0.0:
        for anode in range(n):
            out.anode_frac[c, anode] = measured.anode_current_A[c, anode] * count / total_A
    expect_anodes(
        measured.anode_age_h[c],
        out.anode_frac[c],
        state.anode_base_frac[c],
        state.anode_learned_h[c],
        n,
        params,
        out.anode_expected_frac[c],
        out.anode_expected_sd_frac[c],
    )
    learn_anodes(
        measured.anode_age_h[c],
        state.anode_last_age_h[c],
        out.anode_frac[c],
        out.anode_expected_frac[c],
        n,
        min(state.anode_gap_s[c], HOLD_S) / 3600.0,
        state.anode_base_frac[c],
        state.anode_learned_h[c],
    )
    if count > 0:
        state.anode_gap_s[c] = 0.0


@kernel
def _status(state: State, fixed: Fixed, c: int, params: CellParams) -> int:
    """Why a cell is not assessed, 0 if it is."""
    if not fixed.known[c]:
        return UNKNOWN
    if isnan(state.line_current_A[c]):
        return NO_CURRENT
    if isnan(state.cell_voltage_V[c]):
        return NO_VOLTAGE
    if state.current_age_s[c] > HOLD_S:
        return CURRENT_SILENT
    if state.voltage_age_s[c] > HOLD_S:
        return VOLTAGE_SILENT
    if not 0.5 <= state.line_current_A[c] / params.rated_current_A <= 1.3:
        return OUT_OF_RANGE
    if state.normal[c] == 0.0:
        return NOT_NORMAL
    if state.running_s[c] < WARM_UP_S or isnan(state.level_var[c]):
        return STARTING
    if state.lost_age_s[c] < HOLD_S:
        return LOST
    return GOOD


@kernel
def track(
    state: State, mean: FloatArray, measured: Measured, fixed: Fixed, scan_s: float, out: Estimate
) -> None:
    """Compare one scan of all cells with what is expected of it.

    Parameters
    ----------
    state
        Changed in place.
    mean : (n_cells, N)
        Slow states, from ``twin.filter``; what is expected follows from them.
    measured, fixed
        Inputs and constants.
    scan_s
        Time since the last scan [s].
    out
        Filled with NaN (status 0, assessed False) by the caller; residuals, expected values, anodes and status are
        written, the slow states by ``twin.filter.report``.
    """
    for c in range(state.line_current_A.size):
        params, nominal, x = params_at(fixed.params, c), nominal_at(fixed.nominal, c), mean[c]
        _take_in(state, measured, c, scan_s)
        state.moved_V[c], state.moved_V2[c] = 0.0, 0.0
        bath = bath_at(x, state.chemistry_pct[c])
        bath_C, liquidus_C = melt_at(x, bath)
        compare_shell(state, measured, fixed, c, scan_s, x[LEDGE], liquidus_C, params, nominal, out)
        _anodes(state, measured, fixed, c, scan_s, params, out)
        ever = isfinite(state.line_current_A[c]) and isfinite(state.cell_voltage_V[c])
        if ever and fixed.known[c]:
            if state.current_age_s[c] <= HOLD_S and state.voltage_age_s[c] <= HOLD_S:
                ce = efficiency(params, nominal, bath_C, bath_C - liquidus_C, bath.excess_alf3_pct)
                _loss(state, c, scan_s, params, ce)
            if 0.3 <= state.line_current_A[c] / params.rated_current_A <= 1.5:
                _voltage(state, measured, c, scan_s, bath_C, bath, params, nominal, out)
        out.status[c] = _status(state, fixed, c, params)
        out.assessed[c] = out.status[c] == GOOD
