"""An unscented Kalman filter of the slow states of all cells: what the bath is, and how sure that is.

Ten states a cell (``twin.sigma.NAMES``), one kernel over cells and sigma points, one step a minute. A hand measurement
or an analysis corrects the past in which it was taken: the filter keeps the state, its covariance and the transition to
the next of every hour of the last day, and carries the correction forward through them. Current efficiency is no state:
it follows the others by a law, since nothing that is measured hourly tells it from the losses.
"""

from math import ceil, exp, inf, isfinite, isnan, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.heat import Steady, equivalent_V, nominal_bath
from twin.jit import kernel
from twin.params import CellParams
from twin.sigma import (
    ALF3,
    ALF3_USED,
    ALUMINA,
    AMP,
    BALANCE,
    BATH,
    DISSOLVED,
    FED,
    LEDGE,
    LEVEL,
    LUMP,
    N_DRIVES,
    N_NOISE,
    N_WORK,
    POWER,
    POWERED,
    PRIOR_SD,
    SHIFT,
    SINK,
    WALL,
    ALUMINA_kg_sA,
    N,
    bath_at,
    chain,
    closing_mm_s,
    coldness,
    efficiency,
    melt_at,
    noise_of,
    slopes,
    step,
)
from twin.state import Estimate, Fixed, Measured, State, nominal_at, params_at
from twin.voltage import bath_slope_V_mm

FloatArray = NDArray[np.float64]

_DAY_S = 86400.0
_STEP_S = 60.0
_MAX_STEP_S = 120.0
_COAST_S = 6 * 3600.0
#: Snapshots for late samples, and the finer trace of what is sampled between them.
SNAPSHOT_S, N_SNAPSHOTS = 3600.0, 30
TRACE_S, N_TRACE = 600.0, 180
#: The first states are traced: what samples are of.
N_TRACED = 4

#: Hours of the same voltage to the last digit are a meter that repeats itself, not a cell.
_STUCK_S = 600.0
#: A reading stands for this long; a feed record is believed for so long after the last shot.
_HOLD_S, _FEED_HOLD_S = 900.0, 4 * 3600.0
#: Below this share of the rated current nobody feeds: no shots then are no silence of the log.
_STOPPED_FRAC = 0.3
_UNDISSOLVED_FRAC, _DISSOLVING_1_s = 0.6, 0.002
#: Memory of the mean heat of a cell; what is fed of AlF3 over days is what is used, learned over this [s].
_HEAT_TAU_S, ALF3_TAU_S = 3 * _DAY_S, 5 * _DAY_S
#: A melt outside is none: the filter has been given what no cell does, and starts anew [degC].
_POSSIBLE_C = (700.0, 1150.0)
#: Current efficiency beyond its law: of plants 0.92 to 0.96, of one technology less; nothing measured within hours
#: tells it from the losses.
_EFFICIENCY_SD = 0.0075
#: What the law says of a cell away from the nominal point is wrong by this share of it: published slopes differ so.
_LAW_DOUBT_FRAC = 0.5
#: Spread of alumina in a cell that nobody has watched yet [wt%].
_FIRST_ALUMINA_PCT = 0.4
#: Share of a lasting voltage deviation that is distance and not conductors; what the chain may be wrong by: slotted
#: anodes have 60 to 150 mV less bubble voltage, conductivities differ by 35 mV.
_ACD_SHARE, _ACD_SD_MM = 0.9, 3.2
#: Ledge about which a cell stands: nothing measured tells how thick it is, only how it changes. No measured ledge is
#: reachable; assumed, and set on simulated lines that score nothing.
_LEDGE_SD_MM = 4.8


class Filter(NamedTuple):
    """What the filter remembers; arrays, cells first."""

    clock_s: FloatArray  # (1,)
    open_s: FloatArray  # (1,) time gathered for the next step
    sums: FloatArray  # (n_cells, 5): line current, voltage, their time; power over time; feed
    undissolved_kg: FloatArray
    same_s: FloatArray  # how long the voltage has been the same to the last digit
    last_V: FloatArray
    started: FloatArray  # 0 or 1: the level has been set by a first voltage
    mean: FloatArray  # (n_cells, N)
    cov: FloatArray  # (n_cells, N, N)
    trans: FloatArray  # (n_cells, N, N) from the newest snapshot to now
    past_s: FloatArray  # (n_cells, N_SNAPSHOTS), -inf where none
    past_mean: FloatArray
    past_cov: FloatArray
    past_trans: FloatArray  # to this snapshot from the one before
    trace_s: FloatArray  # (n_cells, N_TRACE)
    trace: FloatArray  # (n_cells, N_TRACE, N_TRACED)


