"""What a start finds of the run before it: live alarms from the journal, and the versions of saved states."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import json

from edge.alarms import Alarm, AlarmEvent
from edge.config import Config
from edge.model_file import file_hash
from edge.pipeline import cell_params
from streams.plant_file import Plant

_ROOT = Path(__file__).parent.parent
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def live_after(saved: Iterable[Alarm], lines: Iterable[bytes]) -> list[Alarm]:
    """Alarms that stand after the journal's lines, which follow a saved list of live alarms.

    Parameters
    ----------
    saved
        Live alarms of a checkpoint.
    lines
        Lines of ``alarms.jsonl`` since then; what is not one is passed over.
    """
    live = {alarm.id: alarm for alarm in saved}
    for line in lines:
        try:
            event = json.decode(line, type=AlarmEvent)
        except msgspec.DecodeError:
            continue
        if event.transition == "raise":
            live[event.id] = _raised(event)
        elif (alarm := live.get(event.id)) is not None:
            alarm.state = event.state
            alarm.last = event
            if event.transition == "clear":
                alarm.abnormal = False
                alarm.cleared_us = _time_us(event)
            if event.state == "NORM":
                del live[event.id]
    return list(live.values())


def version(paths: Sequence[str], settings: object) -> str:
    """Hash of what a saved state depends on: sources and rules below some paths, and settings.

    Parameters
    ----------
    paths
        Files and folders, relative to the folder that holds our rooms.
    settings
        Anything that can be written as JSON.
    """
    digest = hashlib.sha256()
    for path in paths:
        found = _ROOT / path
        for file in sorted(found.rglob("*")) if found.is_dir() else [found]:
            if file.suffix in (".py", ".toml"):
                digest.update(file.read_bytes())
    digest.update(json.encode(settings))
    return digest.hexdigest()


def pipeline_version(plant: Plant, config: Config) -> str:
    """Version of the whole pipeline's state; constants count, whether of a technology's file or of a calibration."""
    settings = (
        plant,
        cell_params(plant)[0],
        config.align.frame_s,
        config.align.lateness_s,
        config.twin,
        config.energy,
        file_hash(config),
    )
    return version(("twin", "models", "streams", "edge"), settings)


def part_versions(plant: Plant, config: Config) -> dict[str, str]:
    """Versions of the parts that outlive a change elsewhere: open windows of energy, and readings that wait."""
    accounting = (
        "edge/accounting.py",
        "edge/points.py",
        "twin/energy.py",
        "twin/intensity.py",
        "twin/limits.py",
        "twin/rules",
    )
    aligner = tuple(
        f"streams/{name}.py" for name in ("align", "watermark", "pending", "messages", "frame", "plant_file")
    )
    names = [(cell.id, cell.line, cell.rated_current_A) for cell in plant.cells]
    widths = [(cell.id, cell.line, cell.n_anodes, cell.n_shell, cell.n_bars) for cell in plant.cells]
    return {
        "accounting": version(accounting, (names, plant.site, plant.time_zone, config.energy, config.twin)),
        "aligner": version(aligner, (widths, config.align.frame_s, config.align.lateness_s)),
    }


def _time_us(event: AlarmEvent) -> int:
    return (datetime.fromisoformat(event.time) - _EPOCH) // timedelta(microseconds=1)


def _raised(event: AlarmEvent) -> Alarm:
    return Alarm(
        id=event.id,
        kind=event.kind,
        line=event.line,
        cell=event.cell,
        anode=event.anode,
        side=event.side,
        state=event.state,
        priority=event.priority,
        score=event.score,
        raised_us=_time_us(event),
        evidence=event.evidence,
        causes=event.causes,
        model=event.model,
        last=event,
    )
