"""Payloads to items: every rule of the wire, and no bytes at all that break it."""

import json
import logging
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.decode import Decoder
from streams.messages import REASONS, CounterReading, Event, Fault, Item, Reading, Sample
from streams.plant_file import Cell, Plant
from twin.signals import EVENTS, SIGNALS

T0 = 1_760_000_000_000_000
T0_MS = T0 // 1000
PLANT = Plant(
    site="s",
    time_zone="UTC",
    lines=("L1", "L2"),
    cells=(Cell(id="c1", line="L1", n_anodes=3, n_shell=2), Cell(id="c2", line="L2")),
)
UNS = "umh/v1/{enterprise}/{site}/{area}/{line}/{cell}/_historian/{tag}"


def decode(topic: str, payload: Any, received_us: int = T0, **options: Any) -> list[Item | Fault]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Decoder(PLANT, **options).decode(topic, raw, received_us)


def same(found: list[Item | Fault], expected: list[Item | Fault]) -> bool:
    return repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("s/L1/c1/cell_voltage_V", b"4.125", Reading(T0, "L1", "c1", "cell_voltage_V", 4.125)),
        ("s/L1/c1/cell_voltage_V", b"4\n", Reading(T0, "L1", "c1", "cell_voltage_V", 4.0)),
        (
            "s/L1/c1/cell_voltage_V",
            {"timestamp_ms": T0_MS - 1.125, "value": 4.5, "quality": 0},
            Reading(T0 - 1125, "L1", "c1", "cell_voltage_V", 4.5, 0),
        ),
        ("s/L1/line_current_A", b"3e5", Reading(T0, "L1", "", "line_current_A", 3e5)),
        (
            "s/L1/c1/anode_current_A",
            b"[1,2,null]",
            Reading(T0, "L1", "c1", "anode_current_A", (1.0, 2.0, math.nan)),
        ),
        (
            "s/L1/c1/anode_current_A/02",
            b"7",
            Reading(T0, "L1", "c1", "anode_current_A", (math.nan, 7.0, math.nan)),
        ),
        (
            "s/L1/c1/anode_current_A_02",
            b"7",
            Reading(T0, "L1", "c1", "anode_current_A", (math.nan, 7.0, math.nan)),
        ),
        ("s/L1/c1/bath_temp_C", b"960", Sample(T0, T0, "c1", "bath_temp_C", 960.0)),
        (
            "s/L1/c1/sample",
            {
                "timestamp_ms": T0_MS - 1000,
                "received_ms": T0_MS - 400,
                "signal": "excess_alf3_pct",
                "value": 11,
            },
            Sample(T0 - 1_000_000, T0 - 400_000, "c1", "excess_alf3_pct", 11.0),
        ),
        (
            "s/L1/c1/event",
            {"timestamp_ms": T0_MS, "event": "anode_change", "anode": 2, "set_height_mm": 20},
            Event(T0, T0, "c1", "anode_change", {"anode": 2, "set_height_mm": 20.0}),
        ),
        (
            "s/L1/c1/event",
            {"timestamp_ms": T0_MS + 5, "event": "feed_mode", "mode": "under"},
            Event(T0 + 5000, T0 + 5000, "c1", "feed_mode", {"mode": "under"}),
        ),
        (
            "s/L1",
            {"timestamp_ms": T0_MS, "rectifier_ac_energy_kWh": 5e11},
            CounterReading(T0, "L1", "rectifier_ac_energy_kWh", 5e11),
        ),
        (
            "s/L1/c1/line_dc_energy_kWh",
            {"timestamp_ms": T0_MS, "value": 7},
            CounterReading(T0, "L1", "line_dc_energy_kWh", 7.0),
        ),
    ],
)
def test_one_item(topic: str, payload: Any, expected: Item) -> None:
    assert same(decode(topic, payload), [expected])


def test_snapshot_gives_all_that_it_holds() -> None:
    found = decode(
        "s/L1/c1",
        {
            "timestamp_ms": T0_MS,
            "cell_voltage_V": 4.2,
            "line_current_A": 3e5,
            "beam_position_mm": None,
            "anode_current_A": [None, None, None],
            "shell_temp_C_02": 300,
            "bath_temp_C": 961,
        },
    )
    expected: list[Item | Fault] = [
        Reading(T0, "L1", "c1", "cell_voltage_V", 4.2),
        Reading(T0, "L1", "c1", "line_current_A", 3e5),
        Sample(T0, T0, "c1", "bath_temp_C", 961.0),
        Reading(T0, "L1", "c1", "shell_temp_C", (math.nan, 300.0)),
    ]
    assert same(found, expected)


