"""The configuration file: every key optional, unknown keys refused by name, secrets elsewhere."""

import math
import os
import tomllib
from importlib.resources import files
from pathlib import Path

import msgspec
from msgspec import Struct, field

from streams.topics import Template, TopicError


class ConfigError(ValueError):
    """A configuration that cannot be used; the message names the file, the key and what to do."""


class MqttConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where readings come from."""

    host: str = "127.0.0.1"
    port: int = 1883
    client_id: str = "potline-gateway"
    username: str = ""
    password_env: str = "POTLINE_MQTT_PASSWORD"
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    topics: tuple[str, ...] = ("{site}/{line}/{cell}", "{site}/{line}/{cell}/{signal}")
    max_payload_bytes: int = 1_048_576
    max_future_s: float = 300.0


class AlignConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The event-time grid."""

    frame_s: float = 1.0
    lateness_s: float = 30.0
    idle_s: float = 30.0


class TwinConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the twin is stepped."""

    scan_s: float = 10.0
    current_hold_s: float = 10.0


class EnergyConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How energy is accounted."""

    current_efficiency: float = 0.94
    current_efficiency_sd: float = 0.01
    rectifier_efficiency: float = 0.985
    max_gap_s: float = 120.0
    day_start_hour: int = 0
    month_cut_day: int = 1


class InfluxConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where points go; without a url they stay in the local store."""

    url: str = ""
    org: str = "potline"
    bucket: str = "potline"
    token_env: str = "POTLINE_INFLUXDB_TOKEN"
    token_file: str = ""
    timeout_s: float = 10.0
    batch: int = 5000


class ConsoleConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 8080


class StorageConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept on disk, and for how long."""

    dead_letter_max_mb: float = 100.0
    keep_days: float = 400.0
    keep_states_days: float = 14.0
    checkpoint_s: float = 300.0


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; ``plant``, ``data_dir``, ``calibration`` and ``models`` are absolute after loading."""

    plant: str = "plant.toml"
    data_dir: str = "potline-data"
    calibration: str = ""
    models: str = ""
    language: str = "en"
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    align: AlignConfig = field(default_factory=AlignConfig)
    twin: TwinConfig = field(default_factory=TwinConfig)
    energy: EnergyConfig = field(default_factory=EnergyConfig)
    influxdb: InfluxConfig = field(default_factory=InfluxConfig)
    console: ConsoleConfig = field(default_factory=ConsoleConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)


#: Allowed ranges of numbers, both ends included.
_RANGES: dict[str, tuple[float, float]] = {
    "mqtt.port": (1, 65535),
    "mqtt.max_payload_bytes": (1024, 268_435_455),
    "mqtt.max_future_s": (0, 86400),
    "align.frame_s": (0.1, 60),
    "align.lateness_s": (0, 3600),
    "align.idle_s": (1, 3600),
    "twin.scan_s": (1, 60),
    "twin.current_hold_s": (0, 600),
    "energy.current_efficiency": (0.8, 0.98),
    "energy.current_efficiency_sd": (0, 0.1),
    "energy.rectifier_efficiency": (0.95, 0.995),
    "energy.max_gap_s": (1, 3600),
    "energy.day_start_hour": (0, 23),
    "energy.month_cut_day": (1, 28),
    "influxdb.timeout_s": (1, 300),
    "influxdb.batch": (1, 50_000),
    "console.port": (0, 65535),
    "storage.dead_letter_max_mb": (0, 1e6),
    "storage.keep_days": (1, 36500),
    "storage.keep_states_days": (1, 36500),
    "storage.checkpoint_s": (0.1, 3600),
}


def example() -> str:
    """The commented default configuration, as ``potline config`` prints it."""
    return files("edge").joinpath("potline.example.toml").read_text(encoding="utf-8")


def load_config(path: Path | None) -> Config:
    """Read a configuration; None gives the defaults, relative to the working directory.

    Raises
    ------
    ConfigError
        When the file is missing, is not TOML, or has an unknown key, a wrong type or a value out of range.
    """
    if path is None:
        return _absolute(Config(), Path.cwd())
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); `potline config > {path}` makes one"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; `potline config` lists the keys") from error
    _check(config, path)
    return _absolute(config, path.resolve().parent)


def secret(env: str, file: str) -> str | None:
    """A secret from a file, or else from the environment; None where neither has it.

    Raises
    ------
    ConfigError
        When the file is named but cannot be read.
    """
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"{file}: secret file cannot be read ({error.strerror})") from error
    return os.environ.get(env) if env else None


def _check(config: Config, path: Path) -> None:
    for key, (low, high) in _RANGES.items():
        section, name = key.split(".")
        value: float = getattr(getattr(config, section), name)
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{path}: {key} = {value} is outside {low:g} to {high:g}")
    if config.language not in ("en", "zh"):
        raise ConfigError(f'{path}: language = "{config.language}" is neither "en" nor "zh"')
    ratio = config.twin.scan_s / config.align.frame_s
    if abs(ratio - round(ratio)) > 1e-9 or ratio < 1:
        raise ConfigError(
            f"{path}: twin.scan_s = {config.twin.scan_s:g} must be a whole multiple of "
            f"align.frame_s = {config.align.frame_s:g}"
        )
    if 60.0 % config.twin.scan_s > 1e-9:
        raise ConfigError(
            f"{path}: twin.scan_s = {config.twin.scan_s:g} must divide a minute: 1, 2, 5, 10, 20 ..."
        )
    if config.influxdb.url and not config.influxdb.url.startswith(("http://", "https://")):
        raise ConfigError(
            f'{path}: influxdb.url = "{config.influxdb.url}" must begin with http:// or https://'
        )
    if not config.mqtt.topics:
        raise ConfigError(f"{path}: mqtt.topics is empty; leave the key out for the default")
    for name in ("ca_file", "cert_file", "key_file"):
        file = str(getattr(config.mqtt, name))
        if file and not (path.resolve().parent / file).is_file():
            raise ConfigError(f"{path}: mqtt.{name}: there is no file {file}")
    for text in config.mqtt.topics:
        try:
            Template(text)
        except TopicError as error:
            raise ConfigError(f"{path}: mqtt.topics: {error}") from error


def _absolute(config: Config, base: Path) -> Config:
    """Resolve every path against the folder of the file."""

    def resolved(path: str) -> str:
        return str(base / path) if path else ""

    mqtt = msgspec.structs.replace(
        config.mqtt,
        **{
            name: resolved(getattr(config.mqtt, name))
            for name in ("password_file", "ca_file", "cert_file", "key_file")
        },
    )
    return msgspec.structs.replace(
        config,
        plant=resolved(config.plant),
        data_dir=resolved(config.data_dir),
        calibration=resolved(config.calibration),
        models=resolved(config.models),
        mqtt=mqtt,
        influxdb=msgspec.structs.replace(config.influxdb, token_file=resolved(config.influxdb.token_file)),
    )
