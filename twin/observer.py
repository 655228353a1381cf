"""Keeps the twin of every cell in step with what is measured, and says how far the two are apart."""

from collections.abc import Mapping, Sequence
from math import exp, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from twin.bath import liquidus_solheim
from twin.filter import advance, new_filter, report
from twin.heat import steady
from twin.late import correct, shift_liquidus
from twin.params import CellParams, params_for
from twin.sigma import ALF3, ALUMINA, BATH, LIQUIDUS
from twin.state import (
    LIQUIDUS_VAR_K2,
    NE107,
    STATUS_REASONS,
    SUPERHEAT_VAR_K2,
    Estimate,
    Measured,
    fixed_of,
    new_state,
)
from twin.tracking import ALF3_TAU_S, bath_of, track

__all__ = ["NE107", "STATUS_REASONS", "Estimate", "Observer"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Standard deviation of one hand measurement or analysis, spread over the bath included.
_SAMPLE_SD: dict[str, float] = {
    "bath_temp_C": 3.0,
    "liquidus_temp_C": 2.0,
    "excess_alf3_pct": 0.4,
    "alumina_pct": 0.15,
}
#: What a sample is to the filter, and its standard deviation there: one measurement, not its spread over the bath.
_KINDS: dict[str, tuple[int, float]] = {
    "bath_temp_C": (BATH, 1.6),
    "liquidus_temp_C": (LIQUIDUS, 1.6),
    "excess_alf3_pct": (ALF3, 0.4),
    "alumina_pct": (ALUMINA, 0.17),
}
#: Column of ``State.chemistry_pct`` of an analysis.
_CHEMISTRY = {"caf2_pct": 0, "lif_pct": 1, "mgf2_pct": 2, "kf_pct": 3}
#: Uncertainty of the liquidus from an analysis of the bath: equation and alumina [K].
_ANALYSIS_SD_C = 4.0
_LIQUIDUS_MEMORY_S = 4 * 86400.0
_ALUMINA_MEMORY_S = 3600.0
_OUTLIER_SD = 4.0
#: Use of AlF3 before its feed is known: 16 kg/t of metal (12 to 20 usual) [kg/(s A)].
_ALF3_USE_kg_sA = 0.016 * 0.335572e-3 * 0.945 / 3600.0
#: Doubt about the level of the voltage after an operation [V2].
_TAP_V2, _CHANGE_V2 = 0.06**2, 0.03**2


class Observer:
    """Twins of many cells, stepped together.

    It can be pickled; the copy continues bit for bit. A cell's result does not depend on the other cells.

    Parameters
    ----------
    params
        Constants of each cell; None where the technology is unknown, then the cell is never assessed.
    n_anodes : (n_cells,)
        Measured anodes.
    shell_side : (n_cells, n_shell_max)
        Index into ``twin.signals.SIDES`` of each shell sensor, -1 where unknown or beyond the cell's sensors.
    """

    def __init__(self, params: Sequence[CellParams | None], n_anodes: IntArray, shell_side: IntArray) -> None:
        known = [cell is not None for cell in params]
        cells = [cell if cell is not None else params_for(None, 300e3) for cell in params]
        self._params = cells
        self._nominal = [steady(cell) for cell in cells]
        self._fixed = fixed_of(cells, known, n_anodes, shell_side)
        self._n_shell = shell_side.shape[1]
        self._state = new_state(cells, int(max(n_anodes.max(initial=0), 1)), self._n_shell)
        self._filter = new_filter(self._fixed)

    def step(
        self,
        scan_s: float,
        line_current_A: FloatArray,
        cell_voltage_V: FloatArray,
        anode_current_A: FloatArray,
        shell_temp_C: FloatArray,
        ambient_temp_C: FloatArray,
        feed_kg: FloatArray,
        beam_mm: FloatArray,
        anode_age_h: FloatArray,
    ) -> Estimate:
        """Take in one scan and give the estimate at its end.

        Parameters
        ----------
        scan_s
            Time since the last scan [s]; may be hours after a gap.
        line_current_A, cell_voltage_V, ambient_temp_C, beam_mm : (n_cells,)
            Means of the scan; NaN where not measured in it.
        feed_kg : (n_cells,)
            Alumina fed in the scan [kg].
        anode_current_A, anode_age_h : (n_cells, n_anodes_max)
            Currents [A]; hours since each anode was set, NaN where unknown.
        shell_temp_C : (n_cells, n_shell_max)
            Newest in the scan [degC].

        Returns
        -------
        Estimate
            Arrays of its own; residuals compare with what was expected before this scan was learned from.
        """
        measured = Measured(
            *(
                np.ascontiguousarray(array, dtype=np.float64)
                for array in (
                    line_current_A,
                    cell_voltage_V,
                    anode_current_A,
                    shell_temp_C,
                    ambient_temp_C,
                    feed_kg,
                    beam_mm,
                    anode_age_h,
                )
            )
        )
        out = self._blank()
        track(self._state, measured, self._fixed, float(scan_s), out)
        advance(self._filter, self._state, measured, self._fixed, float(scan_s))
        report(self._filter, self._state, self._fixed, out)
        return out

    def sample(self, cell: int, signal: str, value: float, age_s: float) -> None:
        """Correct a cell by a measurement by hand or an analysis.

        Parameters
        ----------
        cell
            Index.
        signal
            A sample of the vocabulary. Bath and liquidus temperature, excess AlF3, CaF2, LiF, MgF2, KF and
            alumina are used; levels, cathode drop and metal analyses have no effect in this version.
        value
            [unit of the signal]; what is not finite is ignored.
        age_s
            How long ago it was taken; an old sample says less about now.
        """
        if not isfinite(value):
            return
        age_s = max(age_s, 0.0)
        state = self._state
        if signal in _KINDS:
            kind, sd = _KINDS[signal]
            correct(self._filter, cell, kind, float(value), sd, age_s, state.chemistry_pct[cell])
        if signal == "bath_temp_C":
            self._correct(
                cell, value - float(state.melt[cell, 0]), _SAMPLE_SD[signal], age_s, by_superheat=1.0
            )
        elif signal == "liquidus_temp_C":
            innovation_C = value - self._liquidus_C(cell)
            self._correct(cell, innovation_C, _SAMPLE_SD[signal], age_s, by_superheat=0.0)
        elif signal == "alumina_pct":
            old = 1.0 - exp(-age_s / _ALUMINA_MEMORY_S)
            variance = float(state.alumina_var[cell])
            gain = variance / (variance + _SAMPLE_SD[signal] ** 2 + 2.0 * variance * old)
            state.alumina_pct[cell] += gain * (value - float(state.alumina_pct[cell]))
            state.alumina_var[cell] = variance * (1.0 - gain)
        elif signal == "excess_alf3_pct":
            before_C = self._liquidus_C(cell)
            state.melt[cell, 4] += 0.8 * (min(max(value, 0.0), 20.0) - float(state.melt[cell, 4]))
            self._reconcile(cell, before_C, age_s)
        elif signal in _CHEMISTRY:
            before_C = self._liquidus_C(cell)
            old_pct = state.chemistry_pct[cell].copy()
            state.chemistry_pct[cell, _CHEMISTRY[signal]] = value
            shift_liquidus(self._filter, cell, old_pct, state.chemistry_pct[cell])
            self._reconcile(cell, before_C, age_s)

    def event(self, cell: int, event: str, attributes: Mapping[str, float | int | str]) -> None:
        """Take note of something done at a cell.

        Parameters
        ----------
        cell
            Index.
        event
            Name of the vocabulary; alumina comes with ``step``, the heat that a new anode takes and its pick-up
            follow from its age. Covering and feed modes have no effect.
        attributes
            As in the vocabulary; missing or wrong ones count as not said.
        """
        state = self._state
        if event == "tap":
            state.disturbance_V2[cell] += _TAP_V2
        elif event == "anode_change":
            state.disturbance_V2[cell] += _CHANGE_V2
        elif event == "beam_move":
            state.beam_pending_mm[cell] += _number(attributes, "delta_mm")
        elif event == "alf3_feed":
            mass_kg = min(max(_number(attributes, "mass_kg"), 0.0), 0.05 * float(state.melt[cell, 3]))
            state.melt[cell, 4] += 100.0 * mass_kg / float(state.melt[cell, 3])
            self._filter.mean[cell, ALF3] += 100.0 * mass_kg / self._params[cell].bath_mass_kg
            if not isfinite(state.alf3_use_kg_s[cell]):
                state.alf3_use_kg_s[cell] = _ALF3_USE_kg_sA * self._params[cell].rated_current_A
            state.alf3_use_kg_s[cell] += mass_kg / ALF3_TAU_S
        elif event == "cell_state":
            state.normal[cell] = 1.0 if attributes.get("state") == "NORMAL" else 0.0

    def _blank(self) -> Estimate:
        n, n_anodes = self._state.anode_base_frac.shape
        cells = np.full((16, n), np.nan)
        anodes = np.full((3, n, n_anodes), np.nan)
        shell = np.full((2, n, self._n_shell), np.nan)
        return Estimate(np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64), *cells, *anodes, *shell)

    def _liquidus_C(self, cell: int) -> float:
        """Liquidus of a cell, measured shift included [degC]."""
        return liquidus_solheim(bath_of(self._state, cell)) + float(self._state.liquidus_shift_C[cell])

    def _reconcile(self, cell: int, before_C: float, age_s: float) -> None:
        """After an analysis: what the equation now says is one more measurement of the liquidus."""
        state = self._state
        equation_C = self._liquidus_C(cell) - float(state.liquidus_shift_C[cell])
        state.liquidus_shift_C[cell] = before_C - equation_C
        self._correct(cell, equation_C - before_C, _ANALYSIS_SD_C, age_s, by_superheat=0.0)

    def _correct(
        self, cell: int, innovation_C: float, sd_C: float, age_s: float, by_superheat: float
    ) -> None:
        """Kalman update of liquidus and superheat by a measurement of their sum or of the liquidus alone."""
        state = self._state
        var_l, var_s, cov = (float(x) for x in state.thermal_var[cell])
        to_l = var_l + by_superheat * cov
        to_s = cov + by_superheat * var_s
        old = 1.0 - exp(-age_s / _LIQUIDUS_MEMORY_S)
        total = to_l + by_superheat * to_s
        total += sd_C**2 + 2.0 * (LIQUIDUS_VAR_K2 + by_superheat * SUPERHEAT_VAR_K2) * old
        limit_C = _OUTLIER_SD * sqrt(total)
        innovation_C = min(max(innovation_C, -limit_C), limit_C)
        shift_C = to_l / total * innovation_C
        superheat_C = to_s / total * innovation_C
        state.liquidus_shift_C[cell] += shift_C
        state.melt[cell, 0] += shift_C + superheat_C
        # A cell that was always hotter than thought has always lost heat at that temperature.
        state.melt[cell, 1] += shift_C + superheat_C
        nominal = self._nominal[cell]
        # Superheat lasts only if less heat leaves elsewhere.
        share = nominal.side_W_K * superheat_C / (nominal.heat_loss_W - nominal.side_loss_W)
        adjusted = float(state.loss_adjust_frac[cell]) * (1.0 - 0.2 * share)
        state.loss_adjust_frac[cell] = min(max(adjusted, 0.7), 1.4)
        state.thermal_var[cell, 0] = var_l - to_l * to_l / total
        state.thermal_var[cell, 1] = var_s - to_s * to_s / total
        state.thermal_var[cell, 2] = cov - to_l * to_s / total


def _number(attributes: Mapping[str, float | int | str], name: str) -> float:
    """Read a numeric attribute; 0 where it is not there or not a finite number."""
    value = attributes.get(name, 0.0)
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0
