"""The dashboards: valid files, fixed uids, and no field that nobody writes."""

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from edge.line_fields import LINE_FIELDS
from edge.points import STATE_FIELDS
from edge.tables import ENERGY_FIELDS

GRAFANA = Path(__file__).parents[1] / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
CELL = set(ENERGY_FIELDS) - set(LINE_FIELDS)
FIELDS = {
    "cell_energy": CELL,
    "line_energy": set(ENERGY_FIELDS),
    "cell_state": {field for field, _ in STATE_FIELDS},
    "cell_alarm": {"state_code", "priority", "score", "alarm_id", "message"},
}


def maker() -> ModuleType:
    spec = spec_from_file_location("grafana_make", GRAFANA / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(query: str) -> tuple[str, str]:
    """Measurement and field of a query."""
    flux = re.search(r'_measurement == "(\w+)" and r\._field == "(\w+)"', query)
    if flux:
        return flux[1], flux[2]
    name = re.search(r"last_over_time\((\w+)\{", query)
    assert name is not None, query
    measurement = next(m for m in FIELDS if name[1].startswith(m + "_"))
    return measurement, name[1].removeprefix(measurement + "_")


def test_there_are_two_dashboards_for_each_database() -> None:
    assert [path.stem for path in FILES] == [
        f"{name}-{kind}" for name in ("cells", "energy") for kind in ("influxdb", "victoriametrics")
    ]
    assert {json.loads(path.read_text())["uid"] for path in FILES} == {
        f"potline-{path.stem}" for path in FILES
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_query_asks_for_what_is_written(path: Path) -> None:
    board = json.loads(path.read_text(encoding="utf-8"))
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "potline.yaml").read_text())[
        "datasources"
    ]
    uids = {source["uid"]: source["type"] for source in sources}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        target = panel["targets"][0]
        query = target.get("expr") or target["query"]
        measurement, field = asked(query)
        assert field in FIELDS[measurement], query
        assert uids[target["datasource"]["uid"]] == target["datasource"]["type"]
        for window in re.findall(r'window ?==? ?"(\w+)"', query):
            assert window in ("hour", "day", "month")
            assert measurement.endswith("_energy")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_energy_queries_choose_one_window() -> None:
    # An hour and a day may start at the same instant: without the tag they would be mixed.
    for path in FILES:
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            target = panel["targets"][0]
            query = target.get("expr") or target["query"]
            assert ("window" in query) == asked(query)[0].endswith("_energy")


def test_files_are_what_the_script_writes() -> None:
    make = maker()
    for name in make.BOARDS:
        for kind in make.DATASOURCES:
            written = json.loads((GRAFANA / "dashboards" / f"{name}-{kind}.json").read_text(encoding="utf-8"))
            assert written == make.board(name, kind)


def test_limits_on_the_screen_are_those_in_force() -> None:
    from twin.limits import load_limits

    text = (GRAFANA / "dashboards" / "energy-influxdb.json").read_text(encoding="utf-8")
    limits = load_limits()
    panels = json.loads(text)["panels"]
    steps = [panel["fieldConfig"]["defaults"]["thresholds"]["steps"] for panel in panels]
    values = {step["value"] for rows in steps for step in rows}
    assert {limits.benchmark_kwh_per_t, limits.baseline_kwh_per_t} <= values


def test_provisioning_files_point_to_the_dashboards() -> None:
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "potline.yaml").read_text())[
        "providers"
    ][0]
    assert provider["folderUid"] == "potline"
    assert provider["type"] == "file"
