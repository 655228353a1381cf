"""Cells as they are now, as members of the dynamic cell: the best estimate of each, and points around it.

The dynamic cell knows its technology. Here it becomes one cell of the line: conductances are derived from what the
observer believes of that cell, at the power it has lived with, so that it stands in balance where it stands. Every
uncertainty moves one figure of that belief up and down by one standard deviation.
"""

from math import isfinite, isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import liquidus_solheim
from twin.cell import run_cells
from twin.cell_model import cell_model
from twin.cell_state import (
    LEDGE_KG,
    N_SECTIONS,
    SEE,
    Cells,
    section_face_m2,
    start_cells,
)
from twin.forecast_hours import HOUR_STEPS, STEP_S, Hours, inputs_of
from twin.forecast_present import DAY_H, ForecastError, Present, mean_hours
from twin.heat import REFERENCE_AMBIENT_C, nominal_bath
from twin.params import CellParams, ParamsError
from twin.voltage import bath_slope_V_mm, total_V, voltage_haupin

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


#: What a point says of a cell: liquidus, superheat [K], alumina [wt%], ledge at bath level [mm], efficiency [-],
#: voltage at which it would be in balance less its mean voltage [V], conductors and bus bars beyond those of the
#: technology [V], and factors on heat transfer to the ledge, its conductivity and its heat of fusion [-].
POINT = (
    "liquidus_C",
    "superheat_C",
    "alumina_pct",
    "ledge_bath_mm",
    "efficiency_frac",
    "balance_V",
    "conductors_V",
    "bus_bars_V",
    "transfer",
    "conductivity",
    "fusion",
)
_LIQUIDUS, _SUPERHEAT, _ALUMINA, _LEDGE, _EFFICIENCY, _BALANCE, _CONDUCTORS = range(7)
_BUS_BARS, _TRANSFER, _CONDUCTIVITY, _FUSION = range(7, 11)
N_POINT = len(POINT)
#: Standard deviations that no estimate gives: current efficiency of a cell (plants: 0.92 to 0.96); balance, tuned
#: (benchmarks/forecast_score.py); bus bars as in the observer; coefficients by their published ranges (600 to 1200
#: W/m2/K, 1 to 2 W/m/K, 3.1e5 to 5.5e5 J/kg).
_EFFICIENCY_SD, _BALANCE_SD_V, _BUS_BARS_SD_V = 0.01, 0.005, 0.03
_TRANSFER_SD, _CONDUCTIVITY_SD, _FUSION_SD = 0.15, 0.20, 0.12
_LEAST_LIQUIDUS_SD_C = 0.5
#: A cell that is in no anode effect has at least so much more alumina than one that is [wt%].
_NO_EFFECT_PCT = 0.25
#: Fractions of a standard deviation tried until both points are cells that can be.
_STEPS = (1.0, 0.5, 0.25, 0.1)
#: Hours after which a regular calendar repeats itself, how many of them are compared, warming by voltage [K/V], and
#: what is lived through before the hours that are known.
_REGULAR_H, _REGULAR_MEAN_H, _K_V, _LEAD_H = 192, 40, 130.0, 72
#: Above it the liquidus falls with AlF3 in all baths, below it need not [wt%].
_LEAST_ALF3_PCT, _MOST_ALF3_PCT = 2.0, 20.0


class Members(NamedTuple):
    """Members of the dynamic cell that stand for some cells; those of a cell follow each other, best estimate first.

    Attributes
    ----------
    cells
        Members, at the present.
    owner : (n_members,)
        Which cell each stands for.
    scale : (n_cells, N_POINT)
        Standard deviations by which the points of a cell differ from its best estimate; 0: no such points.
    """

    cells: Cells
    owner: IntArray
    scale: FloatArray


def alf3_pct_at(liquidus_C: float, alumina_pct: float, params: CellParams) -> float:
    """Excess AlF3 at which the bath has a liquidus [wt%]; NaN where none from 2 to 20 % has.

    Parameters
    ----------
    liquidus_C, alumina_pct
        Wanted, and dissolved.
    params
        Gives the other components.
    """
    low, high = _LEAST_ALF3_PCT, _MOST_ALF3_PCT

    def at(alf3_pct: float) -> float:
        return liquidus_solheim(
            nominal_bath(params)._replace(excess_alf3_pct=alf3_pct, alumina_pct=alumina_pct)
        )

    if not at(high) <= liquidus_C <= at(low):
        return float("nan")
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at(middle) > liquidus_C else (low, middle)
    return 0.5 * (low + high)


