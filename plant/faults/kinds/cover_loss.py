"""Crust has fallen in or cover is blown off over one half of the anodes."""

from plant.faults.kind import Fault, Kind, World, half_of


class CoverLoss(Kind):
    """Crust has fallen in or cover is blown off over one half of the anodes."""

    name = "cover_loss"
    where = "half"
    hours = (6.0, 40.0)
    onset_h = (0.1, 6.0)
    shapes = ("step", "ramp", "partial")
    natural = 1.5e-4
    spread = 0.07

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Let up to 60 kW more through at 300 kA; the gas in the duct warms by up to 20 K, as published."""
        world.effects.cover[fault.cell, half_of(fault)] *= 1.0 + 0.45 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Heat through the cover of that half over the usual."""
        half = half_of(fault)
        return float(world.state.cover[fault.cell, half] * world.effects.cover[fault.cell, half])

    def expected(self, world: World, fault: Fault) -> float | None:
        """A dressed cover."""
        return 1.0
