"""The scoring of forecasts: a perfect, an honest and an overconfident forecast get the figures they deserve."""

import numpy as np
import pytest

from benchmarks.forecast_score import AHEAD_H, Scores, score
from twin.forecast import FORESEEN, PROCESS_H, PROCESS_SD

N, K = 4000, 6
BATH = 0


def made(error_sd: float, told_sd: float) -> Scores:
    """Forecasts whose errors are normal, with the standard deviation that they claim."""
    rng = np.random.default_rng(3)
    shape = (AHEAD_H + 1, N, K)
    truth = np.zeros(shape)
    column = [FORESEEN.index(n) for n in ("bath_temp_C", "superheat_C", "alumina_pct", "ledge_bath_mm")]
    column += [FORESEEN.index(n) for n in ("cell_voltage_V", "kwh_per_t")]
    hour = np.arange(AHEAD_H + 1)[:, None, None]
    process = PROCESS_SD[column] ** 2 * (1.0 - np.exp(-2.0 * hour / PROCESS_H[column]))
    best = rng.normal(0.0, error_sd, shape)
    sd = np.sqrt(np.full(shape, told_sd**2) + process)
    still = np.full((N, K), 2.0)
    return Scores(best, sd, truth, still, still, still)


def test_honest_bands_hold_four_of_five_and_narrow_ones_fewer():
    # Bath temperature has no process noise, or this test would have to know it.
    assert PROCESS_SD[FORESEEN.index("bath_temp_C")] == 0.0
    for told, inside in ((1.0, 0.80), (0.5, 0.478), (2.0, 0.990)):
        rows = score([made(1.0, told)])["bath_temp_C"]["rows"]
        for row in rows:
            assert row["inside_80"] == pytest.approx(inside, abs=0.02)
            assert row["normalised_error"] == pytest.approx(1.0 / told, rel=0.05)
            assert row["rmse"] == pytest.approx(1.0, rel=0.05)
            assert row["stays_rmse"] == pytest.approx(2.0)


def test_fit_finds_what_is_missing():
    fit = score([made(1.0, 0.6)])["bath_temp_C"]["fit"]
    assert fit["sd"] == pytest.approx(0.8, rel=0.05)
    assert score([made(0.5, 1.0)])["bath_temp_C"]["fit"]["sd"] == 0.0


def test_lines_are_joined_and_what_is_missing_is_not_counted():
    one, two = made(1.0, 1.0), made(1.0, 1.0)
    two.truth[:, : N // 2] = np.nan
    figures = score([one, two])
    assert figures["forecasts"] == 2 * N
    assert [row["n"] for row in figures["bath_temp_C"]["rows"]] == [2 * N - N // 2] * 6
