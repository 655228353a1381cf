"""A simulated month with the errors of a real one, through the ledger and the review, held against the truth.

Two weeks before the month are simulated too, because a plant has logs of them. Errors that are put in: scatter and a
common bias of ladle weights, levels read by hand to the centimetre and known a day late, gaps of single cells and of
the whole line, a rectifier register that starts again from zero, two cells that start up in the month.
"""

import math
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.ledger_site import Errors, write_site
from edge.accounting import Accounting
from edge.accounts import Accounts, MonthAccounts
from edge.config import Config
from edge.entries import Entries
from edge.ledger_files import read_ledger
from edge.review import Reviewer
from edge.review_spans import Span
from edge.tables import Tables
from plant.line import Chunk, Line
from plant.publish import plant_toml
from plant.state import F, Output
from streams.messages import CounterReading, Event, Item, Sample
from streams.plant_file import load_plant
from twin.energy import Calendar

_ZONE = ZoneInfo("Asia/Shanghai")
_DAY_S, _BLOCK_S, _STEP_S = 86_400, 1800, 10
_STARTUP_DAYS, _STARTUP_V = 12, 0.5
_SCALE_BIAS, _TAP_SD, _CAST_SD = 0.004, 0.01, 0.0005
_GAPS_A_DAY, _GAP_H = 0.15, 1.5


class _TrueLine(Line):
    """Keeps the true energy of every cell while it lives [W s]."""

    energy_Ws: F

    def _run(self, seconds: int) -> tuple[F, F, Output]:
        line_A, ambient_C, out = super()._run(seconds)
        self.energy_Ws = out.voltage_V.T @ line_A
        return line_A, ambient_C, out

    def metal_left_kg(self) -> F:
        """Metal in every cell without what a running tap has yet to draw."""
        s = self._state
        drawing_s = np.maximum(s.tap_end_s - self._second, 0.0)
        return s.metal_kg - s.tap_rate_kg_s * drawing_s


def simulated_month(
    seed: int, n_cells: int = 24, lead_days: int = 14, keep: Path | None = None
) -> results.Figures:
    """Simulate the end of December and January, review January, and compare.

    Parameters
    ----------
    seed
        Of the line and of every error.
    n_cells, lead_days
        Size of the line, and days before the month.
    keep
        Folder for what the plant recorded; a temporary one without it.
    """
    if keep is None:
        with tempfile.TemporaryDirectory() as name:
            return simulated_month(seed, n_cells, lead_days, Path(name))
    rng = np.random.default_rng([seed, 77])
    month_us = [round(datetime(2026, m, 1, tzinfo=_ZONE).timestamp()) * 1_000_000 for m in (1, 2)]
    lead_s = lead_days * _DAY_S
    line = _TrueLine(n_cells=n_cells, seed=seed, start_us=month_us[0] - lead_s * 1_000_000)
    startup = rng.choice(n_cells, 2, replace=False)
    keep.mkdir(parents=True, exist_ok=True)
    (keep / "plant.toml").write_text(plant_toml(line), encoding="utf-8")
    truth = _live(line, keep, rng, startup, lead_s)
    np.savez(keep / "truth.npz", **truth)
    return judged(keep, truth, seed, rng)


def imagined_month(seed: int, n_cells: int = 24) -> results.Figures:
    """The same with an imagined site: hours at once, current efficiency that wanders; many months can be had."""
    rng = np.random.default_rng([seed, 78])
    startup = tuple(rng.choice(n_cells, 2, replace=False).tolist())
    errors = Errors(_SCALE_BIAS, 0.004, 6.0, 3, 45, startup, 31, _STARTUP_DAYS)
    with tempfile.TemporaryDirectory() as name:
        site = write_site(
            Path(name), n_cells=n_cells, days=62, seed=seed, start="2025-12-01", gap_share=0.01, errors=errors
        )
        month = slice(31, 62)
        truth = {
            "energy_kWh": site.energy_kWh[month].sum(axis=0),
            "metal_t": site.metal_t[month].sum(axis=0),
            "cast_kg": np.array([site.cast_kg[:31].sum(), site.cast_kg[month].sum()]),
        }
        return judged(Path(name), truth, seed, rng)


