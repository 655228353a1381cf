"""Readings of a history on a grid of one minute, on disk rather than in memory, and what people did to the cells."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.scoring.events import GRID_US
from streams.plant_file import Plant
from streams.tables import HistoryError, batches, column_names, floats, table_files, times
from twin.signals import ARRAY_READINGS, SCALAR_READINGS, SIGNALS

_compute: Any = pc
_DAY_US = 86_400_000_000
#: A day with less than this share of the rows of the fullest day is that of a wrong clock.
_REAL_DAY = 1e-3
#: Smaller moves of the beam are the control of the voltage, not work on the cell [mm].
_BEAM_WORK_MM = 5.0


class Operation(NamedTuple):
    """Something that was done to a cell: index in the plant, what, instant [us], and the anode of a change."""

    cell: int
    what: str
    time_us: int
    anode: int | None = None


class Grid(NamedTuple):
    """Means of the minute.

    Attributes
    ----------
    start_us
        First minute.
    columns
        Names of the variables, as in the files.
    values : (n_cells, n_minutes, n_columns) float32
        NaN where nothing good was measured; a file on disk, to be read cell by cell.
    observed : (n_cells, n_minutes) bool
        Anything of the cell itself came; readings of the line do not count.
    counts
        Rows left out, by reason.
    """

    start_us: int
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    counts: dict[str, int]


@contextmanager
def gridded(history: Path, plant: Plant) -> Generator[Grid]:
    """Read the readings of a history, one batch in memory at a time.

    Parameters
    ----------
    history
        Folder by contract.
    plant
        Its plant.

    Raises
    ------
    HistoryError
        No readings, or a file that cannot be read.
    """
    paths = table_files(history, "readings")
    if not paths:
        raise HistoryError(f"{history / 'readings'}: no .parquet, .csv or .csv.gz file in it")
    columns = tuple(sorted({name for path in paths for name in column_names(path) if _signal(name)}))
    if not columns:
        raise HistoryError(f"{history / 'readings'}: no column is a reading of the contract")
    first_us, last_us = _range(paths)
    start_us = first_us // GRID_US * GRID_US
    n = (last_us - start_us) // GRID_US + 1
    # One cell more for the rows of the line, which carry no cell.
    shape = (len(plant.cells) + 1, n, len(columns))
    with TemporaryDirectory(prefix="potline-evaluate-") as folder:
        mean = np.memmap(Path(folder) / "mean", np.float32, "w+", shape=shape)
        n_values = np.memmap(Path(folder) / "count", np.uint16, "w+", shape=shape)
        counts = {"rows_of_unknown_cells": 0, "rows_outside_the_record": 0}
        for path in paths:
            _add(path, plant, columns, start_us, (mean, n_values), counts)
        observed = _finish(mean, n_values, columns)
        del n_values
        yield Grid(start_us, columns, mean[:-1], observed, {k: v for k, v in counts.items() if v})


def _signal(column: str) -> str | None:
    """Signal of a column of readings; None of any other."""
    if column in SCALAR_READINGS:
        return column
    name, _, number = column.rpartition("_")
    return name if name in ARRAY_READINGS and number.isdigit() else None


def _range(paths: Sequence[Path]) -> tuple[int, int]:
    """First and last time of the record, without the days on which next to nothing came."""
    days: dict[int, list[int]] = {}
    for path in paths:
        for batch in batches(path, None, ("time",)):
            time_us = times(path, batch, "time")
            for day in np.unique(time_us // _DAY_US).tolist():
                of_day = time_us[time_us // _DAY_US == day]
                low, high, count = int(of_day.min()), int(of_day.max()), len(of_day)
                before = days.setdefault(day, [low, high, 0])
                days[day] = [min(before[0], low), max(before[1], high), before[2] + count]
    if not days:
        raise HistoryError(f"{paths[0].parent}: no rows in any file")
    enough = _REAL_DAY * max(count for _, _, count in days.values())
    real = [(low, high) for low, high, count in days.values() if count >= enough]
    return min(low for low, _ in real), max(high for _, high in real)


def _add(
    path: Path,
    plant: Plant,
    columns: tuple[str, ...],
    start_us: int,
    into: tuple[NDArray[np.float32], NDArray[np.uint16]],
    counts: dict[str, int],
) -> None:
    """Add the rows of one file to the sums and counts of their minutes."""
    total, n_values = into
    n_cells, n, _ = total.shape
    ids = pa.array([*(cell.id for cell in plant.cells), ""])
    mine = [i for i, name in enumerate(columns) if name in set(column_names(path))]
    low, high = ([getattr(SIGNALS[str(_signal(columns[i]))], end) for i in mine] for end in ("low", "high"))
    for batch in batches(path, None, ("time", "cell", *(columns[i] for i in mine))):
        minute = (times(path, batch, "time") - start_us) // GRID_US
        known = _compute.index_in(_compute.fill_null(batch.column("cell").cast(pa.string()), ""), ids)
        cell = known.fill_null(-1).to_numpy(zero_copy_only=False)
        inside = (minute >= 0) & (minute < n)
        counts["rows_of_unknown_cells"] += int((cell < 0).sum())
        counts["rows_outside_the_record"] += int((~inside).sum())
        rows = np.flatnonzero(inside & (cell >= 0))
        if len(rows) == 0 or not mine:
            continue
        values = np.stack([floats(path, batch, columns[i], _no_note)[rows] for i in mine], axis=1)
        good = (values >= low) & (values <= high)
        order = np.argsort(cell[rows] * n + minute[rows], kind="stable")
        key = (cell[rows] * n + minute[rows])[order]
        first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        at = np.ix_(key[first], mine)
        total.reshape(n_cells * n, -1)[at] += np.add.reduceat(np.where(good, values, 0.0)[order], first)
        n_values.reshape(n_cells * n, -1)[at] += np.add.reduceat(good[order].astype(np.uint16), first)


def _no_note(path: Path, column: str, text: str) -> None:
    """A text in place of a number is infinite, and so out of range: it is refused like any other bad value."""


def _finish(
    mean: NDArray[np.float32], n_values: NDArray[np.uint16], columns: tuple[str, ...]
) -> NDArray[np.bool_]:
    """Sums to means in place, cell by cell; line readings of rows without a cell go to every cell that has none."""
    n_cells, n, _ = mean.shape
    observed = np.zeros((n_cells - 1, n), dtype=np.bool_)
    of_line = [i for i, name in enumerate(columns) if SIGNALS[str(_signal(name))].shape == "line"]
    own = [i for i in range(len(columns)) if i not in of_line]
    for cell in range(n_cells - 1, -1, -1):
        some = n_values[cell] > 0
        mean[cell] = np.where(some, mean[cell] / np.maximum(n_values[cell], 1), np.nan)
        if cell < n_cells - 1:
            observed[cell] = some[:, own].any(axis=1)
            for i in of_line:
                mean[cell, :, i] = np.where(some[:, i], mean[cell, :, i], mean[-1, :, i])
    return observed


def read_operations(history: Path, plant: Plant) -> list[Operation]:
    """Anode changes, taps, real moves of the beam and changes of state, in order of time.

    Parameters
    ----------
    history, plant
        Folder by contract and its plant; entries of cells that it has not got are left out.

    Raises
    ------
    HistoryError
        A file that cannot be read.
    """
    wanted = pa.array(["anode_change", "tap", "beam_move", "cell_state"])
    columns = ("time", "cell", "event", "attributes")
    found: list[Operation] = []
    for path in table_files(history, "events"):
        missing = [name for name in columns[:3] if name not in column_names(path)]
        if missing:
            raise HistoryError(f"{path}: has no column {missing[0]}; events need {', '.join(columns)}")
        for batch in batches(path, None, columns):
            chosen = batch.filter(_compute.is_in(batch.column("event").cast(pa.string()), wanted))
            if chosen.num_rows == 0:
                continue
            time_us = times(path, chosen, "time").tolist()
            for time, row in zip(time_us, chosen.drop_columns("time").to_pylist(), strict=True):
                operation = _operation(row, time, plant)
                if operation is not None:
                    found.append(operation)
    return sorted(set(found), key=lambda o: (o.time_us, o.cell, o.what, o.anode or 0))


def _operation(row: dict[str, Any], time_us: int, plant: Plant) -> Operation | None:
    cell = plant.cell_index.get(row["cell"])
    try:
        attributes = msgspec.json.decode(row.get("attributes") or "{}", type=dict[str, Any])
    except (ValueError, RecursionError):
        attributes = {}
    if cell is None:
        return None
    match row["event"]:
        case "anode_change":
            anode = attributes.get("anode")
            return Operation(cell, "anode_change", time_us, anode if isinstance(anode, int) else None)
        case "tap":
            return Operation(cell, "tap", time_us)
        case "cell_state":
            return Operation(cell, f"state {attributes.get('state')}", time_us)
        case _:
            delta_mm = attributes.get("delta_mm")
            real = isinstance(delta_mm, (int, float)) and abs(delta_mm) >= _BEAM_WORK_MM
            return Operation(cell, "beam_move", time_us) if real else None
