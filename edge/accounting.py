"""Energy of the site: samples into the ledger, closed windows out as points, and why a cell is not assessed."""

import copy
import math
from collections import deque
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from edge.config import Config
from edge.line_fields import line_fields
from edge.points import Point
from streams.messages import CounterReading
from streams.plant_file import Plant
from twin.energy import Calendar, Ledger, WindowAccount, dc_kwh_per_t
from twin.intensity import Basis, Intensity, indicators, line_indicators
from twin.limits import load_limits

FloatArray = NDArray[np.float64]
_ROLLING_S = 600.0
#: Of the fields of ``Intensity`` this one is how, not how much, and no field by contract.
_NOT_WRITTEN = frozenset({"method"})


class _Sums(NamedTuple):
    """Of one scan: voltage times current, and current, by cell."""

    power_W: FloatArray
    current_A: FloatArray


class LineNow(NamedTuple):
    """One line in the last ten minutes.

    Attributes
    ----------
    line
        Id.
    dc_kwh_per_t, ac_kwh_per_t
        Energy intensity by current and the configured efficiencies [kWh/t]; NaN without samples.
    coverage
        Mean over its cells of the share of the time with samples, 0-1.
    """

    line: str
    dc_kwh_per_t: float
    ac_kwh_per_t: float
    coverage: float


