"""A journal that is cut off, removed or rotated ends up with every line once."""

import resource
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.journal import Journal, Mark

LINES = [b'{"n":%d}' % n for n in range(5)]
WHOLE = b"\n".join(LINES) + b"\n"


def write_all(path: Path, mark: Mark | None = None) -> list[bool]:
    journal = Journal(path, mark)
    new = [journal.append(number, line) for number, line in enumerate(LINES)]
    journal.close()
    return new


def test_repeating_a_run_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    assert write_all(path) == [True] * 5
    assert write_all(path) == [False] * 5
    assert path.read_bytes() == WHOLE


@given(cut=st.integers(0, 40))
def test_a_file_torn_at_any_byte_is_made_whole_by_the_next_run(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "alarms.jsonl"
    path.write_bytes(WHOLE[:cut])
    write_all(path)
    assert path.read_bytes() == WHOLE


def test_lines_written_after_the_mark_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    write_all(path)
    journal = Journal(path, Mark(2, 2 * len(LINES[0]) + 2))
    assert journal.count == 5
    journal.close()


def test_a_removed_file_goes_on_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "alarms.jsonl"
    journal = Journal(path, Mark(30, 1000))
    assert journal.count == 30
    assert not journal.append(29, b"old")
    assert journal.append(30, b"new")
    journal.commit()
    assert list(journal.since(30)) == [b"new"]
    assert list(journal.since(31)) == []
    journal.close()


def test_beyond_the_limit_the_newest_lines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "dead_letters.jsonl"
    journal = Journal(path, max_bytes=40)
    for number in range(100):
        assert journal.append(number, b"%02d" % number)
    journal.close()
    kept = (tmp_path / "dead_letters.jsonl.1").read_bytes() + path.read_bytes()
    assert len(kept) <= 50
    assert kept.splitlines()[-1] == b"99"
    again = Journal(path, journal.mark, max_bytes=40)
    assert again.count == 100
    again.close()


def test_a_full_disk_leaves_no_half_line_and_can_be_tried_again(tmp_path: Path) -> None:
    """The file size limit of the process stands in for a full disk: it fails in the same call."""
    path = tmp_path / "alarms.jsonl"
    journal = Journal(path)
    journal.append(0, b"first")
    journal.commit()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        journal.append(1, b"x" * 5_000)
        journal.append(2, b"y" * 5_000)
        with pytest.raises(OSError, match="File too large"):
            journal.commit()
        journal.rollback()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == b"first\n"
    assert journal.count == 1
    assert journal.append(1, b"x" * 5_000)
    journal.close()
    assert path.read_bytes() == b"first\n" + b"x" * 5_000 + b"\n"
