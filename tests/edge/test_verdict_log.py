"""What became of anode changes, from the detectors to the file."""

from pathlib import Path
from typing import get_args

import pytest

from edge.review_texts import VERDICTS
from edge.verdict_log import VerdictLog, read_verdicts
from models.anode_change import Change, Verdict
from streams.plant_file import load_plant
from streams.tables import HistoryError

PLANT = (
    'site = "s"\n[technology.T]\nn_anodes = 4\n[[line]]\nid = "L1"\ntechnology = "T"\nrated_current_A = 300000\n'
    '[[line.cell]]\nid = "a"\n[[line.cell]]\nid = "b"\n'
)


def test_a_change_keeps_its_newest_verdict(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(PLANT, encoding="utf-8")
    plant = load_plant(tmp_path / "plant.toml")
    log = VerdictLog(plant)
    first = Change(1, 2, 2_000_000, logged=False, recognised=True, planned=None, corner=False)
    other = Change(0, 0, 1_000_000, logged=True, recognised=True, planned=True, corner=True)
    log.note([first, other])
    log.note([first._replace(verdict="set_low", known_us=5_000_000, level_ratio=1.3)])
    log.write(tmp_path / "verdicts.parquet")
    found = read_verdicts(tmp_path / "verdicts.parquet", plant)
    assert found is not None
    assert found.time_us.tolist() == [1_000_000, 2_000_000]
    assert found.cell.tolist() == [0, 1]
    assert found.logged.tolist() == [True, False]
    assert found.verdict.tolist() == ["open", "set_low"]


def test_without_a_file_nobody_looked_and_a_broken_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text(PLANT, encoding="utf-8")
    plant = load_plant(tmp_path / "plant.toml")
    path = tmp_path / "verdicts.parquet"
    assert read_verdicts(path, plant) is None
    path.write_bytes(b"no table")
    with pytest.raises(HistoryError, match=r"verdicts\.parquet"):
        read_verdicts(path, plant)


def test_the_review_has_a_word_for_every_verdict() -> None:
    assert set(VERDICTS) == set(get_args(Verdict))


def test_the_page_has_a_word_for_every_verdict() -> None:
    texts = (Path(__file__).parents[2] / "edge" / "web" / "texts.js").read_text(encoding="utf-8")
    for name, (chinese, english) in VERDICTS.items():
        assert f'      {name}: "{chinese}",' in texts
        assert f'      {name}: "{english}' in texts
