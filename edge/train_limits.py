"""Limits that keep a budget of false alarms: conformal where the cell-days suffice, a fit of the tail beyond them."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import Rule
from edge.model_file import Limit
from models.base import FloatArray, Scores
from models.panel import FIXED
from models.scoring.rules import FAMILIES
from twin.jit import kernel

#: Limits tried, in shares of the limit of physics: a step is 4 %, about the scatter of a robust spread.
LEVELS: FloatArray = np.array([0.25 * 1.04**k for k in range(81)])
#: False alarms per cell-day (detection reference, section 3): all fast kinds together, and each kind of heat loss.
FAST_BUDGET, HEAT_BUDGET = 0.05, 0.001
#: No limit is raised further: what a detector needs beyond is a better detector.
MAX_FACTOR = 2.5
_BLOCK_MIN = 1440
#: Cell-days with an excess that a tail is fitted to.
_TAIL = 10


@kernel
def _raise_levels(
    value: FloatArray,
    clear: NDArray[np.bool_],
    levels: FloatArray,
    scan_s: float,
    rule: tuple[float, float, float],
    high_s: FloatArray,
    low_s: FloatArray,
    active: NDArray[np.bool_],
    block: FloatArray,
) -> None:
    # The alarm rule as `edge.alarm_delays` has it, for every level at once.
    for k in range(levels.shape[0]):
        for i in range(value.shape[0]):
            for j in range(value.shape[1]):
                x = value[i, j] / levels[k]
                if x >= 1.0:
                    high_s[k, i, j] += scan_s
                    low_s[k, i, j] = 0.0
                elif x < rule[2]:
                    high_s[k, i, j] = 0.0
                    low_s[k, i, j] += scan_s
                else:
                    continue
                if x >= 1.0 and not active[k, i, j] and high_s[k, i, j] >= rule[0]:
                    active[k, i, j] = True
                    if clear[i]:
                        block[i] = max(block[i], levels[k])
                elif x < 1.0 and active[k, i, j] and low_s[k, i, j] >= rule[1]:
                    active[k, i, j] = False


class _Kind(NamedTuple):
    high_s: FloatArray
    low_s: FloatArray
    active: NDArray[np.bool_]
    block: FloatArray
    judged_s: FloatArray


class LevelCounter:
    """Finds, for every kind and every clear cell-day, the highest limit at which an alarm would have begun.

    A cell-day of a kind is 24 h of clear time in which one cell was judged, at one place or another, however it is cut
    up by events: where there is no score there can be no alarm, which says nothing of how rare alarms are.

    Parameters
    ----------
    rules
        Delays by alarm kind.
    n_cells
        Of the line.
    """

    def __init__(self, rules: Mapping[str, Rule], n_cells: int) -> None:
        self._rules = rules
        self._kinds: dict[str, _Kind] = {}
        self._n_cells = n_cells
        #: Level of each closed block by kind, 0 where there would have been no alarm at all.
        self.blocks: dict[str, list[float]] = {}

    def add(self, scores: Sequence[Scores], clear: NDArray[np.bool_], scan_s: float) -> None:
        """Take in one scan; ``clear`` (n_cells,) says where an alarm would be false."""
        for score in scores:
            rule = self._rules.get(score.kind)
            if rule is None:
                continue
            state = self._kinds.get(score.kind)
            if state is None:
                n, shape = self._n_cells, (len(LEVELS), *score.value.shape)
                high_s, low_s, active = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.bool_)
                state = _Kind(high_s, low_s, active, np.zeros(n), np.zeros(n))
                self._kinds[score.kind] = state
                self.blocks[score.kind] = []
            _raise_levels(
                np.ascontiguousarray(score.value),
                clear,
                LEVELS,
                float(scan_s),
                (float(rule.on_delay_s), float(rule.off_delay_s), float(rule.clear_below)),
                *state[:4],
            )
            state.judged_s[clear & np.isfinite(score.value).any(axis=1)] += scan_s
            for cell in np.flatnonzero(state.judged_s >= 60.0 * _BLOCK_MIN):
                self.blocks[score.kind].append(float(state.block[cell]))
                state.judged_s[cell] = state.block[cell] = 0.0


def budgets(kinds: Collection[str]) -> dict[str, float]:
    """False alarms per cell-day allowed to each kind: the fast ones share theirs alike.

    Parameters
    ----------
    kinds
        Those that are scored.

    Examples
    --------
    >>> budgets(["cell_hot", "anode_slip", "anode_spike"])
    {'cell_hot': 0.001, 'anode_slip': 0.025, 'anode_spike': 0.025}
    """
    heat = set(FAMILIES["heat_loss"])
    fast = [kind for kind in kinds if kind not in heat]
    return {kind: HEAT_BUDGET if kind in heat else FAST_BUDGET / len(fast) for kind in kinds}


def limit_of(kind: str, blocks: Sequence[float], budget: float) -> Limit:
    """Limit of one kind, never below that of physics.

    Parameters
    ----------
    kind
        Alarm kind; those of ``models.panel.FIXED`` stay.
    blocks
        Highest level at which each clear cell-day would have had an alarm.
    budget
        False alarms allowed per cell-day.

    Notes
    -----
    Where (n + 1) budget >= 1, the ceil((n + 1)(1 - budget))-th smallest of n exchangeable cell-days is exceeded by a
    new one with a probability of at most the budget (split conformal: Vovk et al., Algorithmic Learning in a Random
    World, 2005). With fewer, the logarithm of the level is taken as exponential beyond the tenth-largest cell-day (Hill
    1975), which is an assumption and no guarantee; where that asks for nothing although a clear cell-day would have had
    an alarm, the limit is put above the highest of them. Cell-days of one cell are not
    independent, and both say too little about another plant.
    """
    n, level = len(blocks), np.sort(np.array(blocks, dtype=np.float64))
    above = int((level >= 1.0).sum())
    if kind in FIXED:
        return Limit(factor=1.0, budget=budget, cell_days=float(n), above=above, basis="fixed")
    step = float(LEVELS[1] / LEVELS[0])
    if (n + 1) * budget >= 1.0:
        found = float(level[math.ceil((n + 1) * (1.0 - budget)) - 1]) * step
        basis = "ranks"
    else:
        found, basis = _tail_level(level, budget) * step, "tail"
        if found <= step and above:
            found, basis = float(level[-1]) * step, "highest"
    if found <= step:
        return Limit(factor=1.0, budget=budget, cell_days=float(n), above=above, basis="physics")
    if found > MAX_FACTOR:
        return Limit(factor=MAX_FACTOR, budget=budget, cell_days=float(n), above=above, basis="beyond")
    return Limit(factor=round(found, 3), budget=budget, cell_days=float(n), above=above, basis=basis)


def _tail_level(level: FloatArray, budget: float) -> float:
    """Level that a cell-day exceeds with a probability of the budget, by the exponential tail of its logarithm."""
    n = len(level)
    if int((level > 0.0).sum()) <= _TAIL:
        return 0.0
    threshold = float(level[n - _TAIL - 1])
    if threshold <= 0.0:
        threshold = float(LEVELS[0])
    largest = level[n - _TAIL :]
    mean_excess = float(np.log(largest / threshold).mean())
    return threshold * math.exp(mean_excess * math.log(max(_TAIL / n / budget, 1.0)))
