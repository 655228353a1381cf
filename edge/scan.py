"""Gathers frames into scans: what the twin and the detectors see every few seconds of event time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.frame import Frame
from twin.signals import ARRAY_READINGS, SCALAR_READINGS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_ANODE = ARRAY_READINGS.index("anode_current_A")
_SHELL = ARRAY_READINGS.index("shell_temp_C")
_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
#: Silence that is scanned as finely as everything else; what lasts longer than this is not.
_FINE_US = 3_600_000_000


class Scan(NamedTuple):
    """Readings of one scan, cells second for scalars and first for arrays; NaN is missing.

    Attributes
    ----------
    time_us
        End of the scan, UTC microseconds.
    length_s
        Time since the scan before; longer than usual only where nothing was measured.
    scalar : (n_scalar_readings, n_cells)
        Means.
    scalar_bad : (n_scalar_readings, n_cells)
        Refused readings.
    last_good_us : (n_scalar_readings, n_cells)
        Time of the newest good reading, 0 for never.
    anode_current_A : (n_cells, n_anodes_max)
        Means.
    shell_temp_C : (n_cells, n_shell_max)
        Newest.
    anode_bad, shell_bad : (n_cells,)
        Refused elements.
    voltage_low_V, voltage_high_V : (n_cells,)
        Extremes of the cell voltage.
    bar_temp_C : (n_cells, n_bars_max)
        Newest.
    feed_kg : (n_cells,)
        Alumina fed.
    """

    time_us: int
    length_s: float
    scalar: FloatArray
    scalar_bad: FloatArray
    last_good_us: IntArray
    anode_current_A: FloatArray
    shell_temp_C: FloatArray
    anode_bad: FloatArray
    shell_bad: FloatArray
    voltage_low_V: FloatArray
    voltage_high_V: FloatArray
    bar_temp_C: FloatArray
    feed_kg: FloatArray


class ScanBuilder:
    """Collects frames in time order and gives scans on a grid that is the same for every run.

    The first frame that holds a reading begins. Where no reading comes for an hour, each further scan is as long as
    the silence was at its beginning (1, 2, 4 ... hours), and one more empty scan ends at the last point of the grid
    before the next reading. So a gap costs a bounded number of scans, whether the clock creeps through it, as live,
    or leaps over it, as in a replay; and the scans are the same.

    Parameters
    ----------
    n_cells, n_anodes_max, n_shell_max, n_bars_max
        Widths of the arrays.
    scan_us
        Length of a scan [us]; scans begin at whole multiples of it since 1970.
    """

    def __init__(
        self, n_cells: int, n_anodes_max: int, n_shell_max: int, n_bars_max: int, scan_us: int
    ) -> None:
        self.scan_us = scan_us
        self._start_us = 0
        self._end_us = 0
        #: End of the newest scan that holds a reading.
        self._heard_us = 0
        rows = len(SCALAR_READINGS)
        self._sum = np.zeros((rows, n_cells))
        self._count = np.zeros((rows, n_cells))
        self._bad = np.zeros((rows, n_cells))
        self._last_good_us = np.zeros((rows, n_cells), dtype=np.int64)
        self._anode_sum = np.zeros((n_cells, n_anodes_max))
        self._anode_count = np.zeros((n_cells, n_anodes_max))
        self._shell = np.full((n_cells, n_shell_max), np.nan)
        self._bars = np.full((n_cells, n_bars_max), np.nan)
        self._low_V = np.full(n_cells, np.nan)
        self._high_V = np.full(n_cells, np.nan)
        self._anode_bad = np.zeros(n_cells)
        self._shell_bad = np.zeros(n_cells)
        self._feed_kg = np.zeros(n_cells)

    def before(self, time_us: int) -> Iterator[Scan]:
        """Close and give every scan that ends at or before a time; nothing before the first reading."""
        while self._end_us and self._end_us <= time_us:
            yield self._close()

    def up_to(self, frame: Frame) -> Iterator[Scan]:
        """Close and give every scan that a frame does not belong to any more."""
        yield from self.before(frame.time_us)
        if self._end_us - self._start_us > self.scan_us and _holds_readings(frame):
            self._end_us = frame.time_us // self.scan_us * self.scan_us
            if self._end_us > self._start_us:
                yield self._close()
            self._end_us = self._start_us + self.scan_us

    def add(self, frame: Frame) -> None:
        """Take in a frame; the scans ``up_to`` it must have been taken out."""
        if not _holds_readings(frame):
            return
        if not self._end_us:
            self._start_us = frame.time_us // self.scan_us * self.scan_us
            self._end_us = self._start_us + self.scan_us
        self._heard_us = self._end_us
        here = ~np.isnan(frame.scalar)
        self._sum[here] += frame.scalar[here]
        self._count += here
        self._bad += frame.bad
        np.fmin(self._low_V, frame.scalar[_VOLTAGE], out=self._low_V)
        np.fmax(self._high_V, frame.scalar[_VOLTAGE], out=self._high_V)
        self._last_good_us[here] = frame.time_us
        if frame.anode_current_A is not None:
            seen = ~np.isnan(frame.anode_current_A)
            self._anode_sum[seen] += frame.anode_current_A[seen]
            self._anode_count += seen
        if frame.shell_temp_C is not None:
            seen = ~np.isnan(frame.shell_temp_C)
            self._shell[seen] = frame.shell_temp_C[seen]
        if frame.collector_bar_temp_C is not None:
            seen = ~np.isnan(frame.collector_bar_temp_C)
            self._bars[seen] = frame.collector_bar_temp_C[seen]
        self._anode_bad += frame.array_bad[_ANODE]
        self._shell_bad += frame.array_bad[_SHELL]

    def feed(self, cell: int, mass_kg: float) -> None:
        """Add alumina to the open scan."""
        self._feed_kg[cell] += mass_kg

    def _close(self) -> Scan:
        with np.errstate(invalid="ignore"):
            scan = Scan(
                time_us=self._end_us,
                length_s=(self._end_us - self._start_us) * 1e-6,
                scalar=self._sum / self._count,
                scalar_bad=self._bad.copy(),
                last_good_us=self._last_good_us.copy(),
                anode_current_A=self._anode_sum / self._anode_count,
                shell_temp_C=self._shell.copy(),
                anode_bad=self._anode_bad.copy(),
                shell_bad=self._shell_bad.copy(),
                voltage_low_V=self._low_V.copy(),
                voltage_high_V=self._high_V.copy(),
                bar_temp_C=self._bars.copy(),
                feed_kg=self._feed_kg.copy(),
            )
        self._start_us = self._end_us
        silent_us = self._end_us - self._heard_us
        self._end_us += self.scan_us if silent_us < _FINE_US else silent_us
        for array in (self._sum, self._count, self._bad, self._anode_sum, self._anode_count):
            array.fill(0.0)
        for array in (self._anode_bad, self._shell_bad, self._feed_kg):
            array.fill(0.0)
        for array in (self._shell, self._bars, self._low_V, self._high_V):
            array.fill(np.nan)
        return scan


def _holds_readings(frame: Frame) -> bool:
    """Whether anything was measured; what people do and what a log says is no reading."""
    arrays = (frame.anode_current_A, frame.shell_temp_C, frame.collector_bar_temp_C)
    return (
        any(array is not None for array in arrays)
        or bool(frame.bad.any() or frame.array_bad.any())
        or not bool(np.isnan(frame.scalar).all())
    )
