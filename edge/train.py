"""``potline train``: from labelled histories to the file of models, the same bytes for the same histories."""

import hashlib
import tempfile
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.config import Config
from edge.evaluate_case import Source, opened
from edge.exits import NO_INPUT, OK, USAGE
from edge.model_card import card
from edge.model_file import Body, Limit, dump, pack
from edge.pipeline import Pipeline, cell_layout
from edge.train_gather import LessonWriter
from edge.train_limits import LevelCounter, budgets, limit_of
from edge.train_sequence import Lesson, fit
from models.anode_sequence import SequenceWeights
from models.base import View
from models.drift import EDGES, DriftWatch
from models.panel import Panel
from models.registry import KINDS, build
from models.scoring.events import CellRecord, Event
from streams.history import read_history, read_plant

_BATCH = 5000
#: Below so much clear time a history says nothing of false alarms and of how scores lie on sound cells.
_MIN_CLEAR_SHARE = 0.5


class Gathered(NamedTuple):
    """What one history has to teach.

    Attributes
    ----------
    lesson
        Windows of anodes with labels; None where the plant measures no anode currents.
    blocks
        By kind, the highest limit at which each clear cell-day would have had an alarm.
    drift
        Scores of the cells.
    clear_share
        Of the cell-minutes.
    text
        For the card.
    """

    lesson: Lesson | None
    blocks: dict[str, list[float]]
    drift: DriftWatch
    clear_share: float
    text: str


class _Watcher:
    """Scores every view with the detectors as physics gives them, and keeps what is learned from."""

    def __init__(self, history: Path, cells: Sequence[CellRecord]) -> None:
        plant = read_plant(history)
        layout = cell_layout(plant, max(1, max(cell.n_shell for cell in plant.cells)))
        self._cells = cells
        self.layout = layout
        self._detectors = build(layout)
        self.lessons = LessonWriter(layout) if int(layout.n_anodes.max(initial=0)) else None
        self.levels = LevelCounter(load_texts().kind, len(cells))
        self.drift = DriftWatch({})

    def __call__(self, view: View, suppressed: NDArray[np.bool_]) -> None:
        scores = [score for detector in self._detectors for score in detector.update(view)]
        minutes = [cell.minute(view.time_us - 1) for cell in self._cells]
        clear = np.array([cell.normal[k] for cell, k in zip(self._cells, minutes, strict=True)]) & ~suppressed
        self.levels.add(scores, clear, view.scan_s)
        self.drift.count(view.time_us, scores)
        if self.lessons is not None:
            self.lessons.add(view)


def gathered(history: Path, config: Config) -> Gathered:
    """Run one labelled history through the pipeline.

    Parameters
    ----------
    history
        Folder by contract, with ``labels.parquet``.
    config
        What the pipeline needs of it.

    Raises
    ------
    HistoryError, PlantError, InputMissing
        The history or its labels cannot be read.
    """
    cells, events = _truth(history)
    watcher = _Watcher(history, cells)
    pipeline = Pipeline(read_plant(history), config, load_texts(), watch=watcher)
    # The watcher scores: no detector need run twice.
    pipeline.panel = Panel(watcher.layout, detectors=())
    source = read_history(history)
    while batch := list(islice(source, _BATCH)):
        pipeline.push(batch)
    pipeline.flush()
    clear = float(np.mean([cell.normal.mean() for cell in cells]))
    days = len(cells[0].observed) / 1440.0
    digest = hashlib.sha256((history / "labels.parquet").read_bytes()).hexdigest()[:12]
    text = (
        f"{history.name}: {pipeline.plant.cells[0].technology or 'unknown technology'}, {len(cells)} cells, "
        f"{days:.1f} days, {len(events)} labelled events, {100 * clear:.0f} % of the time clear, labels {digest}"
    )
    lesson = watcher.lessons.lesson(events) if watcher.lessons is not None else None
    return Gathered(lesson, watcher.levels.blocks, watcher.drift, clear, text)


def _truth(history: Path) -> tuple[list[CellRecord], list[Event]]:
    """Cells with their clear time, and events; alarms play no part."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "alarms.jsonl"
        empty.write_bytes(b"")
        with opened([Source(empty, history / "labels.parquet", history)]) as case:
            # A memory map does not outlive the case.
            copied = [c._replace(observed=np.array(c.observed), clear=np.array(c.clear)) for c in case.cells]
            events = list(case.events)
    # The scorer sorts cells by name, views have them as the plant lists them.
    plant = read_plant(history)
    place = [plant.cell_index[cell.name] for cell in copied]
    ordered = [copied[place.index(k)] for k in range(len(copied))]
    return ordered, [event._replace(cell=place[event.cell]) for event in events]


def limits_of(found: Sequence[Gathered], kinds: Collection[str]) -> dict[str, Limit]:
    """Limits of all kinds from the histories that are mostly clear; the others are full of faults.

    Parameters
    ----------
    found
        One for each history.
    kinds
        That are scored.
    """
    allowed = budgets(kinds)
    clear = [g for g in found if g.clear_share >= _MIN_CLEAR_SHARE]
    limits: dict[str, Limit] = {}
    for kind in sorted(kinds):
        blocks = [level for g in clear for level in g.blocks.get(kind, [])]
        limits[kind] = limit_of(kind, blocks, allowed[kind])
    return limits


def train(
    histories: Sequence[Path],
    out: Path,
    config: Config,
    *,
    windows: Sequence[Path] = (),
    network: bool,
    use_network: bool,
    say: Callable[[str], None],
) -> int:
    """Write a file of models and its card.

    Parameters
    ----------
    histories
        Folders with labels.
    out
        File to write; the card stands beside it with the ending ``.md``.
    config
        What the pipeline needs of it.
    windows
        Small histories around alarms that people judged. The network learns from them; limits and distributions do
        not, for they were chosen by the alarms and say nothing of how often one is false.
    network
        Train the sequence model too; needs PyTorch.
    use_network
        Switch it on.
    say
        Gets lines of progress.

    Returns
    -------
    int
        0; 2 where the network is wanted and PyTorch is not installed; 66 where a folder is no labelled history.

    Raises
    ------
    HistoryError, PlantError, InputMissing
        A history cannot be read.
    ValueError
        The histories hold nothing to learn from.
    """
    for history in (*histories, *windows):
        if not (history / "plant.toml").is_file() or not (history / "labels.parquet").is_file():
            say(f"{history}: no plant.toml and labels.parquet, so there is nothing to learn from")
            return NO_INPUT
    if network and not _has_torch():
        say("potline train: PyTorch is not installed; `pip install 'potline[train]'`, or give --no-network")
        return USAGE
    found: list[Gathered] = []
    for history in histories:
        found.append(gathered(history, config))
        say(found[-1].text)
    limits = limits_of(found, KINDS)
    reference = DriftWatch({})
    for g in found:
        if g.clear_share >= _MIN_CLEAR_SHARE:
            reference.merge(g.drift)
    judged = [gathered(window, config) for window in windows] if network else []
    lessons = [g.lesson for g in (*found, *judged) if g.lesson is not None]
    weights: SequenceWeights | None = fit(lessons, tell=say) if network else None
    body = Body(
        limits=limits,
        edges=EDGES,
        reference=reference.shares(),
        sequence=None if weights is None else pack(weights),
        use_sequence=use_network and weights is not None,
        trained_on=tuple(g.text for g in (*found, *judged)),
    )
    data = dump(body)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    out.with_suffix(".md").write_text(card(body, data, out.name), encoding="utf-8")
    say(f"{out}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    return OK


def _has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None
