"""One step of the unscented filter for one cell: sigma points through the process, and what the voltage says."""

from math import exp, isnan, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, liquidus_solheim
from twin.enthalpy import (
    ALUMINA_DISSOLUTION_J_kg,
    ALUMINA_HEATING_J_kg,
    BATH_J_kgK,
    METAL_J_kgK,
)
from twin.heat import REFERENCE_AMBIENT_C, Steady, equivalent_V, ledge_flux_W_m2, ledge_rate_mm_s
from twin.jit import kernel
from twin.params import CellParams
from twin.voltage import total_V, voltage_haupin

FloatArray = NDArray[np.float64]

#: Bath temperature, or where it would be had nothing frozen in bulk (``melt_at``) [degC], excess AlF3 [wt%], liquidus
#: less Solheim's [K], dissolved alumina [wt%], true over reported feed less 1, voltage less that of the chain at
#: nominal distance [V], ledge at bath level [mm], log of the heat that the side wall takes over nominal, losses
#: elsewhere over balance less 1, temperature of anodes, crust, cathode [degC].
NAMES = ("bath", "alf3", "shift", "alumina", "feed", "level", "ledge", "wall", "cover", "lump")
BATH, ALF3, SHIFT, ALUMINA, FEED, LEVEL, LEDGE, WALL, COVER, LUMP = range(10)
N = 10
#: Besides the states, what a sample can be of.
LIQUIDUS = N
#: Rows of the scratch of a step, each (N + 1, N + 1).
N_WORK = 4
#: What drives a step: current [A]; power in the cell [W]; mean power less reaction that the cell has lived with [W];
#: demand of new anodes [W]; alumina dissolved [kg], 1 if that is known; AlF3 used [kg]; 1 if the power is known.
AMP, POWER, BALANCE, SINK, DISSOLVED, FED, ALF3_USED, POWERED = range(8)
N_DRIVES = 8
_DAY_S = 86400.0
#: Spread of a cell about its technology, and how long it keeps its own value (0: for good) [unit of the state, s]. The
#: wall stands for heat transfer (600 to 1200 W/m2K), ledge conductivity (0.8 to 2 W/mK) and lining together.
PRIOR_SD = np.array([2.0, 0.9, 3.5, 0.075, 0.022, 0.15, 3.0, 0.25, 0.006, 4.0])
_MEMORY_S = np.array([0.0, 80.0, 200.0, 0.2, 120.0, 60.0, 0.0, 0.0, 5.0, 0.0]) * _DAY_S
#: Disturbances that no state explains [unit^2/s].
_DISTURBANCE = np.array([0.22**2, 0.0, 0.0, 0.02**2, 0.0, 0.0, 0.5**2, 0.001**2, 0.0, 0.3**2]) / 3600.0
#: More of them while the cell is far from its heat balance, as in an outage, by what it is off beyond a share of all
#: losses: losses then are known to a fifth, assumed [unit^2/s].
_UPSET = np.array([10.0**2, 0.0, 0.0, 0.2**2, 0.0, 0.1**2, 3.0**2, 0.0, 0.0, 10.0**2]) / 3600.0
_UPSET_FROM_FRAC = 0.3
#: And while a bath is so much colder than nominal, fully so by this: alumina then dissolves late or settles, and
#: freeze on anodes and metal is in the voltage [K, K, wt%2/s, V2/s].
_COLD_FROM_C, _COLD_SPAN_C, _COLD_ALUMINA, _COLD_LEVEL = 15.0, 30.0, 0.3**2 / 3600.0, 0.05**2 / 3600.0
#: Bulk freezing begins below the liquidus by this, and what is left of a fall is that of the liquidus: 1 % of the bath
#: frozen holds back 0.9 K, and concentrates what lowers the liquidus by 0.7 K.
_FREEZING_C, _FALL_FRAC = 1.0, 0.45

#: Voltage noise 15 mV with a memory of 900 s, as variance times time [V2 s].
_VOLTAGE_NOISE_V2S = 2.0 * 0.015**2 * 900.0
_VOLTAGE_CLIP_V, _VOLTAGE_GATE_V = 0.1, 1.0
#: The chain is too steep below to be learned from [wt%].
_ALUMINA_FLOOR_PCT = 2.2
#: Alumina by electrolysis at 100 % efficiency, M(Al2O3)/6F [kg/(s A)].
ALUMINA_kg_sA = 1.76123e-7
#: Cathode carbon that follows the melt within hours: 0.2 m of 1560 kg/m3 and 1600 J/kgK; heat goes so deep into
#: graphitised carbon (6e-6 m2/s) in two hours.
_CATHODE_J_m2K = 5.0e5
_SPREAD = sqrt(3.0)
#: Metal by charge at 100 % efficiency [kg/(s A)], carbon used per metal, densities of metal and anode [kg/m3].
_METAL_kg_sA, _CARBON_FRAC, _METAL_kg_m3, _CARBON_kg_m3 = 0.335572e-3 / 3600.0, 0.41, 2300.0, 1580.0
#: Where things stand in the row of noise, after the disturbances.
_MEMORY, _AIM, _VAR, _VOLTAGE = N, 2 * N, 3 * N, 4 * N
N_NOISE = 4 * N + 1


