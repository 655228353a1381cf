"""Heats of the substances in a cell, and the voltage that the reaction takes up by them."""

from twin.jit import kernel

#: Heat capacity of liquid bath, published 1760 to 1880 [J/kg/K].
BATH_J_kgK = 1800.0
#: Heat capacity of liquid aluminium, 31.8 J/mol/K [J/kg/K].
METAL_J_kgK = 1180.0
#: Heat capacity of frozen ledge [J/kg/K].
LEDGE_J_kgK = 1320.0
#: Fusion of cryolite, 107 kJ/mol by JANAF; up to 550 kJ/kg is published [J/kg].
CRYOLITE_FUSION_J_kg = 5.1e5
#: Alumina from 25 to 960 degC; 36 kW at 200 kA and 95 % in Entner's balance [J/kg].
ALUMINA_HEATING_J_kg = 1.09e6
#: Dissolving alumina, 110 to 125 kJ/mol [J/kg]. ``reaction_V`` starts from solid alumina: never add both.
ALUMINA_DISSOLUTION_J_kg = 1.15e6
#: Anode carbon from 25 to 960 degC [J/kg].
CARBON_HEATING_J_kg = 1.30e6
#: AlF3 from 25 degC into the bath, dissolution included, 1.25 to 1.4 MJ/kg, low confidence [J/kg].
ALF3_HEATING_J_kg = 1.3e6

# Formation at 298 K, and heating of products from 25 to 960 degC [kJ/mol] (JANAF).
_HALF_ALUMINA, _CO2, _CO = 837.85, -393.51, -110.53
_HOT_AL, _HOT_CO2, _HOT_CO = 38.2, 45.6, 29.6
_FARADAY = 96485.33212  # C/mol


@kernel
def reaction_V(current_efficiency_frac: float) -> float:
    """Voltage that the reaction takes up, from heats of formation [V].

    Parameters
    ----------
    current_efficiency_frac
        0.85 to 1; lost metal is taken to burn with CO2 to CO (Pearson and Waddington).

    Notes
    -----
    Solid alumina and carbon at 25 degC to metal and gas at 960 degC. Air burn of carbon is not in it.

    Examples
    --------
    >>> round(reaction_V(0.95), 3)
    2.043
    """
    per_metal = 1.0 / current_efficiency_frac
    co2, co = 0.75 * (2.0 - per_metal), 1.5 * (per_metal - 1.0)
    kJ_mol = _HALF_ALUMINA + co2 * (_CO2 + _HOT_CO2) + co * (_CO + _HOT_CO) + _HOT_AL
    return 1e3 * kJ_mol * current_efficiency_frac / (3.0 * _FARADAY)
