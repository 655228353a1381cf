"""The scores as tables for people: one for each group of kinds, the system first, every null model below."""

from typing import Any

#: Heading, and how a figure of a row becomes text.
_COLUMNS: tuple[str, ...] = (
    "",
    "recall",
    "95 %",
    "false/cell-day",
    "95 %",
    "at equal",
    "precision",
    "delay",
    "P90",
    "RMTD",
    "anode",
    "side",
    "kind",
    "VUS-PR",
    "VUS-ROC",
    "AUC-PR",
    "aff. F1",
    "F1",
    "PA-F1",
    "beaten",
)


def render(found: dict[str, Any]) -> str:
    """Write the tables.

    Parameters
    ----------
    found
        What ``edge.evaluate.scores`` gave.
    """
    record = found["record"]
    lines = [
        f"{record['cells']} cells, {record['cell_days']:g} cell-days ({record['cell_days_normal']:g} normal), "
        f"{record['events']} events, {record['alarms']} alarms. Null models at the false alarms of the system, "
        "thresholds frozen on the other half of the cells; always, never and schedule have none. At equal: their "
        "recall, had the threshold been chosen on the very cells that are judged.",
        "Delay and P90 in minutes after the event could be seen, RMTD the restricted mean time to detect; precision "
        "at the natural rate of events. F1 and PA-F1 stand there to be compared with those of `random` only.",
    ]
    for group, rows in found["groups"].items():
        system = rows["system"]
        hidden, cut = system["events_hidden"], system["events_cut"]
        lines += [
            "",
            f"{group}: {system['events']} events ({hidden} more never showed in time, {cut} are cut by the record)",
            *_aligned([list(_COLUMNS), *([name, *_texts(row)] for name, row in rows.items())]),
        ]
    changes = found["anode_changes"]
    lines += [
        "",
        f"anode changes: {changes['changes']}, abnormal {changes['abnormal']}: AUROC, AP, prevalence",
    ]
    scored = [(name, row) for name, row in changes.items() if isinstance(row, dict)]
    lines += _aligned(
        [
            [name, *(_text(row[key]) for key in ("auroc", "average_precision", "prevalence"))]
            for name, row in scored
        ]
    )
    foretold = {name: row for name, row in found["anode_effect_prediction"].items() if row["events"]}
    if foretold:
        lines += ["", "anode effects foretold at least a minute ahead: events, precision, recall, F1, 95 %"]
        keys = ("events", "precision", "recall", "f1")
        lines += _aligned(
            [
                [name, *(_text(row[key]) for key in keys), _pair(row["f1_wilson_95"])]
                for name, row in foretold.items()
            ]
        )
    if found["clock"]:
        clock = found["clock"]
        verdict = "as it must be" if clock["honest"] else "THE RECORD DRIFTS: scores on it mean little"
        lines += [
            "",
            f"clock: average precision {clock['average_precision']:.3f}, "
            f"prevalence {clock['prevalence']:.3f}: {verdict}",
        ]
    lines += [f"{name}: left out: {why}" for name, why in found["nulls_left_out"].items()]
    return "\n".join(lines)


def _texts(row: dict[str, Any]) -> list[str]:
    series = row.get("series", {})
    return [
        _text(row["recall"]),
        _pair(row["recall_wilson_95"]),
        _text(row["false_per_cell_day"]),
        _pair(row["false_per_cell_day_poisson_95"]),
        _text(row["in_hindsight"]["recall"]) if "in_hindsight" in row else "",
        _text(row["precision_at_natural_rate"]),
        _minutes(row["delay_median_min"]),
        _minutes(row["delay_p90_min"]),
        _minutes(row["restricted_mean_time_to_detect_min"]),
        *(_text(row[key]["share"]) for key in ("right_anode", "right_side", "exact_kind")),
        *(_text(series.get(key)) for key in ("vus_pr", "vus_roc", "auc_pr", "affiliation_f1")),
        *(_text(series.get("never_optimise", {}).get(key)) for key in ("point_f1", "pa_f1")),
        row.get("beaten") or "",
    ]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _minutes(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _pair(values: list[float | None]) -> str:
    return f"{_text(values[0])}-{_text(values[1])}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns of equal width, the first to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return [
        "  "
        + "  ".join(
            text.rjust(w) if i else text.ljust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
