"""Every worked number of the energy reference, to its printed digits; the section stands at each test.

Vectors of perfluorocarbons (6.2, 6.3) belong to the module of emissions and are tested there.
"""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.shared_data import VECTORS, needs_shared_data
from twin import carbon, cell_voltage, metal
from twin.capacity import LineYear, capacity_shares
from twin.comparison import rounded
from twin.decomposition import State, split
from twin.energy import METAL_KG_PER_KAH, dc_kwh_per_t
from twin.energy_baseline import fit, savings
from twin.figures import ratio_of_sums
from twin.intensity import allocate_ac
from twin.limits import load_limits
from twin.line_energy import KGCE_PER_KWH, PROFILES, LineEnergy, line_figures
from twin.rulebook import load
from twin.tariff import cost_cny, surcharge, surcharge_before_2022

pytestmark = needs_shared_data
FULL = 1e-12


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    return json.loads(VECTORS.read_text(encoding="utf-8"))


def test_constants(vectors: dict[str, Any]) -> None:
    # 2.2
    const = vectors["const"]
    assert pytest.approx(const["kg_per_kAh"], rel=1e-15) == METAL_KG_PER_KAH
    assert pytest.approx(const["kWh_per_kg_per_volt"], rel=1e-15) == 1.0 / METAL_KG_PER_KAH
    for key, k in (("inv_3355", 0.3355), ("inv_3356", 0.3356), ("inv_33554", 0.33554)):
        assert 1.0 / k == pytest.approx(const[key], rel=1e-15)


def test_round_numbers_of_the_trade_differ_by_four_kwh(vectors: dict[str, Any]) -> None:
    # 2.2: 2980 kWh/t per volt instead of the exact constant.
    for key, expected in vectors["dc_with_2.98"].items():
        voltage, efficiency = (float(part.split("=")[1]) for part in key.split(","))
        assert 2980.0 * voltage / efficiency == pytest.approx(expected, rel=FULL)
        assert abs(expected - float(dc_kwh_per_t(voltage, efficiency))) < 0.1


def test_production(vectors: dict[str, Any]) -> None:
    # 2.7
    expected = vectors["prod"]
    day_t = METAL_KG_PER_KAH * 500.0 * 24.0 / 1000.0
    assert day_t == pytest.approx(expected["theor_500kA_day"], rel=FULL)
    assert 0.93 * day_t == pytest.approx(expected["at_93"], rel=FULL)
    assert 0.93 * day_t * 300 * 365 == pytest.approx(expected["line_300x500_93_365"], rel=FULL)


def test_break_even(vectors: dict[str, Any]) -> None:
    # 2.6
    expected = vectors["solve"]
    assert cell_voltage.voltage_for(13000 * 0.985, 0.93) == pytest.approx(expected["V_for_13000"], rel=FULL)
    assert cell_voltage.voltage_for(13350 * 0.985, 0.93) == pytest.approx(expected["V_for_13350"], rel=FULL)
    assert cell_voltage.efficiency_for(13000 * 0.985, 3.98) == pytest.approx(
        expected["CE_for_13000_at_3p98"], rel=FULL
    )


def test_sensitivities(vectors: dict[str, Any]) -> None:
    # 2.4, 2.6
    expected = vectors["sens"]
    dc = dc_kwh_per_t(3.95, 0.93)
    assert float(dc_kwh_per_t(0.01, 0.93)) == pytest.approx(expected["per_10mV_93"], rel=FULL)
    assert float(dc - dc_kwh_per_t(3.95, 0.94)) == pytest.approx(expected["one_pt_CE_93_94_3p95"], rel=1e-9)
    assert float(dc / 0.985 - dc / 0.986) == pytest.approx(expected["rect_0p1pt"], rel=1e-9)


def test_average_voltage(vectors: dict[str, Any]) -> None:
    # 2.5: 1680.30 V, 420 cells, working 3.955 V, 21 effects of 52.5 min together at 22.0 V.
    expected = vectors["vavg2"]
    found = cell_voltage.average_voltage(1680.30, 420, 3.955, 21, 52.5, 22.0, 420)
    assert found.effects_per_cell_day == pytest.approx(expected["AEF"], rel=FULL)
    assert found.effect_minutes_per_cell_day == pytest.approx(expected["AEM"], rel=FULL)
    assert found.effects_V == pytest.approx(expected["V_AE"], rel=FULL)
    assert found.average_V == pytest.approx(expected["V_avg"], rel=FULL)
    assert found.busbar_V == pytest.approx(expected["V_bus"], rel=1e-9)
    assert [round(1000 * found.effects_V, 4), round(found.average_V, 6), round(1000 * found.busbar_V, 3)] == [
        1.5664,
        4.000714,
        44.148,
    ]


