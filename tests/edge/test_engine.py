"""The engine over restarts: same software, new software, torn files."""

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

import edge.engine
from edge.alarm_rules import load_texts
from edge.config import Config
from edge.engine import Engine, InUse
from edge.points import Point
from edge.store import Store
from streams.plant_file import load_plant
from tests.publishing import Message, history_messages

RECEIVED_US = 1_800_000_000_000_000


def engine(history: Path, data: Path) -> Engine:
    return Engine(load_plant(history / "plant.toml"), Config(), load_texts(), data)


def another_version(_plant: object, _config: object) -> str:
    """The version of other software."""
    return "another"


def feed(target: Engine, messages: list[Message]) -> None:
    rows = [(RECEIVED_US, topic, payload) for topic, payload in messages]
    for start in range(0, len(rows), 1000):
        target.inbox.append(rows[start : start + 1000])
    while target.work() is not None:
        pass


def energies(data: Path) -> list[tuple[str, str, str, int, dict[str, float]]]:
    store = Store(data / "store.sqlite", local=True)
    found = store.points("cell_energy")
    store.close()
    for *_, fields in found:
        # The twin starts anew with new software, and with it what it thinks of the heat loss.
        fields.pop("heat_loss_kw", None)
    return found


@pytest.fixture(scope="module")
def messages(recorded_hours: Path) -> list[Message]:
    return list(history_messages(recorded_hours))


