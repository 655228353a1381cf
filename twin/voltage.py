"""Cell voltage, part by part: reversible, overvoltages, bath, bubbles, conductors."""

from math import log, sqrt
from typing import NamedTuple

from twin.bath import Bath, alumina_activity, conductivity_haupin, weight_ratio
from twin.jit import kernel
from twin.params import CellParams

_R = 8.314462618  # J/mol/K
_F = 96485.33212  # C/mol
#: Effective density below which overvoltages of a running cell mean nothing [A/cm2].
MIN_DENSITY_A_cm2 = 0.05
#: Distance to the critical density at which the concentration overvoltage is held [A/cm2].
_CRITICAL_MARGIN_A_cm2 = 0.01
_MAX_COVER_FRAC = 0.95


class VoltageParts(NamedTuple):
    """Terms of the cell voltage [V]; their sum is the cell voltage."""

    reversible_V: float
    anode_concentration_V: float
    anode_surface_V: float
    cathode_concentration_V: float
    bath_V: float
    bubble_V: float
    anode_V: float
    cathode_V: float
    external_V: float


class AnodeLaw(NamedTuple):
    """What the bath and the blocks make of the current density under an anode."""

    reversible_V: float
    concentration_V: float  # RT/2F, factor of the concentration overvoltage
    critical_A_cm2: float  # density of the anode effect
    surface_V: float  # factor of the reaction overvoltage
    reaction_A_cm2: float  # density at which that is zero
    conductivity_S_cm: float
    cover_frac: float  # part of the bubble cover that does not depend on the density
    area_cm2: float  # one anode, geometric


class FaceParts(NamedTuple):
    """Under an anode at one density: overvoltages [V], bubble layer [cm] and its resistance over free bath [-]."""

    concentration_V: float
    surface_V: float
    layer_cm: float
    bubble_ratio: float


@kernel
def critical_density(bath_temp_C: float, alumina_pct: float, one_anode_cm2: float) -> float:
    """Current density at which the anode effect sets in [A/cm2], at the effective area.

    Notes
    -----
    Grjotheim and Welch, Aluminium Smelter Technology (1988), p. 131; alumina above 0.16 wt%.
    """
    return (5.5 + 0.018 * (bath_temp_C + 273.15 - 1323.0)) * one_anode_cm2**-0.1 * (sqrt(alumina_pct) - 0.4)


@kernel
def _still_cover(bath: Bath, alumina_ae_pct: float) -> float:
    """Terms of eq. 31 without the density."""
    ratio = weight_ratio(bath)
    excess = max(bath.alumina_pct - alumina_ae_pct, 0.01)
    return (
        0.509
        + (0.4322 - 0.3781 * ratio) / (1.0 + 1.637 * ratio)
        + (0.431 - 0.1437 * excess) / (1.0 + 7.353 * excess)
    )


@kernel
def _cover_at(density_A_cm2: float, still_frac: float) -> float:
    """Eq. 31 at a density, given its other terms."""
    i = density_A_cm2
    cover = 0.9 * (still_frac + 0.1823 * i - 0.1723 * i**2 + 0.05504 * i**3)
    return min(max(cover, 0.0), _MAX_COVER_FRAC)


@kernel
def anode_law(bath_temp_C: float, bath: Bath, params: CellParams) -> AnodeLaw:
    """Coefficients of Haupin's chain that do not depend on the current; see ``voltage_haupin``."""
    T = bath_temp_C + 273.15
    area_cm2 = params.anode_length_mm * params.anode_width_mm * 0.01
    alumina_pct = max(bath.alumina_pct, 0.2)
    return AnodeLaw(
        1.896 - 0.000572 * T - _R * T / (6.0 * _F) * log(alumina_activity(bath, bath_temp_C)),
        _R * T / (2.0 * _F),
        max(critical_density(bath_temp_C, alumina_pct, area_cm2), _CRITICAL_MARGIN_A_cm2),
        1.142e-5 * log(params.anode_bake_temp_C) * T,
        params.reaction_density_A_cm2 * (alumina_pct + 0.25 * bath.lif_pct) ** 0.56,
        conductivity_haupin(bath, bath_temp_C),
        _still_cover(bath, params.alumina_ae_pct),
        area_cm2,
    )


