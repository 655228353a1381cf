"""Anodes as parallel branches: the line current is kept, one voltage for all, distances and faults shift currents."""

import numpy as np
import pytest
from numpy.typing import NDArray

from twin.anodes import pickup_frac
from twin.heat import nominal_bath, steady
from twin.network import (
    IMPOSSIBLE_INPUT,
    NETWORK_REASONS,
    NO_ANODE,
    SOLVED,
    Anodes,
    Melts,
    anodes_by_age,
    carbon_ohm,
    nominal_anodes,
    solve_network,
)
from twin.params import CellParams, params_for, stack, technologies
from twin.voltage import total_V, voltage_haupin

FloatArray = NDArray[np.float64]


class Solved:
    """Currents, voltages and status of cells of one technology."""

    def __init__(self, params: CellParams, anodes: Anodes, line_A: FloatArray, alumina_pct: float = 2.6):
        n_cells, width = anodes.acd_mm.shape
        bath = np.repeat(np.array(nominal_bath(params))[None, :], n_cells, axis=0)
        bath[:, 2] = alumina_pct
        self.current_A = np.full((n_cells, width), np.nan)
        self.voltage_V = np.full(n_cells, np.nan)
        self.status = np.full(n_cells, -1, dtype=np.int64)
        self.melts = Melts(np.full(n_cells, params.bath_temp_C), bath)
        self.solve = lambda: solve_network(
            line_A,
            self.melts,
            anodes,
            stack([params] * n_cells),
            self.current_A,
            np.empty((4, width)),
            self.voltage_V,
            self.status,
        )
        self.solve()


def one(params: CellParams, anodes: Anodes, line_A: float | None = None) -> Solved:
    return Solved(params, anodes, np.array([params.rated_current_A if line_A is None else line_A]))


def alike(technology: str = "generic_300kA", n_anodes: int | None = None) -> tuple[CellParams, Anodes]:
    params = params_for(technology, None, n_anodes)
    return params, nominal_anodes(params, 42.0, int(params.n_anodes))


def scattered(params: CellParams, seed: int, n_cells: int, width: int) -> Anodes:
    """Anodes that differ in everything, some of them young, some gone."""
    rng = np.random.default_rng(seed)
    anodes = Anodes(*(np.repeat(a, n_cells, axis=0) for a in nominal_anodes(params, 42.0, width)))
    shape = (n_cells, width)
    anodes.acd_mm[:] += rng.normal(0.0, 4.0, shape)
    anodes.height_mm[:] += rng.uniform(-200.0, 200.0, shape)
    anodes.temp_C[:] += rng.uniform(-600.0, 150.0, shape)
    anodes.free_frac[:] = np.where(rng.random(shape) < 0.1, rng.random(shape), 1.0)
    anodes.free_frac[rng.random(shape) < 0.02] = 0.0
    anodes.fixture_ohm[:] *= rng.lognormal(0.0, 0.3, shape)
    return anodes


@pytest.mark.parametrize("technology", technologies())
def test_anodes_all_alike_have_the_voltage_of_the_chain(technology: str):
    params, anodes = alike(technology)
    cell = one(params, anodes)
    chain = voltage_haupin(params.rated_current_A, 42.0, params.bath_temp_C, nominal_bath(params), params)
    assert cell.voltage_V[0] == pytest.approx(total_V(chain), abs=1e-9)
    assert cell.current_A[0] == pytest.approx(params.rated_current_A / params.n_anodes, rel=1e-12)


@pytest.mark.parametrize("n_anodes", [24, 30, 40, 48])
def test_currents_sum_to_the_line_current_whatever_the_anodes(n_anodes: int):
    params = params_for("generic_500kA", None, n_anodes)
    n_cells = 40
    anodes = scattered(params, n_anodes, n_cells, 48)
    line_A = np.random.default_rng(n_anodes).uniform(0.3, 1.3, n_cells) * params.rated_current_A
    cell = Solved(params, anodes, line_A)
    assert np.all(cell.status == SOLVED)
    assert np.nansum(cell.current_A, axis=1) == pytest.approx(line_A, rel=1e-9)
    assert np.all(np.isnan(cell.current_A[:, n_anodes:]))
    assert np.all(cell.current_A[:, :n_anodes] >= 0.0)
    assert np.all(cell.current_A[:, :n_anodes][anodes.free_frac[:, :n_anodes] == 0.0] == 0.0)


def test_every_anode_alone_has_the_voltage_of_its_cell():
    # One anode of a cell, fed with the current that the network gives it, is a cell of one anode.
    params = params_for("generic_300kA", None)
    anodes = scattered(params, 5, 1, 30)
    cell = one(params, anodes)
    outer_V = params.rated_current_A * (params.cathode_ohm + params.external_ohm)
    single = params._replace(cathode_ohm=0.0, external_ohm=0.0)
    for j in np.flatnonzero(cell.current_A[0] > 0)[::5]:
        alone = Solved(single, Anodes(*(a[:, j : j + 1] for a in anodes)), cell.current_A[0, j : j + 1])
        # The overvoltage at the metal belongs to the whole pad; a lone anode hardly loads it.
        pad_V = voltage_haupin(300e3, 42.0, params.bath_temp_C, nominal_bath(params), params)
        assert alone.voltage_V[0] + outer_V + pad_V.cathode_concentration_V == pytest.approx(
            cell.voltage_V[0], abs=1e-6
        )