@kernel
def bath_at(x: FloatArray, chemistry_pct: FloatArray) -> Bath:
    """Composition at a state, within what the equations can take."""
    return Bath(
        min(max(x[ALF3], 0.0), 20.0),
        chemistry_pct[0],
        min(max(x[ALUMINA], 1.0), 8.0),
        chemistry_pct[1],
        chemistry_pct[2],
        chemistry_pct[3],
    )


@kernel
def melt_at(x: FloatArray, bath: Bath) -> tuple[float, float]:
    """Temperature and liquidus of the melt at a state, bulk freezing counted [degC].

    Notes
    -----
    Cooling below the liquidus freezes bath instead, at its face nowhere in particular; the heat that this frees is in
    the state ``BATH``, which falls on. Not validated: no measured outage is reachable but for its axis (physics 4.5).
    """
    liquidus_C = liquidus_solheim(bath) + x[SHIFT]
    below_C = liquidus_C - _FREEZING_C - x[BATH]
    if below_C > 0.0:
        liquidus_C -= _FALL_FRAC * below_C
        return liquidus_C - _FREEZING_C, liquidus_C
    return x[BATH], liquidus_C


@kernel
def bath_kg_at(ledge_mm: float, params: CellParams) -> float:
    """Liquid bath beside a ledge [kg]: the nominal one less what has frozen since the ledge was nominal.

    Notes
    -----
    Ledge is thinner at metal level, but grows there as fast: as much more heat leaves. Crews bring the level of the
    bath back over days, of which nothing is known here.
    """
    face_m2 = params.ledge_perimeter_m * (params.bath_height_m + params.metal_height_m)
    frozen_kg = 1e-3 * (ledge_mm - params.ledge_bath_mm) * face_m2 * params.ledge_density_kg_m3
    return min(max(params.bath_mass_kg - frozen_kg, 0.4 * params.bath_mass_kg), 1.5 * params.bath_mass_kg)


@kernel
def slopes(bath: Bath) -> tuple[float, float]:
    """Slope of the liquidus by AlF3 and by alumina [K/wt%]."""
    here = liquidus_solheim(bath)
    by_A = liquidus_solheim(Bath(bath[0] + 0.1, bath[1], bath[2], bath[3], bath[4], bath[5]))
    by_O = liquidus_solheim(Bath(bath[0], bath[1], bath[2] + 0.05, bath[3], bath[4], bath[5]))
    return 10.0 * (by_A - here), 20.0 * (by_O - here)


@kernel
def sample_of(kind: int, x: FloatArray, chemistry_pct: FloatArray, h: FloatArray) -> float:
    """What a sample would be at a state, and its slopes in ``h``."""
    for i in range(N):
        h[i] = 0.0
    if kind not in (BATH, LIQUIDUS):
        h[kind] = 1.0
        return x[kind]
    bath = bath_at(x, chemistry_pct)
    bath_C, liquidus_C = melt_at(x, bath)
    # Of a freezing melt both follow the state and the liquidus of the whole bath together.
    freezing = bath_C > x[BATH]
    of_liquidus = 1.0 if kind == LIQUIDUS else 0.0
    if freezing:
        of_liquidus = 1.0 - _FALL_FRAC
    h[BATH] = 1.0 - of_liquidus
    if of_liquidus > 0.0:
        by_A, by_O = slopes(bath)
        h[ALF3], h[ALUMINA], h[SHIFT] = of_liquidus * by_A, of_liquidus * by_O, of_liquidus
    return bath_C if kind == BATH else liquidus_C


@kernel
def efficiency(
    params: CellParams, nominal: Steady, bath_C: float, superheat_C: float, alf3_pct: float
) -> float:
    """Current efficiency [-]: a control-grade law around the nominal point, 0.80 to 0.98."""
    hotter_C = bath_C - nominal.liquidus_C - nominal.superheat_C
    value = params.current_efficiency_frac - 0.0018 * (superheat_C - nominal.superheat_C)
    value += -0.0006 * hotter_C + 0.003 * (alf3_pct - params.excess_alf3_pct)
    return min(max(value, 0.80), 0.98)


