"""What one member of the cell model does in a step: electricity, matter, and the heat it carries."""

from math import exp, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, alumina_saturation, liquidus_solheim
from twin.cell_anodes import in_anode_effect, share_current
from twin.cell_checks import Drive
from twin.cell_melt import (
    composition,
    efficiency_frac,
    liquid_J_kg,
    liquid_kg,
    solid_J_kg,
    step_alumina,
)
from twin.cell_model import (
    HOT_C,
    SODA_ALF3,
    SODA_ALUMINA,
    SODA_CRYOLITE,
    VAPOUR_ALF3,
    VAPOUR_CRYOLITE,
    ALUMINA_kg_sA,
    Assumed,
    CARBON_kg_sA,
    CellModel,
    METAL_kg_sA,
    SIGMA_W_m2K4,
)
from twin.cell_state import (
    FLOW,
    MASS,
    CellStatus,
    Lumps,
)
from twin.enthalpy import (
    ALF3_HEATING_J_kg,
    ALUMINA_DISSOLUTION_J_kg,
    ALUMINA_HEATING_J_kg,
    BATH_J_kgK,
    CARBON_HEATING_J_kg,
    METAL_J_kgK,
)
from twin.heat import Steady
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import bath_slope_V_mm, total_V, voltage_haupin

FloatArray = NDArray[np.float64]

#: Longest step: bulk freezing and the shell follow within minutes [s].
MAX_STEP_S = 60.0
#: Bath freezes in bulk 1 K below its liquidus, within about a minute, at most 5 kg/s in 7 t.
_UNDERCOOLED_C = 1.0
_BULK_1_s = 1.0 / 70.0
_BULK_MAX_1_s = 5.0 / 7000.0
#: When alumina runs out it is used up no faster than with this time constant [s].
_LAST_ALUMINA_S = 300.0
#: The alumina control corrects a deviation in about an hour; the beam moves at most 0.5 mm/s.
_ALUMINA_CONTROL_S = 3600.0
#: Excess AlF3 and liquidus beyond which a member is held [wt%], [degC].
_END_ALF3_PCT, _END_LIQUIDUS_C = 30.0, 800.0
_LN2 = 0.6931471805599453
_FARADAY_C_mol = 96485.33212

_TAP, _INVALID = int(CellStatus.TAP_REFUSED), int(CellStatus.STATE_INVALID)
_AE, _NO_ALUMINA = int(CellStatus.ANODE_EFFECT), int(CellStatus.ALUMINA_EXHAUSTED)
_NO_ALF3 = int(CellStatus.ALF3_EXHAUSTED)
_RANGE = int(CellStatus.COMPOSITION_RANGE)
_LOW, _DRY = int(CellStatus.CURRENT_RANGE), int(CellStatus.DRY_BATH)

_OPENING = FLOW["opening"]
_METAL_OUT, _BATH_OUT, _VAPOUR_OUT = FLOW["metal_tapped"], FLOW["bath_tapped"], FLOW["evaporated"]
_CARBON_HEAT = FLOW["carbon_heating"]
_ALUMINA_HEAT, _ALF3_HEAT = FLOW["alumina_heating"], FLOW["alf3_heating"]

_PRODUCED, _TAPPED = MASS["metal_produced"], MASS["metal_tapped"]
_FED, _FROM_SODA = MASS["alumina_fed"], MASS["alumina_from_soda"]
_CONSUMED, _O_TAPPED = MASS["alumina_consumed"], MASS["alumina_tapped"]
_A_FED, _A_BACK, _A_SODA = MASS["alf3_fed"], MASS["alf3_returned"], MASS["alf3_to_soda"]
_A_OUT, _A_TAPPED = MASS["alf3_evaporated"], MASS["alf3_tapped"]
_K_SODA, _K_BACK, _K_OUT = (
    MASS["cryolite_from_soda"],
    MASS["cryolite_returned"],
    MASS["cryolite_evaporated"],
)
_K_TAPPED, _X_TAPPED = MASS["cryolite_tapped"], MASS["additives_tapped"]


