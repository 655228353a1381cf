"""The aligner: frames that do not depend on the order of arrival, and counts for all that is left out."""

import math
import pickle
import random
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.align import COUNTS, Aligner
from streams.frame import Frame
from streams.messages import CounterReading, Event, Item, Operator, Reading, Sample, Tick
from streams.plant_file import Cell, Plant
from twin.signals import ARRAY_READINGS, SCALAR_READINGS

T0 = 1_760_000_000_000_000
S = 1_000_000
NAN = math.nan
VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
CURRENT = SCALAR_READINGS.index("line_current_A")


def plant(n_cells: int = 3, lines: tuple[str, ...] = ("L1",)) -> Plant:
    cells = tuple(
        Cell(id=f"{line}-{i}", line=line, n_anodes=3, n_shell=2) for line in lines for i in range(n_cells)
    )
    return Plant(site="s", time_zone="UTC", lines=lines, cells=cells)


def volts(time_us: int, value: float, cell: int = 0, quality: int = 192) -> Reading:
    return Reading(time_us, "L1", f"L1-{cell}", "cell_voltage_V", value, quality)


def anodes(time_us: int, *values: float, cell: int = 0, quality: int = 192) -> Reading:
    return Reading(time_us, "L1", f"L1-{cell}", "anode_current_A", values, quality)


def run(aligner: Aligner, items: Iterable[Item]) -> list[Frame]:
    for item in items:
        aligner.push(item)
    return [*aligner.closed(), *aligner.flush()]


def flat(frame: Frame) -> tuple[object, ...]:
    """A frame as something that compares, bit by bit."""
    arrays = (frame.scalar, frame.bad, frame.anode_current_A, frame.shell_temp_C, frame.array_bad)
    raw = tuple(None if a is None else a.tobytes() for a in arrays)
    return (frame.time_us, *raw, frame.samples, frame.events, frame.counters, frame.operators)


def one(*items: Item, n_cells: int = 3) -> tuple[Frame, dict[str, int]]:
    aligner = Aligner(plant(n_cells))
    frames = run(aligner, items)
    assert len(frames) == 1
    return frames[0], aligner.counts


def test_shapes_and_places() -> None:
    frame, counts = one(volts(T0 + 5, 4.2, cell=1), anodes(T0 + 7, 1.0, NAN, 3.0, cell=2))
    assert frame.time_us == T0
    assert frame.scalar.shape == frame.bad.shape == (len(SCALAR_READINGS), 3)
    assert frame.array_bad.shape == (len(ARRAY_READINGS), 3)
    assert frame.scalar[VOLTAGE, 1] == 4.2
    assert np.isnan(frame.scalar).sum() == frame.scalar.size - 1
    assert frame.anode_current_A is not None
    np.testing.assert_array_equal(frame.anode_current_A[2], [1.0, NAN, 3.0])
    assert frame.shell_temp_C is None
    assert (counts["readings"], counts["frames"]) == (2, 1)
    assert set(counts) == set(COUNTS)


@pytest.mark.parametrize(
    ("first", "second", "value", "count"),
    [
        (volts(T0, 4.0), volts(T0 + 1, 4.1), 4.1, "superseded"),
        (volts(T0, 4.0), volts(T0, 4.0), 4.0, "duplicates"),
        (volts(T0, 4.0), volts(T0, 4.1), 4.0, "conflicts"),
        (volts(T0, 4.0), volts(T0 + 1, 999.0), 4.0, "out_of_range"),
        (volts(T0, 4.0), volts(T0 + 1, 4.5, quality=0), 4.0, "bad_quality"),
        (volts(T0, 4.0), volts(T0 + 1, 4.5, quality=500), 4.0, "bad_quality"),
        (volts(T0, 4.0), volts(T0 + 1, math.inf), 4.0, "out_of_range"),
    ],
)
def test_two_readings_in_a_tick(first: Reading, second: Reading, value: float, count: str) -> None:
    for pair in ((first, second), (second, first)):
        frame, counts = one(*pair)
        assert frame.scalar[VOLTAGE, 0] == value
        assert counts[count] == 1
        assert frame.bad[VOLTAGE, 0] == (count in ("out_of_range", "bad_quality"))


