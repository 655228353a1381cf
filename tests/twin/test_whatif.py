"""What a change does: signs and ranges of row 15 of docs/validation.md, batches, refusals."""

from functools import cache

import numpy as np
import pytest

from twin.cell_state import SURFACES, CellStatus
from twin.forecast_present import nominal_present
from twin.params import params_for
from twin.whatif import TOLD, Change, ChangeError, WhatIf, check_change, what_if

CELL = params_for("generic_300kA", 300e3)
PRESENT = nominal_present([CELL])
CHANGES = {
    "voltage up": Change(voltage_V=0.1),
    "voltage down": Change(voltage_V=-0.1),
    "wider": Change(acd_mm=2.0),
    "more cover": Change(cover_m=0.04),
    "less cover": Change(cover_m=-0.04),
    "more AlF3": Change(alf3_pct=1.0),
    "less AlF3": Change(alf3_pct=-1.0),
    "more current": Change(line_current_A=10e3),
    "warmer room": Change(ambient_temp_C=10.0),
    "nothing": Change(),
    "cover for voltage": Change(voltage_V=-0.05, cover_m=0.06),
}


@cache
def found() -> WhatIf:
    """All changes to one cell, in one batch."""
    return what_if(PRESENT, list(CHANGES.values()))


def effect(change: str, quantity: str, at: int = -1) -> float:
    """Change of a quantity; ``at``: at once, 24 h, 72 h, at rest."""
    k = TOLD.index(quantity)
    return float(found().after[at, 0, list(CHANGES).index(change), k] - found().before[0, k])


def test_100_mV_row_15():
    for change, sign in (("voltage up", 1.0), ("voltage down", -1.0)):
        assert effect(change, "cell_voltage_V", 0) == pytest.approx(sign * 0.1, abs=0.002)
        assert 0.0 < sign * effect(change, "superheat_C") <= 2.0
        assert sign * effect(change, "bath_temp_C") > 5.0
        assert sign * effect(change, "ledge_bath_mm") < -10.0
        assert sign * effect(change, "excess_alf3_pct") < -0.5
        assert sign * effect(change, "heat_loss_kW") > 25.0
        assert sign * effect(change, "kwh_per_t", 0) == pytest.approx(315, abs=15)
    assert 5.0 < effect("voltage up", "bath_temp_C", 1) < 10.0
    # Superheat is fast, ledge slow: a third of the ledge is still there after one day.
    assert effect("voltage up", "ledge_bath_mm", 0) > -1.0
    assert effect("voltage up", "ledge_bath_mm", 1) > 0.9 * effect("voltage up", "ledge_bath_mm")


@pytest.mark.parametrize(
    ("change", "signs"),
    [
        ("wider", {"gap_mm": 1, "cell_voltage_V": 1, "bath_temp_C": 1, "kwh_per_t": 1}),
        ("more cover", {"bath_temp_C": 1, "superheat_C": 1, "ledge_bath_mm": -1}),
        ("less cover", {"bath_temp_C": -1, "superheat_C": -1, "ledge_bath_mm": 1}),
        ("more AlF3", {"bath_temp_C": -1, "excess_alf3_pct": 1, "efficiency_frac": 1, "kwh_per_t": -1}),
        ("less AlF3", {"bath_temp_C": 1, "excess_alf3_pct": -1}),
        ("more current", {"bath_temp_C": 1, "superheat_C": 1, "ledge_metal_mm": -1, "cell_voltage_V": 1}),
        ("warmer room", {"bath_temp_C": 1, "ledge_bath_mm": -1}),
    ],
)
def test_signs(change: str, signs: dict[str, int]):
    for quantity, sign in signs.items():
        assert sign * effect(change, quantity) > 0.0, quantity
        assert sign * effect(change, quantity, 2) > 0.0, quantity


def test_distance_is_what_was_asked_for_at_once():
    assert effect("wider", "gap_mm", 0) == pytest.approx(2.0, abs=0.1)
    # 0.03 to 0.04 V per millimetre at 0.9 A/cm2.
    assert 0.06 < effect("wider", "cell_voltage_V", 0) < 0.08
    assert effect("more current", "gap_mm", 0) == pytest.approx(0.0, abs=0.1)


