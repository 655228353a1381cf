"""Feed that does not arrive, alumina that lies undissolved, metal that is lost again: all by the balance of alumina."""

from typing import NamedTuple

import numpy as np

from models.alumina_balance import AluminaBalance, WINDOWS_h
from models.base import CellLayout, Explanation, FloatArray, Scores, View
from models.cusum import mean_step
from models.effect_signs import columns
from models.explaining import explanation
from models.steady_voltage import SteadyVoltage

_4H, _6H, _12H, _24H, _72H = range(len(WINDOWS_h))
_BATH, _SUPERHEAT = range(2)
#: Anodes younger than this still take up current [h].
_YOUNG_h = 36.0
#: Every so often the anodes are looked at [s]; memories of their shares [s].
_LOOK_s, _NOW_s, _BEFORE_s = 300.0, 10_800.0, 172_800.0


class FeedingLimits(NamedTuple):
    """When the balance of alumina counts as out of order.

    Attributes
    ----------
    blocked_sd, blocked_frac
        More feed than use, in standard deviations of its window and as a share, over 4, 6 or 12 h. One of n feeders
        that gives nothing makes the controller feed 1 / (n - 1) more, 14 to 33 % for 4 to 8 feeders; half of the
        smallest is the limit. 4.5 sd of a normal law are one false alarm in 800 cell-years of independent windows of
        6 h; real tails are heavier.
    settled_frac
        Less feed than use over 4, 6 and 12 h, as shares, from which undissolved alumina feeds the bath: the first two
        lie 5 to 6 sd out, and no cell that lives loses more than ten points of efficiency, which explains no more
        than the third. ``blocked_sd`` holds here too.
    settled_hold_h
        Hours after such a deficit in which no loss of efficiency is judged [h]: sludge dissolves in 1 to 3 days.
    piled_frac, piled_sd
        More feed than use over three days, from which the rest lies on the bottom.
    loss_sd, loss_frac
        Less feed than use over 24 h from which current efficiency is lost, in standard deviations and as a share;
        half a standard deviation is granted for every 3 K that the bath is hotter than its last days, for lost metal
        is heat (1.644 V times the loss).
    bath_K
        That temperature [K]: the day-to-day spread of a sound cell.
    mean_s, usual_s
        Memories of the bath temperature now and of its usual one [s].
    drop_V
        Rise of the sampled cathode drop that speaks for sludge [V]: 20 to 100 mV are told, a sample is good to 10 mV.
    hold_s
        A score stands this long without a new whole hour [s].
    """

    blocked_sd: float = 4.5
    blocked_frac: float = 0.08
    settled_frac: tuple[float, float, float] = (0.20, 0.15, 0.11)
    settled_hold_h: float = 72.0
    piled_frac: float = 0.04
    piled_sd: float = 5.0
    loss_sd: float = 3.5
    loss_frac: float = 0.02
    bath_K: float = 3.0
    mean_s: float = 14_400.0
    usual_s: float = 259_200.0
    drop_V: float = 0.03
    hold_s: float = 10_800.0


