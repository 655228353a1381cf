"""What the simulated line is made of: design, hidden parameters, state, effects of faults, output of a block."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741

#: Columns of ``State.account_J``: what came in and where it went.
SUPPLIED, REACTED, SIDE, TOP, BOTTOM, BROUGHT = range(6)
#: Enthalpies are counted from here [degC].
ZERO_C = 960.0


class Design(NamedTuple):
    """Numbers that all cells of the line share, in SI unless the name says otherwise."""

    current_A: float
    anode_area_m2: float
    anode_height_mm: float
    shot_kg: float
    change_interval_s: float
    tap_interval_s: float
    metal_area_m2: float
    metal_kg: float
    bath_kg: float
    anode_to_top_W_K: float
    bath_to_anode_W_K: float
    crust_W_K: float
    cathode_W_K: float
    bottom_W_K: float
    external_ohm: float
    rectifier_efficiency: float
    auxiliary_kW: float


class Hidden(NamedTuple):
    """What makes each cell itself: drawn once, never shown. Cells first."""

    change_phase_s: F
    tap_phase_s: F
    probe_phase_s: F
    target_V: F
    efficiency: F
    offset_V: F
    cathode_ohm: F
    shot_factor: F
    over_s: F
    target_alf3_pct: F
    caf2_pct: F
    bath_C: F  # in balance
    superheat_C: F
    wave_mm: F
    wave_period_s: F
    heave_mm: F
    cover: F
    ledge_W_mK: F
    gas_rise_C: F
    zone: I  # (A,) bath zone under each anode
    lever: F  # (A,) along the cell, -1 to 1: how much of the metal wave it sees
    order: I  # (n, A) anode at each place of the change calendar
    anode_ohm: F  # (n, A)
    film_W_m2K: F  # (n, S)
    ledge_area_m2: F  # (n, S)
    wall_m2K_W: F  # (n, S)
    outer_ratio: F  # (n, S)
    air_rise_C: F  # (n, S)
    side: I  # (S,)
    exposure: F  # (S,) how much of a fault of its side reaches a segment: 1 in the middle
    bar_W_m2K: F  # (n, B) heat from the block to a bar end, per surface of that
    bar_W_m2: F  # (n, B) heat made in it at rated current
    bar_air_C: F  # (n, B) air at it over that of the potroom
    critical_pct: F  # alumina at which an anode is blocked by gas at rated density
    film_V: F  # drop over that gas at rated current


class State(NamedTuple):
    """Everything that changes. Cells first; zones, anodes, segments or wall nodes after."""

    rng: NDArray[np.uint64]
    account_J: F  # (n, 6)
    energy_kWh: F  # (3,): AC, DC, auxiliaries
    current_A: F  # (n, A)
    height_mm: F
    clamp_mm: F
    anode_C: F
    melted_mm: F
    healthy_mm: F
    freeze_mm: F
    contact: F  # share of the face that conducts
    anode_ohm: F
    flicker: F
    slope_S: F
    dissolved_kg: F  # (n, Z)
    suspended_kg: F
    zone_V: F
    zone_ohm: F
    zone_A: F
    film: F  # share of the anode faces of a zone under the gas of an anode effect
    ledge_m: F  # (n, S)
    wall_C: F  # (n, S, 3)
    cover: F  # (n, 2) heat that passes the cover of each half, 1 when dressed
    beam_mm: F  # (n,)
    beam_V: F
    metal_kg: F
    bath_kg: F
    alf3_kg: F
    caf2_kg: F
    sludge_kg: F
    bulk_frozen_kg: F
    bath_C: F
    liquidus_C: F
    cathode_C: F
    bar_C: F  # (n, B) ends of the collector bars
    gas_C: F
    efficiency: F
    kappa_S_m: F
    melt_J: F
    mode: I
    mode_s: F
    shot_debt_kg: F
    feeder: I
    fast_V: F
    lag_V: F
    slow_V: F
    quiet_until_s: F
    move_s: F
    change_k: I
    tap_k: I
    tap_rate_kg_s: F
    tap_end_s: F
    seen_alf3_pct: F
    wave_mm: F
    wave_rate: F
    wave_mean_mm2: F
    heave_mm: F
    effect_s: F  # seconds since the control saw an anode effect, 0 without one
    starved_s: F  # since when the leanest zone has been near its limit; far ahead without that
    quenched_s: F  # when the last one was seen
    fed_kg: F  # alumina since the start, ordered or not
    boost_V: F  # on top of the set voltage after an outage
    held: I  # anode whose change has been put off, -1 without one
    extra: I  # anode to be changed out of turn, -1 without one
    iron_kg: F
    silicon_kg: F


class Effects(NamedTuple):
    """What faults do to physical parameters: neutral without any. Cells first."""

    melt: F  # (n, A) speed at which the freeze under an anode melts
    set_mm: F  # (n, A) added to the height at which an anode is set
    drop_mm: F  # (n, A) how far its rod has slipped
    area: F  # (n, A) share of the face that is left
    joint_ohm: F  # (n, A) added between beam and block
    short_S: F  # (n, A) carbon path past the bath
    hold: I  # (n, A) 1 while a change is not done when it is due
    film: F  # (n, S) heat transfer from bath to ledge
    wall: F  # (n, S) thermal resistance of the lining
    cover: F  # (n, 2) heat that passes the cover
    feed: F  # (n, Z) share of a shot that reaches the bath
    leak_kg_s: F  # (n,) alumina that nobody has ordered
    bottom: F  # (n, B) heat through the bottom near each bar
    wave: F  # drive of the metal wave
    efficiency: F  # current efficiency lost
    target_V: F  # error of the set voltage
    alf3: F  # share of an AlF3 dose that is given
    iron_kg_s: F
    silicon_kg_s: F


#: Arrays of ``Effects`` that are 1 without a fault; the others are 0.
_FACTORS = frozenset({"melt", "area", "film", "wall", "cover", "feed", "bottom", "wave", "alf3"})
_ANODE = frozenset({"melt", "set_mm", "drop_mm", "area", "joint_ohm", "short_S", "hold"})


def neutral(n_cells: int, n_anodes: int, n_segments: int, n_zones: int, n_bars: int) -> Effects:
    """No fault anywhere.

    Parameters
    ----------
    n_cells, n_anodes, n_segments, n_zones, n_bars
        Sizes of the arrays.
    """
    widths = dict.fromkeys(_ANODE, n_anodes) | {
        "film": n_segments,
        "wall": n_segments,
        "cover": 2,
        "feed": n_zones,
        "bottom": n_bars,
    }
    arrays: dict[str, F | I] = {}
    for name in Effects._fields:
        shape = (n_cells, widths[name]) if name in widths else (n_cells,)
        arrays[name] = np.ones(shape) if name in _FACTORS else np.zeros(shape)
    arrays["hold"] = np.zeros((n_cells, n_anodes), dtype=np.int64)
    return Effects(**arrays)  # pyright: ignore[reportArgumentType]


def calm(effects: Effects) -> None:
    """Take every fault away.

    Parameters
    ----------
    effects
        Overwritten.
    """
    for name, array in zip(Effects._fields, effects, strict=True):
        array.fill(1 if name in _FACTORS else 0)


class Output(NamedTuple):
    """True values of one block, seconds first, and the log of what was done (second, cell, code, values)."""

    voltage_V: F
    anode_A: F
    shell_C: F
    bar_C: F
    gas_C: F
    beam_mm: F
    log: F
