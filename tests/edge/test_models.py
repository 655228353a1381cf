"""The file of models, its card, the register, what operators say, and training on a record of a few hours."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec import msgpack

from edge.cli import main
from edge.config import Config
from edge.evaluate_read import read_labels
from edge.feedback import read_feedback, windows_of
from edge.model_card import card
from edge.model_file import Body, Limit, ModelFileError, dump, learned, load, pack, read, weights_of
from edge.model_register import measured, register, rows
from edge.train_gather import targets
from edge.train_limits import LEVELS, MAX_FACTOR, LevelCounter, budgets, limit_of
from edge.train_sequence import IGNORE
from models.anode_sequence import CLASSES, SequenceWeights
from models.anode_windows import FEATURES
from models.base import Scores
from models.drift import EDGES
from models.registry import KINDS
from models.scoring.events import Event
from plant.history import simulate
from streams.history import history_range
from streams.plant_file import load_plant
from tests.models.test_anode_sequence import weights
from twin.signals import ALARM_KINDS

MODELS = Path(__file__).parents[2] / "models" / "shipped"


def body(**changes: object) -> Body:
    limit = Limit(factor=1.2, budget=0.001, cell_days=40.0, above=2, basis="tail")
    known = Body(
        limits={"cell_hot": limit},
        edges=EDGES,
        reference={"cell_hot": tuple([1.0 / 14] * 14)},
        sequence=pack(weights()),
        use_sequence=False,
        trained_on=("made up",),
    )
    return msgspec.structs.replace(known, **changes)


def test_a_file_gives_back_what_was_put_in() -> None:
    data = dump(body())
    assert dump(body()) == data
    found = load(data, "f")
    assert found == body()
    restored = weights_of(found, "f")
    assert restored is not None
    for one, other in zip(restored, weights(), strict=True):
        assert one.tobytes() == other.tobytes()


def damaged(data: bytes) -> bytes:
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


def of_format(data: bytes, number: int) -> bytes:
    return msgpack.encode({**msgpack.decode(data), "format": number})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (damaged(dump(body())), "SHA-256"),
        (of_format(dump(body()), 2), "format 2"),
        (b"rubbish", "no file of potline's models"),
        (dump(body(edges=(0.5, 1.0))), "bins"),
        (
            dump(body(sequence=msgspec.structs.replace(pack(weights()), features=FEATURES[1:]))),
            "other figures",
        ),
        (dump(body(sequence=msgspec.structs.replace(pack(weights()), shapes=[(1, 1)] * 6))), "reshape"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(data: bytes, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        load(data, "my.models")


def test_a_configured_file_that_is_damaged_is_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.models").write_bytes(damaged(dump(body())))
    (tmp_path / "potline.toml").write_text('models = "my.models"\n', encoding="utf-8")
    assert main(["models", "-c", str(tmp_path / "potline.toml")]) == 78
    assert "my.models" in capsys.readouterr().err


def test_the_shipped_file_is_the_one_of_its_card() -> None:
    data = read("")
    text = (MODELS / "potline.md").read_text(encoding="utf-8")
    assert hashlib.sha256(data).hexdigest() in text
    found = load(data, "shipped")
    assert set(found.limits) <= set(ALARM_KINDS)
    assert all(1.0 <= limit.factor <= MAX_FACTOR for limit in found.limits.values())
    assert learned(Config()).factors == {kind: limit.factor for kind, limit in found.limits.items()}
    for line in found.trained_on:
        assert line in text


def test_the_network_is_switched_on_by_the_file_alone(tmp_path: Path) -> None:
    for used in (False, True):
        path = tmp_path / f"{used}.models"
        path.write_bytes(dump(body(use_sequence=used)))
        assert (learned(Config(models=str(path))).weights is not None) is used
        assert ("**On**" in card(body(use_sequence=used), path.read_bytes(), "f")) is used


def test_budgets_are_kept_whole() -> None:
    shared = budgets(KINDS)
    fast = sum(share for share in shared.values() if share != 0.001)
    assert fast == pytest.approx(0.05)


def test_enough_cell_days_give_the_conformal_quantile() -> None:
    rng = np.random.default_rng(1)
    blocks = LEVELS[rng.integers(0, 50, 2000)].tolist()
    limit = limit_of("cell_hot", blocks, 0.05)
    assert limit.basis == "ranks"
    # One level in fifty is one step of 2 %.
    assert 0.02 <= (LEVELS[rng.integers(0, 50, 20_000)] >= limit.factor).mean() <= 0.055
    limit = limit_of("cell_hot", [0.5] * 1999 + [1.5], 0.01)
    assert (limit.factor, limit.basis) == (1.0, "physics")


def test_few_cell_days_are_fitted_and_said_to_be() -> None:
    rng = np.random.default_rng(2)
    level = 0.4 * np.exp(rng.exponential(0.25, size=60))
    limit = limit_of("anode_slip", level.tolist(), 0.002)
    assert limit.basis == "tail"
    # P(level > f) = (f / 0.4)^-4: 0.002 at 1.89.
    assert limit.factor == pytest.approx(1.89, rel=0.35)
    assert limit_of("anode_slip", [0.0] * 60, 0.002).factor == 1.0
    assert limit_of("side_wall_hot", [9.0] * 60, 0.002) == Limit(
        factor=1.0, budget=0.002, cell_days=60.0, above=60, basis="fixed"
    )
    assert limit_of("anode_slip", [9.0] * 60, 0.002).basis == "beyond"
    # One alarm among clear cell-days, of which a fit makes nothing.
    limit = limit_of("cover_loss", [0.0] * 150 + [0.4, 1.2], 0.001)
    assert (limit.factor, limit.basis) == (pytest.approx(1.2 * 1.04), "highest")


def test_levels_follow_the_rule_and_clear_time_only() -> None:
    from edge.alarm_rules import load_texts

    rules = load_texts().kind
    counter = LevelCounter(rules, 2)
    delay_s = rules["anode_slow_pickup"].on_delay_s
    for minute in range(1440):
        value = np.full((2, 3), 0.3)
        # Long enough at 1.3; the higher one ends before the on-delay.
        if 100 <= minute < 100 + delay_s / 60 + 5:
            value[:, 1] = 1.3
        if minute == 600:
            value[:, 2] = 5.0
        counter.add([Scores("anode_slow_pickup", "anode", value)], np.array([True, minute > 500]), 60.0)
    assert len(counter.blocks["anode_slow_pickup"]) == 1
    assert 1.3 / 1.04 < counter.blocks["anode_slow_pickup"][0] <= 1.3


def test_time_without_a_judgement_is_no_clean_cell_day() -> None:
    from edge.alarm_rules import load_texts

    counter = LevelCounter(load_texts().kind, 2)
    for hour in range(72):
        # The first cell is never judged, the second by one of its anodes and not on the first day.
        value = np.full((2, 3), np.nan)
        if hour >= 24:
            value[1, 2] = 0.3
        scores = [Scores("anode_spike", "anode", value), Scores("cell_hot", "cell", np.zeros((2, 1)))]
        counter.add(scores, np.array([True, hour < 48]), 3600.0)
    assert counter.blocks["anode_spike"] == [pytest.approx(0.3, rel=0.04)]
    assert len(counter.blocks["cell_hot"]) == 3 + 2


def test_targets_leave_out_what_does_not_show() -> None:
    hour_us = 3_600_000_000
    ends_us = np.arange(1, 21) * hour_us
    event = Event(0, "anode_spike", 2, None, 2 * hour_us, 5 * hour_us, 9 * hour_us, 0.5)
    other = event._replace(kind="cell_hot", anode=None)
    target = targets(ends_us, (1, 3), [event, other])
    assert (target[:, 0, 0] == 0).all()
    assert target[0, 0, 1] == 0
    assert (target[1:4, 0, 1] == IGNORE).all()
    assert (target[4:8, 0, 1] == CLASSES.index("anode_spike")).all()
    assert (target[8:10, 0, 1] == IGNORE).all()
    assert (target[10:, 0, 1] == 0).all()


def test_every_kind_has_a_class_and_a_text_in_both_languages() -> None:
    found = register()
    assert set(found.kind) == set(ALARM_KINDS)
    assert {entry.class_ for entry in found.kind.values()} == set(found.class_)
    assert all(entry.needs and entry.without_en and entry.without_zh for entry in found.kind.values())


def test_models_lists_every_detector(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert tuple(row["kind"] for row in told["kinds"]) == KINDS
    assert told["sha256"] == hashlib.sha256(read("")).hexdigest()
    assert main(["models", "--lang", "zh"]) == 0
    text = capsys.readouterr().out
    assert "产品质量" in text
    assert "设备故障" in text


def test_scores_come_from_the_benchmark_where_it_has_run(tmp_path: Path) -> None:
    assert all(row.scores == {} for row in rows(body(), "en", tmp_path / "none.json"))
    system = {"events": 4, "detected": 3, "recall": 0.75, "false_per_cell_day": 0.01, "alarms": 9}
    groups = {"cell_hot": {"system": system}, "all": {"system": system}}
    of_set = {"groups": groups, "record": {"cell_days_normal": 300.0}}
    results = {"sets": {"natural": of_set}, "commit": "c0ffee", "seed": 7}
    (tmp_path / "d.json").write_text(json.dumps(results), encoding="utf-8")
    row = next(row for row in rows(body(), "en", tmp_path / "d.json") if row.kind == "cell_hot")
    assert row.scores["natural"]["recall"] == 0.75
    assert row.factor == 1.2
    # A kind that neither happened nor was told is a score as well: no false alarm in so many cell-days.
    silent = next(row for row in rows(body(), "en", tmp_path / "d.json") if row.kind == "cell_cold")
    assert silent.scores["natural"]["events"] == 0
    assert silent.scores["natural"]["false_per_cell_day_poisson_95"][1] == pytest.approx(
        3.689 / 300.0, rel=1e-3
    )
    assert measured(tmp_path / "d.json") == {
        "script": "benchmarks/bench_detection.py",
        "commit": "c0ffee",
        "seed": 7,
    }
    assert measured(tmp_path / "none.json") == {}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four hours of two cells, replayed."""
    folder = tmp_path_factory.mktemp("models")
    simulate(folder / "history", n_cells=2, days=4 / 24, seed=4, faults="training", interval_s=10.0)
    assert main(["replay", str(folder / "history"), "--out", str(folder / "out")]) == 0
    return folder


