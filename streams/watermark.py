"""How far event time has come, from what the cells say: wrong clocks and old messages do not decide it."""

#: Nothing was measured before 2000: a clock that says so has lost its battery.
OLDEST_US = 946_684_800_000_000
_FOREVER = 2**62
_N_TRUSTED = 3
_ALONE_US = 60_000_000
#: A reading further ahead than this is a leap, and a leap must be confirmed.
FAR_US = 3_600_000_000


class Watermark:
    """The third largest of the newest times per cell (all where fewer report) less the lateness; it never falls.

    A time more than an hour ahead, and every time before there is a watermark, is a leap. It is believed when
    three cells (all of a smaller plant) say the same within an hour; or when the cells that say it have gone on for
    a minute and are more than those that speak against it, and after an hour in any case. A cell speaks against it
    that is heard at another time: among the newest, or going on after a leap of its own. Where it is one against
    one, the older time counts. So neither one old message at the start nor a few wrong clocks later move the
    watermark, and what one cell alone says does when nobody else speaks.

    Parameters
    ----------
    n_cells
        Of the plant.
    lateness_us
        How far the watermark stays behind [us].

    Attributes
    ----------
    time_us
        The watermark; -2**62 before there is one.
    gate_us
        A time up to this changes nothing and need not be noted.
    """

    def __init__(self, n_cells: int, lateness_us: int) -> None:
        self.time_us = -_FOREVER
        self.gate_us = -_FOREVER
        self._n_cells = n_cells
        self._lateness_us = lateness_us
        self._near_us = -_FOREVER
        self._newest_us: dict[int, int] = {}
        #: Of each cell that has leapt: first and newest time since.
        self._far: dict[int, tuple[int, int]] = {}

    @property
    def begun(self) -> bool:
        """Whether there is a watermark."""
        return self.time_us > -_FOREVER

    def note(self, column: int, time_us: int) -> bool:
        """Take note of a cell's time; True when the watermark has moved."""
        if time_us < OLDEST_US:
            return False
        if time_us > self._near_us:
            return self._leap(column, time_us)
        newest = self._newest_us
        if time_us <= newest.get(column, self.time_us - FAR_US):
            return False
        newest[column] = time_us
        self._far.clear()
        if len(newest) > _N_TRUSTED:
            del newest[min(newest, key=lambda c: (newest[c], c))]
        return self._follow()

    def move(self, time_us: int) -> bool:
        """Move the watermark itself; True when it was behind."""
        if time_us <= self.time_us:
            return False
        self.time_us = time_us
        self._near_us = time_us + self._lateness_us + FAR_US
        if self._far:
            self._far = {c: span for c, span in self._far.items() if span[1] > self._near_us}
        return True

    def end(self) -> int:
        """The stream has ended: believe what can be believed now, and give the newest time that may be true."""
        while True:
            groups = [self._agreeing(last_us) for _, last_us in self._far.values()]
            if self.begun:
                groups = [g for g in groups if self._outweighs(g) and any(self._gone_on(c) for c in g)]
            if not groups:
                return self._near_us if self.begun else _FOREVER
            self._believe(max(groups, key=self._weight))

    def _follow(self) -> bool:
        kth_us = min(self._newest_us.values())
        if len(self._newest_us) == _N_TRUSTED:
            self.gate_us = kth_us
        return self.move(kth_us - self._lateness_us)

    def _leap(self, column: int, time_us: int) -> bool:
        first_us, last_us = self._far.get(column, (time_us, time_us))
        if abs(time_us - last_us) > FAR_US:
            first_us = last_us = time_us
        first_us, last_us = min(first_us, time_us), max(last_us, time_us)
        self._far[column] = (first_us, last_us)
        group = self._agreeing(last_us)
        # The only cell of a plant has nobody to agree with: its first time counts, its leaps are confirmed by itself.
        if len(group) < min(_N_TRUSTED, self._n_cells) or (self._n_cells == 1 and self.begun):
            patience_us = _ALONE_US if self._outweighs(group) else FAR_US
            if last_us - first_us < patience_us:
                return False
        return self._believe(group)

    def _agreeing(self, time_us: int) -> dict[int, int]:
        """Cells that have leapt to about a time, with their newest ones."""
        return {c: last for c, (_, last) in self._far.items() if abs(last - time_us) <= FAR_US}

    def _gone_on(self, column: int) -> bool:
        first_us, last_us = self._far[column]
        return last_us > first_us

    def _weight(self, group: dict[int, int]) -> tuple[int, int, int]:
        return sum(map(self._gone_on, group)), len(group), -min(group.values())

    def _outweighs(self, group: dict[int, int]) -> bool:
        """Whether more cells say it than speak against it, or as many and theirs is the older time."""
        against = {c: t for c, t in self._newest_us.items() if c not in group}
        against |= {c: last for c, (_, last) in self._far.items() if c not in group and self._gone_on(c)}
        if len(group) != len(against):
            return len(group) > len(against)
        return max(group.values()) < min(against.values())

    def _believe(self, group: dict[int, int]) -> bool:
        newest = sorted(group.items(), key=lambda cell: (cell[1], cell[0]))
        self._newest_us = dict(newest[-_N_TRUSTED:])
        for column in group:
            del self._far[column]
        return self._follow()
