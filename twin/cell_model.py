"""Constants of the dynamic cell model: what its heat paths must be so that the nominal cell stands still."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.enthalpy import ALF3_HEATING_J_kg, carbon_J_kg, carbon_temp_C
from twin.heat import REFERENCE_AMBIENT_C, Steady, shell_temp_C, steady
from twin.jit import kernel
from twin.params import CellParams, ParamsError, anode_area_m2

#: Heats in ``twin.enthalpy`` are from 25 to 960 degC.
COLD_C, HOT_C = 25.0, 960.0
SIGMA_W_m2K4 = 5.670374419e-8
#: By electrolysis at 100 % efficiency, of M/zF [kg/(s A)]: metal, alumina; carbon at any efficiency.
METAL_kg_sA = 26.9815384e-3 / (3 * 96485.33212)
ALUMINA_kg_sA = 101.9613e-3 / (6 * 96485.33212)
CARBON_kg_sA = 12.011e-3 / (4 * 96485.33212)
#: 3 Na2O + 4 AlF3 -> 2 Na3AlF6 + Al2O3, per kg of Na2O.
SODA_ALF3, SODA_CRYOLITE, SODA_ALUMINA = 335.910 / 185.936, 419.882 / 185.936, 101.961 / 185.936
#: 3 NaAlF4 = Na3AlF6 + 2 AlF3: parts by mass of what evaporates.
VAPOUR_ALF3, VAPOUR_CRYOLITE = 167.955 / 377.896, 209.941 / 377.896
#: Burning carbon to CO2 [J/kg].
BURN_J_kg = 393.51e6 / 12.011


class Assumed(NamedTuple):
    """What no plant card prints; ranges in the comments, all of low or medium confidence.

    Fractions of loss divide what does not leave through the ledge; priors of physics.md 4.3 (Grjotheim and Welch;
    Taylor; Bruggeman; Zeng).
    """

    rods_frac: float = 0.13  # anode rods, yokes, stubs: 0.10 to 0.16
    cover_frac: float = 0.18  # radiation of the cover; with gas 0.30 to 0.42
    gas_frac: float = 0.15  # taken up by the hood gas: 0.10 to 0.20
    cradle_frac: float = 0.10  # side wall at the height of the cathode blocks: 0.06 to 0.10
    bars_frac: float = 0.10  # collector bars: 0.06 to 0.10
    bottom_frac: float = 0.08  # 0.04 to 0.08
    anode_W_m2K: float = (
        17.0  # bath to mean of a block, per bottom area: then settled blocks stand near 750 degC
    )
    crust_temp_C: float = 550.0  # mean of crust and cover
    cover_face_C: float = 205.0  # so that 2 kW/m2 is radiated
    cathode_W_m2K: float = 22.0  # melt to blocks: then these stand near 900 degC
    direct_crust_frac: float = (
        0.30  # of the heat through the crust that comes from the bath, not by the anodes
    )
    crust_J_kA: float = 40e3  # heat capacity of crust and cover [J/K/kA]
    cathode_J_kA: float = 107e3  # of the blocks: 32 MJ/K at 300 kA
    cover_m: float = 0.12  # nominal cover
    loose_frac: float = 0.75  # share of the cover's resistance that goes with loose cover; the rest is crust
    lining_J_m2K: float = 2.0e5  # 0.1 m of side block
    shell_J_m2K: float = 6.0e4  # 15 mm of steel
    metal_ledge_frac: float = 0.65  # ledge at metal level over that at bath level, nominal
    carbon_kg_m3: float = 1580.0  # 1550 to 1620
    wetted_frac: float = 1.5  # anode face in the bath over its bottom: 0.15 m of sides
    skin_mm: float = 10.0  # frozen bath on a settled block that would cover all of it
    chill_mm: float = 60.0  # bath frozen on a block set at 25 degC: 30 to 60 mm
    anode_transfer_W_m2K: float = 730.0  # bath to anode face, 600 to 1200: half load at 11 h, 90 % at 17 h
    air_burn_frac: float = 0.15  # carbon burnt in air over carbon of electrolysis: net 400 to 420 kg/t
    burn_heat_frac: float = 0.25  # of the heat of that burning that stays in the cell: 5 to 15 kW at 300 kA
    soda_frac: float = 0.004  # Na2O in alumina, kg/kg: 0.003 to 0.0045
    fluoride_kg_t: float = 20.0  # fluorine evolved per tonne of metal: 15 to 25
    return_frac: float = 0.92  # share of it that comes back with the alumina: above 0.9
    vapour_doubling_K: float = 38.0  # vapour pressure doubles in 35 to 40 K
    settle_s: float = 900.0  # undissolved alumina becomes sludge in 10 to 20 min at low superheat
    sludge_s: float = 2 * 86400.0  # sludge dissolves in 1 to 3 days
    undissolved_frac: float = 0.6  # of a dose that does not dissolve at once (RTA cell)
    dissolving_1_s: float = 0.002  # RTA 0.002, Yao 2017 0.005
    anode_effect_V: float = 30.0  # 20 to 40 V
    anode_effect_end_pct: float = 2.2  # alumina at which it goes out
    hood_gas_W_kA: float = 8.3  # heat capacity flow of the hood gas [W/K/kA]: 7000 Nm3/h at 300 kA


class CellModel(NamedTuple):
    """Derived constants of one cell. Positions are the anodes, or groups of anodes, that are told apart."""

    positions: float  # [-]
    block_kg: float  # carbon of a new position
    butt_kg: float  # at which a position is spent to the stubs
    face_m2: float  # bottom of a position
    wetted_m2: float  # of a position in the bath
    skin_kg: float  # frozen bath that covers a settled position
    chill_kg: float  # that freezes at once on a position set at 25 degC
    anode_m2K_W: float  # bath face to the mean of the block
    rod_W_K: float  # one position to the air
    anode_crust_W_K: float  # one position to the crust
    anode_slope_ohm: float  # of one position, all but the bath: R + d(overvoltage, bubbles)/dI
    crust_W_K: float  # bath to crust
    crust_J_K: float
    cover_K_W: float  # nominal cover, crust node to its face
    gas_W_K: float  # cover face to the air through the hood gas
    radiating_m2: float  # emissivity times area of the cover
    top_m2: float  # all of the top
    cathode_W_K: float  # melt to cathode blocks
    cathode_J_K: float
    cradle_W_K: float
    bars_W_K: float
    bottom_W_K: float
    hood_W_K: float  # heat capacity flow of the hood gas
    transfer_frac: float  # on both coefficients of melt to ledge, so that the side takes its nominal share
    lining_bath_m2K_W: float
    lining_metal_m2K_W: float
    ledge_metal_mm: float  # nominal
    vapour_kg_s: float  # NaAlF4 at the nominal point
    return_alf3: float  # kg per kg of alumina fed
    return_cryolite: float
    alumina_feed_kg_s: float  # that meets the nominal consumption
    alf3_feed_kg_s: float  # make-up that keeps the nominal bath
    bath_tap_kg_s: float  # cryolite that soda makes less what evaporates, as bath
    anode_temp_C: float  # nominal, of the blocks
    cathode_temp_C: float  # nominal
    wall_bath_C: float  # nominal, mean of ledge and lining
    wall_metal_C: float
    shell_metal_C: float  # nominal, at metal level


#: Slope of overvoltage and bubbles with current at rated current, as a voltage: 0.10 and 0.19 V.
_NONLINEAR_V = 0.29
#: Temperature of a block where only a small term needs it.
_NEAR_BLOCK_C = 750.0


def cell_model(params: CellParams, positions: int | None = None, assumed: Assumed | None = None) -> CellModel:
    """Derive the constants of one cell so that its nominal state neither warms nor cools.

    Parameters
    ----------
    params
        Technology.
    positions
        Anodes, or groups of anodes, told apart; None takes every anode. 1 is enough where only the cell matters.
    assumed
        What no plant card prints.

    Raises
    ------
    ParamsError
        A technology whose losses cannot be divided like this: names what is wrong.

    Notes
    -----
    This is the one calibration: nominal voltage, temperature and ledge of the technology (for ``generic_300kA`` the
    Qatalum card) fix the conductances. Nothing else is fitted.
    """
    guess = assumed or Assumed()
    n = int(params.n_anodes) if positions is None else positions
    if not 1 <= n <= params.n_anodes:
        raise ParamsError(f"positions = {n}: from 1 to the {params.n_anodes:.0f} anodes of the cell")
    if params.excess_alf3_pct < 1.0:
        raise ParamsError(f"excess_alf3_pct = {params.excess_alf3_pct:g}: the cell model needs 1 % and more")
    nominal = steady(params)
    current, air_C = params.rated_current_A, REFERENCE_AMBIENT_C
    bath_C = nominal.liquidus_C + nominal.superheat_C
    face_m2 = anode_area_m2(params)

    metal_t_s = 1e-3 * METAL_kg_sA * current * params.current_efficiency_frac
    alumina_kg_s = ALUMINA_kg_sA * current * params.current_efficiency_frac
    feed_kg_s = alumina_kg_s / (1.0 - guess.soda_frac + guess.soda_frac * SODA_ALUMINA)
    # NaAlF4 is 76/126 fluorine.
    vapour_kg_s = metal_t_s * guess.fluoride_kg_t * 125.966 / 75.994
    back_kg_s = guess.return_frac * vapour_kg_s
    alf3_kg_s = feed_kg_s * guess.soda_frac * SODA_ALF3 + VAPOUR_ALF3 * (vapour_kg_s - back_kg_s)
    grown_kg_s = feed_kg_s * guess.soda_frac * SODA_CRYOLITE - VAPOUR_CRYOLITE * (vapour_kg_s - back_kg_s)
    # Bath that is tapped takes AlF3 and alumina along, so slightly more than the cryolite alone must be fed.
    cryolite_frac = 0.01 * (
        100.0
        - params.excess_alf3_pct
        - params.caf2_pct
        - params.alumina_pct
        - params.lif_pct
        - params.mgf2_pct
        - params.kf_pct
    )
    tap_kg_s = max(grown_kg_s, 0.0) / cryolite_frac
    alf3_kg_s += 0.01 * params.excess_alf3_pct * tap_kg_s

    rods, through = guess.rods_frac, guess.cover_frac + guess.gas_frac
    below = guess.cradle_frac + guess.bars_frac + guess.bottom_frac
    # What of the loss the streams of matter carry is left for the surfaces only after these.
    carbon_kg_s = CARBON_kg_sA * current
    burnt_kg_s = guess.air_burn_frac * carbon_kg_s
    side_W = nominal.side_loss_W
    kept_W = nominal.heat_loss_W - side_W - alf3_kg_s * ALF3_HEATING_J_kg
    kept_W += guess.burn_heat_frac * burnt_kg_s * BURN_J_kg - burnt_kg_s * carbon_J_kg(_NEAR_BLOCK_C)
    unit_W = kept_W / (rods + through + below)
    if not unit_W > 0:
        raise ParamsError(
            "no heat is left for top and bottom: check nominal_voltage_V and the ledge coefficients"
        )
    direct_W = guess.direct_crust_frac * through * unit_W
    by_anodes_W = through * unit_W - direct_W
    out_W = rods * unit_W + by_anodes_W - guess.burn_heat_frac * burnt_kg_s * BURN_J_kg
    out_W -= current**2 * params.anode_ohm
    # Carbon leaves at the temperature of the block: A (bath - T) = out + heat of what leaves.
    area_W_K = guess.anode_W_m2K * face_m2
    into_W = area_W_K * (bath_C - COLD_C) - out_W
    anode_C = carbon_temp_C(into_W, carbon_kg_s + burnt_kg_s, area_W_K, _NEAR_BLOCK_C)
    cathode_W_K = guess.cathode_W_m2K * params.cathode_area_m2
    cathode_C = bath_C - (below * unit_W - current**2 * params.cathode_ohm) / cathode_W_K
    if not guess.crust_temp_C + 20.0 < anode_C < 1100.0:
        raise ParamsError(f"anode_ohm and losses give blocks of {anode_C:.0f} degC: check anode_ohm")
    face_K, air_K = guess.cover_face_C + 273.15, air_C + 273.15

    scale = nominal.side_W_K / _side_W_K(params)
    lining: list[float] = []
    walls: list[float] = []
    shells: list[float] = []
    for transfer, thick_mm in (
        (params.bath_ledge_W_m2K, params.ledge_bath_mm),
        (params.metal_ledge_W_m2K, params.ledge_bath_mm * guess.metal_ledge_frac),
    ):
        flux = scale * transfer * nominal.superheat_C
        shell_C = shell_temp_C(flux / params.shell_area_frac, air_C, params.shell_emissivity)
        total = (nominal.liquidus_C - shell_C) / flux
        rest = total - 1e-3 * thick_mm / params.ledge_conductivity_W_mK
        if rest < 1e-3:
            raise ParamsError(
                f"ledge_bath_mm = {params.ledge_bath_mm:g}: no lining leads away {1e-3 * flux:.1f} kW/m2 behind it"
            )
        lining.append(rest)
        walls.append(0.5 * (nominal.liquidus_C + shell_C))
        shells.append(shell_C)
    block_kg = params.n_anodes / n * params.anode_length_mm * params.anode_width_mm * 1e-9
    block_kg *= params.anode_height_mm * guess.carbon_kg_m3
    return CellModel(
        positions=float(n),
        block_kg=block_kg,
        butt_kg=0.02 * block_kg,
        face_m2=face_m2 / n,
        wetted_m2=guess.wetted_frac * face_m2 / n,
        skin_kg=1e-3 * guess.skin_mm * guess.wetted_frac * face_m2 / n * params.ledge_density_kg_m3,
        chill_kg=1e-3 * guess.chill_mm * guess.wetted_frac * face_m2 / n * params.ledge_density_kg_m3,
        anode_m2K_W=guess.wetted_frac / guess.anode_W_m2K - 1.0 / guess.anode_transfer_W_m2K,
        rod_W_K=rods * unit_W / (anode_C - air_C) / n,
        anode_crust_W_K=by_anodes_W / (anode_C - guess.crust_temp_C) / n,
        anode_slope_ohm=n * (params.anode_ohm + _NONLINEAR_V / current),
        crust_W_K=direct_W / (bath_C - guess.crust_temp_C),
        crust_J_K=1e-3 * current * guess.crust_J_kA,
        cover_K_W=(guess.crust_temp_C - guess.cover_face_C) / (through * unit_W),
        gas_W_K=guess.gas_frac * unit_W / (guess.cover_face_C - air_C),
        radiating_m2=guess.cover_frac * unit_W / (SIGMA_W_m2K4 * (face_K**4 - air_K**4)),
        top_m2=params.cathode_area_m2,
        cathode_W_K=cathode_W_K,
        cathode_J_K=1e-3 * current * guess.cathode_J_kA,
        cradle_W_K=guess.cradle_frac * unit_W / (cathode_C - air_C),
        bars_W_K=guess.bars_frac * unit_W / (cathode_C - air_C),
        bottom_W_K=guess.bottom_frac * unit_W / (cathode_C - air_C),
        hood_W_K=1e-3 * current * guess.hood_gas_W_kA,
        transfer_frac=scale,
        lining_bath_m2K_W=lining[0],
        lining_metal_m2K_W=lining[1],
        ledge_metal_mm=params.ledge_bath_mm * guess.metal_ledge_frac,
        vapour_kg_s=vapour_kg_s,
        return_alf3=VAPOUR_ALF3 * back_kg_s / feed_kg_s,
        return_cryolite=VAPOUR_CRYOLITE * back_kg_s / feed_kg_s,
        alumina_feed_kg_s=feed_kg_s,
        alf3_feed_kg_s=max(alf3_kg_s, 0.0),
        bath_tap_kg_s=tap_kg_s,
        anode_temp_C=anode_C,
        cathode_temp_C=cathode_C,
        wall_bath_C=walls[0],
        wall_metal_C=walls[1],
        shell_metal_C=shells[1],
    )


def _side_W_K(params: CellParams) -> float:
    """Heat to the side per degree of superheat by the coefficients alone [W/K]."""
    bath = params.bath_height_m * params.bath_ledge_W_m2K
    return params.ledge_perimeter_m * (bath + params.metal_height_m * params.metal_ledge_W_m2K)


class Constants(NamedTuple):
    """Constants of all members as kernels take them: records, so that a kernel loads only what it uses."""

    params: NDArray[np.void]  # (n_members,) records with the fields of CellParams
    model: NDArray[np.void]  # of CellModel
    assumed: NDArray[np.void]  # of Assumed
    nominal: NDArray[np.void]  # of Steady


def _records(rows: Sequence[tuple[float, ...]], fields: tuple[str, ...]) -> NDArray[np.void]:
    """Named tuples of one kind as an array of records."""
    return np.array([tuple(row) for row in rows], dtype=[(name, np.float64) for name in fields])


def constants_of(
    params: Sequence[CellParams], models: Sequence[CellModel], assumed: Sequence[Assumed]
) -> Constants:
    """Constants of all members, one record each."""
    return Constants(
        _records(params, CellParams._fields),
        _records(models, CellModel._fields),
        _records(assumed, Assumed._fields),
        _records([steady(cell) for cell in params], Steady._fields),
    )


# A record has the fields of the named tuple it was made of; to a kernel they are the same.
@kernel
def params_of(table: NDArray[np.void], c: int) -> CellParams:
    """Technology of member ``c``."""
    return table[c]  # pyright: ignore[reportReturnType]


@kernel
def model_of(table: NDArray[np.void], c: int) -> CellModel:
    """Derived constants of member ``c``."""
    return table[c]  # pyright: ignore[reportReturnType]


@kernel
def assumed_of(table: NDArray[np.void], c: int) -> Assumed:
    """Assumed constants of member ``c``."""
    return table[c]  # pyright: ignore[reportReturnType]


@kernel
def nominal_of(table: NDArray[np.void], c: int) -> Steady:
    """Nominal steady state of member ``c``."""
    return table[c]  # pyright: ignore[reportReturnType]
