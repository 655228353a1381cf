"""Energy registers over a period: differences that close gaps, resets and rollovers split and flagged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_HOUR_US = 3_600_000_000


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
    first_us, last_us
        From when to when within the period it was read; both 0 without two readings.
    """

    energy_kWh: float
    known_s: float
    estimated_kWh: float
    resets: int
    longest_gap_s: float
    first_us: int = 0
    last_us: int = 0


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
        first_us=max(int(time_us[:-1][touches].min()), start_us),
        last_us=min(int(time_us[1:][touches].max()), end_us),
    )


def read_together(
    sums: Sequence[RegisterSum], start_us: int, end_us: int, min_coverage: float
) -> tuple[int, int]:
    """Whole hours in which registers were read together, as far as they cover enough of a period.

    Parameters
    ----------
    sums
        Of the registers over the period, the one that matters most first.
    start_us, end_us
        Of the period, UTC microseconds.
    min_coverage
        A register that would leave less of the period than this share (0-1) is passed over.

    Returns
    -------
    tuple[int, int]
        Start and end [UTC us]; those of the period where no register is left.

    Notes
    -----
    Energy of a register and metal of cells belong together only over the same hours: one that begins late or ends
    early in the period would otherwise count less energy for all the metal.
    """
    first_us, last_us = start_us, end_us
    for found in sums:
        begin_us = max(first_us, start_us - (start_us - found.first_us) // _HOUR_US * _HOUR_US)
        until_us = min(last_us, end_us - -((found.last_us - end_us) // _HOUR_US) * _HOUR_US)
        if until_us - begin_us >= min_coverage * (end_us - start_us):
            first_us, last_us = begin_us, until_us
    return first_us, last_us
