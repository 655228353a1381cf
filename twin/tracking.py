"""One scan of all cells: the kernel behind the observer."""

from math import ceil, exp, isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.anodes import expect_anodes, learn_anodes
from twin.bath import Bath, alumina_saturation, liquidus_solheim
from twin.heat import N_SIDES, Melt, Steady, Surroundings, equivalent_V, step_heat
from twin.jit import kernel
from twin.params import CellParams
from twin.shell import compare_shell
from twin.sigma import efficiency as efficiency_at
from twin.state import (
    ALUMINA_BLIND_VAR,
    ALUMINA_VAR,
    CURRENT_SILENT,
    GOOD,
    LIQUIDUS_VAR_K2,
    NO_CURRENT,
    NO_VOLTAGE,
    NOT_NORMAL,
    OUT_OF_RANGE,
    STARTING,
    SUPERHEAT_VAR_K2,
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
#: Over a longer gap the melt is not carried forward [s].
_COAST_S = 6 * 3600.0
_SUBSTEP_S = 60.0
#: Data that the twin needs before it says anything [s].
WARM_UP_S = 600.0

#: Voltage noise 15 mV with a memory of 900 s, as variance times time [V2 s].
_LEVEL_NOISE_V2S = 0.015**2 * 900.0
#: The level follows a lasting change in about three hours.
_LEVEL_DRIFT_V2_s = _LEVEL_NOISE_V2S / (3 * 3600.0) ** 2
_LEVEL_CLIP_V = 0.1
#: Larger: anode effect, outage or wrong reading; nothing is learned from it.
_LEVEL_GATE_V = 1.0
#: Share of a lasting voltage deviation that is anode distance (prior sd 5 mm, 150 mV) and not conductors (50 mV).
_ACD_SHARE = 0.9
_ACD_SD_MM = 1.6
#: Net closing of the gap without beam movement, 4.8 mm a day (Dupuis, CIM 2011) [mm/s].
_ACD_DRIFT_MM_s = 4.8 / 86400.0
#: Larger beam movements go with tapping or re-racking: the distance does not follow them.
_BEAM_FOLLOWED_MM = 4.0
_BEAM_MEMORY_S = 1200.0

#: Alumina by electrolysis at 100 % efficiency, M(Al2O3)/6F [kg/(s A)].
_ALUMINA_kg_sA = 1.76123e-7
_UNDISSOLVED_FRAC = 0.6
_DISSOLVING_1_s = 0.002
#: The feed controller keeps the mean: relaxation and slow correction of the feed mass (critically damped).
_ALUMINA_TAU_S = 5 * 3600.0
_FEED_GAIN_RATE = 0.0039 / 3600.0
#: By how much voltage noise is enlarged before alumina is corrected by it.
_ALUMINA_DISTRUST = 25.0
#: One lump stands for a bath that differs from feeder to feeder [wt%2].
_ALUMINA_LOCAL_VAR = 0.2**2
#: Without a feed record for longer, alumina is only known to be near its aim.
_FEED_HOLD_S = 4 * 3600.0
#: Expected voltage does not follow the estimate into the steep branch, which is too uncertain there [wt%].
_ALUMINA_FLOOR_PCT = 2.1

#: A radiating shell follows the air by a third of its change [K/K].
_SHELL_PER_AMBIENT = 0.36

_HEAT_TAU_S = 3 * 86400.0
_LOSS_FILTER_S = 600.0
#: What is fed of AlF3 over days is what is used: time over which that is learned [s].
ALF3_TAU_S = 5 * 86400.0

#: How fast a sample of bath temperature is forgotten: its liquidus part and its superheat part [s].
_LIQUIDUS_TAU_S, _SUPERHEAT_TAU_S = 4 * 86400.0, 86400.0


@kernel
def bath_of(state: State, c: int) -> Bath:
    """Composition of the bath of cell ``c``."""
    return Bath(
        state.melt[c, 4],
        state.chemistry_pct[c, 0],
        state.alumina_pct[c],
        state.chemistry_pct[c, 1],
        state.chemistry_pct[c, 2],
        state.chemistry_pct[c, 3],
    )


@kernel
def _take_in(state: State, measured: Measured, c: int, scan_s: float) -> None:
    """Hold the newest current, voltage and ambient temperature."""
    state.current_age_s[c] += scan_s
    state.voltage_age_s[c] += scan_s
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
        # The first reading corrects a guess: the shell was always in this air.
        for side in range(N_SIDES):
            state.shell_C[c, side] += _SHELL_PER_AMBIENT * (ambient_C - state.ambient_C[c])
        state.shell_offset_C[c] -= _SHELL_PER_AMBIENT * (ambient_C - state.ambient_C[c])
        state.ambient_seen[c] = 1.0
    state.ambient_C[c] = ambient_C


@kernel
def _heat(
    state: State, measured: Measured, c: int, scan_s: float, params: CellParams, nominal: Steady, live: bool
) -> None:
    """Carry melt, ledge and shell forward with the power of the cell."""
    bath = bath_of(state, c)
    superheat_C = state.melt[c, 0] - liquidus_solheim(bath) - state.liquidus_shift_C[c]
    efficiency = efficiency_at(params, nominal, state.melt[c, 0], superheat_C, state.melt[c, 4])
    sink_W = 0.0
    for anode in range(measured.anode_age_h.shape[1]):
        age_h = measured.anode_age_h[c, anode]
        if age_h < 4.0 * params.anode_sink_h:
            sink_W += params.anode_sink_J / (3600.0 * params.anode_sink_h) * exp(-age_h / params.anode_sink_h)
    heat_W = state.heat_ref_W[c] + sink_W
    span_s = min(scan_s, _COAST_S)
    if live:
        current_A = state.line_current_A[c]
        drop_V = state.cell_voltage_V[c] - current_A * params.external_ohm - equivalent_V(efficiency)
        loss_W = current_A * drop_V
        gain = min(span_s / _LOSS_FILTER_S, 1.0)
        state.loss_W[c] = (
            loss_W if isnan(state.loss_W[c]) else state.loss_W[c] + gain * (loss_W - state.loss_W[c])
        )
        # An anode effect heats the gas more than the bath.
        heat_W = min(max(loss_W, 0.0), 3.0 * nominal.heat_loss_W)
        usual = abs(heat_W / nominal.heat_loss_W - 1.0) < 0.6 and state.normal[c] > 0.0
        if usual:
            gain = span_s / min(state.heat_ref_s[c] + span_s, _HEAT_TAU_S + span_s)
            state.heat_ref_W[c] += gain * (heat_W - sink_W - state.heat_ref_W[c])
            state.heat_ref_s[c] += span_s
    # A cell is in balance with its own mean power: what the ledge does not carry leaves elsewhere.
    other_W = nominal.heat_loss_W - nominal.side_loss_W
    loss_frac = (state.heat_ref_W[c] - nominal.side_loss_W) / other_W * state.loss_adjust_frac[c]
    loss_frac = min(max(loss_frac, 0.3), 2.5)
    around = Surroundings(heat_W, sink_W, state.ambient_C[c], loss_frac, state.liquidus_shift_C[c])
    kept = state.melt[c]
    melt = Melt(kept[0], kept[1], kept[2], kept[3], kept[4])
    n_steps = max(1, ceil(span_s / _SUBSTEP_S))
    for _ in range(n_steps):
        melt = step_heat(
            melt, state.ledge_mm[c], state.shell_C[c], bath, around, params, nominal, span_s / n_steps
        )
    kept[0], kept[1], kept[2], kept[3], kept[4] = melt
    if not isnan(state.alf3_use_kg_s[c]):
        used_kg = state.alf3_use_kg_s[c] * span_s
        state.melt[c, 4] = max(state.melt[c, 4] - 100.0 * used_kg / state.melt[c, 3], 0.0)
        state.alf3_use_kg_s[c] *= exp(-span_s / ALF3_TAU_S)
    forget = 1.0 - exp(-2.0 * scan_s / _LIQUIDUS_TAU_S)
    forget_fast = 1.0 - exp(-2.0 * scan_s / _SUPERHEAT_TAU_S)
    state.thermal_var[c, 0] += forget * (LIQUIDUS_VAR_K2 - state.thermal_var[c, 0])
    state.thermal_var[c, 1] += forget_fast * (SUPERHEAT_VAR_K2 - state.thermal_var[c, 1])
    state.thermal_var[c, 2] -= forget_fast * state.thermal_var[c, 2]


@kernel
def _alumina(
    state: State, c: int, scan_s: float, feed_kg: float, params: CellParams, efficiency: float, live: bool
) -> None:
    """Balance of dissolved alumina; without a feed record it returns to the aim of the controller."""
    state.feed_age_s[c] += scan_s
    if feed_kg > 0.0:
        state.feed_age_s[c] = 0.0
    used_kg = _ALUMINA_kg_sA * state.line_current_A[c] * efficiency * scan_s
    fed = live and state.feed_age_s[c] <= _FEED_HOLD_S and scan_s <= HOLD_S
    relax = 1.0 - exp(-scan_s / _ALUMINA_TAU_S)
    if fed:
        if isnan(state.undissolved_kg[c]):
            state.undissolved_kg[c] = _UNDISSOLVED_FRAC * used_kg / scan_s / _DISSOLVING_1_s
        shots_kg = feed_kg * state.feed_gain[c]
        dissolved_kg = state.undissolved_kg[c] * (1.0 - exp(-_DISSOLVING_1_s * scan_s))
        state.undissolved_kg[c] += _UNDISSOLVED_FRAC * shots_kg - dissolved_kg
        gained_kg = dissolved_kg + (1.0 - _UNDISSOLVED_FRAC) * shots_kg - used_kg
        state.alumina_pct[c] += 100.0 * gained_kg / state.melt[c, 3]
        error_pct = state.alumina_pct[c] - params.alumina_pct
        gain = state.feed_gain[c] - _FEED_GAIN_RATE * scan_s * error_pct
        state.feed_gain[c] = min(max(gain, 0.7), 1.4)
    else:
        relax = 1.0 - exp(-scan_s / (0.1 * _ALUMINA_TAU_S))
    variance = ALUMINA_VAR if fed else ALUMINA_BLIND_VAR
    state.alumina_pct[c] += relax * (params.alumina_pct - state.alumina_pct[c])
    state.alumina_var[c] += 2.0 * relax / (1.0 + relax) * (variance - state.alumina_var[c])
    ceiling_pct = min(alumina_saturation(bath_of(state, c), state.melt[c, 0]), 8.0)
    state.alumina_pct[c] = min(max(state.alumina_pct[c], 1.0), ceiling_pct)


@kernel
def _move_beam(state: State, c: int, scan_s: float, beam_mm: float, slope_V_mm: float) -> None:
    """Let the expected voltage follow small beam movements; after large ones, look anew."""
    state.beam_recent_mm[c] *= exp(-scan_s / _BEAM_MEMORY_S)
    moved_mm = 0.0
    if not isnan(beam_mm):
        if not isnan(state.beam_mm[c]):
            moved_mm = beam_mm - state.beam_mm[c]
            state.level_V[c] -= slope_V_mm * _ACD_DRIFT_MM_s * min(scan_s, HOLD_S)
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
    params: CellParams,
    nominal: Steady,
    out: Estimate,
) -> None:
    """Compare the voltage with the chain, then learn a little from the difference."""
    current_A = state.line_current_A[c]
    bath = bath_of(state, c)
    seen = Bath(
        bath.excess_alf3_pct,
        bath.caf2_pct,
        max(bath.alumina_pct, _ALUMINA_FLOOR_PCT),
        bath.lif_pct,
        bath.mgf2_pct,
        bath.kf_pct,
    )
    richer = Bath(
        seen.excess_alf3_pct, seen.caf2_pct, seen.alumina_pct + 0.1, seen.lif_pct, seen.mgf2_pct, seen.kf_pct
    )
    temp_C = state.melt[c, 0]
    chain_V = total_V(voltage_haupin(current_A, nominal.acd_mm, temp_C, seen, params))
    slope_V_mm = bath_slope_V_mm(current_A, temp_C, seen, params)
    slope_V_pct = 10.0 * (
        total_V(voltage_haupin(current_A, nominal.acd_mm, temp_C, richer, params)) - chain_V
    )
    _move_beam(state, c, scan_s, measured.beam_mm[c], slope_V_mm)

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
        clipped_V = min(max(innovation_V, -clip_V), clip_V)
        gain = state.level_var[c] / (state.level_var[c] + _LEVEL_NOISE_V2S / min(scan_s, HOLD_S))
        state.level_V[c] += gain * clipped_V
        state.level_var[c] *= 1.0 - gain
        if state.feed_age_s[c] <= _FEED_HOLD_S:
            # The feed record is trusted before the voltage, whose other causes are many.
            noise = _ALUMINA_DISTRUST * _LEVEL_NOISE_V2S / min(scan_s, HOLD_S)
            gain = state.alumina_var[c] * slope_V_pct / (slope_V_pct**2 * state.alumina_var[c] + noise)
            state.alumina_pct[c] += gain * clipped_V
            state.alumina_var[c] *= 1.0 - gain * slope_V_pct
    acd_mm = nominal.acd_mm + _ACD_SHARE * state.level_V[c] / slope_V_mm
    out.acd_mm[c] = min(max(acd_mm, 10.0), 90.0)
    spread_V2 = state.level_var[c] + slope_V_pct**2 * state.alumina_var[c]
    out.acd_sd_mm[c] = sqrt(_ACD_SD_MM**2 + spread_V2 * (_ACD_SHARE / slope_V_mm) ** 2)


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
    return GOOD


