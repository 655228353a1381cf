"""Lost cover: the gas drawn off a cell stays warmer than its own past, the current and the rest of the line explain."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, Done, Explanation, FloatArray, IntArray, Scores, View
from models.cusum import cusum_step, mean_step
from models.explaining import explanation
from twin.signals import SCALAR_READINGS

_DUCT = SCALAR_READINGS.index("duct_gas_temp_C")
_FLOW = SCALAR_READINGS.index("duct_gas_flow_Nm3_h")
_CURRENT = SCALAR_READINGS.index("line_current_A")
_AMBIENT = SCALAR_READINGS.index("ambient_temp_C")
_HOUR_US = 3_600_000_000
#: Quarters of an hour that are remembered, and how long one is.
_N_SLOTS, _SLOT_H = 32, 0.25
_SLOT_US = _HOUR_US // 4
#: Work that opens the cover.
_OPENS = ("anode_change", "tap", "cover")


class CoverLimits(NamedTuple):
    """When the top of a cell counts as open.

    Attributes
    ----------
    window_slots, least_slots
        The level of the gas is the median of this many undisturbed quarters of an hour, and of no fewer than that:
        an anode change warms the gas for an hour or two and a tap cools it for half an hour, also where nobody logged
        them, and neither moves a median of four hours.
    before_h, after_h
        Around an entry of the log gas says nothing of the cover [h]: entries are wrong by up to 20 min, and crust is
        broken before and dressed up to two hours after.
    drift, limit
        CUSUM reference value and limit in standard deviations and correlation times. By Siegmund's formula one false
        alarm in 47 000 h at k = 1, h = 4 with normal residuals that hang together for three hours: 0.0005 a cell-day.
    correlation_h
        Levels closer than this count as one observation [h]: most of the window is shared.
    min_scale_C, max_scale_C
        Bounds of the learned standard deviation of the level [degC]: thermocouples of gas are good to 2, and a poor
        cover makes 5 to 20.
    memory_d, learn_h
        Over which the usual level is learned, and observed time before it is trusted [d], [h]: a whole day, for the
        air swings.
    free_frac
        Change of line current that is not followed by the expected gas: the heat of the anodes and the gas of the
        reaction grow with current, that through the crust with a bath that is a percent hotter at most.
    others_least
        With at least this many other cells of the line, their median movement is taken away.
    hold_h
        A score stands this long without a new level [h].
    dress_h, dressed_share, dress_wait_h
        Where so large a share of the last changes was followed within this time by an entry that the anode was dressed,
        a change without one is work that goes on: its gas is no news for this long, a shift and a half [h], [-], [h].
    """

    window_slots: int = 16
    least_slots: int = 8
    before_h: float = 0.75
    after_h: float = 3.0
    drift: float = 1.0
    limit: float = 4.0
    correlation_h: float = 3.0
    min_scale_C: float = 2.0
    max_scale_C: float = 6.0
    memory_d: float = 5.0
    learn_h: float = 20.0
    free_frac: float = 0.02
    others_least: int = 4
    hold_h: float = 8.0
    dress_h: float = 6.0
    dressed_share: float = 0.8
    dress_wait_h: float = 12.0


class CoverLoss:
    """Scores every cell by a CUSUM of how much warmer its gas is than usual.

    Gas over air, by its flow where that is measured, grows with line current; what the line shares
    (wind, suction, weather) is taken away where at least five of its cells have a duct thermometer: that part alone
    depends on the other cells. Without a duct thermometer nothing is judged (NaN). A half is not named: gas of both
    halves mixes in one duct and the bath mixes their heat; in nine labelled losses of a simulated line neither the
    shells nor the anode currents of the open half moved otherwise than those of the other.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `CoverLimits`.

    Notes
    -----
    Physics reference 7.2 (poor cover: gas 5-20 degC warmer, bath temperature falls) and 4.2 of the detection
    reference. Airburn and a hood left open look alike on the gas; a falling bath temperature speaks for cover. Not
    validated on plant data.
    """

    name = "cover_loss"
    version = "cover_loss/2"
    kinds = ("cover_loss",)

    def __init__(self, layout: CellLayout, limits: CoverLimits | None = None) -> None:
        self.limits = CoverLimits() if limits is None else limits
        n = len(layout.line_index)
        self._line = layout.line_index.astype(np.int64)
        #: Sums of the quarter of an hour that is being gathered: gas over air, line current, their counts.
        self._sums = np.zeros((2, n))
        self._counts = np.zeros((2, n))
        self._slot = -1
        self._ring_C = np.full((n, _N_SLOTS), np.nan)
        self._ring_slot = np.full(_N_SLOTS, -1, dtype=np.int64)
        self._usual_C = np.zeros((n, 1))
        self._usual_s = np.zeros((n, 1))
        self._current_A = np.zeros((n, 1))
        self._current_s = np.zeros((n, 1))
        self._flow = np.zeros((n, 1))
        self._flow_s = np.zeros((n, 1))
        self._scale_C = np.full(n, self.limits.min_scale_C)
        self._total = np.zeros((n, 1))
        self._since_h = np.full(n, np.inf)
        self._level_C = np.full(n, np.nan)
        self._expected_C = np.full(n, np.nan)
        self._shared_C = np.zeros(n)
        self._rise_C = np.full(n, np.nan)
        self._opened_us = np.zeros(n, dtype=np.int64)
        self._changed_us = np.zeros(n, dtype=np.int64)
        #: Whether the log says that the last changed anode was dressed, and of what share of those before it said so.
        self._dressed = np.zeros(n, dtype=np.bool_)
        self._dressed_share = np.zeros(n)
        self._changes = np.zeros(n)
        self._bath_C = np.full(n, np.nan)
        #: Bath temperature measured by hand less the twin's, of the last samples.
        self._bath_off_C = np.full(n, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim = self.limits
        for done in view.done:
            if done.event in _OPENS:
                self._open(done)
        for taken in view.samples:
            if taken.signal == "bath_temp_C" and np.isfinite(off := taken.value - self._bath_C[taken.cell]):
                old = self._bath_off_C[taken.cell]
                self._bath_off_C[taken.cell] = off if np.isnan(old) else 0.5 * (old + off)
        bath_C = view.estimate.bath_temp_C
        self._bath_C = np.where(np.isfinite(bath_C), bath_C, self._bath_C)
        slot = (view.time_us - 1) // _SLOT_US
        if slot != self._slot and self._slot >= 0:
            self._close_slot(slot)
        self._slot = slot
        self._gather(view)
        self._since_h += view.scan_s / 3600.0
        judged = (self._usual_s[:, 0] >= lim.learn_h * 3600.0) & (self._since_h <= lim.hold_h)
        score = np.where(judged, self._total[:, 0] / lim.limit, np.nan)
        return (Scores("cover_loss", "cell", score[:, None]),)

    def _open(self, done: Done) -> None:
        """Forget the gas about an entry of the log, however late it comes."""
        lim, cell = self.limits, done.cell
        self._opened_us[cell] = max(int(self._opened_us[cell]), done.time_us)
        if done.event == "cover":
            after_h = (done.time_us - int(self._changed_us[cell])) / _HOUR_US
            self._dressed[cell] |= -lim.before_h <= after_h <= lim.dress_h
        elif done.event == "anode_change" and done.time_us > self._changed_us[cell]:
            if self._changed_us[cell] > 0:
                self._changes[cell] = min(self._changes[cell] + 1.0, 10.0)
                off = float(self._dressed[cell]) - self._dressed_share[cell]
                self._dressed_share[cell] += off / self._changes[cell]
            self._changed_us[cell], self._dressed[cell] = done.time_us, False
        middle_us = self._ring_slot * _SLOT_US + _SLOT_US // 2
        near = (middle_us >= done.time_us - lim.before_h * _HOUR_US) & (
            middle_us <= done.time_us + lim.after_h * _HOUR_US
        )
        self._ring_C[cell, near & (self._ring_slot >= 0)] = np.nan

    def _gather(self, view: View) -> None:
        """Add one scan to its quarter of an hour."""
        over_C = view.scalar[_DUCT] - view.scalar[_AMBIENT]
        flow = view.scalar[_FLOW]
        # Suction that rises cools the gas and changes nothing of the cover: heat counts, not temperature.
        known = (self._flow_s[:, 0] > 0.0) & (self._flow[:, 0] > 0.0) & (flow > 0.0)
        over_C = np.where(known, over_C * flow / np.where(known, self._flow[:, 0], 1.0), over_C)
        weight_s = np.full(self._flow.shape, float(view.scan_s))
        mean_step(self._flow, self._flow_s, flow[:, None], weight_s, self.limits.memory_d * 86400.0)
        for row, value in enumerate((over_C, view.scalar[_CURRENT])):
            there = np.isfinite(value)
            self._sums[row] += np.where(there, value, 0.0)
            self._counts[row] += there

    def _close_slot(self, slot: int) -> None:
        """A quarter of an hour is complete: put it in the ring and judge the level that follows from it."""
        lim = self.limits
        mean = np.where(self._counts > 0, self._sums / np.maximum(self._counts, 1.0), np.nan)
        self._sums[:], self._counts[:] = 0.0, 0.0
        middle_us = self._slot * _SLOT_US + _SLOT_US // 2
        # An entry with a time to come is wrong; one of the last hours says that the cover was open.
        open_us = middle_us - self._opened_us
        opened = (open_us >= -lim.before_h * _HOUR_US) & (open_us <= lim.after_h * _HOUR_US)
        self._ring_C[:, self._slot % _N_SLOTS] = np.where(opened, np.nan, mean[0])
        self._ring_slot[self._slot % _N_SLOTS] = self._slot
        gone = self._ring_slot <= slot - _N_SLOTS
        self._ring_C[:, gone], self._ring_slot[gone] = np.nan, -1
        fresh = np.isfinite(self._ring_C[:, self._slot % _N_SLOTS])
        level_C = self._newest_median()
        level_C = np.where(fresh, level_C, np.nan)
        self._judge(level_C, mean[1])

    def _newest_median(self) -> FloatArray:
        """Median of the newest undisturbed quarters of every cell; NaN where there are too few [degC]."""
        lim = self.limits
        order = np.argsort(-self._ring_slot, kind="stable")
        newest_C = self._ring_C[:, order]
        rank: IntArray = np.cumsum(np.isfinite(newest_C), axis=1)
        window_C = np.where(rank <= lim.window_slots, newest_C, np.nan)
        # Medians by hand: numpy's warns where a cell has nothing.
        ascending_C = np.sort(window_C, axis=1)
        count = np.isfinite(window_C).sum(axis=1)
        rows = np.arange(len(count))
        low = ascending_C[rows, np.maximum((count - 1) // 2, 0)]
        high = ascending_C[rows, np.minimum(count // 2, _N_SLOTS - 1)]
        return np.where(count >= lim.least_slots, 0.5 * (low + high), np.nan)

    def _judge(self, level_C: FloatArray, current_A: FloatArray) -> None:
        """Advance what is usual and the sums by one quarter of an hour."""
        lim = self.limits
        settled = self._usual_s[:, 0] >= lim.learn_h * 3600.0
        usual_C, usual_A = self._usual_C[:, 0], self._current_A[:, 0]
        known = (self._current_s[:, 0] >= lim.learn_h * 3600.0) & np.isfinite(current_A) & (usual_A > 0.0)
        more = np.where(known, current_A / np.where(known, usual_A, 1.0) - 1.0, 0.0)
        more = np.sign(more) * np.maximum(np.abs(more) - lim.free_frac, 0.0)
        expected_C = usual_C * (1.0 + np.clip(more, -0.2, 0.2))
        rise_C = np.where(settled, level_C - expected_C, np.nan)
        held_C = np.where(self._since_h <= lim.hold_h, self._rise_C, np.nan)
        self._rise_C = np.where(np.isfinite(rise_C), rise_C, held_C)
        shared_C = self._shared(self._rise_C)
        z = (rise_C - shared_C) / self._scale_C
        z = np.where(self._still_open(), np.minimum(z, lim.drift), z)
        fresh = np.isfinite(level_C)
        self._level_C = np.where(fresh, level_C, self._level_C)
        self._expected_C = np.where(fresh, expected_C, self._expected_C)
        self._shared_C = np.where(fresh, shared_C, self._shared_C)
        self._since_h = np.where(fresh, 0.0, self._since_h)
        share = _SLOT_H / lim.correlation_h
        cusum_step(self._total, z[:, None], np.full(self._total.shape, share), lim.drift, 1.25 * lim.limit)
        # A cover that was mended is to end its alarm within hours, not when all that was summed up is worn away.
        self._total[z < 0.5 * lim.drift] *= 1.0 - share
        quiet = fresh & (self._total[:, 0] < 0.25 * lim.limit)
        cut_C = np.clip(rise_C - shared_C, -3.0 * self._scale_C, 3.0 * self._scale_C)
        learned_C = np.where(settled, usual_C + cut_C, level_C)
        weight_s = np.where(quiet, _SLOT_H * 3600.0, np.nan)[:, None]
        memory_s = lim.memory_d * 86400.0
        gain = np.where(quiet & settled, _SLOT_H * 3600.0 / memory_s, 0.0)
        step_C = gain * (1.2533 * np.abs(np.nan_to_num(cut_C)) - self._scale_C)
        self._scale_C = np.clip(self._scale_C + step_C, lim.min_scale_C, lim.max_scale_C)
        mean_step(self._usual_C, self._usual_s, learned_C[:, None], weight_s, memory_s)
        mean_step(self._current_A, self._current_s, current_A[:, None], weight_s, memory_s)

    def _still_open(self) -> NDArray[np.bool_]:
        """Cells whose last changed anode waits for its cover, where covers are logged and the wait is not too long."""
        lim = self.limits
        since_h = (self._slot * _SLOT_US - self._changed_us) / _HOUR_US
        waits = ~self._dressed & (since_h <= lim.dress_wait_h) & (self._changed_us > 0)
        return waits & (self._changes >= 3.0) & (self._dressed_share >= lim.dressed_share)

    def _shared(self, rise_C: FloatArray) -> FloatArray:
        """Median rise of the other cells of the line; 0 where there are too few [degC]."""
        shared_C = np.zeros(len(rise_C))
        known: NDArray[np.bool_] = np.isfinite(rise_C)
        for line in np.unique(self._line):
            here = np.flatnonzero(known & (self._line == line))
            if len(here) <= self.limits.others_least:
                continue
            of_C = np.sort(rise_C[here])
            # Without oneself: one of few cells would hide a part of its own loss.
            rank = np.searchsorted(of_C, rise_C[here])
            low, high = (len(here) - 2) // 2, (len(here) - 1) // 2
            shared_C[here] = 0.5 * (of_C[low + (rank <= low)] + of_C[high + (rank <= high)])
        return shared_C

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        level_C, expected_C = float(self._level_C[cell]), float(self._expected_C[cell])
        shared_C, off_C = float(self._shared_C[cell]), float(self._bath_off_C[cell])
        opened_us = int(self._opened_us[cell])
        since_h = (self._slot * _SLOT_US - opened_us) / _HOUR_US if opened_us else np.nan
        evidence = {
            "gas_over_air_C": level_C,
            "expected_over_air_C": expected_C,
            "gas_rise_C": level_C - expected_C - shared_C,
            "line_rise_C": shared_C,
            "normal_spread_C": float(self._scale_C[cell]),
            "bath_less_twin_C": off_C,
            "since_cover_opened_h": since_h,
        }
        # The twin knows nothing of the cover, so a bath that is colder than it says has lost more heat at the top.
        colder = float(np.clip(-np.nan_to_num(off_C) / 4.0, 0.0, 1.0))
        after_work = 1.0 if since_h <= 12.0 else 0.0
        weights = {
            "cover_thin_or_hole": 0.5 + 0.5 * colder,
            "not_dressed_after_work": 0.2 + 0.5 * after_work,
            "airburn": 0.2 * (1.0 - colder),
            "hood_or_suction": 0.25 * (1.0 - 0.5 * colder),
        }
        return explanation(evidence, weights)
