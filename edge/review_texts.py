"""Words of the energy review in Chinese and English, and its reasons in Chinese."""

import re

#: Indicators in the order of the page: Chinese, English, unit, indicator of the standard's levels, digits.
INDICATORS: dict[str, tuple[str, str, str, str, int]] = {
    "liquid_dc": ("原铝液直流电耗", "DC electricity of liquid aluminium", "kWh/t", "", 0),
    "liquid_ac_gross": (
        "铝液交流电耗（毛）",
        "AC electricity of liquid aluminium, gross",
        "kWh/t",
        "liquid_ac",
        0,
    ),
    "liquid_ac_net": ("铝液交流电耗（净）", "AC electricity of liquid aluminium, net", "kWh/t", "", 0),
    "liquid_comprehensive": (
        "铝液综合交流电耗",
        "comprehensive AC electricity of liquid aluminium",
        "kWh/t",
        "liquid_comprehensive",
        0,
    ),
    "liquid_comprehensive_tariff": (
        "铝液综合交流电耗（电价口径）",
        "the same, as the tariff counts",
        "kWh/t",
        "",
        0,
    ),
    "ingot_comprehensive": (
        "铝锭综合交流电耗",
        "comprehensive AC electricity of ingots",
        "kWh/t",
        "ingot_comprehensive",
        0,
    ),
    "ingot_kgce": ("铝锭综合单耗（电力部分）", "energy of ingots, electricity only", "kgce/t", "", 1),
    "current_efficiency": ("电流效率", "current efficiency", "1", "", 4),
    "rectifier_efficiency": ("整流效率", "rectifier efficiency", "1", "", 4),
}
LEVELS: dict[int, tuple[str, str]] = {
    0: ("未评估", "not assessed"),
    1: ("1级", "level 1"),
    2: ("2级（标杆）", "level 2 (benchmark)"),
    3: ("3级（基准以上）", "level 3 (meets the baseline)"),
    4: ("基准以下", "below the baseline"),
}
BRIDGE: dict[str, tuple[str, str]] = {
    "cells": ("槽电压", "cell voltage"),
    "busbars": ("母线压降", "busbars"),
    "current_efficiency": ("电流效率", "current efficiency"),
    "rectifier_efficiency": ("整流效率", "rectifiers"),
    "total": ("合计", "total"),
}

#: Parts of the cell voltage, as in ``twin.cell_voltage.PARTS``.
PARTS_TEXTS: dict[str, tuple[str, str]] = {
    "reversible": ("分解电压", "reversible"),
    "overvoltages": ("过电压", "overvoltages"),
    "bath": ("电解质", "bath"),
    "bubbles": ("气泡", "bubbles"),
    "anode": ("阳极", "anode"),
    "cathode": ("阴极", "cathode"),
    "external": ("槽间母线", "bus bars"),
    "effects": ("阳极效应", "anode effects"),
    "unexplained": ("未解释", "unexplained"),
}

#: What became of an anode change, as in ``models.anode_change``, and as the console says it.
VERDICTS: dict[str, tuple[str, str]] = {
    "on_time": ("正常导电", "on time"),
    "late": ("电流上升过慢", "picks up slowly"),
    "set_high": ("安装过高", "set too high"),
    "set_low": ("安装过低", "set too low"),
    "slipped": ("滑极", "slipped"),
    "overloaded": ("过载", "overloaded"),
    "cracked": ("开裂", "cracked"),
    "poor_contact": ("接触不良", "poor contact"),
    "burnt_off": ("脱极", "burnt off"),
    "spike": ("长包", "spike"),
    "open": ("尚未判定", "not judged"),
    "unseen": ("未观测到", "not seen"),
}

