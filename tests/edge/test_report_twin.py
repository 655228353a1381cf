"""The twin's part of the energy review, from files written by hand: advice, voltage, heat, anode effects."""

import csv
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ledger_site import write_site
from edge.cli import main
from edge.effect_log import SCHEMA as EFFECTS
from edge.points import STATE_FIELDS
from twin.cell_voltage import PARTS

ZONE = ZoneInfo("Asia/Shanghai")
END_US = round(datetime(2026, 2, 1, tzinfo=ZONE).timestamp()) * 1_000_000
TEN_MIN_US = 600_000_000
STATE = {
    "bath_temp_c": (962.0, 2.0),
    "superheat_c": (8.0, 1.5),
    "alumina_pct": (2.8, 0.2),
    "acd_mm": (42.0, 3.0),
    "ledge_bath_mm": (80.0, 9.0),
    "heat_loss_kw": (600.0, 10.0),
}


def states(folder: Path) -> None:
    """Three days of states of three cells; the second is lost in the last day."""
    times = np.arange(END_US - 432 * TEN_MIN_US, END_US, TEN_MIN_US)
    columns: dict[str, list[object]] = {name: [] for name in ("time", "line", "cell")}
    for cell, last_us in (("L1-001", END_US), ("L1-002", END_US - 144 * TEN_MIN_US), ("L1-003", END_US)):
        mine = times[times < last_us].tolist()
        columns["time"] += mine
        columns["line"] += ["L1"] * len(mine)
        columns["cell"] += [cell] * len(mine)
    n = len(columns["time"])
    arrays = [
        pa.array(columns["time"], pa.timestamp("us", "UTC")),
        pa.array(columns["line"]),
        pa.array(columns["cell"]),
    ]
    names = ["time", "line", "cell"]
    for field, _ in STATE_FIELDS:
        value, sd = STATE[field.removesuffix("_sd")]
        arrays.append(pa.array(np.full(n, sd if field.endswith("_sd") else value)))
        names.append(field)
    pq.write_table(pa.Table.from_arrays(arrays, names), folder / "states.parquet")


