"""Order of an alarm's causes, learned from labelled alarms; the rules offer them and stay where it is no better."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from models.base import Cause, Detector, Explanation, FloatArray, Scores, View
from models.explaining import ranked

#: Class of an alarm that no event answers for.
SOUND = "sound"
#: Least share that the rules are taken to leave to a cause, and how far a figure may lie from its mean in spreads.
_LEAST, _FAR = 0.01, 4.0
#: Kinds of labelled event that prove a cause; labels say nothing of the causes that are not here.
PROVEN_BY: dict[str, tuple[str, ...]] = {
    "slow_pickup_frozen_bath": ("anode_slow_pickup",),
    "slow_pickup_cold_corner": ("anode_slow_pickup",),
    "set_high": ("anode_set_high",),
    "set_low": ("anode_set_low",),
    "rod_slipped": ("anode_slip",),
    "short_or_spike": ("anode_spike",),
    "poor_clamp_contact": ("anode_contact",),
    "rod_open_clamp": ("anode_contact",),
    "carbon_lost": ("anode_cracked",),
    "stub_or_joint_lost": ("anode_burnoff",),
    "log_entry_missing": ("anode_change_unreported",),
    "change_not_made": ("anode_change_missed",),
    "neighbour_weak": ("anode_overload",),
    "face_uneven": ("anode_overload",),
    "ledge_melting_local": ("ledge_thinning", "side_wall_hot"),
    "superheat_high": ("cell_hot",),
    "heat_input_high": ("cell_hot",),
    "heat_input_low": ("cell_cold",),
    "superheat_low": ("cell_cold",),
    "heat_loss_high": ("cover_loss",),
    "sensor_drift": ("sensor_fault",),
    "feeder_hole_blocked": ("feeder_blocked",),
    "hopper_empty": ("feeder_blocked",),
    "overfed": ("sludge",),
    "bottom_sludge": ("sludge",),
    "alumina_undissolved": ("sludge",),
    "metal_wave": ("instability",),
    "acd_low": ("instability",),
    "anode_low": ("anode_slip", "anode_set_low"),
    "metal_reoxidised": ("efficiency_loss",),
}


class CauseModel(NamedTuple):
    """Multinomial logistic law of what is true when a detector's alarm stands.

    Attributes
    ----------
    features
        Names of figures, as `figures` gives them.
    mean, scale : (n_features,)
        Of the alarms learned from; a figure that is not known counts as its mean, and as not known.
    classes
        Kinds of labelled event, and `SOUND`.
    coefficient : (n_classes, 2 n_features)
        Of the standardised figures, then of their absence.
    constant : (n_classes,)
    used
        Alarm kinds whose causes it orders; the rules order those of the others.
    """

    features: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    classes: tuple[str, ...]
    coefficient: FloatArray
    constant: FloatArray
    used: tuple[str, ...]

    def checked(self) -> "CauseModel":
        """The same.

        Raises
        ------
        ValueError
            Shapes that do not fit each other, or figures that are not finite.
        """
        n, classes = len(self.features), len(self.classes)
        shapes = {"mean": (n,), "scale": (n,), "coefficient": (classes, 2 * n), "constant": (classes,)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} of causes has shape {array.shape}, expected {shape}")
            if not np.isfinite(array).all():
                raise ValueError(f"{name} of causes is not all finite")
        if not (self.scale > 0.0).all():
            raise ValueError("scale of causes must be positive")
        return self

    def beliefs(self, known: Mapping[str, float]) -> dict[str, float]:
        """Probability of each class.

        Parameters
        ----------
        known
            As `figures` gives them; others than those learned from are left out.
        """
        row = standardised([known], self.features, self.mean, self.scale)[0]
        logits = self.coefficient @ row + self.constant
        odds = np.exp(logits - logits.max())
        return dict(zip(self.classes, (odds / odds.sum()).tolist(), strict=True))


def standardised(
    rows: Sequence[Mapping[str, float]], features: Sequence[str], mean: FloatArray, scale: FloatArray
) -> FloatArray:
    """Figures in spreads from their mean, and what is not known.

    Parameters
    ----------
    rows
        Figures of some alarms.
    features
        Names of the columns.
    mean, scale : (n_features,)

    Returns
    -------
    x : (n_rows, 2 n_features)
        Figures, 0 where one is not known and at most four spreads; then 1 where one is not known.
    """
    raw = np.array([[row.get(name, math.nan) for name in features] for row in rows]).reshape(len(rows), -1)
    lost = ~np.isfinite(raw)
    x = np.clip((np.where(lost, mean, raw) - mean) / scale, -_FAR, _FAR)
    return np.concatenate([x, lost.astype(np.float64)], axis=1)


def offers(causes: Sequence[Cause]) -> dict[tuple[str, ...], float]:
    """Share of belief by what would prove a cause; causes that no label can prove are left out.

    Parameters
    ----------
    causes
        Of one alarm.

    Examples
    --------
    >>> offers((Cause("set_high", 0.5), Cause("metal_flow", 0.3), Cause("poor_clamp_contact", 0.2)))
    {('anode_set_high',): 0.5, ('anode_contact',): 0.2}
    """
    found: dict[tuple[str, ...], float] = {}
    for cause, weight in causes:
        proof = PROVEN_BY.get(cause)
        if proof is not None:
            found[proof] = found.get(proof, 0.0) + weight
    return found


def figures(kind: str, told: Explanation, scores: Sequence[Scores], cell: int, slot: int) -> dict[str, float]:
    """What the law may know of an alarm.

    Parameters
    ----------
    kind
        Of the alarm.
    told
        As the detector explains it.
    scores
        Of all kinds at the same scan.
    cell, slot
        Place of the alarm, columns as its kind counts them.

    Returns
    -------
    dict
        Evidence by name; ``is KIND`` for the alarm's kind; ``by rules KINDS``: logarithm of the share that the rules
        give; ``score KIND``: scores there, of anodes those of the same anode, else the highest of the cell.
    """
    known = {f"evidence {name}": value for name, value in told.evidence.items()} | {f"is {kind}": 1.0}
    for proof, share in offers(told.causes).items():
        known[f"by rules {' '.join(proof)}"] = math.log(max(share, _LEAST))
    slots = {s.kind: s.slot for s in scores}
    for s in scores:
        same = s.slot == slots.get(kind) == "anode"
        there = s.value[cell, slot : slot + 1] if same else s.value[cell]
        there = there[np.isfinite(there)]
        if len(there):
            known[f"score {s.kind}"] = float(min(there.max(), 10.0))
    return known


def by_law(causes: Sequence[Cause], beliefs: Mapping[str, float]) -> tuple[Cause, ...]:
    """Causes in the order of the law.

    Causes that no label can prove keep their share; those that the same kind of event would prove keep their
    proportion.

    Parameters
    ----------
    causes
        As the rules have them.
    beliefs
        Probability by class; `SOUND` and classes that no cause here stands for drop out.

    Returns
    -------
    tuple of Cause
        The same causes, none added; those of the rules where the law can tell no two of them apart.

    Examples
    --------
    >>> two = (Cause("set_high", 0.6), Cause("poor_clamp_contact", 0.4))
    >>> [cause.cause for cause in by_law(two, {"anode_set_high": 0.1, "anode_contact": 0.3})]
    ['poor_clamp_contact', 'set_high']
    """
    told = {proof: share for proof, share in offers(causes).items() if any(kind in beliefs for kind in proof)}
    share_of = {proof: sum(beliefs.get(kind, 0.0) for kind in proof) for proof in told}
    total = sum(share_of.values())
    if len(told) < 2 or not total > 0.0:
        return tuple(causes)
    whole = sum(told.values())
    weights: dict[str, float] = {}
    for cause, weight in causes:
        proof = PROVEN_BY.get(cause, ())
        weights[cause] = whole * share_of[proof] / total * weight / told[proof] if proof in told else weight
    return ranked(weights)


class CauseRanker:
    """A detector whose explanations have their causes in the order of the law, and are its own in everything else.

    Parameters
    ----------
    detector
        Whose scores and evidence are passed on.
    model
        Fitted to the alarms of this detector.
    """

    def __init__(self, detector: Detector, model: CauseModel) -> None:
        self._detector = detector
        self._model = model.checked()
        self._scores: Sequence[Scores] = ()

    @property
    def name(self) -> str:
        """Of the detector."""
        return self._detector.name

    @property
    def version(self) -> str:
        """Of the detector."""
        return self._detector.version

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of the detector."""
        return self._detector.kinds

    def update(self, view: View) -> tuple[Scores, ...]:
        """Scores of the detector."""
        return self._detector.update(view)

    def beside(self, scores: Sequence[Scores]) -> None:
        """Take in the scores of all detectors at this scan, which an explanation may look at.

        Parameters
        ----------
        scores
            Not changed; kept until the next scan.
        """
        self._scores = scores

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explanation of the detector, its causes in the order of the law where that is used for the kind."""
        told = self._detector.explain(kind, cell, slot)
        if kind not in self._model.used:
            return told
        known = figures(kind, told, self._scores, cell, slot)
        return told._replace(causes=by_law(told.causes, self._model.beliefs(known)))
