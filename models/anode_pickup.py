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
#: Healthy changes of a cell that are remembered: ten days of it.
_KEPT = 9
#: What the law for all plants counts for, in changes of the cell's own.
_LAW_COUNT = 0.3
#: So many odd changes one after the other are the way of the cell, not so many wrong anodes.
_OWN_WAY = 4
#: Share that a reading of nothing counts as.
_LEAST_frac = 0.01
#: Log odds above which a change is no example of a healthy one, told or not.
_DOUBT_LN = 2.0
#: In what pick-ups differ: time, level, share at the start, steepness.
_TIME, _LEVEL, _START, _STEEP = 0, 1, 2, 3
_WAYS = 4
#: Stretches of time tried, natural logarithm; and the distance over which a slope is taken.
_S_LOW, _S_STEP, _S_COUNT = -0.6, 0.1, 22
_LN_BESIDE = 2.0 * log(1.1)


class PickupLimits(NamedTuple):
    """What a healthy pick-up is, and how sure a verdict must be.

    Attributes
    ----------
    from_h, until_h
        Ages judged: before 3 h a new anode carries a tenth whatever it does, after 24 h it should carry its share.
    late_from_h, level_from_frac
        Nobody is late before the quickest plants are half loaded. Levels are judged when anodes of this cell carry so
        much: before, the spread of time hides them.
    plant_sd, cell_sd
        Spread of ln(time), ln(level), share at the start and ln(steepness) between plants, and between healthy changes
        of one cell before its own is known. Time: half load at 6 to 12 h over all plants is 0.2; one cell, with one
        bath and crew, spreads by less. Level: one millimetre of height is 2 %, a setting is good to two, a rod
        measurement to 1-3 %. Start: 0.03 to 0.08. Steepness: half load at 6 to 12 h and 90 % at 16 to 30 h leave the
        exponent of the law between 1.1 and 2.4.
    own_count
        How many changes the spread within a cell counts for, before its own changes show it.
    late_ln, late_ln_sd, high_ln, low_ln, set_ln_sd
        What a late one (time), one set high and one set low (level) are expected to be, and the spread of that:
        "below 60 % at 24 h", and any of 3 to 20 mm at 1.7-2 % a mm.
    error_ln, law_error
        Error of one half hour's share that is its own, natural logarithm, and how many times greater it is, less one,
        while the shape is the law for all plants; that falls as the cell's own changes are seen.
    independent
        Half hours of one pick-up that count as one observation of their own.
    corner_ln, corner_ln_sd
        Anodes at the ends of their rows stand colder and take longer, natural logarithm, by an amount that is known
        to no one: mean and spread.
    odds_ln
        Natural logarithm of the odds, against a healthy change, at which a verdict is given: 20 to 1. At most one
        healthy change in 20 ever passes them (Ville); as spreads are learned from wide ones downwards it is one in some
        hundred. With 3 % of changes wrong these odds alone make four verdicts in ten right; measured, it is more.
    """

    from_h: float = 3.0
    until_h: float = 24.0
    late_from_h: float = 6.0
    level_from_frac: float = 0.66
    plant_sd: tuple[float, float, float, float] = (0.20, 0.05, 0.0, 0.4)
    cell_sd: tuple[float, float, float, float] = (0.15, 0.045, 0.03, 0.1)
    own_count: float = 1.0
    late_ln: float = 0.45
    late_ln_sd: float = 0.25
    high_ln: float = -0.21
    low_ln: float = 0.21
    set_ln_sd: float = 0.09
    error_ln: float = 0.02
    law_error: float = 4.0
    independent: float = 0.5
    corner_ln: float = 0.08
    corner_ln_sd: float = 0.12
    odds_ln: float = 3.0


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
    past : (n_cells, _KEPT, BINS) float32
        Newest healthy changes of the cell, natural logarithm of the share; NaN where not seen.
    shape : (n_cells, BINS)
        What a healthy anode of the cell carries: the median of those, with a little of the law.
    spread : (n_cells, 4)
        Spread of ln(time), ln(level), start and ln(steepness) that the next healthy change of the cell will have.
    healthy, odd_run : (n_cells,)
        Healthy changes seen, and odd ones since.
    taken, told : (n_cells, n_anodes_max) bool
        Whether a pick-up was learned from, or was not to be; whether it ever passed the limit.
    """

    seen: NDArray[np.float32]
    odds: FloatArray
    time_ln: FloatArray
    level_ln: FloatArray
    past: NDArray[np.float32]
    shape: FloatArray
    spread: FloatArray
    healthy: FloatArray
    odd_run: FloatArray
    taken: NDArray[np.bool_]
    told: NDArray[np.bool_]


def law_frac(age_h: FloatArray) -> FloatArray:
    """Working law of the physics reference 5.3: share of a settled anode that a new one carries.

    Parameters
    ----------
    age_h : (n,)
        Hours since it was set.
    """
    grown = (np.maximum(age_h - 0.7, 0.0) / 11.0) ** 1.6
    return 0.05 + 0.95 * (1.0 - np.exp(-grown))


def _law_bins() -> FloatArray:
    return law_frac(np.linspace(BIN_H, BIN_H * BINS, BINS))


_LAW_LN: FloatArray = np.log(_law_bins())


def new_pickups(n_cells: int, width: int, lim: PickupLimits) -> Pickups:
    """No change was seen yet: the shape is the published law, and its spread that of all plants.

    Parameters
    ----------
    n_cells, width
        Cells, and anodes of the largest.
    lim
        See `PickupLimits`.
    """
    return Pickups(
        np.full((n_cells, width, BINS), np.nan, dtype=np.float32),
        np.full((3, n_cells, width), np.nan),
        np.full((n_cells, width), np.nan),
        np.full((n_cells, width), np.nan),
        np.full((n_cells, _KEPT, BINS), np.nan, dtype=np.float32),
        np.tile(_law_bins(), (n_cells, 1)),
        np.tile(np.hypot(lim.plant_sd, lim.cell_sd), (n_cells, 1)),
        np.zeros(n_cells),
        np.zeros(n_cells),
        np.zeros((n_cells, width), dtype=np.bool_),
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
def _sums(
    ln_seen: FloatArray, shape: FloatArray, age_h: float, stretch: float, error_ln: float, lim: PickupLimits
) -> tuple[FloatArray, FloatArray, float]:
    """Normal equations of a pick-up's distance from the stretched shape, in the four ways in which pick-ups differ."""
    a, b, rr = np.zeros((_WAYS, _WAYS)), np.zeros(_WAYS), 0.0
    way = np.empty(_WAYS)
    half_h = BIN_H
    for k in range(BINS):
        if shape[k] < 0.5:
            half_h = BIN_H * (k + 1.5)
    weight = lim.independent / error_ln**2
    for k in range(int(lim.from_h / BIN_H) - 1, BINS):
        if isnan(ln_seen[k]):
            continue
        at_h = min(BIN_H * (k + 1), age_h) * exp(-stretch)
        expected = _shape_at(shape, at_h)
        slope = log(_shape_at(shape, 1.1 * at_h) / _shape_at(shape, at_h / 1.1)) / _LN_BESIDE
        r = ln_seen[k] - log(expected)
        way[_TIME], way[_LEVEL] = -slope, 1.0
        way[_START] = max(1.0 - expected, 0.0) / expected
        way[_STEEP] = slope * log(at_h / half_h)
        rr += weight * r * r
        for i in range(_WAYS):
            b[i] += weight * r * way[i]
            for j in range(_WAYS):
                a[i, j] += weight * way[i] * way[j]
    return a, b, rr


