"""Melt and walls of a cell: heat contents, freezing on faces, ledge, metal level, alumina."""

from math import exp
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, metal_density_kg_m3
from twin.cell_model import COLD_C, HOT_C, Assumed, CellModel
from twin.cell_state import FLOW, LEDGE_KG, N_SECTIONS, SHELL_C, WALL_C, Lumps, section_face_m2
from twin.enthalpy import (
    ALF3_HEATING_J_kg,
    ALUMINA_DISSOLUTION_J_kg,
    ALUMINA_HEATING_J_kg,
    BATH_J_kgK,
    LEDGE_J_kgK,
    METAL_J_kgK,
)
from twin.heat import Steady, shell_flux_W_m2
from twin.jit import kernel
from twin.params import CellParams

FloatArray = NDArray[np.float64]

_SIDE, _TO_SIDE = FLOW["side_bath"], FLOW["melt_to_side"]
_ALUMINA_J_kgK = ALUMINA_HEATING_J_kg / (HOT_C - COLD_C)


class Face(NamedTuple):
    """What happens at a wall in the melt during a step."""

    freezing_kg_s: float  # negative: melts
    from_melt_W: float  # without what the freezing mass brings
    to_wall_W: float


@kernel
def liquid_J_kg(temp_C: float, latent_J_kg: float) -> float:
    """Heat of liquid cryolite above solid at 25 degC [J/kg]; heat of fusion as at 960 degC."""
    return LEDGE_J_kgK * (HOT_C - COLD_C) + latent_J_kg + BATH_J_kgK * (temp_C - HOT_C)


@kernel
def solid_J_kg(temp_C: float) -> float:
    """Heat of solid cryolite above 25 degC [J/kg]."""
    return LEDGE_J_kgK * (temp_C - COLD_C)


@kernel
def efficiency_frac(
    bath_temp_C: float, superheat_C: float, excess_alf3_pct: float, params: CellParams, nominal: Steady
) -> float:
    """Current efficiency [-]: a control-grade law around the nominal point, held within 0.80 and 0.98.

    Notes
    -----
    -0.0018 per K of superheat, -0.003 per 5 K of bath temperature, +0.003 per wt% AlF3; low to medium confidence.
    """
    hotter_C = bath_temp_C - nominal.liquidus_C - nominal.superheat_C
    efficiency = params.current_efficiency_frac - 0.0018 * (superheat_C - nominal.superheat_C)
    efficiency += -0.0006 * hotter_C + 0.003 * (excess_alf3_pct - params.excess_alf3_pct)
    return min(max(efficiency, 0.80), 0.98)


@kernel
def liquid_kg(lumps: Lumps) -> float:
    """Mass of the liquid bath with what is dissolved in it [kg]."""
    return (
        lumps.cryolite_kg
        + lumps.alf3_kg
        + lumps.caf2_kg
        + lumps.lif_kg
        + lumps.mgf2_kg
        + lumps.kf_kg
        + lumps.alumina_kg
    )


@kernel
def composition(lumps: Lumps) -> Bath:
    """Composition of the liquid bath [wt%]."""
    pct_kg = 100.0 / liquid_kg(lumps)
    return Bath(
        pct_kg * lumps.alf3_kg,
        pct_kg * lumps.caf2_kg,
        pct_kg * lumps.alumina_kg,
        pct_kg * lumps.lif_kg,
        pct_kg * lumps.mgf2_kg,
        pct_kg * lumps.kf_kg,
    )


@kernel
def melt_terms(lumps: Lumps, latent_J_kg: float) -> tuple[float, float]:
    """Heat of bath, metal and what floats in them at 960 degC above 25 degC [J], and their heat capacity [J/K]."""
    hot_J = liquid_J_kg(HOT_C, latent_J_kg)
    salts_kg = lumps.cryolite_kg + lumps.caf2_kg + lumps.lif_kg + lumps.mgf2_kg + lumps.kf_kg
    loose_kg = lumps.undissolved_kg + lumps.sludge_kg
    heat_J = (
        salts_kg * hot_J
        + lumps.alf3_kg * ALF3_HEATING_J_kg
        + lumps.alumina_kg * (ALUMINA_HEATING_J_kg + ALUMINA_DISSOLUTION_J_kg)
        + loose_kg * ALUMINA_HEATING_J_kg
        + lumps.frozen_kg * solid_J_kg(HOT_C)
    )
    capacity_J_K = (
        (salts_kg + lumps.alf3_kg + lumps.alumina_kg) * BATH_J_kgK
        + loose_kg * _ALUMINA_J_kgK
        + lumps.frozen_kg * LEDGE_J_kgK
        + lumps.metal_kg * METAL_J_kgK
    )
    return heat_J, capacity_J_K


