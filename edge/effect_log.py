"""``effects.parquet`` of a replay: every anode effect in the recorded voltages, found from the samples themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from streams.plant_file import Plant
from streams.tables import HistoryError, batches, column_names, floats, parts, table_files, times
from twin.anode_effects import EffectRule, find_anode_effects
from twin.signals import SIGNALS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_compute: Any = pc
_VOLTAGE = "cell_voltage_V"
_TIME = pa.timestamp("us", tz="UTC")
#: Key of the usual time between two voltages of a cell in the file's metadata.
_INTERVAL = "interval_s"
SCHEMA = pa.schema(
    [
        ("time", _TIME),
        ("cell", pa.string()),
        ("seconds", pa.float64()),
        ("peak_V", pa.float64()),
        ("mean_V", pa.float64()),
        ("overvoltage_Vs", pa.float64()),
        ("cut", pa.bool_()),
    ]
)


class _Samples(NamedTuple):
    """Voltages of some cells: time [us], position of the cell, value [V], all (n,)."""

    time_us: IntArray
    cell: IntArray
    voltage_V: FloatArray

    def take(self, rows: NDArray[Any]) -> "_Samples":
        return _Samples(self.time_us[rows], self.cell[rows], self.voltage_V[rows])


def write_effects(history: Path, plant: Plant, path: Path, rule: EffectRule | None = None) -> int:
    """Find the anode effects of a recorded history and write them down.

    Parameters
    ----------
    history
        Folder by contract.
    plant
        Cells that it does not name are left out.
    path
        Parquet file: start, cell, length [s], peak and mean voltage [V], voltage above the cell's mean without
        effects over its time [V s], and whether it was seen only in part.
    rule
        What counts as one; None takes the defaults.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    HistoryError
        A file that cannot be read.

    Notes
    -----
    Lengths are no better than the interval of the samples. Only samples near one above the threshold are kept, so
    memory does not grow with the history.
    """
    rule = rule or EffectRule()
    high, working_V, interval_s = _high(history, plant, rule)
    around_us = round(1e6 * max(rule.max_gap_s, rule.merge_s)) + 1
    near = _near(history, plant, high, around_us) if len(high.cell) else high
    columns: list[list[Any]] = [[] for _ in SCHEMA]
    for cell in np.unique(near.cell).tolist():
        mine = near.take(near.cell == cell)
        time_us, first = np.unique(mine.time_us, return_index=True)
        volts = mine.voltage_V[first]
        target = working_V[cell : cell + 1]
        if np.isnan(target).any():
            continue
        start_us = int(time_us[0])
        time_s = np.asarray((time_us - start_us) * 1e-6, dtype=np.float64)
        found = find_anode_effects(time_s, volts[None], target, None, rule)
        n = len(found.cell)
        rows = (
            (start_us + np.rint(1e6 * found.start_s).astype(np.int64)).tolist(),
            [plant.cells[cell].id] * n,
            (found.end_s - found.start_s).tolist(),
            found.peak_V.tolist(),
            found.mean_V.tolist(),
            found.overvoltage_Vs.tolist(),
            found.cut.tolist(),
        )
        for column, values in zip(columns, rows, strict=True):
            column.extend(values)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    table = pa.Table.from_arrays(arrays, schema=SCHEMA).sort_by(
        [("time", "ascending"), ("cell", "ascending")]
    )
    table = table.replace_schema_metadata({_INTERVAL: f"{interval_s:.6g}"})
    pq.write_table(table, path, compression="zstd")
    return table.num_rows


def _high(history: Path, plant: Plant, rule: EffectRule) -> tuple[_Samples, FloatArray, float]:
    """Samples above the threshold, mean voltage of every cell below it [V], usual time between two of a cell [s]."""
    n = len(plant.cells)
    total, count = np.zeros(n), np.zeros(n)
    apart_s: list[float] = []
    found = [_Samples(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for path in table_files(history, "readings"):
        for samples in _voltages(path, None, plant):
            of_one = np.sort(samples.time_us[samples.cell == samples.cell[0]])
            if len(of_one) > 1:
                apart_s.append(float(np.median(np.diff(of_one))) * 1e-6)
            above = samples.voltage_V > rule.threshold_V
            usual = ~above & (samples.voltage_V > 0.0)
            total += np.bincount(samples.cell[usual], samples.voltage_V[usual], n)
            count += np.bincount(samples.cell[usual], minlength=n)
            if above.any():
                found.append(samples.take(above))
    mean_V = np.divide(total, count, out=np.full(n, np.nan), where=count > 0.0)
    return _joined(found), mean_V, float(np.median(apart_s)) if apart_s else float("nan")


def _near(history: Path, plant: Plant, high: _Samples, around_us: int) -> _Samples:
    """All samples of a cell that are no further from a high one of it than a time."""
    # One key orders by cell, then by time: 2^51 us is the year 2041.
    keys = np.sort((high.cell << 51) + high.time_us)
    first_us, last_us = int(high.time_us.min()) - around_us, int(high.time_us.max()) + around_us
    found: list[_Samples] = []
    for path in table_files(history, "readings"):
        for part in parts(path):
            if part.last_us < first_us or part.first_us > last_us:
                continue
            for samples in _voltages(path, part.group, plant):
                key = (samples.cell << 51) + samples.time_us
                place = np.searchsorted(keys, key)
                before, after = (keys[np.clip(place + k, 0, len(keys) - 1)] for k in (-1, 0))
                close = (np.abs(key - before) <= around_us) | (np.abs(after - key) <= around_us)
                if close.any():
                    found.append(samples.take(close))
    return _joined(found)


def _joined(found: list[_Samples]) -> _Samples:
    return _Samples(
        np.concatenate([part.time_us for part in found]),
        np.concatenate([part.cell for part in found]),
        np.concatenate([part.voltage_V for part in found]),
    )


def _told_elsewhere(path: Path, column: str, text: str) -> None:
    """Texts in place of numbers are told of when the history is replayed."""


def _voltages(path: Path, group: int | None, plant: Plant) -> Iterator[_Samples]:
    """Voltages of a file that a cell can have, of cells that the plant names."""
    if _VOLTAGE not in column_names(path):
        return
    ids = pa.array([cell.id for cell in plant.cells])
    low, high = SIGNALS[_VOLTAGE].low, SIGNALS[_VOLTAGE].high
    for batch in batches(path, group, ("time", "cell", _VOLTAGE)):
        volts = floats(path, batch, _VOLTAGE, _told_elsewhere)
        place = _compute.fill_null(
            _compute.index_in(batch.column("cell").cast(pa.string()), value_set=ids), -1
        )
        cell = place.to_numpy(zero_copy_only=False).astype(np.int64)
        good = (cell >= 0) & (volts >= low) & (volts <= high)
        if good.any():
            yield _Samples(times(path, batch, "time")[good], cell[good], volts[good])


class EffectLog(NamedTuple):
    """Anode effects of a folder of a replay, (n_effects,) each.

    Attributes
    ----------
    time_us, cell
        Start [UTC us] and position of the cell.
    seconds, mean_V, overvoltage_Vs
        Length [s], mean voltage [V], voltage above that without effects over its time [V s].
    interval_s
        Usual time between two voltages of a cell; NaN where the file does not say.
    """

    time_us: IntArray
    cell: IntArray
    seconds: FloatArray
    mean_V: FloatArray
    overvoltage_Vs: FloatArray
    interval_s: float

    def take(self, rows: NDArray[np.bool_]) -> "EffectLog":
        """Some of them, by a mask."""
        return EffectLog(
            self.time_us[rows],
            self.cell[rows],
            self.seconds[rows],
            self.mean_V[rows],
            self.overvoltage_Vs[rows],
            self.interval_s,
        )


def read_effects(path: Path, plant: Plant) -> EffectLog | None:
    """Read what `write_effects` wrote; None where nobody looked.

    Raises
    ------
    HistoryError
        A file that cannot be read.
    """
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path, schema=SCHEMA)
        said = (pq.read_schema(path).metadata or {}).get(_INTERVAL.encode(), b"nan")
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: cannot be read: {error}") from error
    place = [plant.cell_index.get(cell, -1) for cell in table["cell"].to_pylist()]
    cell = np.array(place, dtype=np.int64)
    names = ("seconds", "mean_V", "overvoltage_Vs")
    time_us = table["time"].cast(pa.int64()).to_numpy()
    seconds, mean_V, over_Vs = (np.asarray(table[name].to_numpy(), dtype=np.float64) for name in names)
    return EffectLog(time_us, cell, seconds, mean_V, over_Vs, float(said)).take(cell >= 0)
