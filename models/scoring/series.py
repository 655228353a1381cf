"""How well score series rank minutes: figures without a threshold, and those to report but never to optimise."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.affiliation import affiliation
from models.scoring.events import GRID_US, Episode, Event, span
from models.scoring.figures import Figures, number
from models.scoring.pointwise import Mask, adjusted, auroc, average_precision, f1, point_counts
from models.scoring.vus import volume

FloatArray = NDArray[np.float32]


class Target(NamedTuple):
    """Truth of one cell for one group of kinds, by minute.

    Attributes
    ----------
    label : (n,) bool
        An event of the group could be seen.
    valid : (n,) bool
        What counts: not the events of other groups, nor the hidden beginning of those of this group.
    """

    label: Mask
    valid: Mask


def target(n: int, start_us: int, events: Sequence[Event], kinds: set[str]) -> Target:
    """Truth of one cell.

    Parameters
    ----------
    n, start_us
        Minutes of the grid and its first instant [us].
    events
        Of this cell, all kinds.
    kinds
        Kinds of the group.
    """
    label, valid = np.zeros(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)
    for event in events:
        valid[span(event.start_us, event.end_us, start_us, n)] = False
    for event in events:
        if event.kind in kinds and event.kind != "anode_effect_imminent":
            label[span(event.observable_us, event.end_us, start_us, n)] = True
    return Target(label, valid | label)


def of_episodes(n: int, start_us: int, episodes: Sequence[Episode]) -> FloatArray:
    """Score series that an alarm log holds, (n,): the score of the alarms that stand, 0 without one.

    Parameters
    ----------
    n, start_us
        Minutes of the grid and its first instant [us].
    episodes
        Alarms of the cell.
    """
    score = np.zeros(n, dtype=np.float32)
    for a in episodes:
        during = span(a.start_us, max(a.end_us, a.start_us + GRID_US), start_us, n)
        score[during] = np.maximum(score[during], a.score)
    return score


def figures(
    scores: Sequence[FloatArray], alarms: Sequence[Mask], targets: Sequence[Target], buffer: int
) -> Figures:
    """Figures of one group over all cells.

    Parameters
    ----------
    scores : (n,) each
        Score of each cell.
    alarms : (n,) bool each
        Alarm of each cell, at the threshold of the row.
    targets
        Truth of each cell.
    buffer
        Of the volume under the surface [minutes].

    Returns
    -------
    dict
        Ranking over all minutes of all cells together; VUS and affiliation by cell with an event, then the mean.
    """
    pooled = np.concatenate([s[t.valid] for s, t in zip(scores, targets, strict=True)])
    label = np.concatenate([t.label[t.valid] for t in targets])
    eventful = [i for i, t in enumerate(targets) if t.label.any()]
    volumes = [volume(scores[i], targets[i].label, buffer, targets[i].valid) for i in eventful]
    near = [affiliation(alarms[i] & targets[i].valid, targets[i].label) for i in eventful]
    named = {
        "vus_pr": [v.pr for v in volumes],
        "vus_roc": [v.roc for v in volumes],
        "affiliation_precision": [a.precision for a in near],
        "affiliation_recall": [a.recall for a in near],
        "affiliation_f1": [a.f1 for a in near],
    }
    return {
        "prevalence": number(float(label.mean())) if len(label) else None,
        "auc_pr": number(average_precision(pooled, label)),
        "auroc": number(auroc(pooled, label)),
        **{name: _mean(values) for name, values in named.items()},
        "never_optimise": _points(alarms, targets),
    }


def _mean(values: list[float]) -> float | None:
    known = [v for v in values if v == v]
    return number(sum(known) / len(known)) if known else None


def _points(alarms: Sequence[Mask], targets: Sequence[Target]) -> Figures:
    """Point-wise figures; point-adjusted ones mean nothing without those of the random null beside."""
    counts = np.zeros((4, 4), dtype=np.int64)
    minutes = in_alarm = 0
    for alarm, t in zip(alarms, targets, strict=True):
        predicted, label = alarm[t.valid], t.label[t.valid]
        counts[0] += point_counts(predicted, label)
        for row, share in enumerate((0.0, 0.2, 0.5), start=1):
            counts[row] += point_counts(adjusted(predicted, label, share), label)
        minutes, in_alarm = minutes + len(alarm), in_alarm + int(alarm.sum())
    hits, false, missed, quiet = (int(x) for x in counts[0])
    return {
        "point_f1": number(f1(counts[0])),
        "false_alarm_rate": number(false / (false + quiet)) if false + quiet else None,
        "missed_alarm_rate": number(missed / (hits + missed)) if hits + missed else None,
        "alarm_time_share": number(in_alarm / minutes) if minutes else None,
        "pa_f1": number(f1(counts[1])),
        "pa20_f1": number(f1(counts[2])),
        "pa50_f1": number(f1(counts[3])),
    }
