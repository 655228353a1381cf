"""The anodes of a cell as parallel branches between beam and metal pad, each with its own resistance."""

from math import isfinite, isnan, nan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.anodes import pickup_frac
from twin.bath import Bath
from twin.jit import kernel
from twin.params import CellParams
from twin.state import params_at
from twin.voltage import (
    AnodeLaw,
    MIN_DENSITY_A_cm2,
    anode_law,
    cathode_overvoltage_V,
    face_parts,
    face_slope_V_cm2_A,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SOLVED, NO_ANODE, IMPOSSIBLE_INPUT, NOT_CONVERGED = range(4)
#: Why a cell has no currents, by the ``status`` of ``solve_network``.
NETWORK_REASONS: dict[int, str] = {
    NO_ANODE: "no anode of the cell conducts",
    IMPOSSIBLE_INPUT: "line current, bath or an anode is missing or outside what a cell can have",
    NOT_CONVERGED: "the currents of the anodes do not settle",
}

#: Baked carbon conducts better when hot: about 10 % at 700 degC, by general knowledge [1/K].
_RESISTIVITY_PER_K = -1.5e-4
#: Mean block temperature for which ``CellParams.anode_ohm`` holds [degC].
NOMINAL_ANODE_C = 700.0
#: An anode of which less than this is free of freeze does not conduct.
_MIN_FREE_FRAC = 1e-3
#: Newton's error falls with the square of the step: at this step the next would be below rounding.
_STEP_DONE = 1e-7
_MAX_STEPS = 100


class Anodes(NamedTuple):
    """Every anode of every cell, each array (n_cells, n_anodes_max); a NaN distance means there is no anode."""

    acd_mm: FloatArray  # anode to metal [mm]
    height_mm: FloatArray  # carbon left [mm]
    temp_C: FloatArray  # mean of the block [degC]
    free_frac: FloatArray  # share of the face free of freeze [-], as ``pickup_frac``; 0 is an open circuit
    fixture_ohm: FloatArray  # clamp, rod, stubs and contact [ohm]


class Melts(NamedTuple):
    """Bath under the anodes of every cell."""

    bath_temp_C: FloatArray  # (n_cells,)
    bath: FloatArray  # (n_cells, 6), columns as ``Bath``


@kernel
def carbon_ohm(height_mm: float, temp_C: float, params: CellParams) -> float:
    """Resistance of one block from stubs to face [ohm].

    Notes
    -----
    Resistivity times height over area, as if the current entered over the whole top; linear in temperature.
    """
    resistivity = params.anode_resistivity_ohm_m * (1.0 + _RESISTIVITY_PER_K * (temp_C - 25.0))
    return resistivity * height_mm / (params.anode_length_mm * params.anode_width_mm) * 1e3


@kernel
def nominal_fixture_ohm(params: CellParams) -> float:
    """Clamp, rod, stubs and contact of one anode [ohm], so that a block at half of its life has its share.

    Notes
    -----
    All anodes alike then have the drop ``line current x anode_ohm`` of the voltage chain.
    """
    middle_mm = 0.5 * (params.anode_height_mm + params.butt_height_mm)
    return params.n_anodes * params.anode_ohm - carbon_ohm(middle_mm, NOMINAL_ANODE_C, params)


def nominal_anodes(params: CellParams, acd_mm: float, n_anodes_max: int) -> Anodes:
    """Anodes of one cell, all alike: half of their life, warm, free of freeze; arrays (1, n_anodes_max)."""
    there = np.arange(n_anodes_max) < int(params.n_anodes)
    return anodes_by_age(params, acd_mm, np.where(there, 0.5 * params.anode_life_h, np.nan))


def anodes_by_age(params: CellParams, acd_mm: float, age_h: FloatArray) -> Anodes:
    """Anodes of one cell that differ in age only.

    Parameters
    ----------
    acd_mm
        Anode to metal, the same for all [mm].
    age_h : (n_anodes_max,)
        Hours since set; NaN where there is no anode. Height falls evenly from new to butt over the life of an
        anode; the face is freed of freeze by the pick-up law.

    Returns
    -------
    Anodes
        Arrays (1, n_anodes_max). All at the nominal temperature of a block.
    """
    used = np.clip(age_h / params.anode_life_h, 0.0, 1.0)
    height_mm = params.anode_height_mm - used * (params.anode_height_mm - params.butt_height_mm)
    there = np.where(np.isnan(age_h), np.nan, 1.0)
    free = np.array([pickup_frac(float(age), params) for age in age_h], dtype=np.float64)
    rows = (there * acd_mm, height_mm, there * NOMINAL_ANODE_C, free, there * nominal_fixture_ohm(params))
    return Anodes(*(row[None, :] for row in rows))


@kernel
def _conducts(acd_mm: float, free_frac: float) -> bool:
    """Whether there is an anode and some of its face is free; NaN does not."""
    return not isnan(acd_mm) and free_frac >= _MIN_FREE_FRAC


@kernel
def _usable(acd_mm: float, height_mm: float, temp_C: float, free_frac: float, fixture_ohm: float) -> bool:
    """Whether an anode that is there can be: no NaN, no negative size, no more than its whole face."""
    if not (isfinite(acd_mm) and isfinite(height_mm) and isfinite(temp_C) and isfinite(fixture_ohm)):
        return False
    return acd_mm >= 0.0 and height_mm >= 0.0 and fixture_ohm > 0.0 and 0.0 <= free_frac <= 1.0


@kernel
def _branch(
    current_A: float, acd_mm: float, free_cm2: float, series_ohm: float, law: AnodeLaw
) -> tuple[float, float]:
    """Voltage beam to metal of one anode at a current [V], and its slope [ohm]."""
    density = current_A / free_cm2
    i = max(density, MIN_DENSITY_A_cm2)
    face = face_parts(i, law)
    path_cm = face.layer_cm * face.bubble_ratio + max(0.1 * acd_mm - face.layer_cm, 0.0)
    slope = path_cm / law.conductivity_S_cm
    voltage = law.reversible_V + face.concentration_V + face.surface_V + density * slope
    if density > MIN_DENSITY_A_cm2:
        slope = face_slope_V_cm2_A(i, acd_mm, face, law)
    return voltage + current_A * series_ohm, slope / free_cm2 + series_ohm


@kernel
def solve_network(
    line_current_A: FloatArray,
    melts: Melts,
    anodes: Anodes,
    params_table: FloatArray,
    current_A: FloatArray,
    work: FloatArray,
    cell_voltage_V: FloatArray,
    status: IntArray,
) -> None:
    """Divide the line current of every cell over its anodes so that all have the same voltage.

    Parameters
    ----------
    line_current_A : (n_cells,)
        [A]
    melts, anodes
        Bath and anodes of every cell.
    params_table : (n_cells, n_fields)
        ``twin.params.stack``.
    current_A : (n_cells, n_anodes_max)
        In: currents of the last call as a start, NaN where unknown. Out: [A], 0 where an anode does not conduct,
        NaN where there is none. They sum to the line current to 1e-9 of it.
    work : (4, n_anodes_max)
        Scratch of the kernel.
    cell_voltage_V : (n_cells,)
        Out: cell voltage, cathode and bus bars included [V].
    status : (n_cells,)
        Out: 0, or a key of ``NETWORK_REASONS``; the currents and the voltage are then NaN.

    Notes
    -----
    Beam and metal pad are equipotentials; the branch is Haupin's chain at the anode's own density
    (``twin.voltage``). Newton on the beam voltage with the branches linearised at their currents: the new
    currents sum to the line current after every step. Between neighbours no current flows through the bath.
    """
    for c in range(line_current_A.shape[0]):
        params = params_at(params_table, c)
        temp_C = melts.bath_temp_C[c]
        bath = Bath(
            melts.bath[c, 0],
            melts.bath[c, 1],
            melts.bath[c, 2],
            melts.bath[c, 3],
            melts.bath[c, 4],
            melts.bath[c, 5],
        )
        status[c] = _prepare(line_current_A[c], anodes, c, params, current_A, work)
        if status[c] == SOLVED:
            law = anode_law(temp_C, bath, params)
            beam_V = _settle(line_current_A[c], anodes.acd_mm, c, law, current_A, work)
            rest_V = cathode_overvoltage_V(line_current_A[c], temp_C, bath, params)
            rest_V += line_current_A[c] * (params.cathode_ohm + params.external_ohm)
            cell_voltage_V[c] = beam_V + rest_V
            if isnan(cell_voltage_V[c]):
                status[c] = IMPOSSIBLE_INPUT if isnan(law.reversible_V + rest_V) else NOT_CONVERGED
        if status[c] != SOLVED:
            cell_voltage_V[c] = nan
            current_A[c, :] = nan


@kernel
def _prepare(
    line_A: float, anodes: Anodes, c: int, params: CellParams, current_A: FloatArray, work: FloatArray
) -> int:
    """Free face [cm2] and series resistance [ohm] of the anodes of a cell, and the currents to start from."""
    if not isfinite(line_A) or line_A < 0.0:
        return IMPOSSIBLE_INPUT
    face_cm2 = params.anode_length_mm * params.anode_width_mm * 0.01 * params.fanning_frac
    total_cm2 = 0.0
    for j in range(anodes.acd_mm.shape[1]):
        work[0, j] = 0.0
        if isnan(anodes.acd_mm[c, j]):
            continue
        free = anodes.free_frac[c, j]
        height, block_C, fixture = anodes.height_mm[c, j], anodes.temp_C[c, j], anodes.fixture_ohm[c, j]
        if not _usable(anodes.acd_mm[c, j], height, block_C, free, fixture):
            return IMPOSSIBLE_INPUT
        if _conducts(anodes.acd_mm[c, j], free):
            work[0, j] = free * face_cm2
            work[1, j] = carbon_ohm(height, block_C, params) + fixture
            total_cm2 += work[0, j]
    if total_cm2 == 0.0:
        return NO_ANODE
    for j in range(anodes.acd_mm.shape[1]):
        if work[0, j] == 0.0:
            current_A[c, j] = nan if isnan(anodes.acd_mm[c, j]) else 0.0
        elif not (isfinite(current_A[c, j]) and current_A[c, j] > 0.0):
            current_A[c, j] = line_A * work[0, j] / total_cm2
    return SOLVED


@kernel
def _settle(
    line_A: float, acd_mm: FloatArray, c: int, law: AnodeLaw, current_A: FloatArray, work: FloatArray
) -> float:
    """Newton's steps of one cell until the currents stand; the voltage of the beam over the metal, or NaN."""
    n = acd_mm.shape[1]
    share_A = line_A / n
    for step in range(_MAX_STEPS):
        relax = 1.0 if step < 12 else (0.5 if step < 40 else 0.2)
        conductance, sourced = 0.0, 0.0
        for j in range(n):
            if work[0, j] > 0.0:
                voltage, slope = _branch(current_A[c, j], acd_mm[c, j], work[0, j], work[1, j], law)
                work[2, j] = 1.0 / slope
                work[3, j] = current_A[c, j] - voltage / slope
                conductance += work[2, j]
                sourced += work[3, j]
        # Where the linearised branches meet: all at one voltage, their currents the line's.
        beam_V = (line_A - sourced) / conductance
        largest = 0.0
        for j in range(n):
            if work[0, j] > 0.0:
                work[3, j] += beam_V * work[2, j]
                largest = max(largest, abs(work[3, j] - current_A[c, j]))
        done = largest <= _STEP_DONE * share_A + 1e-9
        for j in range(n):
            if work[0, j] > 0.0:
                now, aim = current_A[c, j], work[3, j]
                if not done:
                    # The chain is a logarithm: a step to a third or the threefold stays where it is defined.
                    aim = min(max(now + relax * (aim - now), 0.3 * now), 3.0 * now + 1e-3 * share_A)
                current_A[c, j] = aim
        if done:
            return beam_V
    return nan
