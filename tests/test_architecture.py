"""The house as a test: who may import whom, how long a file may be, what the wheel must carry."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("twin", "models", "streams", "edge", "plant")
#: Clock, chance and the outside world: not below edge and streams, and not in the pipeline.
IMPURE = {"asyncio", "time", "random", "socket", "logging", "sqlite3", "threading", "paho", "influxdb_client"}

PURE = (
    "pipeline.py",
    "alarms.py",
    "alarm_delays.py",
    "scan.py",
    "accounting.py",
    "anode_log.py",
    "recent.py",
)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at any depth."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", files("plant"), ids=lambda path: path.name)
def test_the_plant_knows_nothing_of_us_but_the_signal_names(path: Path) -> None:
    ours = {name for name in imports(path) if name.split(".")[0] in set(ROOMS) - {"plant"}}
    assert {name for name in ours if name != "twin" and not name.startswith("twin.signals")} == set()


@pytest.mark.parametrize(
    "path", [*files("twin"), *files("models"), *(ROOT / "edge" / name for name in PURE)], ids=str
)
def test_what_must_be_repeatable_reads_no_clock_and_no_file(path: Path) -> None:
    assert {name.split(".")[0] for name in imports(path)} & IMPURE == set()
    assert "default_rng" not in path.read_text(encoding="utf-8")


def test_no_file_is_over_500_lines() -> None:
    sources = [p for room in (*ROOMS, "tests", "benchmarks") for p in files(room)]
    sources += [p for p in (ROOT / "edge/web").glob("*.*") if p.suffix in (".js", ".css", ".html")]
    lengths = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8").count("\n") for p in sources}
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}


def test_the_hot_path_loads_no_training_library() -> None:
    """A gateway has neither torch nor scikit-learn; `potline config` does not even load the compiler."""
    # numba takes scipy along by itself where it finds it.
    code = (
        "import sys, numba; before = set(sys.modules); import edge.app; ours = set(sys.modules) - before; "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pandas', 'matplotlib') if m in ours])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"
    code = "import sys, edge.cli; print('numba' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "False"
