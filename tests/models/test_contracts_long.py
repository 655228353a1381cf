"""What every detector of the registry must also satisfy over time: gaps, long records, and trouble that lasts."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest

from models.base import View
from models.registry import DETECTORS
from tests.models.contracts import run, same
from tests.models.test_contracts import CELLS, views
from tests.models.views import Room, blank, pick, take

#: Kinds whose score speaks of something that happened, not of something that is: it falls by itself.
PASSING: dict[str, str] = {
    "sensor_fault": "a view that is repeated is itself a stuck instrument",
    "anode_slip": "a slip is over at once; where it left the anode is judged as overload, spike or set low",
    "stream_silent": "as long as views come, nothing is silent",
}
__all__ = ["views"]


def after_gap(seen: Sequence[View], gap_h: float) -> list[View]:
    """The same views, the second half so much later, as after an outage of the gateway."""
    cut, gap_us = len(seen) // 2, round(gap_h * 3.6e9)
    late: list[View] = []
    for view in seen[cut:]:
        good = np.where(view.last_good_us > 0, view.last_good_us + gap_us, 0)
        moved = [t._replace(time_us=t.time_us + gap_us) for t in view.samples]
        late.append(
            view._replace(
                time_us=view.time_us + gap_us,
                last_good_us=good,
                samples=tuple(moved),
                anode_age_h=view.anode_age_h + gap_h,
            )
        )
    return [*seen[:cut], *late]


@pytest.mark.parametrize("gap_h", [1.0, 30.0])
@pytest.mark.parametrize("name", DETECTORS)
def test_a_gap_is_survived(name: str, gap_h: float, views: list[View]) -> None:
    detector = DETECTORS[name](CELLS)
    for scores in run(detector, after_gap(views, gap_h)):
        for score in scores:
            assert not np.isinf(score.value).any()
            assert not (score.value < 0.0).any()
    pickle.loads(pickle.dumps(detector))


@pytest.mark.parametrize("name", DETECTORS)
def test_the_order_of_the_cells_does_not_matter(name: str, views: list[View]) -> None:
    order = [2, 0, 1]
    straight = run(DETECTORS[name](CELLS), views)
    turned = run(DETECTORS[name](pick(CELLS, order)), [take(view, order) for view in views])
    for one, other in zip(straight, turned, strict=True):
        for a, b in zip(one, other, strict=True):
            assert a.value[order].tobytes() == b.value.tobytes()


@pytest.mark.parametrize("name", DETECTORS)
def test_memory_does_not_grow_with_the_record(name: str) -> None:
    room = Room(CELLS, scan_s=300.0)
    detector = DETECTORS[name](CELLS)
    sizes: list[int] = []
    for _ in range(4):
        for _ in range(12 * 24 * 2):
            detector.update(room.step())
        sizes.append(len(pickle.dumps(detector)))
    # What is kept of the first days may still be filling up; after that nothing may be added.
    assert sizes[3] <= 1.05 * sizes[1] + 1000


@pytest.mark.parametrize("name", DETECTORS)
def test_trouble_that_lasts_does_not_become_normal(name: str, views: list[View]) -> None:
    detector = DETECTORS[name](CELLS)
    last = run(detector, views)[-1]
    flagged = [(n, score.value >= 1.0) for n, score in enumerate(last) if score.kind not in PASSING]
    held = last
    for minute in range(1, 181):
        time_us = views[-1].time_us + minute * 60_000_000
        good = np.where(views[-1].last_good_us > 0, time_us, 0)
        age_h = views[-1].anode_age_h + minute / 60.0
        same_again = views[-1]._replace(
            time_us=time_us, last_good_us=good, anode_age_h=age_h, samples=(), done=()
        )
        held = detector.update(same_again)
    for n, high in flagged:
        value = held[n].value[high]
        # It may no longer be judged, an anode may grow out of its age; it may not have got used to it.
        assert not (value < 0.8).any(), held[n].kind


@pytest.mark.parametrize("name", DETECTORS)
def test_a_saved_detector_is_whole(name: str, views: list[View]) -> None:
    """It shares nothing with the one that it was saved from: what becomes of one does not touch the other."""
    cut = len(views) // 2
    first = DETECTORS[name](CELLS)
    run(first, views[:cut])
    blob = pickle.dumps(first)
    restored = pickle.loads(blob)
    for minute in range(30):
        first.update(blank(CELLS, views[cut].time_us + minute * 60_000_000))
    same(run(restored, views[cut:]), run(pickle.loads(blob), views[cut:]))
