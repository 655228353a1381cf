"""Compiled electrical side, alumina and control of all cells, one second at a time.

No kernel here calls one of another file: Numba's cache would not see a change there.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from plant.state import Design, F, Hidden, Output, State

_compiled = njit(cache=True, nogil=True)

#: Kinds of rows in ``Output.log`` and how wide it is.
FEED, ALF3, TAP, CHANGE, MOVE, COVER, MODE, PROBE, COUNTER = range(9)
LOG_WIDTH = 11
#: Feed modes and their names by contract.
BASE, UNDER, OVER = range(3)
MODES = ("base", "under", "over")
#: All cells are visited once before the record starts.
VISIT_S = -600
#: Freeze under a new anode, and how much higher than the others it is set.
FREEZE_MM = 30.0
SETTING_MM = 8.0

_FARADAY_KG_PER_AS = 0.335572 / 3.6e6
_ALUMINA_PER_METAL = 1.8895
_FEED_J_KG = 2.25e6
_VOLT_PER_MM = 0.034
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S16, _S48, _S32 = (np.uint64(k) for k in (30, 27, 31, 16, 48, 32))
_LOW16 = np.uint64(0xFFFF)


@_compiled
def _bits(rng: NDArray[np.uint64], i: int) -> np.uint64:
    rng[i] = rng[i] + _GOLDEN
    z = rng[i]
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@_compiled
def _normal(rng: NDArray[np.uint64], i: int) -> float:
    z = _bits(rng, i)
    total = float(z & _LOW16) + float((z >> _S16) & _LOW16)
    total += float((z >> _S32) & _LOW16) + float((z >> _S48) & _LOW16)
    return (total / 65536.0 - 2.0) * 1.7320508


@_compiled
def change_second(phase_s: float, interval_s: float, k: int) -> float:
    """Second at which the k-th anode change of a cell is done: even steps, up to a quarter of an hour off.

    Parameters
    ----------
    phase_s
        Second of change 0 before the offset.
    interval_s
        Time between changes of a cell [s].
    k
        May be negative: changes before the start.
    """
    shift = (k * 7919 + int(phase_s) * 104729) % 1801 - 900
    return float(round(phase_s + k * interval_s)) + shift


@_compiled
def _log(out: Output, count: int, t: int, cell: int, code: int, a: float, b: float, c: float) -> int:
    row = out.log[count]
    row[0], row[1], row[2], row[3], row[4], row[5] = t, cell, code, a, b, c
    return count + 1


@_compiled
def _wave(h: Hidden, s: State) -> None:
    """Rolling of the metal pad: a lightly damped oscillator driven by noise."""
    for i in range(s.beam_V.shape[0]):
        spin = 6.2832 / h.wave_period_s[i]
        s.wave_rate[i] += -spin * spin * s.wave_mm[i] - 0.05 * spin * s.wave_rate[i]
        s.wave_rate[i] += 0.22 * spin * h.wave_mm[i] * np.sqrt(spin) * _normal(s.rng, i)
        s.wave_mm[i] += s.wave_rate[i]


@_compiled
def _network(d: Design, s: State, line_A: float) -> None:
    """One Newton step of the anode network of every cell for the potential of the beam over the metal."""
    n_anodes, zones = s.current_A.shape[1], s.dissolved_kg.shape[1]
    half = n_anodes // 2
    for i in range(s.beam_V.shape[0]):
        metal_mm = 1000.0 * s.metal_kg[i] / (2300.0 * d.metal_area_m2)
        spread = s.kappa_S_m[i] * d.anode_area_m2 * 1.12
        scale = d.current_A / n_anodes
        total_A, total_S = 0.0, 0.0
        for j in range(n_anodes):
            zone = (j % half) * zones // half
            share = s.contact[i, j]
            tilt = s.wave_mm[i] * (2.0 * (j % half) / half - 1.0)
            gap_mm = s.beam_mm[i] + s.clamp_mm[i, j] - s.height_mm[i, j] - metal_mm + tilt
            bath_ohm = (max(gap_mm, 7.0) - 4.0) / 1000.0 * (1.0 + s.flicker[i, j]) / spread
            ohm = s.anode_ohm[i, j] + (bath_ohm + s.zone_ohm[i, zone]) / share
            now_A = max(s.current_A[i, j], 20.0)
            volt = s.zone_V[i, zone] + 0.1 * np.log(now_A / (scale * share)) + now_A * ohm
            s.slope_S[i, j] = 1.0 / (ohm + 0.1 / now_A)
            s.current_A[i, j] = now_A - volt * s.slope_S[i, j]
            s.flicker[i, j] += -s.flicker[i, j] / 40.0 + 0.003 * _normal(s.rng, i)
            total_A += s.current_A[i, j]
            total_S += s.slope_S[i, j]
        beam_V = (line_A - total_A) / total_S
        for j in range(n_anodes):
            s.current_A[i, j] += beam_V * s.slope_S[i, j]
        s.beam_V[i] = beam_V


@_compiled
def _consume(d: Design, s: State, line_A: float) -> None:
    """One second of reaction: metal, alumina in its three forms, anode carbon, and heat left in the melt."""
    n_anodes, zones = s.current_A.shape[1], s.dissolved_kg.shape[1]
    for i in range(s.beam_V.shape[0]):
        ce = s.efficiency[i]
        metal = _FARADAY_KG_PER_AS * line_A * ce
        s.metal_kg[i] += metal - s.tap_rate_kg_s[i]
        used = metal * _ALUMINA_PER_METAL / zones
        warm = 1.0 / (1.0 + np.exp(-(s.bath_C[i] - s.liquidus_C[i] - 4.0) / 2.0))
        dissolving = 0.0
        for z in range(zones):
            percent = 100.0 * s.dissolved_kg[i, z] * zones / s.bath_kg[i]
            rate = 0.0035 * max(1.0 - percent / 8.2, 0.0) * warm * s.suspended_kg[i, z]
            settle = s.suspended_kg[i, z] * (2e-5 + 2e-4 * (1.0 - warm))
            back = s.sludge_kg[i] / zones / 1.7e5
            around = s.dissolved_kg[i, (z + 1) % zones] - s.dissolved_kg[i, z]
            if z < zones - 1:
                s.dissolved_kg[i, z] += around / 250.0
                s.dissolved_kg[i, z + 1] -= around / 250.0
            s.suspended_kg[i, z] -= rate + settle
            s.sludge_kg[i] += settle - back
            s.dissolved_kg[i, z] += rate + back - used
            dissolving += rate + back
        s.alf3_kg[i] -= 0.006 * metal * _ALUMINA_PER_METAL + 1.75e-8 * s.bath_kg[i]
        volt = 0.48 + 1.644 * ce - 0.04
        carbon_mm = _FARADAY_KG_PER_AS * ce * 0.41 / (1570.0 * d.anode_area_m2) * 1000.0
        heat = (s.beam_V[i] - volt) * line_A + _FEED_J_KG * (metal * _ALUMINA_PER_METAL - dissolving)
        for j in range(n_anodes):
            amp = s.current_A[i, j]
            s.height_mm[i, j] -= carbon_mm * amp
            heat -= amp * amp * s.anode_ohm[i, j]
        s.melt_J[i] += heat


@_compiled
def _feed(d: Design, h: Hidden, s: State, t: int, line_A: float, out: Output, row: int, count: int) -> int:
    """Under- and overfeeding by the slope of the voltage at rated current, one shot at a time."""
    for i in range(s.beam_V.shape[0]):
        volt_V = 1.65 + (out.voltage_V[row, i] - 1.65) * d.current_A / line_A
        s.fast_V[i] += (volt_V - s.fast_V[i]) / 120.0
        s.lag_V[i] += (s.fast_V[i] - s.lag_V[i]) / 360.0
        s.slow_V[i] += (s.fast_V[i] - s.slow_V[i]) / 1800.0
        slope_mV_min = (s.fast_V[i] - s.lag_V[i]) / 360.0 * 60e3
        s.mode_s[i] += 1.0
        mode = s.mode[i]
        if t < s.quiet_until_s[i]:
            wanted = BASE
        elif mode == UNDER:
            wanted = OVER if (slope_mV_min > 2.0 and s.mode_s[i] > 600.0) or s.mode_s[i] > 5400.0 else UNDER
        elif mode == OVER:
            wanted = UNDER if s.mode_s[i] > h.over_s[i] else OVER
        else:
            wanted = OVER
        if wanted != mode:
            s.mode[i], s.mode_s[i] = wanted, 0.0
            count = _log(out, count, t, i, MODE, float(wanted), 0.0, 0.0)
        pace = 1.0
        if wanted == UNDER:
            pace = 0.55
        elif wanted == OVER:
            pace = 1.55
        s.shot_debt_kg[i] += pace * _FARADAY_KG_PER_AS * 0.945 * _ALUMINA_PER_METAL * d.current_A
        if s.shot_debt_kg[i] >= d.shot_kg:
            s.shot_debt_kg[i] -= d.shot_kg
            zone = s.feeder[i]
            mass = d.shot_kg * h.shot_factor[i] * (1.0 + 0.1 * _normal(s.rng, i))
            s.dissolved_kg[i, zone] += 0.4 * mass
            s.melt_J[i] -= 0.4 * mass * _FEED_J_KG
            s.suspended_kg[i, zone] += 0.6 * mass
            count = _log(out, count, t, i, FEED, d.shot_kg, zone + 1.0, 0.0)
            s.feeder[i] = (zone + 1) % s.dissolved_kg.shape[1]
    return count


@_compiled
def _move(s: State, i: int, t: int, delta_mm: float, out: Output, count: int) -> int:
    s.beam_mm[i] += delta_mm
    expected = delta_mm * _VOLT_PER_MM
    s.fast_V[i] += expected
    s.lag_V[i] += expected
    s.slow_V[i] += expected
    s.move_s[i] = t
    return _log(out, count, t, i, MOVE, delta_mm, 0.0, 0.0)


@_compiled
def _tap(d: Design, s: State, i: int, t: int, out: Output, count: int) -> int:
    """Begin a tap: metal runs for ten minutes, and too much bath goes with it."""
    s.tap_k[i] += 1
    usual = d.current_A * 0.94 * _FARADAY_KG_PER_AS * d.tap_interval_s
    metal = round(usual + 0.3 * (s.metal_kg[i] - usual - d.metal_kg))
    bath = min(max(0.5 * (s.bath_kg[i] - d.bath_kg), -300.0), 300.0)
    s.alf3_kg[i] *= 1.0 - bath / s.bath_kg[i]
    s.caf2_kg[i] *= 1.0 - bath / s.bath_kg[i]
    for z in range(s.dissolved_kg.shape[1]):
        s.dissolved_kg[i, z] *= 1.0 - bath / s.bath_kg[i]
    s.bath_kg[i] -= bath
    s.tap_rate_kg_s[i] = metal / 600.0
    s.tap_end_s[i] = t + 600.0
    s.quiet_until_s[i] = t + 1500.0
    return _log(out, count, t, i, TAP, metal, max(round(bath), 0.0), 0.0)


@_compiled
def _change(d: Design, h: Hidden, s: State, i: int, t: int, out: Output, count: int) -> int:
    """Anode change by the calendar: a cold block, set a little high, with freeze under it."""
    n_anodes = s.current_A.shape[1]
    j = h.order[i, s.change_k[i] % n_anodes]
    s.change_k[i] += 1
    bottom = 0.0
    for other in range(n_anodes):
        if other != j:
            bottom += (s.clamp_mm[i, other] - s.height_mm[i, other]) / (n_anodes - 1)
    butt = s.height_mm[i, j]
    s.height_mm[i, j] = d.anode_height_mm
    s.clamp_mm[i, j] = bottom + d.anode_height_mm + SETTING_MM + 1.5 * _normal(s.rng, i)
    s.anode_C[i, j] = 35.0
    s.melted_mm[i, j], s.healthy_mm[i, j] = 0.0, 0.0
    corner = 1.12 if j % (n_anodes // 2) in (0, n_anodes // 2 - 1) else 1.0
    s.freeze_mm[i, j] = FREEZE_MM * corner * (1.0 + 0.09 * _normal(s.rng, i))
    s.contact[i, j] = 0.04
    s.current_A[i, j] = 0.03 * d.current_A / n_anodes
    s.quiet_until_s[i] = t + 1800.0
    return _log(out, count, t, i, CHANGE, j + 1.0, SETTING_MM, float(round(butt)))


@_compiled
def _probe(d: Design, h: Hidden, s: State, i: int, t: int, out: Output, count: int) -> int:
    """What the daily visit would find if it measured without error."""
    alumina = 0.0
    for z in range(s.dissolved_kg.shape[1]):
        alumina += s.dissolved_kg[i, z]
    percent = 100.0 / s.bath_kg[i]
    s.seen_alf3_pct[i] = s.alf3_kg[i] * percent
    row = out.log[count]
    count = _log(out, count, t, i, PROBE, s.bath_C[i], s.liquidus_C[i], s.alf3_kg[i] * percent)
    row[6], row[7] = s.caf2_kg[i] * percent, alumina * percent
    row[8] = s.bath_kg[i] / (2080.0 * 0.325 * d.metal_area_m2)
    row[9] = s.metal_kg[i] / (2300.0 * d.metal_area_m2)
    row[10] = h.cathode_ohm[i] * d.current_A
    return count


@_compiled
def _operate(d: Design, h: Hidden, s: State, t: int, out: Output, count: int) -> int:
    """Calendar, beam, AlF3 and the daily visit."""
    for i in range(s.beam_V.shape[0]):
        last = change_second(h.change_phase_s[i], d.change_interval_s, s.change_k[i] - 1)
        if t >= change_second(h.change_phase_s[i], d.change_interval_s, s.change_k[i]):
            count = _change(d, h, s, i, t, out, count)
            last = t
        clear = last + 9000.0 <= t <= last + d.change_interval_s - 9000.0
        if clear and t >= h.tap_phase_s[i] + s.tap_k[i] * d.tap_interval_s:
            count = _tap(d, s, i, t, out, count)
        if s.tap_rate_kg_s[i] > 0.0 and (t - int(s.tap_end_s[i])) % 20 == 0:
            lowered = round(20.0 * s.tap_rate_kg_s[i] / (2.3 * d.metal_area_m2), 1)
            count = _move(s, i, t, -lowered, out, count)
            if t >= s.tap_end_s[i]:
                s.tap_rate_kg_s[i] = 0.0
        if t == last + 5400.0:
            count = _log(out, count, t, i, COVER, 130.0, 0.0, 0.0)
        if t % 60 == 0 and t >= s.quiet_until_s[i] and t - s.move_s[i] > 900.0:
            sought = h.target_V[i] + (0.04 if t - last < 4.0 * 3600.0 else 0.0)
            error = s.slow_V[i] - sought
            if abs(error) > 0.012:
                delta = round(min(max(-0.8 * error / _VOLT_PER_MM, -1.0), 1.0), 1)
                count = _move(s, i, t, delta, out, count)
        if s.beam_mm[i] < 15.0:
            s.beam_mm[i] += 280.0
            s.clamp_mm[i] -= 280.0
        since = t - int(h.probe_phase_s[i])
        if since % 14400 == 0:
            dose = float(round(min(max(7.0 + 6.0 * (h.target_alf3_pct[i] - s.seen_alf3_pct[i]), 0.0), 30.0)))
            dose *= d.current_A / 3e5
            s.alf3_kg[i] += dose
            s.bath_kg[i] += dose
            count = _log(out, count, t, i, ALF3, dose, 0.0, 0.0)
        if since % 86400 == 0 or t == VISIT_S:
            count = _probe(d, h, s, i, t, out, count)
    return count


@_compiled
def _write(d: Design, h: Hidden, s: State, line_A: float, out: Output, row: int) -> float:
    """True values of this second; returns the voltage of all cells together [V]."""
    total_V = 0.0
    for i in range(s.beam_V.shape[0]):
        volt = s.beam_V[i] + line_A * (h.cathode_ohm[i] + d.external_ohm) + h.offset_V[i]
        total_V += volt
        out.voltage_V[row, i] = volt
        out.gas_C[row, i] = s.gas_C[i]
        out.beam_mm[row, i] = s.beam_mm[i]
        for j in range(s.current_A.shape[1]):
            out.anode_A[row, i, j] = s.current_A[i, j]
        for k in range(s.wall_C.shape[1]):
            out.shell_C[row, i, k] = s.wall_C[i, k, 2]
    return total_V


@_compiled
def electric_block(d: Design, h: Hidden, s: State, line_A: F, start_s: int, out: Output, first: int) -> int:
    """Advance the fast states of all cells; returns the number of log rows written so far.

    Parameters
    ----------
    line_A : (seconds,)
        Line current [A].
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
        _wave(h, s)
        _network(d, s, amp)
        _consume(d, s, amp)
        total_V = _write(d, h, s, amp, out, row)
        count = _feed(d, h, s, t, amp, out, row, count)
        count = _operate(d, h, s, t, out, count)
        power_kW = total_V * amp / 1000.0
        s.energy_kWh[0] += power_kW / d.rectifier_efficiency / 3600.0
        s.energy_kWh[1] += power_kW / 3600.0
        s.energy_kWh[2] += d.auxiliary_kW / 3600.0
        if t % 900 == 0:
            count = _log(out, count, t, -1, COUNTER, s.energy_kWh[0], s.energy_kWh[1], s.energy_kWh[2])
    return count