def test_missing_is_not_refused() -> None:
    frame, counts = one(volts(T0, NAN), volts(T0, 4.0, cell=1))
    assert np.isnan(frame.scalar[VOLTAGE, 0])
    assert not frame.bad.any()
    assert counts["out_of_range"] == 0


@pytest.mark.parametrize(
    ("items", "row", "refused"),
    [
        ([anodes(T0, 1.0, 2.0, 3.0)], [1.0, 2.0, 3.0], 0),
        ([anodes(T0, 1.0, 2e5, NAN)], [1.0, NAN, NAN], 1),
        ([anodes(T0, 1.0, NAN, NAN), anodes(T0, NAN, 2.0, NAN)], [1.0, 2.0, NAN], 0),
        ([anodes(T0, 1.0, 2.0, 3.0), anodes(T0 + 1, 9.0, NAN, 2e5)], [9.0, 2.0, 3.0], 1),
        ([anodes(T0, 1.0, 2.0, 3.0), anodes(T0, 9.0, 1.0, 3.0)], [1.0, 1.0, 3.0], 0),
        ([anodes(T0, 1.0, 2.0, 3.0), anodes(T0 + 1, 5.0, 5.0, NAN, quality=0)], [1.0, 2.0, 3.0], 2),
        ([anodes(T0, 1.0)], [1.0, NAN, NAN], 0),
    ],
)
def test_arrays_merge_by_element(items: list[Reading], row: list[float], refused: int) -> None:
    for order in (items, items[::-1]):
        frame, _ = one(*order)
        assert frame.anode_current_A is not None
        np.testing.assert_array_equal(frame.anode_current_A[0], row)
        assert frame.array_bad[0, 0] == refused


def test_array_counts() -> None:
    assert one(anodes(T0, 1.0, NAN, 3.0), anodes(T0, 1.0, NAN, 3.0))[1]["duplicates"] == 1
    assert one(anodes(T0, 1.0, 2.0, 3.0), anodes(T0, 1.0, 2.5, 3.0))[1]["conflicts"] == 1
    assert one(anodes(T0, 1.0, 2.0, 3.0), anodes(T0 + 1, 1.0, 2.0, 3.0))[1]["superseded"] == 1
    assert one(anodes(T0, 1.0, 2.0, 3.0, 4.0))[1]["undeclared"] == 1
    assert one(anodes(T0, 1.0, 2.0, 3.0, NAN))[1]["undeclared"] == 0


def test_line_readings_fill_cells_that_have_none() -> None:
    frame, _ = one(
        Reading(T0, "L1", "", "line_current_A", 3e5), Reading(T0, "L1", "L1-1", "line_current_A", 2e5)
    )
    np.testing.assert_array_equal(frame.scalar[CURRENT], [3e5, 2e5, 3e5])


def test_refused_line_reading_marks_its_cells() -> None:
    frame, _ = one(
        Reading(T0, "L1", "", "line_current_A", 9e9), Reading(T0, "L1", "L1-1", "line_current_A", 2e5)
    )
    np.testing.assert_array_equal(frame.bad[CURRENT], [True, False, True])


def test_nameless_line_is_the_only_one() -> None:
    reading = Reading(T0, "", "", "line_current_A", 3e5)
    assert one(reading)[0].scalar[CURRENT, 2] == 3e5
    two = Aligner(plant(2, ("L1", "L2")))
    assert run(two, [reading]) == []
    assert two.counts["unknown"] == 1
    frame = run(Aligner(plant(1, ("L1", "L2"))), [Reading(T0, "L2", "", "line_current_A", 3e5)])[0]
    np.testing.assert_array_equal(frame.scalar[CURRENT], [NAN, 3e5])


def test_watermark_follows_the_third_newest_cell() -> None:
    aligner = Aligner(plant(4), lateness_s=10.0)
    for cell, ahead_s in enumerate((20, 30, 40, 3600)):
        aligner.push(volts(T0 + ahead_s * S, 4.0, cell=cell))
    assert aligner.watermark_us == T0 + 20 * S
    aligner.push(Tick(T0 + 31 * S))
    assert aligner.watermark_us == T0 + 21 * S
    aligner.push(Tick(T0))
    assert aligner.watermark_us == T0 + 21 * S


