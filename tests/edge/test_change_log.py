"""Anode changes of a replay, minute by minute."""

from pathlib import Path

import numpy as np
import pytest

from edge.change_log import ChangeLog, read_changes
from streams.messages import Event
from streams.plant_file import load_plant

START_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
PLANT = (
    'site = "s"\n[technology.T]\nn_anodes = 4\n[[line]]\nid = "L1"\ntechnology = "T"\nrated_current_A = 300000\n'
    '[[line.cell]]\nid = "a"\n[[line.cell]]\nid = "b"\n'
)


def test_a_change_is_judged_when_its_day_is_over(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(PLANT, encoding="utf-8")
    plant = load_plant(tmp_path / "plant.toml")
    log = ChangeLog(plant)
    change_us, late_us = START_US + 8 * HOUR_US, START_US + 20 * HOUR_US
    changes = [(change_us, "a", 2), (late_us, "b", 1), (change_us, "a", 9), (change_us, "z", 1)]
    log.log(Event(t, t, cell, "anode_change", {"anode": anode}) for t, cell, anode in changes)
    rng = np.random.default_rng(1)
    for second in range(0, 34 * 3600, 30):
        time_us = START_US + second * 1_000_000
        since_h = (time_us - change_us) / HOUR_US
        amps = np.full((2, 4), 75_000.0)
        if since_h >= 0.0:
            # A twentieth of the mean current an hour; the others take what it does not.
            amps[0, 1] = 75_000.0 * min(0.05 * since_h, 1.0)
            amps[0, [0, 2, 3]] = (300_000.0 - amps[0, 1]) / 3.0
        noise_V = 0.002 * (2.0 if 0.0 <= since_h < 6.0 else 1.0) * rng.standard_normal()
        volt = 4.2 + noise_V + (0.05 if 0.0 <= since_h < 6.0 else 0.0)
        log.add(time_us, np.array([volt, 4.2]), np.full(2, 300e3), amps)
    log.write(tmp_path / "changes.parquet")
    found = read_changes(tmp_path / "changes.parquet", plant)
    assert found is not None
    # The other change has 14 h behind it, which is no day.
    assert found.anode.tolist() == [2]
    assert found.cell.tolist() == [0]
    assert found.hours_to_70_pct[0] == pytest.approx(14.0, abs=0.05)
    assert found.noise_ratio[0] == pytest.approx(2.0, rel=0.15)


def test_without_a_file_nobody_looked(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(PLANT, encoding="utf-8")
    plant = load_plant(tmp_path / "plant.toml")
    assert read_changes(tmp_path / "changes.parquet", plant) is None
    ChangeLog(plant).write(tmp_path / "changes.parquet")
    found = read_changes(tmp_path / "changes.parquet", plant)
    assert found is not None
    assert not len(found.cell)
