"""Do scores still lie where they lay when their limits were set: histograms by week against those of training."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import FloatArray, Scores

#: Upper edges of the bins of a score; the last bin is open.
EDGES: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0)
#: Bands of the population stability index in common use (knowledge, from credit scoring): below the first nothing
#: has changed, beyond the second the scores are of another population.
WATCH, DRIFTED = 0.1, 0.25
_HOUR_US = 3_600_000_000
_WEEK_US = 168 * _HOUR_US
_WEEKS_KEPT = 8
#: Fewer cell-hours than three cell-days say nothing.
_MIN_HOURS = 72


class DriftRow(NamedTuple):
    """One kind in one week.

    Attributes
    ----------
    week_us
        Begin of the week, UTC microseconds.
    kind
        Alarm kind.
    psi
        Population stability index against training; NaN where there is no reference or too little.
    cell_hours
        It rests on.
    judged_share
        Share of all cell-hours in which the kind could be judged at all.
    """

    week_us: int
    kind: str
    psi: float
    cell_hours: int
    judged_share: float


class DriftWatch:
    """Counts the highest score of each cell and hour, as scored, before any limit is raised.

    Parameters
    ----------
    reference
        Share of cell-hours in each bin by kind, from training; kinds without one are counted only.
    """

    def __init__(self, reference: Mapping[str, Sequence[float]]) -> None:
        self._reference = {kind: np.array(shares) for kind, shares in reference.items()}
        self._highest: dict[str, FloatArray] = {}
        self._counts: dict[str, NDArray[np.int64]] = {}
        self._hours: dict[str, int] = {}
        self._hour = self._week = -1
        #: Closed weeks, oldest first.
        self.rows: list[DriftRow] = []

    def add(self, time_us: int, scores: Sequence[Scores]) -> None:
        """Take in the scores of one scan."""
        week = time_us // _WEEK_US
        if week != self._week:
            self._close_hour()
            self._close_week()
            self._week = week
        self.count(time_us, scores)

    def count(self, time_us: int, scores: Sequence[Scores]) -> None:
        """The same without closing weeks: a training run is one."""
        hour = time_us // _HOUR_US
        if hour != self._hour:
            self._close_hour()
            self._hour = hour
        for score in scores:
            # A plant without anode currents has scores of no width.
            of_cell = np.fmax.reduce(score.value, axis=1, initial=np.nan)
            before = self._highest.get(score.kind)
            self._highest[score.kind] = of_cell if before is None else np.fmax(before, of_cell)

    def shares(self) -> dict[str, tuple[float, ...]]:
        """Share of the cell-hours since the week began in each bin, by kind: what a training run keeps as reference."""
        self._close_hour()
        return {
            kind: tuple((counts / counts.sum()).tolist())
            for kind, counts in self._counts.items()
            if counts.sum() >= _MIN_HOURS
        }

    def merge(self, other: "DriftWatch") -> None:
        """Add the counts of another line to this week's."""
        other._close_hour()
        for kind, counts in other._counts.items():
            self._counts[kind] = self._counts.get(kind, np.zeros_like(counts)) + counts
            self._hours[kind] = self._hours.get(kind, 0) + other._hours[kind]

    def _close_hour(self) -> None:
        for kind, highest in self._highest.items():
            judged = highest[np.isfinite(highest)]
            bins = np.bincount(np.searchsorted(EDGES, judged, side="right"), minlength=len(EDGES) + 1)
            self._counts[kind] = self._counts.get(kind, np.zeros(len(EDGES) + 1, dtype=np.int64)) + bins
            self._hours[kind] = self._hours.get(kind, 0) + len(highest)
        self._highest = {}

    def _close_week(self) -> None:
        for kind in sorted(self._counts):
            counts, hours = self._counts[kind], self._hours[kind]
            n = int(counts.sum())
            known = kind in self._reference and n >= _MIN_HOURS
            index = stability_index(counts, self._reference[kind]) if known else float("nan")
            self.rows.append(DriftRow(self._week * _WEEK_US, kind, index, n, n / max(hours, 1)))
        weeks = sorted({row.week_us for row in self.rows})[-_WEEKS_KEPT:]
        self.rows = [row for row in self.rows if row.week_us in weeks]
        self._counts, self._hours = {}, {}


def stability_index(counts: NDArray[np.int64], reference: FloatArray) -> float:
    """Population stability index, the symmetric Kullback-Leibler divergence of two histograms.

    Parameters
    ----------
    counts : (n_bins,)
        Now; half a count is added to each bin, so that an empty one is finite.
    reference : (n_bins,)
        Shares in training, smoothed by as much.

    Examples
    --------
    >>> round(stability_index(np.array([90, 10]), np.array([0.9, 0.1])), 3)
    0.0
    >>> stability_index(np.array([10, 90]), np.array([0.9, 0.1])) > DRIFTED
    True
    """
    n = float(counts.sum())
    half = 0.5 / (n + 0.5 * len(counts))
    now = (counts + 0.5) / (n + 0.5 * len(counts))
    then = (reference + half) / (1.0 + half * len(counts))
    return float(np.sum((now - then) * np.log(now / then)))
