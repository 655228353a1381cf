"""Every detector that runs: the one list to extend."""

from collections.abc import Callable

from models.anodes import Anodes
from models.base import CellLayout, Detector
from models.heat_loss import HeatLoss
from models.heat_state import HeatState
from models.metal_quality import MetalQuality
from models.sensor import SensorFault
from models.silence import Silence

#: Detectors by name; a new one is one file and one line here.
DETECTORS: dict[str, Callable[[CellLayout], Detector]] = {
    Anodes.name: Anodes,
    HeatLoss.name: HeatLoss,
    HeatState.name: HeatState,
    MetalQuality.name: MetalQuality,
    Silence.name: Silence,
    SensorFault.name: SensorFault,
}

#: Alarm kinds that are scored, in the order of the detectors.
KINDS: tuple[str, ...] = (
    Anodes.kinds + HeatLoss.kinds + HeatState.kinds + MetalQuality.kinds + Silence.kinds + SensorFault.kinds
)


def build(layout: CellLayout) -> tuple[Detector, ...]:
    """One fresh detector of every kind, with its default limits.

    Parameters
    ----------
    layout
        Instruments of the cells, in the order of the arrays of every view to come.
    """
    return tuple(make(layout) for make in DETECTORS.values())
