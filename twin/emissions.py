"""Perfluorocarbons of anode effects: slope and overvoltage methods, factors by rule, warming potentials by edition."""

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple, cast

#: Largest uncertainty and age of factors that a plant measures itself (CBAM; energy reference 6.3).
OWN_UNCERTAINTY_FRAC, OWN_AGE_YEARS = 0.15, 3.0


class EmissionsError(ValueError):
    """A factor that is unknown, not given for a method, or not usable; says what is possible."""


class Gwp(NamedTuple):
    """Warming potentials of one edition over 100 years [t CO2e/t]."""

    cf4: float
    c2f6: float
    source: str
    confidence: str


class PfcProfile(NamedTuple):
    """Factors of one rule for one kind of cell; NaN where the rule gives none.

    Attributes
    ----------
    name
        Of the profile: rule and technology.
    slope
        CF4 [kg/t per minute of anode effect per cell and day].
    slope_uncertainty_frac
        Of the slope, 95 % by IPCC.
    c2f6
        C2F6 over CF4 with the slope method [kg/kg].
    overvoltage
        CF4 [kg/t per mV, times current efficiency in percent].
    overvoltage_c2f6
        C2F6 over CF4 with the overvoltage method [kg/kg].
    default_cf4_kg_t, default_c2f6_kg_t
        Where anode effects are not recorded [kg/t].
    own_factors
        Whether the rule asks for factors measured at the plant; those given are its fallback.
    gwp
        Edition of the warming potentials that the rule uses.
    source, confidence
        Where it stands, and how sure we are of it.
    """

    name: str
    slope: float
    slope_uncertainty_frac: float
    c2f6: float
    overvoltage: float
    overvoltage_c2f6: float
    default_cf4_kg_t: float
    default_c2f6_kg_t: float
    own_factors: bool
    gwp: str
    source: str
    confidence: str


class Pfc(NamedTuple):
    """Perfluorocarbons of an amount of metal.

    Attributes
    ----------
    cf4_kg, c2f6_kg, co2e_t
        [kg], [kg], [t].
    method
        ``slope``, ``overvoltage`` or ``default``.
    profile, gwp
        Factors used.
    lvae_included
        Always False: effects below 8 V, which can be most of the emission, are outside both methods.
    """

    cf4_kg: float
    c2f6_kg: float
    co2e_t: float
    method: str
    profile: str
    gwp: str
    lvae_included: bool = False


_NUMBERS = PfcProfile._fields[1:8]
_TEXTS = ("gwp", "source", "confidence")


class _Tables(NamedTuple):
    """Content of the factor file."""

    profiles: Mapping[str, PfcProfile]
    editions: Mapping[str, Gwp]


def parse_factors(text: str, name: str) -> tuple[dict[str, PfcProfile], dict[str, Gwp]]:
    """Read and check a factor file: profiles and editions by name.

    Parameters
    ----------
    text
        TOML with tables ``profile.NAME`` and ``gwp.EDITION``.
    name
        Of the file, for errors.

    Raises
    ------
    EmissionsError
        A key is missing, unknown or of the wrong type, or a profile names an edition that is not there.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise EmissionsError(f"{name}: not TOML: {error}") from error
    editions: dict[str, Gwp] = {}
    for edition, row in _rows(raw, "gwp", name):
        where = f"{name}: gwp.{edition}"
        cf4, c2f6 = _number(row, "cf4", where), _number(row, "c2f6", where)
        editions[edition] = Gwp(cf4, c2f6, _text(row, "source", where), _text(row, "confidence", where))
    profiles: dict[str, PfcProfile] = {}
    for title, row in _rows(raw, "profile", name):
        where = f"{name}: profile.{title}"
        unknown = sorted(set(row) - {*_NUMBERS, *_TEXTS, "own_factors"})
        if unknown:
            raise EmissionsError(f"{where}: unknown: {', '.join(unknown)}")
        own = row.get("own_factors", False)
        if not isinstance(own, bool):
            raise EmissionsError(f"{where}: own_factors must be true or false")
        numbers = [_number(row, key, where) if key in row else math.nan for key in _NUMBERS]
        texts = [_text(row, key, where) for key in _TEXTS]
        profile = PfcProfile._make((title, *numbers, own, *texts))
        if profile.gwp not in editions:
            raise EmissionsError(f"{where}: no edition {profile.gwp}")
        profiles[title] = profile
    return profiles, editions


def _rows(raw: dict[str, object], table: str, name: str) -> list[tuple[str, dict[str, object]]]:
    """Named tables of one kind."""
    found = raw.get(table)
    if not isinstance(found, dict) or not found:
        raise EmissionsError(f"{name}: no [{table}.NAME]")
    rows = cast("dict[str, object]", found)
    for title, row in rows.items():
        if not isinstance(row, dict):
            raise EmissionsError(f"{name}: {table}.{title} must be a table")
    return [(title, cast("dict[str, object]", row)) for title, row in rows.items()]


def _number(row: dict[str, object], key: str, where: str) -> float:
    """Read a positive number."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
        raise EmissionsError(f"{where}: {key} must be a positive number, not {value!r}")
    return float(value)


