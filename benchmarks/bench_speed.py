"""``make bench-speed``: who steps the same cells how fast, and what one scan of a line costs.

Every rival must first agree with NumPy. Rounds are interleaved, so that a busy neighbour slows all of them, and the
best round counts: it is the one that was least disturbed.
"""

import os
import subprocess
import sys
import tempfile
from math import inf, nan
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks import lundby_kernel, results, rivals
from benchmarks.line_step import N_ANODES, N_CELLS, N_SHELL, line_step
from benchmarks.lundby import scenario
from benchmarks.model_step import dynamic_cell, network

FloatArray = NDArray[np.float64]

SEED, DT_S, ROUNDS, CHECKED_STEPS = 7, 10.0, 40, 360
#: Largest relative difference from NumPy after an hour that is the same answer.
SAME = 1e-9
SCIPY_CELLS, SCIPY_SPAN_S, SCIPY_RESTARTS = 4, 3600.0, 30
PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "casadi")

Contender = tuple[str, str, rivals.Rival, int]


def measure(contenders: list[Contender]) -> dict[str, results.Figures]:
    """Check every contender against NumPy, then time all of them in turn."""
    x, u = scenario(N_CELLS, SEED)
    reference = rivals.numpy_arrays(x, u, DT_S)(CHECKED_STEPS)
    figures: dict[str, results.Figures] = {}
    for key, what, rival, _ in contenders:
        difference = float(np.max(np.abs(rival(x, u, DT_S)(CHECKED_STEPS) / reference - 1.0)))
        if not difference <= SAME:
            sys.exit(f"{what} disagrees with NumPy by {difference:.1e}: its time would mean nothing")
        figures[key] = {"what": what, "difference": difference}
    seconds: dict[str, list[float]] = {key: [] for key, *_ in contenders}
    for _ in range(ROUNDS):
        for key, _, rival, n_steps in contenders:
            advance = rival(x, u, DT_S)
            advance(1)
            start = perf_counter()
            advance(n_steps)
            seconds[key].append((perf_counter() - start) / n_steps)
    for key, found in seconds.items():
        figures[key]["us_per_step"] = 1e6 * min(found)
        figures[key]["median_us_per_step"] = 1e6 * float(np.median(found))
        figures[key]["ns_per_cell_step"] = 1e9 * min(found) / N_CELLS
    return figures


def measure_scipy(method: str, rtol: float, *, restarted: bool) -> results.Figures:
    """SciPy's cost of the same simulated time, from a few cells; its steps are its own."""
    x, u = scenario(N_CELLS, SEED)
    x, u = x[:, :SCIPY_CELLS], u[:, :SCIPY_CELLS]
    n_steps = SCIPY_RESTARTS if restarted else round(SCIPY_SPAN_S / DT_S)
    reference = rivals.numpy_arrays(x, u, DT_S)(n_steps)
    span_s, restarts = (DT_S, n_steps) if restarted else (SCIPY_SPAN_S, 1)
    best, difference = inf, nan
    for _ in range(12):
        start = perf_counter()
        found = rivals.scipy_cells(x, u, span_s, method, rtol, restarts)
        best = min(best, perf_counter() - start)
        difference = float(np.max(np.abs(found / reference - 1.0)))
    per_cell_step = best / SCIPY_CELLS / n_steps
    return {
        "what": f"SciPy `solve_ivp` {method}, rtol {rtol:g}{', restarted' if restarted else ''}",
        "cells": SCIPY_CELLS,
        "us_per_step": 1e6 * per_cell_step * N_CELLS,
        "ns_per_cell_step": 1e9 * per_cell_step,
        "difference": difference,
    }


def first_start_s() -> results.Figures:
    """Time of a new process until its first scans are done [s]: all kernels compiled, and from their cache."""
    code = "from benchmarks.line_step import line_step; line_step(7, n_scans=6, n_warm=66)"
    found: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            start = perf_counter()
            environment = os.environ | {"NUMBA_CACHE_DIR": folder}
            subprocess.run([sys.executable, "-c", code], check=True, cwd=results.ROOT, env=environment)
            found.append(perf_counter() - start)
    return {"compiling": found[0], "from_cache": found[1]}


def main() -> None:
    """Measure, print the table, write ``results/speed.json`` and the README."""
    with tempfile.TemporaryDirectory() as folder:
        plain, blocks = rivals.c_rivals(rivals.c_library(Path(folder)))
        figures = measure(
            [
                ("ours", "ours: Numba, blocks of cells, polynomials", rivals.ours, 500),
                ("c_blocks", f"C `{' '.join(rivals.C_FLAGS)}`, our layout", blocks, 500),
                ("c_plain", f"C `{' '.join(rivals.C_FLAGS)}`, one array a state", plain, 500),
                ("numba_plain", "Numba, cell by cell, C library", rivals.numba_plain, 100),
                ("numpy", "NumPy over all cells", rivals.numpy_arrays, 20),
                ("casadi", "CasADi `map` over all cells", rivals.casadi_map, 20),
            ]
        )
    ours = figures["ours"]["us_per_step"]
    fastest_c = min(figures["c_blocks"]["us_per_step"], figures["c_plain"]["us_per_step"])
    scan = line_step(SEED)
    apart = [network(SEED), dynamic_cell()]
    with_network = scan[0].best + apart[0].best
    together = with_network + apart[1].best
    over_casadi, over_c = figures["casadi"]["us_per_step"] / ours, ours / fastest_c
    assembly = "".join(lundby_kernel.advance.inspect_asm().values())  # pyright: ignore
    run = results.conditions(SEED, PACKAGES) | {
        "size": {"cells": N_CELLS, "dt_s": DT_S, "rounds": ROUNDS, "checked_steps": CHECKED_STEPS},
        "rivals": figures,
        "scipy": [
            measure_scipy(method, 1e-6, restarted=restarted)
            for method in ("RK45", "LSODA")
            for restarted in (False, True)
        ],
        "our_vector_registers": {name: assembly.count(name) for name in ("zmm", "ymm")},
        "line_step": {
            "cells": N_CELLS,
            "anodes": N_ANODES,
            "shell": N_SHELL,
            "parts": [part._asdict() for part in (*scan, *apart)],
        },
        "first_start_s": first_start_s(),
        "targets": [
            _target("CasADi `map` over ours", over_casadi, "at least 25", over_casadi >= 25.0),
            _target("ours over the faster C", over_c, "at most 1.5", over_c <= 1.5),
            _target("the twin's scan as it runs, us a cell", scan[0].best, "below 10", scan[0].best < 10.0),
            _target(
                "with the network of anode currents, us a cell", with_network, "below 10", with_network < 10.0
            ),
            _target(
                "with the network and the dynamic cell on top, us a cell",
                together,
                "below 10",
                together < 10.0,
            ),
        ],
    }
    results.write("speed", run)
    print(results.speed_table(run))


def _target(what: str, value: float, target: str, met: bool) -> results.Figures:
    return {"what": what, "value": value, "target": target, "met": met}


if __name__ == "__main__":
    main()
