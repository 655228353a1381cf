"""Drift of a whole cell: temperatures, superheat and heat given off that leave their own place together for hours."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, FloatArray, View
from models.cusum import cusum_step, mean_step

#: Rows of everything: bath temperature and shell (what is warm), superheat and heat loss (what makes it so).
_NAMES = ("bath_temp_C", "shell_C", "superheat_C", "heat_loss_kW")
_BATH, _SHELL, _SUPERHEAT, _HEAT = range(4)
_SLOT_US = 1_800_000_000
_SLOT_H = 0.5


class DriftLimits(NamedTuple):
    """When a cell has left its own thermal place.

    Attributes
    ----------
    drift, limit
        CUSUM reference value and limit in standard deviations and correlation times. By Siegmund's formula one false
        alarm in 31 000 correlation times / 2, or 3900 cell-days at k = 1, h = 4, for each of two directions; and two
        kinds of evidence must agree.
    correlation_h
        Levels closer than this count as one observation [h]: an anode change is felt for 8 to 16 h.
    fast_h
        Memory of the level now [h].
    memory_d, learn_h
        Memory of a cell's own place, and observed time before it is trusted [d], [h].
    min_scale
        Least standard deviation of bath temperature, shell, superheat [K] and of heat loss as a share: the spread of
        bath temperature by hand and an anode change are 2, weather moves a shell by 3 to 5, the twin's superheat is
        wrong by 1, a set point is moved by half a percent of the heat.
    max_scale
        Largest ones that count as normal.
    z_most
        A single kind of evidence counts for no more than this.
    hold_h
        A score stands this long without an estimate [h].
    others_least
        With at least this many other cells of the line, their median movement is taken away.
    returning
        A cell whose warmth has come back to less than this share of its farthest is on its way home: evidence wears
        off, and nothing is learned as usual.
    peak_h
        The farthest is forgotten over this time [h]: a cell takes a day or two to come home.
    """

    drift: float = 1.0
    limit: float = 4.0
    correlation_h: float = 6.0
    fast_h: float = 3.0
    memory_d: float = 7.0
    learn_h: float = 24.0
    min_scale: tuple[float, float, float, float] = (2.0, 5.0, 0.8, 0.02)
    max_scale: tuple[float, float, float, float] = (6.0, 15.0, 2.5, 0.06)
    z_most: float = 5.0
    hold_h: float = 6.0
    others_least: int = 4
    returning: float = 0.7
    peak_h: float = 48.0


class HeatDrift:
    """Scores how far every cell has drifted to the cold and to the warm from its own place.

    What is warm (bath, shells of all sides) must agree with what makes it so (superheat, heat that the twin lets out):
    the lower of the two counts, so a thermometer, a change of the liquidus or a new cover alone drift nowhere. Bath and
    shells must not contradict each other: after a hot spell the ledge is thin and the shells are warm while the bath is
    colder than usual for a day, which is no cold cell. The shells count by their median, which no single side moves.
    What a line shares (amperage, weather) is taken away where at least five of its cells are known; that part alone
    depends on the other cells.

    Parameters
    ----------
    layout
        Lines of the cells.
    limits
        See `DriftLimits`.

    Notes
    -----
    Physics reference 7.1 (three-day trend of temperature, wall temperature, heat balance voltage as nodes of the
    published diagnosis; a fall of temperature alone is normal) and 7.2. Not validated on plant data.
    """

    def __init__(self, layout: CellLayout, limits: DriftLimits | None = None) -> None:
        self.limits = DriftLimits() if limits is None else limits
        n = len(layout.line_index)
        self._line = layout.line_index.astype(np.int64)
        self._shell = np.full((n, layout.shell_side.shape[1]), np.nan)
        self._sum, self._count = np.zeros((4, n)), np.zeros((4, n))
        self._slot = -1
        self._now, self._now_s = np.zeros((4, n)), np.zeros((4, n))
        self._usual, self._usual_s = np.zeros((4, n)), np.zeros((4, n))
        self._scale = np.repeat(np.array(self.limits.min_scale)[:, None], n, axis=1)
        self._z = np.full((4, n), np.nan)
        #: To the cold, to the warm: sums, and the farthest that bath or shells were.
        self._total = np.zeros((2, n))
        self._peak = np.zeros((2, n))
        self._since_h = np.full(n, np.inf)

    def update(self, view: View) -> FloatArray:
        """Take in one scan and score every cell to the cold and to the warm, (2, n_cells); NaN where not judged."""
        lim, estimate = self.limits, view.estimate
        slot = (view.time_us - 1) // _SLOT_US
        if slot != self._slot and self._slot >= 0:
            self._close_slot()
        self._slot = slot
        width = self._shell.shape[1]
        self._shell = np.where(np.isfinite(view.shell_temp_C), view.shell_temp_C, self._shell)[:, :width]
        for row, value in (
            (_BATH, estimate.bath_temp_C),
            (_SUPERHEAT, estimate.superheat_C),
            (_HEAT, estimate.heat_loss_kW),
        ):
            known = estimate.assessed & np.isfinite(value)
            self._sum[row] += np.where(known, value, 0.0)
            self._count[row] += known
        self._since_h = np.where(estimate.assessed, 0.0, self._since_h + view.scan_s / 3600.0)
        judged = (self._usual_s[_BATH] >= lim.learn_h * 3600.0) & (self._since_h <= lim.hold_h)
        return np.where(judged, self._total / lim.limit, np.nan)

    def _close_slot(self) -> None:
        """Half an hour is complete."""
        lim = self.limits
        known = self._count > 0
        value = np.where(known, self._sum / np.maximum(self._count, 1.0), np.nan)
        self._sum[:], self._count[:] = 0.0, 0.0
        # A cell that is not assessed stands or starts: its shell is not learned from either.
        value[_SHELL] = np.where(known[_BATH], _row_medians(self._shell), np.nan)
        self._shell[:] = np.nan
        slot_s = np.full(value.shape, _SLOT_H * 3600.0)
        mean_step(self._now, self._now_s, value, slot_s, lim.fast_h * 3600.0)
        settled = self._usual_s >= lim.learn_h * 3600.0
        off = np.where(settled & np.isfinite(value), self._now - self._usual, np.nan)
        off[_HEAT] /= np.maximum(self._usual[_HEAT], 1.0)
        for row in range(4):
            off[row] -= self._shared(off[row])
        self._z = off / self._scale
        share = np.full((1, off.shape[1]), _SLOT_H / lim.correlation_h)
        withheld = np.zeros(off.shape[1], dtype=np.bool_)
        for row, sign in enumerate((-1.0, 1.0)):
            far = np.nan_to_num(np.fmax(sign * self._z[_BATH], sign * self._z[_SHELL]))
            # A start-up or a wrong sample must not hide what comes within the days after it.
            far = np.minimum(far, 2.0 * lim.z_most)
            self._peak[row] = np.maximum(self._peak[row] * (1.0 - _SLOT_H / lim.peak_h), far)
            z = np.clip(sign * self._z, -lim.z_most, lim.z_most)
            warm, why = np.fmax(z[_BATH], z[_SHELL]), np.fmax(z[_SUPERHEAT], z[_HEAT])
            warm = warm + np.minimum(np.fmin(z[_BATH], z[_SHELL]), 0.0)
            both = np.minimum(warm, why)
            home = far < lim.returning * self._peak[row]
            withheld |= home & (both > lim.drift)
            both = np.where(home, np.minimum(both, 0.5 * lim.drift), both)
            cusum_step(self._total[row : row + 1], both[None, :], share, lim.drift, 1.25 * lim.limit)
            # A cell that has come back is to end its alarm within hours.
            self._total[row, both < 0.5 * lim.drift] *= 1.0 - share[0, 0]
        # What is not told because the cell is on its way home is not usual either.
        quiet = (self._total < 0.25 * lim.limit).all(axis=0) & ~withheld
        least, most = (np.array(of)[:, None] for of in (lim.min_scale, lim.max_scale))
        gain = np.where(quiet & np.isfinite(off), _SLOT_H / (24.0 * lim.memory_d), 0.0)
        size = np.minimum(np.abs(np.nan_to_num(off)), 3.0 * self._scale) * 1.2533
        self._scale = np.clip(self._scale + gain * (size - self._scale), least, most)
        mean_step(self._usual, self._usual_s, value, np.where(quiet, slot_s, np.nan), lim.memory_d * 86400.0)

    def _shared(self, off: FloatArray) -> FloatArray:
        """Median movement of the line; 0 where it has too few cells."""
        shared = np.zeros(len(off))
        for line in np.unique(self._line):
            here = np.flatnonzero((self._line == line) & np.isfinite(off))
            if len(here) > self.limits.others_least:
                shared[here] = np.median(off[here])
        return shared

    def usual_heat_kW(self, cell: int) -> float:
        """Heat that a cell usually lets out, 0 where it is not known [kW]."""
        return float(self._usual[_HEAT, cell])

    def evidence(self, cell: int) -> dict[str, float]:
        """How far each witness has moved from its own place.

        Parameters
        ----------
        cell
            Index of the cell.
        """
        off = (self._now - self._usual)[:, cell]
        return {
            "bath_temp_drift_C": float(off[_BATH]),
            "shell_drift_C": float(off[_SHELL]) if self._usual_s[_SHELL, cell] > 0.0 else np.nan,
            "superheat_drift_C": float(off[_SUPERHEAT]),
            "heat_loss_drift_kW": float(off[_HEAT]),
        }


def _row_medians(value: FloatArray) -> FloatArray:
    """Median of what is known in each row; NaN where nothing is."""
    ascending = np.sort(value, axis=1)
    count = np.isfinite(value).sum(axis=1)
    rows = np.arange(len(count))
    low = ascending[rows, np.maximum((count - 1) // 2, 0)]
    high = ascending[rows, np.minimum(count // 2, value.shape[1] - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)
