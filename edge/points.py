"""What the pipeline has to say, as points of the InfluxDB schema."""

from typing import NamedTuple

import numpy as np

from edge.alarms import STATE_CODES, AlarmEvent
from models.base import View
from streams.plant_file import Plant


class Point(NamedTuple):
    """One point; tags are identity only, a NaN field is left out when it is written."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | int | str]
    time_us: int


#: Fields of ``cell_state``: (field, attribute of the estimate).
STATE_FIELDS: tuple[tuple[str, str], ...] = (
    ("bath_temp_c", "bath_temp_C"),
    ("bath_temp_c_sd", "bath_temp_sd_C"),
    ("superheat_c", "superheat_C"),
    ("superheat_c_sd", "superheat_sd_C"),
    ("alumina_pct", "alumina_pct"),
    ("alumina_pct_sd", "alumina_sd_pct"),
    ("acd_mm", "acd_mm"),
    ("acd_mm_sd", "acd_sd_mm"),
    ("ledge_bath_mm", "ledge_bath_mm"),
    ("ledge_bath_mm_sd", "ledge_bath_sd_mm"),
    ("heat_loss_kw", "heat_loss_kW"),
    ("heat_loss_kw_sd", "heat_loss_sd_kW"),
)


def state_points(plant: Plant, view: View) -> list[Point]:
    """One ``cell_state`` point for every cell that the twin can assess."""
    columns = [np.asarray(getattr(view.estimate, attribute)).tolist() for _, attribute in STATE_FIELDS]
    names = [field for field, _ in STATE_FIELDS]
    points: list[Point] = []
    for index in np.flatnonzero(view.estimate.assessed).tolist():
        cell = plant.cells[index]
        fields: dict[str, float | int | str] = {
            name: column[index] for name, column in zip(names, columns, strict=True)
        }
        tags = {"site": plant.site, "line": cell.line, "cell": cell.id}
        points.append(Point("cell_state", tags, fields, view.time_us))
    return points


def alarm_point(plant: Plant, event: AlarmEvent, time_us: int) -> Point:
    """The ``cell_alarm`` point of one transition."""
    tags = {"site": plant.site, "line": event.line, "cell": event.cell, "kind": event.kind}
    where = f"{event.anode:02d}" if event.anode is not None else (event.side or "")
    if where:
        tags["anode"] = where
    fields: dict[str, float | int | str] = {
        "state_code": STATE_CODES[event.state],
        "priority": event.priority,
        "score": event.score,
        "alarm_id": event.id,
        "message": event.action,
    }
    return Point("cell_alarm", {k: v for k, v in tags.items() if v}, fields, time_us)
