"""Takes waiting points from the store to the database, for ever, and tells how it stands."""

import logging
import sqlite3
import threading
import time

from edge.store import Store, Waiting
from streams.influx import InfluxUnauthorized, InfluxUnavailable, InfluxWriter

log = logging.getLogger(__name__)

_PAUSE_S = 0.5
_BACKOFF_S = (1.0, 60.0)


class Outbox:
    """A thread that writes what waits, oldest first; what the server refuses is quarantined, nothing is dropped.

    Parameters
    ----------
    store
        Where the points wait.
    writer
        The database.
    batch
        Most points a request.
    """

    def __init__(self, store: Store, writer: InfluxWriter, batch: int) -> None:
        self._store = store
        self._writer = writer
        self._batch = batch
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        #: For the screen: "ok", or what is wrong.
        self.state = "ok"

    @property
    def alive(self) -> bool:
        """False once the thread has ended, which it does only when stopped or by a fault of ours."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> None:
        """Write what waits for as long as ``wait_s`` and the database allow, then end; the rest stays on disk."""
        deadline = time.monotonic() + wait_s
        while self.state == "ok" and self._thread.is_alive() and time.monotonic() < deadline:
            if not self._store.waiting(1):
                break
            time.sleep(0.05)
        self._stop.set()
        self._thread.join(timeout=30.0)
        self._writer.close()

    def _run(self) -> None:
        backoff_s = _BACKOFF_S[0]
        while not self._stop.is_set():
            try:
                points = self._store.waiting(self._batch)
                if not points:
                    self._stop.wait(_PAUSE_S)
                    continue
                self._send(points)
            except sqlite3.Error as error:
                self._tell(f"store: {error}")
                self._stop.wait(backoff_s)
                backoff_s = min(2.0 * backoff_s, _BACKOFF_S[1])
            except InfluxUnavailable as error:
                self._tell(str(error))
                self._stop.wait(error.retry_after_s or backoff_s)
                backoff_s = min(2.0 * backoff_s, _BACKOFF_S[1])
            except InfluxUnauthorized as error:
                self._tell(str(error))
                self._stop.wait(_BACKOFF_S[1])
            else:
                self._tell("ok")
                backoff_s = _BACKOFF_S[0]

    def _send(self, points: list[Waiting]) -> None:
        result = self._writer.write([point.line for point in points])
        refused = {rejected.line: rejected.reason for rejected in result.rejected}
        self._store.settle(
            [point.seq for point in points if point.line not in refused],
            [(point.seq, refused[point.line]) for point in points if point.line in refused],
        )

    def _tell(self, state: str) -> None:
        """Log a change once, not every try."""
        if state != self.state:
            log.log(logging.INFO if state == "ok" else logging.WARNING, "database: %s", state)
            self.state = state
