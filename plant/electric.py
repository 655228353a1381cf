"""Compiled electrical side of all cells, one second at a time: metal wave, anode network, anode effects, reaction."""

import numpy as np

from plant.control import control
from plant.draws import normal
from plant.jit import kernel
from plant.logbook import COUNTER, enter
from plant.operations import operate
from plant.state import BROUGHT, REACTED, SUPPLIED, TOP, ZERO_C, Design, Effects, F, Hidden, Output, State

_FARADAY_KG_PER_AS = 0.335572 / 3.6e6
_ALUMINA_PER_METAL = 1.8895
_FEED_J_KG = 2.25e6
#: Seconds in which neighbouring zones exchange their alumina.
_MIXING_S = 450.0
#: Memory of the slow heave of the metal under the anodes [s].
_HEAVE_S = 900.0
#: Slope of the overvoltage against the logarithm of the current [V], and rated over exchange current.
_TAFEL_V = 0.1
_EXCHANGE = 149.4
#: An effect ends when there is so much more alumina than where it began.
_WETTED = 1.05
_DEWETTED = 0.10
#: Above so many times its limit no zone can be near one, whatever its current.
_SAFE = 1.5
_CARBON_J_MM_M2_K = 1600.0 * 1.57
_IRON_KG_KG, _SILICON_KG_KG = 8.0e-4, 3.5e-4


@kernel
def _wave(h: Hidden, s: State, e: Effects) -> None:
    """Rolling of the metal pad, a lightly damped oscillator driven by noise; and its slow heave."""
    for i in range(s.beam_V.shape[0]):
        spin = 6.2832 / h.wave_period_s[i]
        s.wave_rate[i] += -spin * spin * s.wave_mm[i] - 0.05 * spin * s.wave_rate[i]
        s.wave_rate[i] += 0.22 * spin * h.wave_mm[i] * e.wave[i] * np.sqrt(spin) * normal(s.rng, i)
        s.wave_mm[i] += s.wave_rate[i]
        s.heave_mm[i] += -s.heave_mm[i] / _HEAVE_S + h.heave_mm[i] * np.sqrt(2.0 / _HEAVE_S) * normal(
            s.rng, i
        )
        s.wave_mean_mm2[i] += (s.wave_mm[i] * s.wave_mm[i] - s.wave_mean_mm2[i]) / 1800.0


@kernel
def _network(d: Design, h: Hidden, s: State, e: Effects, line_A: float) -> None:
    """One Newton step of the anode network of every cell for the potential of the beam over the metal."""
    n_anodes, zones = s.current_A.shape[1], s.dissolved_kg.shape[1]
    scale = d.current_A / n_anodes
    for i in range(s.beam_V.shape[0]):
        metal_mm = 1000.0 * s.metal_kg[i] / (2300.0 * d.metal_area_m2) + s.heave_mm[i]
        spread = s.kappa_S_m[i] * d.anode_area_m2 * 1.12
        total_A, total_S = 0.0, 0.0
        for z in range(zones):
            s.zone_A[i, z] = 0.0
        for j in range(n_anodes):
            zone = h.zone[j]
            share = s.contact[i, j] * e.area[i, j]
            tilt = s.wave_mm[i] * h.lever[j]
            gap_mm = s.beam_mm[i] + s.clamp_mm[i, j] - s.height_mm[i, j] - metal_mm + tilt - e.drop_mm[i, j]
            bath_ohm = (max(gap_mm, 7.0) - 4.0) / 1000.0 * (1.0 + s.flicker[i, j]) / spread
            path = (bath_ohm + s.zone_ohm[i, zone]) / share
            path /= 1.0 + path * e.short_S[i, j]
            ohm = s.anode_ohm[i, j] + e.joint_ohm[i, j] + path + s.film[i, zone] * h.film_V[i] / scale
            exchange_A = scale * share / _EXCHANGE
            now_A = s.current_A[i, j]
            # The root serves both asinh and its slope.
            root_A = np.sqrt(now_A * now_A + exchange_A * exchange_A)
            volt = s.zone_V[i, zone] + _TAFEL_V * np.log((now_A + root_A) / exchange_A) + now_A * ohm
            s.slope_S[i, j] = 1.0 / (ohm + _TAFEL_V / root_A)
            s.current_A[i, j] = now_A - volt * s.slope_S[i, j]
            s.flicker[i, j] += -s.flicker[i, j] / 40.0 + 0.003 * normal(s.rng, i)
            total_A += s.current_A[i, j]
            total_S += s.slope_S[i, j]
        beam_V = (line_A - total_A) / total_S
        for j in range(n_anodes):
            s.current_A[i, j] += beam_V * s.slope_S[i, j]
            s.zone_A[i, h.zone[j]] += s.current_A[i, j]
        s.beam_V[i] = beam_V


