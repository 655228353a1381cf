"""The one line that ``potline demo``, ``run`` and ``replay`` end with."""

from collections.abc import Mapping

from msgspec import json

from edge.pipeline import Pipeline
from edge.store import Accounts


def summary(
    pipeline: Pipeline, accounts: Accounts, *, messages: int, dead_letters: Mapping[str, int], seconds: float
) -> dict[str, object]:
    """Count everything that came in and went out.

    Parameters
    ----------
    pipeline
        After its last item.
    accounts
        Of the points.
    messages
        MQTT messages, or 0 for a replay.
    dead_letters
        Refused inputs by reason.
    seconds
        Wall time.
    """
    counts = pipeline.aligner.counts
    return {
        "cells": len(pipeline.plant.cells),
        "messages": messages,
        "readings": counts["readings"],
        "frames": pipeline.frames,
        "late": counts["late"],
        "late_by_cell": dict(sorted(pipeline.aligner.late_by_cell.items())),
        "ahead": counts["ahead"],
        "before_start": counts["before_start"],
        "duplicates": counts["duplicates"],
        "entries_refused": pipeline.entries_refused,
        "dead_letters": sum(dead_letters.values()),
        "dead_letters_by_reason": dict(sorted(dead_letters.items())),
        "alarms": pipeline.alarms_raised,
        "points_accepted": accounts.accepted,
        "points_written": accounts.written,
        "points_quarantined": accounts.quarantined,
        "points_waiting": accounts.waiting,
        "seconds": round(seconds, 3),
        "not_assessed": pipeline.not_assessed(),
    }


def summary_line(figures: Mapping[str, object]) -> str:
    """``summary: {json}``, by contract."""
    return f"summary: {json.encode(figures).decode()}"
