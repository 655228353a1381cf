"""What explanations share: evidence that is known, and causes in order of belief."""

import math
from collections.abc import Mapping

from models.base import Cause, Explanation


def explanation(
    evidence: Mapping[str, float],
    weights: Mapping[str, float],
    anode: int | None = None,
    side: str | None = None,
) -> Explanation:
    """Explanation from figures and unnormalised beliefs; figures that are not finite are left out.

    Parameters
    ----------
    evidence
        Figures by name, units in the names.
    weights
        Unnormalised belief by cause key.
    anode, side
        Where a score of the whole cell points, if anywhere: see `Explanation`.

    Examples
    --------
    >>> explanation({"age_h": 8.0, "superheat_C": math.nan}, {"set_high": 2.0})
    Explanation(evidence={'age_h': 8.0}, causes=(Cause(cause='set_high', weight=1.0),), anode=None, side=None)
    """
    known = {name: float(value) for name, value in evidence.items() if math.isfinite(value)}
    return Explanation(known, ranked(weights), anode, side)


def ranked(weights: Mapping[str, float]) -> tuple[Cause, ...]:
    """Causes with weights that sum to 1, most likely first, equals in alphabetical order.

    Parameters
    ----------
    weights
        Unnormalised belief by cause key; entries that are not positive are left out.

    Examples
    --------
    >>> ranked({"set_high": 1.0, "sensor_drift": 0.0, "cold_corner": 3.0})
    (Cause(cause='cold_corner', weight=0.75), Cause(cause='set_high', weight=0.25))
    """
    kept = {cause: weight for cause, weight in weights.items() if weight > 0.0}
    total = sum(kept.values())
    return tuple(
        Cause(cause, weight / total)
        for cause, weight in sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    )