@kernel
def track(state: State, measured: Measured, fixed: Fixed, scan_s: float, out: Estimate) -> None:
    """Advance all cells by one scan.

    Parameters
    ----------
    state
        Changed in place.
    measured, fixed
        Inputs and constants.
    scan_s
        Time since the last scan [s].
    out
        Filled with NaN (status 0, assessed False) by the caller; what can be said is written.
    """
    for c in range(state.line_current_A.size):
        params = params_at(fixed.params, c)
        nominal = nominal_at(fixed.nominal, c)
        _take_in(state, measured, c, scan_s)
        state.moved_V[c], state.moved_V2[c] = 0.0, 0.0
        ever = not isnan(state.line_current_A[c]) and not isnan(state.cell_voltage_V[c])
        live = (
            ever and fixed.known[c] and state.current_age_s[c] <= HOLD_S and state.voltage_age_s[c] <= HOLD_S
        )
        _heat(state, measured, c, scan_s, params, nominal, live)
        liquidus_C = liquidus_solheim(bath_of(state, c)) + state.liquidus_shift_C[c]
        superheat_C = state.melt[c, 0] - liquidus_C
        efficiency = efficiency_at(params, nominal, state.melt[c, 0], superheat_C, state.melt[c, 4])
        compare_shell(state, measured, fixed, c, scan_s, params, nominal, out)
        _anodes(state, measured, fixed, c, scan_s, params, out)
        out.status[c] = _status(state, fixed, c, params)
        if not ever or not fixed.known[c]:
            out.ledge_bath_mm[c] = nan
            out.ledge_bath_sd_mm[c] = nan
            continue
        _alumina(state, c, scan_s, measured.feed_kg[c], params, efficiency, live)
        if 0.3 <= state.line_current_A[c] / params.rated_current_A <= 1.5:
            _voltage(state, measured, c, scan_s, params, nominal, out)
        out.status[c] = _status(state, fixed, c, params)
        out.assessed[c] = out.status[c] == GOOD
        out.bath_temp_C[c] = state.melt[c, 0]
        variance = state.thermal_var[c, 0] + state.thermal_var[c, 1] + 2.0 * state.thermal_var[c, 2]
        out.bath_temp_sd_C[c] = sqrt(max(variance, 0.0))
        out.liquidus_C[c] = liquidus_C
        out.superheat_C[c] = superheat_C
        out.superheat_sd_C[c] = sqrt(state.thermal_var[c, 1])
        out.alumina_pct[c] = state.alumina_pct[c]
        out.alumina_sd_pct[c] = sqrt(state.alumina_var[c] + _ALUMINA_LOCAL_VAR)
        out.heat_loss_kW[c] = 1e-3 * state.loss_W[c]
        # One point of current efficiency and 30 mV of bus bar drop.
        out.heat_loss_sd_kW[c] = 1e-3 * state.line_current_A[c] * sqrt(0.01644**2 + 0.03**2)
        out.current_efficiency[c] = efficiency
