"""Alarm stories, as an operator would tell them; time is injected, nobody sleeps."""

import numpy as np
import pytest

from edge.alarm_rules import Rule, Texts, load_texts
from edge.alarms import AlarmEngine, AlarmEvent, time_text
from models.base import Cause, Explanation, Scores
from models.registry import KINDS
from streams.messages import Operator
from streams.plant_file import Cell, Plant

T0 = 1_700_000_000_000_000
SCAN_S = 10.0
SCAN_US = 10_000_000


class Says:
    """A detector that explains itself with one figure."""

    name = "says"
    version = "says/1"
    kinds = ("anode_slow_pickup",)

    def update(self, view: object) -> tuple[Scores, ...]:
        return ()

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        return Explanation({"measured_frac": 0.123456789}, (Cause("set_high", 1.0),))


def rule(**changes: object) -> Rule:
    given: dict[str, object] = {
        "priority": 2,
        "on_delay_s": 30.0,
        "off_delay_s": 20.0,
        "title_en": "{cell} {anode}",
        "title_zh": "{cell}",
        "action_en": "do {anode}{side}",
        "action_zh": "做{side}",
    }
    return Rule(**(given | changes))  # pyright: ignore[reportArgumentType]


class Story:
    """Scans of one kind for cells with two slots each."""

    def __init__(
        self,
        n_cells: int = 1,
        kind: str = "anode_slow_pickup",
        slot: str = "anode",
        n_anodes: int = 2,
        **changes: object,
    ):
        cells = tuple(Cell(id=f"L1-{i + 1:03d}", line="L1", n_anodes=n_anodes) for i in range(n_cells))
        self.plant = Plant(site="s", time_zone="UTC", lines=("L1",), cells=cells)
        self.kind = kind
        self.slot = slot
        self.engine = AlarmEngine(self.plant, {kind: rule(**changes)})
        self.time_us = T0

    def scan(self, values: object, suppressed: object = None) -> list[AlarmEvent]:
        self.time_us += SCAN_US
        scores = Scores(self.kind, self.slot, np.array(values, dtype=float, ndmin=2))  # pyright: ignore[reportArgumentType]
        off = None if suppressed is None else np.array(suppressed)
        return self.engine.update(self.time_us, SCAN_S, [(Says(), scores)], off)  # pyright: ignore[reportArgumentType]

    def scans(self, values: object, count: int) -> list[AlarmEvent]:
        return [event for _ in range(count) for event in self.scan(values)]

    def order(self, verb: str, alarm_id: str, until_us: int = 0) -> list[AlarmEvent]:
        return self.engine.operate(Operator(self.time_us, verb, alarm_id, "Li Wei", until_us=until_us))


def told(events: list[AlarmEvent]) -> list[tuple[str, str]]:
    return [(event.transition, event.state) for event in events]


def test_raised_after_the_delay_and_cleared_after_it_with_one_id() -> None:
    story = Story()
    assert story.scans([1.5, 0.0], 2) == []
    raised = story.scan([1.5, 0.0])
    assert told(raised) == [("raise", "UNACK")]
    assert raised[0].anode == 1
    assert raised[0].cell == "L1-001"
    assert raised[0].evidence == {"measured_frac": 0.123457}
    assert raised[0].action == "do 1"
    assert raised[0].model == "says/1"
    assert story.scans([1.5, 0.0], 5) == []
    assert story.scan([0.1, 0.0]) == []
    cleared = story.scan([0.1, 0.0])
    assert told(cleared) == [("clear", "RTNUN")]
    assert cleared[0].id == raised[0].id
    assert told(story.order("ack", raised[0].id)) == [("ack", "NORM")]
    assert story.engine.live == {}


def test_between_the_limits_nothing_moves() -> None:
    story = Story()
    story.scans([1.5, 0.0], 3)
    assert story.scans([0.9, 0.0], 50) == []
    assert len(story.engine.live) == 1


def test_time_without_a_score_counts_for_nothing() -> None:
    story = Story()
    story.scans([1.5, 0.0], 2)
    assert story.scans([np.nan, np.nan], 100) == []
    assert told(story.scan([1.5, 0.0])) == [("raise", "UNACK")]
    assert story.scans([np.nan, np.nan], 100) == []


def test_a_dip_below_the_limit_starts_the_delay_again() -> None:
    story = Story()
    story.scans([1.5, 0.0], 2)
    story.scan([0.5, 0.0])
    assert story.scans([1.5, 0.0], 2) == []
    assert told(story.scan([1.5, 0.0])) == [("raise", "UNACK")]


