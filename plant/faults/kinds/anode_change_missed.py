"""An anode is not changed when it is due, but hours later; its stub begins to dissolve."""

from plant.faults.kind import Fault, Kind, World, anode_of


class AnodeChangeMissed(Kind):
    """An anode is not changed when it is due, but hours later; its stub begins to dissolve."""

    name = "anode_change_missed"
    where = "change"
    hours = (8.0, 36.0)
    shapes = ("step",)
    natural = 0.004
    spread = 1.0
    lead_s = 20.0

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Hold the change back."""
        world.effects.hold[fault.cell, anode_of(fault)] = 1
        world.effects.iron_kg_s[fault.cell] += 4e-5 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Hours overdue; the spread is how punctual crews are."""
        late_s = min(world.second, fault.end_s) - fault.start_s
        return late_s / 3600.0 if world.state.held[fault.cell] == anode_of(fault) else 0.0

    def expected(self, world: World, fault: Fault) -> float | None:
        """On time."""
        return 0.0
