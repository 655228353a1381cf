"""Items in any order to frames in event time: a watermark closes each tick, whatever came late is counted."""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.frame import FloatArray, Frame
from streams.messages import CounterReading, Event, Item, Operator, Reading, Sample, Tick
from streams.pending import Pending
from streams.plant_file import Plant
from streams.watermark import FAR_US, OLDEST_US, Watermark
from twin.signals import ARRAY_READINGS, EVENTS, SCALAR_READINGS, SIGNALS

BoolArray = NDArray[np.bool_]

_FOREVER = 2**62
_MAX_NAMES = 100

#: What ``Aligner.counts`` counts.
COUNTS = (
    "readings",
    "samples",
    "events",
    "counters",
    "operators",
    "frames",
    "duplicates",
    "superseded",
    "conflicts",
    "out_of_range",
    "bad_quality",
    "late",
    "late_entries",
    "before_start",
    "ahead",
    "unknown",
    "undeclared",
    "wrong_anode",
)

_Entry = Sample | Event | CounterReading | Operator


class Aligner:
    """Puts readings on an event-time grid and everything else at the tick in which it became known.

    Parameters
    ----------
    plant
        Order of the cells, and how many array elements each one declares.
    frame_s
        Length of a tick [s].
    lateness_s
        How long a tick waits for stragglers after its end [s of event time].
    max_pending
        Most readings held in open ticks; beyond it those furthest ahead are dropped and counted as ``ahead``.
    max_remembered
        How many samples, events, counter and operator entries are remembered at least, to drop repetitions.

    Attributes
    ----------
    counts
        Numbers since the start, by the names of ``COUNTS``.
    late_by_cell
        Readings that came too late, by cell id; readings of a whole line are in ``counts`` only.
    unknown_by_cell
        Items of cells that the plant has not got, by cell id; a hundred names at most.

    Notes
    -----
    ``Watermark`` says which ticks are closed; a ``Tick`` moves it directly. What is held when it first appears and
    is an hour older, such as one old retained message, is dropped and counted as ``before_start``.

    A reading whose tick is closed, or whose time lies before 2000, is late: counted, by cell too, and kept nowhere
    here. The wait does not hold for controllers that store an outage longer than ``lateness_s`` and send it one
    after another: when three are done the watermark moves, and the others are late. To wait for every cell would
    hold back all alarms of a line, and hold all its readings in memory, whenever one cell falls silent; a plant with
    such controllers sets ``lateness_s`` to what they store.

    Within a tick the newest valid value wins, of two with equal time the lower: no order of arrival shows in a
    frame. A value outside the possible range is refused here, so recorded and live data meet one judge; infinity
    in a history therefore says "came and was refused". The same holds element by element in arrays.

    Two equal entries (same time, cell and content) count once: brokers and logs deliver some of them again.
    The object can be pickled and goes on as if nothing had happened.
    """

    def __init__(
        self,
        plant: Plant,
        frame_s: float = 1.0,
        lateness_s: float = 10.0,
        max_pending: int = 500_000,
        max_remembered: int = 65_536,
    ) -> None:
        if frame_s < 1e-6 or lateness_s < 0.0:
            raise ValueError(f"frame_s {frame_s} must be positive and lateness_s {lateness_s} not negative")
        self._frame_us = round(frame_s * 1e6)
        self._lateness_us = round(lateness_s * 1e6)
        self._max_pending = max_pending
        self._max_remembered = max_remembered
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)

        self._lines = plant.lines
        self._n_cells = len(plant.cells)
        self._width = self._n_cells + len(plant.lines)
        self._column = dict(plant.cell_index)
        self._line_column = {line: self._n_cells + i for i, line in enumerate(plant.lines)}
        if len(plant.lines) == 1:
            self._line_column[""] = self._n_cells
        self._members = [np.array(plant.line_cells[line], dtype=np.int64) for line in plant.lines]
        self._declared = (
            [cell.n_anodes for cell in plant.cells],
            [cell.n_shell for cell in plant.cells],
            [cell.n_bars for cell in plant.cells],
        )
        self._widths = [max(declared) for declared in self._declared]
        self._row = {
            name: (i, SIGNALS[name].low, SIGNALS[name].high) for i, name in enumerate(SCALAR_READINGS)
        }
        self._of_line = frozenset(name for name in SCALAR_READINGS if SIGNALS[name].shape == "line")

        self._pending: dict[int, Pending] = {}
        self._entries: dict[int, list[_Entry]] = {}
        self._held = 0
        self._horizon = _FOREVER
        self._open = self._drained = OLDEST_US // self._frame_us
        self._begun = False
        self._mark = Watermark(self._n_cells, self._lateness_us)
        self._ids = [cell.id for cell in plant.cells]
        self.late_by_cell: dict[str, int] = {}
        self.unknown_by_cell: dict[str, int] = {}
        self._seen: tuple[dict[object, None], dict[object, None]] = ({}, {})

    @property
    def watermark_us(self) -> int:
        """Time up to which all ticks are closed, UTC microseconds; 0 before anything is known."""
        return max(self._mark.time_us, 0)

    @property
    def pending(self) -> int:
        """Number of readings in ticks that are not handed out yet."""
        return self._held

    def push(self, item: Item) -> None:
        """Take in one item; never raises for what data can contain."""
        if type(item) is Reading:
            self._take_reading(item)
        elif isinstance(item, Tick):
            self._move(item.time_us - self._lateness_us)
        elif isinstance(item, Sample):
            self._take_sample(item)
        elif isinstance(item, Event):
            self._take_event(item)
        elif isinstance(item, CounterReading):
            self._take_counter(item)
        elif isinstance(item, Operator):
            self.counts["operators"] += 1
            self._place(item, item.time_us, item)

    def closed(self) -> Iterator[Frame]:
        """Frames of the ticks that the watermark has passed, in order; ticks that hold nothing are left out."""
        return iter(()) if self._drained == self._open else self._drain(self._open)

    def flush(self) -> Iterator[Frame]:
        """Frames of the ticks that are left up to the newest reading, in order: the stream has ended there.

        What becomes known only after that stays where it is. Readings more than an hour beyond what the cells agree
        on are dropped and counted as ``ahead``: nothing says that such a time is true.
        """
        limit = self._mark.end() // self._frame_us
        self._follow()
        for tick in [t for t in self._pending if t > limit]:
            self._forget(tick, "ahead")
        yield from self._drain(max(self._pending, default=self._open - 1) + 1)

    def _drain(self, limit: int) -> Iterator[Frame]:
        for tick in sorted(t for t in self._pending.keys() | self._entries.keys() if t < limit):
            self._move((tick + 1) * self._frame_us)
            yield self._build(tick)
        self._drained = min(limit, self._open)
        if self._held * 2 <= self._max_pending:
            self._horizon = _FOREVER

    # --- the watermark

    def _advance(self, column: int, time_us: int) -> None:
        """Note the newest time of a cell."""
        if self._mark.note(column, time_us):
            self._follow()

    def _move(self, watermark_us: int) -> None:
        if self._mark.move(watermark_us):
            self._follow()

    def _follow(self) -> None:
        """Close what the watermark has passed; at its first appearance drop what is far older."""
        if not self._mark.begun:
            return
        if not self._begun:
            self._begun = True
            start = (self._mark.time_us - FAR_US) // self._frame_us
            for tick in [t for t in self._pending if t < start]:
                self._forget(tick, "before_start")
        self._open = max(self._open, self._mark.time_us // self._frame_us)

    def _forget(self, tick: int, count: str) -> None:
        """Drop the readings of a tick and count them."""
        size = self._pending.pop(tick).size()
        self.counts[count] += size
        self._held -= size

    # --- readings

    def _take_reading(self, item: Reading) -> None:
        time_us = item.time_us
        signal = item.signal
        row = self._row.get(signal)
        if row is None:
            self._take_array(item)
            return
        counts = self.counts
        column = self._column.get(item.cell)
        if column is None:
            column = self._line_column.get(item.line) if not item.cell and signal in self._of_line else None
            if column is None:
                self._unknown(item.cell)
                return
        elif time_us > self._mark.gate_us:
            self._advance(column, time_us)
        counts["readings"] += 1
        pending = self._pending_at(time_us, column)
        if pending is None:
            return
        number, low, high = row
        key = number * self._width + column
        value = item.value
        if 192 <= item.quality < 256 and low <= value <= high:  # pyright: ignore[reportOperatorIssue]
            old_us = pending.times_us.get(key)
            if old_us is None:
                self._held += 1
            elif time_us == old_us:
                old = pending.values[key]
                counts["duplicates" if value == old else "conflicts"] += 1
                if value >= old:  # pyright: ignore[reportOperatorIssue]
                    return
            else:
                counts["superseded"] += 1
                if time_us < old_us:
                    return
            pending.times_us[key] = time_us
            pending.values[key] = value  # pyright: ignore[reportArgumentType]
        elif not 192 <= item.quality < 256:
            counts["bad_quality"] += 1
            pending.bad.add(key)
        elif value == value:
            counts["out_of_range"] += 1
            pending.bad.add(key)

    def _unknown(self, cell: str) -> None:
        self.counts["unknown"] += 1
        if cell not in self._column and (
            cell in self.unknown_by_cell or len(self.unknown_by_cell) < _MAX_NAMES
        ):
            self.unknown_by_cell[cell] = self.unknown_by_cell.get(cell, 0) + 1

    def _pending_at(self, time_us: int, column: int) -> Pending | None:
        """Find the open tick of a time, or count why there is none."""
        tick = time_us // self._frame_us
        if tick < self._open:
            self.counts["late"] += 1
            if column < self._n_cells:
                cell = self._ids[column]
                self.late_by_cell[cell] = self.late_by_cell.get(cell, 0) + 1
            return None
        pending = self._pending.get(tick)
        if pending is None:
            if self._held >= self._max_pending:
                self._shed()
            if tick > self._horizon:
                self.counts["ahead"] += 1
                return None
            pending = self._pending[tick] = Pending()
        return pending

    def _shed(self) -> None:
        """Drop the ticks furthest ahead until half of the room is free."""
        kept = 0
        for n, tick in enumerate(sorted(self._pending)):
            size = self._pending[tick].size()
            if n and kept + size > self._max_pending // 2:
                self._forget(tick, "ahead")
            else:
                kept += size
                self._horizon = tick

    def _take_array(self, item: Reading) -> None:
        values = item.value
        column = self._column.get(item.cell)
        if item.signal not in ARRAY_READINGS or column is None or not isinstance(values, tuple):
            self._unknown(item.cell)
            return
        if item.time_us > self._mark.gate_us:
            self._advance(column, item.time_us)
        self.counts["readings"] += 1
        pending = self._pending_at(item.time_us, column)
        if pending is None:
            return
        which = ARRAY_READINGS.index(item.signal)
        declared = self._declared[which][column]
        if len(values) > declared:
            self.counts["undeclared"] += any(v == v for v in values[declared:])
            values = values[:declared]
        good = 192 <= item.quality < 256
        self._held += column not in pending.arrays[which]
        how = pending.take_array(which, column, declared, item.time_us, values, good)
        if how:
            self.counts[how] += 1

    # --- what became known at an instant

    def _take_sample(self, item: Sample) -> None:
        signal = SIGNALS.get(item.signal)
        if item.cell not in self._column or signal is None:
            self._unknown(item.cell)
        elif not signal.low <= item.value <= signal.high:
            self.counts["out_of_range"] += 1
        else:
            self.counts["samples"] += 1
            self._place((item.time_us, item.cell, item.signal, item.value), item.received_us, item)

    def _take_event(self, item: Event) -> None:
        column = self._column.get(item.cell)
        if column is None or item.event not in EVENTS:
            self._unknown(item.cell)
            return
        n_anodes = self._declared[0][column]
        anode = item.attributes.get("anode")
        # The log names an anode that the cell has not got: the change stands, the number does not.
        if isinstance(anode, int | float) and n_anodes and not 1 <= anode <= n_anodes:
            self.counts["wrong_anode"] += 1
            attributes = {key: value for key, value in item.attributes.items() if key != "anode"}
            item = msgspec.structs.replace(item, attributes=attributes)
        self.counts["events"] += 1
        content = tuple(sorted(item.attributes.items()))
        self._place((item.time_us, item.cell, item.event, content), item.received_us, item)

    def _take_counter(self, item: CounterReading) -> None:
        column = self._line_column.get(item.line)
        signal = SIGNALS.get(item.counter)
        if column is None or signal is None:
            self.counts["unknown"] += 1
        elif not signal.low <= item.value <= signal.high:
            self.counts["out_of_range"] += 1
        else:
            self.counts["counters"] += 1
            if not item.line:
                item = msgspec.structs.replace(item, line=self._lines[0])
            self._place(item, item.time_us, item)

    def _place(self, identity: object, time_us: int, item: _Entry) -> None:
        """Put an entry into its tick, or into the next open one; drop what is already there."""
        recent, older = self._seen
        if identity in recent or identity in older:
            self.counts["duplicates"] += 1
            return
        if len(recent) >= self._max_remembered:
            recent, older = {}, recent
            self._seen = (recent, older)
        recent[identity] = None
        tick = time_us // self._frame_us
        if tick < self._open:
            self.counts["late_entries"] += 1
            tick = self._open
        self._entries.setdefault(tick, []).append(item)

    # --- frames

    def _build(self, tick: int) -> Frame:
        """Make the frame of a tick and forget the tick."""
        pending = self._pending.pop(tick, None) or Pending()
        entries = self._entries.pop(tick, [])
        self._held -= pending.size()
        self.counts["frames"] += 1
        shape = (len(SCALAR_READINGS), self._width)
        values = np.full(shape[0] * shape[1], np.nan)
        n = len(pending.values)
        values[np.fromiter(pending.values.keys(), np.int64, n)] = np.fromiter(
            pending.values.values(), np.float64, n
        )
        bad = np.zeros(shape[0] * shape[1], dtype=np.bool_)
        bad[np.fromiter(pending.bad, np.int64, len(pending.bad))] = True
        values, bad = values.reshape(shape), bad.reshape(shape)
        scalar, scalar_bad = values[:, : self._n_cells].copy(), bad[:, : self._n_cells].copy()
        self._spread_lines(values, bad, scalar, scalar_bad)
        array_bad = np.zeros((len(ARRAY_READINGS), self._n_cells), dtype=np.int64)
        arrays = [
            pending.dense(i, self._n_cells, self._widths[i], array_bad[i]) for i in range(len(ARRAY_READINGS))
        ]
        self.counts["out_of_range"] += int(array_bad.sum())
        return Frame(
            time_us=tick * self._frame_us,
            scalar=scalar,
            bad=scalar_bad,
            anode_current_A=arrays[0],
            shell_temp_C=arrays[1],
            collector_bar_temp_C=arrays[2],
            array_bad=array_bad,
            samples=tuple(sorted((e for e in entries if isinstance(e, Sample)), key=_sample_key)),
            events=tuple(sorted((e for e in entries if isinstance(e, Event)), key=_event_key)),
            counters=tuple(sorted((e for e in entries if isinstance(e, CounterReading)), key=_counter_key)),
            operators=tuple(sorted((e for e in entries if isinstance(e, Operator)), key=_operator_key)),
        )

    def _spread_lines(
        self, values: FloatArray, bad: BoolArray, scalar: FloatArray, scalar_bad: BoolArray
    ) -> None:
        """Give readings of a line to those of its cells that have none of their own."""
        for name in SCALAR_READINGS:
            if name not in self._of_line:
                continue
            row = self._row[name][0]
            for i, members in enumerate(self._members):
                own = scalar[row, members]
                scalar[row, members] = np.where(np.isnan(own), values[row, self._n_cells + i], own)
                scalar_bad[row, members] |= np.isnan(own) & bad[row, self._n_cells + i]


def _sample_key(item: Sample) -> tuple[object, ...]:
    return (item.received_us, item.time_us, item.cell, item.signal, item.value)


def _event_key(item: Event) -> tuple[object, ...]:
    attributes = repr(sorted(item.attributes.items()))
    return (item.received_us, item.time_us, item.cell, item.event, attributes)


def _counter_key(item: CounterReading) -> tuple[object, ...]:
    return (item.time_us, item.line, item.counter, item.value)


def _operator_key(item: Operator) -> tuple[object, ...]:
    return (item.time_us, item.alarm_id, item.verb, item.actor, item.comment, item.until_us)
