"""Compiled noise of instruments and surroundings: with a colour, in spells, with spikes."""

import numpy as np

from plant.jit import kernel
from plant.state import F


@kernel
def colour(draws: F, state: F, tau_s: F, gain: F, out: F) -> None:
    """First-order noise of each column with unit-variance drive.

    Parameters
    ----------
    draws : (T, n)
        Normal draws.
    state : (n,)
        Carried on.
    tau_s, gain : (n,)
        Time constants [s] and standard deviations.
    out : (T, n)
        Overwritten.
    """
    for k in range(draws.shape[1]):
        keep = np.exp(-1.0 / tau_s[k])
        drive = np.sqrt(1.0 - keep * keep)
        for row in range(draws.shape[0]):
            state[k] = keep * state[k] + drive * draws[row, k]
            out[row, k] = gain[k] * state[k]


@kernel
def voltage_noise(draws: F, chances: F, state: F, sigma_V: F, out: F) -> None:
    """Add two-pole noise, spells in which it doubles, and short negative spikes.

    Parameters
    ----------
    draws : (T, n, 2)
        Normal draws.
    chances : (T, n)
        Even draws, 0-1.
    state : (n, 4)
        Carried on.
    sigma_V : (n,)
        Standard deviation of each cell outside spells [V].
    out : (T, n)
        Is added to [V].
    """
    keep = np.exp(-1.0 / 9.0)
    drive = np.sqrt(1.0 - keep * keep)
    for row in range(draws.shape[0]):
        for i in range(draws.shape[1]):
            chance = chances[row, i]
            state[i, 0] = keep * state[i, 0] + drive * draws[row, i, 0]
            state[i, 1] = keep * state[i, 1] + (1.0 - keep) * state[i, 0]
            state[i, 2] *= 0.85
            if chance < 2.5e-4:
                state[i, 2] = -0.06 - 0.02 * chance / 2.5e-4
            elif chance > 1.0 - 4e-5:
                state[i, 3] = 3600.0 + (1.0 - chance) / 4e-5 * 3600.0
            loud = 2.0 if state[i, 3] > 0.0 else 1.0
            state[i, 3] -= 1.0
            noise = loud * sigma_V[i] * 1.4142 * state[i, 1]
            out[row, i] += noise + state[i, 2] + 0.0015 * draws[row, i, 1]