def test_alf3_is_fed_and_liquidus_falls_by_its_slope():
    assert 0.7 < effect("more AlF3", "excess_alf3_pct", 1) < 1.1
    # -4.4 K per wt% at 11 % AlF3 (Solheim), steeper at 12.
    assert -6.0 < effect("more AlF3", "bath_temp_C", 2) < -3.5
    assert abs(effect("more AlF3", "superheat_C")) < 0.3


def test_cover_loses_less_through_itself_and_more_through_the_side():
    at = list(CHANGES).index("more cover")
    loss = found().loss_after_kW[-1, 0, at] - found().loss_before_kW[0]
    by = dict(zip(SURFACES, loss, strict=True))
    assert by["cover"] < -5.0
    assert by["side_metal"] > 2.0
    # At rest what does not leave by the top leaves elsewhere, but for what efficiency takes.
    assert abs(loss.sum()) < 0.25 * abs(by["cover"] + by["off_gas"])
    assert found().loss_before_kW[0].sum() == pytest.approx(
        found().before[0, TOLD.index("heat_loss_kW")], abs=0.1
    )


def test_nothing_changed_is_nothing():
    at = list(CHANGES).index("nothing")
    assert np.array_equal(found().after[:, 0, at], np.tile(found().before[0], (4, 1)))
    assert np.all(found().change_sd[:, 0, at] == 0.0)


def test_effect_is_surer_than_the_state_and_energy_is_saved_with_cover():
    up = list(CHANGES).index("voltage up")
    bath = TOLD.index("bath_temp_C")
    assert 0.0 < found().change_sd[1, 0, up, bath] < 4.0
    assert found().before_sd[0, bath] == pytest.approx(PRESENT.bath_temp_sd_C[0], rel=0.05)
    assert found().after_sd[-1, 0, up, bath] > found().before_sd[0, bath]
    assert effect("cover for voltage", "kwh_per_t") < -50.0
    assert abs(effect("cover for voltage", "bath_temp_C")) < 8.0
    assert found().at_rest.all()
    assert np.all(found().status[0, : len(CHANGES)] & CellStatus.STATE_INVALID == 0)


def test_batch_of_cells_and_changes_is_the_same_as_one_by_one():
    both = nominal_present([params_for("generic_500kA", 500e3), CELL])
    changes = [CHANGES["voltage up"], CHANGES["more cover"]]
    batch = what_if(both, changes, bands=False)
    alone = what_if(PRESENT, [changes[1]], bands=False)
    assert np.array_equal(batch.after[:, 1, 1], alone.after[:, 0, 0])
    assert np.isnan(batch.change_sd).all()
    # Bands are made of other members: they do not move the best estimate.
    assert np.array_equal(alone.after[:, 0, 0], found().after[:, 0, list(CHANGES).index("more cover")])
    assert batch.trace.shape[1:3] == (2, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Change(voltage_V=2.5), "cell voltage would be 6.7 V"),
        (Change(voltage_V=-1.2), "valid from 3.2"),
        (Change(acd_mm=-30.0), "anode to metal distance"),
        (Change(cover_m=1.0), "anode cover would be 1.12 m"),
        (Change(alf3_pct=12.0), "excess AlF3 would be 24 wt%"),
        (Change(line_current_A=-200e3), "line current would be 100 kA"),
        (Change(ambient_temp_C=80.0), "air in the room"),
        (Change(voltage_V=float("nan")), "a number is needed"),
    ],
)
def test_changes_beyond_validity_are_refused(change: Change, says: str):
    with pytest.raises(ChangeError, match=says):
        check_change(PRESENT, 0, change)
    with pytest.raises(ChangeError, match=says):
        what_if(PRESENT, [Change(voltage_V=0.01), change])


def test_no_change_at_all_is_refused():
    with pytest.raises(ChangeError, match="at least one"):
        what_if(PRESENT, [])
