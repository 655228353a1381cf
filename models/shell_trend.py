"""Where a shell temperature is going: level and rate of every thermocouple, and the hours until it reaches a limit."""

from math import exp, isnan, sqrt
from typing import NamedTuple

import numpy as np

from models.base import FloatArray
from twin.jit import kernel

#: Rows of the state of a trend: level [degC], rate [degC/h], their variances and covariance, hours since a reading.
_LEVEL, _RATE, _LEVEL_VAR, _COVAR, _RATE_VAR, _GAP_H = range(6)
#: Quantile of a normal law that leaves a tenth on one side.
_TENTH = 1.2816
#: Hours that are looked through for the limit, and how finely.
_HORIZON_H, _STEP_H = 72.0, 0.25


class TrendLimits(NamedTuple):
    """What is known of a shell before it is measured.

    Attributes
    ----------
    noise_C, correlation_h
        Standard deviation of draught and thermocouple, and how long one of their errors lasts [degC], [h]: a
        thermocouple is good to 2-5 degC, and draught and the wall's own inertia last about an hour.
    rate_C_h
        Standard deviation of the rate of a shell of which nothing is known [degC/h]: a thinning ledge makes 1-10, and
        the fastest drift of the one public record is 6.
    rate_change_C_h, pace_change_C_h
        By how much the rate may change in an hour while it is found, and by how much it wanders later, in the
        forecast [degC/h]: a melt comes up within an hour or two and then keeps its pace for longer.
    settle_h
        Shortest time constant with which a rise that is under way comes to rest [h]: a ledge that gets more heat finds
        its new thickness within half a day, and a rate that is found is an hour or two old. The early end of a band
        takes no rest for granted.
    max_gap_h
        After a longer silence the trend is not known any more [h].
    """

    noise_C: float = 3.0
    correlation_h: float = 1.0
    rate_C_h: float = 5.0
    rate_change_C_h: float = 1.5
    pace_change_C_h: float = 0.5
    settle_h: float = 3.0
    max_gap_h: float = 3.0


class Hours(NamedTuple):
    """Hours until a limit: likeliest, and both ends of a band for four times in five; inf: not in sight."""

    likely: float
    low: float
    high: float


@kernel
def _trend_step(temp_C: FloatArray, scan_h: float, limits: TrendLimits, state: FloatArray) -> None:
    noise_var = limits.noise_C**2
    for c in range(temp_C.shape[0]):
        for s in range(temp_C.shape[1]):
            state[_GAP_H, c, s] += scan_h
            reading_C = temp_C[c, s]
            if isnan(reading_C):
                continue
            gap_h = state[_GAP_H, c, s]
            state[_GAP_H, c, s] = 0.0
            if isnan(state[_LEVEL, c, s]) or gap_h > limits.max_gap_h:
                state[_LEVEL, c, s], state[_RATE, c, s] = reading_C, 0.0
                state[_LEVEL_VAR, c, s], state[_COVAR, c, s] = noise_var, 0.0
                state[_RATE_VAR, c, s] = limits.rate_C_h**2
                continue
            walk = limits.rate_change_C_h**2
            rate_var = state[_RATE_VAR, c, s] + walk * gap_h
            covar = state[_COVAR, c, s] + gap_h * state[_RATE_VAR, c, s] + 0.5 * walk * gap_h**2
            level_var = (
                state[_LEVEL_VAR, c, s]
                + 2.0 * gap_h * state[_COVAR, c, s]
                + gap_h**2 * state[_RATE_VAR, c, s]
                + walk * gap_h**3 / 3.0
            )
            level_C = state[_LEVEL, c, s] + gap_h * state[_RATE, c, s]
            off_C = reading_C - level_C
            # Errors that last: readings closer than that are together worth one.
            reading_var = noise_var * max(1.0, 2.0 * limits.correlation_h / gap_h)
            total_var = level_var + reading_var
            level_gain, rate_gain = level_var / total_var, covar / total_var
            state[_LEVEL, c, s] = level_C + level_gain * off_C
            state[_RATE, c, s] += rate_gain * off_C
            state[_LEVEL_VAR, c, s] = (1.0 - level_gain) * level_var
            state[_COVAR, c, s] = (1.0 - level_gain) * covar
            state[_RATE_VAR, c, s] = rate_var - rate_gain * covar


