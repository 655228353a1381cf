"""Cold and hot cells: what superheat, its uncertainty and anode effects say together."""

import numpy as np
import pytest

from models.heat_state import HeatState, state_probabilities
from tests.models.views import VOLTAGE, Room, hours_of, layout

CELLS = layout(3)


def chances(superheat_C: float, sd_C: float, effects: float = 0.0, watched_d: float = 3.0) -> np.ndarray:
    return state_probabilities(
        np.array([superheat_C]), np.array([sd_C]), np.array([effects]), np.array([watched_d])
    )[0]


@pytest.mark.parametrize(
    ("superheat_C", "state"), [(0.0, 0), (8.0, 1), (12.0, 1), (19.0, 2), (80.0, 2), (-60.0, 0)]
)
def test_the_likeliest_state_is_where_the_estimate_is(superheat_C: float, state: int) -> None:
    found = chances(superheat_C, 1.2)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.argmax() == state


def test_superheat_is_never_taken_to_be_better_than_2_K() -> None:
    # Physics reference 2.1: two published liquidus equations differ by 1 to 3 degC.
    assert chances(5.0, 0.1).tolist() == chances(5.0, 2.0).tolist()
    # Without effects watched, the share of the normal law below 4.
    assert chances(5.0, 2.0, watched_d=0.0)[0] == pytest.approx(0.3085, abs=0.0005)
    assert chances(8.0, 6.0)[0] > chances(8.0, 2.0)[0]


def test_anode_effects_speak_for_low_superheat_and_quiet_days_against_it() -> None:
    low = [chances(6.0, 2.0, float(effects))[0] for effects in range(7)]
    assert np.all(np.diff(low) > 0.0)
    assert low[0] < chances(6.0, 2.0, 0.0, 0.0)[0] < low[6]
    # They say nothing for a cell that is surely hot.
    assert chances(19.0, 2.0, 6.0).argmax() == 2


def test_without_an_estimate_there_is_no_probability() -> None:
    assert np.isnan(chances(np.nan, 1.0)).all()
    assert np.isnan(chances(8.0, np.nan)).all()


def test_scores_follow_the_twin_and_are_held_for_an_hour() -> None:
    room, detector = Room(CELLS), HeatState(CELLS)
    cold, hot = np.full(3, np.nan), np.full(3, np.nan)
    for view in hours_of(room, 1.0):
        view.estimate.superheat_C[:] = [0.5, 8.0, 19.0]
        cold, hot = (score.value[:, 0] for score in detector.update(view))
    assert (cold >= 1.0).tolist() == [True, False, False]
    assert (hot >= 1.0).tolist() == [False, False, True]
    assert detector.explain("cell_cold", 0, 0).evidence["superheat_C"] == 0.5
    assert detector.explain("cell_hot", 2, 0).causes[0].cause == "heat_input_high"
    for minute, view in enumerate(hours_of(room, 1.5), start=1):
        view.estimate.assessed[:] = False
        cold = detector.update(view)[0].value[:, 0]
        assert bool(np.isfinite(cold).all()) is (minute <= 60), minute


def test_effects_are_counted_once_and_fade() -> None:
    room, detector = Room(CELLS), HeatState(CELLS)
    for minute, view in enumerate(hours_of(room, 10.0)):
        # Three minutes of effect in cell 0 with a dip between, every two hours.
        if minute % 120 in (0, 2):
            view.scalar[VOLTAGE, 0] = 30.0
        detector.update(view)
    assert detector.explain("cell_cold", 0, 0).evidence["anode_effects_3d"] == pytest.approx(5.0, rel=0.1)
    assert detector.explain("cell_cold", 1, 0).evidence["anode_effects_3d"] == 0.0
    assert detector.explain("cell_cold", 0, 0).causes[0].cause == "alumina_undissolved"
    first, second = (detector.explain("cell_cold", c, 0).evidence["low_probability"] for c in (0, 1))
    assert first > 3.0 * second
