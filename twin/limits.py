"""Levels of GB 21346-2022 with the policy's benchmark and baseline, and which of them a figure meets."""

import math
from datetime import date

import numpy as np
from numpy.typing import NDArray

from twin.rulebook import Row, Rulebook, RulesError, load

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Indicators of the standard, each graded on its own; liquid AC is the one that benchmark and baseline hold for.
INDICATORS = ("liquid_ac", "liquid_comprehensive", "ingot_comprehensive", "ingot_kgce")
#: What a class is called when there is none.
NOT_ASSESSED = 0
#: Lines that produced in fewer months of the year have no class (inspection practice, energy reference 2.1).
MIN_PRODUCTION_MONTHS = 6


class Limits:
    """Levels in force on one day.

    Parameters
    ----------
    standard, editions
        Rule files of the standard's levels and of benchmark and baseline.
    day
        On which they must hold.

    Raises
    ------
    RulesError
        A level is missing on that day, or levels are not in order.
    """

    def __init__(self, standard: Rulebook, editions: Rulebook, day: date) -> None:
        self.rule_id = standard.id
        self.day = day
        self._levels: dict[str, tuple[Row, ...]] = {}
        for indicator in INDICATORS:
            rows = tuple(standard.at(f"{indicator}_level_{n}", day) for n in (1, 2, 3))
            if not rows[0].value <= rows[1].value <= rows[2].value:
                raise RulesError(f"{standard.name}: levels 1, 2, 3 of {indicator} must not fall")
            self._levels[indicator] = rows
        self.benchmark = editions.at("benchmark", day)
        self.baseline = editions.at("baseline", day)
        if self.benchmark.value > self.baseline.value:
            raise RulesError(f"{editions.name}: the benchmark lies above the baseline")
        self.benchmark_kwh_per_t = float(self.benchmark.value)
        self.baseline_kwh_per_t = float(self.baseline.value)
        self._steps = {key: tuple(float(row.value) for row in rows) for key, rows in self._levels.items()}

    def rows(self, indicator: str = "liquid_ac") -> tuple[Row, ...]:
        """Rows of levels 1, 2 and 3 of an indicator."""
        return self._levels[indicator]

    def level(self, value: float, indicator: str = "liquid_ac") -> int:
        """Level met by an unrounded value: 1, 2, 3; 4 for none; 0 for NaN."""
        if not math.isfinite(value):
            return NOT_ASSESSED
        return 1 + sum(value > step for step in self._steps[indicator])

    def levels(self, values: FloatArray, indicator: str = "liquid_ac") -> IntArray:
        """Level met by each of many values.

        Examples
        --------
        >>> load_limits().levels(np.array([12950.0, 12950.01, 13350.1, np.nan])).tolist()
        [1, 2, 4, 0]
        """
        code = np.ones(np.shape(values), dtype=np.int64)
        for step in self._steps[indicator]:
            code += values > step
        return np.where(np.isfinite(values), code, np.int64(NOT_ASSESSED))


#: The standard in force when no day is given.
_DAY = date(2026, 1, 1)


def load_limits(day: date = _DAY) -> Limits:
    """Levels that potline ships, in force on a day; raises `RulesError` where there are none, so before 2024."""
    return Limits(load("gb21346_2022"), load("benchmark_editions"), day)


def line_level(value: float, production_months: int, limits: Limits, indicator: str = "liquid_ac") -> int:
    """Class of a line's year: 0 where it produced in fewer than six months (energy reference 2.1)."""
    return limits.level(value, indicator) if production_months >= MIN_PRODUCTION_MONTHS else NOT_ASSESSED