def test_acknowledged_clears_to_normal_and_comes_back_with_a_new_id() -> None:
    story = Story()
    (first,) = story.scans([1.5, 0.0], 3)
    assert told(story.order("ack", first.id)) == [("ack", "ACKED")]
    assert story.order("ack", first.id) == []
    assert told(story.scans([0.0, 0.0], 2)) == [("clear", "NORM")]
    (second,) = story.scans([1.5, 0.0], 3)
    assert second.id != first.id


def test_shelved_alarm_returns_by_itself_when_its_time_is_over() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    assert story.order("shelve", raised.id, until_us=0) == []
    assert told(story.order("shelve", raised.id, until_us=story.time_us + 2 * SCAN_US)) == [
        ("shelve", "SHLVD")
    ]
    assert story.scan([1.5, 0.0]) == []
    assert told(story.scan([1.5, 0.0])) == [("unshelve", "UNACK")]


def test_shelved_alarm_whose_condition_ends_stays_shelved_until_its_time() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    story.order("shelve", raised.id, until_us=story.time_us + 5 * SCAN_US)
    assert told(story.scans([0.0, 0.0], 2)) == [("clear", "SHLVD")]
    assert told(story.scans([0.0, 0.0], 3)) == [("unshelve", "NORM")]


def test_what_comes_back_while_shelved_stays_on_the_shelf() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    story.order("shelve", raised.id, until_us=story.time_us + 8 * SCAN_US)
    assert told(story.scans([0.0, 0.0], 2)) == [("clear", "SHLVD")]
    (again,) = story.scans([1.5, 0.0], 3)
    assert (again.transition, again.state) == ("raise", "SHLVD")
    assert again.id != raised.id
    assert told(story.scans([1.5, 0.0], 3)) == [("unshelve", "UNACK")]


def test_what_comes_back_while_out_of_service_stays_out() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    story.order("out_of_service", raised.id)
    story.scans([0.0, 0.0], 3)
    (again,) = story.scans([1.5, 0.0], 3)
    assert (again.transition, again.state) == ("raise", "OOSRV")
    assert told(story.order("in_service", again.id)) == [("in_service", "UNACK")]


def test_out_of_service_and_back() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    assert told(story.order("out_of_service", raised.id)) == [("out_of_service", "OOSRV")]
    assert told(story.order("in_service", raised.id)) == [("in_service", "UNACK")]


def test_suppressed_by_design_is_journaled_but_not_announced() -> None:
    story = Story()
    events = [event for _ in range(3) for event in story.scan([1.5, 0.0], [True])]
    assert told(events) == [("raise", "DSUPR")]
    assert told(story.scan([1.5, 0.0], [False])) == [("unsuppress", "UNACK")]
    assert told(story.scan([1.5, 0.0], [True])) == [("suppress", "DSUPR")]


def test_an_order_for_an_unknown_alarm_changes_nothing() -> None:
    story = Story()
    assert story.order("ack", "nobody") == []


def test_nobody_acknowledged_for_a_day() -> None:
    story = Story()
    story.scans([1.5, 0.0], 3)
    story.scans([0.0, 0.0], 2)
    story.time_us += 86_400_000_000
    assert told(story.scan([0.0, 0.0])) == [("ack", "NORM")]


def test_most_of_the_line_silent_is_one_alarm() -> None:
    story = Story(6, "stream_silent", "cell", line_wide=True)
    silent = [[2.0], [2.0], [2.0], [2.0], [0.0], [0.0]]
    (raised,) = story.scans(silent, 3)
    assert (raised.cell, raised.line, raised.transition) == ("", "L1", "raise")
    assert raised.evidence["cells_in_alarm"] == 4
    assert told(story.scans([[0.0]] * 6, 3)) == [("clear", "RTNUN")]


def test_cells_still_silent_when_the_line_alarm_ends_get_alarms_of_their_own() -> None:
    story = Story(10, "stream_silent", "cell", line_wide=True)
    (line,) = story.scans([[2.0]] * 10, 3)
    assert story.scan([[2.0]] * 4 + [[0.0]] * 6) == []
    # The fourth cell has just come back: it is on its way to normal and raises nothing.
    events = story.scan([[2.0]] * 3 + [[0.0]] * 7)
    assert [(e.cell, e.transition) for e in events] == [
        ("", "clear"),
        ("L1-001", "raise"),
        ("L1-002", "raise"),
        ("L1-003", "raise"),
    ]
    assert events[0].id == line.id
    assert story.scans([[2.0]] * 3 + [[0.0]] * 7, 10) == []
    assert [e.cell for e in story.scans([[0.0]] * 10, 3)] == ["L1-001", "L1-002", "L1-003"]


