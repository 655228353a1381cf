"""Fixtures that every room may use."""

from collections.abc import Iterator

import pytest

from tests.servers import Server, run_mosquitto, run_victoria_metrics


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a fresh Mosquitto without persistence; mark the test with ``@pytest.mark.mosquitto``."""
    with run_mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a fresh VictoriaMetrics; mark the test with ``@pytest.mark.victoria_metrics``."""
    with run_victoria_metrics(tmp_path_factory.mktemp("victoria-metrics")) as server:
        yield server
