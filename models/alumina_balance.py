"""Alumina that is logged against alumina that the current uses, hour by hour, and the usual ratio of the two."""

import numpy as np

from models.base import CellLayout, FloatArray, View
from models.steady_voltage import SteadyVoltage

#: Alumina that a coulomb uses at a current efficiency of 0.945 [kg/C]: 1.76123e-4 kg/s/kA (physics reference 6.2).
ALUMINA_kg_C = 1.76123e-7 * 0.945
#: Hours kept, and lengths of the windows judged [h].
_HOURS = 72
WINDOWS_h = (4, 6, 12, 24, 72)
#: Blocks of six hours from which the usual ratio is learned, after they have become this old [h].
_BLOCK_h, _AGE_h = 6, 12
#: Before anything is learned the ratio is one, give or take the error of a shot's mass.
_PRIOR_sd = 0.05
#: Blocks from which on the usual ratio is their median: one block of trouble must not be what is usual.
_FIRST_blocks = 3
#: Bounds of the spread of the ratio over six hours: what the bath holds back swings by that much at least.
_LEAST_sd, _MOST_sd = 0.025, 0.06
#: Blocks after which old ones are forgotten: ten days; what a block may differ and still teach as it is.
_MEMORY_blocks, _CLIP = 40.0, 0.06
#: Feed over use below which feed was not logged: no cell lives for hours on so little.
_NO_LOG = 0.3
#: Cycles of the controller stop feeding for 2500 s at most in the one public trace: a longer time without a shot is a
#: hole in the log [s]; older entries are no news after one [us].
_HOLE_s, _LATE_us = 2700.0, 300_000_000
#: Where entries usually come less often, a hole is this many of their usual intervals; the usual one follows them by
#: this share at each entry, and lies between these bounds [s].
_HOLE_intervals, _FOLLOW, _SHORTEST_s, _LONGEST_s = 3.0, 1.1, 60.0, 14_400.0
#: So long after a new level was learned a return to the former one is looked for [h].
_FORMER_h = 168
#: Hours of trouble without an end after which the cell is what it now is: sludge dissolves within three days.
_ACCEPT_h, _LEVEL_h = 72, 48
#: Spread of the usual ratio that no learning takes away: alumina of another batch, another density.
_FLOOR_sd = 0.005


