"""What is scored: histories with their alarms and labels, as cells, events and alarms on one list each."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.evaluate_grid import Grid, Operation, gridded, read_operations
from edge.evaluate_read import InputMissing, Span, found, read_alarms, read_labels
from models.scoring.events import (
    CONTEXTS,
    GRID_US,
    CellRecord,
    Episode,
    Event,
    clear_time,
    merged,
    span,
    with_predictions,
)
from models.scoring.figures import Change
from models.scoring.nulls import MEMORY_MIN
from models.scoring.rules import FAMILIES
from streams.history import read_plant
from streams.plant_file import Plant

_MIN_US = 60_000_000
#: Around a tap or a real move of the beam, and after a change of anode: where false alarms are counted apart.
_TAP_US = (-15 * _MIN_US, 60 * _MIN_US)
_CHANGE_US = (0, 24 * 60 * _MIN_US)
#: A line current farther than this from the median of its day is an event of the line, and so are ten minutes around.
_CURRENT_STEP = 0.02
_LINE_MIN = 10


class Source(NamedTuple):
    """Paths of one history: alarms, labels, and the folder of readings."""

    alarms: Path
    labels: Path
    history: Path


class Sensors(NamedTuple):
    """Where the minutes of one cell lie: a grid and its row."""

    grid: Grid
    row: int


class Case(NamedTuple):
    """Everything to score.

    Attributes
    ----------
    cells
        Of all histories, sorted by name.
    sensors
        Readings of each cell.
    operations
        Minute of each anode change and tap of each cell.
    changes
        Anode changes that lie a day or more before the end of the record.
    events, episodes
        Truth and alarms, merged.
    counts
        What was left out or mended, by history.
    """

    cells: list[CellRecord]
    sensors: list[Sensors]
    operations: list[list[int]]
    changes: list[Change]
    events: list[Event]
    episodes: list[Episode]
    counts: dict[str, dict[str, int]]


@contextmanager
def opened(sources: Sequence[Source]) -> Generator[Case]:
    """Read histories; the grids of their readings are on disk until the end of the ``with`` block.

    Parameters
    ----------
    sources
        One for each history.

    Raises
    ------
    InputMissing
        A file or folder that is not there.
    HistoryError, PlantError
        Something in them that cannot be used.
    """
    case = Case([], [], [], [], [], [], {})
    with ExitStack() as grids:
        for number, source in enumerate(sources, start=1):
            if not (source.history / "plant.toml").is_file():
                raise InputMissing(f"{source.history}: no plant.toml, so this is not a recorded history")
            alarms, labels = found(source.alarms, "alarms.jsonl"), found(source.labels, "labels.parquet")
            plant = read_plant(source.history)
            first = len(case.cells)
            events = with_predictions(read_labels(labels, plant, first))
            grid = grids.enter_context(gridded(source.history, plant))
            record = Span(grid.start_us, grid.start_us + grid.observed.shape[1] * GRID_US)
            prefix = f"{number}/" if len(sources) > 1 else ""
            log = read_alarms(alarms, plant, record, first, prefix)
            case.counts[f"{prefix}{source.history.name}"] = log.counts | grid.counts
            case.events.extend(events)
            case.episodes.extend(log.episodes)
            _add_cells(case, plant, grid, read_operations(source.history, plant), prefix)
        yield _sorted(case._replace(episodes=merged(case.episodes)))


def _add_cells(case: Case, plant: Plant, grid: Grid, operations: list[Operation], prefix: str) -> None:
    """Add the cells of one history."""
    first, n = len(case.cells), grid.observed.shape[1]
    line_events = {line: _line_events(grid, rows) for line, rows in plant.line_cells.items()}
    end_us = grid.start_us + n * GRID_US
    for row, cell in enumerate(plant.cells):
        done = [o for o in operations if o.cell == row]
        mine = [e for e in case.events if e.cell == first + row]
        context = np.full(n, CONTEXTS.index("otherwise"), dtype=np.int8)
        for what, name, around_us in (
            (("anode_change",), "after_anode_change", _CHANGE_US),
            (("tap", "beam_move"), "tapping_or_beam", _TAP_US),
        ):
            for o in done:
                if o.what in what:
                    near = span(o.time_us + around_us[0], o.time_us + around_us[1], grid.start_us, n)
                    context[near] = CONTEXTS.index(name)
        context[line_events[cell.line]] = CONTEXTS.index("line_event")
        clear = clear_time(_operating(n, grid.start_us, done), grid.start_us, mine)
        case.cells.append(
            CellRecord(
                prefix + cell.id, prefix + cell.line, grid.start_us, grid.observed[row], clear, context
            )
        )
        case.sensors.append(Sensors(grid, row))
        case.operations.append(
            [(o.time_us - grid.start_us) // GRID_US for o in done if o.what in ("anode_change", "tap")]
        )
        case.changes.extend(
            Change(first + row, o.anode, o.time_us, _went_wrong(o, mine))
            for o in done
            if o.what == "anode_change" and o.anode is not None
            if grid.start_us <= o.time_us <= end_us - _CHANGE_US[1]
        )


def _went_wrong(change: Operation, events: list[Event]) -> bool:
    """Whether an anode-change event of the anode begins within an hour of the log entry."""
    return any(
        e.kind in FAMILIES["anode_change"]
        and e.anode == change.anode
        and abs(e.start_us - change.time_us) <= 60 * _MIN_US
        for e in events
    )


def _operating(n: int, start_us: int, operations: list[Operation]) -> NDArray[np.bool_]:
    """Minutes in normal operation; before the first entry a cell counts as normal."""
    operating = np.ones(n, dtype=np.bool_)
    for o in operations:
        if o.what.startswith("state "):
            operating[span(o.time_us, start_us + n * GRID_US, start_us, n)] = o.what == "state NORMAL"
    return operating


def _line_events(grid: Grid, rows: tuple[int, ...]) -> NDArray[np.bool_]:
    """Minutes in which the current of a line is far from the median of its day, or all of it is silent."""
    n = grid.observed.shape[1]
    if not rows:
        return np.zeros(n, dtype=np.bool_)
    odd: NDArray[np.bool_] = np.asarray(~grid.observed[list(rows)].any(axis=0))
    if "line_current_A" in grid.columns:
        column = grid.columns.index("line_current_A")
        total, count = np.zeros(n), np.zeros(n)
        for row in rows:
            current_A = grid.values[row, :, column]
            known = np.isfinite(current_A)
            total += np.where(known, current_A, 0.0)
            count += known
        mean_A = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        day = round(MEMORY_MIN)
        for begin in range(0, n, day):
            of_day = mean_A[begin : begin + day]
            if np.isfinite(of_day).any():
                middle_A = float(np.nanmedian(of_day))
                odd[begin : begin + day] |= np.abs(of_day - middle_A) > _CURRENT_STEP * abs(middle_A)
    near = np.convolve(odd, np.ones(2 * _LINE_MIN + 1, dtype=np.int64), mode="same")[:n]
    return near > 0


def _sorted(case: Case) -> Case:
    """Cells in the order of their names, so that the order of the plant file decides nothing."""
    order = sorted(range(len(case.cells)), key=lambda i: case.cells[i].name)
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    return case._replace(
        cells=[case.cells[i] for i in order],
        sensors=[case.sensors[i] for i in order],
        operations=[case.operations[i] for i in order],
        changes=sorted(c._replace(cell=place[c.cell]) for c in case.changes),
        events=sorted(
            (e._replace(cell=place[e.cell]) for e in case.events),
            key=lambda e: (e.cell, e.start_us, e.kind, e.anode or 0, e.side or ""),
        ),
        episodes=[a._replace(cell=place[a.cell]) for a in case.episodes],
    )
