"""``potline evaluate``: how good alarms are against labels, beside the null models that they have to beat."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.evaluate_case import Case, Source, opened
from edge.evaluate_nulls import NullResult, halves, run
from edge.evaluate_read import InputMissing
from edge.evaluate_table import render
from edge.exits import NO_INPUT, OK
from models.scoring import nulls
from models.scoring.events import GRID_US, Episode, span
from models.scoring.figures import Figures, Judged, change_scores, judge, number, prediction, row
from models.scoring.pointwise import auroc, average_precision
from models.scoring.rules import BUFFER_S, FAMILY_OF, groups
from models.scoring.series import Target, figures, of_episodes, target

F32 = NDArray[np.float32]
#: A null whose average precision is farther than this from the prevalence betrays a record that drifts.
CLOCK_TOLERANCE = 0.03
_DAY_MIN = 1440


class _Rival(NamedTuple):
    """One row of every table: the alarms that are scored, or a null model.

    Attributes
    ----------
    judged
        By group with a threshold of its own.
    scores
        Series by cell, by group.
    alarms
        By group with a threshold of its own.
    in_hindsight
        As ``judged``, at thresholds chosen on the cells that are judged; empty for the system and where there is none.
    """

    judged: Mapping[str, Judged]
    scores: Mapping[str, list[F32]]
    alarms: Mapping[str, Sequence[Episode]]
    in_hindsight: Mapping[str, Judged]


def evaluate(
    sources: Sequence[Source],
    *,
    table: bool,
    seed: int,
    say: Callable[[str], None],
    tell: Callable[[str], None],
) -> int:
    """Score the alarms of one or more histories.

    Parameters
    ----------
    sources
        Alarms, labels and readings of each history.
    table
        Also tell the table for people.
    seed
        Of the bootstrap and of the null models that draw.
    say
        Gets the scores, one JSON object.
    tell
        Gets the table.

    Returns
    -------
    int
        0, or 66 when a file is not there.

    Raises
    ------
    HistoryError, PlantError
        When alarms, labels or readings cannot be used.
    """
    try:
        with opened(sources) as case:
            found = scores(case, seed)
    except InputMissing as error:
        tell(f"potline: {error}")
        return NO_INPUT
    say(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    if table:
        tell(render(found))
    return OK


def scores(case: Case, seed: int) -> Figures:
    """All figures of a case.

    Parameters
    ----------
    case
        Cells, events and alarms.
    seed
        Of everything that is drawn.

    Returns
    -------
    dict
        ``record`` (what was scored), ``groups`` (by group of kinds: ``system`` and ``nulls``, with ``beaten``),
        ``anode_changes``, ``anode_effect_prediction`` and ``clock``.
    """
    kinds = _tables(case)
    own = {name: wanted for name, wanted in kinds.items() if name not in FAMILY_OF}
    judged = judge(case.cells, case.events, case.episodes)
    targets = {name: _targets(case, wanted) for name, wanted in own.items()}
    rivals = {"system": _system(case, judged, own)}
    left_out: Figures = {}
    result: dict[str, dict[str, Figures]] = {name: {} for name in kinds}
    changes: Figures = {}
    predictions: Figures = {}
    clock: Figures = {}
    for name in ("system", *nulls.NULLS):
        try:
            rival = rivals.pop(name) if name in rivals else _null(name, case, judged, own, seed)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        for group, wanted in kinds.items():
            result[group][name] = _row(case, rival, group, wanted, targets, seed)
        changes[name] = _changes(case, rival, name == "system")
        predictions[name] = prediction(rival.judged["process" if "process" in own else "all"])
        if name == "clock":
            clock = _clock(result["all"][name])
    for by_rival in result.values():
        _compare(by_rival)
    return {
        "record": _record(case, judged),
        "groups": result,
        "anode_changes": {"changes": len(case.changes), "abnormal": sum(c.abnormal for c in case.changes)}
        | changes,
        "anode_effect_prediction": predictions,
        "clock": clock,
        "nulls_left_out": left_out,
    }


def _tables(case: Case) -> dict[str, tuple[str, ...]]:
    """Groups with an event or an alarm in them; all kinds together in any case."""
    present = {e.kind for e in case.events} | {a.kind for a in case.episodes}
    return {name: wanted for name, wanted in groups().items() if name == "all" or present & set(wanted)}


def _system(case: Case, judged: Judged, own: Mapping[str, tuple[str, ...]]) -> _Rival:
    """The alarms that are scored; outside an alarm their log holds no score."""
    of_cell: dict[int, list[Episode]] = {}
    for a in case.episodes:
        for i, cell in enumerate(case.cells):
            if a.cell == i or (a.cell < 0 and a.line == cell.line):
                of_cell.setdefault(i, []).append(a)
    by_group = {
        name: [
            of_episodes(
                len(cell.observed), cell.start_us, [a for a in of_cell.get(i, []) if a.kind in wanted]
            )
            for i, cell in enumerate(case.cells)
        ]
        for name, wanted in own.items()
    }
    alarms = {name: [a for a in case.episodes if a.kind in wanted] for name, wanted in own.items()}
    return _Rival(dict.fromkeys(own, judged), by_group, alarms, {})


def _null(name: str, case: Case, judged: Judged, own: Mapping[str, tuple[str, ...]], seed: int) -> _Rival:
    """One null model, judged."""
    _, other = halves(len(case.cells))
    if not other or _lonely(case):
        raise ValueError(
            "needs two cells in each history: thresholds are frozen on other cells than they are used on"
        )
    ran: NullResult = run(name, case, judged, own, seed)
    by_group, in_hindsight = (
        {group: judge(case.cells, case.events, found) for group, found in told.items()}
        for told in (ran.episodes, ran.in_hindsight)
    )
    return _Rival(by_group, dict.fromkeys(own, ran.scores), ran.episodes, in_hindsight)


def _lonely(case: Case) -> bool:
    """Whether a history has one cell only."""
    grids = [id(s.grid) for s in case.sensors]
    return any(grids.count(grid) == 1 for grid in set(grids))


def _row(
    case: Case,
    rival: _Rival,
    group: str,
    wanted: tuple[str, ...],
    targets: Mapping[str, list[Target]],
    seed: int,
) -> Figures:
    """One row of the table of a group; kinds are judged at the threshold of their family."""
    of = group if group in targets else FAMILY_OF[group]
    found = row(rival.judged[of], case.cells, wanted, np.random.default_rng([seed, 1]))
    if rival.in_hindsight:
        best = row(rival.in_hindsight[of], case.cells, wanted, np.random.default_rng([seed, 1]))
        found["in_hindsight"] = {key: best[key] for key in ("recall", "false_alarms", "false_per_cell_day")}
    if group not in targets or not any(t.label.any() for t in targets[group]):
        return found
    masks = [np.zeros(len(cell.observed), dtype=np.bool_) for cell in case.cells]
    for a in rival.alarms[group]:
        for i in [a.cell] if a.cell >= 0 else [k for k, c in enumerate(case.cells) if c.line == a.line]:
            cell = case.cells[i]
            masks[i][span(a.start_us, max(a.end_us, a.start_us + GRID_US), cell.start_us, len(masks[i]))] = (
                True
            )
    buffer = round(BUFFER_S.get(group, 3600.0) * 1e6) // GRID_US
    return found | {"series": figures(rival.scores[group], masks, targets[group], buffer)}


def _targets(case: Case, wanted: tuple[str, ...]) -> list[Target]:
    """Truth of every cell for a group."""
    return [
        target(len(cell.observed), cell.start_us, [e for e in case.events if e.cell == i], set(wanted))
        for i, cell in enumerate(case.cells)
    ]


def _changes(case: Case, rival: _Rival, is_system: bool) -> Figures:
    """How well the largest score of the day after a change tells abnormal changes from normal ones."""
    abnormal = np.array([c.abnormal for c in case.changes], dtype=np.bool_)
    if is_system:
        value = change_scores(case.changes, case.episodes)
    else:
        value = np.zeros(len(case.changes))
        series = rival.scores["all"]
        for k, change in enumerate(case.changes):
            first = case.cells[change.cell].minute(change.time_us)
            after = series[change.cell][first : first + _DAY_MIN]
            value[k] = float(np.nanmax(after)) if np.isfinite(after).any() else 0.0
    return {
        "auroc": number(auroc(value, abnormal)),
        "average_precision": number(average_precision(value, abnormal)),
        "prevalence": number(float(abnormal.mean())) if len(abnormal) else None,
    }


def _clock(row: Figures) -> Figures:
    """Whether a mere clock finds the events: it must not."""
    series = row.get("series")
    if series is None:
        return {}
    difference = series["auc_pr"] - series["prevalence"]
    return {
        "average_precision": series["auc_pr"],
        "prevalence": series["prevalence"],
        "difference": number(difference),
        "honest": abs(difference) <= CLOCK_TOLERANCE,
    }


def _compare(by_rival: dict[str, Figures]) -> None:
    """Note in every null's row whether the system beats it: finds more than it could have at the same false alarms.

    A model without a threshold is beaten where the system finds more at no more false alarms, within the interval;
    ``more false`` is one that finds as much, but at surely more false alarms.
    """
    system = by_rival["system"]
    if system["recall"] is None or system["false_per_cell_day"] is None:
        return
    for name, null in by_rival.items():
        low, high = null["false_per_cell_day_poisson_95"]
        if name == "system":
            continue
        if "in_hindsight" in null:
            null["beaten"] = "yes" if system["recall"] > null["in_hindsight"]["recall"] else "NO"
        elif system["recall"] > null["recall"] and system["false_per_cell_day"] <= high:
            null["beaten"] = "yes"
        else:
            null["beaten"] = "more false" if low > system["false_per_cell_day_poisson_95"][1] else "NO"


def _record(case: Case, judged: Judged) -> Figures:
    days = sum(len(c.observed) for c in case.cells) / _DAY_MIN
    silent = [c.name for c in case.cells if not c.observed.any()]
    return {
        "cells": len(case.cells),
        "cells_without_readings": silent,
        "cell_days": number(days),
        "cell_days_normal": number(sum(int(c.normal.sum()) for c in case.cells) / _DAY_MIN),
        "events": len([e for e in case.events if e.kind != "anode_effect_imminent"]),
        "alarms": len(case.episodes),
        "alarms_without_data": sum(_blind(case, a) for a in case.episodes),
        "left_out": case.counts,
    }


def _blind(case: Case, alarm: Episode) -> bool:
    """Whether an alarm begins in a minute in which nothing of its cell was measured."""
    cell = case.cells[alarm.cell]
    return alarm.cell >= 0 and not cell.observed[cell.minute(alarm.start_us)]
