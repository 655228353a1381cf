"""A cone of carbon grows towards the metal and carries current past the bath."""

from plant.faults.kind import Fault, Kind, World, anode_of, level, share_of


class AnodeSpike(Kind):
    """A cone of carbon grows towards the metal and carries current past the bath."""

    name = "anode_spike"
    where = "anode"
    hours = (6.0, 40.0)
    onset_h = (1.0, 12.0)
    natural = 3e-3
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Open a path beside the bath; its current makes no metal."""
        world.effects.short_S[fault.cell, anode_of(fault)] += 0.9 * strength * world.anode_A() / 1.4
        world.effects.efficiency[fault.cell] += 0.025 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def finish(self, world: World, fault: Fault) -> None:
        """The crew levels the anode."""
        level(world, fault)