def test_average_voltage_of_a_smaller_line(vectors: dict[str, Any]) -> None:
    # vavg of the vectors: 298 cells, effects of 2.195 mV; its parts must sum to its average.
    expected = vectors["vavg"]
    line_V = 298 * expected["V_avg"]
    working = expected["V_avg"] - expected["V_bus"] - expected["V_AE"]
    minutes = expected["V_AE"] / (22.0 - working) * 1440.0 * 298
    found = cell_voltage.average_voltage(line_V, 298, working, 1, minutes, 22.0, 298)
    assert found.busbar_V == pytest.approx(expected["V_bus"], rel=1e-9)
    assert found.average_V == pytest.approx(expected["V_avg_wo_AE"], rel=1e-12)


def test_energy_of_products(vectors: dict[str, Any]) -> None:
    # 2.4
    voltage, current = np.array([3.95, 3.95, 25.0, 3.95]), np.array([500.0, 500.0, 470.0, 500.0])
    expected = vectors["cov"]
    true_kWh, means_kWh = (voltage * current).mean(), voltage.mean() * current.mean()
    assert true_kWh == pytest.approx(expected["true_kWh"], rel=FULL)
    assert means_kWh == pytest.approx(expected["product_of_means"], rel=FULL)
    assert 100 * (means_kWh / true_kWh - 1) == pytest.approx(expected["err_pct"], rel=1e-9)


def test_five_indicators(vectors: dict[str, Any]) -> None:
    # 2.3, line L1 in one month.
    expected = vectors["line_month"]
    month = LineEnergy(
        rectifier_ac_kWh=486_200e3,
        startup_ac_kWh=1_150e3,
        shorted_ac_kWh=310e3,
        auxiliary_ac_kWh=11_650e3,
        desulfurisation_ac_kWh=1_480e3,
        casting_ac_kWh=1_860e3,
        liquid_t=37_400.0,
        ingot_t=37_310.0,
    )
    assumed, throughout = line_figures(month), line_figures(month, PROFILES["deducted_throughout"])
    assert assumed.liquid_ac_gross == pytest.approx(expected["AC_gross"], rel=FULL)
    assert assumed.liquid_ac_net == pytest.approx(expected["AC_net"], rel=FULL)
    assert throughout.liquid_comprehensive == pytest.approx(expected["AC_comp_incl"], rel=FULL)
    assert throughout.liquid_comprehensive_tariff == pytest.approx(expected["AC_comp_tier"], rel=FULL)
    assert assumed.liquid_comprehensive_tariff == pytest.approx(expected["AC_comp_tier_noded"], rel=FULL)
    assert throughout.ingot_comprehensive == pytest.approx(expected["ingot_comp"], rel=FULL)
    assert throughout.ingot_kgce == pytest.approx(expected["kgce_ingot_elec"], rel=FULL)
    # 3: 13750 kWh x 0.1229 = 1689.9 kgce/t.
    assert pytest.approx(1689.9, abs=0.05) == 13750 * KGCE_PER_KWH


def test_current_efficiency(vectors: dict[str, Any]) -> None:
    # 2.7: 322 cells, 500 kA, 31 d.
    expected = vectors["ce"]
    liquid_t = metal.liquid_metal_t(37_180, 5_385, 5_210)
    charge_kAh = 500.0 * 24 * 31 * 322
    assert (liquid_t, charge_kAh) == (expected["P"], expected["kAh"])
    assert METAL_KG_PER_KAH * charge_kAh / 1000 == pytest.approx(expected["theor"], rel=FULL)
    assert metal.current_efficiency(liquid_t, charge_kAh) == pytest.approx(expected["CE"], rel=FULL)


