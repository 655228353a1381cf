"""The bottom: collector bars that warm, and metal that dissolves what lies beneath it."""

import numpy as np

from models.base import CellLayout, Explanation, Scores, View
from models.collector_bars import CollectorBars
from models.explaining import explanation
from models.metal_quality import MetalQuality

#: Two witnesses that know nothing of each other are each believed from half of their own limit.
_BELIEVED = 0.5


class BottomLoss:
    """Scores every cell by its collector bars and by iron and silicon of its metal, whichever speaks louder.

    Each alone must reach its own limit; where both stand above half of it they count together, because bars and
    laboratory share no error. A cell has the score of the one that it has; with neither it is not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.

    Notes
    -----
    See `CollectorBars` and `MetalQuality`. Iron that rises alone proves nothing (stubs), with warm bars it does.
    """

    name = "bottom_loss"
    version = "bottom_loss/1"
    kinds = ("bottom_loss",)

    def __init__(self, layout: CellLayout) -> None:
        self._metal = MetalQuality(layout)
        self._bars = CollectorBars(layout)
        #: Last scores of bars and metal.
        self._of_bars = np.full(len(layout.n_anodes), np.nan)
        self._of_metal = np.full(len(layout.n_anodes), np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        self._of_bars = self._bars.update(view)
        self._of_metal = self._metal.update(view)[0].value[:, 0].copy()
        both = np.minimum(self._of_bars, self._of_metal) >= _BELIEVED
        single = np.fmax(self._of_bars, self._of_metal)
        score = np.where(both, self._of_bars + self._of_metal, single)
        return (Scores("bottom_loss", "cell", score[:, None].copy()),)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        metal = self._metal.explain(kind, cell, slot)
        bars = self._bars.worst(cell)
        by_bars, by_metal = (float(np.nan_to_num(of[cell])) for of in (self._of_bars, self._of_metal))
        evidence = {**metal.evidence, **bars, "bars_score": by_bars, "metal_score": by_metal}
        share = by_bars / max(by_bars + by_metal, 1e-9)
        weights = {cause.cause: (1.0 - share) * cause.weight for cause in metal.causes}
        many = min(bars.get("bars_risen", 0.0) / 4.0, 1.0)
        told = {
            "lining_attack_bottom": 0.4 + 0.3 * many,
            "collector_bar_attack": 0.2,
            # Warm bars without a trace of iron are more often the current than the metal.
            "bar_overload": 0.3 * (1.0 - min(by_metal, 1.0)),
            "sensor_drift": 0.1 if bars.get("bars_risen", 0.0) <= 2.0 else 0.0,
        }
        for cause, weight in told.items():
            weights[cause] = weights.get(cause, 0.0) + share * weight
        return explanation(evidence, weights)
