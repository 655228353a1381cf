"""The energy book: sums that do not depend on how they are cut, versions, gaps that never help, registers."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.book import HOUR_US, NORMAL, STARTUP, STATES, STOPPED, Book, Correction, Totals
from twin.energy import METAL_KG_PER_KAH
from twin.limits import load_limits
from twin.metal import Weighing, scale_factor, weighed_efficiency
from twin.metal_log import Entries, month_efficiency
from twin.period import LineInputs, Validity, cell_period, line_period
from twin.registers import register_sum

START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
LIMITS = load_limits()
N_HOURS = 48


def booked(
    seed: int,
    n: int = 5,
    hours: int = N_HOURS,
    gap: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> Book:
    """Hours of cells at random voltages and one line current; ``gap`` (hours, cells) takes measured time away."""
    rng = np.random.default_rng(seed)
    current_kA = rng.uniform(290.0, 310.0, (hours, 1)) * np.ones((1, n))
    voltage_V = rng.uniform(3.7, 4.6, (hours, n))
    state = np.where(rng.random(n) < 0.2, STARTUP, NORMAL) * np.ones((hours, 1), dtype=np.int64)
    share = np.ones((hours, n)) if gap is None else 1.0 - gap
    if order is not None:
        voltage_V, state, share = voltage_V[:, order], state[:, order], share[:, order]
    book = Book(np.zeros(n, dtype=np.int64))
    charge = current_kA * share
    book.extend(
        START_US + HOUR_US * np.arange(hours),
        voltage_V * charge,
        charge,
        3600.0 * share,
        state.astype(np.int8),
    )
    return book


def same(a: Totals, b: Totals) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def added(parts: list[Totals]) -> list[np.ndarray]:
    """Sums of parts in the book's own whole units."""
    scale = (1e6, 1e6, 1e3, 1e6, 1e3)
    return [sum(np.rint(p[i] * s) for p in parts) for i, s in enumerate(scale)]  # pyright: ignore


# --- properties


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, N_HOURS), max_size=6))
def test_any_split_gives_the_same_total(seed: int, cuts: list[int]) -> None:
    book = booked(seed)
    edges = [START_US + HOUR_US * h for h in [0, *sorted(cuts), N_HOURS]]
    parts = [book.totals(a, b) for a, b in itertools.pairwise(edges)]
    for part, whole in zip(added(parts), added([book.totals(edges[0], edges[-1])]), strict=True):
        assert np.array_equal(part, whole)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(5)))
def test_permuting_cells_changes_nothing(seed: int, order: list[int]) -> None:
    gap = np.where(np.random.default_rng(seed).random((N_HOURS, 5)) < 0.1, 0.7, 0.0)
    place = np.array(order)
    plain = booked(seed, gap=gap).totals(0, 2**62)
    moved = booked(seed, gap=gap, order=place).totals(0, 2**62)
    assert all(np.array_equal(a[:, place], b) for a, b in zip(plain, moved, strict=True))


def figures(book: Book, efficiency: float, hours: int = N_HOURS, **how: object):
    n = len(book.line_index)
    return cell_period(
        book.totals(0, 2**62),
        hours * 3600.0,
        np.full(n, efficiency),
        np.full(n, 0.005),
        np.full(n, 0.98),
        np.full(n, 310e3),
        LIMITS,
        **how,  # pyright: ignore[reportArgumentType]
    )


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 1000),
    st.lists(st.tuples(st.integers(0, N_HOURS - 1), st.integers(0, 4), st.floats(0.0, 1.0)), max_size=12),
    st.floats(0.88, 0.96),
)
def test_adding_a_gap_never_improves_a_class(
    seed: int, gaps: list[tuple[int, int, float]], efficiency: float
) -> None:
    gap = np.zeros((N_HOURS, 5))
    for hour, cell, share in gaps:
        gap[hour, cell] = share
    # One cell stays measured, so that the line's current is known throughout.
    gap[:, 0] = 0.0
    whole = figures(booked(seed), efficiency)
    less = figures(
        booked(seed, gap=gap), efficiency, validity=Validity(min_coverage=0.5, max_estimated_frac=0.5)
    )
    classed = less.level_code > 0
    assert (less.level_code[classed] >= whole.level_code[classed]).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 500))
