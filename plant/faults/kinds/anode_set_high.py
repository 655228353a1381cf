"""A new anode is set 3 to 20 mm too high."""

from plant.faults.kind import Fault, Kind, World, anode_of, share_of, usual_share


class AnodeSetHigh(Kind):
    """A new anode is set 3 to 20 mm too high."""

    name = "anode_set_high"
    where = "change"
    hours = (30.0, 40.0)
    shapes = ("step",)
    natural = 0.004
    spread = 0.08
    lead_s = 20.0

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Shift the setting of this change."""
        world.effects.set_mm[fault.cell, anode_of(fault)] += 3.0 + 17.0 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def expected(self, world: World, fault: Fault) -> float | None:
        """What an anode of its age carries."""
        return usual_share(world, fault)
