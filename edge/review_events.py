"""Anode changes of a reviewed period."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.ledger_files import LedgerFiles
from edge.pipeline import cell_params
from edge.review_spans import Span
from twin.anode_change import on_schedule_pct, spread
from twin.book import HOUR_US
from twin.metal_log import Entries

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
#: An anode change is judged where the cell had no other one within this time [h].
_ALONE_H = 8.0
_BEFORE_H, _NEAR_H, _ENERGY_H = 6, 6, 24


class Changes(NamedTuple):
    """Anode changes of one line in a period.

    Attributes
    ----------
    logged, judged
        Changes that were logged, and those with measured hours around them and no other change close by.
    voltage_rise_V, extra_kWh
        Median and 90th percentile.
    noise_ratio, hours_to_70_pct
        Median, 90th percentile and number: scatter of the resistance after over before, and until the new anode carried
        70 % of the mean; from ``changes.parquet``.
    on_schedule_pct
        Share of changes that came within 2 h of the anode's life after the one before it [%]; NaN without any that
        can be told.
    by_cell
        Of the judged changes of a cell: their number, and median and standard deviation of the extra energy [kWh].
    verdicts
        Number of changes by what the detectors say became of them; empty where the currents of anodes are not known.
    unlogged
        Changes that the currents showed and the log does not have.
    """

    logged: int
    judged: int
    voltage_rise_V: tuple[float, float]
    extra_kWh: tuple[float, float]
    noise_ratio: tuple[float, float, int]
    hours_to_70_pct: tuple[float, float, int]
    on_schedule_pct: float
    by_cell: dict[int, tuple[int, float, float]]
    verdicts: dict[str, int]
    unlogged: int


def changes(files: LedgerFiles, span: Span) -> dict[str, Changes]:
    """Figures of anode changes by line from hours: voltage 6 h after against before, energy above it over 24 h.

    Notes
    -----
    Energy reference 1.4 (T07). How long the hood was open is not known to any signal.
    """
    logged = files.changes.known_by(None)
    hours_us = files.book.hours_us
    row = np.searchsorted(hours_us, logged.time_us, side="right") - 1
    rise_V, extra_kWh = _judged(files, logged.cell, row)
    delay_h = _delays_h(files, logged)
    # Sorted by cell and time: neighbours in the list are neighbours in time.
    gap_us = np.where(np.diff(logged.cell) == 0, np.diff(logged.time_us), 2**62)
    near_us = round(_ALONE_H * HOUR_US)
    close = np.zeros(len(logged.cell), dtype=np.bool_)
    close[1:] |= gap_us < near_us
    close[:-1] |= gap_us < near_us
    within = (logged.time_us >= span.start_us) & (logged.time_us < span.end_us)
    found: dict[str, Changes] = {}
    for index, line in enumerate(files.plant.lines):
        mine = within & (files.book.line_index[logged.cell] == index)
        rise, extra = (spread(values[mine & ~close]) for values in (rise_V, extra_kWh))
        found[line] = Changes(
            int(mine.sum()),
            rise[2],
            rise[:2],
            extra[:2],
            *_by_samples(files, span, index),
            on_schedule_pct(delay_h[mine]),
            _by_cell(logged.cell[mine & ~close], extra_kWh[mine & ~close]),
            *_by_verdict(files, span, index),
        )
    return found


def _by_samples(
    files: LedgerFiles, span: Span, index: int
) -> tuple[tuple[float, float, int], tuple[float, float, int]]:
    """Noise ratio and hours to 70 % of a line's changes."""
    found = files.change_figures
    if found is None:
        nothing = spread(np.zeros(0))
        return nothing, nothing
    mine = (found.time_us >= span.start_us) & (found.time_us < span.end_us) & (found.cell >= 0)
    mine &= files.book.line_index[found.cell] == index
    return spread(found.noise_ratio[mine]), spread(found.hours_to_70_pct[mine])


def _by_verdict(files: LedgerFiles, span: Span, index: int) -> tuple[dict[str, int], int]:
    """Changes of a line by verdict, and those that were not logged."""
    found = files.verdicts
    if found is None:
        return {}, 0
    mine = (found.time_us >= span.start_us) & (found.time_us < span.end_us) & (found.cell >= 0)
    mine &= files.book.line_index[found.cell] == index
    names, numbers = np.unique(found.verdict[mine], return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True)), int((mine & ~found.logged).sum())


def _by_cell(cell: IntArray, extra_kWh: FloatArray) -> dict[int, tuple[int, float, float]]:
    found: dict[int, tuple[int, float, float]] = {}
    for i in np.unique(cell).tolist():
        own = extra_kWh[(cell == i) & np.isfinite(extra_kWh)]
        if len(own):
            found[i] = len(own), float(np.median(own)), float(np.std(own))
    return found


def _delays_h(files: LedgerFiles, logged: Entries) -> FloatArray:
    """By how much changes came later than the life of the anode before [h]; NaN for the first one of a position."""
    params, _ = cell_params(files.plant)
    life_h = np.array([np.nan if p is None else p.anode_life_h for p in params])
    order = np.lexsort((logged.time_us, logged.value, logged.cell))
    time_us, cell, anode = logged.time_us[order], logged.cell[order], logged.value[order]
    again = (np.diff(cell) == 0) & (np.diff(anode) == 0)
    delay = np.full(len(order), np.nan)
    delay[1:] = np.where(again, np.diff(time_us) / HOUR_US - life_h[cell[1:]], np.nan)
    found = np.full(len(order), np.nan)
    found[order] = delay
    return found


def _judged(files: LedgerFiles, cell: IntArray, row: IntArray) -> tuple[FloatArray, FloatArray]:
    """Voltage rise [V] and extra energy [kWh] of changes within hours; NaN where hours are not measured."""
    running = files.book.running()
    last = len(running[0]) - 1
    inside = (row >= _BEFORE_H) & (row + _ENERGY_H <= last)

    def sums(first: int, end: int) -> tuple[FloatArray, ...]:
        low, high = (np.clip(row + h, 0, last) for h in (first, end))
        return tuple(part[high, cell] - part[low, cell] for part in running)

    before, near, day = sums(-_BEFORE_H, 0), sums(1, 1 + _NEAR_H), sums(0, _ENERGY_H)
    for part, length_h in ((before, _BEFORE_H), (near, _NEAR_H), (day, _ENERGY_H)):
        inside &= (part[2] >= 0.8 * 3600.0 * length_h) & (part[1] > 0.0)
    before_V, near_V = (
        np.divide(part[0], part[1], out=np.full(len(cell), np.nan), where=inside) for part in (before, near)
    )
    return near_V - before_V, np.where(inside, day[0] - before_V * day[1], np.nan)
