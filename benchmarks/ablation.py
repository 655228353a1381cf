"""What each layer of the detection adds: the same line scored with the layer taken away."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import tape
from benchmarks.results import Figures
from edge.config import Config
from edge.model_file import learned
from models.base import View
from models.scoring.rules import FAMILIES

#: Groups that are kept.
GROUPS = ("fast", *FAMILIES)
_KEPT = (
    "events",
    "detected",
    "recall",
    "false_alarms",
    "false_per_cell_day",
    "exact_kind",
    "delay_median_min",
)


def whole(view: View) -> View:
    """Everything that the gateway sees."""
    return view


def without_anodes(view: View) -> View:
    """No current of any anode was measured."""
    nothing = np.full_like(view.anode_current_A, np.nan)
    unknown = np.full_like(view.estimate.anode_frac, np.nan)
    return view._replace(anode_current_A=nothing, estimate=view.estimate._replace(anode_frac=unknown))


def without_twin(view: View) -> View:
    """Readings alone: the twin says nothing, and every anode and shell sensor is expected to be as the mean."""
    estimate = view.estimate
    blind = {name: np.full_like(getattr(estimate, name), np.nan) for name in estimate._fields}
    shell_C = view.shell_temp_C[:, : estimate.shell_residual_C.shape[1]]
    return view._replace(
        estimate=type(estimate)(**blind)._replace(
            assessed=np.zeros_like(estimate.assessed),
            status=np.ones_like(estimate.status),
            anode_frac=estimate.anode_frac,
            anode_expected_frac=np.ones_like(estimate.anode_expected_frac),
            anode_expected_sd_frac=np.full_like(estimate.anode_expected_sd_frac, 0.05),
            shell_residual_C=shell_C - 280.0,
        )
    )


#: What is taken away, in words, how, and whether the shipped models stay.
LAYERS: tuple[tuple[str, Callable[[View], View], bool], ...] = (
    ("everything", whole, True),
    ("without learned models", whole, False),
    ("without anode currents", without_anodes, True),
    ("without the twin", without_twin, True),
)


def without_layer(folder: Path, number: int) -> Figures:
    """Score a line with one layer taken away.

    Parameters
    ----------
    folder
        Tape of its views.
    number
        Of ``LAYERS``.

    Returns
    -------
    dict
        ``what`` and, by group of kinds, the figures of ``models.scoring.figures.row`` that tell what was found.
    """
    what, change, trained = LAYERS[number]
    rows = tape.score([folder], change=change, learned=learned(Config()) if trained else None)
    return {"what": what} | {
        group: {key: rows[group][key] for key in _KEPT if key in rows[group]}
        for group in GROUPS
        if group in rows
    }
