"""The one console script: parse, call, print, exit code."""

import argparse
import logging
import sqlite3
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from edge.cli_models import add as add_models
from edge.config import ConfigError, example, load_config
from edge.exits import BAD_CONFIG, BAD_DATA, FAILURE, NO_INPUT, OK, UNAVAILABLE, USAGE


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``potline``.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes the process's.

    Returns
    -------
    int
        Exit code by contract: 0 ok, 1 failure, 2 usage, 65 bad data, 66 no input, 69 service unavailable, 78 bad
        configuration.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO if getattr(arguments, "verbose", False) else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except ConfigError as error:
        return _fail(BAD_CONFIG, error)
    except (sqlite3.DatabaseError, OSError) as error:
        return _fail(FAILURE, error)
    except KeyboardInterrupt:
        return 130


def _fail(code: int, error: object) -> int:
    print(f"potline: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="potline", description="A digital twin and anomaly detector for aluminium electrolysis."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, function: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        added.add_argument("-v", "--verbose", action="store_true", help="say on stderr what changes")
        added.set_defaults(command=function)
        return added

    demo = command("demo", _demo, "the whole system on this machine: broker, simulated line, gateway, page")
    demo.add_argument("--cells", type=_count(1, 450), default=24, help="cells of the line (default 24)")
    demo.add_argument("--speed", type=_positive, default=60.0, help="plant seconds a second (default 60)")
    demo.add_argument("--duration", type=_positive, help="stop after this many seconds and print a summary")
    demo.add_argument("--seed", type=int, default=1, help="seed of the simulated line (default 1)")
    demo.add_argument(
        "--port", type=_count(0, 65535), default=8080, help="port of the page, 0 for a free one"
    )
    demo.add_argument("--headless", action="store_true", help="do not open a browser")
    demo.add_argument("--keep", type=Path, metavar="DIR", help="keep inbox, alarms and points here")

    run = command("run", _run, "the gateway, against a real broker and database")
    run.add_argument("-c", "--config", type=Path, help="potline.toml; without it the defaults count")
    run.add_argument(
        "--until-quiet",
        type=_positive,
        metavar="S",
        help="stop when nothing has arrived for S seconds, closing all frames",
    )

    simulate = command("simulate", _simulate, "a recorded history with labels, or a live line on a broker")
    simulate.add_argument("--out", type=Path, metavar="DIR", help="a new folder for the history")
    simulate.add_argument(
        "--mqtt",
        type=_host_port,
        metavar="HOST:PORT",
        help="publish live to this broker instead; DIR gets the plant.toml for the gateway",
    )
    simulate.add_argument("--cells", type=_count(1, 1000), default=24)
    simulate.add_argument("--days", type=_positive, default=1.0)
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument(
        "--faults",
        choices=("enriched", "natural", "shift", "none", "training"),
        default="natural",
        help="which set (default natural); none is a perfect plant",
    )
    simulate.add_argument(
        "--technology", default="P300", help="P180, P300, P500 or a TOML file of one's own (default P300)"
    )
    simulate.add_argument(
        "--interval", type=_positive, default=1.0, help="seconds between rows of a cell (default 1)"
    )
    simulate.add_argument(
        "--speed", type=_positive, default=1.0, help="with --mqtt: plant seconds a second (default 1)"
    )

    replay = command("replay", _replay, "a history through the same code as live")
    replay.add_argument("history", type=Path, metavar="DIR")
    replay.add_argument("--out", type=Path, required=True, metavar="DIR")
    replay.add_argument("--speed", type=_speed, default=None, help="max (default), 1x, 60x ...")
    replay.add_argument("-c", "--config", type=Path, help="potline.toml")

    calibrate = command("calibrate", _calibrate, "find each cell's own constants in a recorded history")
    calibrate.add_argument("history", type=Path, metavar="DIR")
    calibrate.add_argument("--out", type=Path, required=True, metavar="FILE", help="TOML to write")
    calibrate.add_argument("--cells", nargs="+", default=[], metavar="CELL", help="only these cells")
    calibrate.add_argument("-c", "--config", type=Path, help="potline.toml")

    evaluate = command("evaluate", _evaluate, "how good alarms are against labels, beside null models")
    evaluate.add_argument("alarms", type=Path, metavar="ALARMS", help="alarms.jsonl, or a folder with it")
    evaluate.add_argument("labels", type=Path, metavar="LABELS", help="labels.parquet, or a folder with it")
    evaluate.add_argument(
        "--readings", type=Path, required=True, metavar="DIR", help="the history they are of"
    )
    evaluate.add_argument(
        "--more",
        nargs=3,
        type=Path,
        action="append",
        default=[],
        metavar=("ALARMS", "LABELS", "DIR"),
        help="one more history; as often as needed",
    )
    evaluate.add_argument("--table", action="store_true", help="a table for people on stderr")
    evaluate.add_argument(
        "--seed", type=_count(0, 2**31), default=1, help="of bootstrap and chance (default 1)"
    )

    report = command("report", _report, "energy, benchmark, anode-change and anode-effect review of a replay")
    report.add_argument("folder", type=Path, metavar="DIR", help="output folder of `potline replay`")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the same folder")
    report.add_argument("--period", help="2026-01, 2026 or all; default the last complete month")
    report.add_argument(
        "--accounts", type=Path, help="what the plant enters; default accounts.toml in the folder"
    )
    report.add_argument(
        "--as-of", type=_instant, metavar="TIME", help="only what was known then, ISO 8601 with zone"
    )
    report.add_argument(
        "--advise",
        type=_count(0, 10_000),
        default=24,
        metavar="N",
        help="the twin's advice for the N dearest cells, about a second each (default 24)",
    )
    report.add_argument("-c", "--config", type=Path, help="potline.toml")

    add_models(command)
    _add_twin(command)

    command("config", _config, "print the commented default configuration")
    check = command("check", _check, "is this installation healthy: broker, database, disk, clock")
    check.add_argument("-c", "--config", type=Path, help="potline.toml")
    return parser


def _add_twin(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``twin balance``, ``twin forecast`` and ``twin whatif``."""
    twin = command("twin", _twin_balance, "the physics by itself: heat balance, next days of a cell, what if")
    kinds = twin.add_subparsers(required=True, metavar="WHAT")

    def kind(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = kinds.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        added.add_argument("--json", action="store_true", help="figures for programs instead of a table")
        added.add_argument("--lang", choices=("en", "zh"), default="en", help="language (default en)")
        added.set_defaults(command=function)
        return added

    def picture(added: argparse.ArgumentParser) -> None:
        added.add_argument("--at", type=datetime.fromisoformat, metavar="TIME", help="default: the end of it")
        added.add_argument("--out", type=_picture, metavar="FILE", help="picture: .svg, .png or .html")
        added.add_argument("-c", "--config", type=Path, help="potline.toml")

    balance = kind("balance", _twin_balance, "heat balance of a cell that stands as its technology says")
    balance.add_argument("--technology", default="generic_300kA", help="a shipped set, or a file.toml")
    balance.add_argument("--voltage-V", type=_positive, help="cell voltage")
    balance.add_argument("--current-kA", type=_positive, help="line current")
    balance.add_argument("--efficiency-pct", type=_positive, help="current efficiency")
    balance.add_argument("--bath-temp-C", type=_positive, help="bath temperature")
    balance.add_argument("--alf3-pct", type=_positive, help="excess AlF3")

    forecast = kind("forecast", _twin_forecast, "the next hours of a cell of a recorded history")
    forecast.add_argument("history", type=Path, metavar="DIR")
    forecast.add_argument("--cell", required=True)
    forecast.add_argument("--hours", type=_count(1, 72), default=48, help="how far (default 48, at most 72)")
    picture(forecast)

    whatif = kind("whatif", _twin_whatif, "what a change would do to a cell; all changes are differences")
    whatif.add_argument("history", type=Path, nargs="?", metavar="DIR", help="recorded history, with --cell")
    whatif.add_argument("--cell")
    whatif.add_argument("--technology", help="instead of a history: a shipped set, or a file.toml")
    for name, text in (
        ("--voltage-mV", "cell voltage"),
        ("--acd-mm", "anode to metal distance"),
        ("--cover-mm", "thickness of the anode cover"),
        ("--alf3-pct", "excess AlF3"),
        ("--current-kA", "line current"),
        ("--ambient-C", "air in the room"),
    ):
        whatif.add_argument(name, type=float, default=0.0, help=f"{text}, by how much")
    picture(whatif)


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _count(low: int, high: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is outside {low} to {high}")
        return value

    return integer


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host, int(port)


def _picture(text: str) -> Path:
    if Path(text).suffix not in (".svg", ".png", ".html"):
        raise argparse.ArgumentTypeError(f"{text}: the name must end in .svg, .png or .html")
    return Path(text)


def _speed(text: str) -> float | None:
    """``max``, or a factor with or without an x."""
    return None if text == "max" else _positive(text.removesuffix("x"))


def _instant(text: str) -> int:
    """UTC microseconds of an ISO 8601 time with its zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text} has no time zone; write for instance 2026-03-01T08:00:00+08:00"
        )
    return round(time.timestamp() * 1e6)


