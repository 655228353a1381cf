"""A figure that says how it was found and how sure it is, or why it is refused."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One figure of a report.

    Attributes
    ----------
    value
        NaN when it is refused.
    unit
        Of value and uncertainty.
    uncertainty
        One standard deviation; NaN where none can be stated.
    coverage
        Measured share of what it rests on, 0-1; NaN where that means nothing.
    method
        How it was found, for the reader.
    refused
        Why there is no value; empty when there is one.
    unverified
        Rules it rests on that nobody held against the primary text.
    provisional
        Whether more than 2 % of it is estimated.
    """

    value: float
    unit: str
    uncertainty: float = math.nan
    coverage: float = math.nan
    method: str = ""
    refused: str = ""
    unverified: tuple[str, ...] = ()
    provisional: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.refused and self.value == self.value


def refusal(unit: str, reason: str, coverage: float = math.nan) -> Figure:
    """Build a figure that is not given, with the reason.

    Raises
    ------
    ValueError
        No reason.
    """
    if not reason:
        raise ValueError("a figure is never refused without a reason")
    return Figure(math.nan, unit, coverage=coverage, refused=reason)


def ratio_of_sums(parts: Sequence[tuple[float, float]]) -> float:
    """Intensity of a group or window [kWh/t]: sum of energy [kWh] over sum of metal [t], never a mean of ratios.

    Examples
    --------
    >>> round(ratio_of_sums([(30_000 * 13_000.0, 30_000.0), (5_000 * 13_900.0, 5_000.0)]), 3)
    13128.571
    """
    metal_t = math.fsum(metal for _, metal in parts)
    return math.fsum(energy for energy, _ in parts) / metal_t if metal_t > 0.0 else math.nan
