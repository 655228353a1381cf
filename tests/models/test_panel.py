"""Limits are raised in one place, kinds are named once a story, and drift is seen."""

import numpy as np
import pytest

from models.anode_kind import KindRanker
from models.anode_sequence import CLASSES
from models.base import Scores
from models.drift import DRIFTED, EDGES, WATCH, DriftWatch, stability_index
from models.panel import FIXED, Learned, Panel, limited
from models.registry import build
from tests.models.test_anode_sequence import weights
from tests.models.views import Room, layout

HOUR_US = 3_600_000_000


def test_a_raised_limit_divides_the_score_and_leaves_fixed_kinds_alone() -> None:
    score = Scores("anode_slow_pickup", "anode", np.array([[1.5, np.nan]]))
    lowered = limited(score, {"anode_slow_pickup": 1.5})
    np.testing.assert_array_equal(lowered.value, [[1.0, np.nan]])
    assert score.value[0, 0] == 1.5
    assert limited(score, {"anode_slow_pickup": 0.5}).value[0, 0] == 1.5
    for kind in FIXED:
        assert limited(Scores(kind, "cell", np.array([[1.2]])), {kind: 2.0}).value[0, 0] == 1.2


def test_the_panel_scores_as_its_detectors_do_but_for_the_limits() -> None:
    cells = layout(2, n_anodes=6)
    room = Room(cells)
    room.age_h[0, 2], room.tau_h[0, 2] = 6.0, 40.0
    alone, panel = build(cells), Panel(cells, Learned({"anode_slow_pickup": 1.25}, {}, None))
    for _ in range(120):
        view = room.step()
        expected = [scores for detector in alone for scores in detector.update(view)]
        got = panel.update(view)
        for (detector, scores), known in zip(got, expected, strict=True):
            assert known.kind in detector.kinds
            factor = 1.25 if known.kind == "anode_slow_pickup" else 1.0
            np.testing.assert_allclose(scores.value, known.value / factor, rtol=1e-15)


def believing(kind: str, share: float) -> np.ndarray:
    beliefs = np.full((1, 2, len(CLASSES)), (1.0 - share) / (len(CLASSES) - 1))
    beliefs[0, :, CLASSES.index(kind)] = share
    return beliefs


def scored(slip: float, spike: float) -> list[Scores]:
    return [
        Scores("anode_slip", "anode", np.array([[slip, 0.1]])),
        Scores("cell_hot", "cell", np.array([[2.0]])),
        Scores("anode_spike", "anode", np.array([[spike, np.nan]])),
    ]


def test_a_sure_network_names_the_kind_and_the_story_keeps_it() -> None:
    ranker = KindRanker(layout(1, n_anodes=2))
    first = ranker.update(scored(1.2, 0.5), believing("anode_spike", 0.9))
    assert first[0].value[0, 0] < 0.8
    assert first[2].value[0, 0] == 1.2
    assert first[1].value[0, 0] == 2.0
    assert first[0].value[0, 1] == 0.1
    # It changes its mind: the alarm stands, and the story goes on as it was named.
    later = ranker.update(scored(1.4, 0.5), believing("anode_slip", 0.95))
    assert later[2].value[0, 0] == 1.4
    ranker.update(scored(0.3, 0.2), believing("anode_slip", 0.95))
    again = ranker.update(scored(1.1, 0.2), believing("anode_slip", 0.95))
    assert again[0].value[0, 0] == 1.1


@pytest.mark.parametrize("share", [0.4, np.nan])
def test_an_unsure_network_changes_nothing_and_none_ever_raises(share: float) -> None:
    ranker = KindRanker(layout(1, n_anodes=2))
    for given, kept in zip(
        scored(1.2, 0.5), ranker.update(scored(1.2, 0.5), believing("anode_spike", share)), strict=True
    ):
        np.testing.assert_array_equal(given.value, kept.value)
    quiet = KindRanker(layout(1, n_anodes=2)).update(scored(0.9, 0.5), believing("anode_spike", 0.99))
    assert quiet[2].value[0, 0] == 0.5


def watch_of(
    rng: np.random.Generator, scale: float, days: int, reference: dict[str, tuple[float, ...]]
) -> DriftWatch:
    watch = DriftWatch(reference)
    for hour in range(24 * days):
        value = np.abs(rng.normal(scale=scale, size=(6, 1)))
        watch.add(hour * HOUR_US, [Scores("cell_hot", "cell", value)])
    return watch


def test_drift_is_seen_and_sameness_is_not() -> None:
    rng = np.random.default_rng(5)
    reference = {"cell_hot": watch_of(rng, 0.3, 6, {}).shares()["cell_hot"]}
    assert len(reference["cell_hot"]) == len(EDGES) + 1
    same = watch_of(rng, 0.3, 15, reference).rows
    other = watch_of(rng, 0.6, 15, reference).rows
    assert len(same) == len(other) == 2
    assert all(row.psi < WATCH and row.judged_share == 1.0 for row in same)
    assert all(row.psi > DRIFTED for row in other)


def test_drift_memory_is_bounded_and_too_little_is_not_judged() -> None:
    rng = np.random.default_rng(6)
    watch = watch_of(rng, 0.3, 150, {"cell_hot": tuple([1.0 / 14] * 14)})
    assert len(watch.rows) == 8
    short = DriftWatch({"cell_hot": tuple([1.0 / 14] * 14)})
    for hour in (0, 1, 24 * 8):
        short.add(hour * HOUR_US, [Scores("cell_hot", "cell", np.array([[0.3], [np.nan]]))])
    assert np.isnan(short.rows[0].psi)
    assert short.rows[0].judged_share == 0.5


def test_stability_index_by_hand() -> None:
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5) = 0.04055
    assert stability_index(np.array([600_000, 400_000]), np.array([0.5, 0.5])) == pytest.approx(
        0.04055, abs=1e-4
    )


def test_a_plant_without_anode_currents_is_scored() -> None:
    bare = layout(2)._replace(n_anodes=np.zeros(2, dtype=np.int64), anode_side=np.full((2, 1), -1))
    panel = Panel(bare, Learned({}, {}, weights()))
    room = Room(layout(2))
    for _ in range(70):
        panel.update(room.step())
    assert {scores.kind for _, scores in panel.update(room.step())} == {
        k for d in build(bare) for k in d.kinds
    }
