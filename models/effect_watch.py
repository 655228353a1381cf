"""Anode effects as they happen, scan by scan, by the rule of ``twin.anode_effects``; shared by several detectors."""

import numpy as np

from models.base import CellLayout, FloatArray, View
from twin.anode_effects import EffectRule
from twin.signals import SCALAR_READINGS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_CURRENT = SCALAR_READINGS.index("line_current_A")
#: One reading above the limit may be a glitch of the voltmeter: single readings must be above for this long [s].
_SINGLE_s = 20.0
#: A voltage that repeats itself for so long is a broken meter's [s].
_STUCK_s = 600.0
#: Share of the rated current below which the line is off, and a voltage says nothing.
_OFF_frac = 0.5
#: Memory of a cell's usual voltage [s]: some feed cycles.
_USUAL_s = 7200.0


class EffectWatch:
    """Follows the anode effects of all cells.

    A voltage above the limit counts when it lasted ``rule.min_s`` within scans of several readings, or 20 s where
    each scan has one reading, so that one wrong reading is none. A voltmeter that repeats one value to the last digit
    is broken, and a line that carries less than half of its rated current is off: both count nothing.

    Parameters
    ----------
    layout
        Instruments of the cells.
    rule
        What counts; None takes the defaults of the recorded case.

    Attributes
    ----------
    running, began : (n_cells,) bool
        An effect runs now; it was recognised in this scan.
    start_us, peak_V, seconds, energy_kWh : (n_cells,)
        Of the newest effect: first scan above the limit, UTC microseconds; highest reading; time since the start;
        energy above that of the usual voltage, NaN where the current is not measured.
    usual_V : (n_cells,)
        Mean voltage outside effects; NaN before the first.
    """

    def __init__(self, layout: CellLayout, rule: EffectRule | None = None) -> None:
        self.rule = rule or EffectRule()
        n = len(layout.n_anodes)
        self._rated_A = layout.rated_current_A.copy()
        self.running = np.zeros(n, dtype=np.bool_)
        self.began = np.zeros(n, dtype=np.bool_)
        self.start_us = np.zeros(n, dtype=np.int64)
        self.peak_V = np.full(n, np.nan)
        self.seconds = np.zeros(n)
        self.energy_kWh = np.zeros(n)
        self.usual_V = np.full(n, np.nan)
        self._above_s = np.zeros(n)
        self._quiet_s = np.full(n, np.inf)
        self._last_V = np.full(n, np.nan)
        self._same_s = np.zeros(n)

    def step(self, view: View) -> None:
        """Take in one scan."""
        rule, scan_s = self.rule, view.scan_s
        mean_V, current_A = view.scalar[_VOLTAGE], view.scalar[_CURRENT]
        high_V = np.fmax(view.voltage_high_V, mean_V)
        off = current_A < _OFF_frac * self._rated_A
        # A meter at the end of its range repeats itself through an effect; a broken one does so for longer.
        self._same_s = np.where(mean_V == self._last_V, self._same_s + scan_s, 0.0)
        seen = np.isfinite(mean_V) & ~off & (self._same_s < _STUCK_s)
        self._last_V = np.where(np.isfinite(mean_V), mean_V, self._last_V)

        high = seen & (high_V > rule.threshold_V)
        usual_V = np.where(np.isfinite(self.usual_V), self.usual_V, 0.5 * rule.threshold_V)
        # Share of the scan above the limit, if it was either usual or as high as its highest.
        share = np.clip((mean_V - usual_V) / np.maximum(high_V - usual_V, 0.1), 0.0, 1.0)
        fresh = high & (self._quiet_s >= rule.merge_s) & ~self.running
        self._above_s[fresh] = 0.0
        self.start_us[fresh] = view.time_us - round(scan_s * 1e6)
        self.peak_V[fresh] = -np.inf
        self.seconds[fresh] = 0.0
        self.energy_kWh[fresh] = 0.0
        self._above_s += np.where(high, share * scan_s, 0.0)
        self._quiet_s = np.where(high, 0.0, self._quiet_s + scan_s)
        ended = self.running & (self._quiet_s >= np.where(np.isfinite(mean_V), rule.merge_s, rule.max_gap_s))
        self.running &= ~ended

        several = view.voltage_high_V > view.voltage_low_V
        needed_s = np.where(several, rule.min_s, max(_SINGLE_s, rule.min_s))
        self.began = high & ~self.running & (self._above_s >= needed_s)
        self.running |= self.began
        counted = high | (self.running & np.isfinite(mean_V))
        self.peak_V = np.where(high, np.fmax(self.peak_V, high_V), self.peak_V)
        self.seconds += np.where(counted, scan_s, 0.0)
        kWh = (mean_V - usual_V) * current_A * scan_s / 3.6e6
        self.energy_kWh += np.where(counted, kWh, 0.0)

        calm = seen & ~high & (mean_V > 0.0)
        self._learn(mean_V, calm, scan_s)

    def _learn(self, mean_V: FloatArray, calm: np.ndarray, scan_s: float) -> None:
        """Follow the usual voltage."""
        gain = scan_s / (scan_s + _USUAL_s)
        known = np.isfinite(self.usual_V)
        self.usual_V = np.where(
            calm, np.where(known, self.usual_V + gain * (mean_V - self.usual_V), mean_V), self.usual_V
        )
