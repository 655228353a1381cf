"""Readings that step as no cell can: shell temperatures and voltages that are elsewhere from one moment to the next."""

from math import isnan
from typing import NamedTuple

import numpy as np

from models.base import FloatArray, View
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
    fast_s
        Memory of the level that a reading is compared with [s].
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
    fast_s: float = 900.0
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
                state[_LEVEL, c, s] += min(gap_s / limits.fast_s, 1.0) * off_C
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
    Without a beam signal a raised beam would look the same: such cells are not judged.
    """

    def __init__(self, n_cells: int, limits: StepLimits | None = None) -> None:
        self.limits = StepLimits() if limits is None else limits
        self._level_V = np.full(n_cells, np.nan)
        self._aside_V = np.full(n_cells, np.nan)
        self._aside_s = np.zeros(n_cells)
        self._beam_mm = np.full(n_cells, np.nan)
        self._rest_s = np.zeros(n_cells)
        self._gap_s = np.zeros(n_cells)
        self._step_V = np.zeros(n_cells)

    def update(self, view: View) -> FloatArray:
        """Take in one scan; give the sum of steps of every voltmeter [V]."""
        lim = self.limits
        voltage_V, beam_mm = view.scalar[_VOLTAGE], view.scalar[_BEAM]
        moved = np.isfinite(beam_mm) & ~(np.abs(beam_mm - self._beam_mm) <= lim.beam_mm)
        self._beam_mm = np.where(np.isfinite(beam_mm), np.where(moved, beam_mm, self._beam_mm), self._beam_mm)
        # A beam that is at work, an effect, a line that is off: nothing is known of a step for a while.
        upset = moved | (view.voltage_high_V > lim.effect_V) | (view.scalar[_CURRENT] < lim.min_line_current_A)
        wait_s = np.where(moved, lim.confirm_s, lim.max_gap_s)
        self._rest_s = np.where(upset, np.maximum(self._rest_s, wait_s), np.maximum(self._rest_s - view.scan_s, 0.0))
        known = np.isfinite(voltage_V)
        self._gap_s = np.where(known, 0.0, self._gap_s + view.scan_s)
        anew = known & ((self._rest_s > 0.0) | np.isnan(self._level_V) | np.isnan(self._beam_mm))
        anew |= self._gap_s > lim.max_gap_s
        self._level_V = np.where(anew, voltage_V, self._level_V)
        self._aside_V = np.where(anew, np.nan, self._aside_V)
        off_V = np.where(known & ~anew, voltage_V - self._level_V, np.nan)
        near = np.abs(off_V) <= lim.voltage_V
        gain = min(view.scan_s / lim.fast_s, 1.0)
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
