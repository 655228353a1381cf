"""The metal pad rolls: a low pad, uneven ledge, neighbours."""

from plant.faults.kind import Fault, Kind, World


class Instability(Kind):
    """The metal pad rolls: a low pad, uneven ledge, neighbours."""

    name = "instability"
    where = "cell"
    hours = (1.0, 12.0)
    onset_h = (0.1, 2.0)
    natural = 0.01
    spread = 0.08

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Drive the wave; metal meets gas."""
        world.effects.wave[fault.cell] *= 1.0 + 9.0 * strength
        world.effects.efficiency[fault.cell] += 0.03 * strength

    def quantity(self, world: World, fault: Fault) -> float:
        """Height of the wave, rms of half an hour [mm]."""
        return float(world.state.wave_mean_mm2[fault.cell]) ** 0.5
