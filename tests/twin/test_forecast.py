"""Forecasts: closed balances, near the truth where nothing is unknown, bands that widen, plans that matter."""

import numpy as np
import pytest

from twin.balances import residuals, take_stock
from twin.cell import run_cells
from twin.cell_state import SEE, CellStatus, nominal_inputs, start_cells
from twin.forecast import FORESEEN, MAX_HOURS, forecast, hold
from twin.forecast_hours import HOUR_STEPS, STEP_S, Hours, inputs_of
from twin.forecast_points import alf3_pct_at, settle
from twin.forecast_present import ForecastError, Past, Present, nominal_present, present_of, take
from twin.heat import nominal_bath, steady
from twin.observer import Estimate, Observer
from twin.params import params_for
from twin.state import NO_VOLTAGE

CELL = params_for("generic_300kA", 300e3)
OTHER = params_for("generic_200kA", 200e3)
PAST_H, AHEAD_H = 48, 48
BATH, SUPERHEAT, LEDGE = (FORESEEN.index(n) for n in ("bath_temp_C", "superheat_C", "ledge_bath_mm"))


def lived(hours_before: int) -> tuple[Present, np.ndarray]:
    """A cell that has run its calendar for days, as it is then, and what it does in the next two days."""
    cells = start_cells([CELL])
    total = hours_before + AHEAD_H
    inputs = nominal_inputs(cells, total * HOUR_STEPS, STEP_S)
    seen = run_cells(cells, inputs, STEP_S, HOUR_STEPS)[:, 0]
    now = seen[hours_before - 1]
    past = seen[hours_before - PAST_H : hours_before]
    gap_h = CELL.anode_life_h / CELL.n_anodes
    ago = [hours_before - h for h in np.arange(0.5 * gap_h, hours_before, gap_h) if hours_before - h < PAST_H]

    def column(name: str) -> np.ndarray:
        return past[:, SEE[name], None]

    def known(name: str) -> np.ndarray:
        return now[SEE[name]].reshape(1)

    present = Present(
        params=(CELL,),
        bath_temp_C=known("bath_temp_C"),
        bath_temp_sd_C=np.array([1.0]),
        superheat_C=known("superheat_C"),
        superheat_sd_C=np.array([0.5]),
        alumina_pct=known("alumina_pct"),
        alumina_sd_pct=np.array([0.1]),
        acd_mm=known("gap_mm"),
        acd_sd_mm=np.array([1.0]),
        ledge_bath_mm=known("ledge_bath_mm"),
        ledge_bath_sd_mm=np.array([3.0]),
        current_efficiency=known("efficiency_frac"),
        cell_voltage_V=column("cell_voltage_V"),
        line_current_A=column("line_current_A"),
        ambient_temp_C=np.full((PAST_H, 1), 25.0),
        bath_past_C=column("bath_temp_C"),
        superheat_past_C=column("superheat_C"),
        alumina_past_pct=column("alumina_pct"),
        change_ago_h=(tuple(sorted(ago)),),
    )
    return present, seen[hours_before:]


@pytest.fixture(scope="module")
def known_cell() -> tuple[Present, np.ndarray]:
    return lived(10 * 24)


def next_changes(present: Present, hours: int) -> list[float]:
    gap_h = CELL.anode_life_h / CELL.n_anodes
    return list(np.arange(gap_h - present.change_ago_h[0][0], hours, gap_h))


def test_forecast_of_a_known_cell_follows_it(known_cell: tuple[Present, np.ndarray]):
    present, truth = known_cell
    plan = hold(present, AHEAD_H, [next_changes(present, AHEAD_H)], [[]])._replace(
        cell_voltage_V=np.full((AHEAD_H, 1), CELL.nominal_voltage_V)
    )
    found = forecast(present, plan)
    for name, most in (
        ("bath_temp_C", 1.0),
        ("superheat_C", 0.5),
        ("ledge_bath_mm", 3.0),
        ("alumina_pct", 0.1),
    ):
        error = found.best[1:, 0, FORESEEN.index(name)] - truth[:, SEE[name]]
        assert np.sqrt(np.mean(error**2)) < most, name
    assert found.best[0, 0, BATH] == pytest.approx(present.bath_temp_C[0], abs=0.3)
    # The anode change is seen coming: the bath falls by a Kelvin and more within hours.
    at = int(plan.change_h[0][0]) + 1
    assert found.best[at - 1, 0, BATH] - found.best[at : at + 6, 0, BATH].min() > 1.0
    assert found.status[0] == CellStatus.OK
    assert found.lost[0] == 0


def test_balances_close_through_the_forecast(known_cell: tuple[Present, np.ndarray]):
    present, _ = known_cell
    members, changed = settle(present)
    stock = take_stock(members.cells)
    plan = hold(present, 24)
    run_cells(members.cells, inputs_of(members.cells, members.owner, Hours(*plan), changed), STEP_S)
    for name, missing in residuals(members.cells, stock).items():
        assert np.abs(missing).max() < (1e-3 if name == "energy" else 1e-4), name


