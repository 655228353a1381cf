"""Self-calibration: per-cell corrections of the technology's constants, from a recorded history.

A constant that cells of one technology differ in is a factor. All factors of a cell are fitted together, as the most
probable values under stated priors (a ridge towards the technology's set); of those, a factor is changed only where the
history has halved the doubt about it, where the new value is physically possible, and where days that the fit has not
seen agree better with the new value than with the old. Everything else keeps its value, and the reason is given.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.calibration_evidence import (
    ALF3,
    CAF2,
    LIQUIDUS,
    MIN_POINTS,
    N_QUANTITIES,
    QUANTITIES,
    SHELL,
    Evidence,
    evidence_of,
    points_of,
)
from twin.calibration_fit import (
    BLIND,
    FACTORS,
    LINING,
    N_FACTORS,
    NAMES,
    SUPERHEAT,
    expected_of,
    fit,
    in_unit,
    prior_sd_of,
    slopes_of,
    values_of,
)
from twin.calibration_history import History
from twin.heat import steady
from twin.params import CellParams, range_of, stack

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: A factor is identified when half of its prior variance is gone: its standard deviation has fallen to this share.
IDENTIFIED = 0.5**0.5
#: Share of the history that is fitted; the rest judges.
FITTED_SHARE = 0.7
#: What no set of constants may imply: superheat as in ``technology_values``, lining as in ``steady``, anode distance
#: as the twin reports it.
MIN_SUPERHEAT_C, MAX_SUPERHEAT_C = 2.0, 25.0
MIN_LINING_m2K_W, MIN_ACD_mm, MAX_ACD_mm = 0.002, 15.0, 90.0
#: What each quantity needs.
_NEEDED = (
    "days with quiet hours of voltage and current",
    "measurements of cathode_drop_V",
    "lines through metal_height_m with a complete record of taps",
    "samples of bath_temp_C",
    "samples of liquidus_temp_C",
    "analyses of excess_alf3_pct",
    "analyses of caf2_pct",
    "days with shell_temp_C of half of the wall and ambient_temp_C",
)

#: What became of a factor.
APPLIED, NO_DATA, NOT_IDENTIFIED, OUT_OF_RANGE, WORSE = range(5)
VERDICTS = ("applied", "no data", "not identified", "out of range", "worse on held-out days")


class Correction(NamedTuple):
    """What became of one factor of one cell.

    Attributes
    ----------
    name
        Field of ``CellParams``.
    old, new
        Value before and after, equal unless applied [unit of the field].
    sd
        Standard error of the fitted value, prior and factors that keep their value included [unit of the field].
    prior_sd
        The same before anything was measured.
    fitted
        What the fit wanted, whether applied or not.
    n_points
        Points of the quantity that shows it.
    verdict
        Index into ``VERDICTS``.
    reason
        In words; empty where applied and judged.
    """

    name: str
    old: float
    new: float
    sd: float
    prior_sd: float
    fitted: float
    n_points: int
    verdict: int
    reason: str


class Residual(NamedTuple):
    """Held-out points of one quantity less what the constants say, before and after [unit of the quantity].

    Attributes
    ----------
    quantity
        One of ``QUANTITIES``.
    n_points
        Held-out points.
    before, after
        Robust mean of the residual.
    sd
        Spread of one point about that mean.
    """

    quantity: str
    n_points: int
    before: float
    after: float
    sd: float


class CellCalibration(NamedTuple):
    """Result of one cell.

    Attributes
    ----------
    corrections
        One of every factor, in the order of ``FACTORS``.
    residuals
        Of the quantities that have held-out points.
    params
        Constants with what was applied.
    lining_m2K_W, top_bottom_kW
        Before and after: resistance between ledge and shell, and heat that leaves elsewhere than through the ledge;
        they follow from the others by the nominal balance (``twin.heat.steady``) and are no factors of their own.
    """

    corrections: tuple[Correction, ...]
    residuals: tuple[Residual, ...]
    params: CellParams
    lining_m2K_W: tuple[float, float]
    top_bottom_kW: tuple[float, float]


def calibrate(
    history: History, params: Sequence[CellParams], shell_side: IntArray, fitted_share: float = FITTED_SHARE
) -> list[CellCalibration]:
    """Calibrate every cell of a history; a cell's result does not depend on the others.

    Parameters
    ----------
    history
        From ``twin.calibration_history.HistoryBuilder``.
    params
        Constants of each cell before: those of its technology.
    shell_side : (n_cells, n_shell)
        Index into ``twin.signals.SIDES`` of each shell sensor, -1 where there is none or its side is unknown.
    fitted_share
        Share of the history's time that is fitted; 0.3 to 0.9. What comes after it judges.

    Raises
    ------
    ValueError
        ``fitted_share`` out of range.

    Notes
    -----
    Gauss-Newton on the posterior. ``excess_alf3_pct`` becomes the composition at which the twin's equation gives the
    measured liquidus: analyses may differ from it by what the equation is wrong by. Not separable by what a line
    measures, and so never changed: heat transfer at metal level, ledge thickness against lining (a shell shows their
    sum), anode distance against conductors other than the cathode, a thermocouple's error against the heat at its
    place. Scored on simulated lines of one design only; no plant's history was at hand.
    """
    if not 0.3 <= fitted_share <= 0.9:
        raise ValueError(f"fitted_share = {fitted_share} is outside 0.3 to 0.9")
    cells = list(params)
    table = stack(cells)
    first_s, end_s = history.start_s, history.end_s + 1.0
    split_s = first_s + fitted_share * (history.end_s - first_s)
    zero = np.zeros((len(cells), N_FACTORS))
    prior_sd = prior_sd_of(table)
    spread = np.sqrt(np.einsum("nqk,nk->nq", slopes_of(table, zero) ** 2, prior_sd**2))[:, :N_QUANTITIES]
    nominal = expected_of(table, zero)[:, :N_QUANTITIES]

    def evidence(from_s: float, until_s: float, least: IntArray = MIN_POINTS) -> Evidence:
        return evidence_of(points_of(history, cells, shell_side, from_s, until_s), nominal, spread, least)

    first, whole = evidence(first_s, split_s), evidence(first_s, end_s)
    held = evidence(split_s, end_s, np.ones_like(MIN_POINTS))
    # What is sampled once a month leaves nothing to judge by: all of it is used, and said to be unjudged.
    rare = np.isnan(first.value) & ~np.isnan(whole.value)
    fitted = Evidence(*(np.where(rare, b, a) for a, b in zip(first, whole, strict=True)))
    held = held._replace(value=np.where(rare, np.nan, held.value), n_points=np.where(rare, 0, held.n_points))
    trial = _Trial(cells, table, prior_sd, fitted, held)
    trial.run()
    return [trial.result(cell) for cell in range(len(cells))]


class _Trial:
    """Fit, and take back what cannot be or does not hold, until nothing more has to be taken back."""

    def __init__(
        self,
        cells: list[CellParams],
        table: FloatArray,
        prior_sd: FloatArray,
        fitted: Evidence,
        held: Evidence,
    ) -> None:
        n = len(cells)
        self._cells, self._table, self._prior_sd = cells, table, prior_sd
        self._fitted, self._held = fitted, held
        self._before = expected_of(table, np.zeros((n, N_FACTORS)))
        self._verdict = np.full((n, N_FACTORS), APPLIED)
        self._reasons = [[""] * N_FACTORS for _ in range(n)]
        self._theta, self._sd = np.zeros((n, N_FACTORS)), prior_sd.copy()

    def run(self) -> None:
        """Every round but the last takes back at least one factor of a cell, so it ends; few rounds are usual."""
        going_on = True
        while going_on:
            taken_back = (self._verdict == OUT_OF_RANGE) | (self._verdict == WORSE)
            best, sd = fit(self._table, self._prior_sd, self._fitted, taken_back)
            self._sd = np.where(taken_back, self._sd, sd)
            self._identify(taken_back)
            # What keeps its value must keep it in the fit of the others too, at the price of a larger uncertainty.
            theta, _ = fit(self._table, self._prior_sd, self._fitted, self._verdict != APPLIED)
            self._sd = np.where(self._verdict == APPLIED, np.hypot(sd, theta - best), self._sd)
            best = np.where(self._verdict == APPLIED, theta, best)
            self._theta = np.where(taken_back, self._theta, best)
            going_on = self._refuse_impossible() or self._refuse_worse(melt_only=True) or self._refuse_worse()

    @property
    def _applied(self) -> FloatArray:
        return np.where(self._verdict == APPLIED, self._theta, 0.0)

    def _quantity(self, cell: int, k: int) -> int:
        """Quantity that shows a factor: the liquidus is measured, or follows from analyses."""
        quantity = FACTORS[k].quantity
        if quantity == LIQUIDUS and np.isnan(self._fitted.value[cell, LIQUIDUS]):
            return ALF3
        return quantity

    def _set(self, cell: int, k: int, verdict: int, reason: str) -> None:
        self._verdict[cell, k], self._reasons[cell][k] = verdict, reason

    def _identify(self, taken_back: BoolArray) -> None:
        """Leave alone what the history does not show."""
        ratio = self._sd / self._prior_sd
        for cell, k in zip(*np.nonzero(~taken_back), strict=True):
            quantity = self._quantity(cell, k)
            if quantity == BLIND:
                self._set(cell, k, NOT_IDENTIFIED, "nothing that is measured shows it by itself")
            elif np.isnan(self._fitted.value[cell, quantity]):
                found = int(self._fitted.n_points[cell, quantity])
                self._set(cell, k, NO_DATA, f"{found} of {MIN_POINTS[quantity]} {_NEEDED[quantity]}")
            elif ratio[cell, k] > IDENTIFIED:
                reason = f"still {100.0 * ratio[cell, k]:.0f} % of the doubt there was before"
                self._set(cell, k, NOT_IDENTIFIED, reason)
            else:
                self._set(cell, k, APPLIED, "")

    def _refuse_impossible(self) -> bool:
        """Take back values outside their range, then sets of values that no cell can have; True if there were any."""
        values = values_of(self._table, self._applied)
        found = False
        for cell, params in enumerate(self._cells):
            alone = False
            for k in np.flatnonzero(self._verdict[cell] == APPLIED):
                low, high = range_of(NAMES[k], params.rated_current_A)
                if not low <= values[cell, k] <= high:
                    reason = f"{values[cell, k]:.4g} is outside {low:.4g} to {high:.4g}"
                    self._set(cell, int(k), OUT_OF_RANGE, reason)
                    alone = True
            found |= alone or self._refuse_together(cell)
        return found

    def _refuse_together(self, cell: int) -> bool:
        """Take back what makes superheat, lining or anode distance impossible; each value alone may be possible."""
        params = self._params(cell)
        expected = expected_of(self._table, self._applied)[cell]
        superheat_C, lining, acd_mm = expected[SUPERHEAT], expected[LINING], steady(params).acd_mm
        for wrong, factors, reason in (
            (
                not MIN_SUPERHEAT_C <= superheat_C <= MAX_SUPERHEAT_C,
                ("excess_alf3_pct", "bath_temp_C", "caf2_pct"),
                f"superheat would be {superheat_C:.1f} K, outside {MIN_SUPERHEAT_C:g} to {MAX_SUPERHEAT_C:g}",
            ),
            (
                lining < MIN_LINING_m2K_W <= self._before[cell, LINING],
                ("bath_ledge_W_m2K", "shell_area_frac", "excess_alf3_pct", "bath_temp_C"),
                f"lining would be {lining:.4f} m2K/W, less than {MIN_LINING_m2K_W:g}: ledge thinner than nominal?",
            ),
            (
                not MIN_ACD_mm <= acd_mm <= MAX_ACD_mm,
                ("nominal_voltage_V", "cathode_ohm"),
                f"anode distance would be {acd_mm:.0f} mm, outside {MIN_ACD_mm:g} to {MAX_ACD_mm:g}",
            ),
        ):
            for name in factors if wrong else ():
                k = NAMES.index(name)
                if self._verdict[cell, k] == APPLIED:
                    self._set(cell, k, OUT_OF_RANGE, reason)
                    return True
        return False

    def _refuse_worse(self, melt_only: bool = False) -> bool:
        """Take back what held-out days speak against; the shell, which depends on the melt, is judged after it."""
        applied = self._applied
        after = expected_of(self._table, applied)
        found = False
        for cell, k in zip(*np.nonzero(applied), strict=True):
            quantity = self._quantity(cell, k)
            if melt_only and quantity == SHELL:
                continue
            # Corrections can make up for each other: each is judged with the others as they are.
            others = np.where(np.arange(N_FACTORS) == k, 0.0, applied[cell])
            without = expected_of(self._table[cell : cell + 1], others[None])[0]
            held = self._held.value[cell, quantity]
            old, new = held - without[quantity], held - after[cell, quantity]
            if abs(new) > abs(old):
                reason = f"held-out {QUANTITIES[quantity]}: {old:.3g} off would become {new:.3g}"
                self._set(cell, int(k), WORSE, reason)
                found = True
            elif quantity == CAF2 and self._spoils_liquidus(cell, after):
                reason = "held-out liquidus_temp_C would be further off, with excess_alf3_pct as it was"
                self._set(cell, int(k), WORSE, reason)
                found = True
        return found

    def _spoils_liquidus(self, cell: int, after: FloatArray) -> bool:
        """Whether CaF2, which moves the liquidus, makes it worse where AlF3 does not make up for it."""
        if self._verdict[cell, NAMES.index("excess_alf3_pct")] == APPLIED:
            return False
        held = self._held.value[cell, LIQUIDUS]
        return abs(held - after[cell, LIQUIDUS]) > abs(held - self._before[cell, LIQUIDUS])

    def _params(self, cell: int) -> CellParams:
        """Constants of a cell with what is applied now."""
        values = values_of(self._table, self._applied)[cell]
        new = {
            name: float(value)
            for name, value, verdict in zip(NAMES, values, self._verdict[cell], strict=True)
            if verdict == APPLIED
        }
        return self._cells[cell]._replace(**new)

    def result(self, cell: int) -> CellCalibration:
        """What became of a cell."""
        old, params = self._cells[cell], self._params(cell)
        fitted = values_of(self._table, self._theta)[cell]
        sd = in_unit(self._table, self._theta, self._sd)[cell]
        prior_sd = in_unit(self._table, np.zeros_like(self._theta), self._prior_sd)[cell]
        corrections: list[Correction] = []
        for k, name in enumerate(NAMES):
            quantity = self._quantity(cell, k)
            verdict, reason = int(self._verdict[cell, k]), self._reasons[cell][k]
            if verdict == APPLIED and np.isnan(self._held.value[cell, quantity]):
                reason = "not judged: no held-out points"
            corrections.append(
                Correction(
                    name=name,
                    old=getattr(old, name),
                    new=getattr(params, name),
                    sd=float(sd[k]),
                    prior_sd=float(prior_sd[k]),
                    fitted=float(fitted[k]),
                    n_points=0 if quantity == BLIND else int(self._fitted.n_points[cell, quantity]),
                    verdict=verdict,
                    reason=reason,
                )
            )
        after = expected_of(self._table, self._applied)[cell]
        residuals = tuple(
            Residual(
                quantity=name,
                n_points=int(self._held.n_points[cell, q]),
                before=float(self._held.value[cell, q] - self._before[cell, q]),
                after=float(self._held.value[cell, q] - after[q]),
                sd=float(self._held.spread[cell, q]),
            )
            for q, name in enumerate(QUANTITIES)
            if not np.isnan(self._held.value[cell, q])
        )
        return CellCalibration(
            corrections=tuple(corrections),
            residuals=residuals,
            params=params,
            lining_m2K_W=(float(self._before[cell, LINING]), float(after[LINING])),
            top_bottom_kW=(_top_bottom_kW(old), _top_bottom_kW(params)),
        )


def _top_bottom_kW(params: CellParams) -> float:
    """Heat that leaves elsewhere than through the ledge [kW]."""
    nominal = steady(params)
    return 1e-3 * (nominal.heat_loss_W - nominal.side_loss_W)
