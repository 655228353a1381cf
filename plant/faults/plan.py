"""Plans what goes wrong in a record, before it runs."""

from collections.abc import Sequence
from typing import Literal, cast, get_args

import numpy as np

from plant.bars import n_places
from plant.cells import Change, changes, hidden
from plant.faults.kind import Fault, Kind
from plant.faults.library import LIBRARY
from plant.technology import Technology, named
from twin.signals import SIDES

#: The sets: published rates, many of every kind, published rates on a line that works otherwise, none.
Plan = Literal["enriched", "natural", "shift", "none"]
PLANS: tuple[str, ...] = get_args(Plan)

_HOUR = 3600.0
_SLOT_DAYS = 5.0
#: What an enriched record always begins with, a clear case of each.
_FIRST = ("anode_slow_pickup", "ledge_thinning")
#: Share of faults of an enriched record that come on top of another one in the same cell.
_OVERLAP = 0.10
#: Times a day that a gateway of a natural record goes down with all its cells, and how many cells it has.
_GATEWAY_A_DAY = 0.03
GATEWAY_CELLS = 40


def demo_faults(n_cells: int, seed: int, technology: str | Technology = "P300") -> tuple[Fault, ...]:
    """Two faults that show within three hours: an anode that does not pick up, and a side that melts out.

    Parameters
    ----------
    n_cells, seed, technology
        As given to the line; the slow anode is the change nearest to eight hours before the start,
        the side that of the cell with the largest flux through it.
    """
    technology = named(technology)
    recent = changes(technology, n_cells, seed, -10 * _HOUR, -5 * _HOUR)
    slow = min(recent, key=lambda c: abs(c.second + 8 * _HOUR))
    lining = hidden(technology, n_cells, seed)
    middle = np.flatnonzero((lining.side == SIDES.index("down")) & (lining.exposure == 1.0))[0]
    flux = lining.film_W_m2K[:, middle] * lining.superheat_C
    thin = max((i for i in range(n_cells) if n_cells == 1 or i != slow.cell), key=lambda i: float(flux[i]))
    return (
        Fault("anode_slow_pickup", slow.cell, slow.second, 24 * _HOUR, 0.9, anode=slow.anode + 1),
        Fault("ledge_thinning", thin, 240.0, 10 * _HOUR, 1.0, side="down"),
    )


def plan_faults(
    plan: Plan, *, n_cells: int, days: float, seed: int, technology: str | Technology = "P300"
) -> tuple[Fault, ...]:
    """Plan the faults of a record.

    Parameters
    ----------
    plan
        ``enriched`` gives half of the cells a fault about every five days, all kinds in turn, with recovery
        after each; ``natural`` and ``shift`` follow the rates that stand with each kind; ``none`` gives none.
    n_cells, days, seed, technology
        As given to the line.
    """
    technology = named(technology)
    rng = np.random.default_rng([seed, 11])
    calendar = changes(technology, n_cells, seed, 0.0, days * 86400.0)
    planned: list[Fault] = []
    if plan == "enriched":
        planned = _enriched(rng, n_cells, days, calendar, technology)
    elif plan in ("natural", "shift"):
        planned = _natural(rng, n_cells, days, calendar, technology)
    whole = [f._replace(end_s=min(f.end_s, days * 86400.0)) for f in planned]
    return tuple(sorted((f for f in whole if f.end_s > f.start_s), key=lambda f: (f.start_s, f.cell, f.kind)))


