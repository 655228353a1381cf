"""Iron and silicon of the tapped metal: what the lining, the collector bars or the stubs lose into it."""

from math import exp, isfinite
from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, FloatArray, Scores, Taken, View
from models.cusum import cusum_step
from models.explaining import explanation

#: Rows of all arrays.
_SIGNALS = ("metal_iron_ppm", "metal_silicon_ppm")
_IRON, _SILICON = range(2)
_DAY_US = 86_400_000_000.0
#: Highest score of a rise that is no proof of an attack on the lining.
_UNPROVEN = 0.9


class MetalLimits(NamedTuple):
    """When metal counts as dissolving the cell.

    Attributes
    ----------
    damage_iron_ppm, damage_silicon_ppm
        Kept above these, the lining is damaged: 1 % iron, 0.2 % silicon.
    sound_iron_ppm, sound_silicon_ppm
        Up to these a cell is sound, whatever its trend: 0.10 % and 0.06 %.
    pad_d
        Time in which the metal pad is renewed by tapping [d]: 65 to 85 kg/kA over 7.6 kg/kA a day. What dissolves
        shows in the pad only slowly, so a rise is judged against what the pad alone would do.
    drift, limit
        CUSUM reference value and limit in standard deviations and samples. By Siegmund's formula the mean time
        between false alarms is 113 000 samples of a metal at k = 1, h = 5 with independent normal residuals; the
        errors of a laboratory alternate in sign between residuals, which makes it longer.
    repeat_ppm, repeat_frac
        Least standard deviation of a residual: laboratory 20 ppm in each of two samples, and of the level.
    learn_samples
        Samples of the cell's own past before a trend is judged.
    memory_samples
        Over which its own level and spread are learned.
    shared_frac
        Rise of the other metal over its own limit from which the two rise together.
    hold_d
        A score stands this long without a new sample [d].
    """

    damage_iron_ppm: float = 10_000.0
    damage_silicon_ppm: float = 2_000.0
    sound_iron_ppm: float = 1_000.0
    sound_silicon_ppm: float = 600.0
    pad_d: float = 10.0
    drift: float = 1.0
    limit: float = 5.0
    repeat_ppm: float = 28.0
    repeat_frac: float = 0.03
    learn_samples: int = 6
    memory_samples: float = 40.0
    shared_frac: float = 0.5
    hold_d: float = 7.0


