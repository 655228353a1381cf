"""What self-calibration gains on days it has not seen, on simulated lines of ``plant/`` and never of the twin.

Every line runs as in ``observer_score``: an outage of three hours, a stuck voltmeter, an open thermocouple, samples
missed, misread and late. The first part of each record is fitted, the last part judges inside the calibration, and the
same last part is scored here; no hidden parameter of the plant reaches the calibration. Scored are, before and after:

* residuals of the constants against held-out measurements: voltage, bath temperature, heat off the shell;
* the observer, started anew at the beginning of the held-out part as after an upgrade, against the plant's truth;
* stated standard deviations against what the plant hides, where the plant has the same quantity.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from math import exp
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.observer_score import BLOCK_S, Block, Trial, observe, run_line
from benchmarks.results import FOLDER, conditions
from edge.pipeline import cell_layout, cell_params
from plant.cells import hidden
from plant.line import Line, PlantSample
from plant.publish import plant_toml
from plant.technology import TECHNOLOGIES
from streams.plant_file import load_plant
from twin.calibration import FITTED_SHARE, VERDICTS, CellCalibration, calibrate
from twin.calibration_fit import NAMES
from twin.calibration_history import HandSample, HistoryBuilder
from twin.heat import REFERENCE_AMBIENT_C, shell_temp_C, steady
from twin.observer import Estimate, Observer
from twin.params import CellParams

F = NDArray[np.float64]

#: What priors and limits were set on, and what is scored.
DEVELOPMENT_SEEDS = (101, 102)
FINAL_SEEDS = (501, 502, 503)
_STATES = ("bath_temp_C", "superheat_C", "alumina_pct", "acd_mm", "ledge_bath_mm", "current_efficiency")
_DAY = round(86400 / BLOCK_S)


class Outcome(NamedTuple):
    """One line after calibration.

    Attributes
    ----------
    results
        Of each cell.
    truth
        What the plant hides of each factor that it has too, (n_cells,).
    before, after
        Truth and estimates of an observer started at the held-out part, (instants, n_cells).
    """

    results: list[CellCalibration]
    truth: dict[str, F]
    before: dict[str, F]
    after: dict[str, F]


def run(trial: Trial, folder: Path) -> Outcome:
    """Live through a line, calibrate on its history, and observe the held-out part with either set of constants."""
    path = folder / f"plant-{trial.seed}.toml"
    line = Line(n_cells=trial.n_cells, seed=trial.seed, start_us=0, technology=trial.technology)
    path.write_text(plant_toml(line), encoding="utf-8")
    plant = load_plant(path)
    layout = cell_layout(plant, line.technology.n_shell)
    params = [cell for cell in cell_params(plant)[0] if cell is not None]
    watched = _Watched(params, layout.n_anodes, layout.shell_side)
    blocks = [_light(block) for block in watched.through(run_line(trial))]
    observe(trial, iter(blocks), watched)
    results = calibrate(watched.builder.history(), params, layout.shell_side)
    first = round(FITTED_SHARE * len(blocks))
    ends: list[dict[str, F]] = []
    for constants in (params, [result.params for result in results]):
        observer = Observer(constants, layout.n_anodes, layout.shell_side)
        ends.append(observe(trial, iter(blocks[first:]), observer)[0])
    return Outcome(results, _truth(trial, blocks[:first]), *ends)


class _Watched(Observer):
    """An observer whose scans and entries go to a history for calibration as well."""

    def __init__(
        self, params: list[CellParams], n_anodes: NDArray[np.int64], shell_side: NDArray[np.int64]
    ) -> None:
        super().__init__(params, n_anodes, shell_side)
        nominal_V = np.array([cell.nominal_voltage_V for cell in params])
        self.builder = HistoryBuilder(nominal_V, shell_side.shape[1])
        self._time_s = 0.0

    def through(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Pass blocks on; entries go to the history with the time at which they happened."""
        for block in blocks:
            if self._time_s == 0.0:
                self._time_s = block.end_us / 1e6 - BLOCK_S
            for _, entry in (*block.events, *block.samples):
                cell = int(entry.cell[-3:]) - 1
                if isinstance(entry, PlantSample):
                    self.builder.sample(HandSample(cell, entry.signal, entry.time_us / 1e6, entry.value))
                else:
                    self.builder.event(cell, entry.event, entry.attributes, entry.time_us / 1e6)
            yield block

    def step(self, scan_s: float, *measured: F) -> Estimate:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Take in one scan."""
        estimate = super().step(scan_s, *measured)
        self._time_s += scan_s
        current_A, voltage_V, _, shell_C, ambient_C = measured[:5]
        self.builder.add(self._time_s, estimate.assessed, current_A, voltage_V, ambient_C, shell_C)
        return estimate


def _light(block: Block) -> Block:
    """A block without anode currents, which calibration does not look at."""
    nothing = np.broadcast_to(np.float64(np.nan), block.anode_current_A.shape)
    return block._replace(anode_current_A=nothing)


def _truth(trial: Trial, blocks: list[Block]) -> dict[str, F]:
    """What the plant hides of the factors that it has as well, over the fitted part."""
    h = hidden(TECHNOLOGIES[trial.technology], trial.n_cells, trial.seed)

    def mean(name: str) -> F:
        return np.mean([block.truth[name] for block in blocks], axis=0)

    return {
        "cathode_ohm": h.cathode_ohm,
        "current_efficiency_frac": mean("current_efficiency"),
        "bath_temp_C": mean("bath_temp_C"),
        "bath_ledge_W_m2K": (h.film_W_m2K * h.ledge_area_m2).sum(axis=1) / h.ledge_area_m2.sum(axis=1),
        "ledge_bath_mm": mean("ledge_bath_mm"),
    }


def score(outcomes: list[Outcome]) -> dict[str, object]:
    """Figures of some lines together."""
    results = [result for outcome in outcomes for result in outcome.results]
    verdicts = {
        name: {
            verdict: n
            for i, verdict in enumerate(VERDICTS)
            if (n := sum(result.corrections[k].verdict == i for result in results))
        }
        for k, name in enumerate(NAMES)
    }
    observers = {
        part: {name: _compared(outcomes, name, rows) for name in _STATES}
        for part, rows in (("first_day", slice(0, _DAY)), ("later", slice(_DAY, None)))
    }
    return {
        "cells": len(results),
        "verdicts": verdicts,
        "held_out": _held_out(results),
        "observer": observers,
        "stated_sd": {name: _honesty(outcomes, name) for name in outcomes[0].truth},
    }


def _held_out(results: list[CellCalibration]) -> dict[str, object]:
    """Root mean square over cells of the mean residual, before and after, and who improved."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for result in results:
        for r in result.residuals:
            found.setdefault(r.quantity, []).append((r.before, r.after, r.sd))
            if r.quantity == "shell_flux":
                found.setdefault("shell_temp_C", []).append(_as_shell_C(result, r.before, r.after, r.sd))
    figures: dict[str, object] = {}
    for quantity, rows in found.items():
        before, after, sd = np.array(rows).T
        figures[quantity] = {
            "cells": len(rows),
            "before_rms": _round(np.sqrt(np.mean(before**2))),
            "after_rms": _round(np.sqrt(np.mean(after**2))),
            "before_mean": _round(np.mean(before)),
            "after_mean": _round(np.mean(after)),
            "point_sd": _round(np.median(sd)),
            "improved": int(np.sum(np.abs(after) < np.abs(before))),
            "worse": int(np.sum(np.abs(after) > np.abs(before))),
        }
    return figures


