"""The board: bounded, whole, and honest about what is missing."""

import math
import threading
from typing import Any

import numpy as np
import pytest

from tests.edge.boards import MINUTE_US, N_CELLS, T0_US, alarm, fill_cells, make_board


def test_missing_values_are_null_and_never_zero() -> None:
    board = make_board()
    fill_cells(board)
    figures: Any = board.line()["figures"]
    assert math.isnan(figures["cell_voltage_V"][1])
    assert math.isnan(figures["bath_temp_C"][0])
    assert figures["cell_voltage_V"][0] == 4.15


def test_board_refuses_unknown_names_and_wrong_shapes() -> None:
    board = make_board()
    with pytest.raises(ValueError, match="volts"):
        board.update_cells(T0_US, {"volts": [1.0] * N_CELLS})
    with pytest.raises(ValueError, match="cell_voltage_V has shape"):
        board.update_cells(T0_US, {"cell_voltage_V": [1.0]})
    with pytest.raises(ValueError, match="anode_current_A has shape"):
        board.add_trends(T0_US, {"anode_current_A": [1.0, 2.0]})


def test_trends_keep_one_row_a_minute_and_24_hours() -> None:
    board = make_board(2)
    for minute in range(1500):
        board.add_trends(T0_US + minute * MINUTE_US, {"cell_voltage_V": [float(minute), np.nan]})
    newest_us = T0_US + 1499 * MINUTE_US
    board.add_trends(newest_us + 30_000_000, {"cell_voltage_V": [-1.0, 2.0]})
    board.add_trends(newest_us + 40_000_000, {"cell_voltage_V": [np.nan, 3.0]})
    board.add_trends(T0_US, {"cell_voltage_V": [-9.0, -9.0]})
    trends: Any = board.trends("L1-001")
    assert len(trends["time_us"]) == 1440
    assert trends["time_us"][-1] == newest_us
    assert trends["cell_voltage_V"][:2] == [60.0, 61.0]
    assert trends["cell_voltage_V"][-2:] == [1498.0, -1.0]
    other: Any = board.trends("L1-002")
    assert np.array_equal(other["cell_voltage_V"][-2:], [np.nan, 3.0], equal_nan=True)
    later: Any = board.trends("L1-001", newest_us - MINUTE_US)
    assert later["cell_voltage_V"] == [1498.0, -1.0]


def test_trends_of_arrays_end_with_the_last_instrument_of_the_cell() -> None:
    board = make_board(2)
    board.add_trends(T0_US, {"cell_voltage_V": [4.0, 4.0]})
    anodes = np.array([[1.0, np.nan, 3.0, np.nan], [np.nan] * 4])
    board.add_trends(T0_US + MINUTE_US, {"anode_current_A": anodes})
    first: Any = board.trends("L1-001")
    assert np.array_equal(
        first["anode_current_A"], [[np.nan, 1.0], [np.nan, np.nan], [np.nan, 3.0]], equal_nan=True
    )
    second: Any = board.trends("L1-002")
    assert second["anode_current_A"] == []


def test_alarms_are_sorted_by_priority_then_acknowledgement_and_put_aside_last() -> None:
    board = make_board()
    board.update_alarms(
        [
            alarm(1, 1, state="SHLVD", priority=1),
            alarm(2, 2, state="ACKED", priority=2),
            alarm(3, 3, priority=3),
            alarm(4, 4, state="UNACK", priority=2),
        ]
    )
    shown: Any = board.alarms()["alarms"]
    assert [row["id"] for row in shown] == ["a4", "a2", "a3", "a1"]


def test_board_is_whole_while_written_from_another_thread() -> None:
    board = make_board()
    done = threading.Event()

    def write() -> None:
        for k in range(300):
            board.update_cells(T0_US + k, {"cell_voltage_V": np.full(N_CELLS, float(k))})
            board.add_trends(T0_US + k * MINUTE_US, {"cell_voltage_V": np.full(N_CELLS, float(k))})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or reads == 0:
        snapshot: Any = board.line()
        if snapshot["time_us"] is not None:
            values = snapshot["figures"]["cell_voltage_V"]
            assert set(values) == {float(snapshot["time_us"] - T0_US)}
        trends: Any = board.trends("L1-001")
        assert len(trends["time_us"]) == len(trends["cell_voltage_V"])
        reads += 1
    writer.join()
