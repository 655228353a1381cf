"""The grammar of topics: templates with named levels, to MQTT filters and back to what a topic is about."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

Kind = Literal["scalar", "snapshot", "event", "sample", "line_scalar", "line_snapshot"]

#: Names that may stand in braces; ``tag`` is the UNS word for ``signal``.
FIELDS = ("enterprise", "site", "area", "line", "cell", "signal", "tag")
#: Everything below this level is our own output and never read back.
OWN_LEVEL = "_potline"


class TopicError(ValueError):
    """A topic template that cannot be used; the message says why."""


class Match(NamedTuple):
    """What a topic is about.

    Attributes
    ----------
    kind
        Which sort of payload is expected.
    site, line, cell
        As in the topic; empty where the template has no such level.
    signal
        Contract name, for scalars.
    number
        Element of an array reading counted from 1 (``anode_current_A/07``); 0 for the whole signal.
    """

    kind: Kind
    site: str
    line: str
    cell: str
    signal: str
    number: int


class _Pattern(NamedTuple):
    """One form of topic: its levels, where a level in braces holds a field."""

    kind: Kind
    levels: tuple[str, ...]
    numbered: bool


class Template:
    """A parsed topic template, with the forms that follow from it.

    Parameters
    ----------
    text
        Levels divided by ``/``; a level is a literal or one field in braces. With ``{signal}`` (or ``{tag}``)
        in the last level it is the scalar layout, without it the snapshot layout. ``{cell}`` is required.

    Raises
    ------
    TopicError
        Unknown or repeated field, wildcard, empty level, no ``{cell}``, or ``{signal}`` before the last level.

    Notes
    -----
    Each template stands for a family: events and samples of a cell on ``.../{cell}/event`` and ``/sample``, one
    element of an array on one more level (or with its number joined on), and what belongs to a line on the same
    template without ``{cell}``. Where a line's scalar and a cell's snapshot have the same form, a known signal
    name decides.

    Examples
    --------
    >>> Template("{site}/{line}/{cell}/{signal}").filters()
    ('+/+/+/+', '+/+/+/+/+', '+/+/+')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        levels = tuple(text.split("/"))
        fields = [_field(level, text) for level in levels]
        named = [field for field in fields if field]
        if len(set(named)) != len(named) or {"signal", "tag"} <= set(named):
            raise TopicError(f"topic template {text!r} names a field twice")
        if "cell" not in named:
            raise TopicError(
                f"topic template {text!r} has no {{cell}}; snapshots and signals belong to a cell"
            )
        scalar = fields[-1] in ("signal", "tag")
        if not scalar and ("signal" in named or "tag" in named):
            raise TopicError(f"topic template {text!r}: {{signal}} must be the last level")
        self.layout: Literal["scalar", "snapshot"] = "scalar" if scalar else "snapshot"
        self._patterns = self._family(levels)

    def _family(self, levels: tuple[str, ...]) -> tuple[_Pattern, ...]:
        """All forms that the template stands for, most specific first."""
        to_cell = levels[: levels.index("{cell}") + 1]
        family = [
            _Pattern("event", (*to_cell, "event"), False),
            _Pattern("sample", (*to_cell, "sample"), False),
        ]
        of_line = tuple(level for level in levels if level != "{cell}")
        if self.layout == "scalar":
            family.append(_Pattern("scalar", levels, False))
            family.append(_Pattern("scalar", levels, True))
            family.append(_Pattern("line_scalar", of_line, False))
        else:
            family.append(_Pattern("snapshot", levels, False))
            if "{line}" in levels:
                family.append(_Pattern("line_snapshot", of_line, False))
                family.append(_Pattern("line_scalar", (*of_line, "{signal}"), False))
        return tuple(family)

    def filters(self, fixed: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """MQTT filters that cover the family, none of them covered by another.

        Parameters
        ----------
        fixed
            Fields whose value is known (``{"site": "smelter-a"}``); they narrow the filter.
        """
        wanted: list[str] = []
        for pattern in self._patterns:
            levels = [_filter_level(level, fixed or {}) for level in pattern.levels]
            wanted.append("/".join([*levels, "+"] if pattern.numbered else levels))
        return without_covered(wanted)

    def match(self, levels: Sequence[str], signals: Mapping[str, object]) -> Match | None:
        """Say what a topic is about, or None where it is not of this family.

        Parameters
        ----------
        levels
            The topic, split at ``/``.
        signals
            Known signal names, which tell a line's scalar from a cell's snapshot.
        """
        for pattern in self._patterns:
            if len(levels) == len(pattern.levels) + pattern.numbered:
                match = _match(pattern, levels, signals)
                if match is not None:
                    return match
        return None


def _field(level: str, text: str) -> str:
    """Name of the field in a level, empty for a literal."""
    if level.startswith("{") and level.endswith("}"):
        if level[1:-1] not in FIELDS:
            known = ", ".join(FIELDS)
            raise TopicError(f"topic template {text!r}: {level} is not a field; fields are {known}")
        return level[1:-1]
    if not level or any(c in level for c in "{}+#\0"):
        raise TopicError(f"topic template {text!r}: level {level!r} must be a literal or one field in braces")
    return ""


def _filter_level(level: str, fixed: Mapping[str, str]) -> str:
    """One level of an MQTT filter."""
    return fixed.get(level[1:-1], "+") if level.startswith("{") else level


def _match(pattern: _Pattern, levels: Sequence[str], signals: Mapping[str, object]) -> Match | None:
    """Fields of a topic that has as many levels as the pattern."""
    found = {"site": "", "line": "", "cell": "", "signal": ""}
    for want, got in zip(pattern.levels, levels, strict=False):
        if want.startswith("{"):
            found["signal" if want == "{tag}" else want[1:-1]] = got
        elif want != got:
            return None
    signal, number = found["signal"], 0
    if pattern.numbered:
        if not levels[-1].isdecimal() or not levels[-1].isascii() or len(levels[-1]) > 4:
            return None
        number = int(levels[-1])
    elif pattern.kind in ("scalar", "line_scalar"):
        signal, number = split_element(signal, signals)
    if pattern.kind == "line_scalar" and signal not in signals:
        return None
    if pattern.kind == "snapshot" and found["cell"] in signals:
        return None
    return Match(pattern.kind, found["site"], found["line"], found["cell"], signal, number)


def split_element(name: str, signals: Mapping[str, object]) -> tuple[str, int]:
    """Split ``anode_current_A_07`` or ``anode_current_A/07`` into signal and number; 0 where there is none.

    Examples
    --------
    >>> split_element("anode_current_A_07", {"anode_current_A": 1})
    ('anode_current_A', 7)
    """
    if name in signals:
        return name, 0
    for mark in ("_", "/"):
        signal, found, digits = name.rpartition(mark)
        if found and signal in signals and digits.isdecimal() and digits.isascii() and len(digits) <= 4:
            return signal, int(digits)
    return name, 0


def without_covered(filters: Sequence[str]) -> tuple[str, ...]:
    """Drop filters that another one covers: overlapping subscriptions may deliver a message twice."""
    unique = list(dict.fromkeys(filters))
    return tuple(f for f in unique if not any(g != f and _covers(g, f) for g in unique))


def _covers(wide: str, narrow: str) -> bool:
    """Whether every topic of one filter also matches the other (both without ``#``)."""
    a, b = wide.split("/"), narrow.split("/")
    return len(a) == len(b) and all(x in ("+", y) for x, y in zip(a, b, strict=True))