@kernel
def _evidence(
    a: FloatArray, b: FloatArray, rr: float, mean: FloatArray, sd: FloatArray, found: FloatArray
) -> float:
    """Log likelihood of a pick-up whose ways are drawn with this mean and spread; ``found`` becomes the likeliest."""
    low, rest = np.zeros((_WAYS, _WAYS)), np.empty(_WAYS)
    fit = -0.5 * rr
    for i in range(_WAYS):
        am = 0.0
        for j in range(_WAYS):
            am += a[i, j] * mean[j]
        rest[i] = sd[i] * (b[i] - am)
        fit += mean[i] * (b[i] - 0.5 * am)
    # Cholesky of 1 + sd a sd, then the two triangles.
    for i in range(_WAYS):
        for j in range(i + 1):
            total = sd[i] * a[i, j] * sd[j] + (1.0 if i == j else 0.0)
            for k in range(j):
                total -= low[i, k] * low[j, k]
            low[i, j] = sqrt(total) if i == j else total / low[j, j]
        for k in range(i):
            rest[i] -= low[i, k] * rest[k]
        rest[i] /= low[i, i]
        fit += 0.5 * rest[i] * rest[i] - log(low[i, i])
    for i in range(_WAYS - 1, -1, -1):
        for k in range(i + 1, _WAYS):
            rest[i] -= low[k, i] * rest[k]
        rest[i] /= low[i, i]
        found[i] = mean[i] + sd[i] * rest[i]
    return fit


