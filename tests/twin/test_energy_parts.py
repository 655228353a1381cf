"""Decomposition, energy baseline, carbon and anode changes beyond the worked numbers."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin import carbon
from twin.anode_change import anode_change, on_schedule_pct, spread
from twin.decomposition import State, log_mean, split
from twin.energy_baseline import fit, savings

VOLT = st.floats(0.01, 5.0)
SHARE = st.floats(0.80, 1.0)


@settings(max_examples=200, deadline=None)
@given(st.tuples(VOLT, VOLT, SHARE, SHARE), st.tuples(VOLT, VOLT, SHARE, SHARE))
def test_parts_of_a_change_sum_exactly(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    # Energy reference 7.4 and acceptance 7: the sum identity holds to 1e-9 of the figures.
    before, after = (State({"anode": x[0], "bath": x[1]}, x[2], x[3]) for x in (a, b))
    parts = split(before, after)
    change = after.ac_kwh_per_t - before.ac_kwh_per_t
    assert math.isclose(
        sum(parts.values()), change, abs_tol=1e-9 * max(before.ac_kwh_per_t, after.ac_kwh_per_t)
    )


def test_parts_that_cancel_are_both_seen() -> None:
    parts = split(
        State({"anode": 1.0, "bath": 3.0}, 0.93, 0.985), State({"anode": 1.2, "bath": 2.8}, 0.93, 0.985)
    )
    assert parts["anode"] == pytest.approx(-parts["bath"], rel=1e-12)
    assert parts["anode"] > 600.0
    assert log_mean(3.0, 3.0 + 1e-12) == pytest.approx(3.0, rel=1e-12)


def test_states_that_cannot_be_split() -> None:
    good = State({"cell": 4.0}, 0.93, 0.985)
    with pytest.raises(ValueError, match="different parts"):
        split(good, State({"bath": 4.0}, 0.93, 0.985))
    for bad in (State({"cell": 0.0}, 0.93, 0.985), good._replace(current_efficiency=math.nan)):
        with pytest.raises(ValueError, match="must be positive"):
            split(good, bad)


# --- baseline


def year(n: int = 24, noise: float = 50.0, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    variables = np.column_stack((rng.uniform(33e3, 37e3, n), rng.uniform(-5.0, 28.0, n)))
    return 5000.0 + 12.9 * variables[:, 0] + 17.0 * variables[:, 1] + noise * rng.standard_normal(
        n
    ), variables


def test_a_baseline_says_why_it_cannot_be_used() -> None:
    # Energy reference 7.3.
    energy, variables = year()
    assert fit(energy, variables, ("metal_t", "ambient_C")).rejected() == []
    few = fit(energy[:8], variables[:8], ("metal_t", "ambient_C")).rejected()
    assert any("8 points" in reason for reason in few)
    rng = np.random.default_rng(1)
    noise = fit(rng.normal(size=24), variables, ("metal_t", "ambient_C")).rejected()
    assert any("R2" in reason for reason in noise)
    assert any("|t| of metal_t" in reason for reason in noise)
    drifting = energy + 400.0 * np.linspace(-1.0, 1.0, 24) ** 3
    assert any(
        "follow each other" in r for r in fit(drifting, variables, ("metal_t", "ambient_C")).rejected()
    )


def test_reporting_outside_the_baseline_is_named() -> None:
    baseline = fit(*year(), ("metal_t", "ambient_C"))
    assert baseline.outside(np.array([[35e3, 10.0], [45e3, 10.0]])) == ["metal_t"]


@pytest.mark.parametrize(
    ("energy", "variables", "message"),
    [
        (np.ones(3), np.ones((3, 2)), "too few"),
        (np.array([1.0, np.nan, 2.0, 3.0]), np.ones((4, 1)), "no NaN"),
        (np.ones(4), np.ones((4, 1)), "does not vary: x"),
        (np.ones(5), np.column_stack((np.arange(5.0), 2.0 * np.arange(5.0))), "depend on each other"),
    ],
)
def test_baselines_that_cannot_be_fitted(energy: np.ndarray, variables: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(energy, variables, ("x", "y")[: variables.shape[1]])


def test_savings_within_the_noise_are_not_claimed() -> None:
    energy, variables = year()
    baseline = fit(energy, variables, ("metal_t", "ambient_C"))
    later = variables[:6]
    predicted = baseline.predicted(later)
    saved = savings(baseline, predicted - 300.0, later)
    assert saved.cusum[-1] == pytest.approx(1800.0)
    assert saved.may_be_claimed
    assert not savings(baseline, predicted - 2.0, later).may_be_claimed


# --- carbon


def test_attributes_are_counted_once() -> None:
    # Energy reference 6.7.
    with pytest.raises(ValueError, match="counted twice"):
        carbon.clean_shares(carbon.CleanElectricity(100.0, traded_MWh=60.0, certificates_MWh=50.0))
    with pytest.raises(ValueError, match="larger than its whole"):
        carbon.clean_shares(carbon.CleanElectricity(100.0, traded_MWh=10.0, traded_nonhydro_MWh=11.0))
    assert all(math.isnan(share) for share in carbon.clean_shares(carbon.CleanElectricity(0.0)))


def test_impossible_anodes_and_footprints_with_a_part_missing() -> None:
    with pytest.raises(ValueError, match="impossible anode"):
        carbon.anode_co2(carbon.Anode(0.41, 0.9, 0.2))
    part = carbon.Footprint(1.47, 0.17, 7.7)
    assert math.isnan(part.total)
    assert part.known == pytest.approx(9.34)
    assert part._replace(upstream=3.0).total == pytest.approx(12.34)


# --- anode changes


def test_figures_of_an_anode_change() -> None:
    # Energy reference 1.4 (T07): 40 mV for 6 h at 300 kA, then as before; 12 kW for 6 h is 72 kWh.
    hours = np.arange(-6.0, 24.01, 0.1)
    voltage = np.where((hours >= 0.0) & (hours < 6.0), 4.14, 4.10)
    noise = 0.002 * np.random.default_rng(1).standard_normal(len(hours))
    share = np.clip(hours / 20.0, 0.0, 1.0)
    found = anode_change(hours, voltage + noise, np.full(len(hours), 300e3), share)
    assert found.voltage_rise_V == pytest.approx(0.040, abs=0.001)
    assert found.extra_kWh == pytest.approx(72.0, abs=4.0)
    assert found.noise_ratio == pytest.approx(1.0, abs=0.3)
    assert found.hours_to_70_pct == pytest.approx(14.0, abs=0.11)
    # Logged twelve minutes early: until it is lifted the old anode carries its share.
    early = np.where(hours < 0.2, 1.0, np.clip((hours - 0.2) / 20.0, 0.0, 1.0))
    found = anode_change(hours, voltage + noise, np.full(len(hours), 300e3), early)
    assert found.hours_to_70_pct == pytest.approx(14.2, abs=0.11)
    nothing = anode_change(hours, np.full(len(hours), np.nan), np.full(len(hours), 300e3))
    assert all(math.isnan(x) for x in nothing)


def test_spread_and_punctuality() -> None:
    assert spread(np.array([1.0, 2.0, 3.0, np.nan])) == (2.0, pytest.approx(2.8), 3)
    assert spread(np.array([np.nan]))[2] == 0
    assert on_schedule_pct(np.array([0.0, 2.0, -2.5, np.nan])) == pytest.approx(200.0 / 3.0)
    assert math.isnan(on_schedule_pct(np.array([])))
