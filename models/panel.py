"""All detectors of a site at one scan, with what training has to say: the one place where limits are raised."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.anode_change import Change
from models.anode_kind import KindRanker
from models.anode_sequence import AnodeSequence, SequenceWeights
from models.anodes import Anodes
from models.base import CellLayout, Detector, Scores, View
from models.cause_rank import CauseModel, CauseRanker
from models.drift import DriftRow, DriftWatch
from models.registry import build

#: Limits that physics or the record alone decide, whatever false alarms they give: how hot a side wall may be, that
#: nothing arrives, that an effect burns.
FIXED: frozenset[str] = frozenset({"side_wall_hot", "stream_silent", "anode_effect"})


class Learned(NamedTuple):
    """What ``potline train`` found and a gateway uses.

    Attributes
    ----------
    factors
        By alarm kind: the score is divided by this, at least 1, so that a budget of false alarms is kept.
    reference
        By alarm kind: share of cell-hours in each bin of ``models.drift.EDGES``.
    weights
        Of the network that names the kind of an anode's trouble; None where it is switched off.
    causes
        By detector: law that orders the causes of its alarms.
    """

    factors: Mapping[str, float]
    reference: Mapping[str, Sequence[float]]
    weights: SequenceWeights | None
    causes: Mapping[str, CauseModel] = {}


#: The limits of physics alone.
UNTRAINED = Learned({}, {}, None)


def limited(scores: Scores, factors: Mapping[str, float]) -> Scores:
    """Scores of one kind against its raised limit.

    Parameters
    ----------
    scores
        As the detector gives them: 1.0 is its own limit.
    factors
        By alarm kind; a kind without one, one below 1 and a fixed one stay as they are.

    Examples
    --------
    >>> import numpy as np
    >>> limited(Scores("cell_hot", "cell", np.array([[1.5]])), {"cell_hot": 1.5}).value.tolist()
    [[1.0]]
    """
    factor = factors.get(scores.kind, 1.0)
    if factor <= 1.0 or scores.kind in FIXED:
        return scores
    return scores._replace(value=scores.value / factor)


class Panel:
    """Runs every detector and gives scores for the alarm rules.

    Parameters
    ----------
    layout
        Instruments of the cells, in the order of the arrays of every view to come.
    learned
        See `Learned`.
    detectors
        Those to run; None for all of the registry.
    """

    def __init__(
        self,
        layout: CellLayout,
        learned: Learned = UNTRAINED,
        detectors: Sequence[Detector] | None = None,
    ) -> None:
        plain = tuple(build(layout) if detectors is None else detectors)
        self._anodes = next((detector for detector in plain if isinstance(detector, Anodes)), None)
        self._detectors = tuple(
            CauseRanker(detector, learned.causes[detector.name])
            if detector.name in learned.causes
            else detector
            for detector in plain
        )
        self._factors = dict(learned.factors)
        self._drift = DriftWatch(learned.reference)
        self._sequence = None if learned.weights is None else AnodeSequence(layout, learned.weights)
        self._ranker = KindRanker(layout)

    @property
    def drift(self) -> list[DriftRow]:
        """Closed weeks, oldest first."""
        return self._drift.rows

    def anode_changes(self) -> tuple[Change, ...]:
        """The newest anode changes with what became of each, in the order in which they became known."""
        return () if self._anodes is None else self._anodes.verdicts()

    def update(self, view: View) -> list[tuple[Detector, Scores]]:
        """Take in one scan; each detector with each of its scores against the limit that counts."""
        given = [(detector, scores) for detector in self._detectors for scores in detector.update(view)]
        raw = [scores for _, scores in given]
        self._drift.add(view.time_us, raw)
        for detector in self._detectors:
            if isinstance(detector, CauseRanker):
                detector.beside(raw)
        against = [(detector, limited(scores, self._factors)) for detector, scores in given]
        if self._sequence is None:
            return against
        beliefs = self._sequence.update(view)
        ranked = self._ranker.update([scores for _, scores in against], beliefs)
        return [(detector, scores) for (detector, _), scores in zip(against, ranked, strict=True)]