@kernel
def _judge(p: Pickups, c: int, j: int, age_h: float, corner: bool, lim: PickupLimits) -> None:
    """Weigh a pick-up so far: healthy, late, set high or set low."""
    ln_seen = np.full(BINS, np.nan)
    newest = min(int(age_h / BIN_H), BINS - 1)
    for k in range(newest + 1):
        if not isnan(p.seen[c, j, k]):
            ln_seen[k] = log(max(p.seen[c, j, k], _LEAST_frac))
    error_ln = lim.error_ln * (1.0 + lim.law_error / (1.0 + p.healthy[c]) ** 2)
    if np.isnan(ln_seen[int(lim.from_h / BIN_H) - 1 :]).all():
        return
    sd, usual_ln = p.spread[c].copy(), 0.0
    if corner:
        usual_ln = lim.corner_ln
        sd[_TIME] = sqrt(sd[_TIME] ** 2 + lim.corner_ln_sd**2)
    usual_sd = sd.copy()
    loaded = _shape_at(p.shape[c], age_h)
    mean, found = np.zeros(_WAYS), np.empty(_WAYS)
    terms, best = np.full((4, _S_COUNT), -inf), -inf
    # Stretches of time on a grid, for shares are anything but linear in them; the rest by its normal law.
    for k in range(_S_COUNT):
        s = _S_LOW + _S_STEP * k
        a, b, rr = _sums(ln_seen, p.shape[c], age_h, s, error_ln, lim)
        for kind in range(4):
            sd[:] = usual_sd
            mean[_LEVEL] = 0.0
            if kind in (HIGH, LOW):
                mean[_LEVEL] = lim.high_ln if kind == HIGH else lim.low_ln
                sd[_LEVEL] = lim.set_ln_sd
            off, time_sd = s - usual_ln, usual_sd[_TIME]
            if kind == LATE:
                off, time_sd = off - lim.late_ln, lim.late_ln_sd
            # Every point of the grid stands for its surroundings.
            sd[_TIME] = 0.5 * _S_STEP
            time_sd = sqrt(max(time_sd**2 - sd[_TIME] ** 2, 1e-4))
            value = _evidence(a, b, rr, mean, sd, found) - 0.5 * (off / time_sd) ** 2 - log(time_sd)
            terms[kind, k] = value
            if value > best:
                best = value
                p.time_ln[c, j], p.level_ln[c, j] = s + found[_TIME], found[_LEVEL]
    for kind in range(3):
        top, of, healthy = terms.max(), 0.0, 0.0
        for k in range(_S_COUNT):
            of += exp(terms[kind, k] - top)
            healthy += exp(terms[3, k] - top)
        odds = log(max(of, 1e-300)) - log(max(healthy, 1e-300))
        if age_h < lim.late_from_h or (kind != LATE and loaded < lim.level_from_frac):
            odds = min(odds, 0.0)
        p.odds[kind, c, j] = odds
        if odds >= lim.odds_ln:
            p.told[c, j] = True


