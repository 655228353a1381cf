"""Where a figure was measured and with what, and how figures come into the README: by this, never by hand."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.detection_table import detection_table, nulls_table
from benchmarks.plant_table import card

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks" / "results"
README = ROOT / "benchmarks" / "README.md"
#: Where a table stands, if not there.
PAGES: dict[str, Path] = dict.fromkeys(("plant", "nulls"), ROOT / "plant" / "README.md")
#: Results of a table, if they have another name.
SOURCES: dict[str, str] = {"nulls": "detection"}

Figures = dict[str, Any]


def conditions(seed: int, packages: Sequence[str]) -> Figures:
    """Machine, versions, commit, seed and time of a run.

    Parameters
    ----------
    seed
        Of everything random in it.
    packages
        Distributions whose versions matter; null where not installed.
    """
    return {
        "machine": {
            "cpu": _cpu("model name"),
            "avx512": "avx512dq" in _cpu("flags").split(),
            "logical_cpus": os.cpu_count(),
            "system": platform.platform(),
        },
        "versions": {
            "python": platform.python_version(),
            "cc": _said("cc", "--version").split("\n")[0].removeprefix("cc "),
        }
        | {name: _version(name) for name in packages},
        "commit": _said("git", "rev-parse", "HEAD"),
        "uncommitted_changes": bool(_said("git", "status", "--porcelain", "--untracked-files=no")),
        "seed": seed,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write(name: str, figures: Figures) -> None:
    """Keep figures as ``results/NAME.json`` and bring their tables up to date."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for table, page in ((table, page_of(table)) for table in TABLES if source_of(table) == name):
        text = page.read_text(encoding="utf-8")
        page.write_text(placed(text, table, TABLES[table](figures)), encoding="utf-8")


def source_of(table: str) -> str:
    """Name of the results that a table is made of."""
    return SOURCES.get(table, table)


def page_of(name: str) -> Path:
    """Page on which a table stands."""
    return PAGES.get(name, README)


def placed(text: str, name: str, table: str) -> str:
    """A text with the part between the marks of a benchmark replaced.

    Raises
    ------
    ValueError
        The text has no such marks.
    """
    marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not marked.search(text):
        raise ValueError(f"no marks <!-- {name} --> in the text")
    return marked.sub(lambda found: f"{found[1]}{table}{found[2]}", text)


def speed_table(figures: Figures) -> str:
    """Markdown of ``results/speed.json``."""
    size, ours = figures["size"], figures["rivals"]["ours"]
    lines = [
        _where(figures),
        f"{size['cells']} cells of 8 states, RK4 with steps of {size['dt_s']:g} s, float64, one thread, best of "
        f"{size['rounds']} interleaved rounds. Beside: us a step of all cells, ns a cell and step, time over ours, and "
        f"the largest relative difference from NumPy after {size['checked_steps']} steps.",
        "",
        "| | us/step | ns/cell-step | x ours | difference |",
        "|---|---:|---:|---:|---:|",
    ]
    for rival in figures["rivals"].values():
        lines.append(
            f"| {rival['what']} | {rival['us_per_step']:.1f} | {rival['ns_per_cell_step']:.1f} | "
            f"{rival['us_per_step'] / ours['us_per_step']:.2f} | {rival['difference']:.0e} |"
        )
    for rival in figures["scipy"]:
        lines.append(
            f"| {rival['what']}, extrapolated from {rival['cells']} cells | {rival['us_per_step']:.0f} | "
            f"{rival['ns_per_cell_step']:.0f} | {rival['us_per_step'] / ours['us_per_step']:.0f} | "
            f"{rival['difference']:.0e} |"
        )
    lines.append("")
    for target in figures["targets"]:
        verdict = "met" if target["met"] else "**MISSED**"
        lines.append(f"* {target['what']}: {target['value']:.2f} (target {target['target']}), {verdict}.")
    line = figures["line_step"]
    lines += [
        "",
        f"One scan of a line of {line['cells']} cells with {line['anodes']} anodes and {line['shell']} shell sensors "
        "each, us a cell, mean over a minute, in one scan of which the filter makes its step (best and median):",
        "",
        "| | best | median |",
        "|---|---:|---:|",
    ]
    lines += [f"| {part['what']} | {part['best']:.2f} | {part['median']:.2f} |" for part in line["parts"]]
    start = figures["first_start_s"]
    lines += [
        "",
        f"First scans of twin and detectors from a new process: {start['compiling']:.0f} s when all kernels have to be "
        f"compiled, {start['from_cache']:.1f} s from their cache.",
    ]
    return "\n".join(lines) + "\n"


def replay_table(figures: Figures) -> str:
    """Markdown of ``results/replay.json``."""
    run = figures["replay"]
    lines = [
        _where(figures),
        f"{run['cells']} cells, {run['hours']:g} h with a row a cell every {run['interval_s']:g} s "
        f"({run['items']} items, {run['scans']} scans): **{run['times_real_time']:.0f} times real time**, "
        f"{run['seconds']:.2f} s end to end, best of {run['rounds']}.",
        "",
        "| part | share |",
        "|---|---:|",
    ]
    lines += [f"| {part['what']} | {100 * part['share']:.0f} % |" for part in figures["shares"]]
    return "\n".join(lines) + "\n"


