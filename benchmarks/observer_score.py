"""How good and how honest the twin's estimates are, on simulated lines of ``plant/`` and never of the twin.

Every line runs for days at one second; the observer gets what the gateway would give it: means of ten seconds,
the plant's log as it is written, laboratory results hours after they were taken. In every line things go wrong:

* three hours in which nothing arrives at all, readings and log alike, in the middle of the record;
* a voltmeter that repeats its last value for twelve hours, a shell thermocouple that is open for a day, an anode
  current that repeats itself for a day, one cell each;
* of the samples, what the plant itself misses (6 % of the visits) or misreads (0.5 % by 20 K), every tenth analysis
  lost besides, and three days without any sample in one cell.

The truth is taken every ten minutes. The first day is not scored, everything else is, outage and stuck sensors
included. The yardstick of bath temperature is the last hand measurement that was known at the time.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.anode_log import AnodeLog
from edge.pipeline import cell_layout, cell_params
from plant.cells import hidden
from plant.faults import Fault
from plant.line import Line, PlantEvent, PlantSample
from plant.publish import plant_toml
from plant.technology import TECHNOLOGIES
from streams.plant_file import Plant, load_plant
from twin.observer import Observer
from twin.params import CellParams
from twin.signals import SIGNALS

F = NDArray[np.float64]

#: What filters are tuned on, and what they are scored on once.
DEVELOPMENT_SEEDS = (101, 102, 103)
FINAL_SEEDS = (201, 202, 203, 204)
SCAN_S, BLOCK_S = 10, 600
_START_US = 1_767_225_600_000_000
_RESULTS = Path(__file__).parent / "results" / "observer.json"
#: Estimates with a standard deviation, what they are compared with in the truth, and the unit.
_SCORED = {
    "bath_temp_C": ("bath_temp_C", "bath_temp_sd_C"),
    "superheat_C": ("superheat_C", "superheat_sd_C"),
    "alumina_pct": ("alumina_pct", "alumina_sd_pct"),
    "acd_mm": ("acd_mm", "acd_sd_mm"),
    "ledge_bath_mm": ("ledge_bath_mm", "ledge_bath_sd_mm"),
}
_DIVERGED_SD = 5.0
_HEADS = ("rmse", "bias", "mean sd", "nrm err", "<1 sd", "<2 sd", ">5 sd")


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


def score(found: list[dict[str, F]]) -> dict[str, object]:
    """Figures of some lines together.

    Parameters
    ----------
    found
        As ``observe`` gives them, one of each line.
    """
    first = round(86400 / BLOCK_S)
    rows = {name: np.concatenate([f[name][first:] for f in found], axis=1) for name in found[0]}
    held = rows["held_C"] - rows["true_bath_temp_C"]
    figures: dict[str, object] = {"cells": int(held.shape[1]), "days": round(held.shape[0] / first + 1.0, 2)}
    states: dict[str, dict[str, object]] = {}
    for name, (field, sd_field) in _SCORED.items():
        states[name] = _state_figures(rows[field] - rows[f"true_{name}"], rows[sd_field])
    error = rows["current_efficiency"] - rows["true_current_efficiency"]
    states["current_efficiency"] = {"rmse": _rms(error), "bias": _round(float(np.nanmean(error)))}
    figures["states"] = states
    figures["held_bath_temp_rmse_C"] = _rms(held)
    bath = rows["bath_temp_C"] - rows["true_bath_temp_C"]
    figures["bath_temp_rmse_over_held"] = _round(float(_rms(bath)) / float(_rms(held)))
    ratio = np.sqrt(np.nanmean(bath**2, axis=0) / np.nanmean(held**2, axis=0))
    figures["bath_temp_rmse_over_held_by_cell"] = [_round(float(x)) for x in ratio]
    figures["assessed_share"] = _round(float(np.mean(rows["assessed"])))
    return figures


def _state_figures(error: F, sd: F) -> dict[str, object]:
    z = error / sd
    lost = ~np.isfinite(z) | (np.abs(z) > _DIVERGED_SD)
    good = np.isfinite(z)
    return {
        "rmse": _rms(error),
        "bias": _round(float(np.nanmean(error))),
        "mean_sd": _round(float(np.nanmean(sd))),
        "normalised_error": _rms(z),
        "inside_1_sd": _round(float(np.mean(np.abs(z[good]) < 1.0))),
        "inside_2_sd": _round(float(np.mean(np.abs(z[good]) < 2.0))),
        "beyond_5_sd_or_nan": int(lost.sum()),
        "cells_diverged": int(lost.any(axis=0).sum()),
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


def _print(name: str, figures: dict[str, object]) -> None:
    print(f"\n{name}: {figures['cells']} cells, {figures['days']} days, first day not scored")
    print(" ".join([f"{'state':20s}", *(f"{head:>8s}" for head in _HEADS)]))
    states = figures["states"]
    assert isinstance(states, dict)
    for state, values in states.items():
        keys = ("mean_sd", "normalised_error", "inside_1_sd", "inside_2_sd", "beyond_5_sd_or_nan")
        rest = [values.get(key, float("nan")) for key in keys]
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
    parser.add_argument("--set", choices=("development", "final", "both"), default="both")
    parser.add_argument("--cells", type=int, default=5, help="cells of each line (5)")
    parser.add_argument("--days", type=float, default=30.0, help="length of each record (30)")
    parser.add_argument("--technology", default="P300", help="design of the simulated plant (P300)")
    parser.add_argument("--jobs", type=int, default=2, help="lines at a time (2)")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="JSON to write")
    chosen = parser.parse_args(arguments)
    sets = {"development": DEVELOPMENT_SEEDS, "final": FINAL_SEEDS}
    result: dict[str, object] = {
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "technology": chosen.technology,
        "scan_s": SCAN_S,
    }
    work = partial(_one, chosen.cells, chosen.days, chosen.technology)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for name, seeds in sets.items():
            if chosen.set not in (name, "both"):
                continue
            done = list(pool.map(work, seeds))
            figures = score([found for found, _ in done])
            figures["seeds"] = list(seeds)
            figures["observer_us_per_cell_step"] = [_round(us) for _, us in done]
            result[name] = figures
            _print(name, figures)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
