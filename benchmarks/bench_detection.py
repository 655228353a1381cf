"""``make bench-detection``: fresh simulated lines through the whole, and their alarms scored beside the null models.

Simulate, replay and evaluate run as people run them, by the commands. The seeds are this file's own: nothing was tuned
on them. A small line says little about rare events; the intervals in the table say how little.
"""

import argparse
import json
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter

from benchmarks import results
from benchmarks.detection_targets import judged
from benchmarks.results import Figures
from edge.cli import main as potline
from models.scoring.rules import FAMILIES

SEED = 20261121
SETS = ("enriched", "natural")
PACKAGES = ("numpy", "numba", "pyarrow")


#: What is kept of the row of a null model; ``potline evaluate`` gives more.
_KEPT = (
    "detected",
    "recall",
    "recall_wilson_95",
    "false_alarms",
    "false_per_cell_day",
    "false_per_cell_day_poisson_95",
    "precision_at_natural_rate",
    "delay_median_min",
    "restricted_mean_time_to_detect_min",
    "in_hindsight",
    "series",
    "beaten",
)


def kept(found: Figures) -> Figures:
    """Scores without what nobody reads of a null model: its contexts, its places, and the kinds one by one."""
    families = {"all", "fast", *FAMILIES}
    groups = {
        group: {
            name: row if name == "system" else {key: row[key] for key in _KEPT if key in row}
            for name, row in rows.items()
            if name == "system" or group in families
        }
        for group, rows in found["groups"].items()
    }
    return found | {"groups": groups}


def scored(folder: Path, faults: str, cells: int, days: float, interval_s: float, seed: int) -> Figures:
    """Scores of one fresh history, as ``potline evaluate`` prints them, and what each step took [s]."""
    history, out = folder / faults, folder / f"{faults}-out"
    size = ["--cells", str(cells), "--days", str(days), "--seed", str(seed), "--interval", str(interval_s)]
    seconds: dict[str, float] = {}
    printed = ""
    for what, arguments in (
        ("simulate", ["simulate", "--out", str(history), "--faults", faults, *size]),
        ("replay", ["replay", str(history), "--out", str(out)]),
        ("evaluate", ["evaluate", str(out), str(history), "--readings", str(history), "--table"]),
    ):
        start = perf_counter()
        with redirect_stdout(StringIO()) as text:
            code = potline(arguments)
        if code != 0:
            sys.exit(f"potline {' '.join(arguments)}: exit code {code}")
        seconds[what] = round(perf_counter() - start, 1)
        printed = text.getvalue()
    return json.loads(printed) | {"seed": seed, "seconds": seconds}


def main() -> None:
    """Run both sets, print their tables, write ``results/detection.json`` and the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=12)
    parser.add_argument("--days", type=float, default=10.0)
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between rows of a cell")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sets", nargs="+", default=SETS, help="fault plans of potline simulate")
    parser.add_argument("--dry", action="store_true", help="print only; leave results and README as they are")
    arguments = parser.parse_args()
    sets: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, faults in enumerate(arguments.sets):
            seed = arguments.seed + number
            how = (arguments.cells, arguments.days, arguments.interval)
            sets[faults] = kept(scored(Path(folder), faults, *how, seed))
    size = {"cells": arguments.cells, "days": arguments.days, "interval_s": arguments.interval}
    figures: Figures = {"size": size, "targets": judged(sets), "sets": sets}
    for target in figures["targets"]:
        print(results.target_line(target))
    if not arguments.dry:
        results.write("detection", results.conditions(arguments.seed, PACKAGES) | figures)


if __name__ == "__main__":
    main()
