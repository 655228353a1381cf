"""``make train``: the shipped file of models, from seeds: simulate, run through the pipeline, fit.

The seeds are this file's own; no line that is scored anywhere has one of them. Lines are recorded as tapes
(``benchmarks.tape``), so that limits can be fitted again in minutes when a detector has changed:

    python -m benchmarks.train_shipped --work DIR   # everything; needs potline[train]; DIR keeps lines and tapes
    python -m benchmarks.train_shipped --work DIR --limits   # only the limits; the rest of the file stays
    python -m benchmarks.train_shipped --work DIR --record   # only the lines and tapes, to be fitted later

Simulating and recording take about three seconds a cell-day, running the detectors 3 to 4 ms a scan of each line: about
three quarters of an hour of one core in all, and ``--jobs 2`` has two lines at a time.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.tape import record, truth, views
from edge.model_file import SHIPPED
from edge.train import Gathered, Watcher, models_in, models_of, write
from plant.faults import Plan
from plant.history import simulate

OUT = Path(__file__).parent.parent / "models" / SHIPPED


class TrainingLine(NamedTuple):
    """One simulated line to learn from."""

    name: str
    faults: Plan
    technology: str
    cells: int
    days: float
    seed: int


#: Quiet lines for limits and distributions, and lines full of faults for the network and the causes, each of two
#: technologies; P500, on which the benchmark scores another technology, is none of them.
LINES: tuple[TrainingLine, ...] = (
    TrainingLine("natural-P300", "natural", "P300", 12, 14.0, 9204),
    TrainingLine("training-P300", "training", "P300", 8, 7.0, 9201),
    TrainingLine("training-P180", "training", "P180", 6, 7.0, 9202),
    TrainingLine("natural-P180", "natural", "P180", 6, 10.0, 9205),
)


def tape_of(line: TrainingLine, work: Path) -> Path:
    """Tape of a line, made where it is not there yet; a half-made one is no tape.

    Parameters
    ----------
    line
        What to simulate.
    work
        Folder of lines and tapes.
    """
    # A line of another size is another line.
    stem = f"{line.name}-{line.cells}x{line.days:g}"
    tape, history = work / f"{stem}.tape", work / stem
    if not (tape / "truth.pickle").is_file():
        if not (history / "labels.parquet").is_file():
            shutil.rmtree(history, ignore_errors=True)
            simulate(
                history,
                n_cells=line.cells,
                days=line.days,
                seed=line.seed,
                faults=line.faults,
                technology=line.technology,
                interval_s=10.0,
            )
        shutil.rmtree(tape, ignore_errors=True)
        record(history, tape)
    return tape


def gathered(tape: Path, name: str) -> Gathered:
    """What a tape has to teach.

    Parameters
    ----------
    tape
        Folder that ``benchmarks.tape`` recorded.
    name
        For the card.
    """
    known = truth(tape)
    place = [known.plant.cell_index[cell.name] for cell in known.cells]
    cells = [known.cells[place.index(k)] for k in range(len(place))]
    watcher = Watcher(known.plant, cells)
    for view, suppressed in views(tape):
        watcher(view, suppressed)
    return watcher.gathered(name, [event._replace(cell=place[event.cell]) for event in known.events])


def _of_line(line: TrainingLine, work: Path) -> Gathered:
    return gathered(tape_of(line, work), f"{line.name}, seed {line.seed}")


def shipped(
    work: Path, out: Path, tapes: Sequence[Path], *, limits_only: bool, use_network: bool, jobs: int = 1
) -> None:
    """Write the shipped file.

    Parameters
    ----------
    work
        Folder of lines and tapes; what is there is not made again.
    out
        The file.
    tapes
        More quiet tapes for limits.
    limits_only
        Keep the network and the order of causes that the file has.
    use_network
        Switch it on.
    jobs
        Lines at a time, each in a process of its own; the bytes do not depend on it.
    """
    kept = models_in(str(out)) if limits_only else None
    wanted = [line for line in LINES if not limits_only or line.faults == "natural"]
    if jobs > 1:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(_of_line, wanted, repeat(work)))
    else:
        found = [_of_line(line, work) for line in wanted]
    found += [gathered(tape, tape.name) for tape in tapes]
    for g in found:
        print(g.text, flush=True)
    # The quiet lines teach limits; sound anodes there are enough in the others. Causes are learned from all alarms.
    faulty = [g for line, g in zip(wanted, found, strict=False) if line.faults == "training"]
    models = kept or models_of(faulty, found, lambda text: print(text, flush=True))
    write(out, found, [], models, use_network, print)


def main() -> None:
    """Simulate what is missing, and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="keep lines and tapes here, and use what is there")
    parser.add_argument("--tapes", type=Path, nargs="*", default=[], help="more quiet tapes for limits")
    parser.add_argument("--limits", action="store_true", help="only the limits; needs no more than potline")
    parser.add_argument("--record", action="store_true", help="only lines and tapes")
    parser.add_argument("--use-network", action="store_true", help="switch the network on")
    parser.add_argument("--jobs", type=int, default=1, help="lines at a time (default 1)")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if arguments.record:
        if arguments.work is None:
            sys.exit("--record needs --work DIR, where lines and tapes are kept")
        for line in LINES:
            print(tape_of(line, arguments.work), flush=True)
        return
    if arguments.limits and not arguments.out.is_file():
        sys.exit(f"{arguments.out}: no such file, whose network could be kept")
    with tempfile.TemporaryDirectory() as folder:
        shipped(
            arguments.work or Path(folder),
            arguments.out,
            arguments.tapes,
            limits_only=arguments.limits,
            use_network=arguments.use_network,
            jobs=arguments.jobs,
        )


if __name__ == "__main__":
    main()
