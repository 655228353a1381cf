"""What a line's point of energy has beyond a cell's."""

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from edge.line_fields import LINE_FIELDS, line_fields
from twin.energy import METAL_KG_PER_KAH, WindowAccount
from twin.intensity import indicators, line_indicators
from twin.limits import load_limits

LIMITS = load_limits()
ZONE = ZoneInfo("Asia/Shanghai")
#: 2026-03-01 00:00 in Shanghai.
START_US = 1_772_294_400_000_000


def of_line(
    volt: tuple[float, float] = (3.95, 4.30), auxiliary_s: float = 3600.0, covered: float = 1.0
) -> list[dict[str, float]]:
    """Two lines of one 500 kA cell each, an hour; auxiliaries take 3 % of the first line's energy."""
    charge = np.full(2, 500.0) * covered
    lines = np.array([0, 1])
    account = WindowAccount(
        window="hour",
        start_us=START_US,
        end_us=START_US + 3_600_000_000,
        dc_energy_kWh=np.array(volt) * charge,
        charge_kAh=charge,
        metal_kg=METAL_KG_PER_KAH * charge * 0.93,
        current_efficiency=np.full(2, 0.93),
        heat_loss_kW=np.full(2, 600.0),
        covered_s=np.full(2, 3600.0 * covered),
        coverage=np.full(2, covered),
        rectifier_ac_kWh=np.zeros(2),
        line_dc_kWh=np.zeros(2),
        counter_s=np.zeros(2),
        auxiliary_ac_kWh=np.full(2, 60.0) * auxiliary_s / 3600.0,
        auxiliary_s=np.full(2, auxiliary_s),
    )
    found = line_indicators(indicators(account, lines, LIMITS), account, lines, LIMITS)
    return [line_fields(account, found, i, [300.0, 100.0], LIMITS, ZONE) for i in (0, 1)]


def test_comprehensive_electricity_and_surcharge() -> None:
    good, bad = of_line()
    metal_t = METAL_KG_PER_KAH * 500.0 * 0.93 / 1000.0
    ac = 1000.0 * 3.95 / (METAL_KG_PER_KAH * 0.93) / 0.985
    assert tuple(good) == LINE_FIELDS
    assert good["comprehensive_ac_kwh_per_t"] == pytest.approx(ac + 60.0 / metal_t)
    assert good["tariff_surcharge_cny_per_kwh"] == 0.0
    # Energy reference 4.1: 14372.7 kWh/t is 53.6 steps over 13300, so 54.
    assert bad["comprehensive_ac_kwh_per_t"] == pytest.approx(14372.74, abs=0.01)
    assert bad["tariff_surcharge_cny_per_kwh"] == pytest.approx(0.54)
    # Energy reference 6.1, 6.3: 1.470832 + 0.263160.
    assert good["co2e_t_per_t"] == pytest.approx(1.733992)


def test_shares_are_the_sites_by_rated_current() -> None:
    for fields in of_line():
        assert fields["benchmark_capacity_share"] == pytest.approx(0.75)
        assert fields["below_baseline_capacity_share"] == pytest.approx(0.25)


def test_what_is_not_known_is_left_out() -> None:
    unread = of_line(auxiliary_s=900.0)[0]
    assert "comprehensive_ac_kwh_per_t" not in unread
    assert "tariff_surcharge_cny_per_kwh" not in unread
    uncovered = of_line(covered=0.5)[0]
    assert "benchmark_capacity_share" not in uncovered
    # Half of the metal, and half of the auxiliaries.
    assert uncovered["comprehensive_ac_kwh_per_t"] == pytest.approx(
        of_line()[0]["comprehensive_ac_kwh_per_t"]
    )
