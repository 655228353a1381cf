"""History folder and messages: contract names, time order, and the same bytes for the same seed."""

import hashlib
import itertools
import json
import tomllib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from plant.history import simulate
from plant.line import Line
from plant.publish import plant_toml, scans
from twin.signals import COUNTERS, EVENTS, SAMPLES, SIGNALS

START_US = 1_767_225_600_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("history")
    simulate(out, n_cells=3, days=0.06, seed=2, faults="enriched", start_us=START_US)
    return out


def test_readings(folder: Path) -> None:
    table = pq.read_table(folder / "readings")
    assert table.num_rows > 3 * 0.06 * 86400 * 0.5
    time = table["time"].cast("int64").to_numpy()
    assert np.all(np.diff(time) >= 0)
    assert np.all(time % 1000 == 0)
    assert len(set(time[:3].tolist())) == 3
    assert len(set(table["line_current_A"][:3].to_pylist())) == 1
    assert {str(f.type) for f in table.schema if f.name not in ("time", "cell")} == {"float"}
    assert all(name.rsplit("_", 1)[0] in SIGNALS or name in SIGNALS for name in table.column_names[2:])
    cell = np.array(table["cell"].to_pylist())
    mine = table.filter(cell == "L1-001")
    second = (mine["time"].cast("int64").to_numpy() - START_US) // 1_000_000
    assert np.array_equal(~np.isnan(mine["anode_current_A_07"].to_numpy()), second % 10 == 0)
    assert np.array_equal(~np.isnan(mine["shell_temp_C_03"].to_numpy()), second % 60 == 0)


def test_logs(folder: Path) -> None:
    events = pq.read_table(folder / "events.parquet").to_pylist()
    assert {e["event"] for e in events} <= set(EVENTS)
    for event in events:
        assert set(json.loads(event["attributes"])) <= set(EVENTS[event["event"]])
        assert event["received"] >= event["time"]
    samples = pq.read_table(folder / "samples.parquet").to_pylist()
    assert samples
    assert {s["signal"] for s in samples} <= set(SAMPLES)
    counters = pq.read_table(folder / "counters.parquet").to_pylist()
    assert {c["counter"] for c in counters} == set(COUNTERS)
    labels = pq.read_table(folder / "labels.parquet").to_pylist()
    assert labels
    assert all(x["start"] <= x["observable"] <= x["end"] for x in labels)


def test_same_bytes_again(folder: Path, tmp_path: Path) -> None:
    simulate(tmp_path, n_cells=3, days=0.06, seed=2, faults="enriched", start_us=START_US)
    names = sorted(p.relative_to(folder) for p in folder.rglob("*.*") if p.is_file())
    assert len(names) == 6
    for name in names:
        first, second = (hashlib.sha256((root / name).read_bytes()).digest() for root in (folder, tmp_path))
        assert first == second, name
    with pytest.raises(FileExistsError, match="empty"):
        simulate(tmp_path, n_cells=3, days=0.06, seed=2)


def test_slower_rows(tmp_path: Path) -> None:
    simulate(tmp_path, n_cells=2, days=0.01, seed=2, faults="none", interval_s=30.0, start_us=START_US)
    table = pq.read_table(tmp_path / "readings")
    second = (table["time"].cast("int64").to_numpy() - START_US) // 1_000_000
    assert set((second % 30).tolist()) == {0}
    assert not np.isnan(table["anode_current_A_01"].to_numpy()).any()
    with pytest.raises(ValueError, match="interval_s"):
        simulate(tmp_path / "x", n_cells=2, days=0.01, seed=2, interval_s=0.2)


def test_plant_toml_by_contract() -> None:
    plant = tomllib.loads(plant_toml(Line(n_cells=3, seed=1, start_us=START_US)))
    assert plant["line"][0]["rated_current_A"] == 300000
    assert [c["id"] for c in plant["line"][0]["cell"]] == ["L1-001", "L1-002", "L1-003"]
    technology = plant["technology"][plant["line"][0]["technology"]]
    assert len(technology["shell_sides"]) == technology["n_shell"]


def test_messages_in_order() -> None:
    line = Line(n_cells=3, seed=2, start_us=START_US)
    messages = list(itertools.islice(scans(line, 1.0), 700))
    times = [m.time_us for m in messages]
    assert times == sorted(times)
    topics = {m.topic for m in messages}
    assert {"sim/L1", "sim/L1/L1-001", "sim/L1/L1-002/event", "sim/L1/L1-003/sample"} <= topics
    for message in messages:
        assert json.loads(json.dumps(message.payload, allow_nan=False)) == message.payload
    scan = next(m for m in messages if m.topic == "sim/L1/L1-002")
    assert scan.payload["timestamp_ms"] == scan.time_us // 1000
    anodes = scan.payload["anode_current_A"]
    assert isinstance(anodes, list)
    assert len(anodes) == 30
    past = [m for m in messages if m.payload.get("event") == "anode_change" and "received_ms" in m.payload]
    assert past
    assert all(m.payload["received_ms"] == START_US // 1000 for m in past)


def test_messages_of_slow_scans() -> None:
    line = Line(n_cells=2, seed=2, start_us=START_US)
    messages = itertools.islice(scans(line, 5.0), 200)
    times = [m.time_us for m in messages if m.topic == "sim/L1/L1-001"]
    assert set(np.diff(times).tolist()) == {5_000_000}
    with pytest.raises(ValueError, match="interval_s"):
        next(scans(line, 0.3))