@kernel
def _ignite(d: Design, h: Hidden, s: State, t: int) -> None:
    """Gas closes over the anodes of a zone with too little alumina for its current, and tears when there is enough.

    The limit falls with the density, so a lean zone sheds current to its neighbours before the voltage tells.
    """
    zones = s.dissolved_kg.shape[1]
    for i in range(s.beam_V.shape[0]):
        near = False
        for z in range(zones):
            percent = 100.0 * s.dissolved_kg[i, z] * zones / s.bath_kg[i]
            if percent > _SAFE * h.critical_pct[i] and s.film[i, z] == 0.0:
                continue
            density = max(s.zone_A[i, z] * zones / d.current_A, 0.0)
            film = s.film[i, z]
            # A face that the bath no longer wets needs more alumina to be wetted again.
            limit = h.critical_pct[i] * density**0.8 * (1.0 + _DEWETTED * min(10.0 * film, 1.0))
            near = near or percent < limit + 0.12
            if percent < limit:
                s.film[i, z] = film + (1.0 - film) * min(0.5 * (limit - percent) + 0.02, 0.2)
            elif film > 0.0 and percent > _WETTED * limit:
                s.film[i, z] = film * 0.9 if film > 1e-3 else 0.0
        if not near:
            s.starved_s[i] = 1e12
        elif s.starved_s[i] > t:
            s.starved_s[i] = t


@kernel
def _consume(d: Design, h: Hidden, s: State, e: Effects, line_A: float, quality: float) -> None:
    """One second of reaction: metal, alumina in its three forms, anode carbon, and heat left in the melt."""
    n_anodes, zones = s.current_A.shape[1], s.dissolved_kg.shape[1]
    for i in range(s.beam_V.shape[0]):
        blocked, gas_W = 0.0, 0.0
        for z in range(zones):
            blocked += s.film[i, z] / zones
            gas_W += s.film[i, z] * s.zone_A[i, z] * s.zone_A[i, z] * zones
        ce = s.efficiency[i] * (1.0 - 0.6 * blocked)
        metal = _FARADAY_KG_PER_AS * line_A * ce
        tapped = s.tap_rate_kg_s[i] / s.metal_kg[i]
        s.metal_kg[i] += metal - s.tap_rate_kg_s[i]
        s.iron_kg[i] += _IRON_KG_KG * metal + e.iron_kg_s[i] - tapped * s.iron_kg[i]
        s.silicon_kg[i] += _SILICON_KG_KG * metal + e.silicon_kg_s[i] - tapped * s.silicon_kg[i]
        warm = 1.0 / (1.0 + np.exp(-(s.bath_C[i] - s.liquidus_C[i] - 4.0) / 2.0))
        # An anode effect boils the bath: what floats in it dissolves sooner.
        rate_1_s = 0.0035 * warm * quality * (1.0 + 9.0 * blocked)
        dissolving = 0.0
        for z in range(zones):
            percent = 100.0 * s.dissolved_kg[i, z] * zones / s.bath_kg[i]
            rate = rate_1_s * max(1.0 - percent / 8.2, 0.0) * s.suspended_kg[i, z]
            settle = s.suspended_kg[i, z] * (2e-5 + 2e-4 * (1.0 - warm))
            back = s.sludge_kg[i] / zones / 1.7e5
            if z < zones - 1:
                around = (s.dissolved_kg[i, z + 1] - s.dissolved_kg[i, z]) / _MIXING_S
                s.dissolved_kg[i, z] += around
                s.dissolved_kg[i, z + 1] -= around
            used = metal * _ALUMINA_PER_METAL * s.zone_A[i, z] / line_A if line_A > 1.0 else 0.0
            s.suspended_kg[i, z] += e.leak_kg_s[i] / zones - rate - settle
            s.sludge_kg[i] += settle - back
            s.dissolved_kg[i, z] += rate + back - used
            dissolving += rate + back
        s.fed_kg[i] += e.leak_kg_s[i]
        s.alf3_kg[i] -= 0.006 * metal * _ALUMINA_PER_METAL + 1.75e-8 * s.bath_kg[i]
        volt = 0.48 + 1.644 * ce - 0.04
        carbon_mm = _FARADAY_KG_PER_AS * ce * 0.41 / (1570.0 * d.anode_area_m2) * 1000.0
        heat = (s.beam_V[i] - volt) * line_A + _FEED_J_KG * (metal * _ALUMINA_PER_METAL - dissolving)
        # Half of the heat of the gas layer leaves with the gas and through the blocks.
        lost_W = 0.5 * gas_W * h.film_V[i] / d.current_A
        heat -= lost_W
        brought_J = 0.0
        for j in range(n_anodes):
            amp = s.current_A[i, j]
            s.height_mm[i, j] -= carbon_mm * max(amp, 0.0)
            heat -= amp * amp * (s.anode_ohm[i, j] + e.joint_ohm[i, j])
            lost_W += amp * amp * e.joint_ohm[i, j]
            brought_J += (
                _CARBON_J_MM_M2_K * d.anode_area_m2 * carbon_mm * max(amp, 0.0) * (ZERO_C - s.anode_C[i, j])
            )
        s.melt_J[i] += heat
        s.account_J[i, SUPPLIED] += s.beam_V[i] * line_A
        s.account_J[i, REACTED] += volt * line_A
        s.account_J[i, TOP] += lost_W
        s.account_J[i, BROUGHT] += brought_J


