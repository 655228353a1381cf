"""The dynamic cell: every kilowatt and kilogram of a cell through time, all members in one kernel call."""

from math import isnan

import numpy as np
from numpy.typing import NDArray

from twin.cell_anodes import change_anode, step_anodes, step_top_and_bottom
from twin.cell_checks import HELD_BITS, Drive, drive_at, input_status, state_status
from twin.cell_melt import (
    liquid_J_kg,
    liquid_kg,
    melt_terms,
    metal_level_mm,
    step_walls,
)
from twin.cell_model import (
    HOT_C,
    Assumed,
    CellModel,
    assumed_of,
    model_of,
    nominal_of,
    params_of,
)
from twin.cell_state import (
    FLOW,
    FLOWS,
    GAP_MM,
    LEDGE_KG,
    SEE,
    SEEN,
    SHELL_C,
    SURFACES,
    CellBooks,
    CellInputs,
    Cells,
    CellStatus,
    CellTables,
    Lumps,
    lumps_of,
    section_face_m2,
)
from twin.cell_step import (
    Electric,
    Matter,
    Melt,
    bulk_kg_s,
    look,
    move_matter,
    plan_matter,
    process_gas_W,
    step_electric,
    streams_W_of,
)
from twin.heat import Steady, equivalent_V
from twin.jit import kernel
from twin.params import CellParams

FloatArray = NDArray[np.float64]

#: Longest step: bulk freezing and the shell follow within minutes [s].
MAX_STEP_S = 60.0
_BEAM_MM_S = 0.5
#: Nearer the voltage control does not bring a block to the metal [mm].
_LEAST_GAP_MM = 25.0

_INVALID = int(CellStatus.STATE_INVALID)
_FREEZING = int(CellStatus.BATH_FREEZING)
_GONE = int(CellStatus.LEDGE_GONE)

_ELECTRIC, _REACTION = FLOW["electric"], FLOW["reaction"]
_TO_ANODES, _EXTERNAL = FLOW["melt_to_anodes"], FLOW["external"]
_ANODE_OHM, _CATHODE_OHM = FLOW["anode_ohmic"], FLOW["cathode_ohmic"]
_CARBON_BACK = FLOW["carbon_returned"]
_PROCESS_GAS, _OFF_GAS, _RODS = FLOW["process_gas"], FLOW["off_gas"], FLOW["rods"]
_FIRST_SURFACE, _N_SURFACES, _N_FLOWS = FLOW[SURFACES[0]], len(SURFACES), len(FLOWS)


_S_V, _S_I, _S_T, _S_TL = SEE["cell_voltage_V"], SEE["line_current_A"], SEE["bath_temp_C"], SEE["liquidus_C"]
_S_SH, _S_O, _S_A = SEE["superheat_C"], SEE["alumina_pct"], SEE["excess_alf3_pct"]
_S_BATH, _S_METAL, _S_LEVEL = SEE["bath_kg"], SEE["metal_kg"], SEE["metal_level_mm"]
_S_GAP, _S_BEAM, _S_LB, _S_LM = (
    SEE["gap_mm"],
    SEE["beam_moved_mm"],
    SEE["ledge_bath_mm"],
    SEE["ledge_metal_mm"],
)
_S_FROZEN, _S_CE, _S_LOSS = SEE["frozen_kg"], SEE["efficiency_frac"], SEE["heat_loss_kW"]
_S_DUCT, _S_SHELL, _S_FEED = SEE["duct_temp_C"], SEE["shell_bath_C"], SEE["alumina_feed_kg_s"]


