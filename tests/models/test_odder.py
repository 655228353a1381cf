"""Higher is odder: of the same record with a stronger fault in it no detector thinks better."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.anodes import Anodes
from models.base import Detector, View
from models.bottom_loss import BottomLoss
from models.cover_loss import CoverLoss
from models.generic import Baseline
from models.heat_loss import HeatLoss
from models.heat_state import HeatState
from models.registry import DETECTORS
from models.sensor import SensorFault
from models.silence import Silence
from models.twin_range import TwinRange
from tests.models import (
    test_anode_effect,
    test_anodes,
    test_bottom_loss,
    test_cover_loss,
    test_effect_ahead,
    test_feeding,
    test_heat_loss,
    test_instability,
)
from tests.models.test_generic import MAKES, process
from tests.models.views import DOWN, Room, hours_of, layout

#: Highest score of the fault by its strength: 1 is told by every one of them, 0 is none.
Fault = Callable[[float], float]


def anodes(strength: float) -> float:
    """An anode that takes up to 60 % more current at once."""
    cell, detector = test_anodes.settled()
    cell.factor[9] = 1.0 + 0.6 * strength
    return highest(detector, [cell.view() for _ in range(90)], 9)


def burnt_off(strength: float) -> float:
    """An anode that loses up to 97 % of its current at once."""
    cell, detector = test_anodes.settled()
    cell.factor[9] = 1.0 - 0.97 * strength
    return highest(detector, [cell.view() for _ in range(90)], 9)


def highest(detector: Detector, views: Sequence[View], column: int, cell: int = 0) -> float:
    """Highest score of any kind at a place."""
    seen = [s.value[cell, min(column, s.value.shape[1] - 1)] for view in views for s in detector.update(view)]
    return float(np.nanmax(seen))


def melting(strength: float) -> float:
    """A side that warms by up to 20 degC/h for four hours."""
    cells = layout(1)
    room, detector = Room(cells), HeatLoss(cells)
    rise_C = np.where(cells.shell_side == DOWN, 20.0 * strength, 0.0)
    return float(np.nanmax([score[0, DOWN] for score in test_heat_loss.ledge(room, detector, rise_C, 4.0)]))


def superheat(to_C: float) -> Fault:
    """The twin's superheat on its way from 8 degC to another one."""

    def scored(strength: float) -> float:
        cells = layout(1)
        views = hours_of(Room(cells), 2.0)
        for view in views:
            view.estimate.superheat_C[:] = 8.0 + strength * (to_C - 8.0)
        # The kind of the other direction falls: only this one counts.
        kind = 0 if to_C < 8.0 else 1
        detector = HeatState(cells)
        return float(np.nanmax([detector.update(view)[kind].value for view in views]))

    return scored


def open_top(strength: float) -> float:
    """Gas that is up to 20 degC warmer for ten hours, after five days."""
    gas = test_cover_loss.Gas()
    gas.run(120.0)

    def warmer(_hours: float, view: test_cover_loss.View) -> None:
        view.scalar[test_cover_loss.DUCT, 1] += 20.0 * strength

    return float(np.nanmax(gas.run(10.0, warmer)[:, 1]))


def bars(strength: float) -> float:
    """Three bars that warm by up to 30 degC a day for a day."""
    line, detector = test_bottom_loss.Bars(), BottomLoss(test_bottom_loss.CELLS)
    test_bottom_loss.run(line, detector, 3.0)
    warmer = 30.0 * strength * test_bottom_loss.rise(5, 6, 7)
    return float(np.nanmax(test_bottom_loss.run(line, detector, 1.0, warmer)[:, 0]))


def silent(strength: float) -> float:
    """A voltage that is not sent for up to five minutes."""
    cells = layout(2)
    room, detector = Room(cells, scan_s=10.0), Silence(cells)
    for view in hours_of(room, 0.3):
        detector.update(view)
    room.silent[0] = True
    return highest(detector, [room.step() for _ in range(round(30 * strength))], 0)


def mismatch(strength: float) -> float:
    """Rods that show up to 15 % more than the line."""
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)
    views = hours_of(room, 1.0)
    for view in views:
        view.anode_current_A[:] *= 1.0 + 0.15 * strength
    return highest(detector, views, 0)


def effect(strength: float) -> float:
    """A voltage of up to 20 V for some scans."""
    return max(test_anode_effect.run([4.2] * 5 + [4.2 + 15.8 * strength] * 5))


def running_away(strength: float) -> float:
    """A resistance that climbs at up to 15 mV/min while the cell is fed."""
    return float(
        np.nanmax(test_effect_ahead.scores(20, strength * np.cumsum(np.linspace(0.002, 0.015, 20)), fed=1.4))
    )


def wave(strength: float) -> float:
    """A swing of up to 80 mV."""
    found = test_instability.scores(20, 0.080 * strength, 0.0, with_anodes=False)
    return float(np.nanmax(found[6 * 180 :, 0]))


def blocked(strength: float) -> float:
    """A cell that asks for up to a third more alumina."""
    line = test_feeding.Line()
    line.run(72.0)
    line.run(8.0, (1.0 + 0.33 * strength, 1.0, 1.0))
    return float(line.highest("feeder_blocked", 8.0)[0])


def contradiction(strength: float) -> float:
    """A voltage up to 0.4 V beside the twin's for six hours."""
    cells = layout(1)
    views = hours_of(Room(cells), 6.0)
    for view in views:
        view.estimate.voltage_residual_V[:] = 0.02 + 0.4 * strength
    return highest(TwinRange(cells), views, 0)


FAULTS: dict[str, tuple[Fault, ...]] = {
    Anodes.name: (anodes, burnt_off),
    CoverLoss.name: (open_top,),
    HeatLoss.name: (melting,),
    HeatState.name: (superheat(-2.0), superheat(22.0)),
    BottomLoss.name: (bars,),
    Silence.name: (silent,),
    SensorFault.name: (mismatch,),
    "anode_effect": (effect,),
    "effect_ahead": (running_away,),
    "instability": (wave,),
    "feeding": (blocked,),
    TwinRange.name: (contradiction,),
}


def test_every_detector_of_the_registry_is_asked() -> None:
    assert set(FAULTS) == set(DETECTORS)


@pytest.mark.parametrize("fault", [f for faults in FAULTS.values() for f in faults], ids=lambda f: f.__name__)
def test_a_stronger_fault_scores_no_lower(fault: Fault) -> None:
    found = [fault(strength) for strength in (0.25, 0.6, 1.0)]
    assert found == sorted(found)
    # The weakest need not be told, the strongest must be, or nothing was compared.
    assert found[2] >= 1.0
    assert found[2] > found[0]


@pytest.mark.parametrize("make", list(MAKES.values()), ids=list(MAKES))
def test_a_stronger_break_of_the_pattern_scores_no_lower(make: Callable[[], Baseline]) -> None:
    detector = make()
    detector.fit(process(800, 1))
    found: list[np.ndarray] = []
    for strength in (12.0, 24.0, 48.0):
        broken = process(400, 3)
        broken[200::2, 1] += strength
        found.append(detector.score(broken)[200::2])
    # In the mean and all but always: noise may stand against the weaker fault.
    means = [float(np.nanmean(scores)) for scores in found]
    assert means == sorted(means)
    assert means[2] > 1.5 * means[0]
    assert np.mean(found[1] >= found[0]) > 0.9
    assert np.mean(found[2] >= found[1]) > 0.9