class Accounting:
    """Feeds the ledger and gives ``cell_energy`` and ``line_energy`` points.

    A voltage that comes without a current of its own instant takes the newest one of its cell's line that is not older
    than ``twin.current_hold_s``; without one it is no sample of energy.

    Parameters
    ----------
    plant, config
        See ``Pipeline``.
    """

    def __init__(self, plant: Plant, config: Config) -> None:
        n = len(plant.cells)
        self.plant = plant
        self._efficiency = config.energy.current_efficiency
        self._rectifier_efficiency = config.energy.rectifier_efficiency
        self._hold_us = round(config.twin.current_hold_s * 1e6)
        self._limits = load_limits()
        self._zone = ZoneInfo(plant.time_zone)
        #: Capacity of a line is in proportion to its cells' rated current.
        self._capacity_kA = [
            sum((plant.cells[i].rated_current_A or 0.0) / 1000.0 for i in plant.line_cells[line])
            for line in plant.lines
        ]
        self._basis = Basis(
            rectifier_efficiency=config.energy.rectifier_efficiency,
            current_efficiency_sd=config.energy.current_efficiency_sd,
        )
        calendar = Calendar(self._zone, config.energy.day_start_hour, config.energy.month_cut_day)
        line_index = np.array([plant.lines.index(cell.line) for cell in plant.cells], dtype=np.int64)
        self._ledger = Ledger(
            n, line_index, calendar, config.energy.max_gap_s, config.energy.current_efficiency
        )
        self._current_A = np.full(n, np.nan)
        self._current_us = np.zeros(n, dtype=np.int64)
        self._had_voltage = np.zeros(n, dtype=np.bool_)
        self._had_current = np.zeros(n, dtype=np.bool_)
        self._open = _Sums(np.zeros(n), np.zeros(n))
        self._rolling: deque[_Sums] = deque(maxlen=max(1, round(_ROLLING_S / config.twin.scan_s)))

    def add(self, time_us: int, cell_voltage_V: FloatArray, line_current_A: FloatArray) -> None:
        """Take in the readings of one frame, (n_cells,); NaN where nothing was measured."""
        here = ~np.isnan(line_current_A)
        self._current_A[here] = line_current_A[here]
        self._current_us[here] = time_us
        self._had_current |= here
        measured = ~np.isnan(cell_voltage_V)
        self._had_voltage |= measured
        current_A = self.current_held_A(time_us, line_current_A)
        self._ledger.add(time_us, cell_voltage_V, current_A)
        both = measured & ~np.isnan(current_A)
        self._open.power_W[both] += cell_voltage_V[both] * current_A[both]
        self._open.current_A[both] += current_A[both]

    def current_held_A(self, time_us: int, line_current_A: FloatArray) -> FloatArray:
        """The current itself where it was measured, else the newest one within the holding time, else NaN."""
        fresh = time_us - self._current_us <= self._hold_us
        held = np.where(fresh, self._current_A, np.nan)
        return np.where(np.isnan(line_current_A), held, line_current_A)

    def counter(self, reading: CounterReading) -> None:
        """Take in a register of a line."""
        self._ledger.register(
            reading.time_us, self.plant.lines.index(reading.line), reading.counter, reading.value
        )

    def close(self, time_us: int, heat_loss_kW: FloatArray) -> list[Point]:
        """End a scan: points of the windows that are complete by now.

        Parameters
        ----------
        time_us
            End of the scan, UTC microseconds.
        heat_loss_kW : (n_cells,)
            The twin's heat loss, in force until the next scan.
        """
        self._ledger.hold(heat_loss_kW=heat_loss_kW)
        self._rolling.append(_Sums(self._open.power_W.copy(), self._open.current_A.copy()))
        for sums in self._open:
            sums.fill(0.0)
        return self._points(self._ledger.close(time_us))

    def finish(self, time_us: int) -> list[Point]:
        """End of the stream: points of every window that was begun.

        The windows themselves stay open: should the stream go on after all, their points come again, complete.
        """
        return self._points(copy.deepcopy(self._ledger).close(time_us, final=True))

    def rolling_kwh_per_t(self) -> tuple[FloatArray, FloatArray]:
        """DC and AC energy intensity of the last ten minutes, (n_cells,) each; NaN without samples."""
        power = sum((sums.power_W for sums in self._rolling), np.zeros(len(self.plant.cells)))
        current = sum((sums.current_A for sums in self._rolling), np.zeros(len(self.plant.cells)))
        voltage = np.divide(power, current, out=np.full_like(power, np.nan), where=current > 0.0)
        dc = dc_kwh_per_t(voltage, self._efficiency)
        return dc, dc / self._rectifier_efficiency

    def rolling_coverage(self) -> FloatArray:
        """Share of the last ten minutes, or of what there is of them, in which a cell had samples, (n_cells,) 0-1."""
        if not self._rolling:
            return np.zeros(len(self.plant.cells))
        return np.mean([sums.current_A > 0.0 for sums in self._rolling], axis=0)

    def rolling_lines(self) -> list[LineNow]:
        """Energy intensity of every line over the last ten minutes: sums of its cells over sums, never a mean."""
        power = sum((sums.power_W for sums in self._rolling), np.zeros(len(self.plant.cells)))
        current = sum((sums.current_A for sums in self._rolling), np.zeros(len(self.plant.cells)))
        coverage = self.rolling_coverage()
        found: list[LineNow] = []
        for line in self.plant.lines:
            mine = list(self.plant.line_cells[line])
            flowed_A = float(current[mine].sum())
            volt = float(power[mine].sum()) / flowed_A if flowed_A > 0.0 else math.nan
            dc = float(dc_kwh_per_t(volt, self._efficiency))
            share = float(coverage[mine].mean()) if mine else 0.0
            found.append(LineNow(line, dc, dc / self._rectifier_efficiency, share))
        return found

    def not_assessed(self) -> dict[str, str]:
        """Cells whose energy cannot be known, with the reason."""
        reasons: dict[str, str] = {}
        for index, cell in enumerate(self.plant.cells):
            missing = [
                name
                for name, had in (
                    ("line_current_A", self._had_current),
                    ("cell_voltage_V", self._had_voltage),
                )
                if not had[index]
            ]
            if missing:
                reasons[cell.id] = f"no {' and no '.join(missing)} was received"
        return reasons

    def _points(self, accounts: list[WindowAccount]) -> list[Point]:
        points: list[Point] = []
        for account in accounts:
            line_index = self._ledger.line_index
            cells = indicators(account, line_index, self._limits, self._basis)
            lines = line_indicators(cells, account, line_index, self._limits, self._basis)
            for index, cell in enumerate(self.plant.cells):
                if account.covered_s[index] > 0.0:
                    tags = {"line": cell.line, "cell": cell.id}
                    points.append(self._point("cell_energy", tags, account, cells, index))
            for index, line in enumerate(self.plant.lines):
                if lines.coverage[index] > 0.0:
                    point = self._point("line_energy", {"line": line}, account, lines, index)
                    point.fields.update(
                        line_fields(account, lines, index, self._capacity_kA, self._limits, self._zone)
                    )
                    points.append(point)
        return points

    def _point(
        self, measurement: str, tags: dict[str, str], account: WindowAccount, figures: Intensity, index: int
    ) -> Point:
        fields: dict[str, float | int | str] = {
            name: values[index].item()
            for name, values in zip(Intensity._fields, figures, strict=True)
            if name not in _NOT_WRITTEN
        }
        return Point(
            measurement, {"site": self.plant.site, **tags, "window": account.window}, fields, account.start_us
        )
