"""A side has lost lining and ledge: the metal washes against the wall and takes silicon from it."""

from plant.faults.kind import Fault, Kind, World, contrast, exposed


class SideWallHot(Kind):
    """A side has lost lining and ledge: the metal washes against the wall and takes silicon from it."""

    name = "side_wall_hot"
    where = "side"
    hours = (4.0, 14.0)
    onset_h = (0.1, 1.0)
    shapes = ("step", "ramp")
    natural = 5e-5
    spread = 2.5

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Raise the heat transfer, thin the lining."""
        exposure = exposed(world, fault)
        world.effects.film[fault.cell] *= 1.0 + 5.0 * strength * exposure
        world.effects.wall[fault.cell] *= 1.0 - 0.5 * strength * exposure
        world.effects.silicon_kg_s[fault.cell] += 8e-5 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Shell of the side over the rest of the cell [K]."""
        return contrast(world, fault)
