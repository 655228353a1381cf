"""Alarms and labels of one history, checked against its plant, as the scorer takes them."""

import logging
import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from msgspec import Struct

from models.scoring.events import Episode, Event
from streams.plant_file import Plant
from streams.tables import Batch, HistoryError, floats, texts, times
from twin.signals import ALARM_KINDS, SIDES

_LOG = logging.getLogger(__name__)
_LABELS = ("cell", "kind", "anode", "side", "start", "observable", "end", "severity")
#: Alarms may lag behind the record by so much, and come before its first reading by no more than an hour.
_AFTER_US = 86_400_000_000
_BEFORE_US = 3_600_000_000


class InputMissing(Exception):
    """A file or folder that is not there; the message names it and says what should be."""


class _Transition(Struct, frozen=True):
    """What the scorer needs of one line of ``alarms.jsonl``."""

    time: datetime
    id: str
    line: str
    cell: str
    kind: str
    transition: str
    state: str = "UNACK"
    anode: int | None = None
    side: str | None = None
    score: float = 1.0


class AlarmLog(NamedTuple):
    """Alarms of one history.

    Attributes
    ----------
    episodes
        From raise to clear, not merged; suppressed ones left out.
    counts
        What was left out or mended, by reason.
    """

    episodes: list[Episode]
    counts: dict[str, int]


class Span(NamedTuple):
    """First and last instant of a record, UTC microseconds."""

    first_us: int
    last_us: int


def found(path: Path, name: str) -> Path:
    """A file, or the one of that name in a folder; raises ``InputMissing``."""
    inside = path / name if path.is_dir() else path
    if not inside.is_file():
        raise InputMissing(f"{inside}: no such file")
    return inside


def read_alarms(path: Path, plant: Plant, record: Span, first_cell: int, prefix: str) -> AlarmLog:
    """Read ``alarms.jsonl``, of a replay or of a live gateway.

    Parameters
    ----------
    path
        The file.
    plant
        Of the history that it is about.
    record
        Of the readings.
    first_cell
        Index of the plant's first cell among all cells scored.
    prefix
        Goes before ids of lines, so that those of two histories differ.

    Raises
    ------
    HistoryError
        A line that is no transition, a cell or line that the plant has not got, or alarms of another time; names file,
        line and cell.
    """
    open_since: dict[str, Episode] = {}
    silenced: set[str] = set()
    done: list[Episode] = []
    counts: Counter[str] = Counter()
    for number, entry in _transitions(path):
        where = f"{path}: line {number}"
        time_us = _checked(where, entry, plant, record)
        if entry.transition == "clear":
            alarm = open_since.pop(entry.id, None)
            if alarm is not None:
                done.append(alarm._replace(end_us=max(time_us, alarm.start_us)))
            elif entry.id not in silenced:
                counts["clears_without_raise"] += 1
            silenced.discard(entry.id)
        elif entry.transition == "raise" and entry.state == "DSUPR":
            silenced.add(entry.id)
            counts["raised_suppressed"] += 1
        elif entry.transition == "raise" or (entry.transition == "unsuppress" and entry.id in silenced):
            silenced.discard(entry.id)
            if entry.id in open_since:
                counts["raised_again"] += 1
                continue
            cell = first_cell + plant.cell_index[entry.cell] if entry.cell else -1
            place = (entry.anode, entry.side)
            open_since[entry.id] = Episode(
                cell, prefix + entry.line, entry.kind, *place, time_us, record.last_us, max(entry.score, 0.0)
            )
    counts["open_at_end"] = len(open_since)
    done += [a._replace(end_us=max(record.last_us, a.start_us)) for a in open_since.values()]
    return AlarmLog(done, {reason: n for reason, n in sorted(counts.items()) if n})


def _transitions(path: Path) -> Iterator[tuple[int, _Transition]]:
    decoder = msgspec.json.Decoder(_Transition)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise HistoryError(f"{path}: line {number}: is no alarm transition: {error}") from error


