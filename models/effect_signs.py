"""Signs that alumina runs short, minutes before an anode effect: rising resistance, lean feeding, anodes that sag together."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, FloatArray, IntArray, View
from models.steady_voltage import SteadyVoltage
from twin.jit import kernel

#: Memories of the means of the voltage [s]: their differences are slope and curvature at four time scales.
_VOLT_s = (60.0, 180.0, 600.0, 1800.0, 10_800.0)
#: Memories of the anode shares [s]: now, before the sag began, and before that.
_SHARE_s = (60.0, 900.0, 3600.0)
#: Memories of feed over consumption [s].
_FEED_s = (1800.0, 7200.0, 172_800.0)
#: Alumina that a coulomb uses at a current efficiency of 0.945 [kg/C] (physics reference 6.2: 1.76123e-4 kg/s/kA).
_ALUMINA_kg_C = 1.76123e-7 * 0.945
#: Anodes younger than this still take up current [h]: their share says nothing of alumina.
_YOUNG_h = 30.0
#: One anode's change counts no more than this [-]: a slip or a clamp is one anode, a starved place is several.
_WINSOR_frac = 0.05

#: Names of the signs, in the order of ``EffectSigns.value``.
SIGNS = (
    "rise_1_3_mV",
    "rise_3_10_mV",
    "rise_10_30_mV",
    "rise_30_180_mV",
    "lean_30min",
    "lean_2h",
    "alumina_short_pct",
    "sag_15min_pct",
    "sag_1h_pct",
)
N_SIGNS = len(SIGNS)


class _Means(NamedTuple):
    """Running means and the time each rests on."""

    volt: FloatArray  # (n_cells, 5)
    volt_s: FloatArray
    feed: FloatArray  # (n_cells, 3)
    feed_s: FloatArray
    share: FloatArray  # (n_cells, n_anodes, 3)
    share_s: FloatArray  # (n_cells, n_anodes)


@kernel
def _follow(x: FloatArray, tau_s: FloatArray, scan_s: float, mean: FloatArray, seen_s: FloatArray) -> None:
    for c in range(x.shape[0]):
        if np.isnan(x[c]):
            continue
        for k in range(tau_s.shape[0]):
            seen_s[c, k] += scan_s
            gain = scan_s / min(seen_s[c, k], max(tau_s[k], scan_s))
            mean[c, k] += gain * (x[c] - mean[c, k])


@kernel
def _sag(
    current_A: FloatArray,
    age_h: FloatArray,
    column: IntArray,
    tau_s: FloatArray,
    scan_s: float,
    share: FloatArray,
    share_s: FloatArray,
    sag: FloatArray,
    where: IntArray,
    drop: FloatArray,
    count: FloatArray,
) -> None:
    n_anodes, n_columns = current_A.shape[1], drop.shape[1]
    for c in range(current_A.shape[0]):
        total, known = 0.0, 0
        for i in range(n_anodes):
            if not np.isnan(current_A[c, i]):
                total += current_A[c, i]
                known += 1
        mean_A = total / known if known > 0 else np.nan
        sag[c, 0], sag[c, 1] = np.nan, np.nan
        if known < 4 or not mean_A > 1000.0:
            continue
        drop[:] = 0.0
        count[:] = 0.0
        common0, common1, settled = 0.0, 0.0, 0
        for i in range(n_anodes):
            x = current_A[c, i] / mean_A
            if np.isnan(x):
                continue
            share_s[c, i] += scan_s
            for k in range(3):
                gain = scan_s / min(share_s[c, i], max(tau_s[k], scan_s))
                share[c, i, k] += gain * (x - share[c, i, k])
            if age_h[c, i] < _YOUNG_h or share_s[c, i] < tau_s[1]:
                continue
            first = min(max(share[c, i, 1] - share[c, i, 0], -_WINSOR_frac), _WINSOR_frac)
            second = min(max(share[c, i, 2] - share[c, i, 0], -_WINSOR_frac), _WINSOR_frac)
            common0 += first
            common1 += second
            settled += 1
            at = column[c, i]
            if at >= 0:
                drop[0, at] += first
                drop[1, at] += second
                count[at] += 1.0
        if settled < 4:
            continue
        sag[c, 0], sag[c, 1] = 0.0, 0.0
        for at in range(n_columns):
            # Neighbours along the cell, both rows: what one feeder feeds.
            first, second, group = 0.0, 0.0, 0.0
            for j in range(max(at - 1, 0), min(at + 2, n_columns)):
                first += drop[0, j]
                second += drop[1, j]
                group += count[j]
            if group < 2.0:
                continue
            first = first / group - common0 / settled
            second = second / group - common1 / settled
            if first > sag[c, 0]:
                sag[c, 0] = first
                where[c] = at
            sag[c, 1] = max(sag[c, 1], second)


def columns(layout: CellLayout) -> IntArray:
    """Place of each anode in its row counted from the duct end, (n_cells, n_anodes_max); -1 beyond the anodes.

    Where the plant does not say the rows, anodes are taken to stand in the order of their numbers.
    """
    found = np.full(layout.anode_side.shape, -1, dtype=np.int64)
    for cell in range(found.shape[0]):
        sides = layout.anode_side[cell, : layout.n_anodes[cell]]
        for row in np.unique(sides):
            mine = np.flatnonzero(sides == row)
            found[cell, mine] = np.arange(len(mine))
    return found


class EffectSigns:
    """Follows the signs of all cells.

    Parameters
    ----------
    layout
        Instruments of the cells.

    Attributes
    ----------
    value : (n_cells, N_SIGNS)
        Signs in the order and units of ``SIGNS``; NaN where one cannot be said.
    where : (n_cells,) int64
        Place along the cell where the anodes sag most, from the duct end.

    Notes
    -----
    Physics reference 6.1 to 6.3: slope of the pseudo-resistance over minutes, and anodes of a starved place that lose
    current 1 to 10 min before the voltage moves (Rye 1998, Cheung 2013).
    """

    def __init__(self, layout: CellLayout) -> None:
        n = len(layout.n_anodes)
        width = int(layout.n_anodes.max(initial=0))
        self._column = columns(layout)[:, :width]
        self._n_columns = int(self._column.max(initial=-1)) + 1
        self._means = _Means(
            np.zeros((n, len(_VOLT_s))),
            np.zeros((n, len(_VOLT_s))),
            np.zeros((n, len(_FEED_s))),
            np.zeros((n, len(_FEED_s))),
            np.zeros((n, width, len(_SHARE_s))),
            np.zeros((n, width)),
        )
        self._unheard_s = np.full(n, np.inf)
        self.value = np.full((n, N_SIGNS), np.nan)
        self.where = np.full(n, -1, dtype=np.int64)

    def step(self, view: View, steady: SteadyVoltage, effect: np.ndarray) -> None:
        """Take in one scan.

        Parameters
        ----------
        view
            Of this scan.
        steady
            Advanced to this scan.
        effect : (n_cells,) bool
            An anode effect runs: everything is forgotten.
        """
        means, scan_s = self._means, view.scan_s
        usable = np.isfinite(steady.still_V) & ~effect
        self._unheard_s = np.where(usable, 0.0, self._unheard_s + scan_s)
        # After a long silence or an effect the old level means nothing.
        forget = effect | (self._unheard_s > _VOLT_s[2])
        means.volt_s[forget] = 0.0
        means.volt[forget] = 0.0
        means.share_s[forget] = 0.0
        means.share[forget] = 0.0
        _follow(np.where(usable, steady.still_V, np.nan), np.array(_VOLT_s), scan_s, means.volt, means.volt_s)
        use_kg = steady.current_A * _ALUMINA_kg_C * scan_s
        ratio = np.where(np.isfinite(use_kg) & (use_kg > 0.0), view.feed_kg / use_kg, np.nan)
        _follow(np.where(usable, ratio, np.nan), np.array(_FEED_s), scan_s, means.feed, means.feed_s)
        sag = np.empty((len(usable), 2))
        current_A = np.where(usable[:, None], view.anode_current_A[:, : self._column.shape[1]], np.nan)
        _sag(
            np.ascontiguousarray(current_A),
            np.ascontiguousarray(view.anode_age_h[:, : self._column.shape[1]]),
            self._column,
            np.array(_SHARE_s),
            scan_s,
            means.share,
            means.share_s,
            sag,
            self.where,
            np.empty((2, self._n_columns)),
            np.empty(self._n_columns),
        )
        value = self.value
        for k in range(4):
            enough = means.volt_s[:, k + 1] >= 0.5 * _VOLT_s[k + 1]
            value[:, k] = np.where(enough, 1e3 * (means.volt[:, k] - means.volt[:, k + 1]), np.nan)
        # A line that logs no feed has a usual of nothing: its feeding says nothing.
        usual = np.where((means.feed_s[:, 2] >= 0.5 * _FEED_s[1]) & (means.feed[:, 2] > 0.3), means.feed[:, 2], np.nan)
        value[:, 4] = 1.0 - means.feed[:, 0] / usual
        value[:, 5] = 1.0 - means.feed[:, 1] / usual
        value[:, 6] = 2.5 - view.estimate.alumina_pct
        value[:, 7:9] = 100.0 * sag
        value[~usable] = np.nan
