"""Energies and states of a replay as Parquet, by contract."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from edge.line_fields import LINE_FIELDS
from edge.points import STATE_FIELDS, Point

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
