"""Detectors on plain arrays: causal, deaf to what is missing, and right where the answer is known."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import bench_tep
from models.generic import (
    Autoencoder,
    Baseline,
    CvaResidual,
    HotellingT2,
    PcaResidual,
    Persistence,
    ZEwma,
    crossvalidated_limit,
    detrended,
    ewma,
)
from tests.shared_data import SHARED, needs_shared_data

MAKES: dict[str, Callable[[], Baseline]] = {
    "ewma": ZEwma,
    "t2": HotellingT2,
    "t2 of two rows": lambda: HotellingT2(lags=1),
    "t2 smoothed": lambda: HotellingT2(0.3),
    "cva": lambda: CvaResidual(2, 4),
    "pca": lambda: PcaResidual(0.8),
    "persistence": Persistence,
    "autoencoder": lambda: Autoencoder(3, 50),
}
each = pytest.mark.parametrize("make", list(MAKES.values()), ids=list(MAKES))


def process(n: int, seed: int) -> NDArray[np.float64]:
    """Four variables driven by two slow states: correlated over time and with one another."""
    rng = np.random.default_rng(seed)
    state = np.zeros((n, 2))
    for i in range(1, n):
        state[i] = 0.9 * state[i - 1] + rng.normal(0.0, 1.0, 2)
    mixed = state @ np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 3.0, -1.0]])
    return mixed + rng.normal(0.0, 0.3, (n, 4)) + np.array([4.2, 300.0, 0.0, -7.0])


@each
def test_a_score_uses_nothing_that_comes_later(make: Callable[[], Baseline]):
    detector = make()
    detector.fit(process(500, 1))
    window = process(200, 2)
    whole = detector.score(window)
    assert np.array_equal(detector.score(window[:120]), whole[:120], equal_nan=True) or np.allclose(
        detector.score(window[:120]), whole[:120], rtol=1e-12, equal_nan=True
    )
    changed = window.copy()
    changed[120:] += 1e6
    assert np.allclose(detector.score(changed)[:120], whole[:120], rtol=1e-12, equal_nan=True)


@each
def test_what_breaks_the_pattern_scores_higher(make: Callable[[], Baseline]):
    detector = make()
    detector.fit(process(800, 1))
    broken = process(400, 3)
    broken[200::2, 1] += 12.0  # a third of its own spread, against all the others
    scores = detector.score(broken)
    assert np.nanmedian(scores[200::2]) > 1.5 * np.nanmedian(scores[:200])
    assert np.nanmin(scores) >= 0.0


@each
def test_missing_speaks_against_nothing(make: Callable[[], Baseline]):
    normal = process(500, 1)
    normal[::7, 2] = np.nan
    detector = make()
    detector.fit(normal)
    window = process(60, 4)
    window[20:30] = np.nan
    window[40:, 3] = np.nan
    scores = detector.score(window)
    assert np.isnan(scores[20:30]).all()
    assert np.isfinite(scores[5:20]).all()
    assert np.isfinite(scores[40:]).all()
    before = window.copy()
    detector.score(window)
    assert np.array_equal(before, window, equal_nan=True)


def test_t2_is_the_squared_distance():
    """Two variables of unit variance and correlation 0.6 by construction: T2 of (1, -1) is 2 / (1 - 0.6) = 5."""
    corners = np.array([[1.0, 1.0]] * 4 + [[-1.0, -1.0]] * 4 + [[1.0, -1.0], [-1.0, 1.0]])
    detector = HotellingT2()
    detector.fit(corners)
    # Sums run over ten rows and are divided by nine, in the scale as in the covariance.
    assert detector.score(np.array([[1.0, -1.0]]))[0] == pytest.approx(5.0 * 9 / 10)
    assert detector.score(np.array([[1.0, 1.0]]))[0] == pytest.approx(2.0 / 1.6 * 9 / 10)


def test_a_state_model_sees_what_a_snapshot_cannot():
    """A step back along the normal path: every row is ordinary, the way there is not."""
    normal, window = process(2000, 1), process(400, 5)
    window[300:] = window[300:][::-1]
    found = {}
    for name, detector in {"cva": CvaResidual(2, 4), "t2": HotellingT2()}.items():
        detector.fit(normal)
        scores = detector.score(window)
        found[name] = scores[300] / np.nanquantile(scores[:300], 0.9)
    assert found["cva"] > found["t2"]


def test_smoothing_and_trend_by_hand():
    assert ewma(np.array([[4.0], [np.nan], [8.0]]), 0.5).ravel().tolist() == [2.0, 2.0, 5.0]
    # Memory of two rows: means 1, 2, 3.5.
    assert detrended(np.array([[1.0], [3.0], [5.0], [np.nan], [4.5]]), 2.0).ravel()[
        [1, 2, 4]
    ].tolist() == pytest.approx([2.0, 3.0, 1.0])
    with pytest.raises(ValueError):
        ewma(np.zeros((1, 1)), 0.0)


def test_a_limit_from_unseen_blocks_keeps_its_promise():
    """The limit from the rows learned from does not: with few rows and many variables it is far too low."""
    rng = np.random.default_rng(6)
    normal, fresh = rng.normal(size=(150, 40)), rng.normal(size=(5000, 40))
    detector = HotellingT2()
    detector.fit(normal)
    naive = float(np.quantile(detector.score(normal), 0.99))
    honest = crossvalidated_limit(HotellingT2, normal, 0.99)
    assert (detector.score(fresh) > naive).mean() > 0.1
    assert (detector.score(fresh) > honest).mean() < 0.02
    with pytest.raises(ValueError):
        crossvalidated_limit(HotellingT2, normal[:8], 0.99)


def test_what_cannot_be_learned_from_is_refused():
    with pytest.raises(ValueError, match="hold no variable"):
        HotellingT2().fit(np.full((10, 3), np.nan))
    with pytest.raises(ValueError, match="too few"):
        CvaResidual().fit(process(20, 1))


@needs_shared_data
def test_tennessee_eastman_is_detected_as_stated():
    """The target of the plan, by the detector that the training runs chose; the page says so too."""
    data = bench_tep.runs(SHARED / "tep" / "tep.parquet")
    ours = bench_tep.judged(lambda: HotellingT2(lags=1), data, bench_tep.VARIABLES["33"])
    assert cast(float, ours["detected_18"]) >= bench_tep.TARGET_DETECTED
    assert cast(float, ours["false_alarms"]) <= bench_tep.TARGET_FALSE
    # Nobody sees these three; who claims to has looked ahead.
    assert max(ours["by_fault"][fault] for fault in bench_tep.INVISIBLE) < 0.2


def test_an_autoencoder_does_not_give_back_what_lies_far_out_on_the_plane():
    normal = process(1500, 1)
    far = 8.0 * (normal[:200] - normal.mean(axis=0)) + normal.mean(axis=0)
    plane, curved = PcaResidual(0.8), Autoencoder(hidden=2)
    for detector in (plane, curved):
        detector.fit(normal)
    gained = [float(np.median(d.score(far)) / np.median(d.score(normal[:200]))) for d in (plane, curved)]
    assert gained[1] > 1.5 * gained[0]
    again = Autoencoder(hidden=2)
    again.fit(normal)
    assert again.score(far).tobytes() == curved.score(far).tobytes()
