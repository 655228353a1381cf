"""Anode changes as objects: logged or recognised, what became of each, and which were not made."""

from collections import deque
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.anode_rhythm import Rhythm
from models.base import CellLayout, FloatArray, IntArray

Verdict = Literal[
    "open", "on_time", "late", "set_high", "set_low", "slipped", "overloaded", "cracked", "poor_contact", "burnt_off",
    "spike", "unseen",
]  # fmt: skip
_MIN_US = 60_000_000
_HOUR_US = 60 * _MIN_US
#: Changes kept, a few weeks of a line.
_KEPT = 4000


class ChangeLimits(NamedTuple):
    """How a loss of current, the log and the rhythm of a cell are put together.

    Attributes
    ----------
    log_min
        An entry of the log belongs to a loss of current this near: log times are wrong by up to 20 min, and come late.
    patience_min
        So long an expected change may go without its entry.
    other_min
        So long an anode that the log names may show nothing before the entry counts as another anode's.
    new_frac
        A new anode carries less than this at first (0.03 to 0.1 of the mean); what carries more is still connected.
    dead_frac
        A rod that was dead before its anode was changed lives again above this share.
    missed_h
        Least lateness at which a change counts as missed.
    young_h
        Until this age an anode picks up.
    """

    log_min: float = 75.0
    patience_min: float = 60.0
    other_min: float = 15.0
    new_frac: float = 0.2
    dead_frac: float = 0.03
    missed_h: float = 3.0
    young_h: float = 30.0


class Change(NamedTuple):
    """One anode change; plain values only, so that it can be written as JSON (``_asdict``).

    Attributes
    ----------
    cell, anode
        Indices from 0.
    time_us
        When the anode was set, by its current where that was seen, otherwise by the log.
    logged
        Whether the log has it at this anode, be it late.
    recognised
        Whether its loss of current was seen.
    planned
        Whether the cell's rhythm expected it; None where no rhythm is known yet.
    corner
        Whether the anode stands at an end of its row.
    verdict
        ``open`` until something is known; ``unseen`` where the currents of its pick-up were not seen.
    known_us
        When the verdict was known; 0 while it is open.
    half_low_h, half_high_h
        Time to half load that was expected of a healthy anode, 95 of 100 times.
    half_load_h
        Time to half load; None where it was not seen, and while the anode is younger than 30 h.
    level_ratio
        Level against a healthy anode's of this cell; None as before.
    """

    cell: int
    anode: int
    time_us: int
    logged: bool
    recognised: bool
    planned: bool | None
    corner: bool
    verdict: Verdict = "open"
    known_us: int = 0
    half_low_h: float | None = None
    half_high_h: float | None = None
    half_load_h: float | None = None
    level_ratio: float | None = None


class Entry(NamedTuple):
    """An entry of the log that waits for its loss of current."""

    anode: int
    time_us: int
    known_us: int


