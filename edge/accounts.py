"""``accounts.toml``: what the plant enters by hand for its energy review; what is left out is refused, not assumed."""

from pathlib import Path

import msgspec
from msgspec import Struct, field

from twin.carbon import MARKET_PROFILE, CleanElectricity
from twin.emissions import pfc_profiles
from twin.line_energy import GB21346_2022_ASSUMED, PROFILES
from twin.waste_heat import USABLE_C


class AccountsError(ValueError):
    """A file of accounts that cannot be used; the message names the file, the key and what to do."""


class LineAccounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: nominal compliant capacity [t/year] and whether it is a replacement project."""

    capacity_t: float | None = None
    is_replacement_project: bool = False


class MonthAccounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line in one month: energies [kWh], ingots [t], metal weighed by the cast house [kg]."""

    desulfurisation_kWh: float = 0.0
    casting_kWh: float | None = None
    ingot_t: float | None = None
    cast_house_kg: float | None = None
    ambient_C: float | None = None


class CleanAccounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Electricity of the year with its attributes [MWh], each MWh once."""

    total_MWh: float
    self_generated_MWh: float = 0.0
    self_generated_nonhydro_MWh: float = 0.0
    traded_MWh: float = 0.0
    traded_nonhydro_MWh: float = 0.0
    certificates_MWh: float = 0.0
    certificates_nonhydro_MWh: float = 0.0

    def electricity(self) -> CleanElectricity:
        """The same for the twin."""
        return CleanElectricity(*(getattr(self, name) for name in CleanElectricity._fields))


class Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One action of the plant's list."""

    what: str
    owner: str
    due: str = ""
    expected_kwh_per_t: float | None = None
    verified_kwh_per_t: float | None = None


class Accounts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file; every key may be left out.

    Attributes
    ----------
    region, regions
        Region of the tariff, and all whose targets concern the site (GB/T 2260), the country included.
    profile
        What net indicators leave out.
    pfc_profiles
        Named profiles by which perfluorocarbons are counted; the first one goes into the sums.
    electricity_region
        Grid region of the electricity factor (``north``, ``south`` ...); the country's without it.
    upstream_t_per_t
        Of the product's footprint: alumina, anode manufacture and transport, by suppliers' declarations [t CO2e/t].
    usable_heat_C
        Temperature from which on waste heat is of use at the site [degC].
    price_cny_per_kWh
        Electricity price before any surcharge.
    incentive_pct
        Incentive value of the province for non-hydro renewables.
    level_sd_m, tap_sd_frac, scale_sd_frac
        Errors of metal level and ladle scale, one standard deviation.
    line, month, clean, metrics, action
        By line; by month (``"2026-01"``) and line; of the year; targets' metrics that only the plant knows; actions.
    """

    region: str = "CN"
    regions: tuple[str, ...] = ("CN",)
    profile: str = GB21346_2022_ASSUMED.name
    pfc_profiles: tuple[str, ...] = (
        MARKET_PROFILE,
        "cbam_pfpb_l",
        "cbam_pfpb_m",
        "cbam_cwpb",
        "ipcc2006_cwpb",
    )
    electricity_region: str | None = None
    upstream_t_per_t: float | None = None
    usable_heat_C: float = USABLE_C
    price_cny_per_kWh: float | None = None
    incentive_pct: float | None = None
    level_sd_m: float = 0.0076
    tap_sd_frac: float = 0.01
    scale_sd_frac: float = 0.001
    line: dict[str, LineAccounts] = field(default_factory=dict[str, LineAccounts])
    month: dict[str, dict[str, MonthAccounts]] = field(default_factory=dict[str, dict[str, MonthAccounts]])
    clean: CleanAccounts | None = None
    metrics: dict[str, float] = field(default_factory=dict[str, float])
    action: tuple[Action, ...] = ()


def load_accounts(path: Path | None) -> Accounts:
    """Read a file of accounts; None, or a file that is not there, gives empty ones.

    Raises
    ------
    AccountsError
        Not TOML, an unknown key, a wrong type, or an unknown profile of energy or of perfluorocarbons.
    """
    if path is None or not path.is_file():
        return Accounts()
    try:
        accounts = msgspec.toml.decode(path.read_bytes(), type=Accounts)
    except (msgspec.DecodeError, ValueError) as error:
        raise AccountsError(f"{path}: {error}") from error
    if accounts.profile not in PROFILES:
        raise AccountsError(f"{path}: profile {accounts.profile!r} is not one of {', '.join(PROFILES)}")
    unknown = [name for name in accounts.pfc_profiles if name not in pfc_profiles()]
    if unknown or not accounts.pfc_profiles:
        raise AccountsError(f"{path}: pfc_profiles {unknown}: choose some of {', '.join(pfc_profiles())}")
    return accounts
