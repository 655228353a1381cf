"""Carries what the pipeline knows onto the board that the page shows."""

from collections.abc import Mapping

import numpy as np

from edge.alarm_rules import Texts
from edge.alarms import Alarm
from edge.board import STATUSES, AlarmRow, Board, CauseRow, ChangeRow
from edge.pipeline import Pipeline
from models.base import View
from streams.plant_file import Plant
from twin.limits import load_limits
from twin.observer import STATUS_REASONS

_GOOD, _FAILURE = STATUSES.index("good"), STATUSES.index("failure")
_MINUTE_US = 60_000_000


def make_board(plant: Plant, *, simulated: bool, speed: float) -> Board:
    """Make an empty board for a plant, with the limits in force."""
    limits = load_limits()
    return Board(
        plant.site,
        [(cell.line, cell.id) for cell in plant.cells],
        simulated,
        speed,
        time_zone=plant.time_zone,
        benchmark_kwh_per_t=limits.benchmark_kwh_per_t,
        baseline_kwh_per_t=limits.baseline_kwh_per_t,
        level_1_kwh_per_t=float(limits.rows()[0].value),
        shell_sides=[cell.shell_sides for cell in plant.cells],
    )


class Display:
    """Writes the board; calls cost next to nothing where nothing has changed.

    Parameters
    ----------
    board
        To write.
    texts
        Alarm and cause texts.
    """

    def __init__(self, board: Board, texts: Texts) -> None:
        self._board = board
        self._texts = texts
        self._shown: View | None = None
        self._minute = -1

    def show(self, pipeline: Pipeline, figures: Mapping[str, float | str | None]) -> None:
        """Write cells, alarms and figures of this instant, and one row of trends a minute."""
        self._board.update_figures(figures)
        view = pipeline.view
        if view is None or view is self._shown:
            return
        self._shown = view
        self._cells(pipeline, view)
        self._board.update_alarms([self._row(alarm) for alarm in pipeline.alarms.live.values()])

    def trend(self, pipeline: Pipeline) -> None:
        """Write the newest scan as trends when a new minute of event time has begun."""
        view = pipeline.view
        if view is None or view.time_us // _MINUTE_US == self._minute:
            return
        self._minute = view.time_us // _MINUTE_US
        self._board.update_changes(_changes(pipeline))
        estimate, recent = view.estimate, pipeline.recent
        _, ac_kwh_per_t = pipeline.accounting.rolling_kwh_per_t()
        self._board.add_trends(
            view.time_us,
            {
                "cell_voltage_V": recent.scalar("cell_voltage_V"),
                "voltage_expected_V": estimate.voltage_expected_V,
                "bath_temp_C": estimate.bath_temp_C,
                "bath_temp_sd_C": estimate.bath_temp_sd_C,
                "ac_kwh_per_t": ac_kwh_per_t,
                "anode_current_A": recent.anode_current_A,
                "shell_temp_C": recent.shell_temp_C,
            },
        )

    def _cells(self, pipeline: Pipeline, view: View) -> None:
        estimate, recent = view.estimate, pipeline.recent
        dc_kwh_per_t, ac_kwh_per_t = pipeline.accounting.rolling_kwh_per_t()
        energy_reasons = pipeline.not_assessed()
        reasons = [
            energy_reasons.get(cell.id) or ("" if assessed else STATUS_REASONS.get(status, "no data"))
            for cell, assessed, status in zip(
                pipeline.plant.cells, estimate.assessed.tolist(), estimate.status.tolist(), strict=True
            )
        ]
        self._board.update_cells(
            view.time_us,
            {
                "cell_voltage_V": recent.scalar("cell_voltage_V"),
                "line_current_A": recent.scalar("line_current_A"),
                "voltage_expected_V": estimate.voltage_expected_V,
                "voltage_residual_V": recent.voltage_residual_V,
                "bath_temp_C": estimate.bath_temp_C,
                "bath_temp_sd_C": estimate.bath_temp_sd_C,
                "superheat_C": estimate.superheat_C,
                "ledge_bath_mm": estimate.ledge_bath_mm,
                "dc_kwh_per_t": dc_kwh_per_t,
                "ac_kwh_per_t": ac_kwh_per_t,
                "coverage": pipeline.accounting.rolling_coverage(),
            },
            np.where(estimate.assessed, _GOOD, _FAILURE).tolist(),
            reasons,
            {row.line: row[1:] for row in pipeline.accounting.rolling_lines()},
        )

    def _row(self, alarm: Alarm) -> AlarmRow:
        rule = self._texts.kind[alarm.kind]
        where = (alarm.cell or alarm.line, alarm.anode, alarm.side)
        causes = [
            CauseRow(text.en, text.zh, float(cause["weight"]))
            for cause in alarm.causes
            if (text := self._texts.cause.get(str(cause["cause"]))) is not None
        ]
        return AlarmRow(
            id=alarm.id,
            time_us=alarm.raised_us,
            line=alarm.line,
            cell=alarm.cell,
            kind=alarm.kind,
            anode=alarm.anode,
            side=alarm.side,
            state=alarm.state,
            priority=alarm.priority,
            score=alarm.score,
            title_en=rule.title("en", *where),
            title_zh=rule.title("zh", *where),
            action_en=rule.action("en", *where),
            action_zh=rule.action("zh", *where),
            evidence=alarm.evidence,
            causes=causes,
        )


def _changes(pipeline: Pipeline) -> dict[str, list[ChangeRow]]:
    """Anode changes that the detectors know of, by cell."""
    found: dict[str, list[ChangeRow]] = {}
    for change in pipeline.panel.anode_changes():
        row = ChangeRow(
            change.anode + 1,
            change.time_us,
            change.logged,
            change.verdict,
            change.known_us,
            *(
                None if figure is None else round(figure, 3)
                for figure in (
                    change.level_ratio,
                    change.half_load_h,
                    change.half_low_h,
                    change.half_high_h,
                )
            ),
        )
        found.setdefault(pipeline.plant.cells[change.cell].id, []).append(row)
    return found
