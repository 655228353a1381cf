"""The factors of self-calibration, what the constants say about what is measured, and the most probable values."""

from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.bath import Bath, liquidus_solheim
from twin.calibration_evidence import (
    ALF3,
    BATH,
    CAF2,
    CATHODE,
    EFFICIENCY,
    LIQUIDUS,
    N_QUANTITIES,
    SHELL,
    VOLTAGE,
    Evidence,
)
from twin.heat import REFERENCE_AMBIENT_C, shell_temp_C
from twin.jit import kernel
from twin.params import FIELDS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Factor(NamedTuple):
    """A constant that calibration may change.

    Attributes
    ----------
    name
        Field of ``CellParams``.
    prior_sd
        By how much cells of one technology differ from its set: in the unit of the field, of the logarithm, or as a
        voltage at rated current.
    form
        "add", "log" (a factor on the value) or "drop" (a voltage over the rated current).
    quantity
        Quantity whose held-out points judge it; -1: nothing that is measured shows it alone.
    source
        Of the prior.
    """

    name: str
    prior_sd: float
    form: str
    quantity: int
    source: str


BLIND = -1
#: References are to the physics reference of the project.
FACTORS: tuple[Factor, ...] = (
    Factor("nominal_voltage_V", 0.10, "add", VOLTAGE, "8.2: 3.9 to 4.3 V within one class of cells"),
    Factor("cathode_ohm", 0.04, "drop", CATHODE, "8.1: cathode drops of 250 to 450 mV over a cell's life"),
    Factor("current_efficiency_frac", 0.010, "add", EFFICIENCY, "8.2: 0.93 to 0.95 published; +-1 point"),
    Factor("bath_temp_C", 4.0, "add", BATH, "9: day to day 4 to 7; cells of a line 955 to 968"),
    Factor("excess_alf3_pct", 1.2, "add", LIQUIDUS, "11.3: 11 to 13.5 for one cell type"),
    Factor("caf2_pct", 0.8, "add", CAF2, "usual 4 to 7 without additions; low confidence"),
    Factor("bath_ledge_W_m2K", 0.30, "log", SHELL, "4.4: 600 to 1200, Taylor and Welch 1987 and others"),
    Factor("metal_ledge_W_m2K", 0.30, "log", BLIND, "4.4: 1000 to 2500"),
    Factor("shell_area_frac", 0.15, "log", SHELL, "assumed: drawings of the shell are good to 15 %"),
    Factor("ledge_bath_mm", 25.0, "add", BLIND, "4.4: 50 to 150 mm"),
)
NAMES: tuple[str, ...] = tuple(factor.name for factor in FACTORS)
N_FACTORS = len(FACTORS)
_FIELD = np.array([FIELDS.index(name) for name in NAMES])
_LOG = np.array([factor.form == "log" for factor in FACTORS])
_RATED, _ALUMINA = FIELDS.index("rated_current_A"), FIELDS.index("alumina_pct")
_LIF, _MGF2, _KF = (FIELDS.index(name) for name in ("lif_pct", "mgf2_pct", "kf_pct"))
_EMISSIVITY, _CONDUCTIVITY = FIELDS.index("shell_emissivity"), FIELDS.index("ledge_conductivity_W_mK")
#: Positions in a row of values, in the order of ``FACTORS``.
_VOLT, _OHM, _CE, _TEMP, _EXCESS, _CALCIUM, _FILM, _METAL, _FACE, _LEDGE = range(N_FACTORS)
#: Two more that nobody measures, but which cannot be anything. Superheat: the technology's within 2.5 K (physics
#: reference 7.1: cold below 4, hot above 15 to 20). Lining between ledge and shell: assumed, 0.1 m of side block of
#: 5 to 20 W/m/K, joints and steel are 0.01 to 0.03 m2K/W.
SUPERHEAT, LINING = N_QUANTITIES, N_QUANTITIES + 1
_SUPERHEAT_SD_C = 2.5
_LINING_m2K_W, _LINING_SD_m2K_W = 0.020, 0.010
#: Of an analysis as a measure of the liquidus: 3.5 K of the equation at 5.5 K/wt%.
_EQUATION_SD_PCT = 0.64
_MIN_SUPERHEAT_C = 0.5
#: Steps of the fit; it is almost linear and converges in four.
_STEPS = 8


def prior_sd_of(table: FloatArray) -> FloatArray:
    """Prior standard deviation of every factor in its own form, (n_cells, N_FACTORS); ``table`` from ``stack``."""
    sd = np.tile([factor.prior_sd for factor in FACTORS], (table.shape[0], 1))
    drop = [factor.form == "drop" for factor in FACTORS]
    sd[:, drop] /= table[:, _RATED, None]
    return sd


def values_of(table: FloatArray, theta: FloatArray) -> FloatArray:
    """Values of the fields after corrections ``theta`` (of the value, or of its logarithm), (n_cells, N_FACTORS)."""
    old = table[:, _FIELD]
    return np.where(_LOG, old * np.exp(np.where(_LOG, theta, 0.0)), old + theta)


