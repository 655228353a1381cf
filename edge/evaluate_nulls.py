"""Null models on the readings that the alarms were raised on, with thresholds frozen on other cells."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from edge.evaluate_case import Case, Sensors
from models.generic import Baseline, detrended
from models.scoring import nulls
from models.scoring.events import GRID_US, CellRecord, Episode
from models.scoring.figures import Judged
from models.scoring.thresholds import alarms, frozen, ladder

F32 = NDArray[np.float32]
IntArray = NDArray[np.int64]
Score = Callable[[int], F32]

#: Rows that a null model is fitted to, at most: whole days of normal time, evenly from all cells.
_FIT_ROWS = 60_000
_DAY_MIN = 1440
_LADDER_VALUES = 2_000_000


class NullResult(NamedTuple):
    """What a null model did.

    Attributes
    ----------
    scores : (n,) float32 each
        Score series of each cell.
    episodes
        Alarms by group, at the threshold that was frozen on the other half of the cells.
    in_hindsight
        The same at the lowest threshold that gives no more false alarms than the system on the very cells that are
        judged: the most that the model could have reached. Empty for a model without a threshold.
    """

    scores: list[F32]
    episodes: dict[str, list[Episode]]
    in_hindsight: dict[str, list[Episode]]


def variables(sensors: Sensors) -> NDArray[np.float64]:
    """What null models see of a cell: its readings less their own mean of the day before, (n, n_variables).

    Anode currents count as shares of their sum. What the cell does not measure is left out later: it is all NaN.
    """
    values = sensors.grid.values[sensors.row].astype(np.float64)
    anodes = [i for i, name in enumerate(sensors.grid.columns) if name.startswith("anode_current_A_")]
    if anodes:
        total_A = np.nansum(values[:, anodes], axis=1, keepdims=True)
        values[:, anodes] = np.divide(
            values[:, anodes], total_A, out=np.full((len(values), len(anodes)), np.nan), where=total_A > 0.0
        )
    return detrended(values, nulls.MEMORY_MIN)


def halves(n_cells: int) -> tuple[list[int], list[int]]:
    """Every other cell; each half is judged with what was learned on the other."""
    return list(range(0, n_cells, 2)), list(range(1, n_cells, 2))


def run(name: str, case: Case, judged: Judged, kinds: Mapping[str, tuple[str, ...]], seed: int) -> NullResult:
    """Run one null model over all cells.

    Parameters
    ----------
    name
        Of ``models.scoring.nulls.NULLS``.
    case
        Cells and readings; at least two cells.
    judged
        What the alarms that are scored did: their false alarms on the cells of one half are what a null model may
        raise there.
    kinds
        Kinds of each group that gets a threshold.
    seed
        Of what is drawn.
    """
    if name in nulls.UNLIMITED:
        scores = [_unfitted(name, case, i, seed) for i in range(len(case.cells))]
        told = [
            episode
            for i, cell in enumerate(case.cells)
            for episode in _episodes(cell, i, alarms(scores[i], 0.5), scores[i])
        ]
        return NullResult(scores, dict.fromkeys(kinds, told), {})
    scores: list[F32] = [np.zeros(0, dtype=np.float32)] * len(case.cells)
    episodes: dict[str, list[Episode]] = {group: [] for group in kinds}
    in_hindsight: dict[str, list[Episode]] = {group: [] for group in kinds}
    one, other = halves(len(case.cells))
    for validation, test in ((one, other), (other, one)):
        score = _scorer(name, case, validation, seed)
        learned = _limits(case, {i: score(i) for i in validation}, judged, kinds)
        judging = {i: score(i) for i in test}
        best = _limits(case, judging, judged, kinds)
        for i, series in judging.items():
            scores[i] = series
            at = {limit: alarms(series, limit) for limit in {*learned.values(), *best.values()}}
            for group in kinds:
                episodes[group] += _episodes(case.cells[i], i, at[learned[group]], series)
                in_hindsight[group] += _episodes(case.cells[i], i, at[best[group]], series)
    return NullResult(scores, episodes, in_hindsight)


def _episodes(cell: CellRecord, index: int, found: IntArray, score: F32) -> list[Episode]:
    """Alarms of a null model; they name nothing."""
    return [
        Episode(
            index,
            cell.line,
            "",
            None,
            None,
            cell.start_us + first * GRID_US,
            cell.start_us + (last + 1) * GRID_US,
            float(np.nanmax(score[first : last + 1])),
        )
        for first, last in found.tolist()
    ]


def _limits(
    case: Case, scored: Mapping[int, F32], judged: Judged, kinds: Mapping[str, tuple[str, ...]]
) -> dict[str, float]:
    """Lowest threshold by group that gives no more false alarms on these cells than the system does there."""
    known = np.concatenate([series[case.cells[i].normal] for i, series in scored.items()]).astype(np.float64)
    steps = ladder(known[:: len(known) // _LADDER_VALUES + 1])
    # Thinning may have left out the largest: above it there must be no alarm at all.
    top = max((float(np.nanmax(s)) for s in scored.values() if np.isfinite(s).any()), default=0.0)
    steps = np.unique(np.append(steps, max(top, float(steps[-1]))))
    false = np.zeros(len(steps), dtype=np.int64)
    for i, series in scored.items():
        clear = case.cells[i].clear
        for k, limit in enumerate(steps.tolist()):
            false[k] += int(clear[alarms(series, limit)[:, 0]].sum())
    limits: dict[str, float] = {}
    for group, wanted in kinds.items():
        allowed = sum(a.cell in scored and (not a.kind or a.kind in wanted) for a, _ in judged.false)
        limits[group] = float(steps[frozen(steps, false, allowed)])
    return limits


def _scorer(name: str, case: Case, validation: list[int], seed: int) -> Score:
    """A function from the index of a cell to its score series."""
    if name not in nulls.FITTED:
        return lambda i: _unfitted(name, case, i, seed)
    models = {
        id(grid): _fitted(nulls.FITTED[name](), case, [i for i in validation if case.sensors[i].grid is grid])
        for grid in {id(s.grid): s.grid for s in case.sensors}.values()
    }
    return lambda i: models[id(case.sensors[i].grid)].score(variables(case.sensors[i])).astype(np.float32)


def _fitted(model: Baseline, case: Case, cells: list[int]) -> Baseline:
    """Fit to normal time of these cells; a row of NaN stands where time does not follow on."""
    rows: list[NDArray[np.float64]] = []
    share = max(_FIT_ROWS // max(len(cells), 1), _DAY_MIN)
    for i in cells:
        normal = np.flatnonzero(case.cells[i].normal)
        days = np.unique(normal // _DAY_MIN)
        wanted = days[:: max(len(days) * _DAY_MIN // share, 1)]
        taken = normal[np.isin(normal // _DAY_MIN, wanted)]
        values = variables(case.sensors[i])[taken]
        values[np.concatenate(([True], np.diff(taken) != 1))[: len(taken)]] = np.nan
        rows.append(values)
    model.fit(np.concatenate(rows))
    return model


def _unfitted(name: str, case: Case, i: int, seed: int) -> F32:
    """Score series of a null model that learns nothing."""
    n = len(case.cells[i].observed)
    rng = np.random.default_rng([seed, crc32(case.cells[i].name.encode())])
    operations = case.operations[i]
    match name:
        case "always":
            score = nulls.always(n)
        case "never":
            score = nulls.never(n)
        case "clock":
            score = nulls.clock(n)
        case "random":
            score = nulls.chance(n, rng)
        case "schedule":
            score = nulls.schedule(n, operations)
        case "schedule_thinned":
            score = nulls.thinned_schedule(n, operations, rng.random(len(operations)))
        case _:
            columns = case.sensors[i].grid.columns
            known = "cell_voltage_V" in columns
            voltage_V = (
                case.sensors[i].grid.values[case.sensors[i].row, :, columns.index("cell_voltage_V")]
                if known
                else np.full(n, np.nan)
            )
            score = nulls.voltage_from_target(voltage_V.astype(np.float64))
    return score.astype(np.float32)
