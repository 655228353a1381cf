"""What every detector takes, gives and promises."""

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.observer import Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Slot = Literal["cell", "anode", "side"]


class Taken(NamedTuple):
    """One sample that became known, as a detector sees it.

    Attributes
    ----------
    cell
        Index of the cell.
    signal
        Contract name of a sample.
    time_us
        When it was taken, UTC microseconds; it may be known a day later.
    value
        [unit of the signal]
    """

    cell: int
    signal: str
    time_us: int
    value: float


class View(NamedTuple):
    """What detectors see at one scan (every ``scan_s`` of event time), arrays cells first; NaN is missing.

    Attributes
    ----------
    time_us
        End of the scan, UTC microseconds.
    scan_s
        Length of the scan [s].
    scalar : (n_scalar_readings, n_cells)
        Mean of the readings in the scan, rows as ``twin.signals.SCALAR_READINGS``.
    scalar_bad : (n_scalar_readings, n_cells)
        Number of readings in the scan that came and were refused.
    last_good_us : (n_scalar_readings, n_cells) int64
        Time of the newest good reading; 0 when there never was one.
    anode_current_A : (n_cells, n_anodes_max)
        Mean in the scan.
    anode_bad : (n_cells,)
        Refused anode current elements in the scan.
    shell_temp_C : (n_cells, n_shell_max)
        Newest in the scan.
    shell_bad : (n_cells,)
        Refused shell temperature elements in the scan.
    anode_age_h : (n_cells, n_anodes_max)
        Hours since the reported change; NaN when no change is known.
    estimate
        The twin's estimate at the same instant.
    samples
        Samples that became known since the scan before, in the order in which they did.
    """

    time_us: int
    scan_s: float
    scalar: FloatArray
    scalar_bad: FloatArray
    last_good_us: IntArray
    anode_current_A: FloatArray
    anode_bad: FloatArray
    shell_temp_C: FloatArray
    shell_bad: FloatArray
    anode_age_h: FloatArray
    estimate: Estimate
    samples: tuple[Taken, ...] = ()


class Scores(NamedTuple):
    """Scores of one alarm kind for every cell and slot.

    Attributes
    ----------
    kind
        Alarm kind by contract.
    slot
        What the second axis counts: nothing (``cell``, width 1), anodes, or the sides of
        ``twin.signals.SIDES``.
    value : (n_cells, n_slots)
        1.0 is the alarm limit, higher is odder; NaN where it cannot be judged now.
    """

    kind: str
    slot: Slot
    value: FloatArray


class Cause(NamedTuple):
    """One possible cause: a key of the cause texts and its share of belief (0-1)."""

    cause: str
    weight: float


class Explanation(NamedTuple):
    """Why a score is high: named figures (units in the names) and causes, most likely first."""

    evidence: dict[str, float]
    causes: tuple[Cause, ...]


class CellLayout(NamedTuple):
    """Which instruments each cell has.

    Attributes
    ----------
    n_anodes, n_shell : (n_cells,)
    shell_side : (n_cells, n_shell_max)
        Index into ``twin.signals.SIDES`` of each shell sensor, -1 where there is none or its side is unknown.
    line_index : (n_cells,)
        Which line a cell belongs to, counted from 0.
    """

    n_anodes: IntArray
    n_shell: IntArray
    shell_side: IntArray
    line_index: IntArray


class Detector(Protocol):
    """A causal, deterministic detector of one or more alarm kinds.

    It keeps its own state between calls, never changes or keeps a reference to the arrays of a view, can be
    pickled, and gives the same scores for a cell whatever other cells are in the batch.
    """

    @property
    def name(self) -> str:
        """Key of the registry."""
        ...

    @property
    def version(self) -> str:
        """Named by every alarm."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """Alarm kinds scored, in the order of the scores."""
        ...

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score it; one ``Scores`` per kind, every time."""
        ...

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update."""
        ...