@kernel
def _write(d: Design, h: Hidden, s: State, line_A: float, out: Output, row: int) -> float:
    """True values of this second; returns the voltage of all cells together [V]."""
    total_V = 0.0
    for i in range(s.beam_V.shape[0]):
        cathode_ohm = h.cathode_ohm[i] * (1.0 + s.sludge_kg[i] / 2500.0)
        volt = s.beam_V[i] + line_A * (cathode_ohm + d.external_ohm) + h.offset_V[i] * line_A / d.current_A
        total_V += volt
        out.voltage_V[row, i] = volt
        out.gas_C[row, i] = s.gas_C[i]
        out.beam_mm[row, i] = s.beam_mm[i]
        for j in range(s.current_A.shape[1]):
            out.anode_A[row, i, j] = s.current_A[i, j]
        for k in range(s.wall_C.shape[1]):
            out.shell_C[row, i, k] = s.wall_C[i, k, 2]
        for b in range(out.bar_C.shape[2]):
            out.bar_C[row, i, b] = s.bar_C[i, b]
    return total_V


@kernel
def electric_block(
    d: Design,
    h: Hidden,
    s: State,
    e: Effects,
    line_A: F,
    quality: float,
    start_s: int,
    out: Output,
    first: int,
) -> int:
    """Advance the fast states of all cells; returns the number of log rows written so far.

    Parameters
    ----------
    line_A : (seconds,)
        Line current [A], 0 in an outage.
    quality
        How fast this alumina dissolves, 1 usually.
    start_s
        Second of the first row, counted from the start of the record; negative while settling.
    out
        Overwritten; its arrays are (seconds, n_cells, ...).
    first
        Log rows already written; ``log`` must be long enough.
    """
    count = first
    for row in range(line_A.shape[0]):
        t = start_s + row
        amp = line_A[row]
        _wave(h, s, e)
        _network(d, h, s, e, amp)
        _ignite(d, h, s, t)
        _consume(d, h, s, e, amp, quality)
        total_V = _write(d, h, s, amp, out, row)
        count = control(d, h, s, e, t, amp, out, row, count)
        count = operate(d, h, s, e, t, amp, out, count)
        power_kW = total_V * amp / 1000.0
        s.energy_kWh[0] += power_kW / d.rectifier_efficiency / 3600.0
        s.energy_kWh[1] += power_kW / 3600.0
        s.energy_kWh[2] += d.auxiliary_kW / 3600.0
        if t % 900 == 0:
            count = enter(out, count, t, -1, COUNTER, s.energy_kWh[0], s.energy_kWh[1], s.energy_kWh[2])
    return count