class Melt(NamedTuple):
    """Melt of one member at the start of a step."""

    bath: Bath
    bath_kg: float
    bath_C: float
    liquidus_C: float
    superheat_C: float
    latent_J_kg: float  # at the liquidus
    saturation_frac: float
    status: int


class Electric(NamedTuple):
    """Electric side of one member in a step."""

    cell_V: float
    effect_V: float
    slope_V_mm: float
    electric_W: float
    external_W: float
    block_W: float
    cathode_W: float
    status: int


class Matter(NamedTuple):
    """What is made, fed and taken in a step [kg/s]."""

    efficiency_frac: float
    made_frac: float  # of what the current would make; below 1 when alumina runs out
    consumed: float
    feed: float
    soda: float  # Na2O that reacts
    vapour: float
    metal_out: float
    bath_out: float
    status: int


@kernel
def process_gas_W(line_current_A: float, current_efficiency_frac: float) -> float:
    """Heat above 25 degC that CO2 and CO of the reaction carry off at 960 degC [W]; part of the reaction's demand."""
    per_metal = 1.0 / current_efficiency_frac
    kJ_mol = 0.75 * (2.0 - per_metal) * 45.6 + 1.5 * (per_metal - 1.0) * 29.6
    return 1e3 * kJ_mol * line_current_A * current_efficiency_frac / (3.0 * _FARADAY_C_mol)


@kernel
def look(lumps: Lumps, params: CellParams) -> Melt:
    """Derive what the equations need of the melt."""
    bath = composition(lumps)
    bath_kg = liquid_kg(lumps)
    bath_C = lumps.bath_temp_C
    liquidus_C = liquidus_solheim(bath)
    latent_J_kg = liquid_J_kg(liquidus_C, params.ledge_latent_J_kg) - solid_J_kg(liquidus_C)
    saturation_frac = bath.alumina_pct / alumina_saturation(bath, bath_C)
    status = 0
    if bath.excess_alf3_pct > 20.0 or bath.caf2_pct > 20.0 or saturation_frac > 1.0:
        status |= _RANGE
    if bath_kg < params.bath_mass_kg / 3.0:
        status |= _DRY
    # Far outside, the liquidus means nothing and with it nothing else.
    if bath.excess_alf3_pct > _END_ALF3_PCT or liquidus_C < _END_LIQUIDUS_C:
        status |= _INVALID
    return Melt(bath, bath_kg, bath_C, liquidus_C, bath_C - liquidus_C, latent_J_kg, saturation_frac, status)


@kernel
def step_electric(
    lumps: Lumps,
    blocks: FloatArray,
    line_current_A: float,
    melt: Melt,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    volt_V: FloatArray,
) -> Electric:
    """Divide the current, add up the voltage and its heat."""
    slope_V_mm = bath_slope_V_mm(params.rated_current_A, melt.bath_C, melt.bath, params)
    ohm_mm = slope_V_mm / params.rated_current_A * blocks.shape[1]
    gap_mm, block_W, status = share_current(blocks, line_current_A, ohm_mm, params, model)
    if gap_mm < 0.0:
        return Electric(nan, 0.0, slope_V_mm, 0.0, 0.0, 0.0, 0.0, status | _INVALID)
    if line_current_A < 0.5 * params.rated_current_A:
        status |= _LOW
    parts = voltage_haupin(line_current_A, gap_mm, melt.bath_C, melt.bath, params)
    area_cm2 = params.fanning_frac * params.n_anodes * params.anode_length_mm * params.anode_width_mm * 0.01
    alumina_pct = melt.bath.alumina_pct
    lumps.in_anode_effect = in_anode_effect(
        lumps.in_anode_effect, line_current_A / area_cm2, melt.bath_C, alumina_pct, params, assumed
    )
    chain_V = total_V(parts)
    effect_V = 0.0
    if lumps.in_anode_effect > 0.0:
        effect_V = max(assumed.anode_effect_V - chain_V, 0.0)
        status |= _AE
    for k in range(9):
        volt_V[k] = parts[k]
    volt_V[9] = effect_V
    external_W = line_current_A * parts.external_V
    return Electric(
        chain_V + effect_V,
        effect_V,
        slope_V_mm,
        line_current_A * (chain_V + effect_V) - external_W,
        external_W,
        block_W,
        line_current_A * parts.cathode_V,
        status,
    )


