"""Waste heat of cells by surface and temperature, and what part of it could be used."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.cell import run_cells
from twin.cell_model import SIGMA_W_m2K4
from twin.cell_state import FLOW, SECTIONS, SEE, section_face_m2
from twin.forecast_hours import STEP_S, Hours, inputs_of
from twin.forecast_points import centre_of, make_members, place
from twin.forecast_present import DAY_H, ForecastError, Present, mean_hours, take

FloatArray = NDArray[np.float64]

#: Ways out of a cell, hottest carrier first; the hood gas takes half of what the rods give off.
WAYS = (
    "hood_gas",
    "side_bath",
    "side_metal",
    "end_bath",
    "end_metal",
    "cover",
    "opening",
    "rods",
    "cradle",
    "bars",
    "bottom",
)
#: Heat is of use from this temperature on [degC]: flow of a hot-water network; a choice, no standard.
USABLE_C = 80.0
_KELVIN = 273.15
_MINUTES = 10


class WasteHeat(NamedTuple):
    """Heat of cells by way out, (n_cells, len(WAYS)); NaN for cells that no balance fits.

    Attributes
    ----------
    heat_kW
        That leaves.
    temp_C
        At which it leaves: gas in the duct, shell, face of the cover; NaN where the twin has no temperature.
    recoverable_kW
        Upper bound of what a heat exchanger could take at the usable temperature; NaN without a temperature.
    exergy_kW
        Work that it is worth at the temperature of the room; NaN without a temperature.
    power_kW : (n_cells,)
        Electric power of the cell.
    """

    heat_kW: FloatArray
    temp_C: FloatArray
    recoverable_kW: FloatArray
    exergy_kW: FloatArray
    power_kW: FloatArray


def possible_cells(present: Present) -> list[int]:
    """Positions of the cells that a balance fits at their estimate."""
    found: list[int] = []
    for c in range(len(present.params)):
        one = take(present, [c])
        try:
            make_members(one, centre_of(one)[:, None], np.zeros((1, 3)), 1)
        except ForecastError:
            continue
        found.append(c)
    return found


def waste_heat(present: Present, usable_C: float = USABLE_C) -> WasteHeat:
    """Divide the heat of cells by way out, as the dynamic cell has it at their estimate.

    Parameters
    ----------
    present
        Cells as they are.
    usable_C
        Temperature from which on heat is of use [degC].

    Notes
    -----
    Recoverable is of the gas what it gives off on its way down to the usable temperature, and of the shell what it
    radiates to a panel of that temperature; convection goes to the room. Of the cover it is nothing: it heats the
    hood, and what the gas takes up is counted there. Shares of top, bars and bottom are priors of the cell model
    (``twin.cell_model.Assumed``), not measured; side and gas follow the cell's own ledge, voltage and efficiency.
    Not validated against a plant.
    """
    n = len(present.params)
    heat, temp, usable = (np.full((n, len(WAYS)), np.nan) for _ in range(3))
    power = np.full(n, np.nan)
    air_C = np.asarray(present.ambient_temp_C[-DAY_H:].mean(axis=0))
    good = possible_cells(present)
    if good:
        heat[good], temp[good], usable[good], power[good] = _divided(take(present, good), usable_C)
    worth = 1.0 - (air_C[:, None] + _KELVIN) / (temp + _KELVIN)
    return WasteHeat(heat, temp, usable, heat * np.maximum(worth, 0.0), power)


def _divided(present: Present, usable_C: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Heat [kW], temperature [degC] and recoverable heat [kW] by way, and power [kW], of cells that all stand."""
    n = len(present.params)
    centre = centre_of(present)
    cells, owner = make_members(present, centre[:, None], np.zeros((n, 3)), 1)
    place(cells, owner, present, centre)
    air_C = present.ambient_temp_C[-DAY_H:].mean(axis=0)
    hour = Hours(
        mean_hours(present.line_current_A)[None],
        mean_hours(present.cell_voltage_V)[None],
        air_C[None],
        [()] * n,
        None,
    )
    inputs = inputs_of(cells, owner, hour, np.zeros(n))
    run_cells(cells, type(inputs)(*(v[:_MINUTES] for v in inputs)), STEP_S)
    flow_kW = {name: 1e-3 * cells.books.flow_W[:, row] for name, row in FLOW.items()}
    seen, state = cells.books.seen, cells.state
    ways = {name: flow_kW[name] for name in WAYS if name in flow_kW}
    ways["hood_gas"] = flow_kW["off_gas"] + flow_kW["process_gas"] + 0.5 * flow_kW["rods"]
    ways["rods"] = 0.5 * flow_kW["rods"]
    temps = dict.fromkeys(WAYS, np.full(n, np.nan))
    temps |= {"hood_gas": seen[:, SEE["duct_temp_C"]], "cover": state.cover_face_C.copy()}
    temps |= {name: state.shell_temp_C[:, k].copy() for k, name in enumerate(SECTIONS)}
    usable = {name: np.where(np.isnan(temps[name]), np.nan, 0.0) for name in WAYS}
    to_gas_kW_K = 1e-3 * np.array([model.hood_W_K for model in cells.models])
    usable["hood_gas"] = to_gas_kW_K * np.maximum(temps["hood_gas"] - usable_C, 0.0)
    for k, name in enumerate(SECTIONS):
        area_m2 = np.array([section_face_m2(p, k) * p.shell_area_frac for p in cells.params])
        gray = SIGMA_W_m2K4 * np.array([p.shell_emissivity for p in cells.params])
        radiated = gray * ((temps[name] + _KELVIN) ** 4 - (usable_C + _KELVIN) ** 4)
        usable[name] = np.clip(1e-3 * area_m2 * radiated, 0.0, ways[name])
    return (
        np.stack([ways[name] for name in WAYS], axis=1),
        np.stack([temps[name] for name in WAYS], axis=1),
        np.stack([usable[name] for name in WAYS], axis=1),
        flow_kW["electric"],
    )
