"""Instrument faults: readings refused, stopped, stuck, stepping, or in contradiction with each other."""

from typing import NamedTuple

import numpy as np

from models.base import CellLayout, Explanation, FloatArray, IntArray, Scores, View
from models.cusum import mean_step
from models.explaining import explanation
from models.reading_steps import ShellSteps, VoltageSteps, lone_shells
from models.rod_sum import RodSum
from twin.jit import kernel
from twin.signals import SCALAR_READINGS, SIDES, SIGNALS

#: Evidence carries numbers only: ``signal_code`` is the position in this tuple, ``sensor_number`` counts
#: from 1.
SIGNAL_CODES: tuple[str, ...] = tuple(SIGNALS)

#: Readings of a single instrument of the cell that are judged; the beam is reported on change and may rest
#: for days.
_JUDGED = ("cell_voltage_V", "duct_gas_temp_C", "duct_gas_flow_Nm3_h")
_JUDGED_ROWS = [SCALAR_READINGS.index(name) for name in _JUDGED]
_CURRENT = SCALAR_READINGS.index("line_current_A")
_N_JUDGED = len(_JUDGED)
_ANODE_CODE = float(SIGNAL_CODES.index("anode_current_A"))
_SHELL_CODE = float(SIGNAL_CODES.index("shell_temp_C"))


class SensorLimits(NamedTuple):
    """When an instrument counts as faulty.

    Attributes
    ----------
    refused_s
        Refused readings outlast good ones by this much [s]: longer than a restart, shorter than any thermal
        state needs the value.
    fast_stuck_s, slow_stuck_s
        A voltage or rod current (fast), a shell or gas temperature (slow) is exactly constant for this long
        [s] while something else of the cell varies. Voltage noise is 4 mV or more at 10 s against a
        resolution of about 1 mV; a shell follows the daily swing of the air by several degrees, so 6 h at
        one value are no steady state.
    known_stuck_s, stuck_runs, run_learn_s
        A slow instrument watched for `run_learn_s` [s] is stuck sooner: when it is constant for `stuck_runs` times
        its own longest constant spell and no less than `known_stuck_s` [s]. A thermocouple of 0.1 degC is never
        constant for minutes, one of 1 degC may be for an hour.
    lone_s, lone_frac
        A thermocouple that was warm beside cool ones for this share of the time with this memory [s] drifts: a melt
        reaches its neighbours within an hour or two.
    stuck_readings
        Equal readings in a row needed besides [count].
    stopped_s, stopped_intervals
        A signal that used to come stays away for this long [s] and for this many of its usual intervals.
    learn_intervals
        Readings needed before a signal counts as one that used to come.
    mismatch_frac
        Sum of the anode currents against the line current: rods are good to 1-3 % each and their mean to
        better, so 10 % is a gain or wiring error.
    mismatch_s
        Memory of the mismatch's mean [s].
    mismatch_hold_s
        The mismatch is forgotten when both currents have not been measured together for this long [s].
    min_line_current_A
        Below this the line is off and ratios of currents mean nothing [A].
    """

    refused_s: float = 300.0
    fast_stuck_s: float = 600.0
    slow_stuck_s: float = 21_600.0
    lone_s: float = 14_400.0
    lone_frac: float = 0.6
    known_stuck_s: float = 1800.0
    stuck_runs: float = 4.0
    run_learn_s: float = 43_200.0
    stuck_readings: int = 8
    stopped_s: float = 600.0
    stopped_intervals: float = 10.0
    learn_intervals: int = 3
    mismatch_frac: float = 0.10
    mismatch_s: float = 600.0
    mismatch_hold_s: float = 3600.0
    min_line_current_A: float = 10_000.0


class _Track(NamedTuple):
    """What is remembered of every instrument, (n_cells, n_instruments)."""

    last: FloatArray
    seen_us: IntArray
    changed_us: IntArray
    interval_s: FloatArray
    n_seen: IntArray
    n_equal: IntArray
    first_us: IntArray
    longest_s: FloatArray


