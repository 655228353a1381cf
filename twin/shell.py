"""Shell temperatures against the twin's, and the ledge read from both."""

from math import exp, isnan

from twin.heat import N_SIDES, Steady, side_share
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
#: Uncertainty of the ledge with and without shell thermocouples; assumed, no measured ledge is reachable [mm].
_LEDGE_SD_MM, _LEDGE_BLIND_SD_MM = 14.0, 20.0


@kernel
def compare_shell(
    state: State,
    measured: Measured,
    fixed: Fixed,
    c: int,
    scan_s: float,
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
    params, nominal
        Constants of the cell.
    out
        Shell and ledge fields of the cell are written. The reported ledge is the mean over the perimeter of the
        twin's ledge, corrected on each side by what the thermocouples there say; expected temperatures are not.
    """
    mean_C = 0.0
    for side in range(N_SIDES):
        mean_C += side_share(side, params) * state.shell_C[c, side]
    sensors = 0
    for side in range(-1, N_SIDES):
        total_C, count, since_s = 0.0, 0, 0.0
        for s in range(fixed.shell_side.shape[1]):
            if fixed.shell_side[c, s] != side:
                continue
            state.shell_gap_s[c, s] += scan_s
            model_C = state.shell_C[c, side] if side >= 0 else mean_C
            reading_C = measured.shell_temp_C[c, s]
            first = isnan(state.shell_seen_s[c, s])
            if first and isnan(reading_C):
                continue
            sensors += 1
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
    ledge_mm = 0.0
    for side in range(N_SIDES):
        resistance = 1e-3 * state.ledge_mm[c, side] / params.ledge_conductivity_W_mK + nominal.lining_m2K_W
        drop_C = nominal.liquidus_C - state.shell_C[c, side]
        by_shell = 1.0 / resistance + _SHELL_W_m2K * params.shell_area_frac
        slope_C_mm = -1e-3 * drop_C / (resistance**2 * params.ledge_conductivity_W_mK) / by_shell
        here_mm = state.ledge_mm[c, side] + state.shell_evidence_C[c, side] / min(slope_C_mm, -0.1)
        ledge_mm += side_share(side, params) * min(max(here_mm, 0.0), 300.0)
    out.ledge_bath_mm[c] = ledge_mm
    out.ledge_bath_sd_mm[c] = _LEDGE_SD_MM if sensors > 0 else _LEDGE_BLIND_SD_MM
