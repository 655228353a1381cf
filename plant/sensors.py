"""What the instruments make of the true values: noise with a colour, own errors, resolution, and failures."""

from collections.abc import Sequence

import numpy as np

from plant.faults.kind import Fault
from plant.noise import colour, voltage_noise
from plant.state import F, Output
from plant.technology import Technology

#: A voltmeter ends here, and what an open thermocouple reads.
_RANGE_V, _OPEN_C = 60.0, 1372.0
#: Largest error of an instrument that is off: of a thermocouple [K], of another as a share of its value.
_WRONG = (60.0, 0.15)
#: Thermocouples are replaced after so long.
_CALIBRATED_S = 60 * 86400.0
#: A transmitter of bar temperatures looks once a minute and holds what it saw [s].
_BAR_S = 60
_CRANE_S, _CRANE_A_CELL_HOUR = 90, 0.05


class Sensors:
    """Instruments of the line; every draw is made second by second, so block lengths do not matter.

    Parameters
    ----------
    technology, n_cells, seed
        As given to the line.
    faults
        ``stream_silent`` and ``sensor_fault`` among them are acted on here.
    rough
        Whether cranes disturb the anode currents and thermocouples age.
    """

    def __init__(
        self, technology: Technology, n_cells: int, seed: int, faults: Sequence[Fault], rough: bool
    ) -> None:
        rng = np.random.default_rng([seed, 3])
        anodes, segments = technology.n_anodes, technology.n_shell
        self._sides = technology.shell_sides
        self._sigma_V: F = rng.uniform(0.0035, 0.007, n_cells)
        self._anode_gain: F = 1.0 + 0.012 * rng.standard_normal((n_cells, anodes))
        self._shell_bias_C: F = 2.0 * rng.standard_normal((n_cells, segments))
        self._beam_bias_mm: F = 0.5 * rng.standard_normal(n_cells)
        self._voltage_state: F = np.zeros((n_cells, 4))
        slow_sensors = n_cells * (segments + 1)
        # Starts where the fluctuation stands after a long time, not at zero.
        self._draught_state: F = rng.standard_normal(slow_sensors)
        self._draught_tau_s: F = np.full(slow_sensors, 5400.0)
        self._draught_C: F = np.full(slow_sensors, 2.0)
        bars = n_cells * technology.n_bars
        self._draw_bar = np.random.default_rng([seed, 19])
        self._bar_bias_C: F = 2.0 * self._draw_bar.standard_normal((n_cells, technology.n_bars))
        self._bar_state: F = self._draw_bar.standard_normal(bars)
        self._bar_tau: F = np.full(bars, 5400.0 / _BAR_S)
        self._bar_gain_C: F = np.full(bars, 1.5)
        self._bar_held_C: F = np.full((n_cells, technology.n_bars), np.nan)
        self._draw_voltage = np.random.default_rng([seed, 4])
        self._draw_chance = np.random.default_rng([seed, 5])
        self._draw_anode = np.random.default_rng([seed, 6])
        self._draw_slow = np.random.default_rng([seed, 7])
        self._faults = [f for f in faults if f.kind in ("stream_silent", "sensor_fault")]
        self._stuck: dict[int, float] = {}
        self._seed = seed
        self._rough = rough
        # Thermocouples age by 0.5-3 K a week, either way.
        week_K = rng.uniform(0.5, 3.0, (n_cells, segments)) * rng.choice([-1.0, 1.0], (n_cells, segments))
        self._ageing_K_s: F = week_K / (7 * 86400.0) if rough else np.zeros((n_cells, segments))

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
        voltage_noise(
            self._draw_voltage.standard_normal((seconds, n, 2)),
            self._draw_chance.random((seconds, n)),
            self._voltage_state,
            self._sigma_V,
            volt,
        )
        np.minimum(volt, _RANGE_V, out=volt)
        white = self._draw_anode.standard_normal(true.anode_A.shape, dtype=np.float32)
        anode = true.anode_A * (self._anode_gain + 0.004 * white)
        segments = true.shell_C.shape[2]
        slow = self._draw_slow.standard_normal((seconds, n * (segments + 1)))
        draught = np.empty_like(slow)
        colour(slow, self._draught_state, self._draught_tau_s, self._draught_C, draught)
        slow, draught = (x.reshape(seconds, n, segments + 1) for x in (slow, draught))
        if self._rough:
            self._crane(anode, start_s)
        age_s = (start_s + np.arange(seconds))[:, None, None]
        bias_C = self._shell_bias_C + self._ageing_K_s * (age_s % _CALIBRATED_S)
        shell = true.shell_C + bias_C + (draught + 0.25 * slow)[:, :, :segments]
        measured = Output(
            voltage_V=np.round(volt, 3),
            anode_A=np.round(anode, -1),
            shell_C=np.round(shell, 1),
            bar_C=self._bars(true.bar_C, start_s),
            gas_C=np.round(true.gas_C + (draught + 0.8 * slow)[:, :, segments], 1),
            beam_mm=np.round(true.beam_mm + self._beam_bias_mm, 1),
            log=true.log,
        )
        for number, fault in enumerate(self._faults):
            self._fail(number, fault, measured, start_s)
        return measured

    def _bars(self, true_C: F, start_s: int) -> F:
        """Bar temperatures as they are read every minute from second 0 on, held in between."""
        seconds, n, bars = true_C.shape
        looked = np.flatnonzero((start_s + np.arange(seconds)) % _BAR_S == 0)
        draws = self._draw_bar.standard_normal((looked.shape[0], 2, n * bars))
        draught = np.empty((looked.shape[0], n * bars))
        colour(np.ascontiguousarray(draws[:, 0]), self._bar_state, self._bar_tau, self._bar_gain_C, draught)
        noise = (draught + draws[:, 1]).reshape(looked.shape[0], n, bars)
        seen = np.round(true_C[looked] + self._bar_bias_C + noise, 1)
        values = np.concatenate([self._bar_held_C[None], seen])
        self._bar_held_C = values[-1]
        return values[np.searchsorted(looked, np.arange(seconds), side="right")]

    def _crane(self, anode_A: F, start_s: int) -> None:
        """A pot-tending crane stands over some anodes for a minute: its steel bends the field that is measured."""
        seconds, n, anodes = anode_A.shape
        for hour in range((start_s - _CRANE_S) // 3600, (start_s + seconds) // 3600 + 1):
            rng = np.random.default_rng([self._seed, 17, hour + 100])
            for _ in range(int(rng.poisson(_CRANE_A_CELL_HOUR * n))):
                begin = hour * 3600 + int(rng.integers(3600)) - start_s
                cell, first = int(rng.integers(n)), int(rng.integers(anodes - 3))
                size = float(rng.uniform(-0.08, 0.08))
                rows = slice(max(begin, 0), max(begin + int(rng.integers(15, _CRANE_S)), 0))
                anode_A[rows, cell, first : first + 3] *= 1.0 + size

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
                measured.bar_C,
                measured.gas_C,
                measured.beam_mm,
            ):
                array[first:last, fault.cell] = np.nan
            return
        array, index = self._of(fault, measured)
        values = array[(slice(first, last), fault.cell, *index)]
        if fault.shape == "open" or (fault.side is not None and fault.shape == "ramp"):
            # An open thermocouple reads full scale, an open shunt nothing.
            values[:] = _OPEN_C if fault.side is not None else 0.0
        elif fault.shape in ("bias", "drift"):
            size = _WRONG[0 if fault.side is not None else 1] * fault.severity
            share = 1.0
            if fault.shape == "drift":
                share = (start_s + np.arange(first, last) - fault.start_s) / (fault.end_s - fault.start_s)
            values += (
                size * share if fault.side is not None else size * share * self._stuck_at(number, values)
            )
        else:
            # A frozen register repeats itself.
            values[:] = self._stuck_at(number, values)

    def _stuck_at(self, number: int, values: F) -> float:
        return self._stuck.setdefault(number, float(values[0]))

    def _of(self, fault: Fault, measured: Output) -> tuple[F, tuple[int, ...]]:
        """Array and place of the instrument of a fault: a thermocouple, an anode current, or the voltmeter."""
        if fault.side is not None:
            return measured.shell_C, (self._sides.index(fault.side),)
        if fault.anode is not None:
            return measured.anode_A, (fault.anode - 1,)
        return measured.voltage_V, ()
