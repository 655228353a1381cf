"""Cold and hot cells: probable superheat by the twin and by anode effects, and drift from the cell's own place."""

from math import erfc, exp, isnan, log, sqrt
from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, FloatArray, Scores, View
from models.effect_watch import EffectWatch
from models.explaining import explanation
from models.heat_drift import HeatDrift
from models.reading_steps import VoltageSteps
from twin.jit import kernel
from twin.signals import SCALAR_READINGS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_LOW, _NORMAL, _HIGH = range(3)
_DAY_S = 86400.0
#: Superheats over which belief is spread, by 1 K from -10 [K]; limits of states at whole degrees fall between two.
_FROM_K, _N = -10.0, 46


class HeatStateLimits(NamedTuple):
    """Which superheat is which, and what anode effects say about it.

    Attributes
    ----------
    low_C, high_C
        Low below, high above [K]: practice calls a cell cold below 4 and hot above 15 to 20.
    least_sd_C
        The twin's superheat is taken to be no better than this [K]: published liquidus equations differ by 1 to 3.
    raise_probability
        Probability of a state from which it is raised.
    effect_apart_s
        Least time to the next anode effect [s]: a cell that burns again at once has one trouble, not two.
    memory_d
        Days of anode effects that count.
    usual_1_d, cold_1_d
        Anode effects a day where alumina dissolves, and where it does not: 0.08 in a good 300 kA line (Ren 2007), 1
        is called frequent (Zhu and Li 2020).
    hold_s
        A score stands this long without a new estimate [s].
    """

    low_C: float = 4.0
    high_C: float = 15.0
    least_sd_C: float = 2.0
    raise_probability: float = 0.8
    effect_apart_s: float = 900.0
    memory_d: float = 3.0
    usual_1_d: float = 0.08
    cold_1_d: float = 1.0
    hold_s: float = 3600.0


@kernel
def _share_below(limit_C: float, mean_C: float, sd_C: float) -> float:
    """Share of a normal law below a limit [-]."""
    return 0.5 * erfc((mean_C - limit_C) / (sd_C * sqrt(2.0)))


@kernel
def _believe(
    superheat_C: FloatArray,
    sd_C: FloatArray,
    effects: FloatArray,
    watched_d: FloatArray,
    limits: HeatStateLimits,
    chance: FloatArray,
) -> None:
    rate_1_d, log_rate, state = np.empty(_N), np.empty(_N), np.empty(_N, dtype=np.int64)
    for k in range(_N):
        middle_C = _FROM_K + k + 0.5
        # Alumina dissolves at this share of its rate: the law of the cell model.
        dissolving = 1.0 / (1.0 + exp(-0.5 * (middle_C - 4.0)))
        rate_1_d[k] = limits.usual_1_d + (limits.cold_1_d - limits.usual_1_d) * (1.0 - dissolving)
        log_rate[k] = log(rate_1_d[k] / limits.cold_1_d)
        state[k] = _LOW if middle_C < limits.low_C else (_HIGH if middle_C > limits.high_C else _NORMAL)
    for c in range(superheat_C.shape[0]):
        chance[c] = np.nan
        if isnan(superheat_C[c]) or isnan(sd_C[c]):
            continue
        wide_C = max(sd_C[c], limits.least_sd_C)
        chance[c] = 0.0
        total, below = 0.0, 0.0
        for k in range(_N):
            # What lies beyond the ends of the grid belongs to its last cells.
            up_to = 1.0 if k == _N - 1 else _share_below(_FROM_K + k + 1.0, superheat_C[c], wide_C)
            weight = (up_to - below) * exp(effects[c] * log_rate[k] - rate_1_d[k] * watched_d[c])
            below = up_to
            chance[c, state[k]] += weight
            total += weight
        # Hundreds of effects leave no weight anywhere: that is no cell, and nothing is said.
        chance[c] *= 1.0 / total if total > 0.0 else np.nan


def state_probabilities(
    superheat_C: FloatArray,
    superheat_sd_C: FloatArray,
    effects: FloatArray,
    watched_d: FloatArray,
    limits: HeatStateLimits | None = None,
) -> FloatArray:
    """Probabilities of low, normal and high superheat.

    Parameters
    ----------
    superheat_C, superheat_sd_C : (n_cells,)
        Estimate and its standard deviation [K].
    effects, watched_d : (n_cells,)
        Anode effects that count, and the days in which they were watched for.
    limits
        See `HeatStateLimits`.

    Returns
    -------
    (n_cells, 3)
        They sum to 1; NaN where there is no estimate.

    Notes
    -----
    Bayes: normal law of the estimate times a Poisson law of the anode effects, whose rate grows as alumina dissolves
    more slowly at low superheat. States after Zhu and Li, Metals 2020, whose network and figures are not used.

    Examples
    --------
    >>> sure, none = np.array([1.2]), np.array([0.0])
    >>> state_probabilities(np.array([8.0]), sure, none, none).round(2).tolist()
    [[0.02, 0.98, 0.0]]
    """
    chance = np.empty((len(superheat_C), 3))
    _believe(superheat_C, superheat_sd_C, effects, watched_d, limits or HeatStateLimits(), chance)
    return chance


