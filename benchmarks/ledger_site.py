"""Output folders of an imagined site, written directly: hours of many cells with taps, levels and registers."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge.entries import ANODE_CHANGE, LEVEL, SCHEMA, STATE, TAP
from edge.tables import ENERGY_SCHEMA
from twin.energy import METAL_KG_PER_KAH

FloatArray = NDArray[np.float64]
HOUR_US = 3_600_000_000
_DAY_H = 24
_AREA_M2 = 52.0
_ASSUMED_EFFICIENCY = 0.94


class Truth(NamedTuple):
    """What is true of the site.

    Attributes
    ----------
    efficiency, voltage_V : (n_cells,)
        Means over all time; fraction and [V].
    dc_kwh_per_t
        Of the line over all time.
    energy_kWh, metal_t : (n_days, n_cells)
        By day, in normal operation only.
    cast_kg : (n_days,)
        Metal that reached the cast house.
    """

    efficiency: FloatArray
    voltage_V: FloatArray
    dc_kwh_per_t: float
    energy_kWh: FloatArray
    metal_t: FloatArray
    cast_kg: FloatArray


class Errors(NamedTuple):
    """What goes wrong in a real month besides scatter; nothing by default.

    Attributes
    ----------
    scale_bias_frac
        Common to all ladle weights.
    wander_frac
        By how much a cell's current efficiency wanders from day to day (standard deviation, over some ten days).
    late_h
        Mean further delay of level readings.
    line_gap_h
        The whole line is silent this long, in the middle of the last month.
    reset_day
        Day on which the rectifiers' register starts again from zero; None for never.
    startup
        Cells that start up, ``startup_days`` from ``startup_from`` on, 0.5 V higher.
    """

    scale_bias_frac: float = 0.0
    wander_frac: float = 0.0
    late_h: float = 0.0
    line_gap_h: int = 0
    reset_day: int | None = None
    startup: tuple[int, ...] = ()
    startup_from: int = 0
    startup_days: int = 0


_NO_ERRORS = Errors()
_STARTUP_V = 0.5


def write_site(
    folder: Path,
    *,
    n_cells: int,
    days: int,
    seed: int,
    start: str = "2025-01-01",
    gap_share: float = 0.0,
    errors: Errors = _NO_ERRORS,
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
    errors
        See `Errors`.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"L1-{i + 1:03d}" for i in range(n_cells)]
    (folder / "plant.toml").write_text(
        'site = "imagined"\ntime_zone = "Asia/Shanghai"\n[[line]]\nid = "L1"\nrated_current_A = 300000\n'
        + "".join(f'[[line.cell]]\nid = "{cell}"\n' for cell in ids),
        encoding="utf-8",
    )
    mean_efficiency = rng.normal(0.935, 0.008, n_cells)
    efficiency = mean_efficiency + _wander(rng, days, n_cells, errors.wander_frac)
    base_V = rng.normal(3.98, 0.04, n_cells)
    first = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    start_us = round(first.timestamp()) * 1_000_000
    hours = days * _DAY_H
    hour_us = start_us + HOUR_US * np.arange(hours, dtype=np.int64)
    current_kA = 300.0 + 2.0 * rng.standard_normal(hours)
    starting = np.zeros((hours, n_cells), dtype=np.bool_)
    first_h = errors.startup_from * _DAY_H
    starting[first_h : first_h + errors.startup_days * _DAY_H, list(errors.startup)] = True
    silent = np.zeros(hours, dtype=np.bool_)
    silent[hours - 15 * _DAY_H : hours - 15 * _DAY_H + errors.line_gap_h] = True
    energy_kWh = np.zeros((hours, n_cells))
    with pq.ParquetWriter(folder / "energy.parquet", ENERGY_SCHEMA, compression="zstd") as writer:
        for begin in range(0, hours, 480):
            part = slice(begin, min(begin + 480, hours))
            n = part.stop - part.start
            voltage_V = base_V + 0.02 * rng.standard_normal((n, n_cells)) + _STARTUP_V * starting[part]
            charge_kAh = current_kA[part, None] * np.ones((1, n_cells))
            energy_kWh[part] = voltage_V * charge_kAh
            covered = np.where(rng.random((n, n_cells)) < gap_share, 0.0, 1.0) * ~silent[part, None]
            writer.write_table(_hours(hour_us[part], ids, voltage_V, charge_kAh * covered, covered))
    cast_kg = _entries(
        folder / "entries.parquet",
        ids,
        start_us,
        days,
        efficiency,
        current_kA,
        energy_kWh.sum(axis=1),
        rng,
        errors,
    )
    charge = np.where(starting, 0.0, current_kA[:, None])
    made = METAL_KG_PER_KAH * np.repeat(efficiency, _DAY_H, axis=0) * charge / 1000.0
    normal = np.where(starting, 0.0, energy_kWh)
    by_day = [x.reshape(days, _DAY_H, n_cells).sum(axis=1) for x in (normal, made)]
    return Truth(
        efficiency.mean(axis=0),
        base_V,
        float(by_day[0].sum() / by_day[1].sum()),
        by_day[0],
        by_day[1],
        cast_kg,
    )


def _wander(rng: np.random.Generator, days: int, n_cells: int, sd_frac: float) -> FloatArray:
    """A walk that forgets in ten days, (days, n_cells)."""
    found = np.zeros((days, n_cells))
    keep = np.exp(-0.1)
    for day in range(days):
        pushed = sd_frac * rng.standard_normal(n_cells)
        found[day] = pushed if day == 0 else keep * found[day - 1] + np.sqrt(1.0 - keep**2) * pushed
    return found


def _hours(
    hour_us: NDArray[np.int64], ids: list[str], voltage_V: FloatArray, charge: FloatArray, covered: FloatArray
) -> object:
    energy = voltage_V * charge
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
    errors: Errors,
) -> FloatArray:
    """Taps, levels, anode changes, states and registers; gives what reached the cast house by day [kg]."""
    n, day_us = len(ids), _DAY_H * HOUR_US
    k = np.arange(days)
    charge_kAh = np.concatenate(([0.0], np.cumsum(current_kA)))
    made_kg = METAL_KG_PER_KAH * efficiency.T * np.diff(charge_kAh[::_DAY_H])
    tapped_kg = np.round(made_kg + 60.0 * rng.standard_normal((n, days)))
    # The level is read at 08:00, the tap is at 20:00.
    midnight_kg = np.cumsum(made_kg, axis=1) - made_kg
    by_8_kg = midnight_kg + METAL_KG_PER_KAH * efficiency.T * (charge_kAh[8::_DAY_H] - charge_kAh[:-1:_DAY_H])
    before_kg = np.cumsum(tapped_kg, axis=1) - tapped_kg
    level_m = (24_000.0 + by_8_kg - before_kg) / (_AREA_M2 * 2300.0)
    level_m = np.round(level_m + 0.007 * rng.standard_normal((n, days)), 2)
    weighed_kg = tapped_kg * (1.0 + errors.scale_bias_frac + 0.01 * rng.standard_normal((n, days)))
    parts = []
    for name, hour, values in ((TAP, 20, weighed_kg), (LEVEL, 8, level_m)):
        at = np.tile(start_us + k * day_us + hour * HOUR_US, n)
        late_us = (rng.exponential(max(errors.late_h, 1e-9), len(at)) * HOUR_US).astype(np.int64)
        parts.append((at, at + HOUR_US + late_us, np.repeat(ids, days), name, values.ravel()))
    change = start_us + k * day_us + 12 * HOUR_US
    parts.append(
        (np.tile(change, n), np.tile(change, n), np.repeat(ids, days), ANODE_CHANGE, np.tile(1.0 + k % 30, n))
    )
    for cell in errors.startup:
        for day, state in ((errors.startup_from, 2.0), (errors.startup_from + errors.startup_days, 3.0)):
            at = np.array([start_us + day * day_us])
            parts.append((at, at, np.array([ids[cell]]), STATE, np.array([state])))
    ac = np.concatenate(([0.0], np.cumsum(dc_by_hour) * 1.01 / 0.983))
    at = start_us + HOUR_US * np.arange(len(ac), dtype=np.int64)
    dc = 0.983 * ac
    if errors.reset_day is not None:
        ac = np.where(np.arange(len(ac)) > errors.reset_day * _DAY_H, ac - ac[errors.reset_day * _DAY_H], ac)
    for name, values in (
        ("rectifier_ac_energy_kWh", ac),
        ("line_dc_energy_kWh", dc),
        ("auxiliary_ac_energy_kWh", 0.024 * dc),
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
    return tapped_kg.sum(axis=0)
