"""The network of anode windows: what PyTorch computed, every anode by itself, and what is and is not remembered."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from models.anode_sequence import CLASSES, FORGET_S, WARM_WINDOWS, AnodeSequence, SequenceWeights, advance
from models.anode_windows import FEATURES, AnodeWindows, WindowLimits
from models.base import View
from tests.models.views import Room, layout, pick, take

#: Weights, figures and beliefs of a small network, as PyTorch 2.13 computed them.
TORCH = Path(__file__).parent / "data" / "gru_pytorch.npz"


def weights(n_hidden: int = 8, seed: int = 1) -> SequenceWeights:
    rng = np.random.default_rng(seed)
    shapes = (
        (len(FEATURES), 3 * n_hidden),
        (n_hidden, 3 * n_hidden),
        (3 * n_hidden,),
        (3 * n_hidden,),
        (n_hidden, len(CLASSES)),
        (len(CLASSES),),
    )
    return SequenceWeights(*(rng.normal(scale=0.5, size=shape).astype(np.float32) for shape in shapes))


def hours(room: Room, count: float) -> list[View]:
    return [room.step() for _ in range(round(count * 3600 / room.scan_s))]


def test_runs_as_pytorch_does() -> None:
    stored = np.load(TORCH)
    found = SequenceWeights(*(stored[name] for name in SequenceWeights._fields)).checked()
    x, expected = stored["x"], stored["beliefs"]
    hidden = np.zeros((len(x), found.from_hidden.shape[0]), dtype=np.float32)
    beliefs = np.zeros((len(x), len(CLASSES)), dtype=np.float32)
    for step in range(x.shape[1]):
        advance(np.ascontiguousarray(x[:, step]), np.ones(len(x), dtype=np.bool_), found, hidden, beliefs)
        np.testing.assert_allclose(beliefs, expected[:, step], atol=1e-6)


def test_an_anode_that_was_not_seen_stands_still() -> None:
    found = weights().checked()
    rng = np.random.default_rng(2)
    hidden = rng.normal(size=(3, 8)).astype(np.float32)
    beliefs = np.full((3, len(CLASSES)), 0.5, dtype=np.float32)
    before = hidden.copy()
    x = rng.normal(size=(3, len(FEATURES))).astype(np.float32)
    advance(x, np.array([True, False, True]), found, hidden, beliefs)
    assert hidden[1].tobytes() == before[1].tobytes()
    assert (beliefs[1] == 0.5).all()
    assert not np.array_equal(hidden[0], before[0])
    np.testing.assert_allclose(beliefs[[0, 2]].sum(axis=1), 1.0, atol=1e-6)


def test_beliefs_of_a_cell_depend_on_no_other_and_survive_a_restart() -> None:
    cells = layout(3, n_anodes=6)
    views = hours(Room(cells), 5.0)
    whole = AnodeSequence(cells, weights())
    expected = [whole.update(view) for view in views]
    assert np.isfinite(expected[-1]).all()
    np.testing.assert_allclose(expected[-1].sum(axis=2), 1.0, atol=1e-5)
    alone = AnodeSequence(pick(cells, [1]), weights())
    for view, known in zip(views, expected, strict=True):
        assert alone.update(take(view, [1])).tobytes() == known[[1]].tobytes()
    first = AnodeSequence(cells, weights())
    for view in views[:100]:
        first.update(view)
    restored = pickle.loads(pickle.dumps(first))
    for view, known in zip(views[100:], expected[100:], strict=True):
        assert restored.update(view).tobytes() == known.tobytes()


def test_nothing_is_believed_before_two_hours_nor_after_a_long_silence() -> None:
    cells = layout(1, n_anodes=4)
    room = Room(cells)
    found = AnodeSequence(cells, weights())
    told = [bool(np.isfinite(found.update(view)).any()) for view in hours(room, 3.0)]
    first = told.index(True) + 1
    assert first == pytest.approx(WARM_WINDOWS * 5, abs=6)
    for view in hours(room, FORGET_S / 3600.0 + 0.2):
        view.estimate.anode_frac[:] = np.nan
        view.anode_current_A[:] = np.nan
        found.update(view)
    assert np.isnan(found.update(room.step())).all() or np.isnan(found.update(hours(room, 0.2)[-1])).all()


def test_weights_that_do_not_fit_are_refused() -> None:
    good = weights()
    with pytest.raises(ValueError, match="to_class"):
        good._replace(to_class=good.to_class[:, :3]).checked()
    bad = good.from_hidden.copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        good._replace(from_hidden=bad).checked()


def test_windows_say_what_was_measured() -> None:
    cells = layout(1, n_anodes=6)
    room = Room(cells, spread=False, change_every_h=200.0)
    room.age_h[:] = 300.0
    windows = AnodeWindows(cells)
    quiet = [w for view in hours(room, 26.0) if (w := windows.update(view)) is not None]
    assert len(quiet) == pytest.approx(26 * 12, abs=1)
    column = {name: n for n, name in enumerate(FEATURES)}
    assert abs(quiet[-1].features[0, :, column["share_less_own_day"]]).max() < 0.5
    shares: list[np.ndarray] = []
    for view in hours(room, 0.5):
        view.estimate.anode_frac[0, 2] += 0.4
        if (window := windows.update(view)) is not None:
            shares.append(window.features[0])
    moved = shares[-1][:, column["share_less_own_day"]]
    assert moved[2] > 1.2
    assert moved[[0, 5]].max() < 0.5
    # Anodes 2 and 4 stand beside it in one row of three; the others do not.
    beside = shares[-1][:, column["neighbours_less_own_day"]]
    assert beside[1] > 0.5
    assert abs(beside[4]) < 0.5


def test_too_few_readings_of_a_window_do_not_count() -> None:
    cells = layout(1, n_anodes=4)
    room = Room(cells, scan_s=10.0)
    windows = AnodeWindows(cells)
    few = round(WindowLimits().min_seen_s / 10.0) - 2
    seen: list[np.ndarray] = []
    for number, view in enumerate(hours(room, 0.5)):
        if number % 30 >= few:
            view.estimate.anode_frac[0, 1] = np.nan
        if (window := windows.update(view)) is not None:
            seen.append(window.seen[0])
            assert (window.features[0, 1] == 0.0).all()
    assert not np.array(seen)[:, 1].any()
    assert np.array(seen)[:, 0].all()
