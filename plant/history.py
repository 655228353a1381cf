"""Writes a recorded history of the simulated line, with labels."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from plant.delivery import Delivery
from plant.faults import Label, Plan
from plant.line import LINE, Chunk, Line, PlantCounter, PlantEvent, PlantSample
from plant.publish import plant_toml, stagger_us
from plant.scenario import scenario
from plant.state import F
from plant.supply import Outage
from plant.technology import Technology
from twin.signals import column

F32 = NDArray[np.float32]

_BLOCK_S = 1800
_FILE_S = 21600
_ANODE_S = 10
_SLOW_S = 60
#: Column of ``_rows`` of which single values get lost.
_VOLTAGE = 1
_TIME = pa.timestamp("us", tz="UTC")


def simulate(
    out: Path,
    *,
    n_cells: int,
    days: float,
    seed: int,
    faults: Plan = "enriched",
    technology: str | Technology = "P300",
    interval_s: float = 1.0,
    start_us: int = 1_767_225_600_000_000,
    outages: Sequence[Outage] = (),
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write a history folder: plant, readings in files of six hours, samples, events, counters and labels.

    Parameters
    ----------
    out
        Folder; made if it is missing.
    n_cells, days, seed
        Size, length [d] and what decides every draw.
    faults
        Which set: see ``plant.scenario.scenario``. With ``none`` nothing goes wrong at all, not even in the
        plant's paperwork and network.
    technology
        A key of ``plant.technology.TECHNOLOGIES``, or a design of one's own.
    interval_s
        Time between two rows of a cell [s], whole seconds. Anode currents stand in rows every 10 s,
        shell, bars, duct gas, air and beam every minute (or in every row if that is slower); NaN in between.
    start_us
        First second, UTC microseconds.
    outages
        Besides those of the set.
    progress
        Told which share is done, now and then.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FileExistsError
        If the folder already holds readings.
    """
    step = round(interval_s)
    total = round(days * 86400.0)
    if step < 1 or total < 1:
        raise ValueError(f"interval_s {interval_s} and days {days} must be at least one second")
    readings = out / "readings"
    readings.mkdir(parents=True, exist_ok=True)
    if any(readings.iterdir()):
        raise FileExistsError(f"{readings} already holds readings; give an empty folder")
    line = scenario(
        faults,
        n_cells=n_cells,
        days=days,
        seed=seed,
        start_us=start_us,
        technology=technology,
        outages=outages,
    )
    delivery = Delivery(n_cells, seed, perfect=faults == "none")
    (out / "plant.toml").write_text(plant_toml(line), encoding="utf-8")
    events: list[PlantEvent] = []
    samples: list[PlantSample] = []
    counters: list[PlantCounter] = []
    schema = _schema(line)
    done = 0
    while done < total:
        name = readings / f"part-{done // _FILE_S:04d}.parquet"
        with pq.ParquetWriter(name, schema, compression="zstd", compression_level=1) as writer:
            end = min(done + _FILE_S, total)
            while done < end:
                chunk = line.advance(min(_BLOCK_S, end - done))
                writer.write_table(_rows(line, chunk, schema, done, step, delivery))
                events += chunk.events
                samples += chunk.samples
                counters += chunk.counters
                done += chunk.time_us.shape[0]
                if progress is not None:
                    progress(done / total)
    _write(out / "events.parquet", _events(events))
    _write(out / "samples.parquet", _samples(samples))
    _write(out / "counters.parquet", _counters(counters))
    _write(out / "labels.parquet", _labels(line, line.labels()))


def _schema(line: Line) -> object:
    t = line.technology
    fields = [pa.field("time", _TIME), pa.field("cell", pa.dictionary(pa.int16(), pa.string()))]
    scalars = ("line_current_A", "cell_voltage_V", "duct_gas_temp_C", "ambient_temp_C", "beam_position_mm")
    names = [
        *scalars,
        *(column("anode_current_A", j + 1) for j in range(t.n_anodes)),
        *(column("shell_temp_C", k + 1) for k in range(t.n_shell)),
        *(column("collector_bar_temp_C", b + 1) for b in range(t.n_bars)),
    ]
    return pa.schema(fields + [pa.field(name, pa.float32()) for name in names])


