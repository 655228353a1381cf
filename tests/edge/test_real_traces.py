"""The two public real traces: the one with a current gives residuals and energy, the other says why it does not."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from edge.cli import main
from tests.edge.recorded import Gateway, digest, replay, summary_of
from tests.publishing import history_messages, publish
from tests.servers import Server
from tests.shared_data import TRACES, needs_shared_data

pytestmark = needs_shared_data


def test_the_cell_with_a_current_gives_energy_and_estimates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(TRACES / "smelter_126kA", tmp_path)
    summary = summary_of(capsys.readouterr().out)
    assert summary["cells"] == 1
    assert summary["not_assessed"] == {}
    hours = pq.read_table(tmp_path / "energy.parquet").filter(
        pq.filters_to_expression([("window", "=", "hour")])
    )
    rows = [row for row in hours.to_pylist() if row["cell"] == "A-001"]
    # 126.6 kA at about 4.38 V: 554 kW. The trace lasts 5200 s.
    assert sum(row["dc_energy_kwh"] for row in rows) == pytest.approx(554.0 * 5200 / 3600, rel=0.02)
    assert all(12_000 < row["dc_kwh_per_t"] < 16_000 for row in rows)
    states = pq.read_table(tmp_path / "states.parquet").to_pylist()
    assert len(states) >= 7
    assert all(900 < row["bath_temp_c"] < 1000 for row in states)


def test_the_cell_without_a_current_is_not_assessed_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(TRACES / "smelter_10h_2022", tmp_path)
    said = capsys.readouterr().out
    summary = summary_of(said)
    assert "no line_current_A was received" in summary["not_assessed"]["B-001"]
    assert "B-001: not assessed: no line_current_A was received" in said
    assert "no line_current_A was received" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert pq.read_table(tmp_path / "energy.parquet").num_rows == 0
    assert pq.read_table(tmp_path / "states.parquet").num_rows == 0


def test_the_real_residual_is_tens_of_millivolts() -> None:
    from edge.alarm_rules import load_texts
    from edge.config import Config
    from edge.pipeline import Pipeline
    from streams.history import read_history
    from streams.plant_file import load_plant

    folder = TRACES / "smelter_126kA"
    pipeline = Pipeline(load_plant(folder / "plant.toml"), Config(), load_texts())
    residuals: list[float] = []
    seen = 0
    for item in read_history(folder):
        pipeline.push([item])
        view = pipeline.view
        if view is not None and view.time_us != seen:
            seen = view.time_us
            residual = float(view.estimate.voltage_residual_V[0])
            if residual == residual:
                residuals.append(residual)
    assert len(residuals) > 400
    # A beam raise of 148 mV stands in the middle of the trace; the rest is feeding.
    assert max(map(abs, residuals)) < 0.3
    assert sorted(map(abs, residuals))[len(residuals) // 2] < 0.06


@pytest.mark.mosquitto
@pytest.mark.parametrize("name", ["smelter_126kA", "smelter_10h_2022"])
def test_through_the_broker(
    name: str, tmp_path: Path, mosquitto: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    history = TRACES / name
    assert main(["replay", str(history), "--out", str(tmp_path / "replay")]) == 0
    replayed = summary_of(capsys.readouterr().out)
    gateway = Gateway(tmp_path, history / "plant.toml", mosquitto.port, until_quiet_s=3.0)
    gateway.start()
    publish(mosquitto.port, history_messages(history))
    live = gateway.finished()
    for figure in ("readings", "frames", "late", "alarms", "points_accepted", "not_assessed"):
        assert live[figure] == replayed[figure], figure
    assert digest(gateway.data / "alarms.jsonl") == digest(tmp_path / "replay" / "alarms.jsonl")
