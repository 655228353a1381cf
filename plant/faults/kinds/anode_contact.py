"""The contact between rod and beam or stub and block is bad."""

from plant.faults.kind import Fault, Kind, World, anode_of, share_of


class AnodeContact(Kind):
    """The contact between rod and beam or stub and block is bad."""

    name = "anode_contact"
    where = "anode"
    hours = (6.0, 40.0)
    onset_h = (0.1, 12.0)
    natural = 1e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Add a resistance."""
        world.effects.joint_ohm[fault.cell, anode_of(fault)] += 0.6 * strength / world.anode_A()

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)
