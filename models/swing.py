"""Slow waves of the metal: power of voltage and anode currents in the band of 25 to 65 s, by cell."""

from math import cos, pi, sin
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, FloatArray
from twin.jit import kernel

BoolArray = NDArray[np.bool_]

#: Channels: voltage, slope of the currents along the cell, difference of its two rows.
VOLTAGE, ALONG, ACROSS = range(3)
N_CHANNELS = 3
#: Centre of the band and quality of the filter: half power at 25 and 65 s.
_PERIOD_s, _QUALITY = 40.0, 1.0
#: Longest scan in which a wave of 25 s can be seen at all [s].
MAX_SCAN_S = 12.0
_BLOCK_s = 200.0
N_BLOCKS = 4


class _Filter(NamedTuple):
    """State of the band-pass of each channel, and power gathered in blocks, (n_cells, N_CHANNELS[, blocks])."""

    x1: FloatArray
    x2: FloatArray
    y1: FloatArray
    y2: FloatArray
    power: FloatArray
    n_in_block: FloatArray
    blocks: FloatArray
    finished: FloatArray
    silent: FloatArray


@kernel
def _advance(
    x: FloatArray,
    moved: FloatArray,
    b0: float,
    a1: float,
    a2: float,
    per_block: float,
    state: _Filter,
) -> None:
    for c in range(x.shape[0]):
        for k in range(x.shape[1]):
            now = x[c, k]
            state.finished[c, k] = 0.0
            if np.isnan(now):
                # Without the past there is no phase: the filter begins again.
                state.x1[c, k] = np.nan
                state.silent[c, k] += 1.0
                if state.silent[c, k] > per_block:
                    # What was before a gap says nothing of what is after it.
                    state.power[c, k], state.n_in_block[c, k] = 0.0, 0.0
                    for j in range(state.blocks.shape[2]):
                        state.blocks[c, k, j] = np.nan
                continue
            state.silent[c, k] = 0.0
            if np.isnan(state.x1[c, k]):
                state.x1[c, k], state.x2[c, k] = now, now
                state.y1[c, k], state.y2[c, k] = 0.0, 0.0
            if moved[c] > 0.0:
                # A known step is no wave: the past is moved with it.
                step = now - state.x1[c, k]
                state.x1[c, k] += step
                state.x2[c, k] += step
            y = b0 * (now - state.x2[c, k]) - a1 * state.y1[c, k] - a2 * state.y2[c, k]
            state.x2[c, k], state.x1[c, k] = state.x1[c, k], now
            state.y2[c, k], state.y1[c, k] = state.y1[c, k], y
            state.power[c, k] += y * y
            state.n_in_block[c, k] += 1.0
            if state.n_in_block[c, k] >= per_block:
                for j in range(state.blocks.shape[2] - 1):
                    state.blocks[c, k, j] = state.blocks[c, k, j + 1]
                state.blocks[c, k, -1] = np.sqrt(state.power[c, k] / state.n_in_block[c, k])
                state.power[c, k], state.n_in_block[c, k] = 0.0, 0.0
                state.finished[c, k] = 1.0


@kernel
def _modes(current_A: FloatArray, along: FloatArray, across: FloatArray, out: FloatArray) -> None:
    for c in range(current_A.shape[0]):
        total, count = 0.0, 0
        for i in range(current_A.shape[1]):
            if not np.isnan(current_A[c, i]):
                total += current_A[c, i]
                count += 1
        mean_A = total / count if count > 0 else np.nan
        out[c, ALONG], out[c, ACROSS] = np.nan, np.nan
        if count < 4 or not mean_A > 1000.0:
            continue
        top, weight, other, other_weight = 0.0, 0.0, 0.0, 0.0
        for i in range(current_A.shape[1]):
            if np.isnan(current_A[c, i]):
                continue
            share = current_A[c, i] / mean_A - 1.0
            top += along[c, i] * share
            weight += along[c, i] * along[c, i]
            other += across[c, i] * share
            other_weight += across[c, i] * across[c, i]
        if weight > 0.0:
            out[c, ALONG] = top / weight
        if other_weight > 0.0:
            out[c, ACROSS] = other / other_weight


def places(layout: CellLayout) -> tuple[FloatArray, FloatArray]:
    """Place of each anode along the cell (-1 to 1) and across it (-1 or 1); 0 where its row is not known.

    Parameters
    ----------
    layout
        Instruments of the cells.

    Returns
    -------
    along, across : (n_cells, n_anodes_max)
    """
    n_anodes, side = layout.n_anodes, layout.anode_side
    along, across = np.zeros(side.shape), np.zeros(side.shape)
    for cell in range(side.shape[0]):
        rows = np.unique(side[cell, : n_anodes[cell]])
        for sign, row in zip((-1.0, 1.0), rows[rows >= 0], strict=False):
            found = np.flatnonzero(side[cell, : n_anodes[cell]] == row)
            along[cell, found] = np.linspace(-1.0, 1.0, len(found)) if len(found) > 1 else 0.0
            across[cell, found] = sign
    return along, across


class Swing:
    """Swing of the voltage and of the anode currents of every cell, in blocks of 200 s.

    Parameters
    ----------
    layout
        Instruments of the cells.

    Attributes
    ----------
    blocks : (n_cells, 3, 4)
        Root mean square in the band of the last four blocks of each channel, oldest first: voltage [V at rated
        current], slope of the shares of current along the cell and difference of its rows [-]. NaN before.
    """

    def __init__(self, layout: CellLayout) -> None:
        n = len(layout.n_anodes)
        self._along, self._across = places(layout)
        shape = (n, N_CHANNELS)
        self._filter = _Filter(
            np.full(shape, np.nan),
            np.full(shape, np.nan),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros(shape),
            np.full((*shape, N_BLOCKS), np.nan),
            np.zeros(shape),
            np.zeros(shape),
        )
        self._input = np.full(shape, np.nan)

    @property
    def blocks(self) -> FloatArray:
        """See the class."""
        return self._filter.blocks

    @property
    def finished(self) -> BoolArray:
        """Channels whose newest block ended in this scan, (n_cells, 3)."""
        return self._filter.finished > 0.0

    @property
    def block_s(self) -> float:
        """Length of a block [s]."""
        return _BLOCK_s

    def step(self, voltage_V: FloatArray, current_A: FloatArray, moved: BoolArray, scan_s: float) -> None:
        """Take in one scan.

        Parameters
        ----------
        voltage_V : (n_cells,)
            At rated current [V]; NaN where not measured or not to be judged.
        current_A : (n_cells, n_anodes_max)
            Of the anodes [A].
        moved : (n_cells,) bool
            A known step fell into the scan.
        scan_s
            Length of the scan [s].
        """
        if scan_s > MAX_SCAN_S:
            return
        self._input[:, VOLTAGE] = voltage_V
        _modes(np.ascontiguousarray(current_A), self._along, self._across, self._input)
        # A cell whose voltage is not judged (effect, outage) is not judged by its currents either.
        self._input[np.isnan(voltage_V), 1:] = np.nan
        w = 2.0 * pi * scan_s / _PERIOD_s
        alpha = sin(w) / (2.0 * _QUALITY)
        a0 = 1.0 + alpha
        _advance(
            self._input,
            np.ascontiguousarray(moved, dtype=np.float64),
            alpha / a0,
            -2.0 * cos(w) / a0,
            (1.0 - alpha) / a0,
            round(_BLOCK_s / scan_s),
            self._filter,
        )
