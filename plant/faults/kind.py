"""What one kind of fault is: where and how long, what it does to the plant, and what shows that it is there."""

from typing import Literal, NamedTuple

import numpy as np

from plant.state import Design, Effects, F, Hidden, State
from plant.thermal import contact_share
from twin.signals import SIDES

#: How a fault unfolds: at once, growing, on and off, or growing and half mended later.
Shape = Literal["step", "ramp", "intermittent", "partial", "stuck", "open", "drift", "bias"]
#: What a fault of a kind happens to.
Where = Literal["anode", "change", "side", "half", "feeder", "bar", "cell", "sensor", "stream"]


class Fault(NamedTuple):
    """One fault.

    Attributes
    ----------
    kind
        Alarm kind by contract.
    cell
        Index of the cell.
    start_s, end_s
        Seconds from the start of the record; may be negative.
    severity
        0-1: share of the largest effect of its kind.
    anode
        Counted from 1, or None.
    side
        Of ``twin.signals.SIDES``, or None.
    shape
        How it unfolds; of an instrument, what it shows.
    onset_s
        Time to its full size, or half a period of one that comes and goes.
    place
        Feeder or collector bar, counted from 0, where it is one.
    """

    kind: str
    cell: int
    start_s: float
    end_s: float
    severity: float
    anode: int | None = None
    side: str | None = None
    shape: Shape = "ramp"
    onset_s: float = 600.0
    place: int = 0


class World(NamedTuple):
    """The line as a fault meets it; ``second`` counts from the start of the record."""

    design: Design
    hidden: Hidden
    state: State
    effects: Effects
    second: int

    def anode_A(self) -> float:
        """Rated current of one anode [A]."""
        return self.design.current_A / self.state.current_A.shape[1]


class Kind:
    """A kind of fault; one file in ``plant/faults/kinds`` each.

    Attributes
    ----------
    name
        Alarm kind by contract.
    where
        What it happens to.
    hours
        Shortest and longest time that its cause lasts [h].
    onset_h
        Shortest and longest time in which it grows [h].
    shapes
        How it may unfold.
    natural
        Times per cell-day in a natural record; of a ``change``, per anode change.
    spread
        Standard deviation of its quantity in a sound cell.
    lead_s
        How long before its start the cause is in place: the hand that sets an anode low.
    """

    name: str = ""
    where: Where = "cell"
    hours: tuple[float, float] = (8.0, 40.0)
    onset_h: tuple[float, float] = (0.1, 3.0)
    shapes: tuple[Shape, ...] = ("step", "ramp", "intermittent", "partial")
    natural: float = 0.0
    spread: float = 1.0
    lead_s: float = 0.0

    def act(self, world: World, fault: Fault, strength: float) -> None:
        """Change parameters of the plant; called every ten seconds on neutral effects.

        Parameters
        ----------
        world
            Its effects, or in rare cases its state, are written to.
        fault
            Which cell and place.
        strength
            0-1, severity and shape together.
        """

    def quantity(self, world: World, fault: Fault) -> float:
        """True value of what the fault disturbs; NaN while it has none.

        Parameters
        ----------
        world, fault
            Which line, cell and place.
        """
        raise NotImplementedError

    def expected(self, world: World, fault: Fault) -> float | None:
        """What it would be without the fault; None for what it was when the fault began.

        Parameters
        ----------
        world, fault
            Which line, cell and place.
        """
        return None

    def finish(self, world: World, fault: Fault) -> None:
        """Mend what does not mend itself when the cause is gone.

        Parameters
        ----------
        world, fault
            Which line, cell and place.
        """


def strength(fault: Fault, second: float) -> float:
    """Severity times shape at one second, 0-1.

    Parameters
    ----------
    fault
        Any.
    second
        From the start of the record.
    """
    age = second - fault.start_s
    onset = max(fault.onset_s, 1.0)
    grown = min(max(age / onset, 0.0), 1.0)
    if fault.shape == "step":
        grown = 1.0
    elif fault.shape == "intermittent":
        grown = 1.0 if age % (2.0 * onset) < 1.2 * onset else 0.0
    elif fault.shape == "partial" and age > 0.5 * (fault.end_s - fault.start_s):
        grown *= 0.4
    return fault.severity * grown


def anode_of(fault: Fault) -> int:
    """Index of the anode of a fault.

    Parameters
    ----------
    fault
        Of a kind that has an anode.

    Raises
    ------
    ValueError
        Without an anode.
    """
    if fault.anode is None:
        raise ValueError(f"{fault.kind} of cell {fault.cell} needs an anode")
    return fault.anode - 1


def share_of(world: World, fault: Fault) -> float:
    """Current of the anode over the mean of its cell; NaN without line current.

    Parameters
    ----------
    world, fault
        Which line, cell and anode.
    """
    current = world.state.current_A[fault.cell]
    mean = float(current.mean())
    return float(current[anode_of(fault)]) / mean if mean > 0.3 * world.anode_A() else float("nan")


def usual_contact(world: World, fault: Fault) -> float:
    """Share of the face of an anode that would conduct if its freeze melted as usual.

    Parameters
    ----------
    world, fault
        Which line, cell and anode.
    """
    s, i, j = world.state, fault.cell, anode_of(fault)
    return contact_share(float(s.healthy_mm[i, j]), float(s.freeze_mm[i, j]))


def usual_share(world: World, fault: Fault) -> float:
    """What an anode of this age would carry over the mean of its cell if nothing were wrong with it.

    Parameters
    ----------
    world, fault
        Which line, cell and anode.
    """
    return usual_contact(world, fault) / float(world.state.contact[fault.cell].mean())


def level(world: World, fault: Fault) -> None:
    """Clamp an anode anew, its face level with the mean of the others.

    Parameters
    ----------
    world, fault
        Which line, cell and anode.
    """
    s, i, j = world.state, fault.cell, anode_of(fault)
    face_mm = np.delete(s.clamp_mm[i] - s.height_mm[i], j)
    s.clamp_mm[i, j] = float(face_mm.mean()) + float(s.height_mm[i, j])


def side_of(fault: Fault) -> int:
    """Index of the side of a fault in ``twin.signals.SIDES``.

    Parameters
    ----------
    fault
        Of a kind that has a side.

    Raises
    ------
    ValueError
        Without a side.
    """
    if fault.side is None:
        raise ValueError(f"{fault.kind} of cell {fault.cell} needs a side")
    return SIDES.index(fault.side)


def half_of(fault: Fault) -> int:
    """0 for the half of the anodes on the ``up`` side, 1 for the other.

    Parameters
    ----------
    fault
        Of a kind that has a side.
    """
    return 0 if side_of(fault) == SIDES.index("up") else 1


def exposed(world: World, fault: Fault) -> F:
    """How much of a fault of a side reaches each segment of the shell.

    Parameters
    ----------
    world, fault
        Which line and side.
    """
    return np.where(world.hidden.side == side_of(fault), world.hidden.exposure, 0.0)


def contrast(world: World, fault: Fault) -> float:
    """Shell in the middle of a side over the mean of the other sides [K].

    Parameters
    ----------
    world, fault
        Which line, cell and side.
    """
    shell_C = world.state.wall_C[fault.cell, :, 2]
    own = world.hidden.side == side_of(fault)
    here = own & (world.hidden.exposure == 1.0)
    if not here.any() or own.all():
        return float("nan")
    return float(shell_C[here][0] - shell_C[~own].mean())
