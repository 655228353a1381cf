"""Anodes: their changes and their condition, from the currents, the log and the rhythm of the cell."""

import numpy as np

from models import anode_story as story
from models.anode_change import Change, ChangeBook, ChangeLimits, Verdict
from models.anode_explaining import AnodeFacts, weigh
from models.anode_features import feature_step, forget, new_features
from models.anode_pickup import (
    BIN_H,
    BINS,
    HIGH,
    LATE,
    LOW,
    PickupLimits,
    expected_half_h,
    new_pickups,
    pickup_step,
    restart,
)
from models.base import CellLayout, Explanation, FloatArray, Scores, View
from models.explaining import explanation
from twin.signals import SCALAR_READINGS

_LINE = SCALAR_READINGS.index("line_current_A")
_MINUTE_S, _SILENT_S = 59.0, 600.0
_MIN_US, _HOUR_US = 60_000_000, 3_600_000_000
#: A change that nobody logged stands as an alarm for so long unless an entry comes; young enough to be entered.
_UNREPORTED_H = 24.0
#: A pick-up that has come so near a healthy one is no longer odd.
_CAUGHT_UP_FRAC = 0.93
#: An anode in trouble is changed out of turn: its loss of current within this time is no surprise.
_TROUBLE_H = 24.0
#: First half hour of a pick-up that says something.
_JUDGED_FROM = 6
#: Half hours after it without which nothing is known of a pick-up: two thirds.
_ENOUGH = 2 * (BINS - _JUDGED_FROM) // 3
_PICKUP_KINDS = {"anode_slow_pickup": LATE, "anode_set_high": HIGH, "anode_set_low": LOW}
_PICKUP_VERDICTS: dict[int, Verdict] = {LATE: "late", HIGH: "set_high", LOW: "set_low"}
_STORY_VERDICTS: dict[int, Verdict] = {
    story.SLIP: "slipped",
    story.SPIKE: "spike",
    story.BURNOFF: "burnt_off",
    story.CRACKED: "cracked",
    story.OVERLOAD: "overloaded",
    story.CONTACT: "poor_contact",
}
_CHANGE_KINDS = ("anode_change_unreported", "anode_change_missed", *_PICKUP_KINDS)


