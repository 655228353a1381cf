"""Rule files: what they say, that they say where it is from, and that impossible ones are refused by name."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import twin
from twin.comparison import WORDS, meets, rounded
from twin.figures import Figure, refusal
from twin.limits import INDICATORS, line_level, load_limits
from twin.line_energy import GB21346_2022_ASSUMED, LineEnergy, line_figures, rectifier_efficiency
from twin.rulebook import RulesError, load, parse, shipped, unverified
from twin.targets import contradictions, load_targets, parse_targets, standing, standings
from twin.tariff import surcharge, surcharge_before_2022, year_end_forecast

LIMITS = load_limits()
RULES = Path(twin.__file__).parent / "rules"


# --- limits


def test_levels_of_the_standard() -> None:
    # Energy reference 3, table 1; 2.1: benchmark and baseline.
    expected = {
        "liquid_ac": [12950, 13000, 13350],
        "liquid_comprehensive": [13250, 13350, 13700],
        "ingot_comprehensive": [13300, 13400, 13750],
        "ingot_kgce": [1670, 1680, 1720],
    }
    assert {key: [row.value for row in LIMITS.rows(key)] for key in INDICATORS} == expected
    assert (LIMITS.benchmark_kwh_per_t, LIMITS.baseline_kwh_per_t) == (13000.0, 13350.0)
    assert LIMITS.rule_id == "GB 21346-2022"
    assert LIMITS.rows()[2].in_force == date(2024, 1, 1)


# Energy reference 2.1 and 3: 12950.0 -> 1, 12950.01 -> 2, 13000 -> 2, 13000.0001 -> 3, 13350 -> 3, 13350.1 -> fail.
@pytest.mark.parametrize(
    ("value", "level"),
    [
        (12950.0, 1),
        (12950.01, 2),
        (13000.0, 2),
        (13000.0001, 3),
        (13000.4, 3),
        (13350.0, 3),
        (13350.1, 4),
        (np.nan, 0),
        (np.inf, 0),
    ],
)
def test_levels_compare_unrounded(value: float, level: int) -> None:
    assert LIMITS.level(value) == level
    assert LIMITS.levels(np.array([value])).tolist() == [level]


def test_comprehensive_levels() -> None:
    # Energy reference 3: 13700 -> 3, 13700.5 -> fail.
    assert LIMITS.level(13700.0, "liquid_comprehensive") == 3
    assert LIMITS.level(13700.5, "liquid_comprehensive") == 4


def test_a_line_of_less_than_six_months_has_no_class() -> None:
    # Energy reference 2.1.
    assert line_level(12900.0, 5, LIMITS) == 0
    assert line_level(12900.0, 6, LIMITS) == 1


def test_editions_follow_each_other_and_nothing_holds_before_them() -> None:
    editions = load("benchmark_editions")
    assert "2021" in editions.at("benchmark", date(2023, 6, 5)).source
    assert "2023" in editions.at("benchmark", date(2023, 6, 6)).source
    with pytest.raises(RulesError, match="no benchmark for CN on 2021-12-31"):
        editions.at("benchmark", date(2021, 12, 31))
    with pytest.raises(RulesError, match="liquid_ac_level_1"):
        load_limits(date(2023, 12, 31))


# --- every shipped row


@pytest.mark.parametrize("name", [n for n in shipped() if n != "targets"])
def test_every_row_says_where_it_stands(name: str) -> None:
    book = load(name)
    assert all(row.source and row.confidence and row.in_force for row in book.rows)
    # Nobody has held a row against a primary text yet: all of them are marked.
    assert len(unverified(book.rows)) == sum(not row.verified for row in book.rows) == len(book.rows)


def test_all_rule_files_are_shipped() -> None:
    assert list(shipped()) == sorted(path.stem for path in RULES.glob("*.toml"))


def test_a_province_may_be_stricter() -> None:
    text = (RULES / "tariff_steps.toml").read_text(encoding="utf-8")
    own = """
