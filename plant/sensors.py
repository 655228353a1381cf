"""What the instruments make of the true values: noise with a colour, own errors, resolution, and failures."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from plant.faults import Fault
from plant.state import F, Output
from plant.technology import Technology

_compiled = njit(cache=True, nogil=True)


@_compiled
def _colour(draws: F, state: F, tau_s: F, gain: F, out: F) -> None:
    """First-order noise of each column with unit-variance drive."""
    for k in range(draws.shape[1]):
        keep = np.exp(-1.0 / tau_s[k])
        drive = np.sqrt(1.0 - keep * keep)
        for row in range(draws.shape[0]):
            state[k] = keep * state[k] + drive * draws[row, k]
            out[row, k] = gain[k] * state[k]


@_compiled
def _voltage_noise(draws: F, chances: F, state: F, sigma_V: F, out: F) -> None:
    """Two-pole noise, spells in which it doubles, and short negative spikes."""
    keep = np.exp(-1.0 / 9.0)
    drive = np.sqrt(1.0 - keep * keep)
    for row in range(draws.shape[0]):
        for i in range(draws.shape[1]):
            chance = chances[row, i]
            state[i, 0] = keep * state[i, 0] + drive * draws[row, i, 0]
            state[i, 1] = keep * state[i, 1] + (1.0 - keep) * state[i, 0]
            state[i, 2] *= 0.85
            if chance < 2.5e-4:
                state[i, 2] = -0.06 - 0.02 * chance / 2.5e-4
            elif chance > 1.0 - 4e-5:
                state[i, 3] = 3600.0 + (1.0 - chance) / 4e-5 * 3600.0
            loud = 2.0 if state[i, 3] > 0.0 else 1.0
            state[i, 3] -= 1.0
            noise = loud * sigma_V[i] * 1.4142 * state[i, 1]
            out[row, i] += noise + state[i, 2] + 0.0015 * draws[row, i, 1]


class Sensors:
    """Instruments of the line; every draw is made second by second, so block lengths do not matter.

    Parameters
    ----------
    technology, n_cells, seed
        As given to the line.
    faults
        ``stream_silent`` and ``sensor_fault`` among them are acted on here.
    """

    def __init__(self, technology: Technology, n_cells: int, seed: int, faults: Sequence[Fault]) -> None:
        rng = np.random.default_rng([seed, 3])
        anodes, segments = technology.n_anodes, technology.n_shell
        self._rated_A = technology.rated_current_A
        self._sides = technology.shell_sides
        self._sigma_V: F = rng.uniform(0.0035, 0.007, n_cells)
        self._anode_gain: F = 1.0 + 0.012 * rng.standard_normal((n_cells, anodes))
        self._shell_bias_C: F = 2.0 * rng.standard_normal((n_cells, segments))
        self._beam_bias_mm: F = 0.5 * rng.standard_normal(n_cells)
        self._voltage_state: F = np.zeros((n_cells, 4))
        self._line_state: F = np.zeros(3)
        slow_sensors = n_cells * (segments + 1)
        # Starts where the fluctuation stands after a long time, not at zero.
        self._draught_state: F = rng.standard_normal(slow_sensors)
        self._draught_tau_s: F = np.full(slow_sensors, 5400.0)
        self._draught_C: F = np.full(slow_sensors, 2.0)
        self._draw_voltage = np.random.default_rng([seed, 4])
        self._draw_chance = np.random.default_rng([seed, 5])
        self._draw_anode = np.random.default_rng([seed, 6])
        self._draw_slow = np.random.default_rng([seed, 7])
        self._draw_line = np.random.default_rng([seed, 8])
        self._faults = [f for f in faults if f.kind in ("stream_silent", "sensor_fault")]
        self._stuck: dict[int, float] = {}

    def line(self, seconds: NDArray[np.int64]) -> tuple[F, F]:
        """Line current [A] and potroom air [degC] of the given seconds of the day's clock.

        Parameters
        ----------
        seconds : (T,)
            Seconds from midnight of any day, in step.
        """
        drift = np.empty((seconds.shape[0], 3))
        gains = np.array([3.5e-4 * self._rated_A, 1.0e-3 * self._rated_A, 0.8])
        _colour(
            self._draw_line.standard_normal(drift.shape),
            self._line_state,
            np.array([4.0, 9000.0, 14400.0]),
            gains,
            drift,
        )
        day = np.sin((seconds - 36000) / 86400.0 * 2.0 * np.pi)
        return self._rated_A + drift[:, 0] + drift[:, 1], 25.0 + 5.5 * day + drift[:, 2]

    def read(self, true: Output, start_s: int) -> Output:
        """Measured values of a block of true ones (the log is passed through).

        Parameters
        ----------
        true
            Written by the kernels.
        start_s
            Second of the first row from the start of the record.
        """
        seconds, n = true.voltage_V.shape
        volt = true.voltage_V.copy()
        _voltage_noise(
            self._draw_voltage.standard_normal((seconds, n, 2)),
            self._draw_chance.random((seconds, n)),
            self._voltage_state,
            self._sigma_V,
            volt,
        )
        white = self._draw_anode.standard_normal(true.anode_A.shape, dtype=np.float32)
        anode = true.anode_A * (self._anode_gain + 0.004 * white)
        segments = true.shell_C.shape[2]
        slow = self._draw_slow.standard_normal((seconds, n * (segments + 1)))
        draught = np.empty_like(slow)
        _colour(slow, self._draught_state, self._draught_tau_s, self._draught_C, draught)
        slow, draught = (x.reshape(seconds, n, segments + 1) for x in (slow, draught))
        shell = true.shell_C + self._shell_bias_C + (draught + 0.25 * slow)[:, :, :segments]
        measured = Output(
            voltage_V=np.round(volt, 3),
            anode_A=np.round(anode, -1),
            shell_C=np.round(shell, 1),
            gas_C=np.round(true.gas_C + (draught + 0.8 * slow)[:, :, segments], 1),
            beam_mm=np.round(true.beam_mm + self._beam_bias_mm, 1),
            log=true.log,
        )
        for number, fault in enumerate(self._faults):
            self._fail(number, fault, measured, start_s)
        return measured

    def _fail(self, number: int, fault: Fault, measured: Output, start_s: int) -> None:
        first = max(int(fault.start_s) - start_s, 0)
        last = min(int(fault.end_s) - start_s, measured.voltage_V.shape[0])
        if first >= last:
            return
        if fault.kind == "stream_silent":
            for array in (
                measured.voltage_V,
                measured.anode_A,
                measured.shell_C,
                measured.gas_C,
                measured.beam_mm,
            ):
                array[first:last, fault.cell] = np.nan
        elif fault.side is not None:
            k = self._sides.index(fault.side)
            # An open thermocouple reads full scale.
            measured.shell_C[first:last, fault.cell, k] = 1372.0
        elif fault.anode is not None:
            # A frozen register repeats itself.
            value = self._stuck.setdefault(
                number, float(measured.anode_A[first, fault.cell, fault.anode - 1])
            )
            measured.anode_A[first:last, fault.cell, fault.anode - 1] = value
        else:
            value = self._stuck.setdefault(number, float(measured.voltage_V[first, fault.cell]))
            measured.voltage_V[first:last, fault.cell] = value
