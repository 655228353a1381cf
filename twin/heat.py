"""Where the heat goes: reaction, losses, side ledge, shell and the temperature of the melt."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, liquidus_solheim
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import acd_mm_at

FloatArray = NDArray[np.float64]

_SIGMA = 5.670374419e-8  # W/m2/K4
_BATH_J_kgK = 1800.0  # liquid bath, 1760 to 1880
_METAL_J_kgK = 1180.0  # liquid aluminium, 31.8 J/mol/K
#: Metal-level over bath-level ledge thickness: 50 over 80 mm in a normal cell.
_METAL_LEVEL_FRAC = 0.65
_MIN_SUPERHEAT_C = -1.0
_MAX_FROZEN_FRAC = 0.9
_MAX_LEDGE_MM = 300.0
#: Solheim's equation ends here.
_MAX_ALF3_PCT = 20.0
#: Air in the potroom for which nominal figures hold [degC].
REFERENCE_AMBIENT_C = 25.0
N_SIDES = 4


class Steady(NamedTuple):
    """Nominal steady state of a cell, from which coefficients that nobody measures are derived."""

    liquidus_C: float
    superheat_C: float
    acd_mm: float
    heat_loss_W: float  # all external losses
    side_loss_W: float  # through the ledge at bath and metal level
    side_W_K: float  # side loss per degree of superheat
    shell_C: float  # shell face at bath level
    lining_m2K_W: float  # resistance between ledge and shell


class Melt(NamedTuple):
    """Lumped thermal state of one cell."""

    bath_temp_C: float
    lump_temp_C: float  # anodes, crust and cathode block
    frozen_kg: float  # bath frozen elsewhere than on the side ledge
    bath_kg: float  # bath other than side ledge
    excess_alf3_pct: float


class Surroundings(NamedTuple):
    """What drives the melt of one cell during a step."""

    heat_W: float  # electric power in the cell less the power of the reaction
    sink_W: float  # demand of new anodes
    ambient_C: float
    loss_frac: float  # losses of this cell through top and bottom, relative to nominal
    liquidus_shift_C: float  # measured liquidus less Solheim's


@kernel
def equivalent_V(current_efficiency_frac: float) -> float:
    """Voltage that the reaction takes up, reactants at 25 and products at 960 degC [V].

    Notes
    -----
    Zhu and Li, Metals 2020; equal to first principles within 1.5 mV for efficiencies of 0.85 to 1.

    Examples
    --------
    >>> round(equivalent_V(0.95), 3)
    2.042
    """
    return 0.48 + 1.644 * current_efficiency_frac


@kernel
def heat_loss_kW(
    line_current_A: float, cell_voltage_V: float, external_V: float, current_efficiency_frac: float
) -> float:
    """Heat that leaves a cell in steady state [kW]: power in the cell less the power of the reaction.

    Parameters
    ----------
    line_current_A, cell_voltage_V
        [A], [V]
    external_V
        Drop of the bus bars, which warms the room and not the cell [V].
    current_efficiency_frac
        0.85 to 1.
    """
    return 1e-3 * line_current_A * (cell_voltage_V - external_V - equivalent_V(current_efficiency_frac))


@kernel
def shell_flux_W_m2(shell_temp_C: float, ambient_temp_C: float, emissivity: float) -> float:
    """Heat given off by a vertical steel face, natural convection and radiation [W/m2].

    Notes
    -----
    Convection 1.31 dT^(1/3) W/m2/K (turbulent, vertical plate, air); surroundings radiate at room temperature.
    """
    rise = max(shell_temp_C - ambient_temp_C, 0.0)
    radiation = _SIGMA * ((shell_temp_C + 273.15) ** 4 - (ambient_temp_C + 273.15) ** 4)
    return 1.31 * rise ** (4.0 / 3.0) + emissivity * radiation


@kernel
def shell_temp_C(flux_W_m2: float, ambient_temp_C: float, emissivity: float) -> float:
    """Temperature at which a face gives off a heat flux [degC]; the inverse of ``shell_flux_W_m2``."""
    low, high = ambient_temp_C, 1500.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if shell_flux_W_m2(middle, ambient_temp_C, emissivity) < flux_W_m2:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@kernel
def ledge_rate_mm_s(
    superheat_C: float, flux_out_W_m2: float, transfer_W_m2K: float, density_kg_m3: float, latent_J_kg: float
) -> float:
    """Growth of frozen ledge [mm/s]: heat led away through it less heat brought by the bath (Stefan)."""
    return 1e3 * (flux_out_W_m2 - transfer_W_m2K * superheat_C) / (density_kg_m3 * latent_J_kg)


@kernel
def ledge_flux_W_m2(
    ledge_mm: float, liquidus_C: float, wall_frac: float, params: CellParams, nominal: Steady
) -> float:
    """Heat led away through the ledge at bath level [W/m2]: nominal, by thickness and face of the ledge.

    Parameters
    ----------
    ledge_mm
        Thickness [mm].
    liquidus_C
        Temperature of its face, which drives the heat towards a shell at its nominal temperature.
    wall_frac
        Heat that the wall of this cell takes at nominal ledge over that of its technology [-].
    params, nominal
        Constants of the cell. The ledge resists by its thickness over its conductivity, the lining besides; no less
        than a fifth of the nominal resistance is left.
    """
    per_mm = 1e-3 / params.ledge_conductivity_W_mK
    whole = params.ledge_bath_mm * per_mm + nominal.lining_m2K_W
    here = max(whole + (ledge_mm - params.ledge_bath_mm) * per_mm, 0.2 * whole)
    drive = (liquidus_C - nominal.shell_C) / (nominal.liquidus_C - nominal.shell_C)
    return params.bath_ledge_W_m2K * nominal.superheat_C * wall_frac * drive * whole / here


@kernel
def side_share(side: int, params: CellParams) -> float:
    """Share of a side in the perimeter [-], sides as in ``twin.signals.SIDES``: the two ends come first."""
    return params.end_wall_frac if side < 2 else 0.5 - params.end_wall_frac


@kernel
def nominal_bath(params: CellParams) -> Bath:
    """Composition of the bath that the technology aims at."""
    return Bath(
        params.excess_alf3_pct,
        params.caf2_pct,
        params.alumina_pct,
        params.lif_pct,
        params.mgf2_pct,
        params.kf_pct,
    )


def steady(params: CellParams) -> Steady:
    """Nominal steady state of a cell.

    Notes
    -----
    Superheat follows from nominal temperature and composition and is held within 3 to 20 K, so that a
    technology with a slightly inconsistent bath still has a ledge. The lining resistance is the one with which
    the nominal ledge neither grows nor melts.
    """
    bath = nominal_bath(params)
    liquidus_C = liquidus_solheim(bath)
    superheat_C = min(max(params.bath_temp_C - liquidus_C, 3.0), 20.0)
    loss_W = 1e3 * heat_loss_kW(
        params.rated_current_A,
        params.nominal_voltage_V,
        params.rated_current_A * params.external_ohm,
        params.current_efficiency_frac,
    )
    loss_W = max(loss_W, 0.3 * params.rated_current_A)
    side_W_K = params.ledge_perimeter_m * (
        params.bath_height_m * params.bath_ledge_W_m2K + params.metal_height_m * params.metal_ledge_W_m2K
    )
    flux_W_m2 = params.bath_ledge_W_m2K * superheat_C
    shell = shell_temp_C(flux_W_m2 / params.shell_area_frac, REFERENCE_AMBIENT_C, params.shell_emissivity)
    lining = (liquidus_C - shell) / flux_W_m2 - 1e-3 * params.ledge_bath_mm / params.ledge_conductivity_W_mK
    acd = acd_mm_at(params.nominal_voltage_V, params.rated_current_A, params.bath_temp_C, bath, params)
    side_loss_W = min(side_W_K * superheat_C, 0.6 * loss_W)
    return Steady(
        liquidus_C, superheat_C, acd, loss_W, side_loss_W, side_loss_W / superheat_C, shell, max(lining, 2e-3)
    )


def steady_melt(params: CellParams, nominal: Steady) -> Melt:
    """Thermal state of a cell at its nominal steady state."""
    return Melt(
        nominal.liquidus_C + nominal.superheat_C,
        params.lump_temp_C,
        0.0,
        params.bath_mass_kg,
        params.excess_alf3_pct,
    )


@kernel
def step_heat(
    melt: Melt,
    ledge_mm: FloatArray,
    shell_C: FloatArray,
    bath: Bath,
    around: Surroundings,
    params: CellParams,
    nominal: Steady,
    dt_s: float,
) -> Melt:
    """Advance melt, ledge and shell of one cell by one step.

    Parameters
    ----------
    melt
        State at the start of the step.
    ledge_mm, shell_C
        (4,) bath-level thickness [mm] and shell face [degC] of the sides, changed in place.
    bath
        Composition; its excess AlF3 is replaced by that of ``melt``, which the ledge dilutes and concentrates.
    around, params, nominal
        Drivers and constants.
    dt_s
        At most 120 s: the fastest time constant is the shell's, then the superheat's (about half an hour).

    Notes
    -----
    Ledge is pure cryolite: melting it dilutes AlF3 and raises the liquidus, which is the larger half of the
    response of bath temperature to power. Below the liquidus the melt freezes in bulk, at its own
    composition, instead of cooling further. Ledge at metal level follows that at bath level; one lump stands
    for anodes, crust and cathode. Validated against ranges only (response to 100 mV), not against a measured cell.
    """
    liquid = Bath(
        min(melt.excess_alf3_pct, _MAX_ALF3_PCT),
        bath.caf2_pct,
        bath.alumina_pct,
        bath.lif_pct,
        bath.mgf2_pct,
        bath.kf_pct,
    )
    liquidus_C = liquidus_solheim(liquid) + around.liquidus_shift_C
    superheat_C = melt.bath_temp_C - liquidus_C
    melt_J_K = melt.bath_kg * _BATH_J_kgK + params.metal_mass_kg * _METAL_J_kgK

    other_W = (nominal.heat_loss_W - nominal.side_loss_W) * around.loss_frac
    nominal_temp_C = nominal.liquidus_C + nominal.superheat_C
    to_lump_W = other_W * (melt.bath_temp_C - melt.lump_temp_C) / (nominal_temp_C - params.lump_temp_C)
    from_lump_W = other_W * (melt.lump_temp_C - around.ambient_C) / (params.lump_temp_C - REFERENCE_AMBIENT_C)
    lump_C = melt.lump_temp_C + dt_s * (to_lump_W - from_lump_W) / params.side_lump_J_K

    bath_C = melt.bath_temp_C + dt_s / melt_J_K * (
        around.heat_W - around.sink_W - to_lump_W - nominal.side_W_K * superheat_C
    )

    shell_J_m2K = params.shell_lag_h * 3600.0 * 40.0  # flux slope of a shell at 270 degC is 40 W/m2/K
    cross_m2 = params.bath_height_m + _METAL_LEVEL_FRAC * params.metal_height_m
    molten_kg = 0.0
    for side in range(N_SIDES):
        resistance = 1e-3 * ledge_mm[side] / params.ledge_conductivity_W_mK + nominal.lining_m2K_W
        flux_out = (liquidus_C - shell_C[side]) / resistance
        rate = ledge_rate_mm_s(
            superheat_C,
            flux_out,
            params.bath_ledge_W_m2K,
            params.ledge_density_kg_m3,
            params.ledge_latent_J_kg,
        )
        new_mm = min(max(ledge_mm[side] + rate * dt_s, 0.0), _MAX_LEDGE_MM)
        face_m2 = side_share(side, params) * params.ledge_perimeter_m * cross_m2
        molten_kg += 1e-3 * (ledge_mm[side] - new_mm) * face_m2 * params.ledge_density_kg_m3
        ledge_mm[side] = new_mm
        flux_away = shell_flux_W_m2(shell_C[side], around.ambient_C, params.shell_emissivity)
        shell_C[side] += dt_s * (flux_out / params.shell_area_frac - flux_away) / shell_J_m2K

    frozen_kg = melt.frozen_kg
    surplus_kg = (bath_C - liquidus_C - _MIN_SUPERHEAT_C) * melt_J_K / params.ledge_latent_J_kg
    if surplus_kg < 0.0 or frozen_kg > 0.0:
        thaw_kg = max(min(surplus_kg, frozen_kg), frozen_kg - _MAX_FROZEN_FRAC * params.bath_mass_kg)
        frozen_kg -= thaw_kg
        bath_C -= thaw_kg * params.ledge_latent_J_kg / melt_J_K
    bath_kg = max(melt.bath_kg + molten_kg, 0.3 * params.bath_mass_kg)
    return Melt(bath_C, lump_C, frozen_kg, bath_kg, melt.excess_alf3_pct * melt.bath_kg / bath_kg)
