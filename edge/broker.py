"""A broker of its own for ``potline demo``: Mosquitto when it is on the PATH, otherwise amqtt in its own process."""

import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
"""
_AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""
_START_S = 20.0


class BrokerError(RuntimeError):
    """No broker could be started; the message says what to do."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A broker process on loopback for as long as the ``with`` block lasts.

    Parameters
    ----------
    folder
        Where its configuration and log go.

    Raises
    ------
    BrokerError
        On entering, when neither broker is installed or the one that is does not come up.
    """

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "broker.log"
        mosquitto = shutil.which("mosquitto")
        self.name = "mosquitto" if mosquitto else "amqtt"
        config = folder / ("mosquitto.conf" if mosquitto else "amqtt.yaml")
        if mosquitto:
            self._command = [mosquitto, "-c", str(config)]
        elif importlib.util.find_spec("amqtt"):
            # Its warnings are about its own plugins, not about anything that a user could change.
            self._command = [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "amqtt.scripts.broker_script",
                "-c",
                str(config),
            ]
        else:
            raise BrokerError(
                "no MQTT broker: install Mosquitto, or amqtt with `pip install 'potline[demo]'`"
            )
        config.write_text((_MOSQUITTO if mosquitto else _AMQTT).format(port=self.port), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            # A terminal's Ctrl-C goes to the whole group, but the broker must outlive those who talk to it.
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(0.2)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        self.__exit__()
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise BrokerError(
            f"{self.name} did not come up on port {self.port}: {' '.join(said) or 'it said nothing'}"
        )

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
