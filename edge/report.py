"""The report of a replayed history: one HTML file in Chinese and English that opens offline."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from edge.alarm_rules import Texts
from edge.alarms import AlarmEvent
from edge.points import Point
from streams.plant_file import Plant
from twin.limits import Limits, load_limits

_STYLE = """
body{font:15px/1.45 system-ui,"Noto Sans CJK SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif;color:#222;
background:#f4f4f2;margin:2rem auto;max-width:76rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;background:#fff}
th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td.n,th.n{text-align:right}td.n,.id{font-variant-numeric:tabular-nums;white-space:nowrap}
.over{color:#b00020}.note{color:#666}small{color:#666;font-weight:normal;display:block}
"""


def render(
    plant: Plant,
    summary: Mapping[str, object],
    raised: Sequence[AlarmEvent],
    energy: Sequence[Point],
    not_assessed: Mapping[str, str],
    texts: Texts,
) -> str:
    """Write the report.

    Parameters
    ----------
    plant
        The site; times are shown in its time zone.
    summary
        What ``potline replay`` printed.
    raised
        Every alarm that was raised.
    energy
        Points of ``cell_energy`` and ``line_energy``.
    not_assessed
        Reason by cell id.
    texts
        Alarm titles and actions.
    """
    parts = [
        "<!doctype html><html lang='zh'><meta charset='utf-8'>",
        f"<title>potline: {escape(plant.site)}</title><style>{_STYLE}</style>",
        f"<h1>potline &middot; {escape(plant.site)}</h1>",
        _alarm_table(raised, texts, ZoneInfo(plant.time_zone), plant.time_zone),
        _energy_table(energy, load_limits()),
    ]
    if not_assessed:
        parts += ["<h2>未评估 / Not assessed</h2>", _pairs(sorted(not_assessed.items()), "")]
    figures = [(name, value) for name, value in summary.items() if not isinstance(value, dict)]
    parts += ["<h2>汇总 / Summary</h2>", _pairs(figures, "n"), "</html>"]
    return "\n".join(parts)


def _pairs(rows: Sequence[tuple[str, object]], kind: str) -> str:
    cells = (f"<tr><th>{escape(k)}</th><td class='{kind}'>{escape(str(v))}</td></tr>" for k, v in rows)
    return "\n".join(["<table>", *cells, "</table>"])


def _energy_table(energy: Sequence[Point], limits: Limits) -> str:
    """Energy by cell over everything replayed: the hours, summed."""
    sums: dict[str, list[float]] = {}
    for point in energy:
        if point.tags.get("window") != "hour" or point.measurement != "cell_energy":
            continue
        values = [
            float(point.fields.get(name, float("nan")))
            for name in ("dc_energy_kwh", "ac_energy_kwh", "metal_kg")
        ]
        if all(value == value for value in values):
            row = sums.setdefault(point.tags["cell"], [0.0, 0.0, 0.0])
            for index, value in enumerate(values):
                row[index] += value
    if len(sums) > 1:
        sums["全部 all"] = [sum(row[index] for row in sums.values()) for index in range(3)]
    benchmark, baseline = limits.benchmark_kwh_per_t, limits.baseline_kwh_per_t
    rows = [
        "<h2>电耗 / Energy intensity</h2><table><tr><th>槽 cell</th><th class='n'>直流 DC kWh</th>"
        "<th class='n'>铝（估算） metal, estimated kg</th><th class='n'>直流电耗 DC kWh/t</th>"
        f"<th class='n'>铝液交流电耗 AC kWh/t</th><th class='n'>距标杆 to benchmark {benchmark:g}</th>"
        f"<th class='n'>距基准 to baseline {baseline:g}</th></tr>"
    ]
    for cell, (dc, ac, metal) in sums.items():
        if metal > 0.0:
            per_t = 1000.0 * ac / metal
            rows.append(
                f"<tr><th class='id'>{escape(cell)}</th><td class='n'>{dc:,.0f}</td><td class='n'>{metal:,.0f}</td>"
                f"<td class='n'>{1000.0 * dc / metal:,.0f}</td><td class='n'>{per_t:,.0f}</td>"
                f"{_gap(per_t - benchmark)}{_gap(per_t - baseline)}</tr>"
            )
    note = (
        "<p class='note'>电耗为能量之和除以产量之和；产量按电流与设定电流效率估算，不得用于合规。"
        "单槽数值仅供参考，标准只考核系列。<br>Sums of energy over sums of metal. Metal is estimated from current and "
        "the configured current efficiency and is not for compliance. Figures of one cell are indicative: the "
        "regulation knows only lines.</p>"
    )
    return "\n".join([*rows, "</table>", note])


def _gap(value: float) -> str:
    return f"<td class='n{' over' if value > 0 else ''}'>{value:+,.0f}</td>"


def _alarm_table(raised: Sequence[AlarmEvent], texts: Texts, zone: ZoneInfo, zone_name: str) -> str:
    rows = [
        f"<h2>报警 / Alarms</h2><table><tr><th>时间 time<small>{escape(zone_name)}</small></th><th>槽 cell</th>"
        "<th>报警 alarm</th><th class='n'>优先级 priority</th><th>处理 action</th></tr>"
    ]
    for event in raised:
        rule = texts.kind[event.kind]
        where = (event.cell or event.line, event.anode, event.side)
        local = datetime.fromisoformat(event.time).astimezone(zone)
        rows.append(
            f"<tr><td class='n'>{local:%Y-%m-%d %H:%M}</td><td class='id'>{escape(where[0])}</td>"
            f"<td>{escape(rule.title('zh', *where))}<small>{escape(rule.title('en', *where))}</small></td>"
            f"<td class='n'>{event.priority}</td>"
            f"<td>{escape(rule.action('zh', *where))}<small>{escape(rule.action('en', *where))}</small></td></tr>"
        )
    if not raised:
        rows.append("<tr><td colspan='5'>无 / none</td></tr>")
    return "\n".join([*rows, "</table>"])
