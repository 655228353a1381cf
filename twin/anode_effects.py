"""Anode effects in recorded voltages: when, how long, how much energy, and what that means per cell and day."""

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.jit import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class EffectRule(NamedTuple):
    """What counts as one anode effect.

    Attributes
    ----------
    threshold_V
        Cell voltage above which it is one. 8 V is the usual limit of a high-voltage anode effect.
    min_s
        Shorter ones are not counted.
    merge_s
        Two with less than this between them are one.
    max_gap_s
        Where no voltage comes for longer, an effect ends with the last one seen: nothing is extrapolated.
    """

    threshold_V: float = 8.0
    min_s: float = 3.0
    merge_s: float = 15.0
    max_gap_s: float = 60.0


class AnodeEffects(NamedTuple):
    """Anode effects of some cells, (n_effects,) each, cell by cell in order of time.

    Attributes
    ----------
    cell
        Row of the voltages.
    start_s, end_s
        First sample above the threshold and first one not above it again, in the times given.
    peak_V, mean_V
        Highest and mean voltage over its time, short dips within it included.
    overvoltage_Vs
        Voltage above the cell's target over its time, integrated [V s].
    energy_kWh
        Energy above that of the target voltage; NaN where the current was not measured.
    cut
        Whether it was seen only in part: the record began, ended or had a hole in it.
    """

    cell: IntArray
    start_s: FloatArray
    end_s: FloatArray
    peak_V: FloatArray
    mean_V: FloatArray
    overvoltage_Vs: FloatArray
    energy_kWh: FloatArray
    cut: BoolArray

    @property
    def minutes(self) -> FloatArray:
        """Length of each [min]."""
        return (self.end_s - self.start_s) / 60.0


class Activity(NamedTuple):
    """Anode effects of a group of cells over a period.

    Attributes
    ----------
    per_cell_day
        Effects per operating cell and day (AEF).
    minutes_each
        Mean length [min] (AED); NaN without any.
    min_per_cell_day
        Minutes per operating cell and day (AEM), what the slope method takes.
    """

    per_cell_day: float
    minutes_each: float
    min_per_cell_day: float


#: Columns of a record inside the kernel.
_COLUMNS = 7


@kernel
def _scan(
    time_s: FloatArray,
    voltage_V: FloatArray,
    target_V: float,
    current_A: FloatArray,
    rule: EffectRule,
    found: FloatArray,
) -> int:
    """Find the effects of one cell; writes as many as there is room for, returns how many there are."""
    count, n = 0, time_s.shape[0]
    open_, start, end, peak = False, 0.0, 0.0, 0.0
    over_Vs, energy_J, volt_s, cut = 0.0, 0.0, 0.0, False
    dip_over, dip_energy, dip_volt = 0.0, 0.0, 0.0
    last = -1
    for k in range(n + 1):
        ends = k == n
        if not ends and isnan(voltage_V[k]):
            continue
        gap = not ends and last >= 0 and time_s[k] - time_s[last] > rule.max_gap_s
        if open_ and last >= 0 and not ends and not gap:
            # A sample stands until the next one.
            span_s = time_s[k] - time_s[last]
            over = (voltage_V[last] - target_V) * span_s
            dip_over += over
            dip_energy += over * current_A[last]
            dip_volt += voltage_V[last] * span_s
            if voltage_V[last] > rule.threshold_V:
                end = time_s[k]
                over_Vs, energy_J, volt_s = over_Vs + dip_over, energy_J + dip_energy, volt_s + dip_volt
                dip_over, dip_energy, dip_volt = 0.0, 0.0, 0.0
        quiet = open_ and voltage_V[last] <= rule.threshold_V
        if open_ and (ends or gap or (quiet and time_s[k] - end >= rule.merge_s)):
            cut = cut or not quiet
            if end - start >= rule.min_s:
                if count < found.shape[0]:
                    found[count, 0], found[count, 1], found[count, 2] = start, end, peak
                    found[count, 3], found[count, 4] = volt_s / (end - start), over_Vs
                    found[count, 5], found[count, 6] = energy_J / 3.6e6, 1.0 if cut else 0.0
                count += 1
            open_ = False
        if ends:
            break
        if voltage_V[k] > rule.threshold_V:
            if not open_:
                open_, start, end, peak = True, time_s[k], time_s[k], voltage_V[k]
                over_Vs, energy_J, volt_s = 0.0, 0.0, 0.0
                dip_over, dip_energy, dip_volt = 0.0, 0.0, 0.0
                cut = gap or last < 0
            peak = max(peak, voltage_V[k])
        last = k
    return count


