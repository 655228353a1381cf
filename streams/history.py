"""A recorded history, a folder of Parquet or CSV files, back to items in time order."""

import heapq
import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.messages import CounterReading, Event, Item, Reading, Sample, Tick
from streams.plant_file import Plant, load_plant
from streams.tables import (
    Batch,
    HistoryError,
    batches,
    column_names,
    floats,
    parts,
    table_files,
    texts,
    times,
)
from streams.values import event_attributes
from twin.signals import ARRAY_READINGS, COUNTERS, EVENTS, SAMPLES, SCALAR_READINGS

__all__ = ["HistoryError", "history_range", "read_history", "read_plant"]

_LOG = logging.getLogger(__name__)
_TICK_US = 60_000_000
_LEAP_US = 3_600_000_000
_WRONG_US = 2_000_000
_ELEMENT = re.compile(r"(.+)_(\d{1,4})")

_Row = tuple[int, list[Item]]


class _Source(NamedTuple):
    """A part of the history that is opened when its first time comes: a Parquet row group or a CSV file."""

    first_us: int
    last_us: int
    order: int
    rows: Callable[[], Iterator[_Row]]


class _Columns(NamedTuple):
    """Which columns of a readings file hold what."""

    scalars: tuple[str, ...]
    arrays: tuple[tuple[str, tuple[str | None, ...]], ...]


class _Notes:
    """What was ignored, told once."""

    def __init__(self) -> None:
        self.columns: set[str] = set()
        self.texts: set[tuple[Path, str]] = set()

    def refused(self, path: Path, column: str, text: str) -> None:
        if (path, column) not in self.texts:
            self.texts.add((path, column))
            _LOG.warning(
                "%s: column %s: %r is no number; it and others like it are refused", path, column, text
            )

    def ignore(self, path: Path, columns: list[str]) -> None:
        for name in columns:
            if name not in self.columns:
                self.columns.add(name)
                _LOG.warning("%s: column %s is not in the contract and is ignored", path, name)


def read_plant(folder: Path) -> Plant:
    """Read the ``plant.toml`` of a history; raises ``PlantError``."""
    return load_plant(folder / "plant.toml")


def history_range(folder: Path) -> tuple[int, int]:
    """First and last time of the readings, UTC microseconds.

    Raises
    ------
    HistoryError
        No folder, no readings, or a file that cannot be read.
    """
    sources = _reading_sources(folder, _Notes())
    return min(s.first_us for s in sources), max(s.last_us for s in sources)


def read_history(folder: Path) -> Iterator[Item]:
    """Give everything that a history holds, in time order.

    Parameters
    ----------
    folder
        With ``readings/``, and ``samples``, ``events`` and ``counters`` as one file or a folder of files each;
        ``.parquet``, ``.csv`` or ``.csv.gz`` (contracts, section 3).

    Yields
    ------
    Item
        Readings and counters when their time comes, samples and events when they became known, and a ``Tick``
        each minute of recorded time (after a gap of an hour from its second minute on), so that the silence of a
        cell is noticed. A row group keeps its order of
        rows; row groups and files are merged, and only those whose time has come are open. NaN is not measured.
        An infinite value says that a value came and was refused, or that a text stands in place of a number.

    Raises
    ------
    HistoryError
        No folder, no readings, a missing column, or a file that cannot be read.

    Notes
    -----
    A row whose time is far from those of its neighbours is merged by theirs: one wrong clock neither holds back
    nor pulls forward the rest of its file. A row group that is sorted by cell first is not put into order.
    """
    notes = _Notes()
    sources = _reading_sources(folder, notes)
    n_readings = len(sources)
    for name, columns, make in (
        ("samples", ("time", "received", "cell", "signal", "value"), _sample),
        ("events", ("time", "received", "cell", "event", "attributes"), _event),
        ("counters", ("time", "line", "counter", "value"), _counter),
    ):
        for path in table_files(folder, name):
            sources += _sources_of(path, len(sources), partial(_entry_rows, path, columns, make, notes))
    return _merged(sources, n_readings)


