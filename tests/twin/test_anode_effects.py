"""Anode effects found in voltages: definitions of the energy reference, section 6.2, and what is refused."""

import numpy as np
import pytest

from twin.anode_effects import (
    AnodeEffects,
    EffectRule,
    activity,
    find_anode_effects,
    overvoltage_mV,
)

TARGET = np.array([4.2])


def find(volts: np.ndarray, step_s: float = 1.0, rule: EffectRule | None = None) -> AnodeEffects:
    time_s = step_s * np.arange(len(volts), dtype=np.float64)
    return find_anode_effects(time_s, volts[None], TARGET, np.full(len(volts), 300e3), rule)


def record(seconds: int, *high: tuple[int, int], volt: float = 34.2) -> np.ndarray:
    volts = np.full(seconds, 4.2)
    for start, end in high:
        volts[start:end] = volt
    return volts


def test_two_minutes_at_30_V_are_300_kWh() -> None:
    # Reference 6.3 of the physics report: 30 V x 300 kA = 9 MW, two minutes 300 kWh.
    found = find(record(600, (100, 220)))
    assert found.start_s.tolist() == [100.0]
    assert found.minutes.tolist() == [2.0]
    assert found.energy_kWh[0] == pytest.approx(300.0)
    assert found.overvoltage_Vs[0] == pytest.approx(3600.0)
    assert found.peak_V[0] == 34.2
    assert found.mean_V[0] == pytest.approx(34.2)
    assert not found.cut[0]
    assert overvoltage_mV(float(found.overvoltage_Vs.sum()), 600.0) == pytest.approx(6000.0)


def test_short_ones_do_not_count_and_close_ones_are_one() -> None:
    assert len(find(record(200, (50, 52))).cell) == 0
    assert len(find(record(200, (50, 53))).cell) == 1
    merged = find(record(200, (50, 60), (74, 90)))
    assert merged.minutes.tolist() == [40.0 / 60.0]
    assert merged.mean_V[0] == pytest.approx((26 * 34.2 + 14 * 4.2) / 40)
    apart = find(record(200, (50, 60), (75, 90)))
    assert apart.start_s.tolist() == [50.0, 75.0]
    assert apart.end_s.tolist() == [60.0, 90.0]
    # Two short ones become one long enough.
    assert find(record(200, (50, 52), (60, 62))).minutes.tolist() == [12.0 / 60.0]


def test_sparse_samples_are_split_by_time_not_by_count() -> None:
    volts = np.array([4.2, 30.0, 4.2, 30.0, 4.2, 4.2])
    assert len(find(volts, step_s=10.0).cell) == 1
    assert len(find(volts, step_s=20.0).cell) == 2


def test_nothing_is_extrapolated_over_a_hole() -> None:
    volts = record(400, (100, 260))
    volts[150:250] = np.nan
    found = find(volts)
    assert found.start_s.tolist() == [100.0, 250.0]
    assert found.end_s.tolist() == [149.0, 260.0]
    assert found.cut.tolist() == [True, True]
    # A few lost samples are no hole.
    volts = record(400, (100, 260))
    volts[150:170] = np.nan
    assert find(volts).minutes.tolist() == [160.0 / 60.0]


def test_record_that_begins_or_ends_in_an_effect_says_so() -> None:
    found = find(record(100, (0, 20), (80, 100)))
    assert found.cut.tolist() == [True, True]
    assert found.end_s.tolist() == [20.0, 99.0]


def test_cells_are_told_apart_and_current_may_be_missing() -> None:
    volts = np.stack([record(300), record(300, (10, 40), (100, 160)), record(300, (50, 70))])
    found = find_anode_effects(np.arange(300.0), volts, np.full(3, 4.2))
    assert found.cell.tolist() == [1, 1, 2]
    assert np.isnan(found.energy_kWh).all()
    assert found.minutes.sum() == pytest.approx(110.0 / 60.0)


def test_threshold_is_exclusive_and_can_be_changed() -> None:
    assert len(find(record(100, (10, 50), volt=8.0)).cell) == 0
    assert len(find(record(100, (10, 50), volt=8.0), rule=EffectRule(threshold_V=7.0)).cell) == 1


def test_nothing_measured_is_no_effect() -> None:
    assert len(find(np.full(50, np.nan)).cell) == 0
    assert len(find(np.zeros(0)).cell) == 0


def test_activity_of_the_worked_month() -> None:
    # Energy reference 6.2: 465 effects, 1393.2 min, 300 cells x 31 d less 12 cell-days.
    found = activity(465, 1393.2, 300 * 31 - 12)
    assert found.per_cell_day == pytest.approx(0.050065, abs=5e-7)
    assert found.minutes_each == pytest.approx(2.996129, abs=5e-7)
    assert found.min_per_cell_day == pytest.approx(0.150000, abs=5e-7)
    assert np.isnan(activity(0, 0.0, 10.0).minutes_each)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="impossible"):
        activity(1, 2.0, 0.0)
    with pytest.raises(ValueError, match="impossible"):
        activity(1, 2000.0, 1.0)
    with pytest.raises(ValueError, match="recorded"):
        overvoltage_mV(1.0, 0.0)
    volts = record(10)[None]
    with pytest.raises(ValueError, match="rise"):
        find_anode_effects(np.zeros(10), volts, TARGET)
    with pytest.raises(ValueError, match="shapes"):
        find_anode_effects(np.arange(9.0), volts, TARGET)
    for target_V in (9.0, np.nan):
        with pytest.raises(ValueError, match="below the threshold"):
            find_anode_effects(np.arange(10.0), volts, np.array([target_V]))
