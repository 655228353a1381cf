"""How good and how honest the twin's estimates are, on simulated lines of ``plant/`` and never of the twin.

Every line runs for days at one second; the observer gets what the gateway would give it: means of ten seconds,
the plant's log as it is written, laboratory results hours after they were taken. In every line things go wrong:

* three hours in which nothing arrives at all, readings and log alike, in the middle of the record;
* three hours without line current, later;
* a voltmeter that repeats its last value for twelve hours, a shell thermocouple that is open for a day, an anode
  current that repeats itself for a day, one cell each;
* of the samples, what the plant itself misses (6 % of the visits) or misreads (0.5 % by 20 K), every tenth analysis
  lost besides, and three days without any sample in one cell.

The truth is taken every ten minutes. The first day is not scored, everything else is, outages and stuck sensors
included. The yardstick of bath temperature is the last hand measurement that was known at the time.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from edge.anode_log import AnodeLog
from edge.pipeline import cell_layout, cell_params
from plant.cells import hidden
from plant.faults import Fault
from plant.line import Line, PlantEvent, PlantSample
from plant.publish import plant_toml
from plant.supply import Outage
from plant.technology import TECHNOLOGIES
from streams.plant_file import Plant, load_plant
from twin.observer import Observer
from twin.params import CellParams
from twin.signals import SIGNALS

F = NDArray[np.float64]

#: What the filter was developed on, and what it is scored on once: as many lines as end in a quarter of an hour. Of
#: P180 and P500, which potline scales from 300 kA, one line each was looked at, with an outage, when noise was set.
DEVELOPMENT = {"P300": (101, 102, 103, 104, 105, 109), "P180": (106,), "P500": (107,)}
FINAL = {"P300": (301, 302), "P180": (311,), "P500": (321,)}
SCAN_S, BLOCK_S = 10, 600
_START_US = 1_767_225_600_000_000
#: Estimates with a standard deviation, what they are compared with in the truth, and the unit.
_SCORED = {
    "bath_temp_C": ("bath_temp_C", "bath_temp_sd_C"),
    "superheat_C": ("superheat_C", "superheat_sd_C"),
    "alumina_pct": ("alumina_pct", "alumina_sd_pct"),
    "acd_mm": ("acd_mm", "acd_sd_mm"),
    "ledge_bath_mm": ("ledge_bath_mm", "ledge_bath_sd_mm"),
    "current_efficiency": ("current_efficiency", "current_efficiency_sd"),
}
#: Diverged: longer than a day beyond so many standard deviations, or ever outside what a cell can be.
_DIVERGED_SD, _DIVERGED_S = 5.0, 86400.0
_POSSIBLE = {
    "bath_temp_C": (880.0, 1020.0),
    "superheat_C": (-5.0, 40.0),
    "alumina_pct": (1.0, 8.0),
    "acd_mm": (10.0, 90.0),
    "ledge_bath_mm": (0.0, 300.0),
    "current_efficiency": (0.8, 0.98),
}
_HEADS = ("rmse", "bias", "mean sd", "nrm err", "<1 sd", "<2 sd", ">5 sd", "diverged")


class Block(NamedTuple):
    """Ten minutes of a line as the gateway's working loop sees them, and the truth at their end.

    Attributes
    ----------
    end_us
        Time of the end.
    line_current_A, cell_voltage_V, ambient_temp_C, beam_mm, feed_kg : (scans, n)
    anode_current_A : (scans, n, anodes)
    shell_temp_C : (scans, n, sensors)
        Means or newest of each scan, NaN where nothing was measured.
    events, samples
        What became known in each scan, with the index of the scan.
    truth
        State of the plant at the end; arrays, cells first.
    """

    end_us: int
    line_current_A: F
    cell_voltage_V: F
    ambient_temp_C: F
    beam_mm: F
    feed_kg: F
    anode_current_A: F
    shell_temp_C: F
    events: list[tuple[int, PlantEvent]]
    samples: list[tuple[int, PlantSample]]
    truth: dict[str, F]


class Trial(NamedTuple):
    """One line to be run."""

    seed: int
    n_cells: int
    days: float
    technology: str

    @property
    def outage_s(self) -> tuple[float, float]:
        """Start and end of the time in which nothing arrives."""
        start = round(0.4 * self.days * 86400.0 / BLOCK_S) * float(BLOCK_S)
        return start, start + 3 * 3600.0

    @property
    def current_off(self) -> Outage:
        """The time without line current."""
        return Outage(round(0.8 * self.days * 86400.0 / BLOCK_S) * float(BLOCK_S), 3 * 3600.0)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Instruments that fail."""
        n, day = self.n_cells, 86400.0
        stuck_s = round(0.6 * self.days) * day
        silent = [Fault("stream_silent", i, *self.outage_s, 1.0) for i in range(n)]
        return (
            *silent,
            Fault("sensor_fault", 1 % n, stuck_s, stuck_s + 0.5 * day, 1.0),
            Fault("sensor_fault", 2 % n, stuck_s, stuck_s + day, 1.0, side="down"),
            Fault("sensor_fault", 3 % n, stuck_s, stuck_s + day, 1.0, anode=5),
        )


