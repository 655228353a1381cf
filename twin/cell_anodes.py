"""Anodes, top and bottom of a cell: current, heat and carbon of every block; crust, cover and cathode."""

import numpy as np
from numpy.typing import NDArray

from twin.cell_checks import Drive
from twin.cell_melt import face, liquid_J_kg, solid_J_kg
from twin.cell_model import (
    COLD_C,
    Assumed,
    BURN_J_kg,
    CARBON_kg_sA,
    CellModel,
    SIGMA_W_m2K4,
)
from twin.cell_state import (
    BLOCK_C,
    CARBON_KG,
    COVERING_KG,
    CURRENT_A,
    FLOW,
    GAP_MM,
    MASS,
    ON_BLOCK_KG,
    CellStatus,
    Lumps,
)
from twin.enthalpy import LEDGE_J_kgK, carbon_J_kg, carbon_temp_C
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import critical_density

FloatArray = NDArray[np.float64]

_SPENT, _SHORT = int(CellStatus.ANODE_SPENT), int(CellStatus.ANODE_SHORT)
#: A gap below the bubble layer conducts as this [mm].
_TOUCH_MM = 5.0

_I_RODS, _I_COVER, _I_OFF_GAS = FLOW["rods"], FLOW["cover"], FLOW["off_gas"]
_I_AIR, _I_TO_ANODES = FLOW["air_burn"], FLOW["melt_to_anodes"]
_I_TO_CRUST, _I_TO_CATHODE = FLOW["melt_to_crust"], FLOW["melt_to_cathode"]
_I_CRADLE, _I_BARS, _I_BOTTOM = FLOW["cradle"], FLOW["bars"], FLOW["bottom"]
_I_NEW, _I_BUTTS = FLOW["new_anodes"], FLOW["butts"]
_M_SET, _M_ELEC, _M_BURNT, _M_BUTTS = (
    MASS["carbon_set"],
    MASS["carbon_electrolysis"],
    MASS["carbon_burnt"],
    MASS["carbon_butts"],
)
_M_CRYOLITE_BUTTS = MASS["cryolite_butts"]


@kernel
def open_frac(frozen_kg: float, full_kg: float, start_frac: float) -> float:
    """Share of an anode face that bath touches [-], by what is frozen on it and what covered it all.

    Notes
    -----
    A layer covers the whole block when it forms, whatever its thickness, and opens in proportion as it melts; then
    the block carries the start share of the pick-up law.
    """
    return start_frac + (1.0 - start_frac) * max(1.0 - frozen_kg / full_kg, 0.0)


@kernel
def share_current(
    blocks: FloatArray,
    line_current_A: float,
    ohm_mm: float,
    params: CellParams,
    model: CellModel,
) -> tuple[float, float, int]:
    """Divide the line current over the anodes and reduce these to one equivalent gap.

    Parameters
    ----------
    ohm_mm
        Bath resistance per millimetre under one position [ohm/mm].

    Returns
    -------
    tuple
        Gap with which a cell of equal anodes has the same resistance [mm], heat in the blocks [W], status bits.
        The gap is negative when no block conducts.

    Notes
    -----
    Beam and metal are equipotentials and paths are linear around the working point; ``twin.network`` solves the
    full chain per anode.
    """
    status = 0
    total = 0.0
    n = blocks.shape[1]
    for j in range(n):
        gap_mm = blocks[GAP_MM, j]
        if gap_mm < _TOUCH_MM:
            status |= _SHORT
            gap_mm = _TOUCH_MM
        share = 0.0
        if blocks[CARBON_KG, j] <= model.butt_kg:
            status |= _SPENT
        else:
            share = open_frac(blocks[ON_BLOCK_KG, j], blocks[COVERING_KG, j], params.pickup_start_frac)
            share /= model.anode_slope_ohm + ohm_mm * gap_mm
        blocks[CURRENT_A, j] = share
        total += share
    if total <= 0.0:
        return -1.0, 0.0, status
    heat_W = 0.0
    block_ohm = n * params.anode_ohm
    for j in range(n):
        current_A = line_current_A * blocks[CURRENT_A, j] / total
        blocks[CURRENT_A, j] = current_A
        heat_W += current_A * current_A * block_ohm
    return (n / total - model.anode_slope_ohm) / ohm_mm, heat_W, status


