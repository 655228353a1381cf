"""A recorded history up to one instant, as what a forecast of one cell begins with."""

import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.calibration_file import calibrated
from edge.config import Config
from edge.pipeline import Pipeline, cell_params
from streams.history import history_range, read_history
from streams.messages import CounterReading, Event, Item, Operator, Reading, Sample
from streams.plant_file import Plant, load_plant
from twin.forecast_present import ForecastError, Past, Present, present_of

FloatArray = NDArray[np.float64]

_HOUR_US = 3_600_000_000
#: Hours of the past that a forecast looks at.
PAST_H = 48
_MEANS = ("cell_voltage_V", "line_current_A", "ambient_temp_C")
_GOOD = 192


class UnknownCell(ValueError):
    """A cell or time that a history does not have; says which there are."""


class Watched(NamedTuple):
    """One cell at one instant of a history.

    Attributes
    ----------
    cell
        Id.
    zone
        Time zone of the plant.
    time_us
        The instant, UTC microseconds.
    present
        One cell.
    change_h, tap_h
        When its next anode changes and taps are due, hours from then, by the last ones and the intervals of
        ``plant.toml``.
    """

    cell: str
    zone: ZoneInfo
    time_us: int
    present: Present
    change_h: tuple[float, ...]
    tap_h: tuple[float, ...]


class _Hours:
    """Sums of readings and newest estimates by hours before an instant."""

    def __init__(self, at_us: int) -> None:
        self._at_us = at_us
        self._sum = np.zeros((PAST_H, len(_MEANS)))
        self._count = np.zeros((PAST_H, len(_MEANS)))
        self.ended = np.full((PAST_H, 3), np.nan)

    def back(self, time_us: int) -> int:
        """How many whole hours before the instant."""
        return (self._at_us - time_us) // _HOUR_US

    def add(self, reading: Reading) -> None:
        """Take in a reading."""
        k = self.back(reading.time_us)
        value = reading.value
        if not 0 <= k < PAST_H or isinstance(value, tuple) or reading.quality != _GOOD:
            return
        if reading.signal in _MEANS and math.isfinite(value):
            self._sum[k, _MEANS.index(reading.signal)] += value
            self._count[k, _MEANS.index(reading.signal)] += 1.0

    def means(self, name: str) -> FloatArray:
        """Means of the hours that were recorded, oldest first, (n_hours, 1)."""
        recorded = np.flatnonzero(self._count[:, 0] > 0.0)
        n = int(recorded[-1]) + 1 if recorded.size else 0
        count = self._count[:n, _MEANS.index(name)]
        mean = np.divide(self._sum[:n, _MEANS.index(name)], count, out=np.full(n, np.nan), where=count > 0.0)
        return mean[::-1, None].copy()

    def past(self) -> Past:
        """Estimates at the end of the same hours."""
        n = len(self.means(_MEANS[0]))
        return Past(*(self.ended[:n, k][::-1, None].copy() for k in range(3)))


