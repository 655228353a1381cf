"""Which period an energy review covers."""

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from edge.ledger_files import LedgerFiles
from twin.energy import Calendar


class Span(NamedTuple):
    """A period: what it is called and from when to when [UTC us]."""

    name: str
    start_us: int
    end_us: int

    @property
    def length_s(self) -> float:
        """Length [s]."""
        return (self.end_us - self.start_us) * 1e-6


class UnknownPeriodError(ValueError):
    """A period that nobody can review; the message says what to write."""


def spans(files: LedgerFiles, wanted: str | None) -> Span:
    """Choose the period: ``2026-01``, ``2026``, ``all``; by default the last complete month, else all that there is.

    Raises
    ------
    UnknownPeriodError
        The text is none of these, or nothing was recorded then.
    ValueError
        Nothing was recorded at all.
    """
    hours = files.book.hours_us
    if not len(hours):
        raise ValueError("energy.parquet holds no hour of any cell")
    calendar = files.book.calendar
    first_us, last_us = int(hours[0]), int(hours[-1]) + 3_600_000_000
    if wanted in (None, "all"):
        start_us, end_us = calendar.bounds_us("month", last_us - 1)
        if end_us > last_us:
            start_us, end_us = calendar.bounds_us("month", start_us - 1)
        if wanted is None and start_us >= first_us and end_us <= last_us:
            return Span(month_name(start_us, calendar.zone), start_us, end_us)
        return Span("all", first_us, last_us)
    year = re.fullmatch(r"\d{4}", str(wanted)) is not None
    span = month_span(calendar, f"{wanted}-01" if year else str(wanted))
    if span is None:
        raise UnknownPeriodError(f"--period {wanted}: write a month 2026-01, a year 2026, or all")
    end_us = span.end_us
    for _ in range(11 if year else 0):
        end_us = calendar.bounds_us("month", end_us)[1]
    if end_us <= first_us or span.start_us >= last_us:
        raise UnknownPeriodError(f"--period {wanted}: nothing was recorded then")
    return Span(str(wanted), span.start_us, end_us)


def month_span(calendar: Calendar, name: str) -> Span | None:
    """A plant month by its name such as ``2026-01``, the one that holds the 15th of it; None for no month."""
    found = re.fullmatch(r"(\d{4})-(\d{2})", name)
    if found is None or not 1 <= int(found[2]) <= 12 or not 1971 <= int(found[1]) <= 2200:
        return None
    return Span(name, *calendar.bounds_us("month", _middle_us(int(found[1]), int(found[2]))))


def month_name(start_us: int, zone: tzinfo) -> str:
    """Name of the plant month that begins then: that of the calendar month whose 15th it holds."""
    local = datetime.fromtimestamp(start_us / 1e6, zone)
    year, month = local.year, local.month
    if _middle_us(year, month) < start_us:
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return f"{year}-{month:02d}"


def _middle_us(year: int, month: int) -> int:
    return round(datetime(year, month, 15, 12, tzinfo=UTC).timestamp()) * 1_000_000