def in_unit(table: FloatArray, theta: FloatArray, sd: FloatArray) -> FloatArray:
    """Standard deviations in the units of the fields, (n_cells, N_FACTORS)."""
    return np.where(_LOG, values_of(table, theta) * sd, sd)


def expected_of(table: FloatArray, theta: FloatArray) -> FloatArray:
    """What constants say every quantity is, and their superheat and lining, (n_cells, N_QUANTITIES + 2)."""
    out = np.empty((table.shape[0], N_QUANTITIES + 2))
    _expected(table, values_of(table, theta), out)
    return out


def slopes_of(table: FloatArray, theta: FloatArray) -> FloatArray:
    """Derivatives of ``expected_of`` by the corrections, (n_cells, N_QUANTITIES + 2, N_FACTORS)."""
    step = 1e-4 * prior_sd_of(table)
    columns: list[FloatArray] = []
    for k in range(N_FACTORS):
        off = np.zeros_like(theta)
        off[:, k] = step[:, k]
        here = expected_of(table, theta + off) - expected_of(table, theta - off)
        columns.append(here / (2.0 * step[:, k, None]))
    return np.stack(columns, axis=2)


def fit(
    table: FloatArray, prior_sd: FloatArray, evidence: Evidence, fixed: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Most probable corrections and their standard deviations.

    Parameters
    ----------
    table : (n_cells, n_fields)
        Constants before.
    prior_sd : (n_cells, N_FACTORS)
        From ``prior_sd_of``.
    evidence
        What was measured; NaN where nothing was.
    fixed : (n_cells, N_FACTORS)
        Factors that keep their value.

    Returns
    -------
    (n_cells, N_FACTORS), (n_cells, N_FACTORS)
        In the form of each factor.
    """
    n = table.shape[0]
    nominal = expected_of(table, np.zeros((n, N_FACTORS)))
    shell_seen = ~np.isnan(evidence.value[:, SHELL])
    lining = np.where(shell_seen, _LINING_m2K_W, np.nan)
    measured = np.column_stack((evidence.value, nominal[:, SUPERHEAT], lining))
    sd = np.column_stack((evidence.sd, np.full(n, _SUPERHEAT_SD_C), np.full(n, _LINING_SD_m2K_W)))
    sd[:, ALF3] = np.hypot(sd[:, ALF3], _EQUATION_SD_PCT)
    known = ~np.isnan(measured)
    weight = np.where(known, 1.0 / np.where(known, sd, 1.0), 0.0)
    # Everything in units of the prior: the normal matrix is then well conditioned.
    scale = np.where(fixed, 0.0, prior_sd)
    unit = np.zeros((n, N_FACTORS))
    normal = np.tile(np.eye(N_FACTORS), (n, 1, 1))
    for _ in range(_STEPS):
        theta = scale * unit
        off = np.where(known, measured - expected_of(table, theta), 0.0) * weight
        jacobian = slopes_of(table, theta) * scale[:, None, :] * weight[:, :, None]
        normal = np.eye(N_FACTORS) + np.einsum("nqi,nqj->nij", jacobian, jacobian)
        pull = np.einsum("nqi,nq->ni", jacobian, off) - unit
        unit = unit + np.clip(np.linalg.solve(normal, pull[:, :, None])[:, :, 0], -2.0, 2.0)
    variance = np.einsum("nii->ni", np.linalg.inv(normal))
    return scale * unit, prior_sd * np.sqrt(variance)


@kernel
def _expected(table: FloatArray, values: FloatArray, out: FloatArray) -> None:
    for c in range(table.shape[0]):
        v = values[c]
        bath = Bath(
            min(max(v[_EXCESS], 0.0), 20.0),
            max(v[_CALCIUM], 0.0),
            table[c, _ALUMINA],
            table[c, _LIF],
            table[c, _MGF2],
            table[c, _KF],
        )
        liquidus_C = liquidus_solheim(bath)
        superheat_C = v[_TEMP] - liquidus_C
        out[c, VOLTAGE] = v[_VOLT]
        out[c, CATHODE] = v[_OHM]
        out[c, EFFICIENCY] = v[_CE]
        out[c, BATH] = v[_TEMP]
        out[c, LIQUIDUS] = liquidus_C
        out[c, ALF3] = v[_EXCESS]
        out[c, CAF2] = v[_CALCIUM]
        flux_W_m2 = v[_FILM] * max(superheat_C, _MIN_SUPERHEAT_C)
        shell_C = shell_temp_C(flux_W_m2 / v[_FACE], REFERENCE_AMBIENT_C, table[c, _EMISSIVITY])
        out[c, SHELL] = log(flux_W_m2 / v[_FACE])
        out[c, SUPERHEAT] = superheat_C
        out[c, LINING] = (liquidus_C - shell_C) / flux_W_m2 - 1e-3 * v[_LEDGE] / table[c, _CONDUCTIVITY]
