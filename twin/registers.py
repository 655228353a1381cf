"""Energy registers over a period: differences that close gaps, resets and rollovers split and flagged."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class RegisterSum(NamedTuple):
    """What a register counted in a period.

    Attributes
    ----------
    energy_kWh
        NaN when there are not two readings.
    known_s
        Time between readings that belong together, within the period.
    estimated_kWh
        Part that was interpolated over a reset, at the mean power of the rest.
    resets
        How often the register started again.
    longest_gap_s
        Between two readings that touch the period.
    """

    energy_kWh: float
    known_s: float
    estimated_kWh: float
    resets: int
    longest_gap_s: float


def register_sum(
    time_us: IntArray, value_kWh: FloatArray, start_us: int, end_us: int, rollover_kWh: float | None = None
) -> RegisterSum:
    """Sum a register over a period by differences of its readings.

    Parameters
    ----------
    time_us, value_kWh : (n,)
        Readings in order of time.
    start_us, end_us
        Of the period; a difference across its ends counts in proportion to time.
    rollover_kWh
        Value at which the register starts again from 0; None when it has none.

    Notes
    -----
    Energy reference 7.8 (1): a difference closes any gap and stays valid. A register that runs backwards was reset,
    unless the rollover explains it: what it had counted before is lost, that span is estimated at the mean power of
    the others and flagged.

    Examples
    --------
    >>> times = np.array([0, 3_600_000_000, 7_200_000_000])
    >>> register_sum(times, np.array([100.0, 110.0, 130.0]), 0, 7_200_000_000).energy_kWh
    30.0
    """
    nothing = RegisterSum(float("nan"), 0.0, 0.0, 0, float("nan"))
    known = np.isfinite(value_kWh)
    time_us, value_kWh = time_us[known], value_kWh[known]
    if len(time_us) < 2:
        return nothing
    span_us = np.diff(time_us)
    used = np.diff(value_kWh)
    back = used < 0.0
    if rollover_kWh is not None:
        rolled = back & (value_kWh[:-1] > 0.9 * rollover_kWh) & (value_kWh[1:] < 0.1 * rollover_kWh)
        used = np.where(rolled, used + rollover_kWh, used)
        back &= ~rolled
    inside_us = np.minimum(time_us[1:], end_us) - np.maximum(time_us[:-1], start_us)
    touches = (inside_us > 0) & (span_us > 0)
    if not touches.any():
        return nothing
    share = np.divide(inside_us, span_us, out=np.zeros(len(span_us)), where=touches)
    good, lost = touches & ~back, touches & back
    energy_kWh = float((used * share)[good].sum())
    known_s = float(inside_us[good].sum()) * 1e-6
    mean_kW = energy_kWh / known_s if known_s > 0.0 else float("nan")
    estimated_kWh = mean_kW * float(inside_us[lost].sum()) * 1e-6 if lost.any() else 0.0
    return RegisterSum(
        energy_kWh=energy_kWh + estimated_kWh,
        known_s=known_s,
        estimated_kWh=estimated_kWh,
        resets=int(lost.sum()),
        longest_gap_s=float(span_us[touches].max()) * 1e-6,
    )
