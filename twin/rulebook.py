"""Rules as data: limits, tariffs, factors and targets with source, confidence, dates in force and who verified them."""

import tomllib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class RulesError(ValueError):
    """A rule file that says something impossible; names the file and the key."""


class Row(NamedTuple):
    """One row of a rule file.

    Attributes
    ----------
    rule_id
        Document that it stands in.
    key
        What it says.
    value
        Exactly as written.
    unit
        Of the value; empty for a bare number.
    in_force, until
        First and last day; None for no end.
    region
        Code of GB/T 2260, ``CN`` for the country.
    source, confidence
        Where it stands and how sure we are of it.
    verified_by, verified_on
        Who held it against the primary text, and when; empty and None where nobody did.
    """

    rule_id: str
    key: str
    value: Decimal
    unit: str
    in_force: date
    until: date | None
    region: str
    source: str
    confidence: str
    verified_by: str
    verified_on: date | None

    @property
    def verified(self) -> bool:
        """Whether a person held this row against the primary text; if not, it is marked wherever it appears."""
        return bool(self.verified_by) and self.verified_on is not None

    def holds(self, day: date) -> bool:
        """Whether it is in force on a day."""
        return self.in_force <= day and (self.until is None or day <= self.until)


class Rulebook(NamedTuple):
    """Rows of one document or one subject.

    Attributes
    ----------
    id, title
        Of the document.
    name
        Of the file.
    rows
        In the order of the file.
    """

    id: str
    title: str
    name: str
    rows: tuple[Row, ...]

    def at(self, key: str, day: date, region: str = "CN") -> Row:
        """Row that holds on a day, the region's own before the country's.

        Raises
        ------
        RulesError
            None, or more than one.
        """
        for where in (region,) if region == "CN" else (region, "CN"):
            found = [r for r in self.rows if r.key == key and r.region == where and r.holds(day)]
            if len(found) == 1:
                return found[0]
            if found:
                raise RulesError(f"{self.name}: {key} stands {len(found)} times for {where} on {day}")
        raise RulesError(f"{self.name}: no {key} for {region} on {day}; add a row or choose another date")

    def has(self, key: str, day: date, region: str = "CN") -> bool:
        """Whether `at` would find a row."""
        return any(r.key == key and r.region in (region, "CN") and r.holds(day) for r in self.rows)


#: Keys of a row that every kind of rule carries, and those that may be left out.
PROVENANCE = ("source", "confidence", "in_force")
OPTIONAL = ("until", "region", "verified_by", "verified_on")


def parse_toml(text: str, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Tables ``rule`` and ``row`` of a rule file, numbers as decimals.

    Raises
    ------
    RulesError
        No TOML, or one of the two is missing.
    """
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name}: not TOML: {error}") from error
    rule, rows = raw.get("rule"), raw.get("row")
    if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
        raise RulesError(f"{name}: rule.id is missing")
    if not isinstance(rows, list) or not rows:
        raise RulesError(f"{name}: no [[row]]")
    return rule, rows


def provenance(row: dict[str, Any], where: str) -> dict[str, Any]:
    """Check what every row says of itself and give it, with what was left out filled in.

    Raises
    ------
    RulesError
        A key is missing or of the wrong type, or the dates are impossible.
    """
    missing = [key for key in PROVENANCE if key not in row]
    if missing:
        raise RulesError(f"{where}: missing: {', '.join(missing)}")
    for key in ("in_force", "until", "verified_on"):
        if key in row and type(row[key]) is not date:
            raise RulesError(f"{where}: {key} must be a date")
    for key in ("source", "confidence"):
        if not isinstance(row[key], str) or not row[key]:
            raise RulesError(f"{where}: source and confidence must say something")
    if "until" in row and row["until"] < row["in_force"]:
        raise RulesError(f"{where}: it ends before it begins")
    if bool(row.get("verified_by")) != ("verified_on" in row):
        raise RulesError(f"{where}: verified_by and verified_on belong together")
    return {
        "source": row["source"],
        "confidence": row["confidence"],
        "in_force": row["in_force"],
        "until": row.get("until"),
        "region": row.get("region", "CN"),
        "verified_by": row.get("verified_by", ""),
        "verified_on": row.get("verified_on"),
    }


def number(row: dict[str, Any], where: str) -> Decimal:
    """Value of a row, a finite number >= 0.

    Raises
    ------
    RulesError
        It is something else.
    """
    value = row.get("value")
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise RulesError(f"{where}: value must be a number, not {value!r}")
    exact = Decimal(value)
    if not exact.is_finite() or exact < 0:
        raise RulesError(f"{where}: value must be finite and not negative, not {exact}")
    return exact


def parse(text: str, name: str) -> Rulebook:
    """Read and check a rule file.

    Parameters
    ----------
    text
        TOML with a table ``rule`` (``id``, ``title``) and an array of tables ``row``.
    name
        Of the file, for errors.

    Raises
    ------
    RulesError
        A key is missing, unknown or of the wrong type, or two rows say the same for the same time and region.
    """
    rule, raw = parse_toml(text, name)
    known = {"key", "value", "unit", *PROVENANCE, *OPTIONAL}
    rows: list[Row] = []
    for item in raw:
        key = item.get("key")
        if not isinstance(key, str):
            raise RulesError(f"{name}: a row has no key")
        where = f"{name}: {key}"
        unknown = sorted(set(item) - known)
        if unknown or not isinstance(item.get("unit"), str):
            raise RulesError(f"{where}: unit is missing, or unknown: {', '.join(unknown)}")
        row = Row(rule["id"], key, number(item, where), item["unit"], **provenance(item, where))
        for other in rows:
            if (other.key, other.region) == (key, row.region) and _overlap(other, row):
                raise RulesError(f"{where} stands twice for the same time")
        rows.append(row)
    return Rulebook(rule["id"], str(rule.get("title", "")), name, tuple(rows))


def _overlap(a: Row, b: Row) -> bool:
    return (a.until is None or b.in_force <= a.until) and (b.until is None or a.in_force <= b.until)


def read(name: str) -> str:
    """Text of a rule file that potline ships, by its name without the ending.

    Raises
    ------
    RulesError
        There is no such file.
    """
    path = files("twin").joinpath("rules", f"{name}.toml")
    if not path.is_file():
        raise RulesError(f"no rule file {name}.toml among twin/rules")
    return path.read_text(encoding="utf-8")


@cache
def load(name: str) -> Rulebook:
    """Read a rule file that potline ships, by its name without the ending; raises `RulesError`."""
    return parse(read(name), f"{name}.toml")


def shipped() -> tuple[str, ...]:
    """Names of all rule files that potline ships, sorted."""
    folder = files("twin").joinpath("rules")
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


def unverified(rows: Iterable[Row]) -> list[str]:
    """Name rows that nobody held against the primary text, for the mark beside a figure that uses them."""
    return [f"{row.rule_id}: {row.key}" for row in rows if not row.verified]
