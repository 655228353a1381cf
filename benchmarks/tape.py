"""Views of a recorded history on a tape, so that detectors can be tried again and again without the rest.

``record`` runs a history through the gateway's pipeline once and keeps what detectors see at every scan, as float32;
``score`` runs detectors and the alarm rules on a tape and prints, kind by kind, what ``potline evaluate`` counts. For
development and for what each part adds: the figures that stand in the README come from whole replays.

    python -m benchmarks.tape record HISTORY TAPE
    python -m benchmarks.tape score TAPE [TAPE ...] --detectors anodes heat_loss --list
"""

import argparse
import json
import pickle
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from msgspec import json as mjson
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.alarms import AlarmEngine, AlarmEvent
from edge.config import Config
from edge.evaluate_case import Source, opened
from edge.evaluate_read import Span, read_alarms
from edge.model_file import learned as learned_of
from edge.pipeline import Pipeline, cell_layout
from models.base import Detector, View
from models.panel import UNTRAINED, Learned, Panel
from models.registry import DETECTORS
from models.scoring.events import CellRecord, Episode, Event, exact, is_hidden, merged
from models.scoring.figures import Judged, judge, row
from models.scoring.rules import groups
from streams.history import read_history, read_plant
from streams.messages import Item
from streams.plant_file import Plant
from twin.observer import Estimate

#: Scans in one file of the tape.
_SCANS = 360
_BATCH = 5000
_ZSTD = pa.Codec("zstd", compression_level=1)


class Truth(NamedTuple):
    """What a tape is scored against."""

    plant: Plant
    cells: list[CellRecord]
    events: list[Event]


class _Unpickler(pickle.Unpickler):
    """Knows ``Truth`` also where a tape was recorded by this file as the program, and so calls it ``__main__``."""

    def find_class(self, module: str, name: str) -> object:
        return Truth if name == Truth.__name__ else super().find_class(module, name)


