"""Real servers for tests: a broker and a database on free loopback ports, stopped by their own process id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    """Ask the system for a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find(binary: str) -> str:
    """Path of a binary; skips the test where it is missing, and fails it in CI."""
    path = shutil.which(binary) or shutil.which(binary, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        message = f"{binary} is not on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


class Server:
    """One child process that listens on a loopback port and can be stopped, killed and started again."""

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.log = log
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address for HTTP clients."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        return None if self._process is None else self._process.pid

    def start(self, timeout_s: float = 20.0) -> None:
        """Start the process and wait until the port answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"{self._command[0]} ended at once: {self.log.read_text(errors='replace')}"
                )
            try:
                with socket.create_connection((self.host, self.port), timeout=1.0):
                    return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self._command[0]} does not listen on port {self.port}")

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the process in order (SIGTERM)."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """End the process as a power cut would (SIGKILL)."""
        self._end(signal.SIGKILL, 10.0)

    def _end(self, how: signal.Signals, timeout_s: float) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(make: Callable[[], Server]) -> Server:
    """Start a server, on another port where somebody took the first one in between."""
    for attempts_left in (2, 1, 0):
        server = make()
        try:
            server.start()
        except RuntimeError:
            if not attempts_left:
                raise
        else:
            return server
    raise AssertionError


@contextmanager
def run_mosquitto(
    folder: Path, *, persistence: bool = False, options: tuple[str, ...] = ()
) -> Generator[Server]:
    """Run Mosquitto for the length of a ``with`` block.

    Parameters
    ----------
    folder
        Where configuration, log and (with ``persistence``) the message store are kept.
    persistence
        Write queued messages to disk when stopped, so that a restart keeps them.
    options
        Further lines of ``mosquitto.conf``.
    """
    binary = find("mosquitto")
    folder.mkdir(parents=True, exist_ok=True)

    def make() -> Server:
        port = free_port()
        lines = [
            f"listener {port} 127.0.0.1",
            "allow_anonymous true",
            "max_queued_messages 0",
            "max_inflight_messages 0",
            f"persistence {'true' if persistence else 'false'}",
        ]
        if persistence:
            # Folders of pytest belong to the caller alone: an unprivileged broker could not write there.
            lines += [f"persistence_location {folder}/", "autosave_interval 1"]
            lines += ["user root"] if os.geteuid() == 0 else []
        config = folder / f"mosquitto-{port}.conf"
        config.write_text("\n".join([*lines, *options]) + "\n")
        return Server([binary, "-c", str(config)], port, folder / "mosquitto.log")

    server = _started(make)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def run_victoria_metrics(folder: Path) -> Generator[Server]:
    """Run VictoriaMetrics (single node) for the length of a ``with`` block."""
    binary = find("victoria-metrics")
    folder.mkdir(parents=True, exist_ok=True)

    def make() -> Server:
        port = free_port()
        command = [
            binary,
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=64MB",
            "-search.latencyOffset=0s",
            "-search.disableCache",
        ]
        return Server(command, port, folder / "victoria-metrics.log")

    server = _started(make)
    try:
        yield server
    finally:
        server.stop()
