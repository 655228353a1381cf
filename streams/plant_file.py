"""The plant as it describes itself: ``plant.toml`` to a typed list of cells."""

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from twin.signals import SIDES

TechnologyValue = float | int | str | list[str]
_SENSOR_KEYS = ("n_anodes", "n_shell", "n_bars")


class PlantError(ValueError):
    """A plant file that cannot be used; the message names file, key, cell and what to do."""


class Cell(Struct, frozen=True, kw_only=True):
    """One cell as declared.

    Attributes
    ----------
    id, line
        Ids as they stand in topics and files.
    technology
        Name of its technology, or path of a file of constants, or None where the plant does not say.
    rated_current_A
        [A], or None where the plant does not say.
    n_anodes, n_shell, n_bars
        How many anode rods, shell thermocouples and collector bars are measured; 0 where none is declared.
    shell_sides
        Side of each shell sensor, or empty where it is unknown.
    anode_rows
        Sides on which the anode rows stand.
    parameters
        Numeric keys of the technology, see ``PARAMETER_KEYS``.
    """

    id: str
    line: str
    technology: str | None = None
    rated_current_A: float | None = None
    n_anodes: int = 0
    n_shell: int = 0
    n_bars: int = 0
    shell_sides: tuple[str, ...] = ()
    anode_rows: tuple[str, ...] = ()
    parameters: dict[str, float] = {}


class Plant(Struct, frozen=True, kw_only=True, dict=True):
    """A site: its lines and cells in the order of the file."""

    site: str
    time_zone: str
    lines: tuple[str, ...]
    cells: tuple[Cell, ...]

    @cached_property
    def cell_index(self) -> dict[str, int]:
        """Position of each cell id in ``cells``."""
        return {cell.id: i for i, cell in enumerate(self.cells)}

    @cached_property
    def line_of(self) -> dict[str, str]:
        """Line id of each cell id."""
        return {cell.id: cell.line for cell in self.cells}

    @cached_property
    def line_index(self) -> dict[str, int]:
        """Position of each line id in ``lines``."""
        return {line: i for i, line in enumerate(self.lines)}

    @cached_property
    def line_cells(self) -> dict[str, tuple[int, ...]]:
        """Positions of the cells of each line."""
        return {
            line: tuple(i for i, cell in enumerate(self.cells) if cell.line == line) for line in self.lines
        }


