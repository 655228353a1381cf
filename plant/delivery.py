"""What happens to readings between the cell and whoever listens: clocks, doubles, disorder and values lost."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.faults.plan import GATEWAY_CELLS

I64 = NDArray[np.int64]

#: Shares of rows that come twice, that stand in the wrong order, and of values that are missing.
_TWICE, _MOVED, _LOST = 0.001, 0.01, 0.002
#: A row comes so much too late at most [s], well within the lateness that a gateway allows for.
_LATE_S = 8.0
#: A gateway in ten has a clock nobody has set, by up to this; the others are within a second [s].
_SKEWED, _SKEW_S = 0.1, 30.0


class Delivered(NamedTuple):
    """Rows as they are recorded: which of the given ones, in which order, and which of their values are lost."""

    row: I64
    lost: NDArray[np.bool_]


class Passage(NamedTuple):
    """What becomes of rows on their way.

    Attributes
    ----------
    late : (n_rows,)
        How much later a row comes than its turn.
    twice : (n_twice,)
        Rows that come a second time.
    again : (n_twice,)
        How much later than the first time.
    lost : (n_rows,)
        Whether its voltage is lost.
    """

    late: NDArray[np.float64]
    twice: I64
    again: NDArray[np.float64]
    lost: NDArray[np.bool_]


class Delivery:
    """Gateways and network of a line.

    Parameters
    ----------
    n_cells, seed
        Of the line.
    perfect
        Nothing ever goes wrong.
    """

    def __init__(self, n_cells: int, seed: int, perfect: bool) -> None:
        self._n = n_cells
        self._perfect = perfect
        self._rng = np.random.default_rng([seed, 15])
        self._skew_us = np.zeros(n_cells, dtype=np.int64)
        # The first gateway is the one whose clock the plant goes by.
        for first in range(GATEWAY_CELLS, n_cells, GATEWAY_CELLS):
            late_s = (
                self._rng.uniform(2.0, _SKEW_S)
                if self._rng.random() < _SKEWED
                else self._rng.uniform(0.0, 1.0)
            )
            self._skew_us[first : first + GATEWAY_CELLS] = round(1e3 * late_s) * 1000
        if perfect:
            self._skew_us[:] = 0

    @property
    def skew_us(self) -> I64:
        """How far the clock of each cell's gateway is behind [us], whole milliseconds: its stamps are too early."""
        return self._skew_us

    def deliver(self, n_rows: int, interval_s: float) -> Delivered:
        """Decide what becomes of the next rows.

        Parameters
        ----------
        n_rows
            In order of time, all cells of a scan together.
        interval_s
            Between two scans [s].
        """
        row = np.arange(n_rows, dtype=np.int64)
        if self._perfect:
            return Delivered(row, np.zeros(n_rows, dtype=np.bool_))
        passage = self._pass(n_rows, _LATE_S / interval_s * self._n)
        place = row + passage.late
        again = place[passage.twice] + passage.again
        order = np.argsort(np.concatenate([place, again]), kind="stable")
        return Delivered(np.concatenate([row, passage.twice])[order], passage.lost)

    def transmit(self, n_rows: int, interval_s: float) -> Passage:
        """Decide when the next rows arrive; lateness in seconds.

        Parameters
        ----------
        n_rows
            In order of time, all cells of a scan together.
        interval_s
            Between two scans [s].
        """
        if self._perfect:
            still, none = np.zeros(n_rows), np.empty(0, dtype=np.int64)
            return Passage(still, none, np.empty(0), np.zeros(n_rows, dtype=np.bool_))
        passage = self._pass(n_rows, _LATE_S / interval_s * self._n)
        a_place_s = interval_s / self._n
        return passage._replace(late=passage.late * a_place_s, again=passage.again * a_place_s)

    def _pass(self, n_rows: int, places: float) -> Passage:
        """Draw what becomes of rows; lateness counted in places of the row, at most ``places``."""
        draw = self._rng.random(n_rows)
        lost = self._rng.random(n_rows) < _LOST
        late = np.zeros(n_rows)
        moved = draw < _MOVED
        late[moved] = self._rng.uniform(0.0, places, int(moved.sum()))
        twice = np.flatnonzero(draw > 1.0 - _TWICE)
        again = self._rng.uniform(min(0.5, places), places, len(twice))
        return Passage(late, twice, again, lost)
