"""Histories and runs that several tests share."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge.cli import main

Summary = dict[str, Any]


def summary_of(text: str) -> Summary:
    """The figures of the last line that a command printed."""
    last = text.strip().splitlines()[-1]
    assert last.startswith("summary: "), text
    return json.loads(last.removeprefix("summary: "))


def simulate(out: Path, *, cells: int, days: float, seed: int = 7, faults: str = "enriched") -> Path:
    """A recorded history with a row a cell every ten seconds."""
    arguments = ["--cells", str(cells), "--days", str(days), "--seed", str(seed), "--faults", faults]
    assert main(["simulate", "--out", str(out), "--interval", "10", *arguments]) == 0
    return out


def replay(history: Path, out: Path) -> str:
    """Replay in this process; gives the hash of the alarms."""
    assert main(["replay", str(history), "--out", str(out)]) == 0
    return digest(out / "alarms.jsonl")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shuffled(history: Path, out: Path, within_s: float, seed: int) -> Path:
    """A copy whose rows stand out of order by up to ``within_s``."""
    import numpy as np

    rng = np.random.default_rng(seed)
    (out / "readings").mkdir(parents=True)
    for path in history.iterdir():
        if path.is_file():
            (out / path.name).write_bytes(path.read_bytes())
    for path in sorted((history / "readings").iterdir()):
        table = pq.read_table(path)
        time_s = table.column("time").cast(pa.int64()).to_numpy() / 1e6
        order = np.argsort(time_s + rng.uniform(0.0, within_s, len(time_s)), kind="stable")
        assert (order != np.arange(len(order))).mean() > 0.5
        pq.write_table(table.take(order), out / "readings" / path.name)
    return out


class Gateway:
    """``potline run`` in a process of its own, as at a plant."""

    def __init__(
        self,
        folder: Path,
        plant: Path,
        broker_port: int,
        *,
        influx_url: str = "",
        extra: str = "",
        until_quiet_s: float = 0,
    ) -> None:
        self.data = folder / "data"
        self.config = folder / "potline.toml"
        self.config.write_text(
            f'plant = "{plant}"\ndata_dir = "{self.data}"\n[mqtt]\nport = {broker_port}\n'
            f'[influxdb]\nurl = "{influx_url}"\n[console]\nport = 0\n{extra}',
            encoding="utf-8",
        )
        self._quiet = ["--until-quiet", str(until_quiet_s)] if until_quiet_s else []
        self._log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it has said where its page is."""
        command = [str(Path(sys.executable).parent / "potline"), "run", "-c", str(self.config), *self._quiet]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONSAFEPATH": "1"}
            )
        deadline = time.monotonic() + 240.0  # the first one compiles the kernels
        while "gateway: process" not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def wait_for(self, query: str, at_least: int, timeout_s: float = 60.0) -> None:
        """Wait until a query of the gateway's store gives at least so much."""
        deadline = time.monotonic() + timeout_s
        while True:
            db = sqlite3.connect(f"file:{self.data / 'store.sqlite'}?mode=ro", uri=True)
            found = int(db.execute(query).fetchone()[0])
            db.close()
            if found >= at_least:
                return
            assert time.monotonic() < deadline, f"{query}: {found}\n{self.said()}"
            time.sleep(0.1)

    def said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def terminate(self) -> Summary:
        """SIGTERM; gives the summary."""
        assert self._process is not None
        self._process.terminate()
        return self.finished()

    def finished(self, timeout_s: float = 300.0) -> Summary:
        """Wait for the end; gives the summary."""
        assert self._process is not None
        assert self._process.wait(timeout_s) == 0, self.said()
        return summary_of(self.said())
