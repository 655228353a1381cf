"""The energy book: hours of every cell in whole milliwatt-hours, so that any split and any order sum to the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.energy import Calendar

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: States of a cell; NORMAL alone counts in net figures (energy reference 2.8).
STATES = ("STOPPED", "BAKING", "STARTUP", "NORMAL")
STOPPED, BAKING, STARTUP, NORMAL = range(4)
#: An hour counts as valid from this share measured on.
VALID_HOUR = 0.80
HOUR_US = 3_600_000_000
_HOUR_MS = 3_600_000
_COLUMNS = 5
_ENERGY, _CHARGE, _COVERED, _GAP_CHARGE, _TIME = range(_COLUMNS)
_MILLI_OF_KILO = 1e6


class Correction(NamedTuple):
    """A new version of one cell's hour.

    Attributes
    ----------
    hour_us, cell
        Which hour (its start, UTC microseconds) of which cell (index).
    recorded_us
        When it was decided; figures as of an earlier instant do not change.
    dc_energy_kWh, charge_kAh, covered_s, state
        What holds from now on.
    reason, author
        Never empty.
    version
        Given by the book, from 2 on; the measured hour is version 1.
    """

    hour_us: int
    cell: int
    recorded_us: int
    dc_energy_kWh: float
    charge_kAh: float
    covered_s: float
    state: int
    reason: str
    author: str
    version: int = 0


class Totals(NamedTuple):
    """Sums of a period by state and cell, each (n_states, n_cells).

    Attributes
    ----------
    dc_energy_kWh, charge_kAh
        Over the measured time.
    covered_s
        Measured time.
    gap_charge_kAh
        Charge that flowed through the cell while it was not measured, by the line's other cells, and where none was
        measured by the line's current of the hour before.
    time_s
        Time of the hours that were written.
    """

    dc_energy_kWh: FloatArray
    charge_kAh: FloatArray
    covered_s: FloatArray
    gap_charge_kAh: FloatArray
    time_s: FloatArray


class _Version(NamedTuple):
    """A correction with its values (5,), and by how much it moves the sums of its cell (5, n_states)."""

    correction: Correction
    values: IntArray
    delta: IntArray


class Book:
    """Hours of every cell of a site; appended, corrected by new versions, never overwritten.

    Parameters
    ----------
    line_index : (n_cells,)
        Line of each cell.
    calendar
        When months begin.

    Notes
    -----
    Sums are of whole milliwatt-hours and milliampere-hours in 64-bit integers: any split of a period and any order
    of cells give the same bits. A line's year is 10^16 of them, of 9 x 10^18.
    """

    def __init__(self, line_index: IntArray, calendar: Calendar | None = None) -> None:
        self.line_index = line_index.copy()
        self.calendar = Calendar() if calendar is None else calendar
        self._n_lines = int(line_index.max(initial=0)) + 1
        self._last_rate = np.zeros(self._n_lines)
        self._hours = np.zeros(0, dtype=np.int64)
        self._values = np.zeros((_COLUMNS, 0, len(line_index)), dtype=np.int64)
        self._state = np.zeros((0, len(line_index)), dtype=np.int8)
        self._months: dict[int, IntArray] = {}
        self._versions: list[_Version] = []
        self._new: list[tuple[int, IntArray, NDArray[np.int8]]] = []

    @property
    def hours_us(self) -> IntArray:
        """Starts of all hours that were written, rising."""
        self._settle()
        return self._hours

    @property
    def corrections(self) -> list[Correction]:
        """Every correction in the order in which it was recorded."""
        return [version.correction for version in self._versions]

    def extend(
        self,
        hours_us: IntArray,
        dc_energy_kWh: FloatArray,
        charge_kAh: FloatArray,
        covered_s: FloatArray,
        state: NDArray[np.int8],
    ) -> None:
        """Append hours.

        Parameters
        ----------
        hours_us : (n_hours,)
            Starts, rising and later than all that is written.
        dc_energy_kWh, charge_kAh, covered_s : (n_hours, n_cells)
            Measured sums; NaN counts as nothing measured.
        state : (n_hours, n_cells)
            Index into `STATES`.

        Raises
        ------
        ValueError
            Hours that do not rise, or values that no hour can have.
        """
        last_us = self._new[-1][0] if self._new else int(self._hours[-1]) if len(self._hours) else -(2**62)
        if len(hours_us) and (hours_us[0] <= last_us or (np.diff(hours_us) <= 0).any()):
            raise ValueError("hours must be later than all that is written; correct an hour with `correct`")
        if ((covered_s < 0.0) | (covered_s > 3600.5)).any():
            raise ValueError("an hour cannot be covered for less than 0 or more than 3600 s")
        values = self._quantised(dc_energy_kWh, charge_kAh, covered_s, state)
        for row, hour_us in enumerate(hours_us.tolist()):
            self._new.append((hour_us, values[:, row], state[row].astype(np.int8)))
            month_us = self.calendar.bounds_us("month", hour_us)[0]
            month = self._months.setdefault(month_us, self._nothing())
            for code in range(len(STATES)):
                month[:, code] += np.where(state[row] == code, values[:, row], 0)

    def correct(self, correction: Correction) -> Correction:
        """Append a new version of one hour and give it with its number.

        Raises
        ------
        ValueError
            No reason or author, no such hour, or recorded before the version that it replaces.
        """
        c = correction
        if not (c.reason and c.author):
            raise ValueError("a correction needs a reason and an author")
        self._settle()
        row = int(np.searchsorted(self._hours, c.hour_us))
        if row >= len(self._hours) or int(self._hours[row]) != c.hour_us:
            raise ValueError(f"no hour was written at {c.hour_us}; only a written hour can be corrected")
        earlier = [v for v in self._versions if v.correction[:2] == c[:2]]
        if earlier and earlier[-1].correction.recorded_us > c.recorded_us:
            raise ValueError("a version cannot be recorded before the one it replaces")
        values = np.array(
            [
                round(c.dc_energy_kWh * _MILLI_OF_KILO),
                round(c.charge_kAh * _MILLI_OF_KILO),
                round(c.covered_s * 1e3),
                0,
                _HOUR_MS,
            ],
            dtype=np.int64,
        )
        if c.state != STOPPED:
            written = self._values[:, row, c.cell]
            missing_ms = _HOUR_MS - int(written[_COVERED])
            charge, over_ms = (
                (written[_GAP_CHARGE], missing_ms) if missing_ms > 0 else (written[_CHARGE], _HOUR_MS)
            )
            values[_GAP_CHARGE] = round(max(_HOUR_MS - int(values[_COVERED]), 0) * int(charge) / over_ms)
        delta = np.zeros((_COLUMNS, len(STATES)), dtype=np.int64)
        delta[:, c.state] += values
        if earlier:
            delta[:, earlier[-1].correction.state] -= earlier[-1].values
        else:
            delta[:, self._state[row, c.cell]] -= self._values[:, row, c.cell]
        numbered = c._replace(version=len(earlier) + 2)
        self._versions.append(_Version(numbered, values, delta))
        return numbered

    def totals(self, start_us: int, end_us: int, as_of_us: int | None = None) -> Totals:
        """Sums of all hours that begin within a period.

        Parameters
        ----------
        start_us, end_us
            Start included, end not.
        as_of_us
            Only with corrections recorded up to then; None for all. What was once published stays retrievable.
        """
        self._settle()
        first, last = np.searchsorted(self._hours, (start_us, end_us))
        found = self._nothing()
        for code in range(len(STATES)):
            here = self._state[first:last] == code
            for column in range(_COLUMNS):
                found[column, code] = np.where(here, self._values[column, first:last], 0).sum(axis=0)
        return self._corrected(found, start_us, end_us, as_of_us)

    def rolling(self, until_us: int, months: int = 12, as_of_us: int | None = None) -> Totals:
        """Sums of the last closed months before an instant; costs the same whatever the length of the book."""
        end_us = start_us = self.calendar.bounds_us("month", until_us)[0]
        for _ in range(months):
            start_us = self.calendar.bounds_us("month", start_us - 1)[0]
        found = self._nothing()
        for month_us, sums in self._months.items():
            if start_us <= month_us < end_us:
                found += sums
        return self._corrected(found, start_us, end_us, as_of_us)

    def running(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energy [kWh], charge [kAh] and measured time [s] in normal operation before each hour.

        Three arrays (n_hours + 1, n_cells), without corrections: for looking at many short stretches at once.
        """
        self._settle()
        normal = self._state == NORMAL
        found: list[FloatArray] = []
        for column, milli in ((_ENERGY, _MILLI_OF_KILO), (_CHARGE, _MILLI_OF_KILO), (_COVERED, 1e3)):
            sums = np.zeros((len(self._hours) + 1, len(self.line_index)))
            np.cumsum(np.where(normal, self._values[column], 0), axis=0, out=sums[1:])
            found.append(sums / milli)
        return found[0], found[1], found[2]

    def normal_at(self, time_us: IntArray, cell: IntArray) -> NDArray[np.bool_]:
        """Whether cells were in normal operation in the hours of instants, (n,); False where no hour was written."""
        row = np.searchsorted(self.hours_us, time_us, side="right") - 1
        if not len(self._hours):
            return np.zeros(len(time_us), dtype=np.bool_)
        inside = (row >= 0) & (time_us - self._hours[np.maximum(row, 0)] < HOUR_US)
        return inside & (self._state[np.maximum(row, 0), cell] == NORMAL)

    def charge_until(self, time_us: IntArray, cell: IntArray) -> FloatArray:
        """Charge [kAh] through a cell from the first hour until an instant, gaps by the line's other cells.

        Parameters
        ----------
        time_us, cell : (n,)
            Instants and cell indices; within an hour the current is taken as even.
        """
        self._settle()
        if not len(self._hours):
            return np.zeros(len(time_us))
        whole = self._values[_CHARGE] + self._values[_GAP_CHARGE]
        before = np.vstack((np.zeros((1, whole.shape[1]), dtype=np.int64), np.cumsum(whole, axis=0)))
        row = np.searchsorted(self._hours, time_us, side="right") - 1
        at = np.maximum(row, 0)
        inside = np.clip((time_us - self._hours[at]) / HOUR_US, 0.0, 1.0)
        charge = before[at, cell] + inside * whole[at, cell]
        return np.where(row < 0, 0.0, charge) / _MILLI_OF_KILO

    def _settle(self) -> None:
        """Put hours that were appended since into the arrays."""
        if self._new:
            hours, values, state = zip(*self._new, strict=True)
            self._hours = np.concatenate((self._hours, np.array(hours, dtype=np.int64)))
            self._values = np.concatenate((self._values, np.stack(values, axis=1)), axis=1)
            self._state = np.concatenate((self._state, np.stack(state)))
            self._new = []

    def _nothing(self) -> IntArray:
        return np.zeros((_COLUMNS, len(STATES), len(self.line_index)), dtype=np.int64)

    def _quantised(
        self, energy_kWh: FloatArray, charge_kAh: FloatArray, covered_s: FloatArray, state: NDArray[np.int8]
    ) -> IntArray:
        """Whole milli-units of hours, (5, n_hours, n_cells)."""
        values = np.zeros((_COLUMNS, *energy_kWh.shape), dtype=np.int64)
        known = np.isfinite(energy_kWh) & np.isfinite(charge_kAh)
        for column, part, milli in (
            (_ENERGY, energy_kWh, _MILLI_OF_KILO),
            (_CHARGE, charge_kAh, _MILLI_OF_KILO),
            (_COVERED, covered_s, 1e3),
        ):
            values[column] = np.rint(np.where(known, part, 0.0) * milli)
        values[_COVERED] = np.minimum(values[_COVERED], _HOUR_MS)
        rate = self._line_rate(values)[:, self.line_index]
        missing = _HOUR_MS - values[_COVERED]
        values[_GAP_CHARGE] = np.where(state == STOPPED, 0, np.rint(missing * rate).astype(np.int64))
        values[_TIME] = _HOUR_MS
        return values

    def _line_rate(self, values: IntArray) -> FloatArray:
        """Charge a time of every line in every hour, by the cells that cover it well; else as in the hour before."""
        good = values[_COVERED] >= VALID_HOUR * _HOUR_MS
        rate = np.zeros((values.shape[1], self._n_lines))
        for line in range(self._n_lines):
            mine = good & (self.line_index == line)
            covered = np.where(mine, values[_COVERED], 0).sum(axis=1)
            charge = np.where(mine, values[_CHARGE], 0).sum(axis=1)
            # The newest hour with a rate, at or before each hour; row 0 is what was known before.
            known = np.concatenate(([self._last_rate[line]], charge / np.maximum(covered, 1)))
            newest = np.maximum.accumulate(np.where(covered > 0, np.arange(1, len(known)), 0))
            rate[:, line] = known[newest]
            self._last_rate[line] = known[newest[-1]] if len(newest) else known[0]
        return rate

    def _corrected(self, found: IntArray, start_us: int, end_us: int, as_of_us: int | None) -> Totals:
        for version in self._versions:
            c = version.correction
            if start_us <= c.hour_us < end_us and (as_of_us is None or c.recorded_us <= as_of_us):
                found[:, :, c.cell] += version.delta
        return Totals(
            dc_energy_kWh=found[_ENERGY] / _MILLI_OF_KILO,
            charge_kAh=found[_CHARGE] / _MILLI_OF_KILO,
            covered_s=found[_COVERED] / 1e3,
            gap_charge_kAh=found[_GAP_CHARGE] / _MILLI_OF_KILO,
            time_s=found[_TIME] / 1e3,
        )