def raised(folder: Path) -> Mapping[str, object]:
    """An alarm as a replay writes it, put into the journal."""
    plant = load_plant(folder / "history" / "plant.toml")
    start_us, _ = history_range(folder / "history")
    time = f"{np.datetime64(start_us + 2 * 3_600_000_000, 'us')}Z"
    common = {"id": "made-up", "line": plant.cells[0].line, "cell": plant.cells[0].id, "kind": "anode_spike"}
    common |= {"anode": 3, "side": None, "state": "UNACK", "priority": 2, "score": 1.2, "evidence": {}}
    return common | {"causes": [], "action": "", "model": "m/1", "time": time, "transition": "raise"}


def test_feedback_is_kept_with_the_readings_as_a_history_of_its_own(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, history = record / "out", record / "history"
    with (out / "alarms.jsonl").open("ab") as journal:
        journal.write(json.dumps(raised(record)).encode() + b"\n")
    command = ["feedback", str(out), "--alarm", "made-up", "--verdict"]
    assert (
        main([*command, "confirmed", "--comment", "seen", "--by", "zhang", "--readings", str(history)]) == 0
    )
    window = out / "feedback" / "made-up"
    assert windows_of(out) == [window]
    plant = load_plant(window / "plant.toml")
    labels = read_labels(window / "labels.parquet", plant, 0)
    assert [(e.kind, e.anode, e.cell) for e in labels] == [("anode_spike", 3, 0)]
    kept = pq.read_table(window / "readings" / "part-0000.parquet")
    assert set(kept["cell"].to_pylist()) <= {plant.cells[0].id, ""}
    assert kept.num_rows > 500
    # The newest verdict counts, and takes the place of the one before.
    assert main([*command, "not_confirmed", "--readings", str(history)]) == 0
    assert read_labels(window / "labels.parquet", plant, 0) == []
    assert main([*command, "sensor", "--readings", str(history)]) == 0
    assert read_labels(window / "labels.parquet", plant, 0)[0].kind == "sensor_fault"
    told = list(read_feedback(out))
    assert [entry.verdict for entry in told] == ["confirmed", "not_confirmed", "sensor"]
    assert (told[0].comment, told[0].by, told[0].alarm.score) == ("seen", "zhang", 1.2)
    assert main(["feedback", str(out), "--alarm", "none", "--verdict", "sensor"]) == 66
    assert "none" in capsys.readouterr().err


def test_limits_are_the_same_bytes_every_time_and_unlabelled_folders_are_refused(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one.models", tmp_path / "other.models"
    for path in (one, other):
        assert main(["train", str(record / "history"), "--out", str(path), "--no-network"]) == 0
    assert one.read_bytes() == other.read_bytes()
    found = load(one.read_bytes(), "one")
    assert set(found.limits) == set(KINDS)
    assert found.sequence is None
    assert hashlib.sha256(one.read_bytes()).hexdigest() in one.with_suffix(".md").read_text(encoding="utf-8")
    assert main(["train", str(tmp_path), "--out", str(one), "--no-network"]) == 66
    assert "labels.parquet" in capsys.readouterr().out


def test_training_twice_gives_the_same_weights() -> None:
    pytest.importorskip("torch")
    from edge.train_sequence import Lesson, Recipe, fit

    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 1, 8, len(FEATURES))).astype(np.float32)
    target = np.zeros((120, 1, 8), dtype=np.int8)
    target[40:80, 0, 3] = CLASSES.index("anode_spike")
    features[40:80, 0, 3, 0] += 3.0
    lesson = Lesson(features, np.ones(target.shape, dtype=np.bool_), target)
    first, second = (fit([lesson], Recipe(n_hidden=8, epochs=2)) for _ in range(2))
    assert isinstance(first, SequenceWeights)
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()
