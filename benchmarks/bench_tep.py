"""``make bench-tep``: the generic detectors on the Tennessee Eastman set, thresholds from normal data only.

Every detector is judged at the 99 % quantile of its cross-validated scores on the 500 normal training rows, and scores
a run from its first row on, as it would live. Ours is the one that detects most of the training runs of the faults,
among those that do not smooth: 500 rows hold too few independent smoothed values for such a quantile, and the false
alarms of the normal test run show it. Faults 3, 9 and 15 are known to be invisible and are left out of the target.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.results import Figures
from models.generic import (
    Autoencoder,
    Baseline,
    CvaResidual,
    HotellingT2,
    PcaResidual,
    Persistence,
    ZEwma,
    crossvalidated_limit,
)

DATA = results.ROOT.parent / "shared" / "data" / "tep" / "tep.parquet"
QUANTILE = 0.99
INVISIBLE = (3, 9, 15)
#: Row of a test run at which its fault begins; the training runs of faults are faulty throughout.
BEGINS = 160
TARGET_DETECTED, TARGET_FALSE = 0.93, 0.015

MODELS: dict[str, Callable[[], Baseline]] = {
    "T2, full covariance": HotellingT2,
    "T2 of a row and the one before": lambda: HotellingT2(lags=1),
    "CVA residual, 3 lags, 28 states": CvaResidual,
    "PCA residual, 90 % (linear autoencoder)": PcaResidual,
    "autoencoder, 15 wide": Autoencoder,
    "persistence": Persistence,
}
#: Shown, and not chosen from.
SMOOTHING: dict[str, Callable[[], Baseline]] = {
    "T2 of the mean, weight 0.4": lambda: HotellingT2(0.4),
    "T2 of the mean, weight 0.2": lambda: HotellingT2(0.2),
    "z-EWMA, weight 0.1": ZEwma,
}
#: Without the 19 composition analysers, which are slow and sampled every 6 or 15 min.
VARIABLES = {"52": tuple(range(52)), "33": (*range(22), *range(41, 52))}

Runs = dict[tuple[int, str], NDArray[np.float64]]


def runs(path: Path) -> Runs:
    """Rows of each run by fault (0 is normal) and split, in order of time."""
    table: Any = pq.read_table(path)
    fault = table["fault"].to_numpy()
    split = np.array(table["split"].to_pylist())
    values = np.column_stack([table[name].to_numpy() for name in table.column_names if name.startswith("xm")])
    return {
        (number, part): values[(fault == number) & (split == part)].astype(np.float64)
        for number in range(22)
        for part in ("train", "test")
    }


def judged(make: Callable[[], Baseline], data: Runs, columns: tuple[int, ...]) -> Figures:
    """False alarms and detection rates of one detector; 18 are the faults that can be seen."""
    chosen = list(columns)
    normal = data[0, "train"][:, chosen]
    limit = crossvalidated_limit(make, normal, QUANTILE)
    detector = make()
    detector.fit(normal)

    def above(fault: int, split: str, begins: int = 0) -> float:
        return float((detector.score(data[fault, split][:, chosen])[begins:] > limit).mean())

    by_fault = {fault: above(fault, "test", BEGINS) for fault in range(1, 22)}
    seen = [fault for fault in by_fault if fault not in INVISIBLE]
    return {
        "false_alarms": above(0, "test"),
        "detected_21": float(np.mean(list(by_fault.values()))),
        "detected_18": float(np.mean([by_fault[fault] for fault in seen])),
        "detected_18_training": float(np.mean([above(fault, "train") for fault in seen])),
        "by_fault": by_fault,
        "limit": limit,
    }


def main() -> None:
    """Judge every detector, write ``results/tep.json`` and the README."""
    if not DATA.is_file():
        sys.exit(f"{DATA}: no such file; it lies beside the repository, not in it")
    data = runs(DATA)
    rows: list[Figures] = [
        {"what": name, "variables": int(count), "smooths": name in SMOOTHING} | judged(make, data, columns)
        for count, columns in VARIABLES.items()
        for name, make in (MODELS | SMOOTHING).items()
    ]
    ours = max((row for row in rows if not row["smooths"]), key=lambda row: row["detected_18_training"])
    met = ours["detected_18"] >= TARGET_DETECTED and ours["false_alarms"] <= TARGET_FALSE
    figures: Figures = results.conditions(0, ("numpy", "pyarrow")) | {
        "rows": rows,
        "ours": {key: ours[key] for key in ("what", "variables", "detected_18", "false_alarms")},
        "target": {"detected_18": TARGET_DETECTED, "false_alarms": TARGET_FALSE, "met": met},
    }
    results.write("tep", figures)
    print(results.TABLES["tep"](figures), end="")


if __name__ == "__main__":
    main()
