"""The inbox: what it has acknowledged survives anything short of a broken disk."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from streams.inbox import Inbox, InboxUnavailable, Stored


@pytest.fixture
def inbox(tmp_path: Path) -> Generator[Inbox]:
    box = Inbox(tmp_path / "inbox.sqlite", busy_s=0.05)
    yield box
    box.close()


def test_order_ids_and_forgetting(inbox: Inbox) -> None:
    assert inbox.append([(1, "a", b"x"), (2, "b", b"y")]) == 2
    assert inbox.append([(3, "c", b"")]) == 3
    assert inbox.read(0) == [
        Stored(1, 1, "a", b"x", 1),
        Stored(2, 2, "b", b"y", 1),
        Stored(3, 3, "c", b"", 0),
    ]
    assert [row.id for row in inbox.read(1, limit=1)] == [2]
    inbox.forget(3)
    assert inbox.read(0) == []
    assert inbox.append([(4, "d", b"z")]) == 4
    assert inbox.waiting() == 1
    assert inbox.waiting(4) == 0
    with pytest.raises(ValueError, match="at least one"):
        inbox.append([])


def test_reopened_it_goes_on(inbox: Inbox, tmp_path: Path) -> None:
    inbox.append([(1, "a", b"x")])
    again = Inbox(tmp_path / "inbox.sqlite")
    assert again.append([(2, "b", b"y")]) == 2
    assert [row.topic for row in inbox.read(0)] == ["a", "b"]
    again.close()


def test_long_payload_is_cut_and_says_so(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite", max_payload=10)
    inbox.append([(1, "a", b"0123456789abc")])
    row = inbox.read(0)[0]
    inbox.close()
    assert (row.payload, row.size) == (b"0123456789", 13)


def test_locked_file_is_told_and_leaves_nothing(inbox: Inbox) -> None:
    other = sqlite3.connect(inbox.path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(InboxUnavailable, match=r"inbox.sqlite: database is locked"):
        inbox.append([(1, "a", b"x")])
    other.execute("rollback")
    other.close()
    assert inbox.append([(1, "a", b"x")]) == 1


def test_full_disk_is_told_and_leaves_nothing(inbox: Inbox) -> None:
    inbox.append([(1, "a", b"x")])
    writer = inbox._writer  # pyright: ignore[reportPrivateUsage]
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(InboxUnavailable, match="full"):
        inbox.append([(2, "b", b"y" * 100_000), (3, "c", b"z" * 100_000)])
    assert [row.id for row in inbox.read(0)] == [1]
    writer.execute(f"pragma max_page_count = {pages + 1000}")
    inbox.append([(2, "b", b"y" * 100_000)])
    assert inbox.waiting() == 2


def test_a_file_that_is_no_inbox_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite"
    path.write_bytes(b"no database, only words" * 100)
    with pytest.raises(InboxUnavailable, match=r"inbox.sqlite"):
        Inbox(path)


def test_one_thread_writes_while_another_reads(inbox: Inbox) -> None:
    seen: list[int] = []

    def read() -> None:
        while len(seen) < 500:
            rows = inbox.read(seen[-1] if seen else 0, limit=50)
            seen.extend(row.id for row in rows)
            if rows:
                inbox.forget(rows[-1].id - 10)

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(100):
        inbox.append([(i, "t", b"p")] * 5)
    reader.join(20)
    assert seen == list(range(1, 501))


WRITER = """
import sys
from pathlib import Path
from streams.inbox import Inbox
inbox = Inbox(Path(sys.argv[1]))
n = 0
while True:
    n += 3
    inbox.append([(n, "t", b"p" * 500)] * 3)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
"""


def test_killed_it_keeps_all_that_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite"
    for _ in range(3):
        path.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert process.stdout is not None
        last = b"0"
        for _ in range(40):
            last = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        acknowledged = int((process.stdout.read().split() or [last])[-1])
        process.wait()
        process.stdout.close()
        inbox = Inbox(path)
        ids = [row.id for row in inbox.read(0, limit=1_000_000)]
        inbox.close()
        assert acknowledged >= 120
        assert ids == list(range(1, len(ids) + 1))
        assert len(ids) >= acknowledged
        assert len(ids) % 3 == 0
        for rest in tmp_path.glob("inbox.sqlite*"):
            rest.unlink()
