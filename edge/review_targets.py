"""Figures of a review by the metrics of the targets, carbon and clean electricity included."""

import math
from datetime import UTC, date, datetime

import numpy as np

from edge.review_events import Changes
from edge.review_rows import LineRow, Review
from twin.carbon import clean_shares, market_default
from twin.cell_voltage import energy_utilisation
from twin.figures import Figure, ratio_of_sums, refusal
from twin.rulebook import unverified
from twin.targets import Standing, standings

_LARGE_A, _SMALL_A = 500_000.0, 200_000.0


def day_of(review: Review) -> date:
    """Last day of the reviewed period, UTC."""
    return datetime.fromtimestamp(review.span.end_us / 1e6 - 1.0, UTC).date()


def carbon(review: Review) -> dict[str, Figure]:
    """Anode carbon dioxide and perfluorocarbons [t CO2e/t] by the defaults of the carbon market."""
    found = market_default(day_of(review))
    mark = tuple(unverified(found.rows))
    return {
        "anode_co2": Figure(found.anode, "t/t", method="CETS-AG-04.01 default anode", unverified=mark),
        "pfc_co2e": Figure(
            found.pfc, "t/t", method="CETS-AG-04.01 default, no anode-effect minutes", unverified=mark
        ),
        "direct_co2e": Figure(found.anode + found.pfc, "t/t", method="sum of the two", unverified=mark),
    }


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
    found["liquid_ac"] = _over_lines(review, "liquid_ac_gross")
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
        dearest = max(price, key=lambda p: p.cny_per_kWh)
        found["tariff_surcharge"] = Figure(
            float(dearest.cny_per_kWh),
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


def _over_lines(review: Review, name: str) -> Figure:
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


def target_standings(review: Review, changes: dict[str, Changes]) -> list[Standing]:
    """Where the site stands against every target that concerns it, with a forecast to the year's end.

    Notes
    -----
    The forecast is the figure of the last twelve months, or of the period where there are no twelve.
    """
    figures = metrics(review, changes)
    forecasts: dict[str, float] = {}
    rolling = [row.rolling for row in review.lines]
    if rolling and all(line is not None and line.figures["liquid_ac_gross"].known for line in rolling):
        pairs = [
            (line.figures["liquid_ac_gross"].value * line.liquid_t, line.liquid_t)
            for line in rolling
            if line is not None
        ]
        forecasts["liquid_ac"] = ratio_of_sums(pairs)
    elif figures["liquid_ac"].known:
        forecasts["liquid_ac"] = figures["liquid_ac"].value
    regions = tuple(dict.fromkeys(("CN", review.accounts.region, *review.accounts.regions)))
    return standings(figures, forecasts, day_of(review), regions=regions)
