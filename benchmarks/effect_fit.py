"""Fit the law that foretells anode effects to training tapes, and say how good its probability is on others.

    python -m benchmarks.effect_fit TRAINING_TAPE [TRAINING_TAPE ...] --check TAPE [TAPE ...]

Tapes are written by ``benchmarks.tape record``. Every minute is a row: 1 where an effect begins within 15 min and not
within one. Left out: the hour after an effect, what lies 15 to 30 min before one, and the labelled time before that in
which one was on its way. The law is a logistic regression by Newton's method with a weak penalty.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.tape import truth, views
from edge.pipeline import cell_layout
from models.effect_ahead import TERMS, terms
from models.effect_signs import RISE_3_10, EffectSigns
from models.effect_watch import EffectWatch
from models.steady_voltage import SteadyVoltage

FloatArray = NDArray[np.float64]
_PENALTY = 1.0
#: Effects a cell-day of a good line (Ren 2007), to which the constant is shifted.
_NATURAL_1_d = 0.08


class Rows(NamedTuple):
    """Minutes of a tape: terms, whether an effect follows, effects and cell-days."""

    x: FloatArray
    y: FloatArray
    effects: int
    cell_days: float


def rows_of(tape: Path) -> Rows:
    """Rows of every minute of a tape that is used."""
    known = truth(tape)
    layout = cell_layout(known.plant, max(1, max(cell.n_shell for cell in known.plant.cells)))
    watch, steady, signs = EffectWatch(layout), SteadyVoltage(layout), EffectSigns(layout)
    seen: list[FloatArray] = []
    time_us: list[int] = []
    for k, (view, _) in enumerate(views(tape)):
        watch.step(view)
        steady.step(view)
        signs.step(view, steady, watch.running | (steady.rated_V > watch.rule.threshold_V))
        if k % round(60.0 / view.scan_s) == 0:
            seen.append(signs.value.copy())
            time_us.append(view.time_us)
    value, at_us = np.array(seen), np.array(time_us)
    y = np.zeros(value.shape[:2])
    used = np.isfinite(value[:, :, RISE_3_10])
    effects = [e for e in known.events if e.kind == "anode_effect"]
    for event in known.events:
        if event.kind == "anode_effect_imminent":
            used[(at_us >= event.observable_us) & (at_us <= event.start_us), event.cell] = False
    for event in effects:
        lead_min = (event.start_us - at_us) / 60e6
        used[(lead_min > -60.0) & (lead_min < 30.0), event.cell] = False
        soon = (lead_min > 1.0) & (lead_min <= 15.0)
        y[soon, event.cell] = 1.0
        used[soon & np.isfinite(value[:, event.cell, RISE_3_10]), event.cell] = True
    return Rows(terms(value)[used], y[used], len(effects), value.shape[0] * value.shape[1] / 1440.0)


def fitted(x: FloatArray, y: FloatArray) -> FloatArray:
    """Constant and weights of the logistic law.

    Parameters
    ----------
    x : (n, n_terms)
    y : (n,)
        0 or 1.
    """
    design = np.column_stack([np.ones(len(x)), x])
    law = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ law))
        slope = design.T @ (y - p) - _PENALTY * np.r_[0.0, law[1:]]
        bend = (design * (p * (1.0 - p))[:, None]).T @ design + _PENALTY * np.eye(len(law))
        step = np.linalg.solve(bend, slope)
        law += step
        if np.abs(step).max() < 1e-9:
            break
    return law


def main() -> None:
    """Fit, print the law, and print how often what was foretold came."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tapes", type=Path, nargs="+")
    parser.add_argument("--check", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    parts = [rows_of(tape) for tape in arguments.tapes]
    law = fitted(np.concatenate([p.x for p in parts]), np.concatenate([p.y for p in parts]))
    rate_1_d = sum(p.effects for p in parts) / sum(p.cell_days for p in parts)
    law[0] += np.log(_NATURAL_1_d / rate_1_d)
    print(
        f"{sum(p.effects for p in parts)} effects, {rate_1_d:.3f} a cell-day; constant {law[0]:.3f} at {_NATURAL_1_d}"
    )
    for name, weight in zip(TERMS, law[1:], strict=True):
        print(f"  {name:28} {weight:+.3f}")
    for tape in arguments.check:
        part = rows_of(tape)
        shift = np.log(part.effects / part.cell_days / _NATURAL_1_d)
        p = 1.0 / (1.0 + np.exp(-(law[0] + shift + part.x @ law[1:])))
        print(f"{tape.name}: {part.effects} effects in {part.cell_days:.0f} cell-days; foretold and came:")
        edges = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 1.0)
        for low, high in pairwise(edges):
            here = (p >= low) & (p < high + (high == 1.0))
            if here.any():
                print(
                    f"  {low:5.3f}-{high:5.3f}: {here.sum():7d} minutes, {p[here].mean():.4f} {part.y[here].mean():.4f}"
                )


if __name__ == "__main__":
    main()
