"""Everybody who steps the model of ``lundby``: one function each, same equations, same start, same answer."""

import ctypes
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks import lundby_kernel
from benchmarks.elementary import compiled, inlined
from benchmarks.lundby import N_INPUTS, N_STATES, Functions, equations, rk4

FloatArray = NDArray[np.float64]
#: Goes on by so many steps and gives the states, (N_STATES, n_cells).
Advance = Callable[[int], FloatArray]
#: States (N_STATES, n_cells), inputs (N_INPUTS, n_cells) and the length of a step [s] to what advances them.
Rival = Callable[[FloatArray, FloatArray, float], Advance]

C_SOURCE = Path(__file__).with_name("lundby.c")
C_FLAGS = ("-O3", "-march=native", "-ffast-math")


def ours(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
    """Blocks of cells, polynomials for exp and log."""
    states, inputs = lundby_kernel.pack(x), lundby_kernel.pack(u)

    def advance(n_steps: int) -> FloatArray:
        lundby_kernel.advance(states, inputs, dt_s, n_steps)
        return lundby_kernel.unpack(states, x.shape[1])

    return advance


_LIBM = equations(Functions(math.exp, math.sqrt, math.pow), inlined)


@compiled
def _cell_by_cell(x: FloatArray, u: FloatArray, dt_s: float, n_steps: int) -> None:
    now, total = np.empty(N_STATES), np.empty(N_STATES)
    for _ in range(n_steps):
        for cell in range(x.shape[0]):
            for i in range(N_STATES):
                now[i] = x[cell, i]
                total[i] = x[cell, i]
            c = u[cell]
            for stage in range(4):
                weight = dt_s / 6.0 if stage == 0 or stage == 3 else dt_s / 3.0
                ahead = 0.5 * dt_s if stage < 2 else dt_s
                change = _LIBM.rates(
                    now[0],
                    now[1],
                    now[2],
                    now[3],
                    now[4],
                    now[5],
                    now[6],
                    now[7],
                    c[0],
                    c[1],
                    c[2],
                    c[3],
                    c[4],
                )
                for i in range(N_STATES):
                    total[i] += weight * change[i]
                    now[i] = x[cell, i] + ahead * change[i]
            for i in range(N_STATES):
                x[cell, i] = total[i]


def numba_plain(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
    """What one writes first: Numba, cells first, the C library's exp and pow."""
    states, inputs = np.ascontiguousarray(x.T), np.ascontiguousarray(u.T)

    def advance(n_steps: int) -> FloatArray:
        _cell_by_cell(states, inputs, dt_s, n_steps)
        return states.T.copy()

    return advance


def numpy_arrays(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
    """NumPy over all cells, one array a state."""
    step = rk4(equations(Functions(np.exp, np.sqrt, np.power)).rates, dt_s)
    states = [row.copy() for row in x]

    def advance(n_steps: int) -> FloatArray:
        for _ in range(n_steps):
            states[:] = step(states, u)
        return np.array(states)

    return advance


def casadi_map(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
    """CasADi: one step of one cell as a symbolic function, mapped over the cells, called through its buffers."""
    import casadi as module  # pyright: ignore

    casadi = cast(Any, module)
    a, b = casadi.SX.sym("x", N_STATES), casadi.SX.sym("u", N_INPUTS)
    rates = equations(Functions(casadi.exp, casadi.sqrt, casadi.power)).rates
    after = casadi.vertcat(*rk4(rates, dt_s)(casadi.vertsplit(a), casadi.vertsplit(b)))
    mapped = casadi.Function("step", [a, b], [after]).map(x.shape[1])
    states, inputs = np.ascontiguousarray(x.T), np.ascontiguousarray(u.T)
    result = np.empty_like(states)
    buffer, evaluate = mapped.buffer()
    buffer.set_arg(0, states.data)
    buffer.set_arg(1, inputs.data)
    buffer.set_res(0, result.data)

    def advance(n_steps: int) -> FloatArray:
        # What the buffer refers to must live as long as it.
        assert buffer is not None
        assert inputs is not None
        for _ in range(n_steps):
            evaluate()
            states[:] = result
        return states.T.copy()

    return advance


def c_library(folder: Path) -> ctypes.CDLL:
    """Compile ``lundby.c`` with the C compiler of this machine (``cc``) into a folder and load it."""
    library = folder / "lundby.so"
    # Linked without -ffast-math: with it the library would switch off subnormal numbers for the whole process.
    built = library.with_suffix(".o")
    subprocess.run(["cc", *C_FLAGS, "-fPIC", "-c", "-o", str(built), str(C_SOURCE)], check=True)
    subprocess.run(["cc", "-shared", "-o", str(library), str(built), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def c_rivals(library: ctypes.CDLL) -> tuple[Rival, Rival]:
    """C with one array a state, and C with our layout."""

    def call(name: str, states: FloatArray, inputs: FloatArray, n: int, dt_s: float, n_steps: int) -> None:
        pointers = (array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (states, inputs))
        getattr(library, name)(*pointers, ctypes.c_long(n), ctypes.c_double(dt_s), ctypes.c_long(n_steps))

    def plain(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
        states, inputs = np.ascontiguousarray(x).copy(), np.ascontiguousarray(u)

        def advance(n_steps: int) -> FloatArray:
            call("rk4_plain", states, inputs, x.shape[1], dt_s, n_steps)
            return states.copy()

        return advance

    def blocks(x: FloatArray, u: FloatArray, dt_s: float) -> Advance:
        states, inputs = lundby_kernel.pack(x), lundby_kernel.pack(u)

        def advance(n_steps: int) -> FloatArray:
            call("rk4_blocks", states, inputs, len(states), dt_s, n_steps)
            return lundby_kernel.unpack(states, x.shape[1])

        return advance

    return plain, blocks


def scipy_cells(
    x: FloatArray, u: FloatArray, span_s: float, method: str, rtol: float, restarts: int = 1
) -> FloatArray:
    """SciPy's ``solve_ivp``, cell by cell with its own choice of steps; states at the end.

    Parameters
    ----------
    x, u : (N_STATES, n_cells), (N_INPUTS, n_cells)
    span_s
        Of one start [s]; inputs are held all the while.
    method, rtol
        As in SciPy; the absolute tolerance is the relative one times 1 kg or 1 K.
    restarts
        How often to start, each time where the last one ended.
    """
    from scipy.integrate import solve_ivp  # pyright: ignore

    rates = equations(Functions(math.exp, math.sqrt, math.pow)).rates
    result = np.empty_like(x)
    for cell in range(x.shape[1]):
        held = u[:, cell].tolist()

        def right_side(_: float, state: FloatArray, held: list[float] = held) -> tuple[float, ...]:
            return rates(*state.tolist(), *held)

        state = x[:, cell]
        for _ in range(restarts):
            solved = cast(Any, solve_ivp)(
                right_side, (0.0, span_s), state, method=method, rtol=rtol, atol=rtol
            )
            assert solved.success
            state = solved.y[:, -1]
        result[:, cell] = state
    return result
