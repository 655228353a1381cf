"""What every detector must satisfy, whatever it looks for."""

import copy
import pickle
from collections.abc import Callable, Sequence

import numpy as np

from models.base import CellLayout, Detector, Scores, View
from tests.models.views import blank, pick, take

Make = Callable[[CellLayout], Detector]


def arrays_of(view: View) -> list[np.ndarray]:
    """Every array of a view."""
    return [a for part in (view, view.estimate) for a in part if isinstance(a, np.ndarray)]


def run(detector: Detector, views: Sequence[View]) -> list[tuple[Scores, ...]]:
    """Scores of every view."""
    return [detector.update(view) for view in views]


def same(one: Sequence[tuple[Scores, ...]], other: Sequence[tuple[Scores, ...]]) -> None:
    """Bit for bit."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            assert (x.kind, x.slot) == (y.kind, y.slot)
            assert x.value.tobytes() == y.value.tobytes()


def check_shapes(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """One score for each kind, every time, of the right width, never negative or infinite."""
    width = {"cell": 1, "anode": int(cells.n_anodes.max()), "side": 4}
    detector = make(cells)
    for scores in run(detector, views):
        assert tuple(s.kind for s in scores) == detector.kinds
        for score in scores:
            assert score.value.shape == (len(cells.n_anodes), width[score.slot])
            assert score.value.dtype == np.float64
            assert not np.isinf(score.value).any()
            assert not (score.value < 0.0).any()


def check_deterministic(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """The same views give the same bits."""
    same(run(make(cells), views), run(make(cells), views))


def check_causal(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """What comes later changes no score: a run cut short agrees with the whole."""
    cut = len(views) // 2
    same(run(make(cells), views[:cut]), run(make(cells), views)[:cut])


def check_hands_off(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """Views are not written to, and neither views nor scores are kept: what others do to them has no effect."""
    expected = run(make(cells), views)
    before = [[a.copy() for a in arrays_of(view)] for view in views]
    detector = make(cells)
    got: list[tuple[Scores, ...]] = []
    for view, kept in zip(views, before, strict=True):
        mine = copy.deepcopy(view)
        scores = detector.update(mine)
        for a, b in zip(arrays_of(mine), kept, strict=True):
            np.testing.assert_array_equal(a, b)
        got.append(tuple(Scores(s.kind, s.slot, s.value.copy()) for s in scores))
        for array in arrays_of(mine):
            array[...] = 1
        for score in scores:
            score.value[...] = -1.0
    same(got, expected)


def check_pickle(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """Saved and restored in the middle, it goes on bit for bit, explanations included."""
    cut = len(views) // 2
    whole, first = make(cells), make(cells)
    expected = run(whole, views)
    run(first, views[:cut])
    restored = pickle.loads(pickle.dumps(first))
    same(run(restored, views[cut:]), expected[cut:])
    for score in expected[-1]:
        assert repr(restored.explain(score.kind, 0, 0)) == repr(whole.explain(score.kind, 0, 0))


def check_one_by_one(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """A cell's score does not depend on the other cells."""
    together = run(make(cells), views)
    for cell in range(len(cells.n_anodes)):
        alone = run(make(pick(cells, [cell])), [take(view, [cell]) for view in views])
        for a, b in zip(alone, together, strict=True):
            for x, y in zip(a, b, strict=True):
                assert x.value.tobytes() == y.value[[cell]].tobytes()


def check_nothing_known(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """Nothing measured is no alarm, at the start or after a while, and leaves detectors of values with NaN."""
    detector = make(cells)
    for minute in range(180):
        for score in detector.update(blank(cells, views[0].time_us + minute * 60_000_000)):
            assert np.isnan(score.value).all(), score.kind


def check_explains(make: Make, cells: CellLayout, views: Sequence[View]) -> None:
    """Evidence is finite, causes sum to one and fall in order; other kinds are refused."""
    detector = make(cells)
    scores = run(detector, views)[-1]
    for score in scores:
        for cell, slot in np.argwhere(np.isfinite(score.value))[::7].tolist():
            found = detector.explain(score.kind, cell, slot)
            assert found.evidence
            assert all(np.isfinite(value) for value in found.evidence.values())
            weights = [cause.weight for cause in found.causes]
            assert abs(sum(weights) - 1.0) < 1e-12
            assert weights == sorted(weights, reverse=True)
    try:
        detector.explain("no_such_kind", 0, 0)
    except ValueError:
        return
    raise AssertionError(f"{detector.name} explains what it does not score")


ALL = (
    check_shapes,
    check_deterministic,
    check_causal,
    check_hands_off,
    check_pickle,
    check_one_by_one,
    check_nothing_known,
    check_explains,
)