def test_gross_is_never_below_net(seed: int) -> None:
    cells = figures(booked(seed), 0.93)
    total_kWh = float((cells.dc_energy_kWh[cells.charge_kAh > 0]).sum() + cells.startup_dc_kWh.sum())
    registers = [
        register_sum(
            np.array([START_US, START_US + N_HOURS * HOUR_US]),
            np.array([0.0, kWh]),
            START_US,
            START_US + N_HOURS * HOUR_US,
        )
        for kWh in (total_kWh / 0.975, total_kWh * 1.005, 0.03 * total_kWh)
    ]
    line = line_period(
        cells,
        np.ones(5, dtype=np.bool_),
        LineInputs(registers[0], registers[1], registers[2]),
        N_HOURS * 3600.0,
        LIMITS,
    )
    gross, net = line.figures["liquid_ac_gross"], line.figures["liquid_ac_net"]
    if gross.known:
        assert gross.value >= net.value
        assert line.figures["liquid_comprehensive"].value > gross.value
        assert line.busbar_kWh == pytest.approx(0.005 * total_kWh, rel=1e-6)
    else:
        assert gross.refused == "no cell was in normal operation"


def test_a_worst_hour_that_is_not_measured_does_not_help() -> None:
    voltage = np.full((24, 2), 3.9)
    voltage[5, 1] = 5.5
    book = Book(np.zeros(2, dtype=np.int64))
    hours = START_US + HOUR_US * np.arange(24)
    normal = np.full((24, 2), NORMAL, dtype=np.int8)
    share = np.ones((24, 2))
    share[5, 1] = 0.0
    book.extend(hours, voltage * 300.0 * share, 300.0 * share, 3600.0 * share, normal)
    found = figures(book, 0.93, hours=24, validity=Validity(max_estimated_frac=0.05))
    # Estimated at its mean the hour would cost 3.9 V; for the class it is charged with 6 V.
    assert found.dc_kwh_per_t[1] == pytest.approx(found.dc_kwh_per_t[0], rel=1e-9)
    assert found.level_code.tolist() == [1, 3]
    assert found.estimated_frac[1] == pytest.approx(1 / 24)


# --- versions


def test_corrections_append_and_published_figures_stay() -> None:
    book = booked(3)
    before = book.totals(0, 2**62)
    hour_us = START_US + 7 * HOUR_US
    first = Correction(hour_us, 2, 10, 1300.0, 300.0, 3600.0, NORMAL, "meter was changed", "li")
    assert book.correct(first).version == 2
    assert book.correct(first._replace(recorded_us=20, dc_energy_kWh=1250.0)).version == 3
    assert same(book.totals(0, 2**62, as_of_us=9), before)
    hour = book.totals(hour_us, hour_us + 1)
    assert hour.dc_energy_kWh[NORMAL, 2] == 1250.0
    assert book.totals(hour_us, hour_us + 1, as_of_us=10).dc_energy_kWh[NORMAL, 2] == 1300.0
    assert hour.gap_charge_kAh[NORMAL, 2] == 0.0
    assert [c.version for c in book.corrections] == [2, 3]
    assert same(book.rolling(START_US + 40 * 24 * HOUR_US), book.totals(0, 2**62))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reason": ""}, "reason and an author"),
        ({"author": ""}, "reason and an author"),
        ({"hour_us": 5}, "no hour was written"),
        ({"recorded_us": 9}, "before the one it replaces"),
    ],
)
def test_corrections_that_cannot_be(change: dict[str, object], message: str) -> None:
    book = booked(3)
    good = Correction(START_US, 0, 10, 1300.0, 300.0, 3600.0, NORMAL, "r", "a")
    book.correct(good)
    with pytest.raises(ValueError, match=message):
        book.correct(good._replace(**change))


def test_a_changed_state_moves_the_hour() -> None:
    book = booked(4)
    was = book.totals(START_US, START_US + 1)
    code = int(np.flatnonzero(was.time_s[:, 1])[0])
    book.correct(Correction(START_US, 1, 1, 0.0, 0.0, 0.0, STOPPED, "was shorted", "li"))
    now = book.totals(START_US, START_US + 1)
    assert now.time_s[code, 1] == 0.0
    assert now.time_s[STOPPED, 1] == 3600.0
    assert now.gap_charge_kAh[:, 1].sum() == 0.0


