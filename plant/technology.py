"""The cell designs that the simulated plant can be built of."""

from typing import NamedTuple


class Technology(NamedTuple):
    """One cell design, as its plant would state it.

    Attributes
    ----------
    name
        Technology name in ``plant.toml``.
    rated_current_A
        Line current [A].
    n_anodes, n_feeders, n_shell
        Number per cell; the first half of the anodes stands on the ``up`` side.
    anode_length_mm, anode_width_mm, anode_height_mm
        New anode block [mm].
    anode_life_h
        Time between two changes of the same anode [h].
    shot_mass_kg
        Nominal alumina per shot of one feeder [kg].
    tap_interval_h
        Time between two taps of a cell [h].
    nominal_voltage_V
        Middle of the voltage set points [V].
    shell_sides
        Side of each shell sensor.
    metal_area_m2
        Metal pad inside the ledge [m2].
    perimeter_m
        Length of the ledge around the pad [m].
    metal_kg, bath_kg
        Held after a tap [kg].
    """

    name: str
    rated_current_A: float
    n_anodes: int
    n_feeders: int
    n_shell: int
    anode_length_mm: float
    anode_width_mm: float
    anode_height_mm: float
    anode_life_h: float
    shot_mass_kg: float
    tap_interval_h: float
    nominal_voltage_V: float
    shell_sides: tuple[str, ...]
    metal_area_m2: float
    perimeter_m: float
    metal_kg: float
    bath_kg: float


_SIDES = ("up", "up", "up", "down", "down", "down", "duct", "tap")
_P300 = Technology(
    name="P300",
    rated_current_A=300e3,
    n_anodes=30,
    n_feeders=4,
    n_shell=8,
    anode_length_mm=1550.0,
    anode_width_mm=720.0,
    anode_height_mm=600.0,
    anode_life_h=600.0,
    shot_mass_kg=1.8,
    tap_interval_h=24.0,
    nominal_voltage_V=4.08,
    shell_sides=_SIDES,
    metal_area_m2=52.0,
    perimeter_m=34.7,
    metal_kg=23800.0,
    bath_kg=7000.0,
)
_P180 = _P300._replace(
    name="P180",
    rated_current_A=180e3,
    n_anodes=20,
    n_feeders=3,
    anode_length_mm=1450.0,
    anode_width_mm=690.0,
    anode_life_h=560.0,
    metal_area_m2=32.0,
    perimeter_m=24.0,
    metal_kg=14500.0,
    bath_kg=4300.0,
)
_P500 = _P300._replace(
    name="P500",
    rated_current_A=500e3,
    n_anodes=48,
    n_feeders=6,
    anode_length_mm=1650.0,
    anode_width_mm=710.0,
    anode_height_mm=620.0,
    anode_life_h=672.0,
    metal_area_m2=85.0,
    perimeter_m=53.0,
    metal_kg=39000.0,
    bath_kg=11500.0,
)

#: Designs by name; areas and masses grow with the current.
TECHNOLOGIES: dict[str, Technology] = {t.name: t for t in (_P180, _P300, _P500)}
