"""Acceptance rows that run detectors on told or constructed cases."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.validation_row import Row, judged
from models.base import CellLayout, Taken, View
from models.metal_quality import MetalQuality
from twin.observer import Estimate
from twin.signals import SCALAR_READINGS

FloatArray = NDArray[np.float64]

_DAY_US = 86_400_000_000
#: One cell with nothing but its samples.
_NONE = np.zeros(1, dtype=np.int64)
_BARE = CellLayout(_NONE, _NONE, np.full((1, 1), -1, dtype=np.int64), _NONE)


def _view(day: float, samples: Sequence[Taken]) -> View:
    """One instant at which only samples are known."""
    rows = len(SCALAR_READINGS)
    unknown = Estimate(*(np.full(1, np.nan) for _ in Estimate._fields))  # pyright: ignore[reportArgumentType]
    return View(
        time_us=round(day * _DAY_US),
        scan_s=60.0,
        scalar=np.full((rows, 1), np.nan),
        scalar_bad=np.zeros((rows, 1)),
        last_good_us=np.zeros((rows, 1), dtype=np.int64),
        anode_current_A=np.full((1, 1), np.nan),
        anode_bad=np.zeros(1),
        shell_temp_C=np.full((1, 1), np.nan),
        shell_bad=np.zeros(1),
        anode_age_h=np.full((1, 1), np.nan),
        estimate=unknown,
        samples=tuple(samples),
    )


def _scores(iron_pct: FloatArray, silicon_pct: FloatArray) -> FloatArray:
    """Scores of a cell with one sample of metal a day."""
    detector = MetalQuality(_BARE)
    found: list[float] = []
    for day, (iron, silicon) in enumerate(zip(iron_pct, silicon_pct, strict=True), start=1):
        samples = (
            Taken(0, "metal_iron_ppm", day * _DAY_US, 1e4 * float(iron)),
            Taken(0, "metal_silicon_ppm", day * _DAY_US, 1e4 * float(silicon)),
        )
        found.append(float(detector.update(_view(day + 0.3, samples))[0].value[0, 0]))
    return np.array(found)


def row_25() -> Row:
    """Iron and silicon kept at a level, and silicon that begins to dissolve."""
    ten = np.ones(10)
    levels = np.arange(0.01, 2.0, 0.01)
    iron_pct = next(pct for pct in levels if _scores(pct * ten, 0.03 * ten)[-1] >= 1.0)
    silicon_pct = next(pct for pct in levels if _scores(0.08 * ten, pct * ten)[-1] >= 1.0)
    sound = float(np.nanmax(_scores(0.10 * ten, 0.06 * ten)))
    # The pad is renewed in ten days: 0.004 % a day is the usual inflow, 0.015 more come from the lining.
    rising = np.full(60, 0.04)
    for day in range(30, 60):
        rising[day] = rising[day - 1] + 0.019 - 0.1 * rising[day - 1]
    scores = _scores(np.full(60, 0.08), rising)
    early = int(np.argmax(scores >= 1.0))
    ok = 0.99 <= iron_pct <= 1.02 and 0.195 <= silicon_pct <= 0.215 and sound < 1.0
    return Row(
        "25",
        "Iron and silicon before a tap-out",
        "damage above 1 % Fe or 0.2 % Si; sound up to 0.10 and 0.06",
        "cagtic.cn",
        "thresholds",
        f"raised from {iron_pct:.2f} % Fe or {silicon_pct:.2f} % Si in two samples on; highest score {sound:.2f} of 1"
        f" at 0.10 and 0.06 %; against its own past, silicon that dissolves with 0.015 % a day is raised after"
        f" {early - 29} samples at {rising[early]:.3f} %. The limits are the published ones; no record of a tap-out was"
        " to be had",
        *judged(ok and early < 60, "the detector raises elsewhere"),
        "B",
    )


def rows() -> list[Row]:
    """All rows of this file, in order."""
    return [row_25()]
