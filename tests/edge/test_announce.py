"""Alarms and the gateway's own life on MQTT, as a sign or a siren in the potroom would see them."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.alarm_rules import load_texts
from edge.alarms import AlarmEngine, AlarmEvent
from edge.announce import Announcer
from models.base import Explanation, Scores
from streams.mqtt import Broker
from streams.plant_file import Cell, Plant
from tests.edge.recorded import Gateway
from tests.publishing import publish
from tests.servers import Server, run_mosquitto

CELLS = [f"L1-00{n}" for n in range(1, 6)]
PLANT = 'site = "s"\ntime_zone = "UTC"\n[[line]]\nid = "L1"\nrated_current_A = 300000\n' + "".join(
    f'[[line.cell]]\nid = "{cell}"\n' for cell in CELLS
)
START_MS = 1_767_225_600_000


def scan(cell: str, second: int) -> tuple[str, bytes]:
    payload = {
        "timestamp_ms": START_MS + 1000 * second,
        "cell_voltage_V": 4.1 + 0.001 * (second % 7),
        "line_current_A": 3e5,
    }
    return f"s/L1/{cell}", json.dumps(payload).encode()


class Retained:
    """What a client that comes late finds on the broker."""

    def __init__(self, port: int) -> None:
        self.found: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="sign")
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("s/+/_potline/#", 1)
        self._client.loop_start()

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.found[message.topic] = bytes(message.payload)

    def wait(self, topic: str, says: bytes, timeout_s: float = 20.0) -> bytes:
        deadline = time.monotonic() + timeout_s
        while says not in self.found.get(topic, b"-") or (not says and self.found.get(topic) != b""):
            assert time.monotonic() < deadline, self.found
            time.sleep(0.05)
        return self.found[topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.mosquitto
def test_alarm_is_retained_while_it_stands_and_the_will_says_that_the_gateway_died(
    tmp_path: Path, mosquitto: Server
) -> None:
    (tmp_path / "plant.toml").write_text(PLANT, encoding="utf-8")
    gateway = Gateway(tmp_path, tmp_path / "plant.toml", mosquitto.port)
    gateway.start()
    sign = Retained(mosquitto.port)
    status = "s/L1/_potline/status"
    silent = "s/L1/_potline/alarm/L1-002/stream_silent"
    try:
        sign.wait(status, b'"online":true')
        all_cells = [scan(cell, second) for second in range(0, 300, 5) for cell in CELLS]
        others = [scan(cell, second) for second in range(300, 900, 5) for cell in CELLS if cell != "L1-002"]
        publish(mosquitto.port, all_cells + others)
        alarm = json.loads(sign.wait(silent, b"stream_silent"))
        assert (alarm["cell"], alarm["kind"], alarm["state"]) == ("L1-002", "stream_silent", "UNACK")
        assert "L1-002" in alarm["action"]

        gateway.kill()
        sign.wait(status, b'"online":false')
        gateway.start()
        sign.wait(status, b'"online":true')
        publish(mosquitto.port, [scan(cell, second) for second in range(900, 1100, 5) for cell in CELLS])
        back = json.loads(sign.wait(silent, b"RTNUN"))
        assert back["id"] == alarm["id"]
        assert back["transition"] == "clear"
    finally:
        sign.close()
        gateway.terminate()


class Silent:
    """A detector that has nothing to add."""

    name = "silent"
    version = "silent/1"
    kinds = ("stream_silent",)

    def update(self, view: object) -> tuple[Scores, ...]:
        return ()

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        return Explanation({"silent_s": 300.0}, ())


class Potroom:
    """Two lines of two cells with alarms that are raised and cleared at will, and what tells of them."""

    lines = ("L1", "L2")

    def __init__(self, server: Server) -> None:
        cells = tuple(Cell(id=f"{line}-00{n}", line=line) for line in self.lines for n in (1, 2))
        self.plant = Plant(site="s", time_zone="UTC", lines=self.lines, cells=cells)
        self.alarms = AlarmEngine(self.plant, load_texts().kind)
        self.announcer = Announcer(self.plant, Broker(port=server.port, client_id="gateway"))
        self._time_us = 1_767_225_600_000_000

    def scan(self, *silent: str) -> list[AlarmEvent]:
        """A minute in which some cells are silent."""
        self._time_us += 60_000_000
        value = np.array([[2.0 if cell.id in silent else 0.0] for cell in self.plant.cells])
        scores = Scores("stream_silent", "cell", value)
        return self.alarms.update(self._time_us, 60.0, [(Silent(), scores)])

    def tell(self, *silent: str) -> None:
        self.announcer.tell(self.scan(*silent), self.alarms.live)


def tell_until(potroom: Potroom, sign: Retained, done: Callable[[dict[str, bytes]], bool]) -> None:
    """Go on telling nothing new, as a gateway does with every batch of readings."""
    deadline = time.monotonic() + 20.0
    while not done(sign.found):
        assert time.monotonic() < deadline, sign.found
        potroom.announcer.tell([], potroom.alarms.live)
        time.sleep(0.05)


def alarm_topics(found: dict[str, bytes]) -> set[str]:
    return {topic for topic, payload in found.items() if "/alarm/" in topic and payload}


TOPICS = {f"s/{line}/_potline/alarm/{line}-001/stream_silent" for line in Potroom.lines}


@pytest.mark.mosquitto
def test_every_line_says_that_it_is_watched_and_that_it_no_longer_is(mosquitto: Server) -> None:
    potroom = Potroom(mosquitto)
    sign = Retained(mosquitto.port)
    try:
        potroom.announcer.start()
        for line in Potroom.lines:
            sign.wait(f"s/{line}/_potline/status", b'"online":true')
        potroom.announcer.stop()
        for line in Potroom.lines:
            sign.wait(f"s/{line}/_potline/status", b'"online":false')
    finally:
        sign.close()
    late = Retained(mosquitto.port)
    try:
        for line in Potroom.lines:
            late.wait(f"s/{line}/_potline/status", b'"online":false')
    finally:
        late.close()


@pytest.mark.mosquitto
def test_a_broker_that_forgot_everything_is_told_anew_and_in_the_same_words(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path / "broker") as server:
        potroom = Potroom(server)
        potroom.announcer.start()
        sign = Retained(server.port)
        try:
            potroom.tell("L1-001", "L2-001")
            tell_until(potroom, sign, lambda found: alarm_topics(found) == TOPICS)
            before = {topic: sign.found[topic] for topic in TOPICS}
        finally:
            sign.close()
        server.stop()
        server.start()
        sign = Retained(server.port)
        try:
            # Nothing was told while it was away: the connect alone must be reason enough.
            for line in Potroom.lines:
                sign.wait(f"s/{line}/_potline/status", b'"online":true')
            tell_until(potroom, sign, lambda found: alarm_topics(found) == TOPICS)
            assert {topic: sign.found[topic] for topic in TOPICS} == before
            event = msgspec.json.decode(before[min(TOPICS)], type=AlarmEvent)
            assert (event.transition, event.state, event.cell) == ("raise", "UNACK", "L1-001")
            assert "L1-001" in event.action
        finally:
            sign.close()
            potroom.announcer.stop()


@pytest.mark.mosquitto
def test_what_is_over_while_the_broker_is_away_does_not_stay_on_it(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path / "broker", persistence=True) as server:
        potroom = Potroom(server)
        potroom.announcer.start()
        sign = Retained(server.port)
        try:
            potroom.tell("L1-001", "L2-001")
            tell_until(potroom, sign, lambda found: alarm_topics(found) == TOPICS)
        finally:
            sign.close()
        server.stop()
        (alarm,) = (alarm for alarm in potroom.alarms.live.values() if alarm.line == "L1")
        alarm.state = "ACKED"
        began = time.monotonic()
        for n in range(1200):
            potroom.tell("L2-001", *["L2-002"][: n % 2])
        assert time.monotonic() - began < 5.0, "nobody must wait for a broker that is away"
        server.start()
        sign = Retained(server.port)
        try:
            left = {max(TOPICS), max(TOPICS).replace("L2-001", "L2-002")}
            tell_until(potroom, sign, lambda found: alarm_topics(found) == left)
            time.sleep(0.3)
            assert alarm_topics(sign.found) == left
        finally:
            sign.close()
            potroom.announcer.stop()
