"""``kill -9`` in the middle of a run: no acknowledged reading is lost and no alarm is raised twice."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from edge.cli import main
from edge.store import Store
from tests.edge.recorded import Gateway, digest, summary_of
from tests.publishing import Message, history_messages, publish
from tests.servers import Server

KILLS_AT = (0.2, 0.5, 0.7)


class Slow:
    """Lets messages pass at about a rate and counts them, so that kills fall in the middle of the stream."""

    def __init__(self, messages: list[Message], seconds: float) -> None:
        self._messages = messages
        self._seconds = seconds
        self.sent = 0

    def __iter__(self) -> Iterator[Message]:
        began = time.monotonic()
        for message in self._messages:
            ahead_s = self._seconds * self.sent / len(self._messages) - (time.monotonic() - began)
            if ahead_s > 0.01:
                time.sleep(ahead_s)
            self.sent += 1
            yield message


def energies_of_replay(out: Path) -> dict[tuple[str, str, int], float]:
    rows = pq.read_table(out / "energy.parquet").to_pylist()
    return {
        (row["cell"], row["window"], round(row["time"].timestamp() * 1e6)): row["dc_energy_kwh"]
        for row in rows
        if row["cell"]
    }


def energies_of_gateway(data: Path) -> dict[tuple[str, str, int], float]:
    store = Store(data / "store.sqlite", local=True)
    found = {
        (cell, window, time_us): fields["dc_energy_kwh"]
        for _, cell, window, time_us, fields in store.points("cell_energy")
    }
    store.close()
    return found


@pytest.mark.mosquitto
def test_killed_three_times(
    recorded_hours: Path, tmp_path: Path, mosquitto: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recorded_hours), "--out", str(tmp_path / "replay")]) == 0
    replayed = summary_of(capsys.readouterr().out)
    assert replayed["alarms"] >= 2

    messages = list(history_messages(recorded_hours))
    slow = Slow(messages, seconds=12.0)
    gateway = Gateway(
        tmp_path,
        recorded_hours / "plant.toml",
        mosquitto.port,
        extra="[storage]\ncheckpoint_s = 0.7\n",
        until_quiet_s=8.0,
    )
    gateway.start()
    time.sleep(0.5)
    plant = threading.Thread(target=publish, args=(mosquitto.port, slow))
    plant.start()
    at_kill: list[int] = []
    for share in KILLS_AT:
        while slow.sent < share * len(messages):
            time.sleep(0.01)
        if share == KILLS_AT[-1]:
            # On a busy machine the gateway is behind what was sent: a kill before the first alarm would prove nothing.
            deadline = time.monotonic() + 60.0
            while not (gateway.data / "alarms.jsonl").read_bytes() and time.monotonic() < deadline:
                time.sleep(0.05)
        gateway.kill()
        at_kill.append((gateway.data / "alarms.jsonl").read_bytes().count(b"\n"))
        gateway.start()
    plant.join()
    live = gateway.finished()

    assert at_kill[-1] >= 1, "no alarm stood before a kill: the test would not see one raised twice"
    assert digest(gateway.data / "alarms.jsonl") == digest(tmp_path / "replay" / "alarms.jsonl")
    raised = Counter(
        alarm["id"]
        for alarm in map(json.loads, (gateway.data / "alarms.jsonl").read_text(encoding="utf-8").splitlines())
        if alarm["transition"] == "raise"
    )
    assert set(raised.values()) == {1}
    # What the broker sent again because its acknowledgement was cut off is a repetition and nothing else.
    again = live["messages"] - len(messages)
    assert again >= 0
    # An event that comes again is a duplicate too, but no reading.
    readings_again = live["readings"] - live["late"] - replayed["readings"]
    assert 0 <= readings_again <= live["duplicates"] - replayed["duplicates"] <= readings_again + again
    assert live["frames"] == replayed["frames"]
    assert live["points_accepted"] == live["points_written"] == replayed["points_accepted"]
    assert energies_of_gateway(gateway.data) == energies_of_replay(tmp_path / "replay")
