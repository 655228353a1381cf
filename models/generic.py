"""Detectors for any multivariate history, on plain arrays: what a physical detector has to beat.

All are causal: a score at row t uses rows up to t. They learn from normal rows only, score in numbers that are not
negative and where higher is odder, and know no threshold: ``crossvalidated_limit`` takes one from normal rows.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from twin.jit import kernel

FloatArray = NDArray[np.float64]

#: Eigenvalues below this share of the largest are noise of rounding, not directions to divide by.
_RANK_TOL = 1e-10


class Baseline(Protocol):
    """What every detector of this file does."""

    def fit(self, normal: FloatArray) -> None:
        """Learn from rows in order of time, (n, n_variables); a row of NaN separates what does not follow on."""
        ...

    def score(self, window: FloatArray) -> FloatArray:
        """Score rows in order of time, (n, n_variables) to (n,); NaN where nothing was measured."""
        ...


@kernel
def _ewma(x: FloatArray, weight: float, out: FloatArray) -> None:
    for j in range(x.shape[1]):
        mean = 0.0
        for i in range(x.shape[0]):
            if not np.isnan(x[i, j]):
                mean += weight * (x[i, j] - mean)
            out[i, j] = mean


@kernel
def _detrended(x: FloatArray, memory: float, out: FloatArray) -> None:
    for j in range(x.shape[1]):
        mean = 0.0
        seen = 0.0
        for i in range(x.shape[0]):
            out[i, j] = x[i, j] - mean if seen > 0.0 else np.nan
            if not np.isnan(x[i, j]):
                seen = min(seen + 1.0, memory)
                mean += (x[i, j] - mean) / seen


def ewma(x: FloatArray, weight: float) -> FloatArray:
    """Exponentially weighted mean of each column from 0 on; NaN holds it.

    Parameters
    ----------
    x : (n, m)
        Rows in order of time.
    weight
        Of the newest row, 0-1.

    Raises
    ------
    ValueError
        Weight out of range.

    Examples
    --------
    >>> ewma(np.array([[1.0], [1.0]]), 0.5).tolist()
    [[0.5], [0.75]]
    """
    if not 0.0 < weight <= 1.0:
        raise ValueError(f"weight {weight} must be above 0 and at most 1")
    out = np.empty_like(x)
    _ewma(x, float(weight), out)
    return out


def detrended(x: FloatArray, memory: float) -> FloatArray:
    """Each value less the mean of those before it: plain at first, exponentially forgetting after ``memory`` rows.

    Parameters
    ----------
    x : (n, m)
        Rows in order of time; NaN stays NaN and is not learned from.
    memory
        In rows.

    Examples
    --------
    >>> detrended(np.array([[1.0], [3.0], [5.0]]), 100.0).ravel().tolist()
    [nan, 2.0, 3.0]
    """
    out = np.empty_like(x)
    _detrended(x, float(memory), out)
    return out


class _Scaled:
    """Centre and scale of normal rows; what never varies says nothing."""

    def __init__(self, normal: FloatArray) -> None:
        n_known = np.isfinite(normal).sum(axis=0)
        if normal.ndim != 2 or not (n_known >= 2).any():
            raise ValueError(f"normal rows of shape {normal.shape} hold no variable with two values")
        count = np.maximum(n_known, 1)
        self._mean = np.nansum(normal, axis=0) / count
        spread = np.sqrt(np.nansum((normal - self._mean) ** 2, axis=0) / np.maximum(count - 1, 1))
        self._per_sd = np.where(spread > 1e-12 * np.maximum(np.abs(self._mean), 1e-300), 1.0, 0.0)
        self._per_sd = self._per_sd / np.where(self._per_sd > 0.0, spread, 1.0)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Rows in spreads from the mean; missing is 0, for it speaks against nothing."""
        z = (x - self._mean) * self._per_sd
        return np.where(np.isfinite(z), z, 0.0)


def _measured(x: FloatArray) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(x).any(axis=1))


def _inverse(covariance: FloatArray) -> FloatArray:
    """Inverse on the directions that vary."""
    return np.asarray(np.linalg.pinv(covariance, rcond=_RANK_TOL, hermitian=True), dtype=np.float64)


def _squared(x: FloatArray, inverse: FloatArray) -> FloatArray:
    return np.maximum(np.einsum("ij,ij->i", x @ inverse, x), 0.0)


class ZEwma:
    """The largest of the smoothed variables, in its own normal spreads, each variable by itself.

    Parameters
    ----------
    weight
        Of the newest row, 0-1.
    """

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def fit(self, normal: FloatArray) -> None:
        """Learn centre and scale."""
        self._scaled = _Scaled(normal)

    def score(self, window: FloatArray) -> FloatArray:
        """Largest smoothed deviation over its spread, (n,)."""
        spread = np.sqrt(self.weight / (2.0 - self.weight))
        largest = np.abs(ewma(self._scaled(window), self.weight)).max(axis=1) / spread
        return np.where(_measured(window), largest, np.nan)