[[row]]
key = "threshold"
value = 13200
unit = "kWh/t"
region = "370000"
in_force = 2025-01-01
source = "a province"
confidence = "test"
"""
    rules = parse(text + own, "t.toml")
    day = date(2026, 1, 1)
    assert surcharge(13300, day, rules=rules, region="370000").steps == 5
    assert surcharge(13300, day, rules=rules, region="650000").steps == 0
    # A stricter year in force only from 2025: before, the country's threshold counts.
    assert surcharge(13460, date(2024, 1, 1), rules=rules, region="370000").steps == 1


def test_distance_to_the_next_step() -> None:
    # Energy reference 4.3: E - (T + 20 (n - 1)).
    found = surcharge(13345, date(2026, 1, 1))
    assert (found.steps, found.to_next_step_kwh_per_t, found.to_more_kwh_per_t) == (
        3,
        Decimal(5),
        Decimal(15),
    )
    free = surcharge(13250, date(2026, 1, 1))
    assert (free.to_next_step_kwh_per_t, free.to_more_kwh_per_t) == (0, 50)
    assert len(found.rows) == 3


def test_tariffs_end_where_they_ended() -> None:
    with pytest.raises(RulesError, match="threshold"):
        surcharge(13500, date(2021, 6, 1))
    assert [str(surcharge_before_2022(v)) for v in (13700, 13700.1, 13800, 13800.1)] == [
        "0",
        "0.02",
        "0.02",
        "0.08",
    ]


def test_year_end_forecast_is_a_ratio_of_sums() -> None:
    # Energy reference 7.7.
    assert year_end_forecast(13_500.0, 1.0, 3 * 13_100.0, 3.0) == pytest.approx(13_200.0)
    assert np.isnan(year_end_forecast(1.0, 0.0, 1.0, 0.0))


GOOD = """
[rule]
id = "R"
[[row]]
key = "a"
value = 1.0
unit = "kWh/t"
in_force = 2024-01-01
source = "s"
confidence = "high"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not TOML"),
        ("x = 1", "rule.id"),
        ('[rule]\nid = "R"', "no \\[\\[row\\]\\]"),
        (GOOD + GOOD.split('"R"')[1], "a stands twice for the same time"),
        (GOOD.replace("1.0", '"2"'), "a: value"),
        (GOOD.replace("1.0", "nan"), "a: value"),
        (GOOD.replace("1.0", "true"), "a: value"),
        (GOOD.replace("1.0", "-1"), "a: value"),
        (GOOD.replace("2024-01-01", '"soon"'), "a: in_force"),
        (GOOD.replace("2024-01-01", "2024-01-01T00:00:00"), "a: in_force"),
        (GOOD.replace('"s"', '""'), "a: source"),
        (GOOD.replace('source = "s"', ""), "missing: source"),
        (GOOD + "extra = 1", "unknown: extra"),
        (GOOD + "until = 2023-01-01", "ends before"),
        (GOOD + 'verified_by = "x"', "belong together"),
        (GOOD.replace('key = "a"', "key = 3"), "no key"),
    ],
)
def test_impossible_rules_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        parse(text, "f.toml")


def test_a_verified_row_is_not_marked() -> None:
    book = parse(GOOD + 'verified_by = "x"\nverified_on = 2026-01-02', "f.toml")
    assert unverified(book.rows) == []
    assert unverified(parse(GOOD, "f.toml").rows) == ["R: a"]
    with pytest.raises(RulesError, match=r"none\.toml"):
        load("none")


# --- comparison words and rounding


def test_comparison_words() -> None:
    # Energy reference 0.3.
    assert meets(30.0, WORDS["以上"], 30)
    assert not meets(35.0, WORDS["超"], 35)
    assert meets(13000.0, WORDS["不高于"], 13000)
    assert not meets(13000.4, WORDS["不高于"], 13000)
    assert not meets(15.0, WORDS["不足"], 15)
    assert meets(59.0, "about", 60)
    assert not meets(58.0, "about", 60)
    assert not meets(float("nan"), "le", 1)
    with pytest.raises(ValueError, match="no such comparison"):
        meets(1, "better", 1)
    with pytest.raises(ValueError, match="no such rounding"):
        rounded(1.0, rule="down")


# --- indicators


def test_gross_is_never_below_net_and_zero_metal_is_null() -> None:
    month = LineEnergy(
        1000.0, startup_ac_kWh=10.0, auxiliary_ac_kWh=50.0, liquid_t=100.0, startup_metal_t=40.0
    )
    found = line_figures(month)
    assert found.liquid_ac_gross >= found.liquid_ac_net
    assert np.isnan(line_figures(month._replace(liquid_t=0.0, startup_metal_t=0.0)).liquid_ac_gross)
    assert "assumed" in GB21346_2022_ASSUMED.name
    for wrong in ({"startup_ac_kWh": 1001.0}, {"shorted_ac_kWh": -1.0}, {"desulfurisation_ac_kWh": 60.0}):
        with pytest.raises(ValueError, match="kWh"):
            line_figures(month._replace(**wrong))