def test_a_cell_that_hovers_below_the_limit_when_the_line_alarm_ends_is_not_forgotten() -> None:
    story = Story(10, "stream_silent", "cell", line_wide=True)
    story.scans([[2.0]] * 10, 3)
    events = story.scans([[0.9]] + [[0.0]] * 9, 2)
    assert [(e.cell, e.transition) for e in events] == [("", "clear"), ("L1-001", "raise")]


def test_stopped_cells_make_no_line_alarm() -> None:
    story = Story(10, "stream_silent", "cell", line_wide=True)
    stopped = [True] * 5 + [False] * 5
    silent = [[2.0]] * 5 + [[0.0]] * 5
    events = [event for _ in range(3) for event in story.scan(silent, stopped)]
    assert [(e.cell, e.state) for e in events] == [(f"L1-00{i}", "DSUPR") for i in range(1, 6)]


def test_size_of_the_line_is_its_running_cells() -> None:
    story = Story(10, "stream_silent", "cell", line_wide=True)
    stopped = [True] * 5 + [False] * 5
    silent = [[9.0]] + [[2.0]] * 7 + [[0.0]] * 2
    events = [event for _ in range(3) for event in story.scan(silent, stopped)]
    line, *cells = events
    assert (line.cell, line.state, line.score) == ("", "UNACK", 2.0)
    assert (line.evidence["cells_in_alarm"], line.evidence["cells_of_line"]) == (3, 5)
    assert [(e.cell, e.state) for e in cells] == [(f"L1-00{i}", "DSUPR") for i in range(1, 6)]
    # A cell stopped while the line alarm stands no longer hides behind it.
    events = story.scan(silent, [True] * 6 + [False] * 4)
    assert [(e.cell, e.transition, e.state) for e in events] == [
        ("", "clear", "RTNUN"),
        ("L1-006", "raise", "DSUPR"),
        ("L1-007", "raise", "UNACK"),
        ("L1-008", "raise", "UNACK"),
    ]


def test_two_silent_cells_are_two_alarms() -> None:
    story = Story(6, "stream_silent", "cell", line_wide=True)
    raised = story.scans([[2.0], [2.0], [0.0], [0.0], [0.0], [0.0]], 3)
    assert [event.cell for event in raised] == ["L1-001", "L1-002"]


def test_live_alarms_survive_new_software_and_still_clear() -> None:
    before = Story()
    (raised,) = before.scans([0.0, 1.5], 3)
    after = Story()
    assert after.engine.restore(list(before.engine.live.values()), T0) == []
    assert after.scans([0.0, 1.5], 5) == []
    cleared = after.scans([0.0, 0.0], 2)
    assert told(cleared) == [("clear", "RTNUN")]
    assert cleared[0].id == raised.id


def test_line_alarm_survives_new_software_and_still_clears() -> None:
    before = Story(6, "stream_silent", "cell", line_wide=True)
    before.scans([[2.0]] * 6, 3)
    after = Story(6, "stream_silent", "cell", line_wide=True)
    assert after.engine.restore(list(before.engine.live.values()), T0) == []
    # New software has heard of nobody yet, and that is no reason to call all well.
    assert after.scans([[np.nan]] * 6, 10) == []
    assert told(after.scans([[0.0]] * 6, 3)) == [("clear", "RTNUN")]


def alive(story: Story) -> list[tuple[str, int | None]]:
    return [(alarm.cell, alarm.anode) for alarm in story.engine.live.values()]


@pytest.mark.parametrize("already_scored", [False, True])
def test_what_the_plant_has_no_longer_is_cleared_at_the_restart(already_scored: bool) -> None:
    before = Story(3, n_anodes=3)
    before.scans([[1.5, 0.0, 1.5], [0.0, 1.5, 0.0], [0.0, 1.5, 1.5]], 3)
    before.order("shelve", "L1-003-anode_slow_pickup-a02-20231114T221350Z", until_us=before.time_us + 10**9)
    after = Story(2, n_anodes=2)
    if already_scored:
        after.scan([[0.0, 0.0]] * 2)
    events = after.engine.restore(list(before.engine.live.values()), T0 + 5)
    assert [(e.cell, e.anode) for e in events] == [("L1-001", 3), ("L1-003", 2), ("L1-003", 3)]
    assert set(told(events)) == {("clear", "NORM")}
    assert {(e.time, e.actor) for e in events} == {(time_text(T0 + 5), "potline")}
    assert alive(after) == [("L1-001", 1), ("L1-002", 2)]
    assert told(after.scans([[0.0, 0.0], [0.0, 0.0]], 2)) == [("clear", "RTNUN")] * 2