@kernel
def _track_step(
    value: FloatArray,
    time_us: int,
    last: FloatArray,
    seen_us: IntArray,
    changed_us: IntArray,
    interval_s: FloatArray,
    n_seen: IntArray,
    n_equal: IntArray,
    first_us: IntArray,
    longest_s: FloatArray,
) -> None:
    for i in range(value.shape[0]):
        for j in range(value.shape[1]):
            x = value[i, j]
            if np.isnan(x):
                continue
            if n_seen[i, j] == 0:
                changed_us[i, j] = first_us[i, j] = time_us
            else:
                gap_s = (time_us - seen_us[i, j]) * 1e-6
                if n_seen[i, j] == 1:
                    interval_s[i, j] = gap_s
                elif gap_s > interval_s[i, j]:
                    interval_s[i, j] *= 1.05
                elif gap_s < interval_s[i, j]:
                    interval_s[i, j] /= 1.05
                # Scan means of equal readings differ in the last digits.
                if abs(x - last[i, j]) <= 1e-9 * abs(x):
                    n_equal[i, j] += 1
                else:
                    spell_s = (seen_us[i, j] - changed_us[i, j]) * 1e-6
                    # Hours at one value are a fault and no habit.
                    if longest_s[i, j] < spell_s < 3600.0:
                        longest_s[i, j] = spell_s
                    n_equal[i, j] = 0
                    changed_us[i, j] = time_us
            last[i, j] = x
            seen_us[i, j] = time_us
            n_seen[i, j] += 1


