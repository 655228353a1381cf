"""Which period an energy review covers."""

from datetime import UTC, date, datetime, tzinfo
from typing import NamedTuple

from edge.ledger_files import LedgerFiles


class Span(NamedTuple):
    """A period: what it is called and from when to when [UTC us]."""

    name: str
    start_us: int
    end_us: int

    @property
    def length_s(self) -> float:
        """Length [s]."""
        return (self.end_us - self.start_us) * 1e-6


def spans(files: LedgerFiles, wanted: str | None) -> Span:
    """Choose the period: ``2026-01``, ``2026``, ``all``; by default the last complete month, else all that there is.

    Raises
    ------
    ValueError
        The text is none of these, or nothing was recorded then.
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
    parts = str(wanted).split("-")
    try:
        numbers = [int(part) for part in parts]
        if len(numbers) > 2:
            raise ValueError(wanted)
        day = date(numbers[0], numbers[1] if len(numbers) == 2 else 1, 15)
    except (ValueError, IndexError) as error:
        raise ValueError(f"--period {wanted}: write a month 2026-01, a year 2026, or all") from error
    noon_us = round(datetime(day.year, day.month, 15, 12, tzinfo=UTC).timestamp()) * 1_000_000
    start_us, end_us = calendar.bounds_us("month", noon_us)
    if len(numbers) == 1:
        for _ in range(11):
            end_us = calendar.bounds_us("month", end_us)[1]
    if end_us <= first_us or start_us >= last_us:
        raise ValueError(f"--period {wanted}: nothing was recorded then")
    return Span(str(wanted), start_us, end_us)


def month_name(start_us: int, zone: tzinfo) -> str:
    """Name of the plant month that begins then."""
    local = datetime.fromtimestamp(start_us / 1e6 + 86400.0, zone)
    return f"{local:%Y-%m}"
