"""``potline feedback``: what became of an alarm, kept with the readings around it as a small history with labels."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct, json

from edge.alarms import AlarmEvent
from edge.exits import NO_INPUT, OK
from edge.replay import copy_plant
from streams.plant_file import load_plant
from streams.tables import Batch, HistoryError, table_files, texts, times

Verdict = Literal["confirmed", "not_confirmed", "sensor"]
#: Kept before the alarm: the twin needs a day to settle. And after its end: how it went on.
_BEFORE, _AFTER = timedelta(hours=24), timedelta(hours=2)
#: An alarm that stands for weeks does not need all of them.
_LONGEST = timedelta(hours=48)
#: Between the cause and the alarm, at a guess: neither sound nor in trouble to a learner.
_DOUBTFUL = timedelta(hours=1)
_TIME = pa.timestamp("us", tz="UTC")
_LABELS = pa.schema(
    [
        ("cell", pa.string()),
        ("kind", pa.string()),
        ("anode", pa.int64()),
        ("side", pa.string()),
        ("start", _TIME),
        ("observable", _TIME),
        ("end", _TIME),
        ("severity", pa.float64()),
    ]
)


class NoSuchAlarm(Exception):
    """No alarm of that id in the journal, or no journal; the message says which."""


class Feedback(Struct, frozen=True):
    """One line of ``feedback.jsonl``; the newest of an alarm counts.

    Attributes
    ----------
    alarm
        As it was raised.
    ended
        ISO 8601 time of its end; empty while it stands.
    verdict, comment, by
        What was found, in whose words.
    window
        Folder of the readings around it, beside this file; empty where none were kept.
    """

    alarm: AlarmEvent
    ended: str
    verdict: Verdict
    comment: str
    by: str
    window: str


def store(
    data_dir: Path,
    alarm: str,
    verdict: Verdict,
    *,
    comment: str,
    by: str,
    readings: Path | None,
    say: Callable[[str], None],
) -> int:
    """Store what became of an alarm.

    Parameters
    ----------
    data_dir
        Folder with ``alarms.jsonl``: of a gateway or of a replay. Gets ``feedback.jsonl`` and ``feedback/ID/``.
    alarm
        Its id.
    verdict
        The fault was there; it was not; or the instrument was at fault.
    comment, by
        In whose words.
    readings
        Recorded history that holds the time of the alarm; None keeps no readings, and nothing can be learned from it.
    say
        Gets a line.

    Returns
    -------
    int
        0; 66 where there is no such history.

    Raises
    ------
    NoSuchAlarm
        The journal or the alarm is not there.
    HistoryError, PlantError
        The history cannot be read, or holds nothing of that time.
    """
    raised, ended = _found(data_dir / "alarms.jsonl", alarm)
    if readings is not None and not (readings / "plant.toml").is_file():
        say(f"{readings}: no plant.toml, so this is not a recorded history")
        return NO_INPUT
    window = ""
    if readings is not None and raised.cell:
        window = f"feedback/{alarm}"
        _keep(readings, data_dir / window, raised, ended, verdict)
    told = Feedback(raised, "" if ended is None else ended.time, verdict, comment, by, window)
    with (data_dir / "feedback.jsonl").open("ab") as journal:
        journal.write(json.encode(told) + b"\n")
    kept = (
        f"readings in {data_dir / window}" if window else "no readings kept: nothing can be learned from it"
    )
    say(f"{alarm}: {verdict}; {kept}")
    return OK


def windows_of(data_dir: Path) -> list[Path]:
    """Small histories that stored feedback left in a folder, by name; none where there is no feedback.

    Parameters
    ----------
    data_dir
        As for `store`.
    """
    newest: dict[str, str] = {}
    for told in read_feedback(data_dir):
        newest[told.alarm.id] = told.window
    return sorted(data_dir / window for window in newest.values() if window and (data_dir / window).is_dir())


def read_feedback(data_dir: Path) -> Iterator[Feedback]:
    """What was stored, oldest first; lines that cannot be read are passed over.

    Parameters
    ----------
    data_dir
        As for `store`.
    """
    path = data_dir / "feedback.jsonl"
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            yield json.decode(line, type=Feedback)
        except msgspec.DecodeError:
            continue


def _found(journal: Path, alarm: str) -> tuple[AlarmEvent, AlarmEvent | None]:
    """The alarm as raised, and its clear."""
    if not journal.is_file():
        raise NoSuchAlarm(f"{journal}: no such file; give the folder of a gateway or of a replay")
    raised: AlarmEvent | None = None
    ended: AlarmEvent | None = None
    with journal.open("rb") as lines:
        for line in lines:
            try:
                event = json.decode(line, type=AlarmEvent)
            except msgspec.DecodeError:
                continue
            if event.id == alarm and event.transition == "raise":
                raised, ended = event, None
            elif event.id == alarm and event.transition == "clear":
                ended = event
    if raised is None:
        raise NoSuchAlarm(f"{journal}: no alarm {alarm!r} was raised")
    return raised, ended


def _keep(history: Path, out: Path, raised: AlarmEvent, ended: AlarmEvent | None, verdict: Verdict) -> None:
    """Write the window as a history folder of its own, whole or not at all."""
    begin = datetime.fromisoformat(raised.time)
    end = begin + _LONGEST
    if ended is not None:
        end = min(datetime.fromisoformat(ended.time), end)
    load_plant(history / "plant.toml")
    trial = out.with_name(out.name + ".unfinished")
    shutil.rmtree(trial, ignore_errors=True)
    (trial / "readings").mkdir(parents=True)
    copy_plant(history, trial)
    rows = 0
    for name in ("readings", "samples", "events"):
        parts: list[Batch] = []
        for file in table_files(history, name):
            if file.suffix != ".parquet":
                raise HistoryError(f"{file}: a window is kept from Parquet only; this history is CSV")
            parts.append(_slice(file, raised.cell, begin - _BEFORE, end + _AFTER))
        if not parts:
            continue
        whole = pa.concat_tables(parts, promote_options="default")
        rows += whole.num_rows if name == "readings" else 0
        pq.write_table(
            whole, trial / ("readings/part-0000.parquet" if name == "readings" else f"{name}.parquet")
        )
    if rows == 0:
        shutil.rmtree(trial)
        raise HistoryError(f"{history}: holds no readings of {raised.cell} around {raised.time}")
    label = {
        "cell": raised.cell,
        "kind": "sensor_fault" if verdict == "sensor" else raised.kind,
        "anode": raised.anode,
        "side": raised.side,
        "start": max(begin - _DOUBTFUL, datetime(1970, 1, 1, tzinfo=UTC)),
        "observable": begin,
        "end": end,
        "severity": 0.5,
    }
    labels = [] if verdict == "not_confirmed" else [label]
    pq.write_table(pa.Table.from_pylist(labels, schema=_LABELS), trial / "labels.parquet")
    shutil.rmtree(out, ignore_errors=True)
    trial.rename(out)


def _slice(file: Path, cell: str, begin: datetime, end: datetime) -> Batch:
    """Rows of one cell and of its line in a span of time."""
    table = pq.read_table(file)
    time_us = times(file, table, "time")
    first_us, last_us = (round(instant.timestamp() * 1e6) for instant in (begin, end))
    mine = np.isin(np.array(texts(table, "cell")), (cell, ""))
    return table.filter(pa.array((time_us >= first_us) & (time_us < last_us) & mine))