@kernel
def plan_matter(
    lumps: Lumps,
    drive: Drive,
    melt: Melt,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    nominal: Steady,
    dt_s: float,
) -> Matter:
    """Decide what is made, fed, evaporated and tapped; refuses what is not there."""
    status = 0
    bath = melt.bath
    efficiency = efficiency_frac(melt.bath_C, melt.superheat_C, bath.excess_alf3_pct, params, nominal)
    wanted = ALUMINA_kg_sA * drive.line_current_A * efficiency
    made_frac = 1.0
    if wanted * _LAST_ALUMINA_S > lumps.alumina_kg:
        made_frac = lumps.alumina_kg / (wanted * _LAST_ALUMINA_S)
        status |= _NO_ALUMINA
    consumed = wanted * made_frac
    feed = drive.alumina_kg_s
    if not isnan(drive.alumina_set_pct):
        needed = wanted / (1.0 - assumed.soda_frac + assumed.soda_frac * SODA_ALUMINA)
        lacking_kg = 0.01 * (drive.alumina_set_pct - bath.alumina_pct) * melt.bath_kg
        feed += min(max(needed + lacking_kg / _ALUMINA_CONTROL_S, 0.0), 2.5 * needed)
    soda = feed * assumed.soda_frac
    vapour = model.vapour_kg_s * exp(_LN2 * (melt.bath_C - params.bath_temp_C) / assumed.vapour_doubling_K)
    vapour *= bath.excess_alf3_pct / params.excess_alf3_pct
    if (soda * SODA_ALF3 + vapour * VAPOUR_ALF3) * dt_s > 0.5 * lumps.alf3_kg:
        soda, vapour = 0.0, 0.0
        status |= _NO_ALF3
    metal_out, bath_out = drive.metal_tap_kg_s, drive.bath_tap_kg_s
    if metal_out * dt_s > max(lumps.metal_kg - 0.05 * params.metal_mass_kg, 0.0):
        metal_out = 0.0
        status |= _TAP
    if bath_out * dt_s > max(melt.bath_kg - 0.2 * params.bath_mass_kg, 0.0):
        bath_out = 0.0
        status |= _TAP
    return Matter(efficiency, made_frac, consumed, feed, soda, vapour, metal_out, bath_out, status)


@kernel
def bulk_kg_s(lumps: Lumps, melt: Melt, capacity_J_K: float, params: CellParams, dt_s: float) -> float:
    """Cryolite that freezes in bulk below the liquidus, negative when it thaws again [kg/s]."""
    undercooled_C = melt.liquidus_C - _UNDERCOOLED_C - melt.bath_C
    most = _BULK_MAX_1_s * params.bath_mass_kg
    bulk = min(undercooled_C * _BULK_1_s * capacity_J_K / melt.latent_J_kg, most)
    return max(bulk, -lumps.frozen_kg / dt_s, -most)


