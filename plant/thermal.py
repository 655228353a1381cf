"""Compiled heat and material balance: bath chemistry, ledge and walls, anodes, melt; one call is ten seconds.

No kernel here calls one of another file: Numba's cache would not see a change there.
"""

import numpy as np
from numba import njit

from plant.state import Design, Faults, Hidden, State

_compiled = njit(cache=True, nogil=True)

#: Physical faults, ``Faults.kind``.
SLOW_PICKUP, THIN_LEDGE = range(2)
#: Step [s].
THERMAL_S = 10
#: In ``Faults.reference`` and ``observable_s``: not yet.
NOT_YET_S = -1e12

_FREEZE_SPREAD_MM = 15.0
_FREEZE_MM_H = 5.5
_FUSION_J_KG = 5.2e5
_LEDGE_KG_M3 = 2870.0
_BATH_J_KGK = 1780.0
_METAL_J_KGK = 1180.0
_WALL_J_M2K = 0.7e5
_STEEL_J_M2K = 4.5e4
_CATHODE_J_K_PER_A = 105.0
_PICKUP_SIGMA = 0.10
_SHELL_SIGMA_C = 2.5


@_compiled
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


@_compiled
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


@_compiled
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


@_compiled
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
    soda = 0.6 * (100.0 - alf3 - alumina - caf2)
    ratio = 0.5 * (soda / 41.99) / ((alf3 + soda / 1.5) / 83.98)
    log_kappa = 1.9362 + 0.3092 * ratio - 0.004132 * caf2 - 0.01755 * alumina - 1751.1 / kelvin
    s.kappa_S_m[i] = 100.0 * np.exp(log_kappa) * (1.0 - 0.015 * floating)
    for z in range(zones):
        o = max(100.0 * s.dissolved_kg[i, z] * zones / s.bath_kg[i], 1.62)
        reversible = 1.896 - 0.000572 * kelvin - 0.0177 * 1.8 * np.log(o / 8.2)
        s.zone_V[i, z] = reversible + 0.57 - 0.045 * np.log(o / 2.5)
        s.zone_ohm[i, z] = (0.085 + 0.055 / (o - 1.5)) / (d.current_A / s.current_A.shape[1])


@_compiled
def _severity(faults: Faults, kind: int, i: int, place: int, t: int) -> float:
    """Severity of the active fault at one place, growing over ten minutes."""
    for f in range(faults.kind.shape[0]):
        here = faults.cell[f] == i and faults.kind[f] == kind and faults.place[f] == place
        if here and faults.start_s[f] <= t < faults.end_s[f]:
            return faults.severity[f] * min((t - faults.start_s[f]) / 600.0, 1.0)
    return 0.0


@_compiled
def _walls(d: Design, h: Hidden, s: State, i: int, air_C: float, faults: Faults, t: int) -> float:
    """Ten seconds of ledge and wall; returns the heat that the bath gave to the ledge [W]."""
    heat_W = 0.0
    superheat = s.bath_C[i] - s.liquidus_C[i]
    for k in range(s.ledge_m.shape[1]):
        washed = _severity(faults, THIN_LEDGE, i, h.side[k], t) * h.exposure[k]
        film = h.film_W_m2K[i, k] * (1.0 + 3.0 * washed)
        wall = h.wall_m2K_W[i, k]
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
        lost = ratio * shell_flux(s.wall_C[i, k, 2], air_C + h.air_rise_C[i, k])
        s.wall_C[i, k, 0] += (taken - inner) * THERMAL_S / _WALL_J_M2K
        s.wall_C[i, k, 1] += (inner - outer) * THERMAL_S / _WALL_J_M2K
        s.wall_C[i, k, 2] += (outer - lost) * THERMAL_S / (_STEEL_J_M2K * ratio)
        heat_W += given * h.ledge_area_m2[i, k]
    return heat_W


@_compiled
def _anodes(d: Design, h: Hidden, s: State, i: int, faults: Faults, t: int) -> float:
    """Ten seconds of anode blocks and the freeze under new ones; returns the heat they drew [W]."""
    heat_W = 0.0
    superheat = max(s.bath_C[i] - s.liquidus_C[i], 0.0)
    for j in range(s.current_A.shape[1]):
        rate = _FREEZE_MM_H / 3600.0 * THERMAL_S * (0.25 + 0.75 * superheat / 9.0)
        rate *= 0.5 + 0.5 * min(s.anode_C[i, j] / 600.0, 1.2)
        if s.melted_mm[i, j] < 200.0:
            s.melted_mm[i, j] += rate * (1.0 - 0.82 * _severity(faults, SLOW_PICKUP, i, j, t))
            s.healthy_mm[i, j] += rate
            before = s.contact[i, j]
            s.contact[i, j] = contact_share(s.melted_mm[i, j], s.freeze_mm[i, j])
            latent = (s.contact[i, j] - before) * d.anode_area_m2 * s.freeze_mm[i, j] / 1000.0 * _LEDGE_KG_M3
            heat_W += latent * _FUSION_J_KG / THERMAL_S
        s.anode_ohm[i, j] = h.anode_ohm[i, j] * (0.5 + 0.7 * s.height_mm[i, j] / d.anode_height_mm)
        mass_kg = 1570.0 * d.anode_area_m2 * s.height_mm[i, j] / 1000.0
        drawn = d.bath_to_anode_W_K * (s.bath_C[i] - s.anode_C[i, j])
        amp = s.current_A[i, j]
        made = amp * amp * s.anode_ohm[i, j]
        top = d.anode_to_top_W_K * h.cover[i] * (s.anode_C[i, j] - 100.0)
        s.anode_C[i, j] += (drawn + made - top) * THERMAL_S / (1600.0 * mass_kg + 2.5e5)
        heat_W += drawn
    return heat_W


