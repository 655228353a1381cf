"""The simulated line against published figures, conservation and the statistics of real traces."""

import itertools
from typing import Any

import numpy as np
import pytest

from plant.cells import changes
from plant.line import Line
from plant.operations import HANDOVER_FROM_S, HANDOVER_TO_S, SHIFT_S, change_second
from plant.state import BOTTOM, BROUGHT, REACTED, SIDE, SUPPLIED, TOP
from plant.supply import Outage
from plant.technology import TECHNOLOGIES
from plant.thermal import contact_share, liquidus, shell_flux

START_US = 1_767_225_600_000_000
HOURS = 5


def busy_cells(run: Any) -> set[int]:
    """Cells that were tapped or got an anode in the record or shortly before it."""
    recent = changes(run.line.technology, 8, 7, -5 * 3600.0, HOURS * 3600.0)
    busy = {c.cell for c in recent}
    events = itertools.chain.from_iterable(c.events for c in run.chunks)
    return busy | {run.line.cell_ids.index(e.cell) for e in events if e.event == "tap"}


def five_minutes(voltage: np.ndarray) -> np.ndarray:
    return voltage.reshape(-1, 300, voltage.shape[1]).mean(axis=1)


def test_liquidus_near_the_measured_one() -> None:
    # Entner/Haupin example 4.2: 959.4 degC at A 10, C 6.5, O 3.0 (0.3 MgF2); two published fits differ by 1-3 degC.
    assert liquidus(10.0, 6.5, 3.0) == pytest.approx(959.4, abs=3.0)
    # The same fit evaluated by others: J. Min. Metall. B (2014), without LiF and KF.
    for alf3, caf2, alumina, expected in (
        (0, 0, 0, 1011.00),
        (11, 5, 3, 961.53),
        (13, 5, 2.5, 955.02),
        (9, 5, 3, 968.57),
    ):
        assert liquidus(float(alf3), float(caf2), float(alumina)) == pytest.approx(expected, abs=0.006)


def test_shell_flux_at_four_temperatures() -> None:
    # Natural convection 1.31 dT^(1/3) and radiation 0.85: 4.86, 7.00, 12.9, 21.5 kW/m2 in 35 degC air.
    for shell_C, kW in ((250.0, 4.86), (300.0, 7.00), (400.0, 12.9), (500.0, 21.5)):
        assert shell_flux(shell_C, 35.0) / 1000.0 == pytest.approx(kW, rel=0.01)


def test_metal_by_faraday(run: Any) -> None:
    # Qatalum: 2277 kg/day at 300 kA and CE 94.2 %.
    tapped = np.zeros(8)
    for event in itertools.chain.from_iterable(c.events for c in run.chunks):
        if event.event == "tap":
            tapped[run.line.cell_ids.index(event.cell)] += event.attributes["metal_kg"]
    made = run.line.truth()["metal_kg"] - run.first["metal_kg"] + tapped
    efficiency = 0.5 * (run.line.truth()["current_efficiency"] + run.first["current_efficiency"])
    per_day = made * 24.0 / HOURS * 0.942 / efficiency * 3e5 / run.all("line_current_A").mean()
    assert per_day == pytest.approx(2277.0, rel=0.005)


def test_alumina_is_conserved(run: Any) -> None:
    fed = np.zeros(8)
    for event in itertools.chain.from_iterable(c.events for c in run.chunks):
        if event.event == "alumina_feed":
            fed[run.line.cell_ids.index(event.cell)] += event.attributes["mass_kg"]
    last = run.line.truth()
    efficiency = 0.5 * (last["current_efficiency"] + run.first["current_efficiency"])
    # 1.76123e-4 kg Al2O3 per s, kA and unit of CE.
    used = 1.76123e-4 * 300.0 * efficiency * HOURS * 3600.0
    held = last["alumina_held_kg"] - run.first["alumina_held_kg"]
    assert fed * run.first["shot_factor"] - used == pytest.approx(held, abs=0.025 * used.mean())


