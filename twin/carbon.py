"""Carbon and clean electricity of a smelter: anodes, electricity, trading scheme, footprint."""

import math
from datetime import date
from typing import NamedTuple

from twin.emissions import pfc_by_default, pfc_profile
from twin.rulebook import Row, load

_GUIDE_FROM = date(2024, 9, 13)
#: Carbon to carbon dioxide, by mass.
CO2_PER_C = 44.0 / 12.0


class Anode(NamedTuple):
    """Anode consumption of a tonne of metal.

    Attributes
    ----------
    net_t_per_t
        Net anode consumption [t/t].
    sulfur_frac, ash_frac
        Of the anode, by mass.
    """

    net_t_per_t: float
    sulfur_frac: float
    ash_frac: float


class MarketDefault(NamedTuple):
    """Direct emissions by the defaults of the carbon market [t CO2e/t], and the rules of the anodes' part."""

    anode: float
    pfc: float
    rows: tuple[Row, ...]


#: Profile of ``twin.emissions`` by which the carbon market counts perfluorocarbons.
MARKET_PROFILE = "cn_ets_2024"


def market_default(day: date) -> MarketDefault:
    """Anode carbon dioxide and perfluorocarbons where neither anodes nor anode-effect minutes are measured.

    Parameters
    ----------
    day
        Of the production; the guide's first day counts for earlier ones.

    Notes
    -----
    Energy reference 6.1 and 6.3. The default of perfluorocarbons exceeds a measured figure below 0.2378 anode-effect
    minutes per cell-day.

    Examples
    --------
    >>> found = market_default(date(2026, 1, 1))
    >>> round(found.anode, 6), round(found.pfc, 6)
    (1.470832, 0.26316)
    """
    factors = load("emission_factors")
    keys = ("anode_net", "anode_sulfur", "anode_ash")
    rows = tuple(factors.at(key, max(day, _GUIDE_FROM)) for key in keys)
    pfc = pfc_by_default(pfc_profile(MARKET_PROFILE), metal_t=1.0)
    return MarketDefault(anode_co2(Anode(*(float(row.value) for row in rows))), pfc.co2e_t, rows)


def net_anode(gross_t_per_t: float, loss_frac: float) -> float:
    """Net anode consumption [t/t]: gross less butts and what falls off (fraction); energy reference 6.1.

    Examples
    --------
    >>> round(net_anode(0.480, 0.1518), 6)
    0.407136
    """
    return gross_t_per_t * (1.0 - loss_frac)


def anode_co2(anode: Anode) -> float:
    """Carbon dioxide of anodes [t CO2/t Al], as the Chinese scheme and IPCC tiers 2 and 3 count it.

    Raises
    ------
    ValueError
        A share outside 0-1 or a negative consumption.

    Examples
    --------
    >>> round(anode_co2(Anode(0.411, 0.02, 0.004)), 6)
    1.470832
    """
    carbon_frac = 1.0 - anode.sulfur_frac - anode.ash_frac
    if not (0.0 <= anode.net_t_per_t < 2.0 and 0.0 <= carbon_frac <= 1.0):
        raise ValueError(f"impossible anode: {anode}")
    return anode.net_t_per_t * carbon_frac * CO2_PER_C


def electricity_co2(mwh_per_t: float, kg_co2_per_kwh: float) -> float:
    """Carbon dioxide of electricity [t CO2/t Al] by a grid or footprint factor; energy reference 6.4.

    Examples
    --------
    >>> round(electricity_co2(13.35, 0.5306), 6)
    7.08351
    """
    return mwh_per_t * kg_co2_per_kwh


def mixed_electricity_co2(mwh_per_t: float, clean_frac: float, rest_kg_co2_per_kwh: float) -> float:
    """Carbon dioxide of electricity [t CO2/t Al] when a share is clean (0 kg) and the rest has one factor."""
    return electricity_co2(mwh_per_t * (1.0 - clean_frac), rest_kg_co2_per_kwh)


def direct_co2e(anode_t_per_t: float, pfc_t_per_t: float, liquid_t: float) -> tuple[float, float]:
    """Intensity [t CO2e/t] and total [t CO2e] of the electrolysis step; energy reference 6.5."""
    intensity = anode_t_per_t + pfc_t_per_t
    return intensity, intensity * liquid_t


def balance_allowance_rate(intensity: float, balance_value: float) -> float:
    """Rate by which an allowance might exceed the emissions in 2025 (fraction). Provisional.

    Parameters
    ----------
    intensity, balance_value
        Own and the industry's [t CO2e/t], > 0.

    Notes
    -----
    Energy reference 6.5, confidence low: neither formula nor balance value has been read in a primary text.
    Nothing in potline shows it.
    """
    return min(max(0.15 * (balance_value - intensity) / balance_value, -0.03), 0.03)


class CleanElectricity(NamedTuple):
    """Electricity of a period with its attributes, each MWh once.

    Attributes
    ----------
    total_MWh
        All that was consumed.
    self_generated_MWh, self_generated_nonhydro_MWh
        Own clean generation that was consumed and whose certificates were not sold, and the non-hydro part.
    traded_MWh, traded_nonhydro_MWh
        Green-power trades, certificates bundled.
    certificates_MWh, certificates_nonhydro_MWh
        Certificates retired that belong to no trade above; one is 1 MWh.
    """

    total_MWh: float
    self_generated_MWh: float = 0.0
    self_generated_nonhydro_MWh: float = 0.0
    traded_MWh: float = 0.0
    traded_nonhydro_MWh: float = 0.0
    certificates_MWh: float = 0.0
    certificates_nonhydro_MWh: float = 0.0


def clean_shares(electricity: CleanElectricity) -> tuple[float, float]:
    """Clean share and non-hydro share [%]; NaN without consumption.

    Raises
    ------
    ValueError
        A part is negative, a non-hydro part exceeds its whole, or more is clean than was consumed: an attribute
        was counted twice.

    Notes
    -----
    Energy reference 6.7. Grid electricity counts as not clean.
    """
    e = electricity
    pairs = (
        (e.self_generated_MWh, e.self_generated_nonhydro_MWh),
        (e.traded_MWh, e.traded_nonhydro_MWh),
        (e.certificates_MWh, e.certificates_nonhydro_MWh),
    )
    if any(part < 0.0 or part > whole for whole, part in pairs):
        raise ValueError(f"a non-hydro part is negative or larger than its whole: {pairs}")
    clean_MWh, nonhydro_MWh = (sum(column) for column in zip(*pairs, strict=True))
    if clean_MWh > e.total_MWh:
        raise ValueError(
            f"{clean_MWh:g} MWh clean of {e.total_MWh:g} MWh consumed: an attribute was counted twice"
        )
    if e.total_MWh <= 0.0:
        return math.nan, math.nan
    return 100.0 * clean_MWh / e.total_MWh, 100.0 * nonhydro_MWh / e.total_MWh


class Footprint(NamedTuple):
    """Outline of a product's footprint, cradle to gate [t CO2e/t]; NaN where a part is not known.

    Attributes
    ----------
    anode, pfc, electricity, upstream
        Parts; ``upstream`` is alumina, anode manufacture and transport, from suppliers' declarations.
    """

    anode: float
    pfc: float
    electricity: float
    upstream: float = math.nan

    @property
    def known(self) -> float:
        """Sum of the parts that are known; not a footprint while one is missing."""
        return sum(part for part in self if part == part)

    @property
    def total(self) -> float:
        """Sum of all parts; NaN while one is missing (GB/T 44905-2024 outline, energy reference 6.6)."""
        return self.anode + self.pfc + self.electricity + self.upstream
