"""The wire types: what one message, row or log entry says, in event time."""

from msgspec import Struct

Attribute = float | int | str


class Reading(Struct, frozen=True, gc=False):
    """One continuous measurement of one cell (or of a line, with ``cell`` empty).

    Attributes
    ----------
    time_us
        When it was measured, UTC microseconds since 1970.
    line
        Line id; empty in histories, where the cell id alone is the key.
    cell
        Cell id, or empty for a reading of the whole line.
    signal
        Contract name of a reading.
    value
        [unit of the signal]; a tuple for array readings, NaN where an element is missing.
    quality
        OPC code: 192 good, 0 bad, 500 stale.
    """

    time_us: int
    line: str
    cell: str
    signal: str
    value: float | tuple[float, ...]
    quality: int = 192


class Sample(Struct, frozen=True, gc=False):
    """One measurement by hand or laboratory: taken at ``time_us``, known at ``received_us`` (>= ``time_us``)."""

    time_us: int
    received_us: int
    cell: str
    signal: str
    value: float


class Event(Struct, frozen=True):
    """Something done at, or that happened to, one cell at one instant; attributes by contract name."""

    time_us: int
    received_us: int
    cell: str
    event: str
    attributes: dict[str, Attribute]


class CounterReading(Struct, frozen=True, gc=False):
    """A register of a meter of a line at one instant."""

    time_us: int
    line: str
    counter: str
    value: float


class Tick(Struct, frozen=True, gc=False):
    """The stream's clock while nothing arrives: moves the watermark so that silence is noticed."""

    time_us: int


class Operator(Struct, frozen=True):
    """What a person did to an alarm: ``verb`` is ack, shelve, unshelve, out_of_service or in_service."""

    time_us: int
    verb: str
    alarm_id: str
    actor: str
    comment: str = ""
    until_us: int = 0


class Fault(Struct, frozen=True, gc=False):
    """An input that could not be taken in, with the reason; goes to the dead-letter file.

    ``reason`` is one of ``REASONS``; ``detail`` names the key, value or topic and what to do.
    """

    received_us: int
    source: str
    reason: str
    detail: str
    payload: bytes
    size: int


#: Every reason for which an input is refused.
REASONS = (
    "too_large",
    "not_json",
    "not_object",
    "no_timestamp",
    "wrong_type",
    "not_finite",
    "absurd_value",
    "time_too_old",
    "time_in_future",
    "unknown_cell",
    "unknown_line",
    "unknown_signal",
    "unknown_event",
    "unknown_topic",
    "wrong_length",
)

Item = Reading | Sample | Event | CounterReading | Tick | Operator
