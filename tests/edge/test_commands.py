"""Every command's answers and exit codes, as scripts depend on them."""

import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from edge.cli import main
from edge.config import example
from tests.edge.recorded import Gateway
from tests.publishing import publish
from tests.servers import Server, free_port

PLANT = """
site = "s"
time_zone = "Asia/Shanghai"
[[line]]
id = "L1"
rated_current_A = 300000
[[line.cell]]
id = "L1-001"
"""


def configured(tmp_path: Path, text: str = "", plant: str = PLANT) -> Path:
    (tmp_path / "plant.toml").write_text(plant, encoding="utf-8")
    path = tmp_path / "potline.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_config_prints_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"]) == 0
    assert capsys.readouterr().out == example()


def test_usage_error_is_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["demo", "--cells", "0"])
    assert caught.value.code == 2


def test_bad_configuration_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, "[mqtt]\nbrokr = 1\n")
    assert main(["run", "-c", str(path)]) == 78
    assert "brokr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (PLANT.replace('id = "L1-001"', 'id = "L1-001"\nn_anode = 3'), "n_anode"),
        (PLANT.replace("Asia/Shanghai", "Asia/Shanghei"), "Asia/Shanghei"),
        (PLANT.replace("300000", "3"), "rated_current_A"),
    ],
)
def test_bad_plant_file_is_78_and_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], plant: str, says: str
) -> None:
    assert main(["run", "-c", str(configured(tmp_path, plant=plant))]) == 78
    assert says in capsys.readouterr().err


def test_missing_password_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, '[mqtt]\nusername = "gateway"\npassword_env = "POTLINE_TEST_NONE"\n')
    assert main(["run", "-c", str(path)]) == 78
    assert "POTLINE_TEST_NONE" in capsys.readouterr().err


def test_replay_of_nothing_is_66_and_of_rubbish_65(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 66
    configured(tmp_path)
    (tmp_path / "readings").mkdir()
    (tmp_path / "readings" / "part-0.parquet").write_bytes(b"rubbish")
    assert main(["replay", str(tmp_path), "--out", str(tmp_path / "out")]) == 65
    assert "part-0.parquet" in capsys.readouterr().err


def test_simulate_does_not_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "--out", str(tmp_path), "--cells", "1", "--days", "0.02", "--interval", "60"]
    assert main(arguments) == 0
    assert main(arguments) == 1
    assert "readings" in capsys.readouterr().err


def test_replay_folder_holds_what_the_contract_says(recorded_hours: Path, tmp_path: Path) -> None:
    assert main(["replay", str(recorded_hours), "--out", str(tmp_path)]) == 0
    energy = pq.read_table(tmp_path / "energy.parquet").to_pylist()
    assert {row["window"] for row in energy} == {"hour", "day", "month"}
    assert {row["cell"] for row in energy} == {"", *(f"L1-{n:03d}" for n in range(1, 7))}
    for row in energy:
        assert row["ac_kwh_per_t"] - 13000.0 == pytest.approx(row["gap_to_benchmark_kwh_per_t"])
        assert row["ac_kwh_per_t"] - 13350.0 == pytest.approx(row["gap_to_baseline_kwh_per_t"])
        assert row["level_code"] in (0, 1, 2, 3, 4)
        least = {"hour": 0.80, "day": 23 / 24, "month": 0.95}[row["window"]]
        assert (row["level_code"] == 0) == (row["coverage"] < least)
        whole_line = row["cell"] == ""
        assert (row["co2e_t_per_t"] is not None) == whole_line
        if row["comprehensive_ac_kwh_per_t"] is not None:
            assert row["comprehensive_ac_kwh_per_t"] > row["ac_kwh_per_t"]
    assert any(row["tariff_surcharge_cny_per_kwh"] is not None for row in energy)
    states = pq.read_table(tmp_path / "states.parquet").to_pylist()
    assert {row["time"].minute % 10 for row in states} == {0}
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "src=" not in report
    assert "http" not in report
    assert "炉帮变薄" in report
    assert "Side ledge is thinning" in report


def test_check_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(
        tmp_path,
        f'[mqtt]\nport = {free_port()}\n[influxdb]\nurl = "http://127.0.0.1:{free_port()}"\ntimeout_s = 1\n',
    )
    assert main(["check", "-c", str(path)]) == 69
    said = capsys.readouterr().out
    assert "ok    plant" in said
    assert "ok    disk" in said
    assert "FAIL  broker" in said
    assert "FAIL  database" in said


@pytest.mark.mosquitto
@pytest.mark.victoria_metrics
def test_check_of_a_healthy_installation(
    tmp_path: Path, mosquitto: Server, victoria_metrics: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(
        tmp_path, f'[mqtt]\nport = {mosquitto.port}\n[influxdb]\nurl = "{victoria_metrics.url}"\n'
    )
    assert main(["check", "-c", str(path)]) == 0
    said = capsys.readouterr().out
    assert "FAIL" not in said
    assert "ok    broker" in said
    assert "ok    database" in said
    assert "ok    clock" in said


@pytest.mark.mosquitto
@pytest.mark.victoria_metrics
def test_database_away_points_wait_and_go_out_when_it_is_back(
    tmp_path: Path, mosquitto: Server, victoria_metrics: Server
) -> None:
    configured(tmp_path)
    victoria_metrics.stop()
    gateway = Gateway(tmp_path, tmp_path / "plant.toml", mosquitto.port, influx_url=victoria_metrics.url)
    start_ms = 1_767_225_600_000
    payloads = [
        b'{"timestamp_ms": %d, "cell_voltage_V": 4.1, "line_current_A": 300000}' % (start_ms + 10_000 * n)
        for n in range(800)
    ]
    gateway.start()
    publish(mosquitto.port, [("s/L1/L1-001", payload) for payload in payloads])
    gateway.wait_for("SELECT COUNT(*) FROM outbox", at_least=30)
    away = gateway.terminate()
    assert away["points_waiting"] > 0
    assert away["points_accepted"] == away["points_written"] + away["points_waiting"]

    victoria_metrics.start()
    gateway.start()
    gateway.wait_for("SELECT value FROM figure WHERE name = 'written'", at_least=away["points_accepted"])
    back = gateway.terminate()
    assert back["points_waiting"] == back["points_quarantined"] == 0
    assert back["points_accepted"] == back["points_written"] >= away["points_accepted"]


def test_store_is_readable_beside_the_gateway(tmp_path: Path) -> None:
    """The store is plain SQLite: a plant may look into it while the gateway runs."""
    from edge.points import Point
    from edge.store import Store

    store = Store(tmp_path / "store.sqlite", local=True)
    store.accept(
        0, [Point("cell_energy", {"line": "L1", "cell": "a", "window": "hour"}, {"metal_kg": 2.0}, 5)]
    )
    with sqlite3.connect(f"file:{tmp_path / 'store.sqlite'}?mode=ro", uri=True) as other:
        rows = other.execute("SELECT cell, part, time_us FROM point").fetchall()
    other.close()
    assert rows == [("a", "hour", 5)]
    store.close()
