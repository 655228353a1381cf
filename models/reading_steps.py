"""Readings that no cell can give: shells and voltages that step, and one shell alone that warms beside cool ones."""

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import FloatArray, IntArray, View
from twin.jit import kernel
from twin.signals import SCALAR_READINGS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_CURRENT = SCALAR_READINGS.index("line_current_A")
_BEAM = SCALAR_READINGS.index("beam_position_mm")


class StepLimits(NamedTuple):
    """What cannot be.

    Attributes
    ----------
    shell_C, shell_C_h
        A shell that is this much elsewhere at the next reading, and that much more for every hour between
        [degC], [degC/h]: the fastest melt-out takes hours from 300 to 600 degC, and thermocouples are good to 2-5.
    voltage_V
        A voltage that is this much elsewhere without a move of the beam and stays there [V]: feeding swings by
        0.035-0.06, a spike or a slip by 0.1, and an anode effect goes far higher.
    calm_V
        It stays within this much of its new place [V], which no beginning anode effect does.
    confirm_s
        For so long [s].
    effect_V
        A voltage above this is an anode effect, and nothing is judged for an hour [V].
    beam_mm
        Beam moves smaller than this change nothing [mm].
    beam_s
        A beam of which nothing came for so long may have moved unseen [s].
    shell_s, voltage_s
        Memories of the level that a reading is compared with [s]: a shell that melts out must not outrun it.
    memory_s
        A step fades in this time [s]: an instrument that was set right is as good as any other.
    max_gap_s
        After a longer gap nothing can be said of a step [s].
    min_line_current_A
        Below this the line is off [A].
    """

    shell_C: float = 12.0
    shell_C_h: float = 100.0
    voltage_V: float = 0.25
    calm_V: float = 0.1
    confirm_s: float = 300.0
    effect_V: float = 7.0
    beam_mm: float = 1.0
    beam_s: float = 600.0
    shell_s: float = 180.0
    voltage_s: float = 900.0
    memory_s: float = 259_200.0
    max_gap_s: float = 3600.0
    min_line_current_A: float = 10_000.0


#: Rows of the state of a thermocouple: level, reading that was elsewhere, time since the last one, sum of steps.
_LEVEL, _ASIDE, _GAP, _STEP = range(4)


@kernel
def _shell_step(temp_C: FloatArray, scan_s: float, limits: StepLimits, state: FloatArray) -> None:
    fade = scan_s / limits.memory_s
    for c in range(temp_C.shape[0]):
        for s in range(temp_C.shape[1]):
            state[_GAP, c, s] += scan_s
            state[_STEP, c, s] *= 1.0 - fade
            reading_C = temp_C[c, s]
            if isnan(reading_C):
                continue
            gap_s = state[_GAP, c, s]
            state[_GAP, c, s] = 0.0
            if isnan(state[_LEVEL, c, s]) or gap_s > limits.max_gap_s:
                state[_LEVEL, c, s], state[_ASIDE, c, s] = reading_C, np.nan
                continue
            off_C = reading_C - state[_LEVEL, c, s]
            allowed_C = limits.shell_C + limits.shell_C_h * gap_s / 3600.0
            if abs(off_C) <= allowed_C:
                state[_LEVEL, c, s] += min(gap_s / limits.shell_s, 1.0) * off_C
                state[_ASIDE, c, s] = np.nan
            elif abs(reading_C - state[_ASIDE, c, s]) <= allowed_C:
                # A second reading at the new place: a step and no spike. Two that cancel leave nothing.
                state[_STEP, c, s] += off_C
                state[_LEVEL, c, s], state[_ASIDE, c, s] = reading_C, np.nan
            else:
                state[_ASIDE, c, s] = reading_C


