"""Ends of the collector bars: how many, where, and how hot each is in a sound cell."""

from typing import NamedTuple

import numpy as np

from plant.state import F
from plant.technology import Technology
from plant.thermal import shell_flux

#: Places of a bottom that nobody measures.
_UNSEEN = 16
#: Healthy ends are at 150-280 degC (physics.md 7.2), 15-25 K from the coldest to the hottest of a cell.
_MEAN_C, _BAR_SD_K, _CORNER_K = (185.0, 240.0), 4.5, 5.0
#: Share of its heat that its own current makes.
_JOULE = 0.15


class Bars(NamedTuple):
    """Hidden parameters of the bar ends of a line, each (n_cells, n_bars); fields of ``plant.state.Hidden``."""

    bar_W_m2K: F
    bar_W_m2: F
    bar_air_C: F


def n_places(technology: Technology) -> int:
    """Number of places of the bottom: one a bar that is measured, or a usual number of bars.

    Parameters
    ----------
    technology
        Cell design.
    """
    return technology.n_bars or _UNSEEN


def along(n_bars: int) -> F:
    """Place of each bar along the cell, 0 at the duct end to 1 at the tap end, (n_bars,): two rows, up first.

    Parameters
    ----------
    n_bars
        Of one cell.
    """
    row = (n_bars + 1) // 2
    return (np.arange(n_bars) % row) / max(row - 1, 1)


def drawn(technology: Technology, cathode_C: F, seed: int) -> tuple[Bars, F]:
    """Draw the bars of every cell; gives their parameters and their temperatures in balance [degC].

    Parameters
    ----------
    technology
        Cell design.
    cathode_C : (n_cells,)
        Cathode in balance [degC].
    seed
        Decides every draw.
    """
    rng = np.random.default_rng([seed, 18])
    n, bars = cathode_C.shape[0], n_places(technology)
    place = along(bars)
    corner = np.where((place == 0.0) | (place == 1.0), _CORNER_K, 0.0)
    end_C = (
        rng.uniform(*_MEAN_C, (n, 1)) + _BAR_SD_K * rng.standard_normal((n, bars)).clip(-2.0, 2.0) - corner
    )
    air_C = rng.uniform(5.0, 20.0, (n, bars))
    flux = np.vectorize(shell_flux, otypes=[np.float64])
    lost = flux(end_C, 25.0 + air_C)
    joule = _JOULE * rng.uniform(0.8, 1.2, (n, bars)) * lost
    return Bars((lost - joule) / (cathode_C[:, None] - end_C), joule, air_C), end_C
