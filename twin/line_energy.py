"""The five indicators of a line's electricity, kept apart, gross and net, by method profile."""

import math
from typing import NamedTuple

#: Coal equivalent of electricity [kgce/kWh]: GB/T 2589-2020, calorific value.
KGCE_PER_KWH = 0.1229


class Profile(NamedTuple):
    """What the net figures leave out.

    Attributes
    ----------
    name
        As it is printed beside every figure.
    deduct_startup, deduct_shorted, deduct_external_busbar
        Whether the energy of baking and starting cells, of shunts of stopped cells and of outer busbars is
        left out of AC electricity.
    deduct_in_comprehensive
        Whether the comprehensive indicators leave the same out.
    exclude_startup_metal
        Whether net figures leave out the metal of starting cells with their energy.
    tariff_desulfurisation
        Whether the tariff's comprehensive indicator keeps the electricity of desulfurisation.
    """

    name: str
    deduct_startup: bool = True
    deduct_shorted: bool = True
    deduct_external_busbar: bool = False
    deduct_in_comprehensive: bool = False
    exclude_startup_metal: bool = True
    tariff_desulfurisation: bool = False


#: Clause 6 of GB 21346-2022 could not be read: this profile is assumed after the older editions' wording.
GB21346_2022_ASSUMED = Profile("gb21346_2022_assumed")
PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        GB21346_2022_ASSUMED,
        Profile("deducted_throughout", deduct_in_comprehensive=True),
        Profile("nothing_deducted", deduct_startup=False, deduct_shorted=False, exclude_startup_metal=False),
    )
}


class LineEnergy(NamedTuple):
    """Electricity and metal of one line in one period; NaN where it is not known.

    Attributes
    ----------
    rectifier_ac_kWh, line_dc_kWh
        At the rectifiers' high-voltage side, and behind them.
    startup_ac_kWh, shorted_ac_kWh, external_busbar_ac_kWh
        Parts of the rectifiers' energy that a profile may leave out, as AC.
    auxiliary_ac_kWh, desulfurisation_ac_kWh
        Auxiliaries, desulfurisation included, and desulfurisation alone.
    casting_ac_kWh
        Of the cast house.
    liquid_t, startup_metal_t, ingot_t
        Liquid metal made, the part of it made by starting cells, and ingots [t].
    """

    rectifier_ac_kWh: float
    line_dc_kWh: float = math.nan
    startup_ac_kWh: float = 0.0
    shorted_ac_kWh: float = 0.0
    external_busbar_ac_kWh: float = 0.0
    auxiliary_ac_kWh: float = math.nan
    desulfurisation_ac_kWh: float = 0.0
    casting_ac_kWh: float = math.nan
    liquid_t: float = math.nan
    startup_metal_t: float = 0.0
    ingot_t: float = math.nan


class LineIndicators(NamedTuple):
    """The indicators of one line and period [kWh/t, the last kgce/t]; NaN where a part is not known.

    Attributes
    ----------
    liquid_dc
        DC energy, as metered, for liquid metal.
    liquid_ac_gross, liquid_ac_net
        AC electricity of liquid aluminium; benchmark and baseline hold for it. Gross is all energy over all metal; a
        deduction that would raise the figure is not made, so that gross >= net.
    liquid_comprehensive
        With auxiliaries, as the standard counts.
    liquid_comprehensive_tariff
        The same as the stepped tariff counts, by default without desulfurisation.
    ingot_comprehensive
        With casting, for ingots.
    ingot_kgce
        Its electricity as coal equivalent; fuels are not in it.
    """

    liquid_dc: float
    liquid_ac_gross: float
    liquid_ac_net: float
    liquid_comprehensive: float
    liquid_comprehensive_tariff: float
    ingot_comprehensive: float
    ingot_kgce: float


def line_figures(energy: LineEnergy, profile: Profile = GB21346_2022_ASSUMED) -> LineIndicators:
    """Work out all indicators of a line's period.

    Parameters
    ----------
    energy
        Sums of the period, so that every indicator is a ratio of sums.
    profile
        What is left out.

    Raises
    ------
    ValueError
        A deduction is negative or larger than what it is taken from.

    Notes
    -----
    Energy reference 2.3. The profile named ``..._assumed`` rests on older editions of the standard.

    Examples
    --------
    >>> month = LineEnergy(486_200e3, startup_ac_kWh=1_150e3, shorted_ac_kWh=310e3, liquid_t=37_400.0)
    >>> round(line_figures(month).liquid_ac_net, 3)
    12960.963
    """
    deducted_kWh = (
        profile.deduct_startup * energy.startup_ac_kWh
        + profile.deduct_shorted * energy.shorted_ac_kWh
        + profile.deduct_external_busbar * energy.external_busbar_ac_kWh
    )
    parts = (energy.startup_ac_kWh, energy.shorted_ac_kWh, energy.external_busbar_ac_kWh)
    if min(parts) < 0.0 or deducted_kWh > energy.rectifier_ac_kWh:
        raise ValueError(f"deductions {parts} kWh do not fit into {energy.rectifier_ac_kWh} kWh")
    if energy.desulfurisation_ac_kWh < 0.0 or energy.desulfurisation_ac_kWh > energy.auxiliary_ac_kWh:
        raise ValueError(
            f"desulfurisation {energy.desulfurisation_ac_kWh} kWh is no part of {energy.auxiliary_ac_kWh} kWh"
        )
    net_kWh = energy.rectifier_ac_kWh - deducted_kWh
    gross = per_t(energy.rectifier_ac_kWh, energy.liquid_t)
    net_t = energy.liquid_t - profile.exclude_startup_metal * energy.startup_metal_t
    net = per_t(net_kWh, net_t)
    if profile.deduct_in_comprehensive:
        base_kWh, base_t = net_kWh, net_t
    else:
        base_kWh, base_t = energy.rectifier_ac_kWh, energy.liquid_t
    comprehensive_kWh = base_kWh + energy.auxiliary_ac_kWh
    left_out_kWh = 0.0 if profile.tariff_desulfurisation else energy.desulfurisation_ac_kWh
    ingot = per_t(comprehensive_kWh + energy.casting_ac_kWh, energy.ingot_t)
    return LineIndicators(
        liquid_dc=per_t(energy.line_dc_kWh, energy.liquid_t),
        liquid_ac_gross=gross,
        liquid_ac_net=gross if net > gross else net,
        liquid_comprehensive=per_t(comprehensive_kWh, base_t),
        liquid_comprehensive_tariff=per_t(comprehensive_kWh - left_out_kWh, base_t),
        ingot_comprehensive=ingot,
        ingot_kgce=ingot * KGCE_PER_KWH,
    )


def per_t(energy_kWh: float, metal_t: float) -> float:
    """Energy for a tonne of metal; NaN, never infinity, where there is no metal.

    Examples
    --------
    >>> per_t(1.0, 0.0)
    nan
    """
    return energy_kWh / metal_t if metal_t > 0.0 else math.nan


def rectifier_efficiency(line_dc_kWh: float, rectifier_ac_kWh: float) -> float:
    """DC over AC energy; NaN outside 0.95-0.995, which is a fault of the metering (energy reference 2.4)."""
    share = per_t(line_dc_kWh, rectifier_ac_kWh)
    return share if 0.95 <= share <= 0.995 else math.nan
