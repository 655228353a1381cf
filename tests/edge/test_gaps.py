"""Gaps and wrong times: a bounded number of scans, and the same ones live and in a replay."""

import math
import pickle
from collections.abc import Iterable

import numpy as np
import pytest

from edge.alarm_rules import load_texts
from edge.config import Config
from edge.pipeline import Output, Pipeline
from edge.scan import Scan, ScanBuilder
from streams.frame import Frame
from streams.messages import Event, Item, Operator, Reading, Tick
from streams.plant_file import Cell, Plant
from twin.signals import ARRAY_READINGS, SCALAR_READINGS

S = 1_000_000
HOUR = 3600 * S
DAY = 24 * HOUR
T0 = 1_790_000_000 * S
CELLS = tuple(f"L1-{i:03d}" for i in range(1, 7))
PLANT = Plant(
    site="s",
    time_zone="UTC",
    lines=("L1",),
    cells=tuple(Cell(id=c, line="L1", rated_current_A=3e5, n_anodes=28) for c in CELLS),
)


def rows(start_us: int, seconds: int, cells: Iterable[str] = CELLS, every_s: int = 5) -> list[Item]:
    return [
        Reading(start_us + s * S, "L1", cell, signal, value)
        for s in range(0, seconds, every_s)
        for i, cell in enumerate(cells)
        for signal, value in (("cell_voltage_V", 4.1 + 0.001 * ((s * 7 + i) % 11)), ("line_current_A", 3e5))
    ]


def run(items: Iterable[Item], batch: int = 10**9, *, flush: bool = True) -> tuple[Pipeline, Output]:
    pipeline = Pipeline(PLANT, Config(), load_texts())
    waiting = list(items)
    said = Output([], [])
    for start in range(0, len(waiting), batch):
        for old, new in zip(said, pipeline.push(waiting[start : start + batch]), strict=True):
            old.extend(new)  # pyright: ignore[reportArgumentType]
    if flush:
        for old, new in zip(said, pipeline.flush(), strict=True):
            old.extend(new)  # pyright: ignore[reportArgumentType]
    return pipeline, said


def creeping(start_us: int, end_us: int, step_s: int = 30) -> list[Item]:
    return [Tick(t) for t in range(start_us, end_us, step_s * S)]


