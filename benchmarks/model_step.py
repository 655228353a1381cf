"""One step of what the observer does not contain: the network of anode currents and the dynamic cell."""

from time import perf_counter

import numpy as np

from benchmarks.line_step import N_ANODES, N_CELLS, RATED_A, SCAN_S, Part
from twin.cell import run_cells
from twin.cell_state import nominal_inputs, start_cells
from twin.heat import nominal_bath, steady
from twin.network import Anodes, Melts, anodes_by_age, solve_network
from twin.params import params_for, stack

_ROUNDS, _CELL_STEPS = 60, 30


def network(seed: int) -> Part:
    """Anode currents of all cells, each solved from those of the step before while distances drift.

    Parameters
    ----------
    seed
        Of the distances.
    """
    params = params_for(None, RATED_A, N_ANODES)
    rng = np.random.default_rng(seed)
    one = anodes_by_age(params, steady(params).acd_mm, np.linspace(6.0, 600.0, N_ANODES))
    anodes = Anodes(*(np.repeat(values, N_CELLS, axis=0) for values in one))
    anodes.acd_mm[:] += rng.normal(0.0, 2.0, anodes.acd_mm.shape)
    melts = Melts(np.full(N_CELLS, params.bath_temp_C), np.tile(nominal_bath(params), (N_CELLS, 1)))
    line_A, table = np.full(N_CELLS, RATED_A), stack([params] * N_CELLS)
    current_A, work = np.full((N_CELLS, N_ANODES), np.nan), np.empty((4, N_ANODES))
    voltage_V, status = np.empty(N_CELLS), np.empty(N_CELLS, dtype=np.int64)
    found: list[float] = []
    for _ in range(_ROUNDS + 1):
        # Some hundredths of a millimetre: what consumption, metal and waves do in a scan.
        anodes.acd_mm[:] += rng.normal(0.0, 0.05, anodes.acd_mm.shape)
        line_A[:] = RATED_A + rng.normal(0.0, 300.0)
        start = perf_counter()
        solve_network(line_A, melts, anodes, table, current_A, work, voltage_V, status)
        found.append(perf_counter() - start)
    assert not status.any(), "a cell of the line has no currents"
    return _part("network: `solve_network`", found[1:], 1)


def dynamic_cell() -> Part:
    """The dynamic cell with all its balances, every anode apart, in steps of a scan."""
    cells = start_cells([params_for(None, RATED_A, N_ANODES)] * N_CELLS)
    inputs = nominal_inputs(cells, _CELL_STEPS, SCAN_S)
    found: list[float] = []
    for _ in range(11):
        start = perf_counter()
        run_cells(cells, inputs, SCAN_S, every=_CELL_STEPS)
        found.append(perf_counter() - start)
    assert not cells.books.ever.any(), "a cell of the line was held or out of its range: too cheap a step"
    return _part("dynamic cell: `run_cells`", found[1:], _CELL_STEPS)


def _part(what: str, seconds: list[float], n_steps: int) -> Part:
    per_cell = 1e6 / (N_CELLS * n_steps)
    return Part(what, per_cell * min(seconds), per_cell * float(np.median(seconds)))
