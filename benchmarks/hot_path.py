"""What one second of a full line costs the gateway, and how much memory it holds: the pipeline from items to alarms.

Runs in a process of its own (``python -m benchmarks.hot_path``), so that nothing but what the gateway imports is in
memory; prints one JSON object.
"""

import gc
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import thread_time

import numpy as np

from benchmarks.results import Figures
from edge.alarm_rules import load_texts
from edge.config import Config
from edge.pipeline import Pipeline
from edge.rehearsal import rehearse
from streams.messages import Item, Reading, Sample
from streams.plant_file import Plant, load_plant

N_CELLS, N_ANODES, N_SHELL, N_BARS = 420, 40, 8, 16
_RATED_A = 400e3
_START_US = 1_767_225_600_000_000
#: Seconds in which kernels compile and cells come to be assessed, and seconds that are timed.
_WARM_S, _TIMED_S = 200, 600


def line(n_cells: int = N_CELLS) -> Plant:
    """A line of ``n_cells`` cells with every instrument."""
    sides = ["up", "up", "up", "down", "down", "down", "duct", "tap"]
    text = [
        'site = "s"',
        'time_zone = "Asia/Shanghai"',
        "[technology.T]",
        f"n_anodes = {N_ANODES}",
        "anode_life_h = 672",
        'anode_rows = ["up", "down"]',
        "n_feeders = 6",
        "shot_mass_kg = 1.8",
        f"n_shell = {N_SHELL}",
        f"shell_sides = {json.dumps(sides)}",
        f"n_bars = {N_BARS}",
        "[[line]]",
        'id = "L1"',
        f"rated_current_A = {_RATED_A:.0f}",
        'technology = "T"',
    ]
    for number in range(n_cells):
        text += ["[[line.cell]]", f'id = "L1-{number + 1:03d}"']
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.toml"
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        return load_plant(path)


def seconds(plant: Plant, seed: int) -> Iterator[list[Item]]:
    """Everything that comes in each second: voltages and anode currents at 1 Hz, temperatures and beam every minute.

    Parameters
    ----------
    plant
        Of ``line``.
    seed
        Of the noise.
    """
    rng = np.random.default_rng(seed)
    n_cells = len(plant.cells)
    mean_A = _RATED_A / N_ANODES
    age = rng.uniform(0.6, 1.1, (n_cells, N_ANODES))
    share = age / age.mean(axis=1, keepdims=True)
    shell_C = rng.normal(280.0, 15.0, (n_cells, N_SHELL))
    bars_C = rng.normal(220.0, 8.0, (n_cells, N_BARS))
    second = 0
    while True:
        time_us = _START_US + second * 1_000_000
        items: list[Item] = [
            Reading(time_us, "L1", "", "line_current_A", _RATED_A + 100.0 * rng.standard_normal())
        ]
        volt = 4.1 + 0.01 * rng.standard_normal(n_cells)
        anodes = mean_A * share * (1.0 + 0.01 * rng.standard_normal(share.shape))
        for i, cell in enumerate(plant.cells):
            items.append(Reading(time_us, "L1", cell.id, "cell_voltage_V", float(volt[i])))
            items.append(Reading(time_us, "L1", cell.id, "anode_current_A", tuple(anodes[i].tolist())))
            if (second + i) % 60 == 0:
                noise_C = 0.5 * rng.standard_normal(N_SHELL)
                items += [
                    Reading(time_us, "L1", cell.id, "shell_temp_C", tuple((shell_C[i] + noise_C).tolist())),
                    Reading(time_us, "L1", cell.id, "collector_bar_temp_C", tuple(bars_C[i].tolist())),
                    Reading(time_us, "L1", cell.id, "duct_gas_temp_C", 120.0 + float(noise_C[0])),
                    Reading(time_us, "L1", cell.id, "beam_position_mm", 200.0),
                ]
            if second == 0:
                items += [
                    Sample(time_us, time_us, cell.id, "bath_temp_C", 960.0),
                    Sample(time_us, time_us, cell.id, "excess_alf3_pct", 11.0),
                ]
        yield items
        second += 1


def resident_MB() -> float:
    """Memory of this process that lies in RAM [MB]."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024.0


def main() -> None:
    """Measure and print."""
    plant = line()
    pipeline = Pipeline(plant, Config(), load_texts())
    rehearse(plant, Config())
    # Collections as `edge.app` has them.
    gc.collect()
    gc.freeze()
    took_ms: list[float] = []
    source = seconds(plant, 7)
    for second in range(_WARM_S + _TIMED_S):
        items = next(source)
        begin = thread_time()
        pipeline.push(items)
        gc.collect(0)
        if second >= _WARM_S:
            took_ms.append(1e3 * (thread_time() - begin))
    found = np.array(took_ms)
    figures: Figures = {
        "cells": N_CELLS,
        "anodes": N_ANODES,
        "seconds": _TIMED_S,
        "mean_cpu_ms": float(found.mean()),
        "median_cpu_ms": float(np.median(found)),
        # Every tenth second closes a scan: the twin and the detectors.
        "scan_median_cpu_ms": float(np.median(np.sort(found)[-_TIMED_S // 10 :])),
        "worst_cpu_ms": float(found.max()),
        "resident_MB": resident_MB(),
        "imported": sorted({"torch", "sklearn", "scipy"} & set(sys.modules)),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
