"""Collector bars that warm together: metal or bath has found its way to them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, FloatArray, View
from models.cusum import cusum_step, mean_step
from twin.jit import kernel
from twin.signals import SCALAR_READINGS

_CURRENT = SCALAR_READINGS.index("line_current_A")


class BarLimits(NamedTuple):
    """When bars count as attacked.

    Attributes
    ----------
    drift, limit
        CUSUM reference value and limit in robust standard deviations and correlation times: by Siegmund's formula one
        false alarm of a bar in 1.2e6 h at k = 1.5, h = 4 with normal residuals, and two neighbours must agree.
    correlation_s
        Residuals closer than this count as one observation [s]: a bar and the carbon about it answer in an hour or two.
    min_scale_C, max_scale_C
        Bounds of the learned spread of a bar about its cell [degC]: thermocouples are good to 2-5 degC; bars of a sound
        cell lie within 15-25 degC of each other for good, so what varies is less.
    scale_memory_s
        Over which a bar's own place in its cell and its spread are learned [s]: a week.
    learn_s
        Observed time before a bar is judged [s]: a day, for a bar follows line current and air.
    hold_s
        A bar's last value counts this long [s]; readings come every 1-10 min.
    least_current_frac, restart_s
        Below this share of the usual line current, and for this long after, bars cool and warm at their own paces and
        nothing is judged or learned [-], [s].
    hot_C
        A pair this far above its own places counts as attacked at once [degC]: three times the published spread from
        bar to bar.
    """

    drift: float = 1.5
    limit: float = 4.0
    correlation_s: float = 7200.0
    min_scale_C: float = 3.0
    max_scale_C: float = 15.0
    scale_memory_s: float = 604_800.0
    learn_s: float = 86_400.0
    hold_s: float = 3600.0
    least_current_frac: float = 0.85
    restart_s: float = 21_600.0
    hot_C: float = 60.0


@kernel
def _cell_levels(
    temp_C: FloatArray, place_C: FloatArray, learned_s: FloatArray, learn_s: float, level_C: FloatArray
) -> None:
    # By the bars whose place is known, so that bars which drop out or come back do not move the level.
    for c in range(temp_C.shape[0]):
        known = ~np.isnan(temp_C[c])
        placed = known & (learned_s[c] >= learn_s)
        if placed.sum() >= 4:
            level_C[c] = np.median((temp_C[c] - place_C[c])[placed])
        else:
            level_C[c] = np.median(temp_C[c][known]) if known.sum() >= 4 else np.nan


@kernel
def _with_a_neighbour(rise: FloatArray, pair: FloatArray) -> None:
    # The lower of a bar and its warmer neighbour: one bar alone is a thermocouple.
    n = rise.shape[1]
    for c in range(rise.shape[0]):
        for b in range(n):
            before = rise[c, b - 1] if b > 0 else np.nan
            after = rise[c, b + 1] if b + 1 < n else np.nan
            beside = after if np.isnan(before) or after > before else before
            pair[c, b] = min(rise[c, b], beside) if not np.isnan(beside) else np.nan


class CollectorBars:
    """Scores every cell by the pair of neighbouring bars that has warmed most against the other bars of the cell.

    What all bars share (line current, air, a warmer cathode) is taken away with the median of their distances from
    their own places, which are learned, so that only bars that were there before and are there now are compared. A bar
    alone above its neighbours is a bad thermocouple and raises nothing. Cells with fewer than four bars measured are
    not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `BarLimits`.

    Notes
    -----
    Physics reference 7.2: collector bar temperature rises before a tap-out, with iron and silicon; published spread
    from bar to bar 15-25 degC (cagtic.cn). Bars are taken to be numbered along the cell. Where metal under the whole
    cathode warms all bars alike, nothing is seen here. Not validated on plant data.
    """

    def __init__(self, layout: CellLayout, limits: BarLimits | None = None) -> None:
        self.limits = BarLimits() if limits is None else limits
        width = int(layout.n_bars.max(initial=0))
        shape = (len(layout.n_bars), width)
        self._exists = np.arange(width)[None, :] < layout.n_bars[:, None]
        self._temp_C = np.full(shape, np.nan)
        self._age_s = np.full(shape, np.inf)
        #: Mean distance from the cell's median, and the time that it rests on.
        self._place_C = np.zeros(shape)
        self._learned_s = np.zeros(shape)
        self._scale_C = np.full(shape, self.limits.min_scale_C)
        self._total = np.zeros(shape)
        self._rise_C = np.full(shape, np.nan)
        self._pair_C = np.full(shape, np.nan)
        n = len(layout.n_bars)
        self._usual_A, self._usual_s = np.zeros((n, 1)), np.zeros((n, 1))
        #: Time since the line ran with too little current, or since the start.
        self._steady_s = np.full(n, np.inf)

    def update(self, view: View) -> FloatArray:
        """Take in one scan and score every cell, (n_cells,); NaN where its bars cannot be judged."""
        lim, width = self.limits, self._temp_C.shape[1]
        temp_C = np.where(self._exists, view.bar_temp_C[:, :width], np.nan)
        came = np.isfinite(temp_C)
        # Nothing to do in most scans: bars are read every few minutes.
        since_s = np.where(np.isfinite(self._age_s), self._age_s, 0.0) + view.scan_s
        self._age_s = np.where(came, 0.0, self._age_s + view.scan_s)
        current_A = view.scalar[_CURRENT]
        weight_s = np.full(self._usual_A.shape, float(view.scan_s))
        mean_step(self._usual_A, self._usual_s, current_A[:, None], weight_s, lim.scale_memory_s)
        low = current_A < lim.least_current_frac * self._usual_A[:, 0]
        self._steady_s = np.where(low, 0.0, self._steady_s + view.scan_s)
        if came.any():
            self._take(temp_C, came, since_s)
        judged = (self._learned_s >= lim.learn_s) & (self._age_s <= lim.hold_s)
        score = np.maximum(self._total / lim.limit, self._pair_C / lim.hot_C)
        judged &= (self._steady_s >= lim.restart_s)[:, None]
        score = np.where(judged & np.isfinite(self._pair_C), np.maximum(score, 0.0), -np.inf)
        best = score.max(axis=1, initial=-np.inf)
        return np.where(np.isfinite(best), best, np.nan)

    def _take(self, temp_C: FloatArray, came: NDArray[np.bool_], since_s: FloatArray) -> None:
        """Take in new readings."""
        lim = self.limits
        self._temp_C = np.where(came, temp_C, self._temp_C)
        held_C = np.where(self._age_s <= lim.hold_s, self._temp_C, np.nan)
        held_C[self._steady_s < lim.restart_s] = np.nan
        level_C = np.empty(len(held_C))
        _cell_levels(held_C, self._place_C, self._learned_s, lim.learn_s, level_C)
        apart_C = held_C - level_C[:, None]
        self._rise_C = np.where(self._learned_s > 0.0, apart_C - self._place_C, 0.0 * apart_C)
        _with_a_neighbour(self._rise_C, self._pair_C)
        weight_s = np.where(came & np.isfinite(apart_C), np.minimum(since_s, lim.hold_s), np.nan)
        settled = self._learned_s >= lim.learn_s
        z = np.where(settled, self._pair_C / self._scale_C, np.nan)
        cusum_step(self._total, z, weight_s / lim.correlation_s, lim.drift, 2.0 * lim.limit)
        # Learned while nothing is wrong, and with large values cut, so that an attack does not become usual.
        quiet = self._total < 0.25 * lim.limit
        cut_C = np.clip(self._rise_C, -3.0 * self._scale_C, 3.0 * self._scale_C)
        learned_C = np.where(quiet, np.where(settled, self._place_C + cut_C, apart_C), np.nan)
        mean_step(self._place_C, self._learned_s, learned_C, weight_s, lim.scale_memory_s)
        gain = np.where(
            quiet & (self._learned_s > 0.0), weight_s / np.minimum(self._learned_s, lim.scale_memory_s), 0.0
        )
        step_C = np.nan_to_num(np.minimum(gain, 1.0) * (1.2533 * np.abs(cut_C) - self._scale_C))
        self._scale_C = np.clip(self._scale_C + step_C, lim.min_scale_C, lim.max_scale_C)

    def worst(self, cell: int) -> dict[str, float]:
        """Evidence of the pair of bars that has warmed most; empty where none is judged. Bars count from 1.

        Parameters
        ----------
        cell
            Index of the cell.
        """
        pair_C = self._pair_C[cell]
        if not np.isfinite(pair_C).any():
            return {}
        bar = int(np.nanargmax(pair_C))
        rise_C = np.nan_to_num(self._rise_C[cell])
        return {
            "bar_number": float(bar + 1),
            "bar_temp_C": float(self._temp_C[cell, bar]),
            "bar_rise_C": float(self._rise_C[cell, bar]),
            "pair_rise_C": float(pair_C[bar]),
            "bar_spread_C": float(self._scale_C[cell, bar]),
            "bars_risen": float((rise_C > 3.0 * self._scale_C[cell]).sum()),
        }
