"""Features of anodes: what a wrong scan and a rod that falls silent may not do."""

import numpy as np

from models.anode_features import Features, feature_step, new_features

N = np.array([20])
QUIET = np.ones((1, 20), dtype=np.bool_)


def minutes(f: Features, count: int, share: float = 1.0, dead: int = -1) -> None:
    """Minutes of scans of 10 s at 10 kA an anode, or a multiple of it; one rod may be silent."""
    current_A = np.full((1, 20), 10_000.0 * share)
    if dead >= 0:
        current_A[0, dead] = np.nan
    for _ in range(6 * count):
        feature_step(f, N, current_A, np.array([200_000.0]), np.array([4.2]), 10.0, QUIET)


def test_one_scan_of_wrong_scale_does_not_silence_a_cell() -> None:
    f = new_features(1, 20)
    minutes(f, 60)
    wild = np.full((1, 20), 30_000.0)
    feature_step(f, N, wild, np.array([200_000.0]), np.array([4.2]), 10.0, QUIET)
    minutes(f, 30)
    assert f.gap_s[0] < 60.0
    assert np.isfinite(f.y3).all()


def test_a_line_at_more_current_is_followed() -> None:
    f = new_features(1, 20)
    minutes(f, 10, share=0.3)
    minutes(f, 120)
    # Within a fifth at once, the rest in days.
    assert 8_000.0 < f.usual_A[0] < 10_500.0
    assert np.isfinite(f.y3).all()


def test_a_silent_rod_is_not_known_and_has_no_past_when_it_returns() -> None:
    f = new_features(1, 20)
    minutes(f, 60)
    assert np.isfinite(f.y30).all()
    minutes(f, 30, dead=7)
    assert np.isnan([f.y1[0, 7], f.y3[0, 7], f.y10[0, 7], f.y30[0, 7]]).all()
    assert f.filled[0, 7] == 0
    assert np.isfinite(f.y30[0, 8])
    minutes(f, 5)
    assert np.isfinite(f.y3[0, 7])
    assert np.isnan(f.y30[0, 7])
