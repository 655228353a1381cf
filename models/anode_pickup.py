"""How new anodes pick up current: late, set too high or too low, or as anodes of this cell do."""

from math import exp, inf, isnan, log, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import FloatArray, IntArray
from twin.jit import kernel

#: Half hours of a pick-up that are remembered.
BINS = 48
BIN_H = 0.5
#: Verdicts in the order of the evidence.
LATE, HIGH, LOW = 0, 1, 2
_FIRST_BIN = 2
#: Healthy changes that a cell remembers.
_REMEMBERED = 30.0
#: Stretches of time tried, natural logarithm.
_S_LOW, _S_STEP, _S_COUNT = -0.6, 0.05, 43


class PickupLimits(NamedTuple):
    """What a healthy pick-up is, and how sure a verdict must be.

    Attributes
    ----------
    from_h, until_h
        Ages judged: before 3 h a new anode carries a tenth whatever it does, after 24 h it should carry its share.
    ln_time_sd, ln_time_count
        Spread of ln(time) between healthy changes before the cell's own is known, and how many changes that and the
        next count for. Half load at 6 to 12 h over all plants is 0.2. One cell, with one crew, spreads less, which
        its own changes soon show.
    ln_level_sd
        Spread of the level that healthy anodes reach: one millimetre of height is 2 %, and a setting is good to two.
    late_ln, late_ln_sd, high_ln, low_ln, set_ln_sd
        What a late one (time), one set high and one set low (level) are expected to be, and the spread of that:
        "below 60 % at 24 h", and 3 to 20 mm at 1.7-2 % a mm.
    error_ln, early_error_ln
        Error of the shape of a pick-up, natural logarithm: once loaded, and added at nothing.
    law_error
        How many times greater that error is, less one, while the shape is the law for all plants; it falls as the
        cell's own changes are seen.
    independent
        Half hours of one pick-up that count as one observation of their own.
    corner_ln, corner_ln_sd
        Anodes at the ends of their rows stand colder and take longer, natural logarithm, by an amount that is known
        to no one: mean and spread.
    odds_ln
        Natural logarithm of the odds, against a healthy change, at which a verdict is given. Odds of 150 to 1 are
        passed by at most one healthy change in 150 whenever they are looked at (Ville), 0.008 a cell and day;
        with 3 % of changes wrong, most verdicts are then right.
    """

    from_h: float = 3.0
    until_h: float = 24.0
    ln_time_sd: float = 0.20
    ln_time_count: float = 0.5
    ln_level_sd: float = 0.045
    late_ln: float = 0.45
    late_ln_sd: float = 0.25
    high_ln: float = -0.25
    low_ln: float = 0.20
    set_ln_sd: float = 0.10
    error_ln: float = 0.02
    early_error_ln: float = 1.0
    law_error: float = 6.0
    independent: float = 0.5
    corner_ln: float = 0.08
    corner_ln_sd: float = 0.08
    odds_ln: float = 5.0


class Pickups(NamedTuple):
    """State, changed in place.

    Attributes
    ----------
    seen : (n_cells, n_anodes_max, BINS) float32
        Share of the anode at the end of every half hour since it was set, NaN where not seen.
    odds : (3, n_cells, n_anodes_max)
        Log odds of late, high, low against healthy; NaN before it is judged.
    time_ln, level_ln : (n_cells, n_anodes_max)
        Most likely stretch of time and of level.
    shape : (n_cells, BINS)
        What a healthy anode of the cell carries.
    time_var, level_var, healthy : (n_cells,)
        Sums of squares of ln(time) and ln(level) of its healthy changes, and their number.
    taken : (n_cells, n_anodes_max) bool
        Whether a pick-up was learned from, or was not to be.
    """

    seen: NDArray[np.float32]
    odds: FloatArray
    time_ln: FloatArray
    level_ln: FloatArray
    shape: FloatArray
    time_var: FloatArray
    level_var: FloatArray
    healthy: FloatArray
    taken: NDArray[np.bool_]


