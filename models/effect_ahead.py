"""Anode effects foretold: the probability that one begins within a quarter of an hour."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, FloatArray, Scores, View
from models.effect_signs import CLIMB, FED, LEAN, N_SIGNS, RAMP, RISE_1_3, RISE_3_10, SAG, EffectSigns
from models.effect_watch import EffectWatch
from models.explaining import explanation
from models.steady_voltage import SteadyVoltage

#: Terms of the law, in the order of its weights; names say what one unit is.
TERMS = (
    "rise_1_3_10mV",
    "rise_3_10_10mV",
    "lean_20pct",
    "log_sag",
    "ramp_5mV",
    "ramp_while_fed_5mV",
    "climb_20mV",
    "jump_where_anodes_sag_10mV",
)
#: A sag below this is the noise of the rods [%], and what is taken where a sign is not known.
_LEAST_SAG_pct = 0.4
_UNKNOWN = np.zeros(N_SIGNS)
_UNKNOWN[SAG] = _LEAST_SAG_pct
_UNKNOWN[RAMP] = -1.0
#: Over-fed for this long, a cell that still lacks alumina does not get it [min].
_FED_min = 4.0


class AheadLimits(NamedTuple):
    """The law of the probability, and when it is told.

    Attributes
    ----------
    constant, weights
        Logistic law of ``TERMS``, fitted by ``benchmarks/effect_fit.py`` to every minute of two simulated training
        lines of 300 kA with 88 effects (seeds 7711 and 9003, dense faults of the process family); no line of these
        seeds is scored. The constant is shifted from the 0.39 effects a cell-day there to 0.08, the rate of a good
        line (Ren 2007), so that the probability is that of a natural line.
    raise_probability
        Probability from which it is told. The best F1 is reached near half of itself, which on the training lines
        lies about 0.8; and 0.45 gave most there.
    after_s
        An effect is not foretold again for this long after one [s]: the quench moves resistance and feed.
    wolf_s, wolf_logit, wolf_most, wolf_memory_s
        An alarm that no effect has followed for this long [s] takes so much from the logit of its cell, up to so much,
        and that is forgotten so slowly [s]: some cells run for days in a way that looks like it and is theirs.
    hold_s
        A score stands this long without a voltage [s].
    """

    constant: float = -8.499
    weights: tuple[float, ...] = (2.580, 2.083, -1.814, 2.559, 0.737, 0.470, -0.894, -1.800)
    raise_probability: float = 0.45
    after_s: float = 2700.0
    wolf_s: float = 1200.0
    wolf_logit: float = 1.0
    wolf_most: float = 3.0
    wolf_memory_s: float = 172_800.0
    hold_s: float = 120.0


def terms(signs: FloatArray) -> FloatArray:
    """Terms of the law out of the signs.

    Parameters
    ----------
    signs : (..., N_SIGNS)
        As ``EffectSigns.value``; what is NaN counts as on a quiet cell.

    Returns
    -------
    (..., 8)
        In the order of ``TERMS``.
    """
    x = np.where(np.isnan(signs), _UNKNOWN, signs)
    rise, climb = np.clip(x[..., RISE_1_3], -30.0, 30.0), np.clip(x[..., CLIMB], -60.0, 120.0)
    ramp = np.clip(x[..., RAMP], -10.0, 20.0)
    log_sag = np.log(np.clip(x[..., SAG], _LEAST_SAG_pct, 5.0) / _LEAST_SAG_pct)
    return np.stack(
        [
            rise / 10.0,
            np.clip(x[..., RISE_3_10], -50.0, 50.0) / 10.0,
            np.clip(x[..., LEAN], -0.5, 0.5) / 0.2,
            log_sag,
            ramp / 5.0,
            np.where(x[..., FED] > _FED_min, np.maximum(ramp, 0.0), 0.0) / 5.0,
            climb / 20.0,
            np.maximum(rise, 0.0) / 10.0 * log_sag,
        ],
        axis=-1,
    )


class EffectAhead:
    """Scores every cell by the probability that an anode effect begins within 15 min.

    Two roads lead there. The whole bath runs out: the resistance ramps up faster and faster, although the controller
    feeds. Or one place does: several neighbouring anodes lose current together, and the voltage jumps when the first
    of them is blocked, minutes before all follow. Steps of the beam and of anode changes are taken out, and one anode
    alone counts little. Without rod currents only the first road is seen; without a feed log its feed is left out.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `AheadLimits`.

    Notes
    -----
    Physics reference 6.1 to 6.3. Field evidence: F1 0.32 on voltage (TRIMET 2020) is the one honest figure. The law
    is fitted to simulated lines only, and its probability is theirs.
    """

    name = "effect_ahead"
    version = "effect_ahead/1"
    kinds = ("anode_effect_imminent",)

    def __init__(self, layout: CellLayout, limits: AheadLimits | None = None) -> None:
        self.limits = AheadLimits() if limits is None else limits
        n = len(layout.n_anodes)
        self._n_feeders = layout.n_feeders.copy()
        self._watch = EffectWatch(layout)
        self._steady = SteadyVoltage(layout)
        self._signs = EffectSigns(layout)
        self._weights = np.array(self.limits.weights)
        self._after_s = np.full(n, np.inf)
        self._silent_s = np.full(n, np.inf)
        #: Time since an effect was foretold that has not come yet (NaN: none), and what is taken from the logit.
        self._waited_s = np.full(n, np.nan)
        self._wolf = np.zeros(n)
        self._probability = np.full(n, np.nan)
        self._alumina_pct = np.full((2, n), np.nan)
        self._superheat_C = np.full(n, np.nan)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell."""
        lim, watch, signs, estimate = self.limits, self._watch, self._signs, view.estimate
        watch.step(view)
        self._steady.step(view)
        # The first scan above the limit is not yet sure, but foretells nothing any more.
        burns = watch.running | (self._steady.rated_V > watch.rule.threshold_V)
        signs.step(view, self._steady, burns)
        self._after_s = np.where(burns, 0.0, self._after_s + view.scan_s)
        logit = lim.constant - self._wolf + (terms(signs.value) * self._weights).sum(axis=1)
        probability = 1.0 / (1.0 + np.exp(-logit))
        known = np.isfinite(signs.value[:, RISE_3_10])
        quenched = (self._after_s <= lim.after_s) & np.isfinite(self._steady.rated_V)
        now = np.where(quenched, 0.0, np.where(known, probability, np.nan))
        seen = np.isfinite(now)
        self._silent_s = np.where(seen, 0.0, self._silent_s + view.scan_s)
        self._probability = np.where(seen | (self._silent_s > lim.hold_s), now, self._probability)
        self._learn_patience(burns, view.scan_s)
        self._alumina_pct = np.stack([estimate.alumina_pct, estimate.alumina_sd_pct])
        self._superheat_C = estimate.superheat_C.copy()
        return (
            Scores("anode_effect_imminent", "cell", (self._probability / lim.raise_probability)[:, None]),
        )

    def _learn_patience(self, burns: np.ndarray, scan_s: float) -> None:
        """Ask for more of a cell of which an effect was foretold that did not come."""
        lim = self.limits
        told = self._probability >= lim.raise_probability
        self._waited_s = np.where(np.isnan(self._waited_s) & told, 0.0, self._waited_s + scan_s)
        vain = (self._waited_s > lim.wolf_s) & ~burns
        self._wolf *= np.exp(-scan_s / lim.wolf_memory_s)
        self._wolf = np.where(vain, np.minimum(self._wolf + lim.wolf_logit, lim.wolf_most), self._wolf)
        self._waited_s[vain | burns] = np.nan

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        signs, where = self._signs.value[cell], int(self._signs.where[cell])
        alumina_pct, sd_pct = (float(x) for x in self._alumina_pct[:, cell])
        superheat_C = float(self._superheat_C[cell])
        sag_pct, fed_min = float(np.nan_to_num(signs[SAG])), float(np.nan_to_num(signs[FED]))
        evidence = {
            "probability_15min": float(self._probability[cell]),
            "rise_of_1_on_3min_mV": float(signs[RISE_1_3]),
            "rise_of_3_on_10min_mV": float(signs[RISE_3_10]),
            "least_rise_in_3min_mV": float(signs[RAMP]),
            "rise_in_10min_mV": float(signs[CLIMB]),
            "fed_less_30min_pct": 100.0 * float(signs[LEAN]),
            "over_fed_min": float(signs[FED]),
            "anodes_sag_pct": float(signs[SAG]),
            "alumina_pct": alumina_pct,
            "alumina_sd_pct": sd_pct,
            "superheat_C": superheat_C,
            "foretold_in_vain_logit": float(self._wolf[cell]),
        }
        local = float(np.clip((sag_pct - 1.0) / 2.0, 0.0, 1.0))
        columns = self._signs.n_columns[cell]
        if local > 0.0 and where >= 0 and self._n_feeders[cell] > 0:
            evidence["feeder_number"] = float(int((where + 0.5) / columns * self._n_feeders[cell]) + 1)
        short = 0.5 if np.isnan(alumina_pct) else float(np.clip((2.6 - alumina_pct) / 0.6, 0.0, 1.0))
        cold = 0.0 if np.isnan(superheat_C) else float(np.clip((6.0 - superheat_C) / 4.0, 0.0, 1.0))
        weights = {
            "alumina_low": 0.2 + 0.6 * short * (1.0 - local),
            "alumina_uneven": 0.1 + 0.7 * local,
            "feeder_hole_blocked": 0.15 + 0.3 * float(fed_min > _FED_min) + 0.2 * local,
            "alumina_undissolved": 0.05 + 0.4 * cold,
        }
        return explanation(evidence, weights)
