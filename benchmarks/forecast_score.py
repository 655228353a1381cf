"""How good forecasts are and how often their bands hold, on simulated lines of ``plant/`` and never of the twin.

Lines are those of ``benchmarks.observer_score`` (outage, stuck instruments and missed samples included), other seeds.
Every 18 hours every assessed cell is forecast for 72 h from the observer's estimate, knowing what the gateway would
know: the last 48 h, and that anode changes and taps go on at the intervals of ``plant.toml`` after the last in the log.
Truth is the mean of the hour, of voltage and energy by the measured voltage. The rivals need no physics: the estimate
stays as it is, it goes to its own mean of the last day, or the last hand measurement stays.

On the tuning seeds the constants ``PROCESS_SD`` and ``PROCESS_H`` of ``twin.forecast`` are fitted, by hand, to what is
printed as ``fit``; the final seeds are scored once with what came out.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.observer_score import Block, Trial, cell_constants, observe, run_line
from twin.energy import dc_kwh_per_t
from twin.forecast import FORESEEN, PROCESS_H, PROCESS_SD, forecast, hold
from twin.forecast_present import Past, present_of
from twin.observer import Estimate
from twin.params import CellParams

F = NDArray[np.float64]

TUNING_SEEDS = (301, 302)
FINAL_SEEDS = (401, 402, 403)
AT_H = (1, 4, 12, 24, 48, 72)
AHEAD_H, PAST_H, FIRST_H, EVERY_H = 72, 48, 4 * 24, 18
_HOUR_US, _BLOCKS = 3_600_000_000, 6
#: What there is a truth of, and the estimate that stays.
_SCORED = ("bath_temp_C", "superheat_C", "alumina_pct", "ledge_bath_mm", "cell_voltage_V", "kwh_per_t")
_PACKAGES = ("numpy", "numba")


class Record(NamedTuple):
    """One line as it was observed: rows of ten minutes, and the log."""

    rows: dict[str, F]
    change_us: list[list[int]]
    tap_us: list[list[int]]
    start_us: int


class Scores(NamedTuple):
    """Forecasts beside what came, (1 + AHEAD_H, n_forecasts, len(_SCORED)); rivals too."""

    best: F
    sd: F
    truth: F
    stays: F
    day_mean: F
    sample: F


def live(trial: Trial) -> Record:
    """Live through a line with the observer beside it and keep what a forecast would know, and the truth."""
    means: dict[str, list[F]] = {"volt": [], "amp": [], "air": []}
    changes: list[list[int]] = [[] for _ in range(trial.n_cells)]
    taps: list[list[int]] = [[] for _ in range(trial.n_cells)]
    starts: list[int] = []

    def watched() -> Iterator[Block]:
        for block in run_line(trial):
            starts.append(block.end_us)
            for name, values in (
                ("volt", block.cell_voltage_V),
                ("amp", block.line_current_A),
                ("air", block.ambient_temp_C),
            ):
                means[name].append(_mean(values))
            for _, event in block.events:
                log = {"anode_change": changes, "tap": taps}.get(event.event)
                if log is not None:
                    log[int(event.cell[-3:]) - 1].append(event.time_us)
            yield block

    rows, _ = observe(trial, watched())
    block_us = starts[1] - starts[0]
    return Record(
        rows | {name: np.array(values) for name, values in means.items()}, changes, taps, starts[0] - block_us
    )


def look_ahead(record: Record, params: list[CellParams]) -> Scores:
    """Forecast every assessed cell of a line again and again."""
    rows, n = record.rows, len(params)
    hourly = {name: _mean_hours(rows[name]) for name in ("volt", "amp", "air")}
    truth = _truth(rows, hourly["volt"])
    found: list[list[F]] = [[] for _ in Scores._fields]
    for hour in range(FIRST_H, len(hourly["volt"]) - AHEAD_H + 1, EVERY_H):
        row = _BLOCKS * hour - 1
        now_us = record.start_us + hour * _HOUR_US
        cells = [c for c in range(n) if rows["assessed"][row, c]]
        past = slice(hour - PAST_H, hour)
        estimate = Estimate(*(rows.get(name, np.zeros((row + 1, 0)))[row] for name in Estimate._fields))
        ends = [_BLOCKS * h + _BLOCKS - 1 for h in range(hour - PAST_H, hour)]
        present = present_of(
            [params[c] for c in cells],
            estimate._replace(assessed=estimate.assessed > 0.0),
            cells,
            hourly["volt"][past, cells],
            hourly["amp"][past, cells],
            hourly["air"][past, cells],
            Past(*(rows[name][ends][:, cells] for name in ("bath_temp_C", "superheat_C", "alumina_pct"))),
            [[(now_us - t) / _HOUR_US for t in record.change_us[c] if t <= now_us] for c in cells],
        )
        change = [
            _due(record.change_us[c], now_us, params[c].anode_life_h / params[c].n_anodes) for c in cells
        ]
        tap = [_due(record.tap_us[c], now_us, params[c].tap_interval_h) for c in cells]
        came = forecast(present, hold(present, AHEAD_H, change, tap))
        columns = [FORESEEN.index(name) for name in _SCORED]
        best, ahead = came.best[:, :, columns], slice(hour - 1, hour + AHEAD_H)
        last_day = slice(row + 1 - _BLOCKS * 24, row + 1)
        day_mean = np.stack([_estimated(rows, name)[last_day][:, cells].mean(axis=0) for name in _SCORED], -1)
        sample = np.full_like(day_mean, np.nan)
        sample[:, 0] = rows["held_C"][row, cells]
        for k, values in enumerate(
            (best, came.sd[:, :, columns], truth[ahead][:, cells], best[0], day_mean, sample)
        ):
            found[k].append(values)
    return Scores(*(np.concatenate(parts, axis=1 if parts[0].ndim == 3 else 0) for parts in found))


def score(all_of: list[Scores]) -> results.Figures:
    """Figures of some lines together, and what the process noise would have to be."""
    s = Scores(
        *(np.concatenate(parts, axis=1 if parts[0].ndim == 3 else 0) for parts in zip(*all_of, strict=True))
    )
    figures: results.Figures = {"forecasts": int(s.best.shape[1])}
    for k, name in enumerate(_SCORED):
        error, sd = s.best[..., k] - s.truth[..., k], s.sd[..., k]
        column = FORESEEN.index(name)
        hour = np.arange(error.shape[0])[:, None]
        noise2 = PROCESS_SD[column] ** 2 * (1.0 - np.exp(-2.0 * hour / PROCESS_H[column]))
        bare = np.sqrt(sd**2 - noise2)
        rows: list[results.Figures] = []
        for h in AT_H:
            good = np.isfinite(error[h])
            rows.append(
                {
                    "hours": h,
                    "n": int(good.sum()),
                    "rmse": _rms(error[h]),
                    "bias": _round(float(np.nanmean(error[h]))),
                    "stays_rmse": _rms(s.stays[:, k] - s.truth[h, :, k]),
                    "day_mean_rmse": _rms(s.day_mean[:, k] - s.truth[h, :, k]),
                    "sample_rmse": _rms(s.sample[:, k] - s.truth[h, :, k]) if name == "bath_temp_C" else None,
                    "sd": _rms(sd[h]),
                    "normalised_error": _rms(error[h] / sd[h]),
                    "inside_80": _inside(error[h][good], sd[h][good]),
                    "inside_80_without_process": _inside(error[h][good], bare[h][good]),
                }
            )
        excess = np.nanmean(error**2 - bare**2, axis=1)
        long_run = float(max(np.mean(excess[12:]), 0.0))
        share = float(np.clip(excess[1] / long_run, 0.0, 0.98)) if long_run > 0.0 else 0.98
        fit = {
            "sd": _round(long_run**0.5),
            "memory_h": _round(-2.0 / np.log(1.0 - share)) if share > 0.0 else 72.0,
        }
        figures[name] = {"rows": rows, "fit": fit}
    return figures


def _truth(rows: dict[str, F], volt: F) -> F:
    """What came, hour by hour, (n_hours, n_cells, len(_SCORED))."""
    columns = [
        volt
        if name == "cell_voltage_V"
        else dc_kwh_per_t(volt, _mean_hours(rows["true_current_efficiency"]))
        if name == "kwh_per_t"
        else _mean_hours(rows[f"true_{name}"])
        for name in _SCORED
    ]
    return np.stack(columns, axis=-1)


def _estimated(rows: dict[str, F], name: str) -> F:
    """What the observer said of a quantity, by rows; voltage is measured."""
    if name == "cell_voltage_V":
        return rows["volt"]
    if name == "kwh_per_t":
        return dc_kwh_per_t(rows["volt"], rows["current_efficiency"])
    return rows[name]


def _due(done_us: list[int], now_us: int, every_h: float) -> list[float]:
    past = [t for t in done_us if t <= now_us]
    first_h = max(every_h - (now_us - past[-1]) / _HOUR_US, 0.0) if past else 0.5 * every_h
    return [float(h) for h in np.arange(first_h, AHEAD_H, every_h)]


def _mean(values: F) -> F:
    """Mean over the first axis of what is there."""
    count = np.isfinite(values).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _mean_hours(rows: F) -> F:
    """Means of the hours, from rows of ten minutes."""
    return _mean(rows[: len(rows) // _BLOCKS * _BLOCKS].reshape(-1, _BLOCKS, *rows.shape[1:]).swapaxes(0, 1))


def _inside(error: F, sd: F) -> float:
    """Share of errors within the 80 % band."""
    return _round(float(np.mean(np.abs(error) <= 1.2815516 * sd)))


def _rms(values: F) -> float:
    return _round(float(np.sqrt(np.nanmean(np.square(values)))))


def _round(value: float) -> float:
    return float(f"{value:.4g}")


def _one(n_cells: int, days: float, technology: str, seed: int) -> Scores:
    trial = Trial(seed, n_cells, days, technology)
    return look_ahead(live(trial), cell_constants(trial))


def main(arguments: list[str] | None = None) -> None:
    """Score forecasts, print the figures and bring them into the README.

    Parameters
    ----------
    arguments
        Command line; that of the process without it.
    """
    parser = argparse.ArgumentParser(prog="forecast_score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=("tuning", "final"), default="final")
    parser.add_argument("--cells", type=int, default=6, help="cells of each line (6)")
    parser.add_argument("--days", type=float, default=16.0, help="length of each record (16)")
    parser.add_argument("--technology", default="P300", help="design of the simulated plant (P300)")
    parser.add_argument("--jobs", type=int, default=2, help="lines at a time (2)")
    parser.add_argument("--print-only", action="store_true", help="do not write results/forecast.json")
    chosen = parser.parse_args(arguments)
    seeds = TUNING_SEEDS if chosen.set == "tuning" else FINAL_SEEDS
    with ProcessPoolExecutor(chosen.jobs) as pool:
        found = list(pool.map(partial(_one, chosen.cells, chosen.days, chosen.technology), seeds))
    scored = score(found)
    about: results.Figures = {
        "set": chosen.set,
        "seeds": list(seeds),
        "cells": chosen.cells * len(seeds),
        "days": chosen.days,
        "technology": chosen.technology,
    }
    figures = results.conditions(seeds[0], _PACKAGES) | {"forecast": about | scored}
    print(results.forecast_table(figures))
    for name in _SCORED:
        print(name, "fit of the process noise:", scored[name]["fit"])
    if chosen.set == "final" and not chosen.print_only:
        results.write("forecast", figures)


if __name__ == "__main__":
    main()