class HeatState:
    """Scores every cell by the probabilities of low and of high superheat, and by its drift (`HeatDrift`).

    Temperature alone says little: most of its change is change of the liquidus, which the twin knows. So a cell whose
    temperature falls stays normal unless its superheat falls too, or anode effects come with it. Cells that the twin
    does not assess are not judged (NaN), nor are those whose voltmeter has just stepped: the twin's heat is its heat.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `HeatStateLimits`.

    Notes
    -----
    Physics reference 7.1 and 7.2. No better than the twin's superheat and its standard deviation. Blocked feeders
    count only through the anode effects that they cause. Not validated on plant data.
    """

    name = "heat_state"
    version = "heat_state/2"
    kinds = ("cell_cold", "cell_hot")

    def __init__(self, layout: CellLayout, limits: HeatStateLimits | None = None) -> None:
        self.limits = HeatStateLimits() if limits is None else limits
        n = len(layout.n_anodes)
        self._effect_watch = EffectWatch(layout)
        self._effects = np.zeros(n)
        self._watched_d = np.zeros(n)
        self._since_effect_s = np.full(n, np.inf)
        self._since_s = np.full(n, np.inf)
        self._chance = np.full((n, 3), np.nan)
        self._superheat_C = np.full(n, np.nan)
        self._sd_C = np.full(n, np.nan)
        self._bath_C = np.full(n, np.nan)
        self._residual_V = np.full(n, np.nan)
        self._drift = HeatDrift(layout)
        self._drifted = np.full((2, n), np.nan)
        self._steps = VoltageSteps(n)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim, estimate = self.limits, view.estimate
        self._count(view)
        stepped = np.abs(self._steps.update(view)) >= self._steps.limits.voltage_V
        view = view._replace(estimate=estimate._replace(assessed=estimate.assessed & ~stepped))
        estimate = view.estimate
        self._drifted = self._drift.update(view)
        fresh = estimate.assessed & np.isfinite(estimate.superheat_C) & np.isfinite(estimate.superheat_sd_C)
        for kept, now in (
            (self._superheat_C, estimate.superheat_C),
            (self._sd_C, estimate.superheat_sd_C),
            (self._bath_C, estimate.bath_temp_C),
            (self._residual_V, estimate.voltage_residual_V),
        ):
            kept[fresh] = now[fresh]
        self._since_s = np.where(fresh, 0.0, self._since_s + view.scan_s)
        held = (self._since_s <= lim.hold_s) & ~stepped
        self._drifted[:, stepped] = np.nan
        self._chance = state_probabilities(
            np.where(held, self._superheat_C, np.nan), self._sd_C, self._effects, self._watched_d, lim
        )
        score = self._chance / lim.raise_probability
        cold, hot = (np.fmax(score[:, s], self._drifted[d]) for s, d in ((_LOW, 0), (_HIGH, 1)))
        return (Scores("cell_cold", "cell", cold[:, None]), Scores("cell_hot", "cell", hot[:, None]))

    def _count(self, view: View) -> None:
        """Count anode effects over watched time; what is old fades."""
        lim, watch = self.limits, self._effect_watch
        watch.step(view)
        seen = np.isfinite(view.scalar[_VOLTAGE])
        fade = np.where(seen, np.exp(-view.scan_s / (lim.memory_d * _DAY_S)), 1.0)
        self._effects *= fade
        self._watched_d = self._watched_d * fade + np.where(seen, view.scan_s / _DAY_S, 0.0)
        self._effects += watch.began & (self._since_effect_s >= lim.effect_apart_s)
        self._since_effect_s = np.where(watch.running, 0.0, self._since_effect_s + view.scan_s)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        chance, effects = self._chance[cell], float(self._effects[cell])
        over_V = float(np.nan_to_num(self._residual_V[cell]))
        evidence = {
            "low_probability": float(chance[_LOW]),
            "normal_probability": float(chance[_NORMAL]),
            "high_probability": float(chance[_HIGH]),
            "superheat_C": float(self._superheat_C[cell]),
            "superheat_sd_C": float(self._sd_C[cell]),
            "bath_temp_C": float(self._bath_C[cell]),
            "anode_effects_3d": effects,
            "voltage_residual_V": over_V,
            **self._drift.evidence(cell),
        }
        # Heat that left its own place says the same as a voltage that did, once the twin has followed it.
        heat = evidence["heat_loss_drift_kW"] / max(self._drift.usual_heat_kW(cell), 1.0)
        # A tenth of a volt above or below what the twin expects is plainly too much or too little.
        heat = float(np.nan_to_num(heat))
        above, below = (min(max(sign * (over_V / 0.1 + heat / 0.05), 0.0), 1.0) for sign in (1.0, -1.0))
        if kind == "cell_cold":
            weights = {
                "heat_input_low": 0.4 + 0.6 * below,
                "heat_loss_high": 0.4 * (1.0 - 0.5 * below),
                "alumina_undissolved": 0.1 + 0.3 * min(effects, 3.0),
            }
        else:
            weights = {
                "heat_input_high": 0.4 + 0.6 * above,
                "heat_loss_low": 0.3 * (1.0 - 0.5 * above),
                "short_or_spike": 0.2 + 0.3 * below,
            }
        return explanation(evidence, weights)
