"""Checks of single values that come from outside: numbers and the attributes of events."""

from collections.abc import Mapping
from typing import NamedTuple

from streams.messages import Attribute
from twin.signals import CELL_STATES, EVENTS, FEED_MODES

#: Larger than any quantity of a plant; counters run higher.
ABSURD = 1e9
ABSURD_COUNTER = 1e13

_NOT_NUMBERS = frozenset(("nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"))
_CHOICES = {"mode": FEED_MODES, "state": CELL_STATES}
_SHOWN = 40


class Problem(NamedTuple):
    """Why a value is refused: one of ``messages.REASONS``, and a sentence."""

    reason: str
    detail: str


def event_attributes(
    event: str, raw: Mapping[str, object]
) -> tuple[dict[str, Attribute] | None, tuple[Problem, ...]]:
    """Check the attributes of an event, from MQTT or from a history.

    Parameters
    ----------
    event
        A key of ``EVENTS``.
    raw
        Attributes and whatever else stands beside them; only those of the contract are looked at.

    Returns
    -------
    tuple
        The attributes (numbers as float, ``anode`` as int), or None where ``mode`` or ``state`` is missing or
        unknown, without which the event says nothing; and what was refused.
    """
    attributes: dict[str, Attribute] = {}
    problems: list[Problem] = []
    usable = True
    for key in EVENTS[event]:
        value = raw.get(key)
        if key in _CHOICES:
            if isinstance(value, str) and value in _CHOICES[key]:
                attributes[key] = value
            else:
                usable = False
                known = ", ".join(_CHOICES[key])
                problems.append(Problem("wrong_type", f"{event}: {key} {show(value)} is not one of {known}"))
        elif isinstance(value, str) and key == "feeder":
            attributes[key] = value
        elif value is not None:
            number = number_of(value, f"{event}: {key}", ABSURD)
            if isinstance(number, Problem):
                problems.append(number)
            elif key not in ("anode", "feeder"):
                attributes[key] = number
            elif number == int(number) and number >= 1.0:
                attributes[key] = int(number)
            else:
                problems.append(Problem("absurd_value", f"{event}: {key} {show(value)} must be 1, 2, 3 ..."))
    return attributes if usable else None, tuple(problems)


def number_of(raw: object, key: str, limit: float) -> float | Problem:
    """Check one number that JSON brought.

    Parameters
    ----------
    raw
        As decoded; booleans and strings are no numbers.
    key
        Where it stood, for the message.
    limit
        Largest magnitude that is believed [unit of the quantity].
    """
    if type(raw) is float or type(raw) is int:
        if -limit <= raw <= limit:
            return float(raw)
        return Problem("absurd_value", f"{key} {show(raw)} is absurd")
    if isinstance(raw, str) and raw.strip().lower() in _NOT_NUMBERS:
        return Problem(
            "not_finite", f"{key} {show(raw)} is not a number; send null where nothing was measured"
        )
    return Problem("wrong_type", f"{key} {show(raw)} must be a number")


def show(raw: object) -> str:
    """Make a short text of any decoded value; long numbers and deep lists have no cheap one.

    Examples
    --------
    >>> show("a" * 50)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
    """
    if isinstance(raw, str):
        return repr(raw[:_SHOWN])
    if raw is None or isinstance(raw, float) or (isinstance(raw, int) and raw.bit_length() < 128):
        return repr(raw)
    return "a long integer" if isinstance(raw, int) else f"a {type(raw).__name__}"