def law_frac(age_h: FloatArray) -> FloatArray:
    """Working law of the physics reference 5.3: share of a settled anode that a new one carries.

    Parameters
    ----------
    age_h : (n,)
        Hours since it was set.
    """
    grown = (np.maximum(age_h - 0.7, 0.0) / 11.0) ** 1.6
    return 0.05 + 0.95 * (1.0 - np.exp(-grown))


def new_pickups(n_cells: int, width: int) -> Pickups:
    """No change was seen yet: the shape is the published law.

    Parameters
    ----------
    n_cells, width
        Cells, and anodes of the largest.
    """
    shape = law_frac(np.linspace(BIN_H, BIN_H * BINS, BINS))
    return Pickups(
        np.full((n_cells, width, BINS), np.nan, dtype=np.float32),
        np.full((3, n_cells, width), np.nan),
        np.full((n_cells, width), np.nan),
        np.full((n_cells, width), np.nan),
        np.tile(shape, (n_cells, 1)),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros((n_cells, width), dtype=np.bool_),
    )


@kernel
def _shape_at(shape: FloatArray, age_h: float) -> float:
    """Shape between its half hours, constant beyond its ends."""
    x = age_h / BIN_H - 1.0
    if x <= 0.0:
        return shape[0]
    k = int(x)
    if k >= BINS - 1:
        return shape[BINS - 1]
    return shape[k] + (x - k) * (shape[k + 1] - shape[k])


@kernel
def _judge(p: Pickups, c: int, j: int, corner: bool, lim: PickupLimits) -> None:
    """Weigh a pick-up so far: stretches of time on a grid, the level by its normal law."""
    seen, shape = p.seen[c, j], p.shape[c]
    counted = lim.ln_time_count + max(p.healthy[c] - 1.0, 0.0)
    var = (lim.ln_time_count * lim.ln_time_sd**2 + p.time_var[c]) / counted
    late_by = lim.corner_ln if corner else 0.0
    var += lim.corner_ln_sd**2 if corner else 0.0
    level_sd = sqrt((lim.ln_time_count * lim.ln_level_sd**2 + p.level_var[c]) / counted)
    wide = 1.0 + lim.law_error / (1.0 + p.healthy[c]) ** 2
    best, total = -inf, np.zeros(4)
    most = np.full(4, -inf)
    terms = np.empty((4, _S_COUNT))
    for k in range(_S_COUNT):
        s = _S_LOW + _S_STEP * k
        w_sum, wr, wrr, doubt = 0.0, 0.0, 0.0, 0.0
        for b in range(_FIRST_BIN, BINS):
            if isnan(seen[b]) or seen[b] <= 0.0:
                continue
            y = seen[b]
            expected = _shape_at(shape, BIN_H * (b + 1) * exp(-s))
            sd = wide * lim.error_ln + lim.early_error_ln * max(0.5 - expected, 0.0)
            w = lim.independent / sd**2
            r = log(y / expected)
            doubt += lim.independent * log(sd)
            w_sum += w
            wr += w * r
            wrr += w * r * r
        if w_sum == 0.0:
            return
        mean = wr / w_sum
        fit = -0.5 * (wrr - w_sum * mean * mean) - doubt
        healthy_time = -0.5 * (s - late_by) ** 2 / var - 0.5 * log(var)
        late_time = -0.5 * (s - late_by - lim.late_ln) ** 2 / lim.late_ln_sd**2 - log(lim.late_ln_sd)
        for kind in range(4):
            sd, off = lim.set_ln_sd, mean
            if kind == LATE or kind == 3:
                sd = level_sd
            elif kind == HIGH:
                off = mean - lim.high_ln
            else:
                off = mean - lim.low_ln
            level = -0.5 * off * off / (1.0 / w_sum + sd * sd) - 0.5 * log(1.0 + w_sum * sd * sd)
            value = fit + level + (late_time if kind == LATE else healthy_time)
            terms[kind, k] = value
            most[kind] = max(most[kind], value)
            if value > best:
                best = value
                p.time_ln[c, j], p.level_ln[c, j] = s, mean
    for kind in range(4):
        for k in range(_S_COUNT):
            total[kind] += exp(terms[kind, k] - most[kind])
    healthy = most[3] + log(total[3])
    for kind in range(3):
        p.odds[kind, c, j] = most[kind] + log(total[kind]) - healthy


