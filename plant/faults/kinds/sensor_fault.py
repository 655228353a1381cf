"""An instrument that repeats itself, is open, has a wrong zero or drifts; acted on in ``plant.sensors``."""

from plant.faults.kind import Kind


class SensorFault(Kind):
    """A voltmeter, an anode current or a shell thermocouple fails; the cell does not."""

    name = "sensor_fault"
    where = "sensor"
    hours = (1.0, 8.0)
    shapes = ("stuck", "open", "bias", "drift")
    natural = 0.02
