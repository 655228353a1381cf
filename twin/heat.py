"""Where the heat goes: reaction, losses, side ledge, shell and the temperature of the melt."""

from typing import NamedTuple

from twin.bath import Bath, liquidus_solheim
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import acd_mm_at

_SIGMA = 5.670374419e-8  # W/m2/K4
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