def test_starts_settled(run: Any) -> None:
    last = run.line.truth()
    for state in (run.first, last):
        superheat = state["bath_temp_C"] - state["liquidus_temp_C"]
        assert np.all((superheat > 4.5) & (superheat < 12.5))
        assert np.all((state["bath_temp_C"] > 952.0) & (state["bath_temp_C"] < 972.0))
        assert np.all((state["ledge_mm"] > 45.0) & (state["ledge_mm"] < 120.0))
    shell = run.all("shell_temp_C").reshape(HOURS, 3600, 8, 8).mean(axis=1)
    assert shell.min() > 200.0
    assert shell.max() < 370.0
    # Real shell temperatures drift up to 6 degC/h (smelter_10h_2022).
    assert np.abs(np.diff(shell, axis=0)).max() < 9.0


def test_bar_ends_are_healthy(run: Any) -> None:
    # Ends at 150-280 degC; some 15-25 K from the coldest to the hottest of a cell (cagtic.cn, physics.md 7.2).
    bars = run.all("collector_bar_temp_C")
    mean = bars.mean(axis=0)
    assert mean.shape == (8, 16)
    assert np.all((mean > 150.0) & (mean < 280.0))
    assert 14.0 < np.median(np.ptp(mean, axis=1)) < 26.0
    noise = np.diff(bars[::60], axis=0).std(axis=0) / np.sqrt(2.0)
    assert np.all((noise > 0.6) & (noise < 2.0))


def test_energy_intensity_spans_the_limits(run: Any) -> None:
    volt, efficiency = run.all("cell_voltage_V").mean(axis=0), run.line.truth()["current_efficiency"]
    dc = 2979.98 * volt / efficiency
    assert 12_700.0 < dc.mean() < 13_300.0
    assert (dc / 0.978).min() < 13_000.0
    assert (dc / 0.978).max() > 13_350.0


def test_voltage_noise_like_real_traces(run: Any) -> None:
    # smelter_126kA: sigma 4.2 mV at 7.2 s against the 440 s median, ACF 0.82, 0.55, 0.27 at 7, 14, 22 s; the
    # noisier cell of smelter_10h_2022 has 13 mV.
    quiet = sorted(set(range(8)) - busy_cells(run))
    volt = run.all("cell_voltage_V")[:17990].reshape(-1, 7, 8).mean(axis=1)
    window = np.lib.stride_tricks.sliding_window_view(volt, 63, axis=0)
    rest = (volt[31:-31] - np.median(window, axis=-1))[:, quiet]
    sigma = rest.std(axis=0)
    assert np.all((sigma > 0.0035) & (sigma < 0.014))
    for lag, expected in ((1, 0.82), (2, 0.55), (3, 0.30)):
        acf = (rest[lag:] * rest[:-lag]).mean(axis=0) / rest.var(axis=0)
        assert np.median(acf) == pytest.approx(expected, abs=0.1)


def test_feed_cycle_swing(run: Any) -> None:
    # Real traces: 35-57 mV, cycles of 30-60 min.
    quiet = sorted(set(range(8)) - busy_cells(run))
    assert quiet
    swing = np.ptp(np.percentile(five_minutes(run.all("cell_voltage_V"))[:, quiet], (3, 97), axis=0), axis=0)
    assert 0.033 < np.median(swing) < 0.065
    modes = [
        e for c in run.chunks for e in c.events if e.event == "feed_mode" and e.attributes["mode"] == "under"
    ]
    per_cell = sum(run.line.cell_ids.index(e.cell) in quiet for e in modes) / len(quiet)
    assert 40.0 < HOURS * 60.0 / per_cell < 110.0


def test_anode_currents_carry_the_line(run: Any) -> None:
    ratio = run.all("anode_current_A").sum(axis=2) / run.all("line_current_A")[:, None]
    assert np.abs(ratio - 1.0).max() < 0.015


def test_pickup_within_published_ranges() -> None:
    # 50 % of a full anode at 6-12 h, 90 % at 16-30 h across plants; here the first is held, the second nearly.
    line = Line(n_cells=12, seed=3, start_us=START_US)
    share = line.advance(60).anode_current_A.mean(axis=0)
    share /= np.median(share, axis=1, keepdims=True)
    young = [
        (-c.second / 3600.0, share[c.cell, c.anode])
        for c in changes(line.technology, 12, 3, -40 * 3600.0, 0.0)
    ]
    assert all(s < 0.5 for age, s in young if age < 6.0)
    assert all(s > 0.5 for age, s in young if age > 12.5)
    assert all(s > 0.85 for age, s in young if age > 20.0)
    assert np.mean([s for age, s in young if age < 2.5]) < 0.12


