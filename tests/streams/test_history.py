"""Recorded histories: every accepted form of file, disorder, and errors that name the file."""

import gzip
import json
import logging
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.align import Aligner
from streams.history import HistoryError, history_range, read_history, read_plant
from streams.messages import CounterReading, Event, Item, Reading, Sample, Tick
from tests.shared_data import TRACES, needs_shared_data

T0 = 1_760_000_000_000_000
S = 1_000_000
UTC_US = pa.timestamp("us", "UTC")


def write(path: Path, kind: Any = UTC_US, group: int | None = None, **columns: Any) -> None:
    """One Parquet file; columns named time and received are microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: pa.array(values, pa.int64()).cast(UTC_US).cast(kind) if name in ("time", "received") else values
        for name, values in columns.items()
    }
    pq.write_table(pa.table(arrays), path, row_group_size=group)


def items(folder: Path) -> list[Item]:
    return [item for item in read_history(folder) if not isinstance(item, Tick)]


def values(found: list[Item]) -> list[tuple[int, str, object]]:
    return [((i.time_us - T0) // S, i.cell, i.value) for i in found if isinstance(i, Reading)]


def test_all_kinds_of_rows(tmp_path: Path) -> None:
    write(
        tmp_path / "readings" / "a.parquet",
        time=[T0, T0 + S, T0 + 2 * S],
        cell=["c1", "c2", None],
        cell_voltage_V=pa.array([4.1, None, math.nan], pa.float32()),
        line_current_A=pa.array([None, math.inf, 3e5], pa.float64()),
        anode_current_A_01=pa.array([1.5, None, None], pa.float32()),
        anode_current_A_03=pa.array([2.5, math.nan, None], pa.float32()),
    )
    write(
        tmp_path / "samples.parquet",
        time=[T0 - S],
        received=[T0 + S],
        cell=["c1"],
        signal=["bath_temp_C"],
        value=[960.0],
    )
    write(
        tmp_path / "events.parquet",
        time=[T0 + 2 * S],
        received=[T0 + 2 * S],
        cell=["c1"],
        event=["anode_change"],
        attributes=['{"anode": 7, "set_height_mm": 20}'],
    )
    write(tmp_path / "counters.parquet", time=[T0], line=["L1"], counter=["line_dc_energy_kWh"], value=[7.5])
    found = items(tmp_path)
    readings = [i for i in found if isinstance(i, Reading)]
    assert readings[0] == Reading(T0, "", "c1", "cell_voltage_V", float(np.float32(4.1)))
    assert repr(readings[1].value) == repr((1.5, math.nan, 2.5))
    assert readings[2:] == [
        Reading(T0 + S, "", "c2", "line_current_A", math.inf),
        Reading(T0 + 2 * S, "", "", "line_current_A", 3e5),
    ]
    rest = [i for i in found if not isinstance(i, Reading)]
    assert rest == [
        CounterReading(T0, "L1", "line_dc_energy_kWh", 7.5),
        Sample(T0 - S, T0 + S, "c1", "bath_temp_C", 960.0),
        Event(T0 + 2 * S, T0 + 2 * S, "c1", "anode_change", {"anode": 7, "set_height_mm": 20.0}),
    ]
    assert history_range(tmp_path) == (T0, T0 + 2 * S)


def split(tmp_path: Path, how: str) -> list[tuple[int, str, object]]:
    """Two cells, 300 s, written in one of the ways that the contract allows."""
    rows = [(s, c) for s in range(300) for c in ("a", "b")]
    parts = {
        "one": [rows],
        "by_day": [rows[:300], rows[300:]],
        "by_cell": [[r for r in rows if r[1] == c] for c in ("a", "b")],
        "by_cell_groups": [[r for c in ("a", "b") for r in rows if r[1] == c]],
    }[how]
    group = 300 if how == "by_cell_groups" else None
    for i, part in enumerate(parts):
        times = [T0 + s * S for s, _ in part]
        write(
            tmp_path / "readings" / f"{9 - i}.parquet",
            group=group,
            time=times,
            cell=[c for _, c in part],
            cell_voltage_V=[float(s) for s, _ in part],
        )
    return values(items(tmp_path))


@pytest.mark.parametrize("how", ["one", "by_day", "by_cell", "by_cell_groups"])
def test_split_files_come_in_time_order(tmp_path: Path, how: str) -> None:
    found = split(tmp_path, how)
    assert [t for t, _, _ in found] == sorted(t for t, _, _ in found)
    assert sorted(found) == sorted((s, c, float(s)) for s in range(300) for c in ("a", "b"))


def test_one_wrong_clock_does_not_move_its_neighbours(tmp_path: Path) -> None:
    for cell, wrong in (("a", {100: 9_000, 200: -9_000, 0: 5_000}), ("b", {})):
        times = [T0 + wrong.get(s, s) * S for s in range(300)]
        write(
            tmp_path / "readings" / f"{cell}.parquet",
            time=times,
            cell=[cell] * 300,
            cell_voltage_V=[float(s) for s in range(300)],
        )
    places = [value for _, _, value in values(items(tmp_path))]
    assert [float(v) for v in sorted(places)] == [float(s) for s in range(300) for _ in range(2)]  # pyright: ignore
    assert all(abs(i / 2 - float(v)) <= 2 for i, v in enumerate(places))  # pyright: ignore


CSV = "time,cell,cell_voltage_V,anode_current_A_01,colour\n{0},c1,4.25,1,red\n{1},,,NaN,\n{1},007,inf,,\n"


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("a.csv", "2026-01-01T00:00:00.250000Z", "2026-01-01T00:00:01Z"),
        ("a.csv", "2026-01-01 00:00:00.25", "2026-01-01 00:00:01"),
        ("a.csv.gz", "2026-01-01T08:00:00.250000+08:00", "2026-01-01T08:00:01+08:00"),
    ],
)
def test_csv(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, first: str, second: str) -> None:
    path = tmp_path / "readings" / name
    path.parent.mkdir()
    raw = CSV.format(first, second).encode()
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    (tmp_path / "events.csv").write_text(
        f'time,received,cell,event,attributes\n{first},,c1,tap,"{{""metal_kg"":1}}"\n'
    )
    start = 1_767_225_600_000_000
    with caplog.at_level(logging.WARNING):
        found = items(tmp_path)
    assert found == [
        Reading(start + 250_000, "", "c1", "cell_voltage_V", 4.25),
        Reading(start + 250_000, "", "c1", "anode_current_A", (1.0,)),
        Event(start + 250_000, start + 250_000, "c1", "tap", {"metal_kg": 1.0}),
        Reading(start + S, "", "007", "cell_voltage_V", math.inf),
    ]
    assert [r.getMessage().split("column ")[1] for r in caplog.records] == [
        "colour is not in the contract and is ignored"
    ]


@pytest.mark.parametrize(
    "kind", [pa.timestamp("ns", "UTC"), pa.timestamp("ms"), pa.timestamp("us", "Asia/Shanghai")]
)
def test_timestamps_of_any_unit_and_zone(tmp_path: Path, kind: Any) -> None:
    write(
        tmp_path / "readings" / "a.parquet",
        kind=kind,
        time=[T0, T0 + S],
        cell=["c"] * 2,
        cell_voltage_V=[1.0, 2.0],
    )
    assert [i.time_us for i in items(tmp_path) if isinstance(i, Reading)] == [T0, T0 + S]
    assert history_range(tmp_path) == (T0, T0 + S)


def test_entries_come_when_they_become_known(tmp_path: Path) -> None:
    write(
        tmp_path / "readings" / "a.parquet",
        time=[T0 + s * S for s in range(100)],
        cell=["c"] * 100,
        cell_voltage_V=[4.0] * 100,
    )
    times = [T0 + s * S for s in range(0, 90, 3)]
    received = [t + ((i * 7) % 5) * 20 * S for i, t in enumerate(times)]
    write(
        tmp_path / "samples" / "day.parquet",
        time=times,
        received=received,
        cell=["c"] * 30,
        signal=["bath_temp_C"] * 30,
        value=[float(900 + i) for i in range(30)],
    )
    clock = 0
    known: list[int] = []
    for item in items(tmp_path):
        if isinstance(item, Reading):
            clock = item.time_us
        elif isinstance(item, Sample):
            known.append(item.received_us)
            assert item.received_us <= clock + S or clock == T0 + 99 * S
    assert known == sorted(received)


def test_a_log_with_mistakes_keeps_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "readings" / "a.parquet", time=[T0], cell=["c"], cell_voltage_V=[4.0])
    rows = [
        ("tap", None),
        ("explosion", "{}"),
        ("tap", "{"),
        ("feed_mode", '{"mode": "fast"}'),
        ("tap", "[]"),
    ]
    rows.append(("feed_mode", '{"mode": "under"}'))
    write(
        tmp_path / "events.parquet",
        time=[T0, T0, T0, T0, T0, T0],
        received=[None, T0, T0, T0, T0, T0 - S],
        cell=["c"] * 6,
        event=[event for event, _ in rows],
        attributes=[attributes for _, attributes in rows],
    )
    with caplog.at_level(logging.WARNING):
        found = [i for i in items(tmp_path) if isinstance(i, Event)]
    assert found == [Event(T0, T0, "c", "tap", {}), Event(T0, T0, "c", "feed_mode", {"mode": "under"})]
    assert sorted(r.getMessage().split(".parquet: ")[1] for r in caplog.records) == [
        "1 rows left out: event is not in the contract",
        "1 rows left out: mode or state is missing or unknown",
        "2 rows left out: attributes are not a JSON object",
    ]


def test_empty_files_beside_good_ones_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "readings"
    write(folder / "b.parquet", time=[T0], cell=["c"], cell_voltage_V=[4.0])
    (folder / "a.csv").touch()
    (folder / "c.csv").write_text("\n \n")
    (folder / "d.csv.gz").write_bytes(gzip.compress(b""))
    (folder / "e.parquet").touch()
    (folder / "f.csv").write_text("time,cell,cell_voltage_V\n")
    (tmp_path / "samples.csv").touch()
    (tmp_path / "counters").mkdir()
    (tmp_path / "counters" / "a.csv").write_text("time,line,counter,value\n")
    with caplog.at_level(logging.WARNING):
        assert [value for _, _, value in values(items(tmp_path))] == [4.0]
    named = [r.getMessage().split(":")[0].rsplit("/", 1)[1] for r in caplog.records]
    assert sorted(named) == ["a.csv", "c.csv", "d.csv.gz", "e.parquet", "samples.csv"]


def test_a_row_cut_short_is_left_out_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "readings").mkdir()
    (tmp_path / "readings" / "a.csv").write_text(
        "time,cell,cell_voltage_V\n2026-01-01T00:00:00Z,c,4.1\n2026-01-01T00:00:01Z,c\n"
        "2026-01-01T00:00:02Z,c,4.2,9,9\n2026-01-01T00:00:03Z,c,4.3\n2026-01-01T00:0"
    )
    found = [item.value for item in read_history(tmp_path) if isinstance(item, Reading)]
    assert found == [4.1, 4.3]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "a.csv: 3 rows left out; the first has 2 fields in place of 3" in said


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_text_in_place_of_a_number_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    voltages = [" 4.25 ", "Bad", "", "NaN", "4,1", "1e1", "null", "-inf"]
    path = tmp_path / "readings" / name
    if name == "a.parquet":
        write(path, time=[T0 + s * S for s in range(8)], cell=["c"] * 8, cell_voltage_V=voltages)
    else:
        path.parent.mkdir()
        stamps = [f"2025-10-09T08:53:{20 + s}Z" for s in range(8)]
        path.write_text(
            "time,cell,cell_voltage_V,anode_current_A_01\n"
            + "".join(
                f'{t},c,"{v}",{"Bad" if s == 7 else s}\n'
                for s, (t, v) in enumerate(zip(stamps, voltages, strict=True))
            )
        )
    with caplog.at_level(logging.WARNING):
        found = [i for i in items(tmp_path) if isinstance(i, Reading)]
    assert [((i.time_us - T0) // S, i.value) for i in found if i.signal == "cell_voltage_V"] == [
        (0, 4.25),
        (1, math.inf),
        (4, math.inf),
        (5, 10.0),
        (7, -math.inf),
    ]
    if name == "a.csv":
        assert [i.value for i in found if i.signal == "anode_current_A"][-1] == (math.inf,)
    said = [r.getMessage() for r in caplog.records]
    assert sum("'Bad' is no number" in text for text in said) == len(said) == (2 if name == "a.csv" else 1)


def test_a_value_that_is_no_number_costs_one_entry(tmp_path: Path) -> None:
    write(tmp_path / "readings" / "a.parquet", time=[T0], cell=["c"], cell_voltage_V=[4.0])
    (tmp_path / "samples.csv").write_text(
        "time,received,cell,signal,value\n"
        "2025-10-09T08:53:20Z,,c,bath_temp_C,Bad\n2025-10-09T08:53:20Z,,c,bath_temp_C,960\n"
    )
    (tmp_path / "counters.csv").write_text(
        "time,line,counter,value\n2025-10-09T08:53:20Z,L1,line_dc_energy_kWh,???\n"
        "2025-10-09T08:53:20Z,L1,line_dc_energy_kWh,7\n"
    )
    assert [i.value for i in items(tmp_path) if isinstance(i, Sample | CounterReading)] == [960.0, 7.0]


def test_rows_without_a_time_are_skipped(tmp_path: Path) -> None:
    write(
        tmp_path / "readings" / "a.parquet",
        time=[T0, None, T0 + S],
        cell=["c"] * 3,
        cell_voltage_V=[1.0, 2.0, 3.0],
    )
    assert [value for _, _, value in values(items(tmp_path))] == [1.0, 3.0]


def test_a_minute_of_silence_moves_the_clock(tmp_path: Path) -> None:
    write(
        tmp_path / "readings" / "a.parquet",
        time=[T0 + s * S for s in range(0, 600, 30)],
        cell=["c"] * 20,
        cell_voltage_V=[4.0] * 20,
    )
    ticks = [i.time_us for i in read_history(tmp_path) if isinstance(i, Tick)]
    assert ticks == [T0 + s * S for s in range(60, 600, 60)]


def test_one_row_of_another_century_does_not_move_the_clock(tmp_path: Path) -> None:
    times = [T0 + s * S for s in range(0, 600, 30)]
    write(tmp_path / "readings" / "a.parquet", time=times, cell=["c"] * 20, cell_voltage_V=[4.0] * 20)
    for name, far in (("b", 4_070_908_800 * S), ("c", 1_000_000_000 * S)):
        write(tmp_path / "readings" / f"{name}.parquet", time=[far], cell=["c"], cell_voltage_V=[4.0])
    ticks = [i.time_us for i in read_history(tmp_path) if isinstance(i, Tick)]
    assert ticks == [T0 + s * S for s in range(60, 600, 60)]


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="nowhere"):
        read_history(tmp_path / "nowhere")
    with pytest.raises(HistoryError, match="readings"):
        read_history(tmp_path)
    bad = tmp_path / "readings" / "bad.parquet"
    bad.parent.mkdir()
    bad.write_bytes(b"PAR1 but not really")
    with pytest.raises(HistoryError, match=r"bad\.parquet"):
        read_history(tmp_path)
    write(bad, cell=["c"], cell_voltage_V=[1.0])
    with pytest.raises(HistoryError, match=r"bad\.parquet: has no column time"):
        read_history(tmp_path)
    write(bad, time=[T0], cell_voltage_V=[1.0])
    with pytest.raises(HistoryError, match=r"bad\.parquet: has no column cell"):
        list(read_history(tmp_path))
    write(bad, time=[T0], cell=["c"], cell_voltage_V=[{"high": 1}])
    with pytest.raises(HistoryError, match=r"bad\.parquet: column cell_voltage_V"):
        list(read_history(tmp_path))
    pq.write_table(pa.table({"time": [1], "cell": ["c"]}), bad)
    with pytest.raises(HistoryError, match=r"bad\.parquet: column time is int64"):
        read_history(tmp_path)
    bad.unlink()
    (tmp_path / "readings" / "a.csv").write_text("time,cell\nyesterday,c\n")
    with pytest.raises(HistoryError, match=r"a\.csv: column time"):
        read_history(tmp_path)


@needs_shared_data
@pytest.mark.parametrize(
    ("folder", "expected", "declared"),
    [
        ("smelter_126kA", {"line_current_A": 723, "cell_voltage_V": 723}, 0),
        ("smelter_10h_2022", {"cell_voltage_V": 795, "shell_temp_C": 793}, 1),
    ],
)
def test_real_traces_reach_the_frames(folder: str, expected: dict[str, int], declared: int) -> None:
    found = list(read_history(TRACES / folder))
    assert Counter(i.signal for i in found if isinstance(i, Reading)) == expected
    aligner = Aligner(read_plant(TRACES / folder))
    frames = 0
    for item in found:
        aligner.push(item)
        frames += sum(1 for _ in aligner.closed())
    frames += sum(1 for f in aligner.flush() if declared == 0 or f.scalar.size)
    counts = aligner.counts
    assert counts["readings"] == sum(expected.values())
    assert counts["frames"] == frames
    assert (
        sum(counts[k] for k in ("late", "out_of_range", "unknown", "undeclared", "ahead", "conflicts")) == 0
    )


def test_attributes_written_as_json_come_back(tmp_path: Path) -> None:
    write(tmp_path / "readings" / "a.parquet", time=[T0], cell=["c"], cell_voltage_V=[4.0])
    attributes = {"mass_kg": 1.8, "feeder": 2}
    write(
        tmp_path / "events.parquet",
        time=[T0],
        received=[T0],
        cell=["c"],
        event=["alumina_feed"],
        attributes=[json.dumps(attributes)],
    )
    assert [i.attributes for i in items(tmp_path) if isinstance(i, Event)] == [attributes]
