"""Sections 4, 5 and 8 of the energy review's page: lines and targets, cells, data quality."""

import math
from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

import numpy as np

from edge import review_svg as svg
from edge.review_effects import Effects
from edge.review_html import amber, both, figure_text, heading, level_text, table
from edge.review_rows import Review, year_level
from edge.review_texts import PARTS_TEXTS, in_chinese
from edge.review_twin import TwinReview
from twin.cell_voltage import PARTS
from twin.targets import Standing, contradictions

_WORST = 10
_SIGNS = {"le": "&le;", "lt": "&lt;", "ge": "&ge;", "gt": "&gt;", "eq": "=", "about": "&asymp;"}


def lines_section(review: Review, standings: Sequence[Standing]) -> list[str]:
    """Lines with capacity shares, and every target with its document; contradictions stand side by side."""
    parts = [heading(4, "系列、产能占比与目标", "Lines, capacity shares and targets")]
    head = [
        both("系列", "line"),
        both("槽数", "cells"),
        both("产能 t/a", "capacity t/year"),
        both("铝液 t", "liquid metal t"),
        both("铝液交流电耗（本期）", "liquid AC, period"),
        both("滚动12月", "rolling 12 months"),
        both("等级", "level"),
    ]
    rows = [
        [
            escape(row.line),
            f"{row.n_cells}",
            f"{row.capacity_t:,.0f}"
            + ("" if row.capacity_entered else f" <small>{both('估算', 'estimated')}</small>"),
            f"{row.now.liquid_t:,.1f}",
            figure_text(row.now.figures["liquid_ac_gross"]),
            figure_text(row.rolling.figures["liquid_ac_gross"]) if row.rolling else "&ndash;",
            level_text(year_level(row, review.limits)),
        ]
        for row in review.lines
    ]
    parts.append(table(head, rows))
    s = review.shares
    if s.not_assessed:
        zh = f"产能占比：{', '.join(s.not_assessed)} 未评估（不足6个生产月或无等级），共 {s.not_assessed_t:,.0f} t/a"
        en = (
            f"Capacity shares: {', '.join(s.not_assessed)} not assessed (under six months, or no class), "
            f"{s.not_assessed_t:,.0f} t/year"
        )
    else:
        zh = f"产能占比：标杆以上 {s.benchmark:.1f} %，基准以下 {s.below_baseline:.1f} %"
        en = f"Capacity shares: at the benchmark {s.benchmark:.1f} %, below the baseline {s.below_baseline:.1f} %"
    parts.append(f"<p>{both(zh, en)}</p>")
    head = [
        both("目标", "target"),
        both("文件", "document"),
        both("要求", "asked"),
        both("现值", "value"),
        both("差距", "distance"),
        both("年末预测", "year end"),
    ]
    parts.append(table(head, [_standing(x) for x in standings], numeric=2, kind="targets"))
    groups = contradictions([x.target for x in standings])
    for group in groups:
        listed = "; ".join(
            f"{escape(t.id)} {_SIGNS[t.comparison]} {t.value} {escape(t.unit)} ({t.by or '-'})" for t in group
        )
        parts.append(
            f"<p class='note'>{both('文件之间不一致，并列：', 'Documents differ, side by side: ')}{listed}</p>"
        )
    return parts


def _standing(x: Standing) -> list[str]:
    t = x.target
    asked = "&ndash;" if t.value is None else f"{_SIGNS[t.comparison]} {t.value} {escape(t.unit)}"
    mark = "" if t.verified else amber([f"{t.document}: {t.confidence}"])
    by = f" <small>{t.by}</small>" if t.by else ""
    met = (
        ""
        if x.met is None
        else (" <span class='good'>&#10003;</span>" if x.met else " <span class='over'>&#10007;</span>")
    )
    return [
        f"{escape(t.id)} {both(t.title_zh, t.title_en)}",
        f"<small>{escape(t.source)}</small>",
        asked + by + mark,
        figure_text(x.figure, 1) + (f" <small>{escape(t.unit)}</small>" if x.figure.known else "") + met,
        f"{x.distance:,.1f}" if math.isfinite(x.distance) else "&ndash;",
        f"{x.forecast:,.1f}" if math.isfinite(x.forecast) else "&ndash;",
    ]


