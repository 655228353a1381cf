"""``potline report``: from a folder of a replay to pages and tables that a person can check by hand."""

import csv
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ledger_site import Truth, write_site
from edge.cli import main
from edge.entries import Entries
from edge.ledger_files import read_ledger
from edge.review_texts import in_chinese
from streams.messages import Sample
from streams.plant_file import load_plant
from twin.energy import Calendar
from twin.registers import register_sum

ACCOUNTS = """
price_cny_per_kWh = 0.45
region = "370000"
incentive_pct = 18
[line.L1]
capacity_t = 10000
is_replacement_project = true
[month."2026-02".L1]
desulfurisation_kWh = 20000
casting_kWh = 50000
ingot_t = 370
[clean]
total_MWh = 6675
self_generated_MWh = 210
self_generated_nonhydro_MWh = 210
traded_MWh = 480
traded_nonhydro_MWh = 480
certificates_MWh = 1500
certificates_nonhydro_MWh = 900
[metrics]
direct_supply_share = 91.0
[[action]]
what = "lower the voltage of L1-003"
owner = "Li"
expected_kwh_per_t = 60
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("site")
    truth = write_site(folder, n_cells=6, days=59, seed=5, start="2026-01-01", gap_share=0.005)
    (folder / "accounts.toml").write_text(ACCOUNTS, encoding="utf-8")
    assert main(["report", str(folder)]) == 0
    return folder, truth


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"review_{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def line(folder: Path, indicator: str) -> dict[str, str]:
    return next(row for row in rows(folder, "lines") if row["indicator"] == indicator)


def test_the_last_complete_month_is_reviewed_and_is_right(site: tuple[Path, Truth]) -> None:
    folder, truth = site
    found = line(folder, "liquid_dc")
    assert found["period"] == "2026-02"
    assert abs(float(found["value"]) - truth.dc_kwh_per_t) < 3.0 * float(found["sd"])
    # AC is the rectifiers' register: 1 % of busbars and 98.3 % of rectifiers beyond the cells.
    gross = line(folder, "liquid_ac_gross")
    assert float(gross["value"]) == pytest.approx(float(found["value"]) * 1.01 / 0.983, rel=2e-4)
    assert gross["level_code"] in "1234"
    comprehensive = float(line(folder, "liquid_comprehensive")["value"])
    tariff = float(line(folder, "liquid_comprehensive_tariff")["value"])
    assert float(gross["value"]) < tariff < comprehensive


def test_cells_carry_error_bars_that_hold(site: tuple[Path, Truth]) -> None:
    folder, truth = site
    for row, efficiency in zip(rows(folder, "cells"), truth.efficiency, strict=True):
        assert abs(float(row["current_efficiency"]) - efficiency) < 3.5 * float(row["current_efficiency_sd"])
        assert float(row["coverage"]) > 0.95
        assert row["no_class_because"] == ""
    over = [float(row["over_median_kWh"]) for row in rows(folder, "cells")]
    assert min(over) < 0.0 < max(over)


def test_targets_are_held_against_figures_or_refused(site: tuple[Path, Truth]) -> None:
    folder, _ = site
    by_id = {row["id"]: row for row in rows(folder, "targets")}
    # Energy reference 6.7: 32.8090 % clean, 23.8202 % without hydro.
    assert float(by_id["T03"]["value"]) == pytest.approx(32.8090, abs=5e-5)
    assert by_id["T03"]["met"] == "1"
    assert float(by_id["T24"]["value"]) == pytest.approx(23.8202, abs=5e-5)
    assert by_id["X2"]["met"] == "1"
    # Two months of a year are no year.
    assert "no class for 10,000 t/year of capacity: L1" in by_id["T01"]["refused"]
    assert by_id["T04"]["value"]
    assert by_id["T14"]["refused"] == "enter captive_coal_MW in accounts.toml"
    assert "T30a" not in by_id
    assert {row["verified"] for row in by_id.values()} == {"no"}


def test_the_page_has_ten_sections_in_two_languages_and_needs_nothing(site: tuple[Path, Truth]) -> None:
    page = (site[0] / "review.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "src=" not in page
    assert "<script" not in page
    assert re.findall(r"<h2>(\d+)\.", page) == [str(n) for n in range(1, 11)]
    assert page.count("<svg") == 3
    assert page.count("<span lang='zh'>") == page.count("<span lang='en'>") > 100
    assert "标杆" in page
    assert "unverified" in page
    assert "nan" not in re.sub(r"<[^>]*>", "", page).lower().split()
    assert "lower the voltage of L1-003" in page


def test_the_workbook_holds_the_same_tables(site: tuple[Path, Truth]) -> None:
    data = (site[0] / "review.xlsx").read_bytes()
    assert data.startswith(b"PK")
    assert len(data) > 5000


def test_a_few_days_have_no_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_site(tmp_path, n_cells=3, days=5, seed=1, start="2026-01-01")
    assert main(["report", str(tmp_path)]) == 0
    assert "L1 all: AC electricity" in capsys.readouterr().out
    # A figure is shown, as an estimate from current; a class is not.
    assert "metal of 3 cells from current, not weighed" in line(tmp_path, "liquid_dc")["method"]
    assert line(tmp_path, "liquid_ac_gross")["level_code"] == "0"
    for row in rows(tmp_path, "cells"):
        assert row["level_code"] == "0"
        assert row["no_class_because"] == "metal levels over less than 14 days: metal is not weighed"


def test_a_period_that_is_half_recorded_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_site(tmp_path, n_cells=3, days=20, seed=1, start="2026-01-01")
    assert main(["report", str(tmp_path), "--period", "2026-01"]) == 0
    assert (
        "L1 2026-01: AC electricity of liquid aluminium refused: cells were measured for 64."
        in capsys.readouterr().out
    )
    assert main(["report", str(tmp_path), "--period", "2027-01"]) == 2
    assert "nothing was recorded then" in capsys.readouterr().err
    for wrong in ("January", "2026-13", "2026-1", "26"):
        assert main(["report", str(tmp_path), "--period", wrong]) == 2


def test_corrections_are_versions_and_earlier_figures_can_be_had(
    site: tuple[Path, Truth], tmp_path: Path
) -> None:
    folder, _ = site
    for name in ("plant.toml", "energy.parquet", "entries.parquet"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "corrections.csv").write_text(
        "hour,cell,recorded,dc_energy_kWh,charge_kAh,covered_s,state,reason,author\n"
        "2026-02-10T08:00:00+08:00,L1-002,2026-03-02T09:00:00+08:00,5000,300,3600,NORMAL,voltage channel,wang\n",
        encoding="utf-8",
    )
    assert main(["report", str(tmp_path)]) == 0
    later = rows(tmp_path, "cells")[1]
    assert float(later["dc_energy_kWh"]) > float(rows(folder, "cells")[1]["dc_energy_kWh"]) + 3000.0
    assert "voltage channel (wang)" in (tmp_path / "review.html").read_text(encoding="utf-8")
    assert (
        main(
            ["report", str(tmp_path), "--as-of", "2026-03-02T08:00:00+08:00", "--out", str(tmp_path / "old")]
        )
        == 0
    )
    assert rows(tmp_path / "old", "cells")[1]["dc_energy_kWh"] == rows(folder, "cells")[1]["dc_energy_kWh"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2026-02-10T08:00:00,L1-002,2026-03-02T09:00:00+08:00,1,1,1,NORMAL,r,a", "has no time zone"),
        ("2026-02-10T08:00:00+08:00,L9,2026-03-02T09:00:00+08:00,1,1,1,NORMAL,r,a", "L9"),
        ("2026-02-10T08:00:00+08:00,L1-002,2026-03-02T09:00:00+08:00,1,1,1,NORMAL,,a", "needs a reason"),
        ("2026-02-10T08:00:00+08:00,L1-002,2026-03-02T09:00:00+08:00,1,1,1,GOOD,r,a", "row 2"),
    ],
)
def test_corrections_that_cannot_be_applied_are_named(
    site: tuple[Path, Truth], tmp_path: Path, row: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("plant.toml", "energy.parquet", "entries.parquet"):
        (tmp_path / name).write_bytes((site[0] / name).read_bytes())
    head = "hour,cell,recorded,dc_energy_kWh,charge_kAh,covered_s,state,reason,author\n"
    (tmp_path / "corrections.csv").write_text(head + row + "\n", encoding="utf-8")
    assert main(["report", str(tmp_path)]) == 65
    assert says in capsys.readouterr().err


def test_what_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 66
    assert main(["report", str(tmp_path)]) == 66
    assert "plant.toml: is missing; `potline replay" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profile = 'x'", "profile 'x'"),
        ("extra = 1", "extra"),
        ("[clean]\ntraded_MWh = 1", "total_MWh"),
        ("=", "accounts"),
    ],
)
def test_accounts_that_cannot_be_used_are_78(
    site: tuple[Path, Truth], tmp_path: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["report", str(site[0]), "--accounts", str(path), "--out", str(tmp_path)]) == 78
    assert says in capsys.readouterr().err


def test_a_replayed_history_can_be_reviewed(recorded_hours: Path, tmp_path: Path) -> None:
    assert main(["replay", str(recorded_hours), "--out", str(tmp_path)]) == 0
    entries = pq.read_table(tmp_path / "entries.parquet")
    names = set(entries["entry"].to_pylist())
    assert {"metal_height_m", "cell_state", "rectifier_ac_energy_kWh", "anode_change"} <= names
    times = entries["time"].cast(pa.int64()).to_pylist()
    assert times == sorted(times)
    assert main(["report", str(tmp_path), "--advise", "1"]) == 0
    # Seven hours and a bit: eight of the book, of which registers and cells were read for less than 95 %.
    assert "was read over" in line(tmp_path, "rectifier_efficiency")["refused"]
    files = read_ledger(tmp_path, Calendar())
    ac, dc = (
        register_sum(*files.registers["L1", name], 0, 2**62).energy_kWh
        for name in ("rectifier_ac_energy_kWh", "line_dc_energy_kWh")
    )
    assert dc / ac == pytest.approx(0.978, abs=5e-4)
    # What the currents showed stands beside what was logged.
    logged = [row for row in entries.to_pylist() if row["entry"] == "anode_change"]
    seen = pq.read_table(tmp_path / "verdicts.parquet").to_pylist()
    assert {(row["cell"], row["anode"]) for row in seen} <= {(row["cell"], row["value"]) for row in logged}
    assert len(seen) >= 2
    assert all(row["logged"] for row in seen)
    assert "what became of the changes" in (tmp_path / "review.html").read_text(encoding="utf-8")


def test_a_level_that_no_cell_can_have_is_left_out_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "plant.toml").write_text('site = "s"\n[[line]]\nid = "L1"\n[[line.cell]]\nid = "c"\n')
    entries = Entries(load_plant(tmp_path / "plant.toml"))
    entries.add(Sample(t, t, "c", "metal_height_m", level) for t, level in ((1, 0.2), (2, 20.0), (3, 0.21)))
    entries.write(tmp_path / "entries.parquet")
    assert pq.read_table(tmp_path / "entries.parquet").column("value").to_pylist() == [0.2, 0.21]
    assert "1 samples of metal_height_m left out" in caplog.text


def test_reasons_are_told_in_chinese() -> None:
    assert in_chinese("measured for 91.2 %, 95 % are needed") == "实测覆盖 91.2 %，需 95 %"
    assert in_chinese("L1: no cell was in normal operation") == "L1：没有槽处于正常生产"
    assert in_chinese("something new") == "something new"
