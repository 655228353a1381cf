"""Figures of a review by the metrics of the targets, carbon and clean electricity included."""

import math
from datetime import UTC, date, datetime

import numpy as np

from edge.review_effects import Effects
from edge.review_events import Changes
from edge.review_rows import LineRow, Review
from twin.carbon import (
    Footprint,
    clean_shares,
    direct_co2e,
    electricity_co2,
    market_default,
    mixed_electricity_co2,
)
from twin.cell_voltage import energy_utilisation
from twin.figures import Figure, ratio_of_sums, refusal
from twin.rulebook import RulesError, load, unverified
from twin.targets import Standing, standings

_LARGE_A, _SMALL_A = 500_000.0, 200_000.0


def day_of(review: Review) -> date:
    """Last day of the reviewed period, UTC."""
    return datetime.fromtimestamp(review.span.end_us / 1e6 - 1.0, UTC).date()


def carbon(review: Review, effects: Effects) -> dict[str, Figure]:
    """Carbon of a tonne by part [t CO2e/t]: anodes, perfluorocarbons, electricity, and the product's outline.

    Parameters
    ----------
    review
        Figures of the period; of several lines the perfluorocarbons count by their metal.
    effects
        Gives the perfluorocarbons.

    Notes
    -----
    Energy reference 6.1 to 6.6. The outline is no footprint while a supplier's part is missing; it counts all
    electricity at the life-cycle factor, the clean share of `accounts.toml` left out.
    """
    found = market_default(day_of(review))
    anode = Figure(
        found.anode,
        "t/t",
        method="CETS-AG-04.01 default anode",
        unverified=tuple(unverified(found.rows)),
    )
    parts = [(effects.lines[row.line].counted, row.now.liquid_t) for row in review.lines]
    pfc = parts[0][0]
    if len(parts) > 1 and all(figure.known and metal > 0.0 for figure, metal in parts):
        pfc = pfc._replace(value=ratio_of_sums([(f.value * t, t) for f, t in parts]), uncertainty=math.nan)
    elif len(parts) > 1:
        pfc = next((f for f, _ in parts if not f.known), refusal("t/t", "no cell was in normal operation"))
    if not pfc.known:
        direct = refusal("t/t", pfc.refused)
    else:
        marks = tuple(dict.fromkeys((*anode.unverified, *pfc.unverified)))
        value = direct_co2e(anode.value, pfc.value, 1.0)[0]
        direct = Figure(value, "t/t", method="sum of the two", unverified=marks)
    grid, footprint = _electricity(review)
    outline = Footprint(
        anode.value,
        pfc.value,
        footprint.value,
        math.nan if review.accounts.upstream_t_per_t is None else review.accounts.upstream_t_per_t,
    )
    product = (
        Figure(
            outline.total,
            "t/t",
            method="anode, perfluorocarbons, electricity, upstream as entered",
            unverified=tuple(dict.fromkeys((*anode.unverified, *pfc.unverified, *footprint.unverified))),
        )
        if math.isfinite(outline.total)
        else refusal(
            "t/t",
            footprint.refused
            or pfc.refused
            or f"enter upstream_t_per_t in accounts.toml; the parts known are {outline.known:.3f} t/t",
        )
    )
    return {
        "anode_co2": anode,
        "pfc_co2e": pfc,
        "direct_co2e": direct,
        "electricity_co2": grid,
        "footprint_electricity": footprint,
        "footprint": product,
    }


def _electricity(review: Review) -> tuple[Figure, Figure]:
    """Carbon dioxide of the electricity [t/t] by the grid's factor, its clean share taken off, and by life cycle."""
    used = over_lines(review, "liquid_comprehensive")
    if not used.known:
        return refusal("t/t", used.refused), refusal("t/t", used.refused)
    factors, day, region = load("emission_factors"), day_of(review), review.accounts.electricity_region
    try:
        row = (
            factors.at("electricity_national", day)
            if region is None
            else factors.at("electricity_region", day, region)
        )
        life = factors.at("electricity_footprint", day)
    except RulesError as error:
        return refusal("t/t", str(error)), refusal("t/t", str(error))
    clean_pct = 0.0
    if review.accounts.clean is not None:
        clean_pct = clean_shares(review.accounts.clean.electricity())[0]
    mwh = used.value / 1000.0
    return (
        Figure(
            mixed_electricity_co2(mwh, 0.01 * clean_pct, float(row.value)),
            "t/t",
            method=f"{row.value} {row.unit}, {row.source}; clean share {clean_pct:.1f} %",
            unverified=tuple(unverified([row])),
        ),
        Figure(
            electricity_co2(mwh, float(life.value)),
            "t/t",
            method=f"{life.value} {life.unit}, {life.source}",
            unverified=tuple(unverified([life])),
        ),
    )


