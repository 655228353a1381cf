"""Events of the truth, alarms of the log, and which alarm answers for which event."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.rules import GRACE_S, WINDOWS, compatible

Mask = NDArray[np.bool_]
#: Where a false alarm may fall, most particular first.
CONTEXTS: tuple[str, ...] = ("line_event", "tapping_or_beam", "after_anode_change", "otherwise")
GRID_US = 60_000_000


class Event(NamedTuple):
    """One thing that truly happened.

    Attributes
    ----------
    cell
        Index into the cells that are scored.
    kind
        Alarm kind by contract.
    anode, side
        Where, or None.
    start_us, observable_us, end_us
        Physical start, when it could first be seen, and when it was over; UTC microseconds.
    severity
        0-1.
    """

    cell: int
    kind: str
    anode: int | None
    side: str | None
    start_us: int
    observable_us: int
    end_us: int
    severity: float = 1.0


class Episode(NamedTuple):
    """One alarm as people see it, from raise to clear.

    Attributes
    ----------
    cell
        Index into the cells; -1 for an alarm of the whole line.
    line
        Key of the line.
    kind
        Alarm kind; empty for a null model, which names nothing.
    anode, side
        Where, or None.
    start_us, end_us
        UTC microseconds.
    score
        Largest score that the log holds.
    """

    cell: int
    line: str
    kind: str
    anode: int | None
    side: str | None
    start_us: int
    end_us: int
    score: float = 1.0


class CellRecord(NamedTuple):
    """What is known of one cell on the grid of one minute.

    Attributes
    ----------
    name
        Unique among all cells scored.
    line
        Key of its line, unique among all lines scored.
    start_us
        First instant of the grid.
    observed : (n,) bool
        Something was measured in this minute.
    clear : (n,) bool
        In normal operation, and outside every event and the grace after it.
    context : (n,) int8
        Index into ``CONTEXTS``.
    """

    name: str
    line: str
    start_us: int
    observed: Mask
    clear: Mask
    context: NDArray[np.int8]

    @property
    def normal(self) -> Mask:
        """Minutes in which an alarm would be false and that count as watched, (n,) bool."""
        return self.observed & self.clear

    @property
    def end_us(self) -> int:
        """End of the grid."""
        return self.start_us + len(self.observed) * GRID_US

    def minute(self, time_us: int) -> int:
        """Index of the minute of an instant; outside the grid the nearest."""
        return min(max((time_us - self.start_us) // GRID_US, 0), len(self.observed) - 1)


class Match(NamedTuple):
    """An event and the first alarm that answers for it, or None."""

    event: Event
    alarm: Episode | None


def span(start_us: int, end_us: int, grid_start_us: int, n: int) -> slice:
    """Minutes of a grid that an interval touches.

    Examples
    --------
    >>> span(90_000_000, 120_000_000, 0, 10)
    slice(1, 2, None)
    """
    first = (start_us - grid_start_us) // GRID_US
    last = -((grid_start_us - end_us) // GRID_US)
    return slice(min(max(first, 0), n), min(max(last, 0), n))


def clear_time(operating: Mask, start_us: int, events: Sequence[Event]) -> Mask:
    """Minutes outside every event of the cell and the grace after it, (n,) bool.

    Parameters
    ----------
    operating : (n,) bool
        Minutes in which the cell was in normal operation.
    start_us
        First instant of the grid.
    events
        Of this cell.
    """
    clear = operating.copy()
    for event in events:
        first_us = min(event.start_us - round(WINDOWS[event.kind].before_s * 1e6), event.observable_us)
        clear[span(first_us, event.end_us + round(GRACE_S * 1e6), start_us, len(clear))] = False
    return clear


def with_predictions(events: Sequence[Event]) -> list[Event]:
    """Events, and for each anode effect one that asks for its prediction.

    A labelled ``anode_effect_imminent`` ends when its effect begins (or would have): what counts is how long before
    that an alarm comes, so that the prediction is asked of its end. Its own time before is not clear time.
    """
    told = [e for e in events if e.kind == "anode_effect_imminent"]
    found = [e for e in events if e.kind != "anode_effect_imminent"]
    found += [e._replace(start_us=e.end_us, observable_us=e.start_us) for e in told]
    asked = {(e.cell, e.end_us) for e in told}
    effects = [e for e in events if e.kind == "anode_effect"]
    found += [
        e._replace(kind="anode_effect_imminent")
        for e in effects
        # A label and its effect may be a minute apart: both are rounded.
        if not any(cell == e.cell and abs(end_us - e.start_us) <= GRID_US for cell, end_us in asked)
    ]
    return sorted(found, key=lambda e: (e.cell, e.start_us, e.kind, e.anode or 0, e.side or ""))


def window_us(event: Event) -> tuple[int, int]:
    """First and last instant at which the onset of an alarm counts for an event, UTC microseconds."""
    window = WINDOWS[event.kind]
    first_us = event.start_us - round(window.before_s * 1e6)
    return first_us, min(event.end_us, event.start_us + round(window.after_s * 1e6))


def is_cut(event: Event, cell: CellRecord) -> bool:
    """Whether the record begins after an event's window opens or ends before the window closes."""
    window = WINDOWS[event.kind]
    first_us = event.start_us - round(window.before_s * 1e6)
    last_us = event.start_us + round(window.after_s * 1e6)
    ends_with_record = event.end_us >= cell.end_us - GRID_US
    return first_us < cell.start_us or (ends_with_record and last_us > cell.end_us)