def test_kinds_lines_and_sides_that_are_gone_are_cleared_at_the_restart() -> None:
    silence = Story(6, "stream_silent", "cell", line_wide=True)
    silence.scans([[2.0]] * 6, 3)
    (line,) = silence.engine.live.values()
    walls = Story(1, "side_wall_hot", "side")
    walls.scans([2.0, 0.0, 0.0, 0.0], 3)
    (wall,) = walls.engine.live.values()
    assert wall.side is not None
    other = Story(6)
    events = other.engine.restore([line, wall], T0)
    assert [(e.kind, e.transition, e.action) for e in events] == [
        ("stream_silent", "clear", ""),
        ("side_wall_hot", "clear", ""),
    ]
    # The wall's thermocouples have been taken out; the rules still know the kind.
    assert told(Story(1, "side_wall_hot", "side").engine.restore([wall], T0)) == [("clear", "NORM")]
    no_longer_wide = Story(6, "stream_silent", "cell")
    assert told(no_longer_wide.engine.restore([line], T0)) == [("clear", "NORM")]


def test_an_alarm_that_new_software_scores_otherwise_is_cleared_at_the_first_scores() -> None:
    before = Story()
    (raised,) = before.scans([0.0, 1.5], 3)
    after = Story(slot="cell")
    assert after.engine.restore(list(before.engine.live.values()), T0) == []
    (gone,) = after.scan([[0.0]])
    assert (gone.id, gone.transition, gone.state) == (raised.id, "clear", "NORM")
    assert after.engine.live == {}


def test_an_alarm_of_a_cell_may_point_at_an_anode_and_survives_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pointing = Explanation({"sensor_number": 2.0}, (Cause("sensor_drift", 1.0),), anode=2)

    def explain(_self: Says, _kind: str, _cell: int, _slot: int) -> Explanation:
        return pointing

    monkeypatch.setattr(Says, "explain", explain)
    before = Story(kind="sensor_fault", slot="cell")
    (raised,) = before.scans([[1.5]], 3)
    assert (raised.anode, raised.side, raised.action) == (2, None, "do 2")
    after = Story(kind="sensor_fault", slot="cell")
    assert after.engine.restore(list(before.engine.live.values()), T0) == []
    (cleared,) = after.scans([[0.0]], 3)
    assert (cleared.id, cleared.transition, cleared.anode) == (raised.id, "clear", 2)


def test_a_live_alarm_keeps_its_newest_transition_in_the_language_of_the_day() -> None:
    story = Story()
    (raised,) = story.scans([1.5, 0.0], 3)
    (alarm,) = story.engine.live.values()
    assert alarm.last == raised
    (acked,) = story.order("ack", raised.id)
    assert alarm.last == acked
    chinese = AlarmEngine(story.plant, story.engine.rules, "zh")
    assert chinese.restore([alarm], T0) == []
    assert alarm.last is not None
    assert (alarm.last.transition, alarm.last.action) == ("ack", "做")
    alarm.last = None
    chinese.restore([alarm], T0)
    assert alarm.last is not None
    assert (alarm.last.transition, alarm.last.state, alarm.last.time) == ("raise", "ACKED", raised.time)


def test_every_scored_kind_has_a_rule_with_all_texts() -> None:
    texts: Texts = load_texts()
    assert set(KINDS) <= set(texts.kind)
    for kind, its_rule in texts.kind.items():
        assert 1 <= its_rule.priority <= 4, kind
        for language in ("en", "zh"):
            action = its_rule.action(language, "L1-007", 3, "down")
            assert "L1-007" in action, (kind, language)
            assert "{" not in action + its_rule.title(language, "L1-007", 3, "down")


@pytest.mark.parametrize(
    ("time_us", "text"),
    [(0, "1970-01-01T00:00:00.000000Z"), (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z")],
)
def test_time_text(time_us: int, text: str) -> None:
    assert time_text(time_us) == text