@kernel
def _prior(x: FloatArray, p: FloatArray, params: CellParams, nominal: Steady, root: FloatArray) -> None:
    """State and covariance of a cell of which nothing has been heard: settled, at the aims of its technology."""
    x[:] = 0.0
    root[:, :] = 0.0
    x[ALF3], x[ALUMINA] = params.excess_alf3_pct, params.alumina_pct
    x[BATH] = nominal.liquidus_C + nominal.superheat_C
    x[LEDGE], x[LUMP] = params.ledge_bath_mm, params.lump_temp_C
    for i in range(N):
        root[i, i] = PRIOR_SD[i]
    root[ALUMINA, ALUMINA] = _FIRST_ALUMINA_PCT
    # Bath temperature is liquidus and superheat; their spreads are what is known.
    slope_A, slope_O = slopes(nominal_bath(params))
    root[BATH, BATH] = 0.5
    root[BATH, ALF3], root[BATH, ALUMINA] = slope_A * PRIOR_SD[ALF3], slope_O * _FIRST_ALUMINA_PCT
    root[BATH, SHIFT] = PRIOR_SD[SHIFT]
    root[BATH, WALL] = nominal.superheat_C * PRIOR_SD[WALL]
    for i in range(N):
        for j in range(N):
            p[i, j] = 0.0
            for k in range(N):
                p[i, j] += root[i, k] * root[j, k]


def new_filter(fixed: Fixed) -> Filter:
    """Filter of cells of which nothing has been heard: at the aims of their technology."""
    n = fixed.params.shape[0]
    mean, cov, root = np.zeros((n, N)), np.zeros((n, N, N)), np.zeros((N, N))
    for c in range(n):
        _prior(mean[c], cov[c], CellParams(*fixed.params[c]), Steady(*fixed.nominal[c]), root)
    return Filter(
        clock_s=np.zeros(1),
        open_s=np.zeros(1),
        sums=np.zeros((n, 5)),
        undissolved_kg=np.full(n, np.nan),
        same_s=np.zeros(n),
        last_V=np.full(n, np.nan),
        started=np.zeros(n),
        mean=mean,
        cov=cov,
        trans=np.tile(np.eye(N), (n, 1, 1)),
        past_s=np.full((n, N_SNAPSHOTS), -np.inf),
        past_mean=np.zeros((n, N_SNAPSHOTS, N)),
        past_cov=np.zeros((n, N_SNAPSHOTS, N, N)),
        past_trans=np.zeros((n, N_SNAPSHOTS, N, N)),
        trace_s=np.full((n, N_TRACE), -np.inf),
        trace=np.zeros((n, N_TRACE, N_TRACED)),
    )


@kernel
def _remember(f: Filter, c: int, now_s: float) -> None:
    """Keep what late samples will need."""
    last = N_TRACE - 1
    if now_s - f.trace_s[c, last] >= TRACE_S - 1.0:
        for k in range(last):
            f.trace_s[c, k] = f.trace_s[c, k + 1]
            for i in range(N_TRACED):
                f.trace[c, k, i] = f.trace[c, k + 1, i]
        f.trace_s[c, last] = now_s
        for i in range(N_TRACED):
            f.trace[c, last, i] = f.mean[c, i]
    last = N_SNAPSHOTS - 1
    if now_s - f.past_s[c, last] < SNAPSHOT_S - 1.0:
        return
    for k in range(last):
        f.past_s[c, k] = f.past_s[c, k + 1]
        for i in range(N):
            f.past_mean[c, k, i] = f.past_mean[c, k + 1, i]
            for j in range(N):
                f.past_cov[c, k, i, j] = f.past_cov[c, k + 1, i, j]
                f.past_trans[c, k, i, j] = f.past_trans[c, k + 1, i, j]
    f.past_s[c, last] = now_s
    for i in range(N):
        f.past_mean[c, last, i] = f.mean[c, i]
        for j in range(N):
            f.past_cov[c, last, i, j] = f.cov[c, i, j]
            f.past_trans[c, last, i, j] = f.trans[c, i, j]
            f.trans[c, i, j] = 1.0 if i == j else 0.0


