"""Inputs of one member in one step, and whether they and the state can be used."""

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.cell_model import CellModel
from twin.cell_state import (
    BLOCK_C,
    CARBON_KG,
    GAP_MM,
    HELD,
    LEDGE_KG,
    ON_BLOCK_KG,
    SHELL_C,
    WALL_C,
    CellInputs,
    CellStatus,
    Lumps,
)
from twin.jit import kernel
from twin.params import CellParams

FloatArray = NDArray[np.float64]

_MISSING, _IMPOSSIBLE = int(CellStatus.INPUT_MISSING), int(CellStatus.INPUT_IMPOSSIBLE)
_INVALID = int(CellStatus.STATE_INVALID)
HELD_BITS = int(HELD)
#: Range in which the equations of the bath hold [degC].
VALID_LOW_C, VALID_HIGH_C = 850.0, 1050.0
#: Input that names no position.
_NO_ANODE = -1.0


class Drive(NamedTuple):
    """Inputs of one member in one step; names as in ``CellInputs``."""

    line_current_A: float
    ambient_temp_C: float
    beam_mm: float
    voltage_set_V: float
    alumina_kg_s: float
    alumina_set_pct: float
    alf3_kg_s: float
    metal_tap_kg_s: float
    bath_tap_kg_s: float
    cover_m: float
    opening_m2: float
    anode_change: float
    anode_new_temp_C: float
    anode_allowance_mm: float


@kernel
def _at(values: FloatArray, t: int, c: int) -> float:
    """Value of a schedule for member ``c``; one column is shared by all."""
    return values[t, c if values.shape[1] > 1 else 0]


@kernel
def drive_at(inputs: CellInputs, t: int, c: int) -> Drive:
    """Inputs of member ``c`` in step ``t``."""
    return Drive(
        _at(inputs.line_current_A, t, c),
        _at(inputs.ambient_temp_C, t, c),
        _at(inputs.beam_mm, t, c),
        _at(inputs.voltage_set_V, t, c),
        _at(inputs.alumina_kg_s, t, c),
        _at(inputs.alumina_set_pct, t, c),
        _at(inputs.alf3_kg_s, t, c),
        _at(inputs.metal_tap_kg_s, t, c),
        _at(inputs.bath_tap_kg_s, t, c),
        _at(inputs.cover_m, t, c),
        _at(inputs.opening_m2, t, c),
        _at(inputs.anode_change, t, c),
        _at(inputs.anode_new_temp_C, t, c),
        _at(inputs.anode_allowance_mm, t, c),
    )


@kernel
def _outside(value: float, low: float, high: float) -> bool:
    """Whether a number lies outside a range; infinite is outside, NaN is not judged."""
    return value < low or value > high


@kernel
def input_status(drive: Drive, params: CellParams, model: CellModel) -> int:
    """Status bits of what is missing or impossible among the inputs; 0 when all can be done."""
    total = (
        drive.line_current_A
        + drive.ambient_temp_C
        + drive.beam_mm
        + drive.alumina_kg_s
        + drive.alf3_kg_s
        + drive.metal_tap_kg_s
        + drive.bath_tap_kg_s
        + drive.cover_m
        + drive.opening_m2
        + drive.anode_change
        + drive.anode_new_temp_C
        + drive.anode_allowance_mm
    )
    status = 0
    if isnan(total):
        status |= _MISSING
    rated = params.rated_current_A
    # Rates that would empty or double a pool within minutes are slips of a unit.
    wrong = (
        _outside(drive.line_current_A, 0.0, 1.5 * rated)
        or _outside(drive.ambient_temp_C, -60.0, 80.0)
        or _outside(drive.beam_mm, -100.0, 100.0)
        or _outside(drive.voltage_set_V, 2.0, 10.0)
        or _outside(drive.alumina_kg_s, 0.0, 2e-5 * rated)
        or _outside(drive.alumina_set_pct, 1.0, 8.0)
        or _outside(drive.alf3_kg_s, 0.0, 1e-5 * rated)
    )
    wrong = wrong or (
        _outside(drive.metal_tap_kg_s, 0.0, 2e-4 * rated)
        or _outside(drive.bath_tap_kg_s, 0.0, 2e-4 * rated)
        or _outside(drive.cover_m, 0.0, 1.0)
        or _outside(drive.opening_m2, 0.0, model.top_m2)
        or _outside(drive.anode_change, _NO_ANODE, model.positions - 1.0)
        or _outside(drive.anode_new_temp_C, -60.0, 1000.0)
        or _outside(drive.anode_allowance_mm, -100.0, 100.0)
    )
    if wrong or (not isnan(drive.anode_change) and drive.anode_change % 1.0 != 0.0):
        status |= _IMPOSSIBLE
    return status


@kernel
def state_status(lumps: Lumps, walls: FloatArray, blocks: FloatArray) -> int:
    """``STATE_INVALID`` when a mass or temperature of a member is NaN or impossible, else 0."""
    least = min(lumps.cryolite_kg, lumps.caf2_kg, lumps.alumina_kg, lumps.undissolved_kg)
    least = min(least, lumps.sludge_kg, lumps.metal_kg, lumps.frozen_kg, lumps.lif_kg)
    least = min(least, lumps.mgf2_kg, lumps.kf_kg, lumps.alf3_kg)
    total = (
        lumps.cryolite_kg
        + lumps.alf3_kg
        + lumps.caf2_kg
        + lumps.lif_kg
        + lumps.mgf2_kg
        + lumps.kf_kg
        + lumps.alumina_kg
        + lumps.undissolved_kg
        + lumps.sludge_kg
        + lumps.metal_kg
        + lumps.frozen_kg
        + lumps.crust_temp_C
        + lumps.cathode_temp_C
        + lumps.cover_face_C
    )
    for k in range(walls.shape[1]):
        least = min(least, walls[LEDGE_KG, k])
        total += walls[LEDGE_KG, k] + walls[WALL_C, k] + walls[SHELL_C, k]
    for j in range(blocks.shape[1]):
        least = min(least, blocks[CARBON_KG, j], blocks[ON_BLOCK_KG, j])
        total += blocks[CARBON_KG, j] + blocks[BLOCK_C, j] + blocks[GAP_MM, j]
        total += blocks[ON_BLOCK_KG, j]
    bath_C = lumps.bath_temp_C
    # Comparisons with NaN are false: the sum finds those. An infinite sum minus itself is NaN.
    if least < 0.0 or isnan(total - total) or not VALID_LOW_C <= bath_C <= VALID_HIGH_C:
        return _INVALID
    if lumps.metal_kg <= 0.0 or lumps.cryolite_kg <= 0.0:
        return _INVALID
    return 0
