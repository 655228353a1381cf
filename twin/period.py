"""Figures of cells and lines for a period of the book: intensity, error bar and class, or why there is none."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.book import BAKING, NORMAL, STARTUP, STOPPED, Totals
from twin.energy import METAL_KG_PER_KAH
from twin.figures import Figure, refusal
from twin.limits import NOT_ASSESSED, Limits
from twin.line_energy import GB21346_2022_ASSUMED, LineEnergy, Profile, line_figures, rectifier_efficiency
from twin.metal import HIGH_EFFICIENCY, LOW_EFFICIENCY, MIN_DAYS
from twin.registers import RegisterSum

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Validity(NamedTuple):
    """When a figure is given.

    Attributes
    ----------
    min_coverage
        Measured share of the time, below which an intensity is refused: energy reference 7.8 (5), a month.
    provisional_frac, max_estimated_frac
        Estimated share of the energy above which a figure is provisional, and above which there is no class: 7.8 (6).
    gap_voltage_V
        A gap is charged with this mean voltage when the class is decided, so that a gap never improves a class as
        long as no hour's mean is higher; an hour with three minutes of anode effect at 30 V has 5.5 V.
    gap_voltage_sd_frac
        By how much a cell's mean voltage in a gap differs from its mean otherwise (fraction).
    voltage_sd_V, current_sd_frac
        Of the voltage channel [V] and of the line current (fraction).
    efficiency_sd
        Of a current efficiency that was configured, not weighed (fraction).
    """

    min_coverage: float = 0.95
    provisional_frac: float = 0.02
    max_estimated_frac: float = 0.05
    gap_voltage_V: float = 6.0
    gap_voltage_sd_frac: float = 0.03
    voltage_sd_V: float = 0.005
    current_sd_frac: float = 0.001
    efficiency_sd: float = 0.01


class CellPeriod(NamedTuple):
    """Figures of every cell in normal operation for one period, (n_cells,); NaN where refused.

    Attributes
    ----------
    dc_energy_kWh
        Measured, and estimated where it was not.
    estimated_frac
        Estimated share of it.
    coverage
        Measured share of the time in normal operation.
    charge_kAh, metal_t, current_efficiency, efficiency_sd, voltage_V
        Gaps filled in as for the energy.
    dc_kwh_per_t, dc_sd
        Intensity and one standard deviation.
    ac_kwh_per_t, ac_sd
        The same for AC, allocated from the line.
    level_code : int64
        0 where there is no class.
    reasons
        Why there is no intensity or class; empty where there are both.
    startup_dc_kWh, startup_metal_t
        Of baking and starting time, which net figures leave out.
    weighed
        Whether the metal rests on taps and levels.
    """

    dc_energy_kWh: FloatArray
    estimated_frac: FloatArray
    coverage: FloatArray
    charge_kAh: FloatArray
    metal_t: FloatArray
    current_efficiency: FloatArray
    efficiency_sd: FloatArray
    voltage_V: FloatArray
    dc_kwh_per_t: FloatArray
    dc_sd: FloatArray
    ac_kwh_per_t: FloatArray
    ac_sd: FloatArray
    level_code: IntArray
    reasons: tuple[str, ...]
    startup_dc_kWh: FloatArray
    startup_metal_t: FloatArray
    weighed: NDArray[np.bool_]


def cell_period(
    totals: Totals,
    period_s: float,
    efficiency: FloatArray,
    efficiency_sd: FloatArray,
    rectifier: FloatArray,
    highest_current_A: FloatArray,
    limits: Limits,
    validity: Validity | None = None,
    configured_efficiency: float = math.nan,
) -> CellPeriod:
    """Work out every cell's figures for a period.

    Parameters
    ----------
    totals
        Of the book for the period.
    period_s
        Its length [s].
    efficiency, efficiency_sd : (n_cells,)
        Weighed current efficiency; NaN where too few levels were read.
    rectifier : (n_cells,)
        DC over AC energy of each cell's line, busbar loss included; NaN where it is not known.
    highest_current_A : (n_cells,)
        No more than this can have flowed in a gap.
    limits
        Of the period.
    validity
        See `Validity`.
    configured_efficiency
        Stands in for metal that was not weighed; such figures are marked and have no class.

    Notes
    -----
    Energy reference 2.6-2.8 and 7.8. One cell's class is indicative: regulation knows lines and years only.
    """
    v = Validity() if validity is None else validity
    other_s = totals.time_s[[STOPPED, BAKING, STARTUP]].sum(axis=0)
    normal_s = np.maximum(period_s - other_s, 0.0)
    covered_s = totals.covered_s[NORMAL]
    missing_s = np.maximum(normal_s - covered_s, 0.0)
    coverage = _over(covered_s, normal_s)
    power_kW = _over(3600.0 * totals.dc_energy_kWh[NORMAL], covered_s)
    estimated_kWh = np.where(missing_s > 0.0, power_kW * missing_s / 3600.0, 0.0)
    energy_kWh = totals.dc_energy_kWh[NORMAL] + estimated_kWh
    weighed = np.isfinite(efficiency)
    used = np.where(weighed, efficiency, configured_efficiency)
    used_sd = np.where(weighed, efficiency_sd, v.efficiency_sd)
    book_kAh = totals.charge_kAh[NORMAL] + totals.gap_charge_kAh[NORMAL]
    # Metal was weighed against the charge that is in the book; the rest of the time it lacks both.
    metal_t = METAL_KG_PER_KAH * used * book_kAh / 1000.0
    written_s = totals.time_s[NORMAL]
    unwritten = _over(normal_s, written_s)
    charge_kAh = book_kAh * unwritten
    metal_t = np.where(weighed, metal_t, metal_t * unwritten)
    ratio = np.where(weighed, _over(written_s, normal_s), 1.0)
    dc = _over(energy_kWh, metal_t)
    voltage_V = _over(energy_kWh, charge_kAh)
    estimated_frac = _over(estimated_kWh, energy_kWh)
    relative = np.sqrt(
        _over(used_sd, used) ** 2
        + _over(np.full(len(dc), v.voltage_sd_V), voltage_V) ** 2
        + v.current_sd_frac**2
        + (estimated_frac * v.gap_voltage_sd_frac) ** 2
    )
    bound_kWh = totals.dc_energy_kWh[NORMAL] + missing_s * highest_current_A * v.gap_voltage_V / 3.6e6
    conservative = _over(_over(bound_kWh, metal_t), rectifier)
    reasons = _reasons(v, normal_s, coverage, efficiency, used * ratio, rectifier, estimated_frac)
    classed = np.array([not reason for reason in reasons], dtype=np.bool_)
    given = (coverage >= v.min_coverage) & (normal_s > 0.0)
    startup_kAh = (totals.charge_kAh + totals.gap_charge_kAh)[[BAKING, STARTUP]]
    return CellPeriod(
        dc_energy_kWh=energy_kWh,
        estimated_frac=estimated_frac,
        coverage=coverage,
        charge_kAh=charge_kAh,
        metal_t=metal_t,
        current_efficiency=used * ratio,
        efficiency_sd=used_sd,
        voltage_V=voltage_V,
        dc_kwh_per_t=np.where(given, dc, np.nan),
        dc_sd=np.where(given, relative * dc, np.nan),
        ac_kwh_per_t=np.where(given, _over(dc, rectifier), np.nan),
        ac_sd=np.where(given, relative * _over(dc, rectifier), np.nan),
        level_code=np.where(classed, limits.levels(conservative), np.int64(NOT_ASSESSED)),
        reasons=reasons,
        startup_dc_kWh=totals.dc_energy_kWh[[BAKING, STARTUP]].sum(axis=0),
        # A baking cell makes no metal.
        startup_metal_t=METAL_KG_PER_KAH * np.nan_to_num(used) * startup_kAh[1] / 1000.0,
        weighed=weighed,
    )


def _reasons(
    v: Validity,
    normal_s: FloatArray,
    coverage: FloatArray,
    efficiency: FloatArray,
    printed: FloatArray,
    rectifier: FloatArray,
    estimated_frac: FloatArray,
) -> tuple[str, ...]:
    """Why each cell has no class; the first reason counts."""
    need_pct, most_pct = 100.0 * v.min_coverage, 100.0 * v.max_estimated_frac
    cases: tuple[tuple[NDArray[np.bool_], str, FloatArray], ...] = (
        (normal_s <= 0.0, "not in normal operation in this period", normal_s),
        (
            ~(coverage >= v.min_coverage),
            f"measured for {{:.1f}} %, {need_pct:g} % are needed",
            100.0 * coverage,
        ),
        (
            ~np.isfinite(efficiency),
            f"metal levels over less than {MIN_DAYS:g} days: metal is not weighed",
            efficiency,
        ),
        (
            ~((printed >= LOW_EFFICIENCY) & (printed <= HIGH_EFFICIENCY)),
            f"current efficiency {{:.3f}} is outside {LOW_EFFICIENCY}-{HIGH_EFFICIENCY}: data fault",
            printed,
        ),
        (~np.isfinite(rectifier), "AC energy of the line is not known", rectifier),
        (
            estimated_frac > v.max_estimated_frac,
            f"{{:.1f}} % of the energy is estimated, {most_pct:g} % at most",
            100.0 * estimated_frac,
        ),
    )
    found = [""] * len(coverage)
    for bad, text, values in reversed(cases):
        for i in np.flatnonzero(bad).tolist():
            found[i] = text.format(values[i])
    return tuple(found)


class LinePeriod(NamedTuple):
    """Figures of one line for one period.

    Attributes
    ----------
    energy
        Sums over the hours in which the registers were read, as the indicators of AC electricity take them.
    liquid_t
        Liquid metal of the whole period [t].
    metered_s
        Length of the hours in which the registers were read together, within the period.
    cells_dc_kWh
        Sum of the cells over the same hours, gaps estimated, all states.
    busbar_kWh, busbar_V
        DC energy of the line's meter that no cell uses, and the same as voltage of a cell; negative is a fault of a
        scale.
    figures
        By name: ``liquid_dc, liquid_ac_gross, liquid_ac_net, liquid_comprehensive, liquid_comprehensive_tariff,
        ingot_comprehensive, ingot_kgce, current_efficiency, rectifier_efficiency``.
    level_code
        Of gross AC electricity, the conservative one.
    """

    energy: LineEnergy
    liquid_t: float
    metered_s: float
    cells_dc_kWh: float
    busbar_kWh: float
    busbar_V: float
    figures: dict[str, Figure]
    level_code: int


class LineInputs(NamedTuple):
    """What a line has besides its cells in a period.

    Attributes
    ----------
    rectifier_ac, line_dc, auxiliary_ac
        Registers.
    desulfurisation_kWh, casting_kWh, ingot_t
        Entered by the plant; NaN where they were not.
    scale_sd_frac
        Common error of all its taps (fraction).
    """

    rectifier_ac: RegisterSum
    line_dc: RegisterSum
    auxiliary_ac: RegisterSum
    desulfurisation_kWh: float = 0.0
    casting_kWh: float = math.nan
    ingot_t: float = math.nan
    scale_sd_frac: float = 0.001


class Metered(NamedTuple):
    """The hours of a period in which a line's registers were read together.

    Attributes
    ----------
    cells
        All cells of the site over these hours.
    length_s
        Their length.
    rectifier_ac, line_dc, auxiliary_ac
        Registers over these hours.
    """

    cells: CellPeriod
    length_s: float
    rectifier_ac: RegisterSum
    line_dc: RegisterSum
    auxiliary_ac: RegisterSum


def line_period(
    cells: CellPeriod,
    mine: NDArray[np.bool_],
    inputs: LineInputs,
    period_s: float,
    limits: Limits,
    profile: Profile = GB21346_2022_ASSUMED,
    validity: Validity | None = None,
    metered: Metered | None = None,
) -> LinePeriod:
    """Work out one line's figures: sums over sums, energy and metal of the same hours.

    Parameters
    ----------
    cells
        All cells of the site.
    mine : (n_cells,)
        Which of them are the line's.
    inputs
        Registers over the whole period, and what the plant entered.
    period_s
        Length [s].
    limits, profile, validity
        Of the period.
    metered
        Where the registers were not read all through the period; None: they were.

    Notes
    -----
    Energy reference 2.3 and 2.4. AC energy is a register difference: gaps of cells do not touch it. Where a register
    begins late or ends early, its energy stands over the metal of the hours in which it was read, and what the plant
    entered for the whole period counts by the share of metal made in them.
    """
    v = Validity() if validity is None else validity
    if metered is None:
        metered = Metered(cells, period_s, inputs.rectifier_ac, inputs.line_dc, inputs.auxiliary_ac)
    normal = mine & (cells.charge_kAh > 0.0)
    normal_t = float(np.nansum(cells.metal_t[normal]))
    normal_kWh = float(np.nansum(cells.dc_energy_kWh[normal]))
    liquid_t = normal_t + float(cells.startup_metal_t[mine].sum())
    energy, cells_dc_kWh = _metered_energy(metered, mine, inputs, liquid_t)
    residual_kWh = energy.line_dc_kWh - cells_dc_kWh
    eta = rectifier_efficiency(energy.line_dc_kWh, energy.rectifier_ac_kWh)
    metered_kAh = float(np.nansum(metered.cells.charge_kAh[mine]))
    reason = _line_reason(cells, normal, v)
    ac_reason, dc_reason, auxiliary_reason = (
        _register_reason(whole, part, period_s, metered.length_s, v, name)
        for whole, part, name in (
            (inputs.rectifier_ac, metered.rectifier_ac, "rectifier_ac_energy_kWh"),
            (inputs.line_dc, metered.line_dc, "line_dc_energy_kWh"),
            (inputs.auxiliary_ac, metered.auxiliary_ac, "auxiliary_ac_energy_kWh"),
        )
    )
    # Errors of cells are independent but for the scale of the ladles, which is common to all.
    own = np.where(normal, cells.metal_t * cells.efficiency_sd / cells.current_efficiency, 0.0)
    metal_frac = (
        math.hypot(float(np.sqrt(np.nansum(own**2))), inputs.scale_sd_frac * normal_t) / normal_t
        if normal_t
        else math.nan
    )
    estimated_kWh = float(np.nansum((cells.estimated_frac * cells.dc_energy_kWh)[normal]))
    estimated_frac = estimated_kWh / normal_kWh if normal_kWh else math.nan
    coverage = float(np.nanmean(cells.coverage[normal])) if normal.any() else 0.0
    unweighed = int((normal & ~cells.weighed).sum())
    how = (
        "taps and metal levels" if not unweighed else f"metal of {unweighed} cells from current, not weighed"
    )

    def given(value: float, unit: str, why: str, relative: float, method: str) -> Figure:
        if why or value != value:
            return refusal(unit, why or f"{method}: an input is missing", coverage)
        return Figure(
            value, unit, relative * value, coverage, method, provisional=estimated_frac > v.provisional_frac
        )

    dc_frac = math.hypot(metal_frac, math.hypot(v.current_sd_frac, estimated_frac * v.gap_voltage_sd_frac))
    refused = reason or ac_reason
    # What was entered of the auxiliaries must not be held against a register that was hardly read.
    read = (
        energy
        if not auxiliary_reason
        else energy._replace(auxiliary_ac_kWh=math.nan, desulfurisation_ac_kWh=0.0)
    )
    liquid = line_figures(read, profile) if not refused else None
    dc = normal_kWh / normal_t if normal_t > 0.0 else math.nan
    found = {
        "liquid_dc": given(dc, "kWh/t", reason, dc_frac, f"cells' energy over {how}"),
        "current_efficiency": given(
            1000.0 * normal_t / (METAL_KG_PER_KAH * float(np.nansum(cells.charge_kAh[normal])) or math.nan),
            "1",
            reason,
            metal_frac,
            how,
        ),
        "rectifier_efficiency": given(
            eta,
            "1",
            ac_reason or dc_reason or ("" if eta == eta else "outside 0.95-0.995: a metering fault"),
            0.0,
            "registers",
        ),
    }
    for name, unit, method, with_auxiliaries in _INDICATORS:
        value = getattr(liquid, name) if liquid is not None else math.nan
        why = refused or (auxiliary_reason if with_auxiliaries else "")
        found[name] = given(value, unit, why, math.hypot(metal_frac, 0.002), f"{method}, {profile.name}")
    gross = found["liquid_ac_gross"]
    may_be_classed = gross.known and not unweighed and estimated_frac <= v.max_estimated_frac
    return LinePeriod(
        energy=energy,
        liquid_t=liquid_t,
        metered_s=metered.length_s,
        cells_dc_kWh=cells_dc_kWh,
        busbar_kWh=residual_kWh,
        busbar_V=residual_kWh / metered_kAh if metered_kAh else math.nan,
        figures=found,
        level_code=limits.level(gross.value) if may_be_classed else NOT_ASSESSED,
    )


def _metered_energy(
    metered: Metered, mine: NDArray[np.bool_], inputs: LineInputs, liquid_t: float
) -> tuple[LineEnergy, float]:
    """Energy and metal of the hours that were metered, and the DC energy of the cells in them [kWh]."""
    part = metered.cells
    startup_kWh, startup_t = (float(x[mine].sum()) for x in (part.startup_dc_kWh, part.startup_metal_t))
    normal = mine & (part.charge_kAh > 0.0)
    metal_t = float(np.nansum(part.metal_t[normal])) + startup_t
    ac_kWh, dc_kWh = metered.rectifier_ac.energy_kWh, metered.line_dc.energy_kWh
    eta = rectifier_efficiency(dc_kWh, ac_kWh)
    share = metal_t / liquid_t if liquid_t > 0.0 else math.nan
    energy = LineEnergy(
        rectifier_ac_kWh=ac_kWh,
        line_dc_kWh=dc_kWh,
        startup_ac_kWh=startup_kWh / eta if startup_kWh > 0.0 else 0.0,
        auxiliary_ac_kWh=metered.auxiliary_ac.energy_kWh,
        desulfurisation_ac_kWh=share * inputs.desulfurisation_kWh,
        casting_ac_kWh=share * inputs.casting_kWh,
        liquid_t=metal_t,
        startup_metal_t=startup_t,
        ingot_t=share * inputs.ingot_t,
    )
    return energy, float(np.nansum(part.dc_energy_kWh[normal])) + startup_kWh


#: Indicator, unit, method, and whether the auxiliaries' register counts in it.
_INDICATORS = (
    ("liquid_ac_gross", "kWh/t", "rectifier registers, nothing deducted", False),
    ("liquid_ac_net", "kWh/t", "rectifier registers less starting cells", False),
    ("liquid_comprehensive", "kWh/t", "with auxiliaries", True),
    ("liquid_comprehensive_tariff", "kWh/t", "with auxiliaries, without desulfurisation", True),
    ("ingot_comprehensive", "kWh/t", "with auxiliaries and casting, for ingots", True),
    ("ingot_kgce", "kgce/t", "electricity of ingots as coal equivalent", True),
)


def _line_reason(cells: CellPeriod, normal: NDArray[np.bool_], v: Validity) -> str:
    if not normal.any():
        return "no cell was in normal operation"
    unknown = int((normal & ~np.isfinite(cells.metal_t)).sum())
    if unknown:
        return f"metal of {unknown} cells is not known: less than {MIN_DAYS:g} days of levels"
    weight = cells.charge_kAh[normal]
    coverage = float(np.nansum(cells.coverage[normal] * weight) / weight.sum())
    if coverage < v.min_coverage:
        return f"cells were measured for {100 * coverage:.1f} % of the time, {100 * v.min_coverage:g} % are needed"
    printed = cells.current_efficiency[normal]
    outside = int((~((printed >= LOW_EFFICIENCY) & (printed <= HIGH_EFFICIENCY))).sum())
    if outside:
        return (
            f"current efficiency of {outside} cells is outside {LOW_EFFICIENCY}-{HIGH_EFFICIENCY}: data fault"
        )
    return ""


def _register_reason(
    whole: RegisterSum, part: RegisterSum, period_s: float, metered_s: float, v: Validity, name: str
) -> str:
    """Why a register says nothing of a period; ``part`` is the same register over the hours that were metered."""
    if whole.energy_kWh != whole.energy_kWh:
        return f"{name} was not read twice in this period"
    if whole.known_s < v.min_coverage * period_s:
        pct = 100.0 * whole.known_s / period_s
        return f"{name} was read over {pct:.1f} % of the time, {100 * v.min_coverage:g} % are needed"
    if (part.last_us - part.first_us) * 1e-6 < metered_s - 1.0:
        return f"{name} was not read in the same hours as the other registers"
    return ""


def _over(over: FloatArray, under: FloatArray) -> FloatArray:
    out = np.full(np.shape(over), np.nan)
    return np.divide(over, under, out=out, where=np.asarray(under) > 0.0)
