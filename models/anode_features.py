"""What the current of every anode does, minute by minute, with all taken away that the whole cell does at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import FloatArray, IntArray
from twin.jit import kernel

#: Minutes kept of every anode: the newest three against the half hour before them.
RING = 36
_LEARN_H, _NOISE_H = 24.0, 6.0
#: Bounds of the learned relative spreads: a rod measurement is good to 1-3 %, more than 3 % is no spread but a change.
_SPREAD_LOW, _SPREAD_HIGH, _SPREAD_START = 0.005, 0.04, 0.04
#: Anode effect [V], and how long shares mean nothing after one or after the line was off [s].
_EFFECT_V, _HOLD_S = 8.0, 600.0
#: Without measurements for so long the half hour before is no longer the half hour before [s].
_FORGET_S = 1200.0
_MIN_A = 1000.0


class Features(NamedTuple):
    """State and newest features, changed in place; shares are of the mean anode of the cell.

    Attributes
    ----------
    frac_sum, frac_n, d2_sum, d2_n, last_frac : (n_cells, n_anodes_max)
        Within the minute: share, and squared relative change from scan to scan.
    q_sum, q_n, by_line, elapsed_s, gap_s, hold_s, usual_A : (n_cells,)
        Within the minute: sum of the rods over the line current, over the usual sum where the line current was never
        measured (``by_line`` is 0); clocks; mean anode current that is usual [A].
    ring : (n_cells, n_anodes_max, RING) float32
        Share over the cell's common factor, newest minutes; ``filled`` of them, the newest before ``head``.
    q_ring : (n_cells, RING)
        Sum of the rods over the line current.
    base, base_h, drift_spread, step_spread, noise : (n_cells, n_anodes_max)
        Own level [share], hours it was learned from, own relative spreads of the ten-minute mean around it and of
        three minutes against the half hour before, own mean squared relative change between scans.
    common : (n_cells,)
        What settled anodes share: the current that young and faulty anodes leave to them.
    tick_s : (n_cells,)
        Time that the features below stand for; 0 where no minute closed at this scan [s].
    y1, y3, y10, y30 : (n_cells, n_anodes_max)
        Share over the common factor: newest minute, means of 3 and 10 minutes, of the half hour before the three.
    d2, d2_count : (n_cells, n_anodes_max)
        Sum of squared changes over what is usual for this anode and this minute, and how many.
    q3, q30 : (n_cells,)
        As y3, y30, of the sum of the rods over the line current; NaN where the line current is not measured.
    """

    frac_sum: FloatArray
    frac_n: FloatArray
    d2_sum: FloatArray
    d2_n: FloatArray
    last_frac: FloatArray
    q_sum: FloatArray
    q_n: FloatArray
    by_line: FloatArray
    elapsed_s: FloatArray
    gap_s: FloatArray
    hold_s: FloatArray
    usual_A: FloatArray
    ring: NDArray[np.float32]
    filled: IntArray
    head: IntArray
    q_ring: FloatArray
    q_filled: IntArray
    q_head: IntArray
    base: FloatArray
    base_h: FloatArray
    drift_spread: FloatArray
    step_spread: FloatArray
    noise: FloatArray
    common: FloatArray
    tick_s: FloatArray
    y1: FloatArray
    y3: FloatArray
    y10: FloatArray
    y30: FloatArray
    d2: FloatArray
    d2_count: FloatArray
    q3: FloatArray
    q30: FloatArray


def new_features(n_cells: int, width: int) -> Features:
    """Features of anodes of which nothing is known.

    Parameters
    ----------
    n_cells, width
        Cells, and anodes of the largest.
    """
    wide, cells = (n_cells, width), (n_cells,)
    values: dict[str, NDArray[np.generic]] = {}
    for name in ("frac_sum", "frac_n", "d2_sum", "d2_n", "base_h", "d2", "d2_count"):
        values[name] = np.zeros(wide)
    for name in ("last_frac", "base", "noise", "y1", "y3", "y10", "y30"):
        values[name] = np.full(wide, np.nan)
    for name in ("drift_spread", "step_spread"):
        values[name] = np.full(wide, _SPREAD_START)
    for name in ("q_sum", "q_n", "by_line", "elapsed_s", "hold_s", "tick_s"):
        values[name] = np.zeros(cells)
    for name in ("usual_A", "q3", "q30"):
        values[name] = np.full(cells, np.nan)
    values["gap_s"] = np.full(cells, 1e9)
    for name in ("filled", "head"):
        values[name] = np.zeros(wide, dtype=np.int64)
        values[f"q_{name}"] = np.zeros(cells, dtype=np.int64)
    values["ring"] = np.full((*wide, RING), np.nan, dtype=np.float32)
    values["q_ring"] = np.full((n_cells, RING), np.nan)
    values["common"] = np.ones(cells)
    return Features(**values)  # pyright: ignore[reportArgumentType]


@kernel
def _gather(
    f: Features, c: int, n: int, current_A: FloatArray, line_A: float, high_V: float, scan_s: float
) -> None:
    """Take in one scan of one cell."""
    f.elapsed_s[c] += scan_s
    f.gap_s[c] += scan_s
    total_A, count = 0.0, 0
    for j in range(n):
        if not np.isnan(current_A[j]):
            total_A += current_A[j]
            count += 1
    if 2 * count < n or count == 0:
        return
    mean_A = total_A / count
    if np.isnan(f.usual_A[c]):
        f.usual_A[c] = mean_A
    elif mean_A > 1.2 * f.usual_A[c]:
        # A line that is switched on again: within minutes, but not by one wrong scan.
        f.usual_A[c] += min(scan_s / 900.0, 0.2) * (mean_A - f.usual_A[c])
    alive = mean_A >= _MIN_A and mean_A >= 0.5 * f.usual_A[c]
    if not alive or high_V > _EFFECT_V:
        f.hold_s[c] = _HOLD_S
    if f.hold_s[c] > 0.0:
        f.hold_s[c] -= scan_s
        f.gap_s[c] = 1e9
        return
    f.usual_A[c] += min(scan_s / 86400.0, 1.0) * (mean_A - f.usual_A[c])
    together = f.gap_s[c] < 1.5 * scan_s
    for j in range(n):
        if np.isnan(current_A[j]):
            f.last_frac[c, j] = np.nan
            continue
        frac = current_A[j] / mean_A
        f.frac_sum[c, j] += frac
        f.frac_n[c, j] += 1.0
        if together and not np.isnan(f.last_frac[c, j]):
            d2 = ((frac - f.last_frac[c, j]) / max(frac, 0.02)) ** 2
            # A step is no noise.
            if f.noise[c, j] > 0.0:
                d2 = min(d2, 16.0 * f.noise[c, j])
            f.d2_sum[c, j] += d2
            f.d2_n[c, j] += 1.0
        f.last_frac[c, j] = frac
    if line_A > 0.0:
        f.q_sum[c] += mean_A * n / line_A
        f.q_n[c] += 1.0
        f.by_line[c] = 1.0
    elif f.by_line[c] == 0.0:
        # The line current was never measured: the sum against what it usually is.
        f.q_sum[c] += mean_A / f.usual_A[c]
        f.q_n[c] += 1.0
    f.gap_s[c] = 0.0


@kernel
def _common(f: Features, c: int, n: int, quiet: NDArray[np.bool_]) -> None:
    """Mean of what quiet anodes carry over their own level, without those that stand apart."""
    total, count, all_total, all_count = 0.0, 0, 0.0, 0
    for j in range(n):
        if not quiet[j] or np.isnan(f.base[c, j]) or f.frac_n[c, j] == 0.0:
            continue
        ratio = f.frac_sum[c, j] / f.frac_n[c, j] / f.base[c, j]
        all_total += ratio
        all_count += 1
        if abs(ratio / f.common[c] - 1.0) < 0.1:
            total += ratio
            count += 1
    if 2 * count >= all_count and count > 0:
        f.common[c] = total / count
    elif all_count > 0:
        f.common[c] = all_total / all_count


@kernel
def _mean_of(ring: NDArray[np.float32], head: int, first: int, last: int) -> float:
    """Mean of the values from ``first`` to before ``last`` minutes ago."""
    total = 0.0
    for k in range(first, last):
        total += ring[(head - 1 - k) % RING]
    return total / (last - first)


@kernel
def _usual_noise(f: Features, c: int, n: int, quiet: NDArray[np.bool_]) -> float:
    """Noise of this minute over what is usual, mean of the quiet anodes."""
    usual, known = 0.0, 0
    for j in range(n):
        if quiet[j] and f.noise[c, j] > 0.0 and f.d2_n[c, j] > 0.0:
            usual += min(f.d2_sum[c, j] / f.d2_n[c, j] / f.noise[c, j], 4.0)
            known += 1
    return usual / known if known > 0 and usual > 0.0 else 1.0


@kernel
def _noise_of(f: Features, c: int, j: int, usual: float, dt_s: float, quiet: bool) -> None:
    """Noise of one anode over what is usual for it now, and what is usual for it."""
    if f.d2_n[c, j] > 0.0:
        mean_d2 = f.d2_sum[c, j] / f.d2_n[c, j] / usual
        if f.noise[c, j] > 0.0:
            f.d2[c, j] = f.d2_sum[c, j] / usual / f.noise[c, j]
            f.d2_count[c, j] = f.d2_n[c, j]
        if quiet:
            if not f.noise[c, j] > 0.0:
                f.noise[c, j] = max(mean_d2, 1e-12)
            else:
                gain = min(dt_s / 3600.0 / min(f.base_h[c, j] + 0.1, _NOISE_H), 1.0)
                f.noise[c, j] += gain * (mean_d2 - f.noise[c, j])


@kernel
def _sum_of_rods(f: Features, c: int) -> None:
    """Sum of the rods over the line current, as means of 3 minutes and of the half hour before."""
    if f.q_n[c] > 0.0:
        f.q_ring[c, f.q_head[c]] = f.q_sum[c] / f.q_n[c]
        f.q_head[c] = (f.q_head[c] + 1) % RING
        f.q_filled[c] = min(f.q_filled[c] + 1, RING)
        f.q_sum[c], f.q_n[c] = 0.0, 0.0
        filled, head = f.q_filled[c], f.q_head[c]
        total = 0.0
        for k in range(min(3, filled)):
            total += f.q_ring[c, (head - 1 - k) % RING]
        f.q3[c] = total / min(3, filled)
        f.q30[c] = np.nan
        if filled >= 14:
            total = 0.0
            for k in range(4, min(34, filled)):
                total += f.q_ring[c, (head - 1 - k) % RING]
            f.q30[c] = total / (min(34, filled) - 4)
    else:
        f.q3[c] = np.nan


@kernel
def _close(f: Features, c: int, n: int, quiet: NDArray[np.bool_]) -> None:
    """Turn what was gathered into the features of a minute."""
    dt_s = f.elapsed_s[c]
    f.elapsed_s[c] = 0.0
    f.tick_s[c] = 0.0
    counted = 0.0
    for j in range(n):
        counted += f.frac_n[c, j]
    if counted == 0.0:
        if f.gap_s[c] > _FORGET_S:
            for j in range(n):
                f.filled[c, j] = 0
            f.q_filled[c] = 0
        return
    f.tick_s[c] = min(dt_s, 600.0)
    _common(f, c, n, quiet)
    usual = _usual_noise(f, c, n, quiet)
    for j in range(n):
        f.d2[c, j], f.d2_count[c, j] = 0.0, 0.0
        if f.frac_n[c, j] == 0.0:
            f.y1[c, j] = f.y3[c, j] = f.y10[c, j] = f.y30[c, j] = np.nan
            # A rod that stays silent has no half hour before any more.
            f.filled[c, j] = max(f.filled[c, j] - 2, 0)
            continue
        y = f.frac_sum[c, j] / f.frac_n[c, j] / f.common[c]
        f.y1[c, j] = y
        f.ring[c, j, f.head[c, j]] = y
        f.head[c, j] = (f.head[c, j] + 1) % RING
        f.filled[c, j] = min(f.filled[c, j] + 1, RING)
        filled, head, ring = f.filled[c, j], f.head[c, j], f.ring[c, j]
        f.y3[c, j] = _mean_of(ring, head, 0, min(3, filled))
        f.y10[c, j] = _mean_of(ring, head, 0, min(10, filled))
        f.y30[c, j] = _mean_of(ring, head, 4, min(34, filled)) if filled >= 14 else np.nan
        _noise_of(f, c, j, usual, dt_s, quiet[j])
        f.frac_sum[c, j], f.frac_n[c, j], f.d2_sum[c, j], f.d2_n[c, j] = 0.0, 0.0, 0.0, 0.0
    _sum_of_rods(f, c)


@kernel
def _learn(f: Features, c: int, n: int, quiet: NDArray[np.bool_]) -> None:
    """Own level and spreads of the anodes of which nothing odd is known."""
    dt_h = f.tick_s[c] / 3600.0
    for j in range(n):
        if not quiet[j] or np.isnan(f.y1[c, j]):
            continue
        if np.isnan(f.base[c, j]):
            f.base[c, j] = f.y10[c, j]
            f.base_h[c, j] = 0.0
            continue
        off = min(max(f.y10[c, j] / f.base[c, j] - 1.0, -0.1), 0.1)
        f.base[c, j] *= 1.0 + min(dt_h / min(f.base_h[c, j] + 0.25, _LEARN_H), 1.0) * off
        f.base_h[c, j] += dt_h
        gain = min(dt_h / min(f.base_h[c, j] + 6.0, _LEARN_H), 1.0)
        size = min(1.25 * abs(off), 2.0 * _SPREAD_HIGH)
        f.drift_spread[c, j] += gain * (size - f.drift_spread[c, j])
        f.drift_spread[c, j] = min(max(f.drift_spread[c, j], _SPREAD_LOW), _SPREAD_HIGH)
        if not np.isnan(f.y30[c, j]):
            size = min(1.25 * abs(f.y3[c, j] / f.y30[c, j] - 1.0), 2.0 * _SPREAD_HIGH)
            f.step_spread[c, j] += gain * (size - f.step_spread[c, j])
            f.step_spread[c, j] = min(max(f.step_spread[c, j], _SPREAD_LOW), _SPREAD_HIGH)


@kernel
def feature_step(
    f: Features,
    n_anodes: IntArray,
    current_A: FloatArray,
    line_A: FloatArray,
    high_V: FloatArray,
    scan_s: float,
    quiet: NDArray[np.bool_],
) -> bool:
    """Take in one scan of all cells; True when a minute closed.

    Parameters
    ----------
    f
        Changed in place.
    n_anodes : (n_cells,)
        Anodes of each cell.
    current_A : (n_cells, n_anodes_max)
        Rod currents, NaN where not measured [A].
    line_A, high_V : (n_cells,)
        Line current [A] and highest cell voltage of the scan [V]; NaN where not measured.
    scan_s
        Length of the scan [s]; one longer than a minute closes a minute of its own.
    quiet : (n_cells, n_anodes_max)
        Settled anodes of which nothing odd is known: only they are learned from.

    Notes
    -----
    Nothing is gathered during an anode effect, while the line is off and ten minutes after.
    """
    closed = False
    for c in range(n_anodes.size):
        n = n_anodes[c]
        _gather(f, c, n, current_A[c], line_A[c], high_V[c], scan_s)
        f.tick_s[c] = 0.0
        if f.elapsed_s[c] >= 59.0:
            _close(f, c, n, quiet[c])
            if f.tick_s[c] > 0.0:
                _learn(f, c, n, quiet[c])
                closed = True
    return closed


@kernel
def forget(f: Features, c: int, j: int) -> None:
    """Start anew with an anode: another one stands in its place."""
    f.base[c, j], f.base_h[c, j], f.noise[c, j] = np.nan, 0.0, np.nan
    f.drift_spread[c, j] = f.step_spread[c, j] = _SPREAD_START
    f.filled[c, j] = 0
