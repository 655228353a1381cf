"""What self-calibration looks at: quiet hours of every cell, measurements by hand and taps, gathered scan by scan."""

from collections.abc import Mapping
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Length of a window [s]; a ledge takes hours, so nothing slower is lost.
WINDOW_S = 3600.0
#: A window counts when the cell was assessed and measured in this share of it.
_MIN_SHARE = 0.5
#: How long a cell is not itself: after an anode change the voltage is held high and the bath cools for hours, during
#: and after a tap the distance changes, an anode effect heats the bath [s].
_AFTER_CHANGE_S, _AFTER_TAP_S, _AFTER_EFFECT_S = 4 * 3600.0, 3600.0, 4 * 3600.0
#: This far above nominal a voltage is an anode effect [V].
_EFFECT_V = 1.0


class HandSample(NamedTuple):
    """A measurement by hand or an analysis: cell index, signal, when it was taken [s], value in the signal's unit."""

    cell: int
    signal: str
    time_s: float
    value: float


class Tapped(NamedTuple):
    """Metal taken out of a cell: cell index, when [s], how much [kg]."""

    cell: int
    time_s: float
    metal_kg: float


class History(NamedTuple):
    """A recorded history as calibration takes it; windows first, NaN where a window does not count.

    Attributes
    ----------
    start_s, end_s
        First and last time of what was gathered [s].
    time_s : (n_windows,)
        End of each window [s].
    line_current_A, cell_voltage_V, ambient_temp_C : (n_windows, n_cells)
        Means of quiet windows.
    shell_temp_C : (n_windows, n_cells, n_shell)
        Means of quiet windows [degC].
    charge_As : (n_windows, n_cells)
        Mean line current of all windows, quiet or not, times their length [A s].
    samples, taps
        By hand; those of disturbed times are left out of ``samples`` (levels of the metal are not).
    n_disturbed : (n_cells,)
        Windows left out because of anode changes, taps, anode effects and times other than normal operation.
    """

    start_s: float
    end_s: float
    time_s: FloatArray
    line_current_A: FloatArray
    cell_voltage_V: FloatArray
    ambient_temp_C: FloatArray
    shell_temp_C: FloatArray
    charge_As: FloatArray
    samples: tuple[HandSample, ...]
    taps: tuple[Tapped, ...]
    n_disturbed: NDArray[np.int64]