# Each command imports what it needs: `potline config` must not load a compiler.


def _demo(arguments: argparse.Namespace) -> int:
    from edge.broker import BrokerError
    from edge.demo import demo

    try:
        return demo(
            cells=arguments.cells,
            speed=arguments.speed,
            duration_s=arguments.duration,
            seed=arguments.seed,
            port=arguments.port,
            headless=arguments.headless,
            keep=arguments.keep,
            say=print,
        )
    except BrokerError as error:
        return _fail(UNAVAILABLE, error)


def _run(arguments: argparse.Namespace) -> int:
    from edge.app import run
    from edge.engine import InUse
    from streams.inbox import InboxUnavailable
    from streams.plant_file import PlantError
    from twin.params import ParamsError

    config = load_config(arguments.config)
    try:
        return run(config, until_quiet_s=arguments.until_quiet, say=print)
    except (PlantError, ParamsError) as error:
        return _fail(BAD_CONFIG, error)
    except InUse as error:
        return _fail(UNAVAILABLE, error)
    except InboxUnavailable as error:
        return _fail(FAILURE, error)


def _simulate(arguments: argparse.Namespace) -> int:
    from edge.simulate import live, record
    from plant.technology import TechnologyError
    from streams.broker import Unavailable

    if arguments.out is None:
        return _fail(USAGE, "simulate: --out DIR is missing")
    try:
        if arguments.mqtt is None:
            record(arguments, sys.stderr)
        else:
            live(arguments, print)
    except TechnologyError as error:
        return _fail(USAGE, f"--technology {error}")
    except Unavailable as error:
        return _fail(UNAVAILABLE, error)
    except (ValueError, FileExistsError) as error:
        return _fail(FAILURE, error)
    if arguments.mqtt is None:
        print(f"{arguments.out}: {arguments.cells} cells, {arguments.days:g} days")
    return OK


