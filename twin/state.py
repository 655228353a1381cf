"""What the observer remembers, takes in and gives: structures of arrays, cells first."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numba.np.unsafe.ndarray import to_fixed_tuple
from numpy.typing import NDArray

from twin.heat import N_SIDES, REFERENCE_AMBIENT_C, Steady, steady
from twin.params import CellParams, stack

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GOOD = 0
NO_CURRENT, NO_VOLTAGE, OUT_OF_RANGE, STARTING, CURRENT_SILENT = range(1, 6)
VOLTAGE_SILENT, NOT_NORMAL, UNKNOWN, LOST = range(6, 10)
#: Why a cell is not assessed, by the ``status`` of its estimate.
STATUS_REASONS: dict[int, str] = {
    NO_CURRENT: "no line_current_A received",
    NO_VOLTAGE: "no cell_voltage_V received",
    OUT_OF_RANGE: "line_current_A outside the range of the technology (50 to 130 % of rated)",
    STARTING: "starting up: less than 10 minutes of current and voltage",
    CURRENT_SILENT: "no line_current_A for 15 minutes",
    VOLTAGE_SILENT: "no cell_voltage_V for 15 minutes",
    NOT_NORMAL: "cell reported as not in normal operation",
    UNKNOWN: "technology unknown: no rated_current_A in plant.toml",
    LOST: "the estimate was no longer a possible state of a cell and was started anew",
}

#: NAMUR NE 107 category of a cell by the ``status`` of its estimate; "good" where the twin can be trusted.
NE107: dict[int, str] = {
    GOOD: "good",
    NO_CURRENT: "failure",
    NO_VOLTAGE: "failure",
    OUT_OF_RANGE: "out of specification",
    STARTING: "function check",
    CURRENT_SILENT: "failure",
    VOLTAGE_SILENT: "failure",
    NOT_NORMAL: "function check",
    UNKNOWN: "maintenance",
    LOST: "failure",
}


class Estimate(NamedTuple):
    """What the twin believes of every cell at one instant; cells first, NaN where it cannot say.

    Attributes
    ----------
    assessed : (n_cells,) bool
        False where the twin has no basis (no current or no voltage yet, or for too long).
    status : (n_cells,) int64
        0 good, otherwise a key of ``STATUS_REASONS``.
    voltage_expected_V, voltage_residual_V : (n_cells,)
        Voltage of the twin, and measured minus expected [V].
    bath_temp_C, liquidus_C, superheat_C, alumina_pct, acd_mm, ledge_bath_mm, heat_loss_kW : (n_cells,)
    bath_temp_sd_C, superheat_sd_C, alumina_sd_pct, acd_sd_mm, ledge_bath_sd_mm, heat_loss_sd_kW : (n_cells,)
        One standard deviation of the above.
    current_efficiency, current_efficiency_sd : (n_cells,)
        Fraction, and one standard deviation of it.
    anode_expected_frac, anode_expected_sd_frac : (n_cells, n_anodes_max)
        Expected share of each anode relative to the mean anode current (1 = mean), and its band (1 sd).
    anode_frac : (n_cells, n_anodes_max)
        Measured anode current over the mean anode current; NaN where not measured.
    shell_expected_C, shell_residual_C : (n_cells, n_shell_max)
        Expected shell temperature, and measured minus expected [degC].
    """

    assessed: NDArray[np.bool_]
    status: IntArray
    voltage_expected_V: FloatArray
    voltage_residual_V: FloatArray
    bath_temp_C: FloatArray
    bath_temp_sd_C: FloatArray
    liquidus_C: FloatArray
    superheat_C: FloatArray
    superheat_sd_C: FloatArray
    alumina_pct: FloatArray
    alumina_sd_pct: FloatArray
    acd_mm: FloatArray
    acd_sd_mm: FloatArray
    ledge_bath_mm: FloatArray
    ledge_bath_sd_mm: FloatArray
    heat_loss_kW: FloatArray
    heat_loss_sd_kW: FloatArray
    current_efficiency: FloatArray
    current_efficiency_sd: FloatArray
    anode_frac: FloatArray
    anode_expected_frac: FloatArray
    anode_expected_sd_frac: FloatArray
    shell_expected_C: FloatArray
    shell_residual_C: FloatArray


class State(NamedTuple):
    """Everything the observer remembers of the cells; arrays, cells first."""

    line_current_A: FloatArray
    cell_voltage_V: FloatArray
    ambient_C: FloatArray  # 25 until first measured
    ambient_seen: FloatArray  # 0 or 1
    current_age_s: FloatArray  # inf: never measured
    voltage_age_s: FloatArray
    running_s: FloatArray  # time with both current and voltage
    normal: FloatArray  # 0: reported as not in normal operation
    lost_age_s: FloatArray  # since the estimate had to be started anew; inf: never
    chemistry_pct: FloatArray  # (n_cells, 4): CaF2, LiF, MgF2, KF
    alf3_use_kg_s: FloatArray  # NaN: no feed of AlF3 reported
    heat_ref_W: FloatArray  # own mean power less reaction
    heat_ref_s: FloatArray
    loss_W: FloatArray  # filtered
    feed_age_s: FloatArray
    level_V: FloatArray  # measured less chain at nominal distance, of the last hours
    level_var: FloatArray
    beam_mm: FloatArray
    beam_recent_mm: FloatArray
    beam_pending_mm: FloatArray  # reported by event
    disturbance_V2: FloatArray  # reported by event
    moved_V: FloatArray  # level moved in this scan by known movement of the beam
    moved_V2: FloatArray  # and how much that and operations disturb it
    ledge_told_mm: FloatArray  # by how much samples have corrected the ledge so far
    shell_C: FloatArray
    shell_evidence_C: FloatArray  # (n_cells, 4)
    shell_offset_C: FloatArray  # (n_cells, n_shell)
    shell_seen_s: FloatArray  # NaN: never measured
    shell_gap_s: FloatArray
    anode_base_frac: FloatArray  # (n_cells, n_anodes)
    anode_learned_h: FloatArray
    anode_last_age_h: FloatArray
    anode_gap_s: FloatArray  # (n_cells,)


class Measured(NamedTuple):
    """Inputs of one scan; NaN is not measured."""

    line_current_A: FloatArray
    cell_voltage_V: FloatArray
    anode_current_A: FloatArray
    shell_temp_C: FloatArray
    ambient_temp_C: FloatArray
    feed_kg: FloatArray
    beam_mm: FloatArray
    anode_age_h: FloatArray


class Fixed(NamedTuple):
    """What does not change: constants and instruments of the cells."""

    params: FloatArray  # (n_cells, fields of CellParams)
    nominal: FloatArray  # (n_cells, fields of Steady)
    known: NDArray[np.bool_]  # False: technology unknown
    n_anodes: IntArray
    shell_side: IntArray


_N_PARAMS, _N_STEADY = len(CellParams._fields), len(Steady._fields)


def params_at(table: FloatArray, c: int) -> CellParams:
    """Constants of cell ``c`` out of ``Fixed.params``; also in kernels."""
    return CellParams(*table[c])


def nominal_at(table: FloatArray, c: int) -> Steady:
    """Nominal steady state of cell ``c`` out of ``Fixed.nominal``; also in kernels."""
    return Steady(*table[c])


# A row is an array of unknown length to the compiler: compiled code is told how many fields there are.
@overload(params_at)
def _params_at(table: FloatArray, c: int) -> Callable[[FloatArray, int], CellParams]:
    def implementation(table: FloatArray, c: int) -> CellParams:
        return CellParams(*to_fixed_tuple(table[c], _N_PARAMS))  # pyright: ignore[reportCallIssue]

    return implementation


@overload(nominal_at)
def _nominal_at(table: FloatArray, c: int) -> Callable[[FloatArray, int], Steady]:
    def implementation(table: FloatArray, c: int) -> Steady:
        return Steady(*to_fixed_tuple(table[c], _N_STEADY))  # pyright: ignore[reportCallIssue]

    return implementation


def fixed_of(
    params: Sequence[CellParams], known: Sequence[bool], n_anodes: IntArray, shell_side: IntArray
) -> Fixed:
    """Constants of all cells as kernels take them."""
    nominal = np.array([steady(cell) for cell in params], dtype=np.float64).reshape(
        len(params), len(Steady._fields)
    )
    return Fixed(
        stack(params),
        nominal,
        np.array(known, dtype=np.bool_),
        n_anodes.astype(np.int64),
        shell_side.astype(np.int64),
    )


def new_state(params: Sequence[CellParams], n_anodes_max: int, n_shell_max: int) -> State:
    """State of cells of which nothing has been heard: settled, at the aims of their technology."""
    n = len(params)
    nominal = [steady(cell) for cell in params]

    def each(value: float, *width: int) -> FloatArray:
        return np.full((n, *width), value, dtype=np.float64)

    return State(
        line_current_A=each(np.nan),
        cell_voltage_V=each(np.nan),
        ambient_C=each(REFERENCE_AMBIENT_C),
        ambient_seen=each(0.0),
        current_age_s=each(np.inf),
        voltage_age_s=each(np.inf),
        running_s=each(0.0),
        normal=each(1.0),
        lost_age_s=each(np.inf),
        chemistry_pct=np.array([(c.caf2_pct, c.lif_pct, c.mgf2_pct, c.kf_pct) for c in params]).reshape(n, 4),
        alf3_use_kg_s=each(np.nan),
        heat_ref_W=np.array([s.heat_loss_W for s in nominal], dtype=np.float64),
        heat_ref_s=each(0.0),
        loss_W=each(np.nan),
        feed_age_s=each(np.inf),
        level_V=each(0.0),
        level_var=each(np.nan),
        beam_mm=each(np.nan),
        beam_recent_mm=each(0.0),
        beam_pending_mm=each(0.0),
        disturbance_V2=each(0.0),
        moved_V=each(0.0),
        moved_V2=each(0.0),
        ledge_told_mm=each(0.0),
        shell_C=np.array([s.shell_C for s in nominal], dtype=np.float64),
        shell_evidence_C=each(0.0, N_SIDES),
        shell_offset_C=each(0.0, n_shell_max),
        shell_seen_s=each(np.nan, n_shell_max),
        shell_gap_s=each(0.0, n_shell_max),
        anode_base_frac=each(1.0, n_anodes_max),
        anode_learned_h=each(0.0, n_anodes_max),
        anode_last_age_h=each(np.nan, n_anodes_max),
        anode_gap_s=each(0.0),
    )
