"""What the crews do: anode changes in shifts, taps, cover, AlF3, beam raises and the daily visit."""

from plant.control import move, regulate
from plant.draws import normal
from plant.jit import kernel
from plant.logbook import ALF3, CHANGE, COVER, PROBE, TAP, enter
from plant.state import BROUGHT, ZERO_C, Design, Effects, Hidden, Output, State

#: All cells are visited once before the record starts.
VISIT_S = -600
#: Freeze under a new anode, and how much higher than the others it is set.
FREEZE_MM = 30.0
SETTING_MM = 8.0
#: Nothing is begun around the handover of a shift.
SHIFT_S, HANDOVER_FROM_S, HANDOVER_TO_S = 28800, 1800, 5400
#: A cell is not tapped so soon after an anode change, nor so shortly before one [s].
TAP_AFTER_S, TAP_BEFORE_S = 9000.0, 5400.0

_FARADAY_KG_PER_AS = 0.335572 / 3.6e6
#: How far the cover of a half is opened by an anode change, until it is dressed.
_OPENED = 0.35
_COVER_AFTER_S = 5400.0
_CARBON_J_KGK = 1600.0
_STEEL_J_K = 2.5e5
_FUSION_J_KG, _LEDGE_KG_M3 = 5.2e5, 2870.0


@kernel
def change_second(phase_s: float, interval_s: float, k: int) -> float:
    """Second at which the k-th anode change of a cell is done: even steps, a quarter of an hour off, not at handover.

    Parameters
    ----------
    phase_s
        Second of change 0 before the offset.
    interval_s
        Time between changes of a cell [s].
    k
        May be negative: changes before the start.
    """
    mixed = k * 7919 + int(phase_s) * 104729
    second = round(phase_s + k * interval_s) + mixed % 1801 - 900
    into = second % SHIFT_S
    if HANDOVER_FROM_S <= into < HANDOVER_TO_S:
        second += HANDOVER_TO_S - into + mixed % 601
    return float(second)


@kernel
def _tap(d: Design, s: State, i: int, t: int, out: Output, count: int) -> int:
    """Begin a tap: metal runs for ten minutes, and too much bath goes with it."""
    s.tap_k[i] += 1
    usual = d.current_A * 0.94 * _FARADAY_KG_PER_AS * d.tap_interval_s
    metal = round(max(usual + 0.3 * (s.metal_kg[i] - usual - d.metal_kg), 0.3 * usual))
    bath = min(max(0.5 * (s.bath_kg[i] - d.bath_kg), -300.0), 300.0)
    s.alf3_kg[i] *= 1.0 - bath / s.bath_kg[i]
    s.caf2_kg[i] *= 1.0 - bath / s.bath_kg[i]
    for z in range(s.dissolved_kg.shape[1]):
        s.dissolved_kg[i, z] *= 1.0 - bath / s.bath_kg[i]
    s.bath_kg[i] -= bath
    s.tap_rate_kg_s[i] = metal / 600.0
    s.tap_end_s[i] = t + 600.0
    s.quiet_until_s[i] = t + 1500.0
    row = out.log[count]
    count = enter(out, count, t, i, TAP, metal, max(round(bath), 0.0), 0.0)
    row[6], row[7] = 1e6 * s.iron_kg[i] / s.metal_kg[i], 1e6 * s.silicon_kg[i] / s.metal_kg[i]
    return count


@kernel
def _change(d: Design, s: State, e: Effects, i: int, j: int, t: int, out: Output, count: int) -> int:
    """Replace one anode: a cold block, set a little high, with freeze under it."""
    n_anodes = s.current_A.shape[1]
    bottom = 0.0
    for other in range(n_anodes):
        if other != j:
            bottom += (s.clamp_mm[i, other] - s.height_mm[i, other]) / (n_anodes - 1)
    butt = s.height_mm[i, j]
    mass_kg = 1570.0 * d.anode_area_m2 / 1000.0
    s.account_J[i, BROUGHT] += (_CARBON_J_KGK * mass_kg * d.anode_height_mm + _STEEL_J_K) * (35.0 - ZERO_C)
    s.account_J[i, BROUGHT] -= (_CARBON_J_KGK * mass_kg * butt + _STEEL_J_K) * (s.anode_C[i, j] - ZERO_C)
    s.height_mm[i, j] = d.anode_height_mm
    s.clamp_mm[i, j] = bottom + d.anode_height_mm + SETTING_MM + e.set_mm[i, j] + 1.5 * normal(s.rng, i)
    s.anode_C[i, j] = 35.0
    s.melted_mm[i, j], s.healthy_mm[i, j] = 0.0, 0.0
    half = n_anodes // 2
    corner = 1.12 if j % half in (0, half - 1) else 1.0
    s.freeze_mm[i, j] = FREEZE_MM * corner * (1.0 + 0.09 * normal(s.rng, i))
    s.contact[i, j] = 0.04
    frozen_kg = 0.96 * d.anode_area_m2 * s.freeze_mm[i, j] / 1000.0 * _LEDGE_KG_M3
    s.account_J[i, BROUGHT] -= _FUSION_J_KG * frozen_kg
    s.current_A[i, j] = 0.03 * d.current_A / n_anodes
    s.cover[i, 0 if j < half else 1] += _OPENED
    s.quiet_until_s[i] = t + 1800.0
    return enter(out, count, t, i, CHANGE, j + 1.0, SETTING_MM, float(round(butt)))