def cells_section(review: Review, effects: Effects, twin: TwinReview) -> list[str]:
    """All cells as points with error bars; the dearest and the best against the median cell, and why."""
    parts = [heading(5, "单槽", "Cells")]
    c, plant = review.cells, review.files.plant
    benchmark, baseline = review.limits.benchmark_kwh_per_t, review.limits.baseline_kwh_per_t
    order = np.argsort(np.where(np.isfinite(c.ac_kwh_per_t), c.ac_kwh_per_t, np.inf), kind="stable")
    levels = [
        svg.Level(benchmark, f"{benchmark:g}", "#00602b"),
        svg.Level(baseline, f"{baseline:g}", "#a3001b"),
    ]
    parts.append(
        svg.bars(
            [plant.cells[i].id for i in order],
            c.ac_kwh_per_t[order].tolist(),
            c.ac_sd[order].tolist(),
            "kWh/t AC",
            levels,
            "AC kWh/t by cell",
        )
    )
    head = [
        both("槽", "cell"),
        both("原因", "cause"),
        both("直流电耗", "DC kWh/t"),
        both("交流电耗（分摊）", "AC kWh/t, allocated"),
        both("电压 V", "voltage V"),
        both("电流效率", "current efficiency"),
        both("高于中位", "over median"),
        both("其中电压", "by voltage"),
        both("其中效率", "by efficiency"),
        both("多耗 kWh", "extra kWh"),
        both("元", "CNY"),
        both("效应", "effects"),
        both("等级", "level"),
    ]
    shown = review.rows if len(review.rows) <= 2 * _WORST else [*review.rows[:_WORST], *review.rows[-_WORST:]]
    rows: list[list[str]] = []
    for r in shown:
        i = r.cell
        cause = (
            ("电压", "voltage")
            if abs(r.by_voltage) >= abs(r.by_efficiency)
            else ("电流效率", "current efficiency")
        )
        rows.append(
            [
                escape(plant.cells[i].id),
                both(*cause),
                f"{c.dc_kwh_per_t[i]:,.0f} <small>&plusmn;{2 * c.dc_sd[i]:,.0f}</small>",
                f"{c.ac_kwh_per_t[i]:,.0f}" if math.isfinite(c.ac_kwh_per_t[i]) else "&ndash;",
                f"{c.voltage_V[i]:.3f}",
                f"{100 * c.current_efficiency[i]:.2f} %",
                _signed(r.over_median_kwh_per_t),
                _signed(r.by_voltage),
                _signed(r.by_efficiency),
                _signed(r.over_median_kWh),
                _signed(r.over_median_cny) if math.isfinite(r.over_median_cny) else "&ndash;",
                f"{effects.count_by_cell[i]:.0f}" if math.isfinite(effects.count_by_cell[i]) else "&ndash;",
                level_text(int(c.level_code[i])),
            ]
        )
    parts.append(table(head, rows, numeric=2, kind="wide"))
    zh = "单槽等级仅供参考，标准只考核系列与年度；缺测时间按 6 V 计入等级判定。"
    en = (
        "A cell's class is indicative: the regulation knows lines and years only. Time not measured is charged "
        "with 6 V when the class is decided."
    )
    parts.append(f"<p class='note'>{both(zh, en)}</p>")
    return [*parts, *_voltages(review, twin, [r.cell for r in shown])]


def _signed(value: float) -> str:
    """A whole number with its sign, rounded before it is printed, so that nothing is "-0"."""
    return f"{round(value):+,d}"


