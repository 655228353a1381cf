"""Heat of the reaction against the printed table (reference report, section 4.1) and against the linear law."""

import numpy as np
import pytest

from twin.enthalpy import (
    ALUMINA_HEATING_J_kg,
    CARBON_HEATING_J_kg,
    CRYOLITE_FUSION_J_kg,
    carbon_J_kg,
    carbon_J_kgK,
    carbon_temp_C,
    reaction_V,
)
from twin.heat import equivalent_V

#: kWh/kg of metal per volt at full current efficiency.
KWH_KG_V = 2.97998


@pytest.mark.parametrize(
    ("efficiency", "kwh_kg"),
    [
        (0.85, 6.586),
        (0.90, 6.492),
        (0.925, 6.449),
        (0.94, 6.424),
        (0.95, 6.408),
        (0.96, 6.393),
        (1.00, 6.333),
    ],
)
def test_table_of_first_principles(efficiency: float, kwh_kg: float):
    assert KWH_KG_V * reaction_V(efficiency) / efficiency == pytest.approx(kwh_kg, abs=0.001)


def test_linear_law_holds_over_its_range():
    # Zhu and Li 2020: 0.48 + 1.644 CE; acceptance 1.5 mV.
    for efficiency in np.linspace(0.85, 1.0, 31):
        assert equivalent_V(float(efficiency)) == pytest.approx(reaction_V(float(efficiency)), abs=0.0015)


def test_heats_of_entners_balance():
    # Entner, 200 kA, CE 95 %: alumina heating 36 kW, anode heating 9 kW of 409 kW.
    alumina_kg_s = 1.76123e-4 * 200 * 0.95
    metal_kg_s = 0.335572 * 200 * 0.95 / 3600
    assert alumina_kg_s * ALUMINA_HEATING_J_kg * 1e-3 == pytest.approx(36.0, abs=0.6)
    # 9 kW is 0.39 kg of carbon per kg of metal; 0.333 is the least, 0.42 usual.
    assert 0.333 <= 9e3 / (metal_kg_s * CARBON_HEATING_J_kg) <= 0.42


def test_fusion_is_per_kilogram_and_not_per_mole():
    # Cryolite, 209.94 g/mol: 107 to 115 kJ/mol.
    assert 107e3 <= CRYOLITE_FUSION_J_kg * 0.20994 <= 115e3


def graphite_J_kg(temp_C: float) -> float:
    """Butland and Maddison 1973, integrated from 25 degC [J/kg]; their cal/g/K over K."""
    at_K = np.linspace(298.15, temp_C + 273.15, 4001)
    coefficients = {0: 0.54212, 1: -2.42667e-6, -1: -90.2725, -2: -43449.3, -3: 1.59309e7, -4: -1.43688e9}
    capacity = 4184.0 * sum(factor * at_K**power for power, factor in coefficients.items())
    return float(np.trapezoid(capacity, at_K))


def test_heat_of_carbon_is_that_of_graphite():
    for temp_C in np.arange(50.0, 1001.0, 50.0):
        assert carbon_J_kg(float(temp_C)) == pytest.approx(graphite_J_kg(float(temp_C)), rel=0.012)
    assert carbon_J_kg(25.0) == 0.0


@pytest.mark.parametrize("temp_C", [-300.0, -60.0, 25.0, 300.0, 960.0, 1000.0, 2500.0])
def test_temperature_of_carbon_is_found_again(temp_C: float):
    # Also beyond the fit, where heat is a straight line: nothing diverges when a block is driven there.
    heat_J = 900.0 * carbon_J_kg(temp_C) + 2e5 * (temp_C - 25.0)
    assert carbon_temp_C(heat_J, 900.0, 2e5, 500.0) == pytest.approx(temp_C, abs=1e-7)
    slope = (carbon_J_kg(temp_C + 0.01) - carbon_J_kg(temp_C - 0.01)) / 0.02
    assert carbon_J_kgK(temp_C) == pytest.approx(slope, rel=1e-4)
