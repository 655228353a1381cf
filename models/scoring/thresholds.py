"""From a score series to alarms: hysteresis, debounce and merging, the same for every null model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.pointwise import AnyFloats, Mask, segments

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class AlarmRule(NamedTuple):
    """How a score becomes an alarm (detection reference, section 3).

    Attributes
    ----------
    needed, of
        Begins when so many of so many minutes are above the threshold.
    clear_below
        Ends when the score falls below this share of the threshold.
    gap
        Alarms closer than this are one [minutes].
    """

    needed: int = 3
    of: int = 5
    clear_below: float = 0.8
    gap: int = 60


#: The rule of the detection reference.
DEFAULT_RULE = AlarmRule()


def alarms(score: AnyFloats, threshold: float, rule: AlarmRule = DEFAULT_RULE) -> IntArray:
    """First and last minute of each alarm, (n, 2).

    Parameters
    ----------
    score : (n,)
        One a minute, not negative; NaN is not above the threshold and ends nothing.
    threshold
        The score must be greater.
    rule
        See ``AlarmRule``.
    """
    above = score > threshold
    summed = np.cumsum(np.concatenate((np.zeros(rule.of, dtype=np.int64), above)))
    begins = (summed[rule.of :] - summed[: -rule.of] >= rule.needed) & above
    ends = score < rule.clear_below * threshold
    decided = np.maximum.accumulate(np.where(begins | ends, np.arange(len(score)), -1))
    on: Mask = (decided >= 0) & begins[decided]
    found = segments(on)
    if len(found) < 2:
        return found
    apart = found[1:, 0] - found[:-1, 1] - 1 >= rule.gap
    first = found[np.concatenate(([True], apart)), 0]
    last = found[np.concatenate((apart, [True])), 1]
    return np.stack([first, last], axis=1)


def ladder(scores: FloatArray, steps: int = 40) -> FloatArray:
    """Thresholds to choose from: ever rarer quantiles of scores, lowest first, and one above them all.

    Parameters
    ----------
    scores : (n,)
        Of the cells on which the threshold is chosen; NaN is left out.
    steps
        How many, at equal ratios of rarity from one in two to one in all.
    """
    known = scores[np.isfinite(scores)]
    if len(known) == 0:
        return np.zeros(1)
    rarity = np.geomspace(0.5, 1.0 / len(known), steps)
    return np.unique(np.concatenate((np.quantile(known, 1.0 - rarity), [known.max()])))


def frozen(thresholds: FloatArray, false: IntArray, allowed: float) -> int:
    """Index of the lowest threshold from which on no more false alarms come than allowed; the highest if there is none.

    Parameters
    ----------
    thresholds, false : (n,)
        Thresholds, lowest first, and the false alarms of each.
    allowed
        Greatest number of false alarms.
    """
    kept = np.flatnonzero(np.asarray(false) > allowed)
    return min(int(kept[-1]) + 1 if len(kept) else 0, len(thresholds) - 1)
