"""The freeze under a new anode melts slowly: a cold corner, cover spilt under the block."""

from plant.faults.kind import Fault, Kind, World, anode_of, usual_contact


class AnodeSlowPickup(Kind):
    """The freeze under a new anode melts slowly: a cold corner, cover spilt under the block."""

    name = "anode_slow_pickup"
    where = "change"
    hours = (24.0, 40.0)
    onset_h = (0.1, 1.0)
    shapes = ("step", "ramp", "partial")
    natural = 0.013
    spread = 0.10

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Slow the melting."""
        world.effects.melt[fault.cell, anode_of(fault)] *= 1.0 - 0.82 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Share of the face that conducts."""
        return float(world.state.contact[fault.cell, anode_of(fault)])

    def expected(self, world: World, fault: Fault) -> float | None:
        """The same at the usual speed of melting."""
        return usual_contact(world, fault)
