"""What is fixed about a cell: one set of numbers per technology, scaled to the line's current.

Sets are TOML files in ``twin/data/technologies``; every value carries unit, source and confidence. A plant
adds a set of its own by a file of the same form, or changes single values in its ``plant.toml``.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, liquidus_solheim

FloatArray = NDArray[np.float64]

_FOLDER = Path(__file__).parent / "data" / "technologies"
#: Scaled to the line's current when a plant names no technology of ours.
DEFAULT_TECHNOLOGY = "generic_300kA"
#: Keys of a plant's technology table that describe its instruments, not its physics.
_LAYOUT_KEYS = frozenset({"n_shell", "n_bars"})


class ParamsError(ValueError):
    """A technology, rated current or override that no cell can be built from; says what is possible."""


class CellParams(NamedTuple):
    """Constants of one cell; the source of each value stands in its technology file.

    Sections of ``physics.md`` give the equations that use them: 3 voltage, 4 heat, 5 anodes, 6 alumina.
    """

    rated_current_A: float  # [A]
    nominal_voltage_V: float  # [V] mean cell voltage, external bus bars included
    n_anodes: float  # [-]
    anode_length_mm: float  # [mm] one block
    anode_width_mm: float  # [mm] one block
    anode_height_mm: float  # [mm] new block
    butt_height_mm: float  # [mm] what is left of it at removal
    anode_life_h: float  # [h] from setting to removal
    fanning_frac: float  # [-] effective over geometric anode area, Haupin 1998
    cathode_area_m2: float  # [m2] metal pad that carries current
    anode_ohm: float  # [ohm] all anode assemblies in parallel, blocks at half of their life
    anode_resistivity_ohm_m: float  # [ohm m] baked block at 25 degC
    cathode_ohm: float  # [ohm] lining and collector bars
    external_ohm: float  # [ohm] bus bars between two cells
    anode_bake_temp_C: float  # [degC] baking temperature, Haupin 1998 eq. 26
    reaction_density_A_cm2: float  # [A/cm2] of eq. 26 at 1 wt% alumina
    alumina_ae_pct: float  # [wt%] at which the bubble layer closes, Haupin 1998 eq. 31
    current_efficiency_frac: float  # [-] at nominal bath temperature and superheat
    bath_temp_C: float  # [degC] nominal
    excess_alf3_pct: float  # [wt%] nominal
    caf2_pct: float  # [wt%] nominal
    alumina_pct: float  # [wt%] aim of the feed controller
    lif_pct: float  # [wt%] nominal
    mgf2_pct: float  # [wt%] nominal
    kf_pct: float  # [wt%] nominal
    bath_mass_kg: float  # [kg] liquid bath
    metal_mass_kg: float  # [kg] metal pad
    bath_height_m: float  # [m] bath above metal
    metal_height_m: float  # [m] metal pad
    ledge_perimeter_m: float  # [m] length of the side ledge
    end_wall_frac: float  # [-] share of the perimeter of each of the two end walls
    ledge_bath_mm: float  # [mm] nominal thickness at bath level
    ledge_conductivity_W_mK: float  # [W/m/K] frozen cryolite
    ledge_density_kg_m3: float  # [kg/m3]
    ledge_latent_J_kg: float  # [J/kg] effective heat of fusion
    bath_ledge_W_m2K: float  # [W/m2/K] heat transfer bath to ledge
    metal_ledge_W_m2K: float  # [W/m2/K] heat transfer metal to ledge
    shell_area_frac: float  # [-] shell face over ledge face
    shell_emissivity: float  # [-]
    shell_lag_h: float  # [h] heat capacity of side lining and shell
    side_lump_J_K: float  # [J/K] anodes, crust and cathode block together
    lump_temp_C: float  # [degC] nominal mean temperature of that lump
    anode_sink_J: float  # [J] extra heat demand of one new anode
    anode_sink_h: float  # [h] time constant of that demand
    pickup_start_frac: float  # [-] current share of an anode just set
    pickup_delay_h: float  # [h]
    pickup_tau_h: float  # [h]
    pickup_exponent: float  # [-]
    n_feeders: float  # [-]
    shot_mass_kg: float  # [kg] alumina per shot of one feeder
    tap_interval_h: float  # [h]


FIELDS: tuple[str, ...] = CellParams._fields

#: Exponent of (current / rated current of the set) by which a value grows: physics.md 11.3, "Scaling by I".
_SCALING: dict[str, float] = {
    "rated_current_A": 1.0,
    "n_anodes": 1.0,
    "cathode_area_m2": 1.0,
    "anode_ohm": -1.0,
    "cathode_ohm": -1.0,
    "external_ohm": -1.0,
    "bath_mass_kg": 1.0,
    "metal_mass_kg": 1.0,
    "side_lump_J_K": 1.0,
    "n_feeders": 1.0,
}


class Range(NamedTuple):
    """What a value may be: outside it no cell exists, or the unit is not the one meant."""

    low: float
    high: float
    unit: str
    per: str = ""  # "kA": of the value over the rated current; "drop": of value [ohm] x rated current [A]


#: Physical range of every field. Self-calibration and overrides stay within it.
RANGES: Mapping[str, Range] = {
    "rated_current_A": Range(10e3, 1e6, "A"),
    "nominal_voltage_V": Range(3.2, 6.0, "V"),
    "n_anodes": Range(1, 120, "1"),
    "anode_length_mm": Range(300, 3000, "mm"),
    "anode_width_mm": Range(200, 3000, "mm"),
    "anode_height_mm": Range(300, 900, "mm"),
    "butt_height_mm": Range(80, 300, "mm"),
    "anode_life_h": Range(200, 1500, "h"),
    "fanning_frac": Range(1.0, 1.25, "1"),
    "cathode_area_m2": Range(0.08, 0.40, "m2", "kA"),
    "anode_ohm": Range(0.10, 0.80, "ohm", "drop"),
    "anode_resistivity_ohm_m": Range(3e-5, 9e-5, "ohm m"),
    "cathode_ohm": Range(0.05, 0.90, "ohm", "drop"),
    "external_ohm": Range(0.02, 0.60, "ohm", "drop"),
    "anode_bake_temp_C": Range(900, 1350, "degC"),
    "reaction_density_A_cm2": Range(5e-4, 0.02, "A/cm2"),
    "alumina_ae_pct": Range(0.5, 2.5, "wt%"),
    "current_efficiency_frac": Range(0.80, 0.985, "1"),
    "bath_temp_C": Range(900, 1010, "degC"),
    "excess_alf3_pct": Range(0, 20, "wt%"),
    "caf2_pct": Range(0, 20, "wt%"),
    "alumina_pct": Range(1.5, 6, "wt%"),
    "lif_pct": Range(0, 10, "wt%"),
    "mgf2_pct": Range(0, 5, "wt%"),
    "kf_pct": Range(0, 7, "wt%"),
    "bath_mass_kg": Range(10, 60, "kg", "kA"),
    "metal_mass_kg": Range(20, 150, "kg", "kA"),
    "bath_height_m": Range(0.08, 0.40, "m"),
    "metal_height_m": Range(0.05, 0.50, "m"),
    "ledge_perimeter_m": Range(5, 150, "m"),
    "end_wall_frac": Range(0.02, 0.49, "1"),
    "ledge_bath_mm": Range(10, 250, "mm"),
    "ledge_conductivity_W_mK": Range(0.5, 3.0, "W/m/K"),
    "ledge_density_kg_m3": Range(2500, 3200, "kg/m3"),
    "ledge_latent_J_kg": Range(2.5e5, 6.0e5, "J/kg"),
    "bath_ledge_W_m2K": Range(200, 3000, "W/m2/K"),
    "metal_ledge_W_m2K": Range(200, 5000, "W/m2/K"),
    "shell_area_frac": Range(0.5, 4, "1"),
    "shell_emissivity": Range(0.1, 1.0, "1"),
    "shell_lag_h": Range(0.05, 6, "h"),
    "side_lump_J_K": Range(5e4, 1e6, "J/K", "kA"),
    "lump_temp_C": Range(400, 950, "degC"),
    "anode_sink_J": Range(5e7, 5e9, "J"),
    "anode_sink_h": Range(1, 48, "h"),
    "pickup_start_frac": Range(0, 0.5, "1"),
    "pickup_delay_h": Range(0, 6, "h"),
    "pickup_tau_h": Range(1, 48, "h"),
    "pickup_exponent": Range(0.5, 4, "1"),
    "n_feeders": Range(1, 30, "1"),
    "shot_mass_kg": Range(0.2, 10, "kg"),
    "tap_interval_h": Range(4, 96, "h"),
}
_CONFIDENCE = ("high", "medium", "low")


class Value(NamedTuple):
    """One figure of a technology file: number, unit, where it is from, and how sure (high, medium, low)."""

    value: float
    unit: str
    source: str
    confidence: str


def technologies() -> tuple[str, ...]:
    """Names of the sets that potline ships, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def technology_values(technology: str) -> Mapping[str, Value]:
    """Read one set with the source of every figure.

    Parameters
    ----------
    technology
        Name of a shipped set, or path of a plant's own file, which ends in ``.toml``.

    Raises
    ------
    ParamsError
        Unknown name or file, a file that misses a field, has one too many, one without its source or in
        another unit, or one outside its range.
    """
    if technology.endswith(".toml"):
        path = Path(technology)
    elif technology in technologies():
        path = _FOLDER / f"{technology}.toml"
    else:
        raise ParamsError(f"unknown technology {technology!r}; known: {', '.join(technologies())}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"technology {technology!r}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParamsError(f"technology {technology!r}: is not TOML: {error}") from error
    values = _values(technology, table.get("values"))
    params = _checked(CellParams(*(values[name].value for name in FIELDS)), f"technology {technology!r}: ")
    bath = Bath(*(values[name].value for name in Bath._fields))
    superheat_C = params.bath_temp_C - liquidus_solheim(bath)
    if not 2.0 <= superheat_C <= 25.0:
        raise ParamsError(
            f"technology {technology!r}: bath_temp_C and composition give {superheat_C:.1f} K superheat: "
            "must be from 2 to 25"
        )
    return values


def _values(technology: str, entries: object) -> dict[str, Value]:
    """Take the figures out of the table ``values`` of a file; form only, ranges are checked later."""
    if not isinstance(entries, dict):
        raise ParamsError(f"technology {technology!r}: has no table [values]")
    wrong = set(FIELDS).symmetric_difference(cast("dict[str, object]", entries))
    if wrong:
        raise ParamsError(f"technology {technology!r}: missing or unknown values: {', '.join(sorted(wrong))}")
    values: dict[str, Value] = {}
    for name in FIELDS:
        raw = cast("dict[str, object]", entries)[name]
        entry = cast("dict[str, object]", raw) if isinstance(raw, dict) else {}
        number, unit = entry.get("value"), entry.get("unit")
        source, confidence = entry.get("source"), entry.get("confidence")
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise ParamsError(f"technology {technology!r}: {name} needs a number as its value")
        if unit != RANGES[name].unit:
            raise ParamsError(
                f"technology {technology!r}: {name} is in {unit!r}, must be in {RANGES[name].unit!r}"
            )
        if not isinstance(source, str) or not source.strip() or confidence not in _CONFIDENCE:
            raise ParamsError(
                f"technology {technology!r}: {name} needs its source and a confidence of high, medium or low"
            )
        values[name] = Value(float(number), str(unit), source, str(confidence))
    return values


def _scaled(values: Mapping[str, Value], rated_current_A: float) -> dict[str, float]:
    """Scale a set to another rated current; the long sides grow, the end walls keep their width."""
    ratio = rated_current_A / values["rated_current_A"].value
    numbers = {name: values[name].value * ratio ** _SCALING.get(name, 0.0) for name in FIELDS}
    numbers["n_anodes"] = 2.0 * max(1, round(numbers["n_anodes"] / 2))
    numbers["n_feeders"] = float(max(1, round(numbers["n_feeders"])))
    base_perimeter_m = values["ledge_perimeter_m"].value
    end_m = values["end_wall_frac"].value * base_perimeter_m
    side_m = (base_perimeter_m - 2 * end_m) * ratio
    numbers["ledge_perimeter_m"] = side_m + 2 * end_m
    numbers["end_wall_frac"] = end_m / numbers["ledge_perimeter_m"]
    # Heat demand of a new anode follows its mass, that is the current of one anode.
    per_anode = ratio * values["n_anodes"].value / numbers["n_anodes"]
    numbers["anode_sink_J"] *= per_anode
    return numbers


def params_for(
    technology: str | None,
    rated_current_A: float | None,
    n_anodes: int | None = None,
    overrides: Mapping[str, float] | None = None,
) -> CellParams:
    """Constants of a cell of a technology at a rated current.

    Parameters
    ----------
    technology
        A shipped set, the path of a plant's own file (``.toml``), a plant's own name (then ``overrides`` is its
        table), or None for the default set.
    rated_current_A
        [A]; None takes that of the shipped set or of the overrides.
    n_anodes
        Number of anodes of the cell; None or 0 (none is measured) scales that of the set.
    overrides
        Numeric keys of the plant's technology table; they win over the set.

    Raises
    ------
    ParamsError
        Unknown technology without a table, no rated current to be found, unknown key, or an impossible value.

    Notes
    -----
    Areas, masses and conductances grow with the current at constant current density. The anode area is kept
    when only the number of anodes is given: the blocks then get wider or narrower.

    Examples
    --------
    >>> params_for("generic_300kA", 300e3).n_anodes
    30.0
    """
    own = {key: value for key, value in (overrides or {}).items() if key not in _LAYOUT_KEYS}
    unknown = sorted(set(own) - set(FIELDS))
    if unknown:
        raise ParamsError(f"unknown technology keys {', '.join(unknown)}; known: {', '.join(FIELDS)}")
    shipped = technology is not None and (technology in technologies() or technology.endswith(".toml"))
    if technology is not None and not shipped and not own:
        raise ParamsError(f"unknown technology {technology!r}; known: {', '.join(technologies())}")
    values = technology_values(technology if technology is not None and shipped else DEFAULT_TECHNOLOGY)
    if rated_current_A is None:
        rated_current_A = own.get("rated_current_A", values["rated_current_A"].value if shipped else None)
    if rated_current_A is None:
        raise ParamsError("no rated_current_A: give it for the line in plant.toml")
    if not (isfinite(rated_current_A) and 10e3 <= rated_current_A <= 1e6):
        raise ParamsError(f"rated_current_A = {rated_current_A} is outside 10 000 to 1 000 000 A")
    numbers = _scaled(values, float(rated_current_A))
    area_mm2 = numbers["anode_length_mm"] * numbers["anode_width_mm"] * values["n_anodes"].value
    area_mm2 *= rated_current_A / values["rated_current_A"].value
    numbers |= {key: float(value) for key, value in own.items()}
    numbers["rated_current_A"] = float(rated_current_A)
    if n_anodes:
        numbers["n_anodes"] = float(n_anodes)
    if "anode_width_mm" not in own and numbers["n_anodes"] > 0 and numbers["anode_length_mm"] > 0:
        numbers["anode_width_mm"] = area_mm2 / (numbers["n_anodes"] * numbers["anode_length_mm"])
    return _checked(CellParams(**numbers))


def range_of(name: str, rated_current_A: float) -> tuple[float, float]:
    """Lowest and highest possible value of a field at a rated current, in the unit of the field."""
    limits = RANGES[name]
    if limits.per == "kA":
        return limits.low * rated_current_A * 1e-3, limits.high * rated_current_A * 1e-3
    if limits.per == "drop":
        return limits.low / rated_current_A, limits.high / rated_current_A
    return limits.low, limits.high


def _checked(params: CellParams, where: str = "") -> CellParams:
    """Refuse what no cell can have: the first impossible value is named with its range."""
    for name, value in zip(FIELDS, params, strict=True):
        low, high = range_of(name, params.rated_current_A)
        if not (isfinite(value) and low <= value <= high):
            raise ParamsError(
                f"{where}{name} = {value:g} {RANGES[name].unit}: must be a number from {low:g} to {high:g}"
            )
    if params.butt_height_mm >= params.anode_height_mm:
        raise ParamsError(
            f"{where}butt_height_mm = {params.butt_height_mm:g}: must be less than anode_height_mm"
        )
    density_A_cm2 = params.rated_current_A / (anode_area_m2(params) * 1e4)
    if not 0.3 <= density_A_cm2 <= 1.5:
        raise ParamsError(
            f"{where}anode current density {density_A_cm2:.2f} A/cm2 is outside 0.3 to 1.5: "
            "check rated_current_A, n_anodes, anode_length_mm and anode_width_mm"
        )
    return params


def anode_area_m2(params: CellParams) -> float:
    """Geometric area under all anodes [m2]."""
    return params.n_anodes * params.anode_length_mm * params.anode_width_mm * 1e-6


def stack(params: Sequence[CellParams]) -> FloatArray:
    """Constants of many cells as one table for kernels, (n_cells, n_fields) in the order of ``FIELDS``."""
    return np.array(params, dtype=np.float64).reshape(len(params), len(FIELDS))
