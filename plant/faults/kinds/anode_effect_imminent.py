"""The bins run low: every shot is short until somebody notices or an anode effect comes."""

from plant.faults.kind import Fault, Kind, World


class AnodeEffectImminent(Kind):
    """The bins run low: every shot is short until somebody notices or an anode effect comes."""

    name = "anode_effect_imminent"
    where = "cell"
    hours = (0.7, 3.0)
    onset_h = (0.02, 0.5)
    shapes = ("step", "ramp", "intermittent")
    natural = 0.10
    spread = 0.05

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Shorten every shot, until an anode effect has made the crew fill the bins."""
        if world.state.quenched_s[fault.cell] > fault.start_s:
            return
        world.effects.feed[fault.cell] *= 1.0 - (0.35 + 0.6 * strength)

    def quantity(self, world: World, fault: Fault) -> float:
        """Alumina of the leanest zone over its limit [wt%]."""
        s = world.state
        leanest = 100.0 * s.dissolved_kg.shape[1] * s.dissolved_kg[fault.cell].min() / s.bath_kg[fault.cell]
        return max(0.30 - float(leanest - world.hidden.critical_pct[fault.cell]), 0.0)

    def expected(self, world: World, fault: Fault) -> float | None:
        """More than enough."""
        return 0.0
