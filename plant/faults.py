"""What goes wrong in the simulated line, planned beforehand and labelled by the plant's own truth."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from plant.cells import changes, hidden
from plant.state import Faults
from plant.technology import TECHNOLOGIES
from plant.thermal import NOT_YET_S, SLOW_PICKUP, THIN_LEDGE
from twin.signals import SIDES

FaultKind = Literal["anode_slow_pickup", "ledge_thinning", "stream_silent", "sensor_fault"]
Plan = Literal["enriched", "natural", "none"]

_PHYSICAL = {"anode_slow_pickup": SLOW_PICKUP, "ledge_thinning": THIN_LEDGE}


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
    """

    kind: FaultKind
    cell: int
    start_s: float
    end_s: float
    severity: float
    anode: int | None = None
    side: str | None = None


class Label(NamedTuple):
    """A fault as it truly went, in seconds from the start of the record.

    Attributes
    ----------
    fault
        As planned.
    observable_s
        When its true deviation left normal spread (2 sigma); ``end_s`` of a fault that never left it.
    end_s
        When the cause had gone and the deviation was back within normal spread.
    """

    fault: Fault
    observable_s: float
    end_s: float


def kernel_faults(faults: Sequence[Fault]) -> Faults:
    """Physical faults as the arrays that the kernels take.

    Parameters
    ----------
    faults
        Any; faults of instruments are left out.
    """
    physical = [f for f in faults if f.kind in _PHYSICAL]
    n = len(physical)
    return Faults(
        kind=np.array([_PHYSICAL[f.kind] for f in physical], dtype=np.int64),
        cell=np.array([f.cell for f in physical], dtype=np.int64),
        place=np.array([_place(f) for f in physical], dtype=np.int64),
        start_s=np.array([f.start_s for f in physical], dtype=np.float64),
        end_s=np.array([f.end_s for f in physical], dtype=np.float64),
        severity=np.array([f.severity for f in physical], dtype=np.float64),
        reference=np.full(n, NOT_YET_S),
        observable_s=np.full(n, NOT_YET_S),
        cleared_s=np.full(n, NOT_YET_S),
    )


def labels(faults: Sequence[Fault], arrays: Faults) -> list[Label]:
    """Label every fault after a run.

    Parameters
    ----------
    faults
        As given to ``kernel_faults``.
    arrays
        What ``kernel_faults`` gave, after the run.
    """
    found: list[Label] = []
    k = 0
    for fault in faults:
        seen, end = fault.start_s, fault.end_s
        if fault.kind in _PHYSICAL:
            seen = float(arrays.observable_s[k])
            end = max(end, float(arrays.cleared_s[k]))
            k += 1
        found.append(Label(fault, seen if seen > NOT_YET_S else end, end))
    return found


def demo_faults(n_cells: int, seed: int, technology: str = "P300") -> tuple[Fault, ...]:
    """Two faults that show within three hours: an anode that does not pick up, and a side that melts out.

    Parameters
    ----------
    n_cells, seed, technology
        As given to the line; the slow anode is the change nearest to eight hours before the start,
        the side that of the cell with the largest flux through it.
    """
    recent = changes(TECHNOLOGIES[technology], n_cells, seed, -10 * 3600.0, -5 * 3600.0)
    slow = min(recent, key=lambda c: abs(c.second + 8 * 3600))
    lining = hidden(TECHNOLOGIES[technology], n_cells, seed)
    middle = np.flatnonzero((lining.side == SIDES.index("down")) & (lining.exposure == 1.0))[0]
    flux = lining.film_W_m2K[:, middle] * lining.superheat_C
    thin = max((i for i in range(n_cells) if n_cells == 1 or i != slow.cell), key=lambda i: float(flux[i]))
    return (
        Fault("anode_slow_pickup", slow.cell, slow.second, 24 * 3600.0, 0.9, anode=slow.anode + 1),
        Fault("ledge_thinning", thin, 240.0, 10 * 3600.0, 1.0, side="down"),
    )