def _enriched(
    rng: np.random.Generator, n_cells: int, days: float, calendar: Sequence[Change], technology: Technology
) -> list[Fault]:
    """Every kind in turn, uniformly over the record; half of the cells stay sound."""
    slots = max(round(days / _SLOT_DAYS), 1)
    slot_s = days * 86400.0 / slots
    others = [name for name in LIBRARY if name not in _FIRST]
    order = [*_FIRST, *(others[k] for k in rng.permutation(len(others)).tolist())]
    cells = np.sort(np.random.default_rng([n_cells, 3]).permutation(n_cells)[: (n_cells + 1) // 2]).tolist()
    planned: list[Fault] = []
    waiting: list[str] = []
    for slot in range(slots):
        for cell in cells:
            first_s, last_s = (slot + 0.05) * slot_s, (slot + 0.45) * slot_s
            own = [c for c in calendar if c.cell == cell and first_s <= c.second < last_s]
            waiting = waiting or list(order)
            # What needs an anode change waits for a cell that has one in time.
            name = next((n for n in waiting if own or LIBRARY[n].where != "change"), "ledge_thinning")
            if name in waiting:
                waiting.remove(name)
            kind = LIBRARY[name]
            clear = 0.8 if name in _FIRST and not any(f.kind == name for f in planned) else 0.1
            severity = float(rng.uniform(clear, 1.0))
            start = float(rng.uniform(first_s, last_s))
            fault = _fault(rng, kind, cell, start, severity, technology, own)
            planned.append(fault)
            if rng.random() < _OVERLAP:
                other = LIBRARY[others[int(rng.integers(len(others)))]]
                if other.where not in ("change", kind.where):
                    again = fault.start_s + float(rng.uniform(0.1, 0.8)) * (fault.end_s - fault.start_s)
                    planned.append(_fault(rng, other, cell, again, severity, technology, []))
    return planned


def _natural(
    rng: np.random.Generator, n_cells: int, days: float, calendar: Sequence[Change], technology: Technology
) -> list[Fault]:
    """Independent events at the rate of each kind, and gateways that take their cells down together."""
    end_s = days * 86400.0
    planned: list[Fault] = []
    for kind in LIBRARY.values():
        if kind.where == "change":
            for change in calendar:
                if rng.random() < kind.natural:
                    severity = float(rng.beta(1.5, 1.5))
                    planned.append(_fault(rng, kind, change.cell, 0.0, severity, technology, [change]))
            continue
        for _ in range(int(rng.poisson(kind.natural * n_cells * days))):
            cell, start = int(rng.integers(n_cells)), float(rng.uniform(0.0, end_s))
            planned.append(_fault(rng, kind, cell, start, float(rng.beta(1.5, 1.5)), technology, []))
    for first in range(0, n_cells, GATEWAY_CELLS):
        for _ in range(int(rng.poisson(_GATEWAY_A_DAY * days))):
            start = float(round(float(rng.uniform(0.0, end_s))))
            stop = start + float(round(float(rng.uniform(120.0, 3600.0))))
            cells = range(first, min(first + GATEWAY_CELLS, n_cells))
            planned += [Fault("stream_silent", cell, start, stop, 1.0, shape="step") for cell in cells]
    return planned


def _fault(
    rng: np.random.Generator,
    kind: Kind,
    cell: int,
    start_s: float,
    severity: float,
    technology: Technology,
    own: Sequence[Change],
) -> Fault:
    """Draw where, how long and in which shape; of a change, at the first of the cell's own."""
    start = float(own[0].second) if kind.where == "change" else float(round(start_s))
    low, high = kind.hours
    stop = start + round(float(rng.uniform(low, high)) * _HOUR)
    shape = kind.shapes[int(rng.integers(len(kind.shapes)))]
    onset_low, onset_high = kind.onset_h
    onset_s = _HOUR * float(np.exp(rng.uniform(np.log(onset_low), np.log(onset_high))))
    anode, side, place = None, None, 0
    draw = rng.random()
    if kind.where == "change":
        anode = own[0].anode + 1
    elif kind.where == "anode" or (kind.where == "sensor" and draw < 0.4):
        anode = int(rng.integers(technology.n_anodes)) + 1
    elif kind.where == "side" or (kind.where == "sensor" and draw < 0.8):
        sides = sorted(set(technology.shell_sides)) if kind.where == "sensor" else ["down", "up"]
        side = sides[int(rng.integers(len(sides)))]
    elif kind.where == "half":
        side = "up" if draw < 0.5 else "down"
    elif kind.where == "feeder":
        place = int(rng.integers(technology.n_feeders))
    elif kind.where == "bar":
        place = int(draw * n_places(technology))
    severity = 1.0 if kind.where == "stream" else severity
    return Fault(
        kind.name, cell, start, stop, severity, anode, side, cast(Literal["ramp"], shape), onset_s, place
    )
