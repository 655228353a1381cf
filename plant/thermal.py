"""Compiled heat and material balance: bath chemistry, ledge and walls, anodes, cover, melt; one call is ten seconds."""

import numpy as np

from plant.jit import kernel
from plant.state import BOTTOM, SIDE, SUPPLIED, TOP, ZERO_C, Design, Effects, Hidden, State

#: Step [s].
THERMAL_S = 10

_FREEZE_SPREAD_MM = 15.0
_FREEZE_MM_H = 5.5
_FUSION_J_KG = 5.2e5
_LEDGE_KG_M3 = 2870.0
_BATH_J_KGK = 1780.0
_METAL_J_KGK = 1180.0
_WALL_J_M2K = 0.7e5
_STEEL_J_M2K = 4.5e4
_CATHODE_J_K_PER_A = 105.0
_ALUMINA_J_KG = 2.25e6
_COVER_S = 12 * 3600.0
#: Heat capacity of a bar end and what it draws with it, per surface: two hours to settle.
_BAR_J_M2K = 2.2e5
#: Share of the heat that a soaked bottom lets through that leaves by the bar and not by the shell under it.
_ALONG_BAR = 0.3


@kernel
def liquidus(alf3_pct: float, caf2_pct: float, alumina_pct: float) -> float:
    """Liquidus [degC] by the quadratic fit of J. Min. Metall. B (2014), without LiF and KF.

    Parameters
    ----------
    alf3_pct, caf2_pct, alumina_pct
        Excess AlF3, CaF2 and dissolved Al2O3 [wt%]; fitted for alumina 2-4 and CaF2 0-7.
    """
    a, c, o = alf3_pct, caf2_pct, alumina_pct
    return (
        1011.0 + 0.7 * a - 0.232 * a * a - 7.65 * o + 0.523 * o * o - 3.28 * c + 0.037 * c * c + 0.084 * a * c
    )


@kernel
def shell_flux(shell_C: float, air_C: float) -> float:
    """Heat flux from a vertical steel wall [W/m2]: natural convection, radiation (emissivity 0.85).

    Parameters
    ----------
    shell_C, air_C
        Wall, and air and surroundings [degC].
    """
    rise = max(shell_C - air_C, 0.0)
    hot, cold = shell_C + 273.15, air_C + 273.15
    return 1.31 * rise ** (4.0 / 3.0) + 0.85 * 5.670e-8 * (hot**4 - cold**4)


@kernel
def contact_share(melted_mm: float, freeze_mm: float) -> float:
    """Share of an anode's face that conducts when the freeze under it has an uneven thickness.

    Parameters
    ----------
    melted_mm
        Thickness melted since the anode was set [mm].
    freeze_mm
        Mean thickness frozen at setting [mm].
    """
    return 0.035 + 0.965 / (1.0 + np.exp(-1.7 * (melted_mm - freeze_mm) / _FREEZE_SPREAD_MM))


@kernel
def _zones(d: Design, s: State, i: int) -> None:
    """Reversible voltage, overvoltage and bubble resistance of each bath zone."""
    zones = s.dissolved_kg.shape[1]
    kelvin = s.bath_C[i] + 273.15
    alf3 = 100.0 * s.alf3_kg[i] / s.bath_kg[i]
    caf2 = 100.0 * s.caf2_kg[i] / s.bath_kg[i]
    alumina, floating = 0.0, 0.0
    for z in range(zones):
        alumina += 100.0 * s.dissolved_kg[i, z] / s.bath_kg[i]
        floating += 100.0 * s.suspended_kg[i, z] / s.bath_kg[i]
    s.liquidus_C[i] = liquidus(alf3, caf2, alumina)
    # Hives, Thonstad, Sterten and Fellner, Met. Trans. B 27 (1996) 255, without MgF2, KF and LiF.
    log_kappa = 1.977 - 0.0200 * alumina - 0.0131 * alf3 - 0.0060 * caf2 - 1204.3 / kelvin
    s.kappa_S_m[i] = 100.0 * np.exp(log_kappa) * (1.0 - 0.015 * floating)
    for z in range(zones):
        o = max(100.0 * s.dissolved_kg[i, z] * zones / s.bath_kg[i], 1.62)
        reversible = 1.896 - 0.000572 * kelvin - 0.0177 * 1.8 * np.log(o / 8.2)
        s.zone_V[i, z] = reversible - 0.045 * np.log(o / 2.5)
        s.zone_ohm[i, z] = (0.085 + 0.055 / (o - 1.5)) / (d.current_A / s.current_A.shape[1])


