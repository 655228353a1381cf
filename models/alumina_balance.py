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
#: Bounds of the spread of the ratio over six hours: what the bath holds back swings by that much at least.
_LEAST_sd, _MOST_sd = 0.025, 0.06
#: Blocks after which old ones are forgotten: ten days; what a block may differ and still teach as it is.
_MEMORY_blocks, _CLIP = 40.0, 0.06
#: Feed over use below which feed was not logged: no cell lives for hours on so little.
_NO_LOG = 0.3
#: Spread of the usual ratio that no learning takes away: alumina of another batch, another density.
_FLOOR_sd = 0.005


class AluminaBalance:
    """Follows feed over use of every cell.

    An hour counts when 3600 s with voltage and current have been seen; what was fed in a gap is not known, nor is it
    used. The bath holds alumina for some hours of use, so that the ratio over a window spreads as one over its length.

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
        self._feed_kg += np.where(seen, view.feed_kg, 0.0)
        self._use_kg += np.where(seen, steady.current_A * (ALUMINA_kg_C * view.scan_s), 0.0)
        self._seen_s += np.where(seen, view.scan_s, 0.0)
        self.since_s += view.scan_s
        ended = self._seen_s >= 3600.0
        if ended.any():
            self._push(np.flatnonzero(ended), odd)
        return ended

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
        fed = self._ratio(cells, slice(-WINDOWS_h[0], None)) > _NO_LOG
        doubt = 1.0 / np.sqrt(_PRIOR_sd**-2 + self._blocks[cells] / self._spread[cells] ** 2)
        doubt = np.hypot(doubt, _FLOOR_sd)
        for k, hours in enumerate(WINDOWS_h):
            ratio = self._ratio(cells, slice(_HOURS - hours, _HOURS))
            known = fed & (self.hours[cells] >= hours) & (ratio > _NO_LOG)
            self.excess[cells, k] = np.where(known, ratio / self.usual[cells] - 1.0, np.nan)
            self.sd[cells, k] = np.hypot(self._spread[cells] * _BLOCK_h / hours, doubt)

    def _ratio(self, cells: np.ndarray, block: slice) -> FloatArray:
        """Feed over use of some hours."""
        use_kg = self._ring[1, cells, block].sum(axis=1)
        return self._ring[0, cells, block].sum(axis=1) / np.where(use_kg > 0.0, use_kg, np.nan)

    def _learn(self, cells: np.ndarray, ratio: FloatArray) -> None:
        """Learn usual ratio and spread from blocks that have become old without alarm."""
        gain = 1.0 / np.minimum(self._blocks[cells] + 1.0, _MEMORY_blocks)
        off = ratio - self.usual[cells]
        # The first blocks may find a cell far from one; later a far block is trouble, not news.
        clipped = np.where(self._blocks[cells] < 2.0, off, np.clip(off, -_CLIP, _CLIP))
        self.usual[cells] += gain * clipped
        # 1.25: from mean absolute to standard deviation of a normal law.
        spread = self._spread[cells] + gain * (
            1.25 * np.abs(np.clip(off, -_CLIP, _CLIP)) - self._spread[cells]
        )
        self._spread[cells] = np.where(
            self._blocks[cells] < 4.0, self._spread[cells], np.clip(spread, _LEAST_sd, _MOST_sd)
        )
        self._blocks[cells] += 1.0
