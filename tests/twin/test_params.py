"""Technologies: what ships, how it scales, what is refused."""

from pathlib import Path

import numpy as np
import pytest

import twin.params
from twin.bath import liquidus_jmm2014
from twin.heat import nominal_bath, steady
from twin.params import (
    FIELDS,
    RANGES,
    CellParams,
    ParamsError,
    anode_area_m2,
    params_for,
    range_of,
    stack,
    technologies,
    technology_values,
)


def test_every_shipped_value_has_unit_source_and_confidence():
    assert technologies() == tuple(f"generic_{current}kA" for current in (200, 300, 400, 500, 600))
    for name in technologies():
        values = technology_values(name)
        assert set(values) == set(FIELDS)
        for field, value in values.items():
            assert value.unit, field
            assert len(value.source) > 5, field
            assert value.confidence in {"high", "medium", "low"}, field


def test_qatalum_card():
    # 300 kA, 30 anodes, 4.20 V, 600 h, 1903 kg per 20 h: one anode every 20 h, CE 94.2 to 94.5 %.
    cell = params_for("generic_300kA", None)
    assert cell.rated_current_A == 300e3
    assert cell.anode_life_h / cell.n_anodes == pytest.approx(cell.tap_interval_h)
    metal_kg = 0.335572 * 300 * 20 * cell.current_efficiency_frac
    assert metal_kg == pytest.approx(1903, rel=0.01)
    assert 300e3 / (anode_area_m2(cell) * 1e4) == pytest.approx(0.901, abs=0.001)


@pytest.mark.parametrize("current_A", [126.5e3, 200e3, 500e3, 600e3])
def test_scaling_keeps_current_density_voltage_drops_and_bath_per_ampere(current_A: float):
    base, cell = params_for(None, 300e3), params_for(None, current_A)
    assert current_A / anode_area_m2(cell) == pytest.approx(300e3 / anode_area_m2(base))
    assert cell.external_ohm * current_A == pytest.approx(base.external_ohm * 300e3)
    # Reference report 11.3: bath 20 to 25, metal 65 to 85 kg/kA, one feeder per 60 to 90 kA.
    assert 20 <= cell.bath_mass_kg / (current_A * 1e-3) <= 25
    assert 65 <= cell.metal_mass_kg / (current_A * 1e-3) <= 85
    assert 50e3 <= current_A / cell.n_feeders <= 90e3
    assert cell.n_anodes % 2 == 0
    # The end walls keep their width.
    assert cell.end_wall_frac * cell.ledge_perimeter_m == pytest.approx(
        base.end_wall_frac * base.ledge_perimeter_m
    )


def test_a_plants_own_technology_overrides_key_by_key():
    own = {"anode_length_mm": 1550, "anode_width_mm": 720, "nominal_voltage_V": 4.18, "n_shell": 8}
    cell = params_for("P300", 300e3, n_anodes=30, overrides=own)
    assert (cell.anode_length_mm, cell.anode_width_mm, cell.nominal_voltage_V) == (1550.0, 720.0, 4.18)
    assert all(type(value) is float for value in cell)


def test_number_of_anodes_alone_keeps_the_area():
    assert anode_area_m2(params_for(None, 300e3, n_anodes=20)) == pytest.approx(
        anode_area_m2(params_for(None, 300e3))
    )
    assert params_for(None, 300e3, n_anodes=0) == params_for(None, 300e3)


@pytest.mark.parametrize(
    ("technology", "current_A", "overrides", "says"),
    [
        ("P999", 300e3, None, "generic_300kA"),
        (None, None, None, "rated_current_A"),
        ("P300", None, {"shot_mass_kg": 1.8}, "rated_current_A"),
        (None, 3.0, None, "10 000"),
        (None, float("nan"), None, "10 000"),
        ("P300", 300e3, {"anode_lenght_mm": 1550}, "anode_lenght_mm"),
        ("P300", 300e3, {"anode_length_mm": -1}, "anode_length_mm"),
        ("P300", 300e3, {"anode_length_mm": 155, "anode_width_mm": 720}, "from 300 to 3000"),
        ("P300", 300e3, {"anode_length_mm": 500, "anode_width_mm": 400}, "A/cm2"),
        ("P300", 300e3, {"nominal_voltage_V": 42.0}, "from 3.2 to 6"),
        ("P300", 300e3, {"external_ohm": 6e-5}, "external_ohm"),
        ("P300", 300e3, {"current_efficiency_frac": 94.5}, "current_efficiency_frac"),
        ("P300", 300e3, {"butt_height_mm": 290, "anode_height_mm": 300, "lif_pct": -1}, "lif_pct"),
        ("P300", 300e3, {"butt_height_mm": 300, "anode_height_mm": 300}, "less than anode_height_mm"),
        ("/nowhere/own.toml", 300e3, None, "cannot be read"),
        ("P300", 300e3, {"nominal_voltage_V": float("inf")}, "nominal_voltage_V"),
    ],
)
def test_refusals_name_the_trouble(
    technology: str | None, current_A: float | None, overrides: dict[str, float] | None, says: str
):
    with pytest.raises(ParamsError, match=says):
        params_for(technology, current_A, overrides=overrides)


def test_stack_keeps_the_order_of_the_fields():
    cells = [params_for(None, 300e3), params_for(None, 500e3)]
    table = stack(cells)
    assert table.shape == (2, len(FIELDS))
    assert CellParams(*table[1].tolist()) == cells[1]
    assert stack([]).shape == (0, len(FIELDS))
    assert np.all(np.isfinite(table))


