"""What a sample taken hours ago says of now: the past is corrected, and everything since."""

from math import exp, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.bath import liquidus_solheim
from twin.filter import N_SNAPSHOTS, N_TRACE, N_TRACED, SNAPSHOT_S, TRACE_S, Filter
from twin.jit import kernel
from twin.sigma import SHIFT, N, bath_at, sample_of

FloatArray = NDArray[np.float64]

_DAY_S = 86400.0
#: An innovation beyond so many standard deviations counts as one of so many.
_DOUBT_SD = 3.0


@kernel
def _nearest(times_s: FloatArray, time_s: float, now_s: float) -> int:
    """Which of some kept times is nearest; their number where now is nearer."""
    at, away_s = times_s.size, now_s - time_s
    for k in range(times_s.size):
        if abs(times_s[k] - time_s) < away_s:
            at, away_s = k, abs(times_s[k] - time_s)
    return at


@kernel
def _take_off(trans: FloatArray, gain: FloatArray, h: FloatArray, row: FloatArray) -> None:
    """Transition to a state that has been corrected: (1 - K H) trans."""
    for j in range(N):
        row[j] = 0.0
        for i in range(N):
            row[j] += h[i] * trans[i, j]
    for i in range(N):
        for j in range(N):
            trans[i, j] -= gain[i] * row[j]


@kernel
def _carry(trans: FloatArray, gain: FloatArray, moved: FloatArray) -> None:
    """Carry a gain forward over a transition."""
    for i in range(N):
        moved[i] = 0.0
        for j in range(N):
            moved[i] += trans[i, j] * gain[j]
    gain[:] = moved


@kernel
def _apply(x: FloatArray, p: FloatArray, gain: FloatArray, innovation: float, variance: float) -> None:
    """Correct a state and its covariance by a gain."""
    for i in range(N):
        x[i] += gain[i] * innovation
        for j in range(N):
            p[i, j] -= gain[i] * gain[j] * variance


@kernel
def _apply_trace(f: Filter, c: int, k: int, gain: FloatArray, innovation: float) -> None:
    """Correct the trace between snapshot ``k`` and the next."""
    upto_s = f.past_s[c, k + 1] if k + 1 < N_SNAPSHOTS else f.clock_s[0] + TRACE_S
    for t in range(N_TRACE):
        if f.past_s[c, k] - 1.0 <= f.trace_s[c, t] < upto_s - 1.0:
            for i in range(N_TRACED):
                f.trace[c, t, i] += gain[i] * innovation


@kernel
def correct(
    f: Filter, c: int, kind: int, value: float, sd: float, age_s: float, chemistry_pct: FloatArray
) -> float:
    """Correct the past in which a sample was taken, and everything since.

    Parameters
    ----------
    f, c
        Filter, changed in place, and index of the cell.
    kind
        A state, or ``LIQUIDUS``.
    value, sd, age_s
        Sample and its standard deviation [unit of the state], and how long ago it was taken [s].
    chemistry_pct : (4,)
        CaF2, LiF, MgF2, KF [wt%].

    Returns
    -------
    float
        Innovation over its standard deviation; beyond 3 the sample is trusted less.

    Notes
    -----
    With P of the snapshot and T the transition since (voltage corrections included) the covariance of now and then is
    T P, so that T P H' / (H P H' + R) is the gain of now (stochastic cloning; Alexander, SPIE 1470 (1991)).
    """
    now_s = f.clock_s[0]
    at, traced = _nearest(f.past_s[c], now_s - age_s, now_s), _nearest(f.trace_s[c], now_s - age_s, now_s)
    h, gain, moved, mean = np.empty(N), np.empty(N), np.empty(N), np.empty(N)
    here_s = now_s if at == N_SNAPSHOTS else f.past_s[c, at]
    p = f.cov[c] if at == N_SNAPSHOTS else f.past_cov[c, at]
    mean[:] = f.mean[c] if at == N_SNAPSHOTS else f.past_mean[c, at]
    if traced < N_TRACE:
        mean[:N_TRACED] = f.trace[c, traced]
    innovation = value - sample_of(kind, mean, chemistry_pct, h)
    own = 0.0
    for i in range(N):
        gain[i] = 0.0
        for j in range(N):
            gain[i] += p[i, j] * h[j]
        own += h[i] * gain[i]
    # What is older than the memory says less.
    older_s = max(here_s - (now_s - age_s) - SNAPSHOT_S, 0.0)
    variance = sd * sd + own + 2.0 * own * (1.0 - exp(-older_s / (4.0 * _DAY_S)))
    normalised = innovation / sqrt(variance)
    variance *= max(1.0, (normalised / _DOUBT_SD) ** 2)
    for i in range(N):
        gain[i] /= variance
    for k in range(at, N_SNAPSHOTS):
        if k == at:
            _take_off(f.past_trans[c, k], gain, h, moved)
        else:
            _carry(f.past_trans[c, k], gain, moved)
        _apply(f.past_mean[c, k], f.past_cov[c, k], gain, innovation, variance)
        _apply_trace(f, c, k, gain, innovation)
    if at == N_SNAPSHOTS:
        _take_off(f.trans[c], gain, h, moved)
    else:
        _carry(f.trans[c], gain, moved)
    _apply(f.mean[c], f.cov[c], gain, innovation, variance)
    return normalised


@kernel
def shift_liquidus(f: Filter, c: int, old_pct: FloatArray, new_pct: FloatArray) -> None:
    """After an analysis of what is no state: the liquidus stays where measurements have put it."""
    shift_C = liquidus_solheim(bath_at(f.mean[c], old_pct)) - liquidus_solheim(bath_at(f.mean[c], new_pct))
    f.mean[c, SHIFT] += shift_C
    f.past_mean[c, :, SHIFT] += shift_C
    f.trace[c, :, SHIFT] += shift_C