class Feeding:
    """Scores every cell by logged feed against use, against its own usual ratio.

    Too much for hours is a feeder that does not deliver; too much for days, or suddenly far too little, is alumina on
    the bottom (the second when it dissolves again); a little too little for a day, best with a warmer bath, is current
    that makes no metal. Cells whose feed is not logged are not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `FeedingLimits`.

    Notes
    -----
    Physics reference 6.2 and 7.2. Scores change once an hour; the alarm rule of a blocked feeder waits for two, for the
    feed cycle can lift one. A controller that does not follow the resistance (fixed feeding) hides all of it.
    Metal levels (1 cm) and taps (1 %) say nothing of a loss of 3 % within three days, and are not used. Not
    validated on plant data.
    """

    name = "feeding"
    version = "feeding/2"
    kinds = ("feeder_blocked", "sludge", "efficiency_loss")

    def __init__(self, layout: CellLayout, limits: FeedingLimits | None = None) -> None:
        self.limits = FeedingLimits() if limits is None else limits
        n = len(layout.n_anodes)
        self._steady = SteadyVoltage(layout)
        self._balance = AluminaBalance(layout)
        self._n_feeders = layout.n_feeders.copy()
        self._score = np.full((n, len(self.kinds)), np.nan)
        #: Bath temperature and superheat of the twin, now and usually; rows of `mean_step`.
        self._now = np.zeros((2, n))
        self._now_s = np.zeros((2, n))
        self._usual = np.zeros((2, n))
        self._usual_s = np.zeros((2, n))
        self._drop_V = np.full((2, n), np.nan)
        #: Whole hours that had been seen when undissolved alumina last fed the bath.
        self._settled_h = np.full(n, -np.inf)
        self._places = _Places(layout)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim, balance = self.limits, self._balance
        self._steady.step(view)
        for taken in view.samples:
            if taken.signal == "cathode_drop_V" and np.isfinite(taken.value):
                before_V, at = self._drop_V[1, taken.cell], taken.cell
                # Newest, and the mean of those before.
                old_V = self._drop_V[0, at]
                self._drop_V[1, at] = old_V if np.isnan(before_V) else before_V + 0.3 * (old_V - before_V)
                self._drop_V[0, at] = taken.value
        odd = np.any(self._score >= 1.0, axis=1)
        self._follow_heat(view, odd)
        self._places.step(view, odd)
        ended = balance.step(view, self._steady, odd)
        if ended.any():
            found = self._judge()
            self._score = np.where(ended[:, None], found, self._score)
        known = balance.since_s <= lim.hold_s
        score = np.where(known[:, None], self._score, np.nan)
        return tuple(Scores(kind, "cell", score[:, [k]]) for k, kind in enumerate(self.kinds))

    def _follow_heat(self, view: View, odd: np.ndarray) -> None:
        """Follow the twin's bath temperature and superheat, and what is usual of them."""
        lim, estimate = self.limits, view.estimate
        now = np.stack([estimate.bath_temp_C, estimate.superheat_C])
        now[:, ~estimate.assessed] = np.nan
        weight_s = np.full(now.shape, float(view.scan_s))
        mean_step(self._now, self._now_s, now, weight_s, lim.mean_s)
        now[:, odd] = np.nan
        mean_step(self._usual, self._usual_s, now, weight_s, lim.usual_s)

    def _warmer_K(self) -> FloatArray:
        """Bath temperature above that of the last days [K]; 0 where not known."""
        enough = self._usual_s[_BATH] >= 2.0 * self.limits.mean_s
        return np.where(enough, self._now[_BATH] - self._usual[_BATH], 0.0)

    def _judge(self) -> FloatArray:
        """Scores of the three kinds, (n_cells, 3)."""
        lim, excess = self.limits, self._balance.excess
        z = excess / self._balance.sd
        # What has ended is no longer to be told, however long the window.
        quarter = 0.25 * lim.blocked_frac
        fast = np.minimum(z / lim.blocked_sd, excess / lim.blocked_frac)[:, [_4H, _6H, _12H]]
        fast[:, 2] = np.where(excess[:, _6H] < quarter, np.minimum(fast[:, 2], 0.7), fast[:, 2])
        blocked = _highest(fast)

        share = -excess[:, [_4H, _6H, _12H]] / np.array(lim.settled_frac)
        share = np.minimum(share, -z[:, [_4H, _6H, _12H]] / lim.blocked_sd)
        share[:, 2] = np.where(excess[:, _6H] > -quarter, np.minimum(share[:, 2], 0.7), share[:, 2])
        settled = _highest(share)
        self._settled_h = np.where(settled >= 0.8, self._balance.hours, self._settled_h)
        piled = np.minimum(excess[:, _72H] / lim.piled_frac, z[:, _72H] / lim.piled_sd)
        piled = np.where(blocked >= 0.8, np.minimum(piled, 0.7), piled)
        sludge = _highest(np.column_stack((settled, piled)))

        warmer = np.clip(self._warmer_K() / lim.bath_K, -1.0, 2.0)
        loss = np.minimum((0.5 * warmer - z[:, _24H]) / lim.loss_sd, -excess[:, _24H] / lim.loss_frac)
        dissolving = self._balance.hours - self._settled_h <= lim.settled_hold_h
        over = (excess[:, _12H] > -0.5 * lim.loss_frac) | dissolving
        loss = np.where(over, np.minimum(loss, 0.7), loss)
        return np.maximum(np.column_stack((blocked, sludge, loss)), 0.0)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        balance, excess = self._balance, 100.0 * self._balance.excess[cell]
        warmer_K = float(self._warmer_K()[cell])
        superheat_C = float(self._now[_SUPERHEAT, cell]) if self._now_s[_SUPERHEAT, cell] > 0.0 else np.nan
        rise_V = float(self._drop_V[0, cell] - self._drop_V[1, cell])
        evidence = {f"feed_excess_{hours}h_pct": float(excess[k]) for k, hours in enumerate(WINDOWS_h)}
        evidence |= {
            "feed_excess_24h_sd_pct": 100.0 * float(balance.sd[cell, _24H]),
            "usual_feed_over_use": float(balance.usual[cell]),
            "observed_h": float(balance.hours[cell]),
            "bath_warmer_K": warmer_K,
            "superheat_C": superheat_C,
            "cathode_drop_rise_mV": 1e3 * rise_V,
        }
        cold = 0.0 if np.isnan(superheat_C) else float(np.clip((6.0 - superheat_C) / 4.0, 0.0, 1.0))
        warm = float(np.clip(warmer_K / self.limits.bath_K, 0.0, 1.0))
        if kind == "feeder_blocked":
            place, sag_pct = self._places.lowest(cell)
            evidence["anodes_sag_pct"] = sag_pct
            if sag_pct > 1.0 and self._n_feeders[cell] > 0:
                evidence["feeder_number"] = float(int(place * self._n_feeders[cell]) + 1)
            weights = {
                "feeder_hole_blocked": 0.5 + 0.3 * float(sag_pct > 1.0),
                "hopper_empty": 0.3,
                "feed_log_wrong": 0.15,
                "alumina_undissolved": 0.05 + 0.2 * cold,
            }
        elif kind == "sludge":
            drop = float(np.clip(np.nan_to_num(rise_V) / self.limits.drop_V, 0.0, 1.0))
            weights = {
                "overfed": 0.4 + 0.2 * float(excess[_6H] < 0.0),
                "superheat_low": 0.2 + 0.5 * cold,
                "bottom_sludge": 0.1 + 0.4 * drop,
                "feed_log_wrong": 0.1,
            }
        else:
            weights = {
                "metal_reoxidised": 0.4 + 0.3 * warm,
                "short_or_spike": 0.3 + 0.2 * warm,
                "feed_log_wrong": 0.2 * (1.0 - warm),
            }
        return explanation(evidence, weights)


