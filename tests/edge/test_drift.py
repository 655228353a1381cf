"""Drift is written beside the journal once a week, told in the log and by ``potline check``, and never an alarm."""

import logging
import math
from pathlib import Path

import pytest

from edge.drift import NAME, DriftFile, drifted, read_drift
from models.drift import DriftRow

WEEK_US = 604_800_000_000


def rows(weeks: int, psi: float) -> list[DriftRow]:
    found: list[DriftRow] = []
    for week in range(1, weeks + 1):
        found.append(DriftRow(week * WEEK_US, "cell_hot", psi, 1000, 1.0))
        found.append(DriftRow(week * WEEK_US, "cell_cold", math.nan, 3, 0.1))
    return found


def test_a_closed_week_is_written_once_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = DriftFile(tmp_path)
    file.tell([])
    assert not (tmp_path / NAME).exists()
    with caplog.at_level(logging.WARNING):
        file.tell(rows(1, 0.4))
        file.tell(rows(1, 0.4))
    assert caplog.text.count("cell_hot") == 1
    assert "0.40" in caplog.text
    kept = read_drift(tmp_path)
    assert [(row.week_us, row.kind, row.cell_hours) for row in kept] == [
        (WEEK_US, "cell_hot", 1000),
        (WEEK_US, "cell_cold", 3),
    ]
    assert math.isnan(kept[1].psi)
    # After a restart the same week is not told again, the next one is.
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        again = DriftFile(tmp_path)
        again.tell(rows(1, 0.4))
        again.tell(rows(2, 0.05))
    assert caplog.text == ""
    assert max(row.week_us for row in read_drift(tmp_path)) == 2 * WEEK_US


def test_what_lies_where_it_lay_is_not_mentioned(tmp_path: Path) -> None:
    assert drifted(rows(2, 0.1)) == []
    assert len(drifted(rows(2, 0.3))) == 1
    (tmp_path / NAME).write_text("rubbish", encoding="utf-8")
    assert read_drift(tmp_path) == []
