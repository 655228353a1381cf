"""How sure a share or a rate is."""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Interval = tuple[float, float]

#: Standard normal quantile of a two-sided interval of 95 %.
_Z = 1.959963984540054


def wilson(hits: int, n: int) -> Interval:
    """Wilson's interval of a share, 95 % (Wilson 1927).

    Parameters
    ----------
    hits, n
        Successes of so many trials.

    Returns
    -------
    tuple of float
        Low and high; NaN without a trial.

    Raises
    ------
    ValueError
        When there are more hits than trials, or a number is negative.

    Examples
    --------
    >>> [round(x, 4) for x in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} trials")
    if n == 0:
        return math.nan, math.nan
    share, z2 = hits / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Exactly 0 and 1 at the ends, where rounding would leave a trace.
    return 0.0 if hits == 0 else middle - half, 1.0 if hits == n else middle + half


def poisson(count: int, exposure: float) -> Interval:
    """Exact interval of a rate, 95 % (Garwood 1936).

    Parameters
    ----------
    count
        Events counted.
    exposure
        Time watched, in the unit of the rate.

    Returns
    -------
    tuple of float
        Low and high rate; NaN without exposure.

    Raises
    ------
    ValueError
        Negative count or exposure.

    Examples
    --------
    >>> [round(x, 3) for x in poisson(0, 1.0)]  # the high end is -ln 0.025
    [0.0, 3.689]
    >>> [round(x, 3) for x in poisson(10, 1.0)]
    [4.795, 18.39]
    """
    if count < 0 or exposure < 0.0:
        raise ValueError(f"{count} events in {exposure}")
    if exposure == 0.0:
        return math.nan, math.nan
    low = _mean_where(count - 1, 0.975) if count else 0.0
    return low / exposure, _mean_where(count, 0.025) / exposure


def _mean_where(count: int, probability: float) -> float:
    """Mean of the Poisson law that gives at most ``count`` with this probability; by bisection."""
    reach = 12.0 * math.sqrt(count + 1.0) + 12.0
    low, high = max(count - reach, 0.0), count + reach
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _at_most(count, middle) > probability else (low, middle)
    return 0.5 * (low + high)


def _at_most(count: int, mean: float) -> float:
    """P(X <= count), summed downwards from the largest term that counts."""
    terms = min(count, int(60.0 * math.sqrt(count + 1.0)) + 60)
    largest = count * math.log(mean) - mean - math.lgamma(count + 1.0)
    falling = np.cumsum(np.log(np.arange(count, count - terms, -1.0) / mean))
    exponents = largest + np.concatenate(([0.0], falling))
    top = float(exponents.max())
    return math.exp(top + math.log(float(np.exp(exponents - top).sum()))) if top > -700.0 else 0.0


def bootstrap_ratio(
    hits: FloatArray, totals: FloatArray, rng: np.random.Generator, repeats: int = 1000
) -> Interval:
    """Interval of a ratio of sums over cells, 95 %: whole cells are drawn again, for their events hang together.

    Parameters
    ----------
    hits, totals : (n_cells,)
        Numerator and denominator of each cell.
    rng
        What draws; the same state gives the same interval.
    repeats
        How many draws.

    Returns
    -------
    tuple of float
        Percentiles 2.5 and 97.5 of the draws whose denominator is not zero; NaN where there is none.
    """
    n = len(hits)
    if n == 0 or not totals.sum() > 0.0:
        return math.nan, math.nan
    times = rng.multinomial(n, np.full(n, 1.0 / n), size=repeats).astype(np.float64)
    below = times @ totals
    some = below > 0.0
    low, high = np.percentile((times @ hits)[some] / below[some], (2.5, 97.5))
    return float(low), float(high)
