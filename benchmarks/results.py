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

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks" / "results"
README = ROOT / "benchmarks" / "README.md"

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
    """Keep figures as ``results/NAME.json`` and bring their table in the README up to date."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(placed(text, name, TABLES[name](figures)), encoding="utf-8")


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
        "each, us a cell (best and median of the scans):",
        "",
        "| | best | median |",
        "|---|---:|---:|",
    ]
    lines += [f"| {part['what']} | {part['best']:.2f} | {part['median']:.2f} |" for part in line["parts"]]
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


#: What writes the table of each benchmark.
TABLES = {"speed": speed_table, "replay": replay_table, "ledger": ledger_table}


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
