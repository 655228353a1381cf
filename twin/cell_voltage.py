"""The average voltage of a line's cells in parts, and what voltage and current efficiency mean in kWh/t."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.energy import METAL_KG_PER_KAH
from twin.forecast_points import alf3_pct_at
from twin.heat import nominal_bath
from twin.params import CellParams
from twin.voltage import voltage_haupin

FloatArray = NDArray[np.float64]
#: What the mean voltage of a cell consists of; the last is what the twin does not explain.
PARTS = (
    "reversible",
    "overvoltages",
    "bath",
    "bubbles",
    "anode",
    "cathode",
    "external",
    "effects",
    "unexplained",
)
_MINUTES_PER_DAY = 1440.0


class AverageVoltage(NamedTuple):
    """Average voltage of a cell [V] and what it is made of.

    Attributes
    ----------
    working_V
        Between the terminals of the cell, without anode effects.
    effects_V
        Share of anode effects.
    busbar_V
        What lies behind the rectifiers' terminals and in no cell.
    average_V
        Their sum: mean line voltage over operating cells.
    effects_per_cell_day, effect_minutes_per_cell_day
        AEF and AEM.
    """

    working_V: float
    effects_V: float
    busbar_V: float
    average_V: float
    effects_per_cell_day: float
    effect_minutes_per_cell_day: float


def average_voltage(
    line_voltage_V: float,
    operating_cells: float,
    working_V: float,
    effects: float,
    effect_minutes: float,
    effect_mean_V: float,
    cell_days: float,
) -> AverageVoltage:
    """Split the average voltage of a line's cells.

    Parameters
    ----------
    line_voltage_V
        Mean between the rectifiers' DC terminals [V].
    operating_cells
        Cells under current and not shorted, time weighted, > 0.
    working_V
        Mean cell voltage without anode effects [V].
    effects, effect_minutes, effect_mean_V
        Number, total duration [min] and mean voltage [V] of the anode effects.
    cell_days
        Operating cell-days, > 0.

    Notes
    -----
    Energy reference 2.5. A negative `busbar_V` is a fault of a voltage channel and is passed on as it is.
    """
    share = effect_minutes / (_MINUTES_PER_DAY * cell_days)
    effects_V = share * (effect_mean_V - working_V)
    average_V = line_voltage_V / operating_cells
    return AverageVoltage(
        working_V=working_V,
        effects_V=effects_V,
        busbar_V=average_V - working_V - effects_V,
        average_V=average_V,
        effects_per_cell_day=effects / cell_days,
        effect_minutes_per_cell_day=effect_minutes / cell_days,
    )


def voltage_for(dc_kwh_per_t: float, current_efficiency: float) -> float:
    """Mean voltage [V] at which a DC intensity [kWh/t] is met at a current efficiency (fraction).

    Examples
    --------
    >>> round(voltage_for(13000.0 * 0.985, 0.93), 5)
    3.99622
    """
    return dc_kwh_per_t * METAL_KG_PER_KAH * current_efficiency / 1000.0


def efficiency_for(dc_kwh_per_t: float, voltage_V: float) -> float:
    """Current efficiency (fraction) at which a DC intensity [kWh/t] is met at a mean voltage [V]."""
    return 1000.0 * voltage_V / (METAL_KG_PER_KAH * dc_kwh_per_t)


def enthalpy_voltage(current_efficiency: float) -> float:
    """Voltage [V] that the reaction needs with heating of its reactants, 0.48 + 1.65 CE.

    Notes
    -----
    Haupin; Grjotheim and Kvande; energy reference 2.6. For the utilisation of energy only: published minima
    differ by temperature and feed (6.23-6.35 kWh/kg).
    """
    return 0.48 + 1.65 * current_efficiency


def energy_utilisation(current_efficiency: float, average_V: float) -> float:
    """Share of the energy that the reaction needs, 0-1; target T10 of the plan 2025-2027.

    Examples
    --------
    >>> round(energy_utilisation(0.93, 3.95), 4)
    0.51
    """
    return enthalpy_voltage(current_efficiency) / average_V


def voltage_parts(
    params: Sequence[CellParams | None],
    current_A: FloatArray,
    acd_mm: FloatArray,
    bath_temp_C: FloatArray,
    superheat_C: FloatArray,
    alumina_pct: FloatArray,
    effects_V: FloatArray,
    mean_V: FloatArray,
) -> FloatArray:
    """Split the mean voltage of cells [V], (n_cells, len(PARTS)); rows sum to ``mean_V``, NaN without a figure.

    Parameters
    ----------
    params
        Technology of each cell; None where it is unknown.
    current_A, acd_mm, bath_temp_C, superheat_C, alumina_pct : (n_cells,)
        Means of the period: line current, and the twin's estimates [mm, degC, K, wt%].
    effects_V : (n_cells,)
        Share of anode effects in the mean voltage [V].
    mean_V : (n_cells,)
        Measured, weighted with the current.

    Notes
    -----
    Haupin's chain at the mean state, with the AlF3 that its liquidus asks for; a chain of means is not the mean of
    the chain. Distance and conductors cannot be told apart by voltage: what
    the twin's distance does not take stands under ``unexplained``.
    """
    found = np.full((len(mean_V), len(PARTS)), np.nan)
    given = (current_A, acd_mm, bath_temp_C, superheat_C, alumina_pct, effects_V, mean_V)
    for i in np.flatnonzero(np.isfinite(np.stack(given)).all(axis=0)).tolist():
        cell = params[i]
        if cell is None:
            continue
        alf3_pct = alf3_pct_at(float(bath_temp_C[i] - superheat_C[i]), float(alumina_pct[i]), cell)
        bath = nominal_bath(cell)._replace(
            alumina_pct=float(alumina_pct[i]),
            excess_alf3_pct=alf3_pct if alf3_pct == alf3_pct else cell.excess_alf3_pct,
        )
        v = voltage_haupin(float(current_A[i]), float(acd_mm[i]), float(bath_temp_C[i]), bath, cell)
        over_V = v.anode_concentration_V + v.anode_surface_V + v.cathode_concentration_V
        known = (
            v.reversible_V,
            over_V,
            v.bath_V,
            v.bubble_V,
            v.anode_V,
            v.cathode_V,
            v.external_V,
            effects_V[i],
        )
        found[i] = (*known, mean_V[i] - sum(known))
    return found
