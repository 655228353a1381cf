"""The insulation under a part of the cathode is soaked and conducts: the bars near it run hot, the cell cools."""

import numpy as np

from plant.bars import along
from plant.faults.kind import Fault, Kind, World
from plant.state import F

#: How far the damage reaches along the cell, as a share of its length, and how much of it reaches the other row.
_REACH, _ACROSS = 0.12, 0.4


class BottomLoss(Kind):
    """The insulation under a part of the cathode is soaked and conducts."""

    name = "bottom_loss"
    where = "bar"
    hours = (24.0, 40.0)
    onset_h = (1.0, 12.0)
    shapes = ("step", "ramp")
    natural = 5e-5
    spread = 2.5

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Let up to four times the heat through beneath the bars around the place."""
        bars = world.state.bar_C.shape[1]
        world.effects.bottom[fault.cell] *= 1.0 + 3.0 * strength * _near(bars, fault.place)

    def quantity(self, world: World, fault: Fault) -> float:
        """End of the nearest bar over the mean of the others [K]."""
        bar_C = world.state.bar_C[fault.cell]
        return float(bar_C[fault.place] - np.delete(bar_C, fault.place).mean())


def _near(n_bars: int, place: int) -> F:
    """How much of the damage is beneath each bar, 1 at its place."""
    where, row = along(n_bars), (n_bars + 1) // 2
    across = np.where(np.arange(n_bars) // row == place // row, 1.0, _ACROSS)
    return across * np.exp(-0.5 * ((where - where[place]) / _REACH) ** 2)
