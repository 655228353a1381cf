"""Pick-up of new anodes, sharing of current, own level of settled anodes (reference report, section 5)."""

import numpy as np
import pytest

from twin.anodes import expect_anodes, learn_anodes, pickup_frac, pickup_sd_frac, split
from twin.params import params_for

CELL = params_for(None, 300e3)


@pytest.mark.parametrize(
    ("age_h", "frac"), [(2, 0.08), (4, 0.18), (8, 0.43), (12, 0.67), (16, 0.83), (24, 0.97)]
)
def test_pickup_law(age_h: float, frac: float):
    # Working law with I0 0.05, t0 0.7 h, tau 11 h, n 1.6, printed to two digits.
    assert pickup_frac(float(age_h), CELL) == pytest.approx(frac, abs=0.006)


def test_pickup_within_published_ranges():
    # Half load at 6 to 12 h, 90 % at 16 to 30 h: the law lies inside, the band of two sd spans most of the ranges.
    ages = np.arange(0.0, 72.0, 0.05)
    law = np.array([pickup_frac(float(age), CELL) for age in ages])
    sd = np.array([pickup_sd_frac(float(age), CELL) for age in ages])
    assert np.all(np.diff(law) >= 0)
    assert 6 < ages[np.argmax(law > 0.5)] < 12
    assert 16 < ages[np.argmax(law > 0.9)] < 30
    assert ages[np.argmax(law + 2 * sd > 0.5)] < 7
    assert ages[np.argmax(law - 2 * sd > 0.5)] > 11.5
    assert np.all(sd < 0.15)


def test_unknown_age_is_a_settled_anode():
    assert pickup_frac(float("nan"), CELL) == 1.0
    assert pickup_sd_frac(float("nan"), CELL) == 0.0
    assert pickup_frac(-1.0, CELL) == CELL.pickup_start_frac


def expect(age: np.ndarray, frac: np.ndarray, base: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    expected, sd = np.zeros(age.size), np.zeros(age.size)
    expect_anodes(age, frac, base, np.zeros(age.size), n, CELL, expected, sd)
    return expected, sd


def test_deficit_of_a_new_anode_is_shared_by_the_others():
    age = np.full(32, np.nan)
    age[3] = 4.0
    expected, sd = expect(age, np.ones(32), np.ones(32), 30)
    # During pick-up the other N - 1 anodes carry the rest.
    assert np.nansum(expected) == pytest.approx(30)
    assert expected[0] == pytest.approx((30 - expected[3]) / 29)
    assert expected[0] == pytest.approx(1 + (1 - 0.18) / 29, abs=0.003)
    assert np.all(np.isnan(expected[30:]))
    assert np.all(np.isnan(sd[30:]))


def test_expectation_is_relative_to_the_measured_anodes():
    age = np.full(4, np.nan)
    age[0] = 4.0
    expected, _ = expect(age, np.array([np.nan, 1.0, 1.0, 1.0]), np.ones(4), 4)
    assert expected[1:] == pytest.approx(np.ones(3))


def learn(frac: float, age_h: float, days: float) -> float:
    n = 10
    base, learned, last = np.ones(n), np.zeros(n), np.full(n, np.nan)
    expected, sd = np.zeros(n), np.zeros(n)
    share = np.ones(n)
    share[0] = frac
    share /= share.mean()
    age = np.full(n, 300.0)
    age[0] = age_h
    for _ in range(int(days * 24)):
        expect_anodes(age, share, base, learned, n, CELL, expected, sd)
        learn_anodes(age, last, share, expected, n, 1.0, base, learned)
    expect_anodes(age, share, base, learned, n, CELL, expected, sd)
    return float(share[0] / expected[0] - 1)


def test_a_permanent_small_deviation_becomes_normal():
    assert abs(learn(0.92, 300.0, 0.2)) > 0.04
    assert abs(learn(0.92, 300.0, 6)) < 0.012


def test_a_large_deviation_or_a_young_anode_is_never_learned():
    assert learn(0.6, 300.0, 10) == pytest.approx(0.6 / 0.96 - 1, abs=0.01)
    young = pickup_frac(20.0, CELL)
    assert learn(0.8 * young, 20.0, 10) < -0.15


def test_a_change_of_the_anode_forgets_its_level():
    n = 2
    base, learned, last = np.array([0.9, 1.1]), np.array([90.0, 90.0]), np.array([500.0, 300.0])
    learn_anodes(np.array([0.1, 300.1]), last, np.ones(n), np.ones(n), n, 0.1, base, learned)
    assert (base[0], learned[0]) == (1.0, 0.0)
    assert base[1] != 1.0
    assert last.tolist() == [0.1, 300.1]


def test_split_sums_to_the_line_current_and_follows_conductance():
    resistance = np.full((2, 30), 200e-6)
    # 1 mm higher set: bath part 37 uohm/cm of 0.20 mohm, so 1.5 to 2.5 % less current per mm (published rule).
    resistance[0, 4] += 3.7e-6
    resistance[1, 29] = np.nan
    current = split(np.array([300e3, 290e3]), resistance)
    assert np.nansum(current, axis=1) == pytest.approx([300e3, 290e3])
    assert 0.015 < 1 - current[0, 4] / current[0, 0] < 0.025
    assert np.isnan(current[1, 29])