class AluminaBalance:
    """Follows feed over use of every cell.

    An hour counts when 3600 s with voltage and current have been seen; what was fed in a gap is not known, nor is it
    used. A time without any shot that is longer than a controller waits is a hole in the log: it does not count, nor do
    the entries that come late after it. A level that stays odd for three days is learned as it then is (another mass of
    a shot, another alumina) and given up again when the ratio comes back to the former one. The bath holds alumina for
    some hours of use, so that the ratio over a window spreads as one over its length.

    Parameters
    ----------
    layout
        Instruments of the cells.

    Attributes
    ----------
    hours : (n_cells,)
        Whole hours seen.
    excess : (n_cells, 5)
        Feed over use against the cell's usual, less one, over each of ``WINDOWS_h``; NaN before.
    sd : (n_cells, 5)
        What that spreads by on a normal cell, the doubt about the usual included.
    usual : (n_cells,)
        Usual ratio of logged feed to use at a current efficiency of 0.945.
    since_s : (n_cells,)
        Time since the newest whole hour [s].

    Notes
    -----
    Physics reference 6.2. Errors of the shot mass (5 %) are in the usual ratio and vanish; a recalibrated feeder does
    not. Not validated on plant data.
    """

    def __init__(self, layout: CellLayout) -> None:
        n = len(layout.n_anodes)
        self._feed_kg = np.zeros(n)
        self._use_kg = np.zeros(n)
        self._seen_s = np.zeros(n)
        self._ring = np.zeros((2, n, _HOURS))
        self.hours = np.zeros(n, dtype=np.int64)
        self.excess = np.full((n, len(WINDOWS_h)), np.nan)
        self.sd = np.full((n, len(WINDOWS_h)), np.nan)
        self.usual = np.ones(n)
        self.since_s = np.full(n, np.inf)
        self._blocks = np.zeros(n)
        self._first = np.full((n, _FIRST_blocks), np.nan)
        #: Use and time since the last shot, time since it by the clock, and for how long older entries do not count.
        self._waiting_kg, self._waiting_s = np.zeros(n), np.zeros(n)
        self._silent_s = np.zeros(n)
        self._after_hole_s = np.zeros(n)
        #: Hours of trouble, and what was usual before a new level was learned.
        self._odd_h = np.zeros(n)
        self._former = np.full(n, np.nan)
        self._moved_h = np.zeros(n)
        #: Usual time between entries, about the median of those seen.
        self._interval_s = np.full(n, 300.0)
        self._spread = np.full(n, _LEAST_sd)

    def step(self, view: View, steady: SteadyVoltage, odd: np.ndarray) -> np.ndarray:
        """Take in one scan.

        Parameters
        ----------
        view
            Of this scan.
        steady
            Advanced to this scan.
        odd : (n_cells,) bool
            Cells of which nothing is learned now.

        Returns
        -------
        (n_cells,) bool
            Cells whose hour ended in this scan.
        """
        seen = np.isfinite(steady.rated_V) & np.isfinite(steady.current_A)
        self._waiting_kg += np.where(seen, steady.current_A * (ALUMINA_kg_C * view.scan_s), 0.0)
        self._waiting_s += np.where(seen, view.scan_s, 0.0)
        self._silent_s += view.scan_s
        feed_kg = self._in_time(view)
        shot = feed_kg > 0.0
        whole = shot & (self._waiting_s <= self._hole_s())
        self._feed_kg += np.where(whole & seen, feed_kg, 0.0)
        self._use_kg += np.where(whole, self._waiting_kg, 0.0)
        self._seen_s += np.where(whole, self._waiting_s, 0.0)
        for waiting in (self._waiting_kg, self._waiting_s):
            waiting[shot] = 0.0
        came = view.feed_kg > 0.0
        step = np.where(self._silent_s > self._interval_s, _FOLLOW, 1.0 / _FOLLOW)
        usual_s = np.clip(self._interval_s * step, _SHORTEST_s, _LONGEST_s)
        self._interval_s = np.where(came, usual_s, self._interval_s)
        self._silent_s[came] = 0.0
        self.since_s += view.scan_s
        ended = self._seen_s >= 3600.0
        if ended.any():
            self._push(np.flatnonzero(ended), odd)
        return ended

    def _hole_s(self) -> FloatArray:
        """Time without an entry from which on the log has a hole [s]."""
        return np.maximum(_HOLE_s, _HOLE_intervals * self._interval_s)

    def _in_time(self, view: View) -> FloatArray:
        """What was fed in a scan, without entries that come late after a hole in the log [kg]."""
        hole = (view.feed_kg > 0.0) & (self._silent_s > self._hole_s())
        self._after_hole_s = np.where(hole, _HOLE_s, np.maximum(self._after_hole_s - view.scan_s, 0.0))
        feed_kg = view.feed_kg
        if (self._after_hole_s > 0.0).any():
            feed_kg = feed_kg.copy()
            for done in view.done:
                late = done.time_us < view.time_us - round(view.scan_s * 1e6) - _LATE_us
                mass_kg = done.attributes.get("mass_kg") if done.event == "alumina_feed" and late else None
                if isinstance(mass_kg, int | float) and self._after_hole_s[done.cell] > 0.0:
                    feed_kg[done.cell] = max(feed_kg[done.cell] - mass_kg, 0.0)
        return np.where(feed_kg > 1e-6, feed_kg, 0.0)

    def _push(self, cells: np.ndarray, odd: np.ndarray) -> None:
        """Note a whole hour of some cells."""
        ring = self._ring
        ring[:, cells, :-1] = ring[:, cells, 1:]
        ring[0, cells, -1], ring[1, cells, -1] = self._feed_kg[cells], self._use_kg[cells]
        for total in (self._feed_kg, self._use_kg, self._seen_s, self.since_s):
            total[cells] = 0.0
        self.hours[cells] += 1
        learns = cells[
            (self.hours[cells] % _BLOCK_h == 0) & (self.hours[cells] >= _BLOCK_h + _AGE_h) & ~odd[cells]
        ]
        if learns.size:
            block = slice(_HOURS - _AGE_h - _BLOCK_h, _HOURS - _AGE_h)
            ratio = self._ratio(learns, block)
            logged = ratio > _NO_LOG
            self._learn(learns[logged], ratio[logged])
        self._odd_h[cells] = np.where(
            odd[cells], self._odd_h[cells] + 1.0, np.maximum(self._odd_h[cells] - 2.0, 0.0)
        )
        self._move_level(cells)
        fed = self._ratio(cells, slice(-WINDOWS_h[0], None)) > _NO_LOG
        spread = np.where(self._blocks[cells] < _FIRST_blocks, _MOST_sd, self._spread[cells])
        doubt = 1.0 / np.sqrt(_PRIOR_sd**-2 + self._blocks[cells] / spread**2)
        doubt = np.hypot(doubt, _FLOOR_sd)
        for k, hours in enumerate(WINDOWS_h):
            ratio = self._ratio(cells, slice(_HOURS - hours, _HOURS))
            known = fed & (self.hours[cells] >= hours) & (ratio > _NO_LOG)
            self.excess[cells, k] = np.where(known, ratio / self.usual[cells] - 1.0, np.nan)
            self.sd[cells, k] = np.hypot(self._spread[cells] * _BLOCK_h / hours, doubt)

    def _move_level(self, cells: np.ndarray) -> None:
        """Learn a level that has been odd for days; go back to the former one where the ratio has."""
        anew = cells[self._odd_h[cells] >= _ACCEPT_h]
        level = self._ratio(anew, slice(-_LEVEL_h, None))
        anew, level = anew[level > _NO_LOG], level[level > _NO_LOG]
        self._moved_h[cells] += 1.0
        self._former[cells[self._moved_h[cells] > _FORMER_h]] = np.nan
        self._former[anew], self._moved_h[anew] = self.usual[anew], 0.0
        self.usual[anew], self._blocks[anew], self._odd_h[anew] = level, _LEVEL_h / _BLOCK_h, 0.0
        ratio = self._ratio(cells, slice(-WINDOWS_h[3], None))
        apart = np.abs(self.usual[cells] - self._former[cells])
        back = cells[np.abs(ratio - self._former[cells]) < 0.25 * apart]
        # What was fed at the level that is left counts as usual, or it would be odd for three days more.
        self._ring[0, back, : -WINDOWS_h[3]] *= (self._former[back] / self.usual[back])[:, None]
        self.usual[back], self._odd_h[back], self._former[back] = self._former[back], 0.0, np.nan

    def _ratio(self, cells: np.ndarray, block: slice) -> FloatArray:
        """Feed over use of some hours."""
        use_kg = self._ring[1, cells, block].sum(axis=1)
        return self._ring[0, cells, block].sum(axis=1) / np.where(use_kg > 0.0, use_kg, np.nan)

    def _learn(self, cells: np.ndarray, ratio: FloatArray) -> None:
        """Learn usual ratio and spread from blocks that have become old without alarm."""
        early = self._blocks[cells] < _FIRST_blocks
        young = cells[early]
        self._first[young, self._blocks[young].astype(np.int64)] = ratio[early]
        gain = 1.0 / np.minimum(self._blocks[cells] + 1.0, _MEMORY_blocks)
        off = ratio - self.usual[cells]
        # A far block is trouble, not news.
        self.usual[cells] += gain * np.clip(off, -_CLIP, _CLIP)
        if young.size:
            # One stands beside the first two blocks.
            known = np.where(np.isfinite(self._first[young]), self._first[young], 1.0)
            self.usual[young] = np.median(known, axis=1)
        # 1.25: from mean absolute to standard deviation of a normal law.
        spread = self._spread[cells] + gain * (
            1.25 * np.abs(np.clip(off, -_CLIP, _CLIP)) - self._spread[cells]
        )
        self._spread[cells] = np.where(
            self._blocks[cells] < 4.0, self._spread[cells], np.clip(spread, _LEAST_sd, _MOST_sd)
        )
        self._blocks[cells] += 1.0
