"""A bin leaks: alumina that nobody has ordered sinks under the metal."""

from plant.faults.kind import Fault, Kind, World


class Sludge(Kind):
    """A bin leaks: alumina that nobody has ordered sinks under the metal."""

    name = "sludge"
    where = "cell"
    hours = (1.0, 6.0)
    onset_h = (0.05, 1.0)
    shapes = ("step", "ramp", "intermittent")
    natural = 3e-3
    spread = 40.0

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Let alumina in."""
        scale = world.design.current_A / 3e5
        world.effects.leak_kg_s[fault.cell] += 0.05 * scale * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Alumina under the metal and afloat [kg]."""
        s = world.state
        return float(s.sludge_kg[fault.cell] + s.suspended_kg[fault.cell].sum())