def _merged(sources: list[_Source], n_readings: int) -> Iterator[Item]:
    """Merge sources by the time of their next row; readings move the clock."""
    waiting = sorted(sources, key=lambda s: (s.first_us, s.order), reverse=True)
    active: list[tuple[int, int, list[Item], Iterator[_Row]]] = []
    clock_us, next_tick_us = -(2**62), 0
    while waiting or active:
        while waiting and (not active or waiting[-1].first_us <= active[0][0]):
            source = waiting.pop()
            rows = source.rows()
            first = next(rows, None)
            if first is not None:
                heapq.heappush(active, (first[0], source.order, first[1], rows))
        if not active:
            continue
        key_us, order, items, rows = active[0]
        yield from items
        if order < n_readings:
            # After a leap the clock waits: one row with a wrong time must not carry it along.
            if abs(key_us - clock_us) > _LEAP_US:
                next_tick_us = key_us + _TICK_US
            clock_us = key_us
            if key_us >= next_tick_us:
                yield Tick(key_us)
                next_tick_us = key_us + _TICK_US
        following = next(rows, None)
        if following is None:
            heapq.heappop(active)
        else:
            heapq.heapreplace(active, (following[0], order, following[1], rows))


def _reading_sources(folder: Path, notes: _Notes) -> list[_Source]:
    if not folder.is_dir():
        raise HistoryError(f"{folder}: no such folder; a history holds plant.toml and readings/")
    paths = table_files(folder, "readings")
    if not paths:
        raise HistoryError(f"{folder / 'readings'}: no .parquet, .csv or .csv.gz file in it")
    sources: list[_Source] = []
    for path in paths:
        sources += _sources_of(path, len(sources), partial(_reading_rows, path, notes))
    if not sources:
        raise HistoryError(f"{folder / 'readings'}: no rows in any file")
    return sources


def _sources_of(path: Path, order: int, rows: Callable[[int | None], Iterator[_Row]]) -> list[_Source]:
    """Parts of a file with their first and last time, none of them open yet."""
    return [
        _Source(part.first_us, part.last_us, order + i, partial(rows, part.group))
        for i, part in enumerate(parts(path))
    ]


def _merge_keys(times_us: NDArray[np.int64]) -> list[int]:
    """Times by which rows are merged: their own, or that of their neighbours where the clock was wrong."""
    if len(times_us) < 3:
        return times_us.tolist()
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(times_us, 2, mode="reflect"), 5)
    ordered = np.sort(windows, axis=1)
    middle_us = ordered[:, 2]
    allowed_us = _WRONG_US + 2 * (ordered[:, 3] - ordered[:, 1])
    return np.where(np.abs(times_us - middle_us) > allowed_us, middle_us, times_us).tolist()


def _layout(path: Path, notes: _Notes) -> _Columns:
    """Sort the columns of a readings file."""
    names = column_names(path)
    for needed in ("time", "cell"):
        if needed not in names:
            raise HistoryError(f"{path}: has no column {needed}; readings need time and cell")
    elements: dict[str, dict[int, str]] = {}
    unknown: list[str] = []
    for name in names:
        match = _ELEMENT.fullmatch(name)
        if match and match[1] in ARRAY_READINGS and int(match[2]) > 0:
            elements.setdefault(match[1], {})[int(match[2])] = name
        elif name not in ("time", "cell", *SCALAR_READINGS):
            unknown.append(name)
    notes.ignore(path, unknown)
    scalars = tuple(name for name in SCALAR_READINGS if name in names)
    arrays = tuple(
        (signal, tuple(found.get(i) for i in range(1, max(found) + 1)))
        for signal in ARRAY_READINGS
        if (found := elements.get(signal))
    )
    return _Columns(scalars, arrays)


def _reading_rows(path: Path, notes: _Notes, group: int | None) -> Iterator[_Row]:
    """Readings of one part of a file, a row at a time."""
    layout = _layout(path, notes)
    columns = ("time", "cell", *layout.scalars)
    for _, names in layout.arrays:
        columns += tuple(name for name in names if name is not None)
    for batch in batches(path, group, columns):
        times_us = times(path, batch, "time")
        cells = texts(batch, "cell")
        scalars = [(name, floats(path, batch, name, notes.refused).tolist()) for name in layout.scalars]
        arrays = [(signal, *_tuples(path, batch, names, notes)) for signal, names in layout.arrays]
        exact_us: list[int] = times_us.tolist()
        for i, key_us in enumerate(_merge_keys(times_us)):
            time_us, cell = exact_us[i], cells[i]
            row: list[Item] = []
            for name, values in scalars:
                value = values[i]
                if value == value:
                    row.append(Reading(time_us, "", cell, name, value))
            for signal, some, tuples in arrays:
                if some[i]:
                    row.append(Reading(time_us, "", cell, signal, tuples[i]))
            yield key_us, row


