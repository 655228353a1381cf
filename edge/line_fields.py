"""What a line's point of energy has beyond a cell's: comprehensive electricity, surcharge, capacity shares, carbon."""

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo

from twin.capacity import LineYear, capacity_shares
from twin.carbon import market_default
from twin.energy import WindowAccount
from twin.intensity import Intensity
from twin.limits import Limits
from twin.rulebook import RulesError
from twin.tariff import surcharge

#: Fields of ``line_energy`` that ``cell_energy`` has not, by contract; shares are 0-1.
LINE_FIELDS: tuple[str, ...] = (
    "comprehensive_ac_kwh_per_t",
    "tariff_surcharge_cny_per_kwh",
    "benchmark_capacity_share",
    "below_baseline_capacity_share",
    "co2e_t_per_t",
)
_MIN_REGISTER = 0.5


def line_fields(
    account: WindowAccount,
    lines: Intensity,
    index: int,
    capacity_kA: Sequence[float],
    limits: Limits,
    zone: tzinfo,
) -> dict[str, float]:
    """Fields of one line and window; what is unknown is left out.

    Parameters
    ----------
    account, lines
        Of the window.
    index
        Of the line.
    capacity_kA
        Rated current of all cells of each line, to weigh the lines of the site.
    limits, zone
        Levels, and the plant's time zone, which dates the tariff.

    Notes
    -----
    Nothing is deducted, desulfurisation neither: the tariff's own figure is at most this one. The year decides a class
    and a surcharge: those of an hour, a day or a month show where it is heading. Carbon is the market's default for
    anodes and perfluorocarbons.
    """
    ac_per_t, metal_t = float(lines.ac_kwh_per_t[index]), float(lines.metal_kg[index]) / 1000.0
    span_s = (account.end_us - account.start_us) * 1e-6
    read_s = float(account.auxiliary_s[index])
    comprehensive = math.nan
    if metal_t > 0.0 and read_s >= _MIN_REGISTER * span_s:
        # Metal is that of the covered time, so the auxiliaries' mean power counts for the same time.
        covered_s = float(lines.coverage[index]) * span_s
        comprehensive = ac_per_t + float(account.auxiliary_ac_kWh[index]) / read_s * covered_s / metal_t
    day = datetime.fromtimestamp(account.start_us / 1e6, zone).date()
    price = math.nan
    if math.isfinite(comprehensive):
        try:
            price = float(surcharge(comprehensive, day).cny_per_kWh)
        except RulesError:
            price = math.nan
    years = [
        LineYear(str(i), kA, float(lines.ac_kwh_per_t[i]), int(lines.level_code[i]) > 0)
        for i, kA in enumerate(capacity_kA)
    ]
    shares = capacity_shares(years, limits)
    none = len(shares.not_assessed) == len(years)
    default = market_default(day)
    found = {
        "comprehensive_ac_kwh_per_t": comprehensive,
        "tariff_surcharge_cny_per_kwh": price,
        "benchmark_capacity_share": math.nan if none else shares.benchmark / 100.0,
        "below_baseline_capacity_share": math.nan if none else shares.below_baseline / 100.0,
        "co2e_t_per_t": default.anode + default.pfc if metal_t > 0.0 else math.nan,
    }
    return {name: value for name, value in found.items() if math.isfinite(value)}
