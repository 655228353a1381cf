"""Energy and charge of every cell, exactly summed from samples into the plant's hours, days and months."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.jit import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Faraday constant [C/mol] and molar mass of aluminium [g/mol]: CODATA 2018 and IUPAC, energy reference 2.2.
FARADAY_C_MOL = 96485.33212
ALUMINIUM_G_MOL = 26.9815384
#: Metal by Faraday's law at full current efficiency, k = 3600 M / (3 F) [kg/kAh].
METAL_KG_PER_KAH = 3600.0 * ALUMINIUM_G_MOL / (3.0 * FARADAY_C_MOL)

WINDOWS = ("hour", "day", "month")
_HOUR_US = 3_600_000_000
#: How long a window waits at most for registers that are read across its end.
_REGISTER_WAIT_US = 900_000_000
_PER_KILO_HOUR = 1.0 / 3.6e6
#: Rows of the sums: energy [W s], charge [A s], charge times current efficiency [A s], covered [s],
#: heat loss [kW s], time with a known heat loss [s].
_N_SUMS = 6


def dc_kwh_per_t(voltage_V: FloatArray | float, current_efficiency: FloatArray | float) -> FloatArray:
    """Direct-current energy for a tonne of metal at a mean voltage [kWh/t].

    Parameters
    ----------
    voltage_V
        Mean cell voltage [V], weighted with the current.
    current_efficiency
        Fraction, > 0.

    Notes
    -----
    E = 1000 V / (k CE), energy reference 2.6.

    Examples
    --------
    >>> round(float(dc_kwh_per_t(3.95, 0.93)), 3)
    12656.904
    """
    return np.asarray(1000.0 * np.asarray(voltage_V) / (METAL_KG_PER_KAH * np.asarray(current_efficiency)))


class Calendar(NamedTuple):
    """How the plant counts time.

    Attributes
    ----------
    zone
        Time zone of hours, days and months; its offsets must change by whole hours.
    day_start_hour
        Local hour at which a plant day begins, 0-23.
    month_cut_day
        Day on which a plant month begins, 1-28; 1 is the calendar month.
    """

    zone: tzinfo = UTC
    day_start_hour: int = 0
    month_cut_day: int = 1

    def bounds_us(self, window: str, time_us: int) -> tuple[int, int]:
        """Start (included) and end (excluded) of the window that holds an instant, UTC microseconds.

        Raises
        ------
        ValueError
            When the window is not one of `WINDOWS`.

        Examples
        --------
        >>> Calendar().bounds_us("day", 86_400_000_000 + 5)
        (86400000000, 172800000000)
        """
        local = datetime.fromtimestamp(time_us // 1_000_000, self.zone)
        if window == "hour":
            offset = local.utcoffset() or timedelta(0)
            start_us = time_us - (time_us + int(offset.total_seconds()) * 1_000_000) % _HOUR_US
            return start_us, start_us + _HOUR_US
        day = local.date()
        if time_us < self._day_us(day):
            day -= timedelta(days=1)
        if window == "day":
            return self._day_us(day), self._day_us(day + timedelta(days=1))
        if window == "month":
            first = day.replace(day=self.month_cut_day)
            if day < first:
                first = _month_on(first, -1)
            return self._day_us(first), self._day_us(_month_on(first, 1))
        raise ValueError(f"no such window: {window!r}; one of {', '.join(WINDOWS)}")

    def _day_us(self, day: date) -> int:
        start = datetime(day.year, day.month, day.day, self.day_start_hour, tzinfo=self.zone)
        return round(start.timestamp()) * 1_000_000


def _month_on(day: date, step: int) -> date:
    """Return the same day of the next (1) or last (-1) month; the day exists in every month (1-28)."""
    months = day.year * 12 + day.month - 1 + step
    return day.replace(year=months // 12, month=months % 12 + 1)


class WindowAccount(NamedTuple):
    """What every cell used and made in one window.

    Attributes
    ----------
    window
        ``hour``, ``day`` or ``month``.
    start_us, end_us
        UTC microseconds.
    dc_energy_kWh, charge_kAh : (n_cells,)
        Sums over the covered time.
    metal_kg : (n_cells,)
        k times charge times the current efficiency in force; NaN where none was ever given.
    current_efficiency : (n_cells,)
        Mean weighted with the charge; NaN without charge.
    heat_loss_kW : (n_cells,)
        Mean over the covered time with a known heat loss; NaN without any.
    covered_s : (n_cells,)
        Time between samples that are no further apart than the allowed gap.
    coverage : (n_cells,)
        Covered share of the window, 0-1.
    rectifier_ac_kWh, line_dc_kWh, counter_s : (n_lines,)
        Differences of the energy registers read together, and the time that they span in the window.
    auxiliary_ac_kWh, auxiliary_s : (n_lines,)
        The same of the auxiliaries' register, which is read by itself.
    """

    window: str
    start_us: int
    end_us: int
    dc_energy_kWh: FloatArray
    charge_kAh: FloatArray
    metal_kg: FloatArray
    current_efficiency: FloatArray
    heat_loss_kW: FloatArray
    covered_s: FloatArray
    coverage: FloatArray
    rectifier_ac_kWh: FloatArray
    line_dc_kWh: FloatArray
    counter_s: FloatArray
    auxiliary_ac_kWh: FloatArray
    auxiliary_s: FloatArray


class _Open:
    """Sums of one window that is not closed yet."""

    def __init__(self, window: str, bounds_us: tuple[int, int], n_cells: int, n_lines: int) -> None:
        self.window = window
        self.start_us, self.end_us = bounds_us
        self.sums = np.zeros((_N_SUMS, n_cells))
        self.counters = np.zeros((5, n_lines))

    def account(self) -> WindowAccount:
        """Turn the sums into an account of its own arrays."""
        energy_Ws, charge_As, effective_As, covered_s, heat_kWs, heat_s = self.sums
        nan = np.full(len(energy_Ws), np.nan)
        efficiency = np.divide(effective_As, charge_As, out=nan.copy(), where=charge_As != 0.0)
        return WindowAccount(
            window=self.window,
            start_us=self.start_us,
            end_us=self.end_us,
            dc_energy_kWh=energy_Ws * _PER_KILO_HOUR,
            charge_kAh=charge_As * _PER_KILO_HOUR,
            metal_kg=METAL_KG_PER_KAH * (effective_As * _PER_KILO_HOUR),
            current_efficiency=efficiency,
            heat_loss_kW=np.divide(heat_kWs, heat_s, out=nan, where=heat_s > 0.0),
            covered_s=covered_s.copy(),
            coverage=covered_s / ((self.end_us - self.start_us) * 1e-6),
            rectifier_ac_kWh=self.counters[0].copy(),
            line_dc_kWh=self.counters[1].copy(),
            counter_s=self.counters[2].copy(),
            auxiliary_ac_kWh=self.counters[3].copy(),
            auxiliary_s=self.counters[4].copy(),
        )


@kernel
def _add_samples(
    time_us: int,
    boundary_us: int,
    max_gap_us: int,
    samples: FloatArray,
    last_us: IntArray,
    last: FloatArray,
    before: FloatArray,
    after: FloatArray,
) -> None:
    for i in range(samples.shape[1]):
        v, a = samples[0, i], samples[1, i]
        if np.isnan(v) or np.isnan(a):
            continue
        power = v * a
        gap_us = time_us - last_us[i]
        if last_us[i] > 0 and 0 < gap_us <= max_gap_us:
            ce, heat = samples[2, i], samples[3, i]
            # The hour's end lies at this share of the interval; the product is linear in between.
            share = min(max((boundary_us - last_us[i]) / gap_us, 0.0), 1.0)
            power_there = last[0, i] + share * (power - last[0, i])
            current_there = last[1, i] + share * (a - last[1, i])
            for part in range(2):
                if part == 0:
                    sums, dt = before, share * gap_us * 1e-6
                    energy = 0.5 * (last[0, i] + power_there) * dt
                    charge = 0.5 * (last[1, i] + current_there) * dt
                else:
                    sums, dt = after, (1.0 - share) * gap_us * 1e-6
                    energy = 0.5 * (power_there + power) * dt
                    charge = 0.5 * (current_there + a) * dt
                if dt <= 0.0:
                    continue
                sums[0, i] += energy
                sums[1, i] += charge
                sums[2, i] += charge * ce
                sums[3, i] += dt
                if not np.isnan(heat):
                    sums[4, i] += heat * dt
                    sums[5, i] += dt
        if gap_us > 0:
            last_us[i] = time_us
            last[0, i] = power
            last[1, i] = a


class Ledger:
    """Sums energy, charge and metal of every cell between samples, and closes windows by event time.

    Between two samples of a cell that are no further apart than the allowed gap, energy is the trapezoid of
    the product of voltage and current (never the product of means), cut exactly at the ends of hours. Time
    without samples is not covered and nothing is filled in. Days and months are sums of their hours. Calls
    may be cut in any way: the same samples give the same bits.

    Parameters
    ----------
    n_cells
        Number of cells.
    line_index : (n_cells,)
        Line of each cell, counted from 0; one line when not given.
    calendar
        When hours, days and months begin.
    max_gap_s
        Longest interval between two samples that still counts [s], up to an hour.
    current_efficiency
        In force until `hold` says otherwise (fraction); NaN for unknown.

    Raises
    ------
    ValueError
        When the gap is not within 0-3600 s.

    Notes
    -----
    Energy reference 2.2 and 2.4. In memory: one hour or two, a day and a month, whatever the length of the
    history.
    """

    def __init__(
        self,
        n_cells: int,
        line_index: IntArray | None = None,
        calendar: Calendar | None = None,
        max_gap_s: float = 120.0,
        current_efficiency: float = float("nan"),
    ) -> None:
        if not 0.0 < max_gap_s <= 3600.0:
            raise ValueError(f"max_gap_s must lie within 0-3600 s, not {max_gap_s}")
        self.calendar = Calendar() if calendar is None else calendar
        self.line_index = np.zeros(n_cells, dtype=np.int64) if line_index is None else line_index.copy()
        self.n_lines = int(self.line_index.max(initial=0)) + 1
        self._n_cells = n_cells
        self._max_gap_us = round(max_gap_s * 1e6)
        #: Voltage, current, and what is held: current efficiency, heat loss.
        self._samples = np.full((4, n_cells), np.nan)
        self._samples[2] = current_efficiency
        self._last_us = np.zeros(n_cells, dtype=np.int64)
        self._last = np.full((2, n_cells), np.nan)
        self._nowhere = np.zeros((_N_SUMS, n_cells))
        self._time_us = 0
        self._hours: list[_Open] = []
        self._days: list[_Open] = []
        self._months: list[_Open] = []
        self._closed: list[WindowAccount] = []
        #: Newest reading of each register, AC then DC, and the newest pair of both: time and values.
        self._register_us = np.zeros((2, self.n_lines), dtype=np.int64)
        self._register_kWh = np.zeros((2, self.n_lines))
        self._pair_us = np.zeros(self.n_lines, dtype=np.int64)
        self._pair_kWh = np.zeros((2, self.n_lines))
        #: Time between the newest two pairs; 0 before there are two.
        self._pair_span_us = np.zeros(self.n_lines, dtype=np.int64)
        #: Newest reading of the auxiliaries' register.
        self._auxiliary_us = np.zeros(self.n_lines, dtype=np.int64)
        self._auxiliary_kWh = np.zeros(self.n_lines)

    def add(self, time_us: int, cell_voltage_V: FloatArray, line_current_A: FloatArray) -> None:
        """Take in the samples of one instant.

        Parameters
        ----------
        time_us
            UTC microseconds, not before that of any earlier call.
        cell_voltage_V, line_current_A : (n_cells,)
            A cell where either is NaN has no sample at this instant.

        Raises
        ------
        ValueError
            When time runs backwards.
        """
        if time_us < self._time_us:
            raise ValueError(f"samples must come in order of time: {time_us} after {self._time_us}")
        self._time_us = time_us
        self._samples[0] = cell_voltage_V
        self._samples[1] = line_current_A
        self._advance(time_us)
        if not self._hours or time_us >= self._hours[-1].end_us:
            self._open(time_us)
        before = self._hours[-2].sums if len(self._hours) > 1 else self._nowhere
        _add_samples(
            time_us,
            self._hours[-1].start_us,
            self._max_gap_us,
            self._samples,
            self._last_us,
            self._last,
            before,
            self._hours[-1].sums,
        )

    def hold(
        self, *, heat_loss_kW: FloatArray | None = None, current_efficiency: FloatArray | None = None
    ) -> None:
        """Set what is in force from now on, (n_cells,); NaN leaves a cell's value as it is.

        Parameters
        ----------
        heat_loss_kW
            Heat loss by the twin [kW].
        current_efficiency
            Fraction.
        """
        for row, value in ((2, current_efficiency), (3, heat_loss_kW)):
            if value is not None:
                self._samples[row] = np.where(np.isfinite(value), value, self._samples[row])

    def register(self, time_us: int, line: int, name: str, value_kWh: float) -> None:
        """Take in a reading of a register of a line, in the order of time; unknown ones are ignored.

        Call it after the samples of its instant. Of the rectifiers' and the line's DC register only readings of both
        at the same instant (1 s) count, so that their ratio is one of equal spans. A register that runs backwards was
        reset or changed: the span is dropped. A span counts in a window that it overlaps, in proportion to time, when
        it is no longer than half of the window.
        """
        if not np.isfinite(value_kWh):
            return
        if name == "auxiliary_ac_energy_kWh":
            span = int(self._auxiliary_us[line]), time_us
            used_kWh = np.array([value_kWh - self._auxiliary_kWh[line]])
            self._auxiliary_us[line], self._auxiliary_kWh[line] = time_us, value_kWh
            self._count(line, span, used_kWh, slice(3, 4), 4)
            return
        if name not in _REGISTERS:
            return
        row = _REGISTERS.index(name)
        self._register_us[row, line] = time_us
        self._register_kWh[row, line] = value_kWh
        if abs(int(self._register_us[0, line]) - int(self._register_us[1, line])) > 1_000_000:
            return
        start_us, used_kWh = int(self._pair_us[line]), self._register_kWh[:, line] - self._pair_kWh[:, line]
        self._pair_us[line] = time_us
        self._pair_kWh[:, line] = self._register_kWh[:, line]
        span_us = time_us - start_us
        if start_us > 0 and span_us > 1_000_000:
            self._pair_span_us[line] = span_us
        self._count(line, (start_us, time_us), used_kWh, slice(0, 2), 2)

    def _count(
        self, line: int, span: tuple[int, int], used_kWh: FloatArray, rows: slice, time_row: int
    ) -> None:
        """Add a difference of registers to every open window that it overlaps."""
        start_us, end_us = span
        span_us = end_us - start_us
        if start_us == 0 or span_us <= 1_000_000 or (used_kWh < 0.0).any():
            return
        for open_ in (*self._hours, *self._days, *self._months):
            overlap_us = min(end_us, open_.end_us) - max(start_us, open_.start_us)
            if overlap_us > 0 and 2 * span_us <= open_.end_us - open_.start_us:
                open_.counters[rows, line] += used_kWh * (overlap_us / span_us)
                open_.counters[time_row, line] += overlap_us * 1e-6

    def close(self, time_us: int, final: bool = False) -> list[WindowAccount]:
        """Give every window that is complete, each once, in order of its end.

        Parameters
        ----------
        time_us
            Event time reached. A window is complete when the allowed gap has passed since its end, because an
            interval across its end may come until then. Where registers are read regularly but not at its end, it
            waits for their next reading too, for as long as they last took, at most a quarter of an hour.
        final
            Nothing more will come: give also those begun; their coverage says how far they got.

        Returns
        -------
        list of WindowAccount
            Windows in which nothing was measured are left out.
        """
        self._advance(time_us)
        if final:
            while self._hours:
                self._finish_hour()
            self._finish(self._days, None)
            self._finish(self._months, None)
        closed, self._closed = self._closed, []
        return sorted(closed, key=lambda account: (account.end_us, WINDOWS.index(account.window)))

    def _open(self, time_us: int) -> None:
        for window, opened in (("hour", self._hours), ("day", self._days), ("month", self._months)):
            bounds_us = self.calendar.bounds_us(window, time_us)
            if not opened or opened[-1].start_us != bounds_us[0]:
                opened.append(_Open(window, bounds_us, self._n_cells, self.n_lines))

    def _advance(self, time_us: int) -> None:
        """Close what is complete at a time; how often it is called makes no difference."""
        while self._hours and self._ready(self._hours[0].end_us, time_us):
            self._finish_hour()
        self._finish(self._days, time_us)
        self._finish(self._months, time_us)

    def _ready(self, end_us: int, time_us: int) -> bool:
        """Whether nothing can come any more that reaches back over the end of a window."""
        waited_us = time_us - end_us - self._max_gap_us
        if waited_us < 0:
            return False
        wait_us = np.minimum(self._pair_span_us, _REGISTER_WAIT_US)
        # A register that has stopped, or is read at the end itself, is not waited for.
        next_us = self._pair_us + self._pair_span_us + self._max_gap_us
        awaited = (self._pair_us < end_us) & (next_us > end_us)
        return bool(waited_us >= np.where(awaited, wait_us, 0).max())

    def _finish_hour(self) -> None:
        hour = self._hours.pop(0)
        for opened in (self._days, self._months):
            for longer in opened:
                if longer.start_us <= hour.start_us < longer.end_us:
                    longer.sums += hour.sums
        if hour.sums[3].any():
            self._closed.append(hour.account())

    def _finish(self, opened: list[_Open], time_us: int | None) -> None:
        while opened and (time_us is None or self._ready(opened[0].end_us, time_us)):
            longer = opened.pop(0)
            if longer.sums[3].any():
                self._closed.append(longer.account())


_REGISTERS = ("rectifier_ac_energy_kWh", "line_dc_energy_kWh")
