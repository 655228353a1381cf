"""Cells that are not heard."""

import numpy as np
import pytest

from models.sensor import SIGNAL_CODES, SensorFault
from models.silence import Silence
from tests.models.views import VOLTAGE, Room, first_hour, hours_of, layout, quiet


def test_silent_cell_after_two_minutes_and_back() -> None:
    cells = layout(4)
    room, detector = Room(cells, scan_s=10.0), Silence(cells)
    for view in hours_of(room, 0.5):
        assert not (detector.update(view)[0].value >= 1.0).any()
    room.silent[2] = True
    scores = [detector.update(view)[0].value for view in hours_of(room, 0.1)]
    assert first_hour(scores, 2, 0, 10.0) * 3600.0 == pytest.approx(120.0, abs=10.0)
    assert quiet(scores, 0, 0)
    found = detector.explain("stream_silent", 2, 0)
    assert found.evidence["silent_s"] == pytest.approx(360.0, abs=10.0)
    # The cell's rods still report: only its voltage is gone.
    assert found.causes[0].cause == "voltage_channel_lost"
    room.silent[2] = False
    assert detector.update(room.step())[0].value[2, 0] == 0.0


def test_causes_of_silence() -> None:
    cells = layout(4)
    room, detector = Room(cells, scan_s=10.0), Silence(cells)
    for view in hours_of(room, 0.2):
        detector.update(view)

    def go(dead: list[int]) -> None:
        for _ in range(60):
            view = room.step()
            view.last_good_us[:, dead] = room.time_us - 700_000_000
            view.last_good_us[VOLTAGE, dead] = 0
            view.anode_current_A[dead] = np.nan
            view.shell_temp_C[dead] = np.nan
            detector.update(view)

    go([1])
    go([1])
    assert detector.explain("stream_silent", 1, 0).causes[0].cause == "cell_device_offline"
    go([0, 1, 2, 3])
    go([0, 1, 2, 3])
    assert detector.explain("stream_silent", 1, 0).causes[0].cause == "network_or_gateway"


def test_slow_reporter_has_its_own_patience() -> None:
    cells = layout(2)
    room, detector = Room(cells), Silence(cells)
    for minute in range(240):
        room.silent[0] = minute % 10 != 0
        assert not (detector.update(room.step())[0].value >= 1.0).any()
    room.silent[0] = True
    scores = [detector.update(view)[0].value for view in hours_of(room, 1.5)]
    # Five of its ten-minute intervals, give or take what the running median wanders.
    assert 40.0 <= first_hour(scores, 0, 0) * 60.0 <= 60.0


def test_refused_is_not_silent() -> None:
    cells = layout(2)
    room, detector, sensor = Room(cells), Silence(cells), SensorFault(cells)
    for view in hours_of(room, 0.5):
        detector.update(view)
        sensor.update(view)
    room.silent[0] = True
    scores: list[np.ndarray] = []
    for view in hours_of(room, 1.0):
        view.scalar_bad[VOLTAGE, 0] = 60
        assert not (detector.update(view)[0].value >= 1.0).any()
        scores.append(sensor.update(view)[0].value)
    assert first_hour(scores, 0, 0) * 60.0 == pytest.approx(5.0, abs=1.0)
    found = sensor.explain("sensor_fault", 0, 0)
    assert SIGNAL_CODES[int(found.evidence["signal_code"])] == "cell_voltage_V"


def test_never_seen_cell_is_silent_when_its_line_reports() -> None:
    cells = layout(4, n_lines=2)
    room, detector = Room(cells), Silence(cells)
    room.silent[[1, 2, 3]] = True
    scores = [detector.update(view)[0].value for view in hours_of(room, 0.5)]
    assert 9.0 <= first_hour(scores, 1, 0) * 60.0 <= 12.0
    assert detector.explain("stream_silent", 1, 0).evidence["ever_heard"] == 0.0
    # Nothing is known of the other line: perhaps it does not run yet.
    assert np.isnan(scores[-1][2:]).all()
