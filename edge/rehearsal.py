"""Every kernel once, before anything is open: compiled in a process of its own, so that its memory goes with it.

Numba keeps what it compiled on disk, but the compiler itself stays in the memory of the process that used it: more
than twice what the gateway needs. ``python -m edge.rehearsal PLANT`` is that process.
"""

import hashlib
import logging
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numba

import models
import twin
from edge.alarm_rules import load_texts
from edge.config import Config
from edge.pipeline import Pipeline
from streams.messages import Event, Item, Reading, Sample
from streams.plant_file import Cell, Plant, load_plant

log = logging.getLogger(__name__)

#: Stream time that is rehearsed; of two hours, the last kernel was first called after 90 s.
_REHEARSED_S, _STEP_S = 300.0, 5.0
_FIRST_US = 1_000_000_800_000_000
_COMPILE_TIMEOUT_S = 1800.0


def rehearse(plant: Plant, config: Config) -> None:
    """Run one cell of each technology through a pipeline that is thrown away, with every instrument it has.

    Parameters
    ----------
    plant
        What is watched; of its cells the first of each technology.
    config
        As the gateway has it.
    """
    first: dict[object, Cell] = {}
    for cell in plant.cells:
        first.setdefault((cell.technology, cell.n_anodes, cell.n_shell, cell.n_bars), cell)
    lines = tuple(dict.fromkeys(cell.line for cell in first.values()))
    trial = Pipeline(
        msgspec.structs.replace(plant, cells=tuple(first.values()), lines=lines), config, load_texts()
    )
    for items in _played(list(first.values())):
        trial.push(items)
    trial.flush()


def _played(cells: list[Cell]) -> Iterator[list[Item]]:
    for step in range(int(_REHEARSED_S / _STEP_S)):
        time_us = _FIRST_US + round(step * _STEP_S * 1e6)
        # A steady cell but for a small swing, so that nothing is refused as a reading that stands still.
        swing = 1.0 + 0.001 * (step % 7 - 3)
        items: list[Item] = []
        for cell in cells:
            current_A = cell.rated_current_A or 1e5
            items += [
                Reading(time_us, cell.line, "", "line_current_A", current_A * swing),
                Reading(time_us, cell.line, cell.id, "cell_voltage_V", 4.1 * swing),
                Reading(time_us, cell.line, cell.id, "duct_gas_temp_C", 120.0 * swing),
                Reading(time_us, cell.line, cell.id, "beam_position_mm", 200.0),
            ]
            for signal, n, value in (
                ("anode_current_A", cell.n_anodes, current_A / max(1, cell.n_anodes)),
                ("shell_temp_C", cell.n_shell, 280.0),
                ("collector_bar_temp_C", cell.n_bars, 220.0),
            ):
                if n:
                    items.append(Reading(time_us, cell.line, cell.id, signal, (value * swing,) * n))
            if step % 60 == 0:
                items.append(Event(time_us, time_us, cell.id, "alumina_feed", {"mass_kg": 1.8, "feeder": 1}))
            if step == 0:
                items += [
                    Sample(time_us, time_us, cell.id, "bath_temp_C", 960.0),
                    Sample(time_us, time_us, cell.id, "excess_alf3_pct", 11.0),
                ]
        yield items


def compile_apart(plant: Path) -> None:
    """Compile every kernel in a process of its own; does nothing where these sources have been compiled before.

    Parameters
    ----------
    plant
        The plant file. Where the process fails, that is said, and kernels are compiled here when they are wanted.
    """
    mark = _mark(plant)
    if mark.is_file():
        return
    log.info("compiling the kernels; the first start takes a minute or two")
    try:
        done = subprocess.run(
            # -P: what lies in the working directory is none of ours.
            [sys.executable, "-P", "-m", "edge.rehearsal", str(plant)],
            capture_output=True,
            text=True,
            timeout=_COMPILE_TIMEOUT_S,
            check=False,
        )
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        fault = said[-1] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        fault = str(error)
    if fault:
        log.warning("compiling in a process of its own failed, it is done in this one: %s", fault)
        return
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        log.info("%s: cannot be written, the next start looks again: %s", mark, error.strerror)


def _mark(plant: Path) -> Path:
    """File beside what Numba kept, there once every kernel that these sources need for this plant was compiled."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__} {platform.machine()}".encode())
    digest.update(plant.read_bytes() if plant.is_file() else b"")
    for package in (twin, models):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
    kept = Path(str(numba.config.CACHE_DIR))  # pyright: ignore
    return kept / f"rehearsed-{digest.hexdigest()[:16]}"


if __name__ == "__main__":
    rehearse(load_plant(Path(sys.argv[1])), Config())
