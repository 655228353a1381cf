"""The energy review as one HTML page in Chinese and English that opens offline."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from edge import review_svg as svg
from edge.review_advice import actions_section
from edge.review_carbon import carbon_section
from edge.review_effects import Effects
from edge.review_events import Changes
from edge.review_html import amber, both, figure_text, gap_text, heading, level_text, table
from edge.review_rows import LineRow, Review
from edge.review_sections import cells_section, lines_section, quality_section
from edge.review_targets import day_of
from edge.review_texts import BRIDGE, INDICATORS, in_chinese
from edge.review_twin import TwinReview
from twin.cell_voltage import efficiency_for, voltage_for
from twin.rulebook import load, unverified
from twin.targets import Standing
from twin.tariff import cost_cny

_STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei","WenQuanYi Micro Hei",sans-serif;color:#1c1c1c;
background:#f4f4f2;margin:1.5rem auto;max-width:82rem;padding:0 1rem}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2.2rem 0 .5rem;border-bottom:2px solid #999}
table{border-collapse:collapse;width:100%;background:#fff;margin:.4rem 0 1rem}
th,td{padding:.28rem .55rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.n span,th.n span{white-space:normal}td.n .amber{white-space:nowrap}
.over{color:#a3001b}.good{color:#00602b}.amber{background:#ffe7b3;padding:0 .3rem;border-radius:.2rem}
.note,.refused{color:#666}.refused{font-style:italic}small{color:#666}
td:first-child,td.id{white-space:nowrap}.wide{font-size:13px}.wide td,.wide th{padding:.22rem .35rem}
.targets td:first-child{white-space:normal}
svg{width:100%;background:#fff;margin:.3rem 0}
svg .axis{font-size:11px;fill:#444}svg .end{text-anchor:end}
svg .mid{text-anchor:middle}svg .grid{stroke:#e4e4e0}svg .error{stroke:#7a8ca3;stroke-width:1.6}
svg .dot{fill:#1f4e8c}svg .curve{fill:none;stroke:#1f4e8c;stroke-width:1.8}
svg .worse{fill:#b04a4a}svg .better{fill:#3f8a5d}
body:has(#en:checked) [lang=zh],body:has(#zh:checked) [lang=en]{display:none}
.switch{float:right}@media print{.switch{display:none}}
"""


def page(
    review: Review,
    standings: Sequence[Standing],
    effects: Effects,
    changes: dict[str, Changes],
    twin: TwinReview,
    language: str = "zh",
) -> str:
    """Write the review.

    Parameters
    ----------
    review
        All figures.
    standings
        Against the targets.
    effects, changes
        Anode effects and anode changes.
    twin
        The twin's part.
    language
        ``zh`` or ``en``, shown at first; the page switches without a script.
    """
    plant = review.files.plant
    zone = ZoneInfo(plant.time_zone)
    first, last = (
        datetime.fromtimestamp(us / 1e6, zone) for us in (review.span.start_us, review.span.end_us)
    )
    chosen = {"zh": "", "en": "", language: " checked"}
    title = f"{escape(plant.site)} &middot; {escape(review.span.name)}"
    parts = [
        f"<!doctype html><html lang='{language}'><meta charset='utf-8'>",
        f"<title>potline: {title}</title><style>{_STYLE}</style>",
        f"<div class='switch'><label><input type='radio' name='l' id='zh'{chosen['zh']}>中文</label> "
        f"<label><input type='radio' name='l' id='en'{chosen['en']}>English</label></div>",
        f"<h1>{both('能源评审', 'Energy review')} &middot; {title}</h1>",
        f"<p class='note'>{first:%Y-%m-%d %H:%M} &ndash; {last:%Y-%m-%d %H:%M} ({escape(plant.time_zone)})</p>",
        *_status(review),
        *_bridge(review),
        *_cusum(review),
        *lines_section(review, standings),
        *cells_section(review, effects, twin),
        *carbon_section(review, effects, changes, twin),
        *actions_section(review, twin),
        *quality_section(review),
        *_method(review),
        *_sign_off(),
        "</html>",
    ]
    return "\n".join(parts)


