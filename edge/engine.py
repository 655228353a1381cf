"""The gateway's working loop: inbox to pipeline to journals and store; it can be killed at any instant."""

import fcntl
import logging
import pickle
from collections import Counter
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct, json

from edge.alarm_rules import Texts
from edge.alarms import Alarm, AlarmEvent
from edge.config import Config
from edge.drift import DriftFile
from edge.journal import Journal
from edge.model_file import learned
from edge.pipeline import Output, Pipeline
from edge.recovery import live_after, part_versions, pipeline_version
from edge.store import Store
from streams.decode import Decoder
from streams.inbox import Inbox
from streams.messages import Fault, Item, Tick
from streams.plant_file import Plant
from streams.topics import OWN_LEVEL

log = logging.getLogger(__name__)

#: Topic under which the gateway puts its own stream clock into the inbox, so that a restart repeats it.
TICK_TOPIC = "$potline/tick"
_BATCH = 2000


class InUse(RuntimeError):
    """Another gateway works in this data folder; the message names it."""


class Numbers(Struct):
    """How far everything that is written has been numbered."""

    messages: int = 0
    points: int = 0
    alarms: int = 0
    dead_letters: int = 0


class _Part(Struct):
    """A pickle and the hash of everything that decides whether it can be continued."""

    version: str
    state: bytes


class _Saved(Struct):
    """A checkpoint: the whole pipeline, and what of it survives a change of software, configuration or plant."""

    numbers: Numbers
    faults: dict[str, int]
    live: list[Alarm]
    watermark_us: int
    pipeline: _Part
    parts: dict[str, _Part]


class DeadLetter(Struct):
    """One refused input as it stands in ``dead_letters.jsonl``; ``payload`` is base64, perhaps only its head."""

    received_us: int
    source: str
    reason: str
    detail: str
    size: int
    payload: bytes


class _Batch(NamedTuple):
    """What the pipeline said to some rows of the inbox and is not on the disk yet."""

    done_id: int
    messages: int
    output: Output
    faults: list[Fault]