def test_hours_only_follow_each_other() -> None:
    book = booked(1)
    again = np.zeros((1, 5))
    with pytest.raises(ValueError, match="later than all"):
        book.extend(np.array([START_US]), again, again, again, again.astype(np.int8))
    with pytest.raises(ValueError, match="3600 s"):
        book.extend(np.array([START_US + 2**50]), again, again, again + 4000.0, again.astype(np.int8))


def test_rolling_months_are_the_months() -> None:
    book = booked(5, hours=24 * 100)
    june = int(datetime(2026, 6, 5, tzinfo=UTC).timestamp()) * 1_000_000
    april = int(datetime(2026, 4, 1, tzinfo=UTC).timestamp()) * 1_000_000
    may_end = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert same(book.rolling(june, months=2), book.totals(april, may_end))
    assert same(book.rolling(june, months=12), book.totals(0, may_end))


# --- refusals


def test_without_enough_coverage_there_is_a_reason_and_no_figure() -> None:
    gap = np.zeros((N_HOURS, 5))
    gap[:6, 1] = 1.0
    found = figures(booked(8, gap=gap), 0.93)
    assert np.isnan(found.dc_kwh_per_t[1])
    assert found.level_code[1] == 0
    assert found.reasons[1] == "measured for 87.5 %, 95 % are needed"
    assert np.isfinite(found.dc_kwh_per_t[2])


def test_metal_that_was_not_weighed_and_efficiency_that_cannot_be() -> None:
    n = len(figures(booked(8), np.nan).reasons)
    unweighed = figures(booked(8), np.nan, configured_efficiency=0.93)
    normal = unweighed.charge_kAh > 0
    assert normal.sum() < n + 1
    assert {unweighed.reasons[i] for i in np.flatnonzero(normal)} == {
        "metal levels over less than 14 days: metal is not weighed"
    }
    assert np.isfinite(unweighed.dc_kwh_per_t[normal]).all()
    wrong = figures(booked(8), 0.99)
    assert any("0.990 is outside 0.85-0.97: data fault" in reason for reason in wrong.reasons)


def test_zero_production_is_null() -> None:
    # Energy reference 7.8 (7): energy is kept, the ratio is null.
    book = Book(np.zeros(1, dtype=np.int64))
    zeros = np.zeros((2, 1))
    book.extend(
        START_US + HOUR_US * np.arange(2),
        zeros + 5.0,
        zeros,
        zeros + 3600.0,
        (zeros + NORMAL).astype(np.int8),
    )
    found = figures(book, 0.93, hours=2)
    assert np.isnan(found.dc_kwh_per_t[0])
    assert found.dc_energy_kWh[0] == 10.0


# --- registers


def test_a_register_difference_closes_a_gap() -> None:
    # Energy reference 7.8 (1).
    times = START_US + HOUR_US * np.array([0, 1, 2, 10, 11])
    found = register_sum(times, np.array([0.0, 10.0, 20.0, 100.0, 110.0]), START_US, START_US + 11 * HOUR_US)
    assert (found.energy_kWh, found.known_s, found.resets) == (110.0, 11 * 3600.0, 0)
    assert found.longest_gap_s == 8 * 3600.0


def test_a_reset_is_flagged_and_a_rollover_is_counted() -> None:
    times = START_US + HOUR_US * np.arange(5)
    values = np.array([980.0, 990.0, 0.0, 10.0, 20.0])
    reset = register_sum(times, values, START_US, START_US + 4 * HOUR_US)
    assert (reset.resets, reset.energy_kWh, reset.estimated_kWh) == (1, 40.0, 10.0)
    assert reset.known_s == 3 * 3600.0
    rolled = register_sum(times, values, START_US, START_US + 4 * HOUR_US, rollover_kWh=1000.0)
    assert (rolled.resets, rolled.energy_kWh, rolled.estimated_kWh) == (0, 40.0, 0.0)


def test_a_register_is_cut_at_the_period_and_needs_two_readings() -> None:
    times = START_US + HOUR_US * np.array([-1, 1, 3])
    found = register_sum(times, np.array([0.0, 20.0, 60.0]), START_US, START_US + 2 * HOUR_US)
    assert found.energy_kWh == 10.0 + 20.0
    assert np.isnan(register_sum(times[:1], np.zeros(1), START_US, START_US + HOUR_US).energy_kWh)
    far = START_US + 100 * HOUR_US
    assert np.isnan(register_sum(times, np.array([0.0, 20.0, 60.0]), far, far + HOUR_US).energy_kWh)