def centre_of(present: Present) -> FloatArray:
    """What the estimate says of every cell, (n_cells, N_POINT) in the order of ``POINT``."""
    n = len(present.params)
    centre = np.zeros((n, N_POINT))
    centre[:, _LIQUIDUS] = present.bath_temp_C - present.superheat_C
    centre[:, _SUPERHEAT] = present.superheat_C
    centre[:, _ALUMINA] = present.alumina_pct
    centre[:, _LEDGE] = np.maximum(present.ledge_bath_mm, 1.0)
    centre[:, _EFFICIENCY] = present.current_efficiency
    centre[:, _TRANSFER:] = 1.0
    for c, params in enumerate(present.params):
        if isfinite(present.acd_mm[c]):
            chain = voltage_haupin(
                present.current_A[c], present.acd_mm[c], present.bath_temp_C[c], nominal_bath(params), params
            )
            centre[c, _CONDUCTORS] = present.voltage_V[c] - total_V(chain)
    return centre


def spread_of(present: Present) -> FloatArray:
    """One standard deviation of every figure of a point, (n_cells, N_POINT)."""
    sd = np.zeros((len(present.params), N_POINT))
    # The estimate does not say how liquidus and superheat hang together: taken as independent.
    liquidus_var = present.bath_temp_sd_C**2 - present.superheat_sd_C**2
    sd[:, _LIQUIDUS] = np.sqrt(np.maximum(liquidus_var, _LEAST_LIQUIDUS_SD_C**2))
    sd[:, _SUPERHEAT] = present.superheat_sd_C
    sd[:, _ALUMINA] = present.alumina_sd_pct
    sd[:, _LEDGE] = present.ledge_bath_sd_mm
    sd[:, _EFFICIENCY], sd[:, _BALANCE], sd[:, _BUS_BARS] = _EFFICIENCY_SD, _BALANCE_SD_V, _BUS_BARS_SD_V
    sd[:, _TRANSFER], sd[:, _CONDUCTIVITY], sd[:, _FUSION] = _TRANSFER_SD, _CONDUCTIVITY_SD, _FUSION_SD
    for c, params in enumerate(present.params):
        slope = bath_slope_V_mm(present.current_A[c], present.bath_temp_C[c], nominal_bath(params), params)
        sd[c, _CONDUCTORS] = slope * present.acd_sd_mm[c]
    return sd


def own_params(present: Present, c: int, point: FloatArray, alf3_pct: float) -> CellParams:
    """Constants of a cell that is in balance as a point says, at its own voltage, current and alumina."""
    params, current_A = present.params[c], float(present.current_A[c])
    aim_pct = float(present.alumina_aim_pct[c])
    bath = nominal_bath(params)._replace(excess_alf3_pct=alf3_pct, alumina_pct=aim_pct)
    return params._replace(
        alumina_pct=aim_pct,
        rated_current_A=current_A,
        nominal_voltage_V=float(present.voltage_V[c]) + point[_BALANCE],
        bath_temp_C=liquidus_solheim(bath) + point[_SUPERHEAT],
        excess_alf3_pct=alf3_pct,
        ledge_bath_mm=point[_LEDGE],
        current_efficiency_frac=point[_EFFICIENCY],
        cathode_ohm=params.cathode_ohm + point[_CONDUCTORS] / current_A,
        external_ohm=params.external_ohm + point[_BUS_BARS] / current_A,
        bath_ledge_W_m2K=params.bath_ledge_W_m2K * point[_TRANSFER],
        metal_ledge_W_m2K=params.metal_ledge_W_m2K * point[_TRANSFER],
        ledge_conductivity_W_mK=params.ledge_conductivity_W_mK * point[_CONDUCTIVITY],
        ledge_latent_J_kg=params.ledge_latent_J_kg * point[_FUSION],
    )


def make_members(
    present: Present, points: FloatArray, shift: FloatArray, positions: int | None
) -> tuple[Cells, IntArray]:
    """Members in balance at points, and which cell each stands for.

    Parameters
    ----------
    present
        Gives voltage, current and technology.
    points : (n_cells, n_points, N_POINT)
    shift : (n_cells, 3)
        By how much excess AlF3 [wt%], superheat [K] and ledge [mm] in balance differ from those of the point.
    positions
        As in ``start_cells``.

    Raises
    ------
    ForecastError
        A point at which no cell can be in balance; names cell and reason.
    """
    owned: list[CellParams] = []
    for c in range(points.shape[0]):
        for point in points[c]:
            owned.append(_balanced(present, c, point, shift[c]))
    owner = np.repeat(np.arange(points.shape[0]), points.shape[1])
    return start_cells(owned, positions), owner