def test_current_efficiency_error(vectors: dict[str, Any]) -> None:
    # 2.7: 72 m2, +-0.5 cm.
    expected = vectors["ce_unc"]
    day_t = METAL_KG_PER_KAH * 500.0 * 24.0 / 1000.0
    assert pytest.approx(expected["t_per_cm"], rel=FULL) == 72.0 * metal.METAL_T_PER_M3 * 0.01
    assert metal.level_error_t(72.0, 0.005) == pytest.approx(expected["dm_pair"], rel=FULL)
    error = metal.efficiency_error(72.0, 0.005, 30.0, day_t)
    assert 100 * error == pytest.approx(expected["ce_err_30d"], rel=FULL)
    assert 30.0 * error / 0.005 == pytest.approx(expected["days_for_0p5pct"], rel=FULL)


def test_allocation(vectors: dict[str, Any]) -> None:
    # 2.4
    expected = vectors["alloc"]
    cells = np.array([1450.0, 1462.0, 1475.0])
    assert allocate_ac(4500.0, cells).tolist() == pytest.approx([expected[key] for key in "ABC"], rel=FULL)
    assert cells.sum() / 4500.0 == pytest.approx(expected["eta"], rel=FULL)


def test_theory_and_utilisation(vectors: dict[str, Any]) -> None:
    # 2.6, 1.4
    for key, expected in vectors["theory"].items():
        volt = cell_voltage.enthalpy_voltage(float(key))
        assert volt == pytest.approx(expected["V"], rel=FULL)
        assert float(dc_kwh_per_t(volt, float(key))) / 1000 == pytest.approx(expected["kWhkg"], rel=FULL)
    assert cell_voltage.energy_utilisation(0.93, 3.95) == pytest.approx(vectors["util"]["eff"], rel=FULL)


def test_capacity_shares(vectors: dict[str, Any]) -> None:
    # 7.6
    expected, limits = vectors["share"], load_limits()
    capacity = (250e3, 400e3, 300e3, 200e3)
    values = (12950.0, 13000.0, 13210.0, 13402.0)
    lines = [LineYear(k, c, v) for k, c, v in zip("ABCD", capacity, values, strict=True)]
    found = capacity_shares(lines, limits)
    assert found.benchmark == pytest.approx(expected["bench"], rel=FULL)
    assert found.below_baseline == pytest.approx(expected["below"], rel=FULL)
    assert found.between == pytest.approx(expected["mid"], rel=FULL)
    output = [255e3, 380e3, 290e3, 150e3]
    by_output = [line._replace(capacity_t=t) for line, t in zip(lines, output, strict=True)]
    assert capacity_shares(by_output, limits).benchmark == pytest.approx(
        expected["prod_weighted_bench"], rel=FULL
    )
    sums = [(v * t, t) for v, t in zip(values, output, strict=True)]
    assert ratio_of_sums(sums) == pytest.approx(expected["SEC_pw"], rel=FULL)
    assert sum(values) / 4 == expected["SEC_simple"]
    lines[1] = lines[1]._replace(liquid_ac_kwh_per_t=13000.4)
    assert capacity_shares(lines, limits).benchmark == pytest.approx(21.7391, abs=5e-5)


def test_idle_and_short_lines_count_in_the_built_capacity_only() -> None:
    # 7.6
    lines = [LineYear("A", 100.0, 12900.0), LineYear("B", 300.0, 12900.0, assessed=False)]
    found = capacity_shares(lines, load_limits())
    assert (found.benchmark, found.benchmark_of_assessed) == (25.0, 100.0)
    assert (found.not_assessed_t, found.not_assessed) == (300.0, ("B",))


def test_stepped_price(vectors: dict[str, Any]) -> None:
    # 4.3
    for value, year, steps, price, _ in vectors["tier"]:
        found = surcharge(value, date(year, 6, 30))
        assert (found.steps, found.cny_per_kWh) == (steps, Decimal(price)), value


def test_stepped_price_with_discount(vectors: dict[str, Any]) -> None:
    # 4.3
    for value, year, share, incentive, steps, price, discount, effective in vectors["tier_disc"]:
        found = surcharge(value, date(year, 6, 30), nonhydro_pct=share, incentive_pct=incentive)
        assert (found.steps, found.cny_per_kWh) == (steps, Decimal(price))
        assert found.discount_frac == Decimal(discount)
        assert found.discounted_cny_per_kWh == Decimal(effective)


