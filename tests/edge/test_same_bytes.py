"""What is promised: the same day gives the same alarms, however it comes in, and energies that a hand can check."""

import json
import math
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.edge.recorded import Gateway, digest, replay, shuffled
from tests.publishing import history_messages, publish
from tests.servers import Server

#: k of Faraday's law, written out here and not taken from the code under test.
KG_PER_KAH = 3600.0 * 26.9815384 / (3.0 * 96485.33212)


@pytest.fixture(scope="module")
def replayed(recorded_day: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("replay")
    replay(recorded_day, out)
    return out


def test_the_day_has_alarms_of_both_families(replayed: Path) -> None:
    raised = [
        alarm["kind"]
        for alarm in map(json.loads, (replayed / "alarms.jsonl").read_text(encoding="utf-8").splitlines())
        if alarm["transition"] == "raise"
    ]
    assert {"anode_burnoff", "anode_change_unreported", "ledge_thinning", "anode_effect"} <= set(raised)


def test_twice_and_shuffled(recorded_day: Path, replayed: Path, tmp_path: Path) -> None:
    first = digest(replayed / "alarms.jsonl")
    assert replay(recorded_day, tmp_path / "again") == first
    assert replay(shuffled(recorded_day, tmp_path / "mixed", 9.0, seed=3), tmp_path / "mixed-out") == first
    for name in ("energy.parquet", "states.parquet"):
        assert pq.read_table(replayed / name).equals(pq.read_table(tmp_path / "mixed-out" / name)), name


def by_hand(history: Path) -> dict[tuple[int, str], tuple[float, float]]:
    """Energy [kWh] and metal [kg] by hour and cell: each product times the time to the next sample in that hour."""
    table = pq.read_table(history / "readings", columns=["time", "cell", "cell_voltage_V", "line_current_A"])
    found: dict[tuple[int, str], tuple[float, float]] = {}
    for cell in sorted(set(table.column("cell").to_pylist())):
        rows = table.filter(pq.filters_to_expression([("cell", "=", cell)])).sort_by("time")
        time_s = rows.column("time").cast(pa.int64()).to_numpy() / 1e6
        voltage_V = rows.column("cell_voltage_V").to_numpy().astype(float)
        current_A = rows.column("line_current_A").to_numpy().astype(float)
        good = ~np.isnan(voltage_V) & ~np.isnan(current_A)
        time_s, voltage_V, current_A = time_s[good], voltage_V[good], current_A[good]
        length_s = np.diff(time_s, append=time_s[-1])
        length_s[length_s > 120.0] = 0.0  # the cell that falls silent: time without samples is not covered
        for hour in np.unique(time_s // 3600):
            start_s, end_s = hour * 3600, (hour + 1) * 3600
            here_s = np.minimum(time_s + length_s, end_s) - np.maximum(time_s, start_s)
            here_s = np.maximum(here_s, 0.0)
            energy_kWh = math.fsum(voltage_V * current_A * here_s) / 3.6e6
            metal_kg = KG_PER_KAH * 0.94 * math.fsum(current_A * here_s) / 3.6e6
            found[int(hour) * 3600, cell] = (energy_kWh, metal_kg)
    return found


def query(url: str, metric: str, start_s: int, end_s: int) -> dict[tuple[int, str], float]:
    """Raw points of a metric with window ``hour``, by time and cell."""
    selector = urllib.parse.urlencode(
        {"match[]": f'{metric}{{window="hour"}}', "start": start_s, "end": end_s, "max_rows_per_line": 100000}
    )
    found: dict[tuple[int, str], float] = {}
    with urllib.request.urlopen(f"{url}/api/v1/export?{selector}") as answer:
        for line in answer:
            series = json.loads(line)
            for time_ms, value in zip(series["timestamps"], series["values"], strict=True):
                found[time_ms // 1000, series["metric"]["cell"]] = value
    return found


@pytest.mark.mosquitto
@pytest.mark.victoria_metrics
def test_through_the_broker_into_the_database(
    recorded_day: Path, replayed: Path, tmp_path: Path, mosquitto: Server, victoria_metrics: Server
) -> None:
    gateway = Gateway(
        tmp_path,
        recorded_day / "plant.toml",
        mosquitto.port,
        influx_url=victoria_metrics.url,
        until_quiet_s=8.0,
    )
    gateway.start()
    sent = publish(mosquitto.port, history_messages(recorded_day))
    summary = gateway.finished()
    assert summary["messages"] == sent
    assert summary["late"] == 0
    assert summary["dead_letters"] == 0
    assert summary["points_quarantined"] == summary["points_waiting"] == 0
    assert summary["points_accepted"] == summary["points_written"] > 0
    assert digest(gateway.data / "alarms.jsonl") == digest(replayed / "alarms.jsonl")

    wanted = by_hand(recorded_day)
    start_s, end_s = min(wanted)[0], max(wanted)[0]
    urllib.request.urlopen(f"{victoria_metrics.url}/internal/force_flush").close()
    time.sleep(1.0)
    energy = query(victoria_metrics.url, "cell_energy_dc_energy_kwh", start_s, end_s)
    metal = query(victoria_metrics.url, "cell_energy_metal_kg", start_s, end_s)
    intensity = query(victoria_metrics.url, "cell_energy_dc_kwh_per_t", start_s, end_s)
    assert len({cell for _, cell in energy}) == 24
    assert energy.keys() == wanted.keys()
    for key, (energy_kWh, metal_kg) in wanted.items():
        assert energy[key] == pytest.approx(energy_kWh, rel=1e-3), key
        assert metal[key] == pytest.approx(metal_kg, rel=1e-3), key
        assert intensity[key] == pytest.approx(1000.0 * energy_kWh / metal_kg, rel=1e-3), key
