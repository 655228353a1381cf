"""Measures the simulated line and writes its data card: ``plant/README.md`` and ``benchmarks/results/plant.json``.

Five parts, each of which can be run alone (``--part``):

* ``traces``: a quiet line beside the two real traces: spread, spectrum, autocorrelation, feed swing, and whether a
  classifier can tell ten-minute windows of real voltage from simulated ones;
* ``gate``: the twin's voltage residual on a quiet line, through the gateway's own pipeline;
* ``balance``: mass and energy over a month, and figures to be held against published plants;
* ``faults``: what each kind of fault shows in the instruments, over their normal spread;
* ``speed``: how fast a record is written, with how much memory, and how fast 420 cells run live.

What misses its target says so in the table. The figures of a part stay until that part is run again.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import fault_card, results
from plant.faults.plan import plan_faults
from plant.history import simulate
from plant.line import Line
from plant.publish import scans
from plant.state import BOTTOM, BROUGHT, REACTED, SIDE, SUPPLIED, TOP

F = NDArray[np.float64]
Figures = dict[str, Any]

_START_US = 1_767_225_600_000_000
_SEED = 31
_TRACES = results.ROOT.parent / "shared" / "data" / "real_traces"
#: Real traces: folder, seconds between two values, how they are named in the card.
_REAL = (("smelter_126kA", 7.2, "126 kA cell, 87 min"), ("smelter_10h_2022", 45.0, "2022 cell, 10 h"))
#: The trace that ends with one.
_RAISED = "smelter_126kA"
_WINDOW_S = 600.0


def traces(n_cells: int, hours: int) -> Figures:
    """Compare the voltage of a quiet line with the real traces."""
    line = Line(n_cells=n_cells, seed=_SEED, start_us=_START_US, rough=True)
    volt = np.concatenate([line.advance(1800).cell_voltage_V for _ in range(2 * hours)])
    found: list[Figures] = []
    for folder, step_s, name in _REAL:
        real = _real(folder)
        simulated = [_thinned(volt[:, i], step_s) for i in range(n_cells)]
        each = [_character(v, step_s) for v in simulated]
        found.append(
            {
                "name": name,
                "step_s": step_s,
                "real": _character(real, step_s),
                "simulated": {key: _range([c[key] for c in each]) for key in each[0]},
                "auroc": _told_apart(real, simulated, step_s),
            }
        )
    return {"cells": n_cells, "hours": hours, "traces": found}


def _real(folder: str) -> F:
    table = pq.read_table(_TRACES / folder / "readings", columns=["cell_voltage_V"])
    volt = table["cell_voltage_V"].to_numpy().astype(float)
    volt = volt[~np.isnan(volt)]
    # What follows a lasting step of 60 mV is a beam raise: a command, not how a cell behaves.
    windows = np.median(np.lib.stride_tricks.sliding_window_view(volt, 20), axis=-1)
    raised = np.flatnonzero(windows[22:] - windows[:-22] > 0.06)
    return volt[: raised[0] + 18] if len(raised) and folder == _RAISED else volt


def _thinned(volt: F, step_s: float) -> F:
    """Means of the seconds that fall into each step."""
    edges = np.round(np.arange(0.0, len(volt) + 1e-9, step_s)).astype(np.int64)
    return np.add.reduceat(volt[: edges[-1]], edges[:-1]) / np.diff(edges)


def _detrended(volt: F, step_s: float) -> F:
    """Less the median of 440 s around each value, ends left out."""
    half = max(round(220.0 / step_s), 2)
    windows = np.lib.stride_tricks.sliding_window_view(volt, 2 * half + 1)
    return volt[half:-half] - np.median(windows, axis=-1)


def _character(volt: F, step_s: float) -> Figures:
    """Spread by time scale [mV], noise, autocorrelation, spectrum, swing of the feed cycles."""
    from scipy.signal import welch

    figures: Figures = {}
    for seconds in (10.0, 60.0, 600.0, 3600.0):
        lag = max(round(seconds / step_s), 1)
        if lag > len(volt) // 2:
            figures[f"spread_{seconds:.0f}s_mV"] = float("nan")
            continue
        step = volt[lag:] - volt[:-lag]
        figures[f"spread_{seconds:.0f}s_mV"] = 1e3 * float(np.sqrt(np.mean(step**2) / 2.0))
    rest = _detrended(volt, step_s)
    figures["noise_mV"] = 1e3 * float(rest.std())
    low, high = np.percentile(rest, (1, 99))
    figures["low_1pct_mV"], figures["high_99pct_mV"] = 1e3 * float(low), 1e3 * float(high)
    for seconds in (10.0, 30.0, 60.0):
        lag = max(round(seconds / step_s), 1)
        figures[f"acf_{seconds:.0f}s"] = float((rest[lag:] * rest[:-lag]).mean() / rest.var())
    hertz, power = welch(volt, fs=1.0 / step_s, nperseg=min(512, len(volt)), detrend="linear")
    band = (hertz > 1e-3) & (hertz < 0.06)
    figures["psd_slope"] = float(np.polyfit(np.log(hertz[band]), np.log(power[band]), 1)[0])
    means = _thinned(np.repeat(volt, max(round(step_s), 1)), 300.0)
    figures["feed_swing_mV"] = 1e3 * float(np.ptp(np.percentile(means, (3, 97))))
    return figures


def _told_apart(real: F, simulated: list[F], step_s: float) -> Figures:
    """AUROC of a classifier of ten-minute windows, cross-validated over stretches of time."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    length = round(_WINDOW_S / step_s)
    rows, real_or_not, groups = [], [], []
    for number, volt in enumerate([real, *simulated]):
        count = len(volt) // length
        for k in range(count):
            rows.append(_features(volt[k * length : (k + 1) * length]))
            real_or_not.append(number == 0)
            groups.append(5 * k // count if number == 0 else number % 5)
    x, y, fold = np.array(rows), np.array(real_or_not), np.array(groups)
    models = {
        "forest": RandomForestClassifier(
            400, min_samples_leaf=2, class_weight="balanced", random_state=0, n_jobs=1
        ),
        "logistic": make_pipeline(
            StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000)
        ),
    }
    figures: Figures = {"real_windows": int(y.sum()), "simulated_windows": int((~y).sum())}
    for name, model in models.items():
        score = cross_val_predict(model, x, y, groups=fold, cv=GroupKFold(5), method="predict_proba")[:, 1]
        figures[name] = float(roc_auc_score(y, score))
    forest = models["forest"].fit(x, y)
    order = np.argsort(forest.feature_importances_)[::-1][:3]
    figures["most_telling"] = [_FEATURES[k] for k in order]
    return figures


