"""The order and the rhythm in which the anodes of a cell are changed, learned from its own changes."""

import math
from statistics import median
from typing import NamedTuple

_HOUR_US = 3_600_000_000
#: Changes remembered of a cell.
_KEPT = 10


class Due(NamedTuple):
    """The next change: which anode (None where the order is not known) and when, UTC microseconds."""

    anode: int | None
    time_us: int


class Rhythm:
    """Learns from the changes of one cell which anode is next, and when.

    Anodes are changed every so many hours, each so many places from the one before (on 30 anodes for instance every
    seventh), so that neighbours are never young together. Both are read from pairs of changes; a change out of turn
    (after a burn-off) finds no partner and does not shift them.

    Parameters
    ----------
    n_anodes
        Anodes of the cell.
    interval_h
        Time between two changes by the plant's data, NaN where it does not say [h].
    """

    def __init__(self, n_anodes: int, interval_h: float) -> None:
        self.n_anodes = n_anodes
        self.interval_h = interval_h
        self.spread_h = 1.0
        #: Changes that came late and were passed over, with the time when they were due.
        self.skipped: dict[int, int] = {}
        self.due: Due | None = None
        self._changes: list[tuple[int, int]] = []
        self._trust = 1.0

    def note(self, anode: int, time_us: int) -> None:
        """Learn of a change.

        Parameters
        ----------
        anode
            Counted from 0.
        time_us
            UTC microseconds; changes may become known in any order.
        """
        if any(a == anode and abs(t - time_us) < 12 * _HOUR_US for t, a in self._changes):
            return
        before = self.due
        self.skipped.pop(anode, None)
        self._changes = sorted([*self._changes, (time_us, anode)])[-_KEPT:]
        self._learn()
        if before is None or before.anode is None or self.due is None:
            return
        if abs(time_us - before.time_us) < 0.3 * self.interval_h * _HOUR_US:
            self._trust += 0.25 * ((anode == before.anode) - self._trust)
        passed_over = self.due.time_us - before.time_us > 1.4 * self.interval_h * _HOUR_US
        if passed_over and not any(a == before.anode and t > before.time_us for t, a in self._changes):
            self.skipped[before.anode] = before.time_us

    def _learn(self) -> None:
        """Find the stride and interval that most pairs of changes agree on."""
        if math.isnan(self.interval_h):
            gaps_h = [
                (b[0] - a[0]) / _HOUR_US for a, b in zip(self._changes, self._changes[1:], strict=False)
            ]
            gaps_h = [gap for gap in gaps_h if gap > 1.0]
            if len(gaps_h) < 3:
                return
            self.interval_h = median(gaps_h)
        # The most common stride wins, of equals the latest; a pair may be two turns apart (one was missed).
        votes: dict[int, list[tuple[int, int, float]]] = {}
        for i, (t0, a0) in enumerate(self._changes):
            for t1, a1 in self._changes[i + 1 :]:
                turns = (t1 - t0) / _HOUR_US / self.interval_h
                if 0.6 <= turns <= 1.4:
                    votes.setdefault((a1 - a0) % self.n_anodes, []).append((t1, a1, turns))
        if not votes:
            self.due = None
            return
        stride = max(votes, key=lambda step: (len(votes[step]), max(t for t, _, _ in votes[step])))
        pairs = list(votes[stride])
        for i, (t0, a0) in enumerate(self._changes):
            for t1, a1 in self._changes[i + 1 :]:
                turns = (t1 - t0) / _HOUR_US / self.interval_h
                if 1.6 <= turns <= 2.4 and (a1 - a0) % self.n_anodes == 2 * stride % self.n_anodes:
                    pairs.append((t1, a1, turns / 2.0))
        if len(pairs) >= 4:
            typical = median(turns for _, _, turns in pairs)
            off_h = median(abs(turns - typical) for _, _, turns in pairs) * self.interval_h
            self.spread_h = min(max(1.5 * off_h, 0.5), 0.2 * self.interval_h)
            self.interval_h *= typical
        time_us, anode, _ = max(pairs)
        known = self._trust >= 0.5
        self.due = Due(
            (anode + stride) % self.n_anodes if known else None, time_us + round(self.interval_h * _HOUR_US)
        )

    def expects(self, anode: int, time_us: int) -> bool:
        """Whether a change of this anode now would be no surprise; True as long as nothing is known."""
        if self.due is None:
            return True
        if anode in self.skipped:
            return True
        off_h = (time_us - self.due.time_us) / _HOUR_US
        if self.due.anode is None:
            return abs(off_h) < 0.2 * self.interval_h
        # One that is due may come late by nearly a whole turn.
        return anode == self.due.anode and -0.3 * self.interval_h < off_h < 2.0 * self.interval_h

    def overdue(self, time_us: int, min_h: float) -> dict[int, float]:
        """Anodes that should have been changed, and how late they are in allowed latenesses.

        Parameters
        ----------
        time_us
            Now, UTC microseconds.
        min_h
            Least lateness that is never allowed [h].
        """
        late = {anode: 2.0 for anode, t in self.skipped.items() if time_us - t < 60 * _HOUR_US}
        if self.due is not None and self.due.anode is not None:
            allowed_h = min_h + 3.0 * self.spread_h
            late_h = (time_us - self.due.time_us) / _HOUR_US
            if 0.0 < late_h < 60.0:
                late[self.due.anode] = late_h / allowed_h
        return late
