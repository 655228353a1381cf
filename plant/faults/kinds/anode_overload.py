"""A rod creeps through its clamp for hours until its anode carries too much."""

from plant.faults.kind import Fault, Kind, World, anode_of, level, share_of


class AnodeOverload(Kind):
    """A rod creeps through its clamp for hours until its anode carries too much."""

    name = "anode_overload"
    where = "anode"
    hours = (8.0, 36.0)
    onset_h = (3.0, 10.0)
    shapes = ("ramp", "partial")
    natural = 1e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Lower the block."""
        world.effects.drop_mm[fault.cell, anode_of(fault)] += 16.0 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def finish(self, world: World, fault: Fault) -> None:
        """The crew levels the anode."""
        level(world, fault)
