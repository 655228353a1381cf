"""What each kind of fault shows in the instruments of the simulated line, over what they show without cause."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant.cells import changes
from plant.faults.kind import Fault, Shape
from plant.faults.library import LIBRARY
from plant.line import Chunk, Line
from plant.technology import TECHNOLOGIES
from twin.signals import SIDES

F = NDArray[np.float64]

_HOUR_S = 3600
_START_S = 2.0 * _HOUR_S
#: Severities that are looked at.
SEVERITIES = (0.3, 0.9)
#: Error of one sample or analysis; one entry in the log; one reading in a hundred.
_LEAST = {
    "bath temperature [K]": 1.5,
    "metal iron [ppm]": 20.0,
    "metal silicon [ppm]": 20.0,
    "anode changes in the log": 1.0 / 3.0,
    "readings missing [%]": 1.0,
}


class Shown(NamedTuple):
    """A sign of one fault: in which instrument, how far from the same cell without it, over the usual of that."""

    signal: str
    size: float
    over_usual: float


def visible(hours: int, seed: int) -> dict[str, Any]:
    """Run the same line with and without one fault in each cell and compare hour by hour.

    Parameters
    ----------
    hours
        Length of both runs [h].
    seed
        Decides every draw.

    Returns
    -------
    dict
        ``hours``, ``cells`` and ``kinds``: for every kind and severity its two clearest signs: the largest hourly
        deviation from the sound run, and that over the middle of all cells or the hourly spread of sound ones.
        Two runs drift apart in their feed cycles by any fault, and most faults do not concern most instruments:
        what the middle shows comes without a cause.
    """
    faults = _one_each(seed)
    n_cells = len(faults)
    sound = _hourly(Line(n_cells=n_cells, seed=seed, start_us=0), hours)
    ill = _hourly(Line(n_cells=n_cells, seed=seed, start_us=0, faults=faults), hours)
    away = {name: _furthest(sound[name], ill[name], faults) for name in sound}
    kinds: dict[str, list[list[dict[str, Any]]]] = {}
    for k, fault in enumerate(faults):
        signs = [
            Shown(name, float(sizes[k]), abs(float(sizes[k])) / _usual(name, sizes, sound[name]))
            for name, sizes in away.items()
        ]
        clearest = sorted(signs, key=lambda sign: -sign.over_usual)[:2]
        kinds.setdefault(fault.kind, []).append([sign._asdict() for sign in clearest])
    return {"hours": hours, "cells": n_cells, "severities": list(SEVERITIES), "kinds": kinds}


def _one_each(seed: int) -> list[Fault]:
    """A fault a cell; those of an anode change at the first of the cell, so the cells with the earliest get them."""
    t = TECHNOLOGIES["P300"]
    wanted = [(name, size) for name in LIBRARY for size in SEVERITIES]
    wanted.sort(key=lambda x: LIBRARY[x[0]].where != "change")
    first = dict[int, Any]()
    for change in changes(t, len(wanted), seed, _START_S, _START_S + 23 * _HOUR_S):
        first.setdefault(change.cell, change)
    found: list[Fault] = []
    for (name, size), own in zip(wanted, first.values(), strict=True):
        where = LIBRARY[name].where
        anode = {"change": own.anode + 1, "anode": (own.anode + 10) % t.n_anodes + 1}.get(where)
        if where == "sensor":
            anode = 5
        side = "up" if where in ("side", "half") else None
        start = float(own.second) if where == "change" else _START_S
        shapes = LIBRARY[name].shapes
        shape: Shape = "bias" if where == "sensor" else "ramp" if "ramp" in shapes else shapes[0]
        end = start + max(LIBRARY[name].hours) * _HOUR_S
        found.append(Fault(name, own.cell, start, end, size, anode, side, shape, place=2))
    return sorted(found, key=lambda f: f.kind)


def _hourly(line: Line, hours: int) -> dict[str, F]:
    """Means of every hour, by instrument: (hours, n_cells) or (hours, n_cells, k)."""
    rows: dict[str, list[F]] = {}
    for _ in range(hours):
        chunk = line.advance(_HOUR_S)
        for name, values in _measured(line, chunk).items():
            rows.setdefault(name, []).append(values)
    return {name: np.array(values) for name, values in rows.items()}


def _measured(line: Line, chunk: Chunk) -> dict[str, F]:
    volt = chunk.cell_voltage_V.reshape(-1, 10, line.n_cells).mean(axis=1)
    anode = chunk.anode_current_A.mean(axis=0)
    swing = np.diff(chunk.anode_current_A[::10], axis=0).std(axis=0).mean(axis=1)
    shell, bars = chunk.shell_temp_C.mean(axis=0), chunk.collector_bar_temp_C.mean(axis=0)
    side = np.array([SIDES.index(name) for name in line.technology.shell_sides])
    sides = np.stack([shell[:, side == k].mean(axis=1) for k in np.unique(side)], axis=1)
    fed, reported = np.zeros(line.n_cells), np.zeros((line.n_cells, line.technology.n_anodes))
    for event in chunk.events:
        i = line.cell_ids.index(event.cell)
        if event.event == "alumina_feed":
            fed[i] += float(event.attributes["mass_kg"])
        elif event.event == "anode_change" and event.time_us >= line.start_us:
            reported[i, int(event.attributes["anode"]) - 1] += 1.0
    truth = line.truth()
    return {
        "voltage [mV]": 1000.0 * volt.mean(axis=0),
        "voltage noise, 10 s [mV]": 1000.0 * np.diff(volt, axis=0).std(axis=0),
        "anode current [% of mean]": 100.0 * anode / anode.mean(axis=1, keepdims=True),
        "anode current, swing in 10 s [% of mean]": 100.0 * swing / anode.mean(axis=1),
        "shell, one sensor over its side [K]": shell - sides[:, np.searchsorted(np.unique(side), side)],
        "shell, a side over the cell [K]": sides - sides.mean(axis=1, keepdims=True),
        "bar over the others [K]": bars - bars.mean(axis=1, keepdims=True),
        "duct gas [K]": chunk.duct_gas_temp_C.mean(axis=0),
        "beam [mm]": chunk.beam_position_mm.mean(axis=0),
        "alumina ordered [kg/h]": fed,
        "anode changes in the log": reported,
        "readings missing [%]": 100.0 * np.isnan(chunk.cell_voltage_V).mean(axis=0),
        "bath temperature [K]": truth["bath_temp_C"],
        "metal iron [ppm]": truth["metal_iron_ppm"],
        "metal silicon [ppm]": truth["metal_silicon_ppm"],
        "metal [kg]": truth["metal_kg"],
    }


def _furthest(sound: F, ill: F, faults: Sequence[Fault]) -> F:
    """Largest hourly deviation of one instrument of each faulty cell while its fault is there, (n_faults,)."""
    found: list[float] = []
    for fault in faults:
        first, last = int(fault.start_s // _HOUR_S), int(fault.end_s // _HOUR_S) + 1
        away = np.nan_to_num((ill - sound)[first:last, fault.cell]).ravel()
        found.append(float(away[np.argmax(np.abs(away))]))
    return np.array(found)


def _usual(name: str, sizes: F, sound: F) -> float:
    """What an instrument does without a cause: in the middle of all cells, by its hourly spread, by one reading."""
    about = sound - np.nanmedian(sound, axis=0)
    spread = 1.4826 * float(np.nanmedian(np.abs(about)))
    return max(float(np.median(np.abs(sizes))), spread, _LEAST.get(name, 0.0), 1e-9)