def observer_table(figures: Figures) -> str:
    """Markdown of ``results/observer.json``."""
    lines = [
        _where(figures),
        "Error of the estimate over its stated standard deviation, root mean square (1 is honest); errors in the unit "
        "of the state; share of instants within 1 and 2 standard deviations; instants beyond 5; cells that diverged.",
    ]
    for name, run in figures["sets"].items():
        seeds = ", ".join(str(seed) for seed in run["seeds"])
        lines += [
            "",
            f"**{name}**: {run['cells']} cells, {run['days']:g} days each, seeds {seeds}. Bath temperature: "
            f"{run['bath_temp_rmse_over_held']:.2f} of the error of the last hand measurement held "
            f"({run['held_bath_temp_rmse_C']:.2f} K).",
            "",
            "| state | RMSE | bias | mean sd | error / sd | < 1 sd | < 2 sd | > 5 sd | diverged |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for state, of in run["states"].items():
            lines.append(
                f"| {state} | {of['rmse']:.3g} | {of['bias']:.2g} | {of['mean_sd']:.3g} | "
                f"{of['normalised_error']:.2f} | {of['inside_1_sd']:.2f} | {of['inside_2_sd']:.2f} | "
                f"{of['beyond_5_sd_or_nan']} | {of['cells_diverged']} |"
            )
    lines.append("")
    for target in figures["targets"]:
        verdict = "met" if target["met"] else "**MISSED**"
        lines.append(f"* {target['what']}: {target['value']} (target {target['target']}), {verdict}.")
    return "\n".join(lines) + "\n"


def tep_table(figures: Figures) -> str:
    """Markdown of ``results/tep.json``."""
    ours, target = figures["ours"], figures["target"]
    verdict = "met" if target["met"] else "**MISSED**"
    lines = [
        _where(figures),
        f"Ours, chosen on the training runs of the faults: {ours['what']}, {ours['variables']} variables: "
        f"{100 * ours['detected_18']:.1f} % detected at {100 * ours['false_alarms']:.2f} % false alarms (target: at "
        f"least {100 * target['detected_18']:.0f} at {100 * target['false_alarms']:.1f} at most), {verdict}.",
        "",
        "| detector | variables | false alarms, % | detected without 3, 9, 15, % | all 21, % | training runs, % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['what']} | {row['variables']} | {100 * row['false_alarms']:.2f} | {100 * row['detected_18']:.1f} | "
        f"{100 * row['detected_21']:.1f} | {100 * row['detected_18_training']:.1f} |"
        for row in figures["rows"]
    ]
    return "\n".join(lines) + "\n"


def ledger_table(figures: Figures) -> str:
    """Markdown of ``results/ledger.json``."""
    lines = [_where(figures)]
    if (cost := figures.get("cost")) is not None:
        for what, value, most, unit in (
            (
                f"a year's report of {cost['cells']} cells ({cost['rows']} hourly rows; {cost['report_cpu_s']:g} s of "
                f"processor time, load average {cost['load_average']:g} on {os.cpu_count()} processors)",
                cost["report_s"],
                60,
                "s",
            ),
            ("its peak of memory", cost["report_peak_MB"], 2000, "MB"),
            (
                f"rolling update after a closed hour, slowest of 20 ({cost['rolling_update_cpu_ms']:g} ms of "
                "processor time)",
                cost["rolling_update_ms"],
                50,
                "ms",
            ),
        ):
            verdict = "met" if value < most else "**MISSED**"
            lines.append(f"* {what}: {value:g} {unit} (target {most} {unit}), {verdict}.")
    for key, what in (("truth", "simulated"), ("imagined", "imagined")):
        lines += _months(figures.get(key, []), what)
    return "\n".join(lines) + "\n"


def _months(months: Sequence[Figures], what: str) -> list[str]:
    """Months of a ledger against the truth; a table while there are few."""
    lines: list[str] = []
    if months and len(months) <= 5:
        lines += [
            "",
            "| seed | true DC kWh/t | found | error | stated sd | cells within 95 % | cell rms | stated sd | z rms |",
            "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        lines += [
            f"| {m['seed']} | {m['line_true_kwh_per_t']:.1f} | {m['line_found_kwh_per_t']:.1f} | "
            f"{m['line_error_pct']:+.3f} % | {m['line_stated_sd_pct']:.3f} % | "
            f"{m['cells_within_95']} of {m['cells_judged']} | "
            f"{m['cell_rms_error_pct']:.2f} % | {m['cell_stated_sd_pct']:.2f} % | {m['rms_z']:.2f} |"
            for m in months
        ]
    if months:
        good = sum(abs(m["line_error_pct"]) <= 0.2 for m in months)
        inside, judged = (sum(m[key] for m in months) for key in ("cells_within_95", "cells_judged"))
        worst = max(abs(m["line_error_pct"]) for m in months)
        lines += [
            "",
            f"* {what} months with the line within 0.2 % of the truth: {good} of {len(months)} (largest error "
            f"{worst:.3f} %), {'met' if good == len(months) else '**MISSED**'}.",
            f"* cells within their stated 95 %: {100 * inside / judged:.1f} % of {judged} cells of {what} months.",
        ]
    return lines


#: What the columns of quantities are called in the README.
_QUANTITIES = {
    "bath_temp_C": "bath temperature, °C",
    "superheat_C": "superheat, K",
    "alumina_pct": "alumina, wt%",
    "ledge_bath_mm": "ledge at bath level, mm",
    "cell_voltage_V": "cell voltage (hour), V",
    "kwh_per_t": "DC energy (hour), kWh/t",
}


def forecast_table(figures: Figures) -> str:
    """Markdown of ``results/forecast.json``."""
    run = figures["forecast"]
    lines = [
        _where(figures),
        f"{run['forecasts']} forecasts, {run['cells']} cells of {run['technology']} over {run['days']:g} days, seeds "
        f"{', '.join(map(str, run['seeds']))} ({run['set']}). RMSE of the forecast and of its rivals; share of truths "
        "in the 80 % band, and in the band without process noise.",
        "",
        "| | h | forecast | bias | estimate stays | mean of its last day | last sample | in 80 % band | without |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, title in _QUANTITIES.items():
        for row in run[name]["rows"]:
            sample = f"{row['sample_rmse']:.3g}" if row["sample_rmse"] is not None else ""
            lines.append(
                f"| {title} | {row['hours']} | {row['rmse']:.3g} | {row['bias']:+.2g} | {row['stays_rmse']:.3g} | "
                f"{row['day_mean_rmse']:.3g} | {sample} | {100 * row['inside_80']:.0f} % | "
                f"{100 * row['inside_80_without_process']:.0f} % |"
            )
    return "\n".join(lines) + "\n"


def whatif_table(figures: Figures) -> str:
    """Markdown of ``results/whatif.json``."""
    run = figures["whatif"]
    titles = _QUANTITIES | {"excess_alf3_pct": "excess AlF3, wt%", "efficiency_frac": "current efficiency, %"}
    lines = [
        _where(figures),
        f"{run['cells']} cells, seeds {', '.join(map(str, run['seeds']))}; means over the cells, and the share of "
        "cells whose effect lies in the 80 % band.",
        "",
        "| change of | by | after h | in the plant | by the twin | ± sd | in 80 % band |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in run["rows"]:
        scale = 100.0 if row["what"] == "efficiency_frac" else 1.0
        lines.append(
            f"| {titles[row['what']]} | {1e3 * row['step_V']:+.0f} mV | {row['hours']:.0f} | "
            f"{scale * row['true']:+.2f} | {scale * row['told']:+.2f} | {scale * row['sd']:.2f} | "
            f"{100 * row['inside_80']:.0f} % |"
        )
    return "\n".join(lines) + "\n"


def learned_table(figures: Figures) -> str:
    """Markdown of ``results/learned_order.json``."""
    seeds = figures["seeds"]
    lines = [
        _where(figures),
        f"{figures['networks']} networks of a kind, {figures['epochs']} epochs on {figures['training_runs']} runs of "
        f"{figures['steps']} steps (seed {seeds['training']}), {figures['test_runs']} test runs (seed {seeds['test']})."
        " AN-RFMSE over the window that ends at the step, of forecasts that did not diverge in it: median and mean; "
        "median with diverged ones as infinite; how many diverged.",
        "",
        "| model | steps | median | mean | median with diverged | diverged | of |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, model in figures["models"].items():
        for row in model["rows"]:
            shown = [row[key] for key in ("median", "mean", "median_with_diverged")]
            errors = " | ".join("none" if error is None else f"{error:.3f}" for error in shown)
            lines.append(f"| {name} | {row['steps']} | {errors} | {row['diverged']} | {row['forecasts']} |")
    return "\n".join(lines) + "\n"


def _detection(figures: Figures) -> str:
    return _where(figures) + detection_table(figures)


#: What writes each table.
TABLES = {
    "speed": speed_table,
    "replay": replay_table,
    "observer": observer_table,
    "plant": card,
    "tep": tep_table,
    "detection": _detection,
    "nulls": nulls_table,
    "ledger": ledger_table,
    "forecast": forecast_table,
    "whatif": whatif_table,
    "learned_order": learned_table,
}


def _where(figures: Figures) -> str:
    machine, versions = figures["machine"], figures["versions"]
    named = ", ".join(f"{name} {number}" for name, number in versions.items() if number)
    changed = " with uncommitted changes" if figures["uncommitted_changes"] else ""
    wide = "AVX-512" if machine["avx512"] else "no AVX-512"
    return (
        f"{machine['cpu']} ({machine['logical_cpus']} logical, {wide}); {named}; commit "
        f"{figures['commit'][:10]}{changed}; seed {figures['seed']}; {figures['measured']}.\n"
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu(key: str) -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(rf"^{key}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()
