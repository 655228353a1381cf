"""What one row of the validation page says, and what all rows share."""

from typing import NamedTuple

from twin.params import CellParams, params_for

PASS, MISSED, NOT_BUILT = "pass", "MISSED", "not yet built"
#: Metal of one kiloampere day at 100 % efficiency [kg], and kWh/kg of one volt at 100 %.
METAL_kg_kA_d = 8.05373
KWH_kg_V = 2.97998


class Row(NamedTuple):
    """One line of the validation page."""

    number: str
    what: str
    published: str
    source: str
    tolerance: str
    ours: str
    verdict: str  # PASS, MISSED or NOT_BUILT
    reason: str  # of a miss, or what is missing
    strength: str


def judged(ok: bool, reason: str) -> tuple[str, str]:
    """Verdict and its reason, which only a miss needs."""
    return (PASS, "") if ok else (MISSED, reason)


def qatalum() -> CellParams:
    """The one cell that was calibrated."""
    return params_for("generic_300kA", None)