@kernel
def face_parts(density_A_cm2: float, law: AnodeLaw) -> FaceParts:
    """Overvoltages and bubbles under an anode at an effective density [A/cm2], at least 0.05.

    Notes
    -----
    Haupin 1998 eq. 23, 26, 30, 31, 32. From 0.01 A/cm2 below the critical density on the concentration
    overvoltage is held: what follows is an anode effect, which the chain does not describe.
    """
    left = max(law.critical_A_cm2 - density_A_cm2, _CRITICAL_MARGIN_A_cm2)
    cover = _cover_at(density_A_cm2, law.cover_frac)
    return FaceParts(
        law.concentration_V * log(law.critical_A_cm2 / left),
        law.surface_V * log(density_A_cm2 / law.reaction_A_cm2),
        (0.5517 + density_A_cm2) / (1.0 + 2.167 * density_A_cm2),
        cover / (1.0 - cover),
    )


@kernel
def face_slope_V_cm2_A(density_A_cm2: float, acd_mm: float, face: FaceParts, law: AnodeLaw) -> float:
    """Change of overvoltages, bath and bubbles with the effective density [V cm2/A]; the derivative of the chain."""
    i = density_A_cm2
    left = law.critical_A_cm2 - i
    slope = law.surface_V / i
    if left > _CRITICAL_MARGIN_A_cm2:
        slope += law.concentration_V / left
    layer_slope_cm = (1.0 - 0.5517 * 2.167) / (1.0 + 2.167 * i) ** 2
    cover = face.bubble_ratio / (1.0 + face.bubble_ratio)
    ratio_slope = 0.0
    if 0.0 < cover < _MAX_COVER_FRAC:
        ratio_slope = 0.9 * (0.1823 - 0.3446 * i + 0.16512 * i * i) / (1.0 - cover) ** 2
    path_cm = face.layer_cm * face.bubble_ratio
    path_slope_cm = layer_slope_cm * face.bubble_ratio + face.layer_cm * ratio_slope
    if 0.1 * acd_mm > face.layer_cm:
        path_cm += 0.1 * acd_mm - face.layer_cm
        path_slope_cm -= layer_slope_cm
    return slope + (path_cm + i * path_slope_cm) / law.conductivity_S_cm


@kernel
def cathode_overvoltage_V(line_current_A: float, bath_temp_C: float, bath: Bath, params: CellParams) -> float:
    """Concentration overvoltage at the metal [V] (Haupin 1998 eq. 28, with the molar ratio)."""
    i_c = max(line_current_A / (params.cathode_area_m2 * 1e4), 0.257)
    return _R * (bath_temp_C + 273.15) / (1.5 * _F) * (1.375 - 0.5 * weight_ratio(bath)) * log(i_c / 0.257)


@kernel
def effective_density_A_cm2(line_current_A: float, params: CellParams) -> float:
    """Mean density at the effective anode area, fanning included [A/cm2]."""
    one_anode_cm2 = params.anode_length_mm * params.anode_width_mm * 0.01
    return line_current_A / (params.fanning_frac * params.n_anodes * one_anode_cm2)


@kernel
def voltage_haupin(
    line_current_A: float, acd_mm: float, bath_temp_C: float, bath: Bath, params: CellParams
) -> VoltageParts:
    """Cell voltage by Haupin's chain.

    Parameters
    ----------
    line_current_A
        [A]; below 0.05 A/cm2 the overvoltages are those at 0.05.
    acd_mm
        Anode to metal [mm], bubble layer included; must exceed the bubble layer (4 to 6 mm).
    bath_temp_C
        [degC], 930 to 1000.
    bath
        Alumina from 1.8 wt% (``alumina_ae_pct``) to saturation.
    params
        Geometry and conductors of the cell.

    Notes
    -----
    Haupin, Light Metals 1998, 531-537, equations 5, 10, 23, 26, 28, 30, 31, 32. Of two readings of
    eq. 28 the molar ratio is taken: the weight ratio gives 28 mV more. Slotted anodes have 60 to
    150 mV less bubble voltage than this. Not validated below half or above 1.5 of the rated current.
    """
    law = anode_law(bath_temp_C, bath, params)
    density = effective_density_A_cm2(line_current_A, params)
    face = face_parts(max(density, MIN_DENSITY_A_cm2), law)
    return VoltageParts(
        law.reversible_V,
        face.concentration_V,
        face.surface_V,
        cathode_overvoltage_V(line_current_A, bath_temp_C, bath, params),
        density * max(0.1 * acd_mm - face.layer_cm, 0.0) / law.conductivity_S_cm,
        density * face.layer_cm * face.bubble_ratio / law.conductivity_S_cm,
        line_current_A * params.anode_ohm,
        line_current_A * params.cathode_ohm,
        line_current_A * params.external_ohm,
    )


