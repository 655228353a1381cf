"""Figures of merit against cases worked by hand; the arithmetic stands beside them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.affiliation import affiliation
from models.scoring.intervals import bootstrap_ratio, poisson, wilson
from models.scoring.pointwise import adjusted, auroc, average_precision, f1, point_counts
from models.scoring.vus import volume


def yes(n: int, *index: int) -> np.ndarray:
    mask = np.zeros(n, dtype=np.bool_)
    mask[list(index)] = True
    return mask


# Six samples, an event on 2 and 3. By score: 2 (hit), 1, 4, 3 (hit), 5, 0.
SCORE = np.array([0.1, 0.6, 0.9, 0.3, 0.5, 0.2])
EVENT = yes(6, 2, 3)


def test_ranking_by_hand():
    # Hits at ranks 1 and 4: precision there 1/1 and 2/4, each worth half the recall.
    assert average_precision(SCORE, EVENT) == pytest.approx(0.5 * 1.0 + 0.5 * 0.5)
    # 0.9 is above all four normal samples, 0.3 above two of them.
    assert auroc(SCORE, EVENT) == pytest.approx((4 + 2) / 8)


def test_a_constant_scores_the_prevalence_and_no_score_is_the_lowest():
    assert average_precision(np.zeros(6), EVENT) == pytest.approx(2 / 6)
    assert auroc(np.zeros(6), EVENT) == pytest.approx(0.5)
    unknown = np.where(EVENT, SCORE, np.nan)
    assert average_precision(unknown, EVENT) == 1.0
    assert math.isnan(average_precision(SCORE, yes(6)))
    assert math.isnan(auroc(SCORE, yes(6)))


def test_vus_by_hand():
    """Buffers 0 and 1 leave the event as it is; buffer 2 adds samples 1 and 4 with weight sqrt(1 - 1/2)."""
    w = math.sqrt(0.5)
    # Samples predicted 1..6; weight hit and recall, over 2 samples and half the buffer weight hit, at most 1.
    hit = [1.0, 1.0 + w, 1.0 + 2 * w, 2.0 + 2 * w, 2.0 + 2 * w, 2.0 + 2 * w]
    positives = [2.0, 2.0 + w / 2, 2.0 + w, 2.0 + w, 2.0 + w, 2.0 + w]
    recall = [1 / 2, (1 + w) / (2 + w / 2), (1 + 2 * w) / (2 + w), 1.0, 1.0, 1.0]
    precision = [h / k for k, h in enumerate(hit, start=1)]
    area = sum((r - before) * p for r, before, p in zip(recall, [0.0, *recall], precision, strict=False))
    got = volume(SCORE, EVENT, buffer=2, thresholds=6)
    assert got.pr == pytest.approx((0.75 + 0.75 + area) / 3, abs=1e-14)
    # Fall-out: what is predicted less the weight hit, over the samples that are no positives; ends at (1, 1).
    across = [0.0, *((k - h) / (6 - p) for k, (h, p) in enumerate(zip(hit, positives, strict=True), 1)), 1.0]
    up = [0.0, *recall, 1.0]
    curve = sum((across[i + 1] - across[i]) * (up[i + 1] + up[i]) / 2 for i in range(7))
    assert got.roc == pytest.approx((0.75 + 0.75 + curve) / 3, abs=1e-14)


def test_vus_counts_only_the_events_that_are_touched():
    """Two events of one sample; at the first threshold one of two is touched, so that recall 1/2 counts half."""
    score = np.array([0.9, 0.1, 0.2, 0.8])
    # Ranks: sample 0 (hit), 3 (hit), 2, 1. Recall times share touched: 1/2 * 1/2, then 1; precision 1 both times.
    assert volume(score, yes(4, 0, 3), buffer=0, thresholds=4).pr == pytest.approx(1.0)
    # Ranks: 0 (hit), 2, 3 (hit): 1/4 at precision 1, the rest at precision 2/3.
    score[2] = 0.85
    assert volume(score, yes(4, 0, 3), buffer=0, thresholds=4).pr == pytest.approx(0.25 + 0.75 * 2 / 3)


def test_vus_of_chance_is_near_the_prevalence_and_what_does_not_count_does_not_count():
    rng = np.random.default_rng(3)
    label = np.zeros(20_000, dtype=np.bool_)
    label[4000:6000] = True
    assert volume(rng.random(20_000), label, buffer=0).pr == pytest.approx(0.1, abs=0.01)
    assert volume(label.astype(float), label, buffer=0).pr == pytest.approx(1.0)
    # False alarms all over the second half, which does not count.
    score = label.astype(float)
    score[10_000:] = 2.0
    assert volume(score, label, 0).pr < 0.3
    assert volume(score, label, 0, np.arange(20_000) < 10_000).pr == pytest.approx(1.0)
    assert math.isnan(volume(score, np.zeros(20_000, dtype=np.bool_), 5).pr)


def test_affiliation_by_hand():
    """Ten samples, an event on [4, 6), one prediction on [2, 3)."""
    got = affiliation(yes(10, 2), yes(10, 4, 5))
    # Centre 2.5 is 1.5 away from the event; farther are [0, 2.5) and (7.5, 10]: half of the zone.
    assert got.precision == pytest.approx(0.5)
    # Centre 4.5 is 1.5 from the prediction, and [3, 6] is not farther: 0.7; centre 5.5 is 2.5 away: [3, 8], 0.5.
    assert got.recall == pytest.approx((0.7 + 0.5) / 2)
    assert got.f1 == pytest.approx(2 * 0.5 * 0.6 / 1.1)


def test_affiliation_has_a_zone_for_each_event():
    """Events [2, 3) and [12, 13): zones [0, 7.5) and [7.5, 20). Only the first is predicted, and exactly."""
    got = affiliation(yes(20, 2), yes(20, 2, 12))
    assert got.precision == pytest.approx(1.0)
    assert got.recall == pytest.approx((1.0 + 0.0) / 2)
    assert affiliation(yes(20), yes(20, 2)).recall == 0.0
    assert math.isnan(affiliation(yes(20), yes(20, 2)).precision)


def test_affiliation_praises_always_alarm():
    """Which is why it stands beside that null: event [4, 6) of ten, all predicted."""
    # Inside 1 each; outside at 0.5, 1.5, 2.5, 3.5 from either edge farther is 7, 5, 3, 1 of 10.
    expected = (2 * 1.0 + 2 * (0.7 + 0.5 + 0.3 + 0.1)) / 10
    got = affiliation(np.ones(10, dtype=np.bool_), yes(10, 4, 5))
    assert got.precision == pytest.approx(expected)
    assert got.recall == pytest.approx(1.0)


def test_point_adjustment_by_hand():
    """A run of four with one hit, one false sample: plain 1 hit, 1 false, 3 missed."""
    label, predicted = yes(10, 3, 4, 5, 6), yes(10, 4, 9)
    plain = point_counts(predicted, label)
    assert plain.tolist() == [1, 1, 3, 5]
    assert f1(plain) == pytest.approx(2 / (2 + 1 + 3))
    # One of four is 25 %: enough for PA and PA%20, not for PA%50.
    assert f1(point_counts(adjusted(predicted, label), label)) == pytest.approx(8 / 9)
    assert f1(point_counts(adjusted(predicted, label, 0.2), label)) == pytest.approx(8 / 9)
    assert f1(point_counts(adjusted(predicted, label, 0.5), label)) == pytest.approx(2 / 6)


def test_point_adjustment_makes_chance_look_excellent():
    """One sample in a hundred at random: nothing, and nearly perfect."""
    rng = np.random.default_rng(5)
    label = np.zeros(100_000, dtype=np.bool_)
    for start in range(5000, 100_000, 10_000):
        label[start : start + 2000] = True
    predicted = rng.random(100_000) < 0.01
    assert f1(point_counts(predicted, label)) < 0.03
    assert f1(point_counts(adjusted(predicted, label), label)) > 0.9
    assert f1(point_counts(adjusted(predicted, label, 0.2), label)) < 0.03


def test_wilson_and_poisson_against_published_values():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20. Garwood 1936: 5 events.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert poisson(5, 1.0) == pytest.approx((1.6235, 11.6683), abs=5e-5)
    assert poisson(5, 10.0) == pytest.approx((0.16235, 1.16683), abs=5e-6)
    assert poisson(100, 1.0) == pytest.approx((81.364, 121.627), abs=5e-4)
    assert all(math.isnan(x) for x in (*wilson(0, 0), *poisson(0, 0.0)))
    with pytest.raises(ValueError):
        wilson(3, 2)
    with pytest.raises(ValueError):
        poisson(-1, 1.0)


@given(st.integers(0, 200_000), st.floats(0.1, 1e5))
def test_poisson_interval_holds_the_estimate(count: int, exposure: float):
    low, high = poisson(count, exposure)
    assert 0.0 <= low <= count / exposure < high
    assert high - low < (5.0 * math.sqrt(count + 1.0) + 5.0) / exposure


def test_bootstrap_draws_cells_and_repeats_itself():
    # Ten cells of ten events each, half of the cells found whole: far wider than 50 of 100 independent events.
    hits, totals = np.repeat([10.0, 0.0], 5), np.full(10, 10.0)
    low, high = bootstrap_ratio(hits, totals, np.random.default_rng(1))
    assert (low, high) == bootstrap_ratio(hits, totals, np.random.default_rng(1))
    assert low <= 0.2
    assert high >= 0.8
    assert all(math.isnan(x) for x in bootstrap_ratio(np.zeros(3), np.zeros(3), np.random.default_rng(1)))
