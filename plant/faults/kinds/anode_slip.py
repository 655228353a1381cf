"""The clamp lets go and the rod drops by 4 to 28 mm."""

from plant.faults.kind import Fault, Kind, World, anode_of, level, share_of


class AnodeSlip(Kind):
    """The clamp lets go and the rod drops by 4 to 28 mm."""

    name = "anode_slip"
    where = "anode"
    hours = (2.0, 24.0)
    onset_h = (0.003, 0.05)
    shapes = ("step", "ramp")
    natural = 2e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Lower the block."""
        world.effects.drop_mm[fault.cell, anode_of(fault)] += 4.0 + 24.0 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def finish(self, world: World, fault: Fault) -> None:
        """The crew levels the anode."""
        level(world, fault)