@kernel
def _step_member(
    lumps: Lumps,
    walls: FloatArray,
    blocks: FloatArray,
    flow_W: FloatArray,
    mass_kg: FloatArray,
    volt_V: FloatArray,
    seen: FloatArray,
    drive: Drive,
    params: CellParams,
    model: CellModel,
    assumed: Assumed,
    nominal: Steady,
    dt_s: float,
) -> int:
    """Advance one member; returns its status."""
    status = input_status(drive, params, model) | state_status(lumps, walls, blocks)
    if status != 0:
        return status
    melt = look(lumps, params)
    volts = step_electric(lumps, blocks, drive.line_current_A, melt, params, model, assumed, volt_V)
    if (melt.status | volts.status) & _INVALID:
        return melt.status | volts.status
    flow_W[:] = 0.0
    matter = plan_matter(lumps, drive, melt, params, model, assumed, nominal, dt_s)
    status = melt.status | volts.status | matter.status

    heat_J, capacity_J_K = melt_terms(lumps, params.ledge_latent_J_kg)
    heat_J += capacity_J_K * (melt.bath_C - HOT_C)
    reaction_W = drive.line_current_A * equivalent_V(matter.efficiency_frac) * matter.made_frac
    streams_W = streams_W_of(lumps, drive, melt, matter, params, flow_W)
    level_mm = metal_level_mm(lumps, walls, params, model)
    chilled_kg = 0.0
    if drive.anode_change >= 0.0:
        chilled_kg = change_anode(
            lumps, blocks, melt.liquidus_C, drive, params, model, assumed, dt_s, flow_W, mass_kg
        )
    on_walls, side_W, bare = step_walls(
        lumps,
        walls,
        melt.liquidus_C,
        melt.latent_J_kg,
        drive.ambient_temp_C,
        params,
        model,
        assumed,
        dt_s,
        flow_W,
    )
    on_blocks, to_crust_W, carbon_W = step_anodes(
        lumps,
        blocks,
        melt.liquidus_C,
        melt.latent_J_kg,
        matter.made_frac,
        drive,
        params,
        model,
        assumed,
        dt_s,
        flow_W,
        mass_kg,
    )
    ends_W = step_top_and_bottom(lumps, to_crust_W, volts.cathode_W, drive, model, assumed, dt_s, flow_W)
    gained_W = volts.electric_W - volts.block_W - volts.cathode_W - reaction_W + carbon_W
    gained_W -= side_W + flow_W[_TO_ANODES] + ends_W + streams_W
    gained_W -= (on_walls + on_blocks) * liquid_J_kg(melt.liquidus_C, params.ledge_latent_J_kg)
    heat_J += dt_s * gained_W - chilled_kg * liquid_J_kg(melt.bath_C, params.ledge_latent_J_kg)

    bulk = bulk_kg_s(lumps, melt, capacity_J_K, params, dt_s)
    lost_kg = dt_s * (on_walls + on_blocks) + chilled_kg
    move_matter(lumps, drive, melt, matter, lost_kg, bulk, model, assumed, dt_s, mass_kg)
    hot_J, capacity_J_K = melt_terms(lumps, params.ledge_latent_J_kg)
    lumps.bath_temp_C = HOT_C + (heat_J - hot_J) / capacity_J_K
    if bare:
        status |= _GONE
    if lumps.frozen_kg > 0.0:
        status |= _FREEZING

    moved_mm = drive.beam_mm
    running = drive.line_current_A >= 0.5 * params.rated_current_A and volts.effect_V == 0.0
    if running and not isnan(drive.voltage_set_V):
        wanted_mm = 0.5 * (drive.voltage_set_V - volts.cell_V) / volts.slope_V_mm
        wanted_mm = min(max(wanted_mm, -_BEAM_MM_S * dt_s), _BEAM_MM_S * dt_s)
        # Blocks covered with frozen bath raise the voltage: squeezing the others does not help.
        if wanted_mm > 0.0 or _least_gap_mm(blocks) + wanted_mm > _LEAST_GAP_MM:
            moved_mm += wanted_mm
    new_level_mm = metal_level_mm(lumps, walls, params, model)
    for j in range(blocks.shape[1]):
        blocks[GAP_MM, j] += moved_mm + level_mm - new_level_mm

    flow_W[_ELECTRIC] = volts.electric_W
    flow_W[_REACTION] = reaction_W
    flow_W[_EXTERNAL] = volts.external_W
    flow_W[_ANODE_OHM] = volts.block_W
    flow_W[_CATHODE_OHM] = volts.cathode_W
    flow_W[_CARBON_BACK] = carbon_W
    flow_W[_PROCESS_GAS] = process_gas_W(drive.line_current_A, matter.efficiency_frac) * matter.made_frac
    _write_seen(
        lumps, walls, blocks, flow_W, seen, drive, volts, melt, matter, new_level_mm, moved_mm, params, model
    )
    return status


@kernel
def _least_gap_mm(blocks: FloatArray) -> float:
    """Smallest anode to metal distance of a member [mm]."""
    least_mm = blocks[GAP_MM, 0]
    for j in range(1, blocks.shape[1]):
        least_mm = min(least_mm, blocks[GAP_MM, j])
    return least_mm