def test_uns_layout() -> None:
    found = decode("umh/v1/e/s/a/L1/c1/_historian/cell_voltage_V", b"4", templates=[UNS])
    assert same(found, [Reading(T0, "L1", "c1", "cell_voltage_V", 4.0)])


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("s/L1/c1", b"{", "not_json"),
        ("s/L1/c1/cell_voltage_V", b"NaN", "not_json"),
        ("s/L1/c1/cell_voltage_V", b"", "not_json"),
        ("s/L1/c1/cell_voltage_V", b"\xff\xfe", "not_json"),
        ("s/L1/c1/cell_voltage_V", b"[" * 100_000, "not_json"),
        ("s/L1/c1/cell_voltage_V", b"1e999", "not_finite"),
        ("s/L1/c1/cell_voltage_V", b'"NaN"', "not_finite"),
        ("s/L1/c1/cell_voltage_V", b"2e9", "absurd_value"),
        ("s/L1/c1/cell_voltage_V", b"9" * 300, "absurd_value"),
        ("s/L1/c1/cell_voltage_V", b"9" * 5000, "not_finite"),
        ("s/L1/c1/cell_voltage_V", b'"4.2"', "wrong_type"),
        ("s/L1/c1/cell_voltage_V", b"true", "wrong_type"),
        ("s/L1/c1/cell_voltage_V", {"timestamp_ms": T0_MS}, "wrong_type"),
        ("s/L1/c1/cell_voltage_V", {"timestamp_ms": str(T0_MS), "value": 4}, "wrong_type"),
        ("s/L1/c1", b"4.2", "not_object"),
        ("s/L1/c1", {"cell_voltage_V": 4}, "no_timestamp"),
        ("s/L1/c1", {"timestamp_ms": 1_700_000_000, "cell_voltage_V": 4}, "time_too_old"),
        ("s/L1/c1", {"timestamp_ms": -1, "cell_voltage_V": 4}, "time_too_old"),
        ("s/L1/c1", {"timestamp_ms": T0_MS + 300_001, "cell_voltage_V": 4}, "time_in_future"),
        ("s/L1/c1", {"timestamp_ms": 10**40, "cell_voltage_V": 4}, "time_in_future"),
        ("s/L1/c9", {"timestamp_ms": T0_MS}, "unknown_cell"),
        ("s/L2/c1", {"timestamp_ms": T0_MS}, "unknown_line"),
        ("s/L9", {"timestamp_ms": T0_MS}, "unknown_line"),
        ("other/L1/c1", {"timestamp_ms": T0_MS}, "unknown_topic"),
        ("s/L1/c1/a/b/c", b"1", "unknown_topic"),
        ("s/L1/c1/pot_voltage", b"1", "unknown_signal"),
        ("s/L1/c1/cell_voltage_V/2", b"1", "unknown_signal"),
        ("s/L1/cell_voltage_V", b"1", "unknown_signal"),
        ("s/L1/c1/event", {"timestamp_ms": T0_MS, "event": "explosion"}, "unknown_event"),
        ("s/L1/c1/event", {"timestamp_ms": T0_MS, "event": "feed_mode", "mode": "fast"}, "wrong_type"),
        ("s/L1/c1/event", {"timestamp_ms": T0_MS, "event": "feed_mode"}, "wrong_type"),
        ("s/L1/c1/sample", {"timestamp_ms": T0_MS, "signal": "cell_voltage_V", "value": 4}, "unknown_signal"),
        ("s/L1/c1/sample", {"timestamp_ms": T0_MS, "signal": "bath_temp_C", "value": 9600}, "absurd_value"),
        ("s/L1/c1/anode_current_A", b"[1,2]", "wrong_length"),
        ("s/L1/c1/anode_current_A/4", b"1", "wrong_length"),
        ("s/L2/c2/anode_current_A", b"[1]", "wrong_length"),
        ("s/L1/c1/anode_current_A", b"5", "wrong_type"),
    ],
)
def test_one_fault(topic: str, payload: Any, reason: str) -> None:
    found = decode(topic, payload)
    assert [f.reason for f in found if isinstance(f, Fault)] == [reason]
    assert len(found) == 1
    assert reason in REASONS


def test_every_reason_can_occur() -> None:
    marks = next(m for m in getattr(test_one_fault, "pytestmark") if m.name == "parametrize")  # noqa: B009
    assert {case[2] for case in marks.args[1]} | {"too_large"} == set(REASONS)


