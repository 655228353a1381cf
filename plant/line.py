"""The simulated line: settles before the record starts, then advances by any number of seconds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant import electric
from plant.cells import SETTLING_S, changes, design, hidden, settled
from plant.electric import LOG_WIDTH, electric_block
from plant.faults import Fault, Label, kernel_faults, labels
from plant.sensors import Sensors
from plant.state import F, Output
from plant.technology import TECHNOLOGIES, Technology
from plant.thermal import THERMAL_S, thermal_step

SITE = "sim"
LINE = "L1"

Attribute = float | int | str


class PlantEvent(NamedTuple):
    """Something done at one cell: when, when it stood in the log, and attributes by contract."""

    time_us: int
    received_us: int
    cell: str
    event: str
    attributes: dict[str, Attribute]


class PlantSample(NamedTuple):
    """A value taken by hand or in the laboratory: when taken and when known."""

    time_us: int
    received_us: int
    cell: str
    signal: str
    value: float


class PlantCounter(NamedTuple):
    """A register of the line at one instant."""

    time_us: int
    counter: str
    value: float


class Chunk(NamedTuple):
    """Measured values of consecutive seconds and what became known of them.

    Attributes
    ----------
    time_us : (T,)
    line_current_A, ambient_temp_C : (T,)
    cell_voltage_V, duct_gas_temp_C, beam_position_mm : (T, n)
    anode_current_A : (T, n, A)
    shell_temp_C : (T, n, S)
    events, samples, counters
        By the time at which they happened; samples are known later.
    """

    time_us: NDArray[np.int64]
    line_current_A: F
    ambient_temp_C: F
    cell_voltage_V: F
    anode_current_A: F
    shell_temp_C: F
    duct_gas_temp_C: F
    beam_position_mm: F
    events: list[PlantEvent]
    samples: list[PlantSample]
    counters: list[PlantCounter]


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
        A key of ``plant.technology.TECHNOLOGIES``.
    faults
        What goes wrong; none without it.

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
        technology: str = "P300",
        faults: Sequence[Fault] = (),
    ) -> None:
        if technology not in TECHNOLOGIES:
            raise ValueError(f"technology {technology!r} is not one of {', '.join(sorted(TECHNOLOGIES))}")
        if n_cells < 1 or start_us % 1_000_000:
            raise ValueError("n_cells must be at least 1 and start_us a whole second")
        self.technology: Technology = TECHNOLOGIES[technology]
        self.start_us = start_us
        self.seed = seed
        self.cell_ids = tuple(f"{LINE}-{i + 1:03d}" for i in range(n_cells))
        self.faults = tuple(faults)
        scale = self.technology.rated_current_A / 300e3
        self._design = design(self.technology)._replace(auxiliary_kW=33.0 * scale * n_cells)
        self._hidden = hidden(self.technology, n_cells, seed)
        self._state = settled(self.technology, self._hidden, seed)
        self._kernel_faults = kernel_faults(self.faults)
        self._sensors = Sensors(self.technology, n_cells, seed, self.faults)
        self._midnight_s = start_us // 1_000_000 % 86400
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
            duct_gas_temp_C=measured.gas_C,
            beam_position_mm=measured.beam_mm,
            events=[],
            samples=[],
            counters=[],
        )
        self._read_log(true.log, chunk)
        if self._opening is not None:
            chunk.events[:0] = self._opening.events
            chunk.samples[:0] = self._opening.samples
            self._opening = None
        return chunk

    def labels(self) -> list[Label]:
        """Label what was wrong so far and since when it could be seen; complete at the end of a run."""
        return labels(self.faults, self._kernel_faults)

    def truth(self) -> dict[str, F]:
        """Give the true state now, for tests and for grading: arrays, cells first, units in the names.

        ``alumina_held_kg`` counts dissolved, suspended and settled alumina; ``shot_factor`` is the hidden true
        mass of a shot over the nominal one.
        """
        s, h = self._state, self._hidden
        dissolved = s.dissolved_kg.sum(axis=1)
        return {
            "bath_temp_C": s.bath_C.copy(),
            "liquidus_temp_C": s.liquidus_C.copy(),
            "ledge_mm": s.ledge_m * 1000.0,
            "alumina_pct": 100.0 * dissolved / s.bath_kg,
            "alumina_held_kg": dissolved + s.suspended_kg.sum(axis=1) + s.sludge_kg,
            "excess_alf3_pct": 100.0 * s.alf3_kg / s.bath_kg,
            "current_efficiency": s.efficiency.copy(),
            "bath_kg": s.bath_kg.copy(),
            "metal_kg": s.metal_kg.copy(),
            "contact": s.contact.copy(),
            "target_V": h.target_V.copy(),
            "shot_factor": h.shot_factor.copy(),
        }

    def _run(self, seconds: int) -> tuple[F, F, Output]:
        n, anodes, segments = self.n_cells, self.technology.n_anodes, self.technology.n_shell
        line_A, ambient_C = self._sensors.line(
            self._midnight_s + self._second + np.arange(seconds, dtype=np.int64)
        )
        out = Output(
            voltage_V=np.empty((seconds, n)),
            anode_A=np.empty((seconds, n, anodes)),
            shell_C=np.empty((seconds, n, segments)),
            gas_C=np.empty((seconds, n)),
            beam_mm=np.empty((seconds, n)),
            log=np.zeros((seconds * n // 4 + 20 * n + seconds // 100 + 8, LOG_WIDTH)),
        )
        count, done = 0, 0
        while done < seconds:
            now = self._second + done
            if now % THERMAL_S == 0:
                thermal_step(
                    self._design,
                    self._hidden,
                    self._state,
                    self._kernel_faults,
                    float(line_A[done]),
                    float(ambient_C[done]),
                    now,
                )
            step = min(THERMAL_S - now % THERMAL_S, seconds - done)
            part = Output(*(array[done : done + step] for array in out[:-1]), log=out.log)
            count = electric_block(
                self._design, self._hidden, self._state, line_A[done : done + step], now, part, count
            )
            done += step
        self._second += seconds
        return line_A, ambient_C, out._replace(log=out.log[:count])

    def _settle(self) -> None:
        """Live through the time before the start and keep what the plant's log says of it."""
        empty = np.empty(0)
        opening = Chunk(np.empty(0, np.int64), empty, empty, empty, empty, empty, empty, empty, [], [], [])
        while self._second < 0:
            _, _, true = self._run(min(1800, -self._second))
            log = true.log
            self._read_log(log[(log[:, 2] == electric.PROBE) & (log[:, 0] == electric.VISIT_S)], opening)
        for i, cell in enumerate(self.cell_ids):
            state = PlantEvent(self.start_us, self.start_us, cell, "cell_state", {"state": "NORMAL"})
            mode: dict[str, Attribute] = {"mode": electric.MODES[int(self._state.mode[i])]}
            opening.events.extend([state, PlantEvent(self.start_us, self.start_us, cell, "feed_mode", mode)])
        butt_mm = float(round(0.27 * self.technology.anode_height_mm))
        past = [
            PlantEvent(
                self.start_us + change.second * 1_000_000,
                self.start_us,
                self.cell_ids[change.cell],
                "anode_change",
                {"anode": change.anode + 1, "set_height_mm": electric.SETTING_MM, "butt_height_mm": butt_mm},
            )
            for change in changes(self.technology, self.n_cells, self.seed, -48 * 3600.0, 0.0)
        ]
        opening.events[:0] = past
        samples = [s._replace(received_us=self.start_us) for s in opening.samples]
        self._opening = opening._replace(samples=samples)

    def _read_log(self, log: F, chunk: Chunk) -> None:
        for row in log.tolist():
            time_us = self.start_us + int(row[0]) * 1_000_000
            code = int(row[2])
            if code == electric.COUNTER:
                names = ("rectifier_ac_energy_kWh", "line_dc_energy_kWh", "auxiliary_ac_energy_kWh")
                for name, value in zip(names, row[3:6], strict=True):
                    chunk.counters.append(PlantCounter(time_us, name, round(value, 1)))
                continue
            cell = self.cell_ids[int(row[1])]
            if code == electric.PROBE:
                self._visit(int(row[1]), int(row[0]), row[3:], chunk)
                continue
            name, attributes = _event(code, row[3], row[4], row[5])
            chunk.events.append(PlantEvent(time_us, time_us, cell, name, attributes))

    def _visit(self, i: int, second: int, row: list[float], chunk: Chunk) -> None:
        """One round of hand measurements: rounding, a missed or misread one now and then, results later."""
        rng = np.random.default_rng([self.seed, 9, i, second + SETTLING_S])
        day = second // 86400
        if rng.random() < 0.06 and second > 0:
            return
        bath, liquid, alf3, caf2, alumina, bath_m, metal_m, cathode = row[:8]
        error = rng.standard_normal(8).tolist()
        slip = 20.0 if rng.random() < 0.005 and second > 0 else 0.0
        soon, later = float(rng.uniform(0.3, 1.5)) * 3600.0, float(rng.uniform(8.0, 20.0)) * 3600.0
        taken = [
            ("bath_temp_C", float(round(bath + 1.5 * error[0] + slip)), soon),
            ("bath_height_m", round(bath_m + 0.007 * error[1], 2), soon),
            ("metal_height_m", round(metal_m + 0.007 * error[2], 2), soon),
            ("excess_alf3_pct", round(alf3 + 0.35 * error[3], 1), later),
            ("caf2_pct", round(caf2 + 0.15 * error[4], 1), later),
            ("alumina_pct", round(alumina + 0.15 * error[5], 1), later),
        ]
        if (day + i) % 3 == 0:
            taken.append(("liquidus_temp_C", float(round(liquid + 1.5 * error[6])), soon))
        if (day + i) % 30 == 0:
            taken.append(("cathode_drop_V", round(cathode + 0.01 * error[7], 2), soon))
        time_us = self.start_us + second * 1_000_000
        for signal, value, delay in taken:
            known = time_us + int(delay) * 1_000_000
            chunk.samples.append(PlantSample(time_us, known, self.cell_ids[i], signal, value))


def _event(code: int, a: float, b: float, c: float) -> tuple[str, dict[str, Attribute]]:
    """Name and attributes by contract of one row of the log."""
    if code == electric.FEED:
        return "alumina_feed", {"mass_kg": a, "feeder": int(b)}
    if code == electric.ALF3:
        return "alf3_feed", {"mass_kg": a}
    if code == electric.TAP:
        return "tap", {"metal_kg": a, "bath_kg": b}
    if code == electric.CHANGE:
        return "anode_change", {"anode": int(a), "set_height_mm": b, "butt_height_mm": c}
    if code == electric.MOVE:
        return "beam_move", {"delta_mm": a}
    if code == electric.COVER:
        return "cover", {"mass_kg": a}
    return "feed_mode", {"mode": electric.MODES[int(a)]}
