"""An ISO 50006 energy baseline: what the energy would have been, and the sum of what was saved against it.

Not to be mixed up with the baseline level of the policy (13 350 kWh/t).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Acceptance: points, R2, |t| of every variable, and how far reporting variables may leave the baseline's range.
MIN_POINTS, MIN_R2, MIN_T, RANGE_MARGIN_FRAC = 12, 0.75, 2.0, 0.10
#: Savings are claimed only below this relative uncertainty (ASHRAE 14).
MAX_SAVING_UNCERTAINTY = 0.5
#: Student's t for a two-sided 90 % by degrees of freedom, 1 to 30; beyond, the normal value.
_T90 = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812),
    *(1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725),
    *(1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697),
)


class EnergyBaseline(NamedTuple):
    """A frozen regression of energy on what drives it.

    Attributes
    ----------
    names
        Of the variables, without the constant.
    coefficients, t_values : (1 + n_variables,)
        Constant first.
    low, high : (n_variables,)
        Range of the variables in the baseline.
    n_points
        Observations.
    r2, adjusted_r2
        Of the fit.
    rmse
        With ``n - 1 - n_variables`` degrees of freedom, in the unit of the energy.
    cv
        ``rmse`` over the mean energy (fraction).
    residual_lag1
        Correlation of each residual with the one before.
    """

    names: tuple[str, ...]
    coefficients: FloatArray
    t_values: FloatArray
    low: FloatArray
    high: FloatArray
    n_points: int
    r2: float
    adjusted_r2: float
    rmse: float
    cv: float
    residual_lag1: float

    def rejected(self) -> list[str]:
        """Acceptance tests that the fit fails, empty when it may be used (energy reference 7.3)."""
        found: list[str] = []
        if self.n_points < MIN_POINTS:
            found.append(f"{self.n_points} points, {MIN_POINTS} are needed")
        if not self.r2 >= MIN_R2:
            found.append(f"R2 {self.r2:.3f} is below {MIN_R2}")
        for name, t in zip(self.names, self.t_values[1:].tolist(), strict=True):
            if not abs(t) >= MIN_T:
                found.append(f"|t| of {name} {abs(t):.2f} is below {MIN_T}")
        # Bartlett's 95 % bound for the first autocorrelation of noise.
        if abs(self.residual_lag1) > 1.96 / math.sqrt(self.n_points):
            found.append(f"residuals follow each other (correlation {self.residual_lag1:.2f})")
        return found

    def outside(self, variables: FloatArray) -> list[str]:
        """Variables of a reporting period, (n, n_variables), that leave the baseline's range by over 10 %."""
        margin = RANGE_MARGIN_FRAC * (self.high - self.low)
        outside = (variables < self.low - margin) | (variables > self.high + margin)
        bad = np.atleast_1d(outside.any(axis=0))
        return [name for name, is_bad in zip(self.names, bad.tolist(), strict=True) if is_bad]

    def predicted(self, variables: FloatArray) -> FloatArray:
        """Energy that the baseline expects, (n,), of variables (n, n_variables)."""
        return np.asarray(self.coefficients[0] + variables @ self.coefficients[1:])


def fit(energy: FloatArray, variables: FloatArray, names: tuple[str, ...]) -> EnergyBaseline:
    """Fit a baseline by ordinary least squares.

    Parameters
    ----------
    energy : (n,)
        One value a period, for instance MWh a month.
    variables : (n, n_variables)
        What drives it, for instance metal [t] and air temperature [degC].
    names
        Of the variables.

    Raises
    ------
    ValueError
        NaN, fewer periods than coefficients plus one, or variables that depend on each other.

    Notes
    -----
    Energy reference 7.3.
    """
    n, k = variables.shape
    if not (np.isfinite(energy).all() and np.isfinite(variables).all()):
        raise ValueError("a baseline needs periods that are complete: no NaN")
    if n <= k + 1:
        raise ValueError(f"{n} periods are too few for {k} variables and a constant")
    middle, width = variables.mean(axis=0), np.ptp(variables, axis=0)
    if not (width > 0.0).all():
        raise ValueError(f"a variable does not vary: {', '.join(np.array(names)[width <= 0.0])}")
    # Centred and scaled, so that tonnes and degrees do not spoil the condition.
    x = np.column_stack((np.ones(n), (variables - middle) / width))
    if np.linalg.matrix_rank(x) <= k:
        raise ValueError(f"variables depend on each other: {', '.join(names)}")
    inverse = np.linalg.inv(x.T @ x)
    scaled = np.asarray(np.linalg.lstsq(x, energy, rcond=None)[0])
    back = np.zeros((k + 1, k + 1))
    back[0, 0], back[0, 1:] = 1.0, -middle / width
    back[np.arange(1, k + 1), np.arange(1, k + 1)] = 1.0 / width
    residual = energy - x @ scaled
    freedom = n - k - 1
    squares, total = float(residual @ residual), float(((energy - energy.mean()) ** 2).sum())
    rmse = math.sqrt(squares / freedom)
    coefficients = back @ scaled
    sd = rmse * np.sqrt(np.diag(back @ inverse @ back.T))
    r2 = 1.0 - squares / total if total > 0.0 else math.nan
    lag1 = float(residual[1:] @ residual[:-1]) / squares if squares > 0.0 else 0.0
    return EnergyBaseline(
        names=names,
        coefficients=coefficients,
        t_values=np.divide(coefficients, sd, out=np.full(k + 1, np.inf), where=sd > 0.0),
        low=variables.min(axis=0),
        high=variables.max(axis=0),
        n_points=n,
        r2=r2,
        adjusted_r2=1.0 - (1.0 - r2) * (n - 1) / freedom,
        rmse=rmse,
        cv=rmse / float(energy.mean()),
        residual_lag1=lag1,
    )


class Savings(NamedTuple):
    """What a reporting period used against its baseline.

    Attributes
    ----------
    predicted, saving, cusum : (m,)
        In the unit of the energy; a positive saving is good.
    enpi
        Used over predicted energy.
    saved_frac
        Sum of savings over predicted energy.
    uncertainty_frac
        Half-width of the 90 % interval over the savings; NaN where nothing was saved.
    """

    predicted: FloatArray
    saving: FloatArray
    cusum: FloatArray
    enpi: float
    saved_frac: float
    uncertainty_frac: float

    @property
    def may_be_claimed(self) -> bool:
        """Whether the savings are better known than 50 %."""
        return abs(self.uncertainty_frac) < MAX_SAVING_UNCERTAINTY


def savings(baseline: EnergyBaseline, energy: FloatArray, variables: FloatArray) -> Savings:
    """Compare a reporting period with its baseline.

    Parameters
    ----------
    baseline
        Frozen; never fitted again to fit the result.
    energy : (m,)
        Used.
    variables : (m, n_variables)
        Of the same periods.

    Notes
    -----
    Energy reference 7.5; ASHRAE 14: U = t 1.26 CV sqrt((n + 2) / (n m)) / F.
    """
    predicted = baseline.predicted(variables)
    saving = predicted - energy
    n, m = baseline.n_points, len(energy)
    share = float(saving.sum() / predicted.sum())
    freedom = n - len(baseline.names) - 1
    t = _T90[freedom - 1] if freedom <= len(_T90) else 1.645
    uncertainty = t * 1.26 * baseline.cv * math.sqrt((n + 2) / (n * m)) / share if share else math.nan
    return Savings(
        predicted, saving, np.cumsum(saving), float(energy.sum() / predicted.sum()), share, uncertainty
    )
