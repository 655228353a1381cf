"""Slow current pick-up: a new anode that carries less than a new anode of its age should."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, Scores, View
from models.cusum import mean_step
from models.explaining import explanation


class PickupLimits(NamedTuple):
    """When a pick-up counts as slow.

    Attributes
    ----------
    min_age_h, max_age_h
        Ages judged. Before 2 h a normal anode carries under a tenth of the mean, which a rod measurement of
        1-3 % cannot tell from nothing; after three days the freeze under any anode is gone and other kinds
        take over.
    z_limit
        Allowed deficit in standard deviations of the twin's band. The deviation of one anode is one draw that
        lasts the whole pick-up, so waiting adds no evidence and this alone sets the false alarms. A normal law
        would give 0.3 % of the changes; the spread is log-normal in time and every age is a chance to cross,
        which makes it 2-3 % on simulated healthy changes, 0.03 a cell and day (the reference's budget: 0.05).
    min_deficit_frac
        Smallest deficit ever called slow, as a share of the mean anode current: three times the 5 % error
        of a rod survey, and the gap between the normal 67 % at 12 h and the "late pick-up below 50 %" of
        field practice.
    mean_s
        Memory of the deficit's mean [s]: longer than a tap, a beam move or a feed cycle disturbs the split.
    min_observed_s
        Observed time before a new anode is judged [s].
    hold_s
        A score stands this long without a new measurement [s].
    min_mean_current_A
        Mean anode current below which shares mean nothing [A]: the line is off.
    """

    min_age_h: float = 2.0
    max_age_h: float = 72.0
    z_limit: float = 2.75
    min_deficit_frac: float = 0.15
    mean_s: float = 2700.0
    min_observed_s: float = 1800.0
    hold_s: float = 600.0
    min_mean_current_A: float = 1000.0


class AnodePickup:
    """Compares each young anode's share of current with the twin's expectation for its age.

    The score is the mean deficit over the allowed one. An anode without a reported change is NaN; one outside
    2-72 h scores 0, because what it does then is no pick-up.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `PickupLimits`.

    Notes
    -----
    Working law and spread of the pick-up: physics reference 5.3 (50 % of the mean at 6-12 h, 90 % at 16-30
    h, late if below 50 % at 12 h or 60 % at 24 h); knowledge of low to medium confidence, not calibrated on
    plant data.
    """

    name = "anode_pickup"
    version = "anode_pickup/1"
    kinds = ("anode_slow_pickup",)

    def __init__(self, layout: CellLayout, limits: PickupLimits | None = None) -> None:
        self.limits = PickupLimits() if limits is None else limits
        n_cells = len(layout.n_anodes)
        shape = (n_cells, int(layout.n_anodes.max(initial=0)))
        self._n_anodes = layout.n_anodes.copy()
        self._exists = np.arange(shape[1])[None, :] < layout.n_anodes[:, None]
        #: Running means of deficit over allowed deficit, measured share, expected share.
        self._means = np.zeros((3, *shape))
        self._observed_s = np.zeros((3, *shape))
        self._since_s = np.full(shape, np.inf)
        self._age_h = np.full(shape, np.nan)
        self._sd = np.full(shape, np.nan)
        self._mean_current_A = np.full(n_cells, np.nan)
        self._superheat_C = np.full(n_cells, np.nan)
        self._score = np.full(shape, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every anode."""
        lim, estimate = self.limits, view.estimate
        width = self._score.shape[1]
        age_h = view.anode_age_h[:, :width]
        # A younger anode than before, or one forgotten, is another anode.
        renewed = (age_h < self._age_h - 0.05) | np.isnan(age_h)
        window = (age_h >= lim.min_age_h) & (age_h <= lim.max_age_h) & self._exists
        restart = renewed | ~window
        self._means[:, restart] = 0.0
        self._observed_s[:, restart] = 0.0
        self._since_s[restart] = np.inf
        self._age_h = age_h.copy()

        current_A = view.anode_current_A[:, :width]
        measured = np.isfinite(current_A)
        count = measured.sum(axis=1)
        total_A = np.where(measured, current_A, 0.0).sum(axis=1)
        mean_A = np.where(count > 0, total_A / np.maximum(count, 1), np.nan)
        alive = mean_A >= lim.min_mean_current_A
        self._mean_current_A = np.where(alive, mean_A, self._mean_current_A)
        self._superheat_C = np.where(
            np.isfinite(estimate.superheat_C), estimate.superheat_C, self._superheat_C
        )

        expected = estimate.anode_expected_frac[:, :width]
        sd = estimate.anode_expected_sd_frac[:, :width]
        allowed = np.maximum(lim.z_limit * sd, lim.min_deficit_frac)
        frac = estimate.anode_frac[:, :width]
        ratio = np.where(window & alive[:, None], (expected - frac) / allowed, np.nan)
        fresh = np.isfinite(ratio)
        # A value stands for the time since the one before, but never for a long outage.
        weight_s = np.where(
            np.isfinite(self._since_s), np.minimum(self._since_s + view.scan_s, lim.hold_s), view.scan_s
        )
        weight_s = np.where(fresh, weight_s, np.nan)
        flat = (3 * len(self._score), width)
        mean_step(
            self._means.reshape(flat),
            self._observed_s.reshape(flat),
            np.concatenate((ratio, frac, expected)),
            np.concatenate((weight_s, weight_s, weight_s)),
            lim.mean_s,
        )
        self._sd = np.where(fresh, sd, self._sd)
        self._since_s = np.where(fresh, 0.0, self._since_s + view.scan_s)

        judged = window & (self._observed_s[0] >= lim.min_observed_s) & (self._since_s <= lim.hold_s)
        score = np.where(judged, np.maximum(self._means[0], 0.0), np.nan)
        settled = self._exists & ~window & np.isfinite(age_h)
        self._score = np.where(settled, 0.0, score)
        return (Scores("anode_slow_pickup", "anode", self._score.copy()),)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        frac, expected = float(self._means[1, cell, slot]), float(self._means[2, cell, slot])
        age_h, superheat_C = float(self._age_h[cell, slot]), float(self._superheat_C[cell])
        mean_A = float(self._mean_current_A[cell])
        evidence = {
            "measured_frac": frac,
            "expected_frac": expected,
            "expected_sd_frac": float(self._sd[cell, slot]),
            "deficit_A": (expected - frac) * mean_A,
            "mean_anode_current_A": mean_A,
            "age_h": age_h,
            "observed_h": float(self._observed_s[0, cell, slot]) / 3600.0,
            "superheat_C": superheat_C,
        }
        return explanation(evidence, self._beliefs(cell, slot, frac, age_h, superheat_C))

    def _beliefs(
        self, cell: int, slot: int, frac: float, age_h: float, superheat_C: float
    ) -> dict[str, float]:
        """Weights from age, share, position and superheat, by the signatures of physics reference 5.3-5.4."""
        half = max(int(self._n_anodes[cell]) // 2, 1)
        corner = slot % half in (0, half - 1)
        # Frozen bath melts within a day or so; a height or contact error does not.
        frozen = float(np.clip((36.0 - age_h) / 24.0, 0.1, 1.0))
        cold = 0.5 if np.isnan(superheat_C) else float(np.clip((8.0 - superheat_C) / 6.0, 0.0, 1.0))
        late = 1.0 - frozen
        # 1.7-2 % a mm: a setting error or a bad contact leaves some current, a dead rod signal leaves none.
        some = float(np.clip(frac / 0.4, 0.0, 1.0))
        dead = float(np.clip((0.03 - frac) / 0.03, 0.0, 1.0)) * float(np.clip((age_h - 4.0) / 8.0, 0.0, 1.0))
        return {
            "slow_pickup_frozen_bath": frozen * (1.0 - 0.5 * cold),
            "slow_pickup_cold_corner": frozen * (0.6 * corner + 0.6 * cold),
            "set_high": 0.2 + 0.8 * late * some,
            "poor_clamp_contact": 0.15 + 0.6 * late * some,
            "sensor_drift": 0.05 + 1.5 * dead,
        }
