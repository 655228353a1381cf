"""Rods against the line current: what one sensor invents changes their sum, what an anode really does does not."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, FloatArray, View
from models.cusum import mean_step
from twin.signals import SCALAR_READINGS

_CURRENT = SCALAR_READINGS.index("line_current_A")
_SLOT_US = 300_000_000
_SLOT_S = 300.0


class RodLimits(NamedTuple):
    """When the sum of the rods has left its place.

    Attributes
    ----------
    spread_limit
        Distance from the usual sum in its own robust standard deviations.
    least_frac
        Least distance, as a share of one mean rod: rods are good to 1-3 %, and where the current of one goes over to
        another, at every change, the sum moves by the errors of both.
    fast_s, memory_s, rod_memory_s
        Memory of the sum now, of its usual place with its spread, and of each rod before it [s].
    learn_s
        Observed time before the sum is judged [s].
    settle_h
        A sum that stays elsewhere for this long is the place of new instruments [h].
    young_h
        An anode this young moves by itself and is named only where nothing else fits [h].
    sure
        Gain in squared deviations at which a rod is named, and by which it must lead the next.
    others_least
        With at least this many other cells of the line, the median movement of their sums is taken away: that is the
        meter of the line.
    hold_s
        A score stands this long without both currents [s].
    min_line_current_A
        Below this the line is off [A].
    """

    spread_limit: float = 5.0
    least_frac: float = 0.06
    fast_s: float = 900.0
    memory_s: float = 259_200.0
    rod_memory_s: float = 14_400.0
    learn_s: float = 43_200.0
    settle_h: float = 72.0
    young_h: float = 72.0
    sure: float = 6.0
    others_least: int = 4
    hold_s: float = 3600.0
    min_line_current_A: float = 10_000.0


class RodSum:
    """Scores every cell by how far the sum of its rods has moved from its usual place against the line current.

    A real change of one anode is taken up by the others and leaves the sum alone; a gain, an offset or an open rod
    changes it by its own error. The rod whose own change is the sum's is named. What at least five cells of a line
    share is the line's own meter and is taken away; that part alone depends on the other cells. Cells of which not
    every rod is measured are not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `RodLimits`.

    Notes
    -----
    Kirchhoff's law. Rods of unlike gain move the sum by a thousandth where the current moves among them: that is in the
    learned spread. Not validated on plant data.
    """

    def __init__(self, layout: CellLayout, limits: RodLimits | None = None) -> None:
        self.limits = RodLimits() if limits is None else limits
        n_cells, width = len(layout.n_anodes), int(layout.n_anodes.max(initial=0))
        self._n_anodes = layout.n_anodes.astype(np.int64)
        self._exists = np.arange(width)[None, :] < layout.n_anodes[:, None]
        self._sum = np.zeros((n_cells, width))
        self._count = np.zeros(n_cells)
        self._slot = -1
        #: Sum of the shares less one: now, usual, its spread; and how long the usual rests on.
        self._now, self._now_s = np.zeros((n_cells, 1)), np.zeros((n_cells, 1))
        self._usual, self._usual_s = np.zeros((n_cells, 1)), np.zeros((n_cells, 1))
        self._spread = np.zeros(n_cells)
        self._off_h = np.zeros(n_cells)
        self._line = layout.line_index.astype(np.int64)
        self._shared = np.zeros(n_cells)
        #: Share of every rod now, before, and how it usually moves.
        self._rod = np.zeros((n_cells, width))
        self._rod_before = np.zeros((n_cells, width))
        self._rod_spread = np.full((n_cells, width), np.nan)
        self._age_h = np.full((n_cells, width), np.nan)
        self._since_s = np.full(n_cells, np.inf)

    def update(self, view: View) -> FloatArray:
        """Take in one scan and score every cell, (n_cells,); NaN where its rods cannot be judged."""
        lim, width = self.limits, self._sum.shape[1]
        slot = (view.time_us - 1) // _SLOT_US
        if slot != self._slot and self._slot >= 0:
            self._close_slot()
        self._slot = slot
        current_A = view.scalar[_CURRENT]
        share = (
            view.anode_current_A[:, :width]
            / np.where(current_A >= lim.min_line_current_A, current_A, np.nan)[:, None]
        )
        whole = (np.isfinite(share) | ~self._exists).all(axis=1) & (self._n_anodes > 0)
        self._sum[whole] += np.where(self._exists, share, 0.0)[whole]
        self._count += whole
        self._age_h = view.anode_age_h[:, :width].copy()
        self._since_s = np.where(whole, 0.0, self._since_s + view.scan_s)
        judged = (self._usual_s[:, 0] >= lim.learn_s) & (self._since_s <= lim.hold_s)
        return np.where(judged, np.abs(self._off()) / self._limit(), np.nan)

    def _off(self) -> FloatArray:
        """Distance of the sum from its usual place, as a share of the line current."""
        return self._now[:, 0] - self._usual[:, 0] - self._shared

    def _limit(self) -> FloatArray:
        lim = self.limits
        return np.maximum(lim.least_frac / np.maximum(self._n_anodes, 1), lim.spread_limit * self._spread)

    def _close_slot(self) -> None:
        """Five minutes are complete."""
        lim = self.limits
        here = self._count > 0
        rod = np.where(here[:, None], self._sum / np.maximum(self._count, 1.0)[:, None], np.nan)
        self._sum[:], self._count[:] = 0.0, 0.0
        total = np.where(self._exists, rod, 0.0).sum(axis=1) - 1.0
        slot_s = np.full(self._now.shape, _SLOT_S)
        mean_step(self._now, self._now_s, total[:, None], slot_s, lim.fast_s)
        settled = self._usual_s[:, 0] >= lim.learn_s
        self._shared[:] = 0.0
        off = self._off()
        for line in np.unique(self._line):
            of = settled & here & (self._line == line)
            if np.count_nonzero(of) > lim.others_least:
                self._shared[self._line == line] = np.median(off[of])
        high = settled & here & (np.abs(self._off()) > 0.5 * self._limit())
        self._off_h = np.where(high, self._off_h + _SLOT_S / 3600.0, np.where(here, 0.0, self._off_h))
        # Instruments that were changed for good have a new place; it is learned as if from the beginning.
        moved = self._off_h >= lim.settle_h
        self._usual_s[moved], self._off_h[moved] = 0.0, 0.0
        quiet = here & (~high | moved)
        weight_s = np.where(quiet, _SLOT_S, np.nan)[:, None]
        off = total - self._usual[:, 0] - self._shared
        gain = np.where(
            quiet & (self._usual_s[:, 0] > 0.0),
            _SLOT_S / np.clip(self._usual_s[:, 0], _SLOT_S, lim.memory_s),
            0.0,
        )
        self._spread += gain * (1.2533 * np.abs(np.nan_to_num(off)) - self._spread)
        mean_step(self._usual, self._usual_s, total[:, None], weight_s, lim.memory_s)
        self._learn_rods(rod, here, quiet)

    def _learn_rods(self, rod: FloatArray, here: NDArray[np.bool_], quiet: NDArray[np.bool_]) -> None:
        """Follow every rod; what it was before a fault is kept while the sum is off."""
        lim = self.limits
        first = np.isnan(self._rod_spread) & np.isfinite(rod)
        self._rod = np.where(first, rod, self._rod)
        self._rod_before = np.where(first, rod, self._rod_before)
        self._rod_spread = np.where(first, 0.0, self._rod_spread)
        known = here[:, None] & np.isfinite(rod)
        self._rod = np.where(known, self._rod + _SLOT_S / lim.fast_s * (rod - self._rod), self._rod)
        learn = known & quiet[:, None]
        moved = np.abs(self._rod - self._rod_before)
        spread = self._rod_spread + _SLOT_S / lim.memory_s * (1.2533 * moved - self._rod_spread)
        before = self._rod_before + _SLOT_S / lim.rod_memory_s * (self._rod - self._rod_before)
        self._rod_spread = np.where(learn, spread, self._rod_spread)
        self._rod_before = np.where(learn, before, self._rod_before)

    def suspect(self, cell: int) -> tuple[int | None, dict[str, float]]:
        """Anode whose sensor explains the sum, counted from 1, or None; and the evidence.

        Parameters
        ----------
        cell
            Index of the cell.
        """
        lim, n = self.limits, int(self._n_anodes[cell])
        off = float(self._off()[cell])
        moved = (self._rod - self._rod_before)[cell, :n]
        # A rod moves by a hundredth of itself in hours, and a new one by far more.
        scale = np.maximum(np.nan_to_num(self._rod_spread[cell, :n]), 0.01 / max(n, 1))
        scale = np.where(self._age_h[cell, :n] < lim.young_h, 4.0 * scale, scale)
        gain = (moved**2 - (moved - off) ** 2) / scale**2
        order = np.argsort(-gain, kind="stable")
        evidence = {
            "sum_usual_frac": float(self._usual[cell, 0]),
            "sum_now_frac": float(self._now[cell, 0]),
            "sum_spread_frac": float(self._spread[cell]),
            "error_of_one_rod_frac": off * n,
        }
        if n < 2 or gain[order[0]] < lim.sure or gain[order[0]] - gain[order[1]] < lim.sure:
            return None, evidence
        named = int(order[0])
        evidence["rod_share_before_frac"] = float(self._rod_before[cell, named])
        evidence["rod_share_now_frac"] = float(self._rod[cell, named])
        return named + 1, evidence