@kernel
def _learn(p: Pickups, c: int, j: int, lim: PickupLimits) -> None:
    """Take a healthy change into what the cell knows of itself."""
    known = 0
    for b in range(BINS):
        known += 0 if isnan(p.seen[c, j, b]) else 1
    if known < BINS - 4 or isnan(p.time_ln[c, j]):
        return
    n = p.healthy[c]
    # The first changes of a cell say more of it than a law for all plants.
    gain = 1.0 / (min(n, 9.0) + 1.3)
    for b in range(BINS):
        y = p.seen[c, j, b]
        if not isnan(y) and y > 0.0:
            p.shape[c, b] *= exp(gain * log(y / p.shape[c, b]))
    for b in range(1, BINS):
        p.shape[c, b] = max(p.shape[c, b], p.shape[c, b - 1])
    if n > 0.0:
        p.time_var[c] += p.time_ln[c, j] ** 2
        p.level_var[c] += p.level_ln[c, j] ** 2
    p.healthy[c] = n + 1.0
    if p.healthy[c] > _REMEMBERED:
        p.time_var[c] *= _REMEMBERED / p.healthy[c]
        p.level_var[c] *= _REMEMBERED / p.healthy[c]
        p.healthy[c] = _REMEMBERED


@kernel
def pickup_step(
    p: Pickups,
    age_h: FloatArray,
    y10: FloatArray,
    tick_s: FloatArray,
    n_anodes: IntArray,
    corner: NDArray[np.bool_],
    lim: PickupLimits,
) -> None:
    """Go on with the pick-ups of young anodes, where a minute closed; judged every ten minutes.

    Parameters
    ----------
    p
        Changed in place.
    age_h : (n_cells, n_anodes_max)
        Hours since each anode was truly set; NaN where unknown.
    y10 : (n_cells, n_anodes_max)
        Ten-minute mean of its share.
    tick_s, n_anodes : (n_cells,)
        Time since the last minute closed, 0 for none [s]; anodes of each cell.
    corner : (n_cells, n_anodes_max)
        Stands at an end of its row.
    lim
        See `PickupLimits`.
    """
    for c in range(n_anodes.size):
        if tick_s[c] <= 0.0:
            continue
        for j in range(n_anodes[c]):
            age = age_h[c, j]
            if not age < lim.until_h + 0.5 or age < 0.0 or isnan(y10[c, j]):
                continue
            before_h = age - tick_s[c] / 3600.0
            if age < lim.until_h:
                p.seen[c, j, int(age / BIN_H)] = max(y10[c, j], 0.0)
            if age >= lim.from_h and int(6.0 * age) != int(6.0 * before_h):
                _judge(p, c, j, corner[c, j], lim)
            if age >= lim.until_h and not p.taken[c, j]:
                p.taken[c, j] = True
                odds = -inf
                for kind in range(3):
                    odds = max(odds, p.odds[kind, c, j])
                if odds < 1.0:
                    _learn(p, c, j, lim)


@kernel
def restart(p: Pickups, c: int, j: int) -> None:
    """Forget the pick-up of an anode: another one stands in its place."""
    p.seen[c, j, :] = nan
    p.taken[c, j] = False
    p.odds[:, c, j] = nan
    p.time_ln[c, j], p.level_ln[c, j] = nan, nan
