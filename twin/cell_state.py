"""What the dynamic cell model holds, takes in and gives: structures of arrays, members first.

A member is one cell, or one of several copies of a cell (sigma points, futures); members know nothing of each other.
"""

from collections.abc import Sequence
from enum import IntFlag
from math import exp
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from twin.bath import alumina_saturation
from twin.cell_model import Assumed, CellModel, Constants, METAL_kg_sA, cell_model, constants_of
from twin.heat import REFERENCE_AMBIENT_C, Steady, nominal_bath, side_share, steady
from twin.jit import kernel
from twin.params import CellParams

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Sections of the ledge, in this order in all arrays.
SECTIONS = ("side_bath", "side_metal", "end_bath", "end_metal")
N_SECTIONS = 4


class CellStatus(IntFlag):
    """Why the state of a member must be read with care, or why it was not advanced (``HELD``)."""

    OK = 0
    INPUT_MISSING = 1  # NaN in the schedule
    INPUT_IMPOSSIBLE = 2  # a value that no cell can be given, or current above 1.5 of rated
    STATE_INVALID = 4  # NaN, negative mass, or 850 to 1050 degC left: equations end there
    TAP_REFUSED = 8  # more tapped than there is: nothing was tapped in this step
    ANODE_EFFECT = 16
    ALUMINA_EXHAUSTED = 32  # production is limited by what is dissolved
    ALF3_EXHAUSTED = 64  # soda and evaporation find no excess AlF3
    BATH_FREEZING = 128  # bath is frozen elsewhere than on the walls
    LEDGE_GONE = 256  # a section of the wall is bare
    COMPOSITION_RANGE = 512  # outside the range of the liquidus equation
    CURRENT_RANGE = 1024  # below half of rated: overvoltages not validated
    ANODE_SPENT = 2048  # a block is used up to its stubs
    ANODE_SHORT = 4096  # a block touches the metal, or the bubble layer fills its gap
    DRY_BATH = 8192  # less than a third of the nominal bath is liquid


#: With one of these a member stands still; its books stay closed and its clock stops.
HELD = CellStatus.INPUT_MISSING | CellStatus.INPUT_IMPOSSIBLE | CellStatus.STATE_INVALID


class Lumps(Protocol):
    """Lumped state of one member, as kernels see it; units and meaning as in ``CellState``."""

    bath_temp_C: float
    cryolite_kg: float
    alf3_kg: float
    caf2_kg: float
    lif_kg: float
    mgf2_kg: float
    kf_kg: float
    alumina_kg: float
    undissolved_kg: float
    sludge_kg: float
    metal_kg: float
    frozen_kg: float
    crust_temp_C: float
    cover_face_C: float
    cathode_temp_C: float
    in_anode_effect: float


LUMPS = tuple(Lumps.__annotations__)
#: Rows of ``CellTables.walls`` and of ``CellTables.blocks``.
LEDGE_KG, WALL_C, SHELL_C = range(3)
CARBON_KG, BLOCK_C, ON_BLOCK_KG, COVERING_KG, GAP_MM, CURRENT_A = range(6)
_WALLS = ("ledge_kg", "wall_temp_C", "shell_temp_C")
_BLOCKS = (
    "anode_kg",
    "anode_temp_C",
    "anode_frozen_kg",
    "anode_full_kg",
    "anode_gap_mm",
    "anode_current_A",
)


class CellTables(NamedTuple):
    """State of all members as kernels take it: one record and two small tables per member."""

    lumps: NDArray[np.void]  # (n_members,) records of ``LUMPS``
    walls: FloatArray  # (n_members, 3, 4)
    blocks: FloatArray  # (n_members, 6, positions)


