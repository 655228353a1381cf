"""Anode effects of a recorded history, by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge.effect_log import read_effects, write_effects
from streams.plant_file import load_plant

START_US = 1_767_225_600_000_000
PLANT = 'site = "s"\n[[line]]\nid = "L1"\n[[line.cell]]\nid = "a"\n[[line.cell]]\nid = "b"\n'


def history(folder: Path) -> Path:
    """Two files of half an hour, every 2 s: an effect over their border with a dip in it, and what is none."""
    (folder / "readings").mkdir()
    (folder / "plant.toml").write_text(PLANT, encoding="utf-8")
    time_s = np.arange(0.0, 3600.0, 2.0)
    volts = {name: np.full(len(time_s), 4.2) for name in ("a", "b", "unknown")}
    volts["a"][(time_s >= 1740.0) & (time_s < 1860.0)] = 34.2
    volts["a"][(time_s >= 1750.0) & (time_s < 1760.0)] = 4.2
    volts["b"][100] = 500.0
    volts["b"][(time_s >= 900.0) & (time_s < 902.0)] = 20.0
    volts["unknown"][:] = 30.0
    for number, part in enumerate((time_s < 1800.0, time_s >= 1800.0)):
        n = int(part.sum())
        table = pa.table(
            {
                "time": pa.array(
                    np.tile(START_US + (1e6 * time_s[part]).astype(np.int64), 3), pa.timestamp("us", "UTC")
                ),
                "cell": np.repeat(list(volts), n),
                "cell_voltage_V": np.concatenate([v[part] for v in volts.values()]),
            }
        )
        pq.write_table(table, folder / "readings" / f"{number}.parquet")
    return folder


def test_an_effect_is_whole_over_the_border_of_two_files(tmp_path: Path) -> None:
    plant = load_plant(history(tmp_path) / "plant.toml")
    out = tmp_path / "effects.parquet"
    assert write_effects(tmp_path, plant, out) == 1
    found = read_effects(out, plant)
    assert found is not None
    assert found.cell.tolist() == [0]
    assert found.interval_s == pytest.approx(2.0)
    assert found.time_us.tolist() == [START_US + 1_740_000_000]
    # 120 s with a dip of 10 s that is shorter than the 15 s that part two effects; 30 V above the mean for 110 s.
    assert found.seconds.tolist() == [120.0]
    assert found.overvoltage_Vs[0] == pytest.approx(30.0 * 110.0, rel=0.01)


def test_nobody_looked_is_not_no_effect(tmp_path: Path) -> None:
    plant = load_plant(history(tmp_path) / "plant.toml")
    assert read_effects(tmp_path / "effects.parquet", plant) is None
    for path in (tmp_path / "readings").iterdir():
        pq.write_table(pq.read_table(path).drop_columns(["cell_voltage_V"]), path)
    assert write_effects(tmp_path, plant, tmp_path / "effects.parquet") == 0
    found = read_effects(tmp_path / "effects.parquet", plant)
    assert found is not None
    assert not len(found.cell)
