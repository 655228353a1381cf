"""The fit of the law that foretells anode effects, and the row of the validation page that tells its score."""

import numpy as np
import pytest

from benchmarks.effect_fit import fitted
from benchmarks.validate import row_20
from benchmarks.validation_row import NOT_BUILT, PASS


def test_the_fit_finds_the_law_that_made_the_rows() -> None:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40_000, 3))
    law = np.array([-2.0, 1.5, -0.7, 0.0])
    y = (rng.random(len(x)) < 1.0 / (1.0 + np.exp(-(law[0] + x @ law[1:])))).astype(float)
    assert fitted(x, y) == pytest.approx(law, abs=0.08)


def test_row_20_tells_the_score_beside_the_best_null_or_that_there_is_none() -> None:
    system = {
        "events": 23,
        "f1": 0.8837,
        "f1_wilson_95": [0.74, 0.95],
        "recall": 0.826,
        "precision": 0.95,
    }
    nulls = {"always": {"f1": 0.04}, "threshold": {"f1": 0.21}, "never": {"f1": None}}
    figures = {
        "commit": "0123456789abcdef",
        "measured": "2026-11-21T19:00:00+00:00",
        "sets": {"natural": {"anode_effect_prediction": {"system": system, **nulls}}},
    }
    row = row_20(figures)
    assert row.verdict == PASS
    assert "F1 0.88 (0.74 to 0.95)" in row.ours
    assert "best null (threshold) 0.21" in row.ours
    system["events"] = 0
    assert row_20(figures).verdict == NOT_BUILT