def _balanced(present: Present, c: int, point: FloatArray, shift: FloatArray) -> CellParams:
    """Constants of one member; an error where no cell is like that."""
    params = present.params[c]
    alf3_pct = alf3_pct_at(float(point[_LIQUIDUS]), float(point[_ALUMINA]), params) + float(shift[0])
    moved = point.copy()
    moved[_SUPERHEAT] += shift[1]
    moved[_LEDGE] += shift[2]
    if isnan(alf3_pct):
        raise ForecastError(
            f"cell {c}: no bath of 2 to 20 % AlF3 has a liquidus of {point[_LIQUIDUS]:.1f} degC"
        )
    if moved[_LEDGE] <= 0.0:
        raise ForecastError(f"cell {c}: has no ledge to begin with")
    own = own_params(present, c, moved, alf3_pct)
    try:
        cell_model(own, 1)
    except ParamsError as error:
        raise ForecastError(f"cell {c}: no cell is in balance at this estimate: {error}") from error
    return own


def points_of(
    present: Present, trim: FloatArray, shift: FloatArray, bands: bool = True
) -> tuple[FloatArray, FloatArray]:
    """Best estimate of every cell and, with ``bands``, two points around it for every figure.

    Parameters
    ----------
    present
        Cells.
    trim : (n_cells, N_POINT)
        Added to the best estimate.
    shift
        As in ``make_members``.
    bands
        False: only the best estimate.

    Returns
    -------
    points : (n_cells, 1 or 1 + 2 N_POINT, N_POINT)
        Best estimate, then up and down for every figure in turn.
    scale : (n_cells, N_POINT)
        Standard deviations by which they lie off: 1, less where a cell cannot be that far off, 0 where not at all.
    """
    centre, sd = centre_of(present) + trim, spread_of(present)
    n = len(present.params)
    points = np.repeat(centre[:, None, :], 1 + 2 * N_POINT if bands else 1, axis=1)
    scale = np.zeros((n, N_POINT))
    for c in range(n if bands else 0):
        least_pct = present.params[c].alumina_ae_pct + _NO_EFFECT_PCT
        for k in range(N_POINT):
            for step in _STEPS:
                pair = np.repeat(centre[c][None, :], 2, axis=0)
                pair[0, k] += step * sd[c, k]
                pair[1, k] -= step * sd[c, k]
                if k == _ALUMINA and pair[1, k] < least_pct:
                    continue
                if all(_possible(present, c, point, shift[c]) for point in pair):
                    points[c, 1 + 2 * k : 3 + 2 * k], scale[c, k] = pair, step
                    break
    return points, scale


def _possible(present: Present, c: int, point: FloatArray, shift: FloatArray) -> bool:
    """Whether a cell can be in balance at a point."""
    try:
        _balanced(present, c, point, shift)
    except ForecastError:
        return False
    return True


def settle(present: Present) -> tuple[Members, FloatArray]:
    """Members that have lived through the last hours and now stand where the estimate stands.

    Returns
    -------
    Members
        With points.
    (n_cells,)
        Number of anode changes lived through.

    Notes
    -----
    A cell is never in balance: every new anode cools it. So that balance is sought which keeps the cell where it is
    on the mean of a regular calendar, and from which the last hours give the mean estimate of the last day.
    """
    trim = np.zeros((len(present.params), N_POINT))
    shift = np.zeros((len(present.params), 3))
    centre, past = centre_of(present), _lived(present)
    regular = _regular(present)
    for _ in range(2):
        cells, owner = make_members(present, (centre + trim)[:, None], shift, None)
        seen = run_cells(cells, inputs_of(cells, owner, regular, shift[:, 0] * 0.0), STEP_S, HOUR_STEPS)
        wanted_C = np.array([cell.bath_temp_C for cell in cells.params])
        trim[:, _BALANCE] += (seen[-_REGULAR_MEAN_H:, :, SEE["bath_temp_C"]].mean(axis=0) - wanted_C) / _K_V
    for _ in range(2):
        cells, owner = make_members(present, (centre + trim)[:, None], shift, None)
        inputs = inputs_of(cells, owner, past, shift[:, 0] * 0.0)
        shift += _target(present) - _found(run_cells(cells, inputs, STEP_S, HOUR_STEPS))
    points, scale = points_of(present, trim, shift)
    cells, owner = make_members(present, points, shift, None)
    run_cells(cells, inputs_of(cells, owner, past, shift[:, 0] * 0.0), STEP_S)
    place(cells, owner, present, points.reshape(-1, N_POINT))
    return Members(cells, owner, scale), np.array([float(len(cell)) for cell in past.change_h])


