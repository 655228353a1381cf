"""Energy accounts against the energy reference's worked examples, and their conservation laws."""

import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared_data import VECTORS, needs_shared_data
from twin.energy import METAL_KG_PER_KAH, Calendar, Ledger, WindowAccount, dc_kwh_per_t

HOUR_US = 3_600_000_000
#: 2026-03-01 00:00 UTC.
START_US = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000


def second(seconds: float) -> int:
    return START_US + round(seconds * 1e6)


def filled(
    times_s: np.ndarray, voltage_V: np.ndarray, current_A: np.ndarray, **settings_of: object
) -> Ledger:
    ledger = Ledger(1, current_efficiency=0.93, **settings_of)  # pyright: ignore
    for t, v, a in zip(times_s, voltage_V, current_A, strict=True):
        ledger.add(second(t), np.array([v]), np.array([a]))
    return ledger


def by_window(accounts: list[WindowAccount], window: str) -> list[WindowAccount]:
    return [account for account in accounts if account.window == window]


# --- constants and vectors


def test_faraday_constant_of_metal() -> None:
    # Energy reference 2.2: k = 3600 M / (3 F) = 0.33557273 kg/kAh, 1/k = 2.979980 kWh/kg per volt.
    assert pytest.approx(0.33557272767358337, rel=1e-15) == METAL_KG_PER_KAH
    assert float(dc_kwh_per_t(1.0, 1.0)) == pytest.approx(2979.979949302421, rel=1e-14)


# Energy reference 2.6, table of E_DC.
@pytest.mark.parametrize(
    ("voltage_V", "efficiency", "published"),
    [
        (4.200, 1.00, 12515.916),
        (4.200, 0.95, 13174.648),
        (4.000, 0.93, 12817.118),
        (3.950, 0.93, 12656.904),
        (3.900, 0.94, 12363.747),
        (3.850, 0.925, 12403.160),
    ],
)
def test_dc_intensity_table(voltage_V: float, efficiency: float, published: float) -> None:
    assert float(dc_kwh_per_t(voltage_V, efficiency)) == pytest.approx(published, abs=5e-4)


@needs_shared_data
def test_reference_vectors() -> None:
    vectors = json.loads(VECTORS.read_text())
    assert vectors["const"]["kg_per_kAh"] == METAL_KG_PER_KAH
    for key, expected in vectors["dc"].items():
        voltage, efficiency = (float(part.split("=")[1]) for part in key.split(","))
        assert float(dc_kwh_per_t(voltage, efficiency)) == pytest.approx(expected, rel=1e-14)
    day_kAh = 500.0 * 24.0
    assert METAL_KG_PER_KAH * day_kAh / 1000.0 == pytest.approx(vectors["prod"]["theor_500kA_day"], rel=1e-14)


