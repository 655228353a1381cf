"""The set voltage of a cell is too high: it warms and its ledge melts."""

from plant.faults.kind import Fault, Kind, World


class CellHot(Kind):
    """The set voltage of a cell is too high: it warms and its ledge melts."""

    name = "cell_hot"
    where = "cell"
    hours = (24.0, 40.0)
    onset_h = (0.1, 6.0)
    shapes = ("step", "ramp", "partial")
    natural = 1e-4
    spread = 2.5

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Shift the set voltage."""
        world.effects.target_V[fault.cell] += 0.05 + 0.2 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Bath [degC]."""
        return float(world.state.bath_C[fault.cell])