@pytest.mark.parametrize("gap_us", [40 * 60 * S, HOUR + 7 * S, 5 * HOUR + 11 * S, 3 * DAY + 123_456])
def test_a_creeping_clock_and_a_leaping_one_give_the_same(gap_us: int) -> None:
    before = rows(T0, 900)
    after = rows(T0 + 900 * S + gap_us, 900)
    ack = Operator(T0 + 900 * S + gap_us // 2, "ack", "nobody's", "me")
    leap, expected = run([*before, ack, *after])
    creep, found = run([*before, *creeping(T0 + 900 * S, T0 + 890 * S + gap_us), *after], batch=100)
    assert found.alarms == expected.alarms
    assert [repr(p) for p in found.points] == [repr(p) for p in expected.points]
    assert creep.scans == leap.scans
    assert leap.frames == creep.frames + 1
    silent = [a.transition for a in found.alarms if a.kind == "stream_silent"]
    assert silent == ["raise", "clear"]


@pytest.mark.parametrize("far_us", [90 * DAY, 9_000 * DAY])
def test_a_gap_costs_a_bounded_number_of_scans_and_the_twin_lives_through_it(far_us: int) -> None:
    pipeline, said = run([*rows(T0 - far_us, 300), *rows(T0, 300)])
    assert pipeline.scans <= 60 + 360 + math.ceil(math.log2(far_us / HOUR)) + 1
    view = pipeline.view
    assert view is not None
    for name in ("bath_temp_C", "alumina_pct", "heat_loss_kW", "voltage_residual_V"):
        assert np.isfinite(getattr(view.estimate, name)).all(), name
    assert [a.transition for a in said.alarms if a.kind == "stream_silent"] == ["raise", "clear"]


@pytest.mark.parametrize("old", [(CELLS[0],), CELLS[:2]])
def test_old_messages_at_the_start_leave_no_trace(old: tuple[str, ...]) -> None:
    alive = rows(T0, 600, CELLS[2:])
    pipeline, found = run([*rows(T0 - 90 * DAY, 1, old), *alive], batch=4)
    right, expected = run(alive)
    assert found.alarms == expected.alarms
    assert [repr(p) for p in found.points] == [repr(p) for p in expected.points]
    assert pipeline.scans == right.scans
    assert pipeline.aligner.counts["before_start"] == 2 * len(old)


def test_a_row_of_2099_changes_nothing() -> None:
    items = rows(T0, 900)
    wrong = Reading(4_070_908_800 * S, "L1", CELLS[0], "cell_voltage_V", 4.1)
    middle = len(items) // 2
    pipeline, found = run([*items[:middle], wrong, *items[middle:]])
    right, expected = run(items)
    assert found.alarms == expected.alarms
    assert [repr(p) for p in found.points] == [repr(p) for p in expected.points]
    assert (pipeline.scans, pipeline.frames) == (right.scans, right.frames)
    assert pipeline.aligner.counts["ahead"] == 1


def test_saved_in_the_middle_of_a_gap_it_goes_on() -> None:
    items = [*rows(T0, 300), *creeping(T0 + 300 * S, T0 + 5 * HOUR)]
    pipeline, _ = run(items, flush=False)
    copy: Pipeline = pickle.loads(pickle.dumps(pipeline))
    rest = rows(T0 + 6 * HOUR, 300)
    first, second = pipeline.push(rest), copy.push(rest)
    assert first.alarms == second.alarms
    assert repr(first.points) == repr(second.points)


def frame(time_us: int, value: float = math.nan, **entries: object) -> Frame:
    scalar = np.full((len(SCALAR_READINGS), 1), value)
    bad = np.zeros(scalar.shape, dtype=np.bool_)
    array_bad = np.zeros((len(ARRAY_READINGS), 1), dtype=np.int64)
    return Frame(time_us, scalar, bad, None, None, None, array_bad, (), (), (), ())._replace(**entries)  # pyright: ignore


def scans(frames: Iterable[Frame], end_us: int) -> list[Scan]:
    builder = ScanBuilder(1, 1, 1, 1, 10 * S)
    found: list[Scan] = []
    for each in frames:
        found += builder.up_to(each)
        builder.add(each)
    return [*found, *builder.before(end_us)]


def test_lengths_of_scans_add_up_to_the_time_that_passed() -> None:
    start_us = T0 // (10 * S) * 10 * S
    found = scans([frame(start_us, 1.0), frame(start_us + 5 * HOUR + 25 * S, 2.0)], start_us + 6 * HOUR)
    assert found[0].length_s == 10.0
    assert sum(scan.length_s for scan in found) == 6 * 3600.0
    ends = [(scan.time_us - start_us) // S for scan in found if scan.length_s > 10.0]
    assert ends == [7210, 14410, 18020]
    at = {(scan.time_us - start_us) // S: scan.scalar[0, 0] for scan in found}
    assert (at[10], at[18030]) == (1.0, 2.0)
    assert sum(not np.isnan(value) for value in at.values()) == 2


def test_what_is_no_reading_neither_begins_nor_ends_a_silence() -> None:
    tap = Event(T0, T0, "c", "tap", {})
    assert scans([frame(T0, events=(tap,))], T0 + DAY) == []
    quiet = scans([frame(T0, 1.0)], T0 + DAY)
    spoken = scans([frame(T0, 1.0), frame(T0 + 3 * HOUR, events=(tap,))], T0 + DAY)
    assert [s.time_us for s in quiet] == [s.time_us for s in spoken]
    refused = np.ones((len(SCALAR_READINGS), 1), dtype=np.bool_)
    assert len(scans([frame(T0, bad=refused)], T0 + 60 * S)) >= 6
