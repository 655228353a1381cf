"""Tables of the detection benchmark out of ``results/detection.json``."""

from typing import Any

from models.scoring.rules import FAMILIES, FAMILY_OF

Figures = dict[str, Any]


def detection_table(figures: Figures) -> str:
    """Markdown: targets, and for each set its kinds one by one and its families beside the null models.

    Parameters
    ----------
    figures
        ``results/detection.json``.
    """
    lines = ["", *(target_line(target) for target in figures["targets"])]
    lines += _layers(figures["layers"])
    for name, found in figures["sets"].items():
        lines += ["", _heading(name, found), "", *_kinds(found["groups"])]
        for group, rows in found["groups"].items():
            if group in ("all", *FAMILIES) and rows["system"]["events"] + rows["system"]["alarms"] > 0:
                lines += ["", *_rows(group, rows)]
    return "\n".join(lines) + "\n"


def nulls_table(figures: Figures) -> str:
    """Markdown for the data card: what models that know nothing of a cell reach on the enriched line.

    Parameters
    ----------
    figures
        ``results/detection.json``.
    """
    found = figures["sets"].get("enriched")
    if found is None:
        return "The enriched line was not measured.\n"
    lines = [_heading("enriched", found)]
    for group in ("fast", "heat_loss"):
        if group in found["groups"]:
            lines += ["", *_rows(group, found["groups"][group], leave_out="system")]
    return "\n".join(lines) + "\n"


def target_line(target: Figures) -> str:
    """One target of ``benchmarks.detection_targets.judged`` as an item of a list."""
    verdict = {True: "met", False: "**MISSED**", None: "not judged: nothing of the kind in the set"}[
        target["met"]
    ]
    bound = "at least" if target["least"] else "at most"
    return (
        f"* {target['what']}: {_or_dash(target['value'])} ({bound} {target['target']:g}; {target['events']} events), "
        f"{verdict}."
    )


def _heading(name: str, found: Figures) -> str:
    record, clock, setting = found["record"], found["clock"], found["setting"]
    technology = setting["technology"].removesuffix(".toml")
    told = (
        f"**{name}**: {setting['cells']} cells of {technology}, {setting['days']:g} days, "
        f"seed {found['seed']}: {record['cell_days_normal']:.0f} normal cell-days, {record['events']} events, "
        f"{record['alarms']} alarms."
    )
    if not clock:
        return told
    within = "within" if clock["honest"] else "**not within**"
    return (
        f"{told} Clock: average precision {clock['average_precision']:.3f}, prevalence {clock['prevalence']:.3f}, "
        f"{within} 0.03."
    )


def _layers(layers: list[Figures]) -> list[str]:
    """What each layer adds, by family: recall and false alarms a cell-day."""
    if not layers:
        return []
    groups = [group for group in layers[0] if group != "what"]
    lines = [
        "",
        "What each layer adds on the enriched line elsewhere: recall, and false alarms a cell-day behind it.",
        "",
        f"| | {' | '.join(groups)} |",
        f"|---|{'---:|' * len(groups)}",
    ]
    for layer in layers:
        cells = [
            f"{_or_dash(layer[group]['recall'])} / {_or_dash(layer[group]['false_per_cell_day'])}"
            if group in layer
            else "-"
            for group in groups
        ]
        lines.append(f"| {layer['what']} | {' | '.join(cells)} |")
    return lines


def _kinds(groups: Figures) -> list[str]:
    """The system, kind by kind."""
    lines = [
        "| kind | events | hidden | recall | 95 % | kind right | place right | false | a cell-day | delay, min |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind, rows in groups.items():
        row = rows["system"]
        if kind not in FAMILY_OF or not row["events"] + row["events_hidden"] + row["alarms"]:
            continue
        place = row["right_anode"] if row["right_anode"]["share"] is not None else row["right_side"]
        told = (
            str(row["events"]),
            str(row["events_hidden"]),
            _or_dash(row["recall"]),
            _interval(row["recall_wilson_95"]) if row["events"] else "-",
            _or_dash(row["exact_kind"]["share"]),
            _or_dash(place["share"]),
            str(row["false_alarms"]),
            _or_dash(row["false_per_cell_day"]),
            _or_dash(row["delay_median_min"]),
        )
        lines.append(f"| {kind} | {' | '.join(told)} |")
    return lines


def _rows(group: str, rows: Figures, leave_out: str = "") -> list[str]:
    system = rows["system"]
    lines = [
        f"`{group}`: {system['events']} events, {system['events_hidden']} more that never showed in time, "
        f"{system['events_cut']} cut by the record.",
        "",
        "| | recall | 95 % | false a cell-day | 95 % | recall at equal | delay, min | VUS-PR | AUC-PR | beaten |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, row in rows.items():
        if name == leave_out:
            continue
        series = row.get("series", {})
        figures = (
            _or_dash(row["recall"]),
            _interval(row["recall_wilson_95"]),
            _or_dash(row["false_per_cell_day"]),
            _interval(row["false_per_cell_day_poisson_95"]),
            _or_dash(row.get("in_hindsight", {}).get("recall")),
            _or_dash(row["delay_median_min"]),
            _or_dash(series.get("vus_pr")),
            _or_dash(series.get("auc_pr")),
            row.get("beaten", ""),
        )
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return lines


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 100.0 else f"{value:.0f}"


def _interval(ends: list[float | None]) -> str:
    return f"{_or_dash(ends[0])} to {_or_dash(ends[1])}"
