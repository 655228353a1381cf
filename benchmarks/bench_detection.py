"""``make bench-detection``: fresh simulated lines through the whole, and their alarms scored beside the null models.

Simulate, replay and evaluate run as people run them, by the commands. The seeds are this file's own: nothing was tuned
on them. A small line says little about rare events; the intervals in the table say how little. What each layer adds is
scored on the views of the enriched line of another technology, with the layer taken away.
"""

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from benchmarks import results
from benchmarks.ablation import LAYERS, without_layer
from benchmarks.detection_table import target_line
from benchmarks.detection_targets import judged
from benchmarks.results import Figures
from benchmarks.tape import Recorder
from edge.cli import main as potline
from edge.config import Config
from edge.replay import replay
from models.scoring.rules import FAMILIES

#: Seeds 20261121 to 20261124 and 20261201 to 20261204 were looked at, and faults were mended after them.
SEED = 20261211
PACKAGES = ("numpy", "numba", "pyarrow")


class Setting(NamedTuple):
    """One fresh line: its faults and its cells."""

    faults: str
    technology: str
    cells: int
    days: float


#: Another technology with one thermocouple a side, for how far what holds on P300 holds elsewhere.
FEW_SENSORS = """name = "P500few"
like = "P500"
n_shell = 4
shell_sides = ["up", "down", "duct", "tap"]
n_bars = 0
"""
SETS = {
    "enriched": Setting("enriched", "P300", 32, 20.0),
    "natural": Setting("natural", "P300", 32, 20.0),
    "shift": Setting("shift", "P500", 16, 12.0),
    "enriched elsewhere": Setting("enriched", "P500few.toml", 18, 14.0),
}

#: The line on which layers are taken away.
LAYERED = "enriched elsewhere"

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


def scored(folder: Path, setting: Setting, interval_s: float, seed: int, tape: Path | None) -> Figures:
    """Scores of one fresh history, as ``potline evaluate`` prints them, and what each step took [s].

    Parameters
    ----------
    folder
        Gets the history, unless it is there already, and its replay.
    setting
        What to simulate.
    interval_s
        Between two rows of a cell [s].
    seed
        Of the line.
    tape
        Gets what the detectors saw; None for no tape.
    """
    # A line of another size is another line.
    stem = f"{seed}-{setting.cells}x{setting.days:g}"
    history, out = folder / stem, folder / f"{stem}-out"
    technology = setting.technology
    if technology.endswith(".toml"):
        (folder / technology).write_text(FEW_SENSORS, encoding="utf-8")
        technology = str(folder / technology)
    size = ["--cells", str(setting.cells), "--days", str(setting.days), "--interval", str(interval_s)]
    line = ["--faults", setting.faults, "--technology", technology, "--seed", str(seed), *size]
    seconds: dict[str, float] = {}
    printed = ""
    if tape is not None:
        shutil.rmtree(tape, ignore_errors=True)
    recorder = Recorder(history, tape) if tape is not None else None
    commands: tuple[tuple[str, Callable[[], int]], ...] = (
        ("simulate", lambda: potline(["simulate", "--out", str(history), *line])),
        ("replay", lambda: replay(history, out, Config(), speed=None, say=print, watch=recorder)),
        (
            "evaluate",
            lambda: potline(["evaluate", str(out), str(history), "--readings", str(history), "--table"]),
        ),
    )
    for what, command in commands:
        if what == "simulate" and (history / "labels.parquet").is_file():
            continue
        start = perf_counter()
        with redirect_stdout(StringIO()) as text:
            code = command()
        if code != 0:
            sys.exit(f"{what} of {history}: exit code {code}")
        seconds[what] = round(perf_counter() - start, 1)
        printed = text.getvalue()
    if recorder is not None:
        recorder.finish()
    return json.loads(printed) | {"seed": seed, "setting": setting._asdict(), "seconds": seconds}


def main() -> None:
    """Run both sets, print their tables, write ``results/detection.json`` and the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of the days of every set")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between rows of a cell")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--dry", action="store_true", help="print only; leave results and README as they are")
    parser.add_argument(
        "--keep", type=Path, help="keep histories in this folder, and use those that are there"
    )
    parser.add_argument("--jobs", type=int, default=2, help="sets that are run side by side")
    arguments = parser.parse_args()
    # Each set has its seed, whichever others are run.
    seeds = {name: arguments.seed + list(SETS).index(name) for name in arguments.sets}
    layers: list[Figures] = []
    with (
        tempfile.TemporaryDirectory() as temporary,
        ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool,
    ):
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        running = {
            name: pool.submit(
                scored,
                folder,
                SETS[name]._replace(days=SETS[name].days * arguments.scale),
                arguments.interval,
                seed,
                folder / f"{seed}.tape" if name == LAYERED else None,
            )
            for name, seed in seeds.items()
        }
        sets: Figures = {name: kept(scores.result()) for name, scores in running.items()}
        if LAYERED in seeds:
            views = folder / f"{seeds[LAYERED]}.tape"
            layers = list(pool.map(without_layer, [views] * len(LAYERS), range(len(LAYERS))))
    figures: Figures = {
        "interval_s": arguments.interval,
        "targets": judged(sets),
        "sets": sets,
        "layers": layers,
    }
    for target in figures["targets"]:
        print(target_line(target))
    if not arguments.dry:
        results.write("detection", results.conditions(arguments.seed, PACKAGES) | figures)


if __name__ == "__main__":
    main()
