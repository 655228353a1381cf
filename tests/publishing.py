"""Sends a recorded history through a broker as a plant would: one snapshot a cell and scan, entries as they come."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from streams.history import read_history
from streams.messages import CounterReading, Event, Item, Reading, Sample
from streams.plant_file import Plant, load_plant

Message = tuple[str, bytes]


def milliseconds(time_us: int) -> float | int:
    return time_us // 1000 if time_us % 1000 == 0 else time_us / 1000


def number(value: float) -> float | None:
    return None if math.isnan(value) else value


def messages(plant: Plant, items: Iterable[Item]) -> Iterator[Message]:
    """Topic and payload of every item; readings of one cell and instant share one snapshot."""
    body: dict[str, object] = {}
    about: tuple[int, str] = (0, "")

    def snapshot() -> Iterator[Message]:
        if body:
            time_us, cell = about
            where = f"{plant.line_of[cell]}/{cell}" if cell else plant.lines[0]
            payload = {"timestamp_ms": milliseconds(time_us), **body}
            yield f"{plant.site}/{where}", json.dumps(payload).encode()
            body.clear()

    for item in items:
        if isinstance(item, Reading):
            # A row that stands twice in the history is sent twice.
            if (item.time_us, item.cell) != about or item.signal in body:
                yield from snapshot()
                about = (item.time_us, item.cell)
            value = item.value
            body[item.signal] = [number(v) for v in value] if isinstance(value, tuple) else value
            continue
        yield from snapshot()
        if isinstance(item, Event):
            payload = {"event": item.event, **item.attributes}
        elif isinstance(item, Sample):
            payload = {"signal": item.signal, "value": item.value}
        elif isinstance(item, CounterReading):
            line = item.line or plant.lines[0]
            payload = {"timestamp_ms": milliseconds(item.time_us), item.counter: item.value}
            yield f"{plant.site}/{line}", json.dumps(payload).encode()
            continue
        else:
            continue
        payload |= {"timestamp_ms": milliseconds(item.time_us), "received_ms": milliseconds(item.received_us)}
        kind = "event" if isinstance(item, Event) else "sample"
        yield f"{plant.site}/{plant.line_of[item.cell]}/{item.cell}/{kind}", json.dumps(payload).encode()
    yield from snapshot()


def history_messages(folder: Path) -> Iterator[Message]:
    """Every message of a recorded history in the order of its replay."""
    return messages(load_plant(folder / "plant.toml"), read_history(folder))


def publish(port: int, sent: Iterable[Message], in_flight: int = 500) -> int:
    """Publish with QoS 1 and wait until the broker has acknowledged everything; returns how many."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="plant")
    client.max_inflight_messages_set(in_flight)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    count = 0
    pending: list[paho.MQTTMessageInfo] = []
    for topic, payload in sent:
        pending.append(client.publish(topic, payload, qos=1))
        count += 1
        if len(pending) >= 2 * in_flight:
            for info in pending[:in_flight]:
                info.wait_for_publish(60)
            del pending[:in_flight]
    for info in pending:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    return count
