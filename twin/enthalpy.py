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
#: AlF3 from 25 degC into the bath, dissolution included, 1.25 to 1.4 MJ/kg, low confidence [J/kg].
ALF3_HEATING_J_kg = 1.3e6

# Heat of carbon above 25 degC as a cubic, within 1.1 % of Butland and Maddison 1973 from 50 to 1000 degC, and
# straight lines beyond [J/kg/K, J/kg/K2, J/kg/K3, K].
_CARBON_1, _CARBON_2, _CARBON_3 = 716.5, 1.3952, -6.185e-4
_CARBON_LOW_K, _CARBON_HIGH_K = -85.0, 975.0
_COLD_C = 25.0

# Formation at 298 K, and heating of products from 25 to 960 degC [kJ/mol] (JANAF).
_HALF_ALUMINA, _CO2, _CO = 837.85, -393.51, -110.53
_HOT_AL, _HOT_CO2, _HOT_CO = 38.2, 45.6, 29.6
_FARADAY = 96485.33212  # C/mol


@kernel
def carbon_J_kgK(temp_C: float) -> float:
    """Heat capacity of carbon [J/kg/K], 0.72 kJ at 25 and 1.74 kJ at 900 degC; the slope of ``carbon_J_kg``."""
    rise_K = min(max(temp_C - _COLD_C, _CARBON_LOW_K), _CARBON_HIGH_K)
    return _CARBON_1 + rise_K * (2.0 * _CARBON_2 + 3.0 * _CARBON_3 * rise_K)


@kernel
def carbon_J_kg(temp_C: float) -> float:
    """Heat of carbon above 25 degC [J/kg].

    Parameters
    ----------
    temp_C
        [degC], -60 to 1000; beyond, the heat capacity stays what it is there.

    Notes
    -----
    Graphite by Butland and Maddison, J. Nucl. Mater. 49 (1973) 45; baked carbon differs little. The heat capacity
    more than doubles from cold to hot: half of the way in degrees is 43 % of the heat.

    Examples
    --------
    >>> round(carbon_J_kg(500.0) / carbon_J_kg(960.0), 3)
    0.425
    """
    rise_K = min(max(temp_C - _COLD_C, _CARBON_LOW_K), _CARBON_HIGH_K)
    heat_J_kg = rise_K * (_CARBON_1 + rise_K * (_CARBON_2 + rise_K * _CARBON_3))
    beyond_K = temp_C - _COLD_C - rise_K
    # Rarely needed, so that inside the range the slope costs nothing.
    return heat_J_kg if beyond_K == 0.0 else heat_J_kg + carbon_J_kgK(temp_C) * beyond_K


@kernel
def carbon_temp_C(heat_J: float, carbon_kg: float, other_J_K: float, near_C: float) -> float:
    """Temperature of carbon with something else of constant heat capacity [degC], by Newton steps.

    Parameters
    ----------
    heat_J
        Of both above 25 degC [J].
    carbon_kg, other_J_K
        Carbon [kg], heat capacity of the rest [J/K].
    near_C
        Where to begin [degC]; a few hundred degrees off cost a few steps more.
    """
    temp_C = near_C
    kelvin_per_J = 1.0 / (carbon_kg * carbon_J_kgK(temp_C) + other_J_K)
    for _ in range(20):
        step_C = (carbon_kg * carbon_J_kg(temp_C) + other_J_K * (temp_C - _COLD_C) - heat_J) * kelvin_per_J
        temp_C -= step_C
        if abs(step_C) < 1e-5:
            break
        # Over a few degrees the slope hardly changes: a division saved in nearly every step of a cell.
        if abs(step_C) > 2.0:
            kelvin_per_J = 1.0 / (carbon_kg * carbon_J_kgK(temp_C) + other_J_K)
    return temp_C


#: Anode carbon from 25 to 960 degC, 1.38 MJ; 9 kW at 200 kA in Entner's balance [J/kg].
CARBON_HEATING_J_kg = carbon_J_kg(960.0)


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