@pytest.mark.parametrize("technology", technologies())
def test_a_millimetre_of_distance_is_two_percent_of_current(technology: str):
    # Reference report 3.4: 1.5 to 2.5 % per mm, usual set-height rule of thumb.
    params = params_for(technology, None)
    acd_mm = steady(params).acd_mm
    anodes = nominal_anodes(params, acd_mm, int(params.n_anodes))
    anodes.acd_mm[0, 7] += 1.0
    share = one(params, anodes).current_A[0, 7] / (params.rated_current_A / params.n_anodes)
    assert 1.5 <= 100.0 * (1.0 - share) <= 2.5


def test_a_young_anode_carries_about_what_the_pickup_law_says():
    params = params_for("generic_300kA", None)
    for age_h in (2.0, 8.0, 12.0, 24.0):
        ages = np.full(30, 300.0)
        ages[3] = age_h
        share = one(params, anodes_by_age(params, 42.0, ages)).current_A[0]
        assert share[3] / np.delete(share, 3).mean() == pytest.approx(pickup_frac(age_h, params), abs=0.06)


def test_tall_cold_and_badly_clamped_anodes_carry_less():
    params, anodes = alike()
    anodes.height_mm[0, 1] += 150.0
    anodes.temp_C[0, 2] -= 400.0
    anodes.fixture_ohm[0, 3] *= 2.0
    current_A = one(params, anodes).current_A[0]
    assert np.all(current_A[1:4] < current_A[0] * 0.999)
    assert carbon_ohm(600.0, 700.0, params) == pytest.approx(2 * carbon_ohm(300.0, 700.0, params))


def test_a_burnt_off_anode_raises_the_voltage_and_loads_the_others():
    params, anodes = alike()
    before = one(params, anodes)
    anodes.free_frac[0, 4] = 0.0
    after = one(params, anodes)
    assert after.current_A[0, 4] == 0.0
    assert np.delete(after.current_A[0], 4) == pytest.approx(300e3 / 29, rel=1e-12)
    # Reference report 5.4: +20 to +60 mV.
    assert 0.020 <= after.voltage_V[0] - before.voltage_V[0] <= 0.100


def test_start_from_the_last_currents_changes_nothing():
    params = params_for("generic_400kA", None)
    line_A = np.full(5, 400e3)
    cell = Solved(params, scattered(params, 3, 5, 36), line_A)
    first = cell.current_A.copy()
    cell.solve()
    assert cell.current_A == pytest.approx(first, rel=1e-9, nan_ok=True)


def test_no_current_and_anode_effect_densities_are_solved():
    params, anodes = alike()
    off = one(params, anodes, 0.0)
    assert off.status[0] == SOLVED
    assert off.current_A[0] == pytest.approx(0.0, abs=1e-6)
    starved = Solved(params, scattered(params, 9, 1, 30), np.array([450e3]), alumina_pct=0.5)
    assert starved.status[0] == SOLVED
    assert np.nansum(starved.current_A) == pytest.approx(450e3, rel=1e-9)


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("acd_mm", -1.0, IMPOSSIBLE_INPUT),
        ("height_mm", np.nan, IMPOSSIBLE_INPUT),
        ("height_mm", -5.0, IMPOSSIBLE_INPUT),
        ("temp_C", np.inf, IMPOSSIBLE_INPUT),
        ("free_frac", 1.2, IMPOSSIBLE_INPUT),
        ("free_frac", np.nan, IMPOSSIBLE_INPUT),
        ("fixture_ohm", 0.0, IMPOSSIBLE_INPUT),
    ],
)
def test_an_impossible_anode_is_named_and_spoils_only_its_cell(field: str, value: float, status: int):
    params = params_for("generic_300kA", None)
    anodes = Anodes(*(np.repeat(a, 3, axis=0) for a in nominal_anodes(params, 42.0, 30)))
    getattr(anodes, field)[1, 6] = value
    cell = Solved(params, anodes, np.full(3, 300e3))
    assert cell.status.tolist() == [SOLVED, status, SOLVED]
    assert np.all(np.isnan(cell.current_A[1]))
    assert np.isnan(cell.voltage_V[1])
    assert NETWORK_REASONS[status]


def test_impossible_cells_are_named():
    params = params_for("generic_300kA", None)
    anodes = Anodes(*(np.repeat(a, 4, axis=0) for a in nominal_anodes(params, 42.0, 30)))
    anodes.free_frac[0] = 0.0
    anodes.acd_mm[1] = np.nan
    cell = Solved(params, anodes, np.array([300e3, 300e3, np.nan, -1.0]))
    assert cell.status.tolist() == [NO_ANODE, NO_ANODE, IMPOSSIBLE_INPUT, IMPOSSIBLE_INPUT]
    cell.melts.bath_temp_C[:] = np.nan
    anodes.free_frac[0] = 1.0
    cell.solve()
    assert cell.status[0] == IMPOSSIBLE_INPUT