@kernel
def _sink_W(measured: Measured, c: int, params: CellParams) -> float:
    """Heat that the new anodes of a cell demand [W]."""
    sink_W = 0.0
    for anode in range(measured.anode_age_h.shape[1]):
        age_h = measured.anode_age_h[c, anode]
        if age_h < 4.0 * params.anode_sink_h:
            sink_W += params.anode_sink_J / (3600.0 * params.anode_sink_h) * exp(-age_h / params.anode_sink_h)
    return sink_W


@kernel
def _gather(f: Filter, state: State, measured: Measured, c: int, params: CellParams, scan_s: float) -> None:
    """Add one scan of one cell to what the next step will use."""
    current_A, volt_V = measured.line_current_A[c], measured.cell_voltage_V[c]
    f.cov[c, LEVEL, LEVEL] += state.moved_V2[c]
    f.mean[c, LEVEL] += state.moved_V[c]
    f.sums[c, 4] += measured.feed_kg[c]
    if volt_V == f.last_V[c]:
        f.same_s[c] += scan_s
    elif not isnan(volt_V):
        f.same_s[c] = 0.0
        f.last_V[c] = volt_V
    if not isnan(volt_V) and not isnan(current_A):
        f.sums[c, 0] += current_A * scan_s
        f.sums[c, 1] += volt_V * scan_s
        f.sums[c, 2] += scan_s
        f.sums[c, 3] += current_A * (volt_V - current_A * params.external_ohm) * scan_s


@kernel
def _balance(f: Filter, state: State, c: int, heat_W: float, cold: float, nominal: Steady) -> None:
    """Learn the mean heat that a cell has lived with, which is what it loses.

    Not from outages and anode effects, and the less the more of it still warms a cold melt.
    """
    if abs(heat_W / nominal.heat_loss_W - 1.0) >= 0.6 or state.normal[c] == 0.0:
        return
    span_s = (1.0 - cold) * min(f.open_s[0], _COAST_S)
    if span_s <= 0.0:
        return
    gain = span_s / min(state.heat_ref_s[c] + span_s, _HEAT_TAU_S + span_s)
    state.heat_ref_W[c] += gain * (heat_W - state.heat_ref_W[c])
    state.heat_ref_s[c] += span_s