def judged(folder: Path, truth: Mapping[str, F], seed: int, rng: np.random.Generator) -> results.Figures:
    """Review what a plant recorded, and hold January against the truth.

    Parameters
    ----------
    folder
        As ``potline replay`` writes it.
    truth
        Energy and metal by cell in normal operation in January, and what the cast house got in both months [kg].
    seed, rng
        Named in the result; errors of the cast house's scale.
    """
    month_us = [round(datetime(2026, m, 1, tzinfo=_ZONE).timestamp()) * 1_000_000 for m in (1, 2)]
    files = read_ledger(folder, Calendar(ZoneInfo(load_plant(folder / "plant.toml").time_zone)))
    cast = {
        month: {"L1": MonthAccounts(cast_house_kg=float(kg) * (1.0 + _CAST_SD * rng.standard_normal()))}
        for month, kg in zip(("2025-12", "2026-01"), truth["cast_kg"], strict=True)
        if kg > 0.0
    }
    reviewer = Reviewer(files, Accounts(month=cast, scale_sd_frac=_CAST_SD))
    review = reviewer.review(Span("2026-01", month_us[0], month_us[1]))
    found = review.lines[0].now.figures["liquid_dc"]
    true_line = float(truth["energy_kWh"].sum() / truth["metal_t"].sum())
    true_cell = truth["energy_kWh"] / truth["metal_t"]
    cells = review.cells
    z = (cells.dc_kwh_per_t - true_cell) / cells.dc_sd
    error = cells.dc_kwh_per_t / true_cell - 1.0
    row = review.lines[0]
    known = np.isfinite(z)
    return {
        "seed": seed,
        "cells": len(true_cell),
        "line_true_kwh_per_t": round(true_line, 2),
        "line_found_kwh_per_t": round(found.value, 2),
        "line_error_pct": round(100.0 * (found.value / true_line - 1.0), 4),
        "line_stated_sd_pct": round(100.0 * found.uncertainty / found.value, 4),
        "line_refused": found.refused,
        "cells_judged": int(known.sum()),
        "cells_within_95": int((np.abs(z[known]) <= 1.96).sum()),
        "cells_refused": sorted({r for r in cells.reasons if r}),
        "cell_rms_error_pct": round(100.0 * float(np.sqrt(np.mean(error[known] ** 2))), 3),
        "cell_stated_sd_pct": round(100.0 * float(np.mean((cells.dc_sd / cells.dc_kwh_per_t)[known])), 3),
        "rms_z": round(float(np.sqrt(np.mean(z[known] ** 2))), 3),
        "register_resets": row.registers["rectifier_ac_energy_kWh"].resets,
        "line_ac_gross": round(row.now.figures["liquid_ac_gross"].value, 2),
        "coverage": round(found.coverage, 4),
        "busbar_residual_pct": round(
            100.0 * review.lines[0].now.busbar_kWh / review.lines[0].now.energy.line_dc_kWh, 3
        ),
    }


