"""On-delay and off-delay of alarm conditions, in observed time only."""

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import Rule
from models.base import Slot

#: Cell and slot, as the axes of the scores.
Pair = tuple[int, int]


def pairs(mask: NDArray[np.bool_]) -> list[Pair]:
    """Cells and slots that are marked, in order."""
    return [(int(cell), int(slot)) for cell, slot in np.argwhere(mask)]


class Delays:
    """How long each slot of one kind has been seen abnormal or normal.

    Parameters
    ----------
    slot
        What the second axis counts.
    shape
        Cells and slots.

    Attributes
    ----------
    active : (n_cells, n_slots) bool
        Conditions, latched from the end of the on-delay to the end of the off-delay.
    """

    def __init__(self, slot: Slot, shape: tuple[int, ...]) -> None:
        self.slot: Slot = slot
        self.active = np.zeros(shape, dtype=np.bool_)
        self._high_s = np.zeros(shape)
        self._low_s = np.zeros(shape)

    def advance(self, value: NDArray[np.float64], rule: Rule, scan_s: float) -> tuple[list[Pair], list[Pair]]:
        """Count one scan [s]; give the slots whose condition begins and ends with it."""
        high = value >= 1.0
        low = value < rule.clear_below
        self._high_s[high] += scan_s
        self._high_s[low] = 0.0
        self._low_s[low] += scan_s
        self._low_s[high] = 0.0
        begins = high & ~self.active & (self._high_s >= rule.on_delay_s)
        ends = low & self.active & (self._low_s >= rule.off_delay_s)
        self.active[begins] = True
        self.active[ends] = False
        return pairs(begins), pairs(ends)
