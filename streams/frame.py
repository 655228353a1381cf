"""A frame: everything that is known of one instant of the event-time grid."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.messages import CounterReading, Event, Operator, Sample

FloatArray = NDArray[np.float64]


class Frame(NamedTuple):
    """All readings whose time lies in one tick, plus what became known in it.

    Attributes
    ----------
    time_us
        Start of the tick, UTC microseconds.
    scalar : (n_scalar_readings, n_cells)
        Rows in the order of ``twin.signals.SCALAR_READINGS``; NaN where nothing was measured in this tick.
        Line readings are repeated for every cell of the line.
    bad : (n_scalar_readings, n_cells) bool
        True where a reading came and was refused (quality not good or outside the possible range).
    anode_current_A : (n_cells, n_anodes_max) or None
        NaN where missing; None when no cell measured it in this tick.
    shell_temp_C : (n_cells, n_shell_max) or None
    collector_bar_temp_C : (n_cells, n_bars_max) or None
    array_bad : (3, n_cells) int64
        How many elements of each array reading (order of ``ARRAY_READINGS``) came and were refused.
    samples, events, counters, operators
        What became known in this tick, in a fixed order that does not depend on arrival.
    """

    time_us: int
    scalar: FloatArray
    bad: NDArray[np.bool_]
    anode_current_A: FloatArray | None
    shell_temp_C: FloatArray | None
    collector_bar_temp_C: FloatArray | None
    array_bad: NDArray[np.int64]
    samples: tuple[Sample, ...]
    events: tuple[Event, ...]
    counters: tuple[CounterReading, ...]
    operators: tuple[Operator, ...]
