"""The one vocabulary: every measured quantity, event and code, with unit and possible range.

The names are fixed by contract: they stand on MQTT, in files, in InfluxDB and on the screen.
"""

from typing import Literal, NamedTuple

Shape = Literal["cell", "line", "anode", "shell", "bar"]
Kind = Literal["reading", "sample", "counter"]


class Signal(NamedTuple):
    """One measured quantity.

    Attributes
    ----------
    name
        Contract name, unit included.
    unit
        Unit as printed on the screen.
    shape
        What one value belongs to; ``anode``, ``shell`` and ``bar`` signals are arrays of a cell.
    kind
        ``reading`` (continuous), ``sample`` (by hand or laboratory) or ``counter`` (register of a meter).
    low, high
        Possible range [unit]: a value outside is an instrument fault, never a state of the cell.
    meaning
        One phrase for people.
    """

    name: str
    unit: str
    shape: Shape
    kind: Kind
    low: float
    high: float
    meaning: str


_ALL = (
    Signal("line_current_A", "A", "line", "reading", -1e3, 1e6, "current through all cells of the line"),
    Signal("cell_voltage_V", "V", "cell", "reading", -5.0, 100.0, "voltage between the bars of one cell"),
    Signal("beam_position_mm", "mm", "cell", "reading", -1e3, 1e3, "height of the anode beam"),
    Signal("duct_gas_temp_C", "°C", "cell", "reading", -50.0, 500.0, "temperature of the gas drawn off"),
    Signal("duct_gas_flow_Nm3_h", "Nm³/h", "cell", "reading", 0.0, 1e5, "flow of the gas drawn off"),
    Signal("ambient_temp_C", "°C", "line", "reading", -60.0, 80.0, "air in the potroom"),
    Signal("anode_current_A", "A", "anode", "reading", -1e4, 1e5, "current through one anode rod"),
    Signal("shell_temp_C", "°C", "shell", "reading", -50.0, 1100.0, "outer face of the steel shell"),
    Signal("collector_bar_temp_C", "°C", "bar", "reading", -50.0, 1100.0, "end of one cathode collector bar"),
    Signal("bath_temp_C", "°C", "cell", "sample", 700.0, 1150.0, "electrolyte, thermocouple dipped by hand"),
    Signal(
        "liquidus_temp_C",
        "°C",
        "cell",
        "sample",
        700.0,
        1100.0,
        "temperature at which the bath begins to freeze",
    ),
    Signal("excess_alf3_pct", "wt%", "cell", "sample", -5.0, 40.0, "AlF3 above cryolite composition"),
    Signal("caf2_pct", "wt%", "cell", "sample", 0.0, 20.0, "calcium fluoride in the bath"),
    Signal("alumina_pct", "wt%", "cell", "sample", 0.0, 15.0, "dissolved alumina"),
    Signal("lif_pct", "wt%", "cell", "sample", 0.0, 20.0, "lithium fluoride in the bath"),
    Signal("mgf2_pct", "wt%", "cell", "sample", 0.0, 10.0, "magnesium fluoride in the bath"),
    Signal("kf_pct", "wt%", "cell", "sample", 0.0, 10.0, "potassium fluoride in the bath"),
    Signal("bath_height_m", "m", "cell", "sample", 0.0, 1.0, "depth of bath above the metal"),
    Signal("metal_height_m", "m", "cell", "sample", 0.0, 1.0, "depth of the metal pad"),
    Signal("cathode_drop_V", "V", "cell", "sample", 0.0, 2.0, "voltage drop of the cathode lining"),
    Signal("metal_iron_ppm", "ppm", "cell", "sample", 0.0, 1e5, "iron in the tapped metal"),
    Signal("metal_silicon_ppm", "ppm", "cell", "sample", 0.0, 1e5, "silicon in the tapped metal"),
    Signal(
        "rectifier_ac_energy_kWh", "kWh", "line", "counter", 0.0, 1e13, "register, AC side of the rectifiers"
    ),
    Signal(
        "auxiliary_ac_energy_kWh",
        "kWh",
        "line",
        "counter",
        0.0,
        1e13,
        "register, fume treatment, cranes, air",
    ),
    Signal("line_dc_energy_kWh", "kWh", "line", "counter", 0.0, 1e13, "register, DC side of the rectifiers"),
)

SIGNALS: dict[str, Signal] = {signal.name: signal for signal in _ALL}

#: Readings with one value a cell; line readings are repeated for every cell of the line. Rows of ``Frame.scalar``.
SCALAR_READINGS: tuple[str, ...] = tuple(
    s.name for s in _ALL if s.kind == "reading" and s.shape in ("cell", "line")
)
#: Readings that are arrays of a cell.
ARRAY_READINGS: tuple[str, ...] = tuple(
    s.name for s in _ALL if s.kind == "reading" and s.shape in ("anode", "shell", "bar")
)
SAMPLES: tuple[str, ...] = tuple(s.name for s in _ALL if s.kind == "sample")
COUNTERS: tuple[str, ...] = tuple(s.name for s in _ALL if s.kind == "counter")

#: Events of a cell and the attributes that each may carry.
EVENTS: dict[str, tuple[str, ...]] = {
    "alumina_feed": ("mass_kg", "feeder"),
    "alf3_feed": ("mass_kg",),
    "tap": ("metal_kg", "bath_kg"),
    "anode_change": ("anode", "set_height_mm", "butt_height_mm"),
    "beam_move": ("delta_mm",),
    "cover": ("mass_kg",),
    "feed_mode": ("mode",),
    "cell_state": ("state",),
}
FEED_MODES = ("base", "under", "over", "stop", "ae")
CELL_STATES = ("STOPPED", "BAKING", "STARTUP", "NORMAL")
SIDES = ("duct", "tap", "up", "down")

#: OPC quality codes.
QUALITY_GOOD = 192
QUALITY_BAD = 0
QUALITY_STALE = 500

ALARM_KINDS: tuple[str, ...] = (
    "anode_change_unreported",
    "anode_change_missed",
    "anode_slow_pickup",
    "anode_set_low",
    "anode_set_high",
    "anode_slip",
    "anode_spike",
    "anode_burnoff",
    "anode_cracked",
    "anode_overload",
    "anode_contact",
    "ledge_thinning",
    "side_wall_hot",
    "cover_loss",
    "bottom_loss",
    "cell_cold",
    "cell_hot",
    "anode_effect_imminent",
    "anode_effect",
    "feeder_blocked",
    "sludge",
    "instability",
    "efficiency_loss",
    "sensor_fault",
    "stream_silent",
    "twin_out_of_range",
)

_ARRAY_WIDTH = {"anode_current_A": 2, "shell_temp_C": 2, "collector_bar_temp_C": 2}


def column(signal: str, number: int) -> str:
    """Name of the history column that holds one element of an array reading.

    Parameters
    ----------
    signal
        An array reading.
    number
        Counted from 1.

    Examples
    --------
    >>> column("anode_current_A", 7)
    'anode_current_A_07'
    """
    return f"{signal}_{number:0{_ARRAY_WIDTH[signal]}d}"