class Persistence:
    """The largest step since the row before, in normal spreads: nothing is foreseen but more of the same."""

    def fit(self, normal: FloatArray) -> None:
        """Learn the spread of steps."""
        self._scaled = _Scaled(np.diff(normal, axis=0))

    def score(self, window: FloatArray) -> FloatArray:
        """Largest step over its spread, (n,)."""
        steps = np.diff(window, axis=0, prepend=window[:1])
        return np.where(_measured(window), np.abs(self._scaled(steps)).max(axis=1), np.nan)


class HotellingT2:
    """Squared distance from the normal mean in the metric of the full covariance (Hotelling 1947).

    Parameters
    ----------
    weight
        Of the newest row in the mean that is judged; 1 judges each row by itself, less is the multivariate EWMA of
        Lowry et al. (Technometrics 34, 1992).
    lags
        Rows before that are judged together with each row, so that what should follow on what is judged as well
        (Ku et al., Chemom. Intell. Lab. Syst. 30, 1995, there for principal components).
    """

    def __init__(self, weight: float = 1.0, lags: int = 0) -> None:
        self.weight = weight
        self.lags = lags

    def fit(self, normal: FloatArray) -> None:
        """Learn centre, scale and covariance; raises ``ValueError`` when fewer than two rows follow on."""
        self._scaled = _Scaled(normal)
        whole = np.convolve(_measured(normal), np.ones(self.lags + 1))[: len(normal)] > self.lags
        z = _lagged(self._scaled(normal), self.lags)[whole]
        if len(z) < 2:
            raise ValueError(f"{len(z)} normal rows that follow on are too few")
        self._metric = _inverse(np.cov(z, rowvar=False, ddof=1).reshape(z.shape[1], -1))

    def score(self, window: FloatArray) -> FloatArray:
        """T2 of each row, (n,); NaN in the first ``lags`` rows."""
        z = self._scaled(window)
        if self.weight < 1.0:
            z = ewma(z, self.weight) / np.sqrt(self.weight / (2.0 - self.weight))
        scores = _squared(_lagged(z, self.lags), self._metric)
        known = _measured(window)
        known[: self.lags] = False
        return np.where(known, scores, np.nan)


def _lagged(z: FloatArray, lags: int) -> FloatArray:
    """Each row with those before it, newest first; 0 before the first."""
    before = [
        np.vstack([np.zeros((min(i, len(z)), z.shape[1])), z[: max(len(z) - i, 0)]]) for i in range(lags + 1)
    ]
    return np.hstack(before)


class PcaResidual:
    """Squared distance from the principal plane (Q): what a linear autoencoder cannot reconstruct.

    Parameters
    ----------
    variance
        Share of the variance that the plane holds, 0-1.
    """

    def __init__(self, variance: float = 0.9) -> None:
        self.variance = variance

    def fit(self, normal: FloatArray) -> None:
        """Learn centre, scale and plane."""
        self._scaled = _Scaled(normal)
        z = self._scaled(normal[_measured(normal)])
        values, vectors = np.linalg.eigh(np.cov(z, rowvar=False).reshape(z.shape[1], -1))
        held = np.cumsum(values[::-1]) / values.sum()
        kept = int(np.searchsorted(held, self.variance)) + 1
        self._outside = vectors[:, : z.shape[1] - kept]

    def score(self, window: FloatArray) -> FloatArray:
        """Q of each row, (n,)."""
        missed = self._scaled(window) @ self._outside
        return np.where(_measured(window), np.sum(missed * missed, axis=1), np.nan)


