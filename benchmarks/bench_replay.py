"""``make bench-replay``: how fast recorded days go through the pipeline, and where the time is spent.

The whole is the command that people run, without any instrument in it. Shares come from replays of the same history in
between, with stop-watches on what is called once a frame, a scan or a batch: what a method spends in another that is
watched counts for the other, so that shares add up.
"""

import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import edge.replay
from benchmarks import results
from edge.accounting import Accounting
from edge.alarm_rules import load_texts
from edge.alarms import AlarmEngine
from edge.config import Config
from edge.pipeline import Pipeline
from edge.scan import ScanBuilder
from edge.tables import Tables
from models.registry import DETECTORS
from plant.history import simulate
from streams.history import read_history
from streams.plant_file import load_plant
from twin.observer import Observer

SEED, CELLS, HOURS, INTERVAL_S, ROUNDS = 7, 24, 12.0, 10.0, 5
PACKAGES = ("numpy", "numba", "pyarrow", "msgspec")
#: Items are pushed one by one: what a push does besides the frames that it closes is aligning.
_PARTS: tuple[tuple[str, object, tuple[str, ...]], ...] = (
    ("reading", edge.replay, ("replay",)),
    ("aligning", Pipeline, ("push", "flush")),
    ("scans", ScanBuilder, ("add", "feed")),
    ("energy accounts", Accounting, ("add", "close", "counter", "finish")),
    ("twin", Observer, ("step", "sample", "event")),
    *(("detectors", detector, ("update",)) for detector in DETECTORS.values()),
    ("alarms", AlarmEngine, ("update", "operate")),
    ("rest of the pipeline", Pipeline, ("_frame", "_close_scans")),
    ("files and report", Tables, ("add", "__exit__")),
    ("files and report", edge.replay, ("render",)),
)

P = ParamSpec("P")
R = TypeVar("R")


class _Watch:
    """Adds up the time spent in methods, each without what it spends in other watched ones."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    @contextmanager
    def on(self, what: str, owner: object, names: tuple[str, ...]) -> Generator[None]:
        kept: dict[str, Any] = {name: getattr(owner, name) for name in names}
        self.seconds.setdefault(what, 0.0)
        for name, method in kept.items():
            setattr(owner, name, self._timed(what, method))
        try:
            yield
        finally:
            for name, method in kept.items():
                setattr(owner, name, method)

    def _timed(self, what: str, method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def timed(*args: P.args, **named: P.kwargs) -> R:
            self._inside.append(0.0)
            start = perf_counter()
            try:
                return method(*args, **named)
            finally:
                spent = perf_counter() - start
                self.seconds[what] += spent - self._inside.pop()
                if self._inside:
                    self._inside[-1] += spent

        return timed


def whole(history: Path, out: Path) -> float:
    """Time of one replay [s]."""
    start = perf_counter()
    if edge.replay.replay(history, out, Config(), speed=None, say=lambda _: None) != 0:
        sys.exit("the replay failed")
    return perf_counter() - start


def parts(history: Path, out: Path) -> dict[str, float]:
    """Time of each part of one replay [s]; they sum to the replay."""
    watch = _Watch()
    with ExitStack() as watched:
        for what, owner, names in _PARTS:
            watched.enter_context(watch.on(what, owner, names))
        whole(history, out)
    return watch.seconds


def size(history: Path) -> tuple[int, int]:
    """How many items a history holds, and how many scans they make."""
    items = list(read_history(history))
    pipeline = Pipeline(load_plant(history / "plant.toml"), Config(), load_texts())
    pipeline.push(items)
    pipeline.flush()
    return len(items), pipeline.scans


def main() -> None:
    """Simulate, replay, print the table, write ``results/replay.json`` and the README."""
    with tempfile.TemporaryDirectory() as folder:
        history, out = Path(folder) / "history", Path(folder) / "out"
        simulate(history, n_cells=CELLS, days=HOURS / 24.0, seed=SEED, interval_s=INTERVAL_S)
        # This also compiles the kernels.
        items, scans = size(history)
        rounds = [(whole(history, out), parts(history, out)) for _ in range(ROUNDS)]
    seconds = min(found for found, _ in rounds)
    shares = min((found for _, found in rounds), key=lambda found: sum(found.values()))
    total = sum(shares.values())
    run = results.conditions(SEED, PACKAGES) | {
        "replay": {
            "cells": CELLS,
            "hours": HOURS,
            "interval_s": INTERVAL_S,
            "items": items,
            "scans": scans,
            "rounds": ROUNDS,
            "seconds": seconds,
            "times_real_time": HOURS * 3600.0 / seconds,
        },
        "shares": [
            {"what": what, "seconds": spent, "share": spent / total} for what, spent in shares.items()
        ],
    }
    results.write("replay", run)
    print(results.replay_table(run))


if __name__ == "__main__":
    main()
