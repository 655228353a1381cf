"""Our integrator for the model of ``lundby``: cells in blocks that LLVM turns into vector code.

A block holds ``LANES`` cells, state after state. The distance between two states of a cell is a constant, so
the compiler can prove that lanes do not touch each other. A stage of the Runge-Kutta method runs over all
lanes of a block before the next begins: the processor has independent work while a division or a long
polynomial is under way, and the code of one stage fits into registers.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from benchmarks.elementary import compiled, exp64, inlined, power64
from benchmarks.lundby import N_STATES, Functions, equations

FloatArray = NDArray[np.float64]

#: Cells of a block: two registers of eight, and little padding at the end of a line.
LANES = 16
_SIZE = N_STATES * LANES
_2, _3, _4, _5, _6, _7, _8 = (i * LANES for i in range(1, 8))
_DROP, _RATES = equations(Functions(exp64, sqrt, power64), inlined)


def pack(values: FloatArray) -> FloatArray:
    """Put rows of states or inputs into blocks.

    Parameters
    ----------
    values : (n_rows, n_cells)

    Returns
    -------
    (n_blocks, n_rows * LANES)
        The last cell is repeated to the end of the last block.
    """
    n_rows, n_cells = values.shape
    padded = np.pad(values, ((0, 0), (0, -n_cells % LANES)), mode="edge")
    blocks = padded.reshape(n_rows, -1, LANES).swapaxes(0, 1)
    return np.ascontiguousarray(blocks).reshape(-1, n_rows * LANES)


def unpack(blocks: FloatArray, n_cells: int) -> FloatArray:
    """Rows out of blocks, (n_rows, n_cells): the inverse of ``pack``."""
    rows = blocks.reshape(len(blocks), -1, LANES).swapaxes(0, 1)
    return rows.reshape(rows.shape[0], -1)[:, :n_cells].copy()


@compiled
def advance(states: FloatArray, inputs: FloatArray, dt_s: float, n_steps: int) -> None:
    """Integrate cells in blocks by the classical Runge-Kutta method, inputs held.

    Parameters
    ----------
    states : (n_blocks, N_STATES * LANES)
        From ``pack``, changed in place. A NaN stays in its cell.
    inputs : (n_blocks, N_INPUTS * LANES)
        From ``pack``.
    dt_s, n_steps
        Length [s] and number of steps.
    """
    now, total = np.empty(_SIZE), np.empty(_SIZE)
    for _ in range(n_steps):
        for block in range(states.shape[0]):
            x, u = states[block], inputs[block]
            for i in range(_SIZE):
                now[i] = x[i]
                total[i] = x[i]
            for stage in range(4):
                weight = dt_s / 6.0 if stage == 0 or stage == 3 else dt_s / 3.0
                ahead = 0.5 * dt_s if stage < 2 else dt_s
                for i in range(LANES):
                    d1, d2, d3, d4, d5, d6, d7, d8 = _RATES(
                        now[i],
                        now[_2 + i],
                        now[_3 + i],
                        now[_4 + i],
                        now[_5 + i],
                        now[_6 + i],
                        now[_7 + i],
                        now[_8 + i],
                        u[i],
                        u[_2 + i],
                        u[_3 + i],
                        u[_4 + i],
                        u[_5 + i],
                    )
                    total[i] += weight * d1
                    total[_2 + i] += weight * d2
                    total[_3 + i] += weight * d3
                    total[_4 + i] += weight * d4
                    total[_5 + i] += weight * d5
                    total[_6 + i] += weight * d6
                    total[_7 + i] += weight * d7
                    total[_8 + i] += weight * d8
                    now[i] = x[i] + ahead * d1
                    now[_2 + i] = x[_2 + i] + ahead * d2
                    now[_3 + i] = x[_3 + i] + ahead * d3
                    now[_4 + i] = x[_4 + i] + ahead * d4
                    now[_5 + i] = x[_5 + i] + ahead * d5
                    now[_6 + i] = x[_6 + i] + ahead * d6
                    now[_7 + i] = x[_7 + i] + ahead * d7
                    now[_8 + i] = x[_8 + i] + ahead * d8
            for i in range(_SIZE):
                x[i] = total[i]


def rates_of(states: FloatArray, inputs: FloatArray) -> FloatArray:
    """Time derivatives of the states by the compiled equations, (N_STATES, n_cells) in and out."""
    return np.array([_RATES(*x, *u) for x, u in zip(states.T, inputs.T, strict=True)]).T


def drop_of(state: FloatArray, inputs: FloatArray) -> tuple[float, ...]:
    """Auxiliary values of one cell, (N_STATES,) and (N_INPUTS,), as ``Equations.drop`` gives them."""
    return tuple(float(v) for v in _DROP(state[1], state[2], state[3], state[5], inputs[1], inputs[4]))
