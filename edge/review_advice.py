"""Section 7 of the energy review's page: actions of the plant, advice of the twin, and leads from the dearest cells."""

import math
from collections import Counter
from html import escape
from typing import NamedTuple

import numpy as np

from edge.outlook import change_text
from edge.review_html import both, heading, table
from edge.review_rows import Review
from edge.review_texts import in_chinese
from edge.review_twin import TwinReview
from twin.advice import CANDIDATES, Option

_LEADS = 10


class AdviceRow(NamedTuple):
    """One piece of advice as it is shown.

    Attributes
    ----------
    cell
        Position.
    what_zh, what_en
        The change.
    saved_kwh_per_t, saved_sd, by_voltage
        DC energy saved [kWh/t], one standard deviation, and the voltage's own part; NaN where that means nothing.
    saved_cny
        In a period like this one; NaN without a price.
    option
        What it would leave; None for anode practice, which is counted, not simulated.
    """

    cell: int
    what_zh: str
    what_en: str
    saved_kwh_per_t: float
    saved_sd: float
    by_voltage: float
    saved_cny: float
    option: Option | None


def advice_rows(review: Review, twin: TwinReview) -> list[AdviceRow]:
    """All advice, the cells that save most first."""
    found: list[AdviceRow] = []
    for cell in sorted(twin.advice.keys() | twin.practice.keys()):
        advice = twin.advice.get(cell)
        for option in advice.options if advice else ():
            what = (change_text(option.change, "zh"), change_text(option.change, "en"))
            saved, sd = option.saved_kwh_per_t, option.saved_sd
            money = _money(review, cell, saved)
            found.append(AdviceRow(cell, *what, saved, sd, option.by_voltage_kwh_per_t, money, option))
        practice = twin.practice.get(cell)
        if practice is not None:
            what = (
                f"换极操作：{practice.changes} 次换极额外电量降至系列中位",
                f"anode practice: its {practice.changes} changes as the line's median",
            )
            saved, sd = practice.saved_kwh_per_t, practice.saved_sd
            found.append(AdviceRow(cell, *what, saved, sd, math.nan, _money(review, cell, saved), None))
    best = {row.cell: max(r.saved_kwh_per_t for r in found if r.cell == row.cell) for row in found}
    return sorted(found, key=lambda r: (-best[r.cell], r.cell, -r.saved_kwh_per_t))


def _money(review: Review, cell: int, saved_kwh_per_t: float) -> float:
    """What a saving is worth over the period [CNY]; NaN without a price, or without metal or rectifiers known."""
    price = review.accounts.price_cny_per_kWh
    row = review.lines[int(review.files.book.line_index[cell])]
    eta = row.now.figures["rectifier_efficiency"].value
    return math.nan if price is None else saved_kwh_per_t * float(review.cells.metal_t[cell]) / eta * price


def actions_section(review: Review, twin: TwinReview) -> list[str]:
    """What the plant entered, what the twin advises, and leads from the dearest cells."""
    return [
        heading(7, "措施与建议", "Actions and advice"),
        *_actions(review),
        *_advice(review, twin),
        *_leads(review),
    ]


def _actions(review: Review) -> list[str]:
    head = [
        both("措施", "action"),
        both("负责人", "owner"),
        both("期限", "due"),
        both("预期 kWh/t", "expected kWh/t"),
        both("核实 kWh/t", "verified kWh/t"),
    ]
    rows = [
        [
            escape(a.what),
            escape(a.owner),
            escape(a.due),
            _or_dash(a.expected_kwh_per_t),
            _or_dash(a.verified_kwh_per_t),
        ]
        for a in review.accounts.action
    ]
    if not rows:
        return [
            f"<p class='refused'>{both('accounts.toml 中未登记措施', 'no action is entered in accounts.toml')}</p>"
        ]
    return [table(head, rows, numeric=3)]


