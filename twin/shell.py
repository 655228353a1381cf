"""Shell temperatures against the twin's, and the ledge read from both."""

from math import exp, isnan

from twin.heat import N_SIDES, Steady, ledge_flux_W_m2, shell_flux_W_m2, side_share
from twin.jit import kernel
from twin.params import CellParams
from twin.state import Estimate, Fixed, Measured, State

#: First alignment of a shell thermocouple, then slow adaptation, none while it is hotter than this.
_SHELL_ALIGN_S = 1500.0
_SHELL_TAU_S = 4 * 86400.0
_SHELL_FREEZE_C = 10.0
#: A gap counts for no more than this [s].
_MAX_GAP_S = 900.0
#: Memory of the shell evidence in the reported ledge [s].
_LEDGE_EVIDENCE_S = 1200.0

#: Slope of the heat given off by a shell at 250 to 300 degC [W/m2/K].
_SHELL_W_m2K = 35.0
#: A radiating shell follows the air by a third of its change [K/K].
_SHELL_PER_AMBIENT = 0.36


@kernel
def first_ambient(state: State, c: int, ambient_C: float) -> None:
    """The first reading of the air corrects a guess: the shell was always in this air."""
    change_C = _SHELL_PER_AMBIENT * (ambient_C - state.ambient_C[c])
    state.shell_C[c] += change_C
    state.shell_offset_C[c] -= change_C


@kernel
def _step_shell(
    shell_C: float, flux_W_m2: float, ambient_C: float, params: CellParams, span_s: float
) -> float:
    """Carry the shell on towards where it gives off what reaches it; any span, the loss taken as linear."""
    away = shell_flux_W_m2(shell_C, ambient_C, params.shell_emissivity)
    slope = (shell_flux_W_m2(shell_C + 1.0, ambient_C, params.shell_emissivity) - away) + 1e-3
    heat_J_m2K = params.shell_lag_h * 3600.0 * 40.0  # flux slope of a shell at 270 degC is 40 W/m2/K
    return shell_C + (flux_W_m2 / params.shell_area_frac - away) / slope * (
        1.0 - exp(-slope * span_s / heat_J_m2K)
    )


@kernel
def compare_shell(
    state: State,
    measured: Measured,
    fixed: Fixed,
    c: int,
    scan_s: float,
    ledge_mm: float,
    liquidus_C: float,
    params: CellParams,
    nominal: Steady,
    out: Estimate,
) -> None:
    """Compare shell temperatures of one cell with the twin's, each thermocouple at its own level.

    Parameters
    ----------
    state
        Offsets of the thermocouples and evidence for the ledge, changed in place.
    measured, fixed
        Readings and sides of the thermocouples.
    c
        Index of the cell.
    scan_s
        Time since the last scan [s].
    ledge_mm, liquidus_C
        Of the twin.
    params, nominal
        Constants of the cell.
    out
        Shell fields of the cell are written, and ``ledge_bath_mm``: by how much the thermocouples of all sides
        correct the twin's ledge, mean over the perimeter; expected temperatures are not corrected.

    Notes
    -----
    What samples have told of the ledge is no change of it: each thermocouple has that in its own level.
    """
    felt_mm = min(max(ledge_mm - state.ledge_told_mm[c], 0.0), 300.0)
    flux_W_m2 = ledge_flux_W_m2(felt_mm, liquidus_C, 1.0, params, nominal)
    model_C = _step_shell(state.shell_C[c], flux_W_m2, state.ambient_C[c], params, scan_s)
    state.shell_C[c] = model_C
    for side in range(-1, N_SIDES):
        total_C, count, since_s = 0.0, 0, 0.0
        for s in range(fixed.shell_side.shape[1]):
            if fixed.shell_side[c, s] != side:
                continue
            state.shell_gap_s[c, s] += scan_s
            reading_C = measured.shell_temp_C[c, s]
            first = isnan(state.shell_seen_s[c, s])
            if first and isnan(reading_C):
                continue
            if first:
                state.shell_offset_C[c, s] = reading_C - model_C
                state.shell_seen_s[c, s] = 0.0
                state.shell_gap_s[c, s] = 0.0
            out.shell_expected_C[c, s] = model_C + state.shell_offset_C[c, s]
            if isnan(reading_C):
                continue
            gap_s = state.shell_gap_s[c, s]
            residual_C = reading_C - out.shell_expected_C[c, s]
            out.shell_residual_C[c, s] = residual_C
            total_C += residual_C
            count += 1
            since_s = max(since_s, gap_s)
            state.shell_gap_s[c, s] = 0.0
            state.shell_seen_s[c, s] += min(gap_s, _MAX_GAP_S)
            if state.shell_seen_s[c, s] < _SHELL_ALIGN_S:
                state.shell_offset_C[c, s] += residual_C * gap_s / (state.shell_seen_s[c, s] + gap_s + 1.0)
            elif residual_C < _SHELL_FREEZE_C:
                pull_C = max(residual_C, -_SHELL_FREEZE_C)
                state.shell_offset_C[c, s] += pull_C * min(gap_s / _SHELL_TAU_S, 0.01)
        if side >= 0 and count > 0:
            gain = 1.0 - exp(-since_s / _LEDGE_EVIDENCE_S)
            state.shell_evidence_C[c, side] += gain * (total_C / count - state.shell_evidence_C[c, side])
    resistance = 1e-3 * ledge_mm / params.ledge_conductivity_W_mK + nominal.lining_m2K_W
    by_shell = 1.0 / resistance + _SHELL_W_m2K * params.shell_area_frac
    slope_C_mm = (
        -1e-3 * (nominal.liquidus_C - model_C) / (resistance**2 * params.ledge_conductivity_W_mK) / by_shell
    )
    evidence_mm = 0.0
    for side in range(N_SIDES):
        here_mm = ledge_mm + state.shell_evidence_C[c, side] / min(slope_C_mm, -0.1)
        evidence_mm += side_share(side, params) * (min(max(here_mm, 0.0), 300.0) - ledge_mm)
    out.ledge_bath_mm[c] = evidence_mm