@kernel
def _walls(h: Hidden, s: State, e: Effects, i: int, air_C: float, wind: float) -> float:
    """Ten seconds of ledge and wall; returns the heat that the bath gave to the ledge [W]."""
    heat_W = 0.0
    superheat = s.bath_C[i] - s.liquidus_C[i]
    for k in range(s.ledge_m.shape[1]):
        film = h.film_W_m2K[i, k] * e.film[i, k]
        wall = h.wall_m2K_W[i, k] * e.wall[i, k]
        ledge = s.ledge_m[i, k]
        face_C = s.liquidus_C[i]
        given = film * superheat
        resist = ledge / h.ledge_W_mK[i] + 0.25 * wall
        if ledge <= 0.002 and superheat > 0.0:
            face_C, resist = s.bath_C[i], 1.0 / film + 0.25 * wall
        taken = (face_C - s.wall_C[i, k, 0]) / resist
        if ledge <= 0.002 and given >= taken:
            given = taken
        else:
            s.ledge_m[i, k] = max(ledge + (taken - given) / (_LEDGE_KG_M3 * _FUSION_J_KG) * THERMAL_S, 0.001)
            s.bath_kg[i] -= (s.ledge_m[i, k] - ledge) * h.ledge_area_m2[i, k] * _LEDGE_KG_M3
        inner = (s.wall_C[i, k, 0] - s.wall_C[i, k, 1]) / (0.5 * wall)
        outer = (s.wall_C[i, k, 1] - s.wall_C[i, k, 2]) / (0.25 * wall)
        ratio = h.outer_ratio[i, k]
        lost = ratio * wind * shell_flux(s.wall_C[i, k, 2], air_C + h.air_rise_C[i, k])
        s.account_J[i, SIDE] += lost * h.ledge_area_m2[i, k] * THERMAL_S
        s.wall_C[i, k, 0] += (taken - inner) * THERMAL_S / _WALL_J_M2K
        s.wall_C[i, k, 1] += (inner - outer) * THERMAL_S / _WALL_J_M2K
        s.wall_C[i, k, 2] += (outer - lost) * THERMAL_S / (_STEEL_J_M2K * ratio)
        heat_W += given * h.ledge_area_m2[i, k]
    return heat_W


@kernel
def _anodes(d: Design, h: Hidden, s: State, e: Effects, i: int) -> float:
    """Ten seconds of anode blocks and the freeze under new ones; returns the heat they drew [W]."""
    heat_W = 0.0
    n_anodes = s.current_A.shape[1]
    superheat = max(s.bath_C[i] - s.liquidus_C[i], 0.0)
    for j in range(n_anodes):
        rate = _FREEZE_MM_H / 3600.0 * THERMAL_S * (0.25 + 0.75 * superheat / 9.0)
        rate *= 0.5 + 0.5 * min(s.anode_C[i, j] / 600.0, 1.2)
        if s.melted_mm[i, j] < 200.0:
            s.melted_mm[i, j] += rate * e.melt[i, j]
            s.healthy_mm[i, j] += rate
            before = s.contact[i, j]
            s.contact[i, j] = contact_share(s.melted_mm[i, j], s.freeze_mm[i, j])
            latent = (s.contact[i, j] - before) * d.anode_area_m2 * s.freeze_mm[i, j] / 1000.0 * _LEDGE_KG_M3
            heat_W += latent * _FUSION_J_KG / THERMAL_S
        s.anode_ohm[i, j] = h.anode_ohm[i, j] * (0.5 + 0.7 * s.height_mm[i, j] / d.anode_height_mm)
        drawn = d.bath_to_anode_W_K * (s.bath_C[i] - s.anode_C[i, j])
        amp = s.current_A[i, j]
        made = amp * amp * s.anode_ohm[i, j]
        place = 0 if j < n_anodes // 2 else 1
        cover = h.cover[i] * s.cover[i, place] * e.cover[i, place]
        top = d.anode_to_top_W_K * cover * (s.anode_C[i, j] - 100.0)
        s.anode_C[i, j] += (drawn + made - top) * THERMAL_S / anode_capacity(d, s.height_mm[i, j])
        s.account_J[i, TOP] += top * THERMAL_S
        heat_W += drawn
    return heat_W