def _live(
    line: _TrueLine, folder: Path, rng: np.random.Generator, startup: NDArray[np.int64], lead_s: int
) -> dict[str, F]:
    """Let the line live, write what the plant would have recorded, and give the truth of the month."""
    plant = load_plant(folder / "plant.toml")
    accounting, entries, n = Accounting(plant, Config()), Entries(plant), line.n_cells
    energy, metal, cast_kg = np.zeros(n), np.zeros(n), np.zeros(2)
    silent_until_s = np.zeros(n)
    everyone_until_s = 0.0
    reset_kWh = math.nan
    with Tables(folder) as tables:
        for begin in range(0, lead_s + 31 * _DAY_S, _BLOCK_S):
            before_kg = line.metal_left_kg()
            chunk = line.advance(_BLOCK_S)
            second = begin - lead_s
            starting = np.zeros(n)
            if 0 <= second < _STARTUP_DAYS * _DAY_S:
                starting[startup] = 1.0
            tapped = np.zeros(n)
            for event in chunk.events:
                if event.event == "tap":
                    tapped[plant.cell_index[event.cell]] += float(event.attributes["metal_kg"])
            made_kg = line.metal_left_kg() - before_kg + tapped
            cast_kg[int(second >= 0)] += tapped.sum()
            if second >= 0:
                energy += line.energy_Ws * (1.0 - starting) / 3.6e6
                metal += made_kg * (1.0 - starting) / 1000.0
            new = rng.random(n) < _GAPS_A_DAY * _BLOCK_S / _DAY_S
            silent_until_s = np.where(new, begin + rng.exponential(_GAP_H * 3600.0, n), silent_until_s)
            if abs(second - 9 * _DAY_S) < _BLOCK_S / 2:
                everyone_until_s = begin + 3 * 3600.0
            for k in range(0, _BLOCK_S, _STEP_S):
                quiet = (silent_until_s > begin + k) | (everyone_until_s > begin + k)
                volt = np.where(quiet, np.nan, chunk.cell_voltage_V[k] + starting * _STARTUP_V)
                amp = np.full(n, math.nan if everyone_until_s > begin + k else float(chunk.line_current_A[k]))
                accounting.add(int(chunk.time_us[k]), volt, amp)
                if k % 60 == 0:
                    tables.add(accounting.close(int(chunk.time_us[k]), np.full(n, np.nan)))
            if math.isnan(reset_kWh) and second > 17 * _DAY_S and chunk.counters:
                reset_kWh = next(c.value for c in chunk.counters if c.counter == "rectifier_ac_energy_kWh")
            entries.add(_items(chunk, rng, reset_kWh))
        tables.add(accounting.finish(int(chunk.time_us[-1]) + 1_000_000))
    entries.add(_states(line, startup, lead_s))
    entries.write(folder / "entries.parquet")
    return {"energy_kWh": energy, "metal_t": metal, "cast_kg": cast_kg}


def _items(chunk: Chunk, rng: np.random.Generator, reset_kWh: float) -> list[Item]:
    """What the plant logs of a block: taps weighed wrong, levels known late, a register that started again."""
    items: list[Item] = []
    for event in chunk.events:
        attributes = dict(event.attributes)
        if event.event == "tap":
            weighed = float(event.attributes["metal_kg"]) * (
                1.0 + _SCALE_BIAS + _TAP_SD * rng.standard_normal()
            )
            attributes["metal_kg"] = round(weighed)
        if event.event != "cell_state":
            items.append(Event(event.time_us, event.received_us, event.cell, event.event, attributes))
    for sample in chunk.samples:
        late_us = sample.received_us + int(rng.exponential(6 * 3600.0)) * 1_000_000
        items.append(Sample(sample.time_us, late_us, sample.cell, sample.signal, sample.value))
    for counter in chunk.counters:
        value = counter.value
        if counter.counter == "rectifier_ac_energy_kWh" and not math.isnan(reset_kWh):
            value -= reset_kWh
        items.append(CounterReading(counter.time_us, "L1", counter.counter, value))
    return items


def _states(line: Line, startup: NDArray[np.int64], lead_s: int) -> list[Item]:
    found: list[Item] = []
    for index in startup.tolist():
        for second, state in ((lead_s, "STARTUP"), (lead_s + _STARTUP_DAYS * _DAY_S, "NORMAL")):
            at_us = line.start_us + second * 1_000_000
            found.append(Event(at_us, at_us, line.cell_ids[index], "cell_state", {"state": state}))
    return found