def entries(folder: Path) -> None:
    """Bath temperatures of the first two cells, and two effects of the first in the period, one before it."""
    path = folder / "entries.parquet"
    table = pq.read_table(path)
    hours_us = [END_US - h * 3_600_000_000 for h in (60, 36, 12)]
    rows = [(t, t, "L1", cell, "bath_temp_C", 962.0) for cell in ("L1-001", "L1-002") for t in hours_us]
    more = [
        pa.array(column, field.type)
        for column, field in zip(zip(*rows, strict=True), table.schema, strict=True)
    ]
    pq.write_table(pa.concat_tables([table, pa.Table.from_arrays(more, schema=table.schema)]), path)
    starts = [END_US - d * 86_400_000_000 for d in (40, 10, 5)]
    effects = [(t, "L1-001", 120.0, 34.0, 30.0, 120.0 * 26.0, False) for t in starts]
    columns = [pa.array(c, f.type) for c, f in zip(zip(*effects, strict=True), EFFECTS, strict=True)]
    pq.write_table(pa.Table.from_arrays(columns, schema=EFFECTS), folder / "effects.parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("twin")
    write_site(out, n_cells=3, days=31, seed=2, start="2026-01-01")
    states(out)
    entries(out)
    (out / "accounts.toml").write_text(
        'price_cny_per_kWh = 0.4\nupstream_t_per_t = 4.0\nelectricity_region = "north"\n', encoding="utf-8"
    )
    assert main(["report", str(out)]) == 0
    return out


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"review_{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_advice_saves_and_leaves_the_cell_safe_or_says_why_there_is_none(folder: Path) -> None:
    found = rows(folder, "advice")
    given = [row for row in found if row["cell"] == "L1-001" and row["superheat_C"]]
    assert given
    for row in given:
        assert float(row["saved_dc_kwh_per_t"]) > float(row["saved_sd"]) > 0.0
        assert 6.0 <= float(row["superheat_C"]) <= 13.0
        assert 48.0 <= float(row["ledge_bath_mm"]) <= 120.0
        # 31 days of a 300 kA cell are some 70 t of metal.
        money = float(row["saved_dc_kwh_per_t"]) * 70.0 / 0.983 * 0.4
        assert float(row["saved_cny"]) == pytest.approx(money, rel=0.05)
        assert row["advice"] != row["advice_zh"]
    refused = {row["cell"]: row["refused"] for row in found if row["refused"]}
    assert refused["L1-002"].startswith("the twin does not assess this cell")
    assert refused["L1-003"] == "no bath temperature was sampled in the last 3 days"


def test_voltage_by_part_is_exact(folder: Path) -> None:
    cells = {row["cell"]: row for row in rows(folder, "cells")}
    for row in rows(folder, "voltage"):
        parts = [float(row[f"{name}_V"]) for name in PARTS]
        assert sum(parts) == pytest.approx(float(cells[row["cell"]]["voltage_V"]), abs=1e-9)
        over = sum(float(row[f"{name}_kwh_per_t"]) for name in PARTS)
        by_efficiency = float(cells[row["cell"]]["over_median_kwh_per_t"]) - over
        efficiencies = [float(c["current_efficiency"]) for c in cells.values()]
        middle, own = sorted(efficiencies)[1], float(cells[row["cell"]]["current_efficiency"])
        assert by_efficiency == pytest.approx(-12_750.0 * np.log(own / middle), rel=0.03, abs=1e-6)


def test_anode_effects_of_the_voltages_make_perfluorocarbons(folder: Path) -> None:
    found = {row["figure"]: row for row in rows(folder, "effects")}
    # Two effects of two minutes in 93 cell-days; AEO 2 x 120 s x 26 V over them.
    assert float(found["min_per_cell_day"]["value"]) == pytest.approx(4.0 / 93.0, rel=1e-6)
    assert float(found["overvoltage_mV"]["value"]) == pytest.approx(
        1e3 * 2 * 120 * 26 / (93 * 86400), rel=1e-6
    )
    # Energy reference 6.3: 0.143 kg a tonne and minute, a tenth of C2F6, 6630 and 11100.
    cf4 = 0.143 * 4.0 / 93.0
    slope = float(found["pfc_slope_cn_ets_2024"]["value"])
    assert slope == pytest.approx(cf4 * (6.63 + 0.1 * 11.1), rel=1e-6)
    assert float(found["pfc_default_cn_ets_2024"]["value"]) == pytest.approx(0.26316)
    assert found["effect_alarms"]["refused"] or found["effect_alarms"]["value"]
    assert float(found["pfc_overvoltage_cbam_cwpb"]["value"]) > 0.0


def test_heat_by_surface_and_the_page_in_two_languages(folder: Path) -> None:
    ways = [row for row in rows(folder, "heat") if row["cell"] == "L1-001"]
    assert len(ways) == 11
    assert 500.0 < sum(float(row["heat_kW"]) for row in ways) < 800.0
    page = (folder / "review.html").read_text(encoding="utf-8")
    for words in (
        "waste heat",
        "余热",
        "voltage by part",
        "电压分解",
        "for a person to decide",
        "由人决定",
        "过热度",
    ):
        assert words in page, words
    assert page.count("<span lang='zh'>") == page.count("<span lang='en'>")
    # Anode, perfluorocarbons, electricity at 13.3 MWh and 0.5777, and 4.0 of suppliers.
    assert "product footprint, outline" in page
    assert "nan" not in page.replace("anode", "").lower().split()


def test_without_states_the_twins_part_is_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("plant.toml", "energy.parquet", "entries.parquet"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert main(["report", str(tmp_path), "--advise", "0"]) == 0
    # What anode changes cost is counted from measured energy, and needs no twin.
    assert {row["refused"] for row in rows(tmp_path, "advice") if not row["advice"]} == {
        "the twin recorded no state at the end of the period"
    }
    assert rows(tmp_path, "heat") == []
    found = {row["figure"]: row for row in rows(tmp_path, "effects")}
    assert found["min_per_cell_day"]["refused"].startswith("anode effects were not looked for")
    assert float(found["pfc_default_cn_ets_2024"]["value"]) == pytest.approx(0.26316)
