"""The controller of every cell: alumina by the slope of the voltage, beam by its level, anode effects, restarts."""

from plant.draws import normal
from plant.jit import kernel
from plant.logbook import BASE, EFFECT, FEED, MODE, MOVE, OVER, QUENCH, STOP, UNDER, enter
from plant.state import Design, Effects, Hidden, Output, State

_FARADAY_KG_PER_AS = 0.335572 / 3.6e6
_ALUMINA_PER_METAL = 1.8895
_FEED_J_KG = 2.25e6
_VOLT_PER_MM = 0.034
_EMF_V = 1.65
#: An anode effect is what holds above this; it is over below the other.
_EFFECT_V, _QUIET_V = 8.0, 6.0
_PUMP_MM = 8.0
#: Share of the rated current below which nothing is done.
_IDLE = 0.5
_BOOST_V_H, _BOOST_MAX_V, _BOOST_TAU_S = 0.15, 0.4, 5 * 3600.0


@kernel
def move(s: State, i: int, t: int, delta_mm: float, out: Output, count: int) -> int:
    """Move the beam and let the filters of the voltage know; returns the number of log rows.

    Parameters
    ----------
    s, i, t
        State, cell and second.
    delta_mm
        Upwards [mm].
    out, count
        Log and its rows so far.
    """
    s.beam_mm[i] += delta_mm
    expected = delta_mm * _VOLT_PER_MM
    s.fast_V[i] += expected
    s.lag_V[i] += expected
    s.slow_V[i] += expected
    s.move_s[i] = t
    return enter(out, count, t, i, MOVE, delta_mm, 0.0, 0.0)


@kernel
def _watch(d: Design, s: State, i: int, t: int, line_A: float, volt_V: float, out: Output, count: int) -> int:
    """Outage, restart and anode effect: what overrides the feed controller."""
    mode = s.mode[i]
    if line_A < _IDLE * d.current_A:
        if mode != STOP:
            s.mode[i], s.mode_s[i], s.effect_s[i] = STOP, 0.0, 0.0
            count = enter(out, count, t, i, MODE, float(STOP), 0.0, 0.0)
        return count
    if mode == STOP:
        s.boost_V[i] = min(_BOOST_V_H * s.mode_s[i] / 3600.0, _BOOST_MAX_V)
        s.quiet_until_s[i] = t + 1800.0
        s.mode[i], s.mode_s[i] = BASE, 0.0
        count = enter(out, count, t, i, MODE, float(BASE), 0.0, 0.0)
    s.boost_V[i] *= 1.0 - 1.0 / _BOOST_TAU_S
    if mode == QUENCH:
        s.effect_s[i] += 1.0
        if s.effect_s[i] == 20.0:
            count = move(s, i, t, -_PUMP_MM, out, count)
        if volt_V < _QUIET_V:
            if s.effect_s[i] >= 20.0:
                count = move(s, i, t, _PUMP_MM, out, count)
            count = enter(out, count, t, i, EFFECT, t - s.effect_s[i], s.starved_s[i], 0.0)
            s.effect_s[i] = 0.0
            s.mode[i], s.mode_s[i] = UNDER, 0.0
            s.quiet_until_s[i] = t + 900.0
            count = enter(out, count, t, i, MODE, float(UNDER), 0.0, 0.0)
    elif volt_V > _EFFECT_V:
        s.effect_s[i] += 1.0
        if s.effect_s[i] >= 4.0:
            s.mode[i], s.mode_s[i] = QUENCH, 0.0
            s.quenched_s[i] = t
            count = enter(out, count, t, i, MODE, float(QUENCH), 0.0, 0.0)
    else:
        s.effect_s[i] = 0.0
    return count


@kernel
def _choose(h: Hidden, s: State, i: int, t: int, out: Output, count: int) -> int:
    """Under- and overfeeding by the slope of the voltage."""
    slope_mV_min = (s.fast_V[i] - s.lag_V[i]) / 360.0 * 60e3
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
        count = enter(out, count, t, i, MODE, float(wanted), 0.0, 0.0)
    return count