def _voltages(review: Review, twin: TwinReview, cells: Sequence[int]) -> list[str]:
    """Voltage of cells by part, and what each part makes of the distance from the median cell."""
    known = [i for i in cells if math.isfinite(twin.parts_V[i, 0])]
    if not known:
        why = "the twin recorded no state of these cells in this period"
        text = both("电压分解：不予给出：" + in_chinese(why), "Voltage by part refused: " + why)
        return [f"<p class='refused'>{text}</p>"]
    head = [both("电压分解 mV", "voltage by part, mV"), *(both(*PARTS_TEXTS[name]) for name in PARTS)]
    rows: list[list[str]] = []
    for i in known:
        over = twin.over_kwh_per_t[i]
        rows.append(
            [
                escape(review.files.plant.cells[i].id),
                *(
                    f"{1000 * volt:,.0f}" + (f" <small>{_signed(by)}</small>" if math.isfinite(by) else "")
                    for volt, by in zip(twin.parts_V[i].tolist(), over.tolist(), strict=True)
                ),
            ]
        )
    zh = (
        "小字：相对系列中位槽的直流电耗 kWh/t（LMDI）。按孪生体期内平均状态的 Haupin 电压链；"
        "极距与导体压降仅凭电压不可区分。"
    )
    en = (
        "Small: kWh/t DC over the line's median cell (LMDI). Haupin's chain at the twin's mean state of the period; "
        "distance and conductors cannot be told apart by voltage."
    )
    return [table(head, rows, kind="wide"), f"<p class='note'>{both(zh, en)}</p>"]


def quality_section(review: Review) -> list[str]:
    """Registers with their residual, cells without a class, corrections by version."""
    parts = [heading(8, "数据质量", "Data quality")]
    head = [
        both("表计", "register"),
        "kWh",
        both("覆盖 %", "covered %"),
        both("估算 kWh", "estimated kWh"),
        both("清零", "resets"),
        both("最长间隔 h", "longest gap h"),
    ]
    rows: list[list[str]] = []
    for row in review.lines:
        for name, r in row.registers.items():
            covered = 100.0 * r.known_s / review.span.length_s
            rows.append(
                [
                    f"{escape(row.line)} {name}",
                    f"{r.energy_kWh:,.0f}",
                    f"{covered:.1f}",
                    f"{r.estimated_kWh:,.0f}",
                    f"{r.resets}",
                    f"{r.longest_gap_s / 3600.0:.2f}",
                ]
            )
        if row.now.metered_s < review.span.length_s:
            pct = 100.0 * row.now.metered_s / review.span.length_s
            rows.append(
                [
                    f"{escape(row.line)} {both('表计共同时段', 'hours that count')}",
                    "",
                    f"{pct:.1f}",
                    "",
                    "",
                    "",
                ]
            )
        residual = 100.0 * row.now.busbar_kWh / row.now.energy.line_dc_kWh
        rows.append(
            [
                f"{escape(row.line)} {both('电表减各槽之和', 'line meter less cells')}",
                f"{row.now.busbar_kWh:,.0f}",
                f"{residual:.2f} %",
                "",
                "",
                "",
            ]
        )
    parts.append(table(head, rows))
    c = review.cells
    bad = [
        (review.files.plant.cells[i].id, c.coverage[i], c.estimated_frac[i], reason)
        for i, reason in enumerate(c.reasons)
        if reason
    ]
    if bad:
        head = [
            both("无等级的槽", "cells without a class"),
            both("原因", "reason"),
            both("覆盖 %", "covered %"),
            both("估算 %", "estimated %"),
        ]
        parts.append(
            table(
                head,
                [
                    [escape(n), both(in_chinese(why), why), f"{100 * cov:.1f}", f"{100 * est:.1f}"]
                    for n, cov, est, why in bad[:60]
                ],
                numeric=2,
            )
        )
        if len(bad) > 60:
            parts.append(
                f"<p class='note'>{both(f'另有 {len(bad) - 60} 台', f'and {len(bad) - 60} more')}</p>"
            )
    corrections = review.files.book.corrections
    zone = ZoneInfo(review.files.plant.time_zone)
    rows = [
        [
            escape(review.files.plant.cells[x.cell].id),
            f"{escape(x.reason)} ({escape(x.author)})",
            f"{datetime.fromtimestamp(x.hour_us / 1e6, zone):%Y-%m-%d %H:%M}",
            f"{x.version}",
            f"{x.dc_energy_kWh:,.1f}",
        ]
        for x in corrections
    ]
    if rows:
        parts.append(
            table(
                [
                    both("更正", "correction"),
                    both("理由", "reason"),
                    both("小时", "hour"),
                    both("版本", "version"),
                    "kWh",
                ],
                rows,
                numeric=2,
            )
        )
    else:
        parts.append(f"<p class='note'>{both('无更正', 'no corrections')}</p>")
    return parts
