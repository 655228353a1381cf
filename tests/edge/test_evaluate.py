"""``potline evaluate`` from files to figures, as people call it, and what it says when files do not fit."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from edge.cli import main
from models.scoring.nulls import NULLS
from tests.edge.recorded import replay

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 3
ANODES = 4
CELLS = 4

Row = dict[str, Any]
Said = tuple[int, str, str]


class Made(NamedTuple):
    """A history made by hand, with alarms beside it."""

    folder: Path
    alarms: Path

    @property
    def labels(self) -> Path:
        return self.folder / "labels.parquet"

    def arguments(self) -> list[str]:
        return [str(self.alarms), str(self.labels), "--readings", str(self.folder)]


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def label(cell: int = 1, start_h: float = 24.0, **other: object) -> Row:
    row = {"cell": f"L1-{cell:03d}", "kind": "anode_slow_pickup", "anode": 2, "side": None, "severity": 0.7}
    return row | {"start": at(start_h), "observable": at(start_h + 4.0), "end": at(start_h + 20.0)} | other


def raised(hours: float, cell: int = 1, kind: str = "anode_slow_pickup", **other: object) -> Row:
    row = {"line": "L1", "cell": f"L1-{cell:03d}", "kind": kind, "anode": 2, "side": None, "score": 1.3}
    row |= {"transition": "raise", "state": "UNACK", "priority": 2, "evidence": {"x": 1.0}, "model": "m/1"}
    row |= {"time": at(hours).isoformat().replace("+00:00", "Z"), "id": f"{cell}-{kind}-{hours}"}
    return row | other


def cleared(row: Row, hours: float) -> Row:
    return row | {
        "time": at(hours).isoformat().replace("+00:00", "Z"),
        "transition": "clear",
        "state": "RTNUN",
    }


def write_labels(path: Path, rows: Sequence[Row]) -> None:
    time = pa.timestamp("us", tz="UTC")
    schema = pa.schema(
        [("cell", pa.string()), ("kind", pa.string()), ("anode", pa.int64()), ("side", pa.string())]
        + [(name, time) for name in ("start", "observable", "end")]
        + [("severity", pa.float64())]
    )
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def write_alarms(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Four cells, three days, a row a minute; one slow anode that is found after six hours, one false alarm."""
    folder = tmp_path / "history"
    (folder / "readings").mkdir(parents=True)
    cells = "".join(f'[[line.cell]]\nid = "L1-{i + 1:03d}"\n' for i in range(CELLS))
    (folder / "plant.toml").write_text(
        f'site = "s"\n[technology.T]\nn_anodes = {ANODES}\n[[line]]\nid = "L1"\nrated_current_A = 300000\n'
        f'technology = "T"\n{cells}',
        encoding="utf-8",
    )
    rng = np.random.default_rng(4)
    for day in range(DAYS):
        rows = np.arange(day * 1440, (day + 1) * 1440)
        time = np.repeat(rows * 60_000_000 + round(START.timestamp() * 1e6), CELLS)
        columns: dict[str, object] = {
            "time": pa.array(time).cast(pa.timestamp("us", tz="UTC")),
            "cell": pa.array([f"L1-{i + 1:03d}" for i in range(CELLS)] * 1440),
            "line_current_A": np.full(CELLS * 1440, 300e3),
            "cell_voltage_V": 4.2 + 0.01 * rng.normal(size=CELLS * 1440),
        }
        for anode in range(ANODES):
            current_A = 75e3 + 500.0 * rng.normal(size=(1440, CELLS))
            if anode == 1:
                current_A[(rows >= 1440) & (rows < 44 * 60), 0] -= 30e3
            columns[f"anode_current_A_{anode + 1:02d}"] = current_A.ravel()
        pq.write_table(pa.table(columns), folder / "readings" / f"day-{day}.parquet")
    changes = [(24.0, 1, 2), (10.0, 2, 1), (30.0, 3, 4), (20.0, 4, 3)]
    events: list[Row] = [
        {
            "time": at(hour),
            "received": at(hour),
            "cell": f"L1-{cell:03d}",
            "event": "anode_change",
            "attributes": json.dumps({"anode": anode}),
        }
        for hour, cell, anode in changes
    ]
    events += [
        {
            "time": at(hour),
            "received": at(hour),
            "cell": f"L1-{cell:03d}",
            "event": "tap",
            "attributes": "{}",
        }
        for hour in range(3, 72, 6)
        for cell in range(1, CELLS + 1)
    ]
    events.sort(key=lambda row: row["time"])
    pq.write_table(pa.Table.from_pylist(events), folder / "events.parquet")
    write_labels(folder / "labels.parquet", [label()])
    true, false = raised(30.0), raised(40.0, cell=3, anode=1)
    alarms = write_alarms(tmp_path / "alarms.jsonl", [true, false, cleared(false, 41.0), cleared(true, 43.0)])
    return Made(folder, alarms)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def evaluate(*arguments: str) -> Said:
        code = main(["evaluate", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return evaluate


def test_figures_of_a_history_made_by_hand(made: Made, run: Callable[..., Said]) -> None:
    code, out, err = run(*made.arguments())
    assert (code, err) == (0, "")
    found = json.loads(out)
    # Twelve cell-days less twenty hours and the six of grace.
    assert found["record"]["cell_days"] == pytest.approx(12.0)
    assert found["record"]["cell_days_normal"] == pytest.approx(12.0 - 26.0 / 24.0, rel=1e-4)
    system = found["groups"]["anode_slow_pickup"]["system"]
    assert (system["events"], system["detected"], system["false_alarms"], system["alarms"]) == (1, 1, 1, 2)
    # Raised at 30 h; it could be seen from 28 h on.
    assert system["delay_median_min"] == pytest.approx(120.0)
    assert system["right_anode"]["share"] == system["exact_kind"]["share"] == 1.0
    # The false one came ten hours after a change of that cell.
    contexts = {name: c["false_alarms"] for name, c in system["false_by_context"].items()}
    assert contexts == {"line_event": 0, "tapping_or_beam": 0, "after_anode_change": 1, "otherwise": 0}
    assert found["anode_changes"]["abnormal"] == 1
    assert found["anode_changes"]["system"]["auroc"] == pytest.approx(1.0)


def test_every_null_model_stands_in_every_table(made: Made, run: Callable[..., Said]) -> None:
    _, out, err = run(*made.arguments(), "--table")
    found = json.loads(out)
    assert set(found["groups"]) == {"all", "fast", "anode_change", "anode_slow_pickup"}
    for rows in found["groups"].values():
        assert list(rows) == ["system", *NULLS]
    assert found["nulls_left_out"] == {}
    rows = found["groups"]["anode_change"]
    assert rows["always"]["recall"] == 0.0  # one alarm that never begins anew
    assert rows["never"]["false_alarms"] == 0
    assert rows["schedule"]["recall"] == 1.0
    assert rows["schedule"]["beaten"] == "more false"
    # A loss of two fifths of one anode's current, and nothing else but noise: no null model worth its name misses it.
    assert rows["t2_full_covariance"]["recall"] == 1.0
    assert rows["z_ewma"]["recall"] == 1.0
    chance = rows["always"]["series"]
    assert chance["auc_pr"] == pytest.approx(chance["prevalence"], rel=1e-4)
    for name in ("anode_change: 1 events", "t2_full_covariance", "clock: average precision"):
        assert name in err


def test_scores_repeat_to_the_byte_whatever_the_order(
    made: Made, tmp_path: Path, run: Callable[..., Said]
) -> None:
    first = run(*made.arguments())[1]
    assert run(*made.arguments())[1] == first
    # The same cells in another order in the plant file, and the rows of a day shuffled.
    plant = made.folder / "plant.toml"
    head, *cells = plant.read_text(encoding="utf-8").split("[[line.cell]]")
    plant.write_text("[[line.cell]]".join([head, *reversed(cells)]), encoding="utf-8")
    day = made.folder / "readings" / "day-1.parquet"
    table = pq.read_table(day)
    pq.write_table(table.take(np.random.default_rng(1).permutation(table.num_rows)), day)
    second = json.loads(run(*made.arguments())[1])
    for group, rows in json.loads(first)["groups"].items():
        assert second["groups"][group]["system"] == rows["system"]
        for name in ("clock", "random", "schedule_thinned"):
            assert second["groups"][group][name] == rows[name]


def test_live_alarms_with_people_at_work(made: Made, run: Callable[..., Said]) -> None:
    """Acknowledged, shelved, suppressed by design and released again, cut at both ends."""
    true = raised(30.0)
    asleep = raised(5.0, cell=2, state="DSUPR")
    rows = [
        cleared(raised(0.0, cell=4), 1.0),
        asleep,
        asleep | {"time": at(6.0).isoformat(), "transition": "unsuppress", "state": "UNACK"},
        raised(7.0, cell=4, state="DSUPR"),
        cleared(raised(7.0, cell=4), 8.0) | {"state": "NORM"},
        true,
        true | {"time": at(30.5).isoformat(), "transition": "ack", "state": "ACKED", "actor": "a"},
        true | {"time": at(31.0).isoformat(), "transition": "shelve", "state": "SHLVD"},
    ]
    write_alarms(made.alarms, rows)
    found = json.loads(run(*made.arguments())[1])
    system = found["groups"]["all"]["system"]
    assert (system["alarms"], system["detected"], system["false_alarms"]) == (2, 1, 1)
    counts = found["record"]["left_out"]["history"]
    assert counts == {"clears_without_raise": 1, "open_at_end": 2, "raised_suppressed": 2}


def test_two_histories_are_scored_together(made: Made, tmp_path: Path, run: Callable[..., Said]) -> None:
    quiet = write_alarms(tmp_path / "quiet.jsonl", [])
    more = ["--more", str(quiet), str(made.labels), str(made.folder)]
    found = json.loads(run(*made.arguments(), *more)[1])
    system = found["groups"]["all"]["system"]
    assert (found["record"]["cells"], system["events"], system["detected"]) == (8, 2, 1)


def test_labels_may_be_a_table_of_texts(made: Made, tmp_path: Path, run: Callable[..., Said]) -> None:
    expected = run(*made.arguments())[1]
    as_text = tmp_path / "labels.csv"
    pa_csv.write_csv(pq.read_table(made.labels), as_text)
    assert run(str(made.alarms), str(as_text), "--readings", str(made.folder))[1] == expected
    # No side and no anode known is no mistake.
    write_labels(made.labels, [label(anode=None)])
    assert json.loads(run(*made.arguments())[1])["groups"]["all"]["system"]["detected"] == 1


def test_a_record_without_events_has_false_alarms_only(made: Made, run: Callable[..., Said]) -> None:
    write_labels(made.labels, [])
    code, out, err = run(*made.arguments(), "--table")
    assert code == 0
    found = json.loads(out)
    system = found["groups"]["all"]["system"]
    assert (system["events"], system["recall"], system["false_alarms"]) == (0, None, 2)
    assert found["record"]["cell_days_normal"] == pytest.approx(12.0)
    # The budget of the null models is that of the system, on the other half of the cells.
    assert found["groups"]["all"]["t2_full_covariance"]["false_per_cell_day"] <= 1.0
    assert "0 events" in err


def test_one_cell_has_no_null_models_and_says_so(made: Made, run: Callable[..., Said]) -> None:
    plant = made.folder / "plant.toml"
    head, first, *_ = plant.read_text(encoding="utf-8").split("[[line.cell]]")
    plant.write_text(f"{head}[[line.cell]]{first}", encoding="utf-8")
    write_alarms(made.alarms, [raised(30.0)])
    code, out, _ = run(*made.arguments())
    found = json.loads(out)
    assert code == 0
    assert found["groups"]["all"]["system"]["recall"] == 1.0
    assert "two cells" in found["nulls_left_out"]["cva_residual"]
    assert found["record"]["left_out"]["history"]["rows_of_unknown_cells"] == 3 * DAYS * 1440


def test_a_wrong_clock_and_a_silent_cell_are_survived(made: Made, run: Callable[..., Said]) -> None:
    day = made.folder / "readings" / "day-2.parquet"
    table = pq.read_table(day)
    table = table.filter(pa.array([cell != "L1-004" for cell in table.column("cell").to_pylist()]))
    odd = table.slice(0, 1).set_column(
        0, "time", pa.array([datetime(2031, 1, 1, tzinfo=UTC)], table.schema[0].type)
    )
    pq.write_table(pa.concat_tables([table, odd]), day)
    found = json.loads(run(*made.arguments())[1])
    assert found["record"]["cell_days"] == pytest.approx(12.0)
    assert found["record"]["cell_days_normal"] == pytest.approx(11.0 - 26.0 / 24.0, rel=1e-4)
    assert found["record"]["left_out"]["history"] == {"rows_outside_the_record": 1}


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([raised(30.0, cell=9)], "line 1: cell 'L1-009' is not a cell of line L1"),
        ([raised(30.0), raised(31.0, line="L7")], "line 2: line 'L7' is not in plant.toml"),
        ([raised(30.0, kind="anode_tired")], "'anode_tired' is not an alarm kind"),
        ([raised(30.0, side="left")], "side 'left' is none of"),
        ([raised(30.0) | {"time": "2026-01-02T06:00:00"}], "has no zone"),
        ([raised(24.0 * 400)], "are these the alarms of this history?"),
        ([{"time": "2026-01-02T06:00:00Z"}], "line 1: is no alarm transition"),
    ],
)
def test_alarms_that_do_not_fit_are_65(
    made: Made, run: Callable[..., Said], rows: list[Row], says: str
) -> None:
    write_alarms(made.alarms, rows)
    code, out, err = run(*made.arguments())
    assert (code, out) == (65, "")
    assert "alarms.jsonl" in err
    assert says in err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (label(cell=9), "row 1: cell 'L1-009' is not in plant.toml"),
        (label(kind="bad_luck"), "'bad_luck' is not an alarm kind"),
        (label(anode=5), "anode 5 is none of the 4"),
        (label(side="left"), "side 'left'"),
        (label(observable=at(2.0)), "do not follow on one another"),
        (label(severity=3.0), "severity 3.0"),
        (label(end=None), "column end has empty rows"),
    ],
)
def test_labels_that_make_no_sense_are_65(made: Made, run: Callable[..., Said], row: Row, says: str) -> None:
    write_labels(made.labels, [row])
    code, _, err = run(*made.arguments())
    assert code == 65
    assert "labels.parquet" in err
    assert says in err


