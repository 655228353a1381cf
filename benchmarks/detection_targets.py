"""The figures that the plan asks of the detectors, held against what was scored; what is missed comes first."""

from collections.abc import Callable
from typing import Any

from benchmarks.results import Figures
from models.scoring.rules import FAMILIES

Rows = dict[str, Any]
#: Value of a row of the system, or None where there is nothing to judge.
Read = Callable[[Rows], float | None]


def _share(key: str) -> Read:
    return lambda row: row[key]["share"]


def _plain(key: str) -> Read:
    return lambda row: row[key]


def _after_a_change(row: Rows) -> float | None:
    """False alarms per cell-day within a day of an anode change, over those of all normal time."""
    near, everywhere = (
        row["false_by_context"]["after_anode_change"]["false_per_cell_day"],
        row["false_per_cell_day"],
    )
    return near / everywhere if near is not None and everywhere else None


#: Set, group of kinds, what is asked, its value, target, and whether it is a least or a most.
_TARGETS: tuple[tuple[str, str, str, Read, float, bool], ...] = (
    ("enriched", "anode_change", "recall", _plain("recall"), 0.90, True),
    ("enriched", "anode_condition", "recall", _plain("recall"), 0.90, True),
    ("enriched", "anode_change", "right anode", _share("right_anode"), 0.95, True),
    ("enriched", "anode_condition", "right anode", _share("right_anode"), 0.95, True),
    ("enriched", "heat_loss", "recall", _plain("recall"), 0.85, True),
    ("enriched", "heat_loss", "right side", _share("right_side"), 0.80, True),
    ("enriched", "all", "exact kind", _share("exact_kind"), 0.80, True),
    ("enriched", "anode_slip", "median delay, min", _plain("delay_median_min"), 10.0, False),
    ("enriched", "anode_burnoff", "median delay, min", _plain("delay_median_min"), 10.0, False),
    ("enriched", "anode_spike", "median delay, min", _plain("delay_median_min"), 120.0, False),
    (
        "enriched",
        "anode_slow_pickup",
        "median after the change, min",
        _plain("since_start_median_min"),
        720.0,
        False,
    ),
    ("enriched", "cover_loss", "median delay, min", _plain("delay_median_min"), 480.0, False),
    ("natural", "fast", "false alarms a cell-day", _plain("false_per_cell_day"), 0.05, False),
    ("natural", "heat_loss", "false alarms a cell-day", _plain("false_per_cell_day"), 0.005, False),
    ("natural", "fast", "false alarms after a change, times the usual", _after_a_change, 2.0, False),
    ("natural", "heat_loss", "false alarms after a change, times the usual", _after_a_change, 2.0, False),
)


def _elsewhere(sets: Figures) -> list[Figures]:
    """What another technology with fewer sensors may cost: twice the false alarms, ten points of recall."""
    rows = {name: {group: r["system"] for group, r in s["groups"].items()} for name, s in sets.items()}
    found: list[Figures] = []
    for group in ("fast", *FAMILIES):
        here, there = rows.get("natural", {}).get(group), rows.get("shift", {}).get(group)
        if here is not None and there is not None and there["false_per_cell_day"] is not None:
            # Where nothing false came at home, what the interval of nothing allows for.
            usual = here["false_per_cell_day"] or here["false_per_cell_day_poisson_95"][1]
            value, target = there["false_per_cell_day"], 2.0 * usual
            what = f"shift, {group}: false alarms a cell-day, against twice those of natural"
            found.append(
                {"what": what, "value": value, "target": target, "least": False, "met": value <= target}
                | {"events": there["events"]}
            )
        here, there = rows.get("enriched", {}).get(group), rows.get("enriched elsewhere", {}).get(group)
        if here is not None and there is not None and None not in (here["recall"], there["recall"]):
            value, target = there["recall"], here["recall"] - 0.10
            what = f"enriched elsewhere, {group}: recall, against that of enriched less 10 points"
            found.append(
                {"what": what, "value": value, "target": target, "least": True, "met": value >= target}
                | {"events": there["events"]}
            )
    return found


def judged(sets: Figures) -> list[Figures]:
    """Every target that could be judged, missed ones first, with the number of events it rests on.

    Parameters
    ----------
    sets
        Scores by set, as ``potline evaluate`` prints them.

    Returns
    -------
    list of dict
        ``what``, ``value``, ``target``, ``least`` (or most), ``met``; ``met`` is None and ``value`` too where nothing
        of the kind was in the set.
    """
    found: list[Figures] = []
    for name, group, asked, read, target, least in _TARGETS:
        if name not in sets:
            continue
        row = sets[name]["groups"].get(group, {}).get("system")
        value = None if row is None else read(row)
        met = None if value is None else (value >= target if least else value <= target)
        events = 0 if row is None else row["events"]
        what = f"{name}, {group}: {asked}"
        found.append(
            {"what": what, "value": value, "target": target, "least": least, "met": met, "events": events}
        )
    found += _elsewhere(sets)
    for name, scores in sets.items():
        for group, rows in scores["groups"].items():
            unbeaten = [null for null, row in rows.items() if row.get("beaten") == "NO"]
            if any("beaten" in row for row in rows.values()):
                what = f"{name}, {group}: null models not beaten" + (
                    f" ({', '.join(unbeaten)})" if unbeaten else ""
                )
                events = rows["system"]["events"]
                found.append(
                    {"what": what, "value": len(unbeaten), "target": 0, "least": False, "met": not unbeaten}
                    | {"events": events}
                )
        if scores["clock"]:
            difference = abs(scores["clock"]["difference"])
            what = f"{name}: average precision of a clock, from the prevalence"
            found.append(
                {"what": what, "value": difference, "target": 0.03, "least": False, "met": difference <= 0.03}
                | {"events": scores["record"]["events"]}
            )
    return sorted(found, key=lambda row: (False, True, None).index(row["met"]))
