"""Views of a made-up line, by hand: what a detector sees when the twin and the plant agree but for noise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import CellLayout, View
from twin.observer import Estimate
from twin.signals import SCALAR_READINGS, SIDES

FloatArray = NDArray[np.float64]
VOLTAGE = SCALAR_READINGS.index("cell_voltage_V")
CURRENT = SCALAR_READINGS.index("line_current_A")
DUCT = SCALAR_READINGS.index("duct_gas_temp_C")
START_US = 1_700_000_000_000_000
CURRENT_A = 300_000.0
N_BARS = 4
UP, DOWN = SIDES.index("up"), SIDES.index("down")


def layout(n_cells: int, n_anodes: int = 20, n_lines: int = 1) -> CellLayout:
    """Every cell with two shell sensors on each side."""
    sides = np.array([side for side in range(len(SIDES)) for _ in range(2)], dtype=np.int64)
    return CellLayout(
        n_anodes=np.full(n_cells, n_anodes, dtype=np.int64),
        n_shell=np.full(n_cells, len(sides), dtype=np.int64),
        shell_side=np.tile(sides, (n_cells, 1)),
        line_index=(np.arange(n_cells) * n_lines // max(n_cells, 1)).astype(np.int64),
        n_bars=np.full(n_cells, N_BARS, dtype=np.int64),
        anode_side=np.tile(np.repeat([UP, DOWN], [n_anodes // 2, n_anodes - n_anodes // 2]), (n_cells, 1)),
        n_feeders=np.full(n_cells, 4, dtype=np.int64),
        rated_current_A=np.full(n_cells, CURRENT_A),
        anode_life_h=np.full(n_cells, 600.0),
        tap_interval_h=np.full(n_cells, 24.0),
        shot_mass_kg=np.full(n_cells, 1.8),
    )


def pick(whole: CellLayout, cells: list[int]) -> CellLayout:
    """The layout of some of the cells; they stay on their lines."""
    return CellLayout._make(array[cells] for array in whole)


def make_estimate(n_cells: int, n_anodes: int, n_shell: int, **known: Any) -> Estimate:
    """An estimate that says nothing but what is given."""
    wide = {
        "anode_frac": n_anodes,
        "anode_expected_frac": n_anodes,
        "anode_expected_sd_frac": n_anodes,
        "shell_expected_C": n_shell,
        "shell_residual_C": n_shell,
    }
    values: dict[str, Any] = {
        name: np.full((n_cells, wide[name]) if name in wide else n_cells, np.nan) for name in Estimate._fields
    }
    values["assessed"] = np.zeros(n_cells, dtype=np.bool_)
    values["status"] = np.ones(n_cells, dtype=np.int64)
    return Estimate(**{**values, **known})


def blank(cells: CellLayout, time_us: int, scan_s: float = 60.0) -> View:
    """A view in which nothing was ever measured."""
    n, rows = len(cells.n_anodes), len(SCALAR_READINGS)
    n_anodes, n_shell = int(cells.n_anodes.max(initial=0)), cells.shell_side.shape[1]
    return View(
        time_us=time_us,
        scan_s=scan_s,
        scalar=np.full((rows, n), np.nan),
        scalar_bad=np.zeros((rows, n)),
        last_good_us=np.zeros((rows, n), dtype=np.int64),
        voltage_low_V=np.full(n, np.nan),
        voltage_high_V=np.full(n, np.nan),
        feed_kg=np.zeros(n),
        anode_current_A=np.full((n, n_anodes), np.nan),
        anode_bad=np.zeros(n),
        shell_temp_C=np.full((n, n_shell), np.nan),
        shell_bad=np.zeros(n),
        bar_temp_C=np.full((n, N_BARS), np.nan),
        anode_age_h=np.full((n, n_anodes), np.nan),
        estimate=make_estimate(n, n_anodes, n_shell),
    )


def take(view: View, cells: list[int]) -> View:
    """The same instant of some of the cells only."""
    estimate: list[Any] = [array[cells] for array in view.estimate]
    return view._replace(
        scalar=view.scalar[:, cells],
        scalar_bad=view.scalar_bad[:, cells],
        last_good_us=view.last_good_us[:, cells],
        voltage_low_V=view.voltage_low_V[cells],
        voltage_high_V=view.voltage_high_V[cells],
        feed_kg=view.feed_kg[cells],
        anode_current_A=view.anode_current_A[cells],
        anode_bad=view.anode_bad[cells],
        shell_temp_C=view.shell_temp_C[cells],
        shell_bad=view.shell_bad[cells],
        bar_temp_C=view.bar_temp_C[cells],
        anode_age_h=view.anode_age_h[cells],
        estimate=Estimate._make(estimate),
        samples=tuple(t._replace(cell=cells.index(t.cell)) for t in view.samples if t.cell in cells),
        done=tuple(d._replace(cell=cells.index(d.cell)) for d in view.done if d.cell in cells),
    )


def pickup_law_frac(age_h: FloatArray, tau_h: FloatArray | float = 11.0) -> FloatArray:
    """Working law of the physics reference 5.3."""
    x = np.maximum(age_h - 0.7, 0.0) / tau_h
    return 0.05 + 0.95 * (1.0 - np.exp(-(x**1.6)))


def pickup_spread_frac(age_h: FloatArray) -> FloatArray:
    """Spread of the law when ln(tau) spreads by 0.2, with 3 % of scatter between settled anodes."""
    x = np.maximum(age_h - 0.7, 0.0) / 11.0
    by_time = 0.95 * 1.6 * x**1.6 * np.exp(-(x**1.6)) * 0.2
    return np.sqrt(by_time**2 + 0.03**2 + (0.025 * np.exp(-(x**1.6))) ** 2)


@dataclass
class Room:
    """A line with coloured noise, anode changes and weather; faults are put in by the test through the fields.

    Attributes
    ----------
    tau_h : (n_cells, n_anodes)
        True pick-up time of each anode now.
    shell_C : (n_cells, n_shell)
        Added to the shell temperatures.
    silent, stuck : (n_cells,) bool
        Voltage not sent, or frozen.
    """

    cells: CellLayout
    seed: int = 7
    scan_s: float = 60.0
    change_every_h: float = 20.0
    spread: bool = True
    time_us: int = START_US
    tau_h: FloatArray = field(init=False)
    shell_C: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        n, n_anodes = len(self.cells.n_anodes), int(self.cells.n_anodes.max(initial=0))
        self.rng = np.random.default_rng(self.seed)
        life_h = n_anodes * self.change_every_h
        self.age_h = (
            np.arange(n_anodes)[None, :] * self.change_every_h + self.rng.uniform(0, 20, (n, 1))
        ) % life_h
        self.life_h = life_h
        self.tau_h = self.new_tau_h((n, n_anodes))
        self.shell_C = np.zeros(self.cells.shell_side.shape)
        self.silent = np.zeros(n, dtype=np.bool_)
        self.stuck = np.zeros(n, dtype=np.bool_)
        self.noise_V = np.zeros(n)
        self.noise_frac = np.zeros((n, n_anodes))
        self.noise_C = np.zeros(self.cells.shell_side.shape)
        self.phase = self.rng.uniform(0, 2 * np.pi, (n, len(SIDES)))
        self.last_V = np.full(n, np.nan)
        self.last_good_us = np.zeros((len(SCALAR_READINGS), n), dtype=np.int64)
        self.changes = 0

    def new_tau_h(self, shape: tuple[int, ...]) -> FloatArray:
        """Pick-up times of healthy anodes: ln spread 0.2 as the published ranges say."""
        spread = 0.2 * self.rng.standard_normal(shape) if self.spread else np.zeros(shape)
        return 11.0 * np.exp(spread)

    def _coloured(self, state: FloatArray, sigma: float, tau_s: float) -> FloatArray:
        keep = np.exp(-self.scan_s / tau_s)
        state *= keep
        state += sigma * np.sqrt(1.0 - keep**2) * self.rng.standard_normal(state.shape)
        return state

    def step(self) -> View:
        """The next scan."""
        self.time_us += round(self.scan_s * 1e6)
        hours = (self.time_us - START_US) / 3.6e9
        self.age_h += self.scan_s / 3600.0
        old = self.age_h >= self.life_h
        self.age_h[old] -= self.life_h
        self.tau_h[old] = self.new_tau_h(self.tau_h.shape)[old]
        self.changes += int(old.sum())
        view = blank(self.cells, self.time_us, self.scan_s)

        # Voltage noise 10 mV, 1 mV resolution; line current jitter common to all (detection reference 1).
        current_A = CURRENT_A * (1.0 + 4e-4 * self.rng.standard_normal())
        voltage_V = np.round(4.15 + self._coloured(self.noise_V, 0.010, 300.0), 3)
        voltage_V = np.where(self.stuck & np.isfinite(self.last_V), self.last_V, voltage_V)
        self.last_V = voltage_V.copy()
        view.scalar[VOLTAGE] = np.where(self.silent, np.nan, voltage_V)
        view.scalar[CURRENT] = current_A
        view.voltage_low_V[:] = view.voltage_high_V[:] = view.scalar[VOLTAGE]
        heard = np.isfinite(view.scalar)
        self.last_good_us[heard] = self.time_us
        view.last_good_us[:] = self.last_good_us

        true = pickup_law_frac(self.age_h, self.tau_h) * (1.0 + self._coloured(self.noise_frac, 0.03, 600.0))
        current = current_A * true / true.sum(axis=1, keepdims=True)
        view.anode_current_A[:] = current
        view.anode_age_h[:] = self.age_h
        expected = pickup_law_frac(self.age_h)
        mean = expected.mean(axis=1, keepdims=True)

        # Weather: 4 degC a day on every side alike, 3 degC a day with each side's own phase, draught of an hour.
        day = 2 * np.pi * hours / 24.0
        side_C = 4.0 * np.sin(day) + 3.0 * np.sin(day + self.phase)
        residual_C = np.take_along_axis(side_C, self.cells.shell_side, axis=1)
        residual_C = residual_C + self._coloured(self.noise_C, 2.0, 3600.0) + self.shell_C
        view.shell_temp_C[:] = 280.0 + residual_C
        n = len(self.cells.n_anodes)
        estimate = view.estimate._replace(
            assessed=np.ones(n, dtype=np.bool_),
            status=np.zeros(n, dtype=np.int64),
            superheat_C=np.full(n, 8.0),
            superheat_sd_C=np.full(n, 1.5),
            heat_loss_kW=np.full(n, 600.0),
            anode_frac=current / current.mean(axis=1, keepdims=True),
            anode_expected_frac=expected / mean,
            anode_expected_sd_frac=pickup_spread_frac(self.age_h) / mean,
            shell_expected_C=np.full(residual_C.shape, 280.0),
            shell_residual_C=residual_C,
        )
        return view._replace(estimate=estimate)


def hours_of(room: Room, hours: float) -> list[View]:
    """The next scans."""
    return [room.step() for _ in range(round(hours * 3600 / room.scan_s))]


def first_hour(scores: list[np.ndarray], cell: int, slot: int, scan_s: float = 60.0) -> float:
    """Hours until the score of a slot reaches 1; NaN for never."""
    above = [i for i, score in enumerate(scores) if score[cell, slot] >= 1.0]
    return (above[0] + 1) * scan_s / 3600.0 if above else np.nan


def quiet(scores: list[np.ndarray], cell: int, slot: int) -> bool:
    """Whether a slot was judged and never reached 1."""
    values = np.array([score[cell, slot] for score in scores])
    return bool(np.isfinite(values).any() and np.nanmax(values) < 1.0)
