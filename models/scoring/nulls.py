"""The null models that need no learning; a result that does not beat them at equal false alarms is no result."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.generic import Baseline, CvaResidual, HotellingT2, Persistence, ZEwma, detrended

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: A cell's own mean follows it over a day: set points are not in the record, and cells differ by design [minutes].
MEMORY_MIN = 1440.0
#: An alarm of the schedule, and one by chance, lasts this long [minutes].
ALARM_MIN = 60
#: Null models that are fitted to the normal time of other cells, by name.
FITTED: dict[str, type[Baseline]] = {
    "z_ewma": ZEwma,
    "t2_full_covariance": HotellingT2,
    "cva_residual": CvaResidual,
    "persistence": Persistence,
}
#: Those that need no fit but a threshold, and those that have none.
UNFITTED: tuple[str, ...] = ("random", "clock", "schedule_thinned", "voltage_from_target")
UNLIMITED: tuple[str, ...] = ("always", "never", "schedule")
NULLS: tuple[str, ...] = (*UNLIMITED, *UNFITTED, *FITTED)


def always(n: int) -> FloatArray:
    """In alarm from the first minute on, (n,)."""
    return np.ones(n)


def never(n: int) -> FloatArray:
    """No alarm, (n,)."""
    return np.zeros(n)


def clock(n: int) -> FloatArray:
    """Minutes since the start: perfect wherever a record ends in trouble (detection reference, section 2), (n,)."""
    return np.arange(n, dtype=np.float64)


def chance(n: int, rng: np.random.Generator) -> FloatArray:
    """A new random number every hour, (n,)."""
    return np.repeat(rng.random(n // ALARM_MIN + 1), ALARM_MIN)[:n]


def schedule(n: int, operations: Sequence[int]) -> FloatArray:
    """In alarm for an hour after each anode change and tap, (n,).

    Parameters
    ----------
    n
        Minutes.
    operations
        Minute of each.
    """
    return thinned_schedule(n, operations, np.ones(len(operations)))


def thinned_schedule(n: int, operations: Sequence[int], rank: FloatArray) -> FloatArray:
    """A number for an hour after each anode change and tap, so that a threshold takes a share of them by chance, (n,).

    Parameters
    ----------
    n
        Minutes.
    operations
        Minute of each.
    rank : (n_operations,)
        What each scores.
    """
    score = np.zeros(n)
    for minute, value in zip(operations, rank, strict=True):
        if -ALARM_MIN < minute < n:
            after = slice(max(minute, 0), minute + ALARM_MIN)
            score[after] = np.maximum(score[after], value)
    return score


def voltage_from_target(voltage_V: FloatArray) -> FloatArray:
    """Distance of the voltage from its target, for which the cell's mean of the day before stands [V], (n,)."""
    return np.abs(detrended(voltage_V[:, None], MEMORY_MIN)[:, 0])
