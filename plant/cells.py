"""Draws what makes each cell itself and the settled state in which the record starts."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant import bars
from plant.operations import FREEZE_MM, SETTING_MM, change_second
from plant.state import Design, F, Hidden, State
from plant.technology import Technology
from plant.thermal import contact_share, liquidus, shell_flux
from twin.signals import SIDES

#: Ledge and wall nodes get this long to find their own regime before the record starts.
SETTLING_S = 36000
#: One cell of every line changed an anode this long before the start.
LAST_CHANGE_S = 8 * 3600

_BURN_MM_H = 0.74
_ALUMINA_PCT = 2.45
_BATH_HEIGHT_M = 0.205
_METAL_HEIGHT_M = 0.20


class Change(NamedTuple):
    """One anode change of the calendar: when [s from the start], cell index, anode counted from 0."""

    second: int
    cell: int
    anode: int


def design(technology: Technology) -> Design:
    """Numbers of the kernels for one technology; conductances follow the rated current.

    Parameters
    ----------
    technology
        The plant's statement of the cell design.
    """
    scale = technology.rated_current_A / 300e3
    area = technology.anode_length_mm * technology.anode_width_mm / 1e6
    return Design(
        current_A=technology.rated_current_A,
        anode_area_m2=area,
        anode_height_mm=technology.anode_height_mm,
        shot_kg=technology.shot_mass_kg,
        change_interval_s=technology.anode_life_h * 3600.0 / technology.n_anodes,
        tap_interval_s=technology.tap_interval_h * 3600.0,
        metal_area_m2=technology.metal_area_m2,
        metal_kg=technology.metal_kg,
        bath_kg=technology.bath_kg,
        anode_to_top_W_K=9.4 * area,
        bath_to_anode_W_K=19.7 * area,
        crust_W_K=48.0 * scale,
        cathode_W_K=1100.0 * scale,
        bottom_W_K=187.0 * scale,
        external_ohm=0.17 / technology.rated_current_A,
        rectifier_efficiency=0.978,
        auxiliary_kW=0.0,
    )


def hidden(technology: Technology, n_cells: int, seed: int) -> Hidden:
    """Draw the hidden parameters of every cell; the voltage set points always cover their whole range.

    Parameters
    ----------
    technology
        Cell design.
    n_cells, seed
        Size of the line, and what decides every draw.
    """
    rng = np.random.default_rng([seed, 1])
    d = design(technology)
    n, anodes, segments = n_cells, technology.n_anodes, technology.n_shell
    side = np.array([SIDES.index(name) for name in technology.shell_sides], dtype=np.int64)
    place = rng.permutation(n)
    superheat = rng.uniform(8.0, 10.0, n)
    bath_C = rng.uniform(960.5, 966.5, n)
    caf2 = rng.uniform(5.5, 6.5, n)
    alf3 = np.array([_alf3_for(float(t), float(c)) for t, c in zip(bath_C - superheat, caf2, strict=True)])
    film = 1150.0 * (1.0 + 0.12 * rng.standard_normal((n, segments)).clip(-2.0, 2.0))
    ratio = 1.5 * (1.0 + 0.08 * rng.standard_normal((n, segments)).clip(-2.0, 2.0))
    rise_C = rng.uniform(5.0, 30.0, (n, segments))
    ledge_W_mK = 1.6 * (1.0 + 0.08 * rng.standard_normal(n).clip(-2.0, 2.0))
    ledge_m = rng.uniform(0.058, 0.088, (n, segments))
    wall = np.empty((n, segments))
    for i in range(n):
        for k in range(segments):
            flux = film[i, k] * superheat[i]
            shell_C = _shell_for(float(flux / ratio[i, k]), 25.0 + float(rise_C[i, k]))
            total = (bath_C[i] - superheat[i] - shell_C) / flux
            wall[i, k] = min(max(total - ledge_m[i, k] / ledge_W_mK[i], 0.008), 0.028)
    share = np.where(np.isin(side, (0, 1)), 0.2, 0.8)
    counts = np.array([np.sum(np.isin(side, (0, 1)) == (s in (0, 1))) for s in side])
    area = technology.perimeter_m * (_BATH_HEIGHT_M + _METAL_HEIGHT_M) * share / counts
    stride = next(s for s in (7, 11, 13, 5, 1) if np.gcd(s, anodes) == 1)
    order = (rng.integers(anodes, size=(n, 1)) + stride * np.arange(anodes)[None, :]) % anodes
    along = np.arange(anodes, dtype=np.int64) % (anodes // 2)
    draft = Hidden(
        change_phase_s=(d.change_interval_s - LAST_CHANGE_S + place * d.change_interval_s / n)
        % d.change_interval_s,
        tap_phase_s=np.floor(rng.uniform(0.0, d.tap_interval_s, n)),
        probe_phase_s=np.floor(rng.uniform(0.0, 86400.0, n)),
        target_V=technology.nominal_voltage_V - 0.1 + 0.21 * (rng.permutation(n) + 0.5) / n,
        efficiency=np.clip(rng.normal(0.944, 0.006, n), 0.93, 0.956),
        offset_V=rng.normal(0.0, 0.015, n),
        cathode_ohm=0.30 / d.current_A * (1.0 + 0.08 * rng.standard_normal(n).clip(-2.0, 2.0)),
        shot_factor=rng.uniform(0.95, 1.05, n),
        over_s=np.floor(rng.uniform(1500.0, 2000.0, n)),
        target_alf3_pct=alf3,
        caf2_pct=caf2,
        bath_C=bath_C,
        superheat_C=superheat,
        wave_mm=rng.uniform(0.10, 0.35, n),
        wave_period_s=rng.uniform(25.0, 65.0, n),
        cover=np.ones(n),
        ledge_W_mK=ledge_W_mK,
        gas_rise_C=rng.uniform(80.0, 105.0, n),
        zone=along * technology.n_feeders // (anodes // 2),
        lever=2.0 * along / (anodes // 2) - 1.0,
        order=order.astype(np.int64),
        anode_ohm=0.32
        * anodes
        / d.current_A
        * (1.0 + 0.08 * rng.standard_normal((n, anodes)).clip(-2.0, 2.0)),
        film_W_m2K=film,
        ledge_area_m2=np.tile(area, (n, 1)),
        wall_m2K_W=wall,
        outer_ratio=ratio,
        air_rise_C=rise_C,
        side=side,
        exposure=np.array([_exposure(side, k) for k in range(segments)]),
        critical_pct=rng.uniform(1.58, 1.74, n),
        film_V=rng.uniform(16.0, 36.0, n),
        heave_mm=np.exp(rng.normal(np.log(0.10), 0.6, n)).clip(0.03, 0.6),
        bar_W_m2K=np.empty((n, 0)),
        bar_W_m2=np.empty((n, 0)),
        bar_air_C=np.empty((n, 0)),
    )
    cover = np.array([_cover_for(d, draft, i, anodes) for i in range(n)])
    ends, _ = bars.drawn(technology, _cathodes_C(d, draft), seed)
    return draft._replace(cover=cover, **ends._asdict())


def changes(technology: Technology, n_cells: int, seed: int, first_s: float, last_s: float) -> list[Change]:
    """Every anode change of the calendar in ``first_s <= t < last_s``, in time order.

    Parameters
    ----------
    technology, n_cells, seed
        As given to the line.
    first_s, last_s
        Seconds from the start; negative before it.
    """
    d, h = design(technology), hidden(technology, n_cells, seed)
    found: list[Change] = []
    for i in range(n_cells):
        phase = float(h.change_phase_s[i])
        k = int((first_s - phase) // d.change_interval_s) - 1
        while (second := change_second(phase, d.change_interval_s, k)) < last_s:
            if second >= first_s:
                found.append(Change(int(second), i, int(h.order[i, k % technology.n_anodes])))
            k += 1
    return sorted(found)


def settled(technology: Technology, h: Hidden, seed: int) -> State:
    """State ``SETTLING_S`` before the start: anodes of every age, heat in balance, feed cycles out of step.

    Parameters
    ----------
    technology
        Cell design.
    h
        Hidden parameters, whose cover closes the heat balance.
    seed
        Decides every draw.
    """
    d = design(technology)
    n, anodes, zones = h.target_V.shape[0], technology.n_anodes, technology.n_feeders
    rng = np.random.default_rng([seed, 2])
    start = -float(SETTLING_S)
    set_s = np.empty((n, anodes))
    next_k = np.empty(n, dtype=np.int64)
    for i in range(n):
        phase = float(h.change_phase_s[i])
        k = int((start - phase) // d.change_interval_s) - 1
        while change_second(phase, d.change_interval_s, k) < start:
            k += 1
        next_k[i] = k
        for back in range(1, anodes + 1):
            set_s[i, h.order[i, (k - back) % anodes]] = change_second(phase, d.change_interval_s, k - back)
    age_h = (start - set_s) / 3600.0
    late_h = 10.5 * (1.0 - np.exp(-age_h / 8.0))
    height = d.anode_height_mm - _BURN_MM_H * (age_h - late_h)
    anode_C = 35.0 + 700.0 * (1.0 - np.exp(-age_h / 13.0))
    melted = 5.5 * np.minimum(0.53 * age_h + 0.11 * np.minimum(age_h, 13.0) ** 1.3, 60.0)
    freeze = FREEZE_MM * (1.0 + 0.09 * rng.standard_normal((n, anodes)))
    contact = np.array(
        [[contact_share(m, f) for m, f in zip(*row, strict=True)] for row in zip(melted, freeze, strict=True)]
    )
    metal_kg = d.metal_kg + technology.rated_current_A * 8.76e-8 * np.mod(
        start - h.tap_phase_s, d.tap_interval_s
    )
    metal_mm = 1000.0 * metal_kg / (2300.0 * d.metal_area_m2)
    gap_mm = _gap_for(d, h)[:, None] + (SETTING_MM - _BURN_MM_H * late_h) + rng.normal(0.0, 1.0, (n, anodes))
    beam = np.round(rng.uniform(70.0, 285.0, n), 1)
    ledge, walls = _walls_for(h)
    cathode_C = _cathodes_C(d, h)
    alumina = rng.uniform(2.2, 2.7, (n, 1)) * np.ones((1, zones))
    return State(
        rng=rng.integers(1, 2**62, n).astype(np.uint64),
        account_J=np.zeros((n, 6)),
        energy_kWh=np.array([0.0, 0.0, 0.0]),
        current_A=contact * d.current_A / contact.sum(axis=1, keepdims=True),
        height_mm=height,
        clamp_mm=gap_mm + height + metal_mm[:, None] - beam[:, None],
        anode_C=anode_C,
        melted_mm=melted,
        healthy_mm=melted.copy(),
        freeze_mm=freeze,
        contact=contact,
        anode_ohm=h.anode_ohm * (0.5 + 0.7 * height / d.anode_height_mm),
        flicker=np.zeros((n, anodes)),
        slope_S=np.ones((n, anodes)),
        dissolved_kg=alumina * d.bath_kg / 100.0 / zones,
        suspended_kg=np.full((n, zones), 12.0 / zones),
        zone_V=np.full((n, zones), 1.23),
        zone_ohm=np.full((n, zones), 0.14 * anodes / d.current_A),
        zone_A=np.full((n, zones), d.current_A / zones),
        film=np.zeros((n, zones)),
        ledge_m=ledge,
        wall_C=walls,
        cover=np.ones((n, 2)),
        beam_mm=beam,
        beam_V=np.zeros(n),
        metal_kg=metal_kg,
        bath_kg=np.full(n, d.bath_kg),
        alf3_kg=h.target_alf3_pct * d.bath_kg / 100.0,
        caf2_kg=h.caf2_pct * d.bath_kg / 100.0,
        sludge_kg=rng.uniform(20.0, 120.0, n),
        bulk_frozen_kg=np.zeros(n),
        bath_C=h.bath_C.copy(),
        liquidus_C=h.bath_C - h.superheat_C,
        cathode_C=cathode_C,
        bar_C=bars.drawn(technology, cathode_C, seed)[1],
        gas_C=25.0 + h.gas_rise_C * h.cover,
        efficiency=h.efficiency.copy(),
        kappa_S_m=np.full(n, 213.0),
        melt_J=np.zeros(n),
        mode=rng.integers(1, 3, n),
        mode_s=np.floor(rng.uniform(0.0, 1300.0, n)),
        shot_debt_kg=rng.uniform(0.0, d.shot_kg, n),
        feeder=rng.integers(0, zones, n),
        fast_V=h.target_V.copy(),
        lag_V=h.target_V.copy(),
        slow_V=h.target_V.copy(),
        quiet_until_s=np.full(n, start),
        move_s=np.full(n, start),
        change_k=next_k,
        tap_k=np.ceil((start - h.tap_phase_s) / d.tap_interval_s).astype(np.int64),
        tap_rate_kg_s=np.zeros(n),
        tap_end_s=np.full(n, start),
        seen_alf3_pct=h.target_alf3_pct.copy(),
        wave_mm=np.zeros(n),
        wave_rate=np.zeros(n),
        wave_mean_mm2=h.wave_mm**2,
        heave_mm=np.zeros(n),
        effect_s=np.zeros(n),
        starved_s=np.full(n, 1e12),
        quenched_s=np.full(n, -1e12),
        fed_kg=np.zeros(n),
        boost_V=np.zeros(n),
        held=np.full(n, -1, dtype=np.int64),
        extra=np.full(n, -1, dtype=np.int64),
        iron_kg=metal_kg * 8.0e-4 * rng.uniform(0.9, 1.2, n),
        silicon_kg=metal_kg * 3.5e-4 * rng.uniform(0.9, 1.2, n),
    )


def _exposure(side: NDArray[np.int64], segment: int) -> float:
    same = np.flatnonzero(side == side[segment])
    return 1.0 if segment == int(same[len(same) // 2]) else 0.5


def _alf3_for(liquidus_C: float, caf2_pct: float) -> float:
    low, high = 2.0, 25.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if liquidus(middle, caf2_pct, _ALUMINA_PCT) > liquidus_C else (low, middle)
    return low


def _shell_for(flux_W_m2: float, air_C: float) -> float:
    low, high = air_C, 900.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if shell_flux(middle, air_C) < flux_W_m2 else (low, middle)
    return low


def _walls_for(h: Hidden) -> tuple[F, NDArray[np.float64]]:
    """Ledge thickness and wall nodes in steady state."""
    n, segments = h.film_W_m2K.shape
    ledge = np.empty((n, segments))
    walls = np.empty((n, segments, 3))
    for i in range(n):
        for k in range(segments):
            flux = float(h.film_W_m2K[i, k] * h.superheat_C[i])
            shell = _shell_for(flux / float(h.outer_ratio[i, k]), 25.0 + float(h.air_rise_C[i, k]))
            wall = float(h.wall_m2K_W[i, k])
            walls[i, k] = shell + 0.75 * wall * flux, shell + 0.25 * wall * flux, shell
            melt_C = float(h.bath_C[i] - h.superheat_C[i])
            ledge[i, k] = h.ledge_W_mK[i] * ((melt_C - shell) / flux - wall)
    return ledge, walls


def _cathodes_C(d: Design, h: Hidden) -> F:
    made = d.current_A**2 * h.cathode_ohm
    return (d.cathode_W_K * h.bath_C + made + d.bottom_W_K * 55.0) / (d.cathode_W_K + d.bottom_W_K)


def _cover_for(d: Design, h: Hidden, i: int, anodes: int) -> float:
    """Top conductance factor that closes the heat balance at the wanted bath temperature."""
    bath = float(h.bath_C[i])
    volt = float(h.target_V[i] - h.offset_V[i]) + 0.01 - d.external_ohm * d.current_A
    amp = d.current_A / anodes
    ohm = 0.94 * float(h.anode_ohm[i].mean())
    made = d.current_A * (volt - d.current_A * float(h.cathode_ohm[i]) - amp * ohm)
    made -= d.current_A * (0.44 + 1.644 * float(h.efficiency[i]))
    made -= d.cathode_W_K * (bath - float(_cathodes_C(d, h)[i]))
    made -= float(np.sum(h.film_W_m2K[i] * h.ledge_area_m2[i])) * float(h.superheat_C[i])
    made -= 0.042 * d.current_A
    low, high = 0.1, 4.0
    for _ in range(50):
        cover = 0.5 * (low + high)
        top = d.anode_to_top_W_K * cover
        anode = (d.bath_to_anode_W_K * bath + amp * amp * ohm + top * 100.0) / (d.bath_to_anode_W_K + top)
        lost = anodes * d.bath_to_anode_W_K * (bath - anode) + d.crust_W_K * cover * (bath - 100.0)
        low, high = (cover, high) if lost < made else (low, cover)
    return low


def _gap_for(d: Design, h: Hidden) -> F:
    """Anode-cathode distance [mm] at which a cell stands near its set voltage."""
    fixed = 1.84 + 0.14 + 0.31 + d.current_A * (h.cathode_ohm + d.external_ohm) + h.offset_V
    anodes = h.anode_ohm.shape[1]
    bath_V_per_mm = d.current_A / anodes / (213.0 * d.anode_area_m2 * 1.12) / 1000.0
    return 4.0 + (h.target_V - fixed) / bath_V_per_mm * 0.96
