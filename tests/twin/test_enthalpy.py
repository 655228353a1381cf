"""Heat of the reaction against the printed table (reference report, section 4.1) and against the linear law."""

import numpy as np
import pytest

from twin.enthalpy import (
    ALUMINA_HEATING_J_kg,
    CARBON_HEATING_J_kg,
    CRYOLITE_FUSION_J_kg,
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