class CellState(NamedTuple):
    """State of all members by name: views of ``CellTables``. Arrays are (n_members,) unless said."""

    bath_temp_C: FloatArray  # bath and metal
    cryolite_kg: FloatArray  # liquid
    alf3_kg: FloatArray  # excess
    caf2_kg: FloatArray
    lif_kg: FloatArray
    mgf2_kg: FloatArray
    kf_kg: FloatArray
    alumina_kg: FloatArray  # dissolved
    undissolved_kg: FloatArray
    sludge_kg: FloatArray
    metal_kg: FloatArray
    frozen_kg: FloatArray  # cryolite frozen in bulk
    ledge_kg: FloatArray  # (n_members, 4)
    wall_temp_C: FloatArray  # (n_members, 4) mean of ledge and lining
    shell_temp_C: FloatArray  # (n_members, 4)
    crust_temp_C: FloatArray
    cover_face_C: FloatArray
    cathode_temp_C: FloatArray
    anode_kg: FloatArray  # (n_members, positions) carbon
    anode_temp_C: FloatArray  # (n_members, positions) mean of the block
    anode_frozen_kg: FloatArray  # (n_members, positions) bath frozen on the block
    anode_full_kg: (
        FloatArray  # (n_members, positions) frozen bath that covers the whole block: the most it has had
    )
    anode_gap_mm: FloatArray  # (n_members, positions) to the metal
    anode_current_A: FloatArray  # (n_members, positions)
    in_anode_effect: FloatArray  # 0 or 1


class CellInputs(NamedTuple):
    """What is done to the cells: each (n_steps, n_members), or (n_steps, 1) where all members share it."""

    line_current_A: FloatArray
    ambient_temp_C: FloatArray
    beam_mm: FloatArray  # raised in this step
    voltage_set_V: FloatArray  # beam follows this cell voltage; NaN: no control
    alumina_kg_s: FloatArray  # fed, soda included
    alumina_set_pct: FloatArray  # fed on top: what is consumed, and towards this; NaN: no control
    alf3_kg_s: FloatArray
    metal_tap_kg_s: FloatArray
    bath_tap_kg_s: FloatArray
    cover_m: FloatArray
    opening_m2: FloatArray  # open crust
    anode_change: FloatArray  # position renewed in this step; -1: none
    anode_new_temp_C: FloatArray  # of the new block
    anode_allowance_mm: FloatArray  # set higher than the mean of the others


#: Heat flows over the boundary of the cell [W]: in, then out.
FLOWS_IN = ("electric", "air_burn", "new_anodes")
SURFACES = (
    "rods",
    "cover",
    "opening",
    "off_gas",
    "side_bath",
    "side_metal",
    "end_bath",
    "end_metal",
    "cradle",
    "bars",
    "bottom",
)
STREAMS = ("metal_tapped", "bath_tapped", "evaporated", "butts")
#: Inside the cell; reported, not part of the boundary.
INSIDE = (
    "external",
    "anode_ohmic",
    "cathode_ohmic",
    "melt_to_anodes",
    "melt_to_crust",
    "melt_to_cathode",
    "melt_to_side",
    "carbon_returned",
    "carbon_heating",
    "alumina_heating",
    "alf3_heating",
    "process_gas",
)
FLOWS: tuple[str, ...] = (*FLOWS_IN, "reaction", *SURFACES, *STREAMS, *INSIDE)
FLOW: dict[str, int] = {name: row for row, name in enumerate(FLOWS)}

#: What was moved [kg].
MASSES: tuple[str, ...] = (
    "metal_produced",
    "metal_tapped",
    "alumina_fed",
    "alumina_from_soda",
    "alumina_consumed",
    "alumina_tapped",
    "alf3_fed",
    "alf3_returned",
    "alf3_to_soda",
    "alf3_evaporated",
    "alf3_tapped",
    "carbon_set",
    "carbon_electrolysis",
    "carbon_burnt",
    "carbon_butts",
    "cryolite_from_soda",
    "cryolite_returned",
    "cryolite_evaporated",
    "cryolite_tapped",
    "cryolite_butts",
    "additives_tapped",
)
MASS: dict[str, int] = {name: row for row, name in enumerate(MASSES)}

#: Volts of the cell, in the order of ``twin.voltage.VoltageParts``, then the anode effect's.
VOLTS: tuple[str, ...] = (
    "reversible",
    "anode_concentration",
    "anode_surface",
    "cathode_concentration",
    "bath",
    "bubble",
    "anode",
    "cathode",
    "external",
    "anode_effect",
)

#: What can be seen or wanted of a member after a step.
SEEN: tuple[str, ...] = (
    "cell_voltage_V",
    "line_current_A",
    "bath_temp_C",
    "liquidus_C",
    "superheat_C",
    "alumina_pct",
    "excess_alf3_pct",
    "bath_kg",
    "metal_kg",
    "metal_level_mm",
    "gap_mm",
    "beam_moved_mm",
    "ledge_bath_mm",
    "ledge_metal_mm",
    "frozen_kg",
    "efficiency_frac",
    "heat_loss_kW",
    "duct_temp_C",
    "shell_bath_C",
    "alumina_feed_kg_s",
)
SEE: dict[str, int] = {name: row for row, name in enumerate(SEEN)}