@pytest.mark.parametrize(
    ("technology", "loss_kW", "rel"),
    [
        # Entner's balance: 377 kW at 200 kA, 4.20 V, 95 %.
        ("generic_200kA", 377.0, 0.01),
        # Derived from published voltage and efficiency with assumed bus bars (reference report 4.3).
        ("generic_300kA", 597.0, 0.05),
        ("generic_600kA", 1129.0 * 600 / 570, 0.07),
    ],
)
def test_heat_loss_of_published_cells(technology: str, loss_kW: float, rel: float):
    assert steady(params_for(technology, None)).heat_loss_W * 1e-3 == pytest.approx(loss_kW, rel=rel)


@pytest.mark.parametrize("technology", technologies())
def test_every_technology_is_a_plausible_cell(technology: str):
    cell = params_for(technology, None)
    nominal = steady(cell)
    current_kA = cell.rated_current_A * 1e-3
    density = cell.rated_current_A / (anode_area_m2(cell) * 1e4)
    assert 0.80 <= density <= 0.95
    # Distances of running cells, superheat, loss per ampere, and the share of the side (22 to 33 with end walls,
    # deck and corner; the ledge alone takes less).
    assert 35.0 <= nominal.acd_mm <= 50.0
    assert 5.0 <= nominal.superheat_C <= 12.0
    assert 1.5 <= nominal.heat_loss_W / cell.rated_current_A <= 2.3
    assert 0.15 <= nominal.side_loss_W / nominal.heat_loss_W <= 0.33
    assert 200.0 <= nominal.shell_C <= 330.0
    # The rival equation must leave a superheat, too.
    assert cell.bath_temp_C - liquidus_jmm2014(nominal_bath(cell)) > 3.0
    # Mass, height and area of the metal belong together; bath and metal per kA as published.
    assert cell.metal_mass_kg == pytest.approx(cell.cathode_area_m2 * cell.metal_height_m * 2298, rel=0.03)
    assert 20 <= cell.bath_mass_kg / current_kA <= 25
    assert 65 <= cell.metal_mass_kg / current_kA <= 85
    assert 60 <= current_kA / cell.n_feeders <= 90
    # 13.3 kWh/kg is the first generation of AP60, 11.8 the best published test.
    assert 11.8 <= 2.97998 * cell.nominal_voltage_V / cell.current_efficiency_frac <= 13.4
    # A block burns down to its butt within its life: 0.41 kg carbon per kg of metal, 1.58 g/cm3.
    per_h_mm = density * 0.335572 * cell.current_efficiency_frac * 0.41 / 1.58 * 10
    assert cell.anode_height_mm - per_h_mm * cell.anode_life_h == pytest.approx(cell.butt_height_mm, abs=10)


def test_ranges_hold_every_field_and_scale_with_the_current():
    assert set(RANGES) == set(FIELDS)
    for technology in technologies():
        for name, value in technology_values(technology).items():
            low, high = range_of(name, params_for(technology, None).rated_current_A)
            assert low <= value.value <= high, name
    assert range_of("bath_mass_kg", 300e3) == (3000.0, 18000.0)
    assert range_of("external_ohm", 300e3) == pytest.approx((0.02 / 300e3, 0.60 / 300e3))


def own_file(folder: Path, old: str = "", new: str = "") -> str:
    """A plant's own set: the 400 kA one with a change."""
    shipped = Path(twin.params.__file__).parent / "data" / "technologies" / "generic_400kA.toml"
    text = shipped.read_text(encoding="utf-8")
    assert old in text
    path = folder / "own.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return str(path)


def test_a_plants_own_file_needs_no_code(tmp_path: Path):
    path = own_file(tmp_path, "nominal_voltage_V = { value = 4.15", "nominal_voltage_V = { value = 4.05")
    cell = params_for(path, None)
    assert cell == params_for("generic_400kA", None)._replace(nominal_voltage_V=4.05)
    # Overrides of a plant.toml and another current go over it as over a shipped set.
    assert params_for(path, 410e3, overrides={"shot_mass_kg": 1.1}).shot_mass_kg == 1.1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("value = 4.15,", "value = 41.5,", "nominal_voltage_V = 41.5 V: must be a number from 3.2 to 6"),
        ("value = 4.15,", 'value = "high",', "nominal_voltage_V needs a number"),
        ("value = 4.15,", "value = true,", "nominal_voltage_V needs a number"),
        ("value = 4.15,", "value = nan,", "nominal_voltage_V"),
        ('value = 1700, unit = "mm"', 'value = 1.7, unit = "m"', "anode_length_mm is in 'm'"),
        ('source = "usual without additions"', 'source = ""', "caf2_pct needs its source"),
        ('unit = "V", confidence = "medium"', 'unit = "V", confidence = "sure"', "nominal_voltage_V needs"),
        ("anode_width_mm =", "anode_breadth_mm =", "anode_breadth_mm, anode_width_mm"),
        ("bath_temp_C = { value = 964", "bath_temp_C = { value = 950", "K superheat"),
        ("[values]", "[numbers]", "no table"),
        ("[values]", "[values", "not TOML"),
    ],
)
def test_an_impossible_file_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str):
    with pytest.raises(ParamsError, match=says):
        params_for(own_file(tmp_path, old, new), None)