def _rows(line: Line, chunk: Chunk, schema: object, first_s: int, step: int, delivery: Delivery) -> object:
    second = first_s + np.arange(chunk.time_us.shape[0])
    keep = np.flatnonzero(second % step == 0)
    second, n = second[keep], line.n_cells
    slow = second % max(_SLOW_S, step) < step
    fast = second % max(_ANODE_S, step) < step
    time = (chunk.time_us[keep][:, None] + stagger_us(n)[None, :] - delivery.skew_us[None, :]).ravel()
    codes = np.tile(np.arange(n, dtype=np.int16), keep.shape[0])
    whole = np.ones((1, n))
    columns: list[F | F32] = [
        chunk.line_current_A[keep][:, None] * whole,
        chunk.cell_voltage_V[keep],
        _only(chunk.duct_gas_temp_C[keep], slow),
        _only(chunk.ambient_temp_C[keep][:, None] * whole, slow),
        _only(chunk.beam_position_mm[keep], slow),
    ]
    anodes = _only(chunk.anode_current_A[keep], fast)
    shells = _only(chunk.shell_temp_C[keep], slow)
    columns += [anodes[:, :, j] for j in range(anodes.shape[2])]
    columns += [shells[:, :, k] for k in range(shells.shape[2])]
    bars = _only(chunk.collector_bar_temp_C[keep], slow)
    columns += [bars[:, :, b] for b in range(bars.shape[2])]
    silent = np.isnan(chunk.cell_voltage_V[keep]).ravel()
    delivered = delivery.deliver(silent.shape[0], step)
    sent = delivered.row[~silent[delivered.row]]
    arrays: list[object] = [
        pa.array(time[sent]).cast(_TIME),
        pa.DictionaryArray.from_arrays(pa.array(codes[sent]), pa.array(line.cell_ids)),
    ]
    for k, values in enumerate(columns):
        flat = values.astype(np.float32).ravel()
        if k == _VOLTAGE:
            flat[delivered.lost] = np.nan
        arrays.append(pa.array(flat[sent]))
    return pa.Table.from_arrays(arrays, schema=schema)


def _only(values: F | F32, rows: NDArray[np.bool_]) -> F32:
    """Keep the rows that were measured; NaN elsewhere."""
    kept = np.full(values.shape, np.nan, dtype=np.float32)
    kept[rows] = values[rows]
    return kept


def _write(path: Path, table: object) -> None:
    pq.write_table(table, path, compression="zstd")


def _events(events: list[PlantEvent]) -> object:
    events = sorted(events, key=lambda e: (e.time_us, e.cell, e.event))
    attributes = [json.dumps(e.attributes, sort_keys=True) for e in events]
    return pa.table(
        {
            "time": pa.array([e.time_us for e in events], _TIME),
            "received": pa.array([e.received_us for e in events], _TIME),
            "cell": pa.array([e.cell for e in events], pa.string()),
            "event": pa.array([e.event for e in events], pa.string()),
            "attributes": pa.array(attributes, pa.string()),
        }
    )


def _samples(samples: list[PlantSample]) -> object:
    samples = sorted(samples, key=lambda s: (s.time_us, s.cell, s.signal))
    return pa.table(
        {
            "time": pa.array([s.time_us for s in samples], _TIME),
            "received": pa.array([s.received_us for s in samples], _TIME),
            "cell": pa.array([s.cell for s in samples], pa.string()),
            "signal": pa.array([s.signal for s in samples], pa.string()),
            "value": pa.array([s.value for s in samples], pa.float64()),
        }
    )


def _counters(counters: list[PlantCounter]) -> object:
    return pa.table(
        {
            "time": pa.array([c.time_us for c in counters], _TIME),
            "line": pa.array([LINE] * len(counters), pa.string()),
            "counter": pa.array([c.counter for c in counters], pa.string()),
            "value": pa.array([c.value for c in counters], pa.float64()),
        }
    )


def _labels(line: Line, found: list[Label]) -> object:
    def instants(seconds: list[float]) -> object:
        return pa.array([line.start_us + round(s) * 1_000_000 for s in seconds], _TIME)

    return pa.table(
        {
            "cell": pa.array([line.cell_ids[x.fault.cell] for x in found], pa.string()),
            "kind": pa.array([x.fault.kind for x in found], pa.string()),
            "anode": pa.array([x.fault.anode for x in found], pa.int64()),
            "side": pa.array([x.fault.side for x in found], pa.string()),
            "start": instants([x.fault.start_s for x in found]),
            "observable": instants([x.observable_s for x in found]),
            "end": instants([x.end_s for x in found]),
            "severity": pa.array([x.fault.severity for x in found], pa.float64()),
        }
    )
