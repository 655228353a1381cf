"""``potline simulate``: what a user types and what comes of it."""

import json
import time
import tomllib
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.cli import main
from tests.servers import Server, free_port


class Listener:
    """Everything that comes to a broker."""

    def __init__(self, port: int) -> None:
        self.found: list[tuple[str, dict[str, object]]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="listener")
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("sim/#", 1)
        self._client.loop_start()

    def _take(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.found.append((message.topic, json.loads(message.payload)))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.mosquitto
def test_a_live_line_keeps_its_pace(
    mosquitto: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = Listener(mosquitto.port)
    arguments = ["simulate", "--mqtt", f"127.0.0.1:{mosquitto.port}", "--out", str(tmp_path), "--cells", "2"]
    began = time.monotonic()
    assert main([*arguments, "--days", "0.0014", "--speed", "60", "--interval", "5"]) == 0
    # Two minutes of plant time at sixty times real speed, after settling.
    assert time.monotonic() - began > 1.9
    time.sleep(0.3)
    listener.close()
    scans = [payload for topic, payload in listener.found if topic == "sim/L1/L1-001"]
    assert 23 <= len(scans) <= 25
    assert {"timestamp_ms", "cell_voltage_V", "line_current_A"} <= set(scans[0])
    assert [c["id"] for c in tomllib.loads((tmp_path / "plant.toml").read_text())["line"][0]["cell"]] == [
        "L1-001",
        "L1-002",
    ]
    assert f"{len(listener.found)} messages" in capsys.readouterr().out
    assert main(arguments) == 1
    assert "plant.toml" in capsys.readouterr().err


def test_what_cannot_be_done_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--cells", "2"]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["simulate", "--out", str(tmp_path / "a"), "--technology", "P9"]) == 2
    assert "P180, P300, P500" in capsys.readouterr().err
    mine = tmp_path / "mine.toml"
    mine.write_text('name = "M"\nshot_kg = 1.0\n')
    assert main(["simulate", "--out", str(tmp_path / "a"), "--technology", str(mine)]) == 2
    assert "shot_kg is not one of" in capsys.readouterr().err
    with pytest.raises(SystemExit) as refused:
        main(["simulate", "--out", str(tmp_path / "a"), "--mqtt", "localhost"])
    assert refused.value.code == 2
    assert "HOST:PORT" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_line_of_ones_own_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "M240"\nlike = "P300"\nrated_current_A = 240000\nn_anodes = 24\nmetal_area_m2 = 42.0\n'
    )
    out = tmp_path / "h"
    arguments = ["simulate", "--out", str(out), "--cells", "1", "--days", "0.02", "--interval", "60"]
    assert main([*arguments, "--technology", str(mine), "--faults", "shift"]) == 0
    plant = tomllib.loads((out / "plant.toml").read_text())
    assert plant["line"][0]["rated_current_A"] == 240000
    assert plant["technology"]["M240"]["n_anodes"] == 24
    # A bar is for people at a terminal, not for a log.
    assert capsys.readouterr().err == ""


def test_no_broker_is_69(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.simulate._CONNECT_S", 0.5)
    arguments = ["simulate", "--mqtt", f"127.0.0.1:{free_port()}", "--out", str(tmp_path), "--cells", "1"]
    assert main(arguments) == 69