@kernel
def _own_shape(p: Pickups, c: int, count: int) -> None:
    """Median of the remembered changes, half hour by half hour, never falling."""
    values = np.empty(_KEPT)
    for b in range(BINS):
        n = 0
        for k in range(count):
            if not isnan(p.past[c, k, b]):
                values[n] = p.past[c, k, b]
                n += 1
        ln_share = _LAW_LN[b]
        if n > 0:
            ln_share = (_LAW_COUNT * ln_share + n * np.median(values[:n])) / (_LAW_COUNT + n)
        p.shape[c, b] = exp(ln_share)
        if b > 0:
            p.shape[c, b] = max(p.shape[c, b], p.shape[c, b - 1])


@kernel
def _own_spread(p: Pickups, c: int, count: int, lim: PickupLimits) -> None:
    """Spread among the remembered changes; one that stands far apart counts as far, not farther."""
    found, mean, sd = np.empty(_WAYS), np.zeros(_WAYS), np.array(lim.cell_sd)
    total = lim.own_count * sd**2
    for k in range(count):
        a, b, rr = _sums(p.past[c, k].astype(np.float64), p.shape[c], inf, 0.0, lim.error_ln, lim)
        _evidence(a, b, rr, mean, sd, found)
        for way in range(_WAYS):
            total[way] += min(found[way] ** 2, 6.0 * sd[way] ** 2)
    # The shape is known by so many changes only, and part of it is still the law.
    law = _LAW_COUNT / (_LAW_COUNT + count)
    for way in range(_WAYS):
        own = sd[way] ** 2
        if way <= _LEVEL:
            own = total[way] / (lim.own_count + count - 1.0)
        p.spread[c, way] = sqrt(own * (1.0 + 1.0 / count) + (law * lim.plant_sd[way]) ** 2)


@kernel
def _learn(p: Pickups, c: int, j: int, lim: PickupLimits) -> None:
    """Take a healthy change into what the cell knows of itself."""
    known = 0
    for b in range(BINS):
        known += 0 if isnan(p.seen[c, j, b]) else 1
    if known < BINS - 4 or isnan(p.time_ln[c, j]):
        return
    odds = -inf
    for kind in range(3):
        odds = max(odds, p.odds[kind, c, j])
    if p.told[c, j] or odds >= _DOUBT_LN:
        p.odd_run[c] += 1.0
        if p.odd_run[c] < _OWN_WAY:
            return
    else:
        p.odd_run[c] = 0.0
    place = int(p.healthy[c]) % _KEPT
    for b in range(BINS):
        y = p.seen[c, j, b]
        # As it is judged: a new anode whose rod reads nothing at first is the way of the cell.
        p.past[c, place, b] = nan if isnan(y) else log(max(y, _LEAST_frac))
    p.healthy[c] += 1.0
    count = min(int(p.healthy[c]), _KEPT)
    _own_shape(p, c, count)
    _own_spread(p, c, count, lim)


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
                _judge(p, c, j, age, corner[c, j], lim)
            if age >= lim.until_h and not p.taken[c, j]:
                p.taken[c, j] = True
                _learn(p, c, j, lim)


@kernel
def restart(p: Pickups, c: int, j: int) -> None:
    """Forget the pick-up of an anode: another one stands in its place."""
    p.seen[c, j, :] = nan
    p.taken[c, j] = p.told[c, j] = False
    p.odds[:, c, j] = nan
    p.time_ln[c, j], p.level_ln[c, j] = nan, nan


def expected_half_h(p: Pickups, c: int, corner: bool, lim: PickupLimits) -> tuple[float, float]:
    """Hours within which the next healthy anode of a cell comes to half load, 95 of 100 times.

    Parameters
    ----------
    p
        What is known of the cell.
    c
        Its index.
    corner
        Whether the anode stands at an end of its row.
    lim
        See `PickupLimits`.
    """
    half_h = float(np.interp(0.5, p.shape[c], BIN_H * np.arange(1, BINS + 1)))
    middle = np.log(half_h) + (lim.corner_ln if corner else 0.0)
    spread = np.hypot(p.spread[c, _TIME], lim.corner_ln_sd if corner else 0.0)
    return float(np.exp(middle - 2.0 * spread)), float(np.exp(middle + 2.0 * spread))