_FEATURES = (
    "spread",
    "drift",
    "rest",
    "step",
    "acf 1",
    "acf 2",
    "skew",
    "peaks",
    "lowest",
    "highest",
    "bend",
)


def _features(window: F) -> list[float]:
    """Shape of one window; its level is left out, for it is a matter of design."""
    t = np.linspace(-1.0, 1.0, len(window))
    slope = np.polyfit(t, window, 1)
    rest = window - np.polyval(slope, t)
    sd = float(rest.std()) + 1e-9
    step = np.diff(window)

    def acf(lag: int) -> float:
        return float((rest[lag:] * rest[:-lag]).mean() / sd**2)

    return [
        float(window.std()),
        float(abs(slope[0])),
        sd,
        float(step.std()),
        acf(1),
        acf(2),
        float((rest**3).mean() / sd**3),
        float((rest**4).mean() / sd**4),
        float(rest.min()),
        float(rest.max()),
        float(abs(np.polyfit(t, window, 2)[0])),
    ]


def gate(n_cells: int, hours: int) -> Figures:
    """Voltage residual of the twin on a line without faults, through the gateway's pipeline."""
    from edge.alarm_rules import load_texts
    from edge.config import Config
    from edge.pipeline import Pipeline
    from streams.history import read_history
    from streams.plant_file import load_plant

    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "h"
        simulate(history, n_cells=n_cells, days=hours / 24.0, seed=_SEED + 1, faults="none", interval_s=10.0)
        pipeline = Pipeline(load_plant(history / "plant.toml"), Config(), load_texts())
        rows: dict[int, F] = {}
        for item in read_history(history):
            pipeline.push([item])
            if pipeline.view is not None:
                rows.setdefault(pipeline.view.time_us, pipeline.view.estimate.voltage_residual_V)
    time_s = np.array(sorted(rows)) / 1e6
    residual = np.array([rows[t] for t in sorted(rows)])
    late = time_s > time_s[0] + 6 * 3600.0
    minute = residual[late][: len(residual[late]) // 6 * 6].reshape(-1, 6, n_cells)
    mean = np.nanmean(minute, axis=1)
    own = mean - np.nanmean(mean, axis=0)
    sd = 1e3 * np.nanstd(own, axis=0)
    acf = np.nanmean(own[1:] * own[:-1], axis=0) / np.nanvar(own, axis=0)
    # An excursion: ten minutes on end more than 20 mV off.
    ten = own[: len(own) // 10 * 10].reshape(-1, 10, n_cells).mean(axis=1)
    beyond = np.abs(ten) > 0.020
    began = beyond[1:] & ~beyond[:-1]
    days = len(own) / 1440.0
    return {
        "cells": n_cells,
        "hours": hours,
        "sd_mV": _range(sd.tolist()),
        "scan_sd_mV": _range((1e3 * np.nanstd(residual[late], axis=0)).tolist()),
        "acf_1min": _range(acf.tolist()),
        "excursions_per_cell_day": float(began.sum() / n_cells / days),
    }


def balance(n_cells: int, days: int) -> Figures:
    """Mass and energy over a month at natural rates, and figures to hold against published plants."""
    faults = plan_faults("natural", n_cells=n_cells, days=days, seed=_SEED + 2)
    line = Line(n_cells=n_cells, seed=_SEED + 2, start_us=_START_US, faults=faults, rough=True)
    first = line.truth()
    state: dict[str, list[F]] = {
        name: [] for name in ("bath", "superheat", "efficiency", "ledge", "shell", "volt")
    }
    tapped = np.zeros(n_cells)
    cycles = 0
    for _ in range(days * 24):
        chunk = line.advance(3600)
        now = line.truth()
        state["bath"].append(now["bath_temp_C"])
        state["superheat"].append(now["bath_temp_C"] - now["liquidus_temp_C"])
        state["efficiency"].append(now["current_efficiency"])
        state["ledge"].append(now["ledge_mm"].mean(axis=1))
        state["shell"].append(np.nanmedian(chunk.shell_temp_C, axis=(0, 2)))
        state["volt"].append(np.nanmean(chunk.cell_voltage_V, axis=0))
        for event in chunk.events:
            i = line.cell_ids.index(event.cell)
            if event.event == "tap":
                tapped[i] += float(event.attributes["metal_kg"])
            elif event.event == "feed_mode" and event.attributes["mode"] == "under":
                cycles += 1
    last = line.truth()
    made = last["metal_kg"] - first["metal_kg"] + tapped
    fed = last["alumina_in_kg"]
    held = last["alumina_held_kg"] - first["alumina_held_kg"]
    account = last["account_J"]
    left = account[:, SUPPLIED] - account[:, [REACTED, SIDE, TOP, BOTTOM]].sum(axis=1) + account[:, BROUGHT]
    stored = last["stored_J"] - first["stored_J"]
    loss_kW = account[:, [SIDE, TOP, BOTTOM]] / (days * 86.4e6)
    labels = line.labels()
    effects = [x for x in labels if x.fault.kind == "anode_effect"]
    array = {name: np.array(rows) for name, rows in state.items()}
    kwh_t = 2979.98 * array["volt"].mean(axis=0) / array["efficiency"].mean(axis=0)
    sound = np.abs(array["bath"] - np.median(array["bath"], axis=0))
    return {
        "cells": n_cells,
        "days": days,
        "alumina_gap": float(np.max(np.abs(fed - 1.8895 * made - held) / fed)),
        "energy_gap": float(np.max(np.abs(left - stored) / account[:, SUPPLIED])),
        "bath_temp_C": _range(array["bath"].mean(axis=0).tolist()),
        "bath_temp_sd_C": float(1.4826 * np.median(sound)),
        "superheat_C": _range(np.percentile(array["superheat"], (5, 50, 95)).tolist()),
        "efficiency": _range(array["efficiency"].mean(axis=0).tolist()),
        "dc_kwh_t": _range(kwh_t.tolist()),
        "voltage_V": _range(array["volt"].mean(axis=0).tolist()),
        "effects_per_cell_day": len(effects) / n_cells / days,
        "effect_s": _range([x.end_s - x.fault.start_s for x in effects] or [float("nan")]),
        "ledge_mm": _range(np.percentile(array["ledge"], (5, 50, 95)).tolist()),
        "shell_C": _range(np.percentile(array["shell"], (5, 50, 95)).tolist()),
        "loss_kW": _range(loss_kW.sum(axis=1).tolist()),
        "side_share": float((loss_kW[:, 0] / loss_kW.sum(axis=1)).mean()),
        "cycle_min": float(days * 1440.0 * n_cells / max(cycles, 1)),
        "faults": len(faults),
        "shown": sum(x.observable_s < x.end_s for x in labels if x.fault.kind not in _INSTRUMENT),
        "physical": sum(x.fault.kind not in _INSTRUMENT for x in labels),
    }


_INSTRUMENT = ("sensor_fault", "stream_silent")


def speed(n_cells: int, days: float, live_cells: int) -> Figures:
    """How fast a record is written, and how fast a full line runs live."""
    with tempfile.TemporaryDirectory() as folder:
        run = "import sys; from edge.cli import main; sys.exit(main(sys.argv[1:]))"
        arguments = [
            "--out",
            f"{folder}/h",
            "--cells",
            str(n_cells),
            "--days",
            f"{days:g}",
            "--interval",
            "5",
        ]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", run, "simulate", *arguments, "--seed", "7"], check=True)
        wall_s = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    line = Line(n_cells=live_cells, seed=7, start_us=_START_US)
    messages = scans(line, 1.0)
    next(messages)
    began, cpu = time.perf_counter(), time.process_time()
    count, first_us, last_us = 0, 0, 0
    for message in messages:
        json.dumps(message.payload)
        first_us = first_us or message.time_us
        last_us, count = message.time_us, count + 1
        if last_us - first_us > 120_000_000:
            break
    plant_s = (last_us - first_us) / 1e6
    return {
        "cells": n_cells,
        "days": days,
        "wall_s": wall_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_MB": after.ru_maxrss / 1024.0,
        "size_MB": size / 1e6,
        "live_cells": live_cells,
        "live_ratio": plant_s / (time.perf_counter() - began),
        "live_cpu_ratio": plant_s / (time.process_time() - cpu),
        "live_messages": count,
    }


def _range(values: list[float]) -> list[float]:
    """Smallest, middle and largest."""
    return [float(np.min(values)), float(np.median(values)), float(np.max(values))]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--full", action="store_true", help="speed: 24 cells x 10 days and 420 cells live, not a part of each"
    )
    parser.add_argument("--days", type=int, default=30, help="balance: length (default 30)")
    parser.add_argument("--part", choices=("traces", "gate", "balance", "faults", "speed"), action="append")
    arguments = parser.parse_args()
    wanted = arguments.part or ["traces", "gate", "balance", "faults", "speed"]
    parts = {
        "traces": lambda: traces(6, 24),
        "gate": lambda: gate(8, 24),
        "balance": lambda: balance(2, arguments.days),
        "faults": lambda: fault_card.visible(18, _SEED),
        "speed": lambda: speed(24, 10.0, 420) if arguments.full else speed(24, 1.0, 60),
    }
    path = results.FOLDER / "plant.json"
    figures: Figures = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"parts": {}}
    for name in wanted:
        conditions = results.conditions(_SEED, ("numpy", "numba", "scipy", "scikit-learn"))
        figures["parts"][name] = conditions | parts[name]()
        print(json.dumps(figures["parts"][name], indent=1))
        results.write("plant", figures | conditions)
        figures = json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
