"""Words and tables of ``potline twin`` in English and Chinese."""

import unicodedata
from collections.abc import Sequence
from typing import Literal

Language = Literal["en", "zh"]

#: Every word that is shown: English, Chinese.
_WORDS: dict[str, tuple[str, str]] = {
    "bath_temp_C": ("bath temperature, °C", "电解质温度 °C"),
    "superheat_C": ("superheat, K", "过热度 K"),
    "alumina_pct": ("alumina, wt%", "氧化铝浓度 %"),
    "excess_alf3_pct": ("excess AlF3, wt%", "过量氟化铝 %"),
    "ledge_bath_mm": ("ledge at bath level, mm", "炉帮厚度（电解质层）mm"),
    "ledge_metal_mm": ("ledge at metal level, mm", "炉帮厚度（铝液层）mm"),
    "cell_voltage_V": ("cell voltage, V", "槽电压 V"),
    "line_current_A": ("line current, kA", "系列电流 kA"),
    "gap_mm": ("anode to metal distance, mm", "极距 mm"),
    "efficiency_frac": ("current efficiency, %", "电流效率 %"),
    "kwh_per_t": ("DC energy, kWh/t", "直流电耗 kWh/t"),
    "heat_loss_kW": ("heat loss, kW", "散热量 kW"),
    "rods": ("anode rods", "阳极导杆"),
    "cover": ("anode cover", "阳极覆盖料"),
    "opening": ("open crust", "敞开壳面"),
    "off_gas": ("hood gas", "烟气"),
    "side_bath": ("long sides, bath", "大面（电解质层）"),
    "side_metal": ("long sides, metal", "大面（铝液层）"),
    "end_bath": ("ends, bath", "小面（电解质层）"),
    "end_metal": ("ends, metal", "小面（铝液层）"),
    "cradle": ("block level", "阴极炭块层侧壁"),
    "bars": ("collector bars", "阴极钢棒"),
    "bottom": ("bottom", "槽底"),
    "time": ("time", "时间"),
    "hours": ("hours from now", "距现在（小时）"),
    "hours_after": ("hours after the change", "改变后（小时）"),
    "now": ("now", "现在"),
    "before": ("before", "改变前"),
    "at_once": ("at once", "立即"),
    "after_24": ("24 h", "24 小时"),
    "after_72": ("72 h", "72 小时"),
    "at_rest": ("at rest", "新稳态"),
    "result": ("result", "结果"),
    "unchanged": ("as it is", "不改变"),
    "changed": ("changed", "改变"),
    "forecast": ("forecast", "预测"),
    "estimate": ("estimate", "估计值"),
    "band": ("80 % band", "80 % 区间"),
    "anode_change": ("anode change", "换极"),
    "tap": ("tap", "出铝"),
    "loss_by_surface": ("heat loss by surface, kW", "各表面散热 kW"),
    "voltage_V": ("cell voltage", "槽电压"),
    "acd_mm": ("distance", "极距"),
    "cover_m": ("cover", "覆盖料厚度"),
    "alf3_pct": ("AlF3", "氟化铝"),
    "current": ("line current", "系列电流"),
    "ambient_temp_C": ("room", "环境温度"),
    "not_at_rest": (
        "does not rest within 12 days: the last column is a course, not a state",
        "12 天内未达到稳态：最后一列不是稳态值",
    ),
    "met": ("the model meets", "模型遇到"),
    "narrow": (
        "bands are too narrow: points that left the range of the equations",
        "区间偏窄：超出方程有效范围的样本点数",
    ),
    "assumed": (
        "No anode effect, outage or unplanned work is foreseen. How often the bands hold: benchmarks/README.md",
        "不包含阳极效应、停电和计划外操作。区间的实际覆盖率见 benchmarks/README.md",
    ),
    "sure": (
        "± one standard deviation, of the estimate and of coefficients; the form of the model is not in it",
        "± 为一倍标准差，来自估计和系数，不含模型结构误差",
    ),
    "few_hours": (
        "hours of record only: 48 and more say what the cell is like",
        "小时的记录偏少：48 小时以上才能判断本槽状态",
    ),
    # Groups and terms of the heat balance.
    "voltage": ("voltage", "电压"),
    "power": ("power", "功率"),
    "demand": ("demand", "反应"),
    "left": ("left", "剩余"),
    "loss": ("loss", "散热"),
    "matter": ("matter", "物料"),
    "store": ("store", "蓄热"),
    "check": ("check", "校验"),
    "sum": ("sum", "合计"),
    "current efficiency": ("current efficiency", "电流效率"),
    "reversible": ("reversible", "可逆电压"),
    "anode concentration": ("anode concentration", "阳极浓差过电压"),
    "anode surface": ("anode surface", "阳极反应过电压"),
    "cathode concentration": ("cathode concentration", "阴极过电压"),
    "bath": ("bath", "电解质压降"),
    "bubble": ("bubble", "气泡压降"),
    "anode": ("anode", "阳极压降"),
    "cathode": ("cathode", "阴极压降"),
    "external": ("external", "母线压降"),
    "anode effect": ("anode effect", "阳极效应"),
    "cell": ("cell", "全槽"),
    "bus bars": ("bus bars", "槽外母线"),
    "inside": ("inside", "槽内"),
    "air burn of carbon": ("air burn of carbon", "阳极空气燃烧"),
    "warmth of new anodes": ("warmth of new anodes", "新极带入热"),
    "reaction": ("reaction", "反应"),
    "heating alumina": ("heating alumina", "加热氧化铝"),
    "heating carbon": ("heating carbon", "加热炭素"),
    "for losses": ("for losses", "可供散热"),
    "metal tapped": ("metal tapped", "出铝带走"),
    "bath tapped": ("bath tapped", "出电解质带走"),
    "evaporated": ("evaporated", "挥发带走"),
    "butts": ("butts", "残极带走"),
    "in the cell": ("in the cell", "槽内蓄热"),
    "not accounted for": ("not accounted for", "未闭合"),
}


def word(key: str, language: Language) -> str:
    """What a key is called; raises ``KeyError`` where it has no text."""
    return _WORDS[key][0 if language == "en" else 1]


def term(name: str, language: Language) -> str:
    """What a term of a heat balance is called; spaces stand for the underscores of names."""
    if name in _WORDS:
        return word(name, language)
    return word(name.replace(" ", "_"), language)


def width(text: str) -> int:
    """Columns that a text takes on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def table(rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Rows of equal length as columns: the first ``names`` to the left and the others to the right."""
    widths = [max(width(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines: list[str] = []
    for row in rows:
        gaps = [" " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)]
        cells = [
            cell + gap if k < names else gap + cell
            for k, (cell, gap) in enumerate(zip(row, gaps, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
