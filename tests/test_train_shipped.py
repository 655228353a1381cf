"""The script behind ``make train``: its lines are its own, and a run that broke off is taken up again."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import train_shipped
from benchmarks.train_shipped import LINES, TrainingLine, shipped, tape_of
from edge.model_file import causes_of, dump, load, pack_causes, read, weights_of
from models.cause_rank import CauseModel

TINY = TrainingLine("tiny", "natural", "P300", 2, 0.02, 9299)


def test_lines_to_learn_from_are_enough_and_no_others_seeds() -> None:
    assert all(9200 <= line.seed < 9300 for line in LINES)
    assert len({line.seed for line in LINES}) == len({line.name for line in LINES}) == len(LINES)
    quiet = [line for line in LINES if line.faults == "natural"]
    assert {line.technology for line in quiet} == {"P300", "P180"}
    # About 89 % of a natural record is clear, and the first days of a line are not judged by every kind.
    assert sum(line.cells * line.days for line in quiet) >= 150 / 0.8
    # The benchmark scores another technology on P500.
    assert "P500" not in {line.technology for line in LINES}


def test_limits_alone_keep_the_rest_and_a_half_made_line_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "work" / "tiny-2x0.02" / "readings"
    broken.mkdir(parents=True)
    (broken / "part-0000.parquet").write_bytes(b"half")
    monkeypatch.setattr(train_shipped, "LINES", (TINY,))
    law = CauseModel(("a",), np.zeros(1), np.ones(1), ("sound",), np.zeros((1, 2)), np.zeros(1), ())
    before = msgspec.structs.replace(load(read(""), "shipped"), causes={"anodes": pack_causes(law)})
    out = tmp_path / "potline.models"
    out.write_bytes(dump(before))
    shipped(tmp_path / "work", out, [], limits_only=True, use_network=False)
    after = load(out.read_bytes(), "after")
    assert after.sequence == before.sequence
    assert weights_of(after, "after") is not None
    assert list(causes_of(after, "after")) == ["anodes"]
    assert after.trained_on[0].startswith("tiny, seed 9299: P300, 2 cells")
    made = tape_of(TINY, tmp_path / "work")
    stamp = (made / "truth.pickle").stat().st_mtime_ns
    assert (tape_of(TINY, tmp_path / "work") / "truth.pickle").stat().st_mtime_ns == stamp
    # Lines at a time make no difference to the bytes.
    other = tmp_path / "other.models"
    other.write_bytes(dump(before))
    shipped(tmp_path / "work", other, [], limits_only=True, use_network=False, jobs=2)
    assert other.read_bytes() == out.read_bytes()
