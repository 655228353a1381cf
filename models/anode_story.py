"""One story at a time of every anode: when its current left its own level, how, and what that is called."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.anode_features import RING, Features
from models.base import FloatArray, IntArray
from twin.jit import kernel

#: Phases of a story.
QUIET, WATCHED, TOLD, INSTRUMENT, OPEN = 0, 1, 2, 3, 4
#: Kinds in the order of the scores of the detector.
KINDS = ("anode_slip", "anode_spike", "anode_burnoff", "anode_cracked", "anode_overload", "anode_contact")
SLIP, SPIKE, BURNOFF, CRACKED, OVERLOAD, CONTACT = 0, 1, 2, 3, 4, 5
NONE = -1
#: Log odds between a rod and a true loss never grow so sure that ten minutes could not turn them.
_ROD_LLR_MOST = 8.0
#: So long after a loss of current the sum of the rods still says whose it is [min].
_ROD_MIN = 150.0
#: Growth of the share of an anode that picks up [1/h], and time between the middles of the two means of a step [h].
_PICKUP_1_H, _BETWEEN_H = 0.12, 0.29


class StoryLimits(NamedTuple):
    """When a story begins, and what decides what it is.

    Attributes
    ----------
    step_frac, drift_frac
        Smallest relative departure of three minutes from the half hour before, and of ten minutes from the anode's
        own level: 8 % is 4-5 mm of height (1.7-2 % a mm) and twice the error of a rod measurement.
    step_sd, drift_sd
        The same in the anode's own learned spreads: beyond four no normal law is trusted any more.
    young_frac
        Smallest step of an anode that is still picking up: it grows by up to a tenth in the time between the two means.
    near_frac
        Added for the neighbours of an anode changed within a day, which take up to 5-10 % of its current.
    open_frac
        Share of its own level below which an anode has lost its current: burnt off, or taken out.
    open_min
        Minutes after which that is believed.
    sure_slip_frac, likely_slip_frac, likely_min, slip_min
        A sudden rise beyond the first is a slip without listening to its noise; beyond the second the noise is heard
        for the third, otherwise for the last [min]: slips must be known within ten minutes, small ones may take longer.
    listen_min
        Slow rises and partial losses are listened to for so long at most [min]; their window is 12 h.
    llr_fast, llr_slow
        Log likelihood ratio of the noise at which a kind is believed: odds of 5 to 1 and of 12 to 1.
    spike_power, contact_power, crack_power
        Relative noise goes with the share to this power. A short carries no bubbles, so the same noise stands on a
        larger current (-1, less what the rod measurement itself makes); a contact is a series resistance without
        noise; a smaller face is noisier.
    independent
        Part of the scan-to-scan changes that count as observations of their own.
    ramp_llr, deep_frac, deep_llr
        A contact worsens slowly too, a crack does not; contacts cost 5-20 %, cracks 10-40 %.
    overload_frac
        Share of the mean at which an anode is overloaded whatever came before: field alarms stand at 1.3 to 1.5.
    mean_frac
        Share of the mean up to which a slow rise is no trouble: a rod measurement is good to 1-3 %, heights to 2 mm.
    rod_sd, rod_llr, rod_min
        An anode that reads nothing is its rod when the sum of the rods falls by its share, and is burnt off when the
        others carry that. Error of this comparison in shares of the anode, minute by minute: errors of gain are 1-3 %,
        but minutes hang together. Log odds at which it is settled, and minutes after which the likelier counts: a
        burn-off must be known within ten.
    back_frac, back_min
        A story is over when this part of its peak or less was left for so long [min].
    """

    step_frac: float = 0.08
    drift_frac: float = 0.08
    step_sd: float = 5.0
    drift_sd: float = 4.0
    young_frac: float = 0.15
    near_frac: float = 0.04
    open_frac: float = 0.4
    open_min: float = 3.0
    sure_slip_frac: float = 0.45
    likely_slip_frac: float = 0.30
    likely_min: float = 8.0
    slip_min: float = 20.0
    listen_min: float = 150.0
    llr_fast: float = 1.6
    llr_slow: float = 2.5
    spike_power: float = 0.75
    contact_power: float = 0.5
    crack_power: float = 0.2
    independent: float = 0.35
    ramp_llr: float = 3.5
    deep_frac: float = 0.2
    deep_llr: float = 15.0
    overload_frac: float = 1.4
    mean_frac: float = 1.08
    rod_sd: float = 0.5
    rod_llr: float = 3.0
    rod_min: float = 7.0
    back_frac: float = 0.35
    back_min: float = 45.0


class Stories(NamedTuple):
    """State, changed in place, (n_cells, n_anodes_max) but for the last.

    Attributes
    ----------
    phase, kind
        See the constants of this module.
    pre, q_pre
        Level before [share], and sum of the rods over the line current.
    direction
        1 for more current, -1 for less.
    sudden
        1 where the story began with a step.
    minutes, back_min
        Since it began, since the current came back [min].
    now, peak
        Departure in its direction relative to the level before.
    lowest
        Lowest three-minute share since it began.
    llr
        Of the noise: spike against slip or overload; contact against crack. Of an anode without current: its rod
        against a true loss.
    returns
        How often the current came back and left again.
    q_slow : (n_cells,)
        Slow mean of the sum of the rods over the line current.
    """

    phase: IntArray
    kind: IntArray
    pre: FloatArray
    q_pre: FloatArray
    direction: FloatArray
    sudden: FloatArray
    minutes: FloatArray
    back_min: FloatArray
    now: FloatArray
    peak: FloatArray
    lowest: FloatArray
    llr: FloatArray
    returns: FloatArray
    q_slow: FloatArray


def new_stories(n_cells: int, width: int) -> Stories:
    """Nothing odd is known of any anode.

    Parameters
    ----------
    n_cells, width
        Cells, and anodes of the largest.
    """
    shape = (n_cells, width)
    values: dict[str, NDArray[np.generic]] = {name: np.zeros(shape) for name in Stories._fields}
    values["phase"] = np.zeros(shape, dtype=np.int64)
    values["kind"] = np.full(shape, NONE, dtype=np.int64)
    values["q_slow"] = np.full(n_cells, np.nan)
    return Stories(**values)  # pyright: ignore[reportArgumentType]


@kernel
def quieten(s: Stories, c: int, j: int) -> None:
    """End the story of an anode."""
    s.phase[c, j], s.kind[c, j] = QUIET, NONE


@kernel
def _begin(
    s: Stories, c: int, j: int, phase: int, pre: float, q_pre: float, direction: float, sudden: bool
) -> None:
    s.phase[c, j], s.kind[c, j] = phase, NONE
    s.pre[c, j], s.q_pre[c, j], s.direction[c, j] = pre, q_pre, direction
    s.sudden[c, j] = 1.0 if sudden else 0.0
    s.minutes[c, j] = s.back_min[c, j] = s.peak[c, j] = s.now[c, j] = 0.0
    s.llr[c, j] = s.returns[c, j] = 0.0
    s.lowest[c, j] = np.inf


@kernel
def _look(f: Features, s: Stories, c: int, j: int, young: bool, near: bool, lim: StoryLimits) -> None:
    """Whether a story begins."""
    y1, y3, y10, y30, base = f.y1[c, j], f.y3[c, j], f.y10[c, j], f.y30[c, j], f.base[c, j]
    extra = lim.near_frac if near else 0.0
    if not np.isnan(y30) and (not young or y30 > 0.15):
        least = lim.young_frac if young else lim.step_frac
        limit = max(least, lim.step_sd * f.step_spread[c, j])
        off = y3 / y30 - 1.0
        high = limit + (extra if off > 0.0 else 0.0)
        if young and off > 0.0:
            # The pick-up itself: some 0.06 of the mean an hour, twice that where it is quick.
            high += _PICKUP_1_H * _BETWEEN_H / y30
        if abs(off) >= high and off * (y1 / y30 - 1.0) > 0.0 and abs(y1 / y30 - 1.0) >= 0.7 * high:
            _begin(s, c, j, WATCHED, y30, f.q30[c], 1.0 if off > 0.0 else -1.0, True)
            return
    if young or np.isnan(base) or f.base_h[c, j] < 1.0 or f.filled[c, j] < 10:
        return
    limit = max(lim.drift_frac, lim.drift_sd * f.drift_spread[c, j])
    # An own level of a few hours is not one.
    limit = max(limit, 0.15) if f.base_h[c, j] < 12.0 else limit
    off = y10 / base - 1.0
    if off > 0.0 and y10 < lim.mean_frac:
        # It comes up to the mean: a late pick-up, or back from a loss that had become its own level.
        if off >= limit:
            f.base[c, j] = y10
        return
    if abs(off) >= limit + (extra if off > 0.0 else 0.0):
        _begin(s, c, j, WATCHED, base, s.q_slow[c], 1.0 if off > 0.0 else -1.0, False)
    elif y10 >= lim.overload_frac:
        _begin(s, c, j, TOLD, 1.0, s.q_slow[c], 1.0, False)
        s.kind[c, j] = OVERLOAD


@kernel
def _listen(f: Features, s: Stories, c: int, j: int, lim: StoryLimits) -> None:
    """Add what the noise of this minute says."""
    n, d2 = f.d2_count[c, j], f.d2[c, j]
    if n == 0.0 or s.now[c, j] < 0.04 or f.y1[c, j] <= 0.0:
        return
    ln_f = np.log(f.y1[c, j] / s.pre[c, j])
    if s.direction[c, j] > 0.0:
        first, second = -2.0 * lim.spike_power * ln_f, 0.0
    else:
        first, second = 2.0 * lim.contact_power * ln_f, -2.0 * lim.crack_power * ln_f
    # Squared differences of neighbouring scans are not independent.
    s.llr[c, j] += 0.5 * lim.independent * (n * (second - first) - d2 * (np.exp(-first) - np.exp(-second)))


@kernel
def _decide(s: Stories, c: int, j: int, lim: StoryLimits) -> int:
    """Kind of the story, NONE while it is not clear."""
    e, minutes, llr = s.now[c, j], s.minutes[c, j], s.llr[c, j]
    sudden = s.sudden[c, j] > 0.0
    if s.direction[c, j] > 0.0:
        if sudden:
            if e >= lim.sure_slip_frac:
                return SLIP if minutes >= 2.0 else NONE
            wait_min = lim.likely_min if e >= lim.likely_slip_frac else lim.slip_min
            if llr >= lim.llr_fast or llr <= -lim.llr_fast or minutes >= wait_min:
                return SPIKE if llr > 0.3 else SLIP
            return NONE
        # A short makes heat and no metal and is wanted soon; an overload can be listened to for longer.
        if llr >= lim.llr_slow or llr <= -1.4 * lim.llr_slow or minutes >= lim.listen_min:
            return SPIKE if llr > 0.0 else OVERLOAD
        return NONE
    total = llr + (0.0 if sudden else lim.ramp_llr) + lim.ramp_llr * min(s.returns[c, j], 2.0)
    total -= lim.deep_llr * (s.peak[c, j] - lim.deep_frac)
    clear = minutes >= 20.0 and abs(total) >= 1.2 * lim.llr_slow
    if clear or minutes >= lim.listen_min:
        return CONTACT if total > 0.0 else CRACKED
    return NONE


@kernel
def instrument_share(f: Features, s: Stories, c: int, j: int, n: int) -> float:
    """How much of a departure the sum of the rods shows against the line current: 0 a true one, 1 an instrument's."""
    moved = f.y3[c, j] - s.pre[c, j]
    if np.isnan(f.q3[c]) or np.isnan(s.q_pre[c, j]) or abs(moved) < 0.07:
        return 0.0
    return (f.q3[c] / s.q_pre[c, j] - 1.0) * n / moved


