"""Nothing comes from a cell, or from all cells of one gateway; acted on in ``plant.sensors``."""

from plant.faults.kind import Kind


class StreamSilent(Kind):
    """The cell goes on and nobody hears of it."""

    name = "stream_silent"
    where = "stream"
    hours = (0.3, 3.0)
    shapes = ("step",)
    natural = 3e-3
