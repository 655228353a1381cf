"""Metal is oxidised again: a low metal pad, impurities, a wave that never shows."""

from plant.faults.kind import Fault, Kind, World


class EfficiencyLoss(Kind):
    """Metal is oxidised again: a low metal pad, impurities, a wave that never shows."""

    name = "efficiency_loss"
    where = "cell"
    hours = (24.0, 40.0)
    onset_h = (1.0, 12.0)
    shapes = ("step", "ramp", "partial")
    natural = 5e-4
    spread = 0.004

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Lose efficiency."""
        world.effects.efficiency[fault.cell] += 0.01 + 0.05 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Current efficiency."""
        return float(world.state.efficiency[fault.cell])
