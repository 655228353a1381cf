"""The durable inbox: what the broker delivered, on disk before it is acknowledged."""

import sqlite3
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_SCHEMA = """
create table if not exists message (
    id integer primary key autoincrement,
    received_us integer not null,
    topic text not null,
    size integer not null,
    payload blob not null
)
"""


class InboxUnavailable(Exception):
    """The disk does not take or give messages now (full, locked, removed); trying again later is right."""


class Stored(NamedTuple):
    """One message as stored.

    Attributes
    ----------
    id
        Rises by arrival and is never used again.
    received_us
        When it arrived, UTC microseconds.
    topic, payload
        As received; the payload is cut off at the limit of the inbox.
    size
        Length of the whole payload [bytes]; greater than that of ``payload`` where it was cut off.
    """

    id: int
    received_us: int
    topic: str
    payload: bytes
    size: int


class Inbox:
    """Messages in order of arrival, in an SQLite file of their own.

    One thread may append while another reads and forgets. A message is on disk (``synchronous = FULL``) when
    ``append`` returns.

    Parameters
    ----------
    path
        Of the file; it is made where it does not exist.
    max_payload
        Longest payload that is kept whole [bytes].
    busy_s
        How long to wait for another process that holds the file [s].

    Raises
    ------
    InboxUnavailable
        The file cannot be opened or is not an inbox.
    """

    def __init__(self, path: Path, max_payload: int = 1 << 20, busy_s: float = 5.0) -> None:
        self.path = path
        self._max_payload = max_payload
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        with self._told():
            self._writer = self._connect(busy_s)
            self._writer.execute(_SCHEMA)
            self._reader = self._connect(busy_s)

    def append(self, rows: Sequence[tuple[int, str, bytes]]) -> int:
        """Store messages in one transaction.

        Parameters
        ----------
        rows
            (received_us, topic, payload) in order of arrival; at least one.

        Returns
        -------
        int
            Id of the last one. All of them survive a crash from now on.

        Raises
        ------
        InboxUnavailable
            None of them is stored.
        """
        if not rows:
            raise ValueError("append needs at least one message")
        limit = self._max_payload
        stored = [(time_us, topic, len(payload), payload[:limit]) for time_us, topic, payload in rows]
        with self._write_lock, self._told(), self._transaction():
            self._writer.executemany(
                "insert into message (received_us, topic, size, payload) values (?, ?, ?, ?)", stored
            )
            return int(self._writer.execute("select last_insert_rowid()").fetchone()[0])

    def read(self, after_id: int, limit: int = 1000) -> list[Stored]:
        """Give the oldest messages with an id above ``after_id``, in order of arrival; raises ``InboxUnavailable``."""
        with self._read_lock, self._told():
            found = self._reader.execute(
                "select id, received_us, topic, payload, size from message where id > ? order by id limit ?",
                (after_id, limit),
            )
            return [Stored(*row) for row in found]

    def forget(self, up_to_id: int) -> None:
        """Remove all messages up to an id, once their effect is safe elsewhere; raises ``InboxUnavailable``."""
        with self._write_lock, self._told(), self._transaction():
            self._writer.execute("delete from message where id <= ?", (up_to_id,))

    def last_id(self) -> int:
        """Id of the newest message ever stored, 0 before the first; raises ``InboxUnavailable``."""
        with self._read_lock, self._told():
            found = self._reader.execute("select seq from sqlite_sequence where name = 'message'").fetchone()
            return 0 if found is None else int(found[0])

    def waiting(self, after_id: int = 0) -> int:
        """Count the messages with an id above ``after_id``; raises ``InboxUnavailable``."""
        with self._read_lock, self._told():
            found = self._reader.execute("select count(*) from message where id > ?", (after_id,))
            return int(found.fetchone()[0])

    def close(self) -> None:
        """Close the file; everything in it stays."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def _connect(self, busy_s: float) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=busy_s, isolation_level=None, check_same_thread=False)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        return connection

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._writer.execute("begin immediate")
        try:
            yield
            self._writer.execute("commit")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            raise

    @contextmanager
    def _told(self) -> Generator[None]:
        """Turn errors of the disk into one that names the file."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InboxUnavailable(f"{self.path}: {error}; is the disk full or the file locked?") from error
