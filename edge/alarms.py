"""Alarms by ISA-18.2 / IEC 62682: from scores to states, pure and in event time."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from edge.alarm_delays import Delays, Pair, pairs
from edge.alarm_rules import Rule
from models.base import Detector, Explanation, Scores, Slot
from streams.messages import Operator
from streams.plant_file import Plant
from twin.signals import SIDES

#: Codes of the states for databases that keep numbers only.
STATE_CODES = {"NORM": 0, "UNACK": 1, "ACKED": 2, "RTNUN": 3, "SHLVD": 4, "DSUPR": 5, "OOSRV": 6}
#: A line alarm stands for its cells when at least this share of them is in alarm at once, ...
LINE_SHARE = 0.5
#: ... and at least this many.
LINE_CELLS = 3
_DAY_US = 86_400_000_000


class AlarmEvent(Struct, frozen=True):
    """One transition of one alarm; the fields of ``alarms.jsonl`` in their order."""

    time: str
    id: str
    line: str
    cell: str
    kind: str
    anode: int | None
    side: str | None
    transition: str
    state: str
    priority: int
    score: float
    evidence: dict[str, float]
    causes: list[dict[str, float | str]]
    action: str
    model: str
    actor: str = ""
    comment: str = ""


class Alarm(Struct):
    """One alarm from raise to clear (and acknowledge).

    ``abnormal`` says whether the condition still holds, whatever the state is; ``last`` is the newest transition.
    """

    id: str
    kind: str
    line: str
    cell: str
    anode: int | None
    side: str | None
    state: str
    priority: int
    score: float
    raised_us: int
    evidence: dict[str, float]
    causes: list[dict[str, float | str]]
    model: str
    abnormal: bool = True
    until_us: int = 0
    cleared_us: int = 0
    last: AlarmEvent | None = None


#: Kind, line, cell and slot; an alarm of the line has neither cell nor slot.
Key = tuple[str, str, str, str]


def time_text(time_us: int) -> str:
    """ISO 8601 UTC with microseconds and ``Z``.

    Examples
    --------
    >>> time_text(1_700_000_000_123_456)
    '2023-11-14T22:13:20.123456Z'
    """
    seconds, micros = divmod(time_us, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{micros:06d}Z"


def _rounded(value: float) -> float:
    """Six significant digits: evidence is for people."""
    return float(f"{value:.6g}")


class AlarmEngine:
    """Turns scores into alarm transitions; on-delay and off-delay count observed time only.

    A slot is abnormal when its score is at least 1 and normal when it falls below the rule's ``clear_below``; between
    the two, and where the score is NaN, the delays stand still. Alarms of kinds marked ``line_wide`` become one alarm
    of the line when half of its cells (three or more) are abnormal together; suppressed cells do not count. Cells that
    are still abnormal when it ends get alarms of their own.

    Parameters
    ----------
    plant
        Names of lines and cells, in the order of the scores' first axis.
    rules
        One rule for every alarm kind that a detector may raise.
    language
        ``en`` or ``zh``: language of ``action`` in the events.
    """

    def __init__(self, plant: Plant, rules: dict[str, Rule], language: str = "en") -> None:
        self.plant = plant
        self.rules = rules
        self.language = language
        self.live: dict[Key, Alarm] = {}
        self.raised_total = 0
        self._conditions: dict[str, Delays] = {}
        self._line_cells = {
            line: np.array([i for i, c in enumerate(plant.cells) if c.line == line], dtype=np.int64)
            for line in plant.lines
        }
        self._line_of = [cell.line for cell in plant.cells]

    def update(
        self,
        time_us: int,
        scan_s: float,
        scored: Sequence[tuple[Detector, Scores]],
        suppressed: NDArray[np.bool_] | None = None,
    ) -> list[AlarmEvent]:
        """Take in the scores of one scan.

        Parameters
        ----------
        time_us
            End of the scan, UTC microseconds.
        scan_s
            Its length [s]; what the delays grow by.
        scored
            Detector and scores, in a fixed order.
        suppressed : (n_cells,) bool
            Cells whose alarms are suppressed by design (stopped, baking, starting up).

        Returns
        -------
        list of AlarmEvent
            Transitions in a fixed order.
        """
        off = np.zeros(len(self.plant.cells), dtype=np.bool_) if suppressed is None else suppressed
        events = self._expire(time_us)
        for detector, scores in scored:
            rule = self.rules[scores.kind]
            if scores.kind not in self._conditions:
                events += self._begin(time_us, scores)
            raised, ended = self._conditions[scores.kind].advance(scores.value, rule, scan_s)
            for cell, slot in ended:
                events += self._end(time_us, self._key(scores.kind, scores.slot, cell, slot))
            if rule.line_wide:
                line_events, raised = self._line_wide(time_us, detector, scores, rule, off)
                events += line_events
            for cell, slot in raised:
                events.append(self._raise(time_us, detector, scores, cell, slot, bool(off[cell])))
        if suppressed is not None:
            events += self._suppress(time_us, suppressed)
        return events

    def operate(self, order: Operator) -> list[AlarmEvent]:
        """Carry out what a person did; an order that does not fit the alarm's state changes nothing."""
        alarm = next((a for a in self.live.values() if a.id == order.alarm_id), None)
        if alarm is None:
            return []
        after = self._after_order(alarm, order)
        if after is None:
            return []
        alarm.state = after
        alarm.until_us = order.until_us if order.verb == "shelve" else 0
        event = self._event(order.time_us, alarm, order.verb, actor=order.actor, comment=order.comment)
        if after == "NORM":
            self._drop(alarm)
        return [event]

    def restore(self, live: Sequence[Alarm], time_us: int) -> list[AlarmEvent]:
        """Take over alarms that stood before a restart with new software; their conditions count as active.

        Parameters
        ----------
        live
            Every alarm that was live, acknowledged or not.
        time_us
            Of the events, UTC microseconds.

        Returns
        -------
        list of AlarmEvent
            A clear for each alarm whose kind, line, cell, anode or side there is no longer.
        """
        events: list[AlarmEvent] = []
        for alarm in live:
            slot = f"a{alarm.anode:02d}" if alarm.anode is not None else (alarm.side or "")
            # An alarm of the whole cell may point at a place, but only a slot stands in the id.
            slot = slot if f"-{alarm.kind}-{slot}-" in alarm.id else ""
            key = (alarm.kind, alarm.line, alarm.cell, slot)
            self.live[key] = alarm
            condition = self._conditions.get(alarm.kind)
            if not self._exists(alarm) or not (condition is None or self._latch(key, condition)):
                events.append(self._retire(time_us, key))
                continue
            last = alarm.last
            if last is None or last.state != alarm.state:
                last = self._event(
                    alarm.cleared_us or alarm.raised_us, alarm, ("clear", "raise")[alarm.abnormal]
                )
            # Texts and language may be new as well.
            alarm.last = structs.replace(last, action=self._action(alarm))
        return events

    def conditions_active(self, kind: str) -> NDArray[np.bool_] | None:
        """Latched conditions of a kind, (n_cells, n_slots); None before its first scores."""
        condition = self._conditions.get(kind)
        return None if condition is None else condition.active.copy()

    def _exists(self, alarm: Alarm) -> bool:
        """Whether rules and plant still know what an alarm is about."""
        rule = self.rules.get(alarm.kind)
        if rule is None or alarm.line not in self._line_cells:
            return False
        if not alarm.cell:
            return rule.line_wide
        if self.plant.line_of.get(alarm.cell) != alarm.line:
            return False
        cell = self.plant.cells[self.plant.cell_index[alarm.cell]]
        if alarm.anode is not None:
            return alarm.anode <= cell.n_anodes
        return alarm.side is None or alarm.side in cell.shell_sides[: cell.n_shell]

    def _retire(self, time_us: int, key: Key) -> AlarmEvent:
        """End an alarm that nothing can clear any more, whatever its state."""
        alarm = self.live.pop(key)
        alarm.state, alarm.abnormal, alarm.cleared_us = "NORM", False, time_us
        return self._event(time_us, alarm, "clear", actor="potline", comment="is no longer part of the plant")

    def _begin(self, time_us: int, scores: Scores) -> list[AlarmEvent]:
        """First scores of a kind: latch what was restored, and end what these scores have no place for."""
        condition = Delays(scores.slot, scores.value.shape)
        self._conditions[scores.kind] = condition
        homeless = [key for key in self.live if key[0] == scores.kind and not self._latch(key, condition)]
        return [self._retire(time_us, key) for key in homeless]

    def _latch(self, key: Key, condition: Delays) -> bool:
        """Count the condition of a live alarm as active; False where the kind has no such slot."""
        kind, line, cell_id, slot = key
        abnormal = self.live[key].abnormal
        if not cell_id:
            # The cells of a line alarm have none of their own, and which were silent is not known any more.
            condition.active[self._line_cells[line]] |= abnormal
            return True
        cell, column = self.plant.cell_index[cell_id], _slot_index(slot)
        if column >= condition.active.shape[1] or self._key(kind, condition.slot, cell, column) != key:
            return False
        condition.active[cell, column] |= abnormal
        return True

    def _line_wide(
        self, time_us: int, detector: Detector, scores: Scores, rule: Rule, off: NDArray[np.bool_]
    ) -> tuple[list[AlarmEvent], list[Pair]]:
        """Begin and end line alarms; give the slots that need an alarm of their own.

        Those are the slots whose condition is active, without an alarm, and for which no line alarm stands.
        """
        events: list[AlarmEvent] = []
        value, active = scores.value, self._conditions[scores.kind].active
        # What has fallen below the limit but not for long enough is about to end, and not worth an alarm.
        standing = pairs(active & (value >= rule.clear_below))
        alone = [pair for pair in standing if not self._told(scores, *pair)]
        raised = [pair for pair in alone if off[pair[0]]]
        for line, members in self._line_cells.items():
            cells = members[~off[members]]
            mine = [pair for pair in alone if self._line_of[pair[0]] == line and not off[pair[0]]]
            enough = max(LINE_CELLS, LINE_SHARE * len(cells))
            high = (value[cells] >= 1.0).any(axis=1)
            key = (scores.kind, line, "", "")
            alarm = self.live.get(key)
            if alarm is not None and alarm.abnormal:
                # With the latched ones, or it would end before the off-delay of the cells that came back.
                if int((high | active[cells].any(axis=1)).sum()) < enough:
                    events += self._end(time_us, key)
                    raised += mine
            elif mine and int(high.sum()) >= enough:
                row, slot = divmod(int(np.nanargmax(value[cells])), value.shape[1])
                explained = detector.explain(scores.kind, int(cells[row]), slot)
                evidence = {"cells_in_alarm": float(high.sum()), "cells_of_line": float(len(cells))}
                evidence |= explained.evidence
                score = float(value[cells[row], slot])
                told = Explanation(evidence, explained.causes)
                alarm = self._new(time_us, key, rule, detector, score, told)
                events.append(self._event(time_us, alarm, "raise"))
            else:
                raised += mine
        return events, sorted(raised)

    def _told(self, scores: Scores, cell: int, slot: int) -> bool:
        """Whether an alarm of its own stands for an active slot."""
        alarm = self.live.get(self._key(scores.kind, scores.slot, cell, slot))
        return alarm is not None and alarm.abnormal

    def _raise(
        self, time_us: int, detector: Detector, scores: Scores, cell: int, slot: int, suppressed: bool
    ) -> AlarmEvent:
        explained: Explanation = detector.explain(scores.kind, cell, slot)
        key = self._key(scores.kind, scores.slot, cell, slot)
        alarm = self._new(
            time_us,
            key,
            self.rules[scores.kind],
            detector,
            float(scores.value[cell, slot]),
            explained,
        )
        if suppressed and alarm.state == "UNACK":
            alarm.state = "DSUPR"
        return self._event(time_us, alarm, "raise")

    def _new(
        self,
        time_us: int,
        key: Key,
        rule: Rule,
        detector: Detector,
        score: float,
        explained: Explanation,
    ) -> Alarm:
        """Begin an alarm; it takes the place of one that returned to normal, and its shelf where it lay on one."""
        kind, line, cell, slot = key
        before = self.live.get(key)
        kept = before if before is not None and before.state in ("SHLVD", "OOSRV") else None
        self.raised_total += 1
        stamp = time_text(time_us)[:19].replace("-", "").replace(":", "")
        alarm = Alarm(
            id="-".join(part for part in (cell or line, kind, slot, stamp + "Z") if part),
            kind=kind,
            line=line,
            cell=cell,
            anode=int(slot[1:]) if slot.startswith("a") and slot[1:].isdigit() else explained.anode,
            side=slot if slot in SIDES else explained.side,
            state="UNACK" if kept is None else kept.state,
            until_us=0 if kept is None else kept.until_us,
            priority=rule.priority,
            score=_rounded(score),
            raised_us=time_us,
            evidence={name: _rounded(figure) for name, figure in explained.evidence.items()},
            causes=[{"cause": c.cause, "weight": _rounded(c.weight)} for c in explained.causes],
            model=detector.version,
        )
        self.live[key] = alarm
        return alarm

    def _end(self, time_us: int, key: Key) -> list[AlarmEvent]:
        """The condition has ended: clear what stands for it."""
        alarm = self.live.get(key)
        if alarm is None or not alarm.abnormal:
            return []
        alarm.abnormal = False
        alarm.cleared_us = time_us
        if alarm.state == "UNACK":
            alarm.state = "RTNUN"
        elif alarm.state in ("ACKED", "DSUPR"):
            alarm.state = "NORM"
        event = self._event(time_us, alarm, "clear")
        if alarm.state == "NORM":
            self._drop(alarm)
        return [event]

    def _suppress(self, time_us: int, suppressed: NDArray[np.bool_]) -> list[AlarmEvent]:
        """Suppress and release alarms as their cells stop, start up and come to normal operation."""
        events: list[AlarmEvent] = []
        for alarm in sorted(self.live.values(), key=lambda a: a.id):
            if not alarm.cell:
                continue
            off = bool(suppressed[self.plant.cell_index[alarm.cell]])
            if off and alarm.state in ("UNACK", "ACKED"):
                alarm.state = "DSUPR"
                events.append(self._event(time_us, alarm, "suppress"))
            elif not off and alarm.state == "DSUPR":
                alarm.state = "UNACK"
                events.append(self._event(time_us, alarm, "unsuppress"))
        return events

    def _expire(self, time_us: int) -> list[AlarmEvent]:
        """End shelves whose time has come; take off the list what returned to normal a day ago unacknowledged."""
        events: list[AlarmEvent] = []
        for alarm in list(self.live.values()):
            if alarm.state == "SHLVD" and 0 < alarm.until_us <= time_us:
                alarm.state = "UNACK" if alarm.abnormal else "NORM"
                alarm.until_us = 0
                events.append(
                    self._event(time_us, alarm, "unshelve", actor="potline", comment="shelve time is over")
                )
            elif alarm.state == "RTNUN" and alarm.cleared_us + _DAY_US <= time_us:
                alarm.state = "NORM"
                events.append(self._event(time_us, alarm, "ack", actor="potline", comment="normal for a day"))
            if alarm.state == "NORM":
                self._drop(alarm)
        return events

    def _after_order(self, alarm: Alarm, order: Operator) -> str | None:
        """State after an order, or None where the order does not fit."""
        released = "UNACK" if alarm.abnormal else "NORM"
        match order.verb, alarm.state:
            case "ack", "UNACK":
                return "ACKED"
            case "ack", "RTNUN":
                return "NORM"
            case "shelve", ("UNACK" | "ACKED" | "RTNUN") if order.until_us > order.time_us:
                return "SHLVD"
            case "unshelve", "SHLVD":
                return released
            case "out_of_service", state if state != "OOSRV":
                return "OOSRV"
            case "in_service", "OOSRV":
                return released
            case _:
                return None

    def _event(
        self, time_us: int, alarm: Alarm, transition: str, *, actor: str = "", comment: str = ""
    ) -> AlarmEvent:
        event = AlarmEvent(
            time=time_text(time_us),
            id=alarm.id,
            line=alarm.line,
            cell=alarm.cell,
            kind=alarm.kind,
            anode=alarm.anode,
            side=alarm.side,
            transition=transition,
            state=alarm.state,
            priority=alarm.priority,
            score=alarm.score,
            evidence=alarm.evidence,
            causes=alarm.causes,
            action=self._action(alarm),
            model=alarm.model,
            actor=actor,
            comment=comment,
        )
        alarm.last = event
        return event

    def _action(self, alarm: Alarm) -> str:
        """What to do; nothing where the rules know the kind no longer."""
        rule = self.rules.get(alarm.kind)
        where = alarm.cell or alarm.line
        return "" if rule is None else rule.action(self.language, where, alarm.anode, alarm.side)

    def _key(self, kind: str, of: Slot, cell: int, slot: int) -> Key:
        name = {"cell": "", "anode": f"a{slot + 1:02d}", "side": SIDES[slot] if of == "side" else ""}
        return (kind, self._line_of[cell], self.plant.cells[cell].id, name[of])

    def _drop(self, alarm: Alarm) -> None:
        key = next(key for key, other in self.live.items() if other is alarm)
        del self.live[key]


def _slot_index(slot: str) -> int:
    """Column of a slot name as ``AlarmEngine`` writes it."""
    if slot in SIDES:
        return SIDES.index(slot)
    return int(slot[1:]) - 1 if slot else 0