@kernel
def face(
    melt_C: float,
    liquidus_C: float,
    wall_C: float,
    resistance_m2K_W: float,
    transfer_W_m2K: float,
    area_m2: float,
    solid_kg: float,
    latent_J_kg: float,
    dt_s: float,
) -> Face:
    """Freezing, melting and heat flow at a wall in the melt, by the Stefan condition.

    Parameters
    ----------
    melt_C, liquidus_C, wall_C
        Temperatures of melt, of the face while frozen bath is on it, and of the wall behind.
    resistance_m2K_W
        From the face to the wall [m2 K/W].
    transfer_W_m2K, area_m2
        Melt to face.
    solid_kg
        Frozen on the face; no more than this melts in a step.
    latent_J_kg
        Heat of fusion at the liquidus.
    dt_s
        Step.
    """
    out_W = area_m2 * (liquidus_C - wall_C) / resistance_m2K_W
    in_W = transfer_W_m2K * area_m2 * (melt_C - liquidus_C)
    rate = (out_W - in_W) / latent_J_kg
    if rate >= 0.0 or solid_kg > -rate * dt_s:
        return Face(rate, in_W, out_W)
    if solid_kg > 0.0:
        rate = -solid_kg / dt_s
        return Face(rate, out_W - rate * latent_J_kg, out_W)
    bare_W = area_m2 * (melt_C - wall_C) / (1.0 / transfer_W_m2K + resistance_m2K_W)
    return Face(0.0, bare_W, bare_W)


@kernel
def step_walls(
    lumps: Lumps,
    walls: FloatArray,
    liquidus_C: float,
    latent_J_kg: float,
    ambient_C: float,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    dt_s: float,
    flow_W: FloatArray,
) -> tuple[float, float, bool]:
    """Step the four sections of ledge, lining and shell; returns freezing [kg/s], heat from the melt, bareness."""
    freezing, from_melt_W, bare = 0.0, 0.0, False
    for k in range(N_SECTIONS):
        metal_level = k % 2 == 1
        area_m2 = section_face_m2(params, k)
        ledge_kg, wall_C, shell_C = walls[LEDGE_KG, k], walls[WALL_C, k], walls[SHELL_C, k]
        thick_m = ledge_kg / (area_m2 * params.ledge_density_kg_m3)
        lining = model.lining_metal_m2K_W if metal_level else model.lining_bath_m2K_W
        half = 0.5 * (thick_m / params.ledge_conductivity_W_mK + lining)
        transfer = params.metal_ledge_W_m2K if metal_level else params.bath_ledge_W_m2K
        at = face(
            lumps.bath_temp_C,
            liquidus_C,
            wall_C,
            half,
            transfer * model.transfer_frac,
            area_m2,
            ledge_kg,
            latent_J_kg,
            dt_s,
        )
        to_shell_W = area_m2 * (wall_C - shell_C) / half
        shell_m2 = area_m2 * params.shell_area_frac
        away_W = shell_m2 * shell_flux_W_m2(shell_C, ambient_C, params.shell_emissivity)
        heat_J = (ledge_kg * LEDGE_J_kgK + area_m2 * assumed.lining_J_m2K) * (wall_C - COLD_C)
        heat_J += dt_s * (at.to_wall_W + at.freezing_kg_s * solid_J_kg(liquidus_C) - to_shell_W)
        ledge_kg = max(ledge_kg + dt_s * at.freezing_kg_s, 0.0)
        walls[LEDGE_KG, k] = ledge_kg
        walls[WALL_C, k] = COLD_C + heat_J / (ledge_kg * LEDGE_J_kgK + area_m2 * assumed.lining_J_m2K)
        walls[SHELL_C, k] = shell_C + dt_s * (to_shell_W - away_W) / (shell_m2 * assumed.shell_J_m2K)
        freezing += at.freezing_kg_s
        from_melt_W += at.from_melt_W
        flow_W[_SIDE + k] = away_W
        bare = bare or ledge_kg == 0.0
    flow_W[_TO_SIDE] = from_melt_W
    return freezing, from_melt_W, bare


@kernel
def metal_level_mm(lumps: Lumps, walls: FloatArray, params: CellParams, model: CellModel) -> float:
    """Height of the metal pad [mm]; ledge at metal level narrows it."""
    area_m2 = params.cathode_area_m2
    for k in (1, 3):
        face_m2 = section_face_m2(params, k)
        thick_m = walls[LEDGE_KG, k] / (face_m2 * params.ledge_density_kg_m3)
        area_m2 -= face_m2 / params.metal_height_m * (thick_m - 1e-3 * model.ledge_metal_mm)
    density = metal_density_kg_m3(lumps.bath_temp_C)
    return 1e3 * lumps.metal_kg / (density * max(area_m2, 0.3 * params.cathode_area_m2))


@kernel
def step_alumina(
    lumps: Lumps,
    fed_kg_s: float,
    consumed_kg_s: float,
    saturation_frac: float,
    superheat_C: float,
    assumed: Assumed,
    dt_s: float,
) -> None:
    """Dissolve, settle and use alumina; ``fed_kg_s`` is what is pure of the feed."""
    room = max(1.0 - saturation_frac, 0.0)
    melt_frac = 1.0 / (1.0 + exp(-0.5 * (superheat_C - 4.0)))
    at_once = (1.0 - assumed.undissolved_frac) * min(10.0 * room, 1.0) * min(max(0.5 * superheat_C, 0.0), 1.0)
    pool_kg = lumps.undissolved_kg
    dissolving = assumed.dissolving_1_s * room * melt_frac * pool_kg
    settling = pool_kg / assumed.settle_s if superheat_C < 3.0 else 0.0
    rising = lumps.sludge_kg / assumed.sludge_s * room * melt_frac
    lumps.undissolved_kg += dt_s * ((1.0 - at_once) * fed_kg_s - dissolving - settling)
    lumps.sludge_kg += dt_s * (settling - rising)
    lumps.alumina_kg += dt_s * (at_once * fed_kg_s + dissolving + rising - consumed_kg_s)
