"""One recorded day for all tests of this folder: it takes its time to make."""

from pathlib import Path

import pytest

from tests.edge.recorded import simulate


@pytest.fixture(scope="session")
def recorded_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 cells, one day, a row a cell every ten seconds, faults included."""
    return simulate(tmp_path_factory.mktemp("recorded") / "day", cells=24, days=1.0)


@pytest.fixture(scope="session")
def recorded_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cells and seven hours with two alarms, of which one clears; for tests that run it many times."""
    return simulate(tmp_path_factory.mktemp("recorded") / "hours", cells=6, days=0.3, seed=4)
