"""An anode is changed and the log does not say so, or names its neighbour (severity above one half)."""

from plant.faults.kind import Fault, Kind, World, share_of


class AnodeChangeUnreported(Kind):
    """An anode is changed and the log does not say so, or names its neighbour (severity above one half)."""

    name = "anode_change_unreported"
    where = "change"
    hours = (20.0, 30.0)
    shapes = ("step",)
    natural = 0.02
    spread = 0.06

    def quantity(self, world: World, fault: Fault) -> float:
        """Current of the anode over the mean."""
        return share_of(world, fault)

    def expected(self, world: World, fault: Fault) -> float | None:
        """An anode that was not touched carries the mean."""
        return 1.0
