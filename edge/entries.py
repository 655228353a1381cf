"""``entries.parquet`` of a replay: what the plant logged that the energy ledger needs, by when it became known."""

import logging
import math
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from streams.messages import CounterReading, Event, Item, Sample
from streams.plant_file import Plant
from twin.book import STATES
from twin.signals import SIGNALS

_LOG = logging.getLogger(__name__)

#: Entries by name: registers [kWh] carry the register's own name and no cell.
TAP, LEVEL, STATE, ANODE_CHANGE = "tap_metal_kg", "metal_height_m", "cell_state", "anode_change"
TEMPERATURE = "bath_temp_C"
_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("time", _TIME),
        ("received", _TIME),
        ("line", pa.string()),
        ("cell", pa.string()),
        ("entry", pa.string()),
        ("value", pa.float64()),
    ]
)

_Row = tuple[int, int, str, str, str, float]


class Entries:
    """Collects entries of a site while items pass.

    Parameters
    ----------
    plant
        Entries of cells and lines that it does not name are left out.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._rows: list[_Row] = []
        self._impossible = 0

    def add(self, items: Iterable[Item]) -> None:
        """Keep the taps, metal levels, bath temperatures, cell states, anode changes and registers among the items."""
        for item in items:
            if isinstance(item, Sample) and item.signal == LEVEL and not _possible(item.value):
                self._impossible += 1
                continue
            row = self._row(item)
            if row is not None and math.isfinite(row[5]):
                self._rows.append(row)

    def write(self, path: Path) -> None:
        """Write them sorted, so that the order in which they came makes no difference."""
        if self._impossible:
            _LOG.warning("%d samples of %s left out: no cell can have them", self._impossible, LEVEL)
        columns = list(zip(*sorted(set(self._rows)), strict=True)) or [[] for _ in SCHEMA]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        pq.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA), path, compression="zstd")

    def _row(self, item: Item) -> _Row | None:
        if isinstance(item, CounterReading):
            line = item.line or (self._plant.lines[0] if len(self._plant.lines) == 1 else "")
            if line not in self._plant.line_index:
                return None
            return item.time_us, item.time_us, line, "", item.counter, item.value
        if not isinstance(item, Sample | Event) or item.cell not in self._plant.cell_index:
            return None
        entry, value = _sample(item) if isinstance(item, Sample) else _event(item)
        return item.time_us, item.received_us, self._plant.line_of[item.cell], item.cell, entry, value


def _sample(item: Sample) -> tuple[str, float]:
    return (item.signal, item.value) if item.signal in (LEVEL, TEMPERATURE) else ("", math.nan)


def _possible(level_m: float) -> bool:
    """Whether a cell can have that level of metal; 20 was meant as centimetres."""
    return SIGNALS[LEVEL].low <= level_m <= SIGNALS[LEVEL].high


def _event(item: Event) -> tuple[str, float]:
    """Name and value of an event; NaN where it is none of ours or says nothing."""
    key = {"tap": "metal_kg", "anode_change": "anode", "cell_state": "state"}.get(item.event)
    found = item.attributes.get(key) if key else None
    if item.event == "cell_state" and found in STATES:
        return STATE, float(STATES.index(str(found)))
    if isinstance(found, int | float):
        return (TAP if item.event == "tap" else ANODE_CHANGE), float(found)
    return "", math.nan