def _advice(review: Review, twin: TwinReview) -> list[str]:
    head = [
        both("槽", "cell"),
        both("建议（由人决定）", "advice, for a person to decide"),
        both("省 kWh/t 直流 ±2σ", "saves kWh/t DC ±2 sd"),
        both("其中电压", "by voltage"),
        both("元/本期", "CNY a period"),
        both("过热度 °C ±2σ", "superheat K ±2 sd"),
        both("炉帮 mm ±2σ", "ledge mm ±2 sd"),
        both("槽温 °C", "bath °C"),
    ]
    rows: list[list[str]] = []
    for row in advice_rows(review, twin):
        o = row.option
        left = (
            ["&ndash;"] * 3
            if o is None
            else [
                f"{o.superheat_C:.1f} <small>&plusmn;{2 * o.superheat_sd_C:.1f}</small>",
                f"{o.ledge_mm:.0f} <small>&plusmn;{2 * o.ledge_sd_mm:.0f}</small>",
                f"{o.bath_temp_C:.0f}",
            ]
        )
        rows.append(
            [
                escape(review.files.plant.cells[row.cell].id),
                both(row.what_zh, row.what_en),
                f"{row.saved_kwh_per_t:,.0f} <small>&plusmn;{2 * row.saved_sd:,.0f}</small>",
                f"{row.by_voltage:,.0f}" if math.isfinite(row.by_voltage) else "&ndash;",
                f"{row.saved_cny:,.0f}" if math.isfinite(row.saved_cny) else "&ndash;",
                *left,
            ]
        )
    parts = [table(head, rows, numeric=2, kind="wide")] if rows else []
    for (zh, en), ids in _refusals(review, twin).items():
        shown = ", ".join(ids[:8]) + (f" +{len(ids) - 8}" if len(ids) > 8 else "")
        parts.append(f"<p class='refused'>{escape(shown)}: {both(zh, en)}</p>")
    zh = (
        "建议为孪生体新稳态下的预期，只供人决定，系统不下指令。过热度须留在 6–13 °C、炉帮在工艺值的 0.6–1.5 倍，"
        "否则不建议。误差来自估计和系数，不含模型结构；对照模拟系列，孪生体的电流效率变化约为实际的两倍，"
        "“其中电压”一栏较可靠。换极操作一项由实测电量统计得出。"
    )
    en = (
        "What the twin expects at rest; for a person to decide, nothing is sent to a cell. Superheat must stay within "
        "6 to 13 K and ledge within 0.6 to 1.5 of the technology's, else it is not advised. The band is that of "
        "estimate and coefficients, not of the model's form: held against the simulated line, the twin moves current "
        "efficiency about twice as far as it moves; the part by voltage is the surer one. Anode practice is counted "
        "from measured energy."
    )
    return [*parts, f"<p class='note'>{both(zh, en)}</p>"]


def _refusals(review: Review, twin: TwinReview) -> dict[tuple[str, str], list[str]]:
    """Cells without advice by reason in Chinese and English."""
    found: dict[tuple[str, str], list[str]] = {}
    for cell, why in twin.now.refused.items():
        found.setdefault((in_chinese(why), why), []).append(review.files.plant.cells[cell].id)
    for cell, advice in twin.advice.items():
        if not advice.options:
            counted = Counter(advice.refused).most_common()
            zh = f"{len(CANDIDATES)} 项改变均不建议：" + "；".join(
                f"{in_chinese(why)}（{n}）" for why, n in counted
            )
            en = f"none of {len(CANDIDATES)} changes: " + "; ".join(f"{why} ({n})" for why, n in counted)
            found.setdefault((zh, en), []).append(review.files.plant.cells[cell].id)
    left = len(twin.now.cells) - len(twin.advice)
    if left > 0:
        key = (
            f"另有 {left} 台较省的槽未计算，--advise 可增加",
            f"{left} cheaper cells were not asked; --advise asks more",
        )
        found[key] = ["…"]
    return found


def _leads(review: Review) -> list[str]:
    rows: list[list[str]] = []
    for r in review.rows[:_LEADS]:
        if not r.over_median_kWh > 0.0:
            break
        by_V = r.by_voltage >= r.by_efficiency
        line_of = review.files.book.line_index
        mine = (line_of == line_of[r.cell]) & np.isfinite(review.cells.dc_kwh_per_t)
        middle_V = float(np.nanmedian(review.cells.voltage_V[mine]))
        volt_mV = 1000.0 * (float(review.cells.voltage_V[r.cell]) - middle_V)
        zh = (
            f"电压比中位槽高 {volt_mV:.0f} mV，检查极距与各段压降"
            if by_V
            else "电流效率低于中位槽，检查铝液波动、过热度与阳极"
        )
        en = (
            f"voltage {volt_mV:.0f} mV over the median cell: look at distance and drops"
            if by_V
            else "current efficiency below the median cell: look at metal waves, superheat, anodes"
        )
        cell = escape(review.files.plant.cells[r.cell].id)
        rows.append([cell, both(zh, en), f"{max(r.by_voltage, r.by_efficiency):,.0f}"])
    if not rows:
        return []
    head = [both("槽", "cell"), both("线索（由人决定）", "lead, for a person to decide"), "kWh/t DC"]
    return [table(head, rows, numeric=2)]


def _or_dash(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:,.1f}"