@kernel
def in_anode_effect(
    before: float,
    density_A_cm2: float,
    bath_C: float,
    alumina_pct: float,
    params: CellParams,
    assumed: Assumed,
) -> float:
    """Whether the cell is in anode effect [0 or 1]: it begins at the critical density, ends with fresh alumina."""
    if density_A_cm2 <= 0.05:
        return 0.0
    if before > 0.0:
        return 0.0 if alumina_pct > assumed.anode_effect_end_pct else 1.0
    one_cm2 = params.anode_length_mm * params.anode_width_mm * 0.01
    # Where the bubble layer closes (Haupin's alumina of the anode effect) the whole face is blocked.
    if alumina_pct < params.alumina_ae_pct:
        return 1.0
    return 1.0 if density_A_cm2 >= critical_density(bath_C, alumina_pct, one_cm2) else 0.0


@kernel
def step_anodes(
    lumps: Lumps,
    blocks: FloatArray,
    liquidus_C: float,
    latent_J_kg: float,
    production_frac: float,
    drive: Drive,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    dt_s: float,
    flow_W: FloatArray,
    mass_kg: FloatArray,
) -> tuple[float, float, float]:
    """Heat, freeze and consume the blocks.

    Returns
    -------
    tuple
        Bath freezing on the blocks [kg/s], heat to the crust [W], carbon heat that the reaction gets back [W].
        Heat flows and carbon are added to the books of the member.
    """
    freezing, to_crust_W, carbon_W = 0.0, 0.0, 0.0
    n = blocks.shape[1]
    area_m2 = model.wetted_m2
    block_ohm = n * params.anode_ohm
    burnt = CARBON_kg_sA * assumed.air_burn_frac * params.rated_current_A / n
    for j in range(n):
        kg, temp_C, frozen = blocks[CARBON_KG, j], blocks[BLOCK_C, j], blocks[ON_BLOCK_KG, j]
        thick_m = frozen / (area_m2 * params.ledge_density_kg_m3)
        at = face(
            lumps.bath_temp_C,
            liquidus_C,
            temp_C,
            model.anode_m2K_W + thick_m / params.ledge_conductivity_W_mK,
            assumed.anode_transfer_W_m2K,
            area_m2,
            frozen,
            latent_J_kg,
            dt_s,
        )
        current_A = blocks[CURRENT_A, j]
        used = CARBON_kg_sA * current_A * production_frac
        burning = burnt if kg > model.butt_kg else 0.0
        above_J_kg = carbon_J_kg(temp_C)
        crust_W = model.anode_crust_W_K * (temp_C - lumps.crust_temp_C)
        rod_W = model.rod_W_K * (temp_C - drive.ambient_temp_C)
        air_W = burning * (assumed.burn_heat_frac * BURN_J_kg - above_J_kg)
        heat_J = kg * above_J_kg + frozen * LEDGE_J_kgK * (temp_C - COLD_C)
        heat_J += dt_s * (
            at.to_wall_W
            + at.freezing_kg_s * solid_J_kg(liquidus_C)
            + current_A * current_A * block_ohm
            + air_W
            - used * above_J_kg
            - crust_W
            - rod_W
        )
        kg -= dt_s * (used + burning)
        frozen = max(frozen + dt_s * at.freezing_kg_s, 0.0)
        blocks[GAP_MM, j] += 1e3 * dt_s * used / (model.face_m2 * assumed.carbon_kg_m3)
        blocks[CARBON_KG, j] = kg
        blocks[ON_BLOCK_KG, j] = frozen
        blocks[COVERING_KG, j] = max(blocks[COVERING_KG, j], frozen)
        blocks[BLOCK_C, j] = carbon_temp_C(heat_J, kg, frozen * LEDGE_J_kgK, temp_C)
        freezing += at.freezing_kg_s
        to_crust_W += crust_W
        carbon_W += used * above_J_kg
        flow_W[_I_TO_ANODES] += at.from_melt_W
        flow_W[_I_RODS] += rod_W
        flow_W[_I_AIR] += air_W
        mass_kg[_M_ELEC] += dt_s * used
        mass_kg[_M_BURNT] += dt_s * burning
    return freezing, to_crust_W, carbon_W


