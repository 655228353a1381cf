"""The plant file: what is declared comes out, what is wrong is refused by name."""

import pickle
from pathlib import Path

import pytest

from streams.plant_file import PARAMETER_KEYS, Plant, PlantError, load_plant
from tests.shared_data import TRACES, needs_shared_data
from twin.params import params_for

CONTRACT = """
site = "smelter-a"
time_zone = "Asia/Shanghai"
[technology.P300]
n_anodes = 30
anode_length_mm = 1550
anode_width_mm = 720
anode_height_mm = 600
anode_life_h = 600
anode_rows = ["up", "down"]
n_feeders = 4
shot_mass_kg = 1.8
tap_interval_h = 24
nominal_voltage_V = 4.18
n_shell = 8
shell_sides = ["up", "up", "up", "down", "down", "down", "duct", "tap"]
n_bars = 16
[[line]]
id = "L1"
rated_current_A = 300000
technology = "P300"
[[line.cell]]
id = "L1-001"
[[line.cell]]
id = "L1-002"
n_shell = 0
"""


def load(tmp_path: Path, text: str) -> Plant:
    path = tmp_path / "plant.toml"
    path.write_text(text)
    return load_plant(path)


def test_example_of_the_contract(tmp_path: Path) -> None:
    plant = load(tmp_path, CONTRACT)
    first, second = plant.cells
    assert (plant.site, plant.time_zone, plant.lines) == ("smelter-a", "Asia/Shanghai", ("L1",))
    assert (first.n_anodes, first.n_shell, first.n_bars, first.rated_current_A) == (30, 8, 16, 300_000.0)
    assert first.shell_sides[-2:] == ("duct", "tap")
    assert first.anode_rows == ("up", "down")
    assert set(first.parameters) == set(PARAMETER_KEYS)
    assert first.parameters["nominal_voltage_V"] == 4.18
    assert (second.n_shell, second.shell_sides, second.n_anodes) == (0, (), 30)
    assert plant.cell_index == {"L1-001": 0, "L1-002": 1}
    assert plant.line_of["L1-002"] == "L1"
    assert plant.line_cells == {"L1": (0, 1)}
    assert pickle.loads(pickle.dumps(plant)) == plant


def test_every_parameter_key_is_one_that_the_twin_takes(tmp_path: Path) -> None:
    cell = load(tmp_path, CONTRACT).cells[0]
    params_for("generic_300kA", 300_000.0, cell.n_anodes, cell.parameters)


def test_shipped_technology_lies_under_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plant.toml"
    path.write_text(
        'site = "s"\n[[line]]\nid = "L1"\ntechnology = "T"\n[[line.cell]]\nid = "a"\nn_shell = 2\n'
    )
    plant = load_plant(path, {"T": {"n_anodes": 24, "n_shell": 4, "shot_mass_kg": 1.5}})
    assert (plant.cells[0].n_anodes, plant.cells[0].n_shell) == (24, 2)
    assert plant.cells[0].parameters == {"shot_mass_kg": 1.5}


@needs_shared_data
@pytest.mark.parametrize(
    ("folder", "cell", "rated_A", "n_shell"),
    [("smelter_126kA", "A-001", 126_500.0, 0), ("smelter_10h_2022", "B-001", None, 1)],
)
def test_real_plants(folder: str, cell: str, rated_A: float | None, n_shell: int) -> None:
    found = load_plant(TRACES / folder / "plant.toml").cells[0]
    assert (found.id, found.rated_current_A, found.n_shell, found.n_anodes) == (cell, rated_A, n_shell, 0)
    assert found.technology is None


HEAD = 'site = "s"\n[[line]]\nid = "L1"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + '[[line.cell]]\nid = "a"\nn_anode = 3\n', r"n_anode.*L1 / a"),
        (HEAD + '[[line.cell]]\nid = "a"\nn_anodes = "3"\n', r"n_anodes.*L1 / a"),
        (HEAD + '[[line.cell]]\nid = "a"\n[[line.cell]]\nid = "a"\n', "cell a is declared twice"),
        ('site = "s"\ntime_zone = "Mars/Base"\n' + HEAD[11:] + '[[line.cell]]\nid = "a"\n', "Mars/Base"),
        (
            HEAD + '[[line.cell]]\nid = "a"\nn_shell = 2\nshell_sides = ["up"]\n',
            "names 1 sensors but n_shell is 2",
        ),
        (
            HEAD + '[[line.cell]]\nid = "a"\nn_shell = 1\nshell_sides = ["left"]\n',
            "left.*duct, tap, up, down",
        ),
        (HEAD + '[[line.cell]]\nid = "a"\nn_anodes = -1\n', "n_anodes = -1"),
        (HEAD + '[[line.cell]]\nid = "a"\nrated_current_A = 300\n', "rated_current_A = 300"),
        (HEAD + '[[line.cell]]\nid = "a/b"\n', "cannot stand in a topic"),
        (HEAD + '[[line.cell]]\nid = "a"\n[technology.T]\nanode_lenght_mm = 1\n', "anode_lenght_mm"),
        (HEAD, "no \\[\\[line.cell\\]\\]"),
        ('site = "s"\n', "no \\[\\[line\\]\\]"),
        ("site = \n", "is not TOML"),
        (
            HEAD + '[[line.cell]]\nid = "a"\n[[line]]\nid = "L1"\n[[line.cell]]\nid = "b"\n',
            "line L1 is declared twice",
        ),
    ],
)
def test_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PlantError, match=says) as caught:
        load(tmp_path, text)
    assert "plant.toml" in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PlantError, match=r"nowhere.toml: cannot be read"):
        load_plant(tmp_path / "nowhere.toml")
