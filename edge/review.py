"""The energy review of a period: every figure of ``potline report``, worked out but not yet written down."""

import math
from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from edge.accounts import Accounts, LineAccounts, MonthAccounts
from edge.ledger_files import LedgerFiles
from edge.pipeline import cell_params
from edge.review_rows import CellRow, Cusum, LineRow, Review, year_level
from edge.review_spans import Span, month_name, month_span
from twin.book import HOUR_US
from twin.capacity import LineYear, capacity_shares
from twin.carbon import clean_shares
from twin.decomposition import State, split
from twin.energy import METAL_KG_PER_KAH
from twin.energy_baseline import MIN_POINTS, fit, savings
from twin.limits import Limits, load_limits
from twin.line_energy import PROFILES
from twin.metal import MAX_SCALE_FRAC, Efficiency, Weighing, scale_factor
from twin.metal_log import Entries, month_efficiency
from twin.period import CellPeriod, LineInputs, LinePeriod, Metered, Validity, cell_period, line_period
from twin.registers import RegisterSum, read_together, register_sum
from twin.rulebook import RulesError
from twin.tariff import Surcharge, surcharge, year_end_forecast

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_DAY_US = 86_400_000_000
_ANY_CURRENT = 1.1
_VALIDITY = Validity()


class Reviewer:
    """Works out periods of one output folder; efficiencies of months are fitted once.

    Parameters
    ----------
    files, accounts
        What was recorded, and what the plant entered.
    as_of_us
        Only what was known by then; None for all.
    """

    def __init__(self, files: LedgerFiles, accounts: Accounts, as_of_us: int | None = None) -> None:
        self.files = files
        self.accounts = accounts
        self._as_of_us = as_of_us
        self._zone = ZoneInfo(files.plant.time_zone)
        self._months: dict[int, Efficiency] = {}
        self._weighted: dict[Span, tuple[FloatArray, FloatArray]] = {}
        self._to_date: dict[Span, CellPeriod] = {}
        self._read: dict[tuple[str, Span], dict[str, RegisterSum]] = {}
        params, _ = cell_params(files.plant)
        self._area_m2 = np.array([math.nan if p is None else p.cathode_area_m2 for p in params])
        self._rated_A = np.array([math.nan if p is None else p.rated_current_A for p in params])
        self._weighing = Weighing(
            level_sd_m=accounts.level_sd_m,
            tap_sd_frac=accounts.tap_sd_frac,
            scale_sd_frac=accounts.scale_sd_frac,
        )
        self._taps = self._on_the_cast_house_scale(files.taps)

    def review(self, span: Span) -> Review:
        """Work out everything for one period.

        Raises
        ------
        ValueError
            Ladle and cast-house weights do not belong together.
        """
        limits = self._limits(span)
        cells = self.cells(span, limits)
        before = self._before(span)
        cells_before = None if before is None else self.cells(before, limits)
        rolling = self._rolling(span)
        cells_rolling = None if rolling is None else self.cells(rolling, limits)
        lines: list[LineRow] = []
        for index, line in enumerate(self.files.plant.lines):
            now = self.line(index, span, cells, limits)
            then = (
                None
                if before is None or cells_before is None
                else self.line(index, before, cells_before, limits)
            )
            long = (
                None
                if rolling is None or cells_rolling is None
                else self.line(index, rolling, cells_rolling, limits)
            )
            row = self._line_row(index, line, span, cells, now, then, cells_before, long)
            year_end = self._year_end(index, span, row.now, limits)
            price = self._price(year_end.get("liquid_comprehensive_tariff", math.nan), self._last_day(span))
            lines.append(row._replace(year_end=year_end, year_end_price=price))
        years = [
            LineYear(
                row.line,
                row.capacity_t,
                (row.rolling or row.now).figures["liquid_ac_gross"].value,
                year_level(row, limits) > 0,
            )
            for row in lines
        ]
        return Review(
            files=self.files,
            accounts=self.accounts,
            span=span,
            limits=limits,
            cells=cells,
            rows=self._cell_rows(cells, lines),
            lines=lines,
            shares=capacity_shares(years, limits),
            cusum=self.cusum(limits),
            series={line: self._series(i, span, cells) for i, line in enumerate(self.files.plant.lines)},
        )

    def cells(self, span: Span, limits: Limits) -> CellPeriod:
        """Figures of all cells in a period."""
        ratio = np.full(len(self.files.plant.lines), np.nan)
        plain = self._cell_period(span, span, ratio, limits)
        for index, line in enumerate(self.files.plant.lines):
            mine = self.files.book.line_index == index
            whole = self._registers(line, span)["rectifier_ac_energy_kWh"]
            metered = self._metered(line, span)
            ac_kWh = self._registers(line, metered)["rectifier_ac_energy_kWh"].energy_kWh
            part = plain if metered == span else self._cell_period(metered, span, ratio, limits)
            dc_kWh = np.nansum(part.dc_energy_kWh[mine]) + part.startup_dc_kWh[mine].sum()
            if whole.known_s >= _VALIDITY.min_coverage * span.length_s and ac_kWh > 0.0:
                ratio[index] = dc_kWh / ac_kWh
        return self._cell_period(span, span, ratio, limits)

    def _cell_period(self, part: Span, span: Span, ratio: FloatArray, limits: Limits) -> CellPeriod:
        """Figures of all cells in a part of a period, at the current efficiency of the whole.

        ``ratio`` (n_lines,) is DC over AC energy.
        """
        efficiency, sd = self._efficiency(span)
        return cell_period(
            self.files.book.totals(part.start_us, part.end_us, self._as_of_us),
            part.length_s,
            efficiency,
            sd,
            ratio[self.files.book.line_index],
            np.where(np.isfinite(self._rated_A), _ANY_CURRENT * self._rated_A, np.inf),
            limits,
            _VALIDITY,
            configured_efficiency=self.files.configured_efficiency,
        )

    def line(self, index: int, span: Span, cells: CellPeriod, limits: Limits) -> LinePeriod:
        """Figures of one line in a period."""
        line = self.files.plant.lines[index]
        registers = self._registers(line, span)
        entered = self._entered(line, span)
        inputs = LineInputs(
            rectifier_ac=registers["rectifier_ac_energy_kWh"],
            line_dc=registers["line_dc_energy_kWh"],
            auxiliary_ac=registers["auxiliary_ac_energy_kWh"],
            desulfurisation_kWh=sum(month.desulfurisation_kWh for month in entered),
            casting_kWh=_sum([month.casting_kWh for month in entered]),
            ingot_t=_sum([month.ingot_t for month in entered]),
            scale_sd_frac=self.accounts.scale_sd_frac,
        )
        mine = self.files.book.line_index == index
        shared = self._metered(line, span)
        metered = None
        if shared != span:
            nothing = np.full(len(self.files.plant.lines), np.nan)
            part = self._cell_period(shared, span, nothing, limits)
            metered = Metered(part, shared.length_s, *self._registers(line, shared).values())
        profile = PROFILES[self.accounts.profile]
        return line_period(cells, mine, inputs, span.length_s, limits, profile, _VALIDITY, metered)

    def _metered(self, line: str, span: Span) -> Span:
        """The hours of a period in which a line's registers were read together."""
        sums = list(self._registers(line, span).values())
        first_us, last_us = read_together(sums, span.start_us, span.end_us, _VALIDITY.min_coverage)
        return Span(span.name, first_us, last_us)

    def cusum(self, limits: Limits) -> Cusum:
        """Baseline of the site's AC energy on metal over its first twelve closed months, and the savings since."""
        hours = self.files.book.hours_us
        whole = Span("book", int(hours[0]), int(hours[-1]) + 3_600_000_000)
        months = [
            m for m in self._months_of(whole) if m.start_us >= whole.start_us and m.end_us <= whole.end_us
        ]
        if len(months) <= MIN_POINTS:
            return Cusum(
                [],
                f"{len(months)} closed months are in the book; {MIN_POINTS} for the baseline and one after are needed",
            )
        energy_MWh, metal_t = np.zeros(len(months)), np.zeros(len(months))
        for row, month in enumerate(months):
            cells = self.cells(month, limits)
            for index, line in enumerate(self.files.plant.lines):
                found = self.line(index, month, cells, limits)
                gross = found.figures["liquid_ac_gross"]
                if not gross.known:
                    return Cusum([], f"the baseline is rejected: {line} {month.name}: {gross.refused}")
                energy_MWh[row] += gross.value * found.liquid_t / 1000.0
                metal_t[row] += found.liquid_t
        try:
            baseline = fit(energy_MWh[:MIN_POINTS], metal_t[:MIN_POINTS, None], ("liquid_metal_t",))
        except ValueError as error:
            return Cusum([], f"the baseline is rejected: {error}")
        later = metal_t[MIN_POINTS:, None]
        rejected = baseline.rejected() + [f"{name} left its range" for name in baseline.outside(later)]
        if rejected:
            return Cusum([], f"the baseline is rejected: {'; '.join(rejected)}", baseline)
        result = savings(baseline, energy_MWh[MIN_POINTS:], later)
        names = [month.name for month in months[MIN_POINTS:]]
        return Cusum(list(zip(names, result.cusum.tolist(), strict=True)), "", baseline, result)

    def _limits(self, span: Span) -> Limits:
        """Levels in force in the period; those of today for older recordings, which the report says."""
        day = datetime.fromtimestamp(span.start_us / 1e6, self._zone).date()
        try:
            return load_limits(day)
        except RulesError:
            return load_limits()

    def _months_of(self, span: Span) -> list[Span]:
        found: list[Span] = []
        at_us = span.start_us
        while at_us < span.end_us:
            start_us, end_us = self.files.book.calendar.bounds_us("month", at_us)
            found.append(Span(month_name(start_us, self._zone), start_us, end_us))
            at_us = end_us
        return found

    def _efficiency(self, span: Span) -> tuple[FloatArray, FloatArray]:
        """Current efficiency of every cell in a period and its standard deviation, weighted with the charge."""
        if span in self._weighted:
            return self._weighted[span]
        n = len(self.files.plant.cells)
        metal, charge, variance = np.zeros(n), np.zeros(n), np.zeros(n)
        for month in self._months_of(span):
            fitted = self._months.get(month.start_us)
            if fitted is None:
                bounds_us = (month.start_us, month.end_us)
                fitted = month_efficiency(
                    self.files.book,
                    self._taps,
                    self.files.levels,
                    bounds_us,
                    self._area_m2,
                    self._weighing,
                    self._as_of_us,
                )
                self._months[month.start_us] = fitted
            totals = self.files.book.totals(
                max(month.start_us, span.start_us), min(month.end_us, span.end_us)
            )
            kAh = totals.charge_kAh[2:].sum(axis=0) + totals.gap_charge_kAh[2:].sum(axis=0)
            used = kAh > 0.0
            metal += np.where(used, kAh * fitted.value[:, 0], 0.0)
            variance += np.where(used, (kAh * fitted.sd[:, 0]) ** 2, 0.0)
            charge += kAh
        known = charge > 0.0
        value = np.divide(metal, charge, out=np.full(n, np.nan), where=known)
        sd = np.divide(np.sqrt(variance), charge, out=np.full(n, np.nan), where=known)
        self._weighted[span] = value, sd
        return value, sd

    def _on_the_cast_house_scale(self, taps: Entries) -> Entries:
        """Taps corrected by what the cast house weighed in the same months, line by line."""
        value = taps.value.copy()
        for month, lines in self.accounts.month.items():
            for line, entered in lines.items():
                span = month_span(self.files.book.calendar, month)
                if entered.cast_house_kg is None or line not in self.files.plant.line_index or span is None:
                    continue
                mine = self.files.book.line_index[taps.cell] == self.files.plant.line_index[line]
                mine &= (taps.time_us >= span.start_us) & (taps.time_us < span.end_us)
                weighed_kg = float(taps.value[mine].sum())
                hours_us = self.files.book.hours_us
                whole = (
                    len(hours_us) > 0
                    and hours_us[0] <= span.start_us
                    and span.end_us <= hours_us[-1] + HOUR_US
                )
                # The cast house weighs whole months: one that was recorded in part need not agree with it.
                if whole or abs(entered.cast_house_kg - weighed_kg) <= MAX_SCALE_FRAC * weighed_kg:
                    value[mine] *= scale_factor(entered.cast_house_kg, weighed_kg)
        return taps._replace(value=value)

    def _registers(self, line: str, span: Span) -> dict[str, RegisterSum]:
        """What each register counted; AC of the rectifiers first, which matters most, auxiliaries last."""
        if (line, span) not in self._read:
            self._read[line, span] = {
                name: register_sum(*self.files.registers[line, name], span.start_us, span.end_us)
                for name in ("rectifier_ac_energy_kWh", "line_dc_energy_kWh", "auxiliary_ac_energy_kWh")
            }
        return self._read[line, span]

    def _entered(self, line: str, span: Span) -> list[MonthAccounts]:
        return [
            self.accounts.month.get(month.name, {}).get(line, MonthAccounts())
            for month in self._months_of(span)
        ]

    def _before(self, span: Span) -> Span | None:
        """The month before, where there is one in the book."""
        if span.name in ("all",) or "-" not in span.name:
            return None
        start_us, end_us = self.files.book.calendar.bounds_us("month", span.start_us - 1)
        if start_us < int(self.files.book.hours_us[0]):
            return None
        return Span(month_name(start_us, self._zone), start_us, end_us)

    def _rolling(self, span: Span) -> Span | None:
        """The last twelve closed months, where the book holds them."""
        end_us = start_us = self.files.book.calendar.bounds_us("month", span.end_us)[0]
        for _ in range(12):
            start_us = self.files.book.calendar.bounds_us("month", start_us - 1)[0]
        return Span("rolling 12", start_us, end_us) if start_us >= int(self.files.book.hours_us[0]) else None

    def _line_row(
        self,
        index: int,
        line: str,
        span: Span,
        cells: CellPeriod,
        now: LinePeriod,
        then: LinePeriod | None,
        cells_before: CellPeriod | None,
        rolling: LinePeriod | None,
    ) -> LineRow:
        mine = self.files.book.line_index == index
        entered = self.accounts.line.get(line, LineAccounts())
        rated_kA = float(np.nansum(self._rated_A[mine])) / 1000.0
        by_current_t = METAL_KG_PER_KAH * rated_kA * 8760.0 * 0.93 / 1000.0
        if then is None or cells_before is None:
            bridge, refused = {}, "no closed month before this one is in the book"
        else:
            bridge, refused = _bridge(_state(cells_before, mine, then), _state(cells, mine, now))
        basis = now.figures["liquid_comprehensive_tariff"]
        price = self._price(basis.value, self._last_day(span)) if basis.known else None
        year_us = self._year(span)
        months = {
            self.files.book.calendar.bounds_us("month", int(h))[0]
            for h in self.files.book.hours_us[:: 24 * 7]
            if year_us <= h < span.end_us
        }
        return LineRow(
            line=line,
            n_cells=int(mine.sum()),
            capacity_t=entered.capacity_t if entered.capacity_t is not None else by_current_t,
            capacity_entered=entered.capacity_t is not None,
            now=now,
            rolling=rolling,
            bridge=bridge,
            bridge_refused=refused,
            production_months=len(months),
            price=price,
            year_end={},
            year_end_price=None,
            registers=self._registers(line, span),
        )

    def _last_day(self, span: Span) -> date:
        return datetime.fromtimestamp(span.end_us / 1e6 - 1.0, self._zone).date()

    def _price(self, tariff_kwh_per_t: float, day: date) -> Surcharge | None:
        """Stepped price of an intensity, the discount of clean electricity taken off; None where there is none."""
        clean = self.accounts.clean
        try:
            return (
                surcharge(
                    tariff_kwh_per_t,
                    day,
                    region=self.accounts.region,
                    nonhydro_pct=None if clean is None else clean_shares(clean.electricity())[1],
                    incentive_pct=self.accounts.incentive_pct,
                )
                if math.isfinite(tariff_kwh_per_t)
                else None
            )
        except RulesError:
            return None

    def _year_end(self, index: int, span: Span, now: LinePeriod, limits: Limits) -> dict[str, float]:
        """Indicators of a line at the end of the calendar year, the rest of it as in the period."""
        start_us = self._year(span)
        local = datetime.fromtimestamp(start_us / 1e6, self._zone)
        end_us = round(datetime(local.year + 1, 1, 1, tzinfo=self._zone).timestamp()) * 1_000_000
        if not len(self.files.book.hours_us) or start_us < int(self.files.book.hours_us[0]):
            return {}
        so_far = Span("year to date", start_us, span.end_us)
        line = now
        if (so_far.start_us, so_far.end_us) != (span.start_us, span.end_us):
            if so_far not in self._to_date:
                self._to_date[so_far] = self.cells(so_far, limits)
            line = self.line(index, so_far, self._to_date[so_far], limits)
        rest_t = now.liquid_t / span.length_s * max(end_us - span.end_us, 0) * 1e-6
        found: dict[str, float] = {}
        for name in ("liquid_ac_gross", "liquid_comprehensive_tariff"):
            past, rate = line.figures[name], now.figures[name]
            if past.known and rate.known:
                found[name] = year_end_forecast(
                    past.value * line.liquid_t, line.liquid_t, rate.value * rest_t, rest_t
                )
        return found

    def _year(self, span: Span) -> int:
        local = datetime.fromtimestamp(span.end_us / 1e6 - 86400.0, self._zone)
        return round(datetime(local.year, 1, 1, tzinfo=self._zone).timestamp()) * 1_000_000

    def _cell_rows(self, cells: CellPeriod, lines: Sequence[LineRow]) -> list[CellRow]:
        """Every cell against its line's median cell, the dearest first."""
        found: list[CellRow] = []
        price = self.accounts.price_cny_per_kWh
        for index, row in enumerate(lines):
            mine = (self.files.book.line_index == index) & np.isfinite(cells.dc_kwh_per_t)
            if not mine.any():
                continue
            middle_V, middle_CE = (
                float(np.median(x[mine])) for x in (cells.voltage_V, cells.current_efficiency)
            )
            middle = State({"cell": middle_V}, middle_CE, 1.0)
            eta = row.now.figures["rectifier_efficiency"].value
            for i in np.flatnonzero(mine).tolist():
                own = State({"cell": float(cells.voltage_V[i])}, float(cells.current_efficiency[i]), 1.0)
                parts = split(middle, own)
                over = sum(parts.values())
                energy_kWh = over * float(cells.metal_t[i])
                cost = energy_kWh / eta * price if price is not None else math.nan
                found.append(CellRow(i, over, parts["cell"], parts["current_efficiency"], energy_kWh, cost))
        return sorted(found, key=lambda r: (-r.over_median_kWh, r.cell))

    def _series(self, index: int, span: Span, cells: CellPeriod) -> list[tuple[str, float]]:
        """DC intensity of a line by day, or by month where the period is long."""
        mine = self.files.book.line_index == index
        efficiency = np.where(mine & np.isfinite(cells.current_efficiency), cells.current_efficiency, 0.0)
        calendar = self.files.book.calendar
        window = "month" if span.length_s > 70 * 86400.0 else "day"
        found: list[tuple[str, float]] = []
        at_us = span.start_us
        while at_us < span.end_us:
            start_us, end_us = calendar.bounds_us(window, at_us)
            totals = self.files.book.totals(
                max(start_us, span.start_us), min(end_us, span.end_us), self._as_of_us
            )
            metal_t = float((METAL_KG_PER_KAH * efficiency * totals.charge_kAh[3]).sum()) / 1000.0
            energy_kWh = float(np.where(efficiency > 0.0, totals.dc_energy_kWh[3], 0.0).sum())
            local = datetime.fromtimestamp(start_us / 1e6, self._zone)
            name = f"{local:%m-%d}" if window == "day" else f"{local:%Y-%m}"
            found.append((name, energy_kWh / metal_t if metal_t > 0.0 else math.nan))
            at_us = end_us
        return found


def _sum(values: Sequence[float | None]) -> float:
    """Sum of what was entered; NaN where a month lacks it."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else math.nan


def _state(cells: CellPeriod, mine: NDArray[np.bool_], line: LinePeriod) -> State | None:
    """What a line's AC intensity is made of; the busbars' share is what the meter has beyond the cells."""
    charge_kAh = float(np.nansum(cells.charge_kAh[mine]))
    cells_V = float(np.nansum(cells.dc_energy_kWh[mine])) / charge_kAh if charge_kAh else math.nan
    efficiency, eta = (line.figures[k].value for k in ("current_efficiency", "rectifier_efficiency"))
    values = (cells_V, line.busbar_V, efficiency, eta)
    if not all(map(math.isfinite, values)):
        return None
    return State({"cells": cells_V, "busbars": line.busbar_V}, efficiency, eta)


def _bridge(before: State | None, after: State | None) -> tuple[dict[str, float], str]:
    if before is None or after is None:
        return {}, "voltage, current efficiency or rectifier efficiency of one of the periods is not known"
    return split(before, after), ""