def _every_h(params: CellParams) -> float:
    """Hours from one anode change of a cell to the next."""
    return params.anode_life_h / params.n_anodes


def _regular(present: Present) -> Hours:
    """Days at the mean of the last hours, with a regular calendar."""
    n = len(present.params)
    return Hours(
        np.tile(present.current_A, (_REGULAR_H, 1)),
        np.tile(present.voltage_V, (_REGULAR_H, 1)),
        np.full((_REGULAR_H, n), REFERENCE_AMBIENT_C),
        [list(np.arange(0.5 * gap, _REGULAR_H, gap)) for gap in map(_every_h, present.params)],
        None,
    )


def _lived(present: Present) -> Hours:
    """The last hours as they were, and before them some at their mean, with the calendar carried back."""
    hours = present.cell_voltage_V.shape[0]
    total = hours + _LEAD_H
    change: list[list[float]] = []
    for params, ago in zip(present.params, present.change_ago_h, strict=True):
        gap = _every_h(params)
        known = [h for h in sorted(ago) if 0.0 <= h < hours] or [0.5 * gap]
        known += list(np.arange(known[-1] + gap, total, gap))
        change.append([total - h for h in reversed(known)])

    def led(values: FloatArray) -> FloatArray:
        return np.concatenate(
            [
                np.tile(mean_hours(values), (_LEAD_H, 1)),
                np.where(np.isnan(values), mean_hours(values), values),
            ]
        )

    return Hours(
        led(present.line_current_A), led(present.cell_voltage_V), led(present.ambient_temp_C), change, None
    )


def _target(present: Present) -> FloatArray:
    """Mean AlF3, superheat and ledge of the last day by the estimates, (n_cells, 3)."""
    superheat_C = mean_hours(present.superheat_past_C[-DAY_H:])
    liquidus_C = mean_hours(present.bath_past_C[-DAY_H:] - present.superheat_past_C[-DAY_H:])
    aim_pct = present.alumina_aim_pct
    alf3 = [
        alf3_pct_at(float(liquidus_C[c]), float(aim_pct[c]), params)
        for c, params in enumerate(present.params)
    ]
    return np.column_stack([alf3, superheat_C, np.maximum(present.ledge_bath_mm, 1.0)])


def _found(seen: FloatArray) -> FloatArray:
    """The same of members, one for each cell; the ledge as it is at the end."""
    found = seen[-DAY_H:, :, [SEE["excess_alf3_pct"], SEE["superheat_C"], SEE["ledge_bath_mm"]]].mean(axis=0)
    found[:, 2] = seen[-1, :, SEE["ledge_bath_mm"]]
    return found


def place(cells: Cells, owner: IntArray, present: Present, points: FloatArray) -> None:
    """Put melt and ledge of members where points say, (n_members, N_POINT); the rest stays as it is."""
    s = cells.state
    alf3 = np.array(
        [
            alf3_pct_at(p[_LIQUIDUS], p[_ALUMINA], present.params[c])
            for p, c in zip(points, owner, strict=True)
        ]
    )
    other_kg = s.cryolite_kg + s.caf2_kg + s.lif_kg + s.mgf2_kg + s.kf_kg
    total_kg = other_kg / (1.0 - 0.01 * (alf3 + points[:, _ALUMINA]))
    s.alf3_kg[:] = 0.01 * alf3 * total_kg
    s.alumina_kg[:] = 0.01 * points[:, _ALUMINA] * total_kg
    s.bath_temp_C[:] = points[:, _LIQUIDUS] + points[:, _SUPERHEAT]
    s.ledge_kg[:] *= (points[:, _LEDGE] / ledge_bath_mm(cells))[:, None]


def ledge_bath_mm(cells: Cells) -> FloatArray:
    """Mean thickness of the ledge at bath level [mm], (n_members,)."""
    kg = np.array(
        [[section_face_m2(p, k) * p.ledge_density_kg_m3 for k in range(N_SECTIONS)] for p in cells.params]
    )
    on_bath = cells.tables.walls[:, LEDGE_KG, 0] + cells.tables.walls[:, LEDGE_KG, 2]
    return 1e3 * on_bath / (kg[:, 0] + kg[:, 2])
