"""Tables of the energy review as they go into CSV files and the workbook."""

import math
from typing import NamedTuple

Value = str | float | int | None


class Sheet(NamedTuple):
    """One table: name, header, and rows of texts and numbers; None for nothing."""

    name: str
    head: tuple[str, ...]
    rows: list[tuple[Value, ...]]


def number(value: float) -> float | None:
    """A figure, or nothing where there is none."""
    return value if math.isfinite(value) else None
