"""Targets of the plan 2025-2027 and of related documents, and where a site stands against each."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from twin.comparison import COMPARISONS, exact, meets
from twin.figures import Figure, refusal
from twin.rulebook import OPTIONAL, PROVENANCE, RulesError, number, parse_toml, provenance, read

_LEVELS = ("national", "province", "prefecture")
_INPUTS = ("ledger", "accounts")


class Target(NamedTuple):
    """One row of a target file.

    Attributes
    ----------
    id
        Of the row in its document, for instance ``T01``.
    document
        It stands in.
    level
        ``national``, ``province`` or ``prefecture``.
    metric
        What is measured; rows with the same metric may contradict each other.
    comparison, value, unit
        The test; value None where the document gives no number.
    by
        Last day of the term; None where it holds at once.
    title_zh, title_en
        What it asks for.
    input
        ``ledger``: potline measures it; ``accounts``: the plant enters it.
    in_force, until, region, source, confidence, verified_by, verified_on
        As for every rule.
    """

    id: str
    document: str
    level: str
    metric: str
    comparison: str
    value: Decimal | None
    unit: str
    by: date | None
    title_zh: str
    title_en: str
    input: str
    source: str
    confidence: str
    in_force: date
    until: date | None
    region: str
    verified_by: str
    verified_on: date | None

    @property
    def verified(self) -> bool:
        """Whether a person held this row against the primary text."""
        return bool(self.verified_by) and self.verified_on is not None


class Standing(NamedTuple):
    """Where a site stands against one target.

    Attributes
    ----------
    target
        The row.
    figure
        What was measured, or why it was not.
    met
        None where there is no number to meet or no figure.
    distance
        How far the figure must still move, in its unit, >= 0; 0 when met, NaN when it cannot be said.
    forecast
        To the year's end; NaN where there is none.
    """

    target: Target
    figure: Figure
    met: bool | None
    distance: float
    forecast: float


def parse_targets(text: str, name: str) -> tuple[Target, ...]:
    """Read and check a target file.

    Parameters
    ----------
    text
        TOML with a table ``rule`` and an array of tables ``row``.
    name
        Of the file, for errors.

    Raises
    ------
    RulesError
        A key is missing, unknown or of the wrong type, or an id stands twice.
    """
    _, rows = parse_toml(text, name)
    own = ("id", "document", "level", "metric", "unit", "title_zh", "title_en", "input")
    known = {*own, "comparison", "value", "by", *PROVENANCE, *OPTIONAL}
    found: list[Target] = []
    for row in rows:
        where = f"{name}: {row.get('id', 'a row without id')}"
        missing = [key for key in own if not isinstance(row.get(key), str)]
        unknown = sorted(set(row) - known)
        if missing or unknown:
            raise RulesError(f"{where}: missing: {', '.join(missing)}; unknown: {', '.join(unknown)}")
        if row["level"] not in _LEVELS or row["input"] not in _INPUTS:
            raise RulesError(
                f"{where}: level must be one of {', '.join(_LEVELS)}, input of {', '.join(_INPUTS)}"
            )
        if any(target.id == row["id"] for target in found):
            raise RulesError(f"{where} stands twice")
        found.append(_target(row, where, own))
    return tuple(found)


def _target(row: dict[str, Any], where: str, own: tuple[str, ...]) -> Target:
    value = number(row, where) if "value" in row else None
    comparison = row.get("comparison", "")
    if (value is None) != (comparison == "") or (comparison and comparison not in COMPARISONS):
        raise RulesError(f"{where}: value and comparison ({', '.join(COMPARISONS)}) belong together")
    by = row.get("by")
    if by is not None and type(by) is not date:
        raise RulesError(f"{where}: by must be a date")
    texts = {key: row[key] for key in own}
    return Target(**texts, comparison=comparison, value=value, by=by, **provenance(row, where))


@cache
def load_targets() -> tuple[Target, ...]:
    """Targets that potline ships; raises `RulesError`."""
    return parse_targets(read("targets"), "targets.toml")


def standing(target: Target, figure: Figure, forecast: float = math.nan) -> Standing:
    """Hold one figure against one target, unrounded.

    Parameters
    ----------
    target, figure
        In the same unit.
    forecast
        To the year's end, in the same unit.
    """
    if target.value is None or not figure.known:
        return Standing(target, figure, None, math.nan, forecast)
    met = meets(figure.value, target.comparison, target.value)
    distance = 0.0 if met else float(abs(exact(figure.value) - target.value))
    return Standing(target, figure, met, distance, forecast)


def standings(
    figures: Mapping[str, Figure],
    forecasts: Mapping[str, float],
    day: date,
    targets: Sequence[Target] | None = None,
    regions: Sequence[str] = ("CN",),
) -> list[Standing]:
    """Hold a site's figures against every target that concerns it.

    Parameters
    ----------
    figures, forecasts
        By metric. A metric that is not there is refused, with what would have to be entered.
    day
        Targets that are not yet in force, or no longer, are left out.
    targets
        Default: those that potline ships.
    regions
        The country, and the province and prefecture of the site; targets of others are left out.
    """
    found: list[Standing] = []
    for target in load_targets() if targets is None else targets:
        begun = target.in_force <= day and (target.until is None or day <= target.until)
        if target.region not in regions or not begun:
            continue
        reason = (
            f"enter {target.metric} in accounts.toml"
            if target.input == "accounts"
            else f"{target.metric} was not measured"
        )
        figure = figures.get(target.metric, refusal(target.unit, reason))
        found.append(standing(target, figure, forecasts.get(target.metric, math.nan)))
    return found


def contradictions(targets: Sequence[Target]) -> list[tuple[Target, ...]]:
    """Groups of targets that ask different values, or different dates, of the same metric; shown side by side."""
    by_metric: dict[str, list[Target]] = {}
    for target in targets:
        if target.value is not None:
            by_metric.setdefault(target.metric, []).append(target)
    return [
        tuple(group)
        for group in by_metric.values()
        if len({(t.comparison, t.value, t.by) for t in group}) > 1
    ]
