"""Perfluorocarbons against the worked numbers of the energy reference, section 6.3, and refusals."""

import json
from importlib.resources import files

import pytest

from tests.shared_data import VECTORS, needs_shared_data
from twin.emissions import (
    EmissionsError,
    break_even_min_per_cell_day,
    collected_to_total,
    gwp_edition,
    parse_factors,
    pfc_by_default,
    pfc_by_overvoltage,
    pfc_by_slope,
    pfc_profile,
    pfc_profiles,
    with_own_factors,
)

#: Energy reference 6.3, at 0.15 min per cell and day, per tonne: kg CF4, kg C2F6, t CO2e.
TABLE = (
    ("cn_ets_2024", None, 0.021450, 0.002145, 0.166023),
    ("cbam_pfpb_m", None, 0.015600, 0.000889, 0.113298),
    ("cbam_pfpb_l", None, 0.018300, 0.001775, 0.141033),
    ("cbam_cwpb", None, 0.021450, 0.002595, 0.171023),
    ("ipcc2006_cwpb", "AR5", 0.021450, 0.002595, 0.171023),
    ("ipcc2006_cwpb", "AR6", 0.021450, 0.002595, 0.190485),
)


@pytest.mark.parametrize(("name", "edition", "cf4", "c2f6", "co2e"), TABLE)
def test_slope_method(name: str, edition: str | None, cf4: float, c2f6: float, co2e: float) -> None:
    found = pfc_by_slope(pfc_profile(name), 0.15, 1.0, edition)
    assert found[:3] == (
        pytest.approx(cf4, abs=5e-7),
        pytest.approx(c2f6, abs=5e-7),
        pytest.approx(co2e, abs=5e-7),
    )
    assert (found.method, found.profile, found.lvae_included) == ("slope", name, False)


#: Same section, table of profiles: slope, C2F6 over CF4.
@pytest.mark.parametrize(
    ("name", "slope", "c2f6"),
    [
        ("cn_ets_2024", 0.143, 0.1),
        ("cbam_pfpb_l", 0.122, 0.097),
        ("cbam_pfpb_m", 0.104, 0.057),
        ("cbam_pfpb_mw", 0.143, 0.121),
        ("cbam_cwpb", 0.143, 0.121),
        ("cbam_swpb", 0.233, 0.280),
        ("cbam_vss", 0.058, 0.086),
        ("cbam_hss", 0.165, 0.077),
        ("ipcc2006_cwpb", 0.143, 0.121),
        ("ipcc2006_swpb", 0.272, 0.252),
        ("ipcc2006_vss", 0.092, 0.053),
        ("ipcc2006_hss", 0.099, 0.085),
    ],
)
def test_every_named_profile(name: str, slope: float, c2f6: float) -> None:
    found = pfc_by_slope(pfc_profile(name), 1.0, 1000.0)
    assert found.cf4_kg == pytest.approx(1000.0 * slope)
    assert found.c2f6_kg == pytest.approx(1000.0 * slope * c2f6)


def test_no_profile_is_left_untested() -> None:
    assert len(pfc_profiles()) == 12
    assert "cn_ets_2024" in pfc_profiles()


def test_default_and_when_records_pay() -> None:
    rule = pfc_profile("cn_ets_2024")
    assert pfc_by_default(rule, 1.0).co2e_t == pytest.approx(0.263160, abs=5e-7)
    assert break_even_min_per_cell_day(rule) == pytest.approx(0.2378, abs=5e-5)
    assert pfc_by_slope(rule, 0.23, 1.0).co2e_t < pfc_by_default(rule, 1.0).co2e_t
    for minutes, co2e in ((0.05, 0.055341), (0.20, 0.221364)):
        assert pfc_by_slope(rule, minutes, 1.0).co2e_t == pytest.approx(co2e, abs=5e-7)


def test_overvoltage_method_counts_efficiency_in_percent() -> None:
    found = pfc_by_overvoltage(pfc_profile("cbam_cwpb"), 1.2, 0.94, 1.0)
    assert found.cf4_kg == pytest.approx(0.014809, abs=5e-7)
    assert found.c2f6_kg == pytest.approx(0.001792, abs=5e-7)
    assert found.co2e_t == pytest.approx(0.118070, abs=5e-7)
    side = pfc_by_overvoltage(pfc_profile("cbam_swpb"), 1.2, 0.94, 1.0)
    assert side.cf4_kg / found.cf4_kg == pytest.approx(3.65 / 1.16)
    assert side.c2f6_kg / side.cf4_kg == pytest.approx(0.252)


@pytest.mark.parametrize(
    ("edition", "cf4", "c2f6"),
    [("SAR", 6500, 9200), ("AR4", 7390, 12200), ("AR5", 6630, 11100), ("AR6", 7380, 12400)],
)
def test_editions(edition: str, cf4: float, c2f6: float) -> None:
    assert gwp_edition(edition)[:2] == (cf4, c2f6)