def _highest(scores: FloatArray) -> FloatArray:
    """Highest known score of each row; NaN where none is known."""
    best = np.where(np.isfinite(scores), scores, -np.inf).max(axis=1)
    return np.where(np.isfinite(best), best, np.nan)


class _Places:
    """Share of current of the anodes along the cell, of the last hours and of the days before."""

    def __init__(self, layout: CellLayout) -> None:
        self._column = columns(layout)[:, : int(layout.n_anodes.max(initial=0))]
        shape = (2, *self._column.shape)
        self._mean, self._seen_s = np.zeros(shape), np.zeros(shape)
        self._wait_s = 0.0

    def step(self, view: View, odd: np.ndarray) -> None:
        """Look at the anodes every few minutes."""
        self._wait_s += view.scan_s
        if self._wait_s < _LOOK_s:
            return
        current_A = view.anode_current_A[:, : self._column.shape[1]]
        settled = np.isfinite(current_A) & ~(view.anode_age_h[:, : self._column.shape[1]] < _YOUNG_h)
        count = np.isfinite(current_A).sum(axis=1, keepdims=True)
        mean_A = np.where(np.isfinite(current_A), current_A, 0.0).sum(axis=1, keepdims=True) / np.maximum(
            count, 1
        )
        share = np.where(settled & (mean_A > 1000.0), current_A / np.where(mean_A > 0.0, mean_A, 1.0), np.nan)
        weight_s = np.full(share.shape, self._wait_s)
        mean_step(self._mean[0], self._seen_s[0], share, weight_s, _NOW_s)
        mean_step(self._mean[1], self._seen_s[1], np.where(odd[:, None], np.nan, share), weight_s, _BEFORE_s)
        self._wait_s = 0.0

    def lowest(self, cell: int) -> tuple[float, float]:
        """Where along the cell (0-1) the anodes have lost most, and how much [%]; NaN where not known."""
        column = self._column[cell]
        known = (column >= 0) & (self._seen_s[1, cell] >= _NOW_s)
        if known.sum() < 4:
            return float("nan"), float("nan")
        lost = np.clip(self._mean[1, cell] - self._mean[0, cell], -0.1, 0.1)
        lost = lost - lost[known].mean()
        n = int(column.max()) + 1
        groups = [known & (np.abs(column - at) <= 1) for at in range(n)]
        sag = [float(lost[g].mean()) if g.sum() >= 2 else 0.0 for g in groups]
        at = int(np.argmax(sag))
        return (at + 0.5) / n, 100.0 * sag[at]
