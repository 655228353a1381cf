"""CUSUM and running mean against published run lengths and the obvious slow version."""

import numpy as np
import pytest

from models.cusum import cusum_step, mean_step


def run_lengths(limit: float, shift: float, n: int, seed: int) -> np.ndarray:
    """Samples until the sum passes the limit, for many independent sums at once."""
    rng = np.random.default_rng(seed)
    total, weight = np.zeros((n, 1)), np.ones((n, 1))
    length = np.zeros(n)
    alive = np.ones(n, dtype=bool)
    while alive.any():
        cusum_step(total, rng.standard_normal((n, 1)) + shift, weight, 0.5, 1e9)
        length += alive
        alive &= total[:, 0] <= limit
    return length


# Montgomery, Introduction to Statistical Quality Control, table 9.3 (Hawkins 1993), k = 0.5: two-sided 168 (h = 4)
# without a shift, so twice that on one side; 8.38 (h = 4) and 10.4 (h = 5) at a shift of one standard deviation.
@pytest.mark.parametrize(
    ("limit", "shift", "published", "n"),
    [(4.0, 0.0, 336.0, 4000), (4.0, 1.0, 8.38, 20000), (5.0, 1.0, 10.4, 20000), (5.0, 2.0, 4.01, 20000)],
)
def test_published_run_lengths(limit: float, shift: float, published: float, n: int) -> None:
    length = run_lengths(limit, shift, n, seed=7)
    error = 3.0 * length.std() / np.sqrt(n)
    assert abs(length.mean() - published) < error + 0.005 * published


def test_agrees_with_the_slow_version() -> None:
    rng = np.random.default_rng(3)
    z, weight = rng.normal(0.4, 1.0, (200, 3, 2)), rng.uniform(0.0, 2.0, (200, 3, 2))
    z[rng.random(z.shape) < 0.2] = np.nan
    weight[rng.random(z.shape) < 0.1] = np.nan
    total, slow = np.zeros((3, 2)), np.zeros((3, 2))
    for t in range(200):
        cusum_step(total, z[t], weight[t], 0.25, 6.0)
        for index in np.ndindex(3, 2):
            if np.isfinite(z[t][index]) and np.isfinite(weight[t][index]):
                slow[index] = min(max(slow[index] + (z[t][index] - 0.25) * weight[t][index], 0.0), 6.0)
        np.testing.assert_array_equal(total, slow)
    assert (total > 0.0).any()


def test_nan_holds_and_cap_bounds_the_way_back() -> None:
    total = np.array([[3.0, 3.0]])
    cusum_step(total, np.array([[np.nan, 100.0]]), np.ones((1, 2)), 0.5, 8.0)
    assert total.tolist() == [[3.0, 8.0]]


def test_mean_is_plain_at_first_and_forgets_later() -> None:
    mean, observed_s = np.zeros((1, 1)), np.zeros((1, 1))
    values = np.random.default_rng(5).normal(2.0, 1.0, 60)
    for x in values:
        mean_step(mean, observed_s, np.array([[x]]), np.full((1, 1), 60.0), 3600.0)
    assert mean[0, 0] == pytest.approx(values.mean(), abs=1e-12)
    for _ in range(600):
        mean_step(mean, observed_s, np.zeros((1, 1)), np.full((1, 1), 60.0), 3600.0)
    # Ten memories later e^-10 of the old mean is left.
    assert abs(mean[0, 0]) == pytest.approx(abs(values.mean()) * np.exp(-10.0), rel=0.1)
