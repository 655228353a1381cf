"""The next days of cells under a known schedule: the dynamic cell, begun at the estimate, with bands.

How the bands are made
----------------------
Beside the best estimate two members are run for every figure of ``twin.forecast_points.POINT``, one standard deviation
up and down: what the estimate does not know, and coefficients by their published ranges. Half the difference of the two
is that figure's part of the standard deviation (linear; no random number is drawn). To this comes what no schedule
knows (feed cycles, hand work, what the model lacks): a first-order disturbance per quantity, whose size and memory were
fitted to simulated lines (``benchmarks/forecast_score.py``, tuning seeds) and are scored on others. Bands are normal.
They say nothing of anode effects, outages and work that is not planned.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.cell import run_cells
from twin.cell_state import HELD, SEE, CellInputs, CellStatus
from twin.energy import dc_kwh_per_t
from twin.forecast_hours import HOUR_STEPS, STEP_S, Hours, inputs_of
from twin.forecast_points import N_POINT, settle
from twin.forecast_present import ForecastError, Present, take

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: What is foreseen, columns of ``Forecast.best``.
FORESEEN = (
    "bath_temp_C",
    "superheat_C",
    "alumina_pct",
    "ledge_bath_mm",
    "ledge_metal_mm",
    "cell_voltage_V",
    "kwh_per_t",
    "heat_loss_kW",
)
#: Of what no schedule knows: standard deviation in the long run, and its memory [h]. Fitted on the tuning seeds of
#: benchmarks/forecast_score.py (largest: feed cycles, voltage control, and a ledge that the estimate is too sure of);
#: ledge at metal level in proportion; nothing for heat loss, whose truth is not known there.
PROCESS_SD = np.array([0.0, 0.0, 0.172, 8.0, 5.2, 0.0237, 0.0, 0.0])
PROCESS_H = np.array([1.0, 1.0, 1.7, 0.5, 0.5, 0.85, 1.0, 1.0])
#: Longest horizon [h]: beyond it nothing was scored.
MAX_HOURS = 72
#: Minutes from one instant that counts in the mean of an hour to the next.
_SHOWN_STEPS = 10
#: Cells that are run at once; bounds the memory that their schedules take.
_BLOCK = 8


class Plan(NamedTuple):
    """What is planned for the hours ahead.

    Attributes
    ----------
    line_current_A, cell_voltage_V, ambient_temp_C : (n_hours, n_cells)
        Held through each hour.
    change_h, tap_h
        For every cell, hours from now at which an anode is changed and metal is tapped.
    """

    line_current_A: FloatArray
    cell_voltage_V: FloatArray
    ambient_temp_C: FloatArray
    change_h: Sequence[Sequence[float]]
    tap_h: Sequence[Sequence[float]]


class Forecast(NamedTuple):
    """The hours ahead of some cells.

    Attributes
    ----------
    hour : (n_times,)
        From now; the first is 0, each other the end of an hour.
    best : (n_times, n_cells, len(FORESEEN))
        Means of the hours by the best estimate; NaN from when a cell left what the equations can say.
    sd : (n_times, n_cells, len(FORESEEN))
        One standard deviation; at hour 0 that of the estimate.
    status : (n_cells,)
        Bits of ``twin.cell_state.CellStatus`` that the best estimate met.
    lost : (n_cells,)
        Points around it that left the range of the equations; above 0 the bands are too narrow.
    """

    hour: FloatArray
    best: FloatArray
    sd: FloatArray
    status: IntArray
    lost: IntArray

    def band(self, level: float = 0.8) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the band that holds the truth with a probability; no ledge below 0."""
        wide = NormalDist().inv_cdf(0.5 + 0.5 * level)
        low, high = self.best - wide * self.sd, self.best + wide * self.sd
        thick = [FORESEEN.index("ledge_bath_mm"), FORESEEN.index("ledge_metal_mm")]
        low[:, :, thick] = np.maximum(low[:, :, thick], 0.0)
        return low, high


def hold(
    present: Present,
    hours: int,
    change_h: Sequence[Sequence[float]] | None = None,
    tap_h: Sequence[Sequence[float]] | None = None,
) -> Plan:
    """Plan that goes on as the last hours were: mean voltage and current, and the room warm as at the same hour before.

    Parameters
    ----------
    present
        Gives the last hours.
    hours
        How far.
    change_h, tap_h
        As in ``Plan``; None: changes and taps at the intervals of the technology, one half interval from now first.
    """
    steps = np.arange(hours)
    day = min(24, present.ambient_temp_C.shape[0])
    ambient = present.ambient_temp_C[present.ambient_temp_C.shape[0] - day + steps % day]
    every_change = [p.anode_life_h / p.n_anodes for p in present.params]
    every_tap = [p.tap_interval_h for p in present.params]

    def calendar(every: Sequence[float]) -> list[list[float]]:
        return [[float(h) for h in np.arange(0.5 * gap, hours, gap)] for gap in every]

    return Plan(
        np.tile(present.current_A, (hours, 1)),
        np.tile(present.voltage_V, (hours, 1)),
        ambient,
        calendar(every_change) if change_h is None else change_h,
        calendar(every_tap) if tap_h is None else tap_h,
    )


