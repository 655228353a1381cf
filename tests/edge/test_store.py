"""Every point accepted is written, quarantined or waiting, whatever happens in between."""

import math
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.points import Point
from edge.store import Store


def points(count: int, start: int = 0) -> list[Point]:
    return [
        Point(
            "cell_energy", {"line": "L1", "cell": f"L1-{n:03d}", "window": "hour"}, {"metal_kg": 1.0 * n}, n
        )
        for n in range(start, start + count)
    ]


def balanced(store: Store) -> bool:
    a = store.accounts()
    return a.accepted == a.written + a.quarantined + a.waiting


def test_local_points_count_as_written_and_can_be_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", local=True)
    nan = Point(
        "cell_energy", {"line": "L1", "cell": "L1-009", "window": "day"}, {"a": math.nan, "b": 2.0}, 7
    )
    assert store.accept(0, [*points(3), nan]) == 4
    assert store.accounts() == (4, 4, 0, 0)
    assert ("L1", "L1-009", "day", 7, {"b": 2.0}) in store.points("cell_energy")
    store.close()


def test_repeated_points_are_accepted_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", local=False)
    assert store.accept(0, points(10)) == 10
    assert store.accept(5, points(10, 5)) == 5
    assert store.accept(0, points(15)) == 0
    assert store.accounts() == (15, 0, 0, 15)
    assert [w.seq for w in store.waiting(100)] == list(range(15))
    store.close()


def test_the_outbox_and_its_accounts_survive_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", local=False)
    store.accept(0, points(4))
    store.settle([0, 2], [(1, "bad field")])
    store.close()
    store = Store(tmp_path / "store.sqlite", local=False)
    assert store.accounts() == (4, 2, 1, 1)
    assert [w.seq for w in store.waiting(10)] == [3]
    store.close()


@settings(max_examples=25)
@given(steps=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30), st.integers(0, 3)), max_size=12))
def test_the_accounts_always_balance(tmp_path_factory: object, steps: list[tuple[int, int, int]]) -> None:
    folder: Path = tmp_path_factory.mktemp("store")  # pyright: ignore
    store = Store(folder / "store.sqlite", local=False)
    seq = 0
    for count, settle, refuse in steps:
        store.accept(seq, points(count, seq))
        seq += count
        waiting = [w.seq for w in store.waiting(settle)]
        store.settle(waiting[refuse:], [(n, "refused") for n in waiting[:refuse]])
        assert balanced(store)
    store.close()


def test_the_newest_checkpoint_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", local=True)
    assert store.saved() is None
    store.save(3, b"one")
    store.save(9, b"two")
    assert store.saved() == (9, b"two")
    store.close()


def test_states_are_forgotten_sooner_than_energies(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.sqlite", local=True)
    tags = {"line": "L1", "cell": "a"}
    store.accept(
        0,
        [
            Point(m, tags, {"x": 1.0}, time_us)
            for m in ("cell_state", "cell_energy")
            for time_us in (10, 20, 30)
        ],
    )
    store.forget(15, 25)
    assert [row[3] for row in store.points("cell_energy")] == [20, 30]
    assert [row[3] for row in store.points("cell_state")] == [30]
    assert store.accounts() == (6, 6, 0, 0)
    store.close()
