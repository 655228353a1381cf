"""One scan of a whole line as the pipeline makes it: the twin's observer and each detector."""

from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, View
from models.registry import build
from twin.observer import Estimate, Observer
from twin.params import params_for
from twin.signals import SCALAR_READINGS, SIDES

FloatArray = NDArray[np.float64]

N_CELLS, N_ANODES, N_SHELL, N_BARS = 420, 40, 8, 16
RATED_A, SCAN_S = 400e3, 10.0
#: Two thermocouples a side.
_SIDES = np.tile(np.repeat(np.arange(4), 2), (N_CELLS, 1))
#: Alumina used by a cell at 95 % current efficiency, M(Al2O3)/6F I CE [kg/s].
_USED_kg_s = 1.76123e-7 * RATED_A * 0.95


#: Scans of one minute: the filter makes its step in one of them.
_CYCLE = 6


class Part(NamedTuple):
    """Time of one part of a scan, mean over the scans of a minute [us a cell].

    Attributes
    ----------
    what
        Name.
    best
        From the best of each of the six scans of a minute, over all minutes: the filter's minute step counts, a
        neighbour of this process does not.
    median
        Of the means of all minutes.
    """

    what: str
    best: float
    median: float


def line_step(seed: int, n_scans: int = 300, n_warm: int = 90) -> list[Part]:
    """Time the observer and every detector over scans of a healthy line.

    Parameters
    ----------
    seed
        Of the noise on readings.
    n_scans, n_warm
        Scans that are timed, whole minutes; scans before them, in which kernels compile and the cells come to be
        assessed.
    """
    layout = CellLayout(
        np.full(N_CELLS, N_ANODES),
        np.full(N_CELLS, N_SHELL),
        _SIDES,
        np.zeros(N_CELLS, dtype=np.int64),
        np.full(N_CELLS, N_BARS),
        np.tile(np.repeat([SIDES.index("up"), SIDES.index("down")], N_ANODES // 2), (N_CELLS, 1)),
        np.full(N_CELLS, 6),
        np.full(N_CELLS, RATED_A),
        np.full(N_CELLS, 600.0),
        np.full(N_CELLS, 24.0),
        np.full(N_CELLS, 1.8),
    )
    observer = Observer([params_for(None, RATED_A, N_ANODES)] * N_CELLS, layout.n_anodes, layout.shell_side)
    detectors = build(layout)
    readings = _Readings(np.random.default_rng(seed))
    seconds: dict[str, list[float]] = {}

    assessed = False
    for number in range(n_warm + n_scans):
        if number == n_warm:
            seconds.clear()
        given = readings.scan(number)
        start = perf_counter()
        estimate = observer.step(SCAN_S, **given)
        seconds.setdefault("twin: `Observer.step`", []).append(perf_counter() - start)
        assessed = bool(estimate.assessed.all())
        view = _view(number, given, estimate)
        for detector in detectors:
            start = perf_counter()
            detector.update(view)
            seconds.setdefault(f"detector `{detector.name}`", []).append(perf_counter() - start)
    assert assessed, "a cell of the line was not assessed: the timing would not be that of normal work"
    return [_part(what, np.array(found)) for what, found in seconds.items()]


def _part(what: str, seconds: FloatArray) -> Part:
    minutes = 1e6 / N_CELLS * seconds.reshape(-1, _CYCLE)
    return Part(what, float(minutes.min(axis=0).mean()), float(np.median(minutes.mean(axis=1))))


class _Readings:
    """What a quiet line measures: every signal, with noise, anodes of all ages."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._age_h = np.tile(np.linspace(0.5, 600.0, N_ANODES), (N_CELLS, 1))
        self._shell_C = rng.normal(280.0, 15.0, (N_CELLS, N_SHELL))

    def scan(self, number: int) -> dict[str, FloatArray]:
        rng = self._rng
        anode_A = RATED_A / N_ANODES * (1.0 + rng.normal(0.0, 0.03, (N_CELLS, N_ANODES)))
        return {
            "line_current_A": np.full(N_CELLS, RATED_A + rng.normal(0.0, 300.0)),
            "cell_voltage_V": rng.normal(4.15, 0.01, N_CELLS),
            "anode_current_A": anode_A,
            "shell_temp_C": self._shell_C + rng.normal(0.0, 0.5, (N_CELLS, N_SHELL)),
            "ambient_temp_C": np.full(N_CELLS, 25.0),
            "feed_kg": np.full(N_CELLS, _USED_kg_s * SCAN_S),
            "beam_mm": np.full(N_CELLS, 200.0),
            "anode_age_h": self._age_h + number * SCAN_S / 3600.0,
        }


def _view(number: int, given: dict[str, FloatArray], estimate: Estimate) -> View:
    time_us = 1_700_000_000_000_000 + round((number + 1) * SCAN_S * 1e6)
    scalar = np.full((len(SCALAR_READINGS), N_CELLS), np.nan)
    for signal, array in (
        ("line_current_A", "line_current_A"),
        ("cell_voltage_V", "cell_voltage_V"),
        ("ambient_temp_C", "ambient_temp_C"),
        ("beam_position_mm", "beam_mm"),
    ):
        scalar[SCALAR_READINGS.index(signal)] = given[array]
    return View(
        time_us=time_us,
        scan_s=SCAN_S,
        scalar=scalar,
        scalar_bad=np.zeros_like(scalar),
        last_good_us=np.where(np.isnan(scalar), 0, time_us),
        voltage_low_V=given["cell_voltage_V"] - 0.005,
        voltage_high_V=given["cell_voltage_V"] + 0.005,
        feed_kg=given["feed_kg"],
        anode_current_A=given["anode_current_A"],
        anode_bad=np.zeros(N_CELLS),
        shell_temp_C=given["shell_temp_C"],
        shell_bad=np.zeros(N_CELLS),
        bar_temp_C=np.full((N_CELLS, N_BARS), 220.0 if number % 6 == 0 else np.nan),
        anode_age_h=given["anode_age_h"],
        estimate=estimate,
    )