@pytest.mark.parametrize("first", [0, 1])
def test_one_wrong_clock_does_not_make_the_others_late(first: int) -> None:
    aligner = Aligner(plant(3))
    wrong = [volts(T0 + 86_400 * S + s * S, 4.0, cell=0) for s in range(50)]
    right = [volts(T0 + s * S, 4.0, cell=c) for s in range(50) for c in (1, 2)]
    frames = run(aligner, wrong + right if first == 0 else right + wrong)
    assert aligner.counts["late"] == 0
    assert sum(np.isfinite(f.scalar[VOLTAGE]).sum() for f in frames) == 100
    assert aligner.counts["ahead"] == 50


def test_lone_cell_moves_the_watermark_after_a_minute() -> None:
    aligner = Aligner(plant(3))
    for s in range(59):
        aligner.push(volts(T0 + s * S, 4.0))
    assert aligner.watermark_us == 0
    aligner.push(volts(T0 + 60 * S, 4.0))
    assert aligner.watermark_us == T0 + 50 * S
    alone = Aligner(plant(1))
    alone.push(volts(T0, 4.0))
    assert alone.watermark_us == T0 - 10 * S


DAYS = 90 * 86_400 * S


def stream(cells: Iterable[int], seconds: int) -> list[Item]:
    return [volts(T0 + s * S, 4.0 + s / 1000, cell=c) for s in range(seconds) for c in cells]


@pytest.mark.parametrize(
    ("n_cells", "old", "alive"),
    [(24, [0], range(1, 24)), (3, [0], [1, 2]), (2, [0], [1]), (24, [0, 1], [3, 4, 5, 6]), (24, [0, 1], [2])],
)
@pytest.mark.parametrize("far_us", [-DAYS, DAYS])
def test_one_message_a_cell_does_not_decide_the_start(
    n_cells: int, old: list[int], alive: Iterable[int], far_us: int
) -> None:
    retained: list[Item] = [volts(T0 + far_us, 9.0, cell=c) for c in old]
    aligner, alone = Aligner(plant(n_cells)), Aligner(plant(n_cells))
    frames = run(aligner, retained + stream(alive, 100))
    assert list(map(flat, frames)) == list(map(flat, run(alone, stream(alive, 100))))
    assert aligner.counts["before_start" if far_us < 0 else "ahead"] == len(old)
    assert (aligner.counts["late"], aligner.pending) == (0, 0)


@pytest.mark.parametrize("n_cells", [1, 2, 3, 24])
def test_one_reading_of_another_century_moves_nothing(n_cells: int) -> None:
    items = stream(range(n_cells), 100)
    wrong = volts(4_070_908_800 * S, 4.0)
    aligner, right = Aligner(plant(n_cells)), Aligner(plant(n_cells))
    frames = run(aligner, [*items[: 50 * n_cells], wrong, *items[50 * n_cells :]])
    assert list(map(flat, frames)) == list(map(flat, run(right, items)))
    assert (aligner.counts["ahead"], aligner.counts["late"], aligner.pending) == (1, 0, 0)


@pytest.mark.parametrize("n_cells", [1, 2, 3, 24])
@pytest.mark.parametrize("seconds", [5, 70, 4000])
def test_after_a_gap_the_line_goes_on(n_cells: int, seconds: int) -> None:
    first = stream(range(n_cells), 20)
    then = [msgspec.structs.replace(i, time_us=i.time_us + DAYS) for i in stream(range(n_cells), seconds)]  # pyright: ignore
    aligner = Aligner(plant(n_cells))
    frames = run(aligner, first + then)
    assert len(frames) == 20 + seconds
    assert (aligner.counts["ahead"], aligner.counts["late"]) == (0, 0)