@kernel
def closing_mm_s(current_A: float, params: CellParams) -> float:
    """How fast the gap closes until the beam is raised [mm/s]: the metal rises a little faster than anodes burn."""
    metal_kg_s = _METAL_kg_sA * current_A * params.current_efficiency_frac
    anode_m2 = params.n_anodes * params.anode_length_mm * params.anode_width_mm * 1e-6
    rising = metal_kg_s / (_METAL_kg_m3 * params.cathode_area_m2)
    return 1e3 * (rising - metal_kg_s * _CARBON_FRAC / (_CARBON_kg_m3 * anode_m2))


@kernel
def _flow(
    x: FloatArray,
    y: FloatArray,
    params: CellParams,
    nominal: Steady,
    chemistry_pct: FloatArray,
    drive: FloatArray,
    dt_s: float,
) -> None:
    """Carry one sigma point forward; ``drive``: see ``AMP``."""
    current_A, electric_W, balance_W, sink_W = drive[AMP], drive[POWER], drive[BALANCE], drive[SINK]
    dissolved_kg, fed, alf3_kg, live = drive[DISSOLVED], drive[FED], drive[ALF3_USED], drive[POWERED]
    bath = bath_at(x, chemistry_pct)
    bath_C, liquidus_C = melt_at(x, bath)
    superheat_C = bath_C - liquidus_C
    ce = efficiency(params, nominal, bath_C, superheat_C, x[ALF3])
    wall = exp(min(max(x[WALL], -0.7), 0.7))
    own_side_W = nominal.side_loss_W * wall
    heat_W = balance_W
    if live > 0.0:
        heat_W = electric_W - current_A * equivalent_V(ce) - sink_W
    gained_kg = 0.0
    if fed > 0.0:
        gained_kg = dissolved_kg * (1.0 + x[FEED]) - ALUMINA_kg_sA * current_A * ce * dt_s
        # The reaction's voltage holds the heat of feeding at the mean rate; it is taken when alumina dissolves.
        heat_W -= (ALUMINA_HEATING_J_kg + ALUMINA_DISSOLUTION_J_kg) * gained_kg / dt_s
    nominal_C = nominal.liquidus_C + nominal.superheat_C
    other_W = max(balance_W - own_side_W, 0.2 * nominal.heat_loss_W) * (1.0 + x[COVER])
    to_lump_W = other_W * (bath_C - x[LUMP]) / (nominal_C - params.lump_temp_C)
    from_lump_W = other_W * (x[LUMP] - REFERENCE_AMBIENT_C) / (params.lump_temp_C - REFERENCE_AMBIENT_C)
    bath_kg = bath_kg_at(x[LEDGE], params)
    melt_J_K = bath_kg * BATH_J_kgK + params.metal_mass_kg * METAL_J_kgK
    melt_J_K += _CATHODE_J_m2K * params.cathode_area_m2
    y[BATH] = x[BATH] + dt_s / melt_J_K * (heat_W - to_lump_W - nominal.side_W_K * superheat_C)
    y[LUMP] = x[LUMP] + dt_s * (to_lump_W - from_lump_W) / params.side_lump_J_K
    flux = ledge_flux_W_m2(x[LEDGE], liquidus_C, wall, params, nominal)
    rate = ledge_rate_mm_s(
        superheat_C, flux, params.bath_ledge_W_m2K, params.ledge_density_kg_m3, params.ledge_latent_J_kg
    )
    y[LEDGE] = min(max(x[LEDGE] + rate * dt_s, 0.0), 300.0)
    # Ledge is cryolite: what freezes leaves its AlF3 and alumina to the rest.
    left_kg = bath_kg_at(y[LEDGE], params)
    y[ALF3] = (x[ALF3] * bath_kg - 100.0 * alf3_kg) / left_kg
    y[ALUMINA] = (x[ALUMINA] * bath_kg + 100.0 * gained_kg) / left_kg
    y[SHIFT], y[FEED], y[LEVEL], y[WALL], y[COVER] = x[SHIFT], x[FEED], x[LEVEL], x[WALL], x[COVER]


