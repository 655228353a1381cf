"""When each anode was set, by the plant's own log."""

import numpy as np
from numpy.typing import NDArray

_HOUR_US = 3_600_000_000


class AnodeLog:
    """Newest reported change of every anode.

    Parameters
    ----------
    n_cells, n_anodes_max
        Widths of the table.
    """

    def __init__(self, n_cells: int, n_anodes_max: int) -> None:
        self._set_us = np.zeros((n_cells, n_anodes_max), dtype=np.int64)

    def change(self, cell: int, anode: int, time_us: int) -> None:
        """Note a change; one that is older than what is known is passed over."""
        self._set_us[cell, anode] = max(int(self._set_us[cell, anode]), time_us)

    def age_h(self, time_us: int) -> NDArray[np.float64]:
        """Hours since the newest change, (n_cells, n_anodes_max); NaN where none is known."""
        age_h = (time_us - self._set_us) / _HOUR_US
        age_h[(self._set_us == 0) | (age_h < 0.0)] = np.nan
        return age_h
