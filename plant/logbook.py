"""Rows of ``Output.log``: what was done, by code, as the kernels write it and the line reads it."""

from plant.jit import kernel
from plant.state import Output

#: Kinds of rows and how wide one is: second, cell, code, values.
FEED, ALF3, TAP, CHANGE, MOVE, COVER, MODE, PROBE, COUNTER, EFFECT = range(10)
LOG_WIDTH = 11
#: Feed modes and their names by contract.
BASE, UNDER, OVER, STOP, QUENCH = range(5)
MODES = ("base", "under", "over", "stop", "ae")


@kernel
def enter(out: Output, count: int, t: int, cell: int, code: int, a: float, b: float, c: float) -> int:
    """Write one row; returns the number of rows.

    Parameters
    ----------
    out
        Its log is written to.
    count
        Rows so far.
    t, cell, code
        Second, cell and kind.
    a, b, c
        Values of that kind.
    """
    row = out.log[count]
    row[0], row[1], row[2], row[3], row[4], row[5] = t, cell, code, a, b, c
    return count + 1