def test_contact_share_is_a_share() -> None:
    shares = [contact_share(float(mm), 30.0) for mm in range(0, 200, 5)]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] == pytest.approx(1.0, abs=1e-6)


def test_calendar_is_one_change_per_interval() -> None:
    t = TECHNOLOGIES["P300"]
    found = changes(t, 3, 5, -600 * 3600.0, 600 * 3600.0)
    for cell in range(3):
        mine = [c for c in found if c.cell == cell]
        # Nothing is begun for an hour around the handover of a shift: it is done when the next crew has come.
        assert np.diff([c.second for c in mine]) == pytest.approx(20 * 3600.0, abs=1801.0 + 4200.0)
        assert not any(HANDOVER_FROM_S <= c.second % SHIFT_S < HANDOVER_TO_S for c in mine)
        assert sorted(c.anode for c in mine[:30]) == list(range(30))
    assert change_second(100.0, 72000.0, -1) < 0.0 < change_second(1000.0, 72000.0, 0)


def test_same_whatever_the_blocks() -> None:
    one, two = (Line(n_cells=2, seed=5, start_us=START_US) for _ in range(2))
    whole = one.advance(1837)
    parts = [two.advance(n) for n in (1, 599, 37, 1200)]
    for name in (
        "line_current_A",
        "cell_voltage_V",
        "anode_current_A",
        "shell_temp_C",
        "collector_bar_temp_C",
        "duct_gas_temp_C",
        "time_us",
    ):
        assert np.array_equal(np.concatenate([getattr(p, name) for p in parts]), getattr(whole, name))
    assert [e for p in parts for e in p.events] == whole.events
    assert [s for p in parts for s in p.samples] == whole.samples
    assert [c for p in parts for c in p.counters] == whole.counters


def test_seed_decides() -> None:
    one, two = (Line(n_cells=2, seed=seed, start_us=START_US).advance(60) for seed in (1, 2))
    assert not np.array_equal(one.cell_voltage_V, two.cell_voltage_V)


def test_opening_log_tells_past_changes_and_visits(run: Any) -> None:
    opening = [e for e in run.chunks[0].events if e.event == "anode_change" and e.time_us < START_US]
    assert {e.received_us for e in opening} == {START_US}
    assert len(opening) == len(changes(run.line.technology, 8, 7, -48 * 3600.0, 0.0))
    assert len([s for s in run.chunks[0].samples if s.signal == "bath_temp_C" and s.time_us < START_US]) == 8


def test_samples_arrive_later_and_tell_the_truth(run: Any) -> None:
    samples = [s for c in run.chunks for s in c.samples]
    assert all(s.received_us >= s.time_us for s in samples)
    truth = run.first["bath_temp_C"]
    first = [s for s in samples if s.signal == "bath_temp_C" and s.time_us < START_US]
    assert [s.value for s in first] == pytest.approx(truth, abs=7.0)


def test_metal_is_analysed_at_every_tap(run: Any) -> None:
    samples = [s for c in run.chunks for s in c.samples]
    taps = [e for c in run.chunks for e in c.events if e.event == "tap"]
    assert taps
    for signal, low, high in (("metal_iron_ppm", 500.0, 1200.0), ("metal_silicon_ppm", 200.0, 600.0)):
        found = [s for s in samples if s.signal == signal and s.time_us >= START_US]
        assert sorted(s.time_us for s in found) == sorted(e.time_us for e in taps)
        # Healthy metal: at most 1000 ppm Fe and 600 ppm Si (cagtic.cn); hours until the laboratory knows.
        assert all(low < s.value < high and s.received_us - s.time_us >= 2 * 3_600_000_000 for s in found)


