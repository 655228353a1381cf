"""Fits the order of causes to alarms whose truth labels know, with scikit-learn, which only training needs."""

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.alarms import AlarmEngine
from edge.model_file import CauseScore
from models.base import Cause, Detector, Explanation, FloatArray, Scores, View
from models.cause_rank import SOUND, CauseModel, by_law, figures, offers, standardised
from models.scoring.events import Event
from streams.plant_file import Plant
from twin.signals import SIDES

#: scikit-learn and its models have no types.
_Untyped: TypeAlias = Any
#: A fault still shows for a while after its end: an alarm then is of the fault.
_AFTER_US = 2 * 3_600_000_000
#: A class with fewer alarms is not learned, and a kind with fewer to compare on stays with the rules.
_LEAST_OF_CLASS, _LEAST_TO_COMPARE = 5, 20
#: Strengths of the penalty tried (inverse, as scikit-learn has it), weakest last.
_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)
#: No share is taken as smaller in a logarithmic loss.
_LEAST_SHARE = 0.01


class CauseLesson(NamedTuple):
    """One alarm of a labelled record.

    Attributes
    ----------
    detector, kind
        Who raised it, and as what.
    known
        Figures, as ``models.cause_rank.figures`` gives them.
    causes
        As the rules have them.
    truth
        Kind of the event that it is of, or ``models.cause_rank.SOUND``.
    """

    detector: str
    kind: str
    known: Mapping[str, float]
    causes: tuple[Cause, ...]
    truth: str


class Raised(NamedTuple):
    """One alarm at its raise: when and where, whose, what may be known of it and the causes by the rules."""

    time_us: int
    cell: int
    anode: int | None
    side: str | None
    detector: str
    kind: str
    known: Mapping[str, float]
    causes: tuple[Cause, ...]


