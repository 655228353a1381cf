"""Acceptance rows that run detectors on told or constructed cases."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.validation_row import Row, judged
from models.base import CellLayout, Taken, View
from models.heat_state import HeatState
from models.metal_quality import MetalQuality
from twin.cell_model import ALUMINA_kg_sA
from twin.heat import steady
from twin.observer import Estimate, Observer
from twin.params import params_for
from twin.signals import SCALAR_READINGS

FloatArray = NDArray[np.float64]

_DAY_US = 86_400_000_000
_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
#: One cell with nothing but its samples.
_NONE, _UNKNOWN = np.zeros(1, dtype=np.int64), np.full(1, np.nan)
_NOWHERE = np.full((1, 1), -1, dtype=np.int64)
_BARE = CellLayout(
    _NONE, _NONE, _NOWHERE, _NONE, _NONE, _NOWHERE, _NONE, _UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN
)


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
        voltage_low_V=np.full(1, np.nan),
        voltage_high_V=np.full(1, np.nan),
        feed_kg=np.zeros(1),
        anode_current_A=np.full((1, 1), np.nan),
        anode_bad=np.zeros(1),
        shell_temp_C=np.full((1, 1), np.nan),
        shell_bad=np.zeros(1),
        bar_temp_C=np.full((1, 1), np.nan),
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


#: Told cases of a 500 kA cell: bath temperature above nominal at each day's sample [K], whether the liquidus is
#: measured too and stays, and anode effects a day after the first day.
_CASES = (((0.0, 4.0, 8.0, 12.0), True, 0), ((0.0, -4.0, -8.0), False, 2), ((0.0, -4.0, -8.0), False, 0))


_TOLD = ("low_probability", "normal_probability", "high_probability", "superheat_C")


def _chances(rises_K: tuple[float, ...], liquidus_stays: bool, effects_1_d: int) -> FloatArray:
    """Probabilities of low, normal and high superheat, and the twin's, at the end of each day, (n_days, 4)."""
    cell = params_for("generic_500kA", None)
    bath_C, liquidus_C = cell.bath_temp_C, steady(cell).liquidus_C
    observer = Observer([cell], _NONE, _BARE.shell_side)
    detector = HeatState(_BARE)
    unknown, one = np.full(1, np.nan), np.full((1, 1), np.nan)
    feed_kg = np.array([60.0 * ALUMINA_kg_sA * cell.rated_current_A * cell.current_efficiency_frac])
    found: list[list[float]] = []
    for day, rise_K in enumerate(rises_K):
        observer.sample(0, "bath_temp_C", bath_C + rise_K, 0.0)
        if liquidus_stays:
            observer.sample(0, "liquidus_temp_C", liquidus_C, 0.0)
        for minute in range(1440):
            # An effect of two minutes; the twin is not fed with it, so that only the detector's count speaks.
            burning = day > 0 and any(0 <= minute - 300 * (k + 1) < 2 for k in range(effects_1_d))
            estimate = observer.step(
                60.0,
                np.array([cell.rated_current_A]),
                np.array([cell.nominal_voltage_V]),
                one,
                one,
                unknown,
                feed_kg,
                unknown,
                one,
            )
            view = _view(day + minute / 1440.0, ())._replace(estimate=estimate)
            view.scalar[_VOLTAGE] = 30.0 if burning else cell.nominal_voltage_V
            detector.update(view)
        told = detector.explain("cell_cold", 0, 0).evidence
        found.append([told[name] for name in _TOLD])
    return np.array(found)


def row_21() -> Row:
    """Three told cases of heat, through twin and detector."""
    hotter, colder, falling = (_chances(*case) for case in _CASES)
    ok = bool(np.all(np.diff(hotter[:, 2]) > 0.0) and np.all(np.diff(colder[:, 0]) > 0.0))
    ok = ok and hotter[-1, :3].argmax() == 2 and colder[-1, :3].argmax() == 0
    ok = ok and bool(np.all(falling[:, 1] > falling[:, [0, 2]].max(axis=1)))

    def said(chances: FloatArray, state: int) -> str:
        return ", ".join(f"{100.0 * chance:.1f}" for chance in chances[:, state])

    return Row(
        "21",
        "State of heat: probabilities of low, normal and high superheat in three told cases",
        "high 0.8, 11.5, 68.3, 97.2 % over four days; low 0.1 to 97.7 %; normal above 98 %",
        "Zhu and Li 2020",
        "order only",
        f"high {said(hotter, 2)} % over four days of bath 4 K hotter each day with its liquidus unchanged; low"
        f" {said(colder, 0)} % over three days of bath 4 K colder each day with two anode effects a day; normal"
        f" {said(falling, 1)} % in the same three days without. Steps, effects and that the liquidus stays are assumed;"
        " the paper's network is not used",
        *judged(
            ok,
            "the order of the days is right in all three, but only normal is ever the likeliest: at an unchanged"
            f" voltage the twin's superheat holds to its heat balance and follows a measured rise of 12 K by"
            f" {hotter[-1, 3] - hotter[0, 3]:.1f} K",
        ),
        "B",
    )


def rows() -> list[Row]:
    """All rows of this file, in order."""
    return [row_21(), row_25()]
