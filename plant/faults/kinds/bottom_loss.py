"""The insulation under the cathode is soaked and conducts."""

from plant.faults.kind import Fault, Kind, World


class BottomLoss(Kind):
    """The insulation under the cathode is soaked and conducts."""

    name = "bottom_loss"
    where = "cell"
    hours = (24.0, 40.0)
    onset_h = (1.0, 12.0)
    shapes = ("step", "ramp")
    natural = 5e-5
    spread = 2.0

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Let heat through."""
        world.effects.bottom[fault.cell] *= 1.0 + 2.0 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Cathode block [degC]."""
        return float(world.state.cathode_C[fault.cell])
