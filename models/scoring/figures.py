"""From matched events and false alarms to the figures of one table row."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.events import (
    CONTEXTS,
    GRID_US,
    CellRecord,
    Episode,
    Event,
    Match,
    context_of,
    exact,
    is_cut,
    is_false,
    is_hidden,
    match,
)
from models.scoring.intervals import bootstrap_ratio, poisson, wilson
from models.scoring.rules import FAMILY_OF, NATURAL_RATE_PER_CELL_DAY, WINDOWS

FloatArray = NDArray[np.float64]
#: What goes into JSON: numbers, None where there is nothing to say, lists and objects of them.
Figures = dict[str, Any]
_MINUTES_PER_DAY = 1440.0


class Judged(NamedTuple):
    """Everything that a set of alarms did, ready to be counted for any group of kinds.

    Attributes
    ----------
    matches
        Every event that the record does not cut, and the alarm that answers for it.
    cut
        Events that the record cuts.
    false
        False alarms and the context of each.
    alarms
        All alarms.
    """

    matches: tuple[Match, ...]
    cut: tuple[Event, ...]
    false: tuple[tuple[Episode, str], ...]
    alarms: tuple[Episode, ...]


def judge(cells: Sequence[CellRecord], events: Sequence[Event], episodes: Sequence[Episode]) -> Judged:
    """Match alarms to events and find the false ones.

    Parameters
    ----------
    cells
        Every cell of the record.
    events
        As ``events.with_predictions`` gives them.
    episodes
        As ``events.merged`` gives them.
    """
    found = match(cells, events, episodes)
    whole = tuple(m for m in found if not is_cut(m.event, cells[m.event.cell]))
    cut = tuple(m.event for m in found if is_cut(m.event, cells[m.event.cell]))
    false = tuple((a, context_of(a, cells)) for a in episodes if is_false(a, cells))
    return Judged(whole, cut, false, tuple(episodes))


def row(
    judged: Judged, cells: Sequence[CellRecord], kinds: Sequence[str], rng: np.random.Generator
) -> Figures:
    """Figures of one group of kinds: recall, false alarms, precision at the natural rate, delay, place and kind.

    Parameters
    ----------
    judged
        Of ``judge``; alarms without a kind (null models) count for every group.
    cells
        Every cell of the record.
    kinds
        Kinds of the group, for events and alarms.
    rng
        Draws the bootstrap over cells.
    """
    wanted = set(kinds)
    matches = [m for m in judged.matches if m.event.kind in wanted]
    seen = [m for m in matches if not is_hidden(m.event)]
    false = [(a, context) for a, context in judged.false if not a.kind or a.kind in wanted]
    detected = sum(m.alarm is not None for m in seen)
    recall = detected / len(seen) if seen else math.nan
    days = float(sum(int(cell.normal.sum()) for cell in cells)) / _MINUTES_PER_DAY
    rate = len(false) / days if days else math.nan
    order = sorted(range(len(cells)), key=lambda i: cells[i].name)
    per_cell = _per_cell(cells, seen, false)[:, order]
    figures: Figures = {
        "events": len(seen),
        "events_hidden": len(matches) - len(seen),
        "events_hidden_detected": sum(m.alarm is not None for m in matches if is_hidden(m.event)),
        "events_cut": sum(e.kind in wanted for e in judged.cut),
        "detected": detected,
        "recall": number(recall),
        "recall_wilson_95": pair(wilson(detected, len(seen))),
        "recall_bootstrap_95": pair(bootstrap_ratio(per_cell[0], per_cell[1], rng)),
        "alarms": sum(not a.kind or a.kind in wanted for a in judged.alarms),
        "false_alarms": len(false),
        "normal_cell_days": number(days),
        "false_per_cell_day": number(rate),
        "false_per_cell_day_poisson_95": pair(poisson(len(false), days)),
        "false_per_cell_day_bootstrap_95": pair(bootstrap_ratio(per_cell[2], per_cell[3], rng)),
        "false_by_context": _by_context(cells, false),
        "precision_at_natural_rate": _natural(recall, rate, wanted),
    }
    return figures | _delays(seen) | _places(seen)


def number(value: float) -> float | None:
    """Six digits, or None where there is no figure: JSON has no NaN."""
    return None if not math.isfinite(value) else float(f"{value:.6g}")


def pair(interval: tuple[float, float]) -> list[float | None]:
    """Both ends as ``number``."""
    return [number(interval[0]), number(interval[1])]


def _per_cell(
    cells: Sequence[CellRecord], seen: Sequence[Match], false: Sequence[tuple[Episode, str]]
) -> FloatArray:
    """Detected, events, false alarms and normal days of each cell, (4, n_cells); line alarms have no cell."""
    counts = np.zeros((4, len(cells)))
    for event, alarm in seen:
        counts[1, event.cell] += 1.0
        counts[0, event.cell] += alarm is not None
    for alarm, _ in false:
        if alarm.cell >= 0:
            counts[2, alarm.cell] += 1.0
    counts[3] = [float(cell.normal.sum()) / _MINUTES_PER_DAY for cell in cells]
    return counts


def _by_context(cells: Sequence[CellRecord], false: Sequence[tuple[Episode, str]]) -> Figures:
    figures: Figures = {}
    for code, name in enumerate(CONTEXTS):
        count = sum(context == name for _, context in false)
        minutes = sum(int((cell.normal & (cell.context == code)).sum()) for cell in cells)
        days = minutes / _MINUTES_PER_DAY
        figures[name] = {
            "false_alarms": count,
            "normal_cell_days": number(days),
            "false_per_cell_day": number(count / days) if days else None,
            "poisson_95": pair(poisson(count, days)),
        }
    return figures


def precision_at_rate(recall: float, false_per_cell_day: float, rate_per_cell_day: float) -> float:
    """Share of the alarms that would be right where events come at a given rate (detection reference, 3.3).

    Parameters
    ----------
    recall
        Share of events detected (0-1).
    false_per_cell_day, rate_per_cell_day
        False alarms and events [1/cell-day].

    Examples
    --------
    >>> round(precision_at_rate(0.9, 0.05, 0.04), 2)
    0.42
    """
    right = recall * rate_per_cell_day
    return right / (right + false_per_cell_day) if right + false_per_cell_day > 0.0 else math.nan


def _natural(recall: float, rate: float, kinds: set[str]) -> float | None:
    """Precision at the natural rate of a family; None for a mixture of families or where the rate is not known."""
    families = {FAMILY_OF[kind] for kind in kinds}
    known = [f for f in families if f in NATURAL_RATE_PER_CELL_DAY]
    if len(families) != 1 or not known or len(kinds) == 1:
        return None
    return number(precision_at_rate(recall, rate, NATURAL_RATE_PER_CELL_DAY[known[0]]))


def _delays(seen: Sequence[Match]) -> Figures:
    """Delays from when an event could be seen; negative where the alarm was earlier."""
    found = [m for m in seen if m.alarm is not None]
    late = np.array([(m.alarm.start_us - m.event.observable_us) / 60e6 for m in found if m.alarm])
    since = np.array([(m.alarm.start_us - m.event.start_us) / 60e6 for m in found if m.alarm])
    restricted = [_restricted_min(m) for m in seen]
    return {
        "delay_median_min": number(float(np.median(late))) if len(found) else None,
        "delay_p90_min": number(float(np.percentile(late, 90))) if len(found) else None,
        "since_start_median_min": number(float(np.median(since))) if len(found) else None,
        "restricted_mean_time_to_detect_min": number(sum(restricted) / len(seen)) if seen else None,
    }


def _restricted_min(found: Match) -> float:
    """Delay of one event, between 0 and its tau; a miss counts as tau, so that missing hard cases gains nothing."""
    tau_min = abs(WINDOWS[found.event.kind].after_s) / 60.0
    if found.alarm is None:
        return tau_min
    delay_min = (found.alarm.start_us - found.event.observable_us) / 60e6
    return min(max(delay_min, 0.0), tau_min)


def _places(seen: Sequence[Match]) -> Figures:
    """Shares of the detected events whose alarm names the right anode, side and kind."""
    found = [(m.event, m.alarm) for m in seen if m.alarm is not None and m.alarm.kind]
    anodes = [(e, a) for e, a in found if e.anode is not None]
    sides = [(e, a) for e, a in found if e.side is not None]
    return {
        "right_anode": _share(sum(a.anode == e.anode for e, a in anodes), len(anodes)),
        "right_side": _share(sum(a.side == e.side for e, a in sides), len(sides)),
        "exact_kind": _share(sum(a.kind == e.kind for e, a in found), len(found)),
        "exact_kind_and_place": _share(sum(exact(a, e) for e, a in found), len(found)),
    }


def _share(hits: int, n: int) -> Figures:
    return {"share": number(hits / n) if n else None, "of": n, "wilson_95": pair(wilson(hits, n))}


def prediction(judged: Judged) -> Figures:
    """Anode effects foretold at least a minute and at most fifteen ahead: event precision, recall and F1.

    The interval of F1 is Wilson's of hits among hits, misses and false alarms (J), taken through F1 = 2 J / (1 + J).
    """
    asked = [m for m in judged.matches if m.event.kind == "anode_effect_imminent"]
    hit = sum(m.alarm is not None for m in asked)
    right = {m.alarm for m in asked if m.alarm is not None}
    false = sum(not a.kind or a.kind == "anode_effect_imminent" for a, _ in judged.false)
    precision = len(right) / (len(right) + false) if right or false else math.nan
    recall = hit / len(asked) if asked else math.nan
    both = 2 * hit + false + len(asked) - hit
    low, high = (2.0 * j / (1.0 + j) for j in wilson(hit, len(asked) + false))
    return {
        "events": len(asked),
        "precision": number(precision),
        "precision_wilson_95": pair(wilson(len(right), len(right) + false)),
        "recall": number(recall),
        "recall_wilson_95": pair(wilson(hit, len(asked))),
        "f1": number(2 * hit / both) if both and asked else None,
        "f1_wilson_95": pair((low, high)) if asked else [None, None],
    }


class Change(NamedTuple):
    """One logged anode change: index of the cell, anode counted from 1, instant [us], and whether it went wrong."""

    cell: int
    anode: int
    time_us: int
    abnormal: bool


def change_scores(
    changes: Sequence[Change], episodes: Sequence[Episode], within_us: int = 24 * 60 * GRID_US
) -> FloatArray:
    """Largest score of an alarm on the anode that begins within a day of each change, 0 without one, (n_changes,).

    Parameters
    ----------
    changes
        Any.
    episodes
        Alarms; those of the two anode families count, and those of null models on the cell.
    within_us
        How long after the change [us].
    """
    by_cell: dict[int, list[Episode]] = {}
    for a in episodes:
        if not a.kind or FAMILY_OF[a.kind] in ("anode_change", "anode_condition"):
            by_cell.setdefault(a.cell, []).append(a)
    scores = np.zeros(len(changes))
    for i, change in enumerate(changes):
        scores[i] = max(
            (
                a.score
                for a in by_cell.get(change.cell, ())
                if (not a.kind or a.anode == change.anode) and 0 <= a.start_us - change.time_us <= within_us
            ),
            default=0.0,
        )
    return scores