@pytest.fixture(scope="module")
def whole(recorded_hours: Path, messages: list[Message], tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("whole")
    target = engine(recorded_hours, data)
    feed(target, messages)
    target.finish()
    target.close()
    return data


def test_a_restart_changes_nothing(
    recorded_hours: Path, messages: list[Message], whole: Path, tmp_path: Path
) -> None:
    middle = len(messages) // 2
    first = engine(recorded_hours, tmp_path)
    feed(first, messages[:middle])
    first.save()
    feed(first, messages[middle : middle + 700])
    first.close()  # as if killed: what came after the checkpoint is worked through again

    second = engine(recorded_hours, tmp_path)
    feed(second, messages[middle + 700 :])
    second.finish()
    assert second.store.accounts().accepted == second.numbers.points
    second.close()
    assert energies(tmp_path) == energies(whole)
    assert (tmp_path / "alarms.jsonl").read_bytes() == (whole / "alarms.jsonl").read_bytes()


def test_new_software_keeps_open_windows_waiting_readings_and_live_alarms(
    recorded_hours: Path,
    messages: list[Message],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    middle = 2 * len(messages) // 3
    first = engine(recorded_hours, tmp_path)
    feed(first, messages[:middle])
    live = {alarm.id for alarm in first.pipeline.alarms.live.values()}
    assert live, "no alarm stands at the change: the test would not see one lost"
    first.save()
    first.close()

    monkeypatch.setattr(edge.engine, "pipeline_version", another_version)
    second = engine(recorded_hours, tmp_path)
    assert second.pipeline.frames == 0
    assert {alarm.id for alarm in second.pipeline.alarms.live.values()} == live
    feed(second, messages[middle:])
    second.finish()
    second.close()
    assert energies(tmp_path) == energies(whole)
    text = (tmp_path / "alarms.jsonl").read_text(encoding="utf-8")
    for alarm_id in live:
        assert text.count(f'"id":"{alarm_id}"') <= 2  # raised once, perhaps cleared once


def test_what_the_inbox_holds_after_the_checkpoint_is_not_counted_twice(
    recorded_hours: Path, messages: list[Message], tmp_path: Path
) -> None:
    first = engine(recorded_hours, tmp_path)
    feed(first, messages[:3000])
    first.save()
    feed(first, messages[3000:5000])
    accepted = first.store.accounts().accepted
    first.close()
    second = engine(recorded_hours, tmp_path)
    assert second.numbers.messages == 3000
    while second.work() is not None:
        pass
    assert second.numbers.messages == 5000
    assert second.store.accounts().accepted == accepted
    second.close()


def test_new_software_after_a_crash_swallows_no_alarm_and_no_point(
    recorded_hours: Path, messages: list[Message], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the old software wrote after its checkpoint must not pass for what the new one has to say."""
    share = 2 * len(messages) // 5
    first = engine(recorded_hours, tmp_path)
    feed(first, messages[:share])
    first.save()
    feed(first, messages[share : 2 * share])
    written = first.store.accounts().accepted
    live = {alarm.id for alarm in first.pipeline.alarms.live.values()}
    assert live
    first.close()

    monkeypatch.setattr(edge.engine, "pipeline_version", another_version)
    second = engine(recorded_hours, tmp_path)
    assert second.numbers.points == written
    assert {alarm.id for alarm in second.pipeline.alarms.live.values()} == live
    feed(second, messages[2 * share :])
    second.finish()
    accounts = second.store.accounts()
    assert accounts.accepted == second.numbers.points > written
    second.close()
    raised: set[str] = set()
    for line in (tmp_path / "alarms.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["transition"] == "raise":
            assert event["id"] not in raised
            raised.add(event["id"])
        else:
            assert event["id"] in raised


@pytest.mark.parametrize("lost", ["store.sqlite", "inbox.sqlite", "alarms.jsonl", "dead_letters.jsonl"])
def test_a_lost_file_costs_only_what_was_in_it(
    recorded_hours: Path, messages: list[Message], tmp_path: Path, lost: str
) -> None:
    first = engine(recorded_hours, tmp_path)
    feed(first, [*messages[:3000], ("sim/L1/L1-001", b"rubbish")])
    first.save()
    first.close()
    for file in tmp_path.glob(f"{lost}*"):
        file.unlink()
    second = engine(recorded_hours, tmp_path)
    feed(second, [*messages[3000:], ("sim/L1/L1-001", b"more rubbish")])
    second.finish()
    assert second.faults["not_json"] in (1, 2)
    standing = {alarm.id for alarm in second.pipeline.alarms.live.values()}
    second.save()
    second.close()
    assert standing
    told = map(json.loads, (tmp_path / "alarms.jsonl").read_text(encoding="utf-8").splitlines())
    raised = Counter(alarm["id"] for alarm in told if alarm["transition"] == "raise")
    for alarm_id in standing:
        assert raised[alarm_id] == 1
    assert (tmp_path / "dead_letters.jsonl").read_text(encoding="utf-8").count("not_json") >= 1


def test_a_second_engine_on_the_same_folder_is_refused(recorded_hours: Path, tmp_path: Path) -> None:
    first = engine(recorded_hours, tmp_path)
    with pytest.raises(InUse, match="another potline"):
        engine(recorded_hours, tmp_path)
    first.close()
    engine(recorded_hours, tmp_path).close()


def test_a_disk_that_fails_for_a_while_loses_and_doubles_nothing(
    recorded_hours: Path,
    messages: list[Message],
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = engine(recorded_hours, tmp_path)
    accept = Store.accept
    calls = 0

    def failing(self: Store, first_seq: int, points: Sequence[Point]) -> int:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise sqlite3.OperationalError("database or disk is full")
        return accept(self, first_seq, points)

    monkeypatch.setattr(Store, "accept", failing)
    announced: list[str] = []
    rows = [(RECEIVED_US, topic, payload) for topic, payload in messages]
    for start in range(0, len(rows), 1000):
        target.inbox.append(rows[start : start + 1000])
    while True:
        try:
            new = target.work()
        except sqlite3.OperationalError:
            target.save()  # must not take a state whose words are not on disk
            continue
        if new is None:
            break
        announced += [event.id for event in new if event.transition == "raise"]
    monkeypatch.setattr(Store, "accept", accept)
    target.finish()
    target.close()
    assert (tmp_path / "alarms.jsonl").read_bytes() == (whole / "alarms.jsonl").read_bytes()
    assert energies(tmp_path) == energies(whole)
    assert len(announced) == len(set(announced)) >= 2


def test_a_stream_that_ends_twice_gives_whole_windows(
    recorded_hours: Path, messages: list[Message], whole: Path, tmp_path: Path
) -> None:
    middle = len(messages) // 2
    for part in (messages[:middle], messages[middle:]):
        target = engine(recorded_hours, tmp_path)
        feed(target, part)
        target.finish()
        target.save()
        target.close()
    month = [row for row in energies(tmp_path) if row[2] == "month"]
    wanted = [row for row in energies(whole) if row[2] == "month"]
    assert [row[4]["metal_kg"] for row in month] == pytest.approx(
        [row[4]["metal_kg"] for row in wanted], rel=1e-3
    )
