"""Cells as they are now: what a forecast or a what-if begins with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import liquidus_solheim
from twin.cell_state import start_cells
from twin.heat import REFERENCE_AMBIENT_C, nominal_bath
from twin.params import CellParams
from twin.state import STATUS_REASONS, Estimate

FloatArray = NDArray[np.float64]

#: Hours of the past whose mean says what a cell is like.
DAY_H = 24
#: What is taken out of an estimate as it is.
_TAKEN = (
    "bath_temp_C",
    "bath_temp_sd_C",
    "superheat_C",
    "superheat_sd_C",
    "alumina_pct",
    "alumina_sd_pct",
    "acd_mm",
    "acd_sd_mm",
    "ledge_bath_mm",
    "ledge_bath_sd_mm",
    "current_efficiency",
)


class ForecastError(ValueError):
    """A cell, plan or change that nothing can be said about; names which, why and what to do."""


class Past(NamedTuple):
    """Estimates at the end of consecutive hours, (n_hours, n_cells) each; NaN where there was none."""

    bath_temp_C: FloatArray
    superheat_C: FloatArray
    alumina_pct: FloatArray


class Present(NamedTuple):
    """Cells as they are now, and the last hours that brought them here.

    Attributes
    ----------
    params
        Technology of every cell.
    bath_temp_C, superheat_C, alumina_pct, acd_mm, ledge_bath_mm : (n_cells,)
    bath_temp_sd_C, superheat_sd_C, alumina_sd_pct, acd_sd_mm, ledge_bath_sd_mm : (n_cells,)
        Estimate, and one standard deviation of it.
    current_efficiency : (n_cells,)
        Fraction.
    cell_voltage_V, line_current_A, ambient_temp_C : (n_hours, n_cells)
        Means of the last hours, newest last; NaN where nothing was measured.
    bath_past_C, superheat_past_C, alumina_past_pct : (n_hours, n_cells)
        Estimates at the end of the same hours; NaN where there was none.
    change_ago_h
        For every cell, how long ago anodes were changed in these hours [h].
    """

    params: tuple[CellParams, ...]
    bath_temp_C: FloatArray
    bath_temp_sd_C: FloatArray
    superheat_C: FloatArray
    superheat_sd_C: FloatArray
    alumina_pct: FloatArray
    alumina_sd_pct: FloatArray
    acd_mm: FloatArray
    acd_sd_mm: FloatArray
    ledge_bath_mm: FloatArray
    ledge_bath_sd_mm: FloatArray
    current_efficiency: FloatArray
    cell_voltage_V: FloatArray
    line_current_A: FloatArray
    ambient_temp_C: FloatArray
    bath_past_C: FloatArray
    superheat_past_C: FloatArray
    alumina_past_pct: FloatArray
    change_ago_h: tuple[tuple[float, ...], ...]

    @property
    def voltage_V(self) -> FloatArray:
        """Mean voltage of the last hours [V], (n_cells,)."""
        return mean_hours(self.cell_voltage_V)

    @property
    def current_A(self) -> FloatArray:
        """Mean line current of the last hours [A], (n_cells,)."""
        return mean_hours(self.line_current_A)

    @property
    def alumina_aim_pct(self) -> FloatArray:
        """What the feed keeps alumina at: the mean of the last day [wt%], (n_cells,)."""
        return mean_hours(self.alumina_past_pct[-DAY_H:])


def present_of(
    params: Sequence[CellParams],
    estimate: Estimate,
    cells: Sequence[int],
    cell_voltage_V: FloatArray,
    line_current_A: FloatArray,
    ambient_temp_C: FloatArray,
    past: Past | None,
    change_ago_h: Sequence[Sequence[float]],
) -> Present:
    """Take what is known of some cells out of an estimate.

    Parameters
    ----------
    params
        Technology of each cell taken.
    estimate
        Of the observer, all cells.
    cells
        Indices in it of the cells taken.
    cell_voltage_V, line_current_A, ambient_temp_C : (n_hours, len(cells))
        Means of the last hours, newest last; 36 and more say most. Ambient may be NaN: then 25 degC.
    past
        Estimates of the same cells at the end of the same hours; None: as now.
    change_ago_h
        For each cell taken, how long ago its anodes were changed, as far as known [h].

    Raises
    ------
    ForecastError
        A cell that the observer does not assess, or without voltage or current.
    """
    for name, values in (("cell_voltage_V", cell_voltage_V), ("line_current_A", line_current_A)):
        if values.ndim != 2 or values.shape[1] != len(cells) or values.shape[0] < 1:
            raise ForecastError(f"{name} has shape {values.shape}: (hours, {len(cells)}) is needed")
        if np.isnan(values).all(axis=0).any():
            raise ForecastError(f"{name}: nothing was measured of a cell in the hours given")
    for cell in cells:
        if not estimate.assessed[cell]:
            reason = STATUS_REASONS.get(int(estimate.status[cell]), "not assessed")
            raise ForecastError(f"cell {cell}: the twin has no estimate to begin with: {reason}")
    now = {name: np.asarray(getattr(estimate, name), dtype=np.float64)[list(cells)] for name in _TAKEN}
    end = Past(now["bath_temp_C"], now["superheat_C"], now["alumina_pct"])
    hours = cell_voltage_V.shape[0]
    if past is None:
        ended = Past(*(np.tile(values, (hours, 1)) for values in end))
    else:
        # The present estimate always counts, whatever the last hour had.
        ended = Past(*(np.concatenate([had[:-1], now[None]]) for had, now in zip(past, end, strict=True)))
    return Present(
        params=tuple(params),
        **now,
        cell_voltage_V=cell_voltage_V,
        line_current_A=line_current_A,
        ambient_temp_C=np.where(np.isnan(ambient_temp_C), REFERENCE_AMBIENT_C, ambient_temp_C),
        bath_past_C=ended.bath_temp_C,
        superheat_past_C=ended.superheat_C,
        alumina_past_pct=ended.alumina_pct,
        change_ago_h=tuple(tuple(sorted(ago)) for ago in change_ago_h),
    )


def take(present: Present, cells: list[int]) -> Present:
    """Some of the cells, by their positions."""
    arrays = {
        name: value[cells] if value.ndim == 1 else value[:, cells]
        for name, value in present._asdict().items()
        if name not in ("params", "change_ago_h")
    }
    return present._replace(
        params=tuple(present.params[c] for c in cells),
        change_ago_h=tuple(present.change_ago_h[c] for c in cells),
        **arrays,
    )


def nominal_present(params: Sequence[CellParams]) -> Present:
    """Cells that stand at the nominal state of their technology, known as well as a watched cell is."""
    cells = start_cells(list(params), positions=1)
    n = len(params)

    def of(name: str) -> FloatArray:
        return np.array([getattr(cell, name) for cell in params], dtype=np.float64)

    liquidus = np.array([liquidus_solheim(nominal_bath(cell)) for cell in params])
    return Present(
        params=tuple(params),
        bath_temp_C=cells.state.bath_temp_C.copy(),
        bath_temp_sd_C=np.full(n, 2.0),
        superheat_C=cells.state.bath_temp_C - liquidus,
        superheat_sd_C=np.full(n, 1.5),
        alumina_pct=of("alumina_pct"),
        alumina_sd_pct=np.full(n, 0.25),
        acd_mm=np.full(n, np.nan),
        acd_sd_mm=np.full(n, 2.7),
        ledge_bath_mm=of("ledge_bath_mm"),
        ledge_bath_sd_mm=np.full(n, 8.0),
        current_efficiency=of("current_efficiency_frac"),
        cell_voltage_V=of("nominal_voltage_V")[None, :],
        line_current_A=of("rated_current_A")[None, :],
        ambient_temp_C=np.full((1, n), REFERENCE_AMBIENT_C),
        bath_past_C=cells.state.bath_temp_C[None, :].copy(),
        superheat_past_C=(cells.state.bath_temp_C - liquidus)[None, :],
        alumina_past_pct=of("alumina_pct")[None, :],
        change_ago_h=((),) * n,
    )


def mean_hours(values: FloatArray) -> FloatArray:
    """Mean of the hours that have a value, (n_cells,)."""
    return np.asarray(np.nanmean(values, axis=0))