def _checked(where: str, entry: _Transition, plant: Plant, record: Span) -> int:
    """Time of a transition [us]; says what does not fit the history."""
    if entry.kind not in ALARM_KINDS:
        raise HistoryError(f"{where}: kind {entry.kind!r} is not an alarm kind of the contract")
    if entry.line not in plant.lines:
        raise HistoryError(
            f"{where}: line {entry.line!r} is not in plant.toml of the history ({', '.join(plant.lines)})"
        )
    if entry.cell and plant.line_of.get(entry.cell) != entry.line:
        raise HistoryError(
            f"{where}: cell {entry.cell!r} is not a cell of line {entry.line} in plant.toml of the history: "
            "are these the alarms of this history?"
        )
    if entry.side is not None and entry.side not in SIDES:
        raise HistoryError(f"{where}: side {entry.side!r} is none of {', '.join(SIDES)}")
    if entry.time.tzinfo is None:
        raise HistoryError(f"{where}: time has no zone; write it in UTC with a Z")
    if not math.isfinite(entry.score):
        raise HistoryError(f"{where}: score {entry.score} is no number")
    time_us = round((entry.time - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
    if not record.first_us - _BEFORE_US <= time_us <= record.last_us + _AFTER_US:
        raise HistoryError(
            f"{where}: {entry.time.isoformat()} lies outside the readings: are these the alarms of this history?"
        )
    return time_us


def read_labels(path: Path, plant: Plant, first_cell: int) -> list[Event]:
    """Read ``labels.parquet`` (``.csv``, ``.csv.gz``).

    Parameters
    ----------
    path
        The file.
    plant
        Of the history that it is about.
    first_cell
        Index of the plant's first cell among all cells scored.

    Raises
    ------
    HistoryError
        Unreadable file, missing column, or a row that makes no sense; names file, row and cell.
    """
    table = _table(path)
    missing = [name for name in _LABELS if name not in table.column_names]
    if missing:
        raise HistoryError(f"{path}: has no column {missing[0]}; labels need {', '.join(_LABELS)}")
    for name in table.column_names:
        if name not in _LABELS:
            _LOG.warning("%s: column %s is not in the contract and is ignored", path, name)
    for name in ("start", "observable", "end"):
        if table.column(name).null_count:
            raise HistoryError(f"{path}: column {name} has empty rows; every event has three times")
    start, seen, end = (times(path, table, name).tolist() for name in ("start", "observable", "end"))
    anodes, severity = (_numbers(path, table, name) for name in ("anode", "severity"))
    cells, kinds, sides = (texts(table, name) for name in ("cell", "kind", "side"))
    events: list[Event] = []
    for i in range(table.num_rows):
        where = f"{path}: row {i + 1}"
        if cells[i] not in plant.cell_index:
            raise HistoryError(f"{where}: cell {cells[i]!r} is not in plant.toml of the history")
        cell = plant.cell_index[cells[i]]
        if kinds[i] not in ALARM_KINDS:
            raise HistoryError(f"{where}: kind {kinds[i]!r} is not an alarm kind of the contract")
        if sides[i] and sides[i] not in SIDES:
            raise HistoryError(f"{where}: cell {cells[i]}: side {sides[i]!r} is none of {', '.join(SIDES)}")
        if not start[i] <= seen[i] <= end[i]:
            raise HistoryError(
                f"{where}: cell {cells[i]}: start, observable and end do not follow on one another"
            )
        if not 0.0 <= severity[i] <= 1.0:
            raise HistoryError(f"{where}: cell {cells[i]}: severity {severity[i]} is not between 0 and 1")
        anode = _anode(where, anodes[i], plant.cells[cell].n_anodes)
        times_us = (start[i], seen[i], end[i])
        events.append(Event(first_cell + cell, kinds[i], anode, sides[i] or None, *times_us, severity[i]))
    return events


def _table(path: Path) -> Batch:
    """A whole small file; raises ``HistoryError``."""
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        texts = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in _LABELS}, strings_can_be_null=True
        )
        return pa_csv.read_csv(path, convert_options=texts)
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: is not a readable table of labels: {error}") from error


def _numbers(path: Path, table: Batch, name: str) -> list[float]:
    """A column of numbers, null as NaN; a text that is none is an error."""

    def refused(path: Path, column: str, text: str) -> None:
        raise HistoryError(f"{path}: column {column}: {text!r} is no number")

    column = pa.table({name: table.column(name).combine_chunks()})
    return floats(path, column.to_batches()[0], name, refused).tolist() if table.num_rows else []


def _anode(where: str, value: float, n_anodes: int) -> int | None:
    if math.isnan(value):
        return None
    if value != round(value) or value < 1 or (n_anodes and value > n_anodes):
        raise HistoryError(f"{where}: anode {value:g} is none of the {n_anodes} of its cell, counted from 1")
    return round(value)
