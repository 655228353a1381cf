"""What a learned model sees of each anode: sixteen figures every five minutes, alike when it learns and runs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, FloatArray, View
from twin.jit import kernel
from twin.signals import SCALAR_READINGS

Features = NDArray[np.float32]
_CURRENT = SCALAR_READINGS.index("line_current_A")

#: Names of the figures of `Window.features`, in order; all are scaled to be of the order of 1.
FEATURES: tuple[str, ...] = (
    "share_less_mean",
    "expected_less_mean",
    "share_less_expected_in_sd",
    "noise_log",
    "noise_over_cell_log",
    "share_less_own_day",
    "share_less_own_hour",
    "neighbours_less_own_day",
    "cell_common_movement",
    "voltage_residual",
    "superheat",
    "age_log",
    "age_known",
    "current_balance",
    "seen_share",
    "spread_log",
)


class WindowLimits(NamedTuple):
    """How readings become figures.

    Attributes
    ----------
    length_s
        One window [s]: long enough that a beam move is a step in it, short against the 10 min in which a slip is to
        be named.
    min_seen_s
        Readings of an anode over so much of a window make it count [s].
    hour_s, day_s
        Memories of an anode's own two running means [s].
    min_sd_frac
        Least spread of a share that a deviation is measured in: anodes of one age scatter by 3 % (detection
        reference, section 4.2).
    min_mean_current_A
        Mean anode current below which shares mean nothing [A]: the line is off.
    """

    length_s: float = 300.0
    min_seen_s: float = 75.0
    hour_s: float = 3600.0
    day_s: float = 86_400.0
    min_sd_frac: float = 0.03
    min_mean_current_A: float = 1000.0


class Window(NamedTuple):
    """One closed window.

    Attributes
    ----------
    time_us
        Its end, UTC microseconds.
    features : (n_cells, n_anodes_max, len(FEATURES)) float32
        0 where a figure is not known.
    seen : (n_cells, n_anodes_max) bool
        Enough was measured for the figures to count.
    """

    time_us: int
    features: Features
    seen: NDArray[np.bool_]


@kernel
def _gather(
    frac: FloatArray, alive: NDArray[np.bool_], scan_s: float, last: FloatArray, sums: FloatArray
) -> None:
    # Rows of sums: seconds, share, its square, steps between scans, their number.
    for i in range(frac.shape[0]):
        if not alive[i]:
            continue
        for j in range(frac.shape[1]):
            x = frac[i, j]
            if np.isnan(x):
                continue
            sums[0, i, j] += scan_s
            sums[1, i, j] += x * scan_s
            sums[2, i, j] += x * x * scan_s
            if not np.isnan(last[i, j]):
                sums[3, i, j] += abs(x - last[i, j])
                sums[4, i, j] += 1.0
            last[i, j] = x


class AnodeWindows:
    """Gathers views into windows; causal, and every cell by itself.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `WindowLimits`.
    """

    def __init__(self, layout: CellLayout, limits: WindowLimits | None = None) -> None:
        self.limits = WindowLimits() if limits is None else limits
        n_cells, self._width = layout.anode_side.shape
        shape = (n_cells, self._width)
        self._exists = np.arange(self._width)[None, :] < layout.n_anodes[:, None]
        #: Which anodes stand beside an anode in its row, before and after it.
        self._same_row = (layout.anode_side[:, 1:] == layout.anode_side[:, :-1]) & self._exists[:, 1:]
        self._last = np.full(shape, np.nan)
        self._sums = np.zeros((5, *shape))
        self._cell_sums = np.zeros((4, n_cells))
        self._hour = np.full(shape, np.nan)
        self._day = np.full(shape, np.nan)
        self._age_h = np.full(shape, np.nan)
        self._superheat_C = np.full(n_cells, np.nan)
        self._end_us = 0

    def update(self, view: View) -> Window | None:
        """Take in one scan; gives a window when one ends with it."""
        lim, width = self.limits, self._width
        length_us = round(lim.length_s * 1e6)
        current_A = view.anode_current_A[:, :width]
        measured = np.isfinite(current_A)
        count = measured.sum(axis=1)
        total_A = np.where(measured, current_A, 0.0).sum(axis=1)
        alive = total_A >= lim.min_mean_current_A * np.maximum(count, 1)
        frac = np.ascontiguousarray(view.estimate.anode_frac[:, :width])
        _gather(frac, alive, float(view.scan_s), self._last, self._sums)
        self._of_cells(view, alive & (count == self._exists.sum(axis=1)), total_A)
        if not self._end_us:
            self._end_us = (view.time_us // length_us + 1) * length_us
        if view.time_us < self._end_us:
            return None
        window = self._close(view)
        self._end_us = (view.time_us // length_us + 1) * length_us
        return window

    def _of_cells(self, view: View, whole: NDArray[np.bool_], total_A: FloatArray) -> None:
        """Sums of what the anodes of a cell share: voltage residual, and all currents over the line's."""
        residual_V = view.estimate.voltage_residual_V
        known = np.isfinite(residual_V)
        self._cell_sums[0] += np.where(known, residual_V, 0.0)
        self._cell_sums[1] += known
        line_A = view.scalar[_CURRENT]
        both = whole & (line_A > 0.0)
        self._cell_sums[2] += np.where(both, total_A / np.where(both, line_A, 1.0) - 1.0, 0.0)
        self._cell_sums[3] += both
        superheat_C = view.estimate.superheat_C
        self._superheat_C = np.where(np.isfinite(superheat_C), superheat_C, self._superheat_C)

    def _close(self, view: View) -> Window:
        """Figures of the window that ends, and what the next one starts from."""
        lim, width = self.limits, self._width
        seconds, share, squares, steps, n_steps = self._sums
        seen = self._exists & (seconds >= lim.min_seen_s)
        per_s = 1.0 / np.where(seen, seconds, 1.0)
        mean = np.where(seen, share * per_s, np.nan)
        spread = np.sqrt(np.maximum(squares * per_s - np.where(seen, mean, 0.0) ** 2, 0.0))
        noise = np.where(seen & (n_steps > 0), steps / np.maximum(n_steps, 1.0), np.nan)
        age_h = view.anode_age_h[:, :width]
        renewed = age_h < self._age_h - 0.05
        self._age_h = age_h.copy()
        self._hour = np.where(renewed, np.nan, self._hour)
        self._day = np.where(renewed, np.nan, self._day)
        from_day = np.where(np.isfinite(self._day), mean - self._day, 0.0)
        from_hour = np.where(np.isfinite(self._hour), mean - self._hour, 0.0)
        expected = view.estimate.anode_expected_frac[:, :width]
        sd = np.maximum(view.estimate.anode_expected_sd_frac[:, :width], lim.min_sd_frac)
        quiet = np.log(np.maximum(noise, 1e-4))
        known_age = np.isfinite(age_h)
        residual_V = self._cell_sums[0] / np.maximum(self._cell_sums[1], 1.0)
        balance = self._cell_sums[2] / np.maximum(self._cell_sums[3], 1.0)
        moved = np.where(seen, np.abs(from_day), 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        figures = (
            mean - 1.0,
            expected - 1.0,
            (mean - expected) / sd / 4.0,
            (quiet + 4.6) / 2.0,
            quiet - _row_median(quiet),
            4.0 * from_day,
            4.0 * from_hour,
            4.0 * self._beside(np.where(seen, from_day, 0.0)),
            np.broadcast_to(20.0 * moved[:, None], mean.shape),
            np.broadcast_to(10.0 * residual_V[:, None], mean.shape),
            np.broadcast_to((self._superheat_C[:, None] - 10.0) / 10.0, mean.shape),
            np.where(known_age, np.log1p(np.where(known_age, np.maximum(age_h, 0.0), 0.0) / 24.0) / 3.0, 0.0),
            known_age.astype(np.float64),
            np.broadcast_to(5.0 * balance[:, None], mean.shape),
            np.minimum(seconds / lim.length_s, 1.0),
            (np.log(np.maximum(spread, 1e-4)) + 3.5) / 2.0,
        )
        features = np.stack(figures, axis=-1)
        features = np.where(np.isfinite(features), np.clip(features, -3.0, 3.0), 0.0)
        features[~seen] = 0.0
        self._learn(mean, seen)
        self._sums[:] = 0.0
        self._cell_sums[:] = 0.0
        return Window(view.time_us, features.astype(np.float32), seen)

    def _learn(self, mean: FloatArray, seen: NDArray[np.bool_]) -> None:
        """Move an anode's own running means; the first window is where they begin."""
        for own, memory_s in ((self._hour, self.limits.hour_s), (self._day, self.limits.day_s)):
            gain = min(self.limits.length_s / memory_s, 1.0)
            own[...] = np.where(seen, np.where(np.isnan(own), mean, own + gain * (mean - own)), own)

    def _beside(self, moved: FloatArray) -> FloatArray:
        """Mean movement of the one or two anodes beside each."""
        total, count = np.zeros_like(moved), np.zeros_like(moved)
        joined = self._same_row
        total[:, 1:] += np.where(joined, moved[:, :-1], 0.0)
        total[:, :-1] += np.where(joined, moved[:, 1:], 0.0)
        count[:, 1:] += joined
        count[:, :-1] += joined
        return total / np.maximum(count, 1.0)


def _row_median(values: FloatArray) -> FloatArray:
    """Median of each row over what is known, (n, 1); NaN where nothing is."""
    n = np.isfinite(values).sum(axis=1)
    ordered = np.sort(values, axis=1)  # NaN last
    rows, last = np.arange(len(values)), values.shape[1] - 1
    low, high = np.minimum(np.maximum(n - 1, 0) // 2, last), np.minimum(n // 2, last)
    return np.where(n > 0, 0.5 * (ordered[rows, low] + ordered[rows, high]), np.nan)[:, None]