def test_energy_is_the_mean_of_products_not_the_product_of_means() -> None:
    # Energy reference 2.4: quarter hours at 3.95, 3.95, 25.0, 3.95 V and 500, 500, 470, 500 kA are 4418.75 kWh;
    # by means 4537.156 kWh (+2.68 %).
    voltage_V, current_A = np.array([3.95, 3.95, 25.0, 3.95]), np.array([5.0, 5.0, 4.7, 5.0]) * 1e5
    second_of_hour = np.arange(0, 3601)
    quarter = np.minimum(second_of_hour // 900, 3)
    v, a = voltage_V[quarter], current_A[quarter]
    ledger = filled(second_of_hour, v, a)
    account = by_window(ledger.close(second(3600 + 121)), "hour")[0]
    # The two steps are trapezoids of one second each, and what one adds the other takes away.
    assert account.dc_energy_kWh[0] == pytest.approx(4418.75, abs=1e-6)
    by_means_kWh = v[:-1].mean() * a[:-1].mean() * 3600 / 3.6e6
    assert by_means_kWh == pytest.approx(4537.156, abs=5e-4)
    assert account.coverage[0] == 1.0


def test_day_of_a_500_kA_cell() -> None:
    # Energy reference 2.7: 3.744992 t a day at 93 %; 2.6: 12656.904 kWh/t at 3.95 V.
    times_s = np.arange(0, 86_401, 60)
    ledger = filled(times_s, np.full(len(times_s), 3.95), np.full(len(times_s), 5e5))
    day = by_window(ledger.close(second(86_400 + 120)), "day")[0]
    assert day.metal_kg[0] == pytest.approx(3744.992, abs=5e-4)
    assert 1000.0 * day.dc_energy_kWh[0] / day.metal_kg[0] == pytest.approx(12656.904, abs=5e-4)
    assert day.charge_kAh[0] == pytest.approx(12_000.0, rel=1e-12)
    assert day.coverage[0] == 1.0


# --- windows


def test_split_at_the_hour_is_exact() -> None:
    # Power falls linearly from 2000 to 1000 kW across the hour's end, 20 s before and 40 s after it.
    ledger = filled(np.array([3580.0, 3640.0]), np.array([4.0, 2.0]), np.array([5e5, 5e5]))
    first, then = by_window(ledger.close(second(1e5), final=True), "hour")
    there = 2000.0 - 1000.0 / 3.0
    assert first.dc_energy_kWh[0] * 3600.0 == pytest.approx(0.5 * (2000.0 + there) * 20.0, rel=1e-12)
    assert then.dc_energy_kWh[0] * 3600.0 == pytest.approx(0.5 * (there + 1000.0) * 40.0, rel=1e-12)
    assert first.covered_s[0] == pytest.approx(20.0)
    assert then.covered_s[0] == pytest.approx(40.0)


def test_gap_is_not_covered_and_not_filled() -> None:
    times_s = np.concatenate((np.arange(0, 601, 10), np.arange(1200, 1801, 10)))
    ledger = filled(times_s, np.full(len(times_s), 4.0), np.full(len(times_s), 3e5))
    hour = by_window(ledger.close(second(1e5), final=True), "hour")[0]
    assert hour.covered_s[0] == pytest.approx(1200.0)
    assert hour.coverage[0] == pytest.approx(1.0 / 3.0)
    assert hour.dc_energy_kWh[0] == pytest.approx(1200.0 * 1200.0 / 3600.0)


@pytest.mark.parametrize(("gap_s", "covered_s"), [(120.0, 120.0), (120.000001, 0.0)])
def test_longest_gap_is_included(gap_s: float, covered_s: float) -> None:
    ledger = filled(np.array([10.0, 10.0 + gap_s]), np.full(2, 4.0), np.full(2, 3e5))
    accounts = by_window(ledger.close(second(1e5), final=True), "hour")
    assert sum(account.covered_s[0] for account in accounts) == pytest.approx(covered_s)


def test_nan_of_either_is_no_sample() -> None:
    ledger = Ledger(2, current_efficiency=0.93)
    for s in range(0, 100, 10):
        hole = s == 50
        ledger.add(
            second(s),
            np.array([np.nan if hole else 4.0, 4.0]),
            np.array([3e5, np.nan if hole else 3e5]),
        )
    hour = by_window(ledger.close(second(1e5), final=True), "hour")[0]
    np.testing.assert_allclose(hour.covered_s, 90.0)
    np.testing.assert_allclose(hour.dc_energy_kWh, 1200.0 * 90.0 / 3600.0)


def test_a_window_closes_when_no_interval_across_its_end_can_come() -> None:
    ledger = filled(np.array([3500.0, 3590.0]), np.full(2, 4.0), np.full(2, 3e5))
    assert ledger.close(second(3600 + 119.999999)) == []
    ledger.add(second(3600 + 110), np.array([4.0]), np.array([3e5]))
    closed = ledger.close(second(3600 + 120))
    assert [account.window for account in closed] == ["hour"]
    assert closed[0].covered_s[0] == pytest.approx(100.0)
    assert ledger.close(second(3600 + 121)) == []


def test_hours_sum_to_the_day_and_days_to_the_month() -> None:
    times_s = np.arange(0, 3 * 86_400, 97)
    rng = np.random.default_rng(7)
    ledger = filled(times_s, rng.normal(4.1, 0.1, len(times_s)), rng.normal(3e5, 1e4, len(times_s)))
    accounts = ledger.close(second(1e7), final=True)
    hours, days, months = (by_window(accounts, window) for window in ("hour", "day", "month"))
    assert (len(hours), len(days), len(months)) == (72, 3, 1)
    for field in ("dc_energy_kWh", "charge_kAh", "metal_kg", "covered_s"):
        total = getattr(months[0], field)[0]
        assert sum(getattr(a, field)[0] for a in hours) == pytest.approx(total, rel=1e-12)
        assert sum(getattr(a, field)[0] for a in days) == pytest.approx(total, rel=1e-12)
    assert months[0].covered_s[0] == pytest.approx(float(times_s[-1]))


def test_month_closes_although_the_line_stood_still_at_its_end() -> None:
    ledger = filled(np.array([0.0, 60.0]), np.full(2, 4.0), np.full(2, 3e5))
    april = datetime(2026, 4, 2, tzinfo=UTC).timestamp()
    assert [a.window for a in ledger.close(round(april * 1e6))] == ["hour", "day", "month"]


def test_plant_day_and_cut_month() -> None:
    # Energy reference 0.3: the day closes at 08:00 and the month on the 25th (so a month begins on the 26th).
    shanghai = Calendar(ZoneInfo("Asia/Shanghai"), day_start_hour=8, month_cut_day=26)
    at = int(datetime(2026, 3, 26, 7, 59, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1_000_000
    start_us, end_us = shanghai.bounds_us("month", at)
    zone = ZoneInfo("Asia/Shanghai")
    assert datetime.fromtimestamp(start_us / 1e6, zone) == datetime(2026, 2, 26, 8, tzinfo=zone)
    assert datetime.fromtimestamp(end_us / 1e6, zone) == datetime(2026, 3, 26, 8, tzinfo=zone)
    assert shanghai.bounds_us("month", at + 60_000_000)[0] == end_us
    day = shanghai.bounds_us("day", at)
    assert datetime.fromtimestamp(day[0] / 1e6, zone) == datetime(2026, 3, 25, 8, tzinfo=zone)


def test_days_of_daylight_saving_have_23_and_25_hours() -> None:
    oslo = Calendar(ZoneInfo("Europe/Oslo"))
    spring = int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp()) * 1_000_000
    autumn = int(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()) * 1_000_000
    lengths = [np.diff(oslo.bounds_us("day", at))[0] // HOUR_US for at in (spring, autumn)]
    assert lengths == [23, 25]


def test_hours_follow_the_local_clock() -> None:
    kathmandu = Calendar(timezone(timedelta(hours=5, minutes=45)))
    start_us, _ = kathmandu.bounds_us("hour", START_US)
    assert (START_US - start_us) // 60_000_000 == 45


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2_000_000_000), st.sampled_from(["Europe/Oslo", "Asia/Shanghai", "America/Santiago"]))
def test_windows_tile_time(at_s: int, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone), day_start_hour=6, month_cut_day=26)
    for window in ("hour", "day", "month"):
        start_us, end_us = calendar.bounds_us(window, at_s * 1_000_000)
        assert start_us <= at_s * 1_000_000 < end_us
        assert calendar.bounds_us(window, end_us)[0] == end_us
        assert calendar.bounds_us(window, end_us - 1) == (start_us, end_us)