class Recorder:
    """Gathers views of a history and writes them in files of an hour.

    Parameters
    ----------
    history
        Folder by contract, with labels.
    out
        Folder to write; must be empty or not there.
    """

    def __init__(self, history: Path, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._history, self._out = history, out
        self._views: list[View] = []
        self._suppressed: list[NDArray[np.bool_]] = []
        self.files = 0

    def __call__(self, view: View, suppressed: NDArray[np.bool_]) -> None:
        """Take in one scan; ``suppressed`` (n_cells,) are those whose alarms would not be shown."""
        self._views.append(view)
        self._suppressed.append(suppressed.copy())
        if len(self._views) == _SCANS:
            self._write()

    def finish(self) -> None:
        """Write what is left, and then what the tape is scored against: without it a tape is half made."""
        self._write()
        empty = self._out / "none.jsonl"
        empty.write_bytes(b"")
        with opened([Source(empty, self._history / "labels.parquet", self._history)]) as case:
            # A memory map does not outlive the case.
            cells = [c._replace(observed=np.array(c.observed), clear=np.array(c.clear)) for c in case.cells]
            known = Truth(read_plant(self._history), cells, case.events)
            (self._out / "truth.pickle").write_bytes(pickle.dumps(known))

    def _write(self) -> None:
        if not self._views:
            return
        chunk: dict[str, Any] = {"suppressed": np.stack(self._suppressed)}
        for name in View._fields:
            values = [getattr(view, name) for view in self._views]
            if name == "estimate":
                for field in Estimate._fields:
                    chunk[f"estimate.{field}"] = _packed([getattr(e, field) for e in values])
            elif isinstance(values[0], np.ndarray):
                chunk[name] = _packed(values)
            else:
                chunk[name] = values
        blob = pickle.dumps(chunk, protocol=pickle.HIGHEST_PROTOCOL)
        packed = _ZSTD.compress(blob, asbytes=True)
        (self._out / f"{self.files:05d}.tape").write_bytes(len(blob).to_bytes(8) + packed)
        self.files += 1
        self._views, self._suppressed = [], []


def _packed(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    whole = np.stack(values)
    return whole.astype(np.float32) if whole.dtype == np.float64 else whole


def record(history: Path, tape: Path) -> None:
    """Run a history through the pipeline and keep every view.

    Parameters
    ----------
    history
        Folder by contract, with labels.
    tape
        Folder to write; must be empty or not there.
    """
    recorder = Recorder(history, tape)
    pipeline = Pipeline(read_plant(history), Config(), load_texts(), watch=recorder)
    batch: list[Item] = []
    for item in read_history(history):
        batch.append(item)
        if len(batch) == _BATCH:
            pipeline.push(batch)
            batch = []
    pipeline.push(batch)
    pipeline.flush()
    recorder.finish()


def views(tape: Path) -> Iterator[tuple[View, NDArray[np.bool_]]]:
    """Every view of a tape with the cells that are suppressed, in time order.

    Parameters
    ----------
    tape
        Folder that ``record`` wrote.
    """
    for path in sorted(tape.glob("*.tape")):
        data = path.read_bytes()
        chunk = pickle.loads(_ZSTD.decompress(data[8:], int.from_bytes(data[:8]), asbytes=True))
        for name, values in chunk.items():
            if isinstance(values, np.ndarray) and values.dtype == np.float32:
                chunk[name] = values.astype(np.float64)
        for k in range(len(chunk["time_us"])):
            estimate = Estimate._make(chunk[f"estimate.{field}"][k] for field in Estimate._fields)
            fields = {name: chunk[name][k] for name in View._fields if name != "estimate"}
            yield View(**fields, estimate=estimate), chunk["suppressed"][k]


def truth(tape: Path) -> Truth:
    """What a tape is scored against."""
    with (tape / "truth.pickle").open("rb") as file:
        return _Unpickler(file).load()


def alarms(
    tape: Path,
    detectors: Collection[str] | None = None,
    change: Callable[[View], View] | None = None,
    learned: Learned | None = None,
) -> list[AlarmEvent]:
    """Alarms that detectors raise on a tape.

    Parameters
    ----------
    tape
        Folder that ``record`` wrote.
    detectors
        Names in the registry; None for all.
    change
        What is done to each view before the detectors see it.
    learned
        What training has to say; None for the limits of physics.
    """
    plant = truth(tape).plant
    layout = cell_layout(plant, max(1, max(cell.n_shell for cell in plant.cells)))
    running: list[Detector] = [
        make(layout) for name, make in DETECTORS.items() if detectors is None or name in detectors
    ]
    panel = Panel(layout, learned or UNTRAINED, running)
    engine = AlarmEngine(plant, load_texts().kind)
    said: list[AlarmEvent] = []
    scan_s = Config().twin.scan_s
    for seen, suppressed in views(tape):
        view = seen if change is None else change(seen)
        said += engine.update(view.time_us, scan_s, panel.update(view), suppressed)
    return said


def episodes(said: Sequence[AlarmEvent], known: Truth) -> list[Episode]:
    """Alarms as they are scored."""
    first = known.cells[0]
    span = Span(first.start_us, first.start_us + len(first.observed) * 60_000_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alarms.jsonl"
        path.write_bytes(b"".join(mjson.encode(event) + b"\n" for event in said))
        return merged(read_alarms(path, known.plant, span, 0, "").episodes)


def score(
    tapes: Sequence[Path],
    detectors: Collection[str] | None = None,
    list_all: bool = False,
    change: Callable[[View], View] | None = None,
    learned: Learned | None = None,
) -> dict[str, Any]:
    """Figures by group of kinds over some tapes, printed as a table; missed events and false alarms if asked for.

    Parameters
    ----------
    tapes
        Folders that ``record`` wrote.
    detectors
        Names in the registry; None for all.
    list_all
        Print every event and every false alarm too.
    change
        What is done to each view before the detectors see it.
    learned
        What training has to say; None for the limits of physics.
    """
    cells: list[CellRecord] = []
    events: list[Event] = []
    found: list[Episode] = []
    for number, tape in enumerate(tapes):
        known = truth(tape)
        first = len(cells)
        own = episodes(alarms(tape, detectors, change, learned), known)
        mark = f"{number}/"
        cells += [c._replace(name=mark + c.name, line=mark + c.line) for c in known.cells]
        events += [e._replace(cell=e.cell + first) for e in known.events]
        found += [a._replace(cell=a.cell + first if a.cell >= 0 else -1, line=mark + a.line) for a in own]
    judged = judge(cells, events, found)
    if list_all:
        _list(cells, judged)
    figures: dict[str, Any] = {}
    present = {e.kind for e in events} | {a.kind for a in found}
    print(f"{'group':24} events hidden found exact place false  /cell-day  delay,min  rmtd,min")
    for name, wanted in groups().items():
        if name != "all" and not present & set(wanted):
            continue
        figures[name] = of = row(judged, cells, wanted, np.random.default_rng(1))
        place = (
            of["right_anode"]["share"]
            if of["right_anode"]["share"] is not None
            else of["right_side"]["share"]
        )
        print(
            f"{name:24} {of['events']:6} {of['events_hidden']:6} {of['detected']:5} "
            f"{_text(of['exact_kind']['share'])} {_text(place)} {of['false_alarms']:5} "
            f"{_text(of['false_per_cell_day'], '9.4f')} {_text(of['delay_median_min'], '10.1f')} "
            f"{_text(of['restricted_mean_time_to_detect_min'], '9.1f')}"
        )
    return figures


def _text(value: float | None, form: str = "5.2f") -> str:
    return "-".rjust(int(form.split(".")[0])) if value is None else f"{value:{form}}"


def _list(cells: Sequence[CellRecord], judged: Judged) -> None:
    for m in sorted(judged.matches, key=lambda m: (m.event.kind, m.event.severity)):
        e, a = m.event, m.alarm
        start_h = (e.start_us - cells[e.cell].start_us) / 3.6e9
        seen_h, end_h = ((t - e.start_us) / 3.6e9 for t in (e.observable_us, e.end_us))
        what = "missed" if a is None else f"{(a.start_us - e.start_us) / 3.6e9:+.2f} h "
        if a is not None:
            what += "exact" if exact(a, e) else f"{a.kind} {a.anode or a.side or ''}"
        hidden = "hidden " if is_hidden(e) else ""
        print(
            f"{e.kind:22} {cells[e.cell].name} {e.anode or e.side or '':>4} at {start_h:7.2f} h "
            f"severity {e.severity:.2f} shows {seen_h:+.2f} h ends {end_h:+.1f} h: {hidden}{what}"
        )
    for a, context in sorted(judged.false, key=lambda f: (f[0].kind, f[0].cell, f[0].start_us)):
        at_h = (a.start_us - cells[a.cell].start_us) / 3.6e9
        print(
            f"FALSE {a.kind:22} {cells[a.cell].name} {a.anode or a.side or '':>4} at {at_h:7.2f} h "
            f"for {(a.end_us - a.start_us) / 3.6e9:.2f} h score {a.score:.2f} {context}"
        )


def main() -> None:
    """Record or score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    recording = verbs.add_parser("record")
    recording.add_argument("history", type=Path)
    recording.add_argument("tape", type=Path)
    scoring = verbs.add_parser("score")
    scoring.add_argument("tapes", type=Path, nargs="+")
    scoring.add_argument("--detectors", nargs="+", choices=tuple(DETECTORS))
    scoring.add_argument("--list", action="store_true", help="every event and every false alarm")
    scoring.add_argument(
        "--models", type=Path, help="file of potline train; without it the limits of physics"
    )
    scoring.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    if arguments.verb == "record":
        if arguments.tape.is_dir() and any(arguments.tape.iterdir()):
            sys.exit(f"{arguments.tape} is not empty")
        record(arguments.history, arguments.tape)
        return
    learned = learned_of(Config(models=str(arguments.models))) if arguments.models else None
    figures = score(arguments.tapes, arguments.detectors, arguments.list, learned=learned)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