def _replay(arguments: argparse.Namespace) -> int:
    from edge.replay import replay
    from streams.history import HistoryError
    from streams.plant_file import PlantError
    from twin.params import ParamsError

    config = load_config(arguments.config)
    try:
        return replay(arguments.history, arguments.out, config, speed=arguments.speed, say=print)
    except (HistoryError, PlantError, ParamsError) as error:
        return _fail(BAD_DATA, error)


def _calibrate(arguments: argparse.Namespace) -> int:
    from edge.calibrate import calibrate_history
    from streams.history import HistoryError
    from streams.plant_file import PlantError
    from twin.params import ParamsError

    config = load_config(arguments.config)
    try:
        return calibrate_history(arguments.history, arguments.out, config, cells=arguments.cells, say=print)
    except (HistoryError, PlantError, ParamsError) as error:
        return _fail(BAD_DATA, error)


def _evaluate(arguments: argparse.Namespace) -> int:
    from edge.evaluate import evaluate
    from edge.evaluate_case import Source
    from streams.history import HistoryError
    from streams.plant_file import PlantError

    first = Source(arguments.alarms, arguments.labels, arguments.readings)
    sources = [first, *(Source(*paths) for paths in arguments.more)]
    try:
        return evaluate(
            sources,
            table=arguments.table,
            seed=arguments.seed,
            say=print,
            tell=lambda text: print(text, file=sys.stderr),
        )
    except (HistoryError, PlantError) as error:
        return _fail(BAD_DATA, error)


