"""What the simulated line is made of: design, hidden parameters, state, faults, output of a block."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741


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
    cover: F
    ledge_W_mK: F
    gas_rise_C: F
    order: I  # (n, A) anode at each place of the change calendar
    anode_ohm: F  # (n, A)
    film_W_m2K: F  # (n, S)
    ledge_area_m2: F  # (n, S)
    wall_m2K_W: F  # (n, S)
    outer_ratio: F  # (n, S)
    air_rise_C: F  # (n, S)
    side: I  # (S,)
    exposure: F  # (S,) how much of a fault of its side reaches a segment: 1 in the middle


class State(NamedTuple):
    """Everything that changes. Cells first; zones, anodes, segments or wall nodes after."""

    rng: NDArray[np.uint64]
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
    ledge_m: F  # (n, S)
    wall_C: F  # (n, S, 3)
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


class Faults(NamedTuple):
    """Physical faults; the last three are written by the kernel."""

    kind: I
    cell: I
    place: I
    start_s: F
    end_s: F
    severity: F
    reference: F
    observable_s: F
    cleared_s: F


class Output(NamedTuple):
    """True values of one block, seconds first, and the log of what was done (second, cell, code, values)."""

    voltage_V: F
    anode_A: F
    shell_C: F
    gas_C: F
    beam_mm: F
    log: F
