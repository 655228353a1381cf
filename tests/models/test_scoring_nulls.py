"""Thresholds, debounce and the null models, minute by minute."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring import nulls
from models.scoring.thresholds import AlarmRule, alarms, frozen, ladder


def test_debounce_hysteresis_and_merging_by_hand():
    plain = AlarmRule(needed=1, of=1, clear_below=1.0, gap=0)
    score = np.array([0.0, 2.0, 0.0, 2.0, 2.0, 0.9, 0.9, 0.7, 0.0])
    assert alarms(score, 1.0, plain).tolist() == [[1, 1], [3, 4]]
    # Stays until below 0.8.
    assert alarms(score, 1.0, plain._replace(clear_below=0.8)).tolist() == [[1, 1], [3, 6]]
    # Three of five are above for the first time at minute 4.
    assert alarms(score, 1.0, AlarmRule(needed=3, of=5, clear_below=0.8, gap=0)).tolist() == [[4, 6]]
    # One normal minute between: a gap of one is no longer too short, two is.
    assert alarms(score, 1.0, plain._replace(gap=1)).tolist() == [[1, 1], [3, 4]]
    assert alarms(score, 1.0, plain._replace(gap=2)).tolist() == [[1, 4]]


def test_what_is_unknown_neither_begins_nor_ends_an_alarm():
    score = np.array([2.0, 2.0, 2.0, np.nan, np.nan, 2.0, 0.0])
    assert alarms(score, 1.0).tolist() == [[2, 5]]
    assert alarms(np.full(9, np.nan), 1.0).tolist() == []
    assert alarms(np.zeros(0), 1.0).tolist() == []


@given(st.lists(st.floats(0.0, 10.0), max_size=200), st.floats(0.1, 10.0), st.integers(0, 199))
def test_alarms_are_causal(values: list[float], threshold: float, cut: int):
    """What has begun by a minute does not depend on what comes after it."""
    rule = AlarmRule(gap=0)
    score = np.array(values)
    whole, part = alarms(score, threshold, rule), alarms(score[:cut], threshold, rule)
    assert part[:, 0].tolist() == [first for first, _ in whole.tolist() if first < cut]


def test_the_threshold_is_the_lowest_that_keeps_the_budget_from_there_on():
    steps, false = np.array([1.0, 2.0, 3.0, 4.0]), np.array([9, 2, 5, 0])
    assert [frozen(steps, false, allowed) for allowed in (0, 2, 5, 9)] == [3, 3, 1, 0]
    assert frozen(steps, np.array([9, 8, 7, 6]), 0) == 3
    rungs = ladder(np.random.default_rng(1).random(10_000))
    assert np.all(np.diff(rungs) > 0)
    assert rungs[0] == pytest.approx(0.5, abs=0.02)
    assert (np.random.default_rng(1).random(10_000) > rungs[-1]).sum() == 0


def test_schedule_alarms_for_an_hour_after_each_operation():
    score = nulls.schedule(300, [10, 200, 290, -30, 500])
    assert np.flatnonzero(score).tolist() == [*range(70), *range(200, 260), *range(290, 300)]
    thin = nulls.thinned_schedule(300, [10, 200], np.array([0.2, 0.7]))
    assert [thin[10], thin[200], thin[100]] == [0.2, 0.7, 0.0]


def test_the_rest_by_hand():
    assert nulls.clock(3).tolist() == [0.0, 1.0, 2.0]
    assert nulls.always(2).tolist() == [1.0, 1.0]
    assert nulls.never(2).tolist() == [0.0, 0.0]
    hours = nulls.chance(150, np.random.default_rng(1))
    assert len(np.unique(hours)) == 3
    # Means before: -, 4.2, 4.2, 4.25.
    assert nulls.voltage_from_target(np.array([4.2, 4.2, 4.35, 4.15]))[1:] == pytest.approx([0.0, 0.15, 0.1])