def test_what_is_not_there_is_66_and_what_is_rubbish_65(made: Made, run: Callable[..., Said]) -> None:
    for missing in range(3):
        paths = [str(made.alarms), str(made.labels), str(made.folder)]
        paths[missing] += "-none"
        code, _, err = run(*paths[:2], "--readings", paths[2])
        assert code == 66
        assert "-none" in err
    made.labels.write_bytes(b"rubbish")
    code, _, err = run(*made.arguments())
    assert code == 65
    assert "labels.parquet" in err
    pq.write_table(pa.table({"cell": ["L1-001"]}), made.labels)
    code, _, err = run(*made.arguments())
    assert code == 65
    assert "no column kind" in err
    write_labels(made.labels, [label()])
    for path in (made.folder / "readings").iterdir():
        path.unlink()
    assert run(*made.arguments())[0] == 65


def test_simulated_replayed_and_scored(
    recorded_hours: Path, tmp_path: Path, run: Callable[..., Said], capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole way, by the commands, with folders for files."""
    replay(recorded_hours, tmp_path)
    capsys.readouterr()
    code, out, _ = run(str(tmp_path), str(recorded_hours), "--readings", str(recorded_hours))
    assert code == 0
    found = json.loads(out)
    assert found["record"]["cells"] == 6
    assert found["record"]["events"] == pq.read_table(recorded_hours / "labels.parquet").num_rows
    assert found["record"]["alarms"] >= 1
