"""Slow anodes, and young ones that are not."""

import numpy as np
import pytest

from models.anode_pickup import AnodePickup
from tests.models.views import CURRENT_A, Room, first_hour, hours_of, layout, pickup_law_frac, quiet


def test_slow_anode_is_told_from_a_normal_young_one() -> None:
    cells = layout(2)
    room = Room(cells, spread=False)
    detector = AnodePickup(cells)
    # Both changed 8 h ago; the slow one carries 10-15 % of the mean where 43 % is normal (physics reference 5.3).
    room.age_h[:, 5] = 8.0
    room.tau_h[0, 5] = 32.0
    scores = [detector.update(view)[0].value for view in hours_of(room, 3.0)]
    assert 0.5 <= first_hour(scores, 0, 5) <= 1.0
    assert quiet(scores, 1, 5)
    found = detector.explain("anode_slow_pickup", 0, 5)
    assert found.evidence["age_h"] == pytest.approx(11.0, abs=0.1)
    assert found.evidence["measured_frac"] < 0.25 < 0.45 < found.evidence["expected_frac"]
    mean_A = CURRENT_A / 20
    short_frac = found.evidence["expected_frac"] - found.evidence["measured_frac"]
    assert found.evidence["deficit_A"] == pytest.approx(short_frac * mean_A, rel=0.01)
    assert found.causes[0].cause == "slow_pickup_frozen_bath"


@pytest.mark.parametrize("tau_h", [11.0 * np.exp(-0.3), 11.0, 11.0 * np.exp(0.3)])
def test_pickup_within_the_published_spread_is_normal(tau_h: float) -> None:
    cells = layout(1)
    room = Room(cells, spread=False)
    detector = AnodePickup(cells)
    room.age_h[0, 3] = 0.1
    room.tau_h[0, 3] = tau_h
    assert quiet([detector.update(view)[0].value for view in hours_of(room, 30.0)], 0, 3)


def test_late_by_field_practice_alarms_within_a_day() -> None:
    # "< 50 % at 12 h, < 60 % at 24 h" is a late pick-up (physics reference 5.4).
    cells = layout(1)
    room = Room(cells, spread=False)
    tau_h = 22.0
    assert pickup_law_frac(np.array([12.0, 24.0]), tau_h) == pytest.approx([0.34, 0.67], abs=0.02)
    room.age_h[0, 3], room.tau_h[0, 3] = 0.1, tau_h
    detector = AnodePickup(cells)
    assert first_hour([detector.update(view)[0].value for view in hours_of(room, 20.0)], 0, 3) < 14.0


def test_unknown_age_is_not_judged_and_an_old_anode_is_none_of_its_business() -> None:
    cells = layout(1)
    room = Room(cells, spread=False)
    detector = AnodePickup(cells)
    for _ in range(120):
        view = room.step()
        view.anode_age_h[0, 4] = np.nan
        view.estimate.anode_frac[0, 4] = 0.1
        view.anode_age_h[0, 6] = 300.0
        view.estimate.anode_frac[0, 6] = 0.1
        score = detector.update(view)[0].value
        assert np.isnan(score[0, 4])
        assert score[0, 6] == 0.0


def test_a_new_anode_in_the_place_of_a_slow_one_starts_from_nothing() -> None:
    cells = layout(1)
    room = Room(cells, spread=False)
    room.age_h[0, 5], room.tau_h[0, 5] = 20.0, 80.0
    detector = AnodePickup(cells)
    scores = [detector.update(view)[0].value for view in hours_of(room, 2.0)]
    assert scores[-1][0, 5] > 1.0
    room.age_h[0, 5], room.tau_h[0, 5] = 0.0, 11.0
    assert detector.update(room.step())[0].value[0, 5] == 0.0


def test_a_change_logged_hours_late_starts_from_nothing_too() -> None:
    cells = layout(1)
    room = Room(cells, spread=False)
    room.age_h[0, 5], room.tau_h[0, 5] = 20.0, 80.0
    detector = AnodePickup(cells)
    assert [detector.update(view)[0].value for view in hours_of(room, 2.0)][-1][0, 5] > 1.0
    room.age_h[0, 5], room.tau_h[0, 5] = 4.0, 11.0
    scores = [detector.update(view)[0].value for view in hours_of(room, 1.0)]
    assert np.isnan(scores[0][0, 5])
    assert quiet(scores, 0, 5)


def test_line_off_makes_no_slow_anode() -> None:
    cells = layout(1)
    room = Room(cells, spread=False)
    room.age_h[0, 5] = 10.0
    detector = AnodePickup(cells)
    for view in hours_of(room, 2.0):
        view.anode_current_A[:] = room.rng.normal(0.0, 20.0, view.anode_current_A.shape)
        view.estimate.anode_frac[:] = view.anode_current_A / view.anode_current_A.mean()
        assert not (detector.update(view)[0].value[0, 5] >= 0.0)