@kernel
def _shoot(d: Design, h: Hidden, s: State, e: Effects, i: int, t: int, out: Output, count: int) -> int:
    """Let a feeder drop its shot when enough is owed."""
    mode = s.mode[i]
    pace = 1.0
    if mode == UNDER:
        pace = 0.55
    elif mode == OVER:
        pace = 1.55
    elif mode == QUENCH:
        pace = 5.0
    elif mode == STOP:
        pace = 0.0
    s.shot_debt_kg[i] += pace * _FARADAY_KG_PER_AS * 0.945 * _ALUMINA_PER_METAL * d.current_A
    if s.shot_debt_kg[i] < d.shot_kg:
        return count
    s.shot_debt_kg[i] -= d.shot_kg
    zone = s.feeder[i]
    mass = d.shot_kg * h.shot_factor[i] * (1.0 + 0.1 * normal(s.rng, i))
    # Against an anode effect the crew breaks the crust and feeds by hand, whatever ails the feeders.
    if mode != QUENCH:
        mass *= e.feed[i, zone]
    s.fed_kg[i] += mass
    s.dissolved_kg[i, zone] += 0.4 * mass
    s.melt_J[i] -= 0.4 * mass * _FEED_J_KG
    s.suspended_kg[i, zone] += 0.6 * mass
    s.feeder[i] = (zone + 1) % s.dissolved_kg.shape[1]
    return enter(out, count, t, i, FEED, d.shot_kg, zone + 1.0, mass)


@kernel
def control(
    d: Design, h: Hidden, s: State, e: Effects, t: int, line_A: float, out: Output, row: int, count: int
) -> int:
    """One second of control of every cell; returns the number of log rows.

    Parameters
    ----------
    d, h, s, e
        Line, cells, state and effects of faults.
    t, line_A
        Second and line current [A].
    out, row, count
        Voltages of this second stand in this row; rows of the log so far.
    """
    for i in range(s.beam_V.shape[0]):
        s.mode_s[i] += 1.0
        raw_V = out.voltage_V[row, i]
        count = _watch(d, s, i, t, line_A, raw_V, out, count)
        mode = s.mode[i]
        if mode == STOP:
            continue
        if mode != QUENCH and raw_V < _QUIET_V:
            volt_V = _EMF_V + (raw_V - _EMF_V) * d.current_A / line_A
            s.fast_V[i] += (volt_V - s.fast_V[i]) / 120.0
            s.lag_V[i] += (s.fast_V[i] - s.lag_V[i]) / 360.0
            s.slow_V[i] += (s.fast_V[i] - s.slow_V[i]) / 1800.0
            count = _choose(h, s, i, t, out, count)
        count = _shoot(d, h, s, e, i, t, out, count)
    return count


@kernel
def regulate(
    h: Hidden, s: State, e: Effects, i: int, t: int, since_change_s: float, out: Output, count: int
) -> int:
    """Move the beam of one cell towards the set voltage, once a minute at most; returns the number of log rows.

    Parameters
    ----------
    h, s, e, i, t
        Cells, state, effects of faults, cell and second.
    since_change_s
        Time since the last anode change [s]: the voltage is held higher at first.
    out, count
        Log and its rows so far.
    """
    if t % 60 != 0 or t < s.quiet_until_s[i] or t - s.move_s[i] <= 900.0 or s.mode[i] >= STOP:
        return count
    sought = h.target_V[i] + e.target_V[i] + s.boost_V[i] + (0.04 if since_change_s < 4.0 * 3600.0 else 0.0)
    error = s.slow_V[i] - sought
    if abs(error) <= 0.012:
        return count
    delta = round(min(max(-0.8 * error / _VOLT_PER_MM, -1.0), 1.0), 1)
    return move(s, i, t, delta, out, count)