@kernel
def _run(
    f: Filter,
    state: State,
    c: int,
    params: CellParams,
    nominal: Steady,
    drive: FloatArray,
    noise: FloatArray,
    work: FloatArray,
) -> None:
    """Carry one cell over what was gathered."""
    chemistry_pct = state.chemistry_pct[c]
    time_s = f.sums[c, 2]
    live = state.current_age_s[c] <= _HOLD_S and state.voltage_age_s[c] <= _HOLD_S
    # Where neither readings nor shots come, the log is silent and not the feeders.
    heard = live and (time_s > 0.0 or f.sums[c, 4] > 0.0)
    bath = bath_at(f.mean[c], chemistry_pct)
    bath_C, _ = melt_at(f.mean[c], bath)
    cold = coldness(bath_C, nominal)
    mean_A, mean_V, off_frac, stopped = params.rated_current_A, nan, 0.0, False
    drive[POWER], drive[POWERED], drive[BALANCE] = 0.0, 0.0, state.heat_ref_W[c]
    if time_s > 0.0 and live:
        mean_A = f.sums[c, 0] / time_s
        stopped = mean_A < _STOPPED_FRAC * params.rated_current_A
        running = 0.3 <= mean_A / params.rated_current_A <= 1.5
        stuck = running and f.same_s[c] > _STUCK_S
        reaction_W = mean_A * equivalent_V(params.current_efficiency_frac)
        # An anode effect heats the gas more than the bath.
        drive[POWER] = min(f.sums[c, 3] / time_s, reaction_W + 3.0 * nominal.heat_loss_W)
        if not stuck:
            drive[POWERED] = 1.0
            off_frac = (drive[POWER] - reaction_W - drive[BALANCE]) / nominal.heat_loss_W
            _balance(f, state, c, drive[POWER] - reaction_W - drive[SINK], cold, nominal)
        if running and not stuck:
            mean_V = f.sums[c, 1] / time_s
    fed = heard and f.open_s[0] <= _HOLD_S and (stopped or state.feed_age_s[c] <= _FEED_HOLD_S)
    if not isnan(mean_V) and f.started[c] == 0.0:
        f.mean[c, LEVEL] = mean_V - chain(f.mean[c], params, nominal, chemistry_pct, mean_A)[0]
        f.started[c] = 1.0
    noise_of(noise, params, fed, heard, off_frac, cold)
    span_s = min(f.open_s[0], _COAST_S)
    steps = max(1, ceil(span_s / _MAX_STEP_S))
    dt_s = span_s / steps
    closing = closing_mm_s(mean_A, params)
    slope_V_mm = bath_slope_V_mm(mean_A, bath_C, bath, params)
    use_kg_s = state.alf3_use_kg_s[c]
    drive[AMP], drive[FED] = mean_A, 1.0 if fed else 0.0
    drive[ALF3_USED] = 0.0 if isnan(use_kg_s) else use_kg_s * dt_s
    state.alf3_use_kg_s[c] *= exp(-span_s / ALF3_TAU_S)
    if isnan(f.undissolved_kg[c]) or not fed:
        used_kg_s = ALUMINA_kg_sA * mean_A * params.current_efficiency_frac
        f.undissolved_kg[c] = _UNDISSOLVED_FRAC * used_kg_s / _DISSOLVING_1_s
    for k in range(steps):
        shots_kg = f.sums[c, 4] / steps
        dissolved_kg = f.undissolved_kg[c] * (1.0 - exp(-_DISSOLVING_1_s * dt_s))
        f.undissolved_kg[c] += _UNDISSOLVED_FRAC * shots_kg - dissolved_kg
        drive[DISSOLVED] = dissolved_kg + (1.0 - _UNDISSOLVED_FRAC) * shots_kg
        f.mean[c, LEVEL] -= slope_V_mm * closing * dt_s
        step(
            f.mean[c],
            f.cov[c],
            f.trans[c],
            params,
            nominal,
            chemistry_pct,
            drive,
            dt_s,
            noise,
            mean_V if k == steps - 1 else nan,
            work,
        )


@kernel
def _possible(f: Filter, c: int) -> bool:
    """Whether the state is one that a cell can have, NaN is not."""
    for i in range(N):
        if not (isfinite(f.mean[c, i]) and isfinite(f.cov[c, i, i])):
            return False
    return _POSSIBLE_C[0] < f.mean[c, BATH] < _POSSIBLE_C[1]


@kernel
def _start_anew(
    f: Filter, state: State, c: int, params: CellParams, nominal: Steady, work: FloatArray
) -> None:
    """Forget everything of a cell but its readings; its status says so for a while."""
    _prior(f.mean[c], f.cov[c], params, nominal, work[0, :N, :N])
    f.past_s[c], f.trace_s[c] = -inf, -inf
    f.undissolved_kg[c], f.started[c] = nan, 0.0
    for i in range(N):
        for j in range(N):
            f.trans[c, i, j] = 1.0 if i == j else 0.0
    state.heat_ref_W[c], state.heat_ref_s[c] = nominal.heat_loss_W, 0.0
    state.alf3_use_kg_s[c], state.ledge_told_mm[c] = nan, 0.0
    state.lost_age_s[c] = 0.0