def plan_faults(
    plan: Plan, *, n_cells: int, days: float, seed: int, technology: str = "P300"
) -> tuple[Fault, ...]:
    """Plan the faults of a record.

    Parameters
    ----------
    plan
        ``enriched`` gives half of the cells a fault about every four days, with recovery after each;
        ``natural`` follows published rates (3 % of anode changes, 7.2e-4 heat-balance events per cell-day:
        Zhu and Li 2020, 12 of 184 cells in three months); ``none`` gives none.
    n_cells, days, seed, technology
        As given to the line.
    """
    rng = np.random.default_rng([seed, 11])
    planned: list[Fault] = []
    if plan == "enriched":
        planned = _enriched(rng, n_cells, days, seed, technology)
    elif plan == "natural":
        planned = _natural(rng, n_cells, days, seed, technology)
    return tuple(sorted(planned, key=lambda f: (f.start_s, f.cell, f.kind)))


def _place(fault: Fault) -> int:
    if fault.anode is not None:
        return fault.anode - 1
    return SIDES.index(fault.side) if fault.side is not None else -1


def _enriched(rng: np.random.Generator, n_cells: int, days: float, seed: int, technology: str) -> list[Fault]:
    end_s = days * 86400.0
    calendar = changes(TECHNOLOGIES[technology], n_cells, seed, 0.0, end_s)
    planned: list[Fault] = []
    kinds: tuple[FaultKind, ...] = ("anode_slow_pickup", "ledge_thinning", "sensor_fault", "stream_silent")
    for turn, cell in enumerate(np.sort(rng.permutation(n_cells)[: max((n_cells + 1) // 2, 1)]).tolist()):
        slot_s = end_s / max(round(days / 4.0), 1)
        for slot in range(max(round(days / 4.0), 1)):
            draw = (turn + slot) % 8
            kind = kinds[(0, 1, 0, 1, 0, 2, 1, 3)[draw]]
            start = (slot + float(rng.uniform(0.05, 0.45))) * slot_s
            severity = float(rng.uniform(0.35, 1.0))
            own = [c for c in calendar if c.cell == cell and c.second >= start]
            if kind == "anode_slow_pickup" and own:
                change = own[0]
                stop = change.second + float(rng.uniform(24.0, 40.0)) * 3600.0
                planned.append(Fault(kind, cell, change.second, stop, severity, anode=change.anode + 1))
            else:
                planned.append(_other(rng, kind, cell, start, severity, technology))
    return [f._replace(end_s=min(f.end_s, end_s)) for f in planned]


def _natural(rng: np.random.Generator, n_cells: int, days: float, seed: int, technology: str) -> list[Fault]:
    end_s = days * 86400.0
    planned: list[Fault] = []
    for change in changes(TECHNOLOGIES[technology], n_cells, seed, 0.0, end_s):
        if rng.random() < 0.03:
            stop = change.second + float(rng.uniform(24.0, 60.0)) * 3600.0
            severity = float(rng.beta(2.0, 2.0))
            planned.append(
                Fault("anode_slow_pickup", change.cell, change.second, stop, severity, anode=change.anode + 1)
            )
    rates: tuple[tuple[FaultKind, float], ...] = (
        ("ledge_thinning", 7.2e-4),
        ("sensor_fault", 3e-3),
        ("stream_silent", 3e-3),
    )
    for kind, per_cell_day in rates:
        for _ in range(int(rng.poisson(per_cell_day * n_cells * days))):
            cell, start = int(rng.integers(n_cells)), float(rng.uniform(0.0, end_s))
            planned.append(_other(rng, kind, cell, start, float(rng.beta(2.0, 2.0)), technology))
    return [f._replace(end_s=min(f.end_s, end_s)) for f in planned]


def _other(
    rng: np.random.Generator, kind: FaultKind, cell: int, start_s: float, severity: float, technology: str
) -> Fault:
    start_s = float(round(start_s))
    if kind == "stream_silent":
        return Fault(kind, cell, start_s, start_s + round(float(rng.uniform(0.3, 3.0)) * 3600.0), 1.0)
    if kind == "sensor_fault":
        stop = start_s + round(float(rng.uniform(1.0, 8.0)) * 3600.0)
        if rng.random() < 0.5:
            return Fault(kind, cell, start_s, stop, 1.0, side=SIDES[int(rng.integers(4))])
        anode = int(rng.integers(TECHNOLOGIES[technology].n_anodes)) + 1
        return Fault(kind, cell, start_s, stop, 1.0, anode=anode)
    stop = start_s + round(float(rng.uniform(8.0, 20.0)) * 3600.0)
    side = "up" if rng.random() < 0.5 else "down"
    return Fault("ledge_thinning", cell, start_s, stop, severity, side=side)