def _tuples(
    path: Path, batch: Batch, names: tuple[str | None, ...], notes: _Notes
) -> tuple[list[bool], list[tuple[float, ...]]]:
    """Columns of an array reading, row by row, and whether the row holds any value."""
    table = np.full((batch.num_rows, len(names)), math.nan)
    for i, name in enumerate(names):
        if name is not None:
            table[:, i] = floats(path, batch, name, notes.refused)
    some: list[bool] = np.any(~np.isnan(table), axis=1).tolist()
    return some, [tuple(row) for row in table.tolist()]


def _entry_rows(
    path: Path,
    columns: tuple[str, ...],
    make: Callable[[dict[str, Any]], tuple[int, Item] | str],
    notes: _Notes,
    group: int | None,
) -> Iterator[_Row]:
    """Entries of one part of a file in the order in which they became known.

    Held back until rows are taken later than they: what is taken later is known later still.
    """
    names = column_names(path)
    for needed in columns:
        if needed not in names and needed not in ("received", "attributes"):
            raise HistoryError(f"{path}: has no column {needed}; it needs {', '.join(columns)}")
    notes.ignore(path, [name for name in names if name not in columns])
    content = [name for name in columns if name not in ("time", "received", "value")]
    held: list[tuple[int, int, Item]] = []
    refused: Counter[str] = Counter()
    n = 0
    for batch in batches(path, group, columns):
        times_us = times(path, batch, "time")
        known_us = _known(path, batch, times_us)
        exact_us: list[int] = times_us.tolist()
        rows: list[dict[str, Any]] = batch.select([c for c in content if c in names]).to_pylist()
        if "value" in columns:
            for row, value in zip(rows, floats(path, batch, "value", notes.refused).tolist(), strict=True):
                row["value"] = value
        for i, key_us in enumerate(_merge_keys(times_us)):
            entry = make({**rows[i], "time": exact_us[i], "received": known_us[i]})
            if isinstance(entry, str):
                refused[entry] += 1
            else:
                n += 1
                heapq.heappush(held, (entry[0], n, entry[1]))
            while held and held[0][0] <= key_us:
                yield _popped(held)
    while held:
        yield _popped(held)
    for why, count in refused.items():
        _LOG.warning("%s: %d rows left out: %s", path, count, why)


def _popped(held: list[tuple[int, int, Item]]) -> _Row:
    known_us, _, item = heapq.heappop(held)
    return known_us, [item]


def _known(path: Path, batch: Batch, times_us: NDArray[np.int64]) -> list[int]:
    """When each row became known; its own time where that is not said or impossible."""
    if "received" not in batch.schema.names:
        return times_us.tolist()
    column = batch.column("received")
    said = column.is_valid().to_numpy(zero_copy_only=False)
    if "string" in str(column.type):
        said &= np.array([bool(text) for text in column.to_pylist()], dtype=np.bool_)
    received_us = times_us.copy()
    if said.any():
        received_us[said] = times(path, batch.take(np.flatnonzero(said)), "received")
    return np.maximum(received_us, times_us).tolist()


def _sample(row: dict[str, Any]) -> tuple[int, Item] | str:
    value = row["value"]
    if row["signal"] not in SAMPLES:
        return "signal is not a sample of the contract"
    if value is None or not math.isfinite(value):
        return "value is missing"
    sample = Sample(row["time"], row["received"], row["cell"] or "", row["signal"], float(value))
    return sample.received_us, sample


def _event(row: dict[str, Any]) -> tuple[int, Item] | str:
    if row["event"] not in EVENTS:
        return "event is not in the contract"
    try:
        raw = msgspec.json.decode(row.get("attributes") or "{}", type=dict[str, Any])
    except (ValueError, RecursionError):
        return "attributes are not a JSON object"
    attributes, _ = event_attributes(row["event"], raw)
    if attributes is None:
        return "mode or state is missing or unknown"
    event = Event(row["time"], row["received"], row["cell"] or "", row["event"], attributes)
    return event.received_us, event


def _counter(row: dict[str, Any]) -> tuple[int, Item] | str:
    value = row["value"]
    if row["counter"] not in COUNTERS:
        return "counter is not in the contract"
    if value is None or not math.isfinite(value):
        return "value is missing"
    return row["time"], CounterReading(row["time"], row["line"] or "", row["counter"], float(value))