def metrics(review: Review, changes: dict[str, Changes]) -> dict[str, Figure]:
    """Figures by the metric of a target; what is not there is refused by the targets themselves."""
    found: dict[str, Figure] = {name: Figure(value, "") for name, value in review.accounts.metrics.items()}
    shares = review.shares
    why = f"no class for {shares.not_assessed_t:,.0f} t/year of capacity: {', '.join(shares.not_assessed)}"
    for name, value in (
        ("benchmark_share", shares.benchmark),
        ("below_baseline_share", shares.below_baseline),
    ):
        found[name] = refusal("%", why) if shares.not_assessed else Figure(value, "%", method="by capacity")
    found["liquid_ac"] = over_lines(review, "liquid_ac_gross")
    replaced = [row for row in review.lines if _is_replacement(review, row)]
    found["replacement_liquid_ac"] = (
        max((row.now.figures["liquid_ac_gross"] for row in replaced), key=lambda f: f.value)
        if replaced
        else refusal("kWh/t", "no line is a replacement project")
    )
    rated = [(cell.rated_current_A, 1.0) for cell in review.files.plant.cells]
    if all(current is not None for current, _ in rated):
        amps = np.array([current for current, _ in rated], dtype=np.float64)
        for name, share in (
            ("large_cell_share", amps[amps >= _LARGE_A].sum() / amps.sum()),
            ("small_cell_share", amps[amps < _SMALL_A].sum() / amps.sum()),
        ):
            found[name] = Figure(100.0 * float(share), "%", method="by rated current")
    judged = [c for c in changes.values() if c.judged]
    if judged:
        mean = sum(c.extra_kWh[0] * c.judged for c in judged) / sum(c.judged for c in judged)
        found["anode_change_extra_kWh"] = Figure(
            mean, "kWh", method="median by line, hours of 24 h after the change"
        )
    found |= _of_cells(review)
    price = [row.price for row in review.lines if row.price is not None]
    if len(price) == len(review.lines) and price:
        dearest = max(price, key=lambda p: p.discounted_cny_per_kWh)
        found["tariff_surcharge"] = Figure(
            float(dearest.discounted_cny_per_kWh),
            "CNY/kWh",
            method="dearest line",
            unverified=tuple(unverified(dearest.rows)),
        )
    if review.accounts.clean is not None:
        clean, nonhydro = clean_shares(review.accounts.clean.electricity())
        found["clean_share"] = Figure(clean, "%", method="accounts.toml, each MWh once")
        found["nonhydro_share"] = Figure(nonhydro, "%", method="accounts.toml, each MWh once")
        entered = review.accounts.clean
        found["green_power_MWh"] = Figure(
            entered.self_generated_MWh + entered.traded_MWh + entered.certificates_MWh,
            "MWh",
            method="accounts.toml",
        )
    return found


def _is_replacement(review: Review, row: LineRow) -> bool:
    entered = review.accounts.line.get(row.line)
    return entered is not None and entered.is_replacement_project


def over_lines(review: Review, name: str) -> Figure:
    """One indicator of the whole site; refused where one line's is."""
    figures = [row.now.figures[name] for row in review.lines]
    for row, figure in zip(review.lines, figures, strict=True):
        if not figure.known:
            return refusal(figure.unit, f"{row.line}: {figure.refused}", figure.coverage)
    metal_t = [row.now.liquid_t for row in review.lines]
    value = ratio_of_sums([(f.value * t, t) for f, t in zip(figures, metal_t, strict=True)])
    sd = math.sqrt(sum((f.uncertainty * t) ** 2 for f, t in zip(figures, metal_t, strict=True))) / sum(
        metal_t
    )
    return figures[0]._replace(value=value, uncertainty=sd)


def _of_cells(review: Review) -> dict[str, Figure]:
    cells = review.cells
    coverage = cells.coverage[np.isfinite(cells.coverage)]
    found = {
        "ledger_coverage": Figure(
            100.0 * float(coverage.mean()) if len(coverage) else 0.0, "%", method="cells"
        ),
        "online_coverage": Figure(
            100.0 * float((cells.coverage > 0.0).mean()), "%", method="cells with voltage and current, of all"
        ),
    }
    good = np.isfinite(cells.dc_kwh_per_t)
    if good.any():
        volt = float(cells.dc_energy_kWh[good].sum() / cells.charge_kAh[good].sum())
        efficiency = float(np.average(cells.current_efficiency[good], weights=cells.charge_kAh[good]))
        found["energy_utilisation"] = Figure(
            100.0 * energy_utilisation(efficiency, volt), "%", method="(0.48 + 1.65 CE) / V"
        )
    return found


def target_standings(review: Review, changes: dict[str, Changes], effects: Effects) -> list[Standing]:
    """Where the site stands against every target that concerns it, with a forecast to the year's end.

    Parameters
    ----------
    review, changes, effects
        Of the period.

    Notes
    -----
    The forecast is that of ``edge.review_rows.LineRow``: the year so far, the rest as in the period.
    """
    figures = metrics(review, changes)
    figures.setdefault("footprint_t_per_t", carbon(review, effects)["footprint"])
    if figures["footprint_t_per_t"].refused:
        del figures["footprint_t_per_t"]
    forecasts: dict[str, float] = {}
    ends = [row.year_end.get("liquid_ac_gross", math.nan) for row in review.lines]
    metal_t = [row.now.liquid_t for row in review.lines]
    if all(map(math.isfinite, ends)):
        forecasts["liquid_ac"] = ratio_of_sums([(e * t, t) for e, t in zip(ends, metal_t, strict=True)])
    dearest = [row.year_end_price for row in review.lines if row.year_end_price is not None]
    if len(dearest) == len(review.lines):
        forecasts["tariff_surcharge"] = max(float(price.discounted_cny_per_kWh) for price in dearest)
    regions = tuple(dict.fromkeys(("CN", review.accounts.region, *review.accounts.regions)))
    return standings(figures, forecasts, day_of(review), regions=regions)
