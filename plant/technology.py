"""The cell designs that the simulated plant can be built of."""

import tomllib
from pathlib import Path
from typing import NamedTuple, get_type_hints

from twin.signals import SIDES


class Technology(NamedTuple):
    """One cell design, as its plant would state it.

    Attributes
    ----------
    name
        Technology name in ``plant.toml``.
    rated_current_A
        Line current [A].
    n_anodes, n_feeders, n_shell
        Number per cell; the first half of the anodes stands on the ``up`` side.
    n_bars
        Ends of collector bars with a thermocouple, 0 without any; the first half on the ``up`` side, from duct to
        tap end.
    anode_length_mm, anode_width_mm, anode_height_mm
        New anode block [mm].
    anode_life_h
        Time between two changes of the same anode [h].
    shot_mass_kg
        Nominal alumina per shot of one feeder [kg].
    tap_interval_h
        Time between two taps of a cell [h].
    nominal_voltage_V
        Middle of the voltage set points [V].
    shell_sides
        Side of each shell sensor.
    metal_area_m2
        Metal pad inside the ledge [m2].
    perimeter_m
        Length of the ledge around the pad [m].
    metal_kg, bath_kg
        Held after a tap [kg].
    """

    name: str
    rated_current_A: float
    n_anodes: int
    n_feeders: int
    n_shell: int
    n_bars: int
    anode_length_mm: float
    anode_width_mm: float
    anode_height_mm: float
    anode_life_h: float
    shot_mass_kg: float
    tap_interval_h: float
    nominal_voltage_V: float
    shell_sides: tuple[str, ...]
    metal_area_m2: float
    perimeter_m: float
    metal_kg: float
    bath_kg: float


_SIDES = ("up", "up", "up", "down", "down", "down", "duct", "tap")
_P300 = Technology(
    name="P300",
    rated_current_A=300e3,
    n_anodes=30,
    n_feeders=4,
    n_shell=8,
    n_bars=16,
    anode_length_mm=1550.0,
    anode_width_mm=720.0,
    anode_height_mm=600.0,
    anode_life_h=600.0,
    shot_mass_kg=1.8,
    tap_interval_h=24.0,
    nominal_voltage_V=4.08,
    shell_sides=_SIDES,
    metal_area_m2=52.0,
    perimeter_m=34.7,
    metal_kg=23800.0,
    bath_kg=7000.0,
)
_P180 = _P300._replace(
    name="P180",
    rated_current_A=180e3,
    n_anodes=20,
    n_feeders=3,
    n_bars=12,
    anode_length_mm=1450.0,
    anode_width_mm=690.0,
    anode_life_h=560.0,
    metal_area_m2=32.0,
    perimeter_m=24.0,
    metal_kg=14500.0,
    bath_kg=4300.0,
)
_P500 = _P300._replace(
    name="P500",
    rated_current_A=500e3,
    n_anodes=48,
    n_feeders=6,
    n_bars=26,
    anode_length_mm=1650.0,
    anode_width_mm=710.0,
    anode_height_mm=620.0,
    anode_life_h=672.0,
    metal_area_m2=85.0,
    perimeter_m=53.0,
    metal_kg=39000.0,
    bath_kg=11500.0,
)

#: Designs by name; areas and masses grow with the current.
TECHNOLOGIES: dict[str, Technology] = {t.name: t for t in (_P180, _P300, _P500)}


def named(technology: str | Technology) -> Technology:
    """Give a design by its name; a design is given back as it is.

    Parameters
    ----------
    technology
        A key of ``TECHNOLOGIES``, or a design.

    Raises
    ------
    ValueError
        If there is no design of that name.
    """
    if isinstance(technology, Technology):
        return technology
    if technology not in TECHNOLOGIES:
        raise ValueError(f"technology {technology!r} is not one of {', '.join(sorted(TECHNOLOGIES))}")
    return TECHNOLOGIES[technology]


class TechnologyError(ValueError):
    """A file that no cell can be built from; says which key and what is possible."""


def load_technology(path: Path) -> Technology:
    """Read a design of one's own: the fields of ``Technology`` as keys, missing ones from ``like``.

    Parameters
    ----------
    path
        TOML with ``name``, and ``like`` (a key of ``TECHNOLOGIES``, P300 without it).

    Raises
    ------
    TechnologyError
        If the file is no TOML, or a key is unknown, of the wrong type or impossible.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TechnologyError(f"{path}: {error}") from error
    like = given.pop("like", "P300")
    if like not in TECHNOLOGIES:
        raise TechnologyError(f"{path}: like = {like!r} is not one of {', '.join(sorted(TECHNOLOGIES))}")
    kinds = get_type_hints(Technology)
    for key, value in given.items():
        if key not in kinds:
            raise TechnologyError(f"{path}: {key} is not one of {', '.join(Technology._fields)}")
        if key == "shell_sides":
            if not isinstance(value, list) or not value or not set(value) <= set(SIDES):
                raise TechnologyError(f"{path}: shell_sides must be a list of {', '.join(SIDES)}")
            given[key] = tuple(value)
        elif kinds[key] is str:
            if not isinstance(value, str) or not value.isidentifier():
                raise TechnologyError(f"{path}: {key} must be a word of letters and digits")
        elif isinstance(value, bool) or not isinstance(value, int | (int if kinds[key] is int else float)):
            raise TechnologyError(f"{path}: {key} must be {'a whole' if kinds[key] is int else 'a'} number")
        elif value < 0 or (value == 0 and key != "n_bars"):
            raise TechnologyError(f"{path}: {key} = {value} must be above 0")
    if "name" not in given:
        raise TechnologyError(f"{path}: name is missing")
    made = TECHNOLOGIES[like]._replace(**given)
    if made.n_anodes < 4 or made.n_anodes % 2 or made.n_shell != len(made.shell_sides):
        raise TechnologyError(
            f"{path}: n_anodes must be even, at least 4, and n_shell the length of shell_sides"
        )
    if not {"up", "down"} <= set(made.shell_sides):
        raise TechnologyError(f"{path}: shell_sides must have an up and a down")
    return made
