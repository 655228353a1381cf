"""Local heat loss through the sides: a shell that warms on one side means a ledge that thins there."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, Explanation, FloatArray, IntArray, Scores, View
from models.cusum import cusum_step, mean_step
from models.explaining import explanation
from models.reading_steps import ShellSteps, lone_shells, own_steps
from models.shell_trend import Hours, ShellTrend
from twin.heat import REFERENCE_AMBIENT_C, shell_flux_W_m2
from twin.jit import kernel
from twin.signals import SCALAR_READINGS, SIDES

_N_SIDES = len(SIDES)
_AMBIENT = SCALAR_READINGS.index("ambient_temp_C")
_DAY_S = 86400.0


class HeatLossLimits(NamedTuple):
    """When a side counts as losing its ledge, and when it is too hot to stand near.

    Attributes
    ----------
    drift, limit
        CUSUM reference value and limit in robust standard deviations and correlation times. By Siegmund's
        formula the mean time between false alarms is (exp(2 k b) - 2 k b - 1) / (2 k^2) correlation times
        with b = h + 1.166: 1.2e6 h a side at k = 1.5, h = 4, or one in 12 000 cell-days for four sides of a
        normal, hour-correlated residual. The reference asks for less than one in 1000 at the natural rate
        of this fault.
    correlation_s
        Residuals closer than this count as one observation [s]: draught and the wall's own inertia last
        about an hour.
    min_scale_C, max_scale_C
        Bounds of the learned robust standard deviation of a side [degC]: a shell thermocouple is good to
        2-5 degC, and a side that swings by more than 15 degC is not normal any more.
    scale_memory_s
        Time over which a side's normal spread is learned [s].
    min_observed_s
        Observed time before a side is judged [s]; the twin aligns itself to each sensor in the first half
        hour.
    sensor_hold_s
        A sensor's last value counts for its side this long [s]; shell readings come every 1-10 min.
    score_hold_s
        A score stands this long without any new reading of the side [s].
    fast_s, slow_s
        Memories of the two means whose distance gives the rate [s].
    wall_hot_C, wall_range_C
        Shell temperature at which to act and the distance from it to emergency [degC]: practice warns at
        350-400, acts at 450 and calls 550 an emergency.
    warn_C, react_h
        From the warning on [degC], a side whose trend surely (nine times in ten) passes the limit within the time
        that a crew needs to bring air lances and crushed bath [h] is raised before it is there.
    melt_out_C_h, melt_out_h
        A side that loses its ledge and warms this fast [degC/h], so that it shows the limit within this time if it goes
        on [h], melts out: the fastest thinning that is told warms a shell by 10 degC/h and the slowest melt-out by 30
        (300 to 450 degC in five hours); the limit lies half way by ratio. From then on people have to keep away.
    unfollowed
        A side that stays where it was while the others cool has lost no ledge for certain, for ends follow a cell less
        than sides do: of such a distance this share counts.
    thin_ledge_mm
        Local ledge at which to act [mm].
    ledge_W_mK, shell_area_frac, emissivity
        Conductivity of frozen bath, shell face over ledge face, blackness of the shell: those of the shipped
        technologies, for the ledge in front of one thermocouple.
    """

    drift: float = 1.5
    limit: float = 4.0
    correlation_s: float = 3600.0
    min_scale_C: float = 4.0
    max_scale_C: float = 15.0
    scale_memory_s: float = 259_200.0
    min_observed_s: float = 1800.0
    sensor_hold_s: float = 1200.0
    score_hold_s: float = 3600.0
    fast_s: float = 600.0
    slow_s: float = 3600.0
    wall_hot_C: float = 450.0
    wall_range_C: float = 100.0
    warn_C: float = 350.0
    react_h: float = 2.0
    melt_out_C_h: float = 17.0
    melt_out_h: float = 12.0
    unfollowed: float = 0.5
    thin_ledge_mm: float = 20.0
    ledge_W_mK: float = 1.6
    shell_area_frac: float = 1.6
    emissivity: float = 0.85


@kernel
def _side_means(held: FloatArray, side: IntArray, means: FloatArray) -> None:
    for i in range(held.shape[0]):
        for s in range(means.shape[1]):
            total, count = 0.0, 0
            for k in range(held.shape[1]):
                if side[i, k] == s and not np.isnan(held[i, k]):
                    total += held[i, k]
                    count += 1
            means[i, s] = total / count if count > 0 else np.nan


@kernel
def _common_of_others(means: FloatArray, common: FloatArray) -> None:
    # Median of the other sides: one more melting side must not hide this one.
    for i in range(means.shape[0]):
        for s in range(means.shape[1]):
            a, b, c, count = np.inf, np.inf, np.inf, 0
            for t in range(means.shape[1]):
                x = means[i, t]
                if t == s or np.isnan(x):
                    continue
                count += 1
                if x < a:
                    a, b, c = x, a, b
                elif x < b:
                    b, c = x, b
                elif x < c:
                    c = x
            if count == 0:
                common[i, s] = 0.0
            elif count == 1:
                common[i, s] = a
            elif count == 2:
                common[i, s] = 0.5 * (a + b)
            else:
                common[i, s] = b


class HeatLoss:
    """Scores every side by a CUSUM of its shell residual against the other sides, and by its temperature.

    What all sides share (ambient, a warmer cell) is not a local melt and is taken away; with one
    instrumented side nothing can be taken away and its residual counts as it is. A ledge that thins is
    told first; the wall is told where it is hot, surely will be within hours, or melts out. Cells without
    shell sensors, and sensors whose side is unknown, are not judged (NaN).

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `HeatLossLimits`.

    Notes
    -----
    Signatures: physics reference 7.2 (a thinning ledge warms the shell by 1-10 degC/h; melt-out 300 to
    450-600 degC in hours). False alarm arithmetic: Siegmund's approximation of the one-sided CUSUM's run
    length (Sequential Analysis, 1985), as quoted by Montgomery, Introduction to Statistical Quality
    Control, chapter 9.
    """

    name = "heat_loss"
    version = "heat_loss/3"
    kinds = ("ledge_thinning", "side_wall_hot")

    def __init__(self, layout: CellLayout, limits: HeatLossLimits | None = None) -> None:
        self.limits = HeatLossLimits() if limits is None else limits
        n_cells, n_shell = layout.shell_side.shape
        exists = np.arange(n_shell)[None, :] < layout.n_shell[:, None]
        self._side = np.where(exists, layout.shell_side, -1).astype(np.int64)
        sensors, sides = (n_cells, n_shell), (n_cells, _N_SIDES)
        self._residual_C = np.full(sensors, np.nan)
        self._temp_C = np.full(sensors, np.nan)
        self._wall_C = np.full(sensors, np.nan)
        self._sensor_age_s = np.full(sensors, np.inf)
        self._side_age_s = np.full(sides, np.inf)
        self._total = np.zeros(sides)
        self._scale_C = np.full(sides, self.limits.min_scale_C)
        #: Running means of the relative rise, fast and slow; their distance is the rate.
        self._means = np.zeros((2, *sides))
        self._observed_s = np.zeros((2, *sides))
        self._rise_C = np.full(sides, np.nan)
        self._common_C = np.full(sides, np.nan)
        self._superheat_C = np.full(n_cells, np.nan)
        self._ledge_mm = np.full(n_cells, np.nan)
        #: Ledge of a day without a melt.
        self._usual_ledge_mm = np.full(n_cells, np.nan)
        self._liquidus_C = np.full(n_cells, np.nan)
        self._ambient_C = np.full(n_cells, REFERENCE_AMBIENT_C)
        self._trend = ShellTrend(sensors)
        self._steps = ShellSteps(sensors)
        self._steps_C = np.zeros(sensors)
        self._step_C = np.zeros(sensors)
        self._lone = np.zeros(sensors, dtype=np.bool_)

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every side."""
        lim, estimate = self.limits, view.estimate
        width = self._side.shape[1]
        temp_C = view.shell_temp_C[:, :width]
        residual_C = np.ascontiguousarray(estimate.shell_residual_C[:, :width])
        came = np.isfinite(temp_C)
        # Two readings in a row must be hot: one spike of a thermocouple is not a red shell.
        self._wall_C = np.where(came, np.fmin(temp_C, self._temp_C), self._wall_C)
        self._wall_C = np.where(came & np.isnan(self._temp_C), np.nan, self._wall_C)
        self._temp_C = np.where(came, temp_C, self._temp_C)
        self._trend.update(temp_C, view.scan_s)
        # What an instrument did to itself is no heat: steps are taken away, lone thermocouples left out below.
        steps_C = self._steps.update(temp_C, view.scan_s)
        leapt_C = steps_C - self._steps_C
        # Steps fade by far less than this from scan to scan.
        self._trend.shift(np.where(np.abs(leapt_C) > 1.0, leapt_C, 0.0))
        self._steps_C, self._step_C = steps_C, own_steps(steps_C, self._side)
        residual_C = residual_C - self._step_C
        fresh = np.isfinite(residual_C)
        self._residual_C = np.where(fresh, residual_C, self._residual_C)
        self._sensor_age_s = np.where(came | fresh, 0.0, self._sensor_age_s + view.scan_s)
        alive = self._sensor_age_s <= lim.sensor_hold_s
        self._lone = lone_shells(np.where(alive, self._residual_C, np.nan), self._side)
        residual_C = np.where(self._lone, np.nan, residual_C)

        means_C = np.empty((self._side.shape[0], _N_SIDES))
        common_C = np.empty_like(means_C)
        fresh_C = np.empty_like(means_C)
        _side_means(np.where(alive & ~self._lone, self._residual_C, np.nan), self._side, means_C)
        _side_means(residual_C, self._side, fresh_C)
        _common_of_others(means_C, common_C)
        self._score_sides(view, np.where(np.isfinite(fresh_C), means_C, np.nan), common_C)
        self._superheat_C = np.where(
            np.isfinite(estimate.superheat_C), estimate.superheat_C, self._superheat_C
        )
        self._learn_cell(view)

        judged = (self._observed_s[1] >= lim.min_observed_s) & (self._side_age_s <= lim.score_hold_s)
        thinning = np.where(judged, self._total / lim.limit, np.nan)
        return (
            Scores("ledge_thinning", "side", thinning),
            Scores("side_wall_hot", "side", self._wall_score(alive, thinning)),
        )

    def _learn_cell(self, view: View) -> None:
        """Keep what the twin and the air say of the cell; a day's ledge is learned while no side melts."""
        estimate, ambient_C = view.estimate, view.scalar[_AMBIENT]
        known = np.isfinite(estimate.ledge_bath_mm)
        self._ledge_mm = np.where(known, estimate.ledge_bath_mm, self._ledge_mm)
        self._liquidus_C = np.where(np.isfinite(estimate.liquidus_C), estimate.liquidus_C, self._liquidus_C)
        self._ambient_C = np.where(np.isfinite(ambient_C), ambient_C, self._ambient_C)
        quiet = known & (self._total < 0.25 * self.limits.limit).all(axis=1)
        step_mm = min(view.scan_s / _DAY_S, 1.0) * (self._ledge_mm - self._usual_ledge_mm)
        first = np.isnan(self._usual_ledge_mm)
        later_mm = np.where(first, self._ledge_mm, self._usual_ledge_mm + step_mm)
        self._usual_ledge_mm = np.where(quiet, later_mm, self._usual_ledge_mm)

    def _score_sides(self, view: View, means_C: FloatArray, common_C: FloatArray) -> None:
        """Advance sums, rates and spreads of the sides that have a new reading."""
        lim = self.limits
        relative_C = means_C - common_C
        fresh = np.isfinite(relative_C)
        since_s = np.where(np.isfinite(self._side_age_s), self._side_age_s + view.scan_s, view.scan_s)
        weight_s = np.where(fresh, np.minimum(since_s, lim.sensor_hold_s), np.nan)
        self._side_age_s = np.where(fresh, 0.0, self._side_age_s + view.scan_s)
        for row, memory_s in enumerate((lim.fast_s, lim.slow_s)):
            mean_step(self._means[row], self._observed_s[row], relative_C, weight_s, memory_s)
        self._rise_C = np.where(fresh, means_C, self._rise_C)
        self._common_C = np.where(fresh, common_C, self._common_C)
        settled = self._observed_s[1] >= lim.min_observed_s
        # What a side has risen itself counts; what it only did not fall with the others counts by half.
        warmer_C = np.minimum(relative_C, np.maximum(means_C, lim.unfollowed * relative_C))
        z = np.where(settled, warmer_C / self._scale_C, np.nan)
        cusum_step(self._total, z, weight_s / lim.correlation_s, lim.drift, 2.0 * lim.limit)
        # Spread is learned from quiet hours only, and large values are cut, so a melt does not become normal.
        quiet = fresh & settled & (self._total < 0.25 * lim.limit)
        size_C = np.minimum(np.abs(relative_C), 3.0 * self._scale_C) * 1.2533
        gain = np.where(quiet, np.minimum(weight_s / lim.scale_memory_s, 1.0), 0.0)
        learned_C = np.where(quiet, self._scale_C + gain * (size_C - self._scale_C), self._scale_C)
        self._scale_C = np.clip(learned_C, lim.min_scale_C, lim.max_scale_C)

    def _pace_C_h(self) -> FloatArray:
        """How fast every side warms against the others [degC/h]."""
        return (self._means[0] - self._means[1]) * (3600.0 / (self.limits.slow_s - self.limits.fast_s))

    def _wall_score(self, alive: NDArray[np.bool_], thinning: FloatArray) -> FloatArray:
        """Each side's hottest sensor, now or where it surely will be soon: 1 at the limit, 2 in an emergency."""
        lim = self.limits
        pace_C_h = self._pace_C_h()
        soon_C = np.where(self._wall_C >= lim.warn_C, self._trend.surely_C(lim.react_h), np.nan)
        # What is to come is worth an alarm, but no emergency yet.
        soon_C = np.minimum(soon_C, lim.wall_hot_C + 0.5 * lim.wall_range_C)
        wall_C = np.where(alive, np.fmax(self._wall_C, soon_C), np.nan)
        score = np.full((self._side.shape[0], _N_SIDES), np.nan)
        for side in range(_N_SIDES):
            here = np.where((self._side == side) & np.isfinite(wall_C), wall_C, -np.inf)
            hottest_C = here.max(axis=1, initial=-np.inf)
            over = 1.0 + (hottest_C - lim.wall_hot_C) / lim.wall_range_C
            melts_out = (thinning[:, side] >= 1.0) & (pace_C_h[:, side] >= lim.melt_out_C_h)
            melts_out &= hottest_C + lim.melt_out_h * pace_C_h[:, side] >= lim.wall_hot_C
            over = np.where(melts_out, np.maximum(over, 1.0), over)
            score[:, side] = np.where(np.isfinite(hottest_C), np.maximum(over, 0.0), np.nan)
        return score

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        mine = np.flatnonzero((self._side[cell] == slot) & np.isfinite(self._temp_C[cell]))
        rises_C = self._residual_C[cell, mine]
        relative_C = float(self._rise_C[cell, slot] - self._common_C[cell, slot])
        rate_C_h = float(self._pace_C_h()[cell, slot])
        hottest = int(mine[np.argmax(self._temp_C[cell, mine])]) if len(mine) else -1
        evidence = {
            "shell_rise_C": float(self._rise_C[cell, slot]),
            "other_sides_rise_C": float(self._common_C[cell, slot]),
            "relative_rise_C": relative_C,
            "rate_C_h": rate_C_h,
            "normal_spread_C": float(self._scale_C[cell, slot]),
            "sensors_on_side": float(len(mine)),
            "hottest_sensor": float(hottest + 1),
            "hottest_shell_temp_C": float(self._temp_C[cell, hottest]) if hottest >= 0 else np.nan,
            "superheat_C": float(self._superheat_C[cell]),
            "ledge_bath_mm": float(self._ledge_mm[cell]),
            "sides_without_sensor": float(_N_SIDES - len(set(self._side[cell].tolist()) - {-1})),
        }
        if hottest >= 0:
            evidence |= self._outlook(cell, hottest)
        # Sensors of a side agree about a melt; a thermocouple that drifts is alone.
        risen_C = 2.0 * self.limits.min_scale_C
        agree = float(np.mean(rises_C > risen_C)) if len(mine) else 0.0
        alone = len(mine) > 1 and int(np.sum(rises_C > risen_C)) == 1
        superheat_C = float(self._superheat_C[cell])
        hot = 0.5 if np.isnan(superheat_C) else float(np.clip((superheat_C - 8.0) / 8.0, 0.0, 1.0))
        rising = float(np.clip(rate_C_h / 5.0, 0.0, 1.0))
        shared = float(np.clip(evidence["other_sides_rise_C"] / max(relative_C, 1.0), 0.0, 1.0))
        weights = {
            "ledge_melting_local": (0.4 + 0.6 * rising) * (0.5 + 0.5 * agree),
            "metal_flow": (0.3 + 0.3 * rising) * (1.0 - hot) * (0.5 + 0.5 * agree),
            "superheat_high": 0.6 * hot * (0.3 + 0.7 * shared),
            "sensor_drift": 0.8 * (1.0 - rising) if alone else 0.1 * (1.0 - rising),
            "hood_or_ambient": 0.05 + 0.4 * shared * (1.0 - hot),
        }
        return explanation(evidence, weights)

    def _outlook(self, cell: int, sensor: int) -> dict[str, float]:
        """Hours until a thermocouple shows the limit, and until the ledge in front of it is thin; inf: not in sight."""
        lim = self.limits
        hot: Hours = self._trend.hours_to(cell, sensor, lim.wall_hot_C)
        told = {
            "hours_to_limit_h": hot.likely,
            "hours_to_limit_low_h": hot.low,
            "hours_to_limit_high_h": hot.high,
            "trend_C_h": self._trend.rate_C_h(cell, sensor),
        }
        residual_C = float(self._residual_C[cell, sensor])
        temp_C = float(self._temp_C[cell, sensor])
        resistance = self._resistance_m2K_W(cell, temp_C)
        lost_mm = 1e3 * lim.ledge_W_mK * (self._resistance_m2K_W(cell, temp_C - residual_C) - resistance)
        here_mm = float(self._usual_ledge_mm[cell]) - lost_mm
        if not np.isfinite(here_mm):
            return told
        told["ledge_here_mm"] = max(here_mm, 0.0)
        thin = resistance - 1e-3 * (here_mm - lim.thin_ledge_mm) / lim.ledge_W_mK
        grid_C = np.arange(temp_C, 2.0 * lim.wall_hot_C)
        reached = [t for t in grid_C.tolist() if self._resistance_m2K_W(cell, t) <= thin]
        if reached:
            thinned = self._trend.hours_to(cell, sensor, reached[0])
            told["hours_to_thin_ledge_h"] = thinned.likely
            told["hours_to_thin_ledge_low_h"] = thinned.low
            told["hours_to_thin_ledge_high_h"] = thinned.high
        return told

    def _resistance_m2K_W(self, cell: int, shell_C: float) -> float:
        """Resistance from liquidus to a shell that gives off what reaches it, by face of the ledge [m2 K/W]."""
        lim = self.limits
        flux_W_m2 = shell_flux_W_m2(shell_C, float(self._ambient_C[cell]), lim.emissivity)
        return (float(self._liquidus_C[cell]) - shell_C) / max(flux_W_m2 * lim.shell_area_frac, 1.0)
