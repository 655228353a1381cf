"""Anode effects in progress, said in the scan in which they are sure."""

import numpy as np

from models.base import CellLayout, Explanation, Scores, View
from models.effect_watch import EffectWatch
from models.explaining import explanation
from twin.anode_effects import EffectRule
from twin.signals import SCALAR_READINGS

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_YOUNG_h = 24.0
#: A score of a voltage that is no effect stays below this, so that the alarm clears.
_BELOW = 0.75


class AnodeEffect:
    """Scores every cell by its voltage over the limit of an anode effect, from when one is sure until it is over.

    Parameters
    ----------
    layout
        Instruments of the cells.
    rule
        What counts; None takes the defaults of ``twin.anode_effects``: above 8 V for 3 s, parts less than 15 s apart
        are one.

    Notes
    -----
    Physics reference 6.3: from 4.3 V to 10-80 V, typically 20-40 V for 1-3 min. Where a scan has one reading, one
    above the limit might be a glitch: the second decides. Effects without a high voltage (local ones) are not seen.
    """

    name = "anode_effect"
    version = "anode_effect/1"
    kinds = ("anode_effect",)

    def __init__(self, layout: CellLayout, rule: EffectRule | None = None) -> None:
        n = len(layout.n_anodes)
        self._watch = EffectWatch(layout, rule)
        self._silent_s = np.full(n, np.inf)
        self._alumina_pct = np.full(n, np.nan)
        self._superheat_C = np.full(n, np.nan)
        self._youngest_h = np.full(n, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        watch = self._watch
        watch.step(view)
        voltage_V = view.scalar[_VOLTAGE]
        seen = np.isfinite(voltage_V)
        self._silent_s = np.where(seen, 0.0, self._silent_s + view.scan_s)
        # What the twin believed before: during an effect its voltage teaches it nothing.
        calm = ~watch.running & (watch.start_us < view.time_us - 600_000_000)
        for kept, now in (
            (self._alumina_pct, view.estimate.alumina_pct),
            (self._superheat_C, view.estimate.superheat_C),
        ):
            fresh = calm & np.isfinite(now)
            kept[fresh] = now[fresh]
        self._youngest_h = np.where(np.isfinite(view.anode_age_h), view.anode_age_h, np.inf).min(
            axis=1, initial=np.inf
        )
        over = np.fmax(view.voltage_high_V, voltage_V) / watch.rule.threshold_V
        score = np.where(
            watch.running, np.fmax(over, 1.0), np.clip(voltage_V / watch.rule.threshold_V, 0.0, _BELOW)
        )
        score = np.where(
            self._silent_s <= watch.rule.max_gap_s, np.where(np.isnan(score), 0.0, score), np.nan
        )
        return (Scores("anode_effect", "cell", score[:, None]),)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        watch = self._watch
        alumina_pct, superheat_C = float(self._alumina_pct[cell]), float(self._superheat_C[cell])
        evidence = {
            "peak_V": float(watch.peak_V[cell]),
            "usual_V": float(watch.usual_V[cell]),
            "duration_s": float(watch.seconds[cell]),
            "energy_kWh": float(watch.energy_kWh[cell]),
            "alumina_before_pct": alumina_pct,
            "superheat_before_C": superheat_C,
            "youngest_anode_h": float(self._youngest_h[cell]),
        }
        # Effects begin near 2 wt%; with alumina enough for the whole bath, a part of it had none.
        short = 0.5 if np.isnan(alumina_pct) else float(np.clip((2.6 - alumina_pct) / 0.6, 0.0, 1.0))
        cold = 0.0 if np.isnan(superheat_C) else float(np.clip((6.0 - superheat_C) / 4.0, 0.0, 1.0))
        weights = {
            "alumina_low": 0.3 + 0.7 * short,
            "alumina_undissolved": 0.1 + 0.5 * cold,
            "alumina_uneven": 0.1 + 0.3 * (1.0 - short),
            "new_anode_takes_no_current": 0.2 * float(self._youngest_h[cell] < _YOUNG_h),
        }
        return explanation(evidence, weights)
