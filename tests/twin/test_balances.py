"""Books of the dynamic cell close over any schedule, technology and fault; nothing is lost silently."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.balances import balance, format_balance, residuals, stored_J, stored_kg, take_stock
from twin.cell import run_cells
from twin.cell_state import HELD, MASS, CellInputs, Cells, CellStatus, nominal_inputs, start_cells
from twin.params import params_for

DT_S = 20.0
HOUR = 180
POSITIONS = 6


class Segment(NamedTuple):
    """Two hours of one way to run a cell, relative to nominal; ``fault`` is one of ``FAULTS``."""

    current: float
    volt: float
    beam_mm: float
    feed: float
    alf3: float
    metal: float
    bath: float
    cover_m: float
    opening_m2: float
    ambient_C: float
    anode: int
    anode_C: float
    fault: str


FAULTS = (
    "none",
    "outage",
    "no feed",
    "cover off",
    "new anodes",
    "overfeed",
    "big tap",
    "no control",
    "nan",
    "negative",
)
segments = st.builds(
    Segment,
    st.floats(0.85, 1.1),
    st.floats(-0.15, 0.2),
    st.floats(-0.002, 0.002),
    st.floats(0.8, 2.0),
    st.floats(0.0, 4.0),
    st.floats(0.0, 3.0),
    st.floats(0.0, 10.0),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.5),
    st.floats(-40.0, 50.0),
    st.integers(-1, POSITIONS - 1),
    st.floats(0.0, 600.0),
    st.sampled_from(FAULTS),
)


def lay(inputs: CellInputs, start: int, end: int, segment: Segment) -> None:
    """Write one segment into a schedule."""
    rows = slice(start, end)
    inputs.line_current_A[rows] *= segment.current
    inputs.voltage_set_V[rows] += segment.volt
    inputs.beam_mm[rows] = segment.beam_mm
    inputs.alf3_kg_s[rows] *= segment.alf3
    inputs.metal_tap_kg_s[rows] *= segment.metal
    inputs.bath_tap_kg_s[rows] *= segment.bath
    inputs.cover_m[rows] = segment.cover_m
    inputs.opening_m2[rows] = segment.opening_m2
    inputs.ambient_temp_C[rows] = segment.ambient_C
    inputs.anode_change[start] = segment.anode
    inputs.anode_new_temp_C[rows] = segment.anode_C
    lay_fault(inputs, start, end, segment)


def lay_fault(inputs: CellInputs, start: int, end: int, segment: Segment) -> None:
    rows = slice(start, end)
    match segment.fault:
        case "outage":
            inputs.line_current_A[rows] = 0.0
        case "no feed":
            # Long enough for an anode effect, which renewed feed ends.
            inputs.alumina_set_pct[start : start + 75] = np.nan
        case "overfeed":
            inputs.alumina_set_pct[rows] = np.nan
            inputs.alumina_kg_s[rows] = 1.7e-7 * segment.feed * inputs.line_current_A[rows]
        case "cover off":
            inputs.cover_m[rows] = 0.0
            inputs.opening_m2[rows] = 2.0
        case "new anodes":
            for position in range(POSITIONS):
                inputs.anode_change[start + 10 * position] = position
        case "big tap":
            inputs.metal_tap_kg_s[start : start + 200] *= 120.0 / max(segment.metal, 1.0)
        case "no control":
            inputs.voltage_set_V[rows] = np.nan
        case "nan":
            inputs.line_current_A[start : start + 5] = np.nan
            inputs.cover_m[start + 10] = np.nan
        case "negative":
            inputs.alf3_kg_s[start : start + 5] = -1.0
            inputs.anode_change[start + 7] = 99.0
        case _:
            pass


def unphysical(cells: Cells) -> list[str]:
    """Fields of the state that are NaN or a negative mass."""
    return [
        name
        for name, values in cells.state._asdict().items()
        if not np.all(np.isfinite(values)) or (name.endswith("_kg") and np.any(values < 0))
    ]


def assert_closed(cells: Cells, found: dict[str, np.ndarray]) -> None:
    # Acceptance: energy 0.1 %, aluminium, alumina, AlF3 and carbon 0.01 % of what moved.
    for name, values in found.items():
        limit = 1e-3 if name == "energy" else 1e-4
        assert np.all(np.abs(values) < limit), (name, values)
        # What the kernels do closes to rounding; a real leak would be far above this.
        assert np.all(np.abs(values) < 1e-8), (name, values)
    assert unphysical(cells) == []


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from([200e3, 250e3, 300e3, 400e3, 500e3, 600e3]),
    st.lists(segments, min_size=3, max_size=8),
)
def test_books_close_over_random_schedules(rated_A: float, plan: list[Segment]):
    cells = start_cells([params_for("generic_300kA", rated_A)], positions=POSITIONS)
    inputs = nominal_inputs(cells, len(plan) * 2 * HOUR, DT_S)
    for k, segment in enumerate(plan):
        lay(inputs, 2 * k * HOUR, 2 * (k + 1) * HOUR, segment)
    since = take_stock(cells)
    run_cells(cells, inputs, DT_S, every=HOUR)
    assert cells.books.clock_s[0] > 0.0
    assert_closed(cells, residuals(cells, since))


#: All that is accepted, in the order of ``CellInputs``, for the 300 kA cell.
ACCEPTED = (
    (0.0, 450e3),
    (-60.0, 80.0),
    (-1.0, 1.0),
    (2.0, 10.0),
    (0.0, 6.0),
    (1.0, 8.0),
    (0.0, 3.0),
    (0.0, 60.0),
    (0.0, 60.0),
    (0.0, 1.0),
    (0.0, 52.0),
    (-1.0, POSITIONS - 1.0),
    (-60.0, 1000.0),
    (-100.0, 100.0),
)
wild_rows = st.tuples(*(st.floats(low, high) for low, high in ACCEPTED))
slips = st.tuples(st.integers(0, len(ACCEPTED) - 1), st.sampled_from([np.nan, np.inf, -np.inf, -2.0, 1e12]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(wild_rows, st.none() | slips), min_size=1, max_size=10))
def test_nothing_that_can_be_typed_in_crashes_or_leaks(
    rows: list[tuple[tuple[float, ...], tuple[int, float] | None]],
):
    # Every input at once over all that is accepted and beyond: held with a name, or stepped with closed books.
    cells = start_cells([params_for("generic_300kA", 300e3)], positions=POSITIONS)
    table = np.array([row for row, _ in rows])
    table[:, 11] = np.floor(table[:, 11])
    for k, (_, slip) in enumerate(rows):
        if slip is not None:
            table[k, slip[0]] = slip[1]
    table = np.repeat(table, 20, axis=0)
    since = take_stock(cells)
    run_cells(cells, CellInputs(*(table[:, k : k + 1] for k in range(table.shape[1]))), 60.0)
    assert_closed(cells, residuals(cells, since))
    if cells.books.clock_s[0] < 60.0 * len(table):
        assert CellStatus(int(cells.books.ever[0])) & HELD


@pytest.mark.parametrize("fault", FAULTS)
def test_books_close_over_each_fault(fault: str):
    names = ("generic_200kA", "generic_300kA", "generic_400kA", "generic_500kA", "generic_600kA")
    cells = start_cells([params_for(name, None) for name in names], positions=POSITIONS)
    inputs = nominal_inputs(cells, 24 * HOUR, DT_S)
    segment = Segment(1.0, 0.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.12, 0.0, 25.0, -1, 25.0, fault)
    lay(inputs, 2 * HOUR, 5 * HOUR, segment)
    since = take_stock(cells)
    run_cells(cells, inputs, DT_S, every=HOUR)
    assert_closed(cells, residuals(cells, since))


def test_a_leak_would_be_found():
    cells = start_cells([params_for("generic_300kA", 300e3)], positions=POSITIONS)
    since = take_stock(cells)
    run_cells(cells, nominal_inputs(cells, HOUR, DT_S), DT_S)
    cells.state.bath_temp_C[0] += 1.0
    cells.state.alumina_kg[0] += 1.0
    cells.state.anode_kg[0, 0] -= 1.0
    found = residuals(cells, since)
    assert abs(found["energy"][0]) > 1e-3
    assert abs(found["alumina"][0]) > 1e-3
    assert abs(found["carbon"][0]) > 1e-3
    assert abs(found["AlF3"][0]) < 1e-8


def test_atoms_of_aluminium_and_reaction_masses():
    # Al in alumina consumed is the metal produced; Faraday: 8.05373 kg per kA and day.
    cells = start_cells([params_for("generic_300kA", 300e3)], positions=POSITIONS)
    run_cells(cells, nominal_inputs(cells, 24 * HOUR, DT_S), DT_S)
    mass = dict(zip(("made", "tapped"), cells.books.mass_kg[0, :2], strict=True))
    consumed = cells.books.mass_kg[0, MASS["alumina_consumed"]]
    assert mass["made"] == pytest.approx(consumed * 2 * 26.9815384 / 101.9613, rel=1e-6)
    efficiency = balance(cells).current_efficiency_frac
    assert mass["made"] == pytest.approx(8.05373 * 300 * efficiency, rel=0.005)
    # AlF3 make-up 12 to 20 kg/t of metal; soda takes 1.81 kg per kg of Na2O.
    fed = cells.books.mass_kg[0, MASS["alf3_fed"]]
    assert 12 < 1000 * fed / mass["made"] < 20
    soda = 0.004 / 0.996 * cells.books.mass_kg[0, MASS["alumina_fed"]]
    assert cells.books.mass_kg[0, MASS["alf3_to_soda"]] == pytest.approx(1.81 * soda, rel=0.005)


def test_table_prints_every_term_and_its_sums():
    cells = start_cells([params_for("generic_300kA", 300e3)])
    since = take_stock(cells)
    run_cells(cells, nominal_inputs(cells, 20 * HOUR, DT_S), DT_S)
    now, mean = balance(cells), balance(cells, 0, since)
    text = format_balance(now)
    for words in (
        "300.0 kA",
        "4.200 V",
        "kWh/kg",
        "reversible",
        "bus bars",
        "off gas",
        "end metal",
        "bottom",
        "in the cell",
    ):
        assert words in text
    kW = {(term.group, term.name): term.kW for term in now.terms}
    assert sum(v for (group, _), v in kW.items() if group == "voltage") == pytest.approx(kW["power", "cell"])
    into = kW["power", "inside"] + kW["power", "air burn of carbon"] + kW["power", "warmth of new anodes"]
    out = sum(v for (group, _), v in kW.items() if group in ("demand", "loss", "matter", "store"))
    assert into == pytest.approx(out, abs=1e-6)
    assert abs(mean.residual_kW) < 1e-6 * 1200
    power = next(term for term in now.terms if term.name == "cell")
    assert power.volt == pytest.approx(4.2, abs=1e-3)
    # E = 2.97998 V/CE (reference report, 4.1).
    assert power.kWh_kg == pytest.approx(2.97998 * 4.2 / now.current_efficiency_frac, rel=1e-4)


def test_table_without_current_has_no_volts():
    cells = start_cells([params_for("generic_300kA", 300e3)], positions=POSITIONS)
    inputs = nominal_inputs(cells, HOUR, DT_S)
    inputs.line_current_A[:] = 0.0
    run_cells(cells, inputs, DT_S)
    text = format_balance(balance(cells))
    assert "nan" not in text
    assert "0.0 kA" in text


def test_no_balance_before_time_has_passed():
    cells = start_cells([params_for("generic_300kA", 300e3)], positions=POSITIONS)
    with pytest.raises(ValueError, match="no time"):
        balance(cells, 0, take_stock(cells))


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("line_current_A", np.nan, CellStatus.INPUT_MISSING),
        ("line_current_A", -1.0, CellStatus.INPUT_IMPOSSIBLE),
        ("line_current_A", 600e3, CellStatus.INPUT_IMPOSSIBLE),
        ("line_current_A", np.inf, CellStatus.INPUT_IMPOSSIBLE),
        ("alumina_kg_s", -0.1, CellStatus.INPUT_IMPOSSIBLE),
        ("alumina_kg_s", 100.0, CellStatus.INPUT_IMPOSSIBLE),
        ("alf3_kg_s", np.nan, CellStatus.INPUT_MISSING),
        ("metal_tap_kg_s", -5.0, CellStatus.INPUT_IMPOSSIBLE),
        ("bath_tap_kg_s", np.inf, CellStatus.INPUT_IMPOSSIBLE),
        ("cover_m", -0.1, CellStatus.INPUT_IMPOSSIBLE),
        ("opening_m2", 1e3, CellStatus.INPUT_IMPOSSIBLE),
        ("ambient_temp_C", 900.0, CellStatus.INPUT_IMPOSSIBLE),
        ("anode_change", 1.5, CellStatus.INPUT_IMPOSSIBLE),
        ("anode_change", 6.0, CellStatus.INPUT_IMPOSSIBLE),
        ("anode_new_temp_C", np.nan, CellStatus.INPUT_MISSING),
        ("beam_mm", 1e9, CellStatus.INPUT_IMPOSSIBLE),
        ("voltage_set_V", 400.0, CellStatus.INPUT_IMPOSSIBLE),
        ("alumina_set_pct", -3.0, CellStatus.INPUT_IMPOSSIBLE),
    ],
)
def test_bad_input_holds_the_member_and_says_why(field: str, value: float, status: CellStatus):
    cells = start_cells([params_for("generic_300kA", 300e3)] * 2, positions=POSITIONS)
    inputs = nominal_inputs(cells, 3, DT_S)
    getattr(inputs, field)[1, 1] = value
    run_cells(cells, inputs, DT_S)
    assert cells.books.ever[0] == CellStatus.OK
    assert status in CellStatus(int(cells.books.ever[1]))
    assert cells.books.clock_s.tolist() == [3 * DT_S, 2 * DT_S]
    assert unphysical(cells) == []
    # Held, not failed: the next good input goes on.
    assert cells.books.status[1] == CellStatus.OK


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metal_kg", np.nan),
        ("alumina_kg", -1.0),
        ("bath_temp_C", 1500.0),
        ("bath_temp_C", np.nan),
        ("caf2_kg", np.inf),
    ],
)
def test_bad_state_holds_the_member_and_says_why(field: str, value: float):
    cells = start_cells([params_for("generic_300kA", 300e3)] * 2, positions=POSITIONS)
    getattr(cells.state, field)[1] = value
    run_cells(cells, nominal_inputs(cells, 3, DT_S), DT_S)
    assert cells.books.status[0] == CellStatus.OK
    assert CellStatus(int(cells.books.status[1])) == CellStatus.STATE_INVALID
    assert cells.books.clock_s[1] == 0.0


def test_named_states_of_a_sick_cell():
    cells = start_cells([params_for("generic_300kA", 300e3)] * 5, positions=POSITIONS)
    inputs = nominal_inputs(cells, 4 * HOUR, DT_S)
    inputs.alumina_set_pct[:, 0] = np.nan
    inputs.metal_tap_kg_s[:HOUR, 1] = 20.0
    inputs.line_current_A[:, 2] = 0.0
    inputs.voltage_set_V[:, 3] += 1.5
    inputs.voltage_set_V[:, 4] = np.nan
    inputs.beam_mm[:10, 4] = -5.0
    metal_kg = cells.state.metal_kg.copy()
    run_cells(cells, inputs, DT_S)
    ever = [CellStatus(int(bits)) for bits in cells.books.ever]
    assert CellStatus.ANODE_EFFECT in ever[0]
    assert CellStatus.TAP_REFUSED in ever[1]
    assert 0 < cells.state.metal_kg[1] < 0.1 * metal_kg[1]
    assert ever[2] & CellStatus.CURRENT_RANGE
    assert CellStatus.LEDGE_GONE in ever[3]
    assert CellStatus.ANODE_SHORT in ever[4]
    # An anode effect that nobody ends boils the cell out of the range of the equations: the twin stops and says so.
    assert CellStatus.STATE_INVALID in ever[0]
    assert not ever[1] & HELD


def test_stock_is_of_the_size_known():
    # 35 MJ/K of melt (reference report, 4.4) and 7 t of bath, 24 t of metal.
    cells = start_cells([params_for("generic_300kA", 300e3)])
    before = stored_J(cells)[0]
    cells.state.bath_temp_C[0] += 1.0
    assert stored_J(cells)[0] - before == pytest.approx(40e6, rel=0.05)
    assert stored_kg(cells)["aluminium"][0] == 24000


def test_shapes_and_steps_that_do_not_fit_are_refused():
    cells = start_cells([params_for("generic_300kA", 300e3)] * 3, positions=POSITIONS)
    inputs = nominal_inputs(cells, 4, DT_S)
    with pytest.raises(ValueError, match="dt_s"):
        run_cells(cells, inputs, 0.0)
    with pytest.raises(ValueError, match="dt_s"):
        run_cells(cells, inputs, 600.0)
    with pytest.raises(ValueError, match="every"):
        run_cells(cells, inputs, DT_S, every=0)
    with pytest.raises(ValueError, match="cover_m"):
        run_cells(cells, inputs._replace(cover_m=np.zeros((4, 2))), DT_S)
    shared = CellInputs(*(values[:, :1] for values in inputs))
    assert run_cells(cells, shared, DT_S).shape == (4, 3, 20)