class ShellSteps:
    """Steps of shell thermocouples: how far each is from where it was before an instrument moved it.

    Parameters
    ----------
    shape
        Cells and thermocouples.
    limits
        See `StepLimits`.

    Notes
    -----
    Physics reference 7.2 for how fast a shell can warm. A step below the limit is not seen, and a thermocouple that
    falls off and cools over minutes is seen as far as its readings leap.
    """

    def __init__(self, shape: tuple[int, int], limits: StepLimits | None = None) -> None:
        self.limits = StepLimits() if limits is None else limits
        self._state = np.full((4, *shape), np.nan)
        self._state[_GAP], self._state[_STEP] = 0.0, 0.0

    def update(self, temp_C: FloatArray, scan_s: float) -> FloatArray:
        """Take in one scan; give the sum of steps of every thermocouple [degC].

        Parameters
        ----------
        temp_C : (n_cells, n_shell)
            NaN where nothing came.
        scan_s
            Length of the scan [s].
        """
        _shell_step(temp_C, scan_s, self.limits, self._state)
        return self._state[_STEP].copy()


@kernel
def _own(step_C: FloatArray, side: IntArray, own_C: FloatArray) -> None:
    for c in range(step_C.shape[0]):
        for s in range(step_C.shape[1]):
            own_C[c, s] = step_C[c, s]
            for mate in range(step_C.shape[1]):
                if mate == s or side[c, mate] != side[c, s] or side[c, s] < 0:
                    continue
                if 2.0 * abs(step_C[c, mate]) >= abs(step_C[c, s]) and step_C[c, mate] * step_C[c, s] > 0.0:
                    own_C[c, s] = 0.0


def own_steps(step_C: FloatArray, side: IntArray) -> FloatArray:
    """Steps that no other thermocouple of the side made too [degC], (n_cells, n_shell); 0 where one did.

    Parameters
    ----------
    step_C : (n_cells, n_shell)
        Sums of steps, as `ShellSteps` gives them [degC].
    side : (n_cells, n_shell)
        Index of the side, -1 where there is none.

    Examples
    --------
    >>> own_steps(np.array([[20.0, 18.0, 0.0]]), np.zeros((1, 3), dtype=np.int64)).tolist()
    [[0.0, 0.0, 0.0]]
    >>> own_steps(np.array([[20.0, 0.0, 0.0]]), np.zeros((1, 3), dtype=np.int64)).tolist()
    [[20.0, 0.0, 0.0]]
    """
    own_C = np.empty_like(step_C)
    _own(step_C, side, own_C)
    return own_C


@kernel
def _lone(rise_C: FloatArray, side: IntArray, least_C: float, share: float, lone: NDArray[np.bool_]) -> None:
    for c in range(rise_C.shape[0]):
        known = rise_C[c][~np.isnan(rise_C[c])]
        # What the whole cell shares says nothing of one of its shells.
        shared_C = np.median(known) if len(known) > 2 else 0.0
        for s in range(rise_C.shape[1]):
            own_C, warmest_C = rise_C[c, s] - shared_C, -np.inf
            for mate in range(rise_C.shape[1]):
                if mate != s and side[c, mate] == side[c, s] >= 0 and not isnan(rise_C[c, mate]):
                    warmest_C = max(warmest_C, rise_C[c, mate] - shared_C)
            lone[c, s] = own_C >= least_C and warmest_C > -np.inf and warmest_C < share * own_C


def lone_shells(
    rise_C: FloatArray, side: IntArray, least_C: float = 15.0, share: float = 0.15
) -> NDArray[np.bool_]:
    """Thermocouples that have warmed while no other of their side has: instruments, not ledge.

    Parameters
    ----------
    rise_C : (n_cells, n_shell)
        Rise of each over what the twin expects [degC]; NaN where not known. What its cell shares is taken away.
    side : (n_cells, n_shell)
        Index of the side, -1 where there is none.
    least_C
        Smaller rises say nothing [degC].
    share
        Least share of the rise that a neighbour takes part in: a ledge melts over metres and steel leads heat.

    Returns
    -------
    (n_cells, n_shell) bool
        False where a side has no second thermocouple.

    Examples
    --------
    >>> side = np.array([[0, 0, 1, 1]])
    >>> lone_shells(np.array([[30.0, 1.0, 0.0, -1.0]]), side).tolist()
    [[True, False, False, False]]
    >>> lone_shells(np.array([[30.0, 9.0, 0.0, -1.0]]), side).tolist()
    [[False, False, False, False]]
    """
    lone = np.zeros(rise_C.shape, dtype=np.bool_)
    _lone(rise_C, side, float(least_C), float(share), lone)
    return lone


