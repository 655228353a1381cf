"""Affiliation: how near predictions are to events and events to predictions, against chance."""

import math
from typing import NamedTuple

import numpy as np

from models.scoring.pointwise import FloatArray, Mask, segments


class Affiliation(NamedTuple):
    """Precision, recall and F1, 0-1; always-alarm scores well, so quote it with that null."""

    precision: float
    recall: float
    f1: float


def affiliation(predicted: Mask, label: Mask) -> Affiliation:
    """Affiliation precision and recall (Huet et al., KDD 2022, arXiv 2206.13167), in samples.

    The time axis is split half-way between events. Precision is the mean over the predicted samples of a zone of the
    probability that a random point of the zone is farther from the event; recall the mean over the samples of the event
    of the probability that a random point is farther away than the nearest prediction of the zone. Both are means
    over zones, precision over those with a prediction. A sample stands for the interval around its centre.

    Parameters
    ----------
    predicted, label : (n,) bool
        Alarm and truth by sample.

    Returns
    -------
    Affiliation
        NaN without an event; precision and F1 NaN without a prediction.
    """
    runs = segments(label)
    if len(runs) == 0:
        return Affiliation(math.nan, math.nan, math.nan)
    cuts = [0.0, *((runs[:-1, 1] + 1 + runs[1:, 0]) / 2.0).tolist(), float(len(label))]
    precisions: list[float] = []
    recalls: list[float] = []
    said = np.flatnonzero(predicted).astype(np.float64) + 0.5
    for zone, (first, last) in enumerate(runs.tolist()):
        low, high = cuts[zone], cuts[zone + 1]
        mine = said[(said >= low) & (said < high)]
        precisions.append(_precision(mine, low, high, first, last + 1))
        recalls.append(_recall(mine, low, high, np.arange(first + 0.5, last + 1.0)))
    some = [p for p in precisions if not math.isnan(p)]
    precision = sum(some) / len(some) if some else math.nan
    recall = sum(recalls) / len(recalls)
    both = precision + recall
    return Affiliation(precision, recall, 2.0 * precision * recall / both if both > 0.0 else both)


def _precision(said: FloatArray, low: float, high: float, first: float, last: float) -> float:
    """Of one zone [low, high) with the event [first, last)."""
    if len(said) == 0:
        return math.nan
    away = np.maximum(np.maximum(first - said, said - last), 0.0)
    farther = np.maximum(first - low - away, 0.0) + np.maximum(high - last - away, 0.0)
    return float(np.where(away > 0.0, farther / (high - low), 1.0).mean())


def _recall(said: FloatArray, low: float, high: float, instants: FloatArray) -> float:
    """Of one zone, over the centres of the event's samples."""
    if len(said) == 0:
        return 0.0
    after = np.searchsorted(said, instants)
    gap = np.minimum(
        np.abs(instants - said[np.minimum(after, len(said) - 1)]),
        np.abs(instants - said[np.maximum(after - 1, 0)]),
    )
    # A predicted sample covers half a sample to either side of its centre.
    away = np.maximum(gap - 0.5, 0.0)
    nearer = np.minimum(instants + away, high) - np.maximum(instants - away, low)
    return float((1.0 - nearer / (high - low)).mean())
