"""The one way round: items in event time become frames, scans, estimates, scores, alarms and points.

Live and replay run this same object. It reads no clock, no file and no random number, so the same items in the same
order, or in another order within the lateness, give the same output byte for byte.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.accounting import Accounting
from edge.alarm_rules import Texts
from edge.alarms import AlarmEngine, AlarmEvent
from edge.anode_log import AnodeLog
from edge.config import Config
from edge.points import Point, alarm_point, state_points
from edge.recent import Recent
from edge.scan import Scan, ScanBuilder
from models.base import CellLayout, Done, Taken, View
from models.registry import build
from streams.align import Aligner
from streams.frame import Frame
from streams.messages import Event, Item
from streams.plant_file import Plant
from twin.observer import Observer
from twin.params import CellParams, ParamsError, params_for, technologies
from twin.signals import SCALAR_READINGS, SIDES

_VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
_CURRENT = SCALAR_READINGS.index("line_current_A")
_AMBIENT = SCALAR_READINGS.index("ambient_temp_C")
_BEAM = SCALAR_READINGS.index("beam_position_mm")
_MINUTE_US = 60_000_000


#: Told of every scan: the view, and which cells (n_cells,) are suppressed by design.
Watch = Callable[[View, NDArray[np.bool_]], None]


class Output(NamedTuple):
    """What one call of the pipeline had to say."""

    alarms: list[AlarmEvent]
    points: list[Point]


class Pipeline:
    """One site from items to alarms and points.

    Parameters
    ----------
    plant
        Lines, cells and their instruments.
    config
        The whole configuration; broker, database and console do not matter here.
    texts
        Alarm rules and texts.
    watch
        Called with the view of every scan and the cells whose alarms are suppressed by design; None where the
        pipeline is to be saved.

    Raises
    ------
    ParamsError
        When a cell's technology is unknown or impossible.
    """

    def __init__(self, plant: Plant, config: Config, texts: Texts, watch: Watch | None = None) -> None:
        self.plant = plant
        self.frames = 0
        self.scans = 0
        self.alarms_raised = 0
        self.entries_refused = 0
        #: What the twin saw at the newest scan; for the screen.
        self.view: View | None = None
        n = len(plant.cells)
        anodes = max(1, max(cell.n_anodes for cell in plant.cells))
        shell = max(1, max(cell.n_shell for cell in plant.cells))
        bars = max(1, max(cell.n_bars for cell in plant.cells))
        layout = cell_layout(plant, shell)
        self.aligner = Aligner(plant, frame_s=config.align.frame_s, lateness_s=config.align.lateness_s)
        self._scan_s = config.twin.scan_s
        self._scanner = ScanBuilder(n, anodes, shell, bars, round(config.twin.scan_s * 1e6))
        params, self._without_twin = cell_params(plant)
        self._observer = Observer(params, layout.n_anodes, layout.shell_side)
        self._detectors = build(layout)
        self.alarms = AlarmEngine(plant, texts.kind, config.language)
        self.accounting = Accounting(plant, config)
        self._anode_log = AnodeLog(n, anodes)
        #: Became known since the newest scan.
        self._samples: list[Taken] = []
        self._done: list[Done] = []
        self._suppressed = np.zeros(n, dtype=np.bool_)
        self.recent = Recent(n, anodes, shell)
        self._watch = watch
        self._output = Output([], [])

    def push(self, items: Sequence[Item]) -> Output:
        """Take in items in order of arrival and give what follows from them."""
        for item in items:
            self.aligner.push(item)
            for frame in self.aligner.closed():
                self._frame(frame)
        self._close_scans(self.aligner.watermark_us)
        return self._take()

    def flush(self) -> Output:
        """End of a history: nothing more will come, close every frame."""
        for frame in self.aligner.flush():
            self._frame(frame)
        self._close_scans(self.aligner.watermark_us)
        self._output.points.extend(self.accounting.finish(self.aligner.watermark_us))
        return self._take()

    def not_assessed(self) -> dict[str, str]:
        """Cells that cannot be assessed, with the reason: no current, no voltage, or no parameters for the twin."""
        energy = self.accounting.not_assessed()
        reasons = {
            cell: "; ".join(found[cell] for found in (energy, self._without_twin) if cell in found)
            for cell in energy.keys() | self._without_twin.keys()
        }
        return dict(sorted(reasons.items()))

    def _frame(self, frame: Frame) -> None:
        for scan in self._scanner.up_to(frame):
            self._scan(scan)
        self.frames += 1
        self._scanner.add(frame)
        self.accounting.add(frame.time_us, frame.scalar[_VOLTAGE], frame.scalar[_CURRENT])
        for counter in frame.counters:
            self.accounting.counter(counter)
        for event in frame.events:
            self._event(event)
        for sample in frame.samples:
            age_s = max(0.0, (frame.time_us - sample.time_us) / 1e6)
            cell = self.plant.cell_index[sample.cell]
            self._observer.sample(cell, sample.signal, sample.value, age_s)
            self._samples.append(Taken(cell, sample.signal, sample.time_us, sample.value))
        for order in frame.operators:
            self._say(
                self.alarms.operate(msgspec.structs.replace(order, time_us=frame.time_us)), frame.time_us
            )

    def _event(self, event: Event) -> None:
        """Hand what was done at a cell to whom it concerns; an entry that cannot be true is refused and counted."""
        cell = self.plant.cell_index[event.cell]
        if event.event == "alumina_feed":
            mass_kg = event.attributes.get("mass_kg")
            if isinstance(mass_kg, int | float) and 0.0 <= mass_kg < 1e4:
                self._scanner.feed(cell, float(mass_kg))
                self._done.append(Done(cell, event.event, event.time_us, event.attributes))
            else:
                self.entries_refused += 1
            return
        if event.event == "anode_change":
            anode = event.attributes.get("anode")
            if not (isinstance(anode, int) and 1 <= anode <= self.plant.cells[cell].n_anodes):
                self.entries_refused += 1
                return
            self._anode_log.change(cell, anode - 1, event.time_us)
        elif event.event == "cell_state":
            self._suppressed[cell] = event.attributes.get("state") != "NORMAL"
        self._done.append(Done(cell, event.event, event.time_us, event.attributes))
        self._observer.event(cell, event.event, event.attributes)

    def _close_scans(self, until_us: int) -> None:
        for scan in self._scanner.before(until_us):
            self._scan(scan)

    def _scan(self, scan: Scan) -> None:
        """Measured, expected, how odd, alarm, points: the whole of the system for one instant."""
        self.scans += 1
        view = self._look(scan)
        # What a long empty scan shows is one look, not hours of observation: the delays of alarms grow by one scan.
        scored = [(detector, scores) for detector in self._detectors for scores in detector.update(view)]
        self._say(self.alarms.update(scan.time_us, self._scan_s, scored, self._suppressed), scan.time_us)
        self._output.points.extend(self.accounting.close(scan.time_us, view.estimate.heat_loss_kW))
        if scan.time_us % _MINUTE_US == 0:
            self._output.points.extend(state_points(self.plant, view))
        self.view = view
        self.recent.add(view)
        if self._watch is not None:
            self._watch(view, self._suppressed)

    def _look(self, scan: Scan) -> View:
        """Compare the twin of every cell with what is measured."""
        anode_age_h = self._anode_log.age_h(scan.time_us)
        estimate = self._observer.step(
            scan.length_s,
            line_current_A=self.accounting.current_held_A(scan.time_us, scan.scalar[_CURRENT]),
            cell_voltage_V=scan.scalar[_VOLTAGE],
            anode_current_A=scan.anode_current_A,
            shell_temp_C=scan.shell_temp_C,
            ambient_temp_C=scan.scalar[_AMBIENT],
            feed_kg=scan.feed_kg,
            beam_mm=scan.scalar[_BEAM],
            anode_age_h=anode_age_h,
        )
        samples, self._samples = tuple(self._samples), []
        done, self._done = tuple(self._done), []
        return View(
            time_us=scan.time_us,
            scan_s=scan.length_s,
            scalar=scan.scalar,
            scalar_bad=scan.scalar_bad,
            last_good_us=scan.last_good_us,
            voltage_low_V=scan.voltage_low_V,
            voltage_high_V=scan.voltage_high_V,
            feed_kg=scan.feed_kg,
            anode_current_A=scan.anode_current_A,
            anode_bad=scan.anode_bad,
            shell_temp_C=scan.shell_temp_C,
            shell_bad=scan.shell_bad,
            bar_temp_C=scan.bar_temp_C,
            anode_age_h=anode_age_h,
            estimate=estimate,
            samples=samples,
            done=done,
        )

    def _say(self, events: list[AlarmEvent], time_us: int) -> None:
        self.alarms_raised += sum(event.transition == "raise" for event in events)
        self._output.alarms.extend(events)
        self._output.points.extend(alarm_point(self.plant, event, time_us) for event in events)

    def _take(self) -> Output:
        output, self._output = self._output, Output([], [])
        return output


def cell_layout(plant: Plant, n_shell_max: int) -> CellLayout:
    """What the plant says of each cell, as arrays in the order of its cells."""
    shell_side = np.full((len(plant.cells), n_shell_max), -1, dtype=np.int64)
    n_anodes_max = max(1, max(cell.n_anodes for cell in plant.cells))
    anode_side = np.full((len(plant.cells), n_anodes_max), -1, dtype=np.int64)
    for i, cell in enumerate(plant.cells):
        for sensor, side in enumerate(cell.shell_sides[: cell.n_shell]):
            shell_side[i, sensor] = SIDES.index(side)
        for anode in range(cell.n_anodes if cell.anode_rows else 0):
            anode_side[i, anode] = SIDES.index(cell.anode_rows[anode * len(cell.anode_rows) // cell.n_anodes])

    def column(values: Sequence[int]) -> NDArray[np.int64]:
        return np.array(values, dtype=np.int64)

    def said(key: str) -> NDArray[np.float64]:
        return np.array([cell.parameters.get(key, np.nan) for cell in plant.cells])

    return CellLayout(
        n_anodes=column([cell.n_anodes for cell in plant.cells]),
        n_shell=column([cell.n_shell for cell in plant.cells]),
        shell_side=shell_side,
        line_index=column([plant.lines.index(cell.line) for cell in plant.cells]),
        n_bars=column([cell.n_bars for cell in plant.cells]),
        anode_side=anode_side,
        n_feeders=column([int(cell.parameters.get("n_feeders", 0)) for cell in plant.cells]),
        rated_current_A=np.array([cell.rated_current_A or np.nan for cell in plant.cells]),
        anode_life_h=said("anode_life_h"),
        tap_interval_h=said("tap_interval_h"),
        shot_mass_kg=said("shot_mass_kg"),
    )


def cell_params(plant: Plant) -> tuple[list[CellParams | None], dict[str, str]]:
    """Twin parameters of every cell, None with the reason where the plant file does not say enough.

    Raises
    ------
    ParamsError
        A technology or value that cannot be; the message names the cell.
    """
    params: list[CellParams | None] = []
    reasons: dict[str, str] = {}
    shipped = technologies()
    for cell in plant.cells:
        name = cell.technology
        own = name if name is not None and (name in shipped or name.endswith(".toml")) else None
        if own is None and cell.rated_current_A is None:
            reasons[cell.id] = (
                "plant.toml gives neither rated_current_A nor a technology that potline ships: no twin"
            )
            params.append(None)
            continue
        try:
            params.append(params_for(own, cell.rated_current_A, cell.n_anodes or None, cell.parameters))
        except ParamsError as error:
            raise ParamsError(f"cell {cell.id}: {error}") from error
    return params, reasons
