"""What the twin adds to an energy review: parts of each cell's voltage, where its heat goes, what could be changed."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.pipeline import cell_params
from edge.review_effects import Effects
from edge.review_events import Changes
from edge.review_rows import Review
from edge.review_states import Now, cells_now, read_states
from twin.advice import Advice, advise
from twin.book import NORMAL
from twin.cell_voltage import PARTS, voltage_parts
from twin.decomposition import State, split
from twin.forecast_present import take
from twin.waste_heat import WasteHeat, waste_heat

FloatArray = NDArray[np.float64]
#: Changes of a cell that must be judged before its anode practice is held against the line's.
_LEAST_CHANGES = 4
#: Standard error of a median over that of a mean.
_MEDIAN_SD = 1.2533


class Practice(NamedTuple):
    """What a cell's anode changes cost beyond the line's median change.

    Attributes
    ----------
    changes
        Judged ones.
    saved_kwh_per_t, saved_sd
        DC energy of the period that changes like the line's median would save, and one standard deviation [kWh/t].
    """

    changes: int
    saved_kwh_per_t: float
    saved_sd: float


class TwinReview(NamedTuple):
    """The twin's part of a review.

    Attributes
    ----------
    parts_V : (n_cells, len(PARTS))
        Mean voltage of the period by part [V]; NaN where the twin said nothing.
    over_kwh_per_t : (n_cells, len(PARTS))
        What of a cell's distance from its line's median each part makes [kWh/t DC], exact with the efficiency's.
    now
        Cells at the end of the period.
    heat
        Of ``now.cells``; None without any.
    advice
        By position of the cell, for those that were asked for.
    practice
        By position of the cell, where its changes cost more than the line's, and surely so.
    """

    parts_V: FloatArray
    over_kwh_per_t: FloatArray
    now: Now
    heat: WasteHeat | None
    advice: dict[int, Advice]
    practice: dict[int, Practice]


def twin_review(
    folder: Path, review: Review, effects: Effects, changes: dict[str, Changes], advised: int
) -> TwinReview:
    """Work out the twin's part.

    Parameters
    ----------
    folder
        Of the replay, with ``states.parquet``.
    review, effects, changes
        Of the same period.
    advised
        How many of the dearest cells get advice; each takes about a second.
    """
    files, cells = review.files, review.cells
    params, _ = cell_params(files.plant)
    states = read_states(folder, files, review.span)
    current_A = _current_A(review)
    parts_V = voltage_parts(
        params,
        current_A,
        states.mean["acd_mm"],
        states.mean["bath_temp_c"],
        states.mean["superheat_c"],
        states.mean["alumina_pct"],
        effects.voltage_by_cell_V,
        cells.voltage_V,
    )
    now = cells_now(files, states, review.span, cells.current_efficiency)
    heat, advice = None, dict[int, Advice]()
    if now.present is not None:
        heat = waste_heat(now.present, review.accounts.usable_heat_C)
        dearest = [row.cell for row in review.rows if row.cell in now.cells]
        asked = [*dearest, *(i for i in now.cells if i not in dearest)][:advised]
        if asked:
            found = advise(take(now.present, [now.cells.index(i) for i in asked]))
            advice = dict(zip(asked, found, strict=True))
    return TwinReview(parts_V, _over_median(review, parts_V), now, heat, advice, _practice(review, changes))


def _current_A(review: Review) -> FloatArray:
    """Mean current of every cell in normal operation [A]."""
    totals = review.files.book.totals(review.span.start_us, review.span.end_us)
    charge_kAh, covered_s = totals.charge_kAh[NORMAL], totals.covered_s[NORMAL]
    return np.divide(
        3.6e6 * charge_kAh, covered_s, out=np.full(len(covered_s), np.nan), where=covered_s > 0.0
    )


def _over_median(review: Review, parts_V: FloatArray) -> FloatArray:
    """Distance of every cell from its line's median cell by part of the voltage [kWh/t DC]."""
    cells, over = review.cells, np.full(parts_V.shape, np.nan)
    for index in range(len(review.lines)):
        mine = (review.files.book.line_index == index) & np.isfinite(cells.dc_kwh_per_t)
        mine &= np.isfinite(parts_V).all(axis=1)
        if not mine.any():
            continue
        # The median cell has the median voltage; what medians of parts leave of it is unexplained like any rest.
        middle_V = np.median(parts_V[mine], axis=0)
        middle_V[-1] = np.median(cells.voltage_V[mine]) - middle_V[:-1].sum()
        efficiency = float(np.median(cells.current_efficiency[mine]))
        middle = State(dict(zip(PARTS, middle_V.tolist(), strict=True)), efficiency, 1.0)
        for i in np.flatnonzero(mine).tolist():
            own = State(
                dict(zip(PARTS, parts_V[i].tolist(), strict=True)), float(cells.current_efficiency[i]), 1.0
            )
            found = split(middle, own)
            over[i] = [found[name] for name in PARTS]
    return over


def _practice(review: Review, changes: dict[str, Changes]) -> dict[int, Practice]:
    """Cells whose anode changes cost more than the line's median, by more than two standard errors."""
    found: dict[int, Practice] = {}
    for line in changes.values():
        middle_kWh = line.extra_kWh[0]
        for cell, (count, median_kWh, sd_kWh) in line.by_cell.items():
            metal_t = float(review.cells.metal_t[cell])
            if count < _LEAST_CHANGES or not (metal_t > 0.0 and math.isfinite(middle_kWh)):
                continue
            saved = (median_kWh - middle_kWh) * count / metal_t
            sd = _MEDIAN_SD * sd_kWh / math.sqrt(count) * count / metal_t
            if saved > 2.0 * sd and saved > 0.0:
                found[cell] = Practice(count, saved, sd)
    return found