@needs_shared_data
def test_full_precision_vectors() -> None:
    worked = json.loads(VECTORS.read_text())
    for key, name, edition in (
        ("ETS AEM=0.15", "cn_ets_2024", None),
        ("CBAM PFPB_M AEM=0.15", "cbam_pfpb_m", None),
        ("CBAM PFPB_L", "cbam_pfpb_l", None),
        ("CWPB IPCC06", "ipcc2006_cwpb", "AR5"),
        ("CWPB AR6", "ipcc2006_cwpb", "AR6"),
    ):
        found, expected = pfc_by_slope(pfc_profile(name), 0.15, 1.0, edition), worked["pfc"][key]
        assert found.cf4_kg == pytest.approx(expected["CF4_kg_t"], rel=1e-13)
        assert found.c2f6_kg == pytest.approx(expected["C2F6_kg_t"], rel=1e-13)
        assert found.co2e_t == pytest.approx(expected["tCO2e_t"], rel=1e-13)
    over = pfc_by_overvoltage(pfc_profile("cbam_cwpb"), 1.2, 0.94, 1.0)
    assert over.co2e_t == pytest.approx(worked["ov"]["tCO2e_t"], rel=1e-13)


def test_measured_in_the_duct() -> None:
    duct = pfc_by_slope(pfc_profile("cbam_cwpb"), 0.15, 1.0)
    assert collected_to_total(duct, 0.98).co2e_t == pytest.approx(duct.co2e_t / 0.98)
    with pytest.raises(EmissionsError, match="collection"):
        collected_to_total(duct, 0.0)


def test_own_factors_by_the_rule_of_cbam() -> None:
    rule = pfc_profile("cbam_pfpb_mw")
    assert rule.own_factors
    own = with_own_factors(rule, 0.11, 0.06, 0.12, 2.0, "stack test 2025-03")
    assert not own.own_factors
    assert pfc_by_slope(own, 0.1, 1.0).cf4_kg == pytest.approx(0.011)
    with pytest.raises(EmissionsError, match="uncertain"):
        with_own_factors(rule, 0.11, 0.06, 0.16, 2.0, "stack test")
    with pytest.raises(EmissionsError, match="3 years"):
        with_own_factors(rule, 0.11, 0.06, 0.10, 3.1, "stack test")
    with pytest.raises(EmissionsError, match="impossible"):
        with_own_factors(rule, float("nan"), 0.06, 0.10, 1.0, "stack test")


def test_what_a_rule_does_not_give_is_refused() -> None:
    with pytest.raises(EmissionsError, match="cn_ets_2024"):
        pfc_profile("cn_ets")
    with pytest.raises(EmissionsError, match="AR5"):
        gwp_edition("AR7")
    with pytest.raises(EmissionsError, match="overvoltage"):
        pfc_by_overvoltage(pfc_profile("cn_ets_2024"), 1.0, 0.94, 1.0)
    with pytest.raises(EmissionsError, match="default"):
        pfc_by_default(pfc_profile("cbam_cwpb"), 1.0)
    for minutes, metal_t in ((-0.1, 1.0), (float("nan"), 1.0), (1441.0, 1.0), (0.1, -1.0)):
        with pytest.raises(EmissionsError):
            pfc_by_slope(pfc_profile("cbam_cwpb"), minutes, metal_t)
    # Efficiency in percent where a fraction is asked for.
    with pytest.raises(EmissionsError, match="fraction"):
        pfc_by_overvoltage(pfc_profile("cbam_cwpb"), 1.0, 94.0, 1.0)


GOOD = files("twin").joinpath("data", "emissions", "pfc_profiles.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[gwp.SAR]", "[gwp.SAR", "not TOML"),
        ("slope = 0.122", "slope = -1", "slope must be a positive number"),
        ("slope = 0.122", 'slope = "x"', "slope must be a positive number"),
        ("slope = 0.122", "slop = 0.122", "unknown: slop"),
        ('gwp = "SAR"', 'gwp = "AR9"', "no edition AR9"),
        ("cf4 = 6500", "", "cf4 must be"),
        ("own_factors = true", "own_factors = 1", "true or false"),
        ('source = "IPCC second assessment"', 'source = ""', "source must say"),
    ],
)
def test_faulty_factor_file_names_the_place(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(EmissionsError, match=says):
        parse_factors(GOOD.replace(old, new), "mine.toml")


def test_file_without_tables_is_refused() -> None:
    with pytest.raises(EmissionsError, match="gwp"):
        parse_factors("a = 1", "mine.toml")
    with pytest.raises(EmissionsError, match="must be a table"):
        parse_factors("[gwp]\nAR5 = 1", "mine.toml")
