"""Instruments that refuse, stick, stop or contradict each other."""

from collections.abc import Callable

import numpy as np
import pytest

from models.base import View
from models.sensor import SIGNAL_CODES, SensorFault
from tests.models.views import (
    CURRENT,
    DUCT,
    VOLTAGE,
    Room,
    first_hour,
    hours_of,
    layout,
    quiet,
)


def nothing(_minute: int, _view: View) -> None:
    """No fault."""


def run_sensor(
    room: Room, detector: SensorFault, hours: float, change: Callable[[int, View], None]
) -> list[np.ndarray]:
    scores: list[np.ndarray] = []
    for minute, view in enumerate(hours_of(room, hours)):
        change(minute, view)
        scores.append(detector.update(view)[0].value)
    return scores


def test_stuck_voltage_while_the_line_lives() -> None:
    cells = layout(2)
    room, detector = Room(cells), SensorFault(cells)
    assert not (np.array(run_sensor(room, detector, 1.0, nothing)) >= 1.0).any()
    room.stuck[1] = True
    scores = run_sensor(room, detector, 0.5, nothing)
    assert 9.0 <= first_hour(scores, 1, 0) * 60.0 <= 12.0
    assert quiet(scores, 0, 0)
    evidence = detector.explain("sensor_fault", 1, 0).evidence
    assert SIGNAL_CODES[int(evidence["signal_code"])] == "cell_voltage_V"
    assert evidence["stuck_value"] == pytest.approx(room.last_V[1])


def test_scan_means_of_a_stuck_voltage_are_equal_too() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def mean_of_equals(minute: int, view: View) -> None:
        n = 7 + minute % 4
        view.scalar[VOLTAGE, 0] = sum([4.123] * n) / n

    means = {sum([4.123] * n) / n for n in (7, 8, 9, 10)}
    assert len(means) > 1
    assert run_sensor(room, detector, 0.5, mean_of_equals)[-1][0, 0] > 1.0


