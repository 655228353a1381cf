"""What every detector takes, gives and promises."""

from collections.abc import Mapping
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


class Done(NamedTuple):
    """Something that was done at a cell, or happened to it, as a detector sees it.

    Attributes
    ----------
    cell
        Index of the cell.
    event
        Contract name of an event.
    time_us
        When, by the log, UTC microseconds; it may be known much later, and be wrong.
    attributes
        As the contract names them, unchecked: an anode is counted from 1.
    """

    cell: int
    event: str
    time_us: int
    attributes: Mapping[str, float | str | bool | None]


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
    voltage_low_V, voltage_high_V : (n_cells,)
        Extremes of the cell voltage among the readings in the scan.
    feed_kg : (n_cells,)
        Alumina fed in the scan, by the log.
    anode_current_A : (n_cells, n_anodes_max)
        Mean in the scan.
    anode_bad : (n_cells,)
        Refused anode current elements in the scan.
    shell_temp_C : (n_cells, n_shell_max)
        Newest in the scan.
    shell_bad : (n_cells,)
        Refused shell temperature elements in the scan.
    bar_temp_C : (n_cells, n_bars_max)
        Newest collector bar temperatures in the scan.
    anode_age_h : (n_cells, n_anodes_max)
        Hours since the reported change; NaN when no change is known.
    estimate
        The twin's estimate at the same instant.
    samples
        Samples that became known since the scan before, in the order in which they did.
    done
        Events that became known since the scan before, in the order in which they did; of changes and taps, those
        that can be true.
    """

    time_us: int
    scan_s: float
    scalar: FloatArray
    scalar_bad: FloatArray
    last_good_us: IntArray
    voltage_low_V: FloatArray
    voltage_high_V: FloatArray
    feed_kg: FloatArray
    anode_current_A: FloatArray
    anode_bad: FloatArray
    shell_temp_C: FloatArray
    shell_bad: FloatArray
    bar_temp_C: FloatArray
    anode_age_h: FloatArray
    estimate: Estimate
    samples: tuple[Taken, ...] = ()
    done: tuple[Done, ...] = ()


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
    """Which instruments each cell has, and what its plant says of its design.

    Attributes
    ----------
    n_anodes, n_shell, n_bars : (n_cells,)
    shell_side : (n_cells, n_shell_max)
        Index into ``twin.signals.SIDES`` of each shell sensor, -1 where there is none or its side is unknown.
    line_index : (n_cells,)
        Which line a cell belongs to, counted from 0.
    anode_side : (n_cells, n_anodes_max)
        Index into ``twin.signals.SIDES`` of the row that an anode stands in, counted from the duct end; -1 where the
        plant does not say.
    n_feeders : (n_cells,)
        0 where the plant does not say.
    rated_current_A, anode_life_h, tap_interval_h, shot_mass_kg : (n_cells,)
        [A], [h], [h], [kg]; NaN where the plant does not say.
    """

    n_anodes: IntArray
    n_shell: IntArray
    shell_side: IntArray
    line_index: IntArray
    n_bars: IntArray
    anode_side: IntArray
    n_feeders: IntArray
    rated_current_A: FloatArray
    anode_life_h: FloatArray
    tap_interval_h: FloatArray
    shot_mass_kg: FloatArray


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