class Engine:
    """Works through the inbox; the same rows give the same files, also after ``kill -9``.

    Everything it writes is numbered. After a crash it starts from the checkpoint, repeats the rows since then, and
    what is on disk under its number already is not written again.

    Parameters
    ----------
    plant, config, texts
        See ``Pipeline``.
    data_dir
        Holds ``inbox.sqlite``, ``store.sqlite``, ``alarms.jsonl`` and ``dead_letters.jsonl``.

    Raises
    ------
    InUse
        Another process works in the folder.
    InboxUnavailable, sqlite3.Error, OSError
        A file cannot be used.
    ModelFileError
        The configured models cannot be used.
    """

    def __init__(self, plant: Plant, config: Config, texts: Texts, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(data_dir)
        self.plant = plant
        self.inbox = Inbox(data_dir / "inbox.sqlite", config.mqtt.max_payload_bytes)
        self.store = Store(data_dir / "store.sqlite", local=not config.influxdb.url)
        self.alarm_journal = Journal(data_dir / "alarms.jsonl", self.store.noted("alarms"))
        self.dead_letter_journal = Journal(
            data_dir / "dead_letters.jsonl",
            self.store.noted("dead_letters"),
            int(config.storage.dead_letter_max_mb * 1e6),
        )
        self.numbers = Numbers()
        self.faults: Counter[str] = Counter()
        self._make = partial(Pipeline, plant, config, texts, learned=learned(config))
        self.pipeline = self._make()
        self._decoder = Decoder(
            plant,
            config.mqtt.topics,
            max_payload=config.mqtt.max_payload_bytes,
            max_future_s=config.mqtt.max_future_s,
        )
        self._lateness_us = round(config.align.lateness_s * 1e6)
        self._version = pipeline_version(plant, config)
        self._part_versions = part_versions(plant, config)
        self._done_id = 0
        self._unwritten: _Batch | None = None
        self._drift = DriftFile(data_dir)
        self._new: list[AlarmEvent] = []
        self._resume()
        self.pipeline.alarms.language = config.language

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters to subscribe to."""
        return self._decoder.filters

    def work(self) -> list[AlarmEvent] | None:
        """Take the next rows of the inbox through the pipeline and onto the disk.

        Returns
        -------
        list of AlarmEvent or None
            Transitions that are new on disk; None when the inbox was empty.

        Raises
        ------
        InboxUnavailable, sqlite3.Error, OSError
            The disk does not take what there is to say; call again later, nothing is lost or said twice.
        """
        if self._unwritten is not None:
            return self._write()
        rows = self.inbox.read(self._done_id, _BATCH)
        if not rows:
            return None
        items: list[Item] = []
        faults: list[Fault] = []
        messages = 0
        for row in rows:
            if row.topic == TICK_TOPIC:
                items.append(Tick(int(row.payload)))
                continue
            if f"/{OWN_LEVEL}/" in row.topic:
                continue
            messages += 1
            for decoded in self._decoder.decode(row.topic, row.payload, row.received_us, row.size):
                if isinstance(decoded, Fault):
                    faults.append(decoded)
                else:
                    items.append(decoded)
        self._unwritten = _Batch(rows[-1].id, messages, self.pipeline.push(items), faults)
        return self._write()

    def finish(self) -> list[AlarmEvent]:
        """End of the stream: close every frame, as at the end of a history; raises as ``work``."""
        self._unwritten = _Batch(self._done_id, 0, self.pipeline.flush(), [])
        return self._write()

    def tick(self, time_us: int, received_us: int) -> None:
        """Put the stream's clock into the inbox: nothing has arrived, but time has passed."""
        self.inbox.append([(received_us, TICK_TOPIC, str(time_us).encode())])

    def save(self) -> None:
        """Write a checkpoint and let go of the rows that it covers; does nothing while a batch is not on the disk."""
        if self._unwritten is not None:
            return
        saved = _Saved(
            numbers=self.numbers,
            faults=dict(self.faults),
            live=list(self.pipeline.alarms.live.values()),
            watermark_us=self.pipeline.aligner.watermark_us,
            pipeline=_part(self._version, self.pipeline),
            parts={
                name: _part(version, getattr(self.pipeline, name))
                for name, version in self._part_versions.items()
            },
        )
        self.store.save(self._done_id, msgspec.msgpack.encode(saved))
        self.inbox.forget(self._done_id)

    def close(self) -> None:
        """Close everything; does not save."""
        self.alarm_journal.close()
        self.dead_letter_journal.close()
        self.inbox.close()
        self.store.close()
        self._lock.close()

    def _resume(self) -> None:
        """Go on where the run before ended; where its state does not fit, keep what does."""
        found = self.store.saved()
        saved = None
        if found is not None:
            self._done_id, blob = found
            saved = msgspec.msgpack.decode(blob, type=_Saved)
            self.faults.update(saved.faults)
            if self.inbox.last_id() < self._done_id:
                log.warning(
                    "the inbox is not the one of the checkpoint: it is worked through from its beginning"
                )
                self._done_id = 0
            # Our own file in our own folder: who can write it can also write the program.
            if saved.pipeline.version == self._version:
                self.numbers = saved.numbers
                self.pipeline = pickle.loads(saved.pipeline.state)
                return
        # Numbers go on behind what any run has written: this one will not say the same.
        self.numbers = Numbers(
            messages=saved.numbers.messages if saved else 0,
            points=self.store.accounts().accepted,
            alarms=self.alarm_journal.count,
            dead_letters=self.dead_letter_journal.count,
        )
        if saved is None:
            live = live_after([], self.alarm_journal.since(0))
        else:
            log.warning(
                "software, configuration or plant has changed: the twin starts anew, live alarms are kept"
            )
            self._keep_parts(saved)
            live = live_after(saved.live, self.alarm_journal.since(saved.numbers.alarms))
        if live:
            time_us = max(saved.watermark_us if saved else 0, max(alarm.raised_us for alarm in live))
            gone = self.pipeline.alarms.restore(live, time_us)
            if gone:
                self._unwritten = _Batch(self._done_id, 0, Output(gone, []), [])

    def _keep_parts(self, saved: _Saved) -> None:
        for name, version in self._part_versions.items():
            if name in saved.parts and saved.parts[name].version == version:
                setattr(self.pipeline, name, pickle.loads(saved.parts[name].state))
            else:
                log.warning("%s has changed: what it held is lost", name)
        if saved.watermark_us:
            # What was worked through must not come again through a fresh aligner.
            self.pipeline.push([Tick(saved.watermark_us + self._lateness_us)])

    def _write(self) -> list[AlarmEvent]:
        """Bring the batch to the disk, in an order in which a failure or crash at any point does no harm."""
        batch = self._unwritten
        if batch is None:
            return []
        new: list[AlarmEvent] = []
        try:
            for number, fault in enumerate(batch.faults, self.numbers.dead_letters):
                self.dead_letter_journal.append(number, json.encode(_letter(fault)))
            for number, event in enumerate(batch.output.alarms, self.numbers.alarms):
                if self.alarm_journal.append(number, json.encode(event)):
                    new.append(event)
            self.dead_letter_journal.commit()
            self.alarm_journal.commit()
        except OSError:
            self.dead_letter_journal.rollback()
            self.alarm_journal.rollback()
            raise
        self._new += new
        if batch.faults:
            self.store.note("dead_letters", self.dead_letter_journal.mark)
        if batch.output.alarms:
            self.store.note("alarms", self.alarm_journal.mark)
        self.store.accept(self.numbers.points, batch.output.points)
        self._drift.tell(self.pipeline.panel.drift)
        self.faults.update(fault.reason for fault in batch.faults)
        self.numbers = Numbers(
            messages=self.numbers.messages + batch.messages,
            points=self.numbers.points + len(batch.output.points),
            alarms=self.numbers.alarms + len(batch.output.alarms),
            dead_letters=self.numbers.dead_letters + len(batch.faults),
        )
        self._done_id = batch.done_id
        self._unwritten = None
        new, self._new = self._new, []
        return new


def _letter(fault: Fault) -> DeadLetter:
    return DeadLetter(fault.received_us, fault.source, fault.reason, fault.detail, fault.size, fault.payload)


def _part(version: str, state: object) -> _Part:
    return _Part(version, pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL))


def _locked(folder: Path) -> BinaryIO:
    """Hold the folder for this process; the system lets go of it when the process ends, however it ends."""
    file = (folder / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InUse(f"{folder}: another potline works in this data_dir; give each gateway its own") from error
    return file
