"""What goes wrong in the simulated line: kinds, plans of a record, and labels by the plant's own truth."""

from plant.faults.kind import Fault
from plant.faults.ledger import Label, Ledger
from plant.faults.plan import Plan, demo_faults, plan_faults

__all__ = ["Fault", "Label", "Ledger", "Plan", "demo_faults", "plan_faults"]
