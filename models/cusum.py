"""Cumulative sums and running means over observed time only: NaN adds no evidence and takes none away."""

import numpy as np
from numpy.typing import NDArray

from twin.jit import kernel

FloatArray = NDArray[np.float64]


@kernel
def _cusum_step(total: FloatArray, z: FloatArray, weight: FloatArray, drift: float, cap: float) -> None:
    for i in range(total.shape[0]):
        for j in range(total.shape[1]):
            if np.isnan(z[i, j]) or np.isnan(weight[i, j]):
                continue
            grown = total[i, j] + (z[i, j] - drift) * weight[i, j]
            total[i, j] = min(max(grown, 0.0), cap)


@kernel
def _mean_step(
    mean: FloatArray, observed_s: FloatArray, x: FloatArray, weight_s: FloatArray, tau_s: float
) -> None:
    for i in range(mean.shape[0]):
        for j in range(mean.shape[1]):
            if np.isnan(x[i, j]) or np.isnan(weight_s[i, j]) or weight_s[i, j] <= 0.0:
                continue
            observed_s[i, j] += weight_s[i, j]
            gain = weight_s[i, j] / min(observed_s[i, j], max(tau_s, weight_s[i, j]))
            mean[i, j] += gain * (x[i, j] - mean[i, j])


def cusum_step(total: FloatArray, z: FloatArray, weight: FloatArray, drift: float, cap: float) -> None:
    """Advance one-sided upper CUSUMs in place: ``total = min(max(total + (z - drift) weight, 0), cap)``.

    Parameters
    ----------
    total : (n, m)
        Sums [standard deviations]; changed in place. Set an element to 0 to reset it.
    z : (n, m)
        Standardised residuals; NaN holds the sum.
    weight : (n, m)
        How many independent observations ``z`` stands for: 1 for independent samples, the time since the
        last one over the correlation time for autocorrelated ones; NaN holds the sum.
    drift
        Half the shift that is to be found, in standard deviations (the reference value ``k``).
    cap
        Largest sum kept, so that an alarm also clears in bounded time.

    Notes
    -----
    Page (1954), Biometrika 41, 100-115. With independent normal residuals,
    drift 0.5 and limit 5 the mean time between false alarms is 930 samples, and a shift of one standard
    deviation is found after 10.4 samples on average (Montgomery, Introduction to Statistical Quality
    Control, table 9.3, which lists 465 for the two-sided scheme). Valid for independent residuals only;
    ``weight`` is what makes it usable for others.

    Examples
    --------
    >>> total = np.zeros((1, 1))
    >>> for z in (2.0, np.nan, 2.0):
    ...     cusum_step(total, np.array([[z]]), np.ones((1, 1)), 0.5, 10.0)
    >>> float(total[0, 0])
    3.0
    """
    _cusum_step(total, z, weight, float(drift), float(cap))


def mean_step(
    mean: FloatArray, observed_s: FloatArray, x: FloatArray, weight_s: FloatArray, tau_s: float
) -> None:
    """Advance time-weighted means in place: plain at first, exponentially forgetting after ``tau_s``.

    Parameters
    ----------
    mean, observed_s : (n, m)
        Means [unit of ``x``] and the time they rest on [s]; changed in place. Set both to 0 to restart.
    x : (n, m)
        New values; NaN holds the mean.
    weight_s : (n, m)
        Time each value stands for [s]; NaN or not positive holds the mean.
    tau_s
        Memory of the mean [s].

    Examples
    --------
    >>> mean, observed_s = np.zeros((1, 1)), np.zeros((1, 1))
    >>> for x in (1.0, 2.0):
    ...     mean_step(mean, observed_s, np.array([[x]]), np.full((1, 1), 60.0), 3600.0)
    >>> float(mean[0, 0]), float(observed_s[0, 0])
    (1.5, 120.0)
    """
    _mean_step(mean, observed_s, x, weight_s, float(tau_s))