def test_good_keys_count_beside_bad_ones() -> None:
    found = decode(
        "s/L1/c1",
        {
            "timestamp_ms": T0_MS,
            "cell_voltage_V": "4",
            "duct_gas_temp_C": 120,
            "anode_current_A": [1, "x", 1e10],
        },
    )
    faults = [f for f in found if isinstance(f, Fault)]
    assert [(f.reason, f.detail.split(" ")[0]) for f in faults] == [
        ("wrong_type", "cell_voltage_V"),
        ("wrong_type", "anode_current_A"),
        ("absurd_value", "anode_current_A"),
    ]
    readings: list[Item | Fault] = [f for f in found if isinstance(f, Reading)]
    assert same(
        readings,
        [
            Reading(T0, "L1", "c1", "duct_gas_temp_C", 120.0),
            Reading(T0, "L1", "c1", "anode_current_A", (1.0, math.nan, math.nan)),
        ],
    )


def test_a_bad_attribute_does_not_cost_the_event() -> None:
    found = decode(
        "s/L1/c1/event", {"timestamp_ms": T0_MS, "event": "anode_change", "anode": 1.5, "butt_height_mm": 9}
    )
    assert isinstance(found[0], Fault)
    assert found[1:] == [Event(T0, T0, "c1", "anode_change", {"butt_height_mm": 9.0})]


def test_impossible_readings_go_on_to_the_aligner() -> None:
    assert decode("s/L1/c1/cell_voltage_V", b"500") == [Reading(T0, "L1", "c1", "cell_voltage_V", 500.0)]


def test_too_large_keeps_the_first_bytes_only() -> None:
    fault = decode("s/L1/c1", b"x" * 10_000, max_payload=5000)[0]
    assert isinstance(fault, Fault)
    assert (fault.reason, fault.size, len(fault.payload)) == ("too_large", 10_000, 4096)
    cut = Decoder(PLANT, max_payload=5000).decode("s/L1/c1", b"x" * 100, T0, size=9000)[0]
    assert isinstance(cut, Fault)
    assert (cut.reason, cut.size) == ("too_large", 9000)


def test_own_output_is_never_read_back() -> None:
    assert decode("s/L1/_potline/status", b"online") == []
    assert decode("s/L1/_potline/alarms/x", b"{}") == []


def test_unknown_keys_are_told_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    decoder = Decoder(PLANT)
    payload = json.dumps({"timestamp_ms": T0_MS, "cell_voltage_V": 4, "colour": 1}).encode()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert len(decoder.decode("s/L1/c1", payload, T0)) == 1
    assert decoder.ignored_keys == {"colour": 3}
    assert len(caplog.records) == 1


def test_filters_are_narrowed_to_the_site() -> None:
    assert Decoder(PLANT).filters == ("s/+/+/+", "s/+/+/+/+", "s/+/+", "s/+")


TOPICS = st.sampled_from(
    [
        "s/L1/c1",
        "s/L1",
        "s/L1/c1/event",
        "s/L1/c1/sample",
        "s/L1/c1/cell_voltage_V",
        "s/L1/c1/anode_current_A",
    ]
) | st.text(max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4), max_leaves=8)
KEYS = st.sampled_from(
    [
        *SIGNALS,
        "timestamp_ms",
        "received_ms",
        "value",
        "signal",
        "event",
        "quality",
        "anode",
        "mode",
        "shell_temp_C_01",
    ]
)
OBJECTS = st.dictionaries(KEYS, VALUES | st.sampled_from([*EVENTS, *SIGNALS, T0_MS]), max_size=8)


@settings(max_examples=300, deadline=None)
@given(topic=TOPICS, payload=st.binary(max_size=60))
def test_no_bytes_raise(topic: str, payload: bytes) -> None:
    assert isinstance(Decoder(PLANT).decode(topic, payload, T0), list)


@settings(max_examples=400, deadline=None)
@given(topic=TOPICS, raw=OBJECTS, now=st.booleans())
def test_no_json_raises_and_what_comes_is_sound(topic: str, raw: dict[str, Any], now: bool) -> None:
    if now:
        raw = {**raw, "timestamp_ms": T0_MS}
    for item in Decoder(PLANT).decode(topic, json.dumps(raw).encode(), T0):
        if isinstance(item, Fault):
            assert item.reason in REASONS
            assert item.detail
        elif isinstance(item, Reading):
            values = item.value if isinstance(item.value, tuple) else (item.value,)
            assert all(abs(v) <= 1e9 for v in values if v == v)
            assert any(v == v for v in values)
        elif isinstance(item, Sample | Event):
            assert item.received_us >= item.time_us