@kernel
def chain(
    x: FloatArray, params: CellParams, nominal: Steady, chemistry_pct: FloatArray, current_A: float
) -> tuple[float, float]:
    """Voltage of the chain at the aim of alumina and nominal distance [V], and its slope there [V/wt%]."""
    b = bath_at(x, chemistry_pct)
    bath_C, _ = melt_at(x, b)
    aim = max(params.alumina_pct, _ALUMINA_FLOOR_PCT)
    here_V = total_V(
        voltage_haupin(current_A, nominal.acd_mm, bath_C, Bath(b[0], b[1], aim, b[3], b[4], b[5]), params)
    )
    richer = Bath(b[0], b[1], aim + 0.1, b[3], b[4], b[5])
    return here_V, 10.0 * (
        total_V(voltage_haupin(current_A, nominal.acd_mm, bath_C, richer, params)) - here_V
    )


@kernel
def _cholesky(a: FloatArray, low: FloatArray) -> None:
    """Lower factor; a pivot that rounding has made negative becomes tiny."""
    for j in range(N):
        for i in range(j):
            low[i, j] = 0.0
        total = a[j, j]
        for k in range(j):
            total -= low[j, k] * low[j, k]
        root = sqrt(max(total, 1e-12))
        low[j, j] = root
        for i in range(j + 1, N):
            total = a[i, j]
            for k in range(j):
                total -= low[i, k] * low[j, k]
            low[i, j] = total / root


@kernel
def _images(
    x: FloatArray,
    params: CellParams,
    nominal: Steady,
    chemistry_pct: FloatArray,
    drive: FloatArray,
    dt_s: float,
    work: FloatArray,
) -> None:
    """Carry the sigma points of a state forward: its new mean, and the images of the columns of the factor."""
    low, image, point, moved = work[0], work[1], work[3, 0], work[3, 1]
    up, down, centre = work[3, 2], work[3, 3], work[3, 4]
    _flow(x, centre, params, nominal, chemistry_pct, drive, dt_s)
    for i in range(N):
        moved[i] = centre[i]
    for s in range(N):
        for i in range(N):
            point[i] = x[i] + _SPREAD * low[i, s]
        _flow(point, up, params, nominal, chemistry_pct, drive, dt_s)
        for i in range(N):
            point[i] = x[i] - _SPREAD * low[i, s]
        _flow(point, down, params, nominal, chemistry_pct, drive, dt_s)
        for i in range(N):
            image[i, s] = (up[i] - down[i]) / (2.0 * _SPREAD)
            moved[i] += (up[i] + down[i] - 2.0 * centre[i]) / (2.0 * _SPREAD**2)
    for i in range(N):
        x[i] = moved[i]


@kernel
def _lengthen(trans: FloatArray, work: FloatArray) -> None:
    """The transition that the points show, F = image low^-1, lengthens that since the last snapshot."""
    low, image, solved = work[0], work[1], work[2]
    for i in range(N):
        for col in range(N):
            total = trans[i, col]
            for k in range(i):
                total -= low[i, k] * solved[k, col]
            solved[i, col] = total / low[i, i]
    for i in range(N):
        for col in range(N):
            total = 0.0
            for k in range(N):
                total += image[i, k] * solved[k, col]
            trans[i, col] = total


@kernel
def _disturb(x: FloatArray, p: FloatArray, trans: FloatArray, noise: FloatArray, dt_s: float) -> None:
    """What no state explains, and the slow way back to what cells of this technology are."""
    for i in range(N):
        p[i, i] += noise[i] * dt_s
        memory_s = noise[_MEMORY + i]
        if memory_s > 0.0:
            keep = exp(-dt_s / memory_s)
            x[i] = noise[_AIM + i] + keep * (x[i] - noise[_AIM + i])
            for j in range(N):
                p[i, j] *= keep
                p[j, i] *= keep
                trans[i, j] *= keep
            p[i, i] += noise[_VAR + i] * (1.0 - keep * keep)


@kernel
def _learn(
    x: FloatArray,
    p: FloatArray,
    trans: FloatArray,
    innovation_V: float,
    slope_V_pct: float,
    noise_V2: float,
    work: FloatArray,
) -> None:
    """Correct alumina, feed and level by the voltage that they make.

    Notes
    -----
    Heat and ledge are considered and not corrected (Schmidt): they go with alumina after an outage, and the voltage
    then has more reasons than the chain knows.
    """
    if abs(innovation_V) > _VOLTAGE_GATE_V:
        return
    innovation_V = min(max(innovation_V, -_VOLTAGE_CLIP_V), _VOLTAGE_CLIP_V)
    gain, row = work[3, 0], work[3, 1]
    for i in range(N):
        gain[i] = slope_V_pct * p[i, ALUMINA] + p[i, LEVEL]
        row[i] = slope_V_pct * trans[ALUMINA, i] + trans[LEVEL, i]
    variance = slope_V_pct * gain[ALUMINA] + gain[LEVEL] + noise_V2
    for i in range(N):
        if i not in (ALUMINA, FEED, LEVEL):
            continue
        x[i] += gain[i] / variance * innovation_V
        for j in range(N):
            trans[i, j] -= gain[i] / variance * row[j]
            p[i, j] -= gain[i] * gain[j] / variance
            if j not in (ALUMINA, FEED, LEVEL):
                p[j, i] = p[i, j]