def is_hidden(event: Event) -> bool:
    """Whether an event never showed while an alarm still counted; a prediction is never hidden."""
    return event.kind != "anode_effect_imminent" and event.observable_us >= window_us(event)[1]


def match(cells: Sequence[CellRecord], events: Sequence[Event], episodes: Sequence[Episode]) -> list[Match]:
    """Give each event the first alarm that may speak of it and begins in its window.

    An alarm that fits one event in kind and place is that event's, and answers for no other unless it fits that one
    too. An alarm of the line may answer for any of its cells.

    Parameters
    ----------
    cells
        Lines of the cells, by index.
    events, episodes
        In any order; the answer is in the order of the events.
    """
    own: dict[int, list[Episode]] = {}
    of_line: dict[str, list[Episode]] = {}
    for episode in sorted(episodes, key=lambda a: (a.start_us, a.kind, a.anode or 0, a.side or "")):
        if episode.cell >= 0:
            own.setdefault(episode.cell, []).append(episode)
        else:
            of_line.setdefault(episode.line, []).append(episode)
    candidates = [
        _begin_in(own.get(event.cell, []), event) + _begin_in(of_line.get(cells[event.cell].line, []), event)
        for event in events
    ]
    claimed = {
        alarm
        for event, found in zip(events, candidates, strict=True)
        for alarm in found
        if exact(alarm, event)
    }
    matches: list[Match] = []
    for event, found in zip(events, candidates, strict=True):
        mine = (
            a
            for a in found
            if compatible(a.kind, a.anode, event.kind, event.anode) and (a not in claimed or exact(a, event))
        )
        matches.append(Match(event, min(mine, key=lambda a: a.start_us, default=None)))
    return matches


def exact(alarm: Episode, event: Event) -> bool:
    """Whether an alarm names kind, anode and side of an event."""
    return (alarm.kind, alarm.anode, alarm.side) == (event.kind, event.anode, event.side)


def _begin_in(alarms: list[Episode], event: Event) -> list[Episode]:
    first_us, last_us = window_us(event)
    low = bisect_left(alarms, first_us, key=lambda a: a.start_us)
    return alarms[low : bisect_right(alarms, last_us, key=lambda a: a.start_us)]


def is_false(alarm: Episode, cells: Sequence[CellRecord]) -> bool:
    """Whether an alarm begins in clear time; one of the line must find all its cells clear.

    A silence that the record confirms, for it holds no data either, is not false, whether labelled or not.
    """
    of = [cells[alarm.cell]] if alarm.cell >= 0 else [c for c in cells if c.line == alarm.line]
    at = [cell.minute(alarm.start_us) for cell in of]
    if not all(cell.clear[m] for cell, m in zip(of, at, strict=True)):
        return False
    silent = sum(not cell.observed[m] for cell, m in zip(of, at, strict=True))
    return alarm.kind != "stream_silent" or 2 * silent < len(of)


def context_of(alarm: Episode, cells: Sequence[CellRecord]) -> str:
    """Context in which an alarm begins."""
    if alarm.cell < 0:
        return "line_event"
    cell = cells[alarm.cell]
    return CONTEXTS[int(cell.context[cell.minute(alarm.start_us)])]


def merged(episodes: Sequence[Episode], gap_us: int = 60 * GRID_US) -> list[Episode]:
    """Alarms of the same cell, kind and place that follow within a gap are one alarm.

    Parameters
    ----------
    episodes
        In any order.
    gap_us
        Shorter time between the end of one and the start of the next is no end [us].
    """
    found: list[Episode] = []
    latest: dict[tuple[object, ...], int] = {}
    for episode in sorted(episodes, key=lambda a: (a.start_us, a.cell, a.kind, a.anode or 0, a.side or "")):
        key = (episode.cell, episode.line, episode.kind, episode.anode, episode.side)
        before = latest.get(key)
        if before is not None and episode.start_us - found[before].end_us < gap_us:
            earlier = found[before]
            found[before] = earlier._replace(
                end_us=max(earlier.end_us, episode.end_us), score=max(earlier.score, episode.score)
            )
        else:
            latest[key] = len(found)
            found.append(episode)
    return found
