"""The energy review where registers, cast-house weights or months do not fit the period: refused or matched."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.ledger_site import write_site
from edge.accounts import Accounts, MonthAccounts
from edge.ledger_files import read_ledger
from edge.review import Reviewer
from edge.review_rows import LineRow
from edge.review_spans import UnknownPeriodError, month_name, month_span, spans
from twin.energy import Calendar

ZONE = ZoneInfo("Asia/Shanghai")
RECTIFIER, DC, AUXILIARY = "rectifier_ac_energy_kWh", "line_dc_energy_kWh", "auxiliary_ac_energy_kWh"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """January 2026 of three cells, every register read all through it."""
    folder = tmp_path_factory.mktemp("whole")
    write_site(folder, n_cells=3, days=31, seed=2, start="2026-01-01")
    return folder


def at(day: float) -> int:
    """UTC microseconds of a day of January 2026, 1.0 being its start."""
    return round((datetime(2026, 1, 1, tzinfo=ZONE).timestamp() + (day - 1.0) * 86400.0) * 1e6)


def without(whole: Path, out: Path, drop: Callable[[str, int], bool]) -> Path:
    """A copy without the readings of a register that ``drop`` says yes to."""
    for name in ("plant.toml", "energy.parquet"):
        (out / name).write_bytes((whole / name).read_bytes())
    table = pq.read_table(whole / "entries.parquet")
    times = table["time"].cast(pa.int64()).to_pylist()
    keep = [not drop(n, t) for n, t in zip(table["entry"].to_pylist(), times, strict=True)]
    pq.write_table(table.filter(pa.array(keep)), out / "entries.parquet")
    return out


def reviewed(folder: Path, accounts: Accounts | None = None) -> LineRow:
    files = read_ledger(folder, Calendar(ZONE))
    return Reviewer(files, accounts or Accounts()).review(spans(files, "2026-01")).lines[0]


def test_a_register_that_begins_late_stands_over_the_metal_of_its_own_hours(
    whole: Path, tmp_path: Path
) -> None:
    # 1.2 of 31 days are missing: 3.9 %, above the limit of 95 % read.
    late = reviewed(without(whole, tmp_path, lambda name, t: name == RECTIFIER and t < at(2.2))).now
    full = reviewed(whole).now
    assert late.metered_s == pytest.approx(29.8 * 86400.0, abs=3600.0)
    assert late.energy.rectifier_ac_kWh < 0.965 * full.energy.rectifier_ac_kWh
    assert late.liquid_t == full.liquid_t
    for name in ("liquid_ac_gross", "liquid_ac_net", "liquid_comprehensive", "rectifier_efficiency"):
        # Counted over all the metal of the month, it would be lower by 3.9 %.
        assert late.figures[name].value == pytest.approx(full.figures[name].value, rel=4e-4), name
    assert late.figures["liquid_dc"] == full.figures["liquid_dc"]
    assert late.busbar_V == pytest.approx(full.busbar_V, rel=0.02)


def test_cells_share_the_energy_of_the_hours_in_which_it_was_read(whole: Path, tmp_path: Path) -> None:
    folder = without(whole, tmp_path, lambda name, t: name == RECTIFIER and t > at(30.8))
    found, full = (
        Reviewer(files, Accounts()).review(spans(files, "2026-01")).cells.ac_kwh_per_t
        for files in (read_ledger(path, Calendar(ZONE)) for path in (folder, whole))
    )
    assert found == pytest.approx(full, rel=4e-4)


def test_a_register_below_the_limit_is_refused_by_itself(whole: Path, tmp_path: Path) -> None:
    folder = without(whole, tmp_path, lambda name, t: name == AUXILIARY and t < at(4.0))
    accounts = Accounts(month={"2026-01": {"L1": MonthAccounts(desulfurisation_kWh=1e9)}})
    figures = reviewed(folder, accounts).now.figures
    assert figures["liquid_ac_gross"].known
    for name in ("liquid_comprehensive", "liquid_comprehensive_tariff"):
        assert figures[name].refused.startswith(f"{AUXILIARY} was read over 90.3 % of the time")
    assert reviewed(folder, accounts).price is None
    lost = reviewed(without(whole, tmp_path, lambda name, t: name == RECTIFIER and t > at(29.0))).now.figures
    assert lost["liquid_ac_gross"].refused.startswith(f"{RECTIFIER} was read over 9")
    assert lost["liquid_dc"].known


def test_registers_that_share_too_few_hours_do_not_pass_together(whole: Path, tmp_path: Path) -> None:
    folder = without(
        whole,
        tmp_path,
        lambda name, t: (name == RECTIFIER and t < at(2.2)) or (name == AUXILIARY and t > at(30.8)),
    )
    figures = reviewed(folder).now.figures
    assert figures["liquid_ac_gross"].known
    assert figures["liquid_comprehensive"].refused == (
        f"{AUXILIARY} was not read in the same hours as the other registers"
    )


def test_what_was_entered_for_the_month_counts_by_the_share_of_its_metal(whole: Path, tmp_path: Path) -> None:
    entered = MonthAccounts(desulfurisation_kWh=5000.0, casting_kWh=9000.0, ingot_t=200.0)
    accounts = Accounts(month={"2026-01": {"L1": entered}})
    full = reviewed(whole, accounts).now.figures
    late = reviewed(
        without(whole, tmp_path, lambda n, t: n == RECTIFIER and t < at(2.0)), accounts
    ).now.figures
    for name in ("liquid_comprehensive_tariff", "ingot_comprehensive"):
        assert late[name].value == pytest.approx(full[name].value, rel=4e-4), name


def test_a_month_that_was_not_recorded_may_have_a_cast_house_weight(whole: Path) -> None:
    plain = reviewed(whole).now.liquid_t
    for month in ("2025-03", "2027-01"):
        accounts = Accounts(month={month: {"L1": MonthAccounts(cast_house_kg=5e5)}})
        assert reviewed(whole, accounts).now.liquid_t == plain


def test_a_month_recorded_in_part_is_not_held_against_the_cast_house(tmp_path: Path) -> None:
    write_site(tmp_path, n_cells=2, days=40, seed=3, start="2025-12-23")
    accounts = Accounts(month={"2025-12": {"L1": MonthAccounts(cast_house_kg=140e3)}})
    assert reviewed(tmp_path, accounts).now.figures["liquid_dc"].known


def test_a_line_with_an_impossible_current_efficiency_is_refused(whole: Path, tmp_path: Path) -> None:
    for name in ("plant.toml", "energy.parquet"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    table = pq.read_table(whole / "entries.parquet")
    heavier = [
        value * (1.12 if (entry, cell) == ("tap_metal_kg", "L1-002") else 1.0)
        for entry, cell, value in zip(
            *(table[c].to_pylist() for c in ("entry", "cell", "value")), strict=True
        )
    ]
    table = table.set_column(table.schema.get_field_index("value"), "value", pa.array(heavier))
    pq.write_table(table, tmp_path / "entries.parquet")
    figures = reviewed(tmp_path).now.figures
    for name in ("liquid_dc", "liquid_ac_gross", "current_efficiency"):
        assert figures[name].refused == "current efficiency of 1 cells is outside 0.85-0.97: data fault"


@pytest.mark.parametrize("cut", [1, 10, 15, 16, 21, 26, 28])
@pytest.mark.parametrize("start_hour", [0, 8])
def test_a_month_has_one_name_whatever_day_it_begins(cut: int, start_hour: int) -> None:
    calendar = Calendar(ZONE, start_hour, cut)
    for name in ("2025-12", "2026-01", "2026-02", "2028-02"):
        span = month_span(calendar, name)
        assert span is not None
        assert month_name(span.start_us, ZONE) == name
        middle = datetime.fromtimestamp((span.start_us + span.end_us) / 2e6, ZONE)
        assert abs((middle.date() - datetime.fromisoformat(f"{name}-15").date()).days) <= 16
    # A statistical month that ends on the 25th is named after the month in which it ends.
    assert month_name(round(datetime(2025, 12, 26, tzinfo=ZONE).timestamp()) * 1_000_000, ZONE) == "2026-01"


def test_a_year_of_statistical_months_is_twelve_of_them(whole: Path) -> None:
    files = read_ledger(whole, Calendar(ZONE, 8, 26))
    year = spans(files, "2026")
    assert datetime.fromtimestamp(year.start_us / 1e6, ZONE).isoformat() == "2025-12-26T08:00:00+08:00"
    assert datetime.fromtimestamp(year.end_us / 1e6, ZONE).isoformat() == "2026-12-26T08:00:00+08:00"
    with pytest.raises(UnknownPeriodError, match="write a month"):
        spans(files, "2026-00")
    assert np.diff(files.book.hours_us).max() == 3_600_000_000


def test_the_year_end_is_the_year_so_far_and_the_rest_as_in_the_period(tmp_path: Path) -> None:
    write_site(tmp_path, n_cells=2, days=59, seed=4, start="2026-01-01")
    files = read_ledger(tmp_path, Calendar(ZONE))
    reviewer = Reviewer(files, Accounts())
    rows = [reviewer.review(spans(files, f"2026-0{month}")).lines[0] for month in (1, 2)]
    january, february = (row.now.figures["liquid_ac_gross"].value for row in rows)
    assert rows[0].year_end["liquid_ac_gross"] == pytest.approx(january)
    expected = (31 * january + 334 * february) / 365
    assert rows[1].year_end["liquid_ac_gross"] == pytest.approx(expected, abs=1.0)
    assert rows[1].year_end_price is not None