def watch(history: Path, cell: str, at: datetime | None, config: Config, hours: int) -> Watched:
    """Replay the history of one cell through the pipeline up to an instant.

    Parameters
    ----------
    history
        Folder by contract.
    cell
        Id.
    at
        The instant; without an offset in the time zone of the plant; None: the end of the history.
    config
        Only what the pipeline needs is used.
    hours
        How far ahead the calendar is carried.

    Raises
    ------
    UnknownCell
        The history has no such cell, or does not reach to the instant.
    ForecastError
        The twin has no estimate of the cell at the instant.
    HistoryError, PlantError, ParamsError
        When the history cannot be read.
    """
    plant = calibrated(load_plant(history / "plant.toml"), config)
    if cell not in plant.cell_index:
        some = ", ".join(known.id for known in plant.cells[:5])
        raise UnknownCell(
            f"{history}: plant.toml has no cell {cell!r}; it has {len(plant.cells)}: {some} ..."
        )
    first_us, last_us = history_range(history)
    zone = ZoneInfo(plant.time_zone)
    at_us = last_us if at is None else round(_aware(at, zone).timestamp() * 1e6)
    if not first_us < at_us <= last_us:
        raise UnknownCell(f"{history}: has readings from {_local(first_us, zone)} to {_local(last_us, zone)}")
    alone = _alone(plant, cell)
    pipeline, sums = Pipeline(alone, config, load_texts()), _Hours(at_us)
    changes: list[int] = []
    taps: list[int] = []
    for batch in _by_hours(_of(history, cell, at_us), at_us):
        for item in batch:
            if isinstance(item, Reading):
                sums.add(item)
            elif isinstance(item, Event) and item.event in ("anode_change", "tap") and item.time_us <= at_us:
                (changes if item.event == "anode_change" else taps).append(item.time_us)
        pipeline.push(batch)
        if pipeline.view is not None and 0 <= (k := sums.back(pipeline.view.time_us)) < PAST_H:
            estimate = pipeline.view.estimate
            sums.ended[k] = estimate.bath_temp_C[0], estimate.superheat_C[0], estimate.alumina_pct[0]
    pipeline.flush()
    params = cell_params(alone)[0][0]
    if pipeline.view is None or params is None:
        reason = pipeline.not_assessed().get(cell, "too little was recorded")
        raise ForecastError(f"{cell}: the twin has no estimate to begin with: {reason}")
    ago = [(at_us - time_us) / _HOUR_US for time_us in changes]
    try:
        volt, amp, air = (sums.means(name) for name in _MEANS)
        present = present_of([params], pipeline.view.estimate, [0], volt, amp, air, sums.past(), [ago])
    except ForecastError as error:
        raise ForecastError(f"{cell} at {_local(at_us, zone)}: {error}") from error
    tapped = [(at_us - time_us) / _HOUR_US for time_us in taps]
    return Watched(
        cell,
        zone,
        at_us,
        present,
        change_h=_due(ago, params.anode_life_h / params.n_anodes, hours),
        tap_h=_due(tapped, params.tap_interval_h, hours),
    )


def _due(ago_h: list[float], every_h: float, hours: int) -> tuple[float, ...]:
    """Hours from now at which something is due that was done so long ago; what is overdue is due at once."""
    first_h = max(every_h - min(ago_h), 0.0) if ago_h else 0.5 * every_h
    return tuple(float(h) for h in np.arange(first_h, hours, every_h))


def _alone(plant: Plant, cell: str) -> Plant:
    """A plant of one of its cells; a cell's estimate does not depend on the others."""
    only = plant.cells[plant.cell_index[cell]]
    return Plant(site=plant.site, time_zone=plant.time_zone, lines=(only.line,), cells=(only,))


def _of(history: Path, cell: str, at_us: int) -> Iterator[tuple[int, Item]]:
    """What had arrived of one cell and of its line until an instant, with the time of arrival."""
    for item in read_history(history):
        time_us = item.received_us if isinstance(item, Sample | Event) else item.time_us
        if time_us > at_us:
            return
        if isinstance(item, CounterReading | Operator):
            continue
        if isinstance(item, Reading | Sample | Event) and item.cell not in (cell, ""):
            continue
        yield time_us, item


def _by_hours(items: Iterator[tuple[int, Item]], at_us: int) -> Iterator[list[Item]]:
    """Items in batches that end with the hours before an instant."""
    batch: list[Item] = []
    hour = None
    for time_us, item in items:
        here = (at_us - time_us) // _HOUR_US
        if batch and here != hour:
            yield batch
            batch = []
        hour = here
        batch.append(item)
    if batch:
        yield batch


def _aware(at: datetime, zone: ZoneInfo) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _local(time_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_us / 1e6, zone).strftime("%Y-%m-%d %H:%M")
