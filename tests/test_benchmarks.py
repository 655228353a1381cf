"""Rivals in the benchmarks compute the same thing; how fast is never asked here."""

import json
import math
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import bench_detection, elementary, lundby_kernel, results, rivals
from benchmarks.detection_table import target_line
from benchmarks.detection_targets import judged
from benchmarks.lundby import LATENT_AS_CODED, scenario
from twin.bath import Bath, liquidus_solheim
from twin.params import params_for

FloatArray = NDArray[np.float64]
DT_S = 10.0

# Numbers computed apart from this code, from the published equations (physics reference 1.6).
X0 = np.array([3260.0, 450, 1740, 14000, 9900, 975, 816, 580])
U0 = np.array([0.0, 140e3, 0, 0, 0.05])
RATES = [0.59964928, -0.0238, 0.0, -0.59964928, 0.006202, 1.9871885e-4, 0.029406015, -4.7544906e-4]
AFTER_AN_HOUR = [3608.336107, 364.32, 1740, 13651.663892, 9922.3272, 978.948525, 817.546258, 572.663599]


def test_published_model_is_reproduced_to_one_in_a_million():
    g1, ohm_cm, g3, g4, g5, volt = lundby_kernel.drop_of(X0, U0)
    assert [g1, 1 / ohm_cm, g3, g4, g5, volt] == pytest.approx(
        [968.58132, 2.1838572, 0.65370763, 0.50328183, 0.23246366, 1.455875], rel=1e-6
    )
    assert lundby_kernel.rates_of(X0[:, None], U0[:, None])[:, 0] == pytest.approx(RATES, rel=1e-6)
    x = rivals.ours(X0[:, None], U0[:, None], DT_S)(360)
    assert x[:, 0] == pytest.approx(AFTER_AN_HOUR, rel=1e-6)
    assert lundby_kernel.drop_of(x[:, 0], U0)[-1] == pytest.approx(1.7393635, rel=1e-6)


def test_step_has_the_order_of_its_method():
    def after(dt_s: float) -> FloatArray:
        return rivals.ours(X0[:, None], U0[:, None], dt_s)(round(1600 / dt_s))[:, 0]

    best = after(5.0)
    ratio = np.abs(after(80.0) - best)[[0, 5, 6]] / np.abs(after(40.0) - best)[[0, 5, 6]]
    assert np.all((ratio > 12) & (ratio < 25))


def agreement(rival: rivals.Rival, n_cells: int = 37, n_steps: int = 360) -> float:
    """Largest relative difference from NumPy after an hour, over all states of all cells."""
    x, u = scenario(n_cells, seed=7)
    expected = rivals.numpy_arrays(x, u, DT_S)(n_steps)
    return float(np.max(np.abs(rival(x, u, DT_S)(n_steps) / expected - 1.0)))


def test_ours_agrees_with_numpy_and_with_the_plain_loop():
    assert agreement(rivals.ours) < 1e-9
    assert agreement(rivals.numba_plain) < 1e-9


@pytest.mark.skipif(shutil.which("cc") is None and os.environ.get("CI") != "true", reason="no C compiler")
def test_ours_agrees_with_c(tmp_path: Path):
    for rival in rivals.c_rivals(rivals.c_library(tmp_path)):
        assert agreement(rival) < 1e-9


# Only `make bench-speed` installs these two; `make test` has no such tests then.
if find_spec("casadi"):

    def test_ours_agrees_with_casadi():
        assert agreement(rivals.casadi_map) < 1e-9


if find_spec("scipy"):

    def test_our_step_of_ten_seconds_is_fine_enough_for_scipy():
        x, u = scenario(2, seed=7)
        exact = rivals.scipy_cells(x, u, 3600.0, "LSODA", 1e-10)
        assert np.max(np.abs(rivals.ours(x, u, DT_S)(360) / exact - 1.0)) < 1e-6


def test_subnormal_numbers_survive_the_c_library(tmp_path: Path):
    if shutil.which("cc"):
        rivals.c_library(tmp_path)
    assert np.float64(5e-324) * 1.0 > 0.0


def test_a_cell_does_not_feel_its_neighbours():
    x, u = scenario(40, seed=7)
    whole = rivals.ours(x, u, DT_S)(20)
    assert np.array_equal(rivals.ours(x[:, :21], u[:, :21], DT_S)(20), whole[:, :21])
    x[5, 3] = np.nan
    with_gap = rivals.ours(x, u, DT_S)(20)
    assert np.isnan(with_gap[:4, 3]).any()
    others = np.arange(40) != 3
    assert np.array_equal(with_gap[:, others], whole[:, others])