def _status(review: Review) -> list[str]:
    parts = [heading(1, "现状", "Status")]
    benchmark, baseline = review.limits.benchmark_kwh_per_t, review.limits.baseline_kwh_per_t
    for row in review.lines:
        figures = row.now.figures
        head = [
            f"{escape(row.line)}",
            both("数值 (±2σ)", "value (&plusmn;2 sd)").replace("&amp;", "&"),
            both(f"距标杆 {benchmark:g}", f"to benchmark {benchmark:g}"),
            both(f"距基准 {baseline:g}", f"to baseline {baseline:g}"),
            both("GB 21346 等级", "level of GB 21346"),
        ]
        rows: list[list[str]] = []
        for name, (zh, en, unit, graded, places) in INDICATORS.items():
            figure = figures[name]
            held = name in ("liquid_ac_gross", "liquid_ac_net")
            code = row.now.level_code if name == "liquid_ac_gross" else 0
            if graded and not held and figure.known and not figure.provisional:
                code = review.limits.level(figure.value, graded)
            rows.append(
                [
                    f"{both(zh, en)} <small>{unit}</small>",
                    figure_text(figure, places),
                    gap_text(figure, benchmark) if held else "",
                    gap_text(figure, baseline) if held else "",
                    level_text(code, review.limits.rows(graded)[0]) if graded and (code or held) else "",
                ]
            )
        parts.append(table(head, rows))
        parts.append(f"<p>{_price(review, row.line)}</p>")
        parts.append(_needed(review, row))
        levels: list[svg.Level] = []
        if figures["liquid_ac_net"].known and figures["liquid_dc"].known:
            # What AC levels mean in DC at the line's own rectifiers and busbars.
            share = figures["liquid_dc"].value / figures["liquid_ac_net"].value
            levels = [
                svg.Level(benchmark * share, f"{benchmark:g} AC", "#00602b"),
                svg.Level(baseline * share, f"{baseline:g} AC", "#a3001b"),
            ]
        names, values = zip(*review.series[row.line], strict=True) if review.series[row.line] else ((), ())
        parts.append(
            f"<p class='note'>{both('直流电耗，按当期电流效率', 'DC energy, at the period’s current efficiency')}</p>"
        )
        parts.append(svg.curve(names, values, "kWh/t DC", levels, f"DC kWh/t {row.line}"))
    return parts


def _price(review: Review, line: str) -> str:
    row = next(r for r in review.lines if r.line == line)
    basis = row.now.figures["liquid_comprehensive_tariff"]
    if row.price is None:
        why = basis.refused or "no tariff in force"
        return f"<span class='refused'>{both('阶梯电价：' + in_chinese(why), 'Stepped price: ' + why)}</span>"
    p = row.price
    cost = float(cost_cny(p.discounted_cny_per_kWh, basis.value * row.now.liquid_t))
    zh = (
        f"阶梯电价：门槛 {p.threshold_kwh_per_t} kWh/t，第 {p.steps} 档，"
        f"加价 {p.discounted_cny_per_kWh} 元/kWh，本期 {cost:,.0f} 元；"
        f"降一档还需 {float(p.to_next_step_kwh_per_t):,.1f} kWh/t，距升档 {float(p.to_more_kwh_per_t):,.1f} kWh/t"
    )
    en = (
        f"Stepped price: threshold {p.threshold_kwh_per_t} kWh/t, step {p.steps}, surcharge "
        f"{p.discounted_cny_per_kWh} CNY/kWh, {cost:,.0f} CNY in this period; "
        f"{float(p.to_next_step_kwh_per_t):,.1f} kWh/t to one step less, "
        f"{float(p.to_more_kwh_per_t):,.1f} kWh/t until it costs more"
    )
    if row.year_end_price is not None:
        end, value = row.year_end_price, row.year_end["liquid_comprehensive_tariff"]
        zh += f"；年末预测 {value:,.0f} kWh/t，第 {end.steps} 档，{end.discounted_cny_per_kWh} 元/kWh"
        en += f"; year end by forecast {value:,.0f} kWh/t, step {end.steps}, {end.discounted_cny_per_kWh} CNY/kWh"
    return both(zh, en) + amber(unverified(p.rows))


def _needed(review: Review, row: LineRow) -> str:
    """What voltage or what current efficiency would meet the benchmark, the other staying as it is."""
    figures = row.now.figures
    dc, net, efficiency = (figures[k] for k in ("liquid_dc", "liquid_ac_net", "current_efficiency"))
    if not (dc.known and net.known and efficiency.known):
        return ""
    # Rectifiers and busbars stay as they are: the level in DC.
    level = review.limits.benchmark_kwh_per_t * dc.value / net.value
    volt = voltage_for(level, efficiency.value)
    now_V = voltage_for(dc.value, efficiency.value)
    share = efficiency_for(level, now_V)
    zh = (
        f"达标杆需槽均电压 {volt:.3f} V（现 {now_V:.3f} V），"
        f"或电流效率 {100 * share:.2f} %（现 {100 * efficiency.value:.2f} %）"
    )
    en = (
        f"The benchmark needs a mean voltage of {volt:.3f} V (now {now_V:.3f} V), or a current efficiency of "
        f"{100 * share:.2f} % (now {100 * efficiency.value:.2f} %)"
    )
    return f"<p>{both(zh, en)}</p>"


