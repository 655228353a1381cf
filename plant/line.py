"""The simulated line: settles before the record starts, then advances by any number of seconds."""

from collections.abc import Sequence

import numpy as np

from plant import logbook
from plant.cells import SETTLING_S, changes, design, hidden, settled
from plant.electric import electric_block
from plant.faults.kind import Fault, World
from plant.faults.ledger import Label, Ledger
from plant.logbook import LOG_WIDTH
from plant.office import Office
from plant.operations import SETTING_MM, VISIT_S
from plant.records import Attribute, Chunk, PlantCounter, PlantEvent, PlantSample
from plant.sensors import Sensors
from plant.state import F, Output, neutral
from plant.supply import Load, Outage, Supply
from plant.technology import Technology, named
from plant.thermal import THERMAL_S, stored_heat, thermal_step

__all__ = ["LINE", "SITE", "Chunk", "Line", "PlantCounter", "PlantEvent", "PlantSample"]

SITE = "sim"
LINE = "L1"

#: The rectifiers give way by this share of the rated current while a cell takes this voltage too much.
_DIP_SHARE, _DIP_V = 0.008, 20.0
_DIP_BACK_S = 60.0


class Line:
    """A potline of ``n_cells`` cells that is the same, second for second, for the same arguments.

    Parameters
    ----------
    n_cells
        Number of cells, at least 1.
    seed
        Decides every hidden parameter and every draw.
    start_us
        First second of the record, UTC microseconds; whole seconds.
    technology
        A key of ``plant.technology.TECHNOLOGIES``, or a design of one's own.
    faults
        What goes wrong; nothing without it.
    outages, loads
        When the line has no current, and when another than rated; seconds from the start of the record.
    rough
        Whether crews write times down wrongly and instruments have their small troubles.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(
        self,
        *,
        n_cells: int,
        seed: int,
        start_us: int,
        technology: str | Technology = "P300",
        faults: Sequence[Fault] = (),
        outages: Sequence[Outage] = (),
        loads: Sequence[Load] = (),
        rough: bool = False,
    ) -> None:
        self.technology: Technology = named(technology)
        if n_cells < 1 or start_us % 1_000_000:
            raise ValueError("n_cells must be at least 1 and start_us a whole second")
        if any(o.start_s < 0.0 or o.length_s <= 0.0 for o in outages):
            raise ValueError("an outage must start in the record and last")
        t = self.technology
        self.start_us = start_us
        self.seed = seed
        self.cell_ids = tuple(f"{LINE}-{i + 1:03d}" for i in range(n_cells))
        self.faults = tuple(faults)
        self._design = design(t)._replace(auxiliary_kW=33.0 * t.rated_current_A / 300e3 * n_cells)
        self._hidden = hidden(t, n_cells, seed)
        self._state = settled(t, self._hidden, seed)
        bars = self._state.bar_C.shape[1]
        self._effects = neutral(n_cells, t.n_anodes, t.n_shell, t.n_feeders, bars)
        self._ledger = Ledger(self.faults)
        self._sensors = Sensors(t, n_cells, seed, self.faults, rough)
        self._office = Office(self.cell_ids, start_us, seed, t.n_anodes, self.faults, rough)
        midnight_s = start_us // 1_000_000 % 86400
        self._supply = Supply(t.rated_current_A, midnight_s, seed, outages, loads)
        self._dip_A = 0.0
        self._second = -SETTLING_S
        self._opening: Chunk | None = None
        self._settle()

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cell_ids)

    def advance(self, seconds: int) -> Chunk:
        """Live through the next seconds; how a time is cut into calls changes nothing.

        Parameters
        ----------
        seconds
            At least 1. Memory is about 1 kB per cell and second.
        """
        line_A, ambient_C, true = self._run(seconds)
        start = self._second - seconds
        measured = self._sensors.read(true, start)
        chunk = Chunk(
            time_us=self.start_us + (start + np.arange(seconds, dtype=np.int64)) * 1_000_000,
            line_current_A=np.round(line_A, -1),
            ambient_temp_C=np.round(ambient_C, 1),
            cell_voltage_V=measured.voltage_V,
            anode_current_A=measured.anode_A,
            shell_temp_C=measured.shell_C,
            collector_bar_temp_C=measured.bar_C,
            duct_gas_temp_C=measured.gas_C,
            beam_position_mm=measured.beam_mm,
            events=[],
            samples=[],
            counters=[],
        )
        self._office.read(true.log, chunk)
        if self._opening is not None:
            chunk.events[:0] = self._opening.events
            chunk.samples[:0] = self._opening.samples
            self._opening = None
        return chunk

    def labels(self) -> list[Label]:
        """Label what was wrong so far and since when it could be seen; complete at the end of a run."""
        return self._ledger.labels()

    def truth(self) -> dict[str, F]:
        """Give the true state now, for tests and for grading: arrays, cells first, units in the names.

        ``alumina_held_kg`` counts dissolved, suspended and settled alumina; ``shot_factor`` is the hidden true
        mass of a shot over the nominal one; ``account_J`` has a column for each of SUPPLIED to BROUGHT of
        ``plant.state`` and ``stored_J`` what is in the cell.
        """
        s, h = self._state, self._hidden
        dissolved = s.dissolved_kg.sum(axis=1)
        stored = [stored_heat(self._design, h, s, i) for i in range(self.n_cells)]
        return {
            "bath_temp_C": s.bath_C.copy(),
            "liquidus_temp_C": s.liquidus_C.copy(),
            "ledge_mm": s.ledge_m * 1000.0,
            "alumina_pct": 100.0 * dissolved / s.bath_kg,
            "zone_alumina_pct": 100.0 * s.dissolved_kg * s.dissolved_kg.shape[1] / s.bath_kg[:, None],
            "alumina_in_kg": s.fed_kg.copy(),
            "alumina_held_kg": dissolved + s.suspended_kg.sum(axis=1) + s.sludge_kg,
            "excess_alf3_pct": 100.0 * s.alf3_kg / s.bath_kg,
            "current_efficiency": s.efficiency.copy(),
            "bath_kg": s.bath_kg.copy(),
            "frozen_kg": s.bulk_frozen_kg.copy(),
            "metal_kg": s.metal_kg.copy(),
            "contact": s.contact.copy(),
            "target_V": h.target_V.copy(),
            "shot_factor": h.shot_factor.copy(),
            "account_J": s.account_J.copy(),
            "stored_J": np.array(stored),
        }

    def _run(self, seconds: int) -> tuple[F, F, Output]:
        n, anodes, segments = self.n_cells, self.technology.n_anodes, self.technology.n_shell
        around = self._supply.advance(self._second, seconds)
        line_A = around.line_A
        out = Output(
            voltage_V=np.empty((seconds, n)),
            anode_A=np.empty((seconds, n, anodes)),
            shell_C=np.empty((seconds, n, segments)),
            bar_C=np.empty((seconds, n, self.technology.n_bars)),
            gas_C=np.empty((seconds, n)),
            beam_mm=np.empty((seconds, n)),
            log=np.zeros((seconds * n // 4 + 20 * n + seconds // 100 + 8, LOG_WIDTH)),
        )
        d, h, s, e = self._design, self._hidden, self._state, self._effects
        count, done = 0, 0
        while done < seconds:
            now = self._second + done
            if now % THERMAL_S == 0:
                self._ledger.step(World(d, h, s, e, now))
                self._give_way()
                air_C, wind = float(around.air_C[done]), float(around.wind[done])
                thermal_step(d, h, s, e, float(line_A[done]), air_C, wind, now)
            step = min(THERMAL_S - now % THERMAL_S, seconds - done)
            line_A[done : done + step] = np.maximum(line_A[done : done + step] - self._dip_A, 0.0)
            part = Output(*(array[done : done + step] for array in out[:-1]), log=out.log)
            quality = float(around.quality[done])
            count = electric_block(d, h, s, e, line_A[done : done + step], quality, now, part, count)
            done += step
        self._second += seconds
        log = out.log[:count]
        for row in log[log[:, 2] == logbook.EFFECT].tolist():
            self._ledger.anode_effect(int(row[1]), row[3], row[0])
        return line_A, around.air_C, out._replace(log=log)

    def _give_way(self) -> None:
        """Let the line current dip while a cell has an anode effect, until the rectifiers have made up for it."""
        excess_V = float(np.maximum(self._state.beam_V - 8.0, 0.0).sum())
        wanted_A = self._design.current_A * _DIP_SHARE * (1.0 - np.exp(-excess_V / _DIP_V))
        self._dip_A = max(float(wanted_A), self._dip_A * (1.0 - THERMAL_S / _DIP_BACK_S))
        if self._dip_A < 1.0:
            self._dip_A = 0.0

    def _settle(self) -> None:
        """Live through the time before the start and keep what the plant's log says of it."""
        empty = np.empty(0)
        opening = Chunk(
            np.empty(0, np.int64), empty, empty, empty, empty, empty, empty, empty, empty, [], [], []
        )
        while self._second < 0:
            _, _, true = self._run(min(1800, -self._second))
            log = true.log
            self._office.read(log[(log[:, 2] == logbook.PROBE) & (log[:, 0] == VISIT_S)], opening)
        self._state.account_J.fill(0.0)
        self._state.fed_kg.fill(0.0)
        for i, cell in enumerate(self.cell_ids):
            state = PlantEvent(self.start_us, self.start_us, cell, "cell_state", {"state": "NORMAL"})
            mode: dict[str, Attribute] = {"mode": logbook.MODES[int(self._state.mode[i])]}
            opening.events.extend([state, PlantEvent(self.start_us, self.start_us, cell, "feed_mode", mode)])
        butt_mm = float(round(0.27 * self.technology.anode_height_mm))
        past = [
            PlantEvent(
                self.start_us + change.second * 1_000_000,
                self.start_us,
                self.cell_ids[change.cell],
                "anode_change",
                {"anode": change.anode + 1, "set_height_mm": SETTING_MM, "butt_height_mm": butt_mm},
            )
            for change in changes(self.technology, self.n_cells, self.seed, -48 * 3600.0, 0.0)
        ]
        opening.events[:0] = past
        samples = [s._replace(received_us=self.start_us) for s in opening.samples]
        self._opening = opening._replace(samples=samples)
