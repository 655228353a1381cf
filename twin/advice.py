"""Which few changes of a cell save energy and leave it safe, by the twin's what-if. For a person to decide."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from twin.energy import dc_kwh_per_t
from twin.forecast_present import ForecastError, Present, take
from twin.heat import steady
from twin.whatif import TOLD, Change, ChangeError, WhatIf, check_change, what_if


class SafeRange(NamedTuple):
    """What a change may leave a cell with; a choice, wider or narrower at a plant's own risk.

    Attributes
    ----------
    superheat_C
        Least and most [K]. A cell is called cold below 4 and hot above 15; 2 K is what no superheat is known
        better than (published liquidus equations).
    ledge_frac
        Least and most ledge at bath level, over that of the technology.
    least_gap_frac
        Least anode to metal distance, over that of the technology: the twin knows nothing of metal waves.
    """

    superheat_C: tuple[float, float] = (6.0, 13.0)
    ledge_frac: tuple[float, float] = (0.6, 1.5)
    least_gap_frac: float = 0.93


#: What is tried: small enough to be done in a day and taken back.
CANDIDATES: tuple[Change, ...] = (
    Change(voltage_V=-0.02),
    Change(voltage_V=-0.04),
    Change(cover_m=0.03),
    Change(cover_m=-0.03),
    Change(alf3_pct=0.5),
    Change(alf3_pct=-0.5),
    Change(voltage_V=-0.03, cover_m=0.04),
    Change(voltage_V=-0.02, alf3_pct=0.5),
    Change(voltage_V=-0.02, alf3_pct=-0.5),
)
#: Why a change is not advised.
BEYOND, SUPERHEAT, LEDGE, DISTANCE, RESTLESS, NOTHING = (
    "beyond what the twin's equations were checked for",
    "superheat would leave its safe range",
    "ledge would leave its safe range",
    "anode to metal distance would fall below its least",
    "no state of rest within 12 days",
    "saves nothing that is surer than its error",
)
_COLUMN = {name: k for k, name in enumerate(TOLD)}


class Option(NamedTuple):
    """One change that saves energy and leaves the cell safe, at rest.

    Attributes
    ----------
    change
        What is changed.
    saved_kwh_per_t, saved_sd
        DC energy saved, and one standard deviation of it [kWh/t].
    by_voltage_kwh_per_t
        The part that is the voltage's alone; the rest is current efficiency, of which the twin is less sure.
    superheat_C, superheat_sd_C
        Superheat that it leaves [K]; the deviation is that of the level, known worse than the change.
    ledge_mm, ledge_sd_mm
        The same of the ledge at bath level [mm].
    bath_temp_C
        Bath temperature that it leaves [degC].
    """

    change: Change
    saved_kwh_per_t: float
    saved_sd: float
    by_voltage_kwh_per_t: float
    superheat_C: float
    superheat_sd_C: float
    ledge_mm: float
    ledge_sd_mm: float
    bath_temp_C: float


class Advice(NamedTuple):
    """What is advised for one cell.

    Attributes
    ----------
    options
        Best first; empty where nothing is advised.
    refused
        Reasons of the candidates that are not advised, with how many each.
    """

    options: tuple[Option, ...]
    refused: dict[str, int]


def advise(
    present: Present,
    candidates: tuple[Change, ...] = CANDIDATES,
    safe: SafeRange | None = None,
    most: int = 2,
) -> list[Advice]:
    """Look for the changes that save most.

    Parameters
    ----------
    present
        Cells as they are.
    candidates
        Changes to try on every cell.
    safe
        What they may leave.
    most
        Options for a cell; each moves other things than the ones before it.

    Returns
    -------
    list[Advice]
        For every cell of ``present``.

    Notes
    -----
    All candidates of a cell run as one batch, the best again with bands. A safe range must hold a day and three days
    later and at rest, and also one standard deviation of the change beyond. Cells run one by one: a candidate that
    is beyond the equations for one of them must not cost the others theirs. Held against the simulated plant
    (benchmarks/results/whatif.json), the twin moves current efficiency about twice as far as it does.
    """
    limits = safe or SafeRange()
    return [_for_cell(take(present, [c]), candidates, limits, most) for c in range(len(present.params))]


def _for_cell(one: Present, candidates: tuple[Change, ...], safe: SafeRange, most: int) -> Advice:
    refused: Counter[str] = Counter()
    tried: list[Change] = []
    for change in candidates:
        try:
            check_change(one, 0, change)
        except ChangeError:
            refused[BEYOND] += 1
        else:
            tried.append(change)
    if not tried:
        return Advice((), dict(refused))
    try:
        quick = what_if(one, tried, bands=False)
        ranked = np.argsort(-_saved(quick), kind="stable").tolist()
        chosen: list[Change] = []
        for k in ranked:
            why = _unsafe(one, quick, k, safe)
            if not why and not _saved(quick)[k] > 0.0:
                why = NOTHING
            if why:
                refused[why] += 1
            elif len(chosen) < most and _levers(tried[k]) not in map(_levers, chosen):
                chosen.append(tried[k])
        if not chosen:
            return Advice((), dict(refused))
        sure = what_if(one, chosen)
    except ForecastError:
        return Advice((), {BEYOND: len(candidates)})
    options: list[Option] = []
    for k, change in enumerate(chosen):
        option = _option(sure, k, change)
        why = _unsafe(one, sure, k, safe)
        if not why and not option.saved_kwh_per_t > option.saved_sd:
            why = NOTHING
        if why:
            refused[why] += 1
        else:
            options.append(option)
    return Advice(tuple(options), dict(refused))


def _levers(change: Change) -> frozenset[str]:
    """Which things a change moves, and which way."""
    return frozenset(f"{name} {np.sign(by):+.0f}" for name, by in change._asdict().items() if by != 0.0)


def _saved(found: WhatIf) -> np.ndarray:
    """DC energy saved at rest by every change [kWh/t]; NaN counts as nothing."""
    saved = found.before[0, _COLUMN["kwh_per_t"]] - found.after[-1, 0, :, _COLUMN["kwh_per_t"]]
    return np.where(np.isfinite(saved), saved, -np.inf)


def _unsafe(one: Present, found: WhatIf, k: int, safe: SafeRange) -> str:
    """Why a change must not be advised; empty where it may."""
    if found.status[0, k] or not np.isfinite(found.after[1:, 0, k]).all():
        return BEYOND
    if not found.at_rest[0, k]:
        return RESTLESS
    technology = steady(one.params[0])
    ledge_mm = one.params[0].ledge_bath_mm
    ranges = (
        ("superheat_C", safe.superheat_C, SUPERHEAT),
        ("ledge_bath_mm", (safe.ledge_frac[0] * ledge_mm, safe.ledge_frac[1] * ledge_mm), LEDGE),
        ("gap_mm", (safe.least_gap_frac * technology.acd_mm, np.inf), DISTANCE),
    )
    for name, (least, most), why in ranges:
        value = found.after[1:, 0, k, _COLUMN[name]]
        band = np.nan_to_num(found.change_sd[1:, 0, k, _COLUMN[name]])
        if not ((value - band >= least) & (value + band <= most)).all():
            return why
    return ""


def _option(found: WhatIf, k: int, change: Change) -> Option:
    before = {name: float(found.before[0, row]) for name, row in _COLUMN.items()}
    after, sd, moved_sd = (
        {name: float(values[-1, 0, k, row]) for name, row in _COLUMN.items()}
        for values in (found.after, found.after_sd, found.change_sd)
    )
    by_voltage = before["kwh_per_t"] - float(dc_kwh_per_t(after["cell_voltage_V"], before["efficiency_frac"]))
    return Option(
        change=change,
        saved_kwh_per_t=before["kwh_per_t"] - after["kwh_per_t"],
        saved_sd=moved_sd["kwh_per_t"],
        by_voltage_kwh_per_t=by_voltage,
        superheat_C=after["superheat_C"],
        superheat_sd_C=sd["superheat_C"],
        ledge_mm=after["ledge_bath_mm"],
        ledge_sd_mm=sd["ledge_bath_mm"],
        bath_temp_C=after["bath_temp_C"],
    )