class CellBooks(NamedTuple):
    """What kernels write besides the state."""

    flow_W: FloatArray  # (n_members, FLOWS) mean over the last step
    energy_J: FloatArray  # (n_members, FLOWS) since the start
    mass_kg: FloatArray  # (n_members, MASSES) since the start
    volt_V: FloatArray  # (n_members, VOLTS) of the last step
    seen: FloatArray  # (n_members, SEEN) after the last step
    clock_s: FloatArray  # (n_members,) time advanced
    charge_As: FloatArray  # (n_members,) since the start
    status: IntArray  # (n_members,) of the last step
    ever: IntArray  # (n_members,) all status bits since the start


class Cells(NamedTuple):
    """Members with their constants, state and books."""

    params: tuple[CellParams, ...]
    models: tuple[CellModel, ...]
    assumed: tuple[Assumed, ...]
    constants: Constants
    tables: CellTables
    state: CellState
    books: CellBooks


@kernel
def lumps_of(table: NDArray[np.void], c: int) -> Lumps:
    """Lumped state of member ``c``; kernels change it in place."""
    return table[c]  # pyright: ignore[reportReturnType]


@kernel
def section_face_m2(params: CellParams, section: int) -> float:
    """Ledge face of a section [m2], in the order of ``SECTIONS``."""
    share = 2.0 * side_share(3 if section < 2 else 0, params)
    height_m = params.bath_height_m if section % 2 == 0 else params.metal_height_m
    return share * params.ledge_perimeter_m * height_m


def _start_row(params: CellParams, model: CellModel, assumed: Assumed, nominal: Steady) -> CellState:
    """Nominal state of one member; anodes stand staggered through their life."""
    bath, n = nominal_bath(params), int(model.positions)
    kg = 0.01 * params.bath_mass_kg
    rest = 100.0 - sum(bath)
    thick_m = np.array([params.ledge_bath_mm, model.ledge_metal_mm] * 2) * 1e-3
    faces = np.array([section_face_m2(params, k) for k in range(N_SECTIONS)])
    life = (np.arange(n) + 0.5) / n
    left = 1.0 - life * (1.0 - params.butt_height_mm / params.anode_height_mm)
    shell = [nominal.shell_C, model.shell_metal_C] * 2
    room = 1.0 - bath.alumina_pct / alumina_saturation(bath, params.bath_temp_C)
    dissolving = assumed.dissolving_1_s * room / (1.0 + exp(-0.5 * (nominal.superheat_C - 4.0)))
    undissolved_kg = assumed.undissolved_frac * model.alumina_feed_kg_s / dissolving
    values: dict[str, object] = {
        "undissolved_kg": undissolved_kg,
        "bath_temp_C": nominal.liquidus_C + nominal.superheat_C,
        "cryolite_kg": kg * rest,
        "alf3_kg": kg * bath.excess_alf3_pct,
        "caf2_kg": kg * bath.caf2_pct,
        "lif_kg": kg * bath.lif_pct,
        "mgf2_kg": kg * bath.mgf2_pct,
        "kf_kg": kg * bath.kf_pct,
        "alumina_kg": kg * bath.alumina_pct,
        "metal_kg": params.metal_mass_kg,
        "ledge_kg": thick_m * faces * params.ledge_density_kg_m3,
        "wall_temp_C": [model.wall_bath_C, model.wall_metal_C] * 2,
        "shell_temp_C": shell,
        "crust_temp_C": assumed.crust_temp_C,
        "cover_face_C": assumed.cover_face_C,
        "cathode_temp_C": model.cathode_temp_C,
        "anode_kg": model.block_kg * left,
        "anode_temp_C": np.full(n, model.anode_temp_C),
        "anode_frozen_kg": np.zeros(n),
        "anode_full_kg": np.full(n, model.skin_kg),
        "anode_gap_mm": np.full(n, nominal.acd_mm),
        "anode_current_A": np.full(n, params.rated_current_A / n),
    }
    return CellState(*(np.asarray(values.get(name, 0.0), dtype=np.float64) for name in CellState._fields))