class Anodes:
    """Follows every anode from its change to the next: recognised, logged or missed; picked up; slipped, burnt off.

    Scores rest on minutes: a minute without rod currents changes none, and cells without them are not judged. Shares
    are taken relative to what settled anodes have in common, so that a young or faulty anode does not make the
    others odd. An anode has one story at a time, and a story one name; a current that the sum of the rods
    contradicts belongs to an instrument and is not scored here.

    Parameters
    ----------
    layout
        Instruments of the cells.
    story_limits, change_limits, pickup_limits
        See there.

    Notes
    -----
    Signatures: physics reference 5.1, 5.3 and 5.4 (knowledge of low to medium confidence, not calibrated on plant
    data). A slip and a sudden short differ in noise alone, as do a crack and a sudden loss of contact: the smaller
    the change of current, the less sure its name. Noise needs rod currents every 10 s or so; with slower ones names
    go by shape.
    """

    name = "anodes"
    version = "anodes/1"
    kinds = (*_CHANGE_KINDS, *story.KINDS)

    def __init__(
        self,
        layout: CellLayout,
        story_limits: story.StoryLimits | None = None,
        change_limits: ChangeLimits | None = None,
        pickup_limits: PickupLimits | None = None,
    ) -> None:
        self.story_limits = story.StoryLimits() if story_limits is None else story_limits
        self.pickup_limits = PickupLimits() if pickup_limits is None else pickup_limits
        self.limits = ChangeLimits() if change_limits is None else change_limits
        n_cells, width = len(layout.n_anodes), int(layout.n_anodes.max(initial=0))
        self._n = layout.n_anodes.astype(np.int64)
        half = np.maximum(self._n // 2, 1)[:, None]
        self._corner = (np.arange(width)[None, :] % half == 0) | (
            np.arange(width)[None, :] % half == half - 1
        )
        self._exists = np.arange(width)[None, :] < self._n[:, None]
        self._features = new_features(n_cells, width)
        self._stories = story.new_stories(n_cells, width)
        self._pickups = new_pickups(n_cells, width, self.pickup_limits)
        self._book = ChangeBook(layout, self.limits)
        self._settled = np.ones((n_cells, width), dtype=np.bool_)
        self._heard = np.zeros(n_cells, dtype=np.bool_)
        self._clock_s = 0.0
        self._time_us = 0
        self._trouble_us = np.zeros((n_cells, width), dtype=np.int64)
        self._unreported_us = np.zeros((n_cells, width), dtype=np.int64)
        self._named_instead = np.zeros((n_cells, width), dtype=np.bool_)
        self._awaited = np.zeros((n_cells, width), dtype=np.bool_)
        self._unmeasured = np.zeros((n_cells, width), dtype=np.bool_)
        #: Rods that read nothing before their anode was changed, and still do.
        self._dead_rod = np.zeros((n_cells, width), dtype=np.bool_)
        self._late = np.zeros((n_cells, width))
        #: What a pick-up was first called, -1 for nothing yet: one change, one alarm.
        self._called = np.full((n_cells, width), -1, dtype=np.int64)
        self._superheat_C = np.full(n_cells, np.nan)
        self._mean_A = np.full(n_cells, np.nan)
        self._value = np.full((len(self.kinds), n_cells, width), np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every anode."""
        width = self._exists.shape[1]
        current_A = np.ascontiguousarray(view.anode_current_A[:, :width])
        quiet = (self._stories.phase == story.QUIET) & self._settled
        feature_step(
            self._features,
            self._n,
            current_A,
            view.scalar[_LINE],
            view.voltage_high_V,
            float(view.scan_s),
            quiet,
        )
        self._clock_s += view.scan_s
        if self._clock_s >= _MINUTE_S:
            self._clock_s = 0.0
            self._minute(view)
        return tuple(
            Scores(kind, "anode", value.copy()) for kind, value in zip(self.kinds, self._value, strict=True)
        )

    def verdicts(self) -> tuple[Change, ...]:
        """Anode changes of the last weeks with what became of them, in the order in which they became known."""
        return self._book.verdicts()

    def _minute(self, view: View) -> None:
        """Everything that goes by minutes."""
        f, s, now_us = self._features, self._stories, view.time_us
        self._time_us = now_us
        heat_C = view.estimate.superheat_C
        self._superheat_C = np.where(np.isfinite(heat_C), heat_C, self._superheat_C)
        self._mean_A = f.usual_A.copy()
        log_age_h = view.anode_age_h[:, : self._exists.shape[1]]
        for cell, anode, at_us in self._book.entries(now_us, log_age_h, ~self._heard):
            self._renew(cell, anode, at_us, logged=True, seen=False)
        self._heard |= f.tick_s > 0.0
        age_h = self._book.age_h(now_us)
        young = age_h < self.limits.young_h
        fresh = age_h < 24.0
        near = np.zeros_like(fresh)
        near[:, 1:] |= fresh[:, :-1]
        near[:, :-1] |= fresh[:, 1:]
        story.story_step(f, s, self._n, young, near & ~fresh, self.story_limits)
        self._trouble_us[s.phase == story.TOLD] = now_us
        self._log(now_us)
        for cell, anode in np.argwhere(story.without_current(f, s, self.story_limits)).tolist():
            if f.tick_s[cell] > 0.0:
                self._lost(cell, anode, now_us)
        age_h = self._book.age_h(now_us)
        self._settled = ~(age_h < self.limits.young_h)
        self._dead_rod &= ~(f.y3 > self.limits.dead_frac)
        carries = (
            np.isfinite(f.y1) & (s.phase != story.OPEN) & (s.phase != story.INSTRUMENT) & ~self._dead_rod
        )
        seen = np.where(carries, f.y10, np.nan)
        pickup_step(self._pickups, age_h, seen, f.tick_s, self._n, self._corner, self.pickup_limits)
        self._late[:] = 0.0
        for cell in np.flatnonzero(self._heard).tolist():
            for anode, late in self._book.overdue(cell, now_us).items():
                self._late[cell, anode] = late
        self._score(age_h, now_us)
        self._judge(age_h, now_us)

    def _renew(self, cell: int, anode: int, time_us: int, logged: bool, seen: bool) -> None:
        """Another anode stands in this place."""
        corner = bool(self._corner[cell, anode])
        low_h, high_h = expected_half_h(self._pickups, cell, corner, self.pickup_limits)
        listed = self._time_us - time_us < self.limits.young_h * _HOUR_US
        change = Change(
            cell, anode, time_us, logged, seen, None, corner, half_low_h=low_h, half_high_h=high_h
        )
        self._book.changed(change, listed)
        s = self._stories
        dead = s.phase[cell, anode] == story.INSTRUMENT
        dead = dead and s.lowest[cell, anode] < self.story_limits.open_frac * s.pre[cell, anode]
        self._dead_rod[cell, anode] |= bool(dead)
        forget(self._features, cell, anode)
        story.quieten(self._stories, cell, anode)
        restart(self._pickups, cell, anode)
        self._trouble_us[cell, anode] = 0
        self._unreported_us[cell, anode] = 0
        self._awaited[cell, anode] = self._unmeasured[cell, anode] = listed
        self._called[cell, anode] = -1

    def _lost(self, cell: int, anode: int, now_us: int) -> None:
        """Decide what an anode is that lost its current: changed, changed without an entry, burnt off, or a rod."""
        s, lim, book = self._stories, self.limits, self._book
        minutes = float(s.minutes[cell, anode])
        lost_us = now_us - round(minutes * _MIN_US)
        entry = book.entry_for(cell, anode, lost_us)
        if entry is not None:
            book.drop(cell, entry)
            self._renew(cell, anode, lost_us, logged=True, seen=True)
            return
        if minutes < self.story_limits.open_min:
            return
        odds = float(s.llr[cell, anode])
        if abs(odds) < self.story_limits.rod_llr and minutes < self.story_limits.rod_min:
            return
        if odds > 0.0:
            s.phase[cell, anode] = story.INSTRUMENT
            return
        s.phase[cell, anode] = story.OPEN
        low = float(s.lowest[cell, anode]) <= lim.new_frac
        in_trouble = now_us - self._trouble_us[cell, anode] < _TROUBLE_H * _HOUR_US
        if not low or not (in_trouble or book.expects(cell, anode, lost_us)):
            self._burnt_off(cell, anode)
        elif book.named_instead(cell, anode, lost_us, now_us) or minutes >= lim.patience_min:
            instead = book.named_instead(cell, anode, lost_us, now_us)
            self._renew(cell, anode, lost_us, logged=False, seen=True)
            self._unreported_us[cell, anode] = now_us
            self._named_instead[cell, anode] = instead

    def _burnt_off(self, cell: int, anode: int) -> None:
        self._stories.phase[cell, anode] = story.TOLD
        self._stories.kind[cell, anode] = story.BURNOFF

    def _log(self, now_us: int) -> None:
        """Settle entries of the log whose anode did not just lose its current."""
        f, s, book, lim = self._features, self._stories, self._book, self.limits
        for cell, entry in book.waiting():
            j = entry.anode
            waited_min = (now_us - max(entry.time_us, entry.known_us)) / _MIN_US
            told_off = s.phase[cell, j] == story.TOLD and s.kind[cell, j] == story.BURNOFF
            if abs(int(book.set_us[cell, j]) - entry.time_us) <= lim.log_min * _MIN_US:
                # Recognised before it was entered.
                self._unreported_us[cell, j] = 0
                book.entered(cell, j)
                book.drop(cell, entry)
            elif s.phase[cell, j] == story.OPEN and book.entry_for(cell, j, now_us - 60_000_000) is not None:
                continue
            else:
                unseen = f.gap_s[cell] > _SILENT_S or np.isnan(f.y3[cell, j])
                low = f.y3[cell, j] < 0.5 and (now_us - entry.time_us) / _MIN_US > lim.log_min
                believed = bool(told_off or unseen or low)
                if believed or waited_min > lim.log_min:
                    book.drop(cell, entry)
                if believed:
                    self._renew(cell, j, entry.time_us, logged=True, seen=not unseen)

    def _score(self, age_h: FloatArray, now_us: int) -> None:
        """Scores of this minute."""
        f, s, p = self._features, self._stories, self._pickups
        known = self._exists & np.isfinite(f.y3) & (f.gap_s <= _SILENT_S)[:, None]
        nan = np.where(known, 0.0, np.nan)
        away = s.now > np.maximum(0.04, self.story_limits.back_frac * s.peak)
        told = (s.phase == story.TOLD) & (away | (s.kind == story.BURNOFF))
        size = 1.0 + np.clip(s.now, 0.0, 1.0)
        first = len(_CHANGE_KINDS)
        for code in range(len(story.KINDS)):
            self._value[first + code] = nan + np.where(told & (s.kind == code), size, 0.0)
        watched = s.phase == story.WATCHED
        for code, up in ((story.SLIP, True), (story.CONTACT, False)):
            mine = watched & ((s.direction > 0.0) == up)
            self._value[first + code] = np.where(mine & known, 0.5, self._value[first + code])
        standing = self._unreported_us > 0
        standing &= now_us - self._unreported_us < _UNREPORTED_H * _HOUR_US
        self._value[0] = nan + np.where(standing, 1.2, 0.0)
        self._value[1] = nan + np.minimum(self._late, 2.0)
        # Too little current too late: that it is odd is known before it is known why.
        odds = np.nan_to_num(p.odds, nan=-np.inf)
        short = np.logaddexp(odds[LATE], odds[HIGH]) - np.log(2.0)
        low = odds[LOW] > short
        surest = np.clip(np.where(low, odds[LOW], short) / self.pickup_limits.odds_ln, 0.0, 3.0)
        best = np.where(low, LOW, np.where(odds[HIGH] > odds[LATE], HIGH, LATE))
        name_now = (surest >= 1.0) & (self._called < 0)
        self._called = np.where(name_now, best, self._called)
        best = np.where(self._called >= 0, self._called, best)
        bins = np.clip(np.nan_to_num(age_h) / BIN_H - 1.0, 0, BINS - 1).astype(np.int64)
        ratio = f.y10 / np.take_along_axis(p.shape, bins, axis=1)
        caught_up = np.where(best == LOW, ratio < 2.0 - _CAUGHT_UP_FRAC, ratio > _CAUGHT_UP_FRAC)
        over = ~(age_h < self.limits.young_h) | caught_up | (s.phase == story.OPEN)
        for k, code in enumerate(_PICKUP_KINDS.values()):
            value = np.where(best == code, surest, np.minimum(surest, 0.7))
            self._value[2 + k] = nan + np.where(over, 0.0, value)
            self._value[2 + k][~np.isfinite(age_h)] = np.nan

    def _judge(self, age_h: FloatArray, now_us: int) -> None:
        """Verdicts of the changes that wait for one."""
        s, p = self._stories, self._pickups
        troubled = (s.phase == story.TOLD) & (s.kind != story.NONE)
        ripe = troubled | (self._called >= 0) | (age_h >= self.limits.young_h)
        for cell, anode in np.argwhere(self._awaited & ripe).tolist():
            verdict: Verdict = "on_time"
            if self._called[cell, anode] >= 0:
                verdict = _PICKUP_VERDICTS[int(self._called[cell, anode])]
            elif troubled[cell, anode]:
                verdict = _STORY_VERDICTS[int(s.kind[cell, anode])]
            elif np.isfinite(p.seen[cell, anode, _JUDGED_FROM:]).sum() < _ENOUGH:
                verdict = "unseen"
            self._book.judged(cell, anode, verdict, now_us)
            self._awaited[cell, anode] = False
        for cell, anode in np.argwhere(self._unmeasured & (age_h >= self.limits.young_h)).tolist():
            # The first half hours still hold the means of the anode before.
            half = np.flatnonzero(p.seen[cell, anode, 2:] >= 0.5) + 2
            seen = len(half) > 0 and np.isfinite(p.seen[cell, anode, half[0] - 1])
            half_h = BIN_H * (float(half[0]) + 1.0) if seen else None
            level = float(np.exp(p.level_ln[cell, anode]))
            self._book.measured(cell, anode, level if np.isfinite(level) else None, half_h)
            self._unmeasured[cell, anode] = False

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        f, s, p = self._features, self._stories, self._pickups
        age_h = float(self._book.age_h(self._time_us)[cell, slot])
        share = float(f.y10[cell, slot])
        evidence = {"share_frac": share, "mean_anode_current_A": float(self._mean_A[cell]), "age_h": age_h}
        evidence["superheat_C"] = float(self._superheat_C[cell])
        facts = AnodeFacts(
            age_h=age_h,
            corner=bool(self._corner[cell, slot]),
            superheat_C=float(self._superheat_C[cell]),
            sudden=bool(s.sudden[cell, slot] > 0.0),
            noise_llr=float(s.llr[cell, slot]),
            returns=float(s.returns[cell, slot]),
            peak_frac=float(s.peak[cell, slot]),
            named_instead=bool(self._named_instead[cell, slot]),
        )
        if kind in _PICKUP_KINDS:
            code = _PICKUP_KINDS[kind]
            bin_ = int(np.clip(np.nan_to_num(age_h) / BIN_H - 1.0, 0, BINS - 1))
            evidence |= {
                "expected_share_frac": float(p.shape[cell, bin_]),
                "time_stretch_ratio": float(np.exp(p.time_ln[cell, slot])),
                "level_ratio": float(np.exp(p.level_ln[cell, slot])),
                "log_odds": float(p.odds[code, cell, slot]),
                "healthy_changes_known": float(p.healthy[cell]),
            }
        elif kind == "anode_change_missed":
            evidence["since_due_h"] = self._book.due_h(cell, self._time_us)
        elif kind == "anode_change_unreported":
            evidence["since_noticed_h"] = (
                (self._time_us - float(self._unreported_us[cell, slot])) / _HOUR_US
                if self._unreported_us[cell, slot]
                else np.nan
            )
        elif s.phase[cell, slot] != story.QUIET:
            evidence |= {
                "share_before_frac": float(s.pre[cell, slot]),
                "departure_frac": float(s.now[cell, slot] * s.direction[cell, slot]),
                "largest_departure_frac": float(s.peak[cell, slot]),
                "since_h": float(s.minutes[cell, slot]) / 60.0,
                "noise_log_odds": float(s.llr[cell, slot]),
                "returns": float(s.returns[cell, slot]),
            }
        else:
            evidence["own_level_frac"] = float(f.base[cell, slot])
        return explanation(evidence, weigh(kind, facts))
