"""What the simulated line tells of itself, by contract: events, samples, counters and blocks of readings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.state import F

Attribute = float | int | str


class PlantEvent(NamedTuple):
    """Something done at one cell: when by the log, when it stood there, and attributes by contract."""

    time_us: int
    received_us: int
    cell: str
    event: str
    attributes: dict[str, Attribute]


class PlantSample(NamedTuple):
    """A value taken by hand or in the laboratory: when taken and when known."""

    time_us: int
    received_us: int
    cell: str
    signal: str
    value: float


class PlantCounter(NamedTuple):
    """A register of the line at one instant."""

    time_us: int
    counter: str
    value: float


class Chunk(NamedTuple):
    """Measured values of consecutive seconds and what became known of them.

    Attributes
    ----------
    time_us : (T,)
    line_current_A, ambient_temp_C : (T,)
    cell_voltage_V, duct_gas_temp_C, beam_position_mm : (T, n)
    anode_current_A : (T, n, A)
    shell_temp_C : (T, n, S)
    collector_bar_temp_C : (T, n, B)
        B is 0 where no bar is measured.
    events, samples, counters
        By the time at which they happened; samples are known later.
    """

    time_us: NDArray[np.int64]
    line_current_A: F
    ambient_temp_C: F
    cell_voltage_V: F
    anode_current_A: F
    shell_temp_C: F
    collector_bar_temp_C: F
    duct_gas_temp_C: F
    beam_position_mm: F
    events: list[PlantEvent]
    samples: list[PlantSample]
    counters: list[PlantCounter]
