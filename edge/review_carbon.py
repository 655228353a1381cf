"""Section 6 of the energy review's page: anode effects, anode changes, carbon, and waste heat."""

import math
from html import escape

import numpy as np

from edge.outlook_texts import word
from edge.review_effects import Effects, LineEffects
from edge.review_events import Changes
from edge.review_html import both, figure_text, heading, table
from edge.review_rows import Review
from edge.review_targets import carbon
from edge.review_texts import VERDICTS, in_chinese
from edge.review_twin import TwinReview
from twin.cell_voltage import average_voltage
from twin.waste_heat import WAYS

_CARBON = {
    "anode_co2": ("阳极 CO2", "anode CO2"),
    "pfc_co2e": ("全氟化碳", "perfluorocarbons"),
    "direct_co2e": ("直接排放合计", "direct emissions"),
    "electricity_co2": ("外购电力（电网因子）", "electricity, grid factor"),
    "footprint_electricity": ("电力（生命周期因子）", "electricity, life cycle"),
    "footprint": ("产品碳足迹（轮廓）", "product footprint, outline"),
}
_METHODS = {
    "slope": ("斜率法", "slope"),
    "overvoltage": ("过电压法", "overvoltage"),
    "default": ("缺省值", "default"),
}


def carbon_section(
    review: Review, effects: Effects, changes: dict[str, Changes], twin: TwinReview
) -> list[str]:
    """Anode effects and their perfluorocarbons, anode changes, carbon by part, and heat by surface."""
    return [
        heading(6, "阳极效应、换极、碳与余热", "Anode effects, anode changes, carbon and heat"),
        *_effects(review, effects),
        *_changes(review, changes),
        *_verdicts(review, changes),
        *_carbon(review, effects),
        *_heat(review, twin),
    ]


def _effects(review: Review, effects: Effects) -> list[str]:
    head = [
        both("系列", "line"),
        both("效应报警", "effect alarms"),
        both("效应次数（电压）", "effects, by voltage"),
        both("系数 次/槽日", "per cell-day"),
        both("持续 min", "minutes each"),
        both("效应分钟 min/槽日", "minutes per cell-day"),
        both("效应过电压 mV", "overvoltage mV"),
    ]
    rows = [[escape(row.line), *_effect_cells(effects.lines[row.line])] for row in review.lines]
    parts = [table(head, rows)]
    profiles = list(dict.fromkeys(key for row in review.lines for key in effects.lines[row.line].pfc))
    head = [
        both("全氟化碳 t CO2e/t", "perfluorocarbons t CO2e/t"),
        both("方法", "method"),
        *(escape(row.line) for row in review.lines),
    ]
    rows = [
        [
            escape(name),
            both(*_METHODS[method]),
            *(figure_text(effects.lines[row.line].pfc[name, method], 4) for row in review.lines),
        ]
        for name, method in profiles
    ]
    parts.append(table(head, rows, numeric=2))
    parts += _average_voltage(review, effects)
    zh = "只计 8 V 以上、3 s 以上的阳极效应；低电压效应不在两种方法之内，可能占大部分。"
    en = (
        "Anode effects above 8 V for 3 s and more only; effects at low voltage are outside both methods and can be "
        "most of the emission."
    )
    return [*parts, f"<p class='note'>{both(zh, en)}</p>"]


def _average_voltage(review: Review, effects: Effects) -> list[str]:
    """Average voltage of each line's cells in parts: what no cell uses is bus bars (energy reference 2.5)."""
    rows: list[list[str]] = []
    for index, row in enumerate(review.lines):
        found, cells = effects.lines[row.line], review.cells
        mine = (review.files.book.line_index == index) & (cells.charge_kAh > 0.0)
        if not (found.overvoltage_mV.known and math.isfinite(row.now.busbar_V) and mine.any()):
            continue
        mean_V = float(cells.dc_energy_kWh[mine].sum() / cells.charge_kAh[mine].sum())
        working_V = mean_V - 1e-3 * found.overvoltage_mV.value
        minutes = found.min_per_cell_day.value
        over_V = 1.44 * found.overvoltage_mV.value / minutes if minutes > 0.0 else 0.0
        v = average_voltage(
            mean_V + row.now.busbar_V,
            1.0,
            working_V,
            found.per_cell_day.value,
            minutes,
            working_V + over_V,
            1.0,
        )
        volts = (v.working_V, v.effects_V, v.busbar_V, v.average_V)
        rows.append([escape(row.line), *(f"{volt:.4f}" for volt in volts)])
    head = [
        both("平均电压 V", "average voltage, V"),
        both("工作电压", "working"),
        both("阳极效应", "anode effects"),
        both("母线（表内）", "bus bars within the meter"),
        both("平均电压", "average"),
    ]
    return [table(head, rows)] if rows else []


def _effect_cells(found: LineEffects) -> list[str]:
    alarms = both("未检测", "not detected") if found.alarms is None else f"{found.alarms}"
    if not found.min_per_cell_day.known:
        return [alarms, figure_text(found.min_per_cell_day), "", "", "", ""]
    return [
        alarms,
        f"{found.found:.0f}",
        figure_text(found.per_cell_day, 3),
        f"{found.minutes_each.value:.2f}" if found.minutes_each.known else "&ndash;",
        figure_text(found.min_per_cell_day, 3),
        figure_text(found.overvoltage_mV, 2),
    ]


