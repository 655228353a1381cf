"""Histories with mistakes, and what a replay leaves behind when it fails."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from edge.cli import main
from tests.edge.recorded import digest, summary_of

PLANT = """site = "s"
time_zone = "UTC"
[[line]]
id = "L1"
rated_current_A = 300000
""" + "".join(f'[[line.cell]]\nid = "L1-00{i}"\n' for i in range(1, 5))
OUTPUTS = [
    "alarms.jsonl",
    "changes.parquet",
    "effects.parquet",
    "energy.parquet",
    "entries.parquet",
    "plant.toml",
    "report.html",
    "states.parquet",
    "verdicts.parquet",
]


def history(folder: Path, *, cells: tuple[str, ...] = ("L1-001", "L1-002", "L1-003"), last: str = "") -> Path:
    """Ten minutes of a few cells as CSV."""
    (folder / "readings").mkdir(parents=True)
    (folder / "plant.toml").write_text(PLANT)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    rows = [
        f"{start + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ},{cell},{4.1 + 0.001 * (s * 7 % 11)},300000\n"
        for s in range(0, 600, 10)
        for cell in cells
    ]
    (folder / "readings" / "a.csv").write_text(
        "time,cell,cell_voltage_V,line_current_A\n" + "".join(rows) + last
    )
    return folder


def test_an_unknown_cell_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = history(tmp_path / "h", cells=("L1-001", "X9", "L1-002"))
    assert main(["replay", str(source), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert said.count("X9: not in plant.toml: 120 readings and entries are left out") == 1
    assert summary_of(said)["dead_letters"] == 120


def test_a_failed_replay_leaves_what_was_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["replay", str(history(tmp_path / "good")), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == OUTPUTS
    before = [digest(out / name) for name in OUTPUTS]
    broken = history(tmp_path / "broken")
    (broken / "readings" / "b.csv").write_text("time,cell_voltage_V\n2026-03-01T00:05:00Z,4.2\n")
    assert main(["replay", str(broken), "--out", str(out)]) == 65
    assert "b.csv: has no column cell" in capsys.readouterr().err
    assert [digest(out / name) for name in OUTPUTS] == before
    assert sorted(p.name for p in out.iterdir()) == OUTPUTS
    assert main(["replay", str(broken), "--out", str(tmp_path / "new")]) == 65
    assert list((tmp_path / "new").iterdir()) == []


def test_two_replays_give_equal_tables_also_where_something_is_unknown(tmp_path: Path) -> None:
    source = history(tmp_path / "h")
    for name in ("a", "b"):
        assert main(["replay", str(source), "--out", str(tmp_path / name)]) == 0
    for name in ("energy.parquet", "entries.parquet"):
        one, two = (pq.read_table(tmp_path / folder / name) for folder in ("a", "b"))
        assert one.equals(two), name
    lines = [row for row in pq.read_table(tmp_path / "a" / "energy.parquet").to_pylist() if row["cell"] == ""]
    assert lines
    assert all(row["comprehensive_ac_kwh_per_t"] is None for row in lines)


def test_one_bad_value_and_an_empty_file_end_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = history(tmp_path / "h", last="2026-03-01T00:10:00Z,L1-001,Bad,300000\n")
    (source / "readings" / "b.csv").touch()
    assert main(["replay", str(source), "--out", str(tmp_path / "out")]) == 0
    assert summary_of(capsys.readouterr().out)["readings"] == 2 * 3 * 60 + 2