def start_cells(
    params: Sequence[CellParams],
    positions: int | None = None,
    assumed: Sequence[Assumed] | None = None,
) -> Cells:
    """Members at their nominal steady state.

    Parameters
    ----------
    params
        Technology of every member.
    positions
        Anodes, or groups of them, told apart in every member; None takes every anode, for which all members must
        have the same number.
    assumed
        One per member; None takes the defaults.

    Raises
    ------
    ParamsError
        A technology from which no cell can be built.
    ValueError
        Members with different numbers of anodes and no common ``positions``.
    """
    guesses = tuple(assumed) if assumed is not None else tuple(Assumed() for _ in params)
    if positions is None and len({cell.n_anodes for cell in params}) > 1:
        raise ValueError("members differ in the number of anodes: give positions")
    models = tuple(cell_model(cell, positions, guess) for cell, guess in zip(params, guesses, strict=True))
    rows = [
        _start_row(cell, model, guess, steady(cell))
        for cell, model, guess in zip(params, models, guesses, strict=True)
    ]
    n = len(params)
    tables = CellTables(
        np.zeros(n, dtype=[(name, np.float64) for name in LUMPS]),
        np.zeros((n, len(_WALLS), N_SECTIONS)),
        np.zeros((n, len(_BLOCKS), int(models[0].positions) if n else 1)),
    )
    views = {name: tables.lumps[name] for name in LUMPS}
    views |= {name: tables.walls[:, k] for k, name in enumerate(_WALLS)}
    views |= {name: tables.blocks[:, k] for k, name in enumerate(_BLOCKS)}
    state = CellState(*(views[name] for name in CellState._fields))
    for k, name in enumerate(CellState._fields):
        for c, row in enumerate(rows):
            views[name][c] = row[k]
    books = CellBooks(
        np.zeros((n, len(FLOWS))),
        np.zeros((n, len(FLOWS))),
        np.zeros((n, len(MASSES))),
        np.zeros((n, len(VOLTS))),
        np.full((n, len(SEEN)), np.nan),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )
    return Cells(tuple(params), models, guesses, constants_of(params, models, guesses), tables, state, books)


def nominal_inputs(cells: Cells, n_steps: int, dt_s: float = 10.0, anode_changes: bool = True) -> CellInputs:
    """Schedule of a plant that runs as planned: nominal current and feeds, blocks renewed in their turn.

    Parameters
    ----------
    cells
        Members.
    n_steps, dt_s
        Length of the schedule, and its step [s].
    anode_changes
        Whether blocks are renewed, the oldest position first, one per ``anode_life_h`` over positions.

    Returns
    -------
    CellInputs
        (n_steps, n_members) each. The beam follows the nominal voltage and the feed the aim of alumina; metal and
        bath are tapped as they grow.

    Notes
    -----
    New blocks take up heat: the nominal state holds on the mean of their calendar. Without it a cell gets warmer.
    """
    n = len(cells.params)

    def every(values: Sequence[float]) -> FloatArray:
        return np.tile(np.asarray(values, dtype=np.float64), (n_steps, 1))

    def same(value: float) -> FloatArray:
        return np.full((n_steps, n), value)

    metal = [cell.rated_current_A * cell.current_efficiency_frac * METAL_kg_sA for cell in cells.params]
    change = same(-1.0)
    if anode_changes:
        for c, (cell, model) in enumerate(zip(cells.params, cells.models, strict=True)):
            positions = int(model.positions)
            gap_steps = cell.anode_life_h * 3600.0 / positions / dt_s
            count = int((n_steps - 0.5) / gap_steps + 0.5)
            for k in range(count):
                change[int((k + 0.5) * gap_steps), c] = positions - 1 - k % positions
    return CellInputs(
        line_current_A=every([cell.rated_current_A for cell in cells.params]),
        ambient_temp_C=same(REFERENCE_AMBIENT_C),
        beam_mm=same(0.0),
        voltage_set_V=every([cell.nominal_voltage_V for cell in cells.params]),
        alumina_kg_s=same(0.0),
        alumina_set_pct=every([cell.alumina_pct for cell in cells.params]),
        alf3_kg_s=every([model.alf3_feed_kg_s for model in cells.models]),
        metal_tap_kg_s=every(metal),
        bath_tap_kg_s=every([model.bath_tap_kg_s for model in cells.models]),
        cover_m=every([guess.cover_m for guess in cells.assumed]),
        opening_m2=same(0.0),
        anode_change=change,
        anode_new_temp_C=same(REFERENCE_AMBIENT_C),
        anode_allowance_mm=same(0.0),
    )
