"""``potline check``: is this installation healthy, and if not, what to do."""

import importlib
import shutil
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from edge.app import broker_of, influx_writer
from edge.calibration_file import calibrated
from edge.config import Config, ConfigError
from edge.drift import drifted, read_drift
from edge.exits import BAD_CONFIG, OK, UNAVAILABLE
from edge.model_file import file_hash, learned
from edge.pipeline import cell_params
from streams.influx import InfluxUnauthorized, InfluxUnavailable, line_protocol
from streams.mqtt import Publisher
from streams.mqtt import Unavailable as BrokerUnavailable
from streams.plant_file import PlantError, load_plant
from twin.params import ParamsError

_ROOMS = ("twin", "models", "streams", "edge", "plant")
_MIN_FREE = 1_000_000_000
_BROKER_S = 10.0
_MAX_CLOCK_S = 5.0
_EARLIEST = 1_735_689_600  # 2025-01-01: a gateway without a battery clock starts in 1970


class _Findings:
    """Prints one line a check and keeps the worst exit code."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.code = OK

    def good(self, what: str, text: str) -> None:
        self._say(f"ok    {what:<11} {text}")

    def bad(self, what: str, text: str, code: int) -> None:
        self._say(f"FAIL  {what:<11} {text}")
        self.code = self.code or code

    def note(self, what: str, text: str) -> None:
        self._say(f"note  {what:<11} {text}")


def check(config: Config, say: Callable[[str], None]) -> int:
    """Test installation, plant file, disk, models, clock, broker and database; print a line for each.

    Returns
    -------
    int
        0 when all is well, 78 for the configuration or plant file, 69 for a broker or database that does not answer.
    """
    findings = _Findings(say)
    _installation(findings)
    _plant(findings, config)
    _disk(findings, config)
    _models(findings, config)
    _broker(findings, config)
    _database(findings, config)
    return findings.code


def _installation(findings: _Findings) -> None:
    """Our import names are generic: another distribution may have laid its own `models` over ours."""
    parents = {Path(str(importlib.import_module(room).__file__)).parent.parent for room in _ROOMS}
    if len(parents) == 1:
        findings.good("install", str(parents.pop()))
    else:
        places = ", ".join(sorted(map(str, parents)))
        findings.bad(
            "install", f"parts come from {places}: install potline into an environment of its own", BAD_CONFIG
        )


def _plant(findings: _Findings, config: Config) -> None:
    try:
        plant = load_plant(Path(config.plant))
    except PlantError as error:
        findings.bad("plant", str(error), BAD_CONFIG)
        return
    try:
        cell_params(plant)
    except ParamsError as error:
        findings.bad("plant", str(error), BAD_CONFIG)
        return
    findings.good("plant", f"{plant.site}: {len(plant.lines)} lines, {len(plant.cells)} cells")
    if not config.calibration:
        return
    try:
        calibrated(plant, config)
    except (ConfigError, ParamsError) as error:
        findings.bad("calibration", str(error), BAD_CONFIG)
    else:
        findings.good("calibration", config.calibration)


def _disk(findings: _Findings, config: Config) -> None:
    folder = Path(config.data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / ".check"
        trial.write_bytes(b"x")
        trial.unlink()
    except OSError as error:
        findings.bad("disk", f"{folder}: {error.strerror}; give the gateway's user write access", BAD_CONFIG)
        return
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE:
        findings.bad("disk", f"{folder}: only {free / 1e9:.2f} GB free; the inbox needs 1 GB", UNAVAILABLE)
    else:
        findings.good("disk", f"{folder}: {free / 1e9:.0f} GB free")


def _models(findings: _Findings, config: Config) -> None:
    """Can the models be used, and do scores still lie where they lay in training."""
    try:
        learned(config)
    except ConfigError as error:
        findings.bad("models", str(error), BAD_CONFIG)
        return
    findings.good("models", f"{config.models or 'as shipped'}, SHA-256 {file_hash(config)[:12]}")
    for text in drifted(read_drift(Path(config.data_dir))):
        findings.note("drift", text)


def _broker(findings: _Findings, config: Config) -> None:
    # A name of its own: the broker would throw the running gateway out for a second client of the same name.
    publisher = Publisher(broker_of(config, suffix="-check"))
    began = time.monotonic()
    publisher.start()
    try:
        publisher.wait_connected(_BROKER_S)
    except BrokerUnavailable as error:
        findings.bad("broker", f"{error}; check [mqtt] and that the broker runs", UNAVAILABLE)
    else:
        took_ms = 1000 * (time.monotonic() - began)
        findings.good("broker", f"{config.mqtt.host}:{config.mqtt.port} answered in {took_ms:.0f} ms")
    finally:
        publisher.stop()


def _database(findings: _Findings, config: Config) -> None:
    influx = config.influxdb
    if not influx.url:
        findings.note("database", f"no [influxdb] url: points stay in {config.data_dir}/store.sqlite")
        _own_clock(findings)
        return
    writer = influx_writer(config)
    trial = line_protocol("potline_check", {}, {"ok": 1}, time.time_ns() // 1000)
    try:
        result = writer.write([trial])
    except InfluxUnauthorized as error:
        findings.bad(
            "database", f"{error}; the token comes from ${influx.token_env} or token_file", UNAVAILABLE
        )
    except InfluxUnavailable as error:
        findings.bad("database", str(error), UNAVAILABLE)
    else:
        if result.rejected:
            findings.bad("database", f"{influx.url}: {result.rejected[0].reason}", UNAVAILABLE)
        else:
            findings.good("database", f"{influx.url} took a point")
    finally:
        writer.close()
    _clock_against(findings, influx.url, influx.timeout_s)


def _clock_against(findings: _Findings, url: str, timeout_s: float) -> None:
    """Compare our clock with the database server's, which every HTTP answer carries."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=timeout_s) as answer:
            stamp = answer.headers.get("Date")
    except HTTPError as error:
        stamp = error.headers.get("Date")
    except (TimeoutError, URLError, OSError):
        stamp = None
    if stamp is None:
        _own_clock(findings)
        return
    off_s = time.time() - parsedate_to_datetime(stamp).timestamp()
    if abs(off_s) > _MAX_CLOCK_S:
        findings.bad("clock", f"{off_s:+.0f} s from {url}: set up NTP on both", UNAVAILABLE)
    else:
        findings.good("clock", f"within {_MAX_CLOCK_S:.0f} s of {url}")


def _own_clock(findings: _Findings) -> None:
    if time.time() < _EARLIEST:
        findings.bad("clock", f"{time.strftime('%Y-%m-%d')} cannot be: set up NTP", UNAVAILABLE)
    else:
        findings.good("clock", time.strftime("%Y-%m-%d %H:%M:%S %z"))