def _report(arguments: argparse.Namespace) -> int:
    from edge.accounts import AccountsError
    from edge.ledger_files import LedgerError, NoLedgerError
    from edge.review_files import report
    from edge.review_spans import UnknownPeriodError
    from streams.plant_file import PlantError
    from twin.params import ParamsError

    folder: Path = arguments.folder
    if not folder.is_dir():
        return _fail(NO_INPUT, f"{folder}: no such folder; `potline replay HISTORY --out {folder}` makes one")
    if arguments.accounts is not None and not arguments.accounts.is_file():
        return _fail(NO_INPUT, f"{arguments.accounts}: no such file of accounts")
    config = load_config(arguments.config)
    try:
        return report(
            folder,
            arguments.out or folder,
            config,
            period=arguments.period,
            accounts=arguments.accounts,
            as_of_us=arguments.as_of,
            advised=arguments.advise,
            say=print,
        )
    except AccountsError as error:
        return _fail(BAD_CONFIG, error)
    except NoLedgerError as error:
        return _fail(NO_INPUT, error)
    except UnknownPeriodError as error:
        return _fail(USAGE, error)
    except (LedgerError, PlantError, ParamsError, ValueError) as error:
        return _fail(BAD_DATA, error)


def _config(arguments: argparse.Namespace) -> int:
    print(example(), end="")
    return OK


def _check(arguments: argparse.Namespace) -> int:
    from edge.check import check

    return check(load_config(arguments.config), say=print)


def _twin_balance(arguments: argparse.Namespace) -> int:
    from edge.outlook import show_balance

    given = {
        "nominal_voltage_V": arguments.voltage_V,
        "rated_current_A": arguments.current_kA and 1e3 * arguments.current_kA,
        "current_efficiency_frac": arguments.efficiency_pct and 0.01 * arguments.efficiency_pct,
        "bath_temp_C": arguments.bath_temp_C,
        "excess_alf3_pct": arguments.alf3_pct,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    return show_balance(arguments.technology, overrides, arguments.lang, arguments.json, print)


def _twin_forecast(arguments: argparse.Namespace) -> int:
    from edge.outlook import show_forecast

    return show_forecast(
        arguments.history,
        arguments.cell,
        arguments.hours,
        arguments.at,
        load_config(arguments.config),
        arguments.out,
        arguments.lang,
        arguments.json,
        print,
    )


def _twin_whatif(arguments: argparse.Namespace) -> int:
    from edge.outlook import show_whatif
    from twin.whatif import Change

    one = (arguments.technology is None) != (arguments.history is None)
    if not one or (arguments.history is None) != (arguments.cell is None):
        return _fail(USAGE, "twin whatif: give either DIR and --cell, or --technology")
    change = Change(
        voltage_V=1e-3 * arguments.voltage_mV,
        acd_mm=arguments.acd_mm,
        cover_m=1e-3 * arguments.cover_mm,
        alf3_pct=arguments.alf3_pct,
        line_current_A=1e3 * arguments.current_kA,
        ambient_temp_C=arguments.ambient_C,
    )
    if change == Change():
        return _fail(USAGE, "twin whatif: no change is given, such as --voltage-mV +50")
    source: Path | str = arguments.history or arguments.technology
    return show_whatif(
        source,
        arguments.cell,
        arguments.at,
        change,
        load_config(arguments.config),
        arguments.out,
        arguments.lang,
        arguments.json,
        print,
    )