def test_a_cell_that_comes_back_alone_is_believed_after_an_hour() -> None:
    aligner = Aligner(plant(4))
    for item in stream(range(4), 20):
        aligner.push(item)
    for s in range(3601):
        assert aligner.watermark_us == T0 + 9 * S
        aligner.push(volts(T0 + DAYS + s * S, 4.0))
    assert aligner.watermark_us == T0 + DAYS + 3590 * S


def test_a_clock_that_stays_wrong_is_never_believed_while_others_speak() -> None:
    aligner = Aligner(plant(4), max_pending=5000)
    for s in range(0, 8000, 4):
        aligner.push(volts(T0 + DAYS + s * S, 4.0))
        aligner.push(volts(T0 + DAYS + (s + 2) * S, 4.0))
        for c in (1, 2, 3):
            aligner.push(volts(T0 + s * S, 4.0, cell=c))
        list(aligner.closed())
    assert aligner.watermark_us == T0 + 7986 * S
    assert aligner.counts["late"] == 0
    assert aligner.late_by_cell == {}


def test_late_readings_are_counted_by_cell() -> None:
    aligner = Aligner(plant())
    for item in stream(range(3), 30):
        aligner.push(item)
    aligner.push(volts(T0, 4.0, cell=1))
    aligner.push(anodes(T0, 1.0, cell=1))
    aligner.push(volts(T0, 4.0, cell=2))
    aligner.push(Reading(T0, "L1", "", "line_current_A", 3e5))
    restored: Aligner = pickle.loads(pickle.dumps(aligner))
    assert restored.late_by_cell == {"L1-1": 2, "L1-2": 1}
    assert restored.counts["late"] == 4


def test_a_clock_without_battery_is_late() -> None:
    aligner = Aligner(plant())
    frames = run(
        aligner, [volts(-5 * S, 4.0), volts(0, 4.0, cell=1), volts(S, 4.0, cell=2), *stream(range(3), 3)]
    )
    assert [f.time_us for f in frames] == [T0, T0 + S, T0 + 2 * S]
    assert aligner.counts["late"] == 3


def test_unknown_cells_are_named_and_the_names_bounded() -> None:
    aligner = Aligner(plant())
    for i in range(300):
        aligner.push(Reading(T0, "L1", f"X{i}", "cell_voltage_V", 4.0))
    aligner.push(Event(T0, T0, "X0", "tap", {}))
    aligner.push(Reading(T0, "L1", "L1-0", "pot_voltage", 4.0))
    assert aligner.counts["unknown"] == 302
    assert len(aligner.unknown_by_cell) == 100
    assert aligner.unknown_by_cell["X0"] == 2
    assert "L1-0" not in aligner.unknown_by_cell


def test_late_is_decided_at_push_whenever_frames_are_taken() -> None:
    items: list[Item] = [volts(T0 + s * S, 4.0, cell=c) for s in range(30) for c in range(3)]
    items += [volts(T0 + 3 * S, 4.5), volts(T0 + 19 * S, 4.5), volts(T0 + 18 * S + 999_999, 4.5)]
    eager, lazy = Aligner(plant()), Aligner(plant())
    eager_frames: list[Frame] = []
    for item in items:
        eager.push(item)
        eager_frames += eager.closed()
    eager_frames += eager.flush()
    assert list(map(flat, eager_frames)) == list(map(flat, run(lazy, items)))
    assert eager.counts == lazy.counts
    assert (lazy.counts["late"], lazy.counts["duplicates"] + lazy.counts["conflicts"]) == (2, 1)


def test_after_flush_all_is_late() -> None:
    aligner = Aligner(plant())
    assert len(run(aligner, [volts(T0, 4.0)])) == 1
    assert run(aligner, [volts(T0, 4.1)]) == []
    assert aligner.counts["late"] == 1
    assert aligner.pending == 0


