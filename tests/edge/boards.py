"""Boards filled by hand, for the tests of the board and of the console."""

import math
from typing import Any

import numpy as np

from edge.board import AlarmRow, Board, CauseRow, ChangeRow

T0_US = 1_750_000_020_000_000
MINUTE_US = 60_000_000
N_CELLS = 24
SCRIPT = "<img src=x onerror=\"document.title='owned'\">"


class FakeClock:
    """Real seconds, moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def make_board(n_cells: int = N_CELLS, clock: FakeClock | None = None) -> Board:
    cells = [("L1", f"L1-{i + 1:03d}") for i in range(n_cells)]
    return Board(
        "smelter-a",
        cells,
        simulated=True,
        speed=60.0,
        time_zone="Asia/Shanghai",
        benchmark_kwh_per_t=13000.0,
        baseline_kwh_per_t=13350.0,
        level_1_kwh_per_t=12950.0,
        shell_sides=[["up", "down"]] * n_cells,
        **({} if clock is None else {"clock": clock}),
    )


def fill_cells(board: Board, voltage_V: float = 4.15, time_us: int = T0_US) -> None:
    n_cells = len(board.line()["cells"])  # pyright: ignore[reportArgumentType]
    voltage = np.full(n_cells, voltage_V)
    voltage[1] = np.nan
    reason = [""] * n_cells
    reason[1] = SCRIPT
    board.update_cells(
        time_us,
        {
            "cell_voltage_V": voltage,
            "ac_kwh_per_t": np.linspace(12800.0, 13500.0, n_cells),
            "coverage": np.full(n_cells, 0.97),
        },
        reason=reason,
        lines={"L1": (12741.0, 13034.25, 0.985)},
    )


def fill_trends(board: Board, minutes: int = 90) -> None:
    n_cells = len(board.line()["cells"])  # pyright: ignore[reportArgumentType]
    for minute in range(minutes):
        anodes = np.full((n_cells, 30), 10_000.0)
        anodes[6, 11] = 4_000.0
        board.add_trends(
            T0_US + (minute - minutes) * MINUTE_US,
            {
                "cell_voltage_V": np.full(n_cells, 4.15 + 0.01 * math.sin(minute)),
                "voltage_expected_V": np.full(n_cells, 4.15),
                "bath_temp_C": np.full(n_cells, 958.0),
                "bath_temp_sd_C": np.full(n_cells, 3.0),
                "ac_kwh_per_t": np.full(n_cells, 13100.0),
                "anode_current_A": anodes,
            },
        )


def changes_of(cell: str) -> dict[str, list[ChangeRow]]:
    """Three anode changes of one cell: on time, picking up slowly and not in the log, and too new to be judged."""
    day_us = 24 * 60 * MINUTE_US
    return {
        cell: [
            ChangeRow(4, T0_US - 2 * day_us, True, "on_time", T0_US - day_us, 1.02, 7.6, 6.1, 10.2),
            ChangeRow(12, T0_US - day_us, False, "late", T0_US - day_us // 2, 0.71, None, 6.1, 10.2),
            ChangeRow(20, T0_US - day_us // 12, True, "open", 0, None, None, 6.1, 10.2),
        ]
    }


def alarm(number: int, cell: int, **changes: Any) -> AlarmRow:
    row = AlarmRow(
        id=f"a{number}",
        time_us=T0_US - 5 * MINUTE_US,
        line="L1",
        cell=f"L1-{cell:03d}",
        kind="anode_slow_pickup",
        anode=12,
        side=None,
        state="UNACK",
        priority=3,
        score=1.4,
        title_en="Anode 12 takes up current too slowly",
        title_zh="12号阳极电流上升过慢",
        action_en="Check the clamp.",
        action_zh="检查卡具。",
        evidence={"deficit_A": 2810.4, "age_h": math.nan},
        causes=[CauseRow("poor clamp contact", "卡具接触不良", 1.0)],
    )
    return row._replace(**changes)