def _changes(review: Review, changes: dict[str, Changes]) -> list[str]:
    head = [
        both("系列", "line"),
        both("换极（可评价）", "anode changes (judged)"),
        both("换极后6h电压升高 mV 中位/P90", "voltage rise in 6 h, mV, median/P90"),
        both("24h 额外电量 kWh 中位/P90", "extra energy in 24 h, kWh, median/P90"),
        both("噪声比 中位/P90", "noise ratio, median/P90"),
        both("新极达 70 % 电流 h 中位/P90", "hours to 70 % of the current, median/P90"),
        both("按周期±2h 换极 %", "within 2 h of the anode's life, %"),
    ]
    rows: list[list[str]] = []
    for row in review.lines:
        c = changes[row.line]
        rise, extra = c.voltage_rise_V, c.extra_kWh
        rows.append(
            [
                escape(row.line),
                f"{c.logged} ({c.judged})",
                f"{1000 * rise[0]:.0f} / {1000 * rise[1]:.0f}" if c.judged else "&ndash;",
                f"{extra[0]:,.0f} / {extra[1]:,.0f}" if c.judged else "&ndash;",
                f"{c.noise_ratio[0]:.2f} / {c.noise_ratio[1]:.2f}" if c.noise_ratio[2] else "&ndash;",
                f"{c.hours_to_70_pct[0]:.1f} / {c.hours_to_70_pct[1]:.1f}"
                if c.hours_to_70_pct[2]
                else "&ndash;",
                f"{c.on_schedule_pct:.0f}" if math.isfinite(c.on_schedule_pct) else "&ndash;",
            ]
        )
    return [table(head, rows)]


def _verdicts(review: Review, changes: dict[str, Changes]) -> list[str]:
    """What became of the changes by the detectors; nothing where no current of an anode is known."""
    said = [name for name in VERDICTS if any(name in found.verdicts for found in changes.values())]
    if not said:
        return []
    head = [
        both("换极结果（按阳极电流）", "what became of the changes, by anode currents"),
        *(both(*VERDICTS[name]) for name in said),
        both("未登记", "not logged"),
    ]
    rows = [
        [escape(row.line), *(str(found.verdicts.get(name, 0)) for name in said), str(found.unlogged)]
        for row in review.lines
        for found in [changes[row.line]]
    ]
    return [table(head, rows)]


def _carbon(review: Review, effects: Effects) -> list[str]:
    head = [both("碳", "carbon"), "t CO2e/t", both("方法", "method")]
    rows = [
        [both(*_CARBON[key]), figure_text(figure, 3), f"<small>{escape(figure.method)}</small>"]
        for key, figure in carbon(review, effects).items()
    ]
    return [table(head, rows)]


def _heat(review: Review, twin: TwinReview) -> list[str]:
    """Heat of a line's cells by surface, means over the cells that the twin knows."""
    if twin.heat is None:
        why = _why_not(twin)
        return [
            f"<p class='refused'>{both('余热：不予给出：' + in_chinese(why), 'Waste heat refused: ' + why)}</p>"
        ]
    usable = review.accounts.usable_heat_C
    parts: list[str] = []
    line_of = review.files.book.line_index[twin.now.cells]
    for index, row in enumerate(review.lines):
        mine = (line_of == index) & np.isfinite(twin.heat.power_kW)
        if not mine.any():
            continue
        power_kW = float(twin.heat.power_kW[mine].mean())
        head = [
            both(
                f"{row.line} 余热（{int(mine.sum())} 台均值）",
                f"{row.line} waste heat, mean of {int(mine.sum())}",
            ),
            both("kW/槽", "kW a cell"),
            both("占电功率 %", "of the power, %"),
            both("温度 °C", "temperature °C"),
            both(f"{usable:g} °C 以上可回收（上限）kW", f"recoverable above {usable:g} °C, at most, kW"),
            both("可用能 kW", "exergy kW"),
        ]
        columns = [x[mine].mean(axis=0) for x in twin.heat[:4]]
        rows = [
            [
                both(*(word("off_gas" if way == "hood_gas" else way, language) for language in ("zh", "en"))),
                f"{columns[0][k]:,.0f}",
                f"{100 * columns[0][k] / power_kW:.1f}",
                _or_dash(columns[1][k]),
                _or_dash(columns[2][k]),
                _or_dash(columns[3][k]),
            ]
            for k, way in enumerate(WAYS)
        ]
        sums = [float(np.nansum(columns[k])) for k in (0, 2, 3)]
        rows.append(
            [
                both("合计", "total"),
                f"{sums[0]:,.0f}",
                f"{100 * sums[0] / power_kW:.1f}",
                "",
                f"{sums[1]:,.0f}",
                f"{sums[2]:,.0f}",
            ]
        )
        parts.append(table(head, rows))
    zh = (
        "期末孪生体热平衡，未经现场验证。顶部、钢棒、槽底的份额为文献先验；无温度的表面不计可回收。"
        "可回收：烟气降温至可用温度，槽壳向同温面板的辐射。不从电耗中扣除。"
    )
    en = (
        "The twin's heat balance at the end of the period, not validated at a plant. Shares of top, bars and bottom "
        "are priors of the literature; surfaces without a temperature count nothing as recoverable. Recoverable: gas "
        "cooled to the usable temperature, radiation of the shell to a panel of it. Never deducted from the energy."
    )
    return [*parts, f"<p class='note'>{both(zh, en)}</p>"]


def _why_not(twin: TwinReview) -> str:
    """The reason that most cells share."""
    reasons = list(twin.now.refused.values())
    return max(set(reasons), key=reasons.count) if reasons else "there is no cell"


def _or_dash(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "&ndash;"