@kernel
def _go_on(f: Features, s: Stories, c: int, j: int, n: int, young: bool, lim: StoryLimits) -> None:
    """Continue a story that is watched, told, or an instrument's."""
    dt_min = f.tick_s[c] / 60.0
    s.minutes[c, j] += dt_min
    e = (f.y3[c, j] / s.pre[c, j] - 1.0) * s.direction[c, j]
    s.now[c, j] = e
    s.peak[c, j] = max(s.peak[c, j], e)
    s.lowest[c, j] = min(s.lowest[c, j], f.y3[c, j])
    away = e > max(0.04, lim.back_frac * s.peak[c, j])
    phase = s.phase[c, j]
    if away:
        if s.back_min[c, j] >= 5.0:
            s.returns[c, j] += 1.0
        s.back_min[c, j] = 0.0
    else:
        s.back_min[c, j] += dt_min
    back_min = s.back_min[c, j]
    if phase == WATCHED:
        stayed_min = s.minutes[c, j] - back_min
        if back_min >= 5.0 and stayed_min < 10.0:
            quieten(s, c, j)
            return
        share = instrument_share(f, s, c, j, n)
        if s.minutes[c, j] >= 4.0 and away and 0.5 < share < 1.6:
            s.phase[c, j], s.llr[c, j] = INSTRUMENT, _ROD_LLR_MOST
            return
        if away:
            _listen(f, s, c, j, lim)
        # Gone and back is no height and no crack: a short or a contact.
        kind = _decide(s, c, j, lim)
        if back_min >= 5.0:
            kind = SPIKE if s.direction[c, j] > 0.0 else CONTACT
        if kind != NONE:
            s.phase[c, j], s.kind[c, j] = TOLD, kind
        return
    done = back_min >= lim.back_min or (young and s.minutes[c, j] > 240.0)
    if phase == INSTRUMENT and s.minutes[c, j] > 1440.0:
        done = True
    if done:
        quieten(s, c, j)
        if not young and not np.isnan(f.y30[c, j]):
            f.base[c, j] = f.y30[c, j]
            f.base_h[c, j] = min(f.base_h[c, j], 12.0)
    elif s.minutes[c, j] > 1440.0:
        # What stands for days becomes the anode's own level in the end.
        s.pre[c, j] += dt_min / 4320.0 * (f.y3[c, j] - s.pre[c, j])


