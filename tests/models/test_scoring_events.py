"""Which alarm counts for which event, what is false, and laws that every scorer must keep."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.scoring.events import (
    CONTEXTS,
    GRID_US,
    CellRecord,
    Episode,
    Event,
    clear_time,
    merged,
    with_predictions,
)
from models.scoring.figures import Change, Figures, change_scores, judge, precision_at_rate, prediction, row
from models.scoring.rules import FAMILIES, FAMILY_OF, WINDOWS, groups
from twin.signals import ALARM_KINDS

H = 3_600_000_000
DAYS = 10
N = DAYS * 1440


def cells(events: Sequence[Event], n_cells: int = 2) -> list[CellRecord]:
    observed, quiet = np.ones(N, dtype=np.bool_), np.full(N, CONTEXTS.index("otherwise"), dtype=np.int8)
    return [
        CellRecord(
            f"L1-{i:03d}",
            "L1",
            0,
            observed,
            clear_time(observed, 0, [e for e in events if e.cell == i]),
            quiet,
        )
        for i in range(n_cells)
    ]


def slow(start_h: float = 24.0, anode: int = 5, cell: int = 0) -> Event:
    """A slow pick-up that can be seen after five hours and lasts thirty."""
    start = round(start_h * H)
    return Event(cell, "anode_slow_pickup", anode, None, start, start + 5 * H, start + 30 * H)


def alarm(at_h: float, kind: str = "anode_slow_pickup", anode: int | None = 5, cell: int = 0) -> Episode:
    at = round(at_h * H)
    return Episode(cell, "L1", kind, anode, None, at, at + H)


def figures(events: list[Event], alarms: list[Episode], kinds: Sequence[str] = ALARM_KINDS) -> Figures:
    record = cells(events)
    return row(
        judge(record, with_predictions(events), merged(alarms)), record, kinds, np.random.default_rng(1)
    )


def test_every_kind_has_a_family_a_window_and_a_table():
    assert sorted(FAMILY_OF) == sorted(ALARM_KINDS) == sorted(WINDOWS)
    assert set(groups()) == {"all", "fast", *FAMILIES, *ALARM_KINDS}
    assert set(groups()["fast"]) == set(ALARM_KINDS) - set(FAMILIES["heat_loss"])


@pytest.mark.parametrize(
    ("at_h", "detected", "false"),
    [
        (23.9, 0, 1),  # before it began, and false
        (24.0, 1, 0),
        (36.0, 1, 0),  # tau: twelve hours
        (36.1, 0, 0),  # too late, but no false alarm: the event still lasts
        (59.9, 0, 0),  # six hours of grace
        (60.1, 0, 1),
    ],
)
def test_an_alarm_counts_when_it_begins_in_the_window(at_h: float, detected: int, false: int):
    got = figures([slow()], [alarm(at_h)])
    assert (got["detected"], got["false_alarms"]) == (detected, false)


def test_an_alarm_that_stands_since_before_the_event_detects_nothing():
    got = figures([slow()], [alarm(20.0)._replace(end_us=40 * H)])
    assert (got["detected"], got["false_alarms"]) == (0, 1)


def test_place_and_kind_are_those_of_the_first_alarm():
    got = figures([slow()], [alarm(30.0, anode=6), alarm(31.0)])
    # People went to the wrong anode first, whatever was said later.
    assert got["detected"] == 1
    assert got["right_anode"]["share"] == 0.0
    got = figures([slow()], [alarm(30.0), alarm(31.0, anode=6)])
    assert (got["right_anode"]["share"], got["exact_kind"]["share"]) == (1.0, 1.0)
    # Another kind of the same family, on the right anode.
    got = figures([slow()], [alarm(30.0, kind="anode_set_high")])
    assert (got["detected"], got["right_anode"]["share"], got["exact_kind"]["share"]) == (1, 1.0, 0.0)


def test_only_a_related_alarm_speaks_of_an_event():
    assert figures([slow()], [alarm(30.0, "cell_hot", None)])["detected"] == 0
    # A contact alarm may mean a new anode that does not pick up, if it is that anode.
    assert figures([slow()], [alarm(30.0, "anode_contact")])["detected"] == 1
    assert figures([slow()], [alarm(30.0, "anode_contact", anode=6)])["detected"] == 0


def test_an_alarm_for_one_event_does_not_answer_for_another():
    two = [slow(anode=5), slow(anode=6)]
    assert figures(two, [alarm(30.0)])["detected"] == 1
    assert figures(two, [alarm(30.0), alarm(30.0, anode=6)])["detected"] == 2
    # A null model names nothing and speaks of both.
    assert figures(two, [alarm(30.0, "", None)])["detected"] == 2


def test_hidden_and_cut_events_are_counted_apart():
    hidden = slow()._replace(observable_us=54 * H)
    late = slow(start_h=DAYS * 24 - 5.0)._replace(end_us=N * GRID_US)
    got = figures([hidden, late, slow(100.0)], [alarm(30.0)])
    assert (got["events"], got["events_hidden"], got["events_cut"]) == (1, 1, 1)
    assert (got["detected"], got["events_hidden_detected"]) == (0, 1)


def test_delays_and_their_restricted_mean():
    events = [slow(24.0), slow(100.0), slow(180.0)]
    got = figures(events, [alarm(24.0 + 6.0), alarm(100.0 + 8.0)])
    # Seen after five hours: one and three hours late, ten percent from the top 2.8 h; the miss costs all twelve.
    assert got["delay_median_min"] == 120.0
    assert got["delay_p90_min"] == pytest.approx(168.0)
    assert got["since_start_median_min"] == 420.0
    assert got["restricted_mean_time_to_detect_min"] == pytest.approx((60 + 180 + 720) / 3, abs=1e-3)


def test_rates_by_hand():
    """Two cells of ten days less one event of 30 h and 6 h of grace: 18.5 days; two false alarms."""
    got = figures([slow()], [alarm(80.0, cell=1), alarm(200.0, cell=1), alarm(30.0)])
    assert got["normal_cell_days"] == pytest.approx(18.5)
    assert got["false_per_cell_day"] == pytest.approx(2 / 18.5, rel=1e-5)
    # Poisson, two counted: 0.2422 to 7.2247.
    assert got["false_per_cell_day_poisson_95"] == pytest.approx([0.2422 / 18.5, 7.2247 / 18.5], rel=1e-3)
    assert got["precision_at_natural_rate"] is None
    only = figures([slow()], [alarm(80.0, cell=1), alarm(30.0)], FAMILIES["anode_change"])
    assert only["precision_at_natural_rate"] == pytest.approx(0.04 / (0.04 + 1 / 18.5), rel=1e-5)
    # The three figures of the reference.
    assert precision_at_rate(0.9, 0.01, 0.04) == pytest.approx(0.78, abs=0.005)
    assert precision_at_rate(0.9, 0.01, 7e-4) == pytest.approx(0.06, abs=0.005)


def test_false_alarms_are_told_apart_by_context():
    record = cells([])
    context = record[0].context.copy()
    context[: 24 * 60] = CONTEXTS.index("after_anode_change")
    record[0] = record[0]._replace(context=context)
    judged = judge(
        record, [], [alarm(2.0), alarm(50.0), Episode(-1, "L1", "stream_silent", None, None, H, H)]
    )
    got = row(judged, record, ALARM_KINDS, np.random.default_rng(1))["false_by_context"]
    assert {name: figure["false_alarms"] for name, figure in got.items()} == {
        "line_event": 1,
        "tapping_or_beam": 0,
        "after_anode_change": 1,
        "otherwise": 1,
    }
    assert got["after_anode_change"]["false_per_cell_day"] == pytest.approx(1.0)
    assert got["otherwise"]["normal_cell_days"] == pytest.approx(19.0)


def test_a_silence_that_the_record_confirms_is_not_false():
    record = cells([])
    observed = record[0].observed.copy()
    observed[100:200] = False
    record[0] = record[0]._replace(observed=observed)
    silent = [
        alarm(2.0, "stream_silent", None),
        alarm(5.0, "stream_silent", None),
        alarm(2.0, "cell_hot", None),
    ]
    false = [a for a, _ in judge(record, [], silent).false]
    assert false == [silent[1], silent[2]]


def test_an_alarm_of_the_line_answers_for_its_cells():
    event = Event(1, "stream_silent", None, None, 24 * H, 24 * H, 25 * H)
    record = cells([event])
    whole_line = Episode(-1, "L1", "stream_silent", None, None, 24 * H + 60 * 10**6, 25 * H)
    judged = judge(record, [event], [whole_line])
    assert judged.matches[0].alarm == whole_line
    assert judged.false == ()
    assert judge(record, [event], [whole_line._replace(line="L2")]).matches[0].alarm is None


def test_alarms_that_follow_within_the_hour_are_one():
    found = merged([alarm(10.0), alarm(11.9), alarm(14.0), alarm(10.5, anode=6)])
    assert [(a.start_us / H, a.end_us / H, a.anode) for a in found] == [
        (10.0, 12.9, 5),
        (10.5, 11.5, 6),
        (14.0, 15.0, 5),
    ]


def test_anode_effects_must_be_foretold_a_minute_ahead():
    effect = Event(0, "anode_effect", None, None, 24 * H, 24 * H, 24 * H + 4 * 60 * 10**6)
    for ahead_s, foretold in ((30, 0), (61, 1), (899, 1), (1000, 0)):
        at = Episode(0, "L1", "anode_effect_imminent", None, None, 24 * H - ahead_s * 10**6, 24 * H)
        record = cells(with_predictions([effect]))
        got = prediction(judge(record, with_predictions([effect]), [at]))
        assert got["recall"] == foretold, ahead_s
        # Thirty seconds ahead is too late and not false; a quarter of an hour and more is false.
        assert (got["f1"] == 1.0) == bool(foretold)
        # One of one: Wilson's lower end 1 / (1 + 1.96^2) = 0.2065, as F1 2 * 0.2065 / 1.2065.
        assert not foretold or got["f1_wilson_95"] == pytest.approx([0.3423, 1.0], abs=1e-3)
    # An alarm that the effect is there foretells nothing.
    said = Episode(0, "L1", "anode_effect", None, None, 24 * H, 25 * H)
    judged = judge(cells([effect]), with_predictions([effect]), [said])
    assert prediction(judged)["recall"] == 0.0
    assert row(judged, cells([effect]), ("anode_effect",), np.random.default_rng(1))["recall"] == 1.0


def test_a_labelled_prediction_is_asked_of_the_effect_that_ends_it():
    soon = Event(0, "anode_effect_imminent", None, None, 24 * H, 24 * H + H // 2, 25 * H)
    effect = Event(0, "anode_effect", None, None, 25 * H + 10**6, 25 * H + 10**6, 25 * H + 180 * 10**6)
    other = Event(1, "anode_effect", None, None, 30 * H, 30 * H, 30 * H + 180 * 10**6)
    events = with_predictions([soon, effect, other])
    assert [(e.cell, e.start_us) for e in events if e.kind == "anode_effect_imminent"] == [
        (0, 25 * H),
        (1, 30 * H),
    ]
    record = cells(events)
    for ahead_s, foretold, false in ((300, 0.5, 0), (2000, 0.0, 0), (5000, 0.0, 1)):
        at = Episode(0, "L1", "anode_effect_imminent", None, None, 25 * H - ahead_s * 10**6, 25 * H)
        judged = judge(record, events, [at])
        # While the label says that one is near, an early alarm is neither right nor false.
        assert prediction(judged)["recall"] == foretold, ahead_s
        assert len(judged.false) == false, ahead_s


def test_changes_are_told_apart_by_alarms_on_their_anode():
    changes = [Change(0, 5, 24 * H, True), Change(0, 6, 50 * H, False), Change(1, 5, 24 * H, False)]
    said = [alarm(30.0)._replace(score=1.5), alarm(51.0)._replace(score=9.0), alarm(60.0, "cell_hot", None)]
    assert change_scores(changes, said).tolist() == [1.5, 0.0, 0.0]
    assert change_scores(changes, [alarm(51.0, "", None)]).tolist() == [0.0, 1.0, 0.0]


# Laws. Alarms anywhere on two cells, events on both.

EVENTS = [slow(24.0), slow(100.0, anode=7), slow(60.0, anode=3, cell=1), slow(170.0, anode=9, cell=1)]
ALARMS = st.lists(
    st.builds(
        alarm,
        at_h=st.floats(0.0, 239.0),
        kind=st.sampled_from(["anode_slow_pickup", "anode_contact", "ledge_thinning"]),
        anode=st.sampled_from([3, 5, 7, 9]),
        cell=st.integers(0, 1),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(ALARMS, st.floats(62.0, 98.0))
def test_one_more_false_alarm_never_improves_anything(alarms: list[Episode], at_h: float):
    before, after = figures(EVENTS, alarms), figures(EVENTS, [*alarms, alarm(at_h, "anode_set_low", 1)])
    assert after["false_alarms"] == before["false_alarms"] + 1
    assert after["detected"] == before["detected"]
    family = FAMILIES["anode_change"]
    before, after = (figures(EVENTS, a, family) for a in (alarms, [*alarms, alarm(at_h, "anode_set_low", 1)]))
    if before["precision_at_natural_rate"] is not None:
        assert after["precision_at_natural_rate"] <= before["precision_at_natural_rate"]


@settings(max_examples=40, deadline=None)
@given(ALARMS)
def test_the_order_of_the_cells_decides_nothing(alarms: list[Episode]):
    record = cells(EVENTS)
    swapped = [record[1], record[0]]
    events = [e._replace(cell=1 - e.cell) for e in EVENTS]
    ours = row(judge(record, EVENTS, merged(alarms)), record, ALARM_KINDS, np.random.default_rng(1))
    theirs = row(
        judge(swapped, events, merged([a._replace(cell=1 - a.cell) for a in reversed(alarms)])),
        swapped,
        ALARM_KINDS,
        np.random.default_rng(1),
    )
    assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 12.0), st.floats(0.0, 1.0))
def test_an_earlier_alarm_in_the_window_is_never_worse(after_h: float, share: float):
    late = figures([slow()], [alarm(24.0 + after_h)])
    early = figures([slow()], [alarm(24.0 + share * after_h)])
    assert early["detected"] == late["detected"] == 1
    for name in ("delay_median_min", "delay_p90_min", "restricted_mean_time_to_detect_min"):
        assert early[name] <= late[name]
