"""What the energy ledger costs for 420 cells and a year, and how near it comes to the truth of a simulated month.

``python -m benchmarks.bench_ledger`` runs both and writes ``results/ledger.json``; ``--cost``, ``--truth`` and
``--imagined 40`` run one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import results
from benchmarks.ledger_month import imagined_month, simulated_month
from benchmarks.ledger_site import write_site
from twin.book import NORMAL, Book
from twin.limits import load_limits
from twin.period import cell_period

_CELLS, _DAYS = 420, 365
_HOUR_US = 3_600_000_000


def cost(seed: int) -> results.Figures:
    """Time and memory of a year's report, and of the rolling update after one more hour."""
    with tempfile.TemporaryDirectory() as folder:
        write_site(Path(folder), n_cells=_CELLS, days=_DAYS, seed=seed)
        # In a process of its own, so that its peak of memory is the report's alone.
        code = "import sys; from edge.cli import main; sys.exit(main(sys.argv[1:]))"
        started = time.perf_counter()
        arguments = [sys.executable, "-c", code, "report", folder, "--period", "2025"]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak_MB = used.ru_maxrss / 1024.0
        pages = sum(path.stat().st_size for path in Path(folder).glob("review*"))
    return {
        "cells": _CELLS,
        "rows": _CELLS * _DAYS * 24,
        "report_s": round(seconds, 2),
        "report_cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "load_average": round(os.getloadavg()[0], 1),
        "report_peak_MB": round(peak_MB),
        "report_bytes": pages,
        "said": done.stdout.strip().splitlines()[0],
        "rolling_update_ms": round(1000.0 * _rolling(seed, time.perf_counter), 2),
        "rolling_update_cpu_ms": round(1000.0 * _rolling(seed, time.process_time), 2),
    }


def _rolling(seed: int, clock: Callable[[], float]) -> float:
    """Seconds by a clock to append an hour and give all cells their rolling twelve months; the slowest of twenty."""
    rng = np.random.default_rng(seed)
    book = Book(np.zeros(_CELLS, dtype=np.int64))
    normal = np.full((24, _CELLS), NORMAL, dtype=np.int8)
    covered = np.full((24, _CELLS), 3600.0)
    start_us = 1_735_689_600_000_000
    for day in range(_DAYS + 40):
        hours_us = start_us + (24 * day + np.arange(24, dtype=np.int64)) * _HOUR_US
        charge = np.full((24, _CELLS), 300.0)
        book.extend(hours_us, rng.normal(3.98, 0.02, (24, _CELLS)) * charge, charge, covered, normal)
    limits = load_limits()
    slowest = 0.0
    for hour in range(20):
        at_us = start_us + (24 * (_DAYS + 40) + hour) * _HOUR_US
        charge = np.full((1, _CELLS), 300.0)
        started = clock()
        book.extend(np.array([at_us]), 3.98 * charge, charge, covered[:1], normal[:1])
        efficiency = np.full(_CELLS, 0.935)
        cell_period(
            book.rolling(at_us),
            365.0 * 86400.0,
            efficiency,
            0.005 * efficiency,
            np.full(_CELLS, 0.97),
            np.full(_CELLS, 330e3),
            limits,
        )
        slowest = max(slowest, clock() - started)
    return slowest


def main() -> None:
    """Run what is asked for, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--truth", action="store_true")
    parser.add_argument("--imagined", type=int, help="number of imagined months")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--cells", type=int, default=24)
    arguments = parser.parse_args()
    path = results.FOLDER / "ledger.json"
    figures: results.Figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    figures |= results.conditions(arguments.seeds[0], ("numpy", "pyarrow", "numba"))
    if arguments.cost or not (arguments.truth or arguments.imagined):
        figures["cost"] = cost(arguments.seeds[0])
    if arguments.truth or not (arguments.cost or arguments.imagined):
        months = [simulated_month(s, arguments.cells) for s in arguments.seeds]
        figures["truth"] = months
    if arguments.imagined or not (arguments.cost or arguments.truth):
        count = arguments.imagined or 40
        figures["imagined"] = [imagined_month(seed, arguments.cells) for seed in range(1, count + 1)]
    results.write("ledger", figures)
    print(results.ledger_table(figures))


if __name__ == "__main__":
    main()
