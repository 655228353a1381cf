"""Writes the dashboards: the same panels for InfluxDB (Flux) and for VictoriaMetrics (PromQL).

``python grafana/make.py`` rewrites ``grafana/dashboards/*.json``; a test holds them against this file, and every field
that they ask for against the code that writes it.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "dashboards"
#: Uids are fixed: people's links and embeddings depend on them.
DATASOURCES = {"influxdb": "potline-influxdb", "victoriametrics": "potline-victoriametrics"}
_BENCHMARK, _BASELINE = 13000, 13350
_TREND = "timeseries"


class Panel(NamedTuple):
    """One panel: what it shows of which measurement.

    Attributes
    ----------
    title, unit, kind
        ``kind`` is a Grafana panel type.
    measurement, field
        By contract.
    window
        Of energies; empty for others.
    by
        Tag that tells series apart.
    width
        Of 24.
    limits
        Whether benchmark and baseline are drawn.
    """

    title: str
    unit: str
    kind: str
    measurement: str
    field: str
    window: str
    by: str
    width: int = 12
    limits: bool = False


ENERGY = (
    Panel(
        "铝液交流电耗 / AC, line, by day",
        "kWh/t",
        "timeseries",
        "line_energy",
        "ac_kwh_per_t",
        "day",
        "line",
        12,
        True,
    ),
    Panel(
        "原铝液直流电耗 / DC, line, by day",
        "kWh/t",
        "timeseries",
        "line_energy",
        "dc_kwh_per_t",
        "day",
        "line",
    ),
    Panel(
        "距标杆 / gap to benchmark",
        "kWh/t",
        "stat",
        "line_energy",
        "gap_to_benchmark_kwh_per_t",
        "day",
        "line",
        6,
    ),
    Panel(
        "距基准 / gap to baseline",
        "kWh/t",
        "stat",
        "line_energy",
        "gap_to_baseline_kwh_per_t",
        "day",
        "line",
        6,
    ),
    Panel(
        "综合交流电耗 / comprehensive AC",
        "kWh/t",
        "stat",
        "line_energy",
        "comprehensive_ac_kwh_per_t",
        "day",
        "line",
        6,
    ),
    Panel(
        "阶梯加价 / surcharge",
        "CNY/kWh",
        "stat",
        "line_energy",
        "tariff_surcharge_cny_per_kwh",
        "day",
        "line",
        6,
    ),
    Panel("单槽电耗 / AC by cell", "kWh/t", _TREND, "cell_energy", "ac_kwh_per_t", "day", "cell", 24, True),
    Panel("电流效率 / current efficiency", "", _TREND, "line_energy", "current_efficiency", "day", "line"),
    Panel("覆盖率 / coverage", "", _TREND, "line_energy", "coverage", "hour", "line"),
    Panel(
        "标杆产能占比 / benchmark share",
        "",
        "stat",
        "line_energy",
        "benchmark_capacity_share",
        "month",
        "line",
        8,
    ),
    Panel(
        "基准以下 / below baseline",
        "",
        "stat",
        "line_energy",
        "below_baseline_capacity_share",
        "month",
        "line",
        8,
    ),
    Panel(
        "直接碳排（缺省） / direct CO2e",
        "t/t",
        "stat",
        "line_energy",
        "co2e_t_per_t",
        "month",
        "line",
        8,
    ),
)
CELLS = (
    Panel("过热度 / superheat", "K", _TREND, "cell_state", "superheat_c", "", "cell"),
    Panel("槽温 / bath temperature", "°C", _TREND, "cell_state", "bath_temp_c", "", "cell"),
    Panel("氧化铝 / alumina", "%", _TREND, "cell_state", "alumina_pct", "", "cell"),
    Panel("极距 / anode-cathode distance", "mm", _TREND, "cell_state", "acd_mm", "", "cell"),
    Panel("炉帮（电解质） / ledge at the bath", "mm", _TREND, "cell_state", "ledge_bath_mm", "", "cell"),
    Panel("散热 / heat loss", "kW", _TREND, "cell_state", "heat_loss_kw", "", "cell"),
    Panel("单槽散热 / heat loss, by hour", "kW", _TREND, "cell_energy", "heat_loss_kw", "hour", "cell"),
    Panel("报警优先级 / alarm priority", "", _TREND, "cell_alarm", "priority", "", "cell"),
)
BOARDS = {"energy": ("potline: 能源 / energy", ENERGY), "cells": ("potline: 槽况 / cells", CELLS)}


def query(panel: Panel, kind: str) -> str:
    """What a panel asks its database."""
    if kind == "victoriametrics":
        # VictoriaMetrics names a series measurement_field; tags are labels.
        labels = [f'window="{panel.window}"'] if panel.window else []
        labels += ['line=~"$line"'] + (['cell=~"$cell"'] if panel.by == "cell" else [])
        back = {"hour": "2h", "day": "2d", "month": "40d"}.get(panel.window, "5m")
        return f"last_over_time({panel.measurement}_{panel.field}{{{', '.join(labels)}}}[{back}])"
    lines = [
        'from(bucket: "potline")',
        "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
        f'filter(fn: (r) => r._measurement == "{panel.measurement}" and r._field == "{panel.field}")',
        "filter(fn: (r) => r.line =~ /^${line:regex}$/)",
    ]
    if panel.window:
        lines.append(f'filter(fn: (r) => r.window == "{panel.window}")')
    if panel.by == "cell":
        lines.append("filter(fn: (r) => r.cell =~ /^${cell:regex}$/)")
    else:
        lines.append(f'keep(columns: ["_time", "_value", "_field", "{panel.by}"])')
    return "\n  |> ".join(lines)


def board(name: str, kind: str) -> dict[str, Any]:
    """One dashboard for one kind of database."""
    title, panels = BOARDS[name]
    source = {"type": "prometheus" if kind == "victoriametrics" else "influxdb", "uid": DATASOURCES[kind]}
    found: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        height = 5 if panel.kind == "stat" else 9
        if x + panel.width > 24:
            x, y = 0, y + 9
        found.append(_panel(panel, number, kind, source, {"x": x, "y": y, "w": panel.width, "h": height}))
        x += panel.width
    return {
        "uid": f"potline-{name}-{kind}",
        "title": f"{title} ({kind})",
        "tags": ["potline"],
        "timezone": "browser",
        "editable": True,
        "schemaVersion": 39,
        "time": {"from": "now-30d" if name == "energy" else "now-24h", "to": "now"},
        "templating": {"list": [_variable(tag, kind, source) for tag in ("line", "cell")]},
        "panels": found,
    }


def _panel(
    panel: Panel, number: int, kind: str, source: dict[str, str], place: dict[str, int]
) -> dict[str, Any]:
    target: dict[str, Any] = {"refId": "A", "datasource": source}
    if kind == "victoriametrics":
        target |= {"expr": query(panel, kind), "legendFormat": f"{{{{{panel.by}}}}}"}
    else:
        target |= {"query": query(panel, kind)}
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    custom: dict[str, Any] = {"spanNulls": False}
    if panel.limits:
        steps += [{"color": "orange", "value": _BENCHMARK}, {"color": "red", "value": _BASELINE}]
        custom["thresholdsStyle"] = {"mode": "line"}
    elif panel.field.startswith("gap_to") or panel.field.startswith("tariff"):
        steps.append({"color": "red", "value": 0.001})
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": source,
        "gridPos": place,
        "targets": [target],
        "fieldConfig": {
            "defaults": {
                "unit": f"suffix: {panel.unit}" if panel.unit else "short",
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": custom if panel.kind == _TREND else {},
            },
            "overrides": [],
        },
    }


def _variable(tag: str, kind: str, source: dict[str, str]) -> dict[str, Any]:
    if kind == "victoriametrics":
        asked: Any = f"label_values(cell_energy_dc_energy_kwh, {tag})"
    else:
        asked = f'import "influxdata/influxdb/schema"\nschema.tagValues(bucket: "potline", tag: "{tag}")'
    return {
        "name": tag,
        "type": "query",
        "datasource": source,
        "query": asked,
        "definition": asked,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name in BOARDS:
        for kind in DATASOURCES:
            text = json.dumps(board(name, kind), indent=1, ensure_ascii=False)
            (FOLDER / f"{name}-{kind}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
