"""``potline simulate``: the simulated line into a history folder, or live to a broker."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from msgspec import json

from edge.clock import Clock
from plant.delivery import Delivery
from plant.history import simulate
from plant.line import Line
from plant.publish import plant_toml, scans
from plant.scenario import scenario
from plant.technology import TECHNOLOGIES, Technology, TechnologyError, load_technology
from streams import mqtt

_CONNECT_S = 20.0
_HOUR_US = 3_600_000_000
_BAR = 40


def record(arguments: argparse.Namespace, progress: TextIO) -> None:
    """Write a history folder.

    Parameters
    ----------
    arguments
        Of the command.
    progress
        Gets a bar where it is a terminal.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FileExistsError
        If the folder already holds readings.
    """
    simulate(
        arguments.out,
        n_cells=arguments.cells,
        days=arguments.days,
        seed=arguments.seed,
        faults=arguments.faults,
        technology=_technology(arguments.technology),
        interval_s=arguments.interval,
        progress=_bar(progress) if progress.isatty() else None,
    )


def live(arguments: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Publish a line to a broker as its days go by, from the last full hour on.

    Parameters
    ----------
    arguments
        Of the command.
    say
        Gets the lines for people; the first one is where ``plant.toml`` for the gateway stands.

    Raises
    ------
    Unavailable
        When the broker cannot be reached or stops taking messages.
    ValueError
        If an argument is out of range.
    FileExistsError
        If there is a ``plant.toml`` already.
    """
    host, port = arguments.mqtt
    start_us = time.time_ns() // 1000 // _HOUR_US * _HOUR_US
    line = scenario(
        arguments.faults,
        n_cells=arguments.cells,
        days=arguments.days,
        seed=arguments.seed,
        start_us=start_us,
        technology=_technology(arguments.technology),
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "plant.toml"
    with path.open("x", encoding="utf-8") as file:
        file.write(plant_toml(line))
    say(f"{path}: what the gateway has to know of this line")
    publisher = mqtt.Publisher(mqtt.Broker(host=host, port=port, client_id="potline-simulate"))
    publisher.start()
    try:
        publisher.wait_connected(_CONNECT_S)
        say(f"{arguments.cells} cells to {host}:{port}, {arguments.speed:g} times real speed; Ctrl-C ends")
        clock = Clock(arguments.speed, start_us)
        end_us = start_us + round(arguments.days * 86400e6)
        delivery = Delivery(arguments.cells, arguments.seed, perfect=arguments.faults == "none")
        sent = publish(
            line, publisher, clock, delivery, arguments.interval, lambda now: now < end_us, time.sleep
        )
        publisher.wait_all()
    finally:
        publisher.stop()
    say(f"{sent} messages")


def publish(
    line: Line,
    publisher: mqtt.Publisher,
    clock: Clock,
    delivery: Delivery,
    interval_s: float,
    going: Callable[[int], bool],
    pause: Callable[[float], object],
) -> int:
    """Publish every scan when the plant's clock has reached it; gives the number of messages.

    Parameters
    ----------
    line
        Is advanced.
    publisher
        Connected.
    clock
        The plant's.
    delivery
        What happens to readings on their way to the broker.
    interval_s
        Between two scans of a cell [s].
    going
        Asked before each message, with its time [us]; False ends it.
    pause
        Waits so many seconds; a true answer ends it too.

    Raises
    ------
    Unavailable
        When the broker stops taking messages.
    """
    sent = 0
    for message in scans(line, interval_s, delivery):
        ahead_s = (message.time_us - clock.now_us()) / 1e6 / clock.speed
        if pause(max(ahead_s, 0.0)) or not going(message.time_us):
            break
        publisher.publish(message.topic, json.encode(message.payload))
        sent += 1
    return sent


def _technology(text: str) -> Technology:
    if text in TECHNOLOGIES:
        return TECHNOLOGIES[text]
    if text.endswith(".toml"):
        return load_technology(Path(text))
    raise TechnologyError(f"{text}: one of {', '.join(sorted(TECHNOLOGIES))}, or a TOML file")


def _bar(stream: TextIO) -> Callable[[float], None]:
    """Draw what is done and how long the rest will take."""
    began = time.monotonic()

    def show(share: float) -> None:
        filled = round(share * _BAR)
        left_s = (time.monotonic() - began) * (1.0 - share) / share
        end = "\n" if share >= 1.0 else ""
        stream.write(
            f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {100 * share:3.0f} %, {left_s:.0f} s left {end}"
        )
        stream.flush()

    return show
