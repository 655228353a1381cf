"""Shares of capacity at the benchmark and below the baseline."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from twin.limits import Limits


class LineYear(NamedTuple):
    """One line in one year.

    Attributes
    ----------
    line
        Id.
    capacity_t
        Nominal compliant capacity [t/year], not output.
    liquid_ac_kwh_per_t
        NaN where it is not assessed.
    assessed
        Whether the figure counts for a class.
    """

    line: str
    capacity_t: float
    liquid_ac_kwh_per_t: float
    assessed: bool = True


class CapacityShares(NamedTuple):
    """Shares of capacity [%], of all built lines and of the assessed ones only; NaN without capacity.

    Attributes
    ----------
    benchmark, below_baseline, between
        Of all built lines.
    benchmark_of_assessed, below_baseline_of_assessed
        Of assessed lines.
    not_assessed_t
        Capacity without a class [t/year].
    not_assessed
        Its lines.
    """

    benchmark: float
    below_baseline: float
    between: float
    benchmark_of_assessed: float
    below_baseline_of_assessed: float
    not_assessed_t: float
    not_assessed: tuple[str, ...]


def capacity_shares(lines: Sequence[LineYear], limits: Limits) -> CapacityShares:
    """Capacity-weighted shares; a line counts whole, by its own unrounded figure.

    Parameters
    ----------
    lines
        All built lines.
    limits
        Of the year.

    Notes
    -----
    Energy reference 7.6. The policy's share is the nation's or the province's: a company's is its contribution.
    """
    assessed = [x for x in lines if x.assessed and math.isfinite(x.liquid_ac_kwh_per_t)]
    built_t = sum(x.capacity_t for x in lines)
    assessed_t = sum(x.capacity_t for x in assessed)
    good_t = sum(x.capacity_t for x in assessed if x.liquid_ac_kwh_per_t <= limits.benchmark_kwh_per_t)
    bad_t = sum(x.capacity_t for x in assessed if x.liquid_ac_kwh_per_t > limits.baseline_kwh_per_t)
    return CapacityShares(
        benchmark=_pct(good_t, built_t),
        below_baseline=_pct(bad_t, built_t),
        between=_pct(assessed_t - good_t - bad_t, built_t),
        benchmark_of_assessed=_pct(good_t, assessed_t),
        below_baseline_of_assessed=_pct(bad_t, assessed_t),
        not_assessed_t=built_t - assessed_t,
        not_assessed=tuple(x.line for x in lines if x not in assessed),
    )


def _pct(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0.0 else math.nan
