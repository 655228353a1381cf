"""Rolling metal: voltage and anode currents swing with a period of 25 to 65 s, far more than this cell's do."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, FloatArray, Scores, View
from models.effect_watch import EffectWatch
from models.explaining import explanation
from models.steady_voltage import SteadyVoltage
from models.swing import ACROSS, ALONG, MAX_SCAN_S, N_BLOCKS, N_CHANNELS, VOLTAGE, Swing

#: Peak to peak of a wave over its root mean square.
_PEAKS = 2.0 * 2.0**0.5
#: No wave lifts the voltage by more than this over its usual [V]: 50 to 300 mV are told of rolling metal.
_NO_WAVE_V = 1.0


class InstabilityLimits(NamedTuple):
    """When a swing counts as rolling metal.

    Attributes
    ----------
    swing_V
        Swing of the voltage, peak to peak, below which none is rolling metal [V]: 5 to 30 mV are normal.
    swing_frac
        The same for the share of current of the anodes at the ends of the cell, or of one row [-]: a wave of 1 mm
        changes a share by 1.6 to 2 %.
    over_usual
        How many times its own usual swing a cell must show. Blocks of 200 s of such a narrow band spread by a factor
        of 1.5 (1 sd), the geometric mean of four by 1.22: a factor of 3 lies 5.5 sd out.
    usual_steps
        Steps by which the usual swing is learned, in shares of it: first and last.
    learn_blocks
        Blocks of 200 s from which its own usual swing is learned before a channel is judged.
    freeze
        Score from which nothing is learned.
    hold_s
        A score stands this long without a finished block [s].
    """

    swing_V: float = 0.030
    swing_frac: float = 0.014
    over_usual: float = 3.0
    usual_steps: tuple[float, float] = (0.2, 0.01)
    learn_blocks: int = 18
    freeze: float = 0.6
    hold_s: float = 900.0


class Instability:
    """Scores every cell by its swing over the last 13 minutes, the geometric mean of four blocks.

    Voltage, slope of the anode currents along the cell and difference of its two rows are judged alike, and the
    highest counts: a wave whose halves are opposite moves the currents more than the voltage. Scans longer than 12 s
    do not show such waves; then nothing is judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `InstabilityLimits`.

    Notes
    -----
    Physics reference 8.1 (25-65 s, 5-30 mV normal, 50-300 mV when rolling; knowledge of medium confidence). Not
    validated on plant data.
    """

    name = "instability"
    version = "instability/1"
    kinds = ("instability",)

    def __init__(self, layout: CellLayout, limits: InstabilityLimits | None = None) -> None:
        self.limits = InstabilityLimits() if limits is None else limits
        n = len(layout.n_anodes)
        self._watch = EffectWatch(layout)
        self._steady = SteadyVoltage(layout)
        self._swing = Swing(layout)
        self._usual = np.full((n, N_CHANNELS), np.nan)
        self._learned = np.zeros((n, N_CHANNELS))
        self._since_s = np.full(n, np.inf)
        self._score = np.full(n, np.nan)
        self._superheat_C = np.full(n, np.nan)
        self._acd_mm = np.full(n, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim = self.limits
        self._watch.step(view)
        self._steady.step(view)
        # The first scan of an anode effect is not yet sure to be one, and would fill the band for minutes.
        effect = self._watch.running | (self._steady.rated_V > self._watch.usual_V + _NO_WAVE_V)
        voltage_V = np.where(effect, np.nan, self._steady.rated_V)
        self._swing.step(voltage_V, view.anode_current_A, self._steady.moved, view.scan_s)
        finished = self._swing.finished
        if view.scan_s <= MAX_SCAN_S and finished.any():
            # A short disturbance (a tap, a crane) fills one block and leaves the others small.
            blocks = self._swing.blocks
            with np.errstate(divide="ignore", invalid="ignore"):
                middle = np.exp(np.log(blocks).mean(axis=2)) / self._limit()
            score = np.where(np.isfinite(middle), middle, -np.inf).max(axis=1)
            judged = finished.any(axis=1)
            self._score = np.where(judged, np.where(np.isfinite(score), score, np.nan), self._score)
            self._learn(finished & ~(middle >= lim.freeze) & (blocks[:, :, -1] > 0.0))
            self._since_s = np.where(judged, 0.0, self._since_s)
        self._since_s += view.scan_s
        for kept, now in (
            (self._superheat_C, view.estimate.superheat_C),
            (self._acd_mm, view.estimate.acd_mm),
        ):
            fresh = np.isfinite(now)
            kept[fresh] = now[fresh]
        score = np.where(self._since_s <= lim.hold_s, self._score, np.nan)
        return (Scores("instability", "cell", score[:, None]),)

    def _limit(self) -> FloatArray:
        """Root mean square at which each channel is rolling, (n_cells, channels); NaN before its usual is known."""
        lim = self.limits
        least = np.array([lim.swing_V, lim.swing_frac, lim.swing_frac]) / _PEAKS
        own = np.where(self._learned >= lim.learn_blocks, lim.over_usual * self._usual, np.nan)
        return np.maximum(least, own)

    def _learn(self, calm: np.ndarray) -> None:
        """Move the usual swing of each channel a step towards the newest block: towards its median in the end."""
        block = self._swing.blocks[:, :, -1]
        first, last = self.limits.usual_steps
        step = np.maximum(first / np.sqrt(1.0 + self._learned), last)
        moved = np.where(block > self._usual, self._usual * (1.0 + step), self._usual / (1.0 + step))
        self._usual = np.where(calm, np.where(np.isnan(self._usual), block, moved), self._usual)
        self._learned += calm

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        block, usual = _PEAKS * self._swing.blocks[cell, :, -1], _PEAKS * self._usual[cell]
        superheat_C, acd_mm = float(self._superheat_C[cell]), float(self._acd_mm[cell])
        evidence = {
            "swing_mV": 1e3 * float(block[VOLTAGE]),
            "usual_swing_mV": 1e3 * float(usual[VOLTAGE]),
            "swing_along_pct": 100.0 * float(block[ALONG]),
            "usual_swing_along_pct": 100.0 * float(usual[ALONG]),
            "swing_across_pct": 100.0 * float(block[ACROSS]),
            "usual_swing_across_pct": 100.0 * float(usual[ACROSS]),
            "block_s": self._swing.block_s,
            "blocks": float(N_BLOCKS),
            "superheat_C": superheat_C,
            "acd_mm": acd_mm,
        }
        over = self._swing.blocks[cell, :, -1] / self._limit()[cell]
        waves = float(np.nan_to_num(over[1:]).max())
        low = 0.0 if np.isnan(acd_mm) else float(np.clip((38.0 - acd_mm) / 10.0, 0.0, 1.0))
        cold = 0.0 if np.isnan(superheat_C) else float(np.clip((6.0 - superheat_C) / 4.0, 0.0, 1.0))
        weights = {
            "metal_wave": 0.4 + 0.6 * min(waves, 1.0),
            "acd_low": 0.2 + 0.5 * low,
            "bottom_sludge": 0.15 + 0.5 * cold,
            "anode_low": 0.2,
        }
        return explanation(evidence, weights)