def test_polynomials_are_as_good_as_the_library():
    rng = np.random.default_rng(7)
    for x in (*rng.uniform(-700.0, 700.0, 500).tolist(), *rng.uniform(-2.0, 2.0, 500).tolist()):
        assert elementary.exp64(x) == pytest.approx(math.exp(x), rel=5e-16)
        assert elementary.log64(math.exp(x)) == pytest.approx(math.log(math.exp(x)), rel=5e-16, abs=3e-16)
    for x in rng.uniform(0.0, 30.0, 500).tolist():
        assert elementary.power64(x, 2.2) == pytest.approx(x**2.2, rel=1e-14)
    assert elementary.exp64(math.inf) == math.inf
    assert elementary.exp64(-math.inf) == elementary.power64(0.0, 2.2) == 0.0
    assert elementary.log64(0.0) == -math.inf
    assert math.isnan(elementary.exp64(math.nan))
    assert math.isnan(elementary.log64(math.nan))
    assert math.isnan(elementary.power64(-1.0, 2.2))


def test_stated_defects_of_the_model_are_real():
    # 11 % AlF3 and 3 % alumina; the constant of the model's liquidus is that of 5 % CaF2 and 1 % MgF2.
    g1 = lundby_kernel.drop_of(np.array([0.0, 3.0, 11.0, 86.0, 0, 960, 0, 0]), U0)[0]
    assert g1 - liquidus_solheim(Bath(11.0, 5.0, 3.0, 0.0, 1.0)) == pytest.approx(11, abs=0.2)
    # Its heat of fusion of a mole stands where that of a kilogram belongs.
    assert 4.0 < params_for(None, 300e3).ledge_latent_J_kg / LATENT_AS_CODED < 5.0
    # Bath drop at 140 kA, all its heat there is; a cell of that size needs 4.3 to 4.6 V.
    assert lundby_kernel.drop_of(X0, U0)[-1] < 1.5


def test_detection_is_scored_from_fresh_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    found = bench_detection.scored(
        tmp_path,
        bench_detection.Setting("enriched", "P500few.toml", 2, 0.1),
        interval_s=30.0,
        seed=5,
        tape=tmp_path / "tape",
    )
    assert found["record"]["cell_days"] == pytest.approx(0.2, abs=0.01)
    assert found["seconds"].keys() == {"simulate", "replay", "evaluate"}
    layer = bench_detection.without_layer(tmp_path / "tape", 2)
    assert layer.pop("what") == "without anode currents"
    # What is too small to be seen is no event, and nothing else happens in these hours.
    assert [(row["events"], row["false_alarms"]) for row in layer.values()] == [(0, 0)]
    assert "cell-days" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(results.TABLES))
def test_readme_says_what_was_measured(name: str):
    page, measured = (
        results.page_of(name).read_text(encoding="utf-8"),
        results.FOLDER / f"{results.source_of(name)}.json",
    )
    if not measured.is_file():
        assert results.placed(page, name, "") == page
        return
    figures = json.loads(measured.read_text(encoding="utf-8"))
    assert results.placed(page, name, results.TABLES[name](figures)) == page
    assert figures["commit"]


def test_targets_of_detection_missed_first():
    def row(recall: float, events: int) -> dict[str, object]:
        share = {"share": 1.0}
        return {"events": events, "recall": recall, "right_anode": share, "exact_kind": share}

    scores = {
        "groups": {
            "all": {"system": row(0.5, 4), "never": row(0.0, 4) | {"beaten": "yes"}},
            "anode_change": {"system": row(0.8, 3), "clock": row(0.9, 3) | {"beaten": "NO"}},
        },
        "clock": {"difference": -0.01},
        "record": {"events": 4},
    }
    found = judged({"enriched": scores})
    assert [target["what"] for target in found if target["met"] is False] == [
        "enriched, anode_change: recall",
        "enriched, anode_change: null models not beaten (clock)",
    ]
    assert found[0]["value"] == 0.8
    verdicts = [target["met"] for target in found]
    assert verdicts == sorted(verdicts, key=[False, True, None].index)
    assert {target["what"] for target in found if target["met"] is None} >= {"enriched, heat_loss: recall"}
    assert "**MISSED**" in target_line(found[0])
    assert "not judged" in target_line(found[-1])