@kernel
def anode_capacity(d: Design, height_mm: float) -> float:
    """Heat capacity of one anode with yoke and stubs [J/K].

    Parameters
    ----------
    d
        Line.
    height_mm
        Of the carbon block [mm].
    """
    return 1600.0 * 1570.0 * d.anode_area_m2 * height_mm / 1000.0 + 2.5e5


@kernel
def _cover(d: Design, h: Hidden, s: State, e: Effects, i: int) -> tuple[float, float]:
    """Ten seconds of cover, which crusts over and wears; returns heat through the crust [W] and mean factor."""
    heat_W, mean = 0.0, 0.0
    for place in range(2):
        s.cover[i, place] += (1.02 - s.cover[i, place]) * THERMAL_S / _COVER_S
        cover = h.cover[i] * s.cover[i, place] * e.cover[i, place]
        heat_W += 0.5 * d.crust_W_K * cover * (s.bath_C[i] - 100.0)
        mean += 0.5 * cover
    return heat_W, mean


@kernel
def _freeze(s: State, i: int, capacity: float) -> None:
    """Let bath freeze in the bulk rather than cool below its liquidus, and melt again before it warms."""
    floor_C = s.liquidus_C[i] - 1.0
    if s.bath_C[i] < floor_C:
        frozen = min((floor_C - s.bath_C[i]) * capacity / _FUSION_J_KG, 5.0 * THERMAL_S, 0.02 * s.bath_kg[i])
    else:
        frozen = -min((s.bath_C[i] - floor_C) * capacity / _FUSION_J_KG, s.bulk_frozen_kg[i])
    s.bulk_frozen_kg[i] += frozen
    s.bath_kg[i] -= frozen
    s.bath_C[i] += frozen * _FUSION_J_KG / capacity


@kernel
def _bars(d: Design, h: Hidden, s: State, e: Effects, i: int, amp: float, air_C: float, wind: float) -> float:
    """Ten seconds of the bar ends; returns the mean factor of the heat through the bottom.

    Their heat is part of what leaves through the bottom, so they stand in no balance of their own.
    """
    total = 0.0
    bars = s.bar_C.shape[1]
    load = amp / d.current_A
    for b in range(bars):
        total += e.bottom[i, b]
        path = h.bar_W_m2K[i, b] * (1.0 + _ALONG_BAR * (e.bottom[i, b] - 1.0))
        gained = path * (s.cathode_C[i] - s.bar_C[i, b]) + h.bar_W_m2[i, b] * load * load
        lost = wind * shell_flux(s.bar_C[i, b], air_C + h.bar_air_C[i, b])
        s.bar_C[i, b] += (gained - lost) * THERMAL_S / _BAR_J_M2K
    return total / bars


