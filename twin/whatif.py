"""What a change would do to cells: at once, after days, and where they would come to rest.

Every candidate is run beside the same cell left as it is, and only the difference of the two is used, so that what the
model drifts by itself is no effect. Uncertainty is that of the estimate and of coefficients, point by point as in
``twin.forecast_points``; the structure of the model is not in it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.balances import stored_kg
from twin.cell import run_cells
from twin.cell_model import Assumed
from twin.cell_state import FLOW, HELD, SEE, SURFACES, CellInputs, Cells
from twin.energy import dc_kwh_per_t
from twin.forecast_hours import HOUR_STEPS, STEP_S, Hours, inputs_of
from twin.forecast_points import N_POINT, alf3_pct_at, make_members, place, points_of
from twin.forecast_present import DAY_H, ForecastError, Present, take
from twin.heat import nominal_bath, steady
from twin.params import RANGES
from twin.voltage import total_V, voltage_haupin

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: What is told of a cell before and after, columns of ``WhatIf.before``.
TOLD = (
    "cell_voltage_V",
    "line_current_A",
    "gap_mm",
    "bath_temp_C",
    "superheat_C",
    "excess_alf3_pct",
    "ledge_bath_mm",
    "ledge_metal_mm",
    "efficiency_frac",
    "kwh_per_t",
    "heat_loss_kW",
)
#: When it is told [h]: at once is ten minutes later, when the beam has moved; the last is where the cell rests.
AT_H = (1.0 / 6.0, 24.0, 72.0, np.inf)
#: Where a cell rests: after so long, with AlF3, cryolite and metal kept [h]; and the change of bath temperature over
#: the last day from which on it does not rest yet [K].
REST_H, _RESTLESS_K = 288, 0.2
#: AlF3 is fed over so long [h].
_DOSE_H = 8
_MINUTES = 10
#: Ends of the stretches that are run one after another [min].
_STRETCHES = (_MINUTES, 60, 60 * _DOSE_H, 1440, 2880, 4320)
#: Beyond these no equation was checked: current over rated, distance [mm], cover [m], excess AlF3 [wt%], room [degC].
_CURRENT_FRAC, _GAP_MM, _COVER_M = (0.5, 1.3), (25.0, 80.0), (0.02, 0.40)
_ALF3_PCT, _AMBIENT_C = (2.0, 18.0), (-40.0, 60.0)
_DAY_S = 86400.0
#: Members that are run at once; bounds the memory that their schedules take.
_MEMBERS = 1024


class ChangeError(ForecastError):
    """A change beyond what the equations were checked for; names quantity, value and range."""


class Change(NamedTuple):
    """What is changed, each as a difference from how the cell is; several may be changed together.

    Attributes
    ----------
    voltage_V
        Voltage to which the beam is set [V], besides what distance and current change of it.
    acd_mm
        Anode to metal distance [mm]: the voltage is set to what the chain gives with it.
    cover_m
        Thickness of the anode cover [m].
    alf3_pct
        Excess AlF3 [wt% of the bath], fed over 8 h; below 0 it is not fed until so much is used up.
    line_current_A
        Line current [A]; the distance is kept, so the voltage follows.
    ambient_temp_C
        Air in the room [K].
    """

    voltage_V: float = 0.0
    acd_mm: float = 0.0
    cover_m: float = 0.0
    alf3_pct: float = 0.0
    line_current_A: float = 0.0
    ambient_temp_C: float = 0.0


class WhatIf(NamedTuple):
    """Cells before and after changes.

    Attributes
    ----------
    hour : (n_times,)
        ``AT_H``.
    before, before_sd : (n_cells, len(TOLD))
        The cell as it is, and one standard deviation.
    after, after_sd : (n_times, n_cells, n_changes, len(TOLD))
        The cell after the change.
    change_sd : (n_times, n_cells, n_changes, len(TOLD))
        One standard deviation of after less before: it is known better than either.
    loss_before_kW : (n_cells, len(SURFACES))
    loss_after_kW : (n_times, n_cells, n_changes, len(SURFACES))
        Heat through every surface of ``twin.cell_state.SURFACES``.
    status : (n_cells, n_changes)
        Bits of ``CellStatus`` met by the changed cell; those of the range of equations leave NaN.
    at_rest : (n_cells, n_changes)
        Whether the last row is a state of rest.
    trace_h : (n_rows,)
    trace : (n_rows, n_cells, 1 + n_changes, len(TOLD))
        Course over three days: unchanged first, drift of the model taken off.
    """

    hour: FloatArray
    before: FloatArray
    before_sd: FloatArray
    after: FloatArray
    after_sd: FloatArray
    change_sd: FloatArray
    loss_before_kW: FloatArray
    loss_after_kW: FloatArray
    status: IntArray
    at_rest: BoolArray
    trace_h: FloatArray
    trace: FloatArray


def check_change(present: Present, c: int, change: Change) -> None:
    """Refuse what no equation of the twin was checked for.

    Parameters
    ----------
    present, c
        Cells, and which of them.
    change
        Wanted.

    Raises
    ------
    ChangeError
        Names the quantity, what it would become and the range.
    """
    params = present.params[c]
    for name, amount in change._asdict().items():
        if not np.isfinite(amount):
            raise ChangeError(f"change of {name} is {amount}: a number is needed")
    rated_kA = 1e-3 * params.rated_current_A
    limits = RANGES["nominal_voltage_V"]
    moved_V = change.voltage_V + _follows_V(present, c, change)
    liquidus_C = float(present.bath_temp_C[c] - present.superheat_C[c])
    alf3_pct = alf3_pct_at(liquidus_C, float(present.alumina_pct[c]), params)
    low, high = (frac * rated_kA for frac in _CURRENT_FRAC)
    for name, unit, now, by, least, most in (
        ("line current", "kA", 1e-3 * present.current_A[c], 1e-3 * change.line_current_A, low, high),
        ("anode to metal distance", "mm", _gap_mm(present, c), change.acd_mm, *_GAP_MM),
        ("cell voltage", "V", present.voltage_V[c], moved_V, limits.low, limits.high),
        ("anode cover", "m", Assumed().cover_m, change.cover_m, *_COVER_M),
        ("excess AlF3", "wt%", alf3_pct, change.alf3_pct, *_ALF3_PCT),
        ("air in the room", "degC", present.ambient_temp_C[-1, c], change.ambient_temp_C, *_AMBIENT_C),
    ):
        if by != 0.0 and not least <= now + by <= most:
            raise ChangeError(
                f"{name} would be {now + by:.4g} {unit}: the twin of this technology is valid from {least:.4g} to "
                f"{most:.4g} {unit}"
            )


def _gap_mm(present: Present, c: int) -> float:
    """Anode to metal distance of a cell; that of its technology where the estimate has none."""
    gap_mm = float(present.acd_mm[c])
    return gap_mm if np.isfinite(gap_mm) else steady(present.params[c]).acd_mm


def _follows_V(present: Present, c: int, change: Change) -> float:
    """By how much distance and current change the voltage of the chain [V]."""
    params, temp_C = present.params[c], float(present.bath_temp_C[c])
    liquidus_C = temp_C - float(present.superheat_C[c])
    alumina_pct = float(present.alumina_aim_pct[c])
    bath = nominal_bath(params)._replace(
        excess_alf3_pct=alf3_pct_at(liquidus_C, float(present.alumina_pct[c]), params),
        alumina_pct=alumina_pct,
    )
    gap_mm, current_A = _gap_mm(present, c), float(present.current_A[c])
    before = total_V(voltage_haupin(current_A, gap_mm, temp_C, bath, params))
    wider, more_A = gap_mm + change.acd_mm, current_A + change.line_current_A
    return total_V(voltage_haupin(more_A, wider, temp_C, bath, params)) - before


def what_if(present: Present, changes: Sequence[Change], bands: bool = True) -> WhatIf:
    """Put changes to cells, every change to every cell, in one batch.

    Parameters
    ----------
    present
        Cells as they are.
    changes
        At least one.
    bands
        False leaves out standard deviations (NaN) and is twenty times faster.

    Raises
    ------
    ChangeError
        No change, or one outside the range of validity.
    ForecastError
        A cell that no balance fits; see ``make_members``.

    Notes
    -----
    Anode changes are left out: a block at half of its life stands for all. For three days feeds and taps stay as they
    are; then AlF3, cryolite and metal are kept, as a plant keeps them, until the cell rests. Ranges of the response to
    voltage: row 15 of docs/validation.md, where ledge and AlF3 are missed by a fifth. Effects of the room on the hood
    gas and of the cover on air burn are not in it.
    """
    if not changes:
        raise ChangeError("no change is given: at least one is needed")
    for c in range(len(present.params)):
        for change in changes:
            check_change(present, c, change)
    n, k, points = len(present.params), len(changes), 1 + 2 * N_POINT if bands else 1
    block = max(1, _MEMBERS // ((1 + k) * points))
    parts = [
        _block(take(present, list(range(first, min(first + block, n)))), changes, bands)
        for first in range(0, n, block)
    ]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=0 if name in _ONCE else 1)
        for name in WhatIf._fields
        if name not in ("hour", "trace_h")
    }
    return parts[0]._replace(**joined)


#: Fields of ``WhatIf`` without an axis of times.
_ONCE = ("before", "before_sd", "loss_before_kW", "status", "at_rest")


class _Rows(NamedTuple):
    """What members show at one time: ``TOLD`` and surfaces, (n_members, columns)."""

    told: FloatArray
    loss_kW: FloatArray


def _block(present: Present, changes: Sequence[Change], bands: bool) -> WhatIf:
    """Answer for some cells; members are cells by changes (unchanged first) by points."""
    n, k = len(present.params), 1 + len(changes)
    zero = np.zeros((n, 3))
    points, scale = points_of(present, np.zeros((n, N_POINT)), zero, bands)
    s = points.shape[1]
    spread = np.repeat(points[:, None], k, axis=1).reshape(n, k * s, N_POINT)
    cells, owner = make_members(present, spread, zero, 1)
    place(cells, owner, present, spread.reshape(-1, N_POINT))
    run = _Run(present, changes, cells, owner, s)
    run.go(_MINUTES)
    before = run.now()
    run.change()
    rows: list[_Rows] = []
    traces: list[FloatArray] = []
    done = 0
    for end in _STRETCHES:
        seen = run.go(end - done, every=min(end - done, HOUR_STEPS))
        traces.append(seen)
        done = end
        if any(end == round(60.0 * hour) for hour in AT_H[:-1]):
            rows.append(run.now())
    run.keep = True
    last_C = run.now().told[:, TOLD.index("bath_temp_C")]
    for _ in range(round((REST_H - done / 60.0) / 24.0)):
        last_C = run.now().told[:, TOLD.index("bath_temp_C")]
        run.go(1440)
    rows.append(run.now())
    restless = np.abs(rows[-1].told[:, TOLD.index("bath_temp_C")] - last_C).reshape(n, k, s)
    return _answer(before, rows, np.concatenate(traces), restless, cells, scale, (n, k, s))


def _answer(
    before: _Rows,
    rows: list[_Rows],
    trace: FloatArray,
    restless: FloatArray,
    cells: Cells,
    scale: FloatArray,
    shape: tuple[int, int, int],
) -> WhatIf:
    """Differences from the unchanged cell, and how sure they are."""
    n, k, s = shape
    start = before.told.reshape(n, k, s, -1)[:, 0]
    found = np.stack([row.told for row in rows]).reshape(len(rows), n, k, s, -1)
    effect = found[:, :, 1:] - found[:, :, :1]
    after = start[None, :, None] + effect
    loss = np.stack([row.loss_kW for row in rows]).reshape(len(rows), n, k, s, -1)[:, :, :, 0]
    loss_start = before.loss_kW.reshape(n, k, s, -1)[:, 0, 0]
    course = trace.reshape(len(trace), n, k, s, -1)[:, :, :, 0]
    course = start[None, :, None, 0] + course - course[:, :, :1]
    return WhatIf(
        hour=np.array(AT_H),
        before=start[:, 0],
        before_sd=_sd(start, scale, 0),
        after=after[:, :, :, 0],
        after_sd=_sd(after, scale, 1),
        change_sd=_sd(effect, scale, 1),
        loss_before_kW=loss_start,
        loss_after_kW=loss_start[None, :, None] + loss[:, :, 1:] - loss[:, :, :1],
        status=cells.books.ever.reshape(n, k, s)[:, 1:, 0],
        at_rest=restless[:, 1:, 0] <= _RESTLESS_K,
        trace_h=np.cumsum([_MINUTES / 60.0, 50.0 / 60.0] + [1.0] * (len(trace) - 2)),
        trace=course,
    )


def _sd(values: FloatArray, scale: FloatArray, cells_axis: int) -> FloatArray:
    """Standard deviation from points: axis -2 has the best estimate, then up and down of every figure."""
    if values.shape[-2] == 1:
        return np.full_like(values[..., 0, :], np.nan)
    half = 0.5 * (values[..., 1::2, :] - values[..., 2::2, :])
    shape = [1] * values.ndim
    shape[cells_axis], shape[-2] = scale.shape
    each = scale.reshape(shape)
    part = np.where(each > 0.0, half / np.where(each > 0.0, each, 1.0), 0.0)
    return np.sqrt((part**2).sum(axis=-2))


class _Run:
    """Members with what is done to them, stretch by stretch."""

    def __init__(
        self, present: Present, changes: Sequence[Change], cells: Cells, owner: IntArray, points: int
    ) -> None:
        self.cells = cells
        #: From now on AlF3, cryolite and metal are kept.
        self.keep = False
        self._changes = np.repeat(
            np.tile(np.array([Change(), *changes]), (len(present.params), 1)), points, axis=0
        )
        follows = [
            _follows_V(present, c, change)
            for c in range(len(present.params))
            for change in (Change(), *changes)
        ]
        self._voltage_V = np.repeat(follows, points) + self._changes[:, 0]
        hour = Hours(
            present.current_A[None],
            present.voltage_V[None],
            present.ambient_temp_C[-DAY_H:].mean(axis=0)[None],
            [()] * len(present.params),
            None,
        )
        self._inputs = CellInputs(
            *(v[:1] for v in inputs_of(cells, owner, hour, np.zeros(len(present.params))))
        )
        self._make_up_kg_s = self._inputs.alf3_kg_s[0].copy()
        self._bath_tap_kg_s = self._inputs.bath_tap_kg_s[0].copy()
        self._metal_kg = cells.state.metal_kg.copy()
        self._cryolite_kg = stored_kg(cells)["cryolite"]
        self._alf3_kg = cells.state.alf3_kg.copy()
        self._owed_kg = np.zeros(len(owner))
        self._since_s = -_MINUTES * STEP_S
        self._blocks_kg = cells.state.anode_kg.copy()

    def change(self) -> None:
        """Make the changes."""
        i, by = self._inputs, self._changes
        self._inputs = i._replace(
            voltage_set_V=i.voltage_set_V + self._voltage_V,
            cover_m=i.cover_m + by[:, 2],
            line_current_A=i.line_current_A + by[:, 4],
            ambient_temp_C=i.ambient_temp_C + by[:, 5],
            metal_tap_kg_s=i.metal_tap_kg_s * (1.0 + by[:, 4] / i.line_current_A),
        )
        s = self.cells.state
        bath_kg = s.cryolite_kg + s.alf3_kg + s.caf2_kg + s.lif_kg + s.mgf2_kg + s.kf_kg + s.alumina_kg
        part = 0.01 * by[:, 3]
        self._owed_kg = part * bath_kg / (1.0 - s.alf3_kg / bath_kg - part)
        self._alf3_kg += self._owed_kg

    def go(self, minutes: int, every: int = 1) -> FloatArray:
        """Carry on; gives what is seen."""
        seconds = minutes * STEP_S
        # What is owed is fed by the end of the dose; what is too much is worked off by not feeding.
        left_s = max(_DOSE_H * 3600.0 - self._since_s, seconds)
        feed_kg_s = np.maximum(self._make_up_kg_s + self._owed_kg / left_s, 0.0)
        self._owed_kg = self._owed_kg - seconds * (feed_kg_s - self._make_up_kg_s)
        self._since_s += seconds
        inputs = self._inputs._replace(alf3_kg_s=feed_kg_s[None])
        if self.keep:
            lacking = (self._alf3_kg - self.cells.state.alf3_kg) / _DAY_S
            grown = (stored_kg(self.cells)["cryolite"] - self._cryolite_kg) / _DAY_S
            risen = (self.cells.state.metal_kg - self._metal_kg) / _DAY_S
            inputs = inputs._replace(
                alf3_kg_s=np.maximum(self._make_up_kg_s + lacking, 0.0)[None],
                bath_tap_kg_s=np.maximum(self._bath_tap_kg_s + grown, 0.0)[None],
                metal_tap_kg_s=np.maximum(self._inputs.metal_tap_kg_s + risen, 0.0),
            )
        steps = [np.tile(values, (minutes, 1)) for values in inputs]
        seen = run_cells(self.cells, CellInputs(*steps), STEP_S, every)
        # The one block stands for all of the calendar: it does not burn away.
        self.cells.state.anode_kg[:] = self._blocks_kg
        return told(seen)

    def now(self) -> _Rows:
        """What members show after the last step; NaN of those that left the range of the equations."""
        books = self.cells.books
        held = (books.ever & int(HELD)) != 0
        loss = 1e-3 * books.flow_W[:, [FLOW[name] for name in SURFACES]]
        return _Rows(np.where(held[:, None], np.nan, told(books.seen)), np.where(held[:, None], np.nan, loss))


def told(seen: FloatArray) -> FloatArray:
    """Columns of ``TOLD`` out of what is seen of members (last axis: ``twin.cell_state.SEEN``)."""
    per_t = dc_kwh_per_t(seen[..., SEE["cell_voltage_V"]], seen[..., SEE["efficiency_frac"]])
    return np.stack([per_t if name == "kwh_per_t" else seen[..., SEE[name]] for name in TOLD], axis=-1)