def _as_shell_C(
    result: CellCalibration, before: float, after: float, sd: float
) -> tuple[float, float, float]:
    """Residuals of a log flux as degrees of a shell in air of 25 degC, about what the constants now say."""
    p = result.params
    flux = p.bath_ledge_W_m2K * steady(p).superheat_C / p.shell_area_frac

    def at(log_off: float) -> float:
        return shell_temp_C(flux * exp(log_off), REFERENCE_AMBIENT_C, p.shell_emissivity)

    measured_C = at(after)
    return measured_C - at(after - before), measured_C - at(0.0), at(after + sd) - measured_C


def _compared(outcomes: list[Outcome], name: str, rows: slice) -> dict[str, float]:
    """Root mean square errors of an estimate before and after, all instants and cells, and cells that improved."""
    rms: list[F] = []
    for ends in ([o.before for o in outcomes], [o.after for o in outcomes]):
        errors = [(end[name] - end[f"true_{name}"])[rows] for end in ends]
        rms.append(np.sqrt(np.nanmean(np.concatenate(errors, axis=1) ** 2, axis=0)))
    return {
        "before_rmse": _round(np.sqrt(np.mean(rms[0] ** 2))),
        "after_rmse": _round(np.sqrt(np.mean(rms[1] ** 2))),
        "improved_share": _round(np.mean(rms[1] < rms[0])),
    }