def _text(row: dict[str, object], key: str, where: str) -> str:
    """Read a text that says something."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise EmissionsError(f"{where}: {key} must say something")
    return value


@cache
def _shipped() -> _Tables:
    """Factors that potline ships."""
    path = files("twin").joinpath("data", "emissions", "pfc_profiles.toml")
    return _Tables(*parse_factors(path.read_text(encoding="utf-8"), "pfc_profiles.toml"))


def pfc_profiles() -> tuple[str, ...]:
    """Names of all profiles, sorted."""
    return tuple(sorted(_shipped().profiles))


def pfc_profile(name: str) -> PfcProfile:
    """Factors of a profile by its name; raises `EmissionsError` where it is unknown."""
    if name not in _shipped().profiles:
        raise EmissionsError(f"unknown PFC profile {name!r}; known: {', '.join(pfc_profiles())}")
    return _shipped().profiles[name]


def gwp_edition(name: str) -> Gwp:
    """Warming potentials of an edition (SAR, AR4, AR5, AR6); raises `EmissionsError` where it is unknown.

    Examples
    --------
    >>> gwp_edition("AR5")[:2]
    (6630.0, 11100.0)
    """
    editions = _shipped().editions
    if name not in editions:
        raise EmissionsError(f"unknown edition {name!r}; known: {', '.join(editions)}")
    return editions[name]


def with_own_factors(
    profile: PfcProfile, slope: float, c2f6: float, uncertainty_frac: float, age_years: float, source: str
) -> PfcProfile:
    """Factors measured at the plant in place of the profile's.

    Parameters
    ----------
    profile
        Whose rule applies.
    slope, c2f6
        As in `PfcProfile`.
    uncertainty_frac
        Of the measured factors.
    age_years
        Since they were measured.
    source
        Report of the measurement.

    Raises
    ------
    EmissionsError
        Factors too uncertain (above 15 %), too old (above 3 years) or impossible: CBAM's rule.
    """
    if not 0.0 <= uncertainty_frac <= OWN_UNCERTAINTY_FRAC:
        raise EmissionsError(
            f"own factors are uncertain by {uncertainty_frac:g}; at most {OWN_UNCERTAINTY_FRAC:g} is accepted"
        )
    if not 0.0 <= age_years <= OWN_AGE_YEARS:
        raise EmissionsError(f"own factors are {age_years:g} years old; measure at least every 3 years")
    if not (0.0 < slope < 10.0 and 0.0 <= c2f6 < 2.0 and source):
        raise EmissionsError(f"impossible own factors: slope {slope:g}, C2F6 {c2f6:g}, source {source!r}")
    return profile._replace(
        slope=slope, slope_uncertainty_frac=uncertainty_frac, c2f6=c2f6, own_factors=False, source=source
    )


def pfc_by_slope(
    profile: PfcProfile, ae_min_per_cell_day: float, metal_t: float, gwp: str | None = None
) -> Pfc:
    """Perfluorocarbons by the slope method, CF4 = slope x AEM x metal.

    Parameters
    ----------
    profile
        Factors.
    ae_min_per_cell_day
        Minutes of anode effect per operating cell and day; see `twin.anode_effects.activity`.
    metal_t
        Liquid metal [t].
    gwp
        Edition; None takes that of the profile.

    Raises
    ------
    EmissionsError
        Minutes or metal impossible (a day has 1440 minutes), or the edition unknown.

    Notes
    -----
    IPCC 2006 volume 3, equation 4.26; energy reference 6.3.

    Examples
    --------
    >>> round(pfc_by_slope(pfc_profile("cn_ets_2024"), 0.15, 1.0).co2e_t, 6)
    0.166023
    """
    if not 0.0 <= ae_min_per_cell_day <= 1440.0:
        raise EmissionsError(f"{ae_min_per_cell_day:g} min per cell and day: must be from 0 to 1440")
    cf4_kg = profile.slope * ae_min_per_cell_day * _metal(metal_t)
    return _pfc(cf4_kg, cf4_kg * profile.c2f6, "slope", profile, gwp)


def pfc_by_overvoltage(
    profile: PfcProfile,
    overvoltage_mV: float,
    current_efficiency_frac: float,
    metal_t: float,
    gwp: str | None = None,
) -> Pfc:
    """Perfluorocarbons by the overvoltage method, CF4 = OVC x AEO / CE% x metal.

    Parameters
    ----------
    profile
        Factors.
    overvoltage_mV
        Overvoltage of anode effects over all the time [mV]; see `twin.anode_effects.overvoltage_mV`.
    current_efficiency_frac
        Fraction; the factor itself counts in percent.
    metal_t
        Liquid metal [t].
    gwp
        Edition; None takes that of the profile.

    Raises
    ------
    EmissionsError
        The profile gives no such factor, a number is impossible, or the edition unknown.

    Notes
    -----
    IPCC 2006 volume 3, equation 4.27; energy reference 6.3.

    Examples
    --------
    >>> round(pfc_by_overvoltage(pfc_profile("cbam_cwpb"), 1.2, 0.94, 1.0).cf4_kg, 6)
    0.014809
    """
    if math.isnan(profile.overvoltage):
        raise EmissionsError(f"profile {profile.name} gives no factor for the overvoltage method")
    if not (overvoltage_mV >= 0.0 and 0.5 < current_efficiency_frac <= 1.0):
        raise EmissionsError(
            f"overvoltage {overvoltage_mV:g} mV, current efficiency {current_efficiency_frac:g}: must be 0 or "
            "more, and a fraction above 0.5"
        )
    cf4_kg = profile.overvoltage * overvoltage_mV / (100.0 * current_efficiency_frac) * _metal(metal_t)
    return _pfc(cf4_kg, cf4_kg * profile.overvoltage_c2f6, "overvoltage", profile, gwp)


def pfc_by_default(profile: PfcProfile, metal_t: float, gwp: str | None = None) -> Pfc:
    """Perfluorocarbons where anode effects are not recorded.

    Raises
    ------
    EmissionsError
        The rule gives no default.

    Examples
    --------
    >>> round(pfc_by_default(pfc_profile("cn_ets_2024"), 1.0).co2e_t, 6)
    0.26316
    """
    if math.isnan(profile.default_cf4_kg_t):
        raise EmissionsError(f"profile {profile.name} has no default: anode effects must be recorded")
    metal_t = _metal(metal_t)
    return _pfc(
        profile.default_cf4_kg_t * metal_t, profile.default_c2f6_kg_t * metal_t, "default", profile, gwp
    )


def break_even_min_per_cell_day(profile: PfcProfile) -> float:
    """Minutes per cell and day below which records give less CF4 than the default of the rule.

    Raises
    ------
    EmissionsError
        The rule gives no default.

    Examples
    --------
    >>> round(break_even_min_per_cell_day(pfc_profile("cn_ets_2024")), 4)
    0.2378
    """
    return pfc_by_default(profile, 1.0).cf4_kg / profile.slope


def collected_to_total(pfc: Pfc, collection_frac: float) -> Pfc:
    """Total from what was measured in the duct: over the collection efficiency of the hoods (CBAM).

    Parameters
    ----------
    pfc
        In the duct.
    collection_frac
        Share of the gas that the hoods collect, above 0.

    Raises
    ------
    EmissionsError
        A share that no hood has.
    """
    if not 0.0 < collection_frac <= 1.0:
        raise EmissionsError(f"collection efficiency {collection_frac:g}: must be above 0 and at most 1")
    return pfc._replace(
        cf4_kg=pfc.cf4_kg / collection_frac,
        c2f6_kg=pfc.c2f6_kg / collection_frac,
        co2e_t=pfc.co2e_t / collection_frac,
    )


def _metal(metal_t: float) -> float:
    """Metal that can have been made [t]."""
    if not 0.0 <= metal_t < 1e9:
        raise EmissionsError(f"metal {metal_t:g} t: must be 0 or more")
    return metal_t


def _pfc(cf4_kg: float, c2f6_kg: float, method: str, profile: PfcProfile, gwp: str | None) -> Pfc:
    """Add the warming."""
    edition = profile.gwp if gwp is None else gwp
    warming = gwp_edition(edition)
    co2e_t = 1e-3 * (cf4_kg * warming.cf4 + c2f6_kg * warming.c2f6)
    return Pfc(cf4_kg, c2f6_kg, co2e_t, method, profile.name, edition)
