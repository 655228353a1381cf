"""Writes the energy review: one HTML page, CSV tables, and a workbook where XlsxWriter is installed."""

import csv
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo

from edge.accounts import load_accounts
from edge.config import Config
from edge.exits import OK
from edge.ledger_files import LedgerFiles, read_ledger
from edge.review import Reviewer
from edge.review_effects import effects
from edge.review_events import changes
from edge.review_page import page
from edge.review_rows import Review
from edge.review_sheets import Sheet, Value, number
from edge.review_spans import spans
from edge.review_targets import target_standings
from edge.review_texts import INDICATORS
from edge.review_twin import twin_review
from edge.review_twin_sheets import twin_sheets
from streams.plant_file import load_plant
from twin.energy import Calendar
from twin.targets import Standing


def report(
    folder: Path,
    out: Path,
    config: Config,
    *,
    period: str | None,
    accounts: Path | None,
    as_of_us: int | None,
    advised: int,
    say: Callable[[str], None],
) -> int:
    """Write the review of a replayed folder.

    Parameters
    ----------
    folder
        Written by ``potline replay``.
    out
        Gets ``review.html``, ``review_*.csv`` and, where XlsxWriter is installed, ``review.xlsx``.
    config
        Its energy section says when days and months begin, its language which one the page shows first.
    period
        See ``edge.review_spans.spans``.
    accounts
        What the plant enters; default ``accounts.toml`` in the folder.
    as_of_us
        Only what was known by then; None for all.
    advised
        How many of the dearest cells get the twin's advice.
    say
        Gets lines for people.

    Returns
    -------
    int
        0.

    Raises
    ------
    LedgerError, PlantError, AccountsError, ValueError
        The folder, the accounts or the period cannot be used.
    """
    files = _read(folder, config)
    entered = load_accounts(accounts if accounts is not None else folder / "accounts.toml")
    review = Reviewer(files, entered, as_of_us).review(spans(files, period))
    counted, changed = effects(folder, review), changes(files, review.span)
    twin = twin_review(folder, review, counted, changed, advised)
    standings = target_standings(review, changed, counted)
    out.mkdir(parents=True, exist_ok=True)
    (out / "review.html").write_text(
        page(review, standings, counted, changed, twin, config.language), encoding="utf-8"
    )
    tables = [*sheets(review, standings), *twin_sheets(review, counted, twin)]
    for sheet in tables:
        _write_csv(out / f"review_{sheet.name}.csv", sheet)
    if find_spec("xlsxwriter") is not None:
        _write_workbook(out / "review.xlsx", tables)
    else:
        say("review.xlsx: left out, XlsxWriter is not installed; pip install 'potline[report]'")
    for row in review.lines:
        gross = row.now.figures["liquid_ac_gross"]
        text = f"{gross.value:.1f} kWh/t" if gross.known else f"refused: {gross.refused}"
        say(f"{row.line} {review.span.name}: AC electricity of liquid aluminium {text}")
    say(f"{out / 'review.html'}")
    return OK


def _read(folder: Path, config: Config) -> LedgerFiles:
    zone = ZoneInfo("UTC")
    if (folder / "plant.toml").is_file():
        zone = ZoneInfo(load_plant(folder / "plant.toml").time_zone)
    return read_ledger(folder, Calendar(zone, config.energy.day_start_hour, config.energy.month_cut_day))


def sheets(review: Review, standings: Sequence[Standing]) -> list[Sheet]:
    """Tables of lines, cells and targets with every figure at full precision."""
    lines: list[tuple[Value, ...]] = []
    for row in review.lines:
        for name in INDICATORS:
            f = row.now.figures[name]
            lines.append(
                (
                    review.span.name,
                    row.line,
                    name,
                    number(f.value),
                    f.unit,
                    number(f.uncertainty),
                    number(f.coverage),
                    row.now.level_code if name == "liquid_ac_gross" else None,
                    f.method,
                    f.refused,
                )
            )
    c, over = review.cells, {row.cell: row for row in review.rows}
    cells: list[tuple[Value, ...]] = []
    for i, cell in enumerate(review.files.plant.cells):
        own = over.get(i)
        cells.append(
            (
                review.span.name,
                cell.line,
                cell.id,
                *(
                    number(float(part[i]))
                    for part in (
                        *(c.dc_energy_kWh, c.metal_t, c.voltage_V, c.current_efficiency, c.efficiency_sd),
                        *(c.dc_kwh_per_t, c.dc_sd, c.ac_kwh_per_t, c.ac_sd, c.coverage, c.estimated_frac),
                    )
                ),
                int(c.level_code[i]),
                number(own.over_median_kwh_per_t) if own else None,
                number(own.over_median_kWh) if own else None,
                c.reasons[i],
            )
        )
    targets: list[tuple[Value, ...]] = [
        (
            s.target.id,
            s.target.title_en,
            s.target.source,
            s.target.comparison,
            None if s.target.value is None else float(s.target.value),
            s.target.unit,
            None if s.target.by is None else s.target.by.isoformat(),
            number(s.figure.value),
            None if s.met is None else int(s.met),
            number(s.distance),
            number(s.forecast),
            "yes" if s.target.verified else "no",
            s.figure.refused,
        )
        for s in standings
    ]
    return [
        Sheet(
            "lines",
            (
                "period",
                "line",
                "indicator",
                "value",
                "unit",
                "sd",
                "coverage",
                "level_code",
                "method",
                "refused",
            ),
            lines,
        ),
        Sheet(
            "cells",
            (
                *("period", "line", "cell", "dc_energy_kWh", "metal_t", "voltage_V", "current_efficiency"),
                *("current_efficiency_sd", "dc_kwh_per_t", "dc_sd", "ac_kwh_per_t", "ac_sd", "coverage"),
                *(
                    "estimated_frac",
                    "level_code",
                    "over_median_kwh_per_t",
                    "over_median_kWh",
                    "no_class_because",
                ),
            ),
            cells,
        ),
        Sheet(
            "targets",
            (
                *("id", "target", "source", "comparison", "asked", "unit", "by", "value", "met", "distance"),
                *("forecast", "verified", "refused"),
            ),
            targets,
        ),
    ]


def _write_csv(path: Path, sheet: Sheet) -> None:
    # With a byte-order mark, so that spreadsheets read it as UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(sheet.head)
        writer.writerows(["" if value is None else value for value in row] for row in sheet.rows)


def _write_workbook(path: Path, tables: Sequence[Sheet]) -> None:
    import xlsxwriter  # pyright: ignore[reportMissingImports]

    with xlsxwriter.Workbook(str(path), {"in_memory": True}) as book:
        bold = book.add_format({"bold": True})
        for sheet in tables:
            tab = book.add_worksheet(sheet.name)
            tab.write_row(0, 0, sheet.head, bold)
            for number, row in enumerate(sheet.rows, start=1):
                tab.write_row(number, 0, ["" if value is None else value for value in row])
            tab.freeze_panes(1, 0)
            tab.autofit()
