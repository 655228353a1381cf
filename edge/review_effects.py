"""Anode effects of a reviewed period: alarms, minutes found in the voltages, and the perfluorocarbons that follow."""

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.effect_log import EffectLog
from edge.ledger_files import LedgerFiles
from edge.review_rows import Review
from edge.review_spans import Span
from models.registry import KINDS
from twin.anode_effects import activity, overvoltage_mV
from twin.book import NORMAL
from twin.emissions import (
    Pfc,
    PfcProfile,
    pfc_by_default,
    pfc_by_overvoltage,
    pfc_by_slope,
    pfc_profile,
)
from twin.figures import Figure, refusal
from twin.period import Validity

FloatArray = NDArray[np.float64]
_KIND = "anode_effect"
#: An effect lasts a minute or two: voltages further apart than this tell neither its length nor its height [s].
_SLOWEST_S = 15.0


class LineEffects(NamedTuple):
    """Anode effects of one line in a period.

    Attributes
    ----------
    alarms
        That were raised; None where no detector raises them.
    found
        Effects found in the voltages; NaN with the reason in the figures.
    per_cell_day, minutes_each, min_per_cell_day, overvoltage_mV
        AEF, AED [min], AEM [min] and AEO [mV], in normal operation.
    pfc
        Perfluorocarbons [t CO2e/t] by profile and method (``slope``, ``overvoltage``, ``default``).
    counted
        The one of them that goes into the line's carbon.
    """

    alarms: int | None
    found: float
    per_cell_day: Figure
    minutes_each: Figure
    min_per_cell_day: Figure
    overvoltage_mV: Figure
    pfc: dict[tuple[str, str], Figure]
    counted: Figure


class Effects(NamedTuple):
    """Anode effects of a period.

    Attributes
    ----------
    lines
        By line.
    count_by_cell : (n_cells,)
        Effects found in the voltages; NaN where nobody looked.
    voltage_by_cell_V : (n_cells,)
        Their share in the mean voltage of the cell [V]; 0 where nobody looked, which the report says.
    """

    lines: dict[str, LineEffects]
    count_by_cell: FloatArray
    voltage_by_cell_V: FloatArray


def effects(folder: Path, review: Review) -> Effects:
    """Work out the anode effects of a period.

    Parameters
    ----------
    folder
        Of the replay, with ``alarms.jsonl``.
    review
        Figures of the same period.

    Notes
    -----
    Energy reference 6.2 and 6.3: high-voltage effects only. Minutes are those of the measured time, over the measured
    cell-days, and refused below the coverage of a month.
    """
    files, span = review.files, review.span
    alarms = alarms_by_line(folder, files, span)
    covered_s = files.book.totals(span.start_us, span.end_us).covered_s[NORMAL]
    n = len(files.plant.cells)
    found = files.effects
    count, over_Vs, seconds = (np.full(n, np.nan) for _ in range(3))
    if found is not None:
        mine = (found.time_us >= span.start_us) & (found.time_us < span.end_us)
        mine &= files.book.normal_at(found.time_us, found.cell)
        part = found.take(mine)
        count = np.bincount(part.cell, minlength=n).astype(np.float64)
        over_Vs, seconds = (np.bincount(part.cell, w, n) for w in (part.overvoltage_Vs, part.seconds))
    lines: dict[str, LineEffects] = {}
    for index, row in enumerate(review.lines):
        mine = files.book.line_index == index
        why = _unknown(review, mine, found)
        cell_days = float(covered_s[mine].sum()) / 86400.0
        each = "voltages above 8 V for 3 s and more, measured cell-days"
        if why:
            no_minutes, no_overvoltage = refusal("min/d", why), refusal("mV", why)
            lines[row.line] = LineEffects(
                alarms[row.line],
                float("nan"),
                refusal("1/d", why),
                refusal("min", why),
                no_minutes,
                no_overvoltage,
                *_pfc(review, row.line, no_minutes, no_overvoltage),
            )
            continue
        number = int(count[mine].sum())
        a = activity(number, float(seconds[mine].sum()) / 60.0, cell_days)
        aeo = overvoltage_mV(float(over_Vs[mine].sum()), cell_days * 86400.0)
        minutes, over = Figure(a.min_per_cell_day, "min/d", method=each), Figure(aeo, "mV", method=each)
        lines[row.line] = LineEffects(
            alarms[row.line],
            float(number),
            Figure(a.per_cell_day, "1/d", method=each),
            Figure(a.minutes_each, "min", method=each)
            if number
            else refusal("min", "no anode effect in this period"),
            minutes,
            over,
            *_pfc(review, row.line, minutes, over),
        )
    by_cell_V = np.divide(over_Vs, covered_s, out=np.zeros(n), where=(covered_s > 0.0) & np.isfinite(over_Vs))
    return Effects(lines, count, by_cell_V)


