"""The hole of one feeder has crusted over: shots stay on top."""

from plant.faults.kind import Fault, Kind, World


class FeederBlocked(Kind):
    """The hole of one feeder has crusted over: shots stay on top."""

    name = "feeder_blocked"
    where = "feeder"
    hours = (1.0, 10.0)
    onset_h = (0.05, 1.0)
    natural = 0.01
    spread = 0.10

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Let less of each shot in."""
        world.effects.feed[fault.cell, fault.place] *= 1.0 - strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Alumina of its zone over the mean of the cell [wt%]."""
        kg = world.state.dissolved_kg[fault.cell]
        return float(100.0 * len(kg) * (kg[fault.place] - kg.mean()) / world.state.bath_kg[fault.cell])
