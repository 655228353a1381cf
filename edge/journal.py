"""An append-only file of numbered lines that survives crashes, full disks, rotation and removal."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple


class Mark(NamedTuple):
    """How far a journal had come when it was last noted: lines ever written, and the size of the file then."""

    lines: int
    size: int


class Journal:
    """Numbered lines in one file; a line whose number was written before is not written again.

    The numbers come from the pipeline, which counts the same way when it works through the inbox again after a
    crash: that is what makes an alarm appear once. A torn last line is cut off when the file is opened. Somebody
    may remove or rotate the file: the count goes on.

    Parameters
    ----------
    path
        The file; made when missing.
    mark
        How far it had come by another record; None when there is none: then what stands in the file counts.
    max_bytes
        Beyond half of this size the file is moved to ``.1`` and a new one begun: the newest lines are kept. 0 for
        no limit.

    Attributes
    ----------
    count
        Lines ever written, and so the number of the next one.
    """

    def __init__(self, path: Path, mark: Mark | None = None, max_bytes: int = 0) -> None:
        self.path = path
        self._max_bytes = max_bytes
        lines, size = _whole_lines(path, 0)
        if mark is None:
            self.count = lines
        elif size >= mark.size:
            self.count = mark.lines + _whole_lines(path, mark.size)[0]
        else:
            self.count = mark.lines
        self._first = self.count - lines
        self._committed = Mark(self.count, size)
        self._size = size
        self._file = self._open(size)

    @property
    def mark(self) -> Mark:
        """How far it has come for sure, to be kept elsewhere."""
        return self._committed

    def append(self, number: int, line: bytes) -> bool:
        """Write line ``number`` (counted from 0) unless it was written before; True when it is new."""
        if number < self.count:
            return False
        if self._max_bytes and self._size > self._max_bytes // 2:
            self._rotate()
        self._file.write(line + b"\n")
        self._size += len(line) + 1
        self.count += 1
        return True

    def commit(self) -> None:
        """Bring everything written to the disk.

        Raises
        ------
        OSError
            The disk is full or gone (``append`` may raise it too); call ``rollback``, and try again later.
        """
        if self.count == self._committed.lines:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        self._committed = Mark(self.count, self._size)

    def rollback(self) -> None:
        """Cut off what may be half written: nothing since the last commit counts as written."""
        # The old file object may still hold a buffer; it must not reach the file after the cut.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._file.fileno())
        os.close(nowhere)
        self._file.close()
        self.count, self._size = self._committed
        self._file = self._open(self._size)

    def since(self, number: int) -> Iterator[bytes]:
        """Committed lines from a number on, as far as the file still holds them."""
        with self.path.open("rb") as file:
            for index, line in enumerate(file, self._first):
                if index >= number and line.endswith(b"\n"):
                    yield line[:-1]

    def close(self) -> None:
        """Commit and close."""
        self.commit()
        self._file.close()

    def _open(self, size: int) -> BinaryIO:
        file = self.path.open("ab")
        file.truncate(size)
        return file

    def _rotate(self) -> None:
        self.commit()
        self._file.close()
        os.replace(self.path, self.path.with_name(self.path.name + ".1"))
        self._first, self._size = self.count, 0
        self._committed = Mark(self.count, 0)
        self._file = self._open(0)


def _whole_lines(path: Path, start: int) -> tuple[int, int]:
    """Number of complete lines from a byte on, and where the last of them ends."""
    lines, size, position = 0, start, start
    if not path.exists():
        return 0, 0
    with path.open("rb") as file:
        file.seek(start)
        while chunk := file.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk.rfind(b"\n")
            if last >= 0:
                size = position + last + 1
            position += len(chunk)
    return lines, size
