"""Reads the output folder of a replay back into the energy book."""

import csv
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge.change_log import ChangeFigures, read_changes
from edge.effect_log import EffectLog, read_effects
from edge.entries import ANODE_CHANGE, LEVEL, STATE, TAP, TEMPERATURE
from edge.verdict_log import Verdicts, read_verdicts
from streams.plant_file import Plant, load_plant
from twin.book import HOUR_US, NORMAL, STATES, Book, Correction
from twin.energy import METAL_KG_PER_KAH, Calendar
from twin.metal_log import Entries, no_entries

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
#: pyarrow carries no types.
_Table = Any
_compute: Any = pc
_COLUMNS = ("time", "cell", "dc_energy_kwh", "metal_kg", "current_efficiency", "coverage", "heat_loss_kw")


class LedgerError(ValueError):
    """An output folder that cannot be read; the message names the file and what is wrong."""


class NoLedgerError(LedgerError):
    """A folder without the files of a replay."""


class LedgerFiles(NamedTuple):
    """What an output folder holds for the energy review.

    Attributes
    ----------
    plant
        The site.
    book
        Hours of every cell, corrections applied as versions.
    taps, levels, changes
        Log entries; the value of a change is the anode's number.
    temperatures
        Samples of the bath temperature [degC]: whether the twin has anything to go by.
    effects
        Anode effects in the recorded voltages; None where nobody looked for them.
    change_figures
        Noise and pick-up of anode changes; None where nobody looked.
    verdicts
        What became of each anode change by the detectors; None where nobody looked.
    registers
        Times and values by line and register.
    heat_loss_kW : (n_cells,)
        Mean of the twin's estimate over all hours.
    configured_efficiency
        Current efficiency that the pipeline used where metal is not weighed.
    """

    plant: Plant
    book: Book
    taps: Entries
    levels: Entries
    changes: Entries
    temperatures: Entries
    effects: EffectLog | None
    change_figures: ChangeFigures | None
    verdicts: Verdicts | None
    registers: dict[tuple[str, str], tuple[IntArray, FloatArray]]
    heat_loss_kW: FloatArray
    configured_efficiency: float


def read_ledger(folder: Path, calendar: Calendar) -> LedgerFiles:
    """Read ``plant.toml``, ``energy.parquet`` and ``entries.parquet``.

    Also ``effects.parquet``, ``changes.parquet``, ``verdicts.parquet`` and ``corrections.csv`` where they are there.

    Parameters
    ----------
    folder
        Written by ``potline replay``.
    calendar
        Of the plant.

    Raises
    ------
    NoLedgerError
        A file is missing.
    LedgerError
        A file is broken, or a correction cannot be applied.
    PlantError
        The plant file cannot be used.
    """
    for name in ("plant.toml", "energy.parquet", "entries.parquet"):
        if not (folder / name).is_file():
            raise NoLedgerError(
                f"{folder / name}: is missing; `potline replay HISTORY --out {folder}` writes it"
            )
    plant = load_plant(folder / "plant.toml")
    entries = _table(folder / "entries.parquet", ["time", "received", "line", "cell", "entry", "value"], None)
    states = _entries(entries, plant, STATE)
    book, heat_kW, efficiency = _book(folder / "energy.parquet", plant, calendar, states)
    _correct(folder / "corrections.csv", plant, book)
    return LedgerFiles(
        plant=plant,
        book=book,
        taps=_entries(entries, plant, TAP),
        levels=_entries(entries, plant, LEVEL),
        changes=_entries(entries, plant, ANODE_CHANGE),
        temperatures=_entries(entries, plant, TEMPERATURE),
        effects=read_effects(folder / "effects.parquet", plant),
        change_figures=read_changes(folder / "changes.parquet", plant),
        verdicts=read_verdicts(folder / "verdicts.parquet", plant),
        registers=_registers(entries, plant),
        heat_loss_kW=heat_kW,
        configured_efficiency=efficiency,
    )


def _table(path: Path, columns: list[str], filters: _Table) -> _Table:
    try:
        return pq.read_table(path, columns=columns, filters=filters)
    except (OSError, pa.ArrowException) as error:
        raise LedgerError(f"{path}: cannot be read: {error}") from error


def times_us(column: _Table) -> IntArray:
    """Times of a column [us since 1970 UTC]."""
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def cell_places(column: _Table, plant: Plant) -> IntArray:
    """Position of each cell in the plant; -1 where the plant does not name it."""
    place = _compute.index_in(column, value_set=pa.array([cell.id for cell in plant.cells]))
    return _compute.fill_null(place, -1).to_numpy().astype(np.int64)


