"""What all cells of a line share: current, air, wind and the alumina of the day."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.noise import colour
from plant.state import F

_STOP_S = 20.0
_BATCH_S = 3.5 * 86400.0
_HOLD_RAMP_S = 900.0


class Outage(NamedTuple):
    """A time without line current: from when [s from the start of the record] and for how long [s]."""

    start_s: float
    length_s: float


class Load(NamedTuple):
    """A change of the line current: from, to [s from the start], and by which share of the rated current."""

    start_s: float
    end_s: float
    share: float


class Surroundings(NamedTuple):
    """Second by second: line current [A], air [degC], heat taken by wind [-] and how the alumina dissolves [-]."""

    line_A: F
    air_C: F
    wind: F
    quality: F


class Supply:
    """Rectifiers, weather and alumina of a line; the same whatever the blocks.

    Parameters
    ----------
    rated_A
        Line current [A].
    midnight_s
        Seconds from midnight at the start of the record.
    seed
        Decides every draw.
    outages, loads
        When the current is off, and when it is another than rated.
    """

    def __init__(
        self, rated_A: float, midnight_s: int, seed: int, outages: Sequence[Outage], loads: Sequence[Load]
    ) -> None:
        self._rated_A = rated_A
        self._midnight_s = midnight_s
        self._outages = tuple(outages)
        self._loads = tuple(loads)
        self._seed = seed
        self._state = np.zeros(4)
        self._draw = np.random.default_rng([seed, 8])

    def advance(self, start_s: int, seconds: int) -> Surroundings:
        """Give the next seconds.

        Parameters
        ----------
        start_s
            First second from the start of the record; calls must follow each other.
        seconds
            How many.
        """
        t = start_s + np.arange(seconds, dtype=np.float64)
        noise = np.empty((seconds, 4))
        colour(
            self._draw.standard_normal(noise.shape),
            self._state,
            np.array([4.0, 9000.0, 14400.0, 5400.0]),
            np.array([3.5e-4 * self._rated_A, 1.0e-3 * self._rated_A, 0.8, 0.02]),
            noise,
        )
        share = np.ones(seconds)
        for load in self._loads:
            share += load.share * _trapezium(t, load.start_s, load.end_s, _HOLD_RAMP_S, _HOLD_RAMP_S)
        for outage in self._outages:
            end = outage.start_s + outage.length_s
            back_s = min(300.0 + 0.1 * outage.length_s, 1500.0)
            share *= 1.0 - _trapezium(t, outage.start_s, end + back_s, _STOP_S, back_s)
        day = np.sin((self._midnight_s + t - 36000.0) / 86400.0 * 2.0 * np.pi)
        return Surroundings(
            line_A=(self._rated_A + noise[:, 0] + noise[:, 1]) * share,
            air_C=25.0 + 5.5 * day + noise[:, 2],
            wind=1.0 + noise[:, 3],
            quality=self._quality(t),
        )

    def _quality(self, t: F) -> F:
        """Alumina comes in batches of several days; each dissolves a little otherwise."""
        batch: NDArray[np.int64] = (t // _BATCH_S).astype(np.int64)
        found = np.empty(t.shape)
        for k in range(int(batch[0]), int(batch[-1]) + 1):
            draw = np.random.default_rng([self._seed, 12, k + 10]).standard_normal()
            found[batch == k] = 1.0 + 0.08 * max(-2.0, min(draw, 2.0))
        return found


def _trapezium(t: F, start: float, end: float, rise: float, fall: float) -> F:
    """0 before ``start`` and after ``end``, 1 between the ramps inside."""
    return np.clip(np.minimum((t - start) / rise, (end - t) / fall), 0.0, 1.0)
