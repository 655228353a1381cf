"""``potline calibrate`` from a history to a file, and that file through ``replay``, ``run`` and a restart."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from edge.calibration_file import calibrated, load_calibration, render, technology_hash
from edge.cli import main
from edge.config import ConfigError, load_config
from edge.pipeline import cell_params
from edge.recovery import pipeline_version
from streams.plant_file import load_plant
from tests.edge.recorded import digest
from twin.calibration import VERDICTS
from twin.params import ParamsError, technology_values

COARSE = "[align]\nframe_s = 60.0\n[twin]\nscan_s = 60.0\n"
ONE_CELL = 'site = "s"\n[[line]]\nid = "L1"\n{line}\n[[line.cell]]\nid = "L1-001"\n'


class Calibrated:
    """A history of the simulated plant and what calibration made of it."""

    def __init__(self, folder: Path) -> None:
        self.history, self.file = folder / "history", folder / "calibration.toml"
        self.plain = self.config("plain", folder, "")
        arguments = ["--cells", "2", "--days", "5", "--seed", "7", "--faults", "none", "--interval", "60"]
        assert main(["simulate", "--out", str(self.history), *arguments]) == 0
        assert main(["calibrate", str(self.history), "--out", str(self.file), "-c", str(self.plain)]) == 0
        self.used = self.config("used", folder, 'calibration = "calibration.toml"\n')

    def config(self, name: str, folder: Path, text: str) -> Path:
        path = folder / f"{name}.toml"
        path.write_text(f'plant = "{self.history / "plant.toml"}"\n{text}{COARSE}', encoding="utf-8")
        return path

    def changed(self, folder: Path, old: str, new: str, count: int = 1) -> Path:
        """A configuration that names a copy of the calibration with another text in it."""
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        (folder / "calibration.toml").write_text(text.replace(old, new, count), encoding="utf-8")
        return self.config("changed", folder, 'calibration = "calibration.toml"\n')


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Calibrated:
    return Calibrated(tmp_path_factory.mktemp("calibrated"))


def test_the_plants_own_voltages_and_walls_are_found(done: Calibrated) -> None:
    file = load_calibration(done.file)
    assert list(file.cell) == ["L1-001", "L1-002"]
    assert (file.format, file.days) == (1, pytest.approx(5.0, abs=0.01))
    readings = pq.read_table(done.history / "readings", columns=["cell", "cell_voltage_V"])
    cells, volts = (np.array(readings.column(name).to_pylist()) for name in ("cell", "cell_voltage_V"))
    for cell, entry in file.cell.items():
        assert set(VERDICTS) >= {factor.verdict for factor in entry.factors.values()}
        volt, film = entry.factors["nominal_voltage_V"], entry.factors["bath_ledge_W_m2K"]
        assert volt.verdict == "applied"
        # Two hours in ten the voltage is held high after an anode change: the median hardly sees it.
        assert volt.new == pytest.approx(np.median(volts[cells == cell]), abs=0.02)
        # The plant's films are 1150 W/m2/K within 12 % and a few sensors; nothing of them is read.
        assert abs(film.new - 1150.0) < 2.5 * film.sd
        shell = entry.held_out["shell_flux"]
        assert abs(shell.after) < 0.25 * abs(shell.before)
        assert entry.factors["metal_ledge_W_m2K"].new == entry.factors["metal_ledge_W_m2K"].old


def test_the_file_reads_as_it_was_written(done: Calibrated, tmp_path: Path) -> None:
    file = load_calibration(done.file)
    again = tmp_path / "again.toml"
    odd = msgspec.structs.replace(file, history='a "quoted" \\ path\twith ünïcode')
    again.write_text(render(odd), encoding="utf-8")
    assert load_calibration(again) == odd


def test_chosen_cells_a_table_and_every_exit_code(
    done: Calibrated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "one.toml"
    command = ["calibrate", str(done.history), "--out", str(out), "-c", str(done.plain)]
    assert main([*command, "--cells", "L1-002"]) == 0
    said = capsys.readouterr().out
    assert "L1-002\n" in said
    assert "L1-001" not in said
    assert "resistance offset" in said
    assert "nothing that is measured shows it by itself" in said
    assert "top and bottom" in said
    # A cell's values do not depend on which others are asked for.
    assert load_calibration(out).cell["L1-002"] == load_calibration(done.file).cell["L1-002"]
    assert main([*command, "--cells", "L9-001"]) == 2
    assert "L9-001" in capsys.readouterr().out
    assert main(["calibrate", str(tmp_path), "--out", str(out)]) == 66
    broken = tmp_path / "broken"
    (broken / "readings").mkdir(parents=True)
    shutil.copy(done.history / "plant.toml", broken)
    assert main(["calibrate", str(broken), "--out", str(tmp_path / "none.toml")]) == 65
    (broken / "readings" / "a.csv").write_text("time,cell,cell_voltage_V\n2026-03-01T00:00:00Z,X9,4.2\n")
    assert main(["calibrate", str(broken), "--out", str(tmp_path / "none.toml")]) == 65
    assert "nothing to calibrate on" in capsys.readouterr().out
    assert not (tmp_path / "none.toml").exists()


def test_a_replay_with_calibration_is_another_one_and_the_same_each_time(
    done: Calibrated, tmp_path: Path
) -> None:
    def states(name: str, config: Path) -> tuple[str, str]:
        out = tmp_path / name
        assert main(["replay", str(done.history), "--out", str(out), "-c", str(config)]) == 0
        return digest(out / "alarms.jsonl"), digest(out / "states.parquet")

    plain, once, twice = (
        states("plain", done.plain),
        states("once", done.used),
        states("twice", done.used),
    )
    assert once == twice
    assert once[1] != plain[1]


def test_a_restart_notices_another_calibration(done: Calibrated, tmp_path: Path) -> None:
    plant = load_plant(done.history / "plant.toml")
    plain, used = load_config(done.plain), load_config(done.used)
    assert calibrated(plant, plain) is plant
    before, after = pipeline_version(plant, plain), pipeline_version(calibrated(plant, used), used)
    other = load_config(done.changed(tmp_path, 'verdict = "applied"', 'verdict = "worse on held-out days"'))
    assert len({before, after, pipeline_version(calibrated(plant, other), other)}) == 3


def test_values_that_are_not_applied_do_not_count(done: Calibrated) -> None:
    plant = load_plant(done.history / "plant.toml")
    technology = cell_params(plant)[0]
    corrected = cell_params(calibrated(plant, load_config(done.used)))[0]
    for old, new, entry in zip(technology, corrected, load_calibration(done.file).cell.values(), strict=True):
        assert old is not None
        assert new is not None
        for name in old._fields:
            factor = entry.factors.get(name)
            applied = factor is not None and factor.verdict == "applied"
            assert getattr(new, name) == (factor.new if factor and applied else getattr(old, name)), name
        assert entry.technology_hash == technology_hash(old) != technology_hash(new)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"L1-001"', '"L9-001"', "cell L9-001: is not in plant.toml"),
        ("factors.caf2_pct", "factors.caf3_pct", "cell L1-001: unknown factor caf3_pct"),
        ("format = 1", "format = 2", "format 2 is not 1"),
        ("days = ", "dayz = ", "dayz"),
        ("technology_hash = ", "technology = ", "technology"),
        ('technology_hash = "', 'technology_hash = "x', "cell L1-001: technology_hash"),
        ('verdict = "applied"', 'verdict = "aplied"', "unknown verdict 'aplied'"),
        (
            "bath_ledge_W_m2K = { old = 1000.0, new = ",
            "bath_ledge_W_m2K = { old = 1000.0, new = 9",
            "outside",
        ),
        ("[cell", "[[cell", "not valid TOML"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    done: Calibrated, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, says: str
) -> None:
    config = done.changed(tmp_path, old, new)
    assert main(["replay", str(done.history), "--out", str(tmp_path / "out"), "-c", str(config)]) == 78
    error = capsys.readouterr().err
    assert says in error
    assert "calibration.toml" in error
    assert main(["run", "-c", str(config)]) == 78
    assert says in capsys.readouterr().err


def test_a_missing_file_says_what_to_do(done: Calibrated, tmp_path: Path) -> None:
    config = done.config("missing", tmp_path, 'calibration = "none.toml"\n')
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read .*`potline calibrate` makes one"):
        calibrated(load_plant(done.history / "plant.toml"), load_config(config))


def test_another_technology_is_refused(done: Calibrated, tmp_path: Path) -> None:
    text = (done.history / "plant.toml").read_text(encoding="utf-8")
    (tmp_path / "plant.toml").write_text(text.replace("anode_width_mm = 720", "anode_width_mm = 700"))
    with pytest.raises(ConfigError, match="L1-001: technology_hash .* is not that of its technology now"):
        calibrated(load_plant(tmp_path / "plant.toml"), load_config(done.used))


def test_a_technology_may_be_a_plants_own_file_beside_the_plant_file(tmp_path: Path) -> None:
    shipped = [
        f'{name} = {{ value = {v.value!r}, unit = "{v.unit}", source = "test", confidence = "low" }}'
        for name, v in technology_values("generic_300kA").items()
    ]
    text = "[values]\n" + "\n".join(shipped).replace("value = 80.0", "value = 95.0", 1)
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    path = tmp_path / "plant.toml"
    path.write_text(ONE_CELL.format(line='technology = "own.toml"'), encoding="utf-8")
    params, without = cell_params(load_plant(path))
    assert not without
    assert params[0] is not None
    assert (params[0].ledge_bath_mm, params[0].rated_current_A) == (95.0, 300e3)
    first = pipeline_version(load_plant(path), load_config(None))
    (tmp_path / "own.toml").write_text(text.replace("value = 95.0", "value = 90.0", 1), encoding="utf-8")
    # A file is read once in the life of a process; this stands for a restart.
    technology_values.cache_clear()
    assert pipeline_version(load_plant(path), load_config(None)) != first
    path.write_text(ONE_CELL.format(line='technology = "gone.toml"'), encoding="utf-8")
    with pytest.raises(ParamsError, match=r"cell L1-001: technology .*gone\.toml.*cannot be read"):
        cell_params(load_plant(path))


def test_a_cell_without_a_twin_is_named_and_left_out(
    done: Calibrated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "readings").symlink_to(done.history / "readings")
    (folder / "plant.toml").write_text(ONE_CELL.format(line=""), encoding="utf-8")
    out = tmp_path / "out.toml"
    assert main(["calibrate", str(folder), "--out", str(out), "-c", str(done.plain)]) == 0
    assert "L1-001: not calibrated: plant.toml gives neither rated_current_A" in capsys.readouterr().out
    assert load_calibration(out).cell == {}
