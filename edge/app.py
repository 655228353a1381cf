"""The gateway: subscriber, engine, outbox, announcer and console put together and taken apart."""

import gc
import logging
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from edge.alarm_rules import load_texts
from edge.announce import Announcer
from edge.calibration_file import calibrated
from edge.clock import Clock
from edge.config import Config, ConfigError, secret
from edge.console import Console
from edge.display import Display, make_board
from edge.engine import Engine
from edge.exits import OK
from edge.outbox import Outbox
from edge.rehearsal import compile_apart, rehearse
from edge.summary import summary, summary_line
from streams.inbox import InboxUnavailable
from streams.influx import InfluxWriter
from streams.mqtt import Broker, State, Subscriber, Unavailable
from streams.plant_file import Plant, load_plant

log = logging.getLogger(__name__)

_IDLE_PAUSE_S = 0.1
_SHOW_S = 1.0
_FORGET_S = 3600.0
_FIRST_MESSAGE_S = 60.0
#: The start-up line waits so long for the broker; it is tried on afterwards.
_FIRST_CONNECTION_S = 10.0
_DISK_PAUSE_S = 1.0
#: The silence after which a connection that looks alive is cut and made anew.
_RECONNECT_S = 120.0


class Simulated(NamedTuple):
    """What differs when the line is simulated: its clock runs faster, and the page says so."""

    clock: Clock