@kernel
def _ahead(state: FloatArray, ahead_h: float, rise_h: float, walk: float, sure_C: FloatArray) -> None:
    for c in range(sure_C.shape[0]):
        for s in range(sure_C.shape[1]):
            var = (
                state[_LEVEL_VAR, c, s]
                + 2.0 * ahead_h * state[_COVAR, c, s]
                + ahead_h**2 * state[_RATE_VAR, c, s]
                + walk * ahead_h**3 / 3.0
            )
            sure_C[c, s] = state[_LEVEL, c, s] + rise_h * state[_RATE, c, s] - _TENTH * sqrt(var)


class ShellTrend:
    """Level and rate of every shell thermocouple by a Kalman filter of a local linear trend.

    Parameters
    ----------
    shape
        Cells and thermocouples.
    limits
        See `TrendLimits`.

    Notes
    -----
    Local linear trend: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 2.3. The band
    is that of the filter with the noise that is assumed, not measured; its early end lets the rise go on as it is, its
    late end lets it come to rest, and the likeliest is half way (tests/models/test_shell_trend.py). A melt that runs
    away comes earlier.
    """

    def __init__(self, shape: tuple[int, int], limits: TrendLimits | None = None) -> None:
        self.limits = TrendLimits() if limits is None else limits
        self._state = np.full((6, *shape), np.nan)
        self._state[_GAP_H] = 0.0

    def update(self, temp_C: FloatArray, scan_s: float) -> None:
        """Take in one scan.

        Parameters
        ----------
        temp_C : (n_cells, n_shell)
            NaN where nothing came.
        scan_s
            Length of the scan [s].
        """
        _trend_step(temp_C, scan_s / 3600.0, self.limits, self._state)

    def shift(self, by_C: FloatArray) -> None:
        """Move levels by what instruments did to themselves; rates stay.

        Parameters
        ----------
        by_C : (n_cells, n_shell)
            [degC]
        """
        self._state[_LEVEL] += by_C

    def surely_C(self, ahead_h: float) -> FloatArray:
        """Temperature that a shell will exceed nine times in ten, some hours from now, (n_cells, n_shell) [degC].

        Parameters
        ----------
        ahead_h
            From the newest reading [h].
        """
        sure_C = np.empty(self._state.shape[1:])
        lim = self.limits
        rise_h = lim.settle_h * (1.0 - exp(-ahead_h / lim.settle_h))
        _ahead(self._state, ahead_h, rise_h, lim.pace_change_C_h**2, sure_C)
        return sure_C

    def rate_C_h(self, cell: int, sensor: int) -> float:
        """Rate of one thermocouple [degC/h]."""
        return float(self._state[_RATE, cell, sensor])

    def hours_to(self, cell: int, sensor: int, limit_C: float) -> Hours:
        """Hours until a thermocouple shows a limit, within three days.

        Parameters
        ----------
        cell, sensor
            Indices from 0.
        limit_C
            [degC]
        """
        state = self._state[:, cell, sensor]
        t_h = np.arange(0.0, _HORIZON_H + _STEP_H, _STEP_H)
        rest_h = self.limits.settle_h * (1.0 - np.exp(-t_h / self.limits.settle_h))
        runs_C, rests_C = (state[_LEVEL] + of_h * state[_RATE] for of_h in (t_h, rest_h))
        var = state[_LEVEL_VAR] + 2.0 * t_h * state[_COVAR] + t_h**2 * state[_RATE_VAR]
        sd_C = np.sqrt(var + self.limits.pace_change_C_h**2 * t_h**3 / 3.0)
        likely, low, high = (
            float(t_h[reached[0]]) if len(reached := np.flatnonzero(at_C >= limit_C)) else np.inf
            for at_C in (0.5 * (runs_C + rests_C), runs_C + _TENTH * sd_C, rests_C - _TENTH * sd_C)
        )
        return Hours(likely, low, high)
