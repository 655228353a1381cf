"""Turns the simulated line into MQTT messages of the snapshot layout, in time order."""

import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.line import LINE, SITE, Chunk, Line, PlantCounter, PlantEvent, PlantSample

_BLOCK_S = 60
_ANODE_S = 10.0
_SLOW_S = 60.0

Payload = dict[str, object]


class Message(NamedTuple):
    """One MQTT message to be: when it leaves the plant [UTC us], topic, and payload before encoding."""

    time_us: int
    topic: str
    payload: Payload


def plant_toml(line: Line) -> str:
    """Write ``plant.toml`` of the line.

    Parameters
    ----------
    line
        Any.
    """
    t = line.technology
    sides = ", ".join(f'"{side}"' for side in t.shell_sides)
    rows = [
        f'site = "{SITE}"',
        'time_zone = "Asia/Shanghai"',
        "",
        f"[technology.{t.name}]",
        f"n_anodes = {t.n_anodes}",
        f"anode_length_mm = {t.anode_length_mm:g}",
        f"anode_width_mm = {t.anode_width_mm:g}",
        f"anode_height_mm = {t.anode_height_mm:g}",
        f"anode_life_h = {t.anode_life_h:g}",
        'anode_rows = ["up", "down"]',
        f"n_feeders = {t.n_feeders}",
        f"shot_mass_kg = {t.shot_mass_kg:g}",
        f"tap_interval_h = {t.tap_interval_h:g}",
        f"nominal_voltage_V = {t.nominal_voltage_V:g}",
        f"n_shell = {t.n_shell}",
        f"shell_sides = [{sides}]",
        f"n_bars = {t.n_bars}",
        "",
        "[[line]]",
        f'id = "{LINE}"',
        f"rated_current_A = {t.rated_current_A:.0f}",
        f'technology = "{t.name}"',
    ]
    for cell in line.cell_ids:
        rows += ["[[line.cell]]", f'id = "{cell}"']
    return "\n".join(rows) + "\n"


def stagger_us(n_cells: int) -> NDArray[np.int64]:
    """Offset of each cell's scan within the second [us], whole milliseconds, growing with the cell.

    Parameters
    ----------
    n_cells
        Number of cells that share the second.
    """
    return np.arange(n_cells, dtype=np.int64) * 1000 // n_cells * 1000


def scans(line: Line, interval_s: float = 1.0) -> Iterator[Message]:
    """Yield messages for ever, in time order; the caller encodes and paces them.

    Anode currents come every 10 s and shell, bars, duct gas and beam every minute, or with every scan if that is
    slower. Samples and log entries come when they become known.

    Parameters
    ----------
    line
        Is advanced.
    interval_s
        Time between two scans of a cell [s], rounded to whole seconds.

    Raises
    ------
    ValueError
        If the interval is below one second.
    """
    step = round(interval_s)
    if step < 1:
        raise ValueError(f"interval_s is {interval_s}, below one second")
    waiting: list[tuple[int, int, Message]] = []
    number = 0
    second = 0
    while True:
        chunk = line.advance(_BLOCK_S)
        for message in _known(line, chunk):
            heapq.heappush(waiting, (message.time_us, number, message))
            number += 1
        for row in range(_BLOCK_S):
            if (second + row) % step == 0:
                for message in _scan(line, chunk, row, second + row, step):
                    while waiting and waiting[0][0] <= message.time_us:
                        yield heapq.heappop(waiting)[2]
                    yield message
        second += _BLOCK_S


def _scan(line: Line, chunk: Chunk, row: int, second: int, step: int) -> Iterator[Message]:
    every_anode = max(round(_ANODE_S), step)
    every_slow = max(round(_SLOW_S), step)
    offsets = stagger_us(line.n_cells).tolist()
    for i, cell in enumerate(line.cell_ids):
        time_us = int(chunk.time_us[row]) + offsets[i]
        payload: Payload = {"line_current_A": float(chunk.line_current_A[row])}
        _put(payload, "cell_voltage_V", float(chunk.cell_voltage_V[row, i]))
        if second % every_anode < step:
            _put_all(payload, "anode_current_A", chunk.anode_current_A[row, i])
        if second % every_slow < step:
            payload["ambient_temp_C"] = float(chunk.ambient_temp_C[row])
            _put(payload, "duct_gas_temp_C", float(chunk.duct_gas_temp_C[row, i]))
            _put(payload, "beam_position_mm", float(chunk.beam_position_mm[row, i]))
            _put_all(payload, "shell_temp_C", chunk.shell_temp_C[row, i])
            _put_all(payload, "collector_bar_temp_C", chunk.collector_bar_temp_C[row, i])
        if "cell_voltage_V" in payload:
            topic = f"{SITE}/{LINE}/{cell}"
            yield Message(time_us, topic, {"timestamp_ms": time_us // 1000, **payload})


def _put(payload: Payload, name: str, value: float) -> None:
    if not math.isnan(value):
        payload[name] = value


def _put_all(payload: Payload, name: str, values: NDArray[np.float64]) -> None:
    if not np.isnan(values).all():
        payload[name] = [None if math.isnan(v) else v for v in values.tolist()]


def _known(line: Line, chunk: Chunk) -> Iterator[Message]:
    for event in chunk.events:
        yield _event_message(event)
    for sample in chunk.samples:
        yield _sample_message(sample)
    registers: dict[int, list[PlantCounter]] = {}
    for counter in chunk.counters:
        registers.setdefault(counter.time_us, []).append(counter)
    for time_us, group in registers.items():
        payload: Payload = {"timestamp_ms": time_us // 1000}
        payload.update((c.counter, c.value) for c in group)
        yield Message(time_us, f"{SITE}/{LINE}", payload)


def _event_message(event: PlantEvent) -> Message:
    payload: Payload = {"timestamp_ms": event.time_us // 1000, "event": event.event, **event.attributes}
    if event.received_us != event.time_us:
        payload["received_ms"] = event.received_us // 1000
    return Message(event.received_us, f"{SITE}/{LINE}/{event.cell}/event", payload)


def _sample_message(sample: PlantSample) -> Message:
    payload: Payload = {
        "timestamp_ms": sample.time_us // 1000,
        "received_ms": sample.received_us // 1000,
        "signal": sample.signal,
        "value": sample.value,
    }
    return Message(sample.received_us, f"{SITE}/{LINE}/{sample.cell}/sample", payload)