@kernel
def _write_seen(
    lumps: Lumps,
    walls: FloatArray,
    blocks: FloatArray,
    flow_W: FloatArray,
    seen: FloatArray,
    drive: Drive,
    volts: Electric,
    melt: Melt,
    matter: Matter,
    level_mm: float,
    moved_mm: float,
    params: CellParams,
    model: CellModel,
) -> None:
    """Write what can be seen of a member."""
    loss_W = 0.0
    for row in range(_FIRST_SURFACE, _FIRST_SURFACE + _N_SURFACES):
        loss_W += flow_W[row]
    gap_mm, n = 0.0, blocks.shape[1]
    for j in range(n):
        gap_mm += blocks[GAP_MM, j] / n
    bath_m2 = section_face_m2(params, 0) + section_face_m2(params, 2)
    metal_m2 = section_face_m2(params, 1) + section_face_m2(params, 3)
    thick = 1e3 / params.ledge_density_kg_m3
    seen[_S_V] = volts.cell_V
    seen[_S_I] = drive.line_current_A
    seen[_S_T] = melt.bath_C
    seen[_S_TL] = melt.liquidus_C
    seen[_S_SH] = melt.superheat_C
    seen[_S_O] = melt.bath.alumina_pct
    seen[_S_A] = melt.bath.excess_alf3_pct
    seen[_S_BATH] = liquid_kg(lumps)
    seen[_S_METAL] = lumps.metal_kg
    seen[_S_LEVEL] = level_mm
    seen[_S_GAP] = gap_mm
    seen[_S_BEAM] = moved_mm
    seen[_S_LB] = thick * (walls[LEDGE_KG, 0] + walls[LEDGE_KG, 2]) / bath_m2
    seen[_S_LM] = thick * (walls[LEDGE_KG, 1] + walls[LEDGE_KG, 3]) / metal_m2
    seen[_S_FROZEN] = lumps.frozen_kg
    seen[_S_CE] = matter.efficiency_frac * matter.made_frac
    seen[_S_LOSS] = 1e-3 * loss_W
    hood_W = flow_W[_OFF_GAS] + flow_W[_PROCESS_GAS] + 0.5 * flow_W[_RODS]
    seen[_S_DUCT] = drive.ambient_temp_C + hood_W / model.hood_W_K
    seen[_S_SHELL] = walls[SHELL_C, 0]
    seen[_S_FEED] = matter.feed


@kernel
def step_cells(
    tables: CellTables,
    books: CellBooks,
    inputs: CellInputs,
    t: int,
    params: NDArray[np.void],
    model: NDArray[np.void],
    assumed: NDArray[np.void],
    nominal: NDArray[np.void],
    dt_s: float,
) -> None:
    """Advance all members by one step, in place.

    Parameters
    ----------
    tables, books
        Changed in place.
    inputs, t
        Schedule and the step in it.
    params, model, assumed, nominal
        Tables of ``Constants``.
    dt_s
        At most ``MAX_STEP_S``.
    """
    for c in range(tables.lumps.shape[0]):
        status = _step_member(
            lumps_of(tables.lumps, c),
            tables.walls[c],
            tables.blocks[c],
            books.flow_W[c],
            books.mass_kg[c],
            books.volt_V[c],
            books.seen[c],
            drive_at(inputs, t, c),
            params_of(params, c),
            model_of(model, c),
            assumed_of(assumed, c),
            nominal_of(nominal, c),
            dt_s,
        )
        books.status[c] = status
        books.ever[c] |= status
        if status & HELD_BITS == 0:
            books.clock_s[c] += dt_s
            books.charge_As[c] += dt_s * books.seen[c, _S_I]
            for row in range(_N_FLOWS):
                books.energy_J[c, row] += dt_s * books.flow_W[c, row]


@kernel
def _run(
    tables: CellTables,
    books: CellBooks,
    inputs: CellInputs,
    params: NDArray[np.void],
    model: NDArray[np.void],
    assumed: NDArray[np.void],
    nominal: NDArray[np.void],
    dt_s: float,
    every: int,
    seen: FloatArray,
) -> None:
    """Step through a whole schedule and keep what is seen after every ``every`` steps."""
    for t in range(inputs.line_current_A.shape[0]):
        step_cells(tables, books, inputs, t, params, model, assumed, nominal, dt_s)
        if (t + 1) % every == 0:
            seen[(t + 1) // every - 1] = books.seen


def run_cells(cells: Cells, inputs: CellInputs, dt_s: float, every: int = 1) -> FloatArray:
    """Take members through a schedule; their state and books change in place.

    Parameters
    ----------
    cells
        Members, as ``start_cells`` makes them.
    inputs
        Schedule.
    dt_s
        Step [s], above 0 and at most ``MAX_STEP_S``.
    every
        Steps between two rows of the result.

    Returns
    -------
    (n_steps // every, n_members, len(SEEN))
        What is seen after the steps kept; columns in the order of ``twin.cell_state.SEEN``.

    Raises
    ------
    ValueError
        A step that is too long, or schedules that do not fit the members or each other. Values that no cell
        can be given raise nothing: the member is held and says so in ``books.status``.
    """
    n = len(cells.params)
    if not 0.0 < dt_s <= MAX_STEP_S:
        raise ValueError(f"dt_s = {dt_s}: above 0 and at most {MAX_STEP_S:g} s")
    if every < 1:
        raise ValueError(f"every = {every}: at least 1")
    steps = inputs.line_current_A.shape[0]
    for name, values in inputs._asdict().items():
        if values.ndim != 2 or values.shape[0] != steps or values.shape[1] not in (1, n):
            raise ValueError(f"{name} has shape {values.shape}: ({steps}, {n}) or ({steps}, 1) is needed")
    inputs = CellInputs(*(np.ascontiguousarray(values, dtype=np.float64) for values in inputs))
    seen = np.full((steps // every, n, len(SEEN)), np.nan)
    table = cells.constants
    _run(
        cells.tables,
        cells.books,
        inputs,
        table.params,
        table.model,
        table.assumed,
        table.nominal,
        dt_s,
        every,
        seen,
    )
    return seen
