"""Kernels are compiled before anything is open, and in a process whose memory goes with it."""

import gc
import logging
import subprocess
from pathlib import Path

import numba
import pytest
from numba.core.registry import CPUDispatcher

from benchmarks.hot_path import line, seconds
from edge import rehearsal
from edge.alarm_rules import load_texts
from edge.config import Config
from edge.pipeline import Pipeline


def _compiled() -> set[tuple[int, str]]:
    found = [o for o in gc.get_objects() if isinstance(o, CPUDispatcher)]
    return {(id(kernel), str(signature)) for kernel in found for signature in kernel.overloads}


def test_nothing_is_left_to_compile_for_a_line_of_many_cells() -> None:
    plant = line(n_cells=3)
    rehearsal.rehearse(plant, Config())
    before = _compiled()
    assert before
    pipeline = Pipeline(plant, Config(), load_texts())
    source = seconds(plant, 3)
    for _ in range(400):
        pipeline.push(next(source))
    assert pipeline.scans > 30
    assert _compiled() == before


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # pyright: ignore
    return tmp_path


def _answer(monkeypatch: pytest.MonkeyPatch, returncode: int, stderr: str) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(rehearsal.subprocess, "run", run)
    return asked


def test_what_has_been_compiled_is_not_compiled_again(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _answer(monkeypatch, 0, "")
    rehearsal.compile_apart(Path("plant.toml"))
    rehearsal.compile_apart(Path("plant.toml"))
    assert len(asked) == 1
    assert asked[0][-4:] == ["-P", "-m", "edge.rehearsal", "plant.toml"]


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("code", "stderr", "told"),
    [(1, "Traceback\nMemoryError: no room", "MemoryError: no room"), (-9, "", "exit code -9")],
)
def test_a_process_that_fails_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, stderr: str, told: str
) -> None:
    asked = _answer(monkeypatch, code, stderr)
    with caplog.at_level(logging.WARNING):
        rehearsal.compile_apart(Path("plant.toml"))
        rehearsal.compile_apart(Path("plant.toml"))
    assert len(asked) == 2
    assert told in caplog.text


def test_a_cache_that_cannot_be_written_stops_nothing_and_another_plant_is_compiled_for(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _answer(monkeypatch, 0, "")
    plant = own_cache / "plant.toml"
    for text in ("a", "b", "b"):
        plant.write_text(text, encoding="utf-8")
        rehearsal.compile_apart(plant)
    assert len(asked) == 2
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(plant / "no folder"))  # pyright: ignore
    rehearsal.compile_apart(plant)
    assert len(asked) == 3


def test_the_process_itself_runs(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    path.write_text(
        'site = "s"\ntime_zone = "UTC"\n[[line]]\nid = "L1"\nrated_current_A = 400e3\n[[line.cell]]\nid = "L1-001"\n',
        encoding="utf-8",
    )
    command = [rehearsal.sys.executable, "-P", "-m", "edge.rehearsal", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
