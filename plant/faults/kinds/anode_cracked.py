"""A slab breaks off the face of an anode."""

from plant.faults.kind import Fault, Kind, World, anode_of, share_of


class AnodeCracked(Kind):
    """A slab breaks off the face of an anode."""

    name = "anode_cracked"
    where = "anode"
    hours = (10.0, 40.0)
    onset_h = (0.003, 0.1)
    shapes = ("step", "partial", "intermittent")
    natural = 1e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Take face away."""
        world.effects.area[fault.cell, anode_of(fault)] *= 1.0 - 0.4 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)
