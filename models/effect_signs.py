"""Signs that alumina runs short: rising resistance, lean feeding, anodes that lose current together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.alumina_balance import ALUMINA_kg_C
from models.base import CellLayout, FloatArray, IntArray, View
from models.steady_voltage import SteadyVoltage
from twin.jit import kernel

BoolArray = NDArray[np.bool_]

#: Memories of the means of the voltage [s]: their differences are slope and curvature.
_VOLT_s = (60.0, 180.0, 600.0)
#: Memories of the anode shares [s]: now, and before the sag began.
_SHARE_s = (60.0, 900.0)
#: Memories of feed over consumption [s].
_FEED_s = (300.0, 1800.0, 172_800.0)
_FED_NOW, _FED_30MIN, _FED_USUAL = range(3)
#: Feed must have been seen for this long before it is compared with the usual [s]: an hour is one feed cycle.
_FED_KNOWN_s = 3600.0
#: Feed of the last minutes over the usual at which over-feeding begins and ends [-]; modes lie at 0.5-0.8 and 1.2-1.7.
_OVER, _NOT_OVER = 1.15, 0.95
#: After a step of the beam or of a pulled anode the voltage is left alone for this long, and its last part shows what
#: the step was [s].
_STEP_s, _PULLED_s, _AFTER_s = 40.0, 120.0, 30.0
#: An anode whose share falls below the first while its mean of 15 min is above the second is being changed [-].
_GONE_frac, _THERE_frac = 0.15, 0.5
#: Over-feeding is counted up to this [s].
_LONG_s = 3600.0
#: Minutes kept of the voltage, and minutes in each of the blocks that must all have risen.
_MINUTES, _BLOCK_min = 12, 3
#: Anodes younger than this still take up current [h]: their share says nothing of alumina.
_YOUNG_h = 30.0
#: One anode's change counts no more than this [-]: a slip or a clamp is one anode, a starved place is several.
_WINSOR_frac = 0.05

#: Names of the signs, in the order of ``EffectSigns.value``.
SIGNS = (
    "rise_1_3_mV",
    "rise_3_10_mV",
    "lean_30min",
    "sag_pct",
    "ramp_mV",
    "climb_mV",
    "fed_min",
)
RISE_1_3, RISE_3_10, LEAN, SAG, RAMP, CLIMB, FED = range(7)
N_SIGNS = len(SIGNS)


class _Means(NamedTuple):
    """Running means and the time each rests on."""

    volt: FloatArray  # (n_cells, 3)
    volt_s: FloatArray
    feed: FloatArray  # (n_cells, 3)
    feed_s: FloatArray
    share: FloatArray  # (n_cells, n_anodes, 2)
    share_s: FloatArray  # (n_cells, n_anodes)


@kernel
def _follow(x: FloatArray, tau_s: FloatArray, scan_s: float, mean: FloatArray, seen_s: FloatArray) -> None:
    for c in range(x.shape[0]):
        if np.isnan(x[c]):
            continue
        for k in range(tau_s.shape[0]):
            seen_s[c, k] += scan_s
            gain = scan_s / min(seen_s[c, k], max(tau_s[k], scan_s))
            mean[c, k] += gain * (x[c] - mean[c, k])


@kernel
def _starved(drop: FloatArray, count: FloatArray, common: float) -> tuple[float, int]:
    """Most that neighbours in both rows (what one feeder feeds) have lost more than all did, and where."""
    most, where, n = 0.0, -1, drop.shape[0]
    for at in range(n):
        lost, group = 0.0, 0.0
        for j in range(max(at - 1, 0), min(at + 2, n)):
            lost += drop[j]
            group += count[j]
        if group >= 2.0 and lost / group - common > most:
            most, where = lost / group - common, at
    return most, where


@kernel
def _sag(
    current_A: FloatArray,
    age_h: FloatArray,
    column: IntArray,
    tau_s: FloatArray,
    scan_s: float,
    share: FloatArray,
    share_s: FloatArray,
    sag: FloatArray,
    where: IntArray,
    pulled: BoolArray,
    drop: FloatArray,
    count: FloatArray,
) -> None:
    n_anodes = current_A.shape[1]
    for c in range(current_A.shape[0]):
        total, known = 0.0, 0
        for i in range(n_anodes):
            if not np.isnan(current_A[c, i]):
                total += current_A[c, i]
                known += 1
        mean_A = total / known if known > 0 else np.nan
        sag[c] = np.nan
        pulled[c] = False
        if known < 4 or not mean_A > 1000.0:
            continue
        drop[:] = 0.0
        count[:] = 0.0
        common, settled = 0.0, 0
        for i in range(n_anodes):
            x = current_A[c, i] / mean_A
            if np.isnan(x):
                continue
            if x < _GONE_frac and share[c, i, 1] > _THERE_frac and share_s[c, i] > tau_s[0]:
                pulled[c] = True
            share_s[c, i] += scan_s
            for k in range(2):
                gain = scan_s / min(share_s[c, i], max(tau_s[k], scan_s))
                share[c, i, k] += gain * (x - share[c, i, k])
            if age_h[c, i] < _YOUNG_h or share_s[c, i] < tau_s[1]:
                continue
            lost = min(max(share[c, i, 1] - share[c, i, 0], -_WINSOR_frac), _WINSOR_frac)
            common += lost
            settled += 1
            at = column[c, i]
            if at >= 0:
                drop[at] += lost
                count[at] += 1.0
        if settled < 4:
            continue
        sag[c], where[c] = _starved(drop, count, common / settled)


def columns(layout: CellLayout) -> IntArray:
    """Place of each anode in its row counted from the duct end, (n_cells, n_anodes_max); -1 beyond the anodes.

    Where the plant does not say the rows, anodes are taken to stand in the order of their numbers.
    """
    found = np.full(layout.anode_side.shape, -1, dtype=np.int64)
    for cell in range(len(found)):
        sides = layout.anode_side[cell, : layout.n_anodes[cell]]
        for row in np.unique(sides):
            mine = np.flatnonzero(sides == row)
            found[cell, mine] = np.arange(len(mine))
    return found


class EffectSigns:
    """Follows the signs of all cells.

    Parameters
    ----------
    layout
        Instruments of the cells.

    Attributes
    ----------
    value : (n_cells, N_SIGNS)
        Signs in the order and units of ``SIGNS``; NaN where one cannot be said.
    where, n_columns : (n_cells,) int64
        Place along the cell where the anodes sag most, from the duct end, and how many places there are.

    Notes
    -----
    Physics reference 6.1 to 6.3: slope of the pseudo-resistance over minutes, and anodes of a starved place that lose
    current 1 to 10 min before the voltage moves (Rye 1998, Cheung 2013).
    """

    def __init__(self, layout: CellLayout) -> None:
        n = len(layout.n_anodes)
        width = int(layout.n_anodes.max(initial=0))
        self._column = columns(layout)[:, :width]
        self.n_columns: IntArray = np.array(
            [int(row.max(initial=-1)) + 1 for row in self._column], dtype=np.int64
        )
        self._n_columns = int(self.n_columns.max(initial=0))
        self._means = _Means(
            np.zeros((n, len(_VOLT_s))),
            np.zeros((n, len(_VOLT_s))),
            np.zeros((n, len(_FEED_s))),
            np.zeros((n, len(_FEED_s))),
            np.zeros((n, width, len(_SHARE_s))),
            np.zeros((n, width)),
        )
        self._unheard_s = np.full(n, np.inf)
        #: Time for which the voltage is still left alone, and its sum after a step.
        self._hold_s = np.zeros(n)
        self._after_Vs = np.zeros(n)
        self._after_s = np.zeros(n)
        #: Means of the last minutes, newest last, and the sum of the one that runs.
        self._minute_V = np.full((n, _MINUTES), np.nan)
        self._sum_Vs = np.zeros(n)
        self._sum_s = np.zeros(n)
        #: For how long the cell has been over-fed.
        self._fed_s = np.zeros(n)
        self.value = np.full((n, N_SIGNS), np.nan)
        self.where = np.full(n, -1, dtype=np.int64)

    def step(self, view: View, steady: SteadyVoltage, effect: BoolArray) -> None:
        """Take in one scan.

        Parameters
        ----------
        view
            Of this scan.
        steady
            Advanced to this scan.
        effect : (n_cells,) bool
            An anode effect runs: everything is forgotten.
        """
        means, scan_s = self._means, view.scan_s
        usable = np.isfinite(steady.rated_V) & ~effect
        self._unheard_s = np.where(usable, 0.0, self._unheard_s + scan_s)
        # After a long silence or an effect the old level means nothing.
        forget = effect | (self._unheard_s > _VOLT_s[2])
        means.volt_s[forget] = 0.0
        means.volt[forget] = 0.0
        means.share_s[forget] = 0.0
        means.share[forget] = 0.0
        use_kg = steady.current_A * ALUMINA_kg_C * scan_s
        ratio = np.full(len(use_kg), np.nan)
        np.divide(view.feed_kg, use_kg, out=ratio, where=np.isfinite(use_kg) & (use_kg > 0.0))
        _follow(np.where(usable, ratio, np.nan), np.array(_FEED_s), scan_s, means.feed, means.feed_s)
        sag, pulled = np.empty(len(usable)), np.zeros(len(usable), dtype=np.bool_)
        current_A = np.where(usable[:, None], view.anode_current_A[:, : self._column.shape[1]], np.nan)
        _sag(
            np.ascontiguousarray(current_A),
            np.ascontiguousarray(view.anode_age_h[:, : self._column.shape[1]]),
            self._column,
            np.array(_SHARE_s),
            scan_s,
            means.share,
            means.share_s,
            sag,
            self.where,
            pulled,
            np.empty(self._n_columns),
            np.empty(self._n_columns),
        )
        still_V = self._step_aside(np.where(usable, steady.rated_V, np.nan), steady.moved, pulled, scan_s)
        _follow(still_V, np.array(_VOLT_s), scan_s, means.volt, means.volt_s)
        # A line that logs no feed has a usual of nothing: its feeding says nothing.
        told = (means.feed_s[:, _FED_USUAL] >= _FED_KNOWN_s) & (means.feed[:, _FED_USUAL] > 0.3)
        usual = np.where(told, means.feed[:, _FED_USUAL], np.nan)
        self._follow_over(means.feed[:, _FED_NOW] / usual, scan_s)
        self._minute_V[forget] = np.nan
        self._sum_Vs[forget], self._sum_s[forget] = 0.0, 0.0
        self._follow_minutes(still_V, scan_s)
        value = self.value
        for k in (RISE_1_3, RISE_3_10):
            enough = means.volt_s[:, k + 1] >= 0.5 * _VOLT_s[k + 1]
            value[:, k] = np.where(enough, 1e3 * (means.volt[:, k] - means.volt[:, k + 1]), np.nan)
        value[:, LEAN] = 1.0 - means.feed[:, _FED_30MIN] / usual
        value[:, SAG] = 100.0 * sag
        blocks = self._minute_V.reshape(len(usable), -1, _BLOCK_min).mean(axis=2)
        value[:, RAMP] = 1e3 * np.diff(blocks, axis=1).min(axis=1)
        value[:, CLIMB] = 1e3 * (blocks[:, -1] - blocks[:, 0])
        value[:, FED] = np.where(told, self._fed_s / 60.0, np.nan)
        value[~usable] = np.nan

    def _step_aside(
        self, rated_V: FloatArray, moved: BoolArray, pulled: BoolArray, scan_s: float
    ) -> FloatArray:
        """Take steps by beam and anode changes out of all memories; gives the voltage where none is under way."""
        self._hold_s = np.where(
            pulled, _PULLED_s, np.where(moved, np.fmax(self._hold_s, _STEP_s), self._hold_s)
        )
        begun = pulled | moved
        self._after_s[begun] = 0.0
        self._after_Vs[begun] = 0.0
        held = self._hold_s > 0.0
        late = held & (self._hold_s <= _AFTER_s) & np.isfinite(rated_V)
        self._after_Vs += np.where(late, rated_V * scan_s, 0.0)
        self._after_s += np.where(late, scan_s, 0.0)
        self._hold_s = np.maximum(self._hold_s - scan_s, 0.0)
        over = held & (self._hold_s == 0.0) & (self._after_s > 0.0) & (self._means.volt_s[:, 0] > 0.0)
        if over.any():
            step_V = self._after_Vs[over] / self._after_s[over] - self._means.volt[over, 0]
            self._means.volt[over] += step_V[:, None]
            self._minute_V[over] += step_V[:, None]
            self._sum_Vs[over] += step_V * self._sum_s[over]
        return np.where(held, np.nan, rated_V)

    def _follow_minutes(self, still_V: FloatArray, scan_s: float) -> None:
        """Keep the means of the last minutes."""
        seen = np.isfinite(still_V)
        self._sum_Vs += np.where(seen, still_V * scan_s, 0.0)
        self._sum_s += np.where(seen, scan_s, 0.0)
        full = self._sum_s >= 60.0
        if not full.any():
            return
        self._minute_V[full, :-1] = self._minute_V[full, 1:]
        self._minute_V[full, -1] = self._sum_Vs[full] / self._sum_s[full]
        self._sum_Vs[full] = 0.0
        self._sum_s[full] = 0.0

    def _follow_over(self, fed: FloatArray, scan_s: float) -> None:
        """Note for how long the cell is over-fed: a voltage that goes on rising then gets no alumina."""
        over = self._fed_s > 0.0
        # After an hour it must be plain, or a controller of steady shots would over-feed for ever.
        ends = np.where(self._fed_s < _LONG_s, _NOT_OVER, _OVER)
        keeps = fed > np.where(over, ends, _OVER)
        self._fed_s = np.where(keeps, np.minimum(self._fed_s + scan_s, _LONG_s), 0.0)
