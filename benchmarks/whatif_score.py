"""What-if against another world: the voltage of the cells of ``plant/`` is moved, and what follows is compared.

Three lines with the same seed live the same days; then the voltage controllers of one aim higher, those of another
lower. The difference of the lines is the true effect, the mean of six hours, since anode changes and feed cycles do not
cancel to the minute. The twin is told the state of the cells on the last day before, as an observer that knew it would,
and nothing of the plant's parameters.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.observer_score import Trial, cell_constants
from plant.line import Line
from twin.forecast_present import Present
from twin.whatif import AT_H, TOLD, Change, what_if

F = NDArray[np.float64]

SEEDS = (501, 502)
STEP_V, BEFORE_D, MEAN_H = 0.06, 3, 6
_START_US, _AFTER_H = 1_767_225_600_000_000, 75
#: What the plant has a truth of.
_COMPARED = ("bath_temp_C", "superheat_C", "excess_alf3_pct", "ledge_bath_mm", "efficiency_frac")
_SD = {"bath_temp_C": 1.0, "superheat_C": 0.7, "alumina_pct": 0.15, "acd_mm": 2.7, "ledge_bath_mm": 5.0}


def lived(seed: int, n_cells: int, step_V: float) -> tuple[dict[str, F], F]:
    """Truth of a line by the hour, (n_hours, n_cells) each, and its voltage; the aim moves after three days."""
    line = Line(n_cells=n_cells, seed=seed, start_us=_START_US)
    rows: dict[str, list[F]] = {}
    volts: list[F] = []
    for hour in range(24 * BEFORE_D + _AFTER_H):
        if hour == 24 * BEFORE_D:
            # The plant has no door for its operators yet; the aim of the controller is hidden state.
            line._hidden.target_V[:] += step_V  # pyright: ignore[reportPrivateUsage]
        volts.append(np.nanmean(line.advance(3600).cell_voltage_V, axis=0))
        truth = line.truth()
        state, h = line._state, line._hidden  # pyright: ignore[reportPrivateUsage]
        truth["superheat_C"] = truth["bath_temp_C"] - truth["liquidus_temp_C"]
        truth["ledge_bath_mm"] = (truth["ledge_mm"] * h.ledge_area_m2).sum(axis=1) / h.ledge_area_m2.sum(
            axis=1
        )
        truth["efficiency_frac"] = state.efficiency.copy()
        for name in (*_COMPARED, "alumina_pct"):
            rows.setdefault(name, []).append(truth[name])
    return {name: np.array(values) for name, values in rows.items()}, np.array(volts)


def effects(seed: int, n_cells: int) -> tuple[F, F, F]:
    """True change, foreseen change and its standard deviation, (2 steps, 2 times, n_cells, len(_COMPARED)) each."""
    still, volts = lived(seed, n_cells, 0.0)
    first = 24 * BEFORE_D
    day = slice(first - 24, first)

    def mean(name: str) -> F:
        return still[name][day].mean(axis=0)

    def sd(name: str) -> F:
        return np.full(n_cells, _SD[name])

    present = Present(
        params=tuple(cell_constants(Trial(seed, n_cells, 1.0, "P300"))),
        bath_temp_C=mean("bath_temp_C"),
        bath_temp_sd_C=sd("bath_temp_C"),
        superheat_C=mean("superheat_C"),
        superheat_sd_C=sd("superheat_C"),
        alumina_pct=mean("alumina_pct"),
        alumina_sd_pct=sd("alumina_pct"),
        acd_mm=np.full(n_cells, np.nan),
        acd_sd_mm=sd("acd_mm"),
        ledge_bath_mm=mean("ledge_bath_mm"),
        ledge_bath_sd_mm=sd("ledge_bath_mm"),
        current_efficiency=mean("efficiency_frac"),
        cell_voltage_V=volts[day],
        line_current_A=np.full((24, n_cells), 300e3),
        ambient_temp_C=np.full((24, n_cells), 25.0),
        bath_past_C=still["bath_temp_C"][day],
        superheat_past_C=still["superheat_C"][day],
        alumina_past_pct=still["alumina_pct"][day],
        change_ago_h=((),) * n_cells,
    )
    steps = (STEP_V, -STEP_V)
    found = what_if(present, [Change(voltage_V=step) for step in steps])
    columns = [TOLD.index(name) for name in _COMPARED]
    true, told, told_sd = [], [], []
    for k, step in enumerate(steps):
        moved, _ = lived(seed, n_cells, step)
        for t in (1, 2):
            end = first + round(AT_H[t])
            span = slice(end - MEAN_H // 2, end + MEAN_H // 2)
            true.append(np.stack([(moved[n][span] - still[n][span]).mean(axis=0) for n in _COMPARED], -1))
            told.append((found.after[t, :, k] - found.before)[:, columns])
            told_sd.append(found.change_sd[t, :, k][:, columns])
    shape = (len(steps), 2, n_cells, len(_COMPARED))
    return (np.array(true).reshape(shape), np.array(told).reshape(shape), np.array(told_sd).reshape(shape))


def main(arguments: list[str] | None = None) -> None:
    """Compare, print, and bring the table into the README.

    Parameters
    ----------
    arguments
        Command line; that of the process without it.
    """
    parser = argparse.ArgumentParser(prog="whatif_score", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=4, help="cells of each line (4)")
    chosen = parser.parse_args(arguments)
    true, told, sd = (
        np.concatenate(parts, axis=2)
        for parts in zip(*(effects(seed, chosen.cells) for seed in SEEDS), strict=True)
    )
    rows: list[results.Figures] = []
    for c, name in enumerate(_COMPARED):
        for k, step in enumerate((STEP_V, -STEP_V)):
            for t in range(2):
                pair = true[k, t, :, c], told[k, t, :, c]
                inside = np.abs(pair[0] - pair[1]) <= 1.2815516 * sd[k, t, :, c]
                rows.append(
                    {
                        "what": name,
                        "step_V": step,
                        "hours": AT_H[1 + t],
                        "true": float(pair[0].mean()),
                        "told": float(pair[1].mean()),
                        "sd": float(sd[k, t, :, c].mean()),
                        "inside_80": float(inside.mean()),
                    }
                )
    figures = results.conditions(SEEDS[0], ("numpy", "numba")) | {
        "whatif": {"cells": chosen.cells * len(SEEDS), "seeds": list(SEEDS), "rows": rows}
    }
    print(results.whatif_table(figures))
    results.write("whatif", figures)


if __name__ == "__main__":
    main()
