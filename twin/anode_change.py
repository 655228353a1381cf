"""How an anode change went: what it cost in voltage, noise and energy, and when the new anode carried its share."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Windows before and after [h], share of the mean anode current that counts as taken up, and punctuality [h].
NEAR_H, ENERGY_H, PICKED_UP_FRAC, ON_TIME_H = 6.0, 24.0, 0.70, 2.0
#: A log is wrong by less than this [h], and an anode that was lifted or just set carries less than this share.
LIFTED_H, LIFTED_FRAC = 1.0, 0.30


class AnodeChange(NamedTuple):
    """One anode change.

    Attributes
    ----------
    voltage_rise_V
        Mean cell voltage in the 6 h after, less that of the 6 h before.
    noise_ratio
        Scatter of the cell's resistance after, over before.
    extra_kWh
        Energy above the voltage before, over 24 h.
    hours_to_70_pct
        Until the new anode carries 70 % of the mean anode current; NaN where it is not measured or never does.
    """

    voltage_rise_V: float
    noise_ratio: float
    extra_kWh: float
    hours_to_70_pct: float


def anode_change(
    hours: FloatArray, voltage_V: FloatArray, current_A: FloatArray, anode_share: FloatArray | None = None
) -> AnodeChange:
    """Work out the figures of one change.

    Parameters
    ----------
    hours : (n,)
        Time since the change [h], rising, from -6 to 24.
    voltage_V, current_A : (n,)
        Cell voltage and line current; NaN where not measured.
    anode_share : (n,), optional
        Current of the new anode over the mean of all anodes.

    Notes
    -----
    Energy reference 1.4 (T07). The noise ratio takes everything faster than the sampling of the input; the
    reference's band of 0.001-0.1 Hz needs samples every 5 s.
    """
    measured = np.isfinite(voltage_V) & np.isfinite(current_A)
    before = measured & (hours >= -NEAR_H) & (hours < 0.0)
    after = measured & (hours >= 0.0) & (hours < NEAR_H)
    nothing = AnodeChange(math.nan, math.nan, math.nan, math.nan)
    if before.sum() < 3 or after.sum() < 3:
        return nothing
    before_V = float(voltage_V[before].mean())
    ohm = np.divide(voltage_V, current_A, out=np.full_like(voltage_V, np.nan), where=current_A > 0.0)
    day = measured & (hours >= 0.0) & (hours <= ENERGY_H)
    extra_kW = (voltage_V[day] - before_V) * current_A[day] / 1000.0
    noise = [float(np.std(np.diff(ohm[part]))) for part in (before, after)]
    taken = math.nan
    if anode_share is not None:
        # The log may be early: the old anode carries its share until it is lifted.
        lifted = np.flatnonzero((np.abs(hours) <= LIFTED_H) & (anode_share < LIFTED_FRAC))
        begin_h = float(hours[lifted[0]]) if len(lifted) else math.inf
        up = np.flatnonzero((hours >= begin_h) & (anode_share >= PICKED_UP_FRAC))
        taken = float(hours[up[0]]) if len(up) else math.nan
    return AnodeChange(
        voltage_rise_V=float(voltage_V[after].mean()) - before_V,
        noise_ratio=noise[1] / noise[0] if noise[0] > 0.0 else math.nan,
        extra_kWh=float(np.trapezoid(extra_kW, hours[day])),
        hours_to_70_pct=taken,
    )


def spread(values: FloatArray) -> tuple[float, float, int]:
    """Median, 90th percentile and number of the values that are known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan, 0
    return float(np.median(known)), float(np.quantile(known, 0.9)), len(known)


def on_schedule_pct(delay_h: FloatArray) -> float:
    """Share of changes within two hours of their plan [%]; NaN without any."""
    known = delay_h[np.isfinite(delay_h)]
    return 100.0 * float((np.abs(known) <= ON_TIME_H).mean()) if len(known) else math.nan
