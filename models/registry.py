"""Every detector that runs: the one list to extend."""

from collections.abc import Callable

from models.anode_effect import AnodeEffect
from models.anodes import Anodes
from models.base import CellLayout, Detector
from models.bottom_loss import BottomLoss
from models.cover_loss import CoverLoss
from models.effect_ahead import EffectAhead
from models.feeding import Feeding
from models.heat_loss import HeatLoss
from models.heat_state import HeatState
from models.instability import Instability
from models.sensor import SensorFault
from models.silence import Silence
from models.twin_range import TwinRange

#: Detectors by name; a new one is one file and one line here.
DETECTORS: dict[str, Callable[[CellLayout], Detector]] = {
    Anodes.name: Anodes,
    CoverLoss.name: CoverLoss,
    HeatLoss.name: HeatLoss,
    HeatState.name: HeatState,
    BottomLoss.name: BottomLoss,
    Silence.name: Silence,
    SensorFault.name: SensorFault,
    AnodeEffect.name: AnodeEffect,
    EffectAhead.name: EffectAhead,
    Instability.name: Instability,
    Feeding.name: Feeding,
    TwinRange.name: TwinRange,
}

#: Alarm kinds that are scored, in the order of the detectors.
KINDS: tuple[str, ...] = (
    Anodes.kinds
    + CoverLoss.kinds
    + HeatLoss.kinds
    + HeatState.kinds
    + BottomLoss.kinds
    + Silence.kinds
    + SensorFault.kinds
    + AnodeEffect.kinds
    + EffectAhead.kinds
    + Instability.kinds
    + Feeding.kinds
    + TwinRange.kinds
)


def build(layout: CellLayout) -> tuple[Detector, ...]:
    """One fresh detector of every kind, with its default limits.

    Parameters
    ----------
    layout
        Instruments of the cells, in the order of the arrays of every view to come.
    """
    return tuple(make(layout) for make in DETECTORS.values())
