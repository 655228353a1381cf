"""What an energy review consists of: rows of lines and cells, savings, and the whole of it."""

from typing import NamedTuple

from edge.accounts import Accounts
from edge.ledger_files import LedgerFiles
from edge.review_spans import Span
from twin.capacity import CapacityShares
from twin.energy_baseline import EnergyBaseline, Savings
from twin.limits import Limits, line_level
from twin.period import CellPeriod, LinePeriod
from twin.registers import RegisterSum
from twin.tariff import Surcharge


class CellRow(NamedTuple):
    """One cell against the line's median cell.

    Attributes
    ----------
    cell
        Position in the plant.
    over_median_kwh_per_t
        Its DC intensity less the median; NaN without a figure.
    by_voltage, by_efficiency
        The same by cause, exact [kWh/t].
    over_median_kWh, over_median_cny
        In energy and money over the period; NaN where no price was entered.
    """

    cell: int
    over_median_kwh_per_t: float
    by_voltage: float
    by_efficiency: float
    over_median_kWh: float
    over_median_cny: float


class LineRow(NamedTuple):
    """One line.

    Attributes
    ----------
    line, n_cells
        Id and number of cells.
    capacity_t, capacity_entered
        Nominal [t/year]; by current and 93 % where it was not entered.
    now, rolling
        Of the period, and of the last twelve closed months (None before there are any).
    bridge
        Change against the period before by cause [kWh/t]; empty where there is none to compare with.
    bridge_refused
        Why it is empty.
    production_months
        Months of the year with production.
    price
        Stepped price by the tariff's indicator, None where that is refused.
    year_end
        Indicators at the year's end [kWh/t], the year so far as a ratio of sums and the rest as in the period; empty
        where the book does not reach back to the start of the year.
    year_end_price
        Stepped price by them; None where they are not known.
    registers
        By name.
    """

    line: str
    n_cells: int
    capacity_t: float
    capacity_entered: bool
    now: LinePeriod
    rolling: LinePeriod | None
    bridge: dict[str, float]
    bridge_refused: str
    production_months: int
    price: Surcharge | None
    year_end: dict[str, float]
    year_end_price: Surcharge | None
    registers: dict[str, RegisterSum]


class Cusum(NamedTuple):
    """Savings of closed months against the first twelve of the book.

    Attributes
    ----------
    months
        Name and cumulative saving [MWh] of every month after the baseline.
    refused
        Why there are none.
    baseline, result
        The frozen regression of AC energy on metal, and what it says.
    """

    months: list[tuple[str, float]]
    refused: str
    baseline: EnergyBaseline | None = None
    result: Savings | None = None


class Review(NamedTuple):
    """Everything that is written into the report."""

    files: LedgerFiles
    accounts: Accounts
    span: Span
    limits: Limits
    cells: CellPeriod
    rows: list[CellRow]
    lines: list[LineRow]
    shares: CapacityShares
    series: dict[str, list[tuple[str, float]]]
    cusum: Cusum


def year_level(row: LineRow, limits: Limits) -> int:
    """Class of a line by its last twelve months, else the period; 0 below six months of production or unweighed."""
    long = row.rolling or row.now
    found = line_level(long.figures["liquid_ac_gross"].value, row.production_months, limits)
    return found if long.level_code > 0 else 0
