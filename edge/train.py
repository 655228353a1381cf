"""``potline train``: from labelled histories to the file of models, the same bytes for the same histories."""

import hashlib
import tempfile
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.config import Config
from edge.evaluate_case import Source, opened
from edge.exits import NO_INPUT, OK, USAGE
from edge.model_card import card, scores_of
from edge.model_file import (
    Body,
    CauseScore,
    Limit,
    causes_of,
    dump,
    load,
    pack,
    pack_causes,
    read,
    weights_of,
)
from edge.pipeline import Pipeline, cell_layout
from edge.train_causes import AlarmWriter, CauseLesson, fit_causes
from edge.train_gather import LessonWriter
from edge.train_limits import LevelCounter, budgets, limit_of
from edge.train_sequence import Lesson, fit
from models.anode_sequence import SequenceWeights
from models.base import View
from models.cause_rank import CauseModel
from models.drift import EDGES, DriftWatch
from models.panel import Panel
from models.registry import KINDS, build
from models.scoring.events import CellRecord, Event
from streams.history import read_history, read_plant
from streams.plant_file import Plant

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
    alarms
        Raised at the limits of physics, with what was true.
    """

    lesson: Lesson | None
    blocks: dict[str, list[float]]
    drift: DriftWatch
    clear_share: float
    text: str
    alarms: list[CauseLesson]


class Models(NamedTuple):
    """What is fitted beside limits.

    Attributes
    ----------
    weights
        Of the network; None for none.
    causes
        Order of causes by detector.
    cause_scores
        By alarm kind.
    """

    weights: SequenceWeights | None
    causes: dict[str, CauseModel]
    cause_scores: dict[str, CauseScore]


class Watcher:
    """Scores every view of one line with the detectors as physics gives them, and keeps what is learned from.

    Parameters
    ----------
    plant
        Of the line.
    cells
        In the order of the views, with their clear time.
    """

    def __init__(self, plant: Plant, cells: Sequence[CellRecord]) -> None:
        self.layout = cell_layout(plant, max(1, max(cell.n_shell for cell in plant.cells)))
        self._plant = plant
        self._cells = cells
        self._detectors = build(self.layout)
        self._lessons = LessonWriter(self.layout) if int(self.layout.n_anodes.max(initial=0)) else None
        self._clear_share = float(np.mean([cell.normal.mean() for cell in cells]))
        self._levels = LevelCounter(load_texts().kind, len(cells))
        self._drift = DriftWatch({})
        self._alarms = AlarmWriter(plant)

    def __call__(self, view: View, suppressed: NDArray[np.bool_]) -> None:
        """Take in one scan; ``suppressed`` (n_cells,) are those whose alarms would not be shown."""
        given = [(detector, score) for detector in self._detectors for score in detector.update(view)]
        scores = [score for _, score in given]
        # A line full of faults teaches neither limits nor how scores lie on sound cells.
        if self._clear_share >= _MIN_CLEAR_SHARE:
            minutes = [cell.minute(view.time_us - 1) for cell in self._cells]
            clear = np.array([cell.normal[k] for cell, k in zip(self._cells, minutes, strict=True)])
            self._levels.add(scores, clear & ~suppressed, view.scan_s)
            self._drift.count(view.time_us, scores)
        self._alarms.add(view, given, suppressed)
        if self._lessons is not None:
            self._lessons.add(view)

    def gathered(self, name: str, events: Sequence[Event]) -> Gathered:
        """What the line has to teach.

        Parameters
        ----------
        name
            For the card.
        events
            What was true, cells counted as in the views.
        """
        days = len(self._cells[0].observed) / 1440.0
        design = self._plant.cells[0].technology or "unknown technology"
        text = (
            f"{name}: {design}, {len(self._cells)} cells, {days:.1f} days, {len(events)} labelled events, "
            f"{100 * self._clear_share:.0f} % of the time clear"
        )
        lesson = self._lessons.lesson(events) if self._lessons is not None else None
        return Gathered(
            lesson, self._levels.blocks, self._drift, self._clear_share, text, self._alarms.lessons(events)
        )


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
    plant = read_plant(history)
    watcher = Watcher(plant, cells)
    pipeline = Pipeline(plant, config, load_texts(), watch=watcher)
    # The watcher scores: no detector need run twice.
    pipeline.panel = Panel(watcher.layout, detectors=())
    source = read_history(history)
    while batch := list(islice(source, _BATCH)):
        pipeline.push(batch)
    pipeline.flush()
    return watcher.gathered(history.name, events)


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
    kept: Models | None = None,
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
        Train the sequence model and the order of causes too; needs PyTorch and scikit-learn.
    kept
        What to keep of both where they are not trained.
    use_network
        Switch it on.
    say
        Gets lines of progress.

    Returns
    -------
    int
        0; 2 where the network is wanted and PyTorch or scikit-learn is not installed; 66 where a folder is no
        labelled history.

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
    if network and not all(find_spec(name) for name in ("torch", "sklearn")):
        say(
            "potline train: PyTorch or scikit-learn is not installed; `pip install 'potline[train]'`, or give "
            "--no-network"
        )
        return USAGE
    found: list[Gathered] = []
    judged: list[Gathered] = []
    for history in histories:
        found.append(gathered(history, config))
        say(found[-1].text)
    for window in windows if network else ():
        judged.append(gathered(window, config))
        say(judged[-1].text)
    models = models_of([*found, *judged], [*found, *judged], say) if network else kept
    write(out, found, judged, models or Models(None, {}, {}), use_network, say)
    return OK


def models_of(
    for_network: Sequence[Gathered], for_causes: Sequence[Gathered], say: Callable[[str], None]
) -> Models:
    """Train network and causes on what was gathered; raises as ``edge.train_sequence.fit``.

    Parameters
    ----------
    for_network
        Those with anode currents count.
    for_causes
        Those with alarms count; each is left out in turn to judge what the others teach.
    say
        Gets lines of progress.
    """
    causes, scores = fit_causes([g.alarms for g in for_causes if g.alarms], tell=say)
    weights = fit([g.lesson for g in for_network if g.lesson is not None], tell=say)
    return Models(weights, causes, scores)


def models_in(name: str) -> Models:
    """Network and causes of a file, to be kept.

    Parameters
    ----------
    name
        Of the file.

    Raises
    ------
    ModelFileError
        It cannot be used.
    """
    body = load(read(name), name)
    return Models(weights_of(body, name), causes_of(body, name), body.cause_scores)


def write(
    out: Path,
    found: Sequence[Gathered],
    judged: Sequence[Gathered],
    models: Models,
    use_network: bool,
    say: Callable[[str], None],
) -> None:
    """Write the file and its card.

    Parameters
    ----------
    out
        The file; the card stands beside it with the ending ``.md``. What its section of scores says is kept only where
        the bytes are the same as before.
    found, judged
        Histories, and windows around judged alarms.
    models
        Network and causes.
    use_network
        Switch it on.
    say
        Gets a line.
    """
    reference = DriftWatch({})
    for g in found:
        if g.clear_share >= _MIN_CLEAR_SHARE:
            reference.merge(g.drift)
    body = Body(
        limits=limits_of(found, KINDS),
        edges=EDGES,
        reference=reference.shares(),
        sequence=None if models.weights is None else pack(models.weights),
        use_sequence=use_network and models.weights is not None,
        trained_on=tuple(g.text for g in (*found, *judged)),
        causes={name: pack_causes(law) for name, law in models.causes.items()},
        cause_scores=models.cause_scores,
    )
    data, beside = dump(body), out.with_suffix(".md")
    same = out.is_file() and out.read_bytes() == data
    text = card(body, data, out.name, scores_of(beside) if same else "")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(data)
    beside.write_text(text, encoding="utf-8")
    say(f"{out}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