class SensorFault:
    """Finds the worst instrument of every cell.

    Eight tests, the highest counts: refused readings that persist, a value that does not change while
    something else of the cell does, a signal that used to come and stopped while the cell's voltage still
    comes (a cell of which nothing comes is silent, which is another kind), a sum of anode currents that
    contradicts the line current, one that has left its own place (`RodSum`: one rod), and shell temperatures
    and voltages that step as no cell can (`ShellSteps`, `VoltageSteps`), and a thermocouple that warms alone on
    its side (`lone_shells`). The anode of a rod and the side of a
    thermocouple are named. Readings shared by the line, the beam position and collector bars are not judged.

    Parameters
    ----------
    layout
        Instruments of the cells.
    limits
        See `SensorLimits`.
    """

    name = "sensor"
    version = "sensor/2"
    kinds = ("sensor_fault",)

    def __init__(self, layout: CellLayout, limits: SensorLimits | None = None) -> None:
        self.limits = SensorLimits() if limits is None else limits
        n_cells = len(layout.n_anodes)
        self._n_anodes = layout.n_anodes.astype(np.int64)
        self._width = int(layout.n_anodes.max(initial=0)), layout.shell_side.shape[1]
        n_anodes, n_shell = self._width
        # The last column is the line current: never judged, but it shows that time goes on.
        shape = (n_cells, _N_JUDGED + n_anodes + n_shell + 1)
        self._track = _Track(
            np.full(shape, np.nan),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.full(shape, np.nan),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape),
        )
        self._slow = np.ones(shape[1], dtype=np.bool_)
        self._slow[0] = False
        self._slow[_N_JUDGED : _N_JUDGED + n_anodes] = False
        self._shell_side = layout.shell_side.astype(np.int64)
        self._rods = RodSum(layout)
        self._shell_steps = ShellSteps((n_cells, n_shell))
        self._voltage_steps = VoltageSteps(n_cells)
        self._shell_step_C = np.zeros((n_cells, n_shell))
        self._voltage_step_V = np.zeros(n_cells)
        self._shell_rise_C = np.full((n_cells, n_shell), np.nan)
        #: Share of the last hours in which a thermocouple was warm alone.
        self._lone = np.zeros((n_cells, n_shell))
        #: Seconds that refusals outlast good readings: judged scalars, anode currents, shell temperatures.
        self._refused_s = np.zeros((n_cells, _N_JUDGED + 2))
        self._refused_us = np.zeros((n_cells, _N_JUDGED + 2), dtype=np.int64)
        self._mismatch = np.zeros((n_cells, 1))
        self._mismatch_s = np.zeros((n_cells, 1))
        self._sum_A = np.full(n_cells, np.nan)
        self._current_A = np.full(n_cells, np.nan)
        self._tests = np.full((8, n_cells), np.nan)
        self._mismatch_us = np.zeros(n_cells, dtype=np.int64)
        self._time_us = 0

    def update(self, view: View) -> tuple[Scores, ...]:
        """Take in one scan and score every cell; electrical readings at rest without line current are no fault."""
        n_anodes, n_shell = self._width
        self._time_us = view.time_us
        value = np.concatenate(
            (
                view.scalar[_JUDGED_ROWS].T,
                view.anode_current_A[:, :n_anodes],
                view.shell_temp_C[:, :n_shell],
                view.scalar[_CURRENT][:, None],
            ),
            axis=1,
        )
        fast = np.r_[0, _N_JUDGED : _N_JUDGED + n_anodes]
        value[np.ix_(view.scalar[_CURRENT] < self.limits.min_line_current_A, fast)] = np.nan
        _track_step(value, view.time_us, *self._track)
        self._tests[0] = self._score_refused(view)
        self._tests[1] = self._score_stuck()
        self._tests[2] = self._score_stopped()
        self._tests[3] = self._score_mismatch(view)
        self._tests[4] = self._rods.update(view)
        self._watch_lone(view)
        self._shell_step_C = self._shell_steps.update(view.shell_temp_C[:, :n_shell], view.scan_s)
        self._voltage_step_V = self._voltage_steps.update(view)
        self._tests[5:] = self._score_steps()
        known = np.isfinite(self._tests)
        highest = np.where(known, self._tests, -np.inf).max(axis=0)
        score = np.where(known.any(axis=0), highest, np.nan)
        return (Scores("sensor_fault", "cell", score[:, None].copy()),)

    def _score_refused(self, view: View) -> FloatArray:
        """Seconds by which refused readings outlast good ones, over the limit; NaN if nothing ever came."""
        lim = self.limits
        n_anodes, n_shell = self._width
        bad = np.column_stack((view.scalar_bad[_JUDGED_ROWS].T, view.anode_bad, view.shell_bad)) > 0
        anodes = np.isfinite(view.anode_current_A[:, :n_anodes]).any(axis=1)
        shell = np.isfinite(view.shell_temp_C[:, :n_shell]).any(axis=1)
        good = np.column_stack((np.isfinite(view.scalar[_JUDGED_ROWS].T), anodes, shell))
        came = bad | good
        since_s = np.where(self._refused_us > 0, (view.time_us - self._refused_us) * 1e-6, view.scan_s)
        weight_s = np.minimum(since_s, lim.refused_s / 3.0)
        # A scalar that is also good is undecided; good elements of an array say nothing about a refused one.
        array = np.arange(good.shape[1]) >= _N_JUDGED
        sign = np.where(bad, np.where(good & ~array, 0.0, 1.0), np.where(good, -1.0, 0.0))
        self._refused_s = np.clip(self._refused_s + sign * weight_s, 0.0, 2.0 * lim.refused_s)
        self._refused_us = np.where(came, np.int64(view.time_us), self._refused_us)
        return np.where(
            (self._refused_us > 0).any(axis=1), self._refused_s.max(axis=1) / lim.refused_s, np.nan
        )

    def _stuck_s(self) -> FloatArray:
        """Time each value has not changed, as far as another instrument shows that something else did [s]."""
        track = self._track
        newest = track.changed_us.max(axis=1, keepdims=True)
        witness_us = np.where(track.changed_us == newest, 0, newest)
        # The one that changed last is itself no witness; its own stuck time is 0 anyway.
        stuck_s = (np.minimum(track.seen_us, witness_us) - track.changed_us) * 1e-6
        return np.where(track.n_equal >= self.limits.stuck_readings, np.maximum(stuck_s, 0.0), 0.0)

    def _score_stuck(self) -> FloatArray:
        """Longest stuck time over its limit; NaN before anything was seen."""
        ratio = (self._stuck_s() / self._stuck_limit_s())[:, :-1]
        return np.where((self._track.n_seen > 0).any(axis=1), ratio.max(axis=1), np.nan)

    def _stuck_limit_s(self) -> FloatArray:
        """Time at one value that makes an instrument stuck [s]."""
        lim, track = self.limits, self._track
        known = (track.seen_us - track.first_us) * 1e-6 >= lim.run_learn_s
        by_habit_s = np.clip(lim.stuck_runs * track.longest_s, lim.known_stuck_s, lim.slow_stuck_s)
        return np.where(self._slow, np.where(known, by_habit_s, lim.slow_stuck_s), lim.fast_stuck_s)

    def _watch_lone(self, view: View) -> None:
        """Follow how long each thermocouple has been warm alone, from new readings only."""
        residual_C = view.estimate.shell_residual_C[:, : self._shell_rise_C.shape[1]]
        came = np.isfinite(residual_C)
        self._shell_rise_C = np.where(came, residual_C, self._shell_rise_C)
        lone = lone_shells(self._shell_rise_C, self._shell_side)
        self._lone += min(view.scan_s / self.limits.lone_s, 1.0) * (lone - self._lone)

    def _score_steps(self) -> FloatArray:
        """Step of a thermocouple, one warm alone, step of the voltmeter, over their limits; NaN: nothing came."""
        n_anodes, n_shell = self._width
        limits = self._shell_steps.limits
        first = _N_JUDGED + n_anodes
        shell = (self._track.n_seen[:, first : first + n_shell] > 0).any(axis=1)
        largest_C = np.abs(self._shell_step_C).max(axis=1, initial=0.0)
        voltage = self._track.n_seen[:, 0] > 0
        return np.stack(
            (
                np.where(shell, largest_C / limits.shell_C, np.nan),
                np.where(shell, self._lone.max(axis=1, initial=0.0) / self.limits.lone_frac, np.nan),
                np.where(voltage, np.abs(self._voltage_step_V) / limits.voltage_V, np.nan),
            )
        )

    def _stopped_ratio(self) -> FloatArray:
        """Silence of every instrument that used to come, over its limit; NaN where it cannot be judged."""
        lim, track = self.limits, self._track
        limit_s = np.maximum(lim.stopped_s, lim.stopped_intervals * track.interval_s)
        silent_s = (self._time_us - track.seen_us) * 1e-6
        voltage_limit_s = np.fmax(120.0, 5.0 * track.interval_s[:, 0])
        alive = (track.n_seen[:, 0] > 0) & (silent_s[:, 0] <= voltage_limit_s)
        judged = (track.n_seen > lim.learn_intervals) & alive[:, None]
        ratio = np.where(judged, silent_s / limit_s, np.nan)
        ratio[:, 0] = np.nan
        ratio[:, -1] = np.nan
        return ratio

    def _score_stopped(self) -> FloatArray:
        """Worst of the stopped instruments; NaN where none can be judged."""
        ratio = self._stopped_ratio()
        worst = np.where(np.isfinite(ratio), ratio, -np.inf).max(axis=1)
        return np.where(np.isfinite(worst), worst, np.nan)

    def _score_mismatch(self, view: View) -> FloatArray:
        """Mean mismatch of anode currents and line current over the limit; NaN if not measured together."""
        lim = self.limits
        anode_A = view.anode_current_A[:, : self._width[0]]
        current_A = view.scalar[_CURRENT]
        complete = (np.isfinite(anode_A).sum(axis=1) == self._n_anodes) & (self._n_anodes > 0)
        complete &= current_A >= lim.min_line_current_A
        sum_A = np.where(np.isfinite(anode_A), anode_A, 0.0).sum(axis=1)
        stale = (view.time_us - self._mismatch_us) * 1e-6 > lim.mismatch_hold_s
        self._mismatch[stale] = 0.0
        self._mismatch_s[stale] = 0.0
        self._mismatch_us = np.where(complete, np.int64(view.time_us), self._mismatch_us)
        self._sum_A = np.where(complete, sum_A, self._sum_A)
        self._current_A = np.where(complete, current_A, self._current_A)
        ratio = np.where(complete, sum_A / np.where(complete, current_A, 1.0) - 1.0, np.nan)
        weight_s = np.full(self._mismatch.shape, float(view.scan_s))
        mean_step(self._mismatch, self._mismatch_s, ratio[:, None], weight_s, lim.mismatch_s)
        judged = self._mismatch_s[:, 0] >= 0.5 * lim.mismatch_s
        return np.where(judged, np.abs(self._mismatch[:, 0]) / lim.mismatch_frac, np.nan)

    def explain(self, kind: str, cell: int, slot: int) -> Explanation:
        """Explain the score given at the last update.

        ``signal_code`` is a position in `SIGNAL_CODES`; ``sensor_number`` counts from 1, 0 stands for a
        signal with one value a cell or for the array as a whole.

        Raises
        ------
        ValueError
            When the kind is not one of this detector's.
        """
        if kind not in self.kinds:
            raise ValueError(f"{self.name} does not score {kind!r}")
        tests = self._tests[:, cell]
        test = int(np.argmax(np.where(np.isfinite(tests), tests, -np.inf)))
        by_test = (
            self._explain_refused,
            self._explain_stuck,
            self._explain_stopped,
            self._explain_mismatch,
            self._explain_rod,
            self._explain_shell_step,
            self._explain_lone,
            self._explain_voltage_step,
        )
        return by_test[test](cell)

    def _instrument(self, column: int) -> tuple[float, float]:
        """Signal code and number of one column of the track."""
        n_anodes, _ = self._width
        if column < _N_JUDGED:
            return float(SIGNAL_CODES.index(_JUDGED[column])), 0.0
        if column < _N_JUDGED + n_anodes:
            return _ANODE_CODE, float(column - _N_JUDGED + 1)
        return _SHELL_CODE, float(column - _N_JUDGED - n_anodes + 1)

    def _place(self, cell: int, column: int) -> tuple[int | None, str | None]:
        """Anode (from 1) and side that an instrument belongs to."""
        n_anodes, _ = self._width
        if _N_JUDGED <= column < _N_JUDGED + n_anodes:
            return column - _N_JUDGED + 1, None
        if column >= _N_JUDGED + n_anodes:
            side = int(self._shell_side[cell, column - _N_JUDGED - n_anodes])
            return None, SIDES[side] if side >= 0 else None
        return None, None

    def _explain_refused(self, cell: int) -> Explanation:
        channel = int(np.argmax(self._refused_s[cell]))
        codes = [float(SIGNAL_CODES.index(name)) for name in _JUDGED] + [_ANODE_CODE, _SHELL_CODE]
        column = self._missing(cell, channel)
        evidence = {
            "signal_code": codes[channel],
            "sensor_number": 0.0 if column is None else self._instrument(column)[1],
            "refused_s": float(self._refused_s[cell, channel]),
        }
        beliefs = {"sensor_or_cable_broken": 0.6, "wrong_scaling": 0.25, "data_system": 0.15}
        place = (None, None) if column is None else self._place(cell, column)
        return explanation(evidence, beliefs, *place)

    def _missing(self, cell: int, channel: int) -> int | None:
        """Column of the one element of a refused array that no longer gives good readings; None if none is alone."""
        n_anodes, n_shell = self._width
        first = {_N_JUDGED: _N_JUDGED, _N_JUDGED + 1: _N_JUDGED + n_anodes}.get(channel)
        if first is None:
            return None
        seen_us = self._track.seen_us[cell, first : first + (n_anodes if channel == _N_JUDGED else n_shell)]
        # Refused for as long as the alarm took; the others came a moment ago.
        late = (seen_us > 0) & ((int(seen_us.max(initial=0)) - seen_us) * 1e-6 >= 0.5 * self.limits.refused_s)
        return first + int(np.flatnonzero(late)[0]) if np.count_nonzero(late) == 1 else None

    def _explain_stuck(self, cell: int) -> Explanation:
        stuck_s = self._stuck_s()[cell]
        ratio = (stuck_s / self._stuck_limit_s()[cell])[:-1]
        column = int(np.argmax(ratio))
        code, number = self._instrument(column)
        n_stuck = int((ratio >= 1.0).sum())
        evidence = {
            "signal_code": code,
            "sensor_number": number,
            "stuck_s": float(stuck_s[column]),
            "stuck_value": float(self._track.last[cell, column]),
            "equal_readings": float(self._track.n_equal[cell, column] + 1),
            "stuck_sensors": float(n_stuck),
        }
        many = 1.0 if n_stuck > 1 else 0.0
        beliefs = {"data_system": 0.3 + 0.6 * many, "sensor_or_cable_broken": 0.6 - 0.4 * many}
        return explanation(evidence, beliefs, *self._place(cell, column))

    def _explain_stopped(self, cell: int) -> Explanation:
        ratio = self._stopped_ratio()[cell]
        column = int(np.argmax(np.where(np.isfinite(ratio), ratio, -np.inf)))
        code, number = self._instrument(column)
        n_stopped = int((ratio >= 1.0).sum())
        evidence = {
            "signal_code": code,
            "sensor_number": number,
            "stopped_s": (self._time_us - int(self._track.seen_us[cell, column])) * 1e-6,
            "typical_interval_s": float(self._track.interval_s[cell, column]),
            "last_value": float(self._track.last[cell, column]),
            "stopped_sensors": float(n_stopped),
        }
        many = 1.0 if n_stopped > 1 else 0.0
        beliefs = {"sensor_or_cable_broken": 0.7 - 0.5 * many, "data_system": 0.3 + 0.5 * many}
        return explanation(evidence, beliefs, *self._place(cell, column))

    def _explain_mismatch(self, cell: int) -> Explanation:
        evidence = {
            "signal_code": _ANODE_CODE,
            "sensor_number": 0.0,
            "sum_of_anodes_A": float(self._sum_A[cell]),
            "line_current_A": float(self._current_A[cell]),
            "mismatch_frac": float(self._mismatch[cell, 0]),
        }
        beliefs = {"wrong_scaling": 0.6, "sensor_or_cable_broken": 0.25, "sensor_drift": 0.15}
        return explanation(evidence, beliefs)

    def _explain_rod(self, cell: int) -> Explanation:
        anode, evidence = self._rods.suspect(cell)
        share = evidence.get("rod_share_now_frac", np.nan) / evidence.get("rod_share_before_frac", np.nan)
        evidence = {"signal_code": _ANODE_CODE, "sensor_number": float(anode or 0), **evidence}
        # Next to nothing is a wire; a few percent are a gain or a rod that got hotter (0.4 % a degree).
        broken = 1.0 if abs(share) < 0.05 else 0.0
        beliefs = {
            "sensor_or_cable_broken": 0.2 + 0.7 * broken,
            "sensor_drift": 0.4 * (1.0 - broken),
            "wrong_scaling": 0.3 * (1.0 - broken),
        }
        return explanation(evidence, beliefs, anode)

    def _explain_shell_step(self, cell: int) -> Explanation:
        sensor = int(np.argmax(np.abs(self._shell_step_C[cell])))
        column = _N_JUDGED + self._width[0] + sensor
        evidence = {
            "signal_code": _SHELL_CODE,
            "sensor_number": float(sensor + 1),
            "step_C": float(self._shell_step_C[cell, sensor]),
            "shell_temp_C": float(self._track.last[cell, column]),
        }
        beliefs = {"sensor_or_cable_broken": 0.6, "sensor_drift": 0.2, "wrong_scaling": 0.2}
        return explanation(evidence, beliefs, *self._place(cell, column))

    def _explain_lone(self, cell: int) -> Explanation:
        sensor = int(np.argmax(self._lone[cell]))
        column = _N_JUDGED + self._width[0] + sensor
        evidence = {
            "signal_code": _SHELL_CODE,
            "sensor_number": float(sensor + 1),
            "shell_rise_C": float(self._shell_rise_C[cell, sensor]),
            "alone_frac": float(self._lone[cell, sensor]),
            "shell_temp_C": float(self._track.last[cell, column]),
        }
        beliefs = {"sensor_drift": 0.7, "ledge_melting_local": 0.2, "wrong_scaling": 0.1}
        return explanation(evidence, beliefs, *self._place(cell, column))

    def _explain_voltage_step(self, cell: int) -> Explanation:
        evidence = {
            "signal_code": float(SIGNAL_CODES.index("cell_voltage_V")),
            "sensor_number": 0.0,
            "step_V": float(self._voltage_step_V[cell]),
            "cell_voltage_V": float(self._track.last[cell, 0]),
        }
        beliefs = {"sensor_or_cable_broken": 0.5, "wrong_scaling": 0.3, "sensor_drift": 0.2}
        return explanation(evidence, beliefs)
