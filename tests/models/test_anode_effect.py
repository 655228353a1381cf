"""Anode effects in progress: the same as the algorithm of recorded voltages finds, and nothing else."""

import numpy as np
import pytest

from models.anode_effect import AnodeEffect
from models.effect_watch import EffectWatch
from tests.models.views import CURRENT, CURRENT_A, START_US, VOLTAGE, Room, blank, hours_of, layout
from twin.anode_effects import find_anode_effects

SCAN_S = 10


def recorded(seed: int) -> tuple[np.ndarray, int]:
    """Three hours of voltage at 1 Hz with effects of 20 s to 4 min, one of them with a dip of 10 s."""
    rng = np.random.default_rng(seed)
    volts = 4.15 + 0.01 * rng.standard_normal(10_800)
    starts = np.arange(900, 10_000, 1800) + rng.integers(0, 600, 6)[:6]
    for k, start in enumerate(starts[:5]):
        length = int(rng.integers(20, 240))
        volts[start : start + length] = 28.0 + 4.0 * rng.standard_normal(length).clip(-3, 3)
        if k == 2:
            volts[start : start + 200] = 30.0 + rng.standard_normal(200)
            volts[start + 60 : start + 70] = 4.5
    return volts, 5


def watched(volts: np.ndarray, watch: EffectWatch, single: bool = False) -> list[tuple[int, float, float]]:
    """Start [s], length [s] and energy [kWh] of each effect, from scans of 10 s."""
    cells = layout(1)
    found: list[tuple[int, float, float]] = []
    for k in range(len(volts) // SCAN_S):
        part = volts[k * SCAN_S : (k + 1) * SCAN_S]
        part = part[-1:] if single else part
        view = blank(cells, START_US + (k + 1) * SCAN_S * 1_000_000, float(SCAN_S))
        view.scalar[VOLTAGE], view.scalar[CURRENT] = part.mean(), CURRENT_A
        view.voltage_low_V[:], view.voltage_high_V[:] = part.min(), part.max()
        before = watch.running.copy()
        watch.step(view)
        if watch.began[0]:
            found.append((int((watch.start_us[0] - START_US) // 1_000_000), 0.0, 0.0))
        if watch.running[0] or before[0]:
            found[-1] = (found[-1][0], float(watch.seconds[0]), float(watch.energy_kWh[0]))
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agrees_with_the_algorithm_of_recorded_voltages(seed: int) -> None:
    volts, _ = recorded(seed)
    reference = find_anode_effects(
        np.arange(float(len(volts))), volts[None], np.array([4.15]), np.full(len(volts), CURRENT_A)
    )
    ours = watched(volts, EffectWatch(layout(1)))
    assert len(reference.start_s) >= 4
    assert len(ours) == len(reference.start_s)
    for (start_s, _, energy_kWh), start_ref_s, energy_ref_kWh in zip(
        ours, reference.start_s, reference.energy_kWh, strict=True
    ):
        assert abs(start_s - start_ref_s) <= SCAN_S
        # Scans that the effect only touches count whole: their energy is that of their mean.
        assert energy_kWh == pytest.approx(energy_ref_kWh, rel=0.02)


def test_agrees_where_a_scan_has_one_reading() -> None:
    volts, _ = recorded(4)
    reference = find_anode_effects(np.arange(float(len(volts))), volts[None], np.array([4.15]))
    long = reference.start_s[reference.end_s - reference.start_s >= 40.0]
    ours = [start for start, _, _ in watched(volts, EffectWatch(layout(1)), single=True)]
    assert all(min(abs(start - begin) for start in ours) <= 2 * SCAN_S for begin in long)
    assert len(ours) <= len(reference.start_s)


def run(volts_V: list[float], current_A: float = CURRENT_A) -> list[float]:
    """Scores of scans of one reading each, after ten minutes at 4.15 V."""
    cells, detector, scores = layout(1), AnodeEffect(layout(1)), []
    for k, volt in enumerate([4.15 + 0.001 * (k % 7) for k in range(60)] + volts_V):
        view = blank(cells, START_US + (k + 1) * 10_000_000, 10.0)
        view.scalar[VOLTAGE] = view.voltage_low_V[:] = view.voltage_high_V[:] = volt
        view.scalar[CURRENT] = CURRENT_A if k < 60 else current_A
        scores.append(float(detector.update(view)[0].value[0, 0]))
    return scores[60:]


def test_told_at_once_and_cleared_when_over() -> None:
    scores = run([31.0, 29.0, 33.0, 4.2, 4.3, 4.2, 4.25])
    assert scores[0] < 0.8
    assert min(scores[1:3]) >= 1.0
    assert scores[-1] < 0.8


@pytest.mark.parametrize(
    ("volts_V", "current_A"),
    [
        ([31.0, 4.2, 4.1, 30.0, 4.2], CURRENT_A),  # single wrong readings
        ([12.0, 11.0, 12.5, 9.0], 0.1 * CURRENT_A),  # a restart
        ([6.9, 7.5, 7.9, 7.7] * 5, CURRENT_A),  # below the limit
    ],
)
def test_what_is_no_effect(volts_V: list[float], current_A: float) -> None:
    assert max(run(volts_V, current_A)) < 1.0


def test_a_meter_at_the_end_of_its_range_shows_the_effect_and_a_broken_one_does_so_for_minutes_only() -> None:
    scores = run([10.0] * 18 + [4.2, 4.3, 4.2, 4.25], CURRENT_A)
    assert min(scores[3:18]) >= 1.0
    assert scores[-1] < 0.8
    assert run([40.0] * 70, CURRENT_A)[-1] < 0.8


def test_evidence_of_an_effect() -> None:
    room, detector = Room(layout(2), scan_s=10.0), AnodeEffect(layout(2))
    for view in hours_of(room, 0.5):
        view.estimate.alumina_pct[:] = 1.9
        detector.update(view)
    for volt in (31.0, 29.5, 30.5, 30.0, 29.0, 30.0):
        view = room.step()
        view.scalar[VOLTAGE, 1] = view.voltage_high_V[1] = volt
        detector.update(view)
    found = detector.explain("anode_effect", 1, 0)
    assert found.evidence["peak_V"] == 31.0
    assert found.evidence["duration_s"] == 60.0
    # 25.85 V above the usual at 300 kA for a minute.
    assert found.evidence["energy_kWh"] == pytest.approx(129.0, rel=0.01)
    assert found.causes[0].cause == "alumina_low"


def test_a_lost_voltage_ends_it() -> None:
    scores = run([31.0, 29.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan])
    assert scores[1] >= 1.0
    assert np.isnan(scores[-1])