@kernel
def move_matter(
    lumps: Lumps,
    drive: Drive,
    melt: Melt,
    matter: Matter,
    lost_kg: float,
    bulk: float,
    model: CellModel,
    assumed: Assumed,
    dt_s: float,
    mass_kg: FloatArray,
) -> None:
    """Change the masses of the melt; ``lost_kg`` is what freezes on walls and blocks in this step."""
    lumps.frozen_kg = max(lumps.frozen_kg + dt_s * bulk, 0.0)
    tapped = dt_s * matter.bath_out / melt.bath_kg
    cryolite_kg, alf3_kg = lumps.cryolite_kg, lumps.alf3_kg
    salts_kg = melt.bath_kg - alf3_kg - lumps.alumina_kg
    mass_kg[_O_TAPPED] += tapped * lumps.alumina_kg
    mass_kg[_A_TAPPED] += tapped * alf3_kg
    mass_kg[_K_TAPPED] += tapped * cryolite_kg
    mass_kg[_X_TAPPED] += tapped * (salts_kg - cryolite_kg)
    lumps.caf2_kg *= 1.0 - tapped
    lumps.lif_kg *= 1.0 - tapped
    lumps.mgf2_kg *= 1.0 - tapped
    lumps.kf_kg *= 1.0 - tapped
    soda, vapour, feed = matter.soda, matter.vapour, matter.feed
    alf3_in = drive.alf3_kg_s + model.return_alf3 * feed - soda * SODA_ALF3 - vapour * VAPOUR_ALF3
    lumps.alf3_kg += dt_s * alf3_in - tapped * alf3_kg
    cryolite_in = soda * SODA_CRYOLITE + model.return_cryolite * feed - vapour * VAPOUR_CRYOLITE
    lumps.cryolite_kg += dt_s * (cryolite_in - bulk) - lost_kg - tapped * cryolite_kg
    lumps.alumina_kg += dt_s * soda * SODA_ALUMINA - tapped * lumps.alumina_kg
    pure = feed * (1.0 - assumed.soda_frac)
    step_alumina(lumps, pure, matter.consumed, melt.saturation_frac, melt.superheat_C, assumed, dt_s)
    produced = METAL_kg_sA * drive.line_current_A * matter.efficiency_frac * matter.made_frac
    lumps.metal_kg += dt_s * (produced - matter.metal_out)
    mass_kg[_PRODUCED] += dt_s * produced
    mass_kg[_TAPPED] += dt_s * matter.metal_out
    mass_kg[_FED] += dt_s * pure
    mass_kg[_FROM_SODA] += dt_s * soda * SODA_ALUMINA
    mass_kg[_CONSUMED] += dt_s * matter.consumed
    mass_kg[_A_FED] += dt_s * drive.alf3_kg_s
    mass_kg[_A_BACK] += dt_s * model.return_alf3 * feed
    mass_kg[_A_SODA] += dt_s * soda * SODA_ALF3
    mass_kg[_A_OUT] += dt_s * vapour * VAPOUR_ALF3
    mass_kg[_K_SODA] += dt_s * soda * SODA_CRYOLITE
    mass_kg[_K_BACK] += dt_s * model.return_cryolite * feed
    mass_kg[_K_OUT] += dt_s * vapour * VAPOUR_CRYOLITE


@kernel
def streams_W_of(
    lumps: Lumps,
    drive: Drive,
    melt: Melt,
    matter: Matter,
    params: CellParams,
    flow_W: FloatArray,
) -> float:
    """Heat that matter and open crust take out of the melt [W]."""
    above_C = melt.bath_C - HOT_C
    salt_J_kg = liquid_J_kg(melt.bath_C, params.ledge_latent_J_kg)
    alf3_J_kg = ALF3_HEATING_J_kg + BATH_J_kgK * above_C
    dissolved_J_kg = ALUMINA_HEATING_J_kg + ALUMINA_DISSOLUTION_J_kg + BATH_J_kgK * above_C
    salts_kg = melt.bath_kg - lumps.alf3_kg - lumps.alumina_kg
    bath_J = salts_kg * salt_J_kg + lumps.alf3_kg * alf3_J_kg + lumps.alumina_kg * dissolved_J_kg
    bath_K, air_K = melt.bath_C + 273.15, drive.ambient_temp_C + 273.15
    flow_W[_BATH_OUT] = matter.bath_out / melt.bath_kg * bath_J
    flow_W[_METAL_OUT] = matter.metal_out * METAL_J_kgK * above_C
    flow_W[_VAPOUR_OUT] = matter.vapour * (VAPOUR_CRYOLITE * salt_J_kg + VAPOUR_ALF3 * alf3_J_kg)
    flow_W[_OPENING] = 0.85 * SIGMA_W_m2K4 * drive.opening_m2 * (bath_K**4 - air_K**4)
    flow_W[_ALUMINA_HEAT] = matter.consumed * ALUMINA_HEATING_J_kg
    used = CARBON_kg_sA * drive.line_current_A * matter.made_frac
    flow_W[_CARBON_HEAT] = used * CARBON_HEATING_J_kg
    flow_W[_ALF3_HEAT] = drive.alf3_kg_s * alf3_J_kg
    return flow_W[_BATH_OUT] + flow_W[_METAL_OUT] + flow_W[_VAPOUR_OUT] + flow_W[_OPENING]
