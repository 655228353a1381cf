"""``calibration.toml``: what ``potline calibrate`` writes, and ``run``, ``replay`` and ``check`` take."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from msgspec import Struct, json

from edge.config import Config, ConfigError
from edge.pipeline import cell_params
from streams.plant_file import Plant
from twin.calibration import VERDICTS, CellCalibration
from twin.calibration_fit import NAMES
from twin.params import CellParams, range_of

FORMAT = 1
_APPLIED = VERDICTS[0]
_HEAD = """\
# Per-cell corrections of the technology's constants, found by `potline calibrate`.
# Only factors whose verdict is "applied" count; the others keep the technology's value, for the reason given.
# Name this file in potline.toml: calibration = "calibration.toml"
"""


class Factor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One factor of one cell; numbers in the unit that its name ends with."""

    old: float
    new: float
    sd: float
    prior_sd: float
    count: int
    verdict: str
    reason: str = ""


class HeldOut(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far off held-out measurements of one quantity were and are: means, spread of one point, points."""

    before: float
    after: float
    sd: float
    count: int


class CellEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell; ``technology_hash`` is that of all its constants before calibration."""

    technology_hash: str
    factors: dict[str, Factor]
    held_out: dict[str, HeldOut] = {}


class CalibrationFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file: what it was made from, and every cell."""

    format: int
    potline: str
    history: str
    first: datetime
    last: datetime
    days: float
    fitted_share: float
    cell: dict[str, CellEntry] = {}


def entry_of(params: CellParams, result: CellCalibration) -> CellEntry:
    """What became of one cell, as the file holds it."""
    factors = {
        correction.name: Factor(
            old=correction.old,
            new=correction.new,
            sd=correction.sd,
            prior_sd=correction.prior_sd,
            count=correction.n_points,
            verdict=VERDICTS[correction.verdict],
            reason=correction.reason,
        )
        for correction in result.corrections
    }
    held_out = {
        r.quantity: HeldOut(before=r.before, after=r.after, sd=r.sd, count=r.n_points)
        for r in result.residuals
    }
    return CellEntry(technology_hash=technology_hash(params), factors=factors, held_out=held_out)


def technology_hash(params: CellParams) -> str:
    """Sixteen digits that change with any constant of a cell."""
    return hashlib.sha256(repr(tuple(params)).encode()).hexdigest()[:16]


def potline_version() -> str:
    """Version of the installed distribution; "unknown" when run from a folder that was never installed."""
    try:
        return version("potline")
    except PackageNotFoundError:
        return "unknown"


def render(file: CalibrationFile) -> str:
    """The file as text; numbers keep every digit, so that reading gives the same numbers."""
    lines = [_HEAD + f"format = {file.format}"]
    for name in ("potline", "history"):
        lines.append(f"{name} = {_string(getattr(file, name))}")
    lines += [f"{name} = {getattr(file, name).isoformat()}" for name in ("first", "last")]
    lines += [f"days = {file.days!r}", f"fitted_share = {file.fitted_share!r}"]
    for cell, entry in file.cell.items():
        lines += ["", f"[cell.{_string(cell)}]", f"technology_hash = {_string(entry.technology_hash)}"]
        lines += [f"factors.{name} = {_inline(factor)}" for name, factor in entry.factors.items()]
        lines += [f"held_out.{name} = {_inline(found)}" for name, found in entry.held_out.items()]
    return "\n".join(lines) + "\n"


def load_calibration(path: Path) -> CalibrationFile:
    """Read a calibration and check what can be checked without the plant.

    Raises
    ------
    ConfigError
        When the file is missing, is not TOML, has an unknown key, factor or verdict, or another format.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); `potline calibrate` makes one, or remove the key calibration"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    if raw.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: format {raw.get('format')!r} is not {FORMAT}; run `potline calibrate` again"
        )
    try:
        file = msgspec.convert(raw, CalibrationFile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}; run `potline calibrate` again") from error
    for cell, entry in file.cell.items():
        for name, factor in entry.factors.items():
            if name not in NAMES:
                raise ConfigError(f"{path}: cell {cell}: unknown factor {name}; known: {', '.join(NAMES)}")
            if factor.verdict not in VERDICTS:
                raise ConfigError(
                    f"{path}: cell {cell}: {name}: unknown verdict {factor.verdict!r}; known: {', '.join(VERDICTS)}"
                )
    return file


def calibrated(plant: Plant, config: Config) -> Plant:
    """The plant with the corrections that the configuration names; the plant itself where it names none.

    Raises
    ------
    ConfigError
        The file as ``load_calibration`` refuses it; a cell that the plant does not have or that has no twin, one whose
        technology has changed since, or a value outside its physical range.
    ParamsError
        A technology of the plant that cannot be.
    """
    if not config.calibration:
        return plant
    path = Path(config.calibration)
    file = load_calibration(path)
    params = dict(zip((cell.id for cell in plant.cells), cell_params(plant)[0], strict=True))
    corrections = {name: _corrections(path, name, entry, params) for name, entry in file.cell.items()}
    cells = tuple(
        msgspec.structs.replace(cell, parameters=cell.parameters | corrections.get(cell.id, {}))
        for cell in plant.cells
    )
    return msgspec.structs.replace(plant, cells=cells)


def _corrections(
    path: Path, name: str, entry: CellEntry, params: Mapping[str, CellParams | None]
) -> dict[str, float]:
    """Applied values of one cell, each within what is possible."""
    where = f"{path}: cell {name}"
    if name not in params:
        raise ConfigError(f"{where}: is not in plant.toml; calibrate on a history of this plant")
    old = params[name]
    if old is None or technology_hash(old) != entry.technology_hash:
        raise ConfigError(
            f"{where}: technology_hash {entry.technology_hash} is not that of its technology now: the plant file or "
            "the technology has changed since; run `potline calibrate` again"
        )
    values: dict[str, float] = {}
    for key, factor in entry.factors.items():
        if factor.verdict != _APPLIED:
            continue
        low, high = range_of(key, old.rated_current_A)
        if not low <= factor.new <= high:
            raise ConfigError(f"{where}: {key} = {factor.new:g} is outside {low:g} to {high:g}")
        values[key] = factor.new
    return values


def _inline(entry: Struct) -> str:
    """An inline table of the fields of an entry."""
    pairs = (
        f"{key} = {_string(value) if isinstance(value, str) else repr(value)}"
        for key, value in msgspec.structs.asdict(entry).items()
    )
    return f"{{ {', '.join(pairs)} }}"


def _string(text: str) -> str:
    """A basic string of TOML: JSON's escapes are a part of its own."""
    return json.encode(text).decode()