# --- metal


def test_efficiency_is_found_within_its_error_bar() -> None:
    rng = np.random.default_rng(4)
    n, days = 200, 60
    truth = rng.normal(0.935, 0.01, n)
    weighing = Weighing()
    area = np.full(n, 52.0)
    day_kAh = 300.0 * 24
    hours = START_US + HOUR_US * np.arange(24 * days)
    book = Book(np.zeros(n, dtype=np.int64))
    ones = np.ones((24 * days, n))
    book.extend(hours, 1200.0 * ones, 300.0 * ones, 3600.0 * ones, (ones * NORMAL).astype(np.int8))
    day_us = 24 * HOUR_US
    k = np.arange(days)
    made_kg = METAL_KG_PER_KAH * truth[:, None] * day_kAh
    tapped_kg = np.round(made_kg + 100.0 * rng.standard_normal((n, days)))
    tap_us = START_US + k * day_us + 5 * HOUR_US
    held_kg = 24_000.0 + made_kg * (k + 0.25) - np.cumsum(tapped_kg, axis=1)
    read_m = held_kg / (52.0 * 2300.0) + 0.007 * rng.standard_normal((n, days))
    weighed_kg = tapped_kg * (1.0 + weighing.tap_sd_frac * rng.standard_normal((n, days)))
    cell = np.repeat(np.arange(n), days)

    def entries(times: np.ndarray, values: np.ndarray) -> Entries:
        at = np.tile(times, n)
        return Entries(at, at + 3 * HOUR_US, cell, values.ravel())

    month = (START_US + 30 * day_us, START_US + 60 * day_us)
    taps, levels = entries(tap_us, weighed_kg), entries(tap_us + HOUR_US, np.round(read_m, 2))
    found = month_efficiency(book, taps, levels, month, area)
    z = (found.value[:, 0] - truth) / found.sd[:, 0]
    assert 0.90 <= (np.abs(z) < 1.96).mean() <= 0.99
    assert abs(z.mean()) < 0.25
    # Endpoints only would be uncertain by 1.3 points (energy reference 2.7).
    assert found.sd.max() < 0.006
    # As of a day before the late levels were known, the figure is the older one.
    early = month_efficiency(book, taps, levels, month, area, as_of_us=START_US + 45 * day_us)
    assert (early.sd > found.sd).all()
    few = month_efficiency(book, taps, levels, month, area, as_of_us=START_US + 8 * day_us)
    assert np.isnan(few.value).all()


def test_no_levels_no_efficiency() -> None:
    none = np.zeros(0, dtype=np.int64)
    nothing = Entries(none, none, none, np.zeros(0))
    found = month_efficiency(booked(1), nothing, nothing, (START_US, START_US + HOUR_US), np.full(5, 52.0))
    assert np.isnan(found.value).all()


def test_a_cell_with_fewer_levels_is_fitted_like_alone() -> None:
    rng = np.random.default_rng(2)
    n_levels = 40
    days = np.arange(n_levels, dtype=float)
    charge = 7200.0 * days[:, None]
    taps = days.copy()
    tapped = 2200.0 * taps
    level = 0.2 + 0.007 * rng.standard_normal(n_levels)
    both = np.stack((level, np.where(np.arange(n_levels) % 3, level, np.nan)))
    pair = weighed_efficiency(
        np.stack((days, days)),
        both,
        np.stack((tapped, tapped)),
        np.stack((charge, charge)),
        np.stack((taps, taps)),
        np.full(2, 52.0),
    )
    keep = np.arange(n_levels) % 3 > 0
    alone = weighed_efficiency(
        days[None, keep],
        level[None, keep],
        tapped[None, keep],
        charge[None, keep],
        taps[None, keep],
        np.full(1, 52.0),
    )
    assert pair.value[1] == pytest.approx(alone.value[0], rel=1e-6)
    assert pair.sd[1, 0] > pair.sd[0, 0]


def test_ladles_are_held_against_the_cast_house() -> None:
    assert scale_factor(995.0, 1000.0) == 0.995
    assert scale_factor(0.0, 1000.0) == 1.0
    with pytest.raises(ValueError, match="metal is missing"):
        scale_factor(900.0, 1000.0)


def test_states_are_those_of_the_contract() -> None:
    assert STATES == ("STOPPED", "BAKING", "STARTUP", "NORMAL")