# --- promises of the ledger


def disorderly_day(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    times_us = START_US + np.sort(rng.integers(0, 30 * HOUR_US, 4000))
    times_us = times_us[(times_us // HOUR_US) % 7 != 3]
    n = len(times_us)
    voltage, current = rng.normal(4.1, 0.2, (n, 3)), rng.normal(3e5, 1e4, (n, 3))
    voltage[rng.random((n, 3)) < 0.3] = np.nan
    return times_us, voltage, current


def bits(accounts: list[WindowAccount]) -> list[tuple[object, ...]]:
    return [tuple(v.tobytes() if isinstance(v, np.ndarray) else v for v in account) for account in accounts]


@pytest.mark.parametrize("every", [1, 7, 10_000])
def test_how_often_it_is_closed_makes_no_difference(every: int) -> None:
    times_us, voltage, current = disorderly_day(3)
    ledger, often = Ledger(3, current_efficiency=0.94), Ledger(3, current_efficiency=0.94)
    seen: list[WindowAccount] = []
    expected: list[WindowAccount] = []
    for i, time_us in enumerate(times_us.tolist()):
        ledger.add(time_us, voltage[i], current[i])
        often.add(time_us, voltage[i], current[i])
        expected += often.close(time_us)
        if i % every == 0:
            seen += ledger.close(time_us)
    seen += ledger.close(times_us[-1] + 2 * HOUR_US, final=True)
    expected += often.close(times_us[-1] + 2 * HOUR_US, final=True)
    assert bits(seen) == bits(expected)
    assert len(seen) > 20


def test_saved_and_restored_it_goes_on_bit_for_bit() -> None:
    times_us, voltage, current = disorderly_day(5)
    whole, first = Ledger(3, current_efficiency=0.94), Ledger(3, current_efficiency=0.94)
    expected: list[WindowAccount] = []
    got: list[WindowAccount] = []
    for i, time_us in enumerate(times_us.tolist()):
        whole.add(time_us, voltage[i], current[i])
        expected += whole.close(time_us)
        if i % 500 == 250:
            first = pickle.loads(pickle.dumps(first))
        first.add(time_us, voltage[i], current[i])
        got += first.close(time_us)
    assert bits(got) == bits(expected)


def test_cells_do_not_touch_each_other() -> None:
    times_us, voltage, current = disorderly_day(9)
    together = Ledger(3, current_efficiency=0.94)
    alone = [Ledger(1, current_efficiency=0.94) for _ in range(3)]
    for i, time_us in enumerate(times_us.tolist()):
        together.add(time_us, voltage[i], current[i])
        for cell, ledger in enumerate(alone):
            ledger.add(time_us, voltage[i, [cell]], current[i, [cell]])
    end_us = int(times_us[-1]) + HOUR_US
    accounts = together.close(end_us, final=True)
    for cell, ledger in enumerate(alone):
        mine = {(a.window, a.start_us): a for a in ledger.close(end_us, final=True)}
        for account in accounts:
            own = mine.get((account.window, account.start_us))
            assert account.dc_energy_kWh[cell] == (0.0 if own is None else own.dc_energy_kWh[0])


def test_time_must_not_run_backwards_and_gap_must_be_possible() -> None:
    ledger = filled(np.array([10.0]), np.array([4.0]), np.array([3e5]))
    with pytest.raises(ValueError, match="in order of time"):
        ledger.add(second(9.0), np.array([4.0]), np.array([3e5]))
    with pytest.raises(ValueError, match="max_gap_s"):
        Ledger(1, max_gap_s=4000.0)


def test_held_values_count_from_when_they_are_given() -> None:
    ledger = Ledger(1, current_efficiency=0.90)
    for s in range(0, 601, 60):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s == 300:
            ledger.hold(current_efficiency=np.array([0.94]), heat_loss_kW=np.array([600.0]))
        if s == 360:
            ledger.hold(current_efficiency=np.array([np.nan]), heat_loss_kW=np.array([np.nan]))
    hour = by_window(ledger.close(second(1e5), final=True), "hour")[0]
    assert hour.current_efficiency[0] == pytest.approx(0.92)
    assert hour.metal_kg[0] == pytest.approx(METAL_KG_PER_KAH * 300.0 * 600.0 / 3600.0 * 0.92)
    assert hour.heat_loss_kW[0] == 600.0


# --- registers


def test_registers_are_paired_and_cut_at_windows() -> None:
    ledger = Ledger(1, current_efficiency=0.93)
    accounts: list[WindowAccount] = []
    for s in range(0, 7300, 60):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s % 900 == 420:
            ledger.register(second(s), 0, "line_dc_energy_kWh", 50.0 + 985.0 * s / 3600.0)
            ledger.register(second(s), 0, "rectifier_ac_energy_kWh", 70.0 + 1000.0 * s / 3600.0)
            ledger.register(second(s), 0, "auxiliary_ac_energy_kWh", 1.0)
        accounts += ledger.close(second(s))
    accounts += ledger.close(second(1e5), final=True)
    first, then, _ = by_window(accounts, "hour")
    day = by_window(accounts, "day")[0]
    # The first pair comes at 420 s, the last at 6720 s; the one across the end of the hour comes 420 s after it.
    assert first.counter_s[0] == pytest.approx(3180.0)
    assert first.rectifier_ac_kWh[0] == pytest.approx(1000.0 * 3180.0 / 3600.0)
    assert first.line_dc_kWh[0] / first.rectifier_ac_kWh[0] == pytest.approx(0.985)
    assert then.counter_s[0] == pytest.approx(3120.0)
    assert day.counter_s[0] == pytest.approx(6300.0)
    assert day.rectifier_ac_kWh[0] == pytest.approx(1000.0 * 6300.0 / 3600.0)


@pytest.mark.parametrize("every_s", [60, 300, 900])
@pytest.mark.parametrize("offset_s", [0, 1, 59, 419, 899])
def test_no_metered_energy_is_lost_at_the_ends_of_hours(every_s: int, offset_s: int) -> None:
    ledger = Ledger(1, current_efficiency=0.93)
    accounts: list[WindowAccount] = []
    for s in range(0, 6 * 3600 + 1, 5):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s % every_s == offset_s // 5 * 5 % every_s:
            # Each meter is read a little off its time.
            at_us = second(s + 0.5 * ((s // every_s) % 3))
            ledger.register(at_us, 0, "line_dc_energy_kWh", 985.0 * s / 3600.0)
            ledger.register(at_us, 0, "rectifier_ac_energy_kWh", 1000.0 * s / 3600.0)
        accounts += ledger.close(second(s))
    hours = by_window(accounts, "hour")
    assert len(hours) >= 4
    for hour in hours[1:]:
        assert hour.counter_s[0] == pytest.approx(3600.0)
        assert hour.rectifier_ac_kWh[0] == pytest.approx(1000.0, rel=2e-3)


def closed_at(pairs_s: list[int]) -> float:
    """Seconds after its end at which the first hour is given out."""
    ledger = Ledger(1, current_efficiency=0.93)
    for s in range(0, 7200):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s in pairs_s:
            for name in ("line_dc_energy_kWh", "rectifier_ac_energy_kWh"):
                ledger.register(second(s), 0, name, s / 3.6)
        if ledger.close(second(s)):
            return s - 3600
    raise AssertionError("the hour was never given out")


@pytest.mark.parametrize(
    ("pairs_s", "after_s"),
    [
        ([], 120),
        ([900], 120),
        ([900, 1800, 2700, 3600], 120),
        ([420, 1320, 2220, 3120, 4020], 420),
        ([420, 1320, 2220, 3120], 120 + 900),
        ([420, 1320], 120),
        ([10, 1810, 3000], 120 + 900),
    ],
)
def test_an_hour_waits_for_registers_only_while_they_may_come(pairs_s: list[int], after_s: int) -> None:
    assert closed_at(pairs_s) == after_s


def test_how_often_it_is_closed_makes_no_difference_to_registers() -> None:
    rng = np.random.default_rng(11)
    reads_s = np.unique(np.concatenate(([5], np.cumsum(rng.choice([295, 300, 305, 900, 2400], 60)))))
    seldom, often = Ledger(1, current_efficiency=0.93), Ledger(1, current_efficiency=0.93)
    seen: list[WindowAccount] = []
    expected: list[WindowAccount] = []
    for s in range(0, int(reads_s[-1]) + 7200, 5):
        for ledger in (seldom, often):
            ledger.add(second(s), np.array([4.0]), np.array([3e5]))
            if s in reads_s:
                ledger.register(second(s), 0, "line_dc_energy_kWh", 985.0 * s / 3600.0)
                ledger.register(second(s), 0, "rectifier_ac_energy_kWh", 1000.0 * s / 3600.0)
        expected += often.close(second(s))
        if s % 1010 == 0:
            seen += seldom.close(second(s))
    seen += seldom.close(second(1e6), final=True)
    expected += often.close(second(1e6), final=True)
    assert bits(seen) == bits(expected)


def test_register_that_was_reset_drops_one_span() -> None:
    ledger = Ledger(1, current_efficiency=0.93)
    for s in range(0, 3541, 60):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s % 600 == 0:
            value = s / 3.6 if s < 1800 else (s - 1800) / 3.6
            ledger.register(second(s), 0, "line_dc_energy_kWh", 0.985 * value)
            ledger.register(second(s), 0, "rectifier_ac_energy_kWh", value)
    hour = by_window(ledger.close(second(1e5), final=True), "hour")[0]
    assert hour.counter_s[0] == pytest.approx(2400.0)
    assert hour.rectifier_ac_kWh[0] == pytest.approx(2400.0 / 3.6)


def test_auxiliaries_are_read_by_themselves() -> None:
    ledger = Ledger(1, current_efficiency=0.93)
    for s in range(0, 3541, 60):
        ledger.add(second(s), np.array([4.0]), np.array([3e5]))
        if s % 900 == 0:
            ledger.register(second(s), 0, "auxiliary_ac_energy_kWh", 5.0 + s / 3600.0 * 36.0)
    hour = by_window(ledger.close(second(1e5), final=True), "hour")[0]
    assert hour.auxiliary_s[0] == 2700.0
    assert hour.auxiliary_ac_kWh[0] == pytest.approx(27.0)
    assert hour.counter_s[0] == 0.0
