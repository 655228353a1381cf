"""Balances of the dynamic cell: does every kilowatt and kilogram add up, and the heat balance as a table."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.cell_model import COLD_C, HOT_C
from twin.cell_state import (
    FLOW,
    FLOWS_IN,
    MASS,
    N_SECTIONS,
    SEE,
    STREAMS,
    SURFACES,
    VOLTS,
    Cells,
    section_face_m2,
)
from twin.energy import METAL_KG_PER_KAH
from twin.enthalpy import (
    ALF3_HEATING_J_kg,
    ALUMINA_DISSOLUTION_J_kg,
    ALUMINA_HEATING_J_kg,
    BATH_J_kgK,
    LEDGE_J_kgK,
    METAL_J_kgK,
    carbon_J_kg,
)

FloatArray = NDArray[np.float64]

#: For each substance: what enters and what leaves, as rows of the mass book.
SUBSTANCES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "aluminium": (("metal_produced",), ("metal_tapped",)),
    "alumina": (("alumina_fed", "alumina_from_soda"), ("alumina_consumed", "alumina_tapped")),
    "AlF3": (("alf3_fed", "alf3_returned"), ("alf3_to_soda", "alf3_evaporated", "alf3_tapped")),
    "carbon": (("carbon_set",), ("carbon_electrolysis", "carbon_burnt", "carbon_butts")),
    "cryolite": (
        ("cryolite_from_soda", "cryolite_returned"),
        ("cryolite_evaporated", "cryolite_tapped", "cryolite_butts"),
    ),
    "additives": ((), ("additives_tapped",)),
}


class Stock(NamedTuple):
    """What is in the members at one moment, and how far their books had come."""

    heat_J: FloatArray  # (n_members,) above 25 degC
    kg: dict[str, FloatArray]  # of every substance, (n_members,)
    energy_J: FloatArray
    mass_kg: FloatArray
    clock_s: FloatArray
    charge_As: FloatArray


class Term(NamedTuple):
    """One line of a heat balance."""

    group: str
    name: str
    kW: float
    volt: float  # kW over the line current; NaN without current
    kWh_kg: float  # per kg of metal; NaN without production


class Balance(NamedTuple):
    """Heat balance of one member, over the last step or since a stock was taken."""

    terms: tuple[Term, ...]
    line_current_A: float
    cell_voltage_V: float
    current_efficiency_frac: float
    residual_kW: float  # what does not close


def stored_kg(cells: Cells) -> dict[str, FloatArray]:
    """Mass of every substance of ``SUBSTANCES`` in the members [kg], frozen and sludge included."""
    s = cells.state
    return {
        "aluminium": s.metal_kg.copy(),
        "alumina": s.alumina_kg + s.undissolved_kg + s.sludge_kg,
        "AlF3": s.alf3_kg.copy(),
        "carbon": s.anode_kg.sum(axis=1),
        "cryolite": s.cryolite_kg + s.frozen_kg + s.ledge_kg.sum(axis=1) + s.anode_frozen_kg.sum(axis=1),
        "additives": s.caf2_kg + s.lif_kg + s.mgf2_kg + s.kf_kg,
    }


def stored_J(cells: Cells) -> FloatArray:
    """Heat in the members above substances at 25 degC [J], reaction heat not included.

    Notes
    -----
    Computed from the state alone, apart from the kernels: the energy ledger is tested against it. Metal counts
    from 960 degC, because the reaction's demand includes heating it to there.
    """
    s = cells.state
    total = np.zeros(len(cells.params))
    for c, (params, model, assumed) in enumerate(zip(cells.params, cells.models, cells.assumed, strict=True)):
        above_C = float(s.bath_temp_C[c]) - HOT_C
        salts = s.cryolite_kg[c] + s.caf2_kg[c] + s.lif_kg[c] + s.mgf2_kg[c] + s.kf_kg[c]
        solid_J = LEDGE_J_kgK * (HOT_C - COLD_C)
        heat = salts * (solid_J + params.ledge_latent_J_kg + BATH_J_kgK * above_C)
        heat += s.frozen_kg[c] * (solid_J + LEDGE_J_kgK * above_C)
        heat += s.alf3_kg[c] * (ALF3_HEATING_J_kg + BATH_J_kgK * above_C)
        heat += s.alumina_kg[c] * (ALUMINA_HEATING_J_kg + ALUMINA_DISSOLUTION_J_kg + BATH_J_kgK * above_C)
        loose = s.undissolved_kg[c] + s.sludge_kg[c]
        heat += loose * ALUMINA_HEATING_J_kg * (1.0 + above_C / (HOT_C - COLD_C))
        heat += s.metal_kg[c] * METAL_J_kgK * above_C
        faces = np.array([section_face_m2(params, k) for k in range(N_SECTIONS)])
        wall_J_K = s.ledge_kg[c] * LEDGE_J_kgK + faces * assumed.lining_J_m2K
        shell_J_K = faces * params.shell_area_frac * assumed.shell_J_m2K
        heat += float(
            np.sum(wall_J_K * (s.wall_temp_C[c] - COLD_C) + shell_J_K * (s.shell_temp_C[c] - COLD_C))
        )
        carbon_J = s.anode_kg[c] * np.array([carbon_J_kg(float(temp_C)) for temp_C in s.anode_temp_C[c]])
        skin_J = s.anode_frozen_kg[c] * LEDGE_J_kgK * (s.anode_temp_C[c] - COLD_C)
        heat += float(np.sum(carbon_J + skin_J))
        heat += model.crust_J_K * (s.crust_temp_C[c] - COLD_C)
        heat += model.cathode_J_K * (s.cathode_temp_C[c] - COLD_C)
        total[c] = heat
    return total


def take_stock(cells: Cells) -> Stock:
    """What is in the members now, as the start of an account."""
    books = cells.books
    return Stock(
        stored_J(cells),
        stored_kg(cells),
        books.energy_J.copy(),
        books.mass_kg.copy(),
        books.clock_s.copy(),
        books.charge_As.copy(),
    )


def _rows(table: dict[str, int], names: tuple[str, ...]) -> list[int]:
    """Positions of named rows in a book."""
    return [table[name] for name in names]


def residuals(cells: Cells, since: Stock) -> dict[str, FloatArray]:
    """Share of the turnover since a stock was taken that the books cannot account for [-].

    Returns
    -------
    dict
        ``energy`` and every substance of ``SUBSTANCES``, (n_members,) each. Turnover is the sum of all that
        entered and left; where nothing moved, the stock.
    """
    energy_J = cells.books.energy_J - since.energy_J
    into = _rows(FLOW, FLOWS_IN)
    out = _rows(FLOW, ("reaction", *SURFACES, *STREAMS))
    gained = energy_J[:, into].sum(axis=1) - energy_J[:, out].sum(axis=1)
    turnover = np.abs(energy_J[:, into]).sum(axis=1) + np.abs(energy_J[:, out]).sum(axis=1)
    missing = gained - (stored_J(cells) - since.heat_J)
    found = {"energy": missing / np.where(turnover > 0, turnover, since.heat_J)}
    mass_kg = cells.books.mass_kg - since.mass_kg
    now = stored_kg(cells)
    for name, (enters, leaves) in SUBSTANCES.items():
        came = mass_kg[:, _rows(MASS, enters)].sum(axis=1)
        went = mass_kg[:, _rows(MASS, leaves)].sum(axis=1)
        missing = came - went - (now[name] - since.kg[name])
        scale = np.where(came + went > 1e-6 * since.kg[name], came + went, since.kg[name])
        found[name] = missing / np.where(scale > 0, scale, 1.0)
    return found


def balance(cells: Cells, member: int = 0, since: Stock | None = None) -> Balance:
    """Heat balance of one member with a name for every kilowatt.

    Parameters
    ----------
    cells
        Members that were taken through at least one step.
    member
        Which.
    since
        Mean since this stock was taken; None: of the last step.

    Notes
    -----
    Of the reaction's demand, heating of alumina and carbon to 960 degC are shown apart, as in Entner's balance
    (365, 36 and 9 kW at 200 kA). What the melt, crust, blocks and walls store is what is left of a step.
    """
    books = cells.books
    if since is None:
        kW = 1e-3 * books.flow_W[member]
        stored_kW, residual_kW = _stored_by_flows(kW), 0.0
        current_A = float(books.seen[member, SEE["line_current_A"]])
        efficiency = float(books.seen[member, SEE["efficiency_frac"]])
        volts = books.volt_V[member] if current_A > 0 else np.zeros(len(VOLTS))
    else:
        seconds = float(books.clock_s[member] - since.clock_s[member])
        if seconds <= 0.0:
            raise ValueError("no time has passed since the stock was taken")
        kW = 1e-3 * (books.energy_J[member] - since.energy_J[member]) / seconds
        stored_kW = 1e-3 * float(stored_J(cells)[member] - since.heat_J[member]) / seconds
        residual_kW = _stored_by_flows(kW) - stored_kW
        produced = (
            books.mass_kg[member, MASS["metal_produced"]] - since.mass_kg[member, MASS["metal_produced"]]
        )
        current_A = float(books.charge_As[member] - since.charge_As[member]) / seconds
        ideal = METAL_KG_PER_KAH * 1e-3 * current_A * seconds / 3600.0
        efficiency = float(produced / ideal) if ideal > 0 else np.nan
        volts = np.zeros(0)
    metal_kg_h = METAL_KG_PER_KAH * 1e-3 * current_A * efficiency
    heat_kW = {name: float(kW[row]) for name, row in FLOW.items()}
    carbon_kW = heat_kW["carbon_heating"]
    rows: list[tuple[str, str, float]] = [
        ("voltage", name.replace("_", " "), float(value) * 1e-3 * current_A)
        for name, value in zip(VOLTS, volts, strict=False)
    ]
    rows += [
        ("power", "cell", heat_kW["electric"] + heat_kW["external"]),
        ("power", "bus bars", -heat_kW["external"]),
        ("power", "inside", heat_kW["electric"]),
        ("power", "air burn of carbon", heat_kW["air_burn"]),
        ("power", "warmth of new anodes", heat_kW["new_anodes"]),
        ("demand", "reaction", heat_kW["reaction"] - heat_kW["alumina_heating"] - carbon_kW),
        ("demand", "heating alumina", heat_kW["alumina_heating"]),
        ("demand", "heating carbon", carbon_kW),
    ]
    rows.append(("left", "for losses", heat_kW["electric"] - heat_kW["reaction"]))
    rows += [("loss", name.replace("_", " "), heat_kW[name]) for name in SURFACES]
    rows += [("matter", name.replace("_", " "), heat_kW[name]) for name in STREAMS]
    rows += [("store", "in the cell", stored_kW), ("check", "not accounted for", residual_kW)]
    kA = 1e-3 * current_A
    terms = tuple(
        Term(
            group,
            name,
            value,
            value / kA if kA > 0 else np.nan,
            value / metal_kg_h if metal_kg_h > 0 else np.nan,
        )
        for group, name, value in rows
    )
    volt = (heat_kW["electric"] + heat_kW["external"]) / kA if kA > 0 else np.nan
    return Balance(terms, current_A, volt, efficiency, residual_kW)


def _stored_by_flows(kW: FloatArray) -> float:
    """What stays in the cell by the flows over its boundary [kW]."""
    into = float(kW[_rows(FLOW, FLOWS_IN)].sum())
    return into - float(kW[_rows(FLOW, ("reaction", *SURFACES, *STREAMS))].sum())


_LABEL = "{:<8}  {:<22}{:>10}{:>9}{:>9}"


def format_balance(found: Balance) -> str:
    """Balance as a plain text table in kW, V and kWh/kg, one line per term; losses and matter are summed."""
    head = f"{1e-3 * found.line_current_A:.1f} kA"
    if found.line_current_A > 0.0:
        head += (
            f"  {found.cell_voltage_V:.3f} V  current efficiency {100 * found.current_efficiency_frac:.2f} %"
        )
    lines = [head, _LABEL.format("", "", "kW", "V", "kWh/kg")]
    groups = dict.fromkeys(term.group for term in found.terms)
    for group in groups:
        members = [term for term in found.terms if term.group == group]
        lines += [_line(group, term) for term in members]
        if group in ("voltage", "demand", "loss", "matter"):
            total = [float(np.nansum([term[k] for term in members])) for k in (2, 3, 4)]
            lines.append(_line(group, Term(group, "sum", *total)))
    return "\n".join(lines)


def _line(group: str, term: Term) -> str:
    """One line of the table."""
    figures = (f"{term.kW:.1f}", f"{term.volt:.3f}", f"{term.kWh_kg:.3f}")
    return _LABEL.format(group, term.name, *("-" if "nan" in figure else figure for figure in figures))