def find_anode_effects(
    time_s: FloatArray,
    voltage_V: FloatArray,
    target_V: FloatArray,
    current_A: FloatArray | None = None,
    rule: EffectRule | None = None,
) -> AnodeEffects:
    """Find all anode effects in recorded voltages.

    Parameters
    ----------
    time_s : (n_samples,)
        Rising [s]. A sample stands until the next one; at 1 Hz lengths are good to 1 s.
    voltage_V : (n_cells, n_samples)
        Cell voltage [V]; NaN is not measured.
    target_V : (n_cells,)
        Voltage without an effect [V], from which overvoltage and energy count.
    current_A : (n_samples,), optional
        Line current [A]; NaN where not measured.
    rule
        What counts; None takes the defaults.

    Raises
    ------
    ValueError
        Shapes that do not fit, times that do not rise, or a threshold at or below the target voltage.

    Notes
    -----
    Energy reference 6.2. The time between two merged parts counts as effect. Effects below the threshold (local
    ones without a high voltage) are not seen: by some accounts they are most of the emission.

    Examples
    --------
    >>> time_s = np.arange(300.0)
    >>> volts = np.where((time_s >= 60) & (time_s < 180), 34.2, 4.2)[None]
    >>> found = find_anode_effects(time_s, volts, np.array([4.2]), np.full(300, 300e3))
    >>> float(found.minutes[0]), round(float(found.energy_kWh[0]), 1)
    (2.0, 300.0)
    """
    rule = rule or EffectRule()
    n_cells, n = voltage_V.shape
    current_A = np.full(n, np.nan) if current_A is None else current_A
    if time_s.shape != (n,) or target_V.shape != (n_cells,) or current_A.shape != (n,):
        raise ValueError(
            f"shapes do not fit: time_s {time_s.shape}, voltage_V {voltage_V.shape}, target_V {target_V.shape}, "
            f"current_A {current_A.shape}"
        )
    if not np.all(np.diff(time_s) > 0.0):
        raise ValueError("time_s must rise: sort the samples and leave out duplicates")
    if not np.all(target_V < rule.threshold_V):
        raise ValueError(f"target_V must be below the threshold of {rule.threshold_V:g} V")
    cells: list[IntArray] = []
    records: list[FloatArray] = []
    nothing = np.empty((0, _COLUMNS))
    for cell in range(n_cells):
        arguments = (time_s, voltage_V[cell], float(target_V[cell]), current_A, rule)
        count = _scan(*arguments, nothing)
        rows = np.empty((count, _COLUMNS))
        _scan(*arguments, rows)
        cells.append(np.full(count, cell, dtype=np.int64))
        records.append(rows)
    table = np.concatenate([nothing, *records])
    start_s, end_s, peak_V, mean_V, over_Vs, energy_kWh, cut = (table[:, k].copy() for k in range(_COLUMNS))
    which = np.concatenate([np.empty(0, dtype=np.int64), *cells])
    return AnodeEffects(which, start_s, end_s, peak_V, mean_V, over_Vs, energy_kWh, cut > 0.5)


def activity(n_effects: int, minutes: float, cell_days: float) -> Activity:
    """Frequency, mean length and minutes per cell and day.

    Parameters
    ----------
    n_effects, minutes
        Number and summed length [min] of the effects.
    cell_days
        Days that cells were in operation, summed over cells.

    Raises
    ------
    ValueError
        No cell was in operation, or the effects are longer than the cells ran.

    Notes
    -----
    Energy reference 6.2.

    Examples
    --------
    >>> round(activity(465, 1393.2, 300 * 31 - 12).min_per_cell_day, 6)
    0.15
    """
    if not (cell_days > 0.0 and n_effects >= 0 and 0.0 <= minutes <= 1440.0 * cell_days):
        raise ValueError(f"{n_effects} effects of {minutes:g} min in {cell_days:g} cell-days: impossible")
    each = minutes / n_effects if n_effects else float("nan")
    return Activity(n_effects / cell_days, each, minutes / cell_days)


def overvoltage_mV(overvoltage_Vs: float, recorded_s: float) -> float:
    """Overvoltage of anode effects over all recorded time [mV] (AEO).

    Parameters
    ----------
    overvoltage_Vs
        Sum over the effects [V s].
    recorded_s
        Time in which the voltage was recorded, summed over cells [s].

    Raises
    ------
    ValueError
        Nothing was recorded.
    """
    if not recorded_s > 0.0:
        raise ValueError("no time was recorded")
    return 1e3 * overvoltage_Vs / recorded_s
