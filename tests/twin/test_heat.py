"""Heat balance, shell and ledge against published figures (reference report, sections 4, 7.2 and 12)."""

import pytest

from twin.heat import (
    equivalent_V,
    heat_loss_kW,
    shell_flux_W_m2,
    shell_temp_C,
    steady,
)
from twin.params import params_for

CELL = params_for("generic_300kA", 300e3)


@pytest.mark.parametrize(
    ("efficiency", "volt"),
    [(0.85, 1.878), (0.90, 1.960), (0.925, 2.001), (0.94, 2.026), (0.95, 2.042), (0.96, 2.059), (1.0, 2.125)],
)
def test_equivalent_voltage_equals_first_principles(efficiency: float, volt: float):
    # Formation enthalpies (JANAF) with CO and CO2 after the efficiency; acceptance 1.5 mV.
    assert equivalent_V(efficiency) == pytest.approx(volt, abs=0.0015)
    co2, co = 0.75 * (2 - 1 / efficiency), 1.5 * (1 / efficiency - 1)
    enthalpy_kJ = 837.85 - 393.51 * co2 - 110.53 * co + 38.2 + 45.6 * co2 + 29.6 * co
    assert equivalent_V(efficiency) == pytest.approx(
        enthalpy_kJ * 1e3 * efficiency / (3 * 96485.33), abs=0.0015
    )


def test_entner_200_kA():
    # Entner, AlPrg: 200 kA, 4.20 V, CE 95 %: 840 kW in, 786 kW inside, 409 kW reaction, 377 kW loss.
    external_V = (840 - 786) / 200
    assert heat_loss_kW(200e3, 4.20, external_V, 0.95) == pytest.approx(377, rel=0.01)
    assert 200 * equivalent_V(0.95) == pytest.approx(409, rel=0.01)


def test_qatalum_loss():
    # 300 kA, 4.20 V, CE 94.2 %, bus bars 0.18 V: 597 kW (reference report, 4.3).
    assert heat_loss_kW(300e3, 4.20, 0.18, 0.942) == pytest.approx(597, abs=3)


@pytest.mark.parametrize(("shell_C", "flux"), [(250, 4860), (300, 7000), (400, 12900), (500, 21500)])
def test_shell_flux_table(shell_C: float, flux: float):
    # Natural convection and radiation, emissivity 0.85, 35 degC around; printed values within 1 %.
    assert shell_flux_W_m2(float(shell_C), 35.0, 0.85) == pytest.approx(flux, rel=0.01)
    assert shell_temp_C(shell_flux_W_m2(float(shell_C), 35.0, 0.85), 35.0, 0.85) == pytest.approx(
        shell_C, abs=0.01
    )


def test_nominal_state_is_that_of_a_healthy_cell():
    nominal = steady(CELL)
    # Healthy side shell 200 to 330 degC; side loss 22 to 33 % of the total; loss 600 +- 30 kW.
    assert 200 < nominal.shell_C < 330
    assert 0.2 < nominal.side_loss_W / nominal.heat_loss_W < 0.33
    assert nominal.heat_loss_W == pytest.approx(600e3, abs=30e3)
