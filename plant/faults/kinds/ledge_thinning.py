"""Bath or metal runs faster along one side and washes its ledge away."""

from plant.faults.kind import Fault, Kind, World, contrast, exposed


class LedgeThinning(Kind):
    """Bath or metal runs faster along one side and washes its ledge away."""

    name = "ledge_thinning"
    where = "side"
    hours = (8.0, 20.0)
    onset_h = (0.1, 2.0)
    shapes = ("step", "ramp", "partial")
    natural = 3e-4
    spread = 2.5

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Raise the heat transfer to the ledge of that side."""
        world.effects.film[fault.cell] *= 1.0 + 3.0 * strength * exposed(world, fault)

    def quantity(self, world: World, fault: Fault) -> float:
        """Shell of the side over the rest of the cell [K]."""
        return contrast(world, fault)
