"""Tables of the twin's part of the energy review: advice, voltage by part, waste heat, anode effects."""

from edge.review_advice import advice_rows
from edge.review_effects import Effects
from edge.review_rows import Review
from edge.review_sheets import Sheet, Value, number
from edge.review_twin import TwinReview
from twin.cell_voltage import PARTS
from twin.waste_heat import WAYS


def twin_sheets(review: Review, effects: Effects, twin: TwinReview) -> list[Sheet]:
    """Tables with every figure at full precision."""
    return [_advice(review, twin), _voltage(review, twin), _heat(review, twin), _effects(review, effects)]


def _id(review: Review, cell: int) -> tuple[str, str, str]:
    found = review.files.plant.cells[cell]
    return review.span.name, found.line, found.id


def _advice(review: Review, twin: TwinReview) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    for row in advice_rows(review, twin):
        o = row.option
        left = (
            (None,) * 5
            if o is None
            else (o.superheat_C, o.superheat_sd_C, o.ledge_mm, o.ledge_sd_mm, o.bath_temp_C)
        )
        saved = (number(x) for x in (row.saved_kwh_per_t, row.saved_sd, row.by_voltage, row.saved_cny))
        rows.append((*_id(review, row.cell), row.what_en, row.what_zh, *saved, *left, ""))
    advised = {row.cell for row in advice_rows(review, twin)}
    for cell, advice in twin.advice.items():
        if cell not in advised:
            why = "; ".join(f"{reason} ({n})" for reason, n in advice.refused.items())
            rows.append((*_id(review, cell), "", "", *(None,) * 9, why))
    rows += [(*_id(review, cell), "", "", *(None,) * 9, why) for cell, why in twin.now.refused.items()]
    head = (
        *(
            "period",
            "line",
            "cell",
            "advice",
            "advice_zh",
            "saved_dc_kwh_per_t",
            "saved_sd",
            "by_voltage_kwh_per_t",
        ),
        *("saved_cny", "superheat_C", "superheat_sd_C", "ledge_bath_mm", "ledge_bath_sd_mm", "bath_temp_C"),
        "refused",
    )
    return Sheet("advice", head, rows)


def _voltage(review: Review, twin: TwinReview) -> Sheet:
    rows: list[tuple[Value, ...]] = [
        (
            *_id(review, i),
            *(number(float(x)) for x in twin.parts_V[i]),
            *(number(float(x)) for x in twin.over_kwh_per_t[i]),
        )
        for i in range(len(twin.parts_V))
    ]
    head = (
        "period",
        "line",
        "cell",
        *(f"{name}_V" for name in PARTS),
        *(f"{name}_kwh_per_t" for name in PARTS),
    )
    return Sheet("voltage", head, rows)


def _heat(review: Review, twin: TwinReview) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    if twin.heat is not None:
        for row, cell in enumerate(twin.now.cells):
            for k, way in enumerate(WAYS):
                figures = (number(float(part[row, k])) for part in twin.heat[:4])
                rows.append((*_id(review, cell), way, *figures))
    head = ("period", "line", "cell", "way", "heat_kW", "temp_C", "recoverable_kW", "exergy_kW")
    return Sheet("heat", head, rows)


def _effects(review: Review, effects: Effects) -> Sheet:
    rows: list[tuple[Value, ...]] = []
    for line, found in effects.lines.items():
        first = (review.span.name, line)
        rows.append(
            (*first, "effect_alarms", found.alarms, "", "", "not detected" if found.alarms is None else "")
        )
        for name in ("per_cell_day", "minutes_each", "min_per_cell_day", "overvoltage_mV"):
            f = getattr(found, name)
            rows.append((*first, name, number(f.value), f.unit, f.method, f.refused))
        for (profile, method), f in found.pfc.items():
            rows.append((*first, f"pfc_{method}_{profile}", number(f.value), f.unit, f.method, f.refused))
    return Sheet("effects", ("period", "line", "figure", "value", "unit", "method", "refused"), rows)
