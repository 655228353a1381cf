"""Output folders of an imagined site, written directly: hours of many cells with taps, levels and registers."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge.entries import ANODE_CHANGE, LEVEL, SCHEMA, TAP
from edge.tables import ENERGY_SCHEMA
from twin.energy import METAL_KG_PER_KAH

FloatArray = NDArray[np.float64]
HOUR_US = 3_600_000_000
_DAY_H = 24
_AREA_M2 = 52.0
_ASSUMED_EFFICIENCY = 0.94


class Truth(NamedTuple):
    """What is true of the site: current efficiency (n_cells,), voltage [V] (n_cells,), DC intensity of the line."""

    efficiency: FloatArray
    voltage_V: FloatArray
    dc_kwh_per_t: float


def write_site(
    folder: Path, *, n_cells: int, days: int, seed: int, start: str = "2025-01-01", gap_share: float = 0.0
) -> Truth:
    """Write ``plant.toml``, ``energy.parquet`` and ``entries.parquet`` of one line of 300 kA cells.

    Parameters
    ----------
    folder
        Made if it is missing.
    n_cells, days, seed
        Size, length, and what decides every draw.
    start
        First day in Asia/Shanghai.
    gap_share
        Share of cell-hours that were not measured.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"L1-{i + 1:03d}" for i in range(n_cells)]
    (folder / "plant.toml").write_text(
        'site = "imagined"\ntime_zone = "Asia/Shanghai"\n[[line]]\nid = "L1"\nrated_current_A = 300000\n'
        + "".join(f'[[line.cell]]\nid = "{cell}"\n' for cell in ids),
        encoding="utf-8",
    )
    efficiency = rng.normal(0.935, 0.008, n_cells)
    base_V = rng.normal(3.98, 0.04, n_cells)
    first = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    start_us = round(first.timestamp()) * 1_000_000
    hours = days * _DAY_H
    hour_us = start_us + HOUR_US * np.arange(hours, dtype=np.int64)
    current_kA = 300.0 + 2.0 * rng.standard_normal(hours)
    energy_true = np.zeros(n_cells)
    dc_by_hour = np.zeros(hours)
    with pq.ParquetWriter(folder / "energy.parquet", ENERGY_SCHEMA, compression="zstd") as writer:
        for begin in range(0, hours, 480):
            part = slice(begin, min(begin + 480, hours))
            n = part.stop - part.start
            voltage_V = base_V + 0.02 * rng.standard_normal((n, n_cells))
            charge_kAh = current_kA[part, None] * np.ones((1, n_cells))
            energy_true += (voltage_V * charge_kAh).sum(axis=0)
            dc_by_hour[part] = (voltage_V * charge_kAh).sum(axis=1)
            covered = np.where(rng.random((n, n_cells)) < gap_share, 0.0, 1.0)
            writer.write_table(
                _hours(hour_us[part], ids, voltage_V * charge_kAh * covered, charge_kAh * covered, covered)
            )
    _entries(folder / "entries.parquet", ids, start_us, days, efficiency, current_kA, dc_by_hour, rng)
    metal_kg = METAL_KG_PER_KAH * efficiency * current_kA.sum()
    return Truth(efficiency, base_V, 1000.0 * float(energy_true.sum() / metal_kg.sum()))


def _hours(
    hour_us: NDArray[np.int64], ids: list[str], energy: FloatArray, charge: FloatArray, covered: FloatArray
) -> object:
    n_hours, n = energy.shape
    size = n_hours * n
    metal_kg = METAL_KG_PER_KAH * _ASSUMED_EFFICIENCY * charge
    made = metal_kg > 0.0
    dc = np.divide(1000.0 * energy, metal_kg, out=np.full_like(energy, np.nan), where=made)
    given: dict[str, object] = {
        "time": pa.array(np.repeat(hour_us, n), pa.timestamp("us", tz="UTC")),
        "window": pa.array(["hour"] * size),
        "line": pa.array(["L1"] * size),
        "cell": pa.array(ids * n_hours),
        "dc_energy_kwh": pa.array(energy.ravel()),
        "metal_kg": pa.array(metal_kg.ravel()),
        "current_efficiency": pa.array(np.where(made, _ASSUMED_EFFICIENCY, np.nan).ravel()),
        "dc_kwh_per_t": pa.array(dc.ravel()),
        "coverage": pa.array(covered.ravel()),
        "heat_loss_kw": pa.array(np.full(size, 620.0)),
    }
    columns = [given.get(field.name, pa.nulls(size, field.type)) for field in ENERGY_SCHEMA]
    return pa.Table.from_arrays(columns, schema=ENERGY_SCHEMA)


def _entries(
    path: Path,
    ids: list[str],
    start_us: int,
    days: int,
    efficiency: FloatArray,
    current_kA: FloatArray,
    dc_by_hour: FloatArray,
    rng: np.random.Generator,
) -> None:
    n, day_us = len(ids), _DAY_H * HOUR_US
    k = np.arange(days)
    charge_kAh = np.concatenate(([0.0], np.cumsum(current_kA)))
    made_kg = METAL_KG_PER_KAH * efficiency[:, None] * np.diff(charge_kAh[::_DAY_H])
    tapped_kg = np.round(made_kg + 60.0 * rng.standard_normal((n, days)))
    # The level is read at 08:00, the tap is at 20:00.
    by_8_kg = METAL_KG_PER_KAH * efficiency[:, None] * charge_kAh[8::_DAY_H][:days]
    before_kg = np.cumsum(tapped_kg, axis=1) - tapped_kg
    level_m = (24_000.0 + by_8_kg - before_kg) / (_AREA_M2 * 2300.0)
    level_m = np.round(level_m + 0.007 * rng.standard_normal((n, days)), 2)
    weighed_kg = tapped_kg * (1.0 + 0.01 * rng.standard_normal((n, days)))
    parts = []
    for name, hour, values in ((TAP, 20, weighed_kg), (LEVEL, 8, level_m)):
        at = np.tile(start_us + k * day_us + hour * HOUR_US, n)
        parts.append((at, at + HOUR_US, np.repeat(ids, days), name, values.ravel()))
    change = start_us + k * day_us + 12 * HOUR_US
    parts.append(
        (np.tile(change, n), np.tile(change, n), np.repeat(ids, days), ANODE_CHANGE, np.tile(1.0 + k % 30, n))
    )
    ac = np.concatenate(([0.0], np.cumsum(dc_by_hour) * 1.01 / 0.983))
    at = start_us + HOUR_US * np.arange(len(ac), dtype=np.int64)
    for name, values in (
        ("rectifier_ac_energy_kWh", ac),
        ("line_dc_energy_kWh", 0.983 * ac),
        ("auxiliary_ac_energy_kWh", 0.024 * ac),
    ):
        parts.append((at, at, np.full(len(at), ""), name, np.round(values, 1)))
    time = pa.timestamp("us", tz="UTC")
    tables = [
        pa.Table.from_arrays(
            [
                pa.array(at, time),
                pa.array(received, time),
                pa.array(["L1"] * len(at)),
                pa.array(cells.tolist()),
                pa.array([name] * len(at)),
                pa.array(values),
            ],
            schema=SCHEMA,
        )
        for at, received, cells, name, values in parts
    ]
    pq.write_table(pa.concat_tables(tables), path, compression="zstd")
