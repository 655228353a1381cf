"""Causes are put in order by a law where it knows their kinds, and none is added or lost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alarm_rules import load_texts
from models.base import Explanation, Scores, View
from models.cause_rank import (
    PROVEN_BY,
    SOUND,
    CauseModel,
    CauseRanker,
    by_law,
    figures,
    offers,
    standardised,
)
from models.explaining import ranked
from models.panel import UNTRAINED, Panel
from tests.models.views import START_US, Room, blank, layout
from twin.signals import ALARM_KINDS

CAUSES = ranked({"rod_slipped": 0.7, "short_or_spike": 0.3})
CELLS = layout(2, n_anodes=3)


def law(**changes: object) -> CauseModel:
    # One spread more noise makes a spike e times as likely as a slip.
    known = CauseModel(
        ("evidence noise_log_odds",),
        np.array([1.0]),
        np.array([2.0]),
        ("anode_slip", "anode_spike", SOUND),
        np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]]),
        np.zeros(3),
        ("anode_slip",),
    )
    return known._replace(**changes)


class Slips:
    """Says of every anode that it has slipped."""

    name, version, kinds = "slips", "slips/1", ("anode_slip", "anode_spike")

    def update(self, view: View) -> tuple[Scores, ...]:
        return tuple(Scores(kind, "anode", np.full((2, 3), 1.5)) for kind in self.kinds)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        return Explanation({"noise_log_odds": 7.0 if cell else -5.0}, CAUSES)


@given(
    st.dictionaries(st.sampled_from(sorted(load_texts().cause)), st.floats(0.01, 1.0), min_size=1),
    st.dictionaries(st.sampled_from(ALARM_KINDS), st.floats(0.0, 1.0)),
)
def test_no_cause_is_added_or_lost(weights: dict[str, float], beliefs: dict[str, float]) -> None:
    causes = ranked(weights)
    found = by_law(causes, beliefs)
    told = {proof for proof in offers(causes) if any(kind in beliefs for kind in proof)}
    lost = {c for c in weights if PROVEN_BY.get(c) in told and not any(beliefs.get(k) for k in PROVEN_BY[c])}
    assert set(weights) - lost <= {cause.cause for cause in found} <= set(weights)
    assert math.isclose(sum(cause.weight for cause in found), 1.0)
    before = {cause.cause: cause.weight for cause in causes}
    for cause in found:
        if PROVEN_BY.get(cause.cause) not in told:
            assert cause.weight == pytest.approx(before[cause.cause])


def test_the_evidence_decides_and_the_rules_stay_for_other_kinds() -> None:
    ranker = CauseRanker(Slips(), law())
    assert ranker.explain("anode_slip", 0, 0).causes[0].cause == "rod_slipped"
    assert ranker.explain("anode_slip", 1, 0).causes[0].cause == "short_or_spike"
    # Three spreads above the mean: e to the third of the odds.
    assert ranker.explain("anode_slip", 1, 0).causes[0].weight == pytest.approx(1 / (1 + math.exp(-3.0)))
    assert ranker.explain("anode_spike", 1, 0).causes == CAUSES
    assert ranker.explain("anode_slip", 1, 0).evidence == {"noise_log_odds": 7.0}


def test_what_is_not_known_counts_as_not_known() -> None:
    row = standardised([{}, {"a": math.inf}, {"a": 5.0}, {"a": 1e9}], ["a"], np.array([1.0]), np.array([2.0]))
    assert row.tolist() == [[0.0, 1.0], [0.0, 1.0], [2.0, 0.0], [4.0, 0.0]]
    assert max(law().beliefs({}).items(), key=lambda item: item[1])[0] == SOUND


def test_figures_are_of_the_same_anode_or_of_the_whole_cell() -> None:
    scores = [
        Scores("anode_slip", "anode", np.array([[9.0, 1.2, np.nan]])),
        Scores("anode_spike", "anode", np.array([[9.0, np.nan, 0.4]])),
        Scores("ledge_thinning", "side", np.array([[0.1, 0.5, np.nan, 0.2]])),
    ]
    known = figures("anode_slip", Explanation({"since_h": 2.0}, CAUSES), scores, 0, 1)
    assert known == {
        "evidence since_h": 2.0,
        "is anode_slip": 1.0,
        "by rules anode_slip": math.log(0.7),
        "by rules anode_spike": math.log(0.3),
        "score anode_slip": 1.2,
        "score ledge_thinning": 0.5,
    }
    # An alarm of a side knows the worst anode of its cell.
    assert figures("ledge_thinning", Explanation({}, ()), scores, 0, 1)["score anode_spike"] == 9.0


def test_the_panel_puts_it_beside_the_detector_and_changes_no_score() -> None:
    view = blank(CELLS, START_US)
    bare = Panel(CELLS, UNTRAINED, [Slips()])
    panel = Panel(CELLS, UNTRAINED._replace(causes={"slips": law(), "others": law()}), [Slips()])
    before, after = bare.update(view), panel.update(view)
    for (_, one), (_, other) in zip(before, after, strict=True):
        assert one.value.tobytes() == other.value.tobytes()
    detector = after[0][0]
    assert (detector.name, detector.version, detector.kinds) == (Slips.name, Slips.version, Slips.kinds)
    assert detector.explain("anode_slip", 1, 2).causes[0].cause == "short_or_spike"
    assert before[0][0].explain("anode_slip", 1, 2).causes[0].cause == "rod_slipped"


def test_anode_changes_are_told_with_a_law_of_causes_too() -> None:
    room = Room(CELLS, seed=3, scan_s=120.0)
    bare, panel = Panel(CELLS), Panel(CELLS, UNTRAINED._replace(causes={"anodes": law()}))
    while room.changes < 3 or room.time_us < START_US + 40 * 3_600_000_000:
        view = room.step()
        bare.update(view)
        panel.update(view)
    assert len(panel.anode_changes()) >= 3
    assert panel.anode_changes() == bare.anode_changes()


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.zeros(2)},
        {"scale": np.zeros(1)},
        {"constant": np.array([0.0, np.nan, 0.0])},
        {"coefficient": np.zeros((3, 1))},
    ],
)
def test_a_law_that_does_not_fit_itself_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="of causes"):
        law(**changes).checked()


def test_causes_and_kinds_are_those_of_texts_and_contract() -> None:
    assert set(PROVEN_BY) <= set(load_texts().cause)
    assert {kind for proof in PROVEN_BY.values() for kind in proof} <= set(ALARM_KINDS)