_REASONS: tuple[tuple[str, str], ...] = (
    (r"not in normal operation in this period", "本期未正常生产"),
    (r"no cell was in normal operation", "没有槽处于正常生产"),
    (r"measured for ([\d.]+) %, ([\d.]+) % are needed", r"实测覆盖 \1 %，需 \2 %"),
    (r"cells were measured for ([\d.]+) % of the time, ([\d.]+) % are needed", r"各槽实测覆盖 \1 %，需 \2 %"),
    (r"metal levels over less than (\d+) days: metal is not weighed", r"铝水平不足 \1 天，产量未核定"),
    (
        r"metal of (\d+) cells is not known: less than (\d+) days of levels",
        r"\1 台槽铝水平不足 \2 天，产量未知",
    ),
    (
        r"current efficiency ([\d.]+) is outside ([\d.]+)-([\d.]+): data fault",
        r"电流效率 \1 超出 \2–\3，数据有误",
    ),
    (r"AC energy of the line is not known", "系列交流电量未知"),
    (r"anode effects were not looked for: replay the history again", "未查找阳极效应：请重新回放历史"),
    (
        r"voltages stand ([\d.e+]+) s apart, too far to time anode effects",
        r"电压采样间隔 \1 s，过长，无法计算阳极效应时间",
    ),
    (r"no anode effect in this period", "本期无阳极效应"),
    (r"the twin recorded no state of these cells in this period", "本期无孪生体状态记录"),
    (r"the twin recorded no state at the end of the period", "期末无孪生体状态记录"),
    (
        r"the twin does not assess this cell at the end of the period: no data, not normal, or lost",
        "期末孪生体不评估该槽：无数据、非正常生产或估计失效",
    ),
    (r"no bath temperature was sampled in the last (\d+) days", r"最近 \1 天无槽温测量"),
    (r"voltage or current efficiency of the last two days is not known", "最近两天电压或电流效率未知"),
    (
        r"plant.toml gives neither rated_current_A nor a technology that potline ships: no twin",
        "plant.toml 未给出额定电流或已知槽型，无孪生体",
    ),
    (r"there is no cell", "没有槽"),
    (r"beyond what the twin's equations were checked for", "超出孪生体方程的有效范围"),
    (r"superheat would leave its safe range", "过热度将超出安全范围"),
    (r"ledge would leave its safe range", "炉帮将超出安全范围"),
    (r"anode to metal distance would fall below its least", "极距将低于下限"),
    (r"no state of rest within 12 days", "12 天内达不到稳态"),
    (r"saves nothing that is surer than its error", "节电不大于其误差"),
    (
        r"enter upstream_t_per_t in accounts.toml; the parts known are ([\d.]+) t/t",
        r"请在 accounts.toml 中填写 upstream_t_per_t；已知部分 \1 t/t",
    ),
    (r"([\d.]+) % of the energy is estimated, ([\d.]+) % at most", r"\1 % 的电量为估算，最多 \2 %"),
    (r"(\w+) was not read in the same hours as the other registers", r"\1 与其他表计读数时段不一致"),
    (
        r"current efficiency of (\d+) cells is outside ([\d.]+)-([\d.]+): data fault",
        r"\1 台槽电流效率超出 \2–\3，数据有误",
    ),
    (r"(\w+) was not read twice in this period", r"本期 \1 读数不足两次"),
    (r"(\w+) was read over ([\d.]+) % of the time, ([\d.]+) % are needed", r"\1 读数覆盖 \2 %，需 \3 %"),
    (r"outside 0.95-0.995: a metering fault", "超出 0.95–0.995：计量故障"),
    (r"(.*): an input is missing", r"\1：缺少输入"),
    (r"no closed month before this one is in the book", "账簿中没有上一个完整月份"),
    (r"enter (\w+) in accounts.toml", r"请在 accounts.toml 中填写 \1"),
    (r"(\w+) was not measured", r"\1 未测量"),
    (r"no line is a replacement project", "没有产能置换项目"),
    (r"no class for ([\d,]+) t/year of capacity: (.*)", r"\2 共 \1 t/a 产能无等级"),
    (r"no tariff in force", "当期无阶梯电价"),
    (
        r"(\d+) closed months are in the book; (\d+) for the baseline and one after are needed",
        r"账簿中有 \1 个完整月份；基准需 \2 个月并至少另有一个月",
    ),
    (r"the baseline is rejected: (.*)", r"基准模型未通过检验：\1"),
    (
        r"voltage, current efficiency or rectifier efficiency of one of the periods is not known",
        "其中一期的电压、电流效率或整流效率未知",
    ),
)


def in_chinese(reason: str) -> str:
    """A reason in Chinese; as it stands where no translation is known."""
    head, _, rest = reason.partition(": ")
    for pattern, text in _REASONS:
        if re.fullmatch(pattern, reason):
            return re.sub(pattern, text, reason)
        if rest and re.fullmatch(pattern, rest):
            return f"{head}：{re.sub(pattern, text, rest)}"
    return reason