class Gateway:
    """One site's gateway.

    Parameters
    ----------
    plant, config
        What to watch, and how.
    simulated
        None at a real plant.

    Raises
    ------
    ConfigError
        When a secret is missing or the page's port is taken.
    ParamsError
        When a cell's technology is impossible.
    """

    def __init__(self, plant: Plant, config: Config, simulated: Simulated | None = None) -> None:
        texts = load_texts()
        self.config = config
        self.clock = simulated.clock if simulated else Clock()
        # What the configuration lacks must show before any file is opened.
        broker, announcing = broker_of(config), broker_of(config, suffix="-alarms")
        writer = influx_writer(config) if config.influxdb.url else None
        self.engine = Engine(plant, config, texts, Path(config.data_dir))
        self._arrived = threading.Event()
        self.subscriber = Subscriber(
            broker,
            self.engine.filters,
            self.engine.inbox,
            clock_us=self.clock.now_us,
            on_stored=lambda _: self._arrived.set(),
        )
        self._announcer = Announcer(plant, announcing)
        self._outbox = Outbox(self.engine.store, writer, config.influxdb.batch) if writer else None
        board = make_board(plant, simulated=simulated is not None, speed=self.clock.speed)
        self._display = Display(board, texts)
        self.console = (
            Console(board, config.console.host, config.console.port) if config.console.enabled else None
        )
        self._stop = threading.Event()
        self._until_quiet_s: float | None = None
        self._draining_since = 0.0
        self._disk = "ok"
        self._accounts = self.engine.store.accounts()
        now = time.monotonic()
        self._began = self._saved = self._shown = self._forgot = self._moved = self._reconnected = now
        self._watermark_us = 0

    def start(self) -> None:
        """Open the page, the database and the broker; returns at once, also where the latter two are away."""
        if self.console is not None:
            try:
                self.console.start()
            except OSError as error:
                where = f"{self.config.console.host}:{self.config.console.port}"
                raise ConfigError(f"console.port: cannot listen on {where}: {error.strerror}") from error
        if self._outbox is not None:
            self._outbox.start()
        self._announcer.start()
        self.subscriber.start()

    def stop(self) -> None:
        """End the loop of ``run``; callable from any thread or signal handler."""
        self._stop.set()
        self._arrived.set()

    def stop_on_signal(self) -> None:
        """Stop in order on SIGTERM and SIGINT."""

        def handle(_number: int, _frame: object) -> None:
            self.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, handle)

    def drain(self, quiet_s: float) -> None:
        """The stream is about to end: stop when nothing has arrived for a while [s], and close every frame."""
        self._until_quiet_s = quiet_s
        self._draining_since = time.monotonic()

    def warm_up(self) -> None:
        """Compile every kernel now, or take it from Numba's cache, on a pipeline that is thrown away."""
        rehearse(self.engine.plant, self.config)
        # What is loaded now stays: a full collection that walks it stops the line's frames for a tenth of a second.
        gc.collect()
        gc.freeze()

    def run(self) -> dict[str, object]:
        """Work until told to stop or drained; then close everything in order.

        Returns
        -------
        dict
            The summary.
        """
        quiet = False
        while not self._stop.is_set() and not quiet:
            try:
                quiet = self._turn()
            except (InboxUnavailable, sqlite3.Error, OSError) as error:
                self._disk_failed(error)
        return self._finish(flush=quiet)

    def _turn(self) -> bool:
        """Work, or wait a moment; True when the stream that is drained has ended."""
        if not self._work():
            if self._quiet():
                return True
            self._tick()
            self._arrived.wait(_IDLE_PAUSE_S)
            self._arrived.clear()
        self._housekeeping()
        if self._disk != "ok":
            log.info("the disk works again")
            self._disk = "ok"
        return False

    def _disk_failed(self, error: Exception) -> None:
        """Say so once, show it, and try again: what is not on disk is not acknowledged or not taken out."""
        if self._disk == "ok":
            log.error("the disk does not take what there is to write, trying on: %s", error)
        self._disk = str(error)
        self._display.show(self.engine.pipeline, self._figures())
        self._stop.wait(_DISK_PAUSE_S)

    def _work(self) -> bool:
        """Take some of the inbox through; False when it was empty."""
        new = self.engine.work()
        if new is None:
            return False
        # Little and often: what waits for its frame is much, and Python would look at all of it at once.
        gc.collect(0)
        self._announcer.tell(new, self.engine.pipeline.alarms.live)
        self._display.trend(self.engine.pipeline)
        return True

    def _tick(self) -> None:
        """Let the stream's clock run on when its watermark stands still though the broker is there.

        Without the broker nothing can be said about the plant: what it sends meanwhile waits there, and must not
        come too late because our clock ran on.
        """
        now = time.monotonic()
        watermark_us = self.engine.pipeline.aligner.watermark_us
        status = self.subscriber.status
        if watermark_us != self._watermark_us or status.state is not State.CONNECTED:
            self._watermark_us = watermark_us
            self._moved = now
            return
        still_s = now - self._moved
        if watermark_us == 0 or still_s * self.clock.speed < self.config.align.idle_s or still_s < 1.0:
            return
        newest_us = watermark_us + round(self.config.align.lateness_s * 1e6)
        self.engine.tick(newest_us + int(still_s * self.clock.speed * 1e6), self.clock.now_us())
        self._moved = now

    def _housekeeping(self) -> None:
        now = time.monotonic()
        if self._outbox is not None and not self._outbox.alive:
            raise RuntimeError(
                "the outbox thread has ended by a fault; a supervisor should start potline again"
            )
        if now - self._shown >= _SHOW_S:
            self._shown = now
            self._display.show(self.engine.pipeline, self._figures())
        if now - self._saved >= self.config.storage.checkpoint_s:
            self._saved = now
            self.engine.save()
        if now - self._forgot >= _FORGET_S:
            self._forgot = now
            # The small collections keep Python's own from coming to the older objects.
            gc.collect()
            now_us, storage = self.clock.now_us(), self.config.storage
            self.engine.store.forget(
                now_us - int(storage.keep_days * 86_400e6), now_us - int(storage.keep_states_days * 86_400e6)
            )
        age_s = self.subscriber.status.last_message_age_s
        if age_s is not None and min(age_s, now - self._reconnected) >= _RECONNECT_S:
            self._reconnected = now
            log.warning("nothing has arrived for %.0f s: connecting anew", age_s)
            self.subscriber.reconnect()

    def _quiet(self) -> bool:
        """True when draining and nothing has arrived for that long; before the first message one waits longer."""
        if self._until_quiet_s is None:
            return False
        age_s = self.subscriber.status.last_message_age_s
        if age_s is None:
            return time.monotonic() - self._draining_since >= max(self._until_quiet_s, _FIRST_MESSAGE_S)
        return age_s >= self._until_quiet_s

    def _figures(self) -> dict[str, float | str | None]:
        """What the page says about the gateway itself."""
        status = self.subscriber.status
        if self._disk == "ok":
            self._accounts = self.engine.store.accounts()
        accounts = self._accounts
        pipeline = self.engine.pipeline
        counts = pipeline.aligner.counts
        watermark_us = pipeline.aligner.watermark_us
        return {
            "messages": self.engine.numbers.messages,
            "frames": pipeline.frames,
            "late": counts["late"],
            "duplicates": counts["duplicates"],
            "dead_letters": self.engine.numbers.dead_letters,
            "points_accepted": accounts.accepted,
            "points_written": accounts.written,
            "points_quarantined": accounts.quarantined,
            "points_waiting": accounts.waiting,
            "disk": self._disk,
            **({"late_cells": worst} if (worst := _worst(pipeline.aligner.late_by_cell)) else {}),
            "lag_s": (self.clock.now_us() - watermark_us) / 1e6 if watermark_us else None,
            "broker": status.error or status.inbox_error or status.state.value,
            "database": self._outbox.state if self._outbox else "local",
        }

    def _finish(self, *, flush: bool) -> dict[str, object]:
        """Stop taking, work off what is on disk, save, and close; what the broker still holds it keeps for us."""
        self.subscriber.stop()
        while self._work():
            pass
        if flush:
            self._announcer.tell(self.engine.finish(), self.engine.pipeline.alarms.live)
        if self._outbox is not None:
            self._outbox.stop()
        self._display.show(self.engine.pipeline, self._figures())
        figures = summary(
            self.engine.pipeline,
            self.engine.store.accounts(),
            messages=self.engine.numbers.messages,
            dead_letters=self.engine.faults,
            seconds=time.monotonic() - self._began,
        )
        # After a flush the stream is over: a saved state must not take its end for a part of it.
        self.engine.save()
        self._announcer.stop()
        if self.console is not None:
            self.console.stop()
        self.engine.close()
        return figures