def forecast(present: Present, plan: Plan) -> Forecast:
    """Carry cells through a plan.

    Parameters
    ----------
    present
        Cells as they are.
    plan
        1 to ``MAX_HOURS`` hours for the same cells.

    Raises
    ------
    ForecastError
        A plan that does not fit, or a cell that no balance fits; see ``make_members``.

    Notes
    -----
    Ledge, bath, AlF3 and anodes follow the balances of ``twin.cell``; alumina is fed to the mean of the last day, so
    the cycles of a feed controller are in the band and not in the line. Validated on simulated lines only.
    """
    n, hours = len(present.params), plan.cell_voltage_V.shape[0]
    if not 1 <= hours <= MAX_HOURS:
        raise ForecastError(f"the plan has {hours} hours: from 1 to {MAX_HOURS}")
    for name in ("line_current_A", "cell_voltage_V", "ambient_temp_C"):
        values: FloatArray = getattr(plan, name)
        if values.shape != (hours, n) or not np.isfinite(values).all():
            raise ForecastError(f"plan: {name} needs a number for each of {hours} hours and {n} cells")
    if len(plan.change_h) != n or len(plan.tap_h) != n:
        raise ForecastError(f"plan: change_h and tap_h need one entry for each of {n} cells")
    order = sorted(range(n), key=lambda c: present.params[c].n_anodes)
    parts: list[list[int]] = []
    for c in order:
        same = parts and present.params[parts[-1][0]].n_anodes == present.params[c].n_anodes
        if same and len(parts[-1]) < _BLOCK:
            parts[-1].append(c)
        else:
            parts.append([c])
    found = Forecast(
        np.arange(hours + 1, dtype=np.float64),
        np.full((hours + 1, n, len(FORESEEN)), np.nan),
        np.full((hours + 1, n, len(FORESEEN)), np.nan),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )
    for part in parts:
        _block(take(present, part), _take_plan(plan, part), part, found)
    age_h = found.hour[:, None, None]
    found.sd[:] = np.sqrt(found.sd**2 + PROCESS_SD**2 * (1.0 - np.exp(-2.0 * age_h / PROCESS_H)))
    return found


def _take_plan(plan: Plan, cells: list[int]) -> Plan:
    return Plan(
        plan.line_current_A[:, cells],
        plan.cell_voltage_V[:, cells],
        plan.ambient_temp_C[:, cells],
        [plan.change_h[c] for c in cells],
        [plan.tap_h[c] for c in cells],
    )


def _block(present: Present, plan: Plan, at: list[int], found: Forecast) -> None:
    """Carry a block of cells through its plan and write what is foreseen."""
    members, changed = settle(present)
    cells = members.cells
    inputs = inputs_of(cells, members.owner, Hours(*plan), changed)
    # Hour 0 is what one minute of the plan shows before anything is done in it.
    minute = CellInputs(*(values[:1] for values in inputs))._replace(anode_change=np.full((1, 1), -1.0))
    cells.books.clock_s[:] = 0.0
    cells.books.ever[:] = 0
    now, ahead = run_cells(cells, minute, STEP_S), run_cells(cells, inputs, STEP_S, _SHOWN_STEPS)
    hourly = ahead.reshape(-1, HOUR_STEPS // _SHOWN_STEPS, *ahead.shape[1:]).mean(axis=1)
    seen = np.concatenate([now, hourly])
    hours = np.arange(seen.shape[0])[:, None]
    seen[hours * 3600.0 + STEP_S > cells.books.clock_s + 0.5] = np.nan
    shape = (len(present.params), 1 + 2 * N_POINT)
    values = foreseen(seen).reshape(len(seen), *shape, len(FORESEEN))
    status = cells.books.ever.reshape(shape)
    # An anode effect or the end of the equations in a point is an answer of its own, not a width.
    gone = (status[:, 1:] & int(HELD | CellStatus.ANODE_EFFECT)) != 0
    up, down = values[:, :, 1::2], values[:, :, 2::2]
    lost = gone[:, 0::2] | gone[:, 1::2] | (members.scale == 0.0)
    part = np.where(lost[None, :, :, None], 0.0, 0.5 * (up - down))
    part /= np.where(members.scale == 0.0, 1.0, members.scale)[None, :, :, None]
    found.best[:, at] = values[:, :, 0]
    found.sd[:, at] = np.where(np.isnan(values[:, :, 0]), np.nan, np.sqrt((part**2).sum(axis=2)))
    found.status[at] = status[:, 0]
    found.lost[at] = lost.sum(axis=1)


def foreseen(seen: FloatArray) -> FloatArray:
    """Columns of ``FORESEEN`` out of what is seen of members (last axis: ``twin.cell_state.SEEN``)."""
    known = [seen[..., SEE[name]] for name in FORESEEN if name != "kwh_per_t"]
    per_t = dc_kwh_per_t(seen[..., SEE["cell_voltage_V"]], seen[..., SEE["efficiency_frac"]])
    known.insert(FORESEEN.index("kwh_per_t"), per_t)
    return np.stack(known, axis=-1)
