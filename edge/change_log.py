"""``changes.parquet`` of a replay: what every logged anode change cost, from minutes around it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from edge.tables import read_rows, write_rows
from streams.messages import Event, Item
from streams.plant_file import Plant
from twin.anode_change import ENERGY_H, NEAR_H, AnodeChange, anode_change

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_MINUTE_US = 60_000_000
_HOUR_MIN = 60
#: Minutes that are kept: those before and after a change, and two hours for an entry that was logged late.
_KEPT_MIN = round((NEAR_H + ENERGY_H + 2.0) * _HOUR_MIN)
SCHEMA = pa.schema(
    [("time", pa.timestamp("us", tz="UTC")), ("cell", pa.string()), ("anode", pa.int64())]
    + [(name, pa.float64()) for name in AnodeChange._fields]
)


class ChangeFigures(NamedTuple):
    """Figures of the anode changes of a replay, (n_changes,) each.

    Attributes
    ----------
    time_us, cell, anode
        When [UTC us], position of the cell, number of the anode.
    noise_ratio, hours_to_70_pct
        See ``twin.anode_change.AnodeChange``; NaN where they are not known.
    """

    time_us: IntArray
    cell: IntArray
    anode: IntArray
    noise_ratio: FloatArray
    hours_to_70_pct: FloatArray


class ChangeLog:
    """Keeps the minutes of the last day and a half, and works out each change when its day is over.

    Parameters
    ----------
    plant
        Its cells and their anodes.

    Notes
    -----
    Memory: 1920 minutes of float32 by cell and anode, 97 MB for 420 cells with 28 anodes. The noise ratio is that of
    minute means, slower than the reference's 0.1 Hz.
    """

    def __init__(self, plant: Plant) -> None:
        n, anodes = len(plant.cells), max(1, max(cell.n_anodes for cell in plant.cells))
        self._plant = plant
        self._minutes = np.full(_KEPT_MIN, -1, dtype=np.int64)
        self._voltage_V, self._current_A = (np.full((_KEPT_MIN, n), np.nan, np.float32) for _ in range(2))
        self._share = np.full((_KEPT_MIN, n, anodes), np.nan, np.float32)
        self._open = -1
        self._sum, self._count = np.zeros((2 + anodes, n)), np.zeros((2 + anodes, n))
        self._waiting: list[tuple[int, int, int]] = []
        self._rows: list[tuple[int | str | float, ...]] = []

    def log(self, items: Iterable[Item]) -> None:
        """Note the anode changes among items, by the anode that was logged."""
        for item in items:
            if not isinstance(item, Event) or item.event != "anode_change":
                continue
            cell, anode = self._plant.cell_index.get(item.cell), item.attributes.get("anode")
            if cell is not None and isinstance(anode, int) and 1 <= anode <= self._plant.cells[cell].n_anodes:
                self._waiting.append((item.time_us, cell, anode))

    def add(
        self,
        time_us: int,
        cell_voltage_V: FloatArray,
        line_current_A: FloatArray,
        anode_current_A: FloatArray,
    ) -> None:
        """Take in one scan.

        Parameters
        ----------
        time_us
            UTC microseconds, rising.
        cell_voltage_V, line_current_A : (n_cells,)
            NaN where not measured.
        anode_current_A : (n_cells, n_anodes)
            NaN where there is none or it was not measured.
        """
        minute = time_us // _MINUTE_US
        if minute != self._open:
            self._close()
            self._open = minute
        seen = np.concatenate((cell_voltage_V[None], line_current_A[None], anode_current_A.T))
        known = np.isfinite(seen)
        self._sum += np.where(known, seen, 0.0)
        self._count += known

    def write(self, path: Path) -> None:
        """Write the changes whose day is over."""
        self._close()
        write_rows(path, SCHEMA, sorted(self._rows))

    def _close(self) -> None:
        if self._open < 0:
            return
        mean = np.divide(
            self._sum, self._count, out=np.full(self._sum.shape, np.nan), where=self._count > 0.0
        )
        row = self._open % _KEPT_MIN
        self._minutes[row] = self._open
        self._voltage_V[row], self._current_A[row] = mean[0], mean[1]
        with np.errstate(invalid="ignore", divide="ignore"):
            count = np.maximum(np.isfinite(mean[2:]).sum(axis=0), 1)
            usual_A = np.nansum(mean[2:], axis=0) / count
            self._share[row] = np.where(usual_A > 0.0, mean[2:] / usual_A, np.nan).T
        self._sum[:], self._count[:] = 0.0, 0.0
        over = self._open - round(ENERGY_H * _HOUR_MIN)
        due = [change for change in self._waiting if change[0] // _MINUTE_US < over]
        self._waiting = [change for change in self._waiting if change[0] // _MINUTE_US >= over]
        for time_us, cell, anode in due:
            self._judge(time_us, cell, anode)

    def _judge(self, time_us: int, cell: int, anode: int) -> None:
        hours = (self._minutes * _MINUTE_US - time_us) / 3.6e9
        mine = np.flatnonzero((self._minutes >= 0) & (hours >= -NEAR_H) & (hours <= ENERGY_H))
        mine = mine[np.argsort(hours[mine])]
        share = self._share[mine, cell, anode - 1].astype(np.float64)
        found = anode_change(
            hours[mine],
            self._voltage_V[mine, cell].astype(np.float64),
            self._current_A[mine, cell].astype(np.float64),
            share if np.isfinite(share).any() else None,
        )
        self._rows.append((time_us, self._plant.cells[cell].id, anode, *found))


def read_changes(path: Path, plant: Plant) -> ChangeFigures | None:
    """Read what a replay wrote; None where it did not.

    Raises
    ------
    HistoryError
        A file that cannot be read.
    """
    table = read_rows(path, SCHEMA)
    if table is None:
        return None
    cell = np.array([plant.cell_index.get(name, -1) for name in table["cell"].to_pylist()], dtype=np.int64)
    return ChangeFigures(
        table["time"].cast(pa.int64()).to_numpy(),
        cell,
        table["anode"].to_numpy(),
        np.asarray(table["noise_ratio"].to_numpy(), dtype=np.float64),
        np.asarray(table["hours_to_70_pct"].to_numpy(), dtype=np.float64),
    )