def test_cost_of_the_stepped_price(vectors: dict[str, Any]) -> None:
    # 4.3: 500 000 t at 13350.
    energy_kWh = Decimal(500_000 * 13350)
    assert str(energy_kWh) == vectors["tier_cost"]["kWh"]
    plain = surcharge(13350, date(2025, 1, 1))
    assert cost_cny(plain.cny_per_kWh, energy_kWh) == Decimal(vectors["tier_cost"]["yuan"])
    assert cost_cny(plain.cny_per_kWh, energy_kWh) / 500_000 == Decimal(vectors["tier_cost"]["per_t"])
    less = surcharge(13350, date(2025, 1, 1), nonhydro_pct=20, incentive_pct=18)
    assert cost_cny(less.discounted_cny_per_kWh, energy_kWh) == Decimal(vectors["tier_cost_disc"]["yuan"])
    assert less.discounted_cny_per_kWh * energy_kWh / 500_000 == Decimal(vectors["tier_cost_disc"]["per_t"])


def test_price_before_2022(vectors: dict[str, Any]) -> None:
    # 4.2, 4.3
    for value, price in vectors["tier2013"].items():
        assert float(surcharge_before_2022(float(value))) == price


def test_anode_co2(vectors: dict[str, Any]) -> None:
    # 6.1
    expected = vectors["anode"]
    factors, day = load("emission_factors"), date(2025, 1, 1)
    net, loss, sulfur, ash = (
        float(factors.at(f"anode_{key}", day).value) for key in ("net", "loss", "sulfur", "ash")
    )
    assert carbon.anode_co2(carbon.Anode(net, sulfur, ash)) == pytest.approx(
        expected["ets_default_0p411"], rel=FULL
    )
    gross = carbon.net_anode(0.480, loss)
    assert gross == pytest.approx(expected["net480"], rel=FULL)
    assert carbon.anode_co2(carbon.Anode(gross, sulfur, ash)) == pytest.approx(
        expected["gross_0p48"], rel=FULL
    )
    assert carbon.anode_co2(carbon.Anode(0.405, 0.018, 0.003)) == pytest.approx(
        expected["nac0p405_S1p8_A0p3"], rel=FULL
    )


def test_year_of_the_carbon_market(vectors: dict[str, Any]) -> None:
    # 6.5; the perfluorocarbons' part is a vector of 6.3.
    pfc = vectors["pfc"]["ETS AEM=0.15"]["tCO2e_t"]
    intensity, total = carbon.direct_co2e(vectors["anode"]["ets_default_0p411"], pfc, 500_000.0)
    assert intensity == pytest.approx(vectors["ets_year"]["intensity"], rel=FULL)
    assert total == pytest.approx(vectors["ets_year"]["total"], rel=FULL)
    for value, rate in vectors["quota"].items():
        assert carbon.balance_allowance_rate(float(value), 1.70) == pytest.approx(rate, abs=1e-15)


def test_electricity_factors(vectors: dict[str, Any]) -> None:
    # 6.4, at 13.35 MWh/t.
    expected, factors = vectors["elec"], load("emission_factors")
    for name, key, day, region in (
        ("2023 nat", "electricity_national", date(2023, 6, 1), "CN"),
        ("2023 ex-market", "electricity_without_traded", date(2023, 6, 1), "CN"),
        ("2023 fossil", "electricity_fossil", date(2023, 6, 1), "CN"),
        ("2022 nat", "electricity_national", date(2022, 6, 1), "CN"),
        ("North China 2023", "electricity_region", date(2023, 6, 1), "north"),
        ("Northwest 2023", "electricity_region", date(2023, 6, 1), "northwest"),
    ):
        factor = float(factors.at(key, day, region).value)
        assert carbon.electricity_co2(13.35, factor) == pytest.approx(expected[name], rel=FULL), name
    fossil = float(factors.at("electricity_fossil", date(2023, 6, 1)).value)
    assert carbon.mixed_electricity_co2(13.35, 0.30, fossil) == pytest.approx(
        expected["mix 30% clean, rest 2023 fossil"], rel=FULL
    )
    footprint = float(factors.at("electricity_footprint", date(2024, 6, 1)).value)
    assert carbon.electricity_co2(13.35, footprint) == pytest.approx(vectors["cfp_elec_2024"], rel=FULL)


