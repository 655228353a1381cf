"""Random numbers inside kernels: one small generator a cell, so that cells do not depend on each other."""

import numpy as np
from numpy.typing import NDArray

from plant.jit import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S16, _S48, _S32 = (np.uint64(k) for k in (30, 27, 31, 16, 48, 32))
_LOW16 = np.uint64(0xFFFF)


@kernel
def bits(rng: NDArray[np.uint64], i: int) -> np.uint64:
    """Next 64 bits of cell ``i`` (splitmix64, Steele, Lea and Flood 2014).

    Parameters
    ----------
    rng : (n_cells,)
        States; that of the cell is advanced.
    i
        Cell.
    """
    rng[i] = rng[i] + _GOLDEN
    z = rng[i]
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@kernel
def normal(rng: NDArray[np.uint64], i: int) -> float:
    """Draw for cell ``i`` with mean 0 and variance 1, within +-3.5: the sum of four even ones.

    Parameters
    ----------
    rng : (n_cells,)
        States; that of the cell is advanced.
    i
        Cell.
    """
    z = bits(rng, i)
    total = float(z & _LOW16) + float((z >> _S16) & _LOW16)
    total += float((z >> _S32) & _LOW16) + float((z >> _S48) & _LOW16)
    return (total / 65536.0 - 2.0) * 1.7320508