@kernel
def _lost_together(f: Features, s: Stories, c: int, j: int, n: int, lim: StoryLimits) -> float:
    """Anodes that read nothing since the same minutes: one card of the meter moves the sum by all of them."""
    number = 1.0
    for i in range(n):
        gone = s.phase[c, i] == OPEN or s.phase[c, i] == INSTRUMENT
        gone = gone and f.y3[c, i] < lim.open_frac * s.pre[c, i]
        if i != j and gone and abs(s.minutes[c, i] - s.minutes[c, j]) < 3.0:
            number += 1.0
    return number


@kernel
def _open(f: Features, s: Stories, c: int, j: int, n: int, lim: StoryLimits) -> None:
    """Continue the story of an anode that lost its current; how it ends is decided elsewhere."""
    s.minutes[c, j] += f.tick_s[c] / 60.0
    s.now[c, j] = 1.0 - f.y3[c, j] / s.pre[c, j]
    s.lowest[c, j] = min(s.lowest[c, j], f.y3[c, j])
    if f.y3[c, j] > 0.6 * s.pre[c, j]:
        quieten(s, c, j)
        # What a rod read while it was dead is no past of the anode.
        f.filled[c, j] = 0
        return
    # Later the sum has moved for reasons of its own; a sum that fits neither is the line's meter.
    if 2.0 <= s.minutes[c, j] <= _ROD_MIN and not np.isnan(f.q3[c]) and not np.isnan(s.q_pre[c, j]):
        share = instrument_share(f, s, c, j, n) / _lost_together(f, s, c, j, n, lim)
        if abs(share - 0.5) < 1.5:
            odds = s.llr[c, j] + min(max((share - 0.5) / lim.rod_sd**2, -2.0), 2.0)
            s.llr[c, j] = min(max(odds, -_ROD_LLR_MOST), _ROD_LLR_MOST)