class Autoencoder:
    """Squared error of a network with one narrow layer, tanh, that gives rows back.

    What it gives back lies on a plane, as with `PcaResidual`; what lies far out on it is squeezed, and seen. It begins
    as the principal plane and is moved from there by Adam on all rows at once (Kingma and Ba, arXiv 1412.6980), so no
    draw decides what it becomes.

    Parameters
    ----------
    hidden
        Width of the narrow layer; at most the number of variables.
    steps, rate
        Of the optimiser.
    decay
        Weight of the squared weights in what is minimised: without it few rows are learned by heart.
    """

    def __init__(self, hidden: int = 15, steps: int = 300, rate: float = 3e-3, decay: float = 1e-4) -> None:
        self.hidden = hidden
        self.steps = steps
        self.rate = rate
        self.decay = decay

    def fit(self, normal: FloatArray) -> None:
        """Learn centre, scale and weights."""
        self._scaled = _Scaled(normal)
        z = self._scaled(normal[_measured(normal)])
        values, vectors = np.linalg.eigh(np.cov(z, rowvar=False).reshape(z.shape[1], -1))
        kept = vectors[:, ::-1][:, : self.hidden]
        # Small enough that tanh is nearly straight at first.
        spread = 3.0 * np.sqrt(np.maximum(values[::-1][: self.hidden], 1e-12))
        self._weights = [kept / spread, np.zeros(kept.shape[1]), (kept * spread).T, np.zeros(z.shape[1])]
        moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self._weights]
        for step in range(1, self.steps + 1):
            for w, (first, second), slope in zip(self._weights, moments, self._slopes(z), strict=True):
                first += 0.1 * (slope - first)
                second += 0.001 * (slope * slope - second)
                root = np.sqrt(second / (1.0 - 0.999**step)) + 1e-8
                w -= self.rate * first / (1.0 - 0.9**step) / root

    def _slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Derivatives of the mean squared error with respect to each of the weights."""
        inward, bias, outward, _ = self._weights
        narrow = np.tanh(z @ inward + bias)
        error = 2.0 * self._error(z) / z.size
        back = (error @ outward.T) * (1.0 - narrow * narrow)
        return (
            z.T @ back + self.decay * inward,
            back.sum(axis=0),
            narrow.T @ error + self.decay * outward,
            error.sum(axis=0),
        )

    def _error(self, z: FloatArray) -> FloatArray:
        inward, bias, outward, offset = self._weights
        return np.tanh(z @ inward + bias) @ outward + offset - z

    def score(self, window: FloatArray) -> FloatArray:
        """Squared error of each row, (n,)."""
        error = self._error(self._scaled(window))
        return np.where(_measured(window), np.sum(error * error, axis=1), np.nan)


class CvaResidual:
    """T2 of the one-step error of a state model from canonical variates (Larimore 1990; Russell et al. 2000).

    The state is the part of the last ``lags`` rows that correlates most with the next ``lags``; the next row is
    foretold from it, and the error is judged in the metric of its normal covariance.

    Parameters
    ----------
    lags
        Rows of past and future.
    states
        Canonical variates kept.
    """

    def __init__(self, lags: int = 3, states: int = 28) -> None:
        self.lags = lags
        self.states = states

    def fit(self, normal: FloatArray) -> None:
        """Learn scale, state, prediction and covariance of the error.

        Raises
        ------
        ValueError
            Fewer than twice as many rows as lagged variables.
        """
        self._scaled = _Scaled(normal)
        lags = self.lags
        whole = np.convolve(_measured(normal), np.ones(2 * lags, dtype=np.int64))[2 * lags - 1 : len(normal)]
        z = self._scaled(normal)
        past_all = self._past(z)[: len(normal) - 2 * lags + 1]
        future_all = np.hstack([z[lags + i : len(z) - lags + 1 + i] for i in range(lags)])
        past, future = past_all[whole == 2 * lags], future_all[whole == 2 * lags]
        if len(past) < 2 * past.shape[1]:
            raise ValueError(
                f"{len(past)} rows that follow on are too few for {past.shape[1]} lagged variables"
            )
        n = len(past)
        root = _inverse_root(past.T @ past / n)
        cross = _inverse_root(future.T @ future / n) @ (future.T @ past / n) @ root
        self._state = np.linalg.svd(cross)[2][: self.states] @ root
        state = past @ self._state.T
        following = future[:, : z.shape[1]]
        self._next = np.linalg.lstsq(state, following, rcond=None)[0]
        error = following - state @ self._next
        self._metric = _inverse(error.T @ error / n)

    def _past(self, z: FloatArray) -> FloatArray:
        """The ``lags`` rows before each row from row ``lags`` on, newest first."""
        return np.hstack([z[self.lags - 1 - i : len(z) - 1 - i] for i in range(self.lags)])

    def score(self, window: FloatArray) -> FloatArray:
        """T2 of the error of each row, (n,); NaN in the first ``lags`` rows."""
        scores = np.full(len(window), np.nan)
        if len(window) > self.lags:
            z = self._scaled(window)
            error = z[self.lags :] - self._past(z) @ self._state.T @ self._next
            scores[self.lags :] = _squared(error, self._metric)
        return np.where(_measured(window), scores, np.nan)


def _inverse_root(covariance: FloatArray) -> FloatArray:
    """Symmetric inverse square root on the directions that vary."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > 1e-8 * values[-1]
    return vectors[:, kept] / np.sqrt(values[kept]) @ vectors[:, kept].T


def crossvalidated_limit(
    make: Callable[[], Baseline], normal: FloatArray, quantile: float, blocks: int = 5
) -> float:
    """Quantile of the scores of normal rows, each scored by a detector that has not seen its block of time.

    Limits from theory or from the rows that were learned from are too low: they promise 1 % of false alarms and
    give 15 to 50 % on the Tennessee Eastman set (detection reference, section 2).

    Parameters
    ----------
    make
        Gives a fresh detector.
    normal : (n, n_variables)
        Rows in order of time.
    quantile
        Share of normal rows below the limit, 0-1.
    blocks
        How many blocks.

    Raises
    ------
    ValueError
        Fewer rows than twice the blocks.
    """
    if len(normal) < 2 * blocks:
        raise ValueError(f"{len(normal)} rows are too few for {blocks} blocks")
    scores: list[FloatArray] = []
    break_row = np.full((1, normal.shape[1]), np.nan)
    for block in np.array_split(np.arange(len(normal)), blocks):
        detector = make()
        detector.fit(np.vstack([normal[: block[0]], break_row, normal[block[-1] + 1 :]]))
        scores.append(detector.score(normal[block]))
    return float(np.nanquantile(np.concatenate(scores), quantile))