def test_far_ahead_ticks_are_bounded_and_near_ones_survive() -> None:
    aligner = Aligner(plant(4), max_pending=100)
    for s in range(2):
        aligner.push(volts(T0 + s * S, 4.0, cell=1))
        aligner.push(volts(T0 + s * S, 4.0, cell=2))
    for s in range(1000):
        aligner.push(volts(T0 + 9_000 * S + s * S, 4.0, cell=0))
    assert aligner.pending <= 100
    for s in range(40):
        for c in (1, 2, 3):
            aligner.push(volts(T0 + s * S, 4.0, cell=c))
        for frame in aligner.closed():
            assert np.isfinite(frame.scalar[VOLTAGE, 1:]).all()
    assert aligner.counts["late"] == 0
    assert aligner.counts["ahead"] >= 900
    frames = [f for f in aligner.flush() if f.time_us < T0 + 40 * S]
    assert len(frames) == 11


def test_entries_come_when_they_are_known() -> None:
    aligner = Aligner(plant())
    feed = Event(T0, T0 + 5 * S, "L1-0", "alumina_feed", {"mass_kg": 1.8})
    taken = Sample(T0 - 3600 * S, T0 + 5 * S, "L1-1", "bath_temp_C", 960.0)
    meter = CounterReading(T0 + 2 * S, "L1", "line_dc_energy_kWh", 7.0)
    ack = Operator(T0 + 2 * S, "ack", "a", "me")
    frames = {f.time_us: f for f in run(aligner, [feed, taken, meter, ack, volts(T0 + 5 * S, 4.0)])}
    assert frames[T0 + 5 * S].events == (feed,)
    assert frames[T0 + 5 * S].samples == (taken,)
    assert frames[T0 + 2 * S].counters == (meter,)
    assert frames[T0 + 2 * S].operators == (ack,)
    assert sorted(frames) == [T0 + 2 * S, T0 + 5 * S]


def test_late_entries_go_to_the_next_open_tick() -> None:
    aligner = Aligner(plant(1), lateness_s=0.0)
    aligner.push(volts(T0 + 100 * S, 4.0))
    late = Event(T0, T0 + S, "L1-0", "tap", {"metal_kg": 1500.0})
    aligner.push(late)
    assert aligner.counts["late_entries"] == 1
    frame = next(aligner.flush())
    assert (frame.time_us, frame.events) == (T0 + 100 * S, (late,))


def test_repeated_entries_count_once() -> None:
    feed = Event(T0, T0, "L1-0", "alumina_feed", {"mass_kg": 1.8})
    again = msgspec.structs.replace(feed, received_us=T0 + 50 * S)
    other = msgspec.structs.replace(feed, attributes={"mass_kg": 1.8, "feeder": 2})
    aligner = Aligner(plant())
    frames = run(aligner, [feed, again, other, volts(T0 + 60 * S, 4.0)])
    assert sum(len(f.events) for f in frames) == 2
    assert aligner.counts["duplicates"] == 1


def test_memory_of_entries_is_bounded() -> None:
    aligner = Aligner(plant(), max_remembered=10)
    for s in range(100):
        aligner.push(Event(T0 + s * S, T0 + s * S, "L1-0", "beam_move", {"delta_mm": 1.0}))
    aligner.push(Event(T0 + 95 * S, T0 + 95 * S, "L1-0", "beam_move", {"delta_mm": 1.0}))
    assert aligner.counts["duplicates"] == 1
    assert len(pickle.dumps(aligner._seen)) < 3000  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("item", "count"),
    [
        (Reading(T0, "L1", "x", "cell_voltage_V", 4.0), "unknown"),
        (Reading(T0, "L1", "L1-0", "pot_voltage", 4.0), "unknown"),
        (Reading(T0, "L1", "", "cell_voltage_V", 4.0), "unknown"),
        (Reading(T0, "L9", "", "line_current_A", 4.0), "unknown"),
        (Sample(T0, T0, "x", "bath_temp_C", 960.0), "unknown"),
        (Sample(T0, T0, "L1-0", "bath_temp_C", 96.0), "out_of_range"),
        (Event(T0, T0, "x", "tap", {}), "unknown"),
        (CounterReading(T0, "L9", "line_dc_energy_kWh", 1.0), "unknown"),
        (CounterReading(T0, "L1", "line_dc_energy_kWh", -1.0), "out_of_range"),
    ],
)
def test_what_does_not_belong_is_counted_and_left_out(item: Item, count: str) -> None:
    aligner = Aligner(plant())
    assert run(aligner, [item]) == []
    assert aligner.counts[count] == 1