def _unknown(review: Review, mine: NDArray[np.bool_], found: EffectLog | None) -> str:
    """Why the minutes of a line are not known; empty where they are."""
    if found is None:
        return "anode effects were not looked for: replay the history again"
    if found.interval_s > _SLOWEST_S:
        return f"voltages stand {found.interval_s:.3g} s apart, too far to time anode effects"
    normal = mine & (review.cells.charge_kAh > 0.0)
    if not normal.any():
        return "no cell was in normal operation"
    coverage, least = float(np.nanmean(review.cells.coverage[normal])), Validity().min_coverage
    if coverage < least:
        return f"cells were measured for {100 * coverage:.1f} % of the time, {100 * least:g} % are needed"
    return ""


def _pfc(
    review: Review, line: str, minutes: Figure, over: Figure
) -> tuple[dict[tuple[str, str], Figure], Figure]:
    """Perfluorocarbons of a tonne by every profile and method that has factors, and the one that is counted."""
    efficiency = next(r for r in review.lines if r.line == line).now.figures["current_efficiency"]
    found: dict[tuple[str, str], Figure] = {}
    for name in review.accounts.pfc_profiles:
        profile = pfc_profile(name)
        found[name, "slope"] = (
            _figure(profile, pfc_by_slope(profile, minutes.value, 1.0))
            if minutes.known
            else refusal("t/t", minutes.refused)
        )
        if profile.overvoltage == profile.overvoltage:
            why = over.refused or efficiency.refused
            found[name, "overvoltage"] = (
                refusal("t/t", why)
                if why
                else _figure(profile, pfc_by_overvoltage(profile, over.value, efficiency.value, 1.0))
            )
        if profile.default_cf4_kg_t == profile.default_cf4_kg_t:
            found[name, "default"] = _figure(profile, pfc_by_default(profile, 1.0))
    first = review.accounts.pfc_profiles[0]
    slope = found[first, "slope"]
    return found, slope if slope.known else found.get((first, "default"), slope)


def _figure(profile: PfcProfile, pfc: Pfc) -> Figure:
    method = f"{pfc.method}, {profile.name}, {pfc.gwp}: CF4 {pfc.cf4_kg:.4f}, C2F6 {pfc.c2f6_kg:.5f} kg/t"
    sd = 0.5 * profile.slope_uncertainty_frac * pfc.co2e_t if pfc.method == "slope" else float("nan")
    return Figure(pfc.co2e_t, "t/t", sd, method=method, unverified=(f"{profile.name}: {profile.confidence}",))


def alarms_by_line(folder: Path, files: LedgerFiles, span: Span) -> dict[str, int | None]:
    """Alarms of anode effects that were raised in a period, by line; None where no detector raises them."""
    if _KIND not in KINDS:
        return dict.fromkeys(files.plant.lines)
    found: dict[str, int | None] = dict.fromkeys(files.plant.lines, 0)
    path = folder / "alarms.jsonl"
    if not path.is_file():
        return dict.fromkeys(files.plant.lines)
    with path.open(encoding="utf-8") as rows:
        for text in rows:
            row = json.loads(text)
            time_us = round(datetime.fromisoformat(row["time"]).timestamp() * 1e6)
            if (row["kind"], row["transition"]) == (
                _KIND,
                "raise",
            ) and span.start_us <= time_us < span.end_us:
                found[row["line"]] = (found.get(row["line"]) or 0) + 1
    return found
