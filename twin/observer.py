"""Keeps the twin of every cell in step with what is measured, and says how far the two are apart."""

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from twin.filter import ALF3_TAU_S, advance, new_filter, report
from twin.late import correct, shift_liquidus
from twin.params import CellParams, params_for
from twin.sigma import ALF3, ALUMINA, BATH, LEDGE, LIQUIDUS
from twin.state import (
    NE107,
    STATUS_REASONS,
    Estimate,
    Measured,
    fixed_of,
    new_state,
)
from twin.tracking import track

__all__ = ["NE107", "STATUS_REASONS", "Estimate", "Observer"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: What a sample is to the filter, and its standard deviation there: one measurement, not its spread over the bath.
_KINDS: dict[str, tuple[int, float]] = {
    "bath_temp_C": (BATH, 1.6),
    "liquidus_temp_C": (LIQUIDUS, 1.6),
    "excess_alf3_pct": (ALF3, 0.4),
    "alumina_pct": (ALUMINA, 0.17),
}
#: Column of ``State.chemistry_pct`` of an analysis.
_CHEMISTRY = {"caf2_pct": 0, "lif_pct": 1, "mgf2_pct": 2, "kf_pct": 3}
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
        track(self._state, self._filter.mean, measured, self._fixed, float(scan_s), out)
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
        before_mm = self._filter.mean[cell, LEDGE]
        if signal in _KINDS:
            kind, sd = _KINDS[signal]
            correct(self._filter, cell, kind, float(value), sd, age_s, state.chemistry_pct[cell])
        elif signal in _CHEMISTRY:
            old_pct = state.chemistry_pct[cell].copy()
            state.chemistry_pct[cell, _CHEMISTRY[signal]] = value
            shift_liquidus(self._filter, cell, old_pct, state.chemistry_pct[cell])
        state.ledge_told_mm[cell] += self._filter.mean[cell, LEDGE] - before_mm

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
            bath_kg = self._params[cell].bath_mass_kg
            mass_kg = min(max(_number(attributes, "mass_kg"), 0.0), 0.05 * bath_kg)
            self._filter.mean[cell, ALF3] += 100.0 * mass_kg / bath_kg
            if not isfinite(state.alf3_use_kg_s[cell]):
                state.alf3_use_kg_s[cell] = _ALF3_USE_kg_sA * self._params[cell].rated_current_A
            state.alf3_use_kg_s[cell] += mass_kg / ALF3_TAU_S
        elif event == "cell_state":
            state.normal[cell] = 1.0 if attributes.get("state") == "NORMAL" else 0.0

    def _blank(self) -> Estimate:
        n, n_anodes = self._state.anode_base_frac.shape
        cells = np.full((17, n), np.nan)
        anodes = np.full((3, n, n_anodes), np.nan)
        shell = np.full((2, n, self._n_shell), np.nan)
        return Estimate(np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64), *cells, *anodes, *shell)


def _number(attributes: Mapping[str, float | int | str], name: str) -> float:
    """Read a numeric attribute; 0 where it is not there or not a finite number."""
    value = attributes.get(name, 0.0)
    return float(value) if isinstance(value, int | float) and isfinite(value) else 0.0
