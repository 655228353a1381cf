"""``potline twin`` end to end: tables, JSON, pictures in both languages, refusals and their exit codes."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from edge.cli import main
from edge.config import Config
from edge.outlook_history import Watched, watch
from edge.outlook_picture import NoPicture, check_picture, chinese_font, forecast_picture
from edge.outlook_texts import table, term, width, word
from tests.edge.recorded import simulate
from twin.balances import balance
from twin.cell import run_cells
from twin.cell_state import SURFACES, nominal_inputs, start_cells
from twin.forecast import FORESEEN, Forecast, forecast, hold
from twin.params import params_for
from twin.whatif import TOLD

CELL = "L1-002"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("outlook") / "day", cells=2, days=0.4, faults="none")


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["twin", *arguments]) == code
    return capsys.readouterr().out


def test_balance_is_entners(capsys: pytest.CaptureFixture[str]):
    out = said(
        capsys, "balance", "--technology", "generic_200kA", "--voltage-V", "4.2", "--efficiency-pct", "95"
    )
    assert out.startswith("200.0 kA  4.200 V  current efficiency 95.00 %")
    row = next(line for line in out.splitlines() if line.startswith("power") and " cell " in line)
    assert row.split()[2:] == ["840.0", "4.200", "13.175"]
    found = json.loads(
        said(capsys, "balance", "--technology", "generic_200kA", "--voltage-V", "4.2", "--json")
    )
    kW = {(line["group"], line["name"]): line["kW"] for line in found["terms"]}
    assert kW["power", "inside"] == pytest.approx(kW["power", "cell"] + kW["power", "bus bars"])
    # 0.48 + 1.644 CE volts are the reaction's.
    demand = sum(value for key, value in kW.items() if key[0] == "demand")
    assert demand == pytest.approx(200 * (0.48 + 1.644 * found["current_efficiency_frac"]), rel=1e-6)


def test_balance_of_a_file_and_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import twin.params

    own = tmp_path / "own.toml"
    shipped = Path(twin.params.__file__).parent / "data" / "technologies" / "generic_400kA.toml"
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    out = said(capsys, "balance", "--technology", str(own), "--lang", "zh")
    assert out.startswith("400.0 kA")
    for text in ("电压", "可逆电压", "阳极导杆", "合计", "电流效率"):
        assert text in out
    english = said(capsys, "balance", "--technology", str(own))
    assert len(out.splitlines()) == len(english.splitlines())
    assert {width(line) for line in out.splitlines()[2:]} == {width(out.splitlines()[2])}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--technology", "generic_900kA"],
        ["--voltage-V", "9"],
        ["--alf3-pct", "0.5"],
        ["--bath-temp-C", "800"],
    ],
)
def test_impossible_cells_are_2_and_named(capsys: pytest.CaptureFixture[str], arguments: list[str]):
    out = said(capsys, "balance", *arguments, code=2)
    assert out.startswith("potline: ")
    assert len(out.splitlines()) == 1


def test_every_word_of_the_balance_has_a_text():
    cells = start_cells([params_for("generic_300kA", None)], 1)
    run_cells(cells, nominal_inputs(cells, 1), 10.0)
    for line in balance(cells).terms:
        assert term(line.group, "zh") != line.group
        assert term(line.name, "zh") != line.name
    for name in (*FORESEEN, *TOLD, *SURFACES):
        assert word(name, "zh") != word(name, "en")


@pytest.fixture(scope="module")
def seen(history: Path) -> tuple[Watched, Forecast]:
    """One cell at the end of the history, and its next hours."""
    watched = watch(history, CELL, None, Config(), 30)
    plan = hold(watched.present, 30, [watched.change_h], [watched.tap_h])
    return watched, forecast(watched.present, plan)


def test_forecast_of_a_history(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    picture = tmp_path / "f.svg"
    out = said(capsys, "forecast", str(history), "--cell", CELL, "--hours", "30", "--out", str(picture))
    assert out.startswith(CELL)
    for text in ("bath temperature", "+24", "+30", "anode change: 01-", "tap: 01-", "hours of record only"):
        assert text in out
    drawn = picture.read_text(encoding="utf-8")
    assert "<text" in drawn
    assert "superheat, K" in drawn


def test_forecast_for_programs_is_the_same_and_earlier_instants_know_nothing_of_later(
    history: Path, seen: tuple[Watched, Forecast], capsys: pytest.CaptureFixture[str]
):
    at = ["forecast", str(history), "--cell", CELL, "--hours", "30", "--json", "--at"]
    watched, best = seen
    end = datetime.fromtimestamp(watched.time_us / 1e6, UTC).isoformat()
    found: dict[str, Any] = json.loads(said(capsys, *at, end))
    assert [row["hour"] for row in found["hours"]] == list(range(31))
    for h, row in enumerate(found["hours"]):
        for k, name in enumerate(FORESEEN):
            assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
            assert row[name] == best.best[h, 0, k]
        assert 940 < row["bath_temp_C"] < 985
    assert found["status"] == []
    # 600 h of life over 30 anodes is one every 20 h; the simulated plant keeps that within half an hour.
    assert all(0.0 <= hour < 20.5 for hour in found["anode_change_h"][:1])
    early = json.loads(said(capsys, *at, "2026-01-01T10:00"))
    assert early["time"] == "2026-01-01T10:00:00+08:00"
    assert early["hours"][0] != found["hours"][0]


@pytest.mark.parametrize("suffix", ["png", "html", "svg"])
def test_pictures_in_chinese(seen: tuple[Watched, Forecast], tmp_path: Path, suffix: str):
    watched, found = seen
    picture, again = tmp_path / f"f.{suffix}", tmp_path / f"g.{suffix}"
    if suffix == "png" and not chinese_font():
        with pytest.raises(NoPicture, match="no Chinese font"):
            check_picture(picture, "zh")
        return
    check_picture(picture, "zh")
    for path in (picture, again):
        forecast_picture(path, watched, found, "zh", "换极 <1>")
    data = picture.read_bytes()
    assert data == again.read_bytes()
    assert data.startswith(b"\x89PNG" if suffix == "png" else b"<")
    if suffix != "png":
        assert "过热度" in data.decode()
    if suffix == "html":
        assert "换极 &lt;1&gt;" in data.decode().split("<pre>")[1]


def test_without_matplotlib_the_table_comes_and_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = [
        "whatif",
        "--technology",
        "generic_300kA",
        "--voltage-mV",
        "50",
        "--out",
        str(tmp_path / "w.svg"),
    ]
    out = said(capsys, *arguments, code=1)
    assert "bath temperature" in out
    assert "pip install 'potline[plot]'" in out
    assert not (tmp_path / "w.svg").exists()


def test_whatif_of_a_technology(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    change = [
        "--voltage-mV",
        "50",
        "--cover-mm",
        "20",
        "--alf3-pct",
        "1",
        "--current-kA",
        "-2",
        "--ambient-C",
        "5",
    ]
    out = said(capsys, "whatif", "--technology", "generic_300kA", *change, "--out", str(tmp_path / "w.html"))
    assert out.startswith(
        "generic_300kA  cell voltage +50 mV, cover +20 mm, AlF3 +1 %, line current -2 kA, room +5 K"
    )
    assert "at rest" in out
    assert "anode rods" in out
    assert "<svg" in (tmp_path / "w.html").read_text(encoding="utf-8")
    chinese = said(capsys, "whatif", "--technology", "generic_300kA", *change, "--lang", "zh")
    assert "新稳态" in chinese
    assert len(chinese.splitlines()) == len(out.splitlines())


def test_whatif_of_a_cell_of_a_history(history: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["whatif", str(history), "--cell", CELL, "--voltage-mV", "-30", "--json"]
    found = json.loads(said(capsys, *arguments))
    assert found["cell"] == CELL
    assert [row["when"] for row in found["times"]] == ["at_once", "after_24", "after_72", "at_rest"]
    for row in found["times"]:
        assert row["change"]["cell_voltage_V"] == pytest.approx(-0.03, abs=0.002)
        assert row["change"]["kwh_per_t"] < 0
    assert found["times"][-1]["change"]["bath_temp_C"] < 0
    assert found["at_rest"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["whatif", "--technology", "generic_300kA", "--voltage-mV", "2500"], 2, "valid from"),
        (["whatif", "--technology", "generic_300kA"], 2, "no change"),
        (["whatif", "--voltage-mV", "10"], 2, "--technology"),
        (["whatif", "HISTORY", "--technology", "generic_300kA", "--voltage-mV", "10"], 2, "either"),
        (["whatif", "--technology", "none", "--voltage-mV", "10"], 2, "unknown technology"),
        (["forecast", "HISTORY", "--cell", "L9-001"], 2, "no cell 'L9-001'"),
        (["forecast", "HISTORY", "--cell", CELL, "--at", "2020-01-01"], 2, "has readings from"),
        (["forecast", "HISTORY", "--cell", CELL, "--at", "2026-01-01T08:05"], 65, "less than 10 minutes"),
        (["forecast", "NOWHERE", "--cell", CELL], 66, "not a recorded history"),
    ],
)
def test_refusals(
    history: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    says: str,
):
    named = {"HISTORY": str(history), "NOWHERE": str(tmp_path)}
    assert main(["twin", *(named.get(word, word) for word in arguments)]) == code
    captured = capsys.readouterr()
    assert says in captured.out + captured.err


def test_unreadable_history_is_65(history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "readings").mkdir()
    (tmp_path / "plant.toml").write_bytes((history / "plant.toml").read_bytes())
    (tmp_path / "readings" / "part-0.parquet").write_bytes(b"rubbish")
    assert "part-0.parquet" in said(capsys, "forecast", str(tmp_path), "--cell", CELL, code=65)


def test_usage_errors_are_2():
    picture = ["twin", "forecast", "x", "--cell", "y", "--out"]
    for arguments in (
        ["twin"],
        ["twin", "forecast", "x"],
        ["twin", "forecast", "x", "--cell", "y", "--hours", "99"],
        [*picture, "x.jpeg"],
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_columns_stand_below_each_other_in_both_scripts():
    lines = table([["a", "1.0"], ["氧化铝", "22.00"]]).splitlines()
    assert [width(line) for line in lines] == [13, 13]
    assert lines[0].endswith("1.0")