class _Technology(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that a technology, a line's default or a cell may carry."""

    n_anodes: int | None = None
    n_shell: int | None = None
    n_bars: int | None = None
    shell_sides: list[str] | None = None
    anode_rows: list[str] | None = None
    anode_length_mm: float | None = None
    anode_width_mm: float | None = None
    anode_height_mm: float | None = None
    anode_life_h: float | None = None
    n_feeders: float | None = None
    shot_mass_kg: float | None = None
    tap_interval_h: float | None = None
    nominal_voltage_V: float | None = None


#: Numeric keys of a technology that go to the twin as they are.
PARAMETER_KEYS: tuple[str, ...] = tuple(
    key for key in _Technology.__struct_fields__ if key not in (*_SENSOR_KEYS, "shell_sides", "anode_rows")
)


class _Cell(_Technology, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[line.cell]]`` table."""

    id: str
    technology: str | None = None
    rated_current_A: float | None = None


class _Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[line]]`` table."""

    id: str
    rated_current_A: float | None = None
    technology: str | None = None
    cell: list[_Cell] = []


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    site: str
    time_zone: str = "UTC"
    technology: dict[str, dict[str, Any]] = {}
    line: list[_Line] = []


def load_plant(path: Path, technologies: Mapping[str, Mapping[str, TechnologyValue]] | None = None) -> Plant:
    """Read a plant file (format: contracts, section 3).

    Parameters
    ----------
    path
        Of the ``plant.toml``.
    technologies
        Tables of the technologies that ship with the software, in the keys of ``[technology.X]``; a table of
        the same name in the file goes over it key by key.

    Returns
    -------
    Plant
        Cells in the order of the file. What neither cell nor technology declares is 0, empty or None.

    Raises
    ------
    PlantError
        File missing or not TOML, unknown or wrong key, duplicate id, unknown time zone or side, negative count,
        or a list that does not fit its count.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise PlantError(
            f"{path}: cannot be read ({error.strerror}); every site needs a plant file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlantError(f"{path}: is not TOML: {error}") from error
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as error:
        raise PlantError(f"{path}: {_located(str(error), raw)}; see section 3 of the contracts") from error
    return _plant(file, _tables(technologies or {}, path), _tables(file.technology, path), path)


def _tables(raw: Mapping[str, Mapping[str, TechnologyValue]], path: Path) -> dict[str, _Technology]:
    """Check the tables of technologies one by one, so that an error names its table."""
    tables: dict[str, _Technology] = {}
    for name, table in raw.items():
        try:
            tables[name] = msgspec.convert(dict(table), _Technology)
        except msgspec.ValidationError as error:
            raise PlantError(f"{path}: technology {name}: {error}; see section 3 of the contracts") from error
    return tables


def _located(message: str, raw: dict[str, object]) -> str:
    """Name the cell in an error that only gives its position (``$.line[0].cell[3]``)."""
    node: Any = raw
    named: list[str] = []
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", message.partition("`$")[2]):
        if index:
            node = node[int(index)]
            named += [str(node["id"])] if "id" in node else []
        elif key in node:
            node = node[key]
    return f"{message} ({' / '.join(named)})" if named else message


def _plant(
    file: _File, shipped: Mapping[str, _Technology], own: Mapping[str, _Technology], path: Path
) -> Plant:
    """Compose lines, technologies and cells, checking what a type cannot say."""
    try:
        ZoneInfo(file.time_zone)
    except (KeyError, ValueError, OSError) as error:
        raise PlantError(
            f"{path}: time_zone {file.time_zone!r} is not known; use a name such as Asia/Shanghai"
        ) from error
    if not file.line:
        raise PlantError(f"{path}: has no [[line]]; declare at least one line with its cells")
    _check_id(file.site, "site", path)
    lines: list[str] = []
    cells: dict[str, Cell] = {}
    for line in file.line:
        _check_id(line.id, "line id", path)
        if line.id in lines:
            raise PlantError(f"{path}: line {line.id} is declared twice; give each line its own id")
        if not line.cell:
            raise PlantError(f"{path}: line {line.id} has no [[line.cell]]; declare its cells")
        lines.append(line.id)
        for entry in line.cell:
            _check_id(entry.id, "cell id", path)
            if entry.id in cells:
                raise PlantError(f"{path}: cell {entry.id} is declared twice; ids are unique within a site")
            cells[entry.id] = _cell(entry, line, own, shipped, path)
    return Plant(site=file.site, time_zone=file.time_zone, lines=tuple(lines), cells=tuple(cells.values()))


def _check_id(value: str, what: str, path: Path) -> None:
    """Refuse ids that cannot be a level of an MQTT topic, or that hide our own topics."""
    if (
        not value
        or any(c in value for c in "/+#\0")
        or value.startswith("_potline")
        or not value.isprintable()
    ):
        raise PlantError(f"{path}: {what} {value!r} cannot stand in a topic; use letters, digits and -")


def _cell(
    entry: _Cell,
    line: _Line,
    own: Mapping[str, _Technology],
    shipped: Mapping[str, _Technology],
    path: Path,
) -> Cell:
    """Lay the cell's own keys over those of its technology."""
    name = entry.technology or line.technology
    layers: list[_Technology] = [entry]
    if name is not None:
        layers += [table[name] for table in (own, shipped) if name in table]

    def first(key: str) -> object:
        return next((v for layer in layers if (v := getattr(layer, key)) is not None), None)

    where = f"{path}: cell {entry.id}"
    counts: dict[str, int] = {}
    for key in _SENSOR_KEYS:
        count = first(key)
        counts[key] = count if isinstance(count, int) else 0
        if not 0 <= counts[key] <= 1000:
            raise PlantError(f"{where}: {key} = {counts[key]} must lie between 0 and 1000")
    parameters: dict[str, float] = {}
    for key in PARAMETER_KEYS:
        value = first(key)
        if isinstance(value, float | int):
            if not 0.0 < value < 1e6:
                raise PlantError(f"{where}: {key} = {value} must be positive")
            parameters[key] = float(value)
    rated_A = entry.rated_current_A if entry.rated_current_A is not None else line.rated_current_A
    if rated_A is not None and not 1e3 <= rated_A <= 1e6:
        raise PlantError(f"{where}: rated_current_A = {rated_A} must lie between 1000 and 1000000 A")
    # A plant's own set of constants is named from where the plant file lies.
    if name is not None and name.endswith(".toml"):
        name = str(path.parent / name)
    # A cell without its technology's sensors need not repeat an empty list of sides.
    sides = _sides(first("shell_sides"), "shell_sides", where) if counts["n_shell"] else ()
    if sides and len(sides) != counts["n_shell"]:
        raise PlantError(
            f"{where}: shell_sides names {len(sides)} sensors but n_shell is {counts['n_shell']}; make them equal"
        )
    return Cell(
        id=entry.id,
        line=line.id,
        technology=name,
        rated_current_A=rated_A,
        n_anodes=counts["n_anodes"],
        n_shell=counts["n_shell"],
        n_bars=counts["n_bars"],
        shell_sides=sides,
        anode_rows=_sides(first("anode_rows"), "anode_rows", where),
        parameters=parameters,
    )


def _sides(value: object, key: str, where: str) -> tuple[str, ...]:
    """Check a list of side names."""
    names = tuple(str(name) for name in value) if isinstance(value, list) else ()
    for name in names:
        if name not in SIDES:
            raise PlantError(f"{where}: {key} has {name!r}; sides are {', '.join(SIDES)}")
    return names