@kernel
def change_anode(
    lumps: Lumps,
    blocks: FloatArray,
    liquidus_C: float,
    drive: Drive,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    dt_s: float,
    flow_W: FloatArray,
    mass_kg: FloatArray,
) -> float:
    """Take out a block and set a new one; bath freezes on it at once [kg, returned].

    Notes
    -----
    How much freezes is in proportion to the heat that the block lacks to the liquidus, 60 mm on one set cold, but no
    thicker than the gap: the layer may reach the metal (Fortini et al., Light Metals 2012). Its sides are taken alike.
    """
    j = int(drive.anode_change)
    n = blocks.shape[1]
    kg, frozen = blocks[CARBON_KG, j], blocks[ON_BLOCK_KG, j]
    out_J = kg * carbon_J_kg(blocks[BLOCK_C, j]) + frozen * LEDGE_J_kgK * (blocks[BLOCK_C, j] - COLD_C)
    in_J = model.block_kg * carbon_J_kg(drive.anode_new_temp_C)
    lacking = 1.0 - carbon_J_kg(drive.anode_new_temp_C) / carbon_J_kg(liquidus_C)
    chilled = model.chill_kg * max(lacking, 0.0)
    total_mm = 0.0
    for other in range(n):
        total_mm += blocks[GAP_MM, other] if other != j else 0.0
    if n > 1:
        blocks[GAP_MM, j] = total_mm / (n - 1)
    blocks[GAP_MM, j] += drive.anode_allowance_mm
    room_kg = 1e-3 * max(blocks[GAP_MM, j], 0.0) * model.wetted_m2 * params.ledge_density_kg_m3
    chilled = min(chilled, room_kg, 0.2 * lumps.cryolite_kg)
    blocks[CARBON_KG, j] = model.block_kg
    blocks[ON_BLOCK_KG, j] = chilled
    blocks[COVERING_KG, j] = max(chilled, model.skin_kg)
    heat_J = in_J + chilled * liquid_J_kg(lumps.bath_temp_C, params.ledge_latent_J_kg)
    blocks[BLOCK_C, j] = carbon_temp_C(heat_J, model.block_kg, chilled * LEDGE_J_kgK, drive.anode_new_temp_C)
    flow_W[_I_BUTTS] += out_J / dt_s
    flow_W[_I_NEW] += in_J / dt_s
    mass_kg[_M_BUTTS] += kg
    mass_kg[_M_CRYOLITE_BUTTS] += frozen
    mass_kg[_M_SET] += model.block_kg
    return chilled


@kernel
def step_top_and_bottom(
    lumps: Lumps,
    from_anodes_W: float,
    cathode_W: float,
    drive: Drive,
    model: CellModel,
    assumed: Assumed,
    dt_s: float,
    flow_W: FloatArray,
) -> float:
    """Heat crust and cathode blocks; returns what the melt gives to both [W]."""
    bath_C, crust_C, cathode_C = lumps.bath_temp_C, lumps.crust_temp_C, lumps.cathode_temp_C
    air_K = drive.ambient_temp_C + 273.15
    loose = assumed.loose_frac * drive.cover_m / assumed.cover_m
    cover_K_W = model.cover_K_W * (1.0 - assumed.loose_frac + loose)
    face_C = lumps.cover_face_C
    for _ in range(3):
        face_K = face_C + 273.15
        radiated_W = model.radiating_m2 * SIGMA_W_m2K4 * (face_K**4 - air_K**4)
        gas_W = model.gas_W_K * (face_C - drive.ambient_temp_C)
        short_W = (crust_C - face_C) / cover_K_W - radiated_W - gas_W
        slope = 1.0 / cover_K_W + model.gas_W_K + 4.0 * model.radiating_m2 * SIGMA_W_m2K4 * face_K**3
        face_C += short_W / slope
    face_K = face_C + 273.15
    radiated_W = model.radiating_m2 * SIGMA_W_m2K4 * (face_K**4 - air_K**4)
    gas_W = model.gas_W_K * (face_C - drive.ambient_temp_C)
    lumps.cover_face_C = face_C
    to_crust_W = model.crust_W_K * (bath_C - crust_C)
    lumps.crust_temp_C += dt_s * (from_anodes_W + to_crust_W - radiated_W - gas_W) / model.crust_J_K

    to_cathode_W = model.cathode_W_K * (bath_C - cathode_C)
    rise_C = cathode_C - drive.ambient_temp_C
    below_W_K = model.cradle_W_K + model.bars_W_K + model.bottom_W_K
    lumps.cathode_temp_C += dt_s * (to_cathode_W + cathode_W - below_W_K * rise_C) / model.cathode_J_K
    flow_W[_I_COVER] += radiated_W
    flow_W[_I_OFF_GAS] += gas_W
    flow_W[_I_TO_CRUST] += to_crust_W
    flow_W[_I_TO_CATHODE] += to_cathode_W
    flow_W[_I_CRADLE] += model.cradle_W_K * rise_C
    flow_W[_I_BARS] += model.bars_W_K * rise_C
    flow_W[_I_BOTTOM] += model.bottom_W_K * rise_C
    return to_crust_W + to_cathode_W
