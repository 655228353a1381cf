"""One line that all tests of the plant look at: eight cells, five quiet hours."""

from typing import NamedTuple

import numpy as np
import pytest

from plant.line import Chunk, Line

START_US = 1_767_225_600_000_000
BLOCK_S = 1800
BLOCKS = 10


class Run(NamedTuple):
    line: Line
    first: dict[str, np.ndarray]
    chunks: list[Chunk]

    def all(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(chunk, name) for chunk in self.chunks])


@pytest.fixture(scope="session")
def run() -> Run:
    line = Line(n_cells=8, seed=7, start_us=START_US)
    first = line.truth()
    return Run(line, first, [line.advance(BLOCK_S) for _ in range(BLOCKS)])
