"""Broken payloads are counted by reason, kept in the dead-letter file, and change nothing else."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cli import main
from tests.edge.recorded import Gateway, digest, summary_of
from tests.publishing import Message, history_messages, publish
from tests.servers import Server

NOW_MS = 1_767_229_200_000
CELL = "sim/L1/L1-001"

#: Reason, topic, payload.
BROKEN: list[tuple[str, str, bytes]] = [
    ("not_json", CELL, b"voltage=4.1"),
    ("not_json", CELL, b""),
    ("not_json", CELL, b"\xff\xfe\x00"),
    ("not_json", CELL, b'{"timestamp_ms": %d, "cell_voltage_V": NaN}' % NOW_MS),
    ("not_object", CELL, b"[1, 2, 3]"),
    ("no_timestamp", CELL, b'{"cell_voltage_V": 4.1}'),
    ("wrong_type", CELL, b'{"timestamp_ms": %d, "cell_voltage_V": "four"}' % NOW_MS),
    ("wrong_type", CELL, b'{"timestamp_ms": "now", "cell_voltage_V": 4.1}'),
    ("wrong_type", CELL, b'{"timestamp_ms": %d, "anode_current_A": 10000}' % NOW_MS),
    ("wrong_length", CELL, b'{"timestamp_ms": %d, "anode_current_A": [1, 2]}' % NOW_MS),
    ("absurd_value", CELL, b'{"timestamp_ms": %d, "cell_voltage_V": 1e308}' % NOW_MS),
    ("time_too_old", CELL, b'{"timestamp_ms": 0, "cell_voltage_V": 4.1}'),
    ("time_in_future", CELL, b'{"timestamp_ms": 4070908800000, "cell_voltage_V": 4.1}'),
    ("unknown_cell", "sim/L1/L1-999", b'{"timestamp_ms": %d, "cell_voltage_V": 4.1}' % NOW_MS),
    ("unknown_line", "sim/L9/L1-001", b'{"timestamp_ms": %d, "cell_voltage_V": 4.1}' % NOW_MS),
    ("unknown_event", CELL + "/event", b'{"timestamp_ms": %d, "event": "party"}' % NOW_MS),
    ("too_large", CELL, b'{"timestamp_ms": %d, "cell_voltage_V": [' % NOW_MS + b"4.1," * 2_600_000 + b"4]}"),
]


def mixed(messages: list[Message], every: int) -> Iterator[Message]:
    """The stream with one broken message after every so many good ones, until all have gone."""
    broken = iter(BROKEN)
    for number, message in enumerate(messages):
        yield message
        if number % every == every - 1:
            bad = next(broken, None)
            if bad is not None:
                yield bad[1], bad[2]


@pytest.mark.mosquitto
def test_among_good_ones(
    recorded_hours: Path, tmp_path: Path, mosquitto: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recorded_hours), "--out", str(tmp_path / "replay")]) == 0
    replayed = summary_of(capsys.readouterr().out)
    messages = list(history_messages(recorded_hours))
    gateway = Gateway(tmp_path, recorded_hours / "plant.toml", mosquitto.port, until_quiet_s=8.0)
    gateway.start()
    publish(mosquitto.port, mixed(messages, len(messages) // (len(BROKEN) + 1)), in_flight=100)
    live = gateway.finished()

    wanted = Counter(reason for reason, _, _ in BROKEN)
    assert live["dead_letters_by_reason"] == dict(sorted(wanted.items()))
    letters = [json.loads(line) for line in (gateway.data / "dead_letters.jsonl").read_text().splitlines()]
    assert Counter(letter["reason"] for letter in letters) == wanted
    kept = {(letter["source"], base64.b64decode(letter["payload"])) for letter in letters}
    for reason, topic, payload in BROKEN:
        assert (topic, payload[:4096]) in kept, (reason, topic, payload[:60])
    largest = max(letters, key=lambda letter: letter["size"])
    assert largest["size"] > 10_000_000
    assert all(letter["detail"] for letter in letters)

    assert digest(gateway.data / "alarms.jsonl") == digest(tmp_path / "replay" / "alarms.jsonl")
    for figure in ("readings", "frames", "late", "duplicates", "alarms", "points_accepted"):
        assert live[figure] == replayed[figure], figure
