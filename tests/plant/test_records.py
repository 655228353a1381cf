"""History folder and messages: contract names, time order, and the same bytes for the same seed."""

import hashlib
import itertools
import json
import tomllib
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow.parquet as pq
import pytest

from plant.delivery import Delivery
from plant.faults.plan import GATEWAY_CELLS, Plan
from plant.history import simulate
from plant.line import Line
from plant.publish import plant_toml, scans
from plant.scenario import scenario
from plant.technology import TECHNOLOGIES, TechnologyError, load_technology
from streams.decode import Decoder
from streams.messages import Reading
from streams.plant_file import load_plant
from twin.signals import COUNTERS, EVENTS, SAMPLES, SIGNALS

START_US = 1_767_225_600_000_000
PLANS_IN_ORDER: tuple[Plan, ...] = ("natural", "shift", "enriched", "none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("history")
    simulate(out, n_cells=3, days=0.06, seed=2, faults="enriched", start_us=START_US)
    return out


def test_readings(folder: Path) -> None:
    table = pq.read_table(folder / "readings")
    assert table.num_rows > 3 * 0.06 * 86400 * 0.5
    time = table["time"].cast("int64").to_numpy()
    assert np.all(time % 1000 == 0)
    assert {str(f.type) for f in table.schema if f.name not in ("time", "cell")} == {"float"}
    assert all(name.rsplit("_", 1)[0] in SIGNALS or name in SIGNALS for name in table.column_names[2:])
    cell = np.array(table["cell"].to_pylist())
    mine = table.filter(cell == "L1-001")
    second = (mine["time"].cast("int64").to_numpy() - START_US) // 1_000_000
    assert np.array_equal(~np.isnan(mine["anode_current_A_07"].to_numpy()), second % 10 == 0)
    assert np.array_equal(~np.isnan(mine["shell_temp_C_03"].to_numpy()), second % 60 == 0)
    assert np.array_equal(~np.isnan(mine["collector_bar_temp_C_16"].to_numpy()), second % 60 == 0)


def test_the_gateway_reads_the_bars(folder: Path) -> None:
    plant = load_plant(folder / "plant.toml")
    line = Line(n_cells=3, seed=2, start_us=START_US)
    scan = next(m for m in scans(line) if "collector_bar_temp_C" in m.payload)
    items = Decoder(plant).decode(scan.topic, json.dumps(scan.payload).encode(), scan.time_us)
    read = [item for item in items if isinstance(item, Reading) and item.signal == "collector_bar_temp_C"]
    assert [item.value for item in read] == [tuple(cast(list[float], scan.payload["collector_bar_temp_C"]))]
    assert [cell.n_bars for cell in plant.cells] == [TECHNOLOGIES["P300"].n_bars] * 3


def test_network_doubles_moves_and_loses_rows(folder: Path) -> None:
    table = pq.read_table(folder / "readings", columns=["time", "cell", "cell_voltage_V"])
    time = table["time"].cast("int64").to_numpy()
    back_s = np.diff(time) / 1e6
    assert 0.004 < (back_s < 0.0).mean() < 0.03
    assert back_s.min() > -9.0
    whole = list(zip(time.tolist(), table["cell"].to_pylist(), strict=True))
    assert 0.0003 < 1.0 - len(set(whole)) / len(whole) < 0.003
    assert 0.0005 < np.isnan(table["cell_voltage_V"].to_numpy()).mean() < 0.005


def test_a_perfect_plant_has_perfect_rows(tmp_path: Path) -> None:
    told: list[float] = []
    simulate(tmp_path, n_cells=3, days=0.02, seed=2, faults="none", start_us=START_US, progress=told.append)
    table = pq.read_table(tmp_path / "readings")
    assert table.num_rows == 3 * round(0.02 * 86400)
    time = table["time"].cast("int64").to_numpy()
    assert np.all(np.diff(time) > 0)
    assert len(set(table["line_current_A"][:3].to_pylist())) == 1
    assert not np.isnan(table["cell_voltage_V"].to_numpy()).any()
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert pq.read_table(tmp_path / "labels.parquet").num_rows == 0


def test_some_clocks_are_behind() -> None:
    # The gateway that the plant goes by is right, a few others are seconds off; rows of one gateway agree.
    skew = np.array([Delivery(400, seed, perfect=False).skew_us for seed in range(20)])
    assert np.all(skew[:, :GATEWAY_CELLS] == 0)
    assert skew.max() <= 30_000_000
    assert 0.02 < (skew[:, GATEWAY_CELLS:] > 1_500_000).mean() < 0.25
    assert np.all(skew.reshape(20, 10, GATEWAY_CELLS).std(axis=2) == 0)
    assert not Delivery(400, 1, perfect=True).skew_us.any()


def test_sets() -> None:
    natural, shifted, enriched, none = (
        scenario(plan, n_cells=2, days=40.0, seed=5, start_us=START_US) for plan in PLANS_IN_ORDER
    )
    assert none.faults == ()
    assert natural.faults
    assert len(enriched.faults) > 5
    assert shifted.technology.n_shell < natural.technology.n_shell
    assert (shifted.technology.n_bars, natural.technology.n_bars) == (0, 16)
    assert shifted.technology.tap_interval_h > natural.technology.tap_interval_h
    assert natural.technology == enriched.technology == none.technology
    with pytest.raises(ValueError, match="natural"):
        scenario("many", n_cells=1, days=1.0, seed=1, start_us=START_US)  # pyright: ignore[reportArgumentType]


def test_crews_write_times_down_wrongly() -> None:
    def changed(rough: bool) -> list[int]:
        line = Line(n_cells=6, seed=4, start_us=START_US, rough=rough)
        found = [e for _ in range(10) for e in line.advance(3600).events]
        assert all(e.received_us >= e.time_us for e in found)
        return [
            e.time_us for e in found if e.event in ("anode_change", "tap", "cover") and e.time_us >= START_US
        ]

    true, told = changed(False), changed(True)
    assert len(true) == len(told) > 5
    off_s = np.abs(np.array(true) - np.array(told)) / 1e6
    assert 0 < (off_s > 0).sum() < len(true)
    assert np.all((off_s == 0) | ((off_s >= 300.0) & (off_s <= 1200.0)))


def test_a_technology_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "M240"\nlike = "P300"\nrated_current_A = 240000\nn_anodes = 24\nmetal_area_m2 = 42.0\nn_bars = 0\n'
    )
    mine = load_technology(path)
    assert mine == TECHNOLOGIES["P300"]._replace(
        name="M240", rated_current_A=240000, n_anodes=24, metal_area_m2=42.0, n_bars=0
    )
    chunk = Line(n_cells=1, seed=1, start_us=START_US, technology=mine).advance(60)
    assert chunk.anode_current_A.shape[2] == 24
    assert chunk.collector_bar_temp_C.shape == (60, 1, 0)
    assert chunk.line_current_A.mean() == pytest.approx(240e3, rel=0.01)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name is missing"),
        ('name = "X"\nanodes = 3', "anodes is not one of"),
        ('name = "X"\nn_anodes = 3.5', "n_anodes must be a whole number"),
        ('name = "X"\nmetal_kg = -1', "metal_kg = -1 must be above 0"),
        ('name = "X"\nn_anodes = 31', "must be even"),
        ('name = "X"\nlike = "P9"', "P180, P300, P500"),
        ('name = "X"\nshell_sides = ["north"]', "shell_sides must be a list of duct, tap, up, down"),
        ("name = ", "mine.toml"),
    ],
)
def test_a_bad_technology_says_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TechnologyError, match=says):
        load_technology(path)


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