@kernel
def total_V(parts: VoltageParts) -> float:
    """Cell voltage [V]: the sum of its parts."""
    return (
        parts.reversible_V
        + parts.anode_concentration_V
        + parts.anode_surface_V
        + parts.cathode_concentration_V
        + parts.bath_V
        + parts.bubble_V
        + parts.anode_V
        + parts.cathode_V
        + parts.external_V
    )


@kernel
def back_emf_V(parts: VoltageParts) -> float:
    """Voltage that is no resistance [V]: reversible and overvoltages, about 1.78 V."""
    return (
        parts.reversible_V
        + parts.anode_concentration_V
        + parts.anode_surface_V
        + parts.cathode_concentration_V
    )


@kernel
def bath_slope_V_mm(line_current_A: float, bath_temp_C: float, bath: Bath, params: CellParams) -> float:
    """Voltage per millimetre of anode to metal distance [V/mm]; the only part that depends on the distance."""
    density = effective_density_A_cm2(line_current_A, params)
    return 0.1 * density / conductivity_haupin(bath, bath_temp_C)


@kernel
def critical_share(line_current_A: float, bath_temp_C: float, bath: Bath, params: CellParams) -> float:
    """Mean anode density over the critical one [-]: an anode effect from 1 on; the chain holds below 0.98."""
    law = anode_law(bath_temp_C, bath, params)
    return effective_density_A_cm2(line_current_A, params) / law.critical_A_cm2


@kernel
def alumina_of_lowest_voltage_pct(
    line_current_A: float, acd_mm: float, bath_temp_C: float, bath: Bath, params: CellParams
) -> float:
    """Alumina at which the cell voltage is lowest [wt%], between 1.8 and 7; all else as given.

    Notes
    -----
    Golden section to 0.001 wt%: the chain has one minimum, near 4 % by Dupuis, CIM 2013.
    """
    low, high = 1.8, 7.0
    step = 0.6180339887498949
    for _ in range(19):
        left, right = high - step * (high - low), low + step * (high - low)
        left_V = total_V(
            voltage_haupin(line_current_A, acd_mm, bath_temp_C, _with_alumina(bath, left), params)
        )
        right_V = total_V(
            voltage_haupin(line_current_A, acd_mm, bath_temp_C, _with_alumina(bath, right), params)
        )
        if left_V < right_V:
            high = right
        else:
            low = left
    return 0.5 * (low + high)


@kernel
def _with_alumina(bath: Bath, alumina_pct: float) -> Bath:
    """The same bath with other alumina (``_replace`` is not known to compiled code)."""
    return Bath(bath.excess_alf3_pct, bath.caf2_pct, alumina_pct, bath.lif_pct, bath.mgf2_pct, bath.kf_pct)


@kernel
def acd_mm_at(
    cell_voltage_V: float, line_current_A: float, bath_temp_C: float, bath: Bath, params: CellParams
) -> float:
    """Anode to metal distance [mm] at which the chain gives this cell voltage; negative if none does."""
    reference_mm = 45.0
    parts = voltage_haupin(line_current_A, reference_mm, bath_temp_C, bath, params)
    slope = bath_slope_V_mm(line_current_A, bath_temp_C, bath, params)
    return reference_mm + (cell_voltage_V - total_V(parts)) / slope