@_compiled
def _heat(d: Design, h: Hidden, s: State, i: int, amp: float, air_C: float, faults: Faults, t: int) -> None:
    """Ten seconds of the melt; below the liquidus it freezes in the bulk instead of cooling."""
    _zones(d, s, i)
    lost_W = _walls(d, h, s, i, air_C, faults, t) + _anodes(d, h, s, i, faults, t)
    lost_W += d.crust_W_K * h.cover[i] * (s.bath_C[i] - 100.0)
    to_cathode = d.cathode_W_K * (s.bath_C[i] - s.cathode_C[i])
    made = amp * amp * h.cathode_ohm[i]
    bottom = d.bottom_W_K * (s.cathode_C[i] - air_C - 30.0)
    s.cathode_C[i] += (to_cathode + made - bottom) * THERMAL_S / (_CATHODE_J_K_PER_A * d.current_A)
    capacity = s.bath_kg[i] * _BATH_J_KGK + s.metal_kg[i] * _METAL_J_KGK
    s.bath_C[i] += (s.melt_J[i] - (lost_W + to_cathode) * THERMAL_S) / capacity
    s.melt_J[i] = 0.0
    floor_C = s.liquidus_C[i] - 1.0
    if s.bath_C[i] < floor_C:
        frozen = min((floor_C - s.bath_C[i]) * capacity / _FUSION_J_KG, 5.0 * THERMAL_S)
    else:
        frozen = -min((s.bath_C[i] - floor_C) * capacity / _FUSION_J_KG, s.bulk_frozen_kg[i])
    s.bulk_frozen_kg[i] += frozen
    s.bath_kg[i] -= frozen
    s.bath_C[i] += frozen * _FUSION_J_KG / capacity
    superheat = s.bath_C[i] - s.liquidus_C[i]
    sought = h.efficiency[i] - 0.0015 * (superheat - 9.0) - 0.0005 * (s.bath_C[i] - 962.0)
    s.efficiency[i] += (min(max(sought, 0.8), 0.97) - s.efficiency[i]) / 60.0
    gas = air_C + h.gas_rise_C[i] * h.cover[i]
    if t < s.quiet_until_s[i]:
        gas -= 22.0
    s.gas_C[i] += (gas - s.gas_C[i]) / 30.0


@_compiled
def _deviation(h: Hidden, s: State, faults: Faults, f: int) -> float:
    """True deviation that a fault has made, in standard deviations of normal spread."""
    i, place = int(faults.cell[f]), int(faults.place[f])
    if faults.kind[f] == SLOW_PICKUP:
        normal = contact_share(s.healthy_mm[i, place], s.freeze_mm[i, place])
        return (normal - s.contact[i, place]) / _PICKUP_SIGMA
    here, other, n_other = 0.0, 0.0, 0
    for k in range(h.side.shape[0]):
        if h.side[k] == place and h.exposure[k] == 1.0:
            here = s.wall_C[i, k, 2]
        elif h.side[k] != place:
            other += s.wall_C[i, k, 2]
            n_other += 1
    contrast = here - other / n_other
    if faults.reference[f] <= NOT_YET_S:
        faults.reference[f] = contrast
    return (contrast - faults.reference[f]) / _SHELL_SIGMA_C


@_compiled
def _observe(h: Hidden, s: State, faults: Faults, t: int) -> None:
    """Note when a fault first leaves normal spread (2 sigma), and until when it has not come back."""
    for f in range(faults.kind.shape[0]):
        seen = faults.observable_s[f] > NOT_YET_S
        active = faults.start_s[f] <= t < faults.end_s[f]
        if not active and not (seen and faults.cleared_s[f] >= t - THERMAL_S):
            continue
        beyond = _deviation(h, s, faults, f) > 2.0
        if beyond and not seen:
            faults.observable_s[f] = t
        if active or beyond:
            faults.cleared_s[f] = t


@_compiled
def thermal_step(d: Design, h: Hidden, s: State, faults: Faults, line_A: float, air_C: float, t: int) -> None:
    """Advance the slow states of all cells by ``THERMAL_S``.

    Parameters
    ----------
    line_A, air_C
        Line current [A] and air of the potroom [degC].
    t
        Second, counted from the start of the record.
    """
    for i in range(h.target_V.shape[0]):
        _heat(d, h, s, i, line_A, air_C, faults, t)
    _observe(h, s, faults, t)