class HistoryBuilder:
    """Gathers a history for calibration from scans, events and samples in any order within the history.

    Parameters
    ----------
    nominal_voltage_V : (n_cells,)
        [V]; a voltage 1 V higher is an anode effect.
    n_shell
        Width of the arrays of shell temperatures.
    """

    def __init__(self, nominal_voltage_V: FloatArray, n_shell: int) -> None:
        self._effect_V = nominal_voltage_V + _EFFECT_V
        n = nominal_voltage_V.shape[0]
        self._width = 5 + n_shell
        self._sums = np.zeros((n, self._width))
        self._counts = np.zeros((n, self._width))
        self._scans = 0
        self._low_V, self._high_V = np.full(n, inf), np.full(n, -inf)
        self._open: int | None = None
        self._start_s, self._end_s = inf, -inf
        self._rows: list[FloatArray] = []
        self._times: list[float] = []
        self._samples: list[HandSample] = []
        self._taps: list[Tapped] = []
        self._disturbed: list[list[tuple[float, float]]] = [[] for _ in range(n)]
        self._tapping: list[list[tuple[float, float]]] = [[] for _ in range(n)]
        self._not_normal_s = np.full(n, np.nan)

    def add(
        self,
        time_s: float,
        assessed: NDArray[np.bool_],
        line_current_A: FloatArray,
        cell_voltage_V: FloatArray,
        ambient_temp_C: FloatArray,
        shell_temp_C: FloatArray,
    ) -> None:
        """Take in one scan; scans come in the order of time.

        Parameters
        ----------
        time_s
            End of the scan [s].
        assessed : (n_cells,)
            Whether the twin had a basis: data of good quality, normal operation.
        line_current_A, cell_voltage_V, ambient_temp_C : (n_cells,)
            Means of the scan; NaN where not measured.
        shell_temp_C : (n_cells, n_shell)
            [degC]
        """
        window = int((time_s - 1e-6) // WINDOW_S)
        if self._open is not None and window != self._open:
            self._close(self._open)
        self._open = window
        self._start_s, self._end_s = min(self._start_s, time_s), max(self._end_s, time_s)
        self._scans += 1
        for cell in np.flatnonzero(cell_voltage_V > self._effect_V):
            self._disturbed[cell].append((time_s - WINDOW_S, time_s + _AFTER_EFFECT_S))
        here = assessed & ~np.isnan(line_current_A) & ~np.isnan(cell_voltage_V)
        values = np.column_stack((line_current_A, cell_voltage_V, ambient_temp_C, shell_temp_C))
        values = np.where(here[:, None], values, np.nan)
        values = np.column_stack((values, line_current_A, np.ones_like(line_current_A)))
        seen = ~np.isnan(values)
        self._sums[seen] += values[seen]
        self._counts += seen
        self._low_V = np.fmin(self._low_V, cell_voltage_V)
        self._high_V = np.fmax(self._high_V, cell_voltage_V)

    def sample(self, sample: HandSample) -> None:
        """Take in a measurement by hand or an analysis; what is not finite is left out."""
        if isfinite(sample.value):
            self._samples.append(sample)

    def event(self, cell: int, event: str, attributes: Mapping[str, object], time_s: float) -> None:
        """Take note of what was done at a cell at a time [s]; the attributes are those of the vocabulary."""
        if event == "anode_change":
            self._disturbed[cell].append((time_s, time_s + _AFTER_CHANGE_S))
        elif event == "tap":
            # A tap moves the voltage, not the temperature or the composition: samples count.
            self._tapping[cell].append((time_s, time_s + _AFTER_TAP_S))
            metal_kg = attributes.get("metal_kg")
            if isinstance(metal_kg, int | float) and isfinite(metal_kg):
                self._taps.append(Tapped(cell, time_s, float(metal_kg)))
        elif event == "cell_state":
            normal, since_s = attributes.get("state") == "NORMAL", self._not_normal_s[cell]
            if not normal and np.isnan(since_s):
                self._not_normal_s[cell] = time_s
            elif normal and not np.isnan(since_s):
                self._disturbed[cell].append((float(since_s), time_s + _AFTER_CHANGE_S))
                self._not_normal_s[cell] = np.nan

    def history(self) -> History:
        """Everything gathered so far, without what was disturbed."""
        if self._open is not None:
            self._close(self._open)
            self._open = None
        n = self._effect_V.shape[0]
        disturbed = [
            [*spans, *([(float(since_s), inf)] if not np.isnan(since_s) else [])]
            for spans, since_s in zip(self._disturbed, self._not_normal_s, strict=True)
        ]
        times = np.array(self._times)
        rows = np.array(self._rows).reshape(len(times), n, self._width)
        quiet = np.ones((len(times), n), dtype=np.bool_)
        for cell, spans in enumerate(disturbed):
            for first_s, last_s in (*spans, *self._tapping[cell]):
                quiet[(times > first_s) & (times - WINDOW_S < last_s), cell] = False
        values = np.where(quiet[:, :, None], rows[:, :, :-2], np.nan)
        samples = [
            sample
            for sample in sorted(set(self._samples))
            if sample.signal == "metal_height_m"
            or not any(first_s <= sample.time_s < last_s for first_s, last_s in disturbed[sample.cell])
        ]
        return History(
            start_s=self._start_s,
            end_s=self._end_s,
            time_s=times,
            line_current_A=values[:, :, 0],
            cell_voltage_V=values[:, :, 1],
            ambient_temp_C=values[:, :, 2],
            shell_temp_C=values[:, :, 3:],
            charge_As=rows[:, :, -2] * WINDOW_S,
            samples=tuple(samples),
            taps=tuple(sorted(set(self._taps))),
            n_disturbed=(~quiet).sum(axis=0),
        )

    def _close(self, window: int) -> None:
        """End a window: means of what was measured in enough of it."""
        # A meter that repeats its last value to the digit for an hour is not measuring.
        moving = self._high_V > self._low_V
        with np.errstate(invalid="ignore", divide="ignore"):
            means = self._sums / self._counts
        means[self._counts[:, 0] < _MIN_SHARE * self._scans, :-2] = np.nan
        means[~moving, :-2] = np.nan
        self._times.append((window + 1) * WINDOW_S)
        self._rows.append(means)
        self._sums.fill(0.0)
        self._counts.fill(0.0)
        self._scans = 0
        self._low_V.fill(inf)
        self._high_V.fill(-inf)
