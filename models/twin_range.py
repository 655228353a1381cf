"""Cells that run but that the twin does not describe: its estimate was lost, or contradicts the voltage for hours."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, Scores, View
from models.cusum import mean_step
from models.effect_watch import EffectWatch
from models.explaining import explanation
from twin.signals import SCALAR_READINGS
from twin.state import LOST, OUT_OF_RANGE

_CURRENT = SCALAR_READINGS.index("line_current_A")


class RangeLimits(NamedTuple):
    """When the twin counts as not describing a cell.

    Attributes
    ----------
    current_frac, current_s
        Line current of at least this share of the rated one for this long is no outage and no ramp: a cell that then
        lies outside the range of the twin (50 to 130 %) was set up wrongly [-], [s].
    mean_s
        Memory of the mean residual of the voltage [s]: some feed cycles, whose swing is not the twin's fault.
    residual_V
        Mean residual at which voltage and twin contradict each other [V]: the twin follows the level of the voltage
        within hours, and a spread of 8 to 15 mV with excursions of 30 mV is normal.
    min_observed_s
        Observed time before a residual is judged [s].
    lost_hold_s
        How long a loss of the estimate is told [s]: as long as a new one needs to settle.
    hold_s
        A score stands this long without an estimate [s].
    """

    current_frac: float = 0.2
    current_s: float = 14_400.0
    mean_s: float = 7200.0
    residual_V: float = 0.15
    min_observed_s: float = 7200.0
    lost_hold_s: float = 3600.0
    hold_s: float = 900.0


class TwinRange:
    """Scores every cell by how long its twin has been lost or out of range, and by its mean residual.

    Cells that are not in normal operation, whose technology is unknown, or whose line is off are not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `RangeLimits`.

    Notes
    -----
    Excursions of a healthy twin's residual: detection reference 1 (25 mV for a quarter of an hour). Anode effects do
    not count. Not validated on plant data.
    """

    name = "twin_range"
    version = "twin_range/1"
    kinds = ("twin_out_of_range",)

    def __init__(self, layout: CellLayout, limits: RangeLimits | None = None) -> None:
        self.limits = RangeLimits() if limits is None else limits
        n = len(layout.n_anodes)
        self._rated_A = layout.rated_current_A.copy()
        self._watch = EffectWatch(layout)
        self._mean_V = np.zeros((n, 1))
        self._observed_s = np.zeros((n, 1))
        self._outside_s = np.zeros(n)
        self._lost_s = np.full(n, np.inf)
        self._since_s = np.full(n, np.inf)
        self._status = np.zeros(n)
        self._current_frac = np.full(n, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim, estimate = self.limits, view.estimate
        self._watch.step(view)
        current_frac = view.scalar[_CURRENT] / self._rated_A
        self._current_frac = np.where(np.isfinite(current_frac), current_frac, self._current_frac)
        running = self._current_frac >= lim.current_frac
        outside = (estimate.status == OUT_OF_RANGE) & running
        self._outside_s = np.where(outside, self._outside_s + view.scan_s, 0.0)
        self._lost_s = np.where(estimate.status == LOST, 0.0, self._lost_s + view.scan_s)
        self._status = estimate.status.astype(np.float64)

        residual_V = np.where(
            estimate.assessed & running & ~self._watch.running, estimate.voltage_residual_V, np.nan
        )
        fresh = np.isfinite(residual_V)
        self._since_s = np.where(fresh, 0.0, self._since_s + view.scan_s)
        weight_s = np.full(self._mean_V.shape, float(view.scan_s))
        stale = self._since_s > lim.hold_s
        self._mean_V[stale], self._observed_s[stale] = 0.0, 0.0
        mean_step(self._mean_V, self._observed_s, residual_V[:, None], weight_s, lim.mean_s)

        judged = (self._observed_s[:, 0] >= lim.min_observed_s) & (self._since_s <= lim.hold_s)
        score = np.where(judged, np.abs(self._mean_V[:, 0]) / lim.residual_V, np.nan)
        score = np.where(outside, np.fmax(score, self._outside_s / lim.current_s), score)
        score = np.where((self._lost_s <= lim.lost_hold_s) & running, np.fmax(score, 1.5), score)
        return (Scores("twin_out_of_range", "cell", score[:, None]),)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        lost_s = float(self._lost_s[cell])
        evidence = {
            "status_code": float(self._status[cell]),
            "mean_residual_V": float(self._mean_V[cell, 0]),
            "current_over_rated_frac": float(self._current_frac[cell]),
            "out_of_range_h": float(self._outside_s[cell]) / 3600.0,
            "lost_before_s": lost_s,
        }
        lost = lost_s <= self.limits.lost_hold_s
        outside = self._outside_s[cell] > 0.0
        weights = {
            "twin_parameters": 0.5 + 0.3 * outside,
            "sensor_or_cable_broken": 0.2 + 0.2 * lost,
            "wrong_scaling": 0.2 + 0.3 * outside,
        }
        return explanation(evidence, weights)
