"""Taps, metal levels and cast-house weights of a site, by when they were taken and when they became known."""

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.book import Book
from twin.metal import Efficiency, Weighing, weighed_efficiency

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Levels before and after a month that still say something about it [d].
BEFORE_DAYS, AFTER_DAYS = 31.0, 15.0
_DAY_US = 86_400_000_000


class Entries(NamedTuple):
    """Entries of one kind, in any order.

    Attributes
    ----------
    time_us, received_us : (n,)
        When it was taken, and when it became known.
    cell : (n,)
        Index of the cell.
    value : (n,)
        Metal tapped [kg] or metal level [m].
    """

    time_us: IntArray
    received_us: IntArray
    cell: IntArray
    value: FloatArray

    def known_by(self, as_of_us: int | None) -> "Entries":
        """Entries that were known at an instant; None for all. Sorted by cell and time."""
        keep = np.isfinite(self.value)
        if as_of_us is not None:
            keep &= self.received_us <= as_of_us
        order = np.lexsort((self.time_us, self.cell))
        return self.take(order[keep[order]])

    def take(self, rows: IntArray | NDArray[np.bool_]) -> "Entries":
        """Some of the entries, by position or by a mask."""
        return Entries(self.time_us[rows], self.received_us[rows], self.cell[rows], self.value[rows])


def no_entries() -> Entries:
    """Nothing logged."""
    none = np.zeros(0, dtype=np.int64)
    return Entries(none, none, none, np.zeros(0))


def month_efficiency(
    book: Book,
    taps: Entries,
    levels: Entries,
    month_us: tuple[int, int],
    metal_area_m2: FloatArray,
    weighing: Weighing | None = None,
    as_of_us: int | None = None,
) -> Efficiency:
    """Current efficiency of every cell in one month, from a month before it until what is known after it.

    Parameters
    ----------
    book
        With the charge.
    taps, levels
        Taps [kg] and metal levels [m].
    month_us
        Start and end of the month.
    metal_area_m2 : (n_cells,)
        Area of the metal pad.
    weighing
        Errors of scale and level.
    as_of_us
        Only entries known by then; a late level gives another figure, under another date.

    Returns
    -------
    Efficiency
        One month: arrays (n_cells, 1).
    """
    n = len(metal_area_m2)
    start_us, end_us = month_us
    edges_us = (
        start_us - round(BEFORE_DAYS * _DAY_US),
        start_us,
        end_us,
        end_us + round(AFTER_DAYS * _DAY_US),
    )
    tapped, level = taps.known_by(as_of_us), levels.known_by(as_of_us)
    inside = (level.time_us >= edges_us[0]) & (level.time_us < edges_us[3])
    hours_us = book.hours_us
    if len(hours_us):
        # Before the book begins no charge is known.
        inside &= (level.time_us >= hours_us[0]) & (level.time_us <= hours_us[-1] + 3_600_000_000)
    level = level.take(inside)
    if not len(level.cell) or not len(hours_us):
        unknown = np.full((n, 1), np.nan)
        return Efficiency(unknown, unknown.copy(), np.full((n, 1, 1), np.nan), np.zeros(n))
    first = np.searchsorted(level.cell, np.arange(n))
    place = np.arange(len(level.cell)) - first[level.cell]
    size = int(place.max()) + 1

    def table(values: FloatArray, filled: float) -> FloatArray:
        out = np.full((n, size), filled)
        out[level.cell, place] = values
        return out

    # One key orders by cell, then by time: 2^51 us is the year 2041.
    tap_key, level_key = ((e.cell << 51) + e.time_us for e in (tapped, level))
    sums_kg = np.concatenate(([0.0], np.cumsum(tapped.value)))
    until = np.searchsorted(tap_key, level_key)
    base = np.searchsorted(tap_key, (level.cell << 51) + edges_us[0])
    # The current of before, within and after the month: each with a current efficiency of its own.
    charge = np.stack(
        [
            table(
                book.charge_until(np.clip(level.time_us, low, high), level.cell)
                - book.charge_until(np.full(len(level.cell), low), level.cell),
                np.nan,
            )
            for low, high in itertools.pairwise(edges_us)
        ],
        axis=2,
    )
    fitted = weighed_efficiency(
        table(level.time_us / _DAY_US, np.nan),
        table(level.value, np.nan),
        table(sums_kg[until] - sums_kg[base], 0.0),
        charge,
        table((until - base).astype(np.float64), 0.0),
        metal_area_m2,
        weighing,
    )
    return Efficiency(fitted.value[:, 1:2], fitted.sd[:, 1:2], fitted.covariance[:, 1:2, 1:2], fitted.days)
