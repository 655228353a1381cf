"""Figures that need no event: ranking of a score series, and what a threshold makes of it minute by minute."""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Mask = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def segments(label: Mask) -> IntArray:
    """First and last index of each run of True, (n, 2).

    Examples
    --------
    >>> segments(np.array([True, False, True, True])).tolist()
    [[0, 0], [2, 3]]
    """
    edges = np.diff(np.concatenate(([0], label.astype(np.int8), [0])))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1], axis=1).astype(np.int64)


def _ranked(score: AnyFloats, label: Mask) -> tuple[FloatArray, FloatArray]:
    """True and false positives at each distinct score, highest first; NaN is the lowest."""
    filled = np.where(np.isnan(score), -np.inf, score)
    order = np.argsort(-filled, kind="stable")
    ordered = filled[order]
    last = np.flatnonzero(np.concatenate((ordered[1:] != ordered[:-1], [True])))
    hits = np.cumsum(label[order])[last].astype(np.float64)
    return hits, last + 1.0 - hits


def average_precision(score: AnyFloats, label: Mask) -> float:
    """Area under the precision-recall steps; equal scores are one step, so that a constant scores the prevalence.

    Parameters
    ----------
    score : (n,)
        Higher is odder; NaN counts as the lowest.
    label : (n,) bool
        What is an event.

    Returns
    -------
    float
        NaN without a True in ``label``.
    """
    if not label.any():
        return math.nan
    hits, false = _ranked(score, label)
    return float(np.sum(np.diff(hits, prepend=0.0) * hits / (hits + false)) / hits[-1])


def auroc(score: AnyFloats, label: Mask) -> float:
    """Probability that an event scores above a normal instant, ties half; arguments as ``average_precision``."""
    if not label.any() or label.all():
        return math.nan
    hits, false = _ranked(score, label)
    height = np.concatenate(([0.0], hits))
    area = np.sum(np.diff(false, prepend=0.0) * 0.5 * (height[1:] + height[:-1]))
    return float(area / (hits[-1] * false[-1]))


def point_counts(predicted: Mask, label: Mask) -> IntArray:
    """True positives, false positives, misses and true negatives, (4,); counts of several cells may be added."""
    hits = int((predicted & label).sum())
    false, missed = int(predicted.sum()) - hits, int(label.sum()) - hits
    return np.array([hits, false, missed, len(label) - hits - false - missed], dtype=np.int64)


def f1(counts: IntArray) -> float:
    """F1 of ``point_counts``; 0 where something is missed or false and nothing is hit, NaN where nothing is asked."""
    hits, false, missed = (int(x) for x in counts[:3])
    return 2.0 * hits / (2 * hits + false + missed) if hits + false + missed else math.nan


def adjusted(predicted: Mask, label: Mask, share: float = 0.0) -> Mask:
    """Predictions after point adjustment: a run of the label is all predicted once enough of it is.

    It lets a random score look excellent (Kim et al., AAAI 2022): never quote it without the random null beside.

    Parameters
    ----------
    predicted, label : (n,) bool
        Alarm and truth by instant.
    share
        More than this share (0-1) of the run must be predicted; 0 is the usual adjustment, 0.2 and 0.5 are PA%20
        and PA%50.
    """
    after = predicted.copy()
    for first, last in segments(label).tolist():
        if predicted[first : last + 1].mean() > share:
            after[first : last + 1] = True
    return after