@kernel
def advance(f: Filter, state: State, measured: Measured, fixed: Fixed, scan_s: float) -> None:
    """Take in one scan, after ``twin.tracking.track`` has; a step is made when a minute has gathered.

    Parameters
    ----------
    f
        Changed in place.
    state
        Of the observer: ages of readings, mean power, chemistry, known movements of the beam.
    measured, fixed
        As ``track`` takes them.
    scan_s
        Time since the last scan [s].
    """
    f.clock_s[0] += scan_s
    f.open_s[0] += scan_s
    due = f.open_s[0] >= _STEP_S - 1e-6
    work, noise, drive = np.zeros((N_WORK, N + 1, N + 1)), np.zeros(N_NOISE), np.zeros(N_DRIVES)
    for c in range(f.mean.shape[0]):
        if not fixed.known[c] or isnan(state.line_current_A[c]) or isnan(state.cell_voltage_V[c]):
            continue
        params = params_at(fixed.params, c)
        _gather(f, state, measured, c, params, scan_s)
        if due:
            drive[SINK] = _sink_W(measured, c, params)
            nominal = nominal_at(fixed.nominal, c)
            _run(f, state, c, params, nominal, drive, noise, work)
            f.sums[c] = 0.0
            if not _possible(f, c):
                _start_anew(f, state, c, params, nominal, work)
            _remember(f, c, f.clock_s[0])
    if due:
        f.open_s[0] = 0.0


@kernel
def report(f: Filter, state: State, fixed: Fixed, out: Estimate) -> None:
    """Write estimates and standard deviations of all cells of which current and voltage have been heard.

    Parameters
    ----------
    f, state, fixed
        As ``advance`` leaves them.
    out
        The ledge takes what the shell says of it beyond the twin, at 0.7 of it as one more standard deviation.
    """
    h = np.empty(N)
    for c in range(f.mean.shape[0]):
        evidence_mm = out.ledge_bath_mm[c]
        out.ledge_bath_mm[c] = nan
        if not fixed.known[c] or isnan(state.line_current_A[c]) or isnan(state.cell_voltage_V[c]):
            continue
        params, nominal = params_at(fixed.params, c), nominal_at(fixed.nominal, c)
        x, p = f.mean[c], f.cov[c]
        bath = bath_at(x, state.chemistry_pct[c])
        bath_C, liquidus_C = melt_at(x, bath)
        h[:] = 0.0
        h[ALF3], h[ALUMINA] = slopes(bath)
        h[SHIFT], h[BATH] = 1.0, -1.0
        variance = 0.0
        for i in (BATH, ALF3, SHIFT, ALUMINA):
            for j in (BATH, ALF3, SHIFT, ALUMINA):
                variance += h[i] * p[i, j] * h[j]
        out.bath_temp_C[c], out.bath_temp_sd_C[c] = bath_C, sqrt(max(p[BATH, BATH], 0.0))
        out.liquidus_C[c], out.superheat_C[c] = liquidus_C, bath_C - liquidus_C
        out.superheat_sd_C[c] = sqrt(max(variance, 0.0))
        out.alumina_pct[c] = min(max(x[ALUMINA], 1.0), 8.0)
        out.alumina_sd_pct[c] = sqrt(max(p[ALUMINA, ALUMINA], 0.0))
        slope = bath_slope_V_mm(params.rated_current_A, bath_C, bath, params)
        out.acd_mm[c] = min(max(nominal.acd_mm + _ACD_SHARE * x[LEVEL] / slope, 10.0), 90.0)
        out.acd_sd_mm[c] = sqrt(_ACD_SD_MM**2 + p[LEVEL, LEVEL] * (_ACD_SHARE / slope) ** 2)
        out.ledge_bath_mm[c] = max(x[LEDGE] + evidence_mm, 0.0)
        out.ledge_bath_sd_mm[c] = sqrt(_LEDGE_SD_MM**2 + max(p[LEDGE, LEDGE], 0.0) + 0.5 * evidence_mm**2)
        out.current_efficiency[c] = efficiency(params, nominal, bath_C, bath_C - liquidus_C, bath[0])
        by_law = out.current_efficiency[c] - params.current_efficiency_frac
        out.current_efficiency_sd[c] = sqrt(_EFFICIENCY_SD**2 + (_LAW_DOUBT_FRAC * by_law) ** 2)
        out.heat_loss_kW[c] = 1e-3 * state.loss_W[c]
        # Current efficiency and 30 mV of bus bar drop.
        by_efficiency_V = 1.644 * out.current_efficiency_sd[c]
        out.heat_loss_sd_kW[c] = 1e-3 * state.line_current_A[c] * sqrt(by_efficiency_V**2 + 0.03**2)