class MetalQuality:
    """Scores every cell by the level of iron and silicon and by their rise above what the cell is used to.

    Level: the lower of the last two samples over the limit of damage, because one bad sample is no damage. Rise: a
    CUSUM of each metal against its own past, which counts in full above the sound level only. Silicon comes from
    nothing but the lining, so its rise counts alone; iron alone comes from stubs more often than from bars: below the
    limit of damage it is shown (up to 0.9) and raises nothing, for no alarm kind names stubs. Without a sample for a
    week nothing is judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `MetalLimits`.

    Notes
    -----
    Limits: physics reference 7.2, from a published account of damaged cells (cagtic.cn). That iron of stubs and of
    bars differ by what silicon does is knowledge of medium confidence. Iron and silicon of raw materials, shared by a
    line, are not taken away. Not validated on plant data: no public record of these two is known to us.
    """

    name = "metal_quality"
    version = "metal_quality/1"
    kinds = ("bottom_loss",)

    def __init__(self, layout: CellLayout, limits: MetalLimits | None = None) -> None:
        self.limits = MetalLimits() if limits is None else limits
        shape = (len(_SIGNALS), len(layout.n_anodes))
        self._ppm = np.full(shape, np.nan)
        self._before_ppm = np.full(shape, np.nan)
        self._taken_us = np.full(shape, np.nan)
        self._known_us = np.full(shape, np.nan)
        self._count = np.zeros(shape, dtype=np.int64)
        self._usual_ppm = np.full(shape, np.nan)
        self._spread_ppm = np.full(shape, np.nan)
        self._rise_ppm_d = np.full(shape, np.nan)
        self._total = np.zeros(shape)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in the samples of one scan and score every cell."""
        for taken in view.samples:
            if taken.signal in _SIGNALS and isfinite(taken.value):
                self._take(_SIGNALS.index(taken.signal), taken, view.time_us)
        return (Scores("bottom_loss", "cell", self._score(view.time_us)[:, None]),)

    def _take(self, row: int, taken: Taken, time_us: int) -> None:
        """Take in one sample; one older than the newest known says nothing about what rises now."""
        lim, at = self.limits, (row, taken.cell)
        elapsed_d = (taken.time_us - self._taken_us[at]) / _DAY_US
        if elapsed_d <= 0.0:
            return
        old_ppm, ppm = float(self._ppm[at]), taken.value
        self._before_ppm[at], self._ppm[at] = old_ppm, ppm
        self._taken_us[at], self._known_us[at] = taken.time_us, time_us
        self._count[at] += 1
        if self._count[at] == 1:
            self._usual_ppm[at] = ppm
            self._spread_ppm[at] = self._least_ppm(ppm)
            return
        usual_ppm = float(self._usual_ppm[at])
        # A pad that is tapped and refilled goes from where it was towards what the cell is used to.
        left = exp(-elapsed_d / lim.pad_d)
        residual_ppm = ppm - usual_ppm - (old_ppm - usual_ppm) * left
        # What dissolves above the usual, as if it lasted: per day into the pad.
        self._rise_ppm_d[at] = residual_ppm / (lim.pad_d * (1.0 - left))
        spread_ppm = max(float(self._spread_ppm[at]), self._least_ppm(usual_ppm))
        if self._count[at] > lim.learn_samples:
            z = np.array([[residual_ppm / spread_ppm]])
            total = self._total[row : row + 1, taken.cell : taken.cell + 1]
            cusum_step(total, z, np.ones((1, 1)), lim.drift, 3.0 * lim.limit)
        # Learned from quiet samples only, and large residuals are cut, so that an attack does not become usual.
        if self._total[at] < 0.25 * lim.limit:
            gain = 1.0 / min(float(self._count[at]), lim.memory_samples)
            cut_ppm = min(max(residual_ppm, -3.0 * spread_ppm), 3.0 * spread_ppm)
            self._usual_ppm[at] += gain * min(max(ppm - usual_ppm, -3.0 * spread_ppm), 3.0 * spread_ppm)
            self._spread_ppm[at] += gain * (1.2533 * abs(cut_ppm) - self._spread_ppm[at])

    def _least_ppm(self, level_ppm: float) -> float:
        """Least spread of a residual at a level [ppm]."""
        return max(self.limits.repeat_ppm, self.limits.repeat_frac * level_ppm)

    def _levels(self) -> FloatArray:
        """Lower of the last two samples over the limit of damage, (2, n_cells)."""
        lim = self.limits
        damage_ppm = np.array([[lim.damage_iron_ppm], [lim.damage_silicon_ppm]])
        return np.minimum(self._ppm, self._before_ppm) / damage_ppm

    def _trends(self) -> FloatArray:
        """CUSUMs over their limit, held below 1 while a metal is sound, (2, n_cells)."""
        lim = self.limits
        sound_ppm = np.array([[lim.sound_iron_ppm], [lim.sound_silicon_ppm]])
        trend = self._total / lim.limit
        return np.where(self._ppm > sound_ppm, trend, np.minimum(trend, _UNPROVEN))

    def _score(self, time_us: int) -> FloatArray:
        """Score of every cell, (n_cells,)."""
        lim = self.limits
        level, trend = self._levels(), self._trends()
        together = self._total[_SILICON] >= lim.shared_frac * lim.limit
        iron = np.where(together, trend[_IRON], np.minimum(trend[_IRON], _UNPROVEN))
        found = np.stack([level[_IRON], level[_SILICON], iron, trend[_SILICON]])
        fresh = (time_us - self._known_us <= lim.hold_d * _DAY_US) & (self._count >= 2)
        metal = np.array([_IRON, _SILICON, _IRON, _SILICON])
        best = np.where(fresh[metal] & np.isfinite(found), found, -np.inf).max(axis=0)
        return np.where(np.isfinite(best), np.maximum(best, 0.0), np.nan)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        lim = self.limits
        evidence = {
            "iron_ppm": float(self._ppm[_IRON, cell]),
            "iron_before_ppm": float(self._before_ppm[_IRON, cell]),
            "iron_usual_ppm": float(self._usual_ppm[_IRON, cell]),
            "iron_rise_ppm_d": float(self._rise_ppm_d[_IRON, cell]),
            "silicon_ppm": float(self._ppm[_SILICON, cell]),
            "silicon_before_ppm": float(self._before_ppm[_SILICON, cell]),
            "silicon_usual_ppm": float(self._usual_ppm[_SILICON, cell]),
            "silicon_rise_ppm_d": float(self._rise_ppm_d[_SILICON, cell]),
        }
        ppm, level = np.nan_to_num(self._ppm[:, cell]), np.nan_to_num(self._levels()[:, cell])
        trend = self._total[:, cell] / lim.limit
        iron = min(max(float(level[_IRON]), float(trend[_IRON])), 1.0)
        silicon = min(max(float(level[_SILICON]), float(trend[_SILICON])), 1.0)
        sound = ppm[_IRON] <= lim.sound_iron_ppm and ppm[_SILICON] <= lim.sound_silicon_ppm
        weights = {
            "lining_attack_bottom": iron * silicon,
            "lining_attack_side": silicon * (1.0 - iron),
            "collector_bar_attack": min(float(level[_IRON]), 1.0) * (1.0 - 0.5 * silicon),
            "stub_attack": iron * (1.0 - silicon) * (1.0 - 0.5 * min(float(level[_IRON]), 1.0)),
            "raw_material": 0.05 + 0.3 * sound,
        }
        return explanation(evidence, weights)
