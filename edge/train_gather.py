"""Runs labelled histories through the gateway's pipeline and keeps what there is to learn from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.train_sequence import IGNORE, Lesson
from models.anode_sequence import CLASSES
from models.anode_windows import AnodeWindows, Window
from models.base import CellLayout, View
from models.scoring.events import Event

#: After its end a fault still shows for a while: those windows teach nothing.
_AFTER_US = 2 * 3_600_000_000
_CLASS_OF = {kind: index for index, kind in enumerate(CLASSES)}


class LessonWriter:
    """Keeps the windows of one line, to be labelled at the end.

    Parameters
    ----------
    layout
        Instruments of the cells.
    """

    def __init__(self, layout: CellLayout) -> None:
        self._windows = AnodeWindows(layout)
        self._kept: list[Window] = []

    def add(self, view: View) -> None:
        """Take in one scan."""
        window = self._windows.update(view)
        if window is not None:
            self._kept.append(window)

    def lesson(self, events: Sequence[Event]) -> Lesson:
        """Everything kept, with what was true of each anode.

        Parameters
        ----------
        events
            Of this line, cells counted from its first.
        """
        seen = np.stack([window.seen for window in self._kept])
        ends_us = np.array([window.time_us for window in self._kept], dtype=np.int64)
        return Lesson(
            np.stack([window.features for window in self._kept]),
            seen,
            targets(ends_us, seen.shape[1:], events),
        )


def targets(ends_us: NDArray[np.int64], shape: tuple[int, ...], events: Sequence[Event]) -> NDArray[np.int8]:
    """Class of every window.

    Parameters
    ----------
    ends_us : (n_windows,)
        Ends of the windows, UTC microseconds.
    shape
        Cells and anodes.
    events
        Those with an anode and a kind of ``CLASSES`` count.

    Returns
    -------
    target : (n_windows, n_cells, n_anodes) int8
        Index into ``CLASSES``; ``IGNORE`` from a fault's start until it shows, and for two hours after its end.
    """
    target = np.zeros((len(ends_us), *shape), dtype=np.int8)
    ours = [e for e in events if e.anode is not None and e.kind in _CLASS_OF]
    for event in ours:
        doubtful = (ends_us >= event.start_us) & (ends_us < event.end_us + _AFTER_US)
        target[doubtful, event.cell, (event.anode or 1) - 1] = IGNORE
    for event in ours:
        sure = (ends_us >= event.observable_us) & (ends_us < event.end_us)
        target[sure, event.cell, (event.anode or 1) - 1] = _CLASS_OF[event.kind]
    return target