def test_clean_share(vectors: dict[str, Any]) -> None:
    # 6.7, GWh taken for MWh.
    found = carbon.clean_shares(carbon.CleanElectricity(6675, 210, 210, 480, 480, 1500, 900))
    assert found == pytest.approx((vectors["clean"]["share"], vectors["clean"]["nonhydro"]), rel=FULL)


def test_lmdi(vectors: dict[str, Any]) -> None:
    # 7.4
    expected = vectors["lmdi"]
    before, after = State({"cell": 3.980}, 0.921, 0.9835), State({"cell": 3.930}, 0.930, 0.9850)
    assert before.ac_kwh_per_t == pytest.approx(expected["s0"], rel=FULL)
    assert after.ac_kwh_per_t == pytest.approx(expected["s1"], rel=FULL)
    parts = split(before, after)
    assert parts["cell"] == pytest.approx(expected["dV"], rel=1e-11)
    assert parts["current_efficiency"] == pytest.approx(expected["dCE"], rel=1e-11)
    assert parts["rectifier_efficiency"] == pytest.approx(expected["dEta"], rel=1e-11)
    assert sum(parts.values()) == pytest.approx(expected["delta"], abs=1e-9)


def test_baseline_and_cusum(vectors: dict[str, Any]) -> None:
    # 7.5
    reg, expected = vectors["reg"], vectors["cusum"]
    baseline = fit(np.array(reg["E"]), np.column_stack((reg["P"], reg["T"])), ("metal_t", "ambient_C"))
    assert baseline.coefficients.tolist() == pytest.approx(reg["b"], rel=1e-10)
    assert baseline.t_values.tolist() == pytest.approx(reg["t"], rel=1e-7)
    assert baseline.r2 == pytest.approx(reg["R2"], rel=1e-12)
    assert baseline.adjusted_r2 == pytest.approx(reg["adjR2"], rel=1e-12)
    assert baseline.rmse == pytest.approx(reg["RMSE"], rel=1e-8)
    assert 100 * baseline.cv == pytest.approx(reg["CV"], rel=1e-8)
    assert baseline.rejected() == []
    variables = np.column_stack((expected["P"], expected["T"]))
    assert baseline.outside(variables) == []
    found = savings(baseline, np.array(expected["E"]), variables)
    assert found.predicted.tolist() == pytest.approx(expected["pred"], rel=1e-12)
    assert found.saving.tolist() == pytest.approx(expected["saving"], rel=1e-8)
    assert found.cusum.tolist() == pytest.approx(expected["cusum"], rel=1e-8)
    assert found.enpi == pytest.approx(expected["EnPI"], rel=1e-12)
    assert found.saved_frac == pytest.approx(expected["F"], rel=1e-8)
    assert found.uncertainty_frac == pytest.approx(expected["U"], rel=1e-8)
    assert found.may_be_claimed


def test_rolling_twelve_months(vectors: dict[str, Any]) -> None:
    # 7.7, and 0.3
    energy_MWh = (
        486200,
        440100,
        487500,
        471900,
        488000,
        472300,
        488900,
        489200,
        473000,
        487700,
        470800,
        486900,
    )
    metal_t = (37400, 33900, 37450, 36240, 37420, 36200, 37380, 37390, 36180, 37410, 36230, 37440)
    expected = vectors["roll"]
    assert (sum(energy_MWh), sum(metal_t)) == (expected["W"], expected["P"])
    pairs = [(1000.0 * w, float(p)) for w, p in zip(energy_MWh, metal_t, strict=True)]
    assert ratio_of_sums(pairs) == pytest.approx(expected["ratio_of_sums"], rel=FULL)
    assert sum(w / p for w, p in pairs) / 12 == pytest.approx(expected["mean_of_ratios"], rel=FULL)
    two = [(30_000 * 13_000.0, 30_000.0), (5_000 * 13_900.0, 5_000.0)]
    assert ratio_of_sums(two) == pytest.approx(vectors["roll2"]["ratio_of_sums"], rel=FULL)


def test_rounding(vectors: dict[str, Any]) -> None:
    # 0.3
    for value, (half_even, half_up) in vectors["round"].items():
        assert str(rounded(Decimal(value))) == half_even
        assert str(rounded(Decimal(value), rule="half_up")) == half_up
