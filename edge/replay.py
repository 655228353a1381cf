"""``potline replay``: a recorded history through the same pipeline as live, at any speed."""

import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import json
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.alarms import AlarmEvent
from edge.calibration_file import calibrated
from edge.change_log import ChangeLog
from edge.config import Config
from edge.effect_log import write_effects
from edge.entries import Entries
from edge.exits import NO_INPUT, OK
from edge.model_file import learned
from edge.pipeline import Output, Pipeline
from edge.points import Point
from edge.report import render
from edge.store import Accounts
from edge.summary import summary, summary_line
from edge.tables import Tables
from edge.verdict_log import VerdictLog
from models.base import View
from streams.history import read_history
from streams.plant_file import load_plant
from twin.signals import SCALAR_READINGS

_BATCH = 5000
#: Detectors remember the changes of some days.
_VERDICTS_EVERY_US = 86_400_000_000


def replay(
    history: Path,
    out: Path,
    config: Config,
    *,
    speed: float | None,
    say: Callable[[str], None],
    watch: Callable[[View, NDArray[np.bool_]], None] | None = None,
) -> int:
    """Replay a history folder into an output folder.

    Parameters
    ----------
    history
        Folder by contract; its ``plant.toml`` is used, not the configuration's.
    out
        Gets ``alarms.jsonl``, ``energy.parquet``, ``states.parquet``, ``report.html``, and for ``potline report``
        ``entries.parquet``, ``effects.parquet``, ``changes.parquet``, ``verdicts.parquet`` and ``plant.toml``,
        when all are complete; what an earlier replay left there is replaced then, and stays when this one fails.
    config
        Only what the pipeline needs is used.
    speed
        Event seconds a second; None for as fast as it goes.
    say
        Gets the lines for people; the last one is the summary.
    watch
        Also gets every view, with the cells whose alarms are suppressed.

    Returns
    -------
    int
        0, or 66 when there is no such history.

    Raises
    ------
    HistoryError, PlantError
        When the history cannot be read.
    ConfigError
        When the calibration or the models that the configuration names cannot be used.
    """
    if not (history / "plant.toml").is_file():
        say(f"{history}: no plant.toml, so this is not a recorded history")
        return NO_INPUT
    started = time.monotonic()
    plant = calibrated(load_plant(history / "plant.toml"), config)
    changes = ChangeLog(plant)

    def see(view: View, suppressed: NDArray[np.bool_]) -> None:
        _note(changes, view)
        if watch is not None:
            watch(view, suppressed)

    pipeline = Pipeline(plant, config, load_texts(), see, learned=learned(config))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out) as unfinished:
        figures = _write(history, Path(unfinished), pipeline, changes, speed, started)
        for path in sorted(Path(unfinished).iterdir()):
            path.replace(out / path.name)
    for cell, count in sorted(pipeline.aligner.unknown_by_cell.items()):
        say(f"{cell or 'no cell'}: not in plant.toml: {count} readings and entries are left out")
    for cell, reason in pipeline.not_assessed().items():
        say(f"{cell}: not assessed: {reason}")
    say(summary_line(figures))
    return OK


def _write(
    history: Path, out: Path, pipeline: Pipeline, changes: ChangeLog, speed: float | None, started: float
) -> dict[str, object]:
    """Work through a history and write every file; gives the summary."""
    raised: list[AlarmEvent] = []
    energy: list[Point] = []
    entries = Entries(pipeline.plant)
    verdicts = VerdictLog(pipeline.plant)
    points = noted_us = 0
    with (out / "alarms.jsonl").open("wb") as alarms, Tables(out) as tables:

        def write(output: Output) -> None:
            nonlocal points
            for event in output.alarms:
                alarms.write(json.encode(event) + b"\n")
            raised.extend(event for event in output.alarms if event.transition == "raise")
            tables.add(output.points)
            energy.extend(p for p in output.points if p.measurement.endswith("_energy"))
            points += len(output.points)

        source = read_history(history)
        pace = _Pace(speed)
        while batch := list(islice(source, pace.batch)):
            pace.wait(batch[-1].time_us)
            entries.add(batch)
            changes.log(batch)
            write(pipeline.push(batch))
            if batch[-1].time_us >= noted_us + _VERDICTS_EVERY_US:
                noted_us = batch[-1].time_us
                verdicts.note(pipeline.panel.anode_changes())
        write(pipeline.flush())
    verdicts.note(pipeline.panel.anode_changes())
    verdicts.write(out / "verdicts.parquet")
    entries.write(out / "entries.parquet")
    changes.write(out / "changes.parquet")
    write_effects(history, pipeline.plant, out / "effects.parquet")
    copy_plant(history, out)
    # A replay writes every point into its own folder: none can wait or be refused.
    accounts = Accounts(accepted=points, written=points, quarantined=0, waiting=0)
    refused = {"unknown": count} if (count := pipeline.aligner.counts["unknown"]) else {}
    figures = summary(
        pipeline, accounts, messages=0, dead_letters=refused, seconds=time.monotonic() - started
    )
    report = render(pipeline.plant, figures, raised, energy, pipeline.not_assessed(), load_texts())
    (out / "report.html").write_text(report, encoding="utf-8")
    return figures


def _note(changes: ChangeLog, view: View) -> None:
    """Keep of a scan what the figures of anode changes need."""
    volts, amps = (view.scalar[SCALAR_READINGS.index(name)] for name in ("cell_voltage_V", "line_current_A"))
    changes.add(view.time_us, volts, amps, view.anode_current_A)


def copy_plant(history: Path, out: Path) -> None:
    """Copy the plant's description and the technologies that lie beside it.

    Parameters
    ----------
    history
        Folder by contract.
    out
        Folder to copy to.
    """
    shutil.copyfile(history / "plant.toml", out / "plant.toml")
    described = tomllib.loads((history / "plant.toml").read_text(encoding="utf-8"))
    lines: list[dict[str, Any]] = described.get("line", [])
    for entry in [*lines, *(cell for line in lines for cell in line.get("cell", []))]:
        named = Path(str(entry.get("technology", "")))
        if named.suffix == ".toml" and named.parent == Path():
            shutil.copyfile(history / named, out / named)


class _Pace:
    """Holds batches back so that event time runs at a given speed."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._first_us: int | None = None
        self._started = time.monotonic()
        self.batch = _BATCH if speed is None else 50

    def wait(self, time_us: int) -> None:
        """Sleep until the time has come."""
        if self._speed is None:
            return
        if self._first_us is None:
            self._first_us = time_us
        due = self._started + (time_us - self._first_us) / 1e6 / self._speed
        time.sleep(max(0.0, due - time.monotonic()))
