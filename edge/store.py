"""The gateway's own database: points on their way out, points kept here, figures and the checkpoint."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import json

from edge.journal import Mark
from edge.points import Point
from streams.influx import line_protocol

_WAITING, _QUARANTINED = 0, 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY, line TEXT NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS outbox_status ON outbox (status, seq);
CREATE TABLE IF NOT EXISTS point (
    measurement TEXT NOT NULL, line TEXT NOT NULL, cell TEXT NOT NULL, part TEXT NOT NULL, time_us INTEGER NOT NULL,
    fields TEXT NOT NULL, PRIMARY KEY (measurement, line, cell, part, time_us)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figure (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (name TEXT PRIMARY KEY, count INTEGER NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checkpoint (
    id INTEGER PRIMARY KEY CHECK (id = 1), inbox_id INTEGER NOT NULL, state BLOB NOT NULL);
"""


class Accounts(NamedTuple):
    """Every point ever accepted is written, quarantined or waiting."""

    accepted: int
    written: int
    quarantined: int
    waiting: int


class Waiting(NamedTuple):
    """One point that waits for the database: its number and its line protocol."""

    seq: int
    line: str


class Store:
    """SQLite behind one lock; every public call is one transaction.

    Parameters
    ----------
    path
        Database file; made when missing.
    local
        True: points stay in the table ``point`` and count as written. False: they wait in the outbox.
    """

    def __init__(self, path: Path, *, local: bool) -> None:
        self.local = local
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO figure VALUES ('accepted', 0), ('written', 0)")

    def accept(self, first_seq: int, points: Sequence[Point]) -> int:
        """Take over points numbered from ``first_seq``; those already accepted are passed over.

        Returns
        -------
        int
            How many were new.
        """
        with self._lock, self._transaction():
            known = self._figure("accepted")
            new = [(seq, p) for seq, p in enumerate(points, first_seq) if seq >= known]
            if not new:
                return 0
            if self.local:
                self._db.executemany(
                    "INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?, ?, ?)",
                    [_row(point) for _, point in new],
                )
                self._add("written", len(new))
            else:
                self._db.executemany(
                    "INSERT INTO outbox (seq, line, status) VALUES (?, ?, ?)",
                    [
                        (seq, line_protocol(p.measurement, p.tags, p.fields, p.time_us), _WAITING)
                        for seq, p in new
                    ],
                )
            self._add("accepted", len(new))
            return len(new)

    def waiting(self, limit: int) -> list[Waiting]:
        """The oldest points that wait, at most ``limit``."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, line FROM outbox WHERE status = ? ORDER BY seq LIMIT ?", (_WAITING, limit)
            ).fetchall()
        return [Waiting(int(seq), str(line)) for seq, line in rows]

    def settle(self, written: Sequence[int], rejected: Sequence[tuple[int, str]]) -> None:
        """Note what became of waiting points: written, or rejected with the server's reason."""
        with self._lock, self._transaction():
            self._db.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in written])
            self._db.executemany(
                "UPDATE outbox SET status = ?, reason = ? WHERE seq = ?",
                [(_QUARANTINED, reason, seq) for seq, reason in rejected],
            )
            self._add("written", len(written))

    def accounts(self) -> Accounts:
        """Count; ``accepted`` and ``written`` are counters, the others are rows."""
        with self._lock:
            counts = dict(self._db.execute("SELECT status, COUNT(*) FROM outbox GROUP BY status").fetchall())
            return Accounts(
                accepted=self._figure("accepted"),
                written=self._figure("written"),
                quarantined=int(counts.get(_QUARANTINED, 0)),
                waiting=int(counts.get(_WAITING, 0)),
            )

    def points(self, measurement: str) -> list[tuple[str, str, str, int, dict[str, float]]]:
        """Points of the local store: (line, cell, part, time_us, fields), oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT line, cell, part, time_us, fields FROM point WHERE measurement = ?"
                " ORDER BY time_us, line, cell",
                (measurement,),
            ).fetchall()
        return [
            (line, cell, part, int(time), json.decode(fields, type=dict))
            for line, cell, part, time, fields in rows
        ]

    def forget(self, before_us: int, states_before_us: int) -> None:
        """Drop points of the local store older than a time; ``cell_state``, of which there are most, sooner."""
        with self._lock:
            self._db.execute("DELETE FROM point WHERE time_us < ?", (before_us,))
            self._db.execute(
                "DELETE FROM point WHERE measurement = 'cell_state' AND time_us < ?", (states_before_us,)
            )

    def note(self, name: str, mark: Mark) -> None:
        """Note how far a journal has come."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO journal VALUES (?, ?, ?)", (name, *mark))

    def noted(self, name: str) -> Mark | None:
        """How far a journal had come, or None."""
        with self._lock:
            row = self._db.execute("SELECT count, size FROM journal WHERE name = ?", (name,)).fetchone()
        return None if row is None else Mark(int(row[0]), int(row[1]))

    def save(self, inbox_id: int, state: bytes) -> None:
        """Replace the checkpoint: the state after everything up to ``inbox_id``."""
        with self._lock:
            self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)", (inbox_id, state))

    def saved(self) -> tuple[int, bytes] | None:
        """The checkpoint, or None."""
        with self._lock:
            row = self._db.execute("SELECT inbox_id, state FROM checkpoint").fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def _figure(self, name: str) -> int:
        return int(self._db.execute("SELECT value FROM figure WHERE name = ?", (name,)).fetchone()[0])

    def _add(self, name: str, count: int) -> None:
        self._db.execute("UPDATE figure SET value = value + ? WHERE name = ?", (count, name))


class _Transaction:
    """BEGIN IMMEDIATE, then COMMIT or ROLLBACK."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _row(point: Point) -> tuple[str, str, str, str, int, str]:
    tags = point.tags
    part = "/".join(tags[name] for name in ("window", "kind", "anode") if tags.get(name))
    fields = {name: value for name, value in point.fields.items() if value == value}  # NaN is left out
    return (
        point.measurement,
        tags.get("line", ""),
        tags.get("cell", ""),
        part,
        point.time_us,
        json.encode(fields).decode(),
    )