def run_line(trial: Trial) -> Iterator[Block]:
    """Live through one line, block by block; the same for the same trial."""
    line = Line(
        n_cells=trial.n_cells,
        seed=trial.seed,
        start_us=_START_US,
        technology=trial.technology,
        faults=trial.faults,
        outages=(trial.current_off,),
    )
    rng = np.random.default_rng([trial.seed, 77])
    waiting: list[PlantSample] = []
    index = {cell: i for i, cell in enumerate(line.cell_ids)}
    without = (4 % trial.n_cells, round(0.7 * trial.days), round(0.7 * trial.days) + 3)
    area = hidden(line.technology, trial.n_cells, trial.seed).ledge_area_m2
    for number in range(round(trial.days * 86400 / BLOCK_S)):
        first_us = _START_US + number * BLOCK_S * 1_000_000
        end_us = first_us + BLOCK_S * 1_000_000
        dark = trial.outage_s[0] <= number * BLOCK_S < trial.outage_s[1]
        chunk = line.advance(BLOCK_S)
        scans = BLOCK_S // SCAN_S
        feed_kg = np.zeros((scans, trial.n_cells))
        events: list[tuple[int, PlantEvent]] = []
        for event in chunk.events:
            scan = min(max((event.time_us - first_us) // (SCAN_S * 1_000_000), 0), scans - 1)
            if dark:
                continue
            if event.event == "alumina_feed":
                feed_kg[scan, index[event.cell]] += float(event.attributes["mass_kg"])
            else:
                events.append((scan, event))
        for sample in chunk.samples:
            day = (sample.time_us - _START_US) // 86_400_000_000
            gone = index[sample.cell] == without[0] and without[1] <= day < without[2]
            lost = rng.random() < 0.1 and sample.signal != "bath_temp_C"
            if not gone and not lost:
                waiting.append(sample)
        samples = [
            (max((s.received_us - first_us) // (SCAN_S * 1_000_000), 0), s)
            for s in sorted(waiting, key=lambda s: (s.received_us, s.cell, s.signal))
            if s.received_us < end_us and not dark
        ]
        waiting = [s for s in waiting if s.received_us >= end_us or dark]
        truth = line.truth()
        truth["superheat_C"] = truth["bath_temp_C"] - truth["liquidus_temp_C"]
        truth["ledge_bath_mm"] = (truth["ledge_mm"] * area).sum(axis=1) / area.sum(axis=1)
        truth["acd_mm"] = _distance_mm(line)
        yield Block(
            end_us,
            _means(np.tile(chunk.line_current_A[:, None], trial.n_cells) if not dark else _nothing(trial)),
            _means(chunk.cell_voltage_V),
            _slow(np.tile(chunk.ambient_temp_C[:, None], trial.n_cells) if not dark else _nothing(trial)),
            _slow(chunk.beam_position_mm),
            feed_kg,
            chunk.anode_current_A[SCAN_S - 1 :: SCAN_S],
            _possible(_slow(chunk.shell_temp_C), "shell_temp_C"),
            events,
            samples,
            truth,
        )


def observe(
    trial: Trial, blocks: Iterator[Block], observer: Observer | None = None
) -> tuple[dict[str, F], float]:
    """Run the observer over a line.

    Returns
    -------
    dict of (instants, n_cells)
        Truth, estimates and yardstick at the end of every block.
    float
        Time of the observer per cell and scan [us].
    """
    observer = observer or make_observer(trial)
    log = AnodeLog(trial.n_cells, TECHNOLOGIES[trial.technology].n_anodes)
    held_C = np.full(trial.n_cells, np.nan)
    rows: dict[str, list[F]] = {}
    spent_s, scans = 0.0, 0
    for block in blocks:
        count = block.cell_voltage_V.shape[0]
        by_scan: list[list[PlantEvent | PlantSample]] = [[] for _ in range(count)]
        for scan, event in block.events:
            by_scan[scan].append(event)
        for scan, sample in block.samples:
            by_scan[scan].append(sample)
        estimate = None
        for k in range(count):
            time_us = block.end_us - (count - 1 - k) * SCAN_S * 1_000_000
            for entry in by_scan[k]:
                cell = int(entry.cell[-3:]) - 1
                if isinstance(entry, PlantSample):
                    observer.sample(
                        cell, entry.signal, entry.value, max((time_us - entry.time_us) / 1e6, 0.0)
                    )
                    if entry.signal == "bath_temp_C":
                        held_C[cell] = entry.value
                    continue
                if entry.event == "anode_change":
                    log.change(cell, int(entry.attributes["anode"]) - 1, entry.time_us)
                observer.event(cell, entry.event, entry.attributes)
            age_h = log.age_h(time_us)
            begun = time.perf_counter()
            estimate = observer.step(
                float(SCAN_S),
                block.line_current_A[k],
                block.cell_voltage_V[k],
                block.anode_current_A[k],
                block.shell_temp_C[k],
                block.ambient_temp_C[k],
                block.feed_kg[k],
                block.beam_mm[k],
                age_h,
            )
            spent_s += time.perf_counter() - begun
        scans += count
        assert estimate is not None
        for name, array in block.truth.items():
            if array.ndim == 1:
                rows.setdefault(f"true_{name}", []).append(array)
        for name, array in estimate._asdict().items():
            if array.ndim == 1:
                rows.setdefault(name, []).append(array.astype(np.float64))
        rows.setdefault("held_C", []).append(held_C.copy())
    return {name: np.array(values) for name, values in rows.items()}, 1e6 * spent_s / scans / trial.n_cells


def make_observer(trial: Trial) -> Observer:
    """Give the observer as the gateway builds it from the ``plant.toml`` of the line."""
    plant = _plant(trial)
    layout = cell_layout(plant, TECHNOLOGIES[trial.technology].n_shell)
    params, _ = cell_params(plant)
    return Observer(params, layout.n_anodes, layout.shell_side)


def cell_constants(trial: Trial) -> list[CellParams]:
    """Give the constants of the cells as the gateway has them."""
    params, without = cell_params(_plant(trial))
    assert not without
    return [cell for cell in params if cell is not None]


def _plant(trial: Trial) -> Plant:
    line = Line(n_cells=trial.n_cells, seed=trial.seed, start_us=_START_US, technology=trial.technology)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plant.toml"
        path.write_text(plant_toml(line), encoding="utf-8")
        return load_plant(path)


def score(found: list[dict[str, F]]) -> dict[str, Any]:
    """Figures of some lines together.

    Parameters
    ----------
    found
        As ``observe`` gives them, one of each line.
    """
    first = round(86400 / BLOCK_S)
    rows = {name: np.concatenate([f[name][first:] for f in found], axis=1) for name in found[0]}
    held = rows["held_C"] - rows["true_bath_temp_C"]
    figures: dict[str, Any] = {"cells": int(held.shape[1]), "days": round(held.shape[0] / first + 1.0, 2)}
    states: dict[str, dict[str, Any]] = {}
    for name, (field, sd_field) in _SCORED.items():
        figures_of = _state_figures(rows[field] - rows[f"true_{name}"], rows[sd_field])
        low, high = _POSSIBLE[name]
        outside = ~((rows[field] >= low) & (rows[field] <= high)).all(axis=0)
        figures_of["cells_diverged"] = int((outside | figures_of.pop("lost")).sum())
        states[name] = figures_of
    figures["states"] = states
    figures["held_bath_temp_rmse_C"] = _rms(held)
    bath = rows["bath_temp_C"] - rows["true_bath_temp_C"]
    figures["bath_temp_rmse_over_held"] = _round(float(_rms(bath)) / float(_rms(held)))
    ratio = np.sqrt(np.nanmean(bath**2, axis=0) / np.nanmean(held**2, axis=0))
    figures["bath_temp_rmse_over_held_by_cell"] = [_round(float(x)) for x in ratio]
    figures["assessed_share"] = _round(float(np.mean(rows["assessed"])))
    return figures


def _state_figures(error: F, sd: F) -> dict[str, Any]:
    z = error / sd
    lost = ~np.isfinite(z) | (np.abs(z) > _DIVERGED_SD)
    run, longest = np.zeros(z.shape[1]), np.zeros(z.shape[1])
    for row in lost:
        run = np.where(row, run + 1.0, 0.0)
        longest = np.maximum(longest, run)
    good = np.isfinite(z)
    return {
        "rmse": _rms(error),
        "bias": _round(float(np.nanmean(error))),
        "mean_sd": _round(float(np.nanmean(sd))),
        "normalised_error": _rms(z),
        "inside_1_sd": _round(float(np.mean(np.abs(z[good]) < 1.0))),
        "inside_2_sd": _round(float(np.mean(np.abs(z[good]) < 2.0))),
        "beyond_5_sd_or_nan": int(lost.sum()),
        "lost": longest * BLOCK_S > _DIVERGED_S,
        "rmse_by_cell": [_rms(column) for column in error.T],
        "normalised_error_by_cell": [_rms(column) for column in z.T],
    }


def _rms(values: F) -> float:
    return _round(float(np.sqrt(np.nanmean(np.square(values)))))


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _nothing(trial: Trial) -> F:
    return np.full((BLOCK_S, trial.n_cells), np.nan)


def _means(seconds: F) -> F:
    """Mean of every scan; NaN where a whole scan is missing."""
    parts = seconds.reshape(-1, SCAN_S, *seconds.shape[1:])
    return np.where(np.isnan(parts).all(axis=1), np.nan, np.nansum(parts, axis=1) / SCAN_S)


def _slow(seconds: F) -> F:
    """What is read once a minute, in its scan; NaN in the others."""
    scans = np.full((seconds.shape[0] // SCAN_S, *seconds.shape[1:]), np.nan)
    every = 60 // SCAN_S
    scans[::every] = seconds[::60]
    return scans


def _possible(values: F, signal: str) -> F:
    """NaN for what no instrument can have measured, as the gateway's aligner has it."""
    limits = SIGNALS[signal]
    return np.where((values >= limits.low) & (values <= limits.high), values, np.nan)


def _distance_mm(line: Line) -> F:
    """Mean gap between metal and those anodes that carry current."""
    # The truth of the plant has no distance; its state has what the distance is made of.
    state = line._state  # pyright: ignore[reportPrivateUsage]
    metal_mm = 1000.0 * state.metal_kg / (2300.0 * line.technology.metal_area_m2)
    gap_mm = state.beam_mm[:, None] + state.clamp_mm - state.height_mm - metal_mm[:, None]
    return (gap_mm * state.contact).sum(axis=1) / state.contact.sum(axis=1)


def _one(n_cells: int, days: float, technology: str, seed: int) -> tuple[dict[str, F], float]:
    trial = Trial(seed, n_cells, days, technology)
    return observe(trial, run_line(trial))


def _targets(sets: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What was asked for, of every technology."""
    found: list[dict[str, Any]] = []

    def target(what: str, value: float, said: str, met: bool) -> None:
        found.append({"what": what, "value": value, "target": said, "met": bool(met)})

    for name, run in sets.items():
        states = run["states"]
        for state, of in states.items():
            value = of["normalised_error"]
            target(f"{name}, {state}: error / sd", value, "0.8 to 1.2", 0.8 <= value <= 1.2)
        ratio = run["bath_temp_rmse_over_held"]
        target(f"{name}, bath temperature over held sample", ratio, "at most 0.75", ratio <= 0.75)
        value = states["alumina_pct"]["rmse"]
        target(f"{name}, alumina RMSE, wt%", value, "at most 0.3", value <= 0.3)
        diverged = sum(of["cells_diverged"] for of in states.values())
        target(f"{name}, cells diverged", diverged, "0", diverged == 0)
    return found


def _print(name: str, figures: dict[str, Any]) -> None:
    print(f"\n{name}: {figures['cells']} cells, {figures['days']} days, first day not scored")
    print(" ".join([f"{'state':20s}", *(f"{head:>8s}" for head in _HEADS)]))
    for state, values in figures["states"].items():
        keys = (
            "mean_sd",
            "normalised_error",
            "inside_1_sd",
            "inside_2_sd",
            "beyond_5_sd_or_nan",
            "cells_diverged",
        )
        rest = [values[key] for key in keys]
        print(
            f"{state:20s} {values['rmse']:8.4f} {values['bias']:8.4f} " + " ".join(f"{x:8.3f}" for x in rest)
        )
    print(
        f"bath temperature: held last sample {figures['held_bath_temp_rmse_C']} C, "
        f"ratio {figures['bath_temp_rmse_over_held']}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Score the observer and write the figures.

    Parameters
    ----------
    arguments
        Command line; that of the process without it.
    """
    parser = argparse.ArgumentParser(prog="observer_score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--set", choices=("development", "final"), default="final", help="only final writes figures"
    )
    parser.add_argument("--cells", type=int, default=3, help="cells of each line (3)")
    parser.add_argument("--days", type=float, default=30.0, help="length of each record (30)")
    parser.add_argument("--jobs", type=int, default=2, help="lines at a time (2)")
    chosen = parser.parse_args(arguments)
    lines = FINAL if chosen.set == "final" else DEVELOPMENT
    todo = [(name, seed) for name, seeds in lines.items() for seed in seeds]
    with ProcessPoolExecutor(chosen.jobs) as pool:
        names, seeds = zip(*todo, strict=True)
        done = list(pool.map(partial(_one, chosen.cells, chosen.days), names, seeds))
    sets: dict[str, dict[str, Any]] = {}
    for name, its_seeds in lines.items():
        found = [result for (of, _), result in zip(todo, done, strict=True) if of == name]
        sets[name] = score([rows for rows, _ in found]) | {
            "seeds": list(its_seeds),
            "observer_us_per_cell_step": [_round(us) for _, us in found],
        }
        _print(name, sets[name])
    if chosen.set == "final":
        figures = results.conditions(FINAL["P300"][0], ("numpy", "numba"))
        figures |= {
            "scan_s": SCAN_S,
            "tuned_on": {name: list(seeds) for name, seeds in DEVELOPMENT.items()},
            "sets": sets,
            "targets": _targets(sets),
        }
        results.write("observer", figures)
        print(results.observer_table(figures))


if __name__ == "__main__":
    main()