def test_bands_widen_and_hold_more_at_a_higher_level():
    found = forecast(nominal := nominal_present([CELL]), hold(nominal, 24))
    assert found.sd[0, 0, BATH] == pytest.approx(nominal.bath_temp_sd_C[0], rel=0.05)
    assert found.sd[24, 0, BATH] > found.sd[0, 0, BATH]
    assert np.all(found.sd[24, 0] > 0.0)
    low, high = found.band(0.8)
    lower, higher = found.band(0.95)
    assert np.all(lower <= low)
    assert np.all(high < higher)
    assert np.all(low < found.best)


def test_same_input_gives_the_same_bits_and_cells_do_not_mix():
    both = nominal_present([CELL, OTHER, CELL])
    plan = hold(both, 6)
    first, again = forecast(both, plan), forecast(both, plan)
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one, two, equal_nan=True)
    alone = take(both, [1])
    single = forecast(alone, hold(alone, 6))
    assert np.array_equal(single.best[:, 0], first.best[:, 1])
    assert np.array_equal(single.sd[:, 0], first.sd[:, 1])


def test_planned_voltage_and_current_move_the_cell():
    present = nominal_present([CELL])
    plan = hold(present, 24)
    base = forecast(present, plan).best[-1, 0]
    warmer = forecast(present, plan._replace(cell_voltage_V=plan.cell_voltage_V + 0.1)).best[-1, 0]
    assert 5.0 < warmer[BATH] - base[BATH] < 12.0
    assert warmer[LEDGE] < base[LEDGE] - 10.0
    less = forecast(present, plan._replace(line_current_A=plan.line_current_A - 15e3)).best[-1, 0]
    assert less[BATH] < base[BATH]
    assert less[FORESEEN.index("heat_loss_kW")] < base[FORESEEN.index("heat_loss_kW")]


def test_cell_that_leaves_the_equations_is_missing_from_then_on_and_says_so():
    present = nominal_present([CELL])
    plan = hold(present, 48)
    dark = plan.line_current_A.copy()
    dark[2:] = 0.0
    found = forecast(present, plan._replace(line_current_A=dark))
    assert found.status[0] & CellStatus.STATE_INVALID
    gone = np.isnan(found.best[:, 0])
    first = int(np.argmax(gone[:, BATH]))
    assert 4 < first < 48
    assert not gone[:first].any()
    assert gone[first:].all()
    assert np.isnan(found.sd[first:, 0]).all()
    assert found.best[first - 1, 0, BATH] < found.best[0, 0, BATH] - 20.0


def test_unusable_plans_are_refused():
    present = nominal_present([CELL])
    plan = hold(present, 12)
    with pytest.raises(ForecastError, match=f"from 1 to {MAX_HOURS}"):
        forecast(present, hold(present, MAX_HOURS + 1))
    with pytest.raises(ForecastError, match="line_current_A"):
        forecast(present, plan._replace(line_current_A=np.full((12, 1), np.nan)))
    with pytest.raises(ForecastError, match="one entry"):
        forecast(present, plan._replace(tap_h=[]))


def estimate_of(**changed: float) -> Estimate:
    observer = Observer([CELL], np.array([0]), np.full((1, 1), -1))
    nothing = np.full((1, 1), np.nan)
    volt, amp = np.array([4.2]), np.array([300e3])
    found = None
    for _ in range(90):
        found = observer.step(
            10.0, amp, volt, nothing, nothing, np.array([25.0]), np.zeros(1), np.full(1, np.nan), nothing
        )
    assert found is not None
    return found._replace(**{name: np.array([value]) for name, value in changed.items()})


def test_estimate_of_the_observer_is_a_beginning():
    volt, amp, air = np.full((6, 1), 4.2), np.full((6, 1), 300e3), np.full((6, 1), np.nan)
    estimate = estimate_of()
    present = present_of([CELL], estimate, [0], volt, amp, air, None, [[3.0]])
    found = forecast(present, hold(present, 12))
    assert found.best[0, 0, BATH] == pytest.approx(estimate.bath_temp_C[0], abs=0.5)
    assert found.sd[0, 0, BATH] == pytest.approx(estimate.bath_temp_sd_C[0], rel=0.15)
    past = Past(*(np.full((6, 1), np.nan) for _ in range(3)))
    same = present_of([CELL], estimate, [0], volt, amp, air, past, [[3.0]])
    assert same.alumina_aim_pct[0] == estimate.alumina_pct[0]


def test_cell_without_an_estimate_is_refused_with_the_reason():
    volt, amp, air = np.full((6, 1), 4.2), np.full((6, 1), 300e3), np.full((6, 1), 25.0)
    lost = estimate_of(assessed=False, status=NO_VOLTAGE)
    with pytest.raises(ForecastError, match="no cell_voltage_V received"):
        present_of([CELL], lost, [0], volt, amp, air, None, [[]])
    with pytest.raises(ForecastError, match="nothing was measured"):
        present_of([CELL], estimate_of(), [0], volt * np.nan, amp, air, None, [[]])
    hot = present_of([CELL], estimate_of(bath_temp_C=1040.0), [0], volt, amp, air, None, [[]])
    with pytest.raises(ForecastError, match="AlF3"):
        forecast(hot, hold(hot, 6))


def test_alf3_of_a_liquidus_is_its_inverse():
    liquidus_C = steady(CELL).liquidus_C
    assert alf3_pct_at(liquidus_C, CELL.alumina_pct, CELL) == pytest.approx(nominal_bath(CELL)[0], abs=1e-6)
    assert np.isnan(alf3_pct_at(1100.0, 2.5, CELL))