def test_wrong_anode_loses_its_number() -> None:
    here = volts(T0, 4.0)
    frame, counts = one(Event(T0, T0, "L1-0", "anode_change", {"anode": 4, "set_height_mm": 1.0}), here)
    assert frame.events[0].attributes == {"set_height_mm": 1.0}
    assert counts["wrong_anode"] == 1
    assert one(Event(T0, T0, "L1-0", "anode_change", {"anode": 3}), here)[0].events[0].attributes == {
        "anode": 3
    }


def test_flush_ends_with_the_readings() -> None:
    known_later = Event(T0, T0 + 60 * S, "L1-0", "tap", {"metal_kg": 1.0})
    assert [f.time_us for f in run(Aligner(plant()), [volts(T0, 4.0), known_later])] == [T0]


def mixed(seed: int, n: int = 400) -> list[Item]:
    """A busy stream of three cells, each item due within the lateness."""
    rng = random.Random(seed)
    items: list[Item] = []
    for i in range(n):
        time_us = T0 + i * 50_000 + rng.randrange(4) * 10_000
        cell = rng.randrange(3)
        items += [volts(time_us, round(rng.uniform(3.9, 4.3), 2), cell=cell)]
        if i % 3 == 0:
            items.append(anodes(time_us, *(rng.choice([1.0, 2.0, NAN, 2e5]) for _ in range(3)), cell=cell))
        if i % 7 == 0:
            items.append(Reading(time_us, "L1", "", "line_current_A", rng.choice([3e5, 3.1e5])))
            items.append(Event(time_us, time_us, f"L1-{cell}", "alumina_feed", {"mass_kg": 1.8}))
            items.append(Sample(time_us - 9 * S, time_us, f"L1-{cell}", "bath_temp_C", 960.0))
    return items


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_arrival_does_not_show(seed: int) -> None:
    items = mixed(1)
    shuffled = items.copy()
    random.Random(seed).shuffle(shuffled)
    # All of it lies within 21 s, so nothing is late with a lateness of 60 s.
    a, b = Aligner(plant(), lateness_s=60.0), Aligner(plant(), lateness_s=60.0)
    assert list(map(flat, run(a, items))) == list(map(flat, run(b, shuffled)))
    assert (a.counts["late"], b.counts["late"]) == (0, 0)


@pytest.mark.parametrize("cut", [1, 57, 300])
def test_pickled_and_restored_goes_on_bit_by_bit(cut: int) -> None:
    items = mixed(2)
    whole = run(straight := Aligner(plant()), items)
    aligner = Aligner(plant())
    for item in items[:cut]:
        aligner.push(item)
    head = list(aligner.closed())
    restored: Aligner = pickle.loads(pickle.dumps(aligner))
    rest = run(restored, items[cut:])
    assert list(map(flat, head + rest)) == list(map(flat, whole))
    assert restored.counts == straight.counts


def test_every_reading_is_accounted_for() -> None:
    items = mixed(3)
    rng = random.Random(3)
    items = [
        volts(i.time_us - 30 * S, 4.0) if rng.random() < 0.1 and isinstance(i, Reading) else i for i in items
    ]
    aligner = Aligner(plant())
    placed = 0
    for item in items:
        if isinstance(item, Reading) and item.signal == "cell_voltage_V":
            aligner.push(item)
            placed += sum(int(np.isfinite(f.scalar[VOLTAGE]).sum()) for f in aligner.closed())
    placed += sum(int(np.isfinite(f.scalar[VOLTAGE]).sum()) for f in aligner.flush())
    c = aligner.counts
    assert c["late"] > 0
    assert c["readings"] == placed + sum(c[k] for k in ("late", "duplicates", "superseded", "conflicts"))


@pytest.mark.parametrize(("frame_s", "lateness_s"), [(0.0, 1.0), (1.0, -1.0)])
def test_impossible_settings_are_refused(frame_s: float, lateness_s: float) -> None:
    with pytest.raises(ValueError, match="frame_s"):
        Aligner(plant(), frame_s, lateness_s)
