"""Volume under the surface: ranking quality that forgives a little time at the edges of an event."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.pointwise import AnyFloats, FloatArray, Mask, segments

IntArray = NDArray[np.int64]


class Volume(NamedTuple):
    """Volume under the precision-recall and the ROC surface; NaN without an event."""

    pr: float
    roc: float


def volume(
    score: AnyFloats, label: Mask, buffer: int, valid: Mask | None = None, thresholds: int = 250
) -> Volume:
    """VUS-PR and VUS-ROC (Paparrizos et al., PVLDB 15(11):2774, 2022), as their reference code computes them.

    For each buffer l = 0 ... ``buffer`` the events grow by l/2 samples on either side, where sample d beyond the edge
    weighs sqrt(1 - d/l); recall is the weight hit over the samples of the events and half the buffer weight hit, times
    the share of events touched; precision is the weight hit over all samples predicted.

    Parameters
    ----------
    score : (n,)
        Higher is odder; NaN counts as the lowest.
    label : (n,) bool
        What is an event.
    buffer
        Largest buffer [samples].
    valid : (n,) bool
        Samples that count; the others are neither hits nor false. None for all.
    thresholds
        How many, at equal steps of rank.
    """
    counts = np.ones(len(label), dtype=np.bool_) if valid is None else valid
    runs = segments(label & counts)
    if len(runs) == 0:
        return Volume(math.nan, math.nan)
    filled = np.where(np.isnan(score), -np.inf, score)
    ordered = np.sort(filled[counts])[::-1]
    limits = ordered[np.linspace(0, len(ordered) - 1, thresholds).astype(np.int64)]
    # First threshold at which a sample is predicted; `thresholds` where it never is.
    reached = np.searchsorted(-limits, -filled, side="left")
    predicted = np.searchsorted(-ordered, -limits, side="right").astype(np.float64)
    inside = np.flatnonzero(label & counts)
    hits = _reached_by(reached[inside], np.ones(len(inside)), thresholds)
    pr, roc = np.empty(buffer + 1), np.empty(buffer + 1)
    for length in range(buffer + 1):
        index, weight = _buffer(runs, counts, label, length)
        gained = _reached_by(reached[index], weight, thresholds)
        touched = _touched(runs, reached, counts, length // 2, thresholds)
        positives = len(inside) + 0.5 * gained
        recall = np.minimum((hits + gained) / positives, 1.0) * touched
        fall_out = (predicted - hits - gained) / np.maximum(len(ordered) - positives, 1e-12)
        precision = (hits + gained) / predicted
        pr[length] = np.sum(np.diff(recall, prepend=0.0) * precision)
        across, up = np.concatenate(([0.0], fall_out, [1.0])), np.concatenate(([0.0], recall, [1.0]))
        roc[length] = np.sum(np.diff(across) * 0.5 * (up[1:] + up[:-1]))
    return Volume(float(pr.mean()), float(roc.mean()))


def _reached_by(reached: IntArray, weight: FloatArray, thresholds: int) -> FloatArray:
    """Weight predicted at each threshold."""
    return np.cumsum(np.bincount(reached, weight, minlength=thresholds + 1)[:thresholds], dtype=np.float64)


def _buffer(runs: IntArray, counts: Mask, label: Mask, length: int) -> tuple[IntArray, FloatArray]:
    """Samples of the buffers around the runs and their weights; where two buffers meet, weights add up to 1 at most."""
    half = length // 2
    if half == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    away = np.arange(1, half + 1)
    index = np.concatenate([(runs[:, :1] - away).ravel(), (runs[:, 1:] + away).ravel()])
    weight = np.tile(np.sqrt(1.0 - away / length), 2 * len(runs))
    here = (index >= 0) & (index < len(label))
    index, weight = index[here], weight[here]
    here = counts[index] & ~label[index]
    found, place = np.unique(index[here], return_inverse=True)
    return found, np.minimum(np.bincount(place, weight[here], minlength=len(found)), 1.0)


def _touched(runs: IntArray, reached: IntArray, counts: Mask, half: int, thresholds: int) -> FloatArray:
    """Share of the grown events that hold a predicted sample, at each threshold; those that meet are one."""
    last = len(reached) - 1
    grown: list[list[int]] = []
    for first, end in zip(np.maximum(runs[:, 0] - half, 0), np.minimum(runs[:, 1] + half, last), strict=True):
        if grown and first <= grown[-1][1]:
            grown[-1][1] = int(end)
        else:
            grown.append([int(first), int(end)])
    earliest = [
        int(np.where(counts[first : end + 1], reached[first : end + 1], thresholds).min())
        for first, end in grown
    ]
    return _reached_by(np.array(earliest), np.ones(len(grown)), thresholds) / len(grown)
