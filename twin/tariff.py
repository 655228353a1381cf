"""The stepped electricity price for aluminium smelters, in exact decimals."""

from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from twin.comparison import exact
from twin.rulebook import Row, Rulebook, load

_HUNDRED = Decimal(100)


class Surcharge(NamedTuple):
    """What the stepped price adds.

    Attributes
    ----------
    steps
        Steps above the threshold; a step begun counts whole.
    cny_per_kWh
        Before the discount for non-hydro renewable electricity.
    discounted_cny_per_kWh
        After the discount.
    discount_frac
        0-1.
    to_next_step_kwh_per_t
        By how much the figure must fall for one step less; 0 where there is no surcharge.
    to_more_kwh_per_t
        By how much the figure may rise before it costs more.
    threshold_kwh_per_t
        In force.
    rows
        Rules that it rests on; unverified ones are marked wherever the figure appears.
    """

    steps: int
    cny_per_kWh: Decimal
    discounted_cny_per_kWh: Decimal
    discount_frac: Decimal
    to_next_step_kwh_per_t: Decimal
    to_more_kwh_per_t: Decimal
    threshold_kwh_per_t: Decimal
    rows: tuple[Row, ...]


def surcharge(
    comprehensive_kwh_per_t: float | Decimal,
    day: date,
    *,
    region: str = "CN",
    nonhydro_pct: float | Decimal | None = None,
    incentive_pct: float | Decimal | None = None,
    rules: Rulebook | None = None,
) -> Surcharge:
    """Surcharge for the comprehensive AC electricity of liquid aluminium.

    Parameters
    ----------
    comprehensive_kwh_per_t
        As the tariff counts it, without desulfurisation from 2023; finite, unrounded.
    day
        Of the consumption; the year decides.
    region
        Provinces may be stricter: their own rows come first.
    nonhydro_pct, incentive_pct
        Non-hydro renewable share of the consumption and the province's incentive value of the year before [%];
        without both there is no discount.
    rules
        Default: the tariff of 2021, in force from 2022.

    Raises
    ------
    RulesError
        No threshold for that day and region.

    Notes
    -----
    Energy reference 4.1. The discount counts whole points; that is one reading of the text.

    Examples
    --------
    >>> surcharge(13320.01, date(2025, 6, 1)).cny_per_kWh
    Decimal('0.02')
    """
    book = load("tariff_steps") if rules is None else rules
    threshold, step, price = (book.at(key, day, region) for key in ("threshold", "step", "step_price"))
    value = exact(comprehensive_kwh_per_t)
    over = value - threshold.value
    steps = int((over / step.value).to_integral_value(ROUND_CEILING)) if over > 0 else 0
    plain = price.value * steps
    rows = [threshold, step, price]
    discount = Decimal(0)
    if nonhydro_pct is not None and incentive_pct is not None:
        above, per_point = (book.at(key, day, region) for key in ("discount_above", "discount_per_point"))
        rows += [above, per_point]
        share = exact(nonhydro_pct)
        if share > above.value and share >= exact(incentive_pct):
            points = (share - above.value).to_integral_value(ROUND_FLOOR)
            discount = min(Decimal(1), points * per_point.value / _HUNDRED)
    return Surcharge(
        steps=steps,
        cny_per_kWh=plain,
        discounted_cny_per_kWh=plain * (1 - discount),
        discount_frac=discount,
        to_next_step_kwh_per_t=over - step.value * (steps - 1) if steps else Decimal(0),
        to_more_kwh_per_t=step.value * steps - over,
        threshold_kwh_per_t=threshold.value,
        rows=tuple(rows),
    )


def surcharge_before_2022(liquid_ac_kwh_per_t: float | Decimal) -> Decimal:
    """Surcharge [CNY/kWh] of the scheme of 2014-2021, on AC electricity of liquid aluminium; energy reference 4.2."""
    book, day = load("tariff_2014"), date(2021, 12, 31)
    value = exact(liquid_ac_kwh_per_t)
    if value <= book.at("free_up_to", day).value:
        return Decimal(0)
    key = "low_price" if value <= book.at("low_up_to", day).value else "high_price"
    return book.at(key, day).value


def cost_cny(cny_per_kWh: Decimal, energy_kWh: float | Decimal) -> Decimal:
    """What a surcharge costs for the electricity of liquid aluminium [CNY]."""
    return cny_per_kWh * exact(energy_kWh)


def year_end_forecast(
    energy_kWh: float, metal_t: float, expected_energy_kWh: float, expected_metal_t: float
) -> float:
    """Intensity at the year's end [kWh/t]: what was, plus what is expected, as a ratio of sums (reference 7.7)."""
    metal = metal_t + expected_metal_t
    return (energy_kWh + expected_energy_kWh) / metal if metal > 0.0 else float("nan")
