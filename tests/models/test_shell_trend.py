"""Trends of thermocouples: rates, honest bands, jumps."""

import numpy as np
import pytest

from models.shell_trend import Hours, ShellTrend


def shells(rng: np.random.Generator, rate_C_h: np.ndarray, hours: float, scan_s: float = 300.0):
    """True and read temperatures from 320 degC: rates wander, draught of an hour, readings good to 1 degC."""
    n, scan_h = len(rate_C_h), scan_s / 3600.0
    rate_C_h, true_C = rate_C_h.copy(), np.full(n, 320.0)
    draught_C = rng.normal(0.0, 2.5, n)
    keep = np.exp(-scan_h)
    for _ in range(round(hours / scan_h)):
        draught_C = keep * draught_C + np.sqrt(1.0 - keep**2) * rng.normal(0.0, 2.5, n)
        rate_C_h += np.where(rate_C_h == 0.0, 0.0, 0.5 * np.sqrt(scan_h) * rng.normal(0.0, 1.0, n))
        true_C = true_C + rate_C_h * scan_h
        yield true_C, (true_C + draught_C + rng.normal(0.0, 1.0, n))[None, :]


@pytest.mark.parametrize("rate_C_h", [3.0, 5.0, 15.0])
def test_bands_hold_four_fifths_of_the_arrivals(rate_C_h: float) -> None:
    trend, limit_C = ShellTrend((1, 300)), 320.0 + 14.0 * rate_C_h
    found: list[Hours] = []
    arrived_h = np.full(300, np.inf)
    for k, (true_C, temp_C) in enumerate(shells(np.random.default_rng(5), np.full(300, rate_C_h), 40.0)):
        if k < 96:
            trend.update(temp_C, 300.0)
        elif not found:
            found = [trend.hours_to(0, s, limit_C) for s in range(300)]
        arrived_h = np.where(np.isinf(arrived_h) & (true_C >= limit_C), (k + 1 - 96) / 12.0, arrived_h)
    held = [h.low - 0.25 <= a <= h.high for h, a in zip(found, arrived_h.tolist(), strict=True)]
    assert np.mean(held) >= 0.8
    # A band that holds everything says nothing: where a melt is plain, its ends are near.
    if rate_C_h >= 15.0:
        assert np.median([h.low for h in found]) > 4.0
        # These rises do not rest, and the likeliest is half way to one that does.
        assert 6.0 <= np.median([h.likely for h in found]) <= 12.0


def test_a_rise_that_comes_to_rest_is_in_the_band_too() -> None:
    trend, rng = ShellTrend((1, 200)), np.random.default_rng(9)
    for k in range(48):
        rise_C = 180.0 * (1.0 - np.exp(-(k + 1) / 72.0))
        trend.update(300.0 + rise_C + rng.normal(0.0, 1.5, (1, 200)), 300.0)
    # 180 degC with a time constant of 6 h: 450 degC after 10.8 h, 6.8 h after the fourth.
    found = [trend.hours_to(0, s, 450.0) for s in range(200)]
    assert np.mean([h.low <= 6.8 <= h.high for h in found]) >= 0.8
    # It will not pass 480, and nothing says that it surely will.
    assert (trend.surely_C(3.0) < 450.0).all()


def test_a_steady_shell_does_not_get_there_soon() -> None:
    trend = ShellTrend((1, 200))
    early = 0
    for k, (_, temp_C) in enumerate(shells(np.random.default_rng(6), np.zeros(200), 30.0)):
        trend.update(temp_C, 300.0)
        if k > 72:
            early += int((trend.surely_C(3.0) >= 340.0).sum())
    assert early == 0
    assert np.mean([np.isinf(trend.hours_to(0, s, 450.0).high) for s in range(200)]) > 0.99


def test_what_an_instrument_does_is_no_rate_and_a_melt_out_is() -> None:
    trend = ShellTrend((1, 1))
    for k in range(240):
        if k == 120:
            trend.shift(np.array([[80.0]]))
        trend.update(np.array([[300.0 if k < 120 else 380.0]]), 60.0)
        assert abs(trend.rate_C_h(0, 0)) < 1e-6
    for k in range(120):
        trend.update(np.array([[380.0 + k]]), 60.0)
    assert trend.rate_C_h(0, 0) > 20.0
    assert trend.surely_C(2.0)[0, 0] > 470.0


def test_silence_forgets_the_rate_and_gaps_between_readings_do_not() -> None:
    trend = ShellTrend((1, 1))
    for k in range(600):
        trend.update(np.array([[300.0 + k / 6.0 if k % 10 == 0 else np.nan]]), 60.0)
    assert trend.rate_C_h(0, 0) == pytest.approx(10.0, rel=0.05)
    for _ in range(200):
        trend.update(np.array([[np.nan]]), 60.0)
    trend.update(np.array([[400.0]]), 60.0)
    assert trend.rate_C_h(0, 0) == 0.0
