"""``potline demo``: broker, simulated line, gateway and page on one machine with nothing else installed."""

import logging
import signal
import socket
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge.app import Gateway, Simulated
from edge.broker import Broker
from edge.clock import Clock
from edge.config import AlignConfig, Config, ConsoleConfig, MqttConfig
from edge.exits import FAILURE, OK
from edge.simulate import publish
from edge.summary import summary_line
from plant.delivery import Delivery
from plant.faults import demo_faults
from plant.line import Line
from plant.publish import plant_toml
from streams import mqtt
from streams.plant_file import load_plant

log = logging.getLogger(__name__)

#: A cell is scanned this often in real time, or once a second of plant time where that is slower.
_SCANS_A_SECOND = 6.0
_HOUR_US = 3_600_000_000
#: With the simulated line ahead of real time, a pause of ours must not look like silence of the plant.
_IDLE_REAL_S = 20.0
_CONNECT_S = 20.0
_QUIET_S = 1.5


def demo(
    *,
    cells: int,
    speed: float,
    duration_s: float | None,
    seed: int,
    port: int,
    headless: bool,
    keep: Path | None,
    say: Callable[[str], None],
) -> int:
    """Run the whole system until it is stopped, or for a while.

    Parameters
    ----------
    cells
        Of the simulated line.
    speed
        Plant seconds a real second.
    duration_s
        Real seconds; None for ever.
    seed
        Of the simulated line.
    port
        Of the page; when it is taken another one is.
    headless
        Do not open a browser.
    keep
        Where inbox, journals and points stay, a new or empty folder; None for one that is removed.
    say
        Gets the lines for people; the last one is the summary.

    Returns
    -------
    int
        0, also when a person stops it; 1 when the accounts of points do not balance or the line failed.

    Raises
    ------
    BrokerError
        When no broker can be started.
    FileExistsError
        When the folder to keep things in is not empty.
    """
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="potline-demo-")))
        else:
            folder = keep
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise FileExistsError(
                    f"{folder} is not empty: a new line cannot go on where a kept one ended, name another folder"
                )
        say(f"simulated line: {cells} cells, seed {seed}, settling (compiles its kernels the first time) ...")
        start_us = time.time_ns() // 1000 // _HOUR_US * _HOUR_US
        line = Line(n_cells=cells, seed=seed, start_us=start_us, faults=demo_faults(cells, seed))
        (folder / "plant.toml").write_text(plant_toml(line), encoding="utf-8")
        broker = stack.enter_context(Broker(folder))
        say(f"broker: {broker.name} on 127.0.0.1:{broker.port}")
        config = Config(
            plant=str(folder / "plant.toml"),
            data_dir=str(folder / "data"),
            mqtt=MqttConfig(port=broker.port),
            align=AlignConfig(idle_s=min(3600.0, max(30.0, _IDLE_REAL_S * speed))),
            console=ConsoleConfig(port=_port(port)),
        )
        clock = Clock(speed, start_us)
        gateway = Gateway(load_plant(Path(config.plant)), config, Simulated(clock))
        gateway.warm_up()
        gateway.stop_on_signal()
        _stop_on_hangup(gateway)
        gateway.start()
        url = gateway.console.url if gateway.console else ""
        say(f"page: {url}  ({speed:g} times real speed; Ctrl-C ends)")
        gateway.subscriber.wait_connected(_CONNECT_S)
        source = _Source(line, clock, config.mqtt, duration_s, gateway.drain)
        source.start()
        if not headless:
            webbrowser.open(url)
        figures = gateway.run()
        source.stop()
    say(summary_line(figures))
    balanced = figures["points_accepted"] == sum(
        int(str(figures[name])) for name in ("points_written", "points_quarantined", "points_waiting")
    )
    return OK if balanced and source.well else FAILURE


class _Source:
    """The simulated line's own thread: publishes every scan when the plant's clock has reached it."""

    def __init__(
        self,
        line: Line,
        clock: Clock,
        broker: MqttConfig,
        duration_s: float | None,
        done: Callable[[float], None],
    ) -> None:
        self._line = line
        self._clock = clock
        self._publisher = mqtt.Publisher(
            mqtt.Broker(host=broker.host, port=broker.port, client_id="simulated-line")
        )
        self._duration_s = duration_s
        self._done = done
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated line", daemon=True)
        #: True once the line has ended as it should.
        self.well = False

    def start(self) -> None:
        """Set the plant's clock going and begin to publish."""
        self._clock.restart()
        self._publisher.start()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a line that is stopped while it runs has ended well."""
        self._stop.set()
        self._thread.join(timeout=10.0)
        self._publisher.stop()

    def _run(self) -> None:
        try:
            self._publish()
            self.well = True
        except mqtt.Unavailable as error:
            self.well = self._stop.is_set()
            if not self.well:
                log.error("the simulated line has failed: %s", error)
        finally:
            # Whatever ended the line, the gateway must not wait for it.
            self._done(_QUIET_S)

    def _publish(self) -> None:
        began = time.monotonic()
        interval_s = max(1.0, round(self._clock.speed / _SCANS_A_SECOND))
        self._publisher.wait_connected(_CONNECT_S)

        def going(_time_us: int) -> bool:
            return self._duration_s is None or time.monotonic() - began < self._duration_s

        delivery = Delivery(self._line.n_cells, self._line.seed, perfect=False)
        publish(self._line, self._publisher, self._clock, delivery, interval_s, going, self._stop.wait)
        if self._stop.is_set():
            return
        self._publisher.wait_all()


def _stop_on_hangup(gateway: Gateway) -> None:
    """Take the end of the terminal for Ctrl-C: the broker is in a session of its own and would stay behind."""

    def stop(_number: int, _frame: object) -> None:
        gateway.stop()

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, stop)


def _port(wanted: int) -> int:
    """The wanted port, or 0 (any) when somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted
