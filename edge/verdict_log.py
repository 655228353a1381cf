"""``verdicts.parquet`` of a replay: what became of every anode change that the currents showed."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from edge.tables import read_rows, write_rows
from models.anode_change import Change
from streams.plant_file import Plant

_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("time", _TIME),
        ("cell", pa.string()),
        ("anode", pa.int64()),
        ("logged", pa.bool_()),
        ("recognised", pa.bool_()),
        ("planned", pa.bool_()),
        ("corner", pa.bool_()),
        ("verdict", pa.string()),
        ("known", _TIME),
        ("half_low_h", pa.float64()),
        ("half_high_h", pa.float64()),
        ("half_load_h", pa.float64()),
        ("level_ratio", pa.float64()),
    ]
)


class Verdicts(NamedTuple):
    """Anode changes of a replay, (n_changes,) each.

    Attributes
    ----------
    time_us, cell
        When the anode was set [UTC us], and position of the cell, -1 where the plant does not know it.
    logged
        Whether the log has the change at this anode.
    verdict
        By the names of ``models.anode_change``.
    """

    time_us: NDArray[np.int64]
    cell: NDArray[np.int64]
    logged: NDArray[np.bool_]
    verdict: NDArray[np.str_]


class VerdictLog:
    """Keeps the newest word on every anode change: detectors themselves remember some thousands.

    Parameters
    ----------
    plant
        Its cells.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._changes: dict[tuple[int, int, int], Change] = {}

    def note(self, changes: Iterable[Change]) -> None:
        """Take what the detectors say now; a change that is known already gets its newest verdict."""
        self._changes.update({(change.cell, change.anode, change.time_us): change for change in changes})

    def write(self, path: Path) -> None:
        """Write every change, oldest first."""
        rows = [
            (
                change.time_us,
                self._plant.cells[change.cell].id,
                change.anode + 1,
                change.logged,
                change.recognised,
                change.planned,
                change.corner,
                change.verdict,
                change.known_us or None,
                change.half_low_h,
                change.half_high_h,
                change.half_load_h,
                change.level_ratio,
            )
            for change in self._changes.values()
        ]
        write_rows(path, SCHEMA, sorted(rows, key=lambda row: row[:3]))


def read_verdicts(path: Path, plant: Plant) -> Verdicts | None:
    """Read what a replay wrote; None where it did not.

    Parameters
    ----------
    path
        The file.
    plant
        Its cells give the positions.

    Raises
    ------
    HistoryError
        A file that cannot be read.
    """
    table = read_rows(path, SCHEMA)
    if table is None:
        return None
    cell = [plant.cell_index.get(name, -1) for name in table["cell"].to_pylist()]
    return Verdicts(
        table["time"].cast(pa.int64()).to_numpy(),
        np.array(cell, dtype=np.int64),
        np.array(table["logged"].to_pylist(), dtype=np.bool_),
        np.array(table["verdict"].to_pylist(), dtype=np.str_),
    )