class ChangeBook:
    """Which anode was changed when, in every cell, by currents, log and rhythm together.

    Parameters
    ----------
    layout
        Anodes, and the life of an anode.
    limits
        See `ChangeLimits`.
    """

    def __init__(self, layout: CellLayout, limits: ChangeLimits) -> None:
        self.limits = limits
        n_cells, width = len(layout.n_anodes), int(layout.n_anodes.max(initial=0))
        self.set_us: IntArray = np.zeros((n_cells, width), dtype=np.int64)
        self.logged_us: IntArray = np.zeros((n_cells, width), dtype=np.int64)
        self._rhythms = [
            Rhythm(int(n), float(life_h) / int(n) if n > 0 else float("nan"))
            for n, life_h in zip(layout.n_anodes, layout.anode_life_h, strict=True)
        ]
        self._waiting: dict[int, list[Entry]] = {}
        self._changes: deque[Change] = deque(maxlen=_KEPT)

    def age_h(self, time_us: int) -> FloatArray:
        """Hours since each anode was set, NaN where unknown, (n_cells, n_anodes_max)."""
        return np.where(self.set_us > 0, (time_us - self.set_us) / _HOUR_US, np.nan)

    def entries(
        self, time_us: int, log_age_h: FloatArray, believed: NDArray[np.bool_]
    ) -> list[tuple[int, int, int]]:
        """Read the log by the ages that follow from it; give what is believed at once: cell, anode and time.

        Parameters
        ----------
        time_us
            Now, UTC microseconds.
        log_age_h : (n_cells, n_anodes_max)
            Hours since the newest entry of each anode, NaN for none.
        believed : (n_cells,)
            Cells of which no current was seen yet: their log is believed.
        """
        known = np.isfinite(log_age_h)
        at_us = np.where(known, time_us - np.nan_to_num(log_age_h) * _HOUR_US, 0.0).astype(np.int64)
        new = np.argwhere(known & (np.abs(at_us - self.logged_us) > 2 * _MIN_US))
        at_once: list[tuple[int, int, int]] = []
        old_first = sorted(new.tolist(), key=lambda at: int(at_us[at[0], at[1]]))
        for cell, anode in old_first:
            when_us = int(at_us[cell, anode])
            self.logged_us[cell, anode] = when_us
            if believed[cell]:
                at_once.append((cell, anode, when_us))
            else:
                self._waiting.setdefault(cell, []).append(Entry(anode, when_us, time_us))
        return at_once

    def waiting(self) -> list[tuple[int, Entry]]:
        """Entries whose anode has not shown a change yet, with their cells."""
        return [(cell, entry) for cell, entries in self._waiting.items() for entry in entries]

    def drop(self, cell: int, entry: Entry) -> None:
        """An entry is settled, or was wrong."""
        self._waiting[cell].remove(entry)
        if not self._waiting[cell]:
            del self._waiting[cell]

    def entry_for(self, cell: int, anode: int, time_us: int) -> Entry | None:
        """The waiting entry that belongs to a loss of current, if there is one."""
        limit_us = self.limits.log_min * _MIN_US
        return next(
            (
                e
                for e in self._waiting.get(cell, [])
                if e.anode == anode and abs(e.time_us - time_us) <= limit_us
            ),
            None,
        )

    def named_instead(self, cell: int, anode: int, time_us: int, now_us: int) -> bool:
        """Whether the log has a change near this time at an anode that shows none."""
        limit_us, patience_us = self.limits.log_min * _MIN_US, self.limits.other_min * _MIN_US
        return any(
            e.anode != anode
            and abs(e.time_us - time_us) <= limit_us
            and now_us - max(e.known_us, e.time_us, time_us) >= patience_us
            for e in self._waiting.get(cell, [])
        )

    def expects(self, cell: int, anode: int, time_us: int) -> bool:
        """Whether the cell's rhythm makes a change of this anode no surprise."""
        return self._rhythms[cell].expects(anode, time_us)

    def changed(self, change: Change, listed: bool = True) -> None:
        """A change was made; one from before the record is learned from, and not listed."""
        cell, anode, time_us = change.cell, change.anode, change.time_us
        due = self._rhythms[cell].due
        planned = None if due is None else self._rhythms[cell].expects(anode, time_us)
        self.set_us[cell, anode] = time_us
        self._rhythms[cell].note(anode, time_us)
        if listed:
            self._changes.append(change._replace(planned=planned))

    def entered(self, cell: int, anode: int) -> None:
        """The newest change of an anode, recognised before, has its entry now."""
        self._replace(cell, anode, {"logged": True})

    def judged(self, cell: int, anode: int, verdict: Verdict, known_us: int) -> None:
        """Give the newest change of an anode its verdict; the first that is not ``open`` stands."""
        self._replace(cell, anode, {"verdict": verdict, "known_us": known_us})

    def measured(self, cell: int, anode: int, level: float | None, half_h: float | None) -> None:
        """Add what the whole pick-up showed."""
        self._replace(cell, anode, {"level_ratio": level, "half_load_h": half_h})

    def _replace(self, cell: int, anode: int, fields: dict[str, Any]) -> None:
        for k in range(len(self._changes) - 1, -1, -1):
            change = self._changes[k]
            if (change.cell, change.anode) == (cell, anode):
                if change.verdict == "open" or "verdict" not in fields:
                    self._changes[k] = change._replace(**fields)
                return

    def overdue(self, cell: int, time_us: int) -> dict[int, float]:
        """Lateness of anodes that should have been changed; 1 is the limit."""
        return self._rhythms[cell].overdue(time_us, self.limits.missed_h)

    def due_h(self, cell: int, time_us: int) -> float:
        """Hours since the next change was due, negative before; NaN where unknown."""
        due = self._rhythms[cell].due
        return float("nan") if due is None else (time_us - due.time_us) / _HOUR_US

    def verdicts(self) -> tuple[Change, ...]:
        """Changes in the order in which they became known, newest last."""
        return tuple(self._changes)