def _book(path: Path, plant: Plant, calendar: Calendar, states: Entries) -> tuple[Book, FloatArray, float]:
    hours = (pc.field("window") == "hour") & (pc.field("cell") != "")
    table = _table(path, list(_COLUMNS), hours)
    line_index = np.array([plant.line_index[cell.line] for cell in plant.cells], dtype=np.int64)
    book = Book(line_index, calendar)
    n = len(plant.cells)
    time_us, cell = times_us(table["time"]), cell_places(table["cell"], plant)
    known = cell >= 0
    time_us, cell = time_us[known], cell[known]
    if not len(time_us):
        return book, np.full(n, np.nan), float("nan")
    starts_us, row = np.unique(time_us, return_inverse=True)
    # Hours of silence are hours too, not measured.
    all_us = np.arange(starts_us[0], starts_us[-1] + 1, HOUR_US, dtype=np.int64)
    if np.isin(starts_us, all_us).all():
        row, starts_us = np.searchsorted(all_us, time_us), all_us

    def dense(name: str, filled: float) -> FloatArray:
        out = np.full((len(starts_us), n), filled)
        out[row, cell] = table[name].to_numpy()[known]
        return out

    efficiency = dense("current_efficiency", np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        charge_kAh = dense("metal_kg", 0.0) / (METAL_KG_PER_KAH * efficiency)
    configured = float(np.nanmedian(efficiency)) if np.isfinite(efficiency).any() else float("nan")
    del efficiency
    heat = table["heat_loss_kw"].to_numpy()[known]
    there = np.isfinite(heat)
    sums, count = (np.bincount(cell[there], weights=w, minlength=n) for w in (heat[there], None))
    heat_kW = np.divide(sums, count, out=np.full(n, np.nan), where=count > 0)
    energy_kWh = dense("dc_energy_kwh", 0.0)
    covered_s = np.clip(3600.0 * np.nan_to_num(dense("coverage", 0.0)), 0.0, 3600.0)
    book.extend(starts_us, energy_kWh, charge_kAh, covered_s, _states(starts_us, n, states))
    return book, heat_kW, configured


def _states(starts_us: IntArray, n_cells: int, states: Entries) -> NDArray[np.int8]:
    """State of every hour: normal only where the cell was so all through it."""
    found = np.full((len(starts_us), n_cells), NORMAL, dtype=np.int8)
    ordered = states.known_by(None)
    for time_us, cell, value in zip(ordered.time_us, ordered.cell, ordered.value, strict=True):
        side = "left" if int(value) == NORMAL else "right"
        first = int(np.searchsorted(starts_us, time_us, side=side))
        found[first if int(value) == NORMAL else max(first - 1, 0) :, cell] = int(value)
    return found


def _entries(table: _Table, plant: Plant, name: str) -> Entries:
    mine = table.filter(_compute.equal(table["entry"], name))
    if not mine.num_rows:
        return no_entries()
    cell = cell_places(mine["cell"], plant)
    return Entries(times_us(mine["time"]), times_us(mine["received"]), cell, mine["value"].to_numpy()).take(
        cell >= 0
    )


def _registers(table: _Table, plant: Plant) -> dict[tuple[str, str], tuple[IntArray, FloatArray]]:
    found: dict[tuple[str, str], tuple[IntArray, FloatArray]] = {}
    for line in plant.lines:
        for name in ("rectifier_ac_energy_kWh", "line_dc_energy_kWh", "auxiliary_ac_energy_kWh"):
            both = _compute.and_(_compute.equal(table["entry"], name), _compute.equal(table["line"], line))
            mine = table.filter(both).sort_by("time")
            found[line, name] = (times_us(mine["time"]), mine["value"].to_numpy())
    return found


def _correct(path: Path, plant: Plant, book: Book) -> None:
    """Append the corrections of a file, one a row; the columns are those of a correction."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                book.correct(
                    Correction(
                        hour_us=_instant(row["hour"]),
                        cell=plant.cell_index[row["cell"]],
                        recorded_us=_instant(row["recorded"]),
                        dc_energy_kWh=float(row["dc_energy_kWh"]),
                        charge_kAh=float(row["charge_kAh"]),
                        covered_s=float(row["covered_s"]),
                        state=STATES.index(row["state"]),
                        reason=row["reason"],
                        author=row["author"],
                    )
                )
            except KeyError as error:
                raise LedgerError(f"{path}: row {number}: unknown cell or missing column {error}") from error
            except ValueError as error:
                raise LedgerError(f"{path}: row {number}: {error}") from error


def _instant(text: str) -> int:
    """UTC microseconds of an ISO 8601 time, which must carry its zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone; write for instance 2026-03-01T07:00:00+08:00")
    return round(time.timestamp()) * 1_000_000
