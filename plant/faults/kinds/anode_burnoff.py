"""A stub or a transition joint lets go; the anode goes dead, is drawn and replaced."""

from plant.faults.kind import Fault, Kind, World, anode_of, share_of


class AnodeBurnoff(Kind):
    """A stub or a transition joint lets go; the anode goes dead, is drawn and replaced."""

    name = "anode_burnoff"
    where = "anode"
    hours = (3.0, 20.0)
    onset_h = (0.02, 3.0)
    shapes = ("step", "ramp")
    natural = 1e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Open the circuit; iron goes into the metal."""
        world.effects.joint_ohm[fault.cell, anode_of(fault)] += 30.0 * strength**2 / world.anode_A()
        world.effects.iron_kg_s[fault.cell] += 2e-4 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def finish(self, world: World, fault: Fault) -> None:
        """The crew sets a new anode."""
        world.state.extra[fault.cell] = anode_of(fault)