def _worst(late_by_cell: Mapping[str, int]) -> str:
    """The three cells whose readings come too late most often: their clocks or their network want a look."""
    worst = sorted(late_by_cell.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(f"{cell} {count}" for cell, count in worst)


def broker_of(config: Config, suffix: str = "") -> Broker:
    """How to reach the broker by the configuration.

    Raises
    ------
    ConfigError
        When a user is named but no password is found.
    """
    mqtt = config.mqtt
    password = secret(mqtt.password_env, mqtt.password_file)
    if mqtt.username and password is None:
        raise ConfigError(
            f"mqtt.username is set, but neither ${mqtt.password_env} nor mqtt.password_file holds a password"
        )
    return Broker(
        host=mqtt.host,
        port=mqtt.port,
        client_id=mqtt.client_id + suffix,
        username=mqtt.username or None,
        password=password if mqtt.username else None,
        tls=mqtt.tls,
        ca_file=mqtt.ca_file or None,
        cert_file=mqtt.cert_file or None,
        key_file=mqtt.key_file or None,
    )


def influx_writer(config: Config) -> InfluxWriter:
    """The database by the configuration."""
    influx = config.influxdb
    token = secret(influx.token_env, influx.token_file) or ""
    return InfluxWriter(influx.url, influx.org, influx.bucket, token, influx.timeout_s)


def _compile(plant: Path) -> None:
    """Compile apart; a signal that comes meanwhile ends the compiling process too."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        compile_apart(plant)
    finally:
        signal.signal(signal.SIGTERM, before)


def run(config: Config, *, until_quiet_s: float | None, say: Callable[[str], None]) -> int:
    """``potline run``: the gateway until SIGTERM, SIGINT or the end of the stream.

    Raises
    ------
    PlantError, ConfigError
        Before anything is started.
    """
    plant = calibrated(load_plant(Path(config.plant)), config)
    _compile(Path(config.plant))
    gateway = Gateway(plant, config)
    gateway.stop_on_signal()
    # Before anything is open: the first start after an installation or upgrade compiles for a while.
    gateway.warm_up()
    gateway.start()
    if gateway.console is not None:
        say(f"console: {gateway.console.url}")
    # What is published before the subscription stands is not kept for us: whoever waits for this line may begin.
    try:
        gateway.subscriber.wait_connected(_FIRST_CONNECTION_S)
        broker = "subscribed"
    except Unavailable as error:
        broker = f"{error}; trying on"
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    say(f"gateway: process {os.getpid()}, broker {where} ({broker}), data in {config.data_dir}")
    if until_quiet_s is not None:
        gateway.drain(until_quiet_s)
    figures = gateway.run()
    say(summary_line(figures))
    return OK
