"""Advice: what saves most and stays safe, and why the rest is not advised. Waste heat that adds up."""

import numpy as np
import pytest

from twin.advice import BEYOND, DISTANCE, NOTHING, SUPERHEAT, SafeRange, advise
from twin.cell_voltage import PARTS, voltage_parts
from twin.forecast_present import Present, nominal_present
from twin.heat import nominal_bath, steady
from twin.params import params_for
from twin.voltage import total_V, voltage_haupin
from twin.waste_heat import WAYS, waste_heat
from twin.whatif import Change

LOWER, MORE_COVER, MUCH_ALF3 = Change(voltage_V=-0.03), Change(cover_m=0.03), Change(alf3_pct=9.0)


@pytest.fixture(scope="module")
def cell() -> Present:
    return nominal_present([params_for("generic_300kA", None)])


def test_what_saves_most_is_advised_and_the_rest_has_a_reason(cell: Present) -> None:
    (found,) = advise(cell, (MORE_COVER, LOWER, MUCH_ALF3))
    (option,) = found.options
    assert option.change == LOWER
    # 30 mV are 30 x 3.2 kWh/t by voltage alone (energy reference 2.6); efficiency rises as the cell cools.
    assert option.by_voltage_kwh_per_t == pytest.approx(30.0 * 2.98 / 0.945, rel=0.01)
    assert option.saved_kwh_per_t > option.by_voltage_kwh_per_t > 0.0
    assert 0.0 < option.saved_sd < option.saved_kwh_per_t
    assert 6.0 < option.superheat_C < float(cell.superheat_C[0])
    assert option.ledge_mm > cell.ledge_bath_mm[0]
    assert found.refused == {BEYOND: 1, NOTHING: 1}


def test_what_would_leave_the_safe_range_is_refused(cell: Present) -> None:
    superheat_C = float(cell.superheat_C[0])
    cold = SafeRange(superheat_C=(superheat_C - 0.2, 13.0))
    assert advise(cell, (LOWER,), cold)[0] == ((), {SUPERHEAT: 1})
    close = SafeRange(least_gap_frac=0.99)
    assert advise(cell, (LOWER,), close)[0] == ((), {DISTANCE: 1})


def test_one_cell_that_no_equation_covers_does_not_cost_the_others_theirs(cell: Present) -> None:
    two = nominal_present([cell.params[0]] * 2)
    two.bath_temp_C[1] += 60.0
    two.superheat_C[1] -= 5.0
    odd, plain = (advise(two, (LOWER,), most=1)[k] for k in (1, 0))
    assert odd.options == ()
    assert plain.options[0].change == LOWER
    heat = waste_heat(two)
    assert np.isnan(heat.heat_kW[1]).all()
    assert np.isfinite(heat.heat_kW[0]).all()


def test_waste_heat_adds_up_and_no_more_is_recoverable_than_there_is(cell: Present) -> None:
    found = waste_heat(cell)
    heat = dict(zip(WAYS, found.heat_kW[0].tolist(), strict=True))
    # What is no heat of reaction leaves the cell; the gas of the reaction comes on top.
    assert 0.40 < sum(heat.values()) / found.power_kW[0] < 0.60
    sides = sum(heat[name] for name in WAYS if name[:4] in ("side", "end_"))
    assert sides == pytest.approx(1e-3 * steady(cell.params[0]).side_loss_W, rel=0.02)
    known = np.isfinite(found.recoverable_kW)
    assert (found.recoverable_kW[known] <= found.heat_kW[known]).all()
    assert (found.exergy_kW[known] < found.heat_kW[known]).all()
    assert np.isnan(found.recoverable_kW[0, WAYS.index("bottom")])
    hotter = waste_heat(cell, usable_C=150.0)
    assert hotter.recoverable_kW[0, 0] == 0.0 < found.recoverable_kW[0, 0]


def test_parts_of_the_voltage_sum_to_what_was_measured(cell: Present) -> None:
    params = cell.params[0]
    gap_mm = steady(params).acd_mm
    chain_V = total_V(
        voltage_haupin(params.rated_current_A, gap_mm, cell.bath_temp_C[0], nominal_bath(params), params)
    )
    mean_V = chain_V + 0.010 + 0.020
    found = voltage_parts(
        [params],
        np.array([params.rated_current_A]),
        np.array([gap_mm]),
        cell.bath_temp_C,
        cell.superheat_C,
        np.array([params.alumina_pct]),
        np.array([0.010]),
        np.array([mean_V]),
    )
    assert found.sum() == pytest.approx(mean_V, abs=1e-12)
    parts = dict(zip(PARTS, found[0].tolist(), strict=True))
    assert parts["effects"] == 0.010
    assert parts["unexplained"] == pytest.approx(0.020, abs=1e-4)
    assert parts["bath"] > parts["anode"] > 0.0
    one = np.array([1.0])
    assert np.isnan(voltage_parts([None], one, one, one, one, one, one, one)).all()