def _honesty(outcomes: list[Outcome], name: str) -> dict[str, float]:
    """Fitted value less truth, in stated standard deviations, over cells with any evidence of their own."""
    k = NAMES.index(name)
    rows = [
        (c.old - truth, c.fitted - truth, (c.fitted - truth) / c.sd, c.new - truth)
        for outcome in outcomes
        for result, truth in zip(outcome.results, outcome.truth[name], strict=True)
        if (c := result.corrections[k]).verdict != VERDICTS.index("no data")
    ]
    if not rows:
        return {"cells": 0}
    old, fitted, z, new = np.array(rows).T
    return {
        "cells": len(rows),
        "old_rmse": _round(np.sqrt(np.mean(old**2))),
        "fitted_rmse": _round(np.sqrt(np.mean(fitted**2))),
        "used_rmse": _round(np.sqrt(np.mean(new**2))),
        "normalised_error": _round(np.sqrt(np.mean(z**2))),
        "inside_1_sd": _round(np.mean(np.abs(z) < 1.0)),
        "inside_2_sd": _round(np.mean(np.abs(z) < 2.0)),
    }


def _round(value: float | np.floating) -> float:
    return float(f"{float(value):.4g}")


def _print(figures: dict[str, Any]) -> None:
    print(f"\n{figures['cells']} cells, {figures['days']:g} days, seeds {figures['seeds']}", flush=True)
    print(f"{'verdicts':24s} " + " ".join(f"{verdict:>14.14s}" for verdict in VERDICTS))
    for name, found in figures["verdicts"].items():
        print(f"{name:24s} " + " ".join(f"{found.get(verdict, 0):14d}" for verdict in VERDICTS))
    print(
        f"{'held out':24s} {'cells':>6s} {'before':>9s} {'after':>9s} {'improved':>9s} {'worse':>6s}  (rms of means)"
    )
    for name, row in figures["held_out"].items():
        print(
            f"{name:24s} {row['cells']:6d} {row['before_rms']:9.4g} {row['after_rms']:9.4g} "
            f"{row['improved']:9d} {row['worse']:6d}"
        )
    for part, states in figures["observer"].items():
        print(f"observer, {part.replace('_', ' '):14s} {'before':>9s} {'after':>9s} {'improved':>9s}  (rmse)")
        for name, row in states.items():
            print(
                f"{name:24s} {row['before_rmse']:9.4g} {row['after_rmse']:9.4g} {row['improved_share']:9.2f}"
            )
    heads = f"{'cells':>6s} {'old':>9s} {'fitted':>9s} {'error/sd':>9s} {'<1 sd':>6s} {'<2 sd':>6s}"
    print(f"{'against the plant':24s} {heads}")
    for name, row in figures["stated_sd"].items():
        if row["cells"]:
            print(
                f"{name:24s} {row['cells']:6d} {row['old_rmse']:9.4g} {row['fitted_rmse']:9.4g} "
                f"{row['normalised_error']:9.2f} {row['inside_1_sd']:6.2f} {row['inside_2_sd']:6.2f}"
            )


def main(arguments: list[str] | None = None) -> None:
    """Score calibration and write the figures.

    Parameters
    ----------
    arguments
        Command line; that of the process without it.
    """
    parser = argparse.ArgumentParser(prog="calibration_score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--set", choices=("development", "final"), default="final")
    parser.add_argument("--cells", type=int, default=4, help="cells of each line (4)")
    parser.add_argument("--days", type=float, default=14.0, help="length of each record (14)")
    parser.add_argument("--technology", default="P300", help="design of the simulated plant (P300)")
    parser.add_argument("--out", type=Path, default=FOLDER / "calibration.json", help="JSON to write")
    chosen = parser.parse_args(arguments)
    seeds = FINAL_SEEDS if chosen.set == "final" else DEVELOPMENT_SEEDS
    outcomes: list[Outcome] = []
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds, 1):
            outcomes.append(run(Trial(seed, chosen.cells, chosen.days, chosen.technology), Path(folder)))
            figures: dict[str, Any] = conditions(seeds[0], ("numpy", "numba"))
            figures |= {"set": chosen.set, "seeds": list(seeds[:number]), "days": chosen.days}
            figures |= {"technology": chosen.technology, **score(outcomes)}
            _print(figures)
            # After every line: a run that is ended early leaves figures that say of which lines they are.
            chosen.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