def test_counters_agree_with_the_readings(run: Any) -> None:
    dc = [c for chunk in run.chunks for c in chunk.counters if c.counter == "line_dc_energy_kWh"]
    ac = [c for chunk in run.chunks for c in chunk.counters if c.counter == "rectifier_ac_energy_kWh"]
    seconds = (dc[-1].time_us - dc[0].time_us) // 1_000_000
    power = run.all("cell_voltage_V").sum(axis=1) * run.all("line_current_A") / 1000.0
    assert dc[-1].value - dc[0].value == pytest.approx(power[1 : seconds + 1].sum() / 3600.0, rel=1e-3)
    assert (dc[-1].value - dc[0].value) / (ac[-1].value - ac[0].value) == pytest.approx(0.978, abs=1e-4)


@pytest.mark.parametrize("technology", ["P180", "P500"])
def test_other_technologies_settle_too(technology: str) -> None:
    line = Line(n_cells=2, seed=4, start_us=START_US, technology=technology)
    chunk = line.advance(1800)
    state = line.truth()
    assert np.all((state["bath_temp_C"] > 945.0) & (state["bath_temp_C"] < 980.0))
    assert np.all(np.abs(chunk.cell_voltage_V.mean(axis=0) - state["target_V"]) < 0.12)
    assert chunk.anode_current_A.shape[2] == TECHNOLOGIES[technology].n_anodes


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="P300"):
        Line(n_cells=1, seed=1, start_us=START_US, technology="P999")
    with pytest.raises(ValueError, match="n_cells"):
        Line(n_cells=0, seed=1, start_us=START_US)


def test_outage_and_restart() -> None:
    # VAW CA240 (1991): three hours without current, measured bath inside 910-980 degC after a four-hour preheat;
    # without one it may end a little below, and nothing but a restart with more voltage brings it back.
    outage = Outage(1800.0, 3 * 3600.0)
    line = Line(n_cells=3, seed=7, start_us=START_US, outages=[outage])
    chunks = [line.advance(1800) for _ in range(7)]
    cold = line.truth()
    current = np.concatenate([c.line_current_A for c in chunks])
    volt = np.concatenate([c.cell_voltage_V for c in chunks])
    assert np.all(current[1900:12500] == 0.0)
    assert np.all((volt[1900:12500] > 1.0) & (volt[1900:12500] < 1.7))
    assert np.all((cold["bath_temp_C"] > 885.0) & (cold["bath_temp_C"] < 945.0))
    modes = [(e.time_us, e.attributes["mode"]) for c in chunks for e in c.events if e.event == "feed_mode"]
    assert [m for _, m in modes].count("stop") == 3
    fed = [
        e
        for c in chunks
        for e in c.events
        if e.event in ("alumina_feed", "tap", "anode_change") and e.time_us > START_US + 1_900_000_000
    ]
    assert not [e for e in fed if e.time_us < START_US + 12_500_000_000]
    for _ in range(8):
        chunks.append(line.advance(1800))
    warm = line.truth()
    assert np.all(warm["bath_temp_C"] > cold["bath_temp_C"] + 15.0)
    # The set voltage is lifted while the cells are cold.
    again = chunks[-2].cell_voltage_V.mean(axis=0)
    assert np.all(again - line.truth()["target_V"] > 0.05)
    assert not np.isnan(np.concatenate([c.anode_current_A for c in chunks])).any()
    with pytest.raises(ValueError, match="outage"):
        Line(n_cells=1, seed=1, start_us=START_US, outages=[Outage(-5.0, 60.0)])


def test_mass_and_energy_close() -> None:
    line = Line(n_cells=2, seed=11, start_us=START_US)
    first = line.truth()
    for _ in range(24):
        line.advance(3600)
    last = line.truth()
    account = last["account_J"]
    left = account[:, SUPPLIED] - account[:, [REACTED, SIDE, TOP, BOTTOM]].sum(axis=1) + account[:, BROUGHT]
    assert np.all(np.abs(left - (last["stored_J"] - first["stored_J"])) < 0.005 * account[:, SUPPLIED])
    # A line of this size loses 422 to 712 kW a cell (Dupuis); top, side and bottom take their published shares.
    loss_kW = account[:, [SIDE, TOP, BOTTOM]].sum(axis=1) / 86400.0 / 1000.0
    assert np.all((loss_kW > 400.0) & (loss_kW < 712.0))
