"""The notice board between the gateway, which writes it, and the console, which reads it.

Everything on it is bounded, missing is NaN inside and null outside, and one lock makes each call whole.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.broker import State
from twin.signals import SIGNALS

FloatArray = NDArray[np.float64]
Snapshot = dict[str, object]

#: Figures of every cell, with the decimals sent; limits are compared unrounded, so energies keep six.
CELL_FIELDS: dict[str, int] = {
    "cell_voltage_V": 4,
    "voltage_expected_V": 4,
    "voltage_residual_V": 4,
    "line_current_A": 0,
    "bath_temp_C": 2,
    "bath_temp_sd_C": 2,
    "superheat_C": 2,
    "ledge_bath_mm": 1,
    "dc_kwh_per_t": 6,
    "ac_kwh_per_t": 6,
    "coverage": 3,
}
#: Trends with one value a cell, and those that are arrays of a cell, with the decimals sent.
SCALAR_TRENDS: dict[str, int] = {
    "cell_voltage_V": 3,
    "voltage_expected_V": 3,
    "bath_temp_C": 1,
    "bath_temp_sd_C": 2,
    "ac_kwh_per_t": 1,
}
ARRAY_TRENDS: dict[str, int] = {"anode_current_A": 0, "shell_temp_C": 1}
#: NAMUR NE 107 status by severity; ``status`` of a cell is an index into it.
STATUSES = ("good", "maintenance", "out_of_specification", "function_check", "failure")
#: The value of the figure ``broker`` while the broker is connected.
CONNECTED = State.CONNECTED.value
#: Alarms that one snapshot carries; the rest are only counted.
MAX_ALARMS = 500
#: Anode changes of one cell that are shown.
MAX_CHANGES = 8

_MINUTE_US = 60_000_000
_TREND_ROWS = 24 * 60
#: Announced first, and among them those that nobody has acknowledged.
_STATE_ORDER = {"UNACK": 0, "RTNUN": 1, "ACKED": 2, "SHLVD": 3, "DSUPR": 4, "OOSRV": 5}


class CauseRow(NamedTuple):
    """One possible cause in both languages and its share of belief (0-1)."""

    text_en: str
    text_zh: str
    weight: float


class AlarmRow(NamedTuple):
    """One live alarm as people see it.

    Attributes
    ----------
    id
        Stays the same from raise to clear.
    time_us
        When it was raised, UTC microseconds of event time.
    line, cell, kind
        By contract.
    anode, side
        Where in the cell; None when it is the cell as a whole.
    state
        ISA-18.2 name: UNACK, ACKED, RTNUN, SHLVD, DSUPR or OOSRV.
    priority
        1 critical, 2 high, 3 medium, 4 low.
    score
        1.0 is the alarm limit.
    title_en, title_zh, action_en, action_zh
        What it is and what to do, one sentence each.
    evidence
        Named figures, units in the names.
    causes
        Most likely first.
    """

    id: str
    time_us: int
    line: str
    cell: str
    kind: str
    anode: int | None
    side: str | None
    state: str
    priority: int
    score: float
    title_en: str
    title_zh: str
    action_en: str
    action_zh: str
    evidence: Mapping[str, float]
    causes: Sequence[CauseRow]


class ChangeRow(NamedTuple):
    """One anode change as people see it.

    Attributes
    ----------
    anode
        Its number, from 1.
    time_us
        When the anode was set, UTC microseconds of event time.
    logged
        Whether the log has it at this anode.
    verdict
        What became of it, by the names of ``models.anode_change``; ``open`` until something is known.
    known_us
        When that was known, UTC microseconds; 0 while it is open.
    level_ratio
        Its current against that of a healthy anode of its age; None where unknown.
    half_load_h, half_low_h, half_high_h
        When it carried half, and when that was expected of a healthy one; None where unknown.
    """

    anode: int
    time_us: int
    logged: bool
    verdict: str
    known_us: int
    level_ratio: float | None
    half_load_h: float | None
    half_low_h: float | None
    half_high_h: float | None


class _Ring:
    """The last 24 h of every trend, one row a minute of event time."""

    def __init__(self, n_cells: int) -> None:
        self._time_us = np.zeros(_TREND_ROWS, dtype=np.int64)
        self._series: dict[str, NDArray[np.float32]] = {
            name: np.full((_TREND_ROWS, n_cells), np.nan, dtype=np.float32) for name in SCALAR_TRENDS
        }
        self._newest = -1
        self._count = 0

    def add(self, time_us: int, rows: Mapping[str, FloatArray]) -> None:
        """Write one row; the same minute again replaces what is measured anew, an older one is left out."""
        minute_us = time_us // _MINUTE_US * _MINUTE_US
        newest_us = int(self._time_us[self._newest]) if self._count else -1
        if minute_us < newest_us:
            return
        if minute_us > newest_us:
            self._newest = (self._newest + 1) % _TREND_ROWS
            self._count = min(self._count + 1, _TREND_ROWS)
            self._time_us[self._newest] = minute_us
        for name, row in rows.items():
            if row.ndim == 2 and name not in self._series:
                shape = (_TREND_ROWS, *row.shape)
                self._series[name] = np.full(shape, np.nan, dtype=np.float32)
        for name, ring in self._series.items():
            if minute_us > newest_us:
                ring[self._newest] = np.nan
            if name in rows:
                np.copyto(ring[self._newest], rows[name], where=~np.isnan(rows[name]), casting="same_kind")

    def cell(self, index: int, since_us: int) -> Snapshot:
        """Take out the rows of one cell, oldest first, from ``since_us`` on."""
        order = (self._newest - self._count + 1 + np.arange(self._count)) % _TREND_ROWS
        wanted = order[self._time_us[order] >= since_us]
        snapshot: Snapshot = {"time_us": self._time_us[wanted].tolist()}
        for name, decimals in SCALAR_TRENDS.items():
            snapshot[name] = _rounded(self._series[name][wanted, index], decimals).tolist()
        for name, decimals in ARRAY_TRENDS.items():
            ring = self._series.get(name)
            if ring is None:
                snapshot[name] = []
                continue
            # The width follows the whole day, so that a part of it always fits what was sent before.
            measured = np.flatnonzero(~np.isnan(ring[:, index]).all(axis=0))
            width = int(measured[-1]) + 1 if measured.size else 0
            snapshot[name] = _rounded(ring[wanted, index, :width], decimals).T.tolist()
        return snapshot


class Board:
    """What the console shows, written by the gateway from any thread.

    Parameters
    ----------
    site
        Name of the site.
    cells
        (line id, cell id) of every cell, in the order of all arrays.
    simulated
        True when the plant is simulated; the page says so all the time.
    speed
        Seconds of event time per second of real time.
    time_zone
        IANA name; the page shows every time in it.
    benchmark_kwh_per_t, baseline_kwh_per_t
        The two levels of AC energy that the page marks [kWh/t].
    level_1_kwh_per_t
        The advanced level, below both; NaN for none.
    shell_sides
        Side of each shell sensor of each cell, ``""`` where unknown; empty when there are none.
    clock
        Real seconds, for the age of the newest data.

    Notes
    -----
    Memory is fixed once every trend has come: 1440 rows of float32 per series, which is 104 MB for
    420 cells with 30 anodes and 8 shell sensors, and 6 MB for 24.
    """

    def __init__(
        self,
        site: str,
        cells: Sequence[tuple[str, str]],
        simulated: bool,
        speed: float,
        *,
        time_zone: str,
        benchmark_kwh_per_t: float,
        baseline_kwh_per_t: float,
        level_1_kwh_per_t: float = math.nan,
        shell_sides: Sequence[Sequence[str]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plant: Snapshot = {
            "site": site,
            "simulated": simulated,
            "speed": speed,
            "time_zone": time_zone,
            "benchmark_kwh_per_t": benchmark_kwh_per_t,
            "baseline_kwh_per_t": baseline_kwh_per_t,
            "level_1_kwh_per_t": None if math.isnan(level_1_kwh_per_t) else level_1_kwh_per_t,
            "lines": [line for line, _ in cells],
            "cells": [cell for _, cell in cells],
            "signals": list(SIGNALS),
        }
        self._index = {cell: i for i, (_, cell) in enumerate(cells)}
        self._shell_sides = [list(sides) for sides in shell_sides]
        self._clock = clock
        self._lock = threading.Lock()
        self._time_us: int | None = None
        self._updated_s: float | None = None
        self._cells = {name: np.full(len(cells), np.nan) for name in CELL_FIELDS}
        self._status = [0] * len(cells)
        self._reason = ["no_data"] * len(cells)
        self._lines: list[Snapshot] = []
        self._alarms: list[AlarmRow] = []
        self._figures: dict[str, float | str | None] = {}
        self._changes: dict[str, list[ChangeRow]] = {}
        self._ring = _Ring(len(cells))
        self._revision = 0

    @property
    def revision(self) -> int:
        """Number that grows whenever cells or alarms are written."""
        return self._revision

    def update_cells(
        self,
        time_us: int,
        cells: Mapping[str, ArrayLike],
        status: Sequence[int] | None = None,
        reason: Sequence[str] | None = None,
        lines: Mapping[str, tuple[float, float, float]] | None = None,
    ) -> None:
        """Write the newest figures of all cells.

        Parameters
        ----------
        time_us
            Event time of the figures, UTC microseconds.
        cells
            Arrays (n_cells,) by the names of ``CELL_FIELDS``; a name left out becomes missing.
        status
            NE 107 status per cell, an index into ``STATUSES``; all good when left out.
        reason
            Why a cell is not assessed: a key of the page's texts or a sentence; ``""`` where it is assessed.

        lines
            DC and AC energy intensity [kWh/t] and coverage (0-1) of every line, sums over sums; NaN is missing.

        Raises
        ------
        ValueError
            An unknown name, or an array that has not one value per cell.
        """
        n_cells = len(self._status)
        unknown = sorted(set(cells) - set(CELL_FIELDS))
        if unknown:
            raise ValueError(f"unknown cell figures {unknown}; the board has {sorted(CELL_FIELDS)}")
        new = {name: _numbers(name, cells.get(name), (n_cells,)) for name in CELL_FIELDS}
        new_status = [0] * n_cells if status is None else [int(code) for code in status]
        new_reason = [""] * n_cells if reason is None else list(reason)
        if len(new_status) != n_cells or len(new_reason) != n_cells:
            raise ValueError(f"status and reason need {n_cells} values each")
        new_lines: list[Snapshot] = [
            {
                "line": line,
                "dc_kwh_per_t": None if math.isnan(dc) else round(dc, 6),
                "ac_kwh_per_t": None if math.isnan(ac) else round(ac, 6),
                "coverage": round(coverage, 3),
            }
            for line, (dc, ac, coverage) in (lines or {}).items()
        ]
        with self._lock:
            self._lines = new_lines
            self._time_us = time_us
            self._updated_s = self._clock()
            self._cells, self._status, self._reason = new, new_status, new_reason
            self._revision += 1

    def update_alarms(self, alarms: Sequence[AlarmRow]) -> None:
        """Write the complete list of alarms that are not back to normal, in any order."""
        rows = sorted(
            alarms,
            key=lambda row: (
                _STATE_ORDER[row.state] > 2,
                row.priority,
                _STATE_ORDER[row.state],
                -row.time_us,
                row.id,
            ),
        )
        with self._lock:
            self._alarms = rows
            self._revision += 1

    def update_figures(self, figures: Mapping[str, float | str | None]) -> None:
        """Write the figures of the gateway.

        The page knows ``messages, frames, late, duplicates, dead_letters, points_accepted, points_written,
        points_quarantined, points_waiting, lag_s, broker`` (``CONNECTED``, else what is wrong) and ``database``
        (``ok``, ``local``, else what is wrong); others are shown by their name.
        """
        with self._lock:
            self._figures = dict(figures)

    def update_changes(self, changes: Mapping[str, Sequence[ChangeRow]]) -> None:
        """Write the anode changes by cell, oldest first; of each cell the newest ``MAX_CHANGES`` are shown."""
        rows = {cell: list(rows[-MAX_CHANGES:]) for cell, rows in changes.items()}
        with self._lock:
            self._changes = rows

    def add_trends(self, time_us: int, trends: Mapping[str, ArrayLike | None]) -> None:
        """Write trends of all cells; of the calls within a minute of event time the newest measured value wins.

        Parameters
        ----------
        time_us
            Event time, UTC microseconds; a minute before the newest is left out.
        trends
            (n_cells,) by the names of ``SCALAR_TRENDS`` and (n_cells, width) by those of ``ARRAY_TRENDS``;
            None or left out is missing.

        Raises
        ------
        ValueError
            An unknown name or a wrong shape.
        """
        n_cells = len(self._status)
        rows: dict[str, FloatArray] = {}
        for name, values in trends.items():
            if name not in SCALAR_TRENDS and name not in ARRAY_TRENDS:
                raise ValueError(f"unknown trend {name!r}; the board has {[*SCALAR_TRENDS, *ARRAY_TRENDS]}")
            if values is None:
                continue
            row = np.asarray(values, dtype=np.float64)
            shape = (n_cells,) if name in SCALAR_TRENDS else (n_cells, row.shape[-1])
            rows[name] = _numbers(name, row, shape)
        with self._lock:
            self._ring.add(time_us, rows)

    def line(self) -> Snapshot:
        """Take a snapshot of the plant and the figures of all cells."""
        with self._lock:
            figures = {name: _rounded(self._cells[name], n).tolist() for name, n in CELL_FIELDS.items()}
            return {
                **self._plant,
                "time_us": self._time_us,
                "figures": figures,
                "line_figures": self._lines,
                "status": [STATUSES[code] for code in self._status],
                "reason": self._reason,
            }

    def alarms(self) -> Snapshot:
        """Take a snapshot of the alarms, most urgent first, and the number of all of them."""
        with self._lock:
            rows = self._alarms
        shown = [
            {**row._asdict(), "causes": [cause._asdict() for cause in row.causes]}
            for row in rows[:MAX_ALARMS]
        ]
        return {"total": len(rows), "alarms": shown}

    def figures(self) -> Snapshot:
        """Take a snapshot of the gateway's figures and the age of the newest data [s], None before any."""
        with self._lock:
            age_s = None if self._updated_s is None else self._clock() - self._updated_s
            return {**self._figures, "data_age_s": age_s, "stream_time_us": self._time_us}

    def trends(self, cell: str, since_us: int = 0) -> Snapshot:
        """Take out the trends of one cell from ``since_us`` on, and its newest anode changes.

        Raises
        ------
        KeyError
            The cell is not on the board.
        """
        index = self._index[cell]
        sides = self._shell_sides[index] if index < len(self._shell_sides) else []
        with self._lock:
            changes = [row._asdict() for row in reversed(self._changes.get(cell, []))]
            shown = self._ring.cell(index, since_us)
        return {"cell": cell, "shell_sides": sides, "changes": changes, **shown}


def _numbers(name: str, values: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    """Copy to floats of one shape; None is missing."""
    if values is None:
        return np.full(shape, np.nan)
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, the board needs {shape}")
    return array


def _rounded(values: NDArray[np.floating], decimals: int) -> FloatArray:
    """Round in double precision: a rounded float32 would be sent with seventeen digits."""
    return np.round(values.astype(np.float64), decimals)
