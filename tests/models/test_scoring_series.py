"""Series of a cell against its truth by minute: what counts, and what an alarm log says between alarms."""

import numpy as np
import pytest

from models.scoring.events import Episode, Event
from models.scoring.series import figures, of_episodes, target

MIN = 60_000_000


def event(kind: str, start: int, seen: int, end: int) -> Event:
    return Event(0, kind, None, None, start * MIN, seen * MIN, end * MIN)


def test_hidden_beginnings_and_events_of_other_groups_do_not_count():
    events = [event("cover_loss", 2, 4, 6), event("sensor_fault", 7, 7, 9)]
    got = target(12, 0, events, {"cover_loss"})
    assert np.flatnonzero(got.label).tolist() == [4, 5]
    assert np.flatnonzero(~got.valid).tolist() == [2, 3, 7, 8]


def test_a_log_holds_the_score_of_the_alarms_that_stand():
    def alarm(first: int, last: int, score: float) -> Episode:
        return Episode(0, "L1", "cover_loss", None, None, first * MIN, last * MIN, score)

    got = of_episodes(8, 0, [alarm(1, 4, 1.5), alarm(3, 6, 2.0), alarm(7, 7, 1.1)])
    assert got.tolist() == pytest.approx([0.0, 1.5, 1.5, 2.0, 2.0, 2.0, 0.0, 1.1])


def test_figures_of_two_cells_by_hand():
    """One event of two minutes in eight; one alarm of two minutes, half of it early; the other cell is quiet."""
    targets = [target(8, 0, [event("cover_loss", 4, 4, 6)], {"cover_loss"}), target(8, 0, [], {"cover_loss"})]
    alarms = [np.isin(np.arange(8), [3, 4]), np.zeros(8, dtype=np.bool_)]
    got = figures([a.astype(np.float32) for a in alarms], alarms, targets, buffer=0)
    assert got["prevalence"] == pytest.approx(2 / 16)
    # Two predicted, one right; the other hit comes with all the rest.
    assert got["auc_pr"] == pytest.approx(0.5 * 0.5 + 0.5 * 2 / 16)
    assert got["never_optimise"]["point_f1"] == pytest.approx(0.5)
    assert got["never_optimise"]["pa_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert got["never_optimise"]["alarm_time_share"] == pytest.approx(2 / 16)
    # Of the cell with the event alone. Minute 3.5 is half a minute off: farther are 3.5 and 1.5 of 8.
    assert got["affiliation_precision"] == pytest.approx((1.0 + (3.5 + 1.5) / 8) / 2)
    # Minute 5.5 is half a minute from the prediction: all but one of eight is farther.
    assert got["affiliation_recall"] == pytest.approx((1.0 + 7 / 8) / 2)
