"""Silence of a whole cell: nothing is heard of its voltage for much longer than it usually takes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, Explanation, FloatArray, IntArray, Scores, View
from models.explaining import explanation
from twin.signals import SCALAR_READINGS, SIGNALS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_OTHERS = [
    row
    for row, name in enumerate(SCALAR_READINGS)
    if SIGNALS[name].shape == "cell" and name != "cell_voltage_V"
]


class SilenceLimits(NamedTuple):
    """When a cell counts as silent.

    Attributes
    ----------
    min_silence_s
        Never silent before this [s]: voltage comes every second, and a broker's restart takes about a minute.
    intervals
        Allowed silence in the cell's own typical intervals.
    learn_intervals
        Intervals needed before the typical one is trusted; until then `unknown_s` is allowed.
    unknown_s
        Allowed silence while the typical interval is unknown [s].
    never_seen_s
        A cell never heard of is silent when others of its line have reported for this long [s].
    max_interval_s
        Longer intervals are outages, not a habit, and are not learned from [s].
    """

    min_silence_s: float = 120.0
    intervals: float = 5.0
    learn_intervals: int = 3
    unknown_s: float = 1800.0
    never_seen_s: float = 600.0
    max_interval_s: float = 3600.0


def _newest_other_us(view: View) -> IntArray:
    """Time of each cell's newest reading that is neither its voltage nor shared by the line; 0 for none."""
    newest_us = view.last_good_us[_OTHERS].max(axis=0, initial=0)
    arrays = np.isfinite(view.anode_current_A).any(axis=1) | np.isfinite(view.shell_temp_C).any(axis=1)
    return np.where(arrays, np.int64(view.time_us), newest_us)


class Silence:
    """Scores the time since a cell's voltage was last heard, over the longest that is normal for that cell.

    A refused voltage counts as heard: that is a fault of the instrument, not silence. The typical interval
    is a running median learned from what came before. Cells never heard of are judged against the others of
    their line, so that score alone depends on the batch.

    Parameters
    ----------
    layout
        Lines of the cells.
    limits
        See `SilenceLimits`.
    """

    name = "silence"
    version = "silence/1"
    kinds = ("stream_silent",)

    def __init__(self, layout: CellLayout, limits: SilenceLimits | None = None) -> None:
        self.limits = SilenceLimits() if limits is None else limits
        n_cells = len(layout.line_index)
        self._line = layout.line_index.astype(np.int64)
        self._n_lines = int(self._line.max(initial=-1)) + 1
        self._heard_us = np.zeros(n_cells, dtype=np.int64)
        self._interval_s = np.full(n_cells, np.nan)
        self._n_intervals = np.zeros(n_cells, dtype=np.int64)
        self._line_first_us = np.zeros(self._n_lines, dtype=np.int64)
        self._silent_s = np.full(n_cells, np.nan)
        self._limit_s = np.full(n_cells, np.nan)
        self._others_heard = np.full(n_cells, np.nan)
        self._other_us = np.zeros(n_cells, dtype=np.int64)
        self._time_us = 0

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim = self.limits
        self._time_us = view.time_us
        refused = view.scalar_bad[_VOLTAGE] > 0
        heard_us = np.maximum(view.last_good_us[_VOLTAGE], np.where(refused, view.time_us, 0))
        heard_us = np.maximum(heard_us, self._heard_us)
        gap_s: FloatArray = np.asarray((heard_us - self._heard_us) * 1e-6, dtype=np.float64)
        learn = (heard_us > self._heard_us) & (self._heard_us > 0) & (gap_s <= lim.max_interval_s)
        self._learn(learn, gap_s)
        self._heard_us = heard_us

        seen = heard_us > 0
        for line in range(self._n_lines):
            first = heard_us[seen & (self._line == line)]
            if self._line_first_us[line] == 0 and len(first):
                self._line_first_us[line] = first.min()
        known = self._n_intervals >= lim.learn_intervals
        typical_s = np.where(known, lim.intervals * self._interval_s, lim.unknown_s)
        self._limit_s = np.where(seen, np.maximum(lim.min_silence_s, typical_s), lim.never_seen_s)
        since_us = np.where(seen, heard_us, self._line_first_us[self._line])
        silent_s = np.maximum((view.time_us - since_us) * 1e-6, 0.0)
        self._silent_s = np.where(since_us > 0, silent_s, np.nan)
        score = self._silent_s / self._limit_s
        recent = np.where(score < 1.0, 1.0, 0.0)
        others = np.bincount(self._line, minlength=self._n_lines)[self._line] - 1
        alive = np.bincount(self._line, weights=recent, minlength=self._n_lines)[self._line] - recent
        self._others_heard = np.where(others > 0, alive / np.maximum(others, 1), np.nan)
        self._other_us = np.maximum(self._other_us, _newest_other_us(view))
        return (Scores("stream_silent", "cell", score[:, None].copy()),)

    def _learn(self, learn: NDArray[np.bool_], gap_s: FloatArray) -> None:
        """Move each running median a twentieth towards the new interval; the first one is taken as it is."""
        first = learn & (self._n_intervals == 0)
        step = np.where(gap_s > self._interval_s, 1.05, np.where(gap_s < self._interval_s, 1.0 / 1.05, 1.0))
        later_s = np.where(learn, self._interval_s * step, self._interval_s)
        self._interval_s = np.where(first, gap_s, later_s)
        self._n_intervals = self._n_intervals + learn

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        heard = int(self._heard_us[cell]) > 0
        limit_s = float(self._limit_s[cell])
        others = float(self._others_heard[cell])
        other_us = int(self._other_us[cell])
        other_s = (self._time_us - other_us) * 1e-6 if other_us else np.nan
        evidence = {
            "silent_s": float(self._silent_s[cell]),
            "allowed_s": limit_s,
            "typical_interval_s": float(self._interval_s[cell]),
            "ever_heard": float(heard),
            "other_cells_heard_frac": others,
            "other_signals_silent_s": other_s,
        }
        alone = 0.5 if np.isnan(others) else others
        # The cell's other signals still come: its network lives and only the voltage channel is gone.
        channel = 1.0 if other_s < limit_s else 0.0
        beliefs = {
            "network_or_gateway": 0.05 + 0.95 * (1.0 - alone) * (1.0 - channel),
            "cell_device_offline": (0.05 + 0.8 * alone) * (1.0 - channel) * (1.0 if heard else 0.5),
            "voltage_channel_lost": 0.05 + 0.9 * channel,
            "cell_never_connected": 0.0 if heard else 0.6,
        }
        return explanation(evidence, beliefs)