@kernel
def _heat(
    d: Design, h: Hidden, s: State, e: Effects, i: int, amp: float, air_C: float, wind: float, t: int
) -> None:
    """Ten seconds of the melt; below the liquidus it freezes in the bulk instead of cooling."""
    _zones(d, s, i)
    crust_W, cover = _cover(d, h, s, e, i)
    lost_W = _walls(h, s, e, i, air_C, wind) + _anodes(d, h, s, e, i) + crust_W
    to_cathode = d.cathode_W_K * (s.bath_C[i] - s.cathode_C[i])
    made = amp * amp * h.cathode_ohm[i] * (1.0 + s.sludge_kg[i] / 2500.0)
    soaked = _bars(d, h, s, e, i, amp, air_C, wind)
    bottom = d.bottom_W_K * soaked * (s.cathode_C[i] - air_C - 30.0)
    s.cathode_C[i] += (to_cathode + made - bottom) * THERMAL_S / (_CATHODE_J_K_PER_A * d.current_A)
    capacity = s.bath_kg[i] * _BATH_J_KGK + s.metal_kg[i] * _METAL_J_KGK
    s.bath_C[i] += (s.melt_J[i] - (lost_W + to_cathode) * THERMAL_S) / capacity
    s.melt_J[i] = 0.0
    _freeze(s, i, capacity)
    s.account_J[i, SUPPLIED] += made * THERMAL_S
    s.account_J[i, TOP] += crust_W * THERMAL_S
    s.account_J[i, BOTTOM] += bottom * THERMAL_S
    superheat = s.bath_C[i] - s.liquidus_C[i]
    sought = h.efficiency[i] - 0.0015 * (superheat - 9.0) - 0.0005 * (s.bath_C[i] - 962.0) - e.efficiency[i]
    s.efficiency[i] += (min(max(sought, 0.75), 0.97) - s.efficiency[i]) / 60.0
    gas = air_C + h.gas_rise_C[i] * cover * (0.6 + 0.4 * amp / d.current_A)
    if t < s.quiet_until_s[i]:
        gas -= 22.0
    s.gas_C[i] += (gas - s.gas_C[i]) / 30.0


@kernel
def thermal_step(
    d: Design, h: Hidden, s: State, e: Effects, line_A: float, air_C: float, wind: float, t: int
) -> None:
    """Advance the slow states of all cells by ``THERMAL_S``.

    Parameters
    ----------
    d, h, s, e
        Line, cells, state and effects of faults.
    line_A, air_C
        Line current [A] and air of the potroom [degC].
    wind
        Heat that moving air takes from the shells over that of still air.
    t
        Second, counted from the start of the record.
    """
    for i in range(h.target_V.shape[0]):
        _heat(d, h, s, e, i, line_A, air_C, wind, t)


@kernel
def stored_heat(d: Design, h: Hidden, s: State, i: int) -> float:
    """Heat in a cell, melt, frozen bath, walls, cathode, anodes and dissolved alumina together [J].

    Parameters
    ----------
    d, h, s
        Line, cells and state.
    i
        Cell.
    """
    total = (s.bath_kg[i] * _BATH_J_KGK + s.metal_kg[i] * _METAL_J_KGK) * (s.bath_C[i] - ZERO_C) + s.melt_J[i]
    total -= _FUSION_J_KG * s.bulk_frozen_kg[i]
    total += _CATHODE_J_K_PER_A * d.current_A * (s.cathode_C[i] - ZERO_C)
    for z in range(s.dissolved_kg.shape[1]):
        total += _ALUMINA_J_KG * s.dissolved_kg[i, z]
    for k in range(s.ledge_m.shape[1]):
        area = h.ledge_area_m2[i, k]
        wall = _WALL_J_M2K * (s.wall_C[i, k, 0] + s.wall_C[i, k, 1])
        wall += _STEEL_J_M2K * h.outer_ratio[i, k] * s.wall_C[i, k, 2]
        total += area * (wall - _LEDGE_KG_M3 * _FUSION_J_KG * s.ledge_m[i, k])
    for j in range(s.current_A.shape[1]):
        total += anode_capacity(d, s.height_mm[i, j]) * (s.anode_C[i, j] - ZERO_C)
        freeze_kg = d.anode_area_m2 * s.freeze_mm[i, j] / 1000.0 * _LEDGE_KG_M3
        total -= _FUSION_J_KG * freeze_kg * (1.0 - s.contact[i, j])
    return total
