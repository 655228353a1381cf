"""How far scores have moved from those of training: a file beside the journal and a line in the log, never an alarm."""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import json

from edge.alarms import time_text
from models.drift import DRIFTED, WATCH, DriftRow

log = logging.getLogger(__name__)
NAME = "drift.json"


class DriftFile:
    """Keeps ``drift.json`` of a data folder: the closed weeks, written anew when one closes.

    Parameters
    ----------
    data_dir
        Of the gateway.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / NAME
        self._told_us = max((row.week_us for row in read_drift(data_dir)), default=0)

    def tell(self, rows: Sequence[DriftRow]) -> None:
        """Write the file and the log when a week has closed since the last time.

        Parameters
        ----------
        rows
            Closed weeks, oldest first.

        Raises
        ------
        OSError
            The disk does not take it.
        """
        if not rows or rows[-1].week_us <= self._told_us:
            return
        unfinished = self._path.with_name(NAME + ".unfinished")
        # NaN becomes null.
        unfinished.write_bytes(json.encode(rows))
        os.replace(unfinished, self._path)
        self._told_us = rows[-1].week_us
        for text in drifted(rows):
            log.warning("%s", text)


def read_drift(data_dir: Path) -> list[DriftRow]:
    """Closed weeks of a data folder, oldest first; none where none was written or the file is damaged.

    Parameters
    ----------
    data_dir
        Of the gateway.
    """
    try:
        rows = json.decode(
            (data_dir / NAME).read_bytes(), type=list[tuple[int, str, float | None, int, float]]
        )
    except (OSError, msgspec.DecodeError):
        return []
    return [
        DriftRow(week, kind, math.nan if psi is None else psi, hours, judged)
        for week, kind, psi, hours, judged in rows
    ]


def drifted(rows: Sequence[DriftRow]) -> list[str]:
    """One sentence for each kind whose scores of the newest week are not those of training.

    Parameters
    ----------
    rows
        Closed weeks, oldest first.
    """
    newest = max((row.week_us for row in rows), default=0)
    return [
        f"{row.kind}: scores of the week from {time_text(row.week_us)[:10]} lie elsewhere than in training: stability "
        f"index {row.psi:.2f} (beyond {DRIFTED:g}; {WATCH:g} is usual at most): its limit may not keep its budget; "
        "train on a quiet record of this plant"
        for row in rows
        if row.week_us == newest and math.isfinite(row.psi) and row.psi > DRIFTED
    ]
