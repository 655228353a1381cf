"""The validation page: every row is there, says what it must, and is what the script writes."""

import importlib
from collections.abc import Callable
from typing import cast

import pytest


@pytest.fixture(scope="module")
def written() -> str:
    module = importlib.import_module("benchmarks.validate")
    return cast("Callable[[], str]", module.page)()


def test_committed_page_is_what_the_script_writes(written: str, pytestconfig: pytest.Config):
    committed = (pytestconfig.rootpath / "docs" / "validation.md").read_text(encoding="utf-8")
    assert committed == written, "run make validate"


def test_every_row_has_a_verdict(written: str):
    rows = [line.split("|")[1:-1] for line in written.splitlines() if line.startswith("| ")][1:]
    assert {int(row[0].strip().rstrip("ab")) for row in rows} == set(range(1, 26))
    for row in rows:
        assert len(row) == 8, row
        verdict = row[6].strip()
        assert verdict == "pass" or verdict.startswith(("🔴 **MISSED: ", "not yet built; missing: ")), row[0]
        assert row[7].strip().startswith(("A", "B", "C"))
        # What was run shows what came out, missed or not.
        assert bool(row[5].strip()) is not verdict.startswith("not yet built"), row[0]


def test_equations_meet_their_tables(written: str):
    # Rows of equations and of the network: a failure here is an error in code, never a matter of opinion.
    for number in ("1", "2", "3", "4", "5a", "6", "8", "11", "12", "18", "22", "23"):
        (line,) = (line for line in written.splitlines() if line.startswith(f"| {number} |"))
        assert line.split("|")[7].strip() == "pass", line
