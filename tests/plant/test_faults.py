"""Faults show as they should, and their labels say when."""

import numpy as np
import pytest

from plant.faults import Fault, demo_faults, plan_faults
from plant.line import Line
from plant.technology import TECHNOLOGIES
from twin.signals import ALARM_KINDS

START_US = 1_767_225_600_000_000


@pytest.mark.parametrize("seed", [1, 2])
def test_demo_shows_both_faults_within_three_hours(seed: int) -> None:
    faults = demo_faults(8, seed)
    slow, thin = faults
    line = Line(n_cells=8, seed=seed, start_us=START_US, faults=faults)
    first = line.advance(60)
    assert slow.anode is not None
    share = first.anode_current_A[:, slow.cell].mean(axis=0)
    assert abs(slow.start_s + 8 * 3600) < 1200.0
    assert 0.04 < share[slow.anode - 1] / np.median(share) < 0.18
    middle = 4
    before = first.shell_temp_C[:, thin.cell].mean(axis=0)
    for _ in range(3):
        line.advance(1780)
    after = line.advance(60).shell_temp_C[:, thin.cell].mean(axis=0)
    assert after[middle] - before[middle] > 30.0
    assert np.all(after[[0, 1, 2, 6, 7]] - before[[0, 1, 2, 6, 7]] < 8.0)
    for _ in range(3):
        line.advance(1780)
    for label in line.labels():
        assert label.observable_s < 3 * 3600.0
        assert label.end_s > label.observable_s


def test_moderate_thinning_melts_as_published() -> None:
    # A heat-transfer coefficient 2-2.5 times normal melts tens of mm/h at first; the shell rises 1-10 degC/h or more.
    faults = (Fault("ledge_thinning", 0, 0.0, 6 * 3600.0, 0.45, side="up"),)
    line = Line(n_cells=1, seed=9, start_us=START_US, faults=faults)
    before = line.truth()["ledge_mm"][0, 1]
    cold = line.advance(60).shell_temp_C[:, 0, 1].mean()
    for _ in range(4):
        line.advance(1800)
    ledge = line.truth()["ledge_mm"][0, 1]
    warm = line.advance(60).shell_temp_C[:, 0, 1].mean()
    assert 8.0 < (before - ledge) / 2.0 < 30.0
    assert 3.0 < (warm - cold) / 2.0 < 40.0
    label = line.labels()[0]
    assert 600.0 < label.observable_s < 3 * 3600.0


def test_fault_ends_and_recovers() -> None:
    faults = (Fault("ledge_thinning", 0, 0.0, 3600.0, 0.8, side="up"),)
    line = Line(n_cells=1, seed=9, start_us=START_US, faults=faults)
    ledge: list[float] = []
    for _ in range(16):
        line.advance(3600)
        ledge.append(float(line.truth()["ledge_mm"][0, 1]))
    assert ledge[-1] > ledge[0] + 8.0
    assert 3600.0 < line.labels()[0].end_s < 16 * 3600.0


def test_instruments_fail_only_in_their_window() -> None:
    faults = (
        Fault("stream_silent", 0, 100.0, 200.0, 1.0),
        Fault("sensor_fault", 1, 50.0, 150.0, 1.0, anode=3),
        Fault("sensor_fault", 1, 60.0, 70.0, 1.0, side="duct"),
    )
    broken = Line(n_cells=2, seed=3, start_us=START_US, faults=faults)
    a, b = broken.advance(120), broken.advance(180)
    sound = Line(n_cells=2, seed=3, start_us=START_US).advance(300)
    volt = np.concatenate([a.cell_voltage_V, b.cell_voltage_V])
    silent = np.isnan(volt)
    assert np.array_equal(np.flatnonzero(silent[:, 0]), np.arange(100, 200))
    assert not silent[:, 1].any()
    assert np.array_equal(volt[~silent], sound.cell_voltage_V[~silent])
    anode = np.concatenate([a.anode_current_A, b.anode_current_A])[:, 1]
    assert np.ptp(anode[50:150, 2]) == 0.0
    assert np.ptp(anode[150:250, 2]) > 0.0
    shell = np.concatenate([a.shell_temp_C, b.shell_temp_C])[:, 1, 6]
    assert np.all(shell[60:70] > 1100.0)
    assert shell[70:].max() < 400.0


def test_enriched_leaves_half_of_the_cells_alone() -> None:
    faults = plan_faults("enriched", n_cells=24, days=8.0, seed=1)
    assert len({f.cell for f in faults}) == 12
    assert {f.kind for f in faults} == {
        "anode_slow_pickup",
        "ledge_thinning",
        "sensor_fault",
        "stream_silent",
    }
    assert all(f.kind in ALARM_KINDS and 0.0 <= f.start_s < f.end_s <= 8 * 86400.0 for f in faults)
    assert all(0.0 < f.severity <= 1.0 for f in faults)
    assert faults == plan_faults("enriched", n_cells=24, days=8.0, seed=1)
    assert faults != plan_faults("enriched", n_cells=24, days=8.0, seed=2)


def test_natural_follows_the_rates() -> None:
    faults = plan_faults("natural", n_cells=200, days=30.0, seed=1)
    slow = sum(f.kind == "anode_slow_pickup" for f in faults)
    expected = 0.03 * 200 * 30 * 24 / (TECHNOLOGIES["P300"].anode_life_h / 30)
    assert abs(slow - expected) < 4.0 * np.sqrt(expected)
    thin = sum(f.kind == "ledge_thinning" for f in faults)
    assert abs(thin - 7.2e-4 * 6000) < 4.0 * np.sqrt(7.2e-4 * 6000)
    assert plan_faults("none", n_cells=200, days=30.0, seed=1) == ()