class VoltageSteps:
    """Steps of voltmeters: how far each is from where it was, though neither beam nor line current moved.

    Parameters
    ----------
    n_cells
        Number of cells.
    limits
        See `StepLimits`.

    Notes
    -----
    Without a beam signal a raised beam would look the same: such cells are not judged, nor are those whose beam has
    fallen silent.
    """

    def __init__(self, n_cells: int, limits: StepLimits | None = None) -> None:
        self.limits = StepLimits() if limits is None else limits
        self._level_V = np.full(n_cells, np.nan)
        self._aside_V = np.full(n_cells, np.nan)
        self._aside_s = np.zeros(n_cells)
        self._beam_mm = np.full(n_cells, np.nan)
        self._beam_age_s = np.zeros(n_cells)
        self._rest_s = np.zeros(n_cells)
        self._gap_s = np.zeros(n_cells)
        self._step_V = np.zeros(n_cells)

    def update(self, view: View) -> FloatArray:
        """Take in one scan; give the sum of steps of every voltmeter [V]."""
        lim = self.limits
        voltage_V, beam_mm = view.scalar[_VOLTAGE], view.scalar[_BEAM]
        moved = np.isfinite(beam_mm) & ~(np.abs(beam_mm - self._beam_mm) <= lim.beam_mm)
        heard = np.isfinite(beam_mm)
        self._beam_age_s = np.where(heard, 0.0, self._beam_age_s + view.scan_s)
        self._beam_mm = np.where(heard & moved, beam_mm, self._beam_mm)
        silent = self._beam_age_s > lim.beam_s
        # A beam that is at work, an effect, a line that is off: nothing is known of a step for a while.
        upset = (
            moved | (view.voltage_high_V > lim.effect_V) | (view.scalar[_CURRENT] < lim.min_line_current_A)
        )
        wait_s = np.where(moved, lim.confirm_s, lim.max_gap_s)
        self._rest_s = np.where(
            upset, np.maximum(self._rest_s, wait_s), np.maximum(self._rest_s - view.scan_s, 0.0)
        )
        known = np.isfinite(voltage_V)
        self._gap_s = np.where(known, 0.0, self._gap_s + view.scan_s)
        anew = known & ((self._rest_s > 0.0) | np.isnan(self._level_V) | np.isnan(self._beam_mm) | silent)
        anew |= self._gap_s > lim.max_gap_s
        self._level_V = np.where(anew, voltage_V, self._level_V)
        self._aside_V = np.where(anew, np.nan, self._aside_V)
        off_V = np.where(known & ~anew, voltage_V - self._level_V, np.nan)
        near = np.abs(off_V) <= lim.voltage_V
        gain = min(view.scan_s / lim.voltage_s, 1.0)
        self._level_V = np.where(near, self._level_V + gain * np.nan_to_num(off_V), self._level_V)
        far = np.abs(off_V) > lim.voltage_V
        stays = far & (np.abs(voltage_V - self._aside_V) <= lim.calm_V)
        self._aside_s = np.where(stays, self._aside_s + view.scan_s, np.where(known, 0.0, self._aside_s))
        self._aside_V = np.where(far & ~stays, voltage_V, np.where(near, np.nan, self._aside_V))
        stepped = stays & (self._aside_s >= lim.confirm_s)
        self._step_V = self._step_V * (1.0 - view.scan_s / lim.memory_s) + np.where(stepped, off_V, 0.0)
        self._level_V = np.where(stepped, voltage_V, self._level_V)
        self._aside_V = np.where(stepped, np.nan, self._aside_V)
        return self._step_V.copy()