def without_current(f: Features, s: Stories, lim: StoryLimits) -> NDArray[np.bool_]:
    """Anodes that lost their current, or whose rod says so, (n_cells, n_anodes_max).

    Parameters
    ----------
    f, s
        Newest features and stories.
    lim
        See `StoryLimits`.
    """
    dead = (s.phase == INSTRUMENT) & (s.lowest < lim.open_frac * s.pre) & (s.minutes <= _ROD_MIN)
    return (s.phase == OPEN) | (dead & (f.y3 < lim.open_frac * s.pre))


@kernel
def story_step(
    f: Features,
    s: Stories,
    n_anodes: IntArray,
    young: NDArray[np.bool_],
    near: NDArray[np.bool_],
    lim: StoryLimits,
) -> None:
    """Go on with the stories of all anodes of cells where a minute closed.

    Parameters
    ----------
    f
        Features; the own level of an anode whose story ends is set anew.
    s
        Changed in place.
    n_anodes : (n_cells,)
        Anodes of each cell.
    young, near : (n_cells, n_anodes_max)
        Still picking up; beside one that was changed within a day.
    lim
        See `StoryLimits`.
    """
    for c in range(n_anodes.size):
        if f.tick_s[c] <= 0.0:
            continue
        if not np.isnan(f.q3[c]):
            gain = f.tick_s[c] / 43_200.0
            s.q_slow[c] = f.q3[c] if np.isnan(s.q_slow[c]) else s.q_slow[c] + gain * (f.q3[c] - s.q_slow[c])
        for j in range(n_anodes[c]):
            y1 = f.y1[c, j]
            if np.isnan(y1):
                continue
            phase = s.phase[c, j]
            lost = phase == OPEN or (phase == TOLD and s.kind[c, j] == BURNOFF)
            if phase == INSTRUMENT and s.lowest[c, j] < lim.open_frac * s.pre[c, j]:
                # A rod that reads something again, wrong as it is, is followed like any other wrong one.
                lost = f.y3[c, j] < lim.open_frac * s.pre[c, j] or s.minutes[c, j] <= _ROD_MIN
            if lost:
                _open(f, s, c, j, n_anodes[c], lim)
                continue
            before = s.pre[c, j] if phase != QUIET else f.y30[c, j]
            two = f.filled[c, j] >= 2 and f.ring[c, j, (f.head[c, j] - 2) % RING] < lim.open_frac * before
            if before > 0.3 and y1 < lim.open_frac * before and two:
                q_pre = s.q_pre[c, j] if phase != QUIET else f.q30[c]
                _begin(s, c, j, OPEN, before, q_pre, -1.0, True)
                _open(f, s, c, j, n_anodes[c], lim)
            elif phase == QUIET:
                _look(f, s, c, j, young[c, j], near[c, j], lim)
            else:
                _go_on(f, s, c, j, n_anodes[c], young[c, j], lim)
