"""Raw MQTT messages to items; whatever cannot be taken in becomes a fault with its reason."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from streams.messages import CounterReading, Event, Fault, Item, Reading, Sample
from streams.plant_file import Plant
from streams.topics import OWN_LEVEL, Kind, Template, split_element, without_covered
from streams.values import ABSURD, ABSURD_COUNTER, Problem, event_attributes, number_of, show
from streams.watermark import OLDEST_US
from twin.signals import EVENTS, QUALITY_GOOD, SIGNALS, Signal

DEFAULT_TEMPLATES = ("{site}/{line}/{cell}/{signal}", "{site}/{line}/{cell}")

_LOG = logging.getLogger(__name__)
_KEPT_BYTES = 4096
_MAX_ROUTES = 65_536
_MAX_KEYS = 1000
_META_KEYS = frozenset(("timestamp_ms", "received_ms", "quality", "value", "signal", "event"))


class _Route(NamedTuple):
    """Where a topic leads: what it is about, or why it is refused; ``kind`` is None for our own output."""

    kind: Kind | None
    line: str
    cell: str
    signal: Signal | None
    number: int
    problem: Problem | None


_OWN = _Route(None, "", "", None, 0, None)


class _Message:
    """One message on its way through the decoder."""

    __slots__ = ("line_cell", "out", "payload", "quality", "received_us", "size", "time_us", "topic")

    def __init__(self, topic: str, payload: bytes, received_us: int, size: int, route: _Route) -> None:
        self.topic = topic
        self.payload = payload
        self.received_us = received_us
        self.size = size
        self.time_us = received_us
        self.quality = QUALITY_GOOD
        self.line_cell = (route.line, route.cell)
        self.out: list[Item | Fault] = []

    def refuse(self, reason: str, detail: str) -> None:
        """Note a fault; the rest of the message still counts."""
        kept = self.payload[:_KEPT_BYTES]
        self.out.append(Fault(self.received_us, self.topic, reason, detail, kept, self.size))


class Decoder:
    """Turns messages into items of one plant.

    Parameters
    ----------
    plant
        Cells, lines and array lengths that are accepted.
    templates
        Topic templates, see ``topics.Template``; each stands for its family of topics.
    max_payload
        Largest payload that is decoded [bytes].
    max_future_s
        How far a time may lie after ``received_us`` [s].

    Attributes
    ----------
    ignored_keys
        How often each unknown key was met; each is logged once and never a fault.

    Raises
    ------
    TopicError
        A template that cannot be used.
    """

    def __init__(
        self,
        plant: Plant,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        *,
        max_payload: int = 1 << 20,
        max_future_s: float = 300.0,
    ) -> None:
        self.ignored_keys: dict[str, int] = {}
        self._plant = plant
        self._templates = [Template(text) for text in templates]
        self._max_payload = max_payload
        self._max_future_us = round(max_future_s * 1e6)
        self._routes: dict[str, _Route] = {}
        self._lengths = {
            cell.id: {"anode": cell.n_anodes, "shell": cell.n_shell, "bar": cell.n_bars}
            for cell in plant.cells
        }

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters to subscribe to, narrowed to this site; no two of them overlap entirely."""
        fixed = {"site": self._plant.site}
        return without_covered([f for template in self._templates for f in template.filters(fixed)])

    def decode(
        self, topic: str, payload: bytes, received_us: int, size: int | None = None
    ) -> list[Item | Fault]:
        """Decode one message; never raises for any bytes.

        Parameters
        ----------
        topic, payload
            As received; the payload may be cut short where it was stored.
        received_us
            When it arrived, UTC microseconds; the time of a bare number.
        size
            Length of the whole payload [bytes] where ``payload`` was cut short.

        Returns
        -------
        list of Item or Fault
            Good keys of a message count even where others are refused. A value that is outside the possible
            range of its signal is handed on as it is: the aligner refuses it, live and in replay alike.
        """
        route = self._routes.get(topic)
        if route is None:
            route = self._route(topic)
        if route.kind is None and route.problem is None:
            return []
        message = _Message(topic, payload, received_us, len(payload) if size is None else size, route)
        if message.size > self._max_payload:
            limit = f"{message.size} bytes, the limit is {self._max_payload}; send less per message"
            message.refuse("too_large", limit)
        elif route.problem is not None:
            message.refuse(*route.problem)
        else:
            self._decode_payload(route, message)
        return message.out

    # --- topics

    def _route(self, topic: str) -> _Route:
        """Find out once per topic what it is about."""
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        route = self._routes[topic] = self._find_route(topic)
        return route

    def _find_route(self, topic: str) -> _Route:
        levels = topic.split("/")
        if OWN_LEVEL in levels:
            return _OWN
        for template in self._templates:
            match = template.match(levels, SIGNALS)
            if match is not None:
                break
        else:
            return _refused("unknown_topic", f"topic {topic!r} fits no template; see the subscriptions")
        plant = self._plant
        if match.site and match.site != plant.site:
            return _refused(
                "unknown_topic", f"site {match.site!r} is not {plant.site!r}, the site of this gateway"
            )
        line = match.line
        if match.kind in ("line_scalar", "line_snapshot"):
            if line not in plant.line_index:
                return _refused("unknown_line", f"line {line!r} is not in plant.toml")
        else:
            home = plant.line_of.get(match.cell)
            if home is None:
                return _refused("unknown_cell", f"cell {match.cell!r} is not in plant.toml")
            if line and line != home:
                return _refused("unknown_line", f"cell {match.cell} stands in line {home}, not {line!r}")
            line = home
        signal = SIGNALS.get(match.signal)
        if match.kind in ("scalar", "line_scalar"):
            problem = _scalar_problem(match.signal, signal, match.number, match.cell)
            if problem is not None:
                return _refused(*problem)
        return _Route(match.kind, line, match.cell, signal, match.number, None)

    # --- payloads

    def _decode_payload(self, route: _Route, message: _Message) -> None:
        try:
            raw: object = msgspec.json.decode(message.payload)
        except msgspec.ValidationError as error:
            message.refuse("not_finite", f"a number is too large for a float: {error}")
            return
        except (ValueError, RecursionError) as error:
            message.refuse("not_json", f"payload is not JSON: {error}")
            return
        if isinstance(raw, dict):
            self._decode_object(route, message, raw)
        elif route.kind in ("scalar", "line_scalar") and route.signal is not None:
            self._take(message, route.signal, route.number, raw, "payload", message.received_us)
        else:
            message.refuse("not_object", f"a {route.kind} must be a JSON object with timestamp_ms")

    def _decode_object(self, route: _Route, message: _Message, raw: dict[str, object]) -> None:
        time_us = self._time(message, raw, "timestamp_ms")
        if time_us is None:
            return
        message.time_us = time_us
        received_us = max(time_us, message.received_us)
        if raw.get("received_ms") is not None:
            known_us = self._time(message, raw, "received_ms")
            if known_us is None:
                return
            received_us = max(time_us, known_us)
        quality = raw.get("quality", QUALITY_GOOD)
        if type(quality) is int and 0 <= quality < 65_536:
            message.quality = quality
        else:
            message.refuse("wrong_type", f"quality {show(quality)} must be an OPC code such as 192")
        if route.kind == "event":
            self._take_event(message, raw, received_us)
        elif route.kind == "sample":
            self._take_named(message, raw, received_us)
        elif route.signal is not None:
            self._take_value(message, route.signal, route.number, raw, received_us)
        else:
            self._take_snapshot(message, raw, received_us)

    def _time(self, message: _Message, raw: dict[str, object], key: str) -> int | None:
        """Read a time in milliseconds, kept to the microsecond; notes a fault where it cannot be true."""
        value = raw.get(key)
        if value is None:
            message.refuse("no_timestamp", f"key {key} is missing; give milliseconds since 1970 UTC")
        elif type(value) is not int and type(value) is not float:
            message.refuse(
                "wrong_type", f"{key} {show(value)} must be a number of milliseconds since 1970 UTC"
            )
        elif value * 1000 < OLDEST_US:
            message.refuse("time_too_old", f"{key} {show(value)} lies before 2000; is it in milliseconds?")
        elif value * 1000 > message.received_us + self._max_future_us:
            message.refuse(
                "time_in_future", f"{key} {show(value)} lies in the future; check the sender's clock"
            )
        else:
            return value * 1000 if type(value) is int else round(value * 1000)
        return None

    def _take_value(
        self, message: _Message, signal: Signal, number: int, raw: dict[str, object], received_us: int
    ) -> None:
        """Take in an object with one value."""
        if "value" not in raw:
            message.refuse("wrong_type", "key value is missing")
            return
        for key in raw.keys() - _META_KEYS:
            self._ignore(key)
        self._take(message, signal, number, raw["value"], "value", received_us)

    def _take_named(self, message: _Message, raw: dict[str, object], received_us: int) -> None:
        """Take in a sample object, which names its signal."""
        name = raw.get("signal")
        signal = SIGNALS.get(name) if isinstance(name, str) else None
        if signal is None or signal.kind != "sample":
            message.refuse("unknown_signal", f"signal {show(name)} is not a sample of the contract")
            return
        self._take_value(message, signal, 0, raw, received_us)

    def _take_snapshot(self, message: _Message, raw: dict[str, object], received_us: int) -> None:
        """Take in one object with a key per signal."""
        cell = message.line_cell[1]
        elements: dict[str, dict[int, object]] = {}
        for key, value in raw.items():
            signal = SIGNALS.get(key)
            if signal is not None:
                if not cell and signal.shape != "line":
                    message.refuse(
                        "unknown_signal", f"key {key} belongs to a cell; send it on the cell's topic"
                    )
                else:
                    self._take(message, signal, 0, value, key, received_us)
            elif key not in _META_KEYS:
                name, number = split_element(key, SIGNALS)
                if cell and number and SIGNALS[name].shape not in ("cell", "line"):
                    elements.setdefault(name, {})[number] = value
                else:
                    self._ignore(key)
        for name, found in elements.items():
            self._take_elements(message, SIGNALS[name], found)

    def _take(
        self, message: _Message, signal: Signal, number: int, raw: object, key: str, received_us: int
    ) -> None:
        """Take in one value of any kind; null says that nothing was measured."""
        if raw is None:
            return
        line, cell = message.line_cell
        if signal.shape not in ("cell", "line"):
            if number:
                self._take_elements(message, signal, {number: raw})
            else:
                self._take_list(message, signal, raw, key)
            return
        value = number_of(raw, key, ABSURD_COUNTER if signal.kind == "counter" else ABSURD)
        if isinstance(value, Problem):
            message.refuse(*value)
        elif signal.kind == "reading":
            message.out.append(Reading(message.time_us, line, cell, signal.name, value, message.quality))
        elif not signal.low <= value <= signal.high:
            limits = f"{signal.low:g} to {signal.high:g} {signal.unit}"
            message.refuse("absurd_value", f"{signal.name} {value!r} is impossible; the range is {limits}")
        elif signal.kind == "sample":
            message.out.append(Sample(message.time_us, received_us, cell, signal.name, value))
        else:
            message.out.append(CounterReading(message.time_us, line, signal.name, value))

    def _take_list(self, message: _Message, signal: Signal, raw: object, key: str) -> None:
        """Take in a whole array reading."""
        cell = message.line_cell[1]
        if not isinstance(raw, list):
            message.refuse(
                "wrong_type", f"{key} {show(raw)} must be a list with one number or null per {signal.shape}"
            )
            return
        length = self._lengths[cell][signal.shape]
        if len(raw) != length:
            message.refuse(
                "wrong_length",
                f"{key} has {len(raw)} elements, plant.toml declares {length} for {signal.shape}s of {cell}",
            )
            return
        self._append_array(message, signal, list(enumerate(raw)), length)

    def _take_elements(self, message: _Message, signal: Signal, found: Mapping[int, object]) -> None:
        """Take in single elements of an array reading, counted from 1."""
        cell = message.line_cell[1]
        length = self._lengths[cell][signal.shape]
        inside = [(number - 1, raw) for number, raw in found.items() if 1 <= number <= length]
        if len(inside) < len(found):
            outside = sorted(number for number in found if not 1 <= number <= length)
            message.refuse(
                "wrong_length",
                f"{signal.name} {outside[:5]} is beyond the {length} {signal.shape}s of {cell} in plant.toml",
            )
        self._append_array(message, signal, inside, length)

    def _append_array(
        self, message: _Message, signal: Signal, found: Sequence[tuple[int, object]], length: int
    ) -> None:
        values = [math.nan] * length
        some = False
        for i, raw in found:
            if raw is None:
                continue
            value = number_of(raw, f"{signal.name} {i + 1}", ABSURD)
            if isinstance(value, Problem):
                message.refuse(*value)
            else:
                values[i] = value
                some = True
        if some:
            line, cell = message.line_cell
            message.out.append(
                Reading(message.time_us, line, cell, signal.name, tuple(values), message.quality)
            )

    def _take_event(self, message: _Message, raw: dict[str, object], received_us: int) -> None:
        name = raw.get("event")
        if not isinstance(name, str) or name not in EVENTS:
            message.refuse("unknown_event", f"event {show(name)} is not one of {', '.join(EVENTS)}")
            return
        for key in raw.keys() - _META_KEYS - set(EVENTS[name]):
            self._ignore(key)
        attributes, problems = event_attributes(name, raw)
        for problem in problems:
            message.refuse(*problem)
        if attributes is not None:
            message.out.append(Event(message.time_us, received_us, message.line_cell[1], name, attributes))

    def _ignore(self, key: str) -> None:
        """Count an unknown key, and say so the first time."""
        key = key[:100]
        if key in self.ignored_keys:
            self.ignored_keys[key] += 1
        elif len(self.ignored_keys) < _MAX_KEYS:
            self.ignored_keys[key] = 1
            _LOG.warning("key %r is not in the contract and is ignored from now on", key)


def _refused(reason: str, detail: str) -> _Route:
    return _Route(None, "", "", None, 0, Problem(reason, detail))


def _scalar_problem(name: str, signal: Signal | None, number: int, cell: str) -> Problem | None:
    """Say why a signal cannot stand on the topic on which it came."""
    if signal is None:
        return Problem("unknown_signal", f"signal {show(name)} is not in the contract")
    if number and signal.shape in ("cell", "line"):
        return Problem("unknown_signal", f"signal {name} has no elements, so no element {number}")
    if not cell and signal.shape != "line":
        return Problem("unknown_signal", f"signal {name} belongs to a cell; send it on the cell's topic")
    return None