def test_unbelievable_rectifiers_are_a_metering_fault() -> None:
    # Energy reference 2.4.
    assert rectifier_efficiency(985.0, 1000.0) == 0.985
    assert np.isnan(rectifier_efficiency(949.0, 1000.0))
    assert np.isnan(rectifier_efficiency(996.0, 1000.0))


# --- targets


def test_every_target_with_its_document() -> None:
    by_id = {target.id: target for target in load_targets()}
    expected = {
        "T01": ("benchmark_share", "ge", 30, date(2027, 12, 31)),
        "T02": ("below_baseline_share", "eq", 0, date(2027, 12, 31)),
        "T03": ("clean_share", "ge", 30, date(2027, 12, 31)),
        "T04": ("replacement_liquid_ac", "le", 13000, None),
        "T23": ("benchmark_share", "gt", 35, date(2026, 12, 31)),
        "X1a": ("benchmark_share", "ge", 30, date(2025, 12, 31)),
        "X3a": ("benchmark_share", "ge", 35, date(2027, 12, 31)),
    }
    for key, row in expected.items():
        target = by_id[key]
        assert (target.metric, target.comparison, target.value, target.by) == row
    assert all(target.document and target.source and target.confidence for target in load_targets())


def test_numbers_that_no_document_has_are_no_targets() -> None:
    # Energy reference 1.5 (4): claims of an automatic summary of the plan.
    values = {target.value for target in load_targets()}
    assert values.isdisjoint({Decimal(10_000_000), Decimal(20), Decimal("15.0001")})
    assert not any("export" in t.title_en or "market share" in t.title_en for t in load_targets())


def test_contradicting_documents_stand_side_by_side() -> None:
    # Energy reference 1.5 (1): the same share, four rules.
    groups = {group[0].metric: {t.id for t in group} for group in contradictions(load_targets())}
    assert groups["benchmark_share"] == {"T01", "T23", "X1a", "X3a"}


def test_standing_against_targets() -> None:
    by_id = {target.id: target for target in load_targets()}
    at_35 = Figure(35.0, "%")
    assert standing(by_id["T01"], at_35).met is True
    shandong = standing(by_id["T23"], at_35)
    assert (shandong.met, shandong.distance) == (False, 0.0)
    assert standing(by_id["T01"], Figure(21.5, "%")).distance == 8.5
    refused = standing(by_id["T01"], refusal("%", "one month is missing"))
    assert refused.met is None
    assert refused.figure.refused == "one month is missing"
    assert standing(by_id["T07"], Figure(1.0, "kWh")).met is None


def test_targets_of_other_regions_and_times_are_left_out() -> None:
    site = {s.target.id for s in standings({}, {}, date(2026, 1, 1), regions=("CN", "370000"))}
    assert {"T01", "T23"} <= site
    assert not any(key.startswith("T30") for key in site)
    assert all(s.figure.refused for s in standings({}, {}, date(2026, 1, 1)))
    assert "T01" not in {s.target.id for s in standings({}, {}, date(2025, 1, 1))}


TARGET = """
[rule]
id = "targets"
[[row]]
id = "A"
document = "d"
level = "national"
metric = "m"
unit = "%"
title_zh = "z"
title_en = "e"
input = "ledger"
in_force = 2024-01-01
source = "s"
confidence = "c"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TARGET + TARGET.split('"targets"')[1], "A stands twice"),
        (TARGET + "value = 1", "belong together"),
        (TARGET + 'value = 1\ncomparison = "better"', "belong together"),
        (TARGET + 'by = "soon"', "by must be a date"),
        (TARGET.replace("national", "world"), "level must be one of"),
        (TARGET.replace('metric = "m"', ""), "missing: metric"),
        (TARGET + "more = 1", "unknown: more"),
    ],
)
def test_impossible_targets_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(RulesError, match=message):
        parse_targets(text, "t.toml")


def test_a_figure_is_never_refused_without_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        refusal("%", "")