@kernel
def step(
    x: FloatArray,
    p: FloatArray,
    trans: FloatArray,
    params: CellParams,
    nominal: Steady,
    chemistry_pct: FloatArray,
    drive: FloatArray,
    dt_s: float,
    noise: FloatArray,
    measured_V: float,
    work: FloatArray,
) -> None:
    """Carry one cell forward and learn from its voltage.

    Parameters
    ----------
    x, p, trans : (N,), (N, N), (N, N)
        State, covariance and transition since the last snapshot, changed in place.
    params, nominal, chemistry_pct
        Constants of the cell; CaF2, LiF, MgF2 and KF [wt%].
    drive
        See ``AMP``.
    dt_s
        At most 120 s: the superheat settles in about half an hour.
    noise
        From ``noise_of``.
    measured_V
        Mean cell voltage of the step [V]; NaN where there is none.
    work : (N_WORK, N + 1, N + 1)
        Scratch.

    Notes
    -----
    Symmetric points at sqrt(3) standard deviations; second-order terms enter the mean and not the covariance, which
    so stays positive (Norgaard, Poulsen, Ravn, Automatica 36 (2000) 1627). The voltage is taken as linear in alumina
    with the slope at the aim: published curves disagree too much for their bend to tell alumina itself.
    """
    _cholesky(p, work[0])
    _images(x, params, nominal, chemistry_pct, drive, dt_s, work)
    _lengthen(trans, work)
    image = work[1]
    for i in range(N):
        for j in range(i + 1):
            total = 0.0
            for s in range(N):
                total += image[i, s] * image[j, s]
            p[i, j] = total
            p[j, i] = total
    _disturb(x, p, trans, noise, dt_s)
    if isnan(measured_V):
        return
    chain_V, slope_V_pct = chain(x, params, nominal, chemistry_pct, drive[AMP])
    expected_V = chain_V + slope_V_pct * (x[ALUMINA] - max(params.alumina_pct, _ALUMINA_FLOOR_PCT)) + x[LEVEL]
    _learn(x, p, trans, measured_V - expected_V, slope_V_pct, noise[_VOLTAGE] / dt_s, work)


@kernel
def coldness(bath_C: float, nominal: Steady) -> float:
    """How cold a bath is for one in operation: 0 about its nominal temperature, 1 where an outage leaves it [-]."""
    cold_C = nominal.liquidus_C + nominal.superheat_C - bath_C
    return min(max((cold_C - _COLD_FROM_C) / _COLD_SPAN_C, 0.0), 1.0)


@kernel
def noise_of(
    noise: FloatArray, params: CellParams, fed: bool, heard: bool, off_frac: float, cold: float
) -> None:
    """Disturbances, memories, aims and spreads of one cell in one row of scratch.

    Parameters
    ----------
    noise : (N_NOISE,)
        Written.
    params
        Aims of the cell.
    fed, heard
        Whether the record of feed is known, and whether anything is.
    off_frac
        By how much the heat left in the cell differs from its mean, over all losses of its technology [-].
    cold
        From ``coldness``.
    """
    upset = max(abs(off_frac) - _UPSET_FROM_FRAC, 0.0) ** 2
    for i in range(N):
        noise[i] = _DISTURBANCE[i] + upset * _UPSET[i]
        noise[_MEMORY + i] = _MEMORY_S[i]
        noise[_AIM + i] = 0.0
        noise[_VAR + i] = PRIOR_SD[i] ** 2
    noise[_AIM + ALF3], noise[_AIM + ALUMINA] = params.excess_alf3_pct, params.alumina_pct
    noise[ALUMINA] += cold * _COLD_ALUMINA
    noise[LEVEL] += cold * _COLD_LEVEL
    if not heard:
        noise[ALUMINA] = 0.15**2 / 3600.0
    elif not fed:
        noise[_MEMORY + ALUMINA], noise[_VAR + ALUMINA] = 3600.0, 0.6**2
    noise[_VOLTAGE] = _VOLTAGE_NOISE_V2S
