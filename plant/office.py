"""The plant's paperwork: what crews write down, what the laboratory finds and when, and what goes wrong there."""

from collections.abc import Sequence

import numpy as np

from plant import logbook
from plant.cells import SETTLING_S
from plant.faults.kind import Fault
from plant.records import Attribute, Chunk, PlantCounter, PlantEvent, PlantSample
from plant.state import F

#: Share of hand-written entries whose time is a guess, and by how much [s].
_GUESSED, _GUESS_S = 0.3, (300.0, 1200.0)
_BY_HAND = frozenset({logbook.CHANGE, logbook.COVER, logbook.TAP})


class Office:
    """Turns the true log into what stands in the plant's own.

    Parameters
    ----------
    cell_ids, start_us, seed
        Of the line.
    n_anodes
        Per cell.
    faults
        Anode changes that are not reported, among others.
    rough
        Whether people make mistakes in what they write down.
    """

    def __init__(
        self,
        cell_ids: Sequence[str],
        start_us: int,
        seed: int,
        n_anodes: int,
        faults: Sequence[Fault],
        rough: bool,
    ) -> None:
        self._cells = tuple(cell_ids)
        self._start_us = start_us
        self._seed = seed
        self._n_anodes = n_anodes
        self._rough = rough
        self._hidden = {
            (f.cell, f.anode): f
            for f in faults
            if f.kind == "anode_change_unreported" and f.anode is not None
        }

    def read(self, log: F, chunk: Chunk) -> None:
        """Append events, samples and counters of a block.

        Parameters
        ----------
        log
            True rows.
        chunk
            Is appended to.
        """
        for row in log.tolist():
            second, i, code = int(row[0]), int(row[1]), int(row[2])
            if code == logbook.COUNTER:
                names = ("rectifier_ac_energy_kWh", "line_dc_energy_kWh", "auxiliary_ac_energy_kWh")
                for name, value in zip(names, row[3:6], strict=True):
                    chunk.counters.append(PlantCounter(self._us(second), name, round(value, 1)))
            elif code == logbook.PROBE:
                self._visit(i, second, row[3:], chunk)
            elif code != logbook.EFFECT:
                if code == logbook.TAP:
                    self._metal(i, second, row[6], row[7], chunk)
                self._event(i, second, code, row[3:6], chunk)

    def _us(self, second: int) -> int:
        return self._start_us + second * 1_000_000

    def _event(self, i: int, second: int, code: int, values: list[float], chunk: Chunk) -> None:
        a, b, c = values
        if code == logbook.CHANGE:
            fault = self._hidden.get((i, int(a)))
            if fault is not None and fault.start_s - 60.0 <= second < fault.end_s:
                if fault.severity <= 0.5:
                    return
                a = float(int(a) % self._n_anodes + 1)
        name, attributes = event_of(code, a, b, c)
        written_s = second
        if self._rough and code in _BY_HAND:
            rng = np.random.default_rng([self._seed, 13, i, second + SETTLING_S])
            if rng.random() < _GUESSED:
                sign = 1 if rng.random() < 0.5 else -1
                written_s += sign * int(rng.uniform(*_GUESS_S))
        known_s = max(written_s, second)
        chunk.events.append(
            PlantEvent(self._us(written_s), self._us(known_s), self._cells[i], name, attributes)
        )

    def _metal(self, i: int, second: int, iron_ppm: float, silicon_ppm: float, chunk: Chunk) -> None:
        """Spectrometer on the tapped metal: ten ppm steps, hours later."""
        rng = np.random.default_rng([self._seed, 14, i, second + SETTLING_S])
        known_us = self._us(second + int(rng.uniform(2.0, 8.0) * 3600.0))
        for signal, value in (("metal_iron_ppm", iron_ppm), ("metal_silicon_ppm", silicon_ppm)):
            shown = float(max(round((value + 20.0 * rng.standard_normal()) / 10.0) * 10, 0))
            chunk.samples.append(PlantSample(self._us(second), known_us, self._cells[i], signal, shown))

    def _visit(self, i: int, second: int, row: list[float], chunk: Chunk) -> None:
        """One round of hand measurements: rounding, a missed or misread one now and then, results later."""
        rng = np.random.default_rng([self._seed, 9, i, second + SETTLING_S])
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
        for signal, value, delay in taken:
            known_us = self._us(second + int(delay))
            chunk.samples.append(PlantSample(self._us(second), known_us, self._cells[i], signal, value))


def event_of(code: int, a: float, b: float, c: float) -> tuple[str, dict[str, Attribute]]:
    """Name and attributes by contract of one row of the true log.

    Parameters
    ----------
    code
        Of ``plant.logbook``.
    a, b, c
        Values of the row.
    """
    if code == logbook.FEED:
        return "alumina_feed", {"mass_kg": a, "feeder": int(b)}
    if code == logbook.ALF3:
        return "alf3_feed", {"mass_kg": a}
    if code == logbook.TAP:
        return "tap", {"metal_kg": a, "bath_kg": b}
    if code == logbook.CHANGE:
        return "anode_change", {"anode": int(a), "set_height_mm": b, "butt_height_mm": c}
    if code == logbook.MOVE:
        return "beam_move", {"delta_mm": a}
    if code == logbook.COVER:
        return "cover", {"mass_kg": a}
    return "feed_mode", {"mode": logbook.MODES[int(a)]}
