"""Cell voltage as it would be at rated current, and when something was done to it; shared by the process detectors."""

import numpy as np

from models.base import CellLayout, FloatArray, View
from twin.signals import SCALAR_READINGS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_CURRENT = SCALAR_READINGS.index("line_current_A")
_BEAM = SCALAR_READINGS.index("beam_position_mm")
#: Voltage without current by which practice forms the pseudo-resistance [V] (physics reference 6.1).
ZERO_CURRENT_V = 1.65
#: Share of the rated current below which a voltage says nothing of the bath.
_OFF_frac = 0.5
#: A line current is held this long [s]; the voltage is not judged for the second time after an outage [s].
_HOLD_s, _RESTART_s = 60.0, 900.0


class SteadyVoltage:
    """Follows the voltage of every cell without what the line current does to it, and notes what the beam may do.

    Parameters
    ----------
    layout
        Instruments of the cells; where the plant does not say a rated current, the largest one seen stands for it.

    Attributes
    ----------
    rated_V : (n_cells,)
        Pseudo-resistance times rated current plus the voltage without current [V]; NaN where the voltage is not
        measured, the line is off or has just come back.
    moved : (n_cells,) bool
        The beam moved in this scan, or a move, a tap or an anode change is reported for the last minute: the step that
        follows is none of the bath's.
    current_A : (n_cells,)
        Line current, held for a minute.

    Notes
    -----
    Physics reference 6.1. The voltage without current is 1.65 V by habit, nearer to 1.78 V in truth: a change of the
    current by 10 % leaves an error of 13 mV.
    """

    def __init__(self, layout: CellLayout) -> None:
        n = len(layout.n_anodes)
        self._rated_A = layout.rated_current_A.copy()
        self._told = np.isfinite(self._rated_A)
        self._current_age_s = np.full(n, np.inf)
        self._running_s = np.zeros(n)
        self._beam_mm = np.full(n, np.nan)
        self.current_A = np.full(n, np.nan)
        self.rated_V = np.full(n, np.nan)
        self.moved = np.zeros(n, dtype=np.bool_)

    @property
    def rated_A(self) -> FloatArray:
        """Rated current, or the largest seen where the plant does not say it [A]; NaN before any."""
        return self._rated_A

    def step(self, view: View) -> None:
        """Take in one scan."""
        current_A, voltage_V = view.scalar[_CURRENT], view.scalar[_VOLTAGE]
        came = np.isfinite(current_A)
        self._rated_A = np.where(self._told | ~came, self._rated_A, np.fmax(self._rated_A, current_A))
        self._current_age_s = np.where(came, 0.0, self._current_age_s + view.scan_s)
        held = self._current_age_s <= _HOLD_s
        self.current_A = np.where(came, current_A, np.where(held, self.current_A, np.nan))
        on = self.current_A >= _OFF_frac * self._rated_A
        # An outage starts the wait anew; what is merely not measured does not.
        off = self.current_A < _OFF_frac * self._rated_A
        self._running_s = np.where(off, -_RESTART_s, self._running_s + np.where(on, view.scan_s, 0.0))
        judged = on & (self._running_s >= 0.0)
        resistance_ohm = (voltage_V - ZERO_CURRENT_V) / np.where(on, self.current_A, np.nan)
        self.rated_V = np.where(judged, ZERO_CURRENT_V + resistance_ohm * self._rated_A, np.nan)
        self._follow_beam(view)

    def _follow_beam(self, view: View) -> None:
        """Note movements of the beam, by its encoder and by the log."""
        beam_mm = view.scalar[_BEAM]
        self.moved = np.abs(beam_mm - self._beam_mm) > 0.05
        self._beam_mm = np.where(np.isfinite(beam_mm), beam_mm, self._beam_mm)
        since_us = view.time_us - 60_000_000
        for done in view.done:
            if done.event in ("beam_move", "tap", "anode_change") and done.time_us >= since_us:
                self.moved[done.cell] = True
