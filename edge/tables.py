"""Energies and states of a replay as Parquet, by contract."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from edge.line_fields import LINE_FIELDS
from edge.points import STATE_FIELDS, Point
from streams.tables import HistoryError

ENERGY_FIELDS: tuple[str, ...] = (
    "dc_energy_kwh",
    "ac_energy_kwh",
    "metal_kg",
    "current_efficiency",
    "dc_kwh_per_t",
    "ac_kwh_per_t",
    "heat_loss_kw",
    "gap_to_benchmark_kwh_per_t",
    "gap_to_baseline_kwh_per_t",
    "level_code",
    "coverage",
    "uncertainty_kwh_per_t",
    *LINE_FIELDS,
)
#: A schema or a table: pyarrow has no types of its own.
_Arrow = Any
_TIME = ("time", pa.timestamp("us", tz="UTC"))
ENERGY_SCHEMA = pa.schema(
    [_TIME, ("window", pa.string()), ("line", pa.string()), ("cell", pa.string())]
    + [(name, pa.int64() if name == "level_code" else pa.float64()) for name in ENERGY_FIELDS]
)
_STATE_SCHEMA = pa.schema(
    [_TIME, ("line", pa.string()), ("cell", pa.string())] + [(name, pa.float64()) for name, _ in STATE_FIELDS]
)
#: States of a replay are kept on this grid.
STATE_GRID_US = 600_000_000
_ROWS = 50_000


class Tables:
    """Writes ``energy.parquet`` and ``states.parquet`` into a folder while points come; use it in a ``with`` block.

    Parameters
    ----------
    folder
        Where the two files go; both are written even when there is nothing to put in.
    """

    def __init__(self, folder: Path) -> None:
        self._energy = pq.ParquetWriter(folder / "energy.parquet", ENERGY_SCHEMA, compression="zstd")
        self._states = pq.ParquetWriter(folder / "states.parquet", _STATE_SCHEMA, compression="zstd")
        self._energy_rows: list[dict[str, object]] = []
        self._state_rows: list[dict[str, object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write(_ROWS if kind else 0)
        self._energy.close()
        self._states.close()

    def add(self, points: Sequence[Point]) -> None:
        """Keep the energies, and the states that lie on the grid."""
        for point in points:
            if point.measurement in ("cell_energy", "line_energy"):
                row: dict[str, object] = {name: point.fields.get(name) for name in ENERGY_FIELDS}
                row |= {"time": point.time_us, "window": point.tags["window"], "line": point.tags["line"]}
                self._energy_rows.append(row | {"cell": point.tags.get("cell", "")})
            elif point.measurement == "cell_state" and point.time_us % STATE_GRID_US == 0:
                row = {name: point.fields.get(name) for name, _ in STATE_FIELDS}
                row |= {"time": point.time_us, "line": point.tags["line"], "cell": point.tags["cell"]}
                self._state_rows.append(row)
        self._write(_ROWS)

    def _write(self, more_than: int) -> None:
        for rows, writer, schema in (
            (self._energy_rows, self._energy, ENERGY_SCHEMA),
            (self._state_rows, self._states, _STATE_SCHEMA),
        ):
            if len(rows) > more_than:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows.clear()


def write_rows(path: Path, schema: _Arrow, rows: Sequence[Sequence[object]]) -> None:
    """Write rows as a table of a schema.

    Parameters
    ----------
    path
        The file.
    schema
        Names and types of the columns, in the order of the values of a row.
    rows
        May be none.
    """
    columns = list(zip(*rows, strict=True)) or [[] for _ in schema]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd")


def read_rows(path: Path, schema: _Arrow) -> _Arrow | None:
    """Read a table of a schema; None where there is no file.

    Parameters
    ----------
    path
        The file.
    schema
        Columns that are read.

    Raises
    ------
    HistoryError
        A file that cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return pq.read_table(path, schema=schema)
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: cannot be read: {error}") from error