def _bridge(review: Review) -> list[str]:
    parts = [heading(2, "变化原因（LMDI 精确分解）", "Why it changed (exact LMDI)")]
    for row in review.lines:
        if not row.bridge:
            parts.append(
                f"<p class='refused'>{escape(row.line)}: {both(in_chinese(row.bridge_refused), row.bridge_refused)}</p>"
            )
            continue
        metal_t = row.now.liquid_t
        price = review.accounts.price_cny_per_kWh
        rows = [
            [
                both(*BRIDGE[name]),
                f"{value:+,.1f}",
                f"{value * metal_t / 1000.0:+,.1f}",
                f"{value * metal_t * price:+,.0f}" if price is not None else "&ndash;",
            ]
            for name, value in (*row.bridge.items(), ("total", sum(row.bridge.values())))
        ]
        head = [escape(row.line), "kWh/t AC", "MWh", both("元", "CNY")]
        parts.append(table(head, rows))
        parts.append(
            svg.bridge(
                [" ".join(BRIDGE[k]) for k in row.bridge], list(row.bridge.values()), "kWh/t AC", "LMDI"
            )
        )
    return parts


def _cusum(review: Review) -> list[str]:
    parts = [heading(3, "累计节能 CUSUM（ISO 50006）", "Cumulative savings (ISO 50006)")]
    found = review.cusum
    if found.refused or found.baseline is None or found.result is None:
        return [*parts, f"<p class='refused'>{both(in_chinese(found.refused), found.refused)}</p>"]
    names, values = zip(*found.months, strict=True)
    b, r = found.baseline, found.result
    sure = 100.0 * abs(r.uncertainty_frac)
    zh = f"基准 R² {b.r2:.4f}，CV {100 * b.cv:.2f} %；累计节能 {values[-1]:,.0f} MWh（90 % 区间 ±{sure:.0f} %）"
    en = f"baseline R2 {b.r2:.4f}, CV {100 * b.cv:.2f} %; saved {values[-1]:,.0f} MWh, 90 % interval +-{sure:.0f} %"
    if not r.may_be_claimed:
        zh, en = (
            zh + "；不确定度超过 50 %，不得声明",
            en + "; not to be claimed, the uncertainty exceeds 50 %",
        )
    parts.append(svg.curve(names, values, "MWh", [svg.Level(0.0, "0", "#666")], "CUSUM"))
    return [*parts, f"<p class='note'>{both(zh, en)}</p>"]


def _method(review: Review) -> list[str]:
    lines = [
        (
            "电耗为能量之和除以产量之和，不取整比较；±为两倍标准差。",
            "Intensities are sums over sums, compared unrounded; +- is two standard deviations.",
        ),
        (
            "产量：出铝量与在产铝量（铝水平）经广义最小二乘拟合电流效率；不足14天不给出。",
            "Metal: taps and metal levels, current efficiency by generalised least squares; not given below 14 days.",
        ),
        (
            f"净值口径 {review.accounts.profile}：GB 21346-2022 第6章原文未取得，为假定。",
            f"Net figures by profile {review.accounts.profile}: assumed, clause 6 of GB 21346-2022 was not available.",
        ),
        (
            "单槽交流电耗按直流电量分摊系列电量，含整流与母线损失。",
            "AC energy of a cell: the line's, shared by DC energy; rectifier and busbar losses included.",
        ),
        (
            f"全氟化碳计入直接排放的口径：{review.accounts.pfc_profiles[0]}；无效应分钟数时用其缺省值。",
            f"Perfluorocarbons in direct emissions by {review.accounts.pfc_profiles[0]}, by its default where "
            "anode-effect minutes are not known.",
        ),
    ]
    rows: list[list[str]] = []
    day = day_of(review)
    held = [
        *(row for key in ("liquid_ac", "liquid_comprehensive") for row in review.limits.rows(key)),
        review.limits.benchmark,
        review.limits.baseline,
    ]
    held += [row for row in load("tariff_steps").rows if row.holds(day)]
    for row in held:
        rows.append(
            [
                escape(row.rule_id),
                f"{escape(row.key)}{amber(unverified([row]))}",
                f"<small>{escape(row.source)}; {escape(row.confidence)}</small>",
                f"{row.value} {escape(row.unit)}",
                f"{row.in_force}",
            ]
        )
    head = [
        both("规则", "rule"),
        both("项", "key"),
        both("来源", "source"),
        both("值", "value"),
        both("生效", "in force"),
    ]
    return [
        heading(9, "方法", "Method"),
        "<ul>",
        *(f"<li>{both(zh, en)}</li>" for zh, en in lines),
        "</ul>",
        table(head, rows, numeric=3),
    ]


def _sign_off() -> list[str]:
    row = ["&nbsp;", "", "", ""]
    head = [both("编制", "prepared"), both("审核", "checked"), both("批准", "approved"), both("日期", "date")]
    return [heading(10, "签字", "Sign-off"), table(head, [row], numeric=4)]
