"""Faults of a run: puts their causes in place, sees when they show, and labels them afterwards."""

from collections.abc import Sequence
from math import isnan, nan
from typing import NamedTuple

import numpy as np

from plant.faults.kind import Fault, Kind, World, strength
from plant.faults.library import LIBRARY, PHYSICAL
from plant.state import calm

#: How often a fault is looked at [s], and how many standard deviations of normal spread make it observable.
_LOOK_S = 60
_SIGMAS = 2.0
#: A fault whose trace does not fade is given up so long after its cause has gone [s].
_FADE_S = 72 * 3600.0
#: What led to an anode effect without a planned cause is labelled from no earlier than this [s].
_LEAD_S = 3600.0


class Label(NamedTuple):
    """A fault as it truly went, in seconds from the start of the record.

    Attributes
    ----------
    fault
        As planned, or as it came about.
    observable_s
        When its true deviation left normal spread (2 sigma); ``end_s`` of a fault that never left it.
    end_s
        When the cause had gone and the deviation was back within normal spread.
    """

    fault: Fault
    observable_s: float
    end_s: float


class _Course:
    """One physical fault as it goes."""

    def __init__(self, fault: Fault, kind: Kind) -> None:
        self.fault = fault
        self.kind = kind
        self.reference = nan
        self.seen_s = nan
        self.cleared_s = fault.start_s
        self.begun = False
        self.finished = False
        self.over = False

    def act(self, world: World) -> bool:
        """Put the cause in place; False when it is not there."""
        fault, t = self.fault, world.second
        if t < fault.start_s - self.kind.lead_s:
            return False
        if t >= fault.end_s:
            if self.begun and not self.finished:
                self.kind.finish(world, fault)
            self.finished = True
            return False
        if not self.begun:
            self.begun = True
            self.reference = self._usual(world, self.kind.quantity(world, fault))
        self.kind.act(world, fault, strength(fault, max(t, fault.start_s)))
        return True

    def look(self, world: World) -> None:
        """Note when it leaves normal spread and until when it has not come back."""
        t = world.second
        if not self.begun or t < self.fault.start_s:
            return
        now = self.kind.quantity(world, self.fault)
        beyond = abs(now - self._usual(world, self.reference)) > _SIGMAS * self.kind.spread
        if beyond and isnan(self.seen_s):
            self.seen_s = t
        if beyond or not self.finished:
            self.cleared_s = t
        self.over = self.finished and (not beyond or t > self.fault.end_s + _FADE_S)

    def label(self) -> Label:
        """Label it as far as it has gone."""
        end_s = self.fault.end_s
        if not isnan(self.seen_s):
            end_s = max(end_s, self.cleared_s)
        return Label(self.fault, end_s if isnan(self.seen_s) else self.seen_s, end_s)

    def _usual(self, world: World, otherwise: float) -> float:
        expected = self.kind.expected(world, self.fault)
        return otherwise if expected is None else expected


class Ledger:
    """All faults of a run.

    Parameters
    ----------
    faults
        What goes wrong.

    Raises
    ------
    ValueError
        If a fault is of a kind that the library does not have.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            if fault.kind not in LIBRARY:
                raise ValueError(f"{fault.kind!r} is no kind of fault; there are {', '.join(LIBRARY)}")
        self._all = tuple(faults)
        self._courses = {k: _Course(f, PHYSICAL[f.kind]) for k, f in enumerate(faults) if f.kind in PHYSICAL}
        self._open = sorted(self._courses.values(), key=lambda c: c.fault.start_s - c.kind.lead_s)
        self._active = False
        self._effects: list[Label] = []
        #: Since when the cells that have an anode effect, or had one last, were near their limit.
        self._starved_s: dict[int, float] = {}

    def step(self, world: World) -> None:
        """Put the causes of this moment in place.

        Parameters
        ----------
        world
            The line; its effects are overwritten.
        """
        if self._active:
            calm(world.effects)
        self._active = False
        for course in self._open:
            if course.fault.start_s - course.kind.lead_s > world.second:
                break
            self._active = course.act(world) or self._active
        for cell in np.flatnonzero(world.state.effect_s > 0.0).tolist():
            since_s = float(world.state.starved_s[cell])
            if since_s <= world.second:
                self._starved_s[cell] = since_s
        if world.second % _LOOK_S == 0:
            for course in self._open:
                if course.fault.start_s > world.second:
                    break
                course.look(world)
            self._open = [course for course in self._open if not course.over]

    def anode_effect(self, cell: int, begun_s: float, ended_s: float) -> None:
        """Note an anode effect that has ended.

        Parameters
        ----------
        cell
            Index.
        begun_s, ended_s
            When the voltage rose and when it fell [s].
        """
        self._effects += self._of_effect(cell, begun_s, ended_s)

    def _of_effect(self, cell: int, begun_s: float, ended_s: float) -> list[Label]:
        """Label an anode effect, and what led to it unless that was planned."""
        found = [Label(Fault("anode_effect", cell, begun_s, ended_s, 1.0, shape="step"), begun_s, ended_s)]
        if any(_led_to(fault, cell, begun_s) for fault in self._all):
            return found
        start_s = max(self._starved_s.get(cell, begun_s), begun_s - _LEAD_S)
        if start_s < begun_s:
            soon = Fault("anode_effect_imminent", cell, start_s, begun_s, 1.0)
            found.append(Label(soon, start_s, begun_s))
        return found

    def labels(self, running: Sequence[tuple[int, float, float]] = ()) -> list[Label]:
        """Label every fault so far, planned or come about, in order of start.

        Parameters
        ----------
        running
            Anode effects that have not ended: cell, when it began and what time it is now [s].
        """
        effects = self._effects + [label for effect in running for label in self._of_effect(*effect)]
        found = [
            self._courses[k].label() if k in self._courses else Label(f, f.start_s, f.end_s)
            for k, f in enumerate(self._all)
        ]
        found = [_until_effect(label, effects) for label in found]
        return sorted(found + effects, key=lambda x: (x.fault.start_s, x.fault.cell, x.fault.kind))


def _until_effect(label: Label, effects: Sequence[Label]) -> Label:
    """What leads to an anode effect ends where that begins."""
    begun = [x.observable_s for x in effects if _led_to(label.fault, x.fault.cell, x.observable_s)]
    if not begun:
        return label
    return label._replace(observable_s=min(label.observable_s, begun[0]), end_s=begun[0])


def _led_to(fault: Fault, cell: int, begun_s: float) -> bool:
    """Whether a planned lack of alumina led to an anode effect."""
    near = fault.start_s <= begun_s <= fault.end_s + _LEAD_S
    return fault.kind == "anode_effect_imminent" and fault.cell == cell and near
