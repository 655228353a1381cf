"""Newest measured values, with their age, for the screen: readings come at different rates and rarely all at once."""

import numpy as np
from numpy.typing import NDArray

from models.base import View
from twin.signals import SCALAR_READINGS

FloatArray = NDArray[np.float64]
#: A value older than this is not shown as present.
_KEPT_US = 120_000_000


class _Newest:
    """Newest finite value of every element of an array, and when it was seen."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._value = np.full(shape, np.nan)
        self._seen_us = np.zeros(shape, dtype=np.int64)

    def add(self, time_us: int, values: FloatArray) -> None:
        here = ~np.isnan(values)
        self._value[here] = values[here]
        self._seen_us[here] = time_us

    def at(self, time_us: int, kept_us: int) -> FloatArray:
        return np.where(time_us - self._seen_us <= kept_us, self._value, np.nan)


class Recent:
    """What was measured last, by scan; older than two minutes is missing (shell temperatures: twenty).

    Parameters
    ----------
    n_cells, n_anodes_max, n_shell_max
        Widths of the arrays.
    """

    def __init__(self, n_cells: int, n_anodes_max: int, n_shell_max: int) -> None:
        self._time_us = 0
        self._scalar = _Newest((len(SCALAR_READINGS), n_cells))
        self._residual_V = _Newest((n_cells,))
        self._anode_A = _Newest((n_cells, n_anodes_max))
        self._shell_C = _Newest((n_cells, n_shell_max))

    def add(self, view: View) -> None:
        """Take in one scan."""
        self._time_us = view.time_us
        self._scalar.add(view.time_us, view.scalar)
        self._residual_V.add(view.time_us, view.estimate.voltage_residual_V)
        self._anode_A.add(view.time_us, view.anode_current_A)
        self._shell_C.add(view.time_us, view.shell_temp_C)

    def scalar(self, signal: str) -> FloatArray:
        """Newest value of a scalar reading, (n_cells,)."""
        return self._scalar.at(self._time_us, _KEPT_US)[SCALAR_READINGS.index(signal)]

    @property
    def voltage_residual_V(self) -> FloatArray:
        """Newest difference of measured and expected voltage [V], (n_cells,)."""
        return self._residual_V.at(self._time_us, _KEPT_US)

    @property
    def anode_current_A(self) -> FloatArray:
        """Newest anode currents [A], (n_cells, n_anodes_max)."""
        return self._anode_A.at(self._time_us, _KEPT_US)

    @property
    def shell_temp_C(self) -> FloatArray:
        """Newest shell temperatures [degC], (n_cells, n_shell_max)."""
        return self._shell_C.at(self._time_us, 10 * _KEPT_US)