def test_equal_readings_by_chance_are_no_stuck_sensor() -> None:
    # A voltage of 1 mV resolution that comes every ten minutes is equal twice now and then.
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def rare(minute: int, view: View) -> None:
        view.scalar[VOLTAGE, 0] = 4.15 + 0.001 * (minute // 20) if minute % 10 == 0 else np.nan

    assert not (np.array(run_sensor(room, detector, 3.0, rare)) >= 1.0).any()


def test_line_off_is_no_stuck_sensor() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def off(_: int, view: View) -> None:
        view.scalar[:] = 0.0
        view.anode_current_A[:] = 0.0
        view.shell_temp_C[:] = 200.0

    assert not (np.array(run_sensor(room, detector, 8.0, off)) >= 1.0).any()


def test_an_outage_that_the_shells_live_through_is_no_stuck_sensor() -> None:
    cells = layout(2)
    room, detector = Room(cells), SensorFault(cells)
    run_sensor(room, detector, 1.0, nothing)

    def off(_minute: int, view: View) -> None:
        view.scalar[VOLTAGE] = 0.0
        view.scalar[CURRENT] = 0.0
        view.anode_current_A[:] = 0.0

    scores = run_sensor(room, detector, 2.0, off)
    assert quiet(scores, 0, 0)
    assert quiet(scores, 1, 0)
    assert not (np.array(run_sensor(room, detector, 0.5, nothing)) >= 1.0).any()


def test_stuck_shell_sensor_takes_six_hours_and_is_numbered() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def stick(_: int, view: View) -> None:
        view.shell_temp_C[0, 2] = 287.3

    scores = run_sensor(room, detector, 8.0, stick)
    assert first_hour(scores, 0, 0) == pytest.approx(6.0, abs=0.1)
    evidence = detector.explain("sensor_fault", 0, 0).evidence
    assert SIGNAL_CODES[int(evidence["signal_code"])] == "shell_temp_C"
    assert evidence["sensor_number"] == 3.0


def test_signal_that_stops_is_a_fault_of_the_sensor() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def stop(minute: int, view: View) -> None:
        view.scalar[DUCT, 0] = 120.0 + room.rng.normal()
        if minute >= 60:
            view.anode_current_A[0, 11] = np.nan

    scores = run_sensor(room, detector, 1.5, stop)
    assert 70.0 <= first_hour(scores, 0, 0) * 60.0 <= 72.0
    evidence = detector.explain("sensor_fault", 0, 0).evidence
    assert SIGNAL_CODES[int(evidence["signal_code"])] == "anode_current_A"
    assert evidence["sensor_number"] == 12.0
    assert evidence["stopped_sensors"] == 1.0


def test_signals_of_a_silent_cell_are_not_faulty_sensors() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def die(minute: int, view: View) -> None:
        if minute >= 60:
            view.scalar[VOLTAGE] = np.nan
            view.anode_current_A[:] = np.nan
            view.shell_temp_C[:] = np.nan

    assert not (np.array(run_sensor(room, detector, 3.0, die)) >= 1.0).any()


def test_anode_sum_against_line_current() -> None:
    cells = layout(2)
    room, detector = Room(cells), SensorFault(cells)

    def scale(_: int, view: View) -> None:
        view.anode_current_A[0] *= 1.12
        view.anode_current_A[1] *= 1.08

    scores = run_sensor(room, detector, 1.0, scale)
    assert scores[-1][0, 0] == pytest.approx(1.2, abs=0.01)
    assert scores[-1][1, 0] == pytest.approx(0.8, abs=0.01)
    evidence = detector.explain("sensor_fault", 0, 0).evidence
    assert evidence["mismatch_frac"] == pytest.approx(0.12, abs=0.001)
    assert evidence["sum_of_anodes_A"] > evidence["line_current_A"]


def test_refused_shell_readings_persist() -> None:
    cells = layout(1)
    room, detector = Room(cells), SensorFault(cells)

    def refuse(minute: int, view: View) -> None:
        if minute >= 30:
            view.shell_bad[0] = 1.0
            view.shell_temp_C[0, 4] = np.nan

    scores = run_sensor(room, detector, 0.75, refuse)
    assert 34.0 <= first_hour(scores, 0, 0) * 60.0 <= 37.0
    found = detector.explain("sensor_fault", 0, 0)
    assert SIGNAL_CODES[int(found.evidence["signal_code"])] == "shell_temp_C"
    assert (found.evidence["sensor_number"], found.side) == (5.0, "up")


def test_a_rod_that_gains_is_named_with_its_anode() -> None:
    cells = layout(1)
    room, detector = Room(cells, scan_s=300.0, change_every_h=1e9), SensorFault(cells)
    room.age_h[:] = 300.0
    assert not (np.array(run_sensor(room, detector, 20.0, nothing)) >= 1.0).any()

    def gain(_: int, view: View) -> None:
        view.anode_current_A[0, 11] *= 1.15

    scores = run_sensor(room, detector, 1.0, gain)
    assert scores[-1][0, 0] >= 1.0
    found = detector.explain("sensor_fault", 0, 0)
    assert (found.anode, found.side) == (12, None)
    assert SIGNAL_CODES[int(found.evidence["signal_code"])] == "anode_current_A"


def test_thermocouples_that_leap_or_warm_alone_are_named_with_their_side() -> None:
    cells = layout(3)
    room, detector = Room(cells), SensorFault(cells)
    assert not (np.array(run_sensor(room, detector, 3.0, nothing)) >= 1.0).any()

    def drift(minute: int, view: View) -> None:
        view.shell_temp_C[0, 2] += 30.0
        view.estimate.shell_residual_C[1, 6] += min(minute * 0.2, 40.0)

    scores = run_sensor(room, detector, 12.0, drift)
    assert first_hour(scores, 0, 0) < 0.1
    assert 2.0 < first_hour(scores, 1, 0) < 10.0
    assert quiet(scores, 2, 0)
    for cell, number, side in ((0, 3.0, "tap"), (1, 7.0, "down")):
        found = detector.explain("sensor_fault", cell, 0)
        assert found.side == side
        assert found.evidence["sensor_number"] == number
    assert detector.explain("sensor_fault", 1, 0).causes[0].cause == "sensor_drift"


def test_a_slow_instrument_that_never_rested_is_stuck_within_the_hour() -> None:
    cells = layout(1)
    room, detector = Room(cells, scan_s=300.0), SensorFault(cells)
    run_sensor(room, detector, 14.0, nothing)

    def stick(_: int, view: View) -> None:
        view.shell_temp_C[0, 2] = 287.3

    assert first_hour(run_sensor(room, detector, 2.0, stick), 0, 0) * 5.0 < 1.0
    assert detector.explain("sensor_fault", 0, 0).side == "tap"