class AlarmWriter:
    """Keeps the alarms that the detectors raise on one line at the limits of physics.

    Parameters
    ----------
    plant
        Of the line.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._engine = AlarmEngine(plant, load_texts().kind)
        self._raised: list[Raised] = []

    def add(
        self, view: View, given: Sequence[tuple[Detector, Scores]], suppressed: NDArray[np.bool_]
    ) -> None:
        """Take in one scan.

        Parameters
        ----------
        view
            Of the line.
        given
            Scores of this scan, each with its detector.
        suppressed : (n_cells,)
            Whose alarms are not shown.
        """
        scores = [s for _, s in given]
        for event in self._engine.update(view.time_us, view.scan_s, given, suppressed):
            if event.transition != "raise" or not event.cell or event.state == "DSUPR":
                continue
            cell = self._plant.cell_index[event.cell]
            detector, of = next((d, s.slot) for d, s in given if s.kind == event.kind)
            place = {"anode": (event.anode or 1) - 1, "side": SIDES.index(event.side or SIDES[0])}
            causes = tuple(Cause(str(c["cause"]), float(c["weight"])) for c in event.causes)
            told = Explanation(event.evidence, causes)
            known = figures(event.kind, told, scores, cell, place.get(of, 0))
            raised = (event.anode, event.side, detector.name, event.kind, known, causes)
            self._raised.append(Raised(view.time_us, cell, *raised))

    def lessons(self, events: Sequence[Event]) -> list[CauseLesson]:
        """The alarms with what was true of them; those of which several kinds may be true are left out.

        Parameters
        ----------
        events
            Of this line, cells counted from its first.
        """
        found: list[CauseLesson] = []
        for alarm in self._raised:
            truth = truth_of(alarm, events)
            if truth is not None:
                found.append(CauseLesson(alarm.detector, alarm.kind, alarm.known, alarm.causes, truth))
        return found


def truth_of(alarm: Raised, events: Sequence[Event]) -> str | None:
    """Kind of the event that an alarm is of, `SOUND` where there is none, None where it may be several.

    Parameters
    ----------
    alarm
        With its place. One that names an anode is of events of that anode; another one is of events of the cell and
        its own side, or else of an anode there whose kind would prove one of its causes.
    events
        Of this line.
    """
    now = [e for e in events if e.cell == alarm.cell and e.start_us <= alarm.time_us < e.end_us + _AFTER_US]
    if alarm.anode is not None and alarm.kind.startswith("anode_"):
        kinds = {e.kind for e in now if e.anode == alarm.anode}
    else:
        kinds = {e.kind for e in now if e.anode is None and (not alarm.side or e.side in (None, alarm.side))}
        if not kinds:
            provable = {kind for proof in offers(alarm.causes) for kind in proof}
            kinds = {e.kind for e in now if e.anode is not None and e.kind in provable}
    return None if len(kinds) > 1 else (next(iter(kinds)) if kinds else SOUND)


def fit_causes(
    lines: Sequence[Sequence[CauseLesson]], tell: Callable[[str], None] = lambda text: None
) -> tuple[dict[str, CauseModel], dict[str, CauseScore]]:
    """Law of each detector, and how it does on lines that it did not learn from.

    Parameters
    ----------
    lines
        Alarms of each line. Every line in turn is left out and judged by what the others teach; a kind is used only
        where the law names the true cause first more often than the rules and its logarithmic loss is smaller by more
        than chance.
    tell
        Gets a line for each kind.

    Returns
    -------
    models
        By detector; those without two classes to tell apart, and those that no kind uses, have none.
    scores
        By alarm kind, on the lines left out.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    """
    models: dict[str, CauseModel] = {}
    scores: dict[str, CauseScore] = {}
    for detector in sorted({lesson.detector for line in lines for lesson in line}):
        own = [[lesson for lesson in line if lesson.detector == detector] for line in lines]
        strength, judged = _left_out(own)
        everything = [lesson for line in own for lesson in line]
        model = _law(everything, strength) if strength else None
        if model is None:
            continue
        used: list[str] = []
        for kind in sorted({lesson.kind for lesson in everything}):
            score = cause_score([pair for pair in judged if pair[0].kind == kind])
            if score.alarms == 0:
                continue
            if score.used:
                used.append(kind)
            scores[kind] = score
            tell(
                f"causes of {kind}: true one first {score.first_by_law} of {score.alarms}, "
                f"by rules {score.first_by_rules}; loss {score.loss_by_law:.2f}, by rules {score.loss_by_rules:.2f}"
            )
        # A law that no kind uses is nothing to carry to a gateway; its figures stand on the card.
        if used:
            models[detector] = model._replace(used=tuple(used))
    return models, scores


def cause_score(judged: Sequence[tuple[CauseLesson, Mapping[str, float]]]) -> CauseScore:
    """How the law and the rules do on alarms of one kind, where the truth is among the causes and not the only one.

    Parameters
    ----------
    judged
        Alarms, and what a law that did not learn from their line believes of each.
    """
    right, stated = [0, 0], 0.0
    losses: list[tuple[float, float]] = []
    for lesson, beliefs in judged:
        by_rules = offers(lesson.causes)
        proof = next((p for p in by_rules if lesson.truth in p), None)
        if proof is None or len(by_rules) < 2:
            continue
        found: list[float] = []
        for k, shares in enumerate((by_rules, offers(by_law(lesson.causes, beliefs)))):
            whole = sum(shares.values())
            right[k] += max(shares, key=lambda p: shares[p]) == proof
            found.append(-math.log(max(shares.get(proof, 0.0) / whole, _LEAST_SHARE)))
            stated += k * max(shares.values()) / whole
        losses.append((found[0], found[1]))
    n = len(losses)
    loss = np.array(losses).reshape(n, 2)
    gain = loss[:, 0] - loss[:, 1]
    # One-sided 95 %: what a law gains on a handful of alarms by chance does not switch it on.
    sure = n >= _LEAST_TO_COMPARE and float(gain.mean()) > 1.64 * float(gain.std()) / math.sqrt(n)
    return CauseScore(
        alarms=n,
        first_by_rules=right[0],
        first_by_law=right[1],
        loss_by_rules=round(float(loss[:, 0].sum()) / max(n, 1), 4),
        loss_by_law=round(float(loss[:, 1].sum()) / max(n, 1), 4),
        stated_by_law=round(stated / max(n, 1), 4),
        used=sure and right[1] > right[0],
    )


def _left_out(
    lines: Sequence[Sequence[CauseLesson]],
) -> tuple[float, list[tuple[CauseLesson, Mapping[str, float]]]]:
    """Strength with the least loss on lines left out (0: nothing to learn), and its beliefs there."""
    best: tuple[float, float, list[tuple[CauseLesson, Mapping[str, float]]]] = (math.inf, 0.0, [])
    for strength in _STRENGTHS:
        judged: list[tuple[CauseLesson, Mapping[str, float]]] = []
        for number, line in enumerate(lines):
            others = [lesson for k, other in enumerate(lines) if k != number for lesson in other]
            law = _law(others, strength) if line else None
            if law is not None:
                judged += [(lesson, law.beliefs(lesson.known)) for lesson in line]
        loss = [-math.log(max(b.get(lesson.truth, 0.0), _LEAST_SHARE)) for lesson, b in judged]
        if judged and float(np.mean(loss)) < best[0]:
            best = (float(np.mean(loss)), strength, judged)
    return best[1], best[2]


def _law(lessons: Sequence[CauseLesson], strength: float) -> CauseModel | None:
    """Law fitted to alarms of one detector; None where fewer than two classes have alarms enough."""
    counts: dict[str, int] = {}
    for lesson in lessons:
        counts[lesson.truth] = counts.get(lesson.truth, 0) + 1
    classes = sorted(truth for truth, count in counts.items() if count >= _LEAST_OF_CLASS)
    kept = [lesson for lesson in lessons if lesson.truth in classes]
    if len(classes) < 2:
        return None
    linear: _Untyped = importlib.import_module("sklearn.linear_model")
    features = sorted({name for lesson in kept for name in lesson.known})
    raw = np.array([[lesson.known.get(name, math.nan) for name in features] for lesson in kept])
    mean, scale = _moments(raw)
    x = standardised([lesson.known for lesson in kept], features, mean, scale)
    y = np.array([classes.index(lesson.truth) for lesson in kept])
    law: _Untyped = linear.LogisticRegression(C=strength, max_iter=5000, tol=1e-6)
    law.fit(x, y)
    coefficient: FloatArray = np.array(law.coef_, dtype=np.float64)
    constant: FloatArray = np.array(law.intercept_, dtype=np.float64)
    if len(classes) == 2:
        # Of two classes scikit-learn keeps the difference only.
        coefficient = np.concatenate([-0.5 * coefficient, 0.5 * coefficient])
        constant = np.concatenate([-0.5 * constant, 0.5 * constant])
    return CauseModel(tuple(features), mean, scale, tuple(classes), coefficient, constant, ()).checked()


def _moments(raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and spread of each column where it is known; 1 where it does not vary."""
    seen = np.isfinite(raw)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, raw, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(seen, raw - mean, 0.0) ** 2).sum(axis=0) / count)
    return mean, np.where(spread > 1e-9, spread, 1.0)
