"""The reference data that lie beside the repository, not in it: real traces and worked numbers."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"
TRACES = SHARED / "real_traces"
VECTORS = SHARED / "energy_vectors.json"

#: Leaves a test out where the data are missing; in CI it runs all the same, and fails.
needs_shared_data = pytest.mark.skipif(
    not SHARED.is_dir() and os.environ.get("CI") != "true", reason=f"{SHARED} is not there"
)
