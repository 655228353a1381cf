"""What is done to members of the dynamic cell, hour by hour, as the schedule that the cell takes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.cell_model import METAL_kg_sA
from twin.cell_state import CellInputs, Cells
from twin.heat import REFERENCE_AMBIENT_C

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Step of all members [s], and steps in an hour.
STEP_S = 60.0
HOUR_STEPS = 60
#: A tap takes so long [s].
_TAP_S = 1200.0


class Hours(NamedTuple):
    """What is done to cells in consecutive hours.

    Attributes
    ----------
    line_current_A, cell_voltage_V, ambient_temp_C : (n_hours, n_cells)
        Held through each hour; the beam follows the voltage.
    change_h
        For every cell, hours from the start at which an anode is changed.
    tap_h
        The same of taps of one interval's metal; None: metal is tapped as it is made.
    """

    line_current_A: FloatArray
    cell_voltage_V: FloatArray
    ambient_temp_C: FloatArray
    change_h: Sequence[Sequence[float]]
    tap_h: Sequence[Sequence[float]] | None


def inputs_of(cells: Cells, owner: IntArray, hours: Hours, changed: FloatArray) -> CellInputs:
    """Schedule of members in steps of ``STEP_S``; alumina is fed to the mean of its last day.

    Parameters
    ----------
    cells, owner
        Members, and which cell each stands for.
    hours
        What is done.
    changed : (n_cells,)
        Anode changes already behind the members: the oldest positions are renewed first.
    """
    n_steps = hours.cell_voltage_V.shape[0] * HOUR_STEPS
    n, m = hours.cell_voltage_V.shape[1], len(cells.params)

    def held(values: FloatArray) -> FloatArray:
        return np.repeat(values, HOUR_STEPS, axis=0)[:, owner]

    def each(values: Sequence[float]) -> FloatArray:
        return np.tile(np.asarray(values, dtype=np.float64), (n_steps, 1))

    def same(value: float) -> FloatArray:
        return np.full((n_steps, 1), value)

    change = np.full((n_steps, n), -1.0)
    positions = int(cells.models[0].positions) if m else 1
    for c, at in enumerate(hours.change_h):
        for k, hour in enumerate(sorted(at)):
            step = int(hour * HOUR_STEPS)
            if 0 <= step < n_steps:
                change[step, c] = positions - 1 - (int(changed[c]) + k) % positions
    made = each([p.rated_current_A * p.current_efficiency_frac * METAL_kg_sA for p in cells.params])
    if hours.tap_h is not None:
        tapping = np.zeros((n_steps, n))
        for c, at in enumerate(hours.tap_h):
            for hour in at:
                first = int(hour * HOUR_STEPS)
                tapping[max(first, 0) : max(first + round(_TAP_S / STEP_S), 0), c] = 1.0
        made = made * tapping[:, owner] * each([p.tap_interval_h * 3600.0 / _TAP_S for p in cells.params])
    return CellInputs(
        line_current_A=held(hours.line_current_A),
        ambient_temp_C=held(hours.ambient_temp_C),
        beam_mm=same(0.0),
        voltage_set_V=held(hours.cell_voltage_V),
        alumina_kg_s=same(0.0),
        alumina_set_pct=each([p.alumina_pct for p in cells.params]),
        alf3_kg_s=each([model.alf3_feed_kg_s for model in cells.models]),
        metal_tap_kg_s=made,
        bath_tap_kg_s=each([model.bath_tap_kg_s for model in cells.models]),
        cover_m=each([guess.cover_m for guess in cells.assumed]),
        opening_m2=same(0.0),
        anode_change=change[:, owner],
        anode_new_temp_C=same(REFERENCE_AMBIENT_C),
        anode_allowance_mm=same(0.0),
    )
