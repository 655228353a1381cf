"""What is known so far of one tick, before the watermark closes it."""

import math

import numpy as np
from numpy.typing import NDArray

from streams.frame import FloatArray
from twin.signals import ARRAY_READINGS, SIGNALS

_NEVER = -(2**62)
_LIMITS = tuple((SIGNALS[name].low, SIGNALS[name].high) for name in ARRAY_READINGS)


class Elements:
    """One array reading of one cell that came in more than one message, element by element.

    Attributes
    ----------
    times_us, values
        Newest valid value of each element and its time; NaN where there is none.
    refused
        Elements that came and were refused, counted from 0.
    """

    __slots__ = ("refused", "times_us", "values")

    def __init__(self, n: int) -> None:
        self.times_us = [_NEVER] * n
        self.values = [math.nan] * n
        self.refused: set[int] = set()

    def merge(self, low: float, high: float, time_us: int, values: tuple[float, ...]) -> str:
        """Lay values over the held ones, of two with equal time the lower; gives what to count, or nothing."""
        n_new = n_equal = n_conflict = 0
        for i, value in enumerate(values):
            if not low <= value <= high:
                if value == value:
                    self.refused.add(i)
                continue
            old_us = self.times_us[i]
            if old_us == _NEVER:
                n_new += 1
            elif time_us == old_us:
                n_equal += value == self.values[i]
                n_conflict += value != self.values[i]
            if time_us > old_us or (time_us == old_us and value < self.values[i]):
                self.times_us[i] = time_us
                self.values[i] = value
        if n_conflict:
            return "conflicts"
        if n_new:
            return ""
        return "duplicates" if n_equal else "superseded"


class Pending:
    """Readings of one tick.

    Attributes
    ----------
    values, times_us
        Newest valid scalar reading and its time, by row and column of the frame in one number.
    bad
        Where a scalar reading came and was refused.
    arrays
        For each array reading the cells that reported it: time and values of the one message, or the elements
        of several.
    """

    __slots__ = ("arrays", "bad", "times_us", "values")

    def __init__(self) -> None:
        self.values: dict[int, float] = {}
        self.times_us: dict[int, int] = {}
        self.bad: set[int] = set()
        self.arrays: tuple[dict[int, tuple[int, tuple[float, ...]] | Elements], ...] = tuple(
            {} for _ in ARRAY_READINGS
        )

    def size(self) -> int:
        """Count the readings held."""
        return len(self.values) + sum(len(cells) for cells in self.arrays)

    def take_array(
        self, which: int, column: int, declared: int, time_us: int, values: tuple[float, ...], good: bool
    ) -> str:
        """Take in one message of an array reading.

        Parameters
        ----------
        which
            Index into ``ARRAY_READINGS``.
        column
            Of the cell.
        declared
            How many elements the cell has; ``values`` may be shorter.
        time_us, values
            As measured, NaN where missing.
        good
            Whether the quality of the message is good.

        Returns
        -------
        str
            What to count, empty for a message that is simply new.
        """
        cells = self.arrays[which]
        held = cells.get(column)
        if held is None and good:
            cells[column] = (time_us, values)
            return ""
        if not isinstance(held, Elements):
            elements = cells[column] = Elements(declared)
            if held is not None:
                elements.merge(*_LIMITS[which], held[0], held[1])
            held = elements
        if good:
            return held.merge(*_LIMITS[which], time_us, values)
        held.refused.update([i for i, value in enumerate(values) if value == value] or range(declared))
        return "bad_quality"

    def dense(
        self, which: int, n_cells: int, width: int, refused_out: NDArray[np.int64]
    ) -> FloatArray | None:
        """Array (n_cells, width) of one array reading without what the range refuses; None where nothing is left.

        ``refused_out`` (n_cells,) takes the number of refused elements.
        """
        cells = self.arrays[which]
        if not cells:
            return None
        table = np.full((n_cells, width), np.nan)
        for column, held in cells.items():
            if isinstance(held, Elements):
                table[column, : len(held.values)] = held.values
                refused_out[column] = len(held.refused)
            else:
                table[column, : len(held[1])] = held[1]
        low, high = _LIMITS[which]
        refused = (table < low) | (table > high)
        refused_out += refused.sum(axis=1)
        table[refused] = np.nan
        return None if bool(np.isnan(table).all()) else table