@kernel
def _anode_work(
    d: Design, h: Hidden, s: State, e: Effects, i: int, t: int, due_s: float, out: Output, count: int
) -> int:
    """The anode that is due, one that was put off, one that has failed; at most one at a time."""
    if s.extra[i] >= 0:
        j = s.extra[i]
        s.extra[i] = -1
        return _change(d, s, e, i, j, t, out, count)
    if s.held[i] >= 0 and e.hold[i, s.held[i]] == 0:
        j = s.held[i]
        s.held[i] = -1
        return _change(d, s, e, i, j, t, out, count)
    if t >= due_s:
        j = h.order[i, s.change_k[i] % s.current_A.shape[1]]
        s.change_k[i] += 1
        if e.hold[i, j] == 0:
            return _change(d, s, e, i, j, t, out, count)
        s.held[i] = j
    return count


@kernel
def _probe(d: Design, h: Hidden, s: State, i: int, t: int, out: Output, count: int) -> int:
    """What the daily visit would find if it measured without error."""
    alumina = 0.0
    for z in range(s.dissolved_kg.shape[1]):
        alumina += s.dissolved_kg[i, z]
    percent = 100.0 / s.bath_kg[i]
    s.seen_alf3_pct[i] = s.alf3_kg[i] * percent
    row = out.log[count]
    count = enter(out, count, t, i, PROBE, s.bath_C[i], s.liquidus_C[i], s.alf3_kg[i] * percent)
    row[6], row[7] = s.caf2_kg[i] * percent, alumina * percent
    row[8] = s.bath_kg[i] / (2080.0 * 0.325 * d.metal_area_m2)
    row[9] = s.metal_kg[i] / (2300.0 * d.metal_area_m2)
    row[10] = h.cathode_ohm[i] * (1.0 + s.sludge_kg[i] / 2500.0) * d.current_A
    return count


@kernel
def operate(
    d: Design, h: Hidden, s: State, e: Effects, t: int, line_A: float, out: Output, count: int
) -> int:
    """One second of work at every cell; returns the number of log rows. Without current nothing is begun.

    Parameters
    ----------
    d, h, s, e
        Line, cells, state and effects of faults.
    t, line_A
        Second and line current [A].
    out, count
        Log and its rows so far.
    """
    running = line_A > 0.6 * d.current_A
    for i in range(s.beam_V.shape[0]):
        last = change_second(h.change_phase_s[i], d.change_interval_s, s.change_k[i] - 1)
        due = change_second(h.change_phase_s[i], d.change_interval_s, s.change_k[i])
        if running and s.effect_s[i] == 0.0:
            count = _anode_work(d, h, s, e, i, t, due, out, count)
            clear = last + TAP_AFTER_S <= t <= due - TAP_BEFORE_S
            if clear and t >= h.tap_phase_s[i] + s.tap_k[i] * d.tap_interval_s:
                count = _tap(d, s, i, t, out, count)
        if s.tap_rate_kg_s[i] > 0.0 and (t - int(s.tap_end_s[i])) % 20 == 0:
            lowered = round(20.0 * s.tap_rate_kg_s[i] / (2.3 * d.metal_area_m2), 1)
            count = move(s, i, t, -lowered, out, count)
            if t >= s.tap_end_s[i]:
                s.tap_rate_kg_s[i] = 0.0
        if t == last + _COVER_AFTER_S:
            count = enter(out, count, t, i, COVER, 130.0, 0.0, 0.0)
            s.cover[i, 0], s.cover[i, 1] = min(s.cover[i, 0], 1.0), min(s.cover[i, 1], 1.0)
        count = regulate(h, s, e, i, t, t - last, out, count)
        if s.beam_mm[i] < 15.0:
            s.beam_mm[i] += 280.0
            for j in range(s.clamp_mm.shape[1]):
                s.clamp_mm[i, j] -= 280.0
        since = t - int(h.probe_phase_s[i])
        if since % 14400 == 0:
            dose = float(round(min(max(7.0 + 6.0 * (h.target_alf3_pct[i] - s.seen_alf3_pct[i]), 0.0), 30.0)))
            dose *= d.current_A / 3e5
            s.alf3_kg[i] += dose * e.alf3[i]
            s.bath_kg[i] += dose * e.alf3[i]
            count = enter(out, count, t, i, ALF3, dose, 0.0, 0.0)
        if since % 86400 == 0 or t == VISIT_S:
            count = _probe(d, h, s, i, t, out, count)
    return count
