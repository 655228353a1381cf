"""The twin's states of a replay for the energy review: means of a period, and cells as they are at its end."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from edge.ledger_files import LedgerError, LedgerFiles, cell_places, times_us
from edge.outlook_history import PAST_H
from edge.pipeline import cell_params
from edge.points import STATE_FIELDS
from edge.review_spans import Span
from twin.book import HOUR_US
from twin.forecast_present import Present
from twin.heat import REFERENCE_AMBIENT_C

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
#: Of the mean over a period, and of the ends of the last hours.
_MEANS = ("bath_temp_c", "superheat_c", "alumina_pct", "acd_mm")
_ENDS = ("bath_temp_c", "superheat_c", "alumina_pct")
#: A cell's newest state may be so much older than that of the others, and theirs than the end of the period [us].
_FRESH_US, _RECENT_US = 1_800_000_000, 24 * HOUR_US
#: The twin goes by bath temperatures: without one in so many days it only believes.
SAMPLE_DAYS = 3.0


class States(NamedTuple):
    """What the twin believed of all cells in a period; NaN where it said nothing.

    Attributes
    ----------
    mean
        Means over the period by field of ``cell_state``, (n_cells,) each.
    newest_us : (n_cells,)
        Time of the newest state; 0 for none.
    newest
        The newest state by field, (n_cells,) each.
    ends : (PAST_H, n_cells, 3)
        Bath temperature, superheat and alumina at the end of the last hours, newest last.
    """

    mean: dict[str, FloatArray]
    newest_us: IntArray
    newest: dict[str, FloatArray]
    ends: FloatArray


class Now(NamedTuple):
    """Cells as they are at the end of a period.

    Attributes
    ----------
    time_us
        The instant; 0 where no state was recorded.
    cells
        Positions of those that are in ``present``, in its order.
    present
        None without any.
    refused
        Why each of the others is not.
    """

    time_us: int
    cells: list[int]
    present: Present | None
    refused: dict[int, str]


def read_states(folder: Path, files: LedgerFiles, span: Span) -> States:
    """Read ``states.parquet`` of a period, a part at a time; a missing file is an empty one.

    Raises
    ------
    LedgerError
        The file is broken.
    """
    n = len(files.plant.cells)
    names = [field for field, _ in STATE_FIELDS]
    total, count = (np.zeros((len(_MEANS), n)) for _ in range(2))
    newest_us = np.zeros(n, dtype=np.int64)
    newest = {name: np.full(n, np.nan) for name in names}
    ends = np.full((PAST_H, n, len(_ENDS)), np.nan)
    end_us = min(span.end_us, int(files.book.hours_us[-1]) + HOUR_US)
    path = folder / "states.parquet"
    try:
        batches = pq.ParquetFile(path).iter_batches(200_000) if path.is_file() else iter(())
        for batch in batches:
            time, cell = times_us(batch.column("time")), cell_places(batch.column("cell"), files.plant)
            mine = (cell >= 0) & (time >= span.start_us) & (time < span.end_us)
            if not mine.any():
                continue
            time, cell = time[mine], cell[mine]
            values = {name: batch.column(name).to_numpy(zero_copy_only=False)[mine] for name in names}
            for k, name in enumerate(_MEANS):
                known = np.isfinite(values[name])
                total[k] += np.bincount(cell[known], values[name][known], n)
                count[k] += np.bincount(cell[known], minlength=n)
            # In order of time: the last row of a cell and hour is the one that stays.
            order = np.argsort(time, kind="stable")
            time, cell = time[order], cell[order]
            newest_us[cell] = time
            for name in names:
                newest[name][cell] = values[name][order]
            back = (end_us - 1 - time) // HOUR_US
            late = back < PAST_H
            for k, name in enumerate(_ENDS):
                ends[PAST_H - 1 - back[late], cell[late], k] = values[name][order][late]
    except (OSError, pa.ArrowException, KeyError) as error:
        raise LedgerError(f"{path}: cannot be read: {error}") from error
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0.0)
    return States(dict(zip(_MEANS, mean, strict=True)), newest_us, newest, ends)


def cells_now(files: LedgerFiles, states: States, span: Span, efficiency: FloatArray) -> Now:
    """Cells at the end of a period, as a what-if begins with them.

    Parameters
    ----------
    files, states, span
        Of the replay.
    efficiency : (n_cells,)
        Current efficiency of the period (fraction), weighed where it could be.

    Notes
    -----
    The room is taken at 25 degC: a replay does not keep its temperature, and only differences are used.
    """
    plant, refused = files.plant, dict[int, str]()
    params, without = cell_params(plant)
    end_us = min(span.end_us, int(files.book.hours_us[-1]) + HOUR_US)
    at_us = int(states.newest_us.max(initial=0))
    sampled = files.temperatures.known_by(None)
    recent = (sampled.time_us > at_us - SAMPLE_DAYS * 24 * HOUR_US) & (sampled.time_us <= at_us)
    samples = np.bincount(sampled.cell[recent], minlength=len(params))
    volt, amp = _last_hours(files, end_us)
    cells: list[int] = []
    for i, cell in enumerate(plant.cells):
        if params[i] is None:
            why = without[cell.id]
        elif at_us < end_us - _RECENT_US:
            why = "the twin recorded no state at the end of the period"
        elif states.newest_us[i] < at_us - _FRESH_US:
            why = "the twin does not assess this cell at the end of the period: no data, not normal, or lost"
        elif not samples[i]:
            why = f"no bath temperature was sampled in the last {SAMPLE_DAYS:g} days"
        elif np.isnan(volt[:, i]).all() or not np.isfinite(efficiency[i]):
            why = "voltage or current efficiency of the last two days is not known"
        else:
            cells.append(i)
            continue
        refused[i] = why
    if not cells:
        return Now(at_us, [], None, refused)
    newest = {
        attribute: states.newest[field][cells]
        for field, attribute in STATE_FIELDS
        if not attribute.startswith("heat_loss")
    }
    changes = files.changes.known_by(None)
    ago_h = [(at_us - changes.time_us[changes.cell == i]) / HOUR_US for i in cells]
    ends = np.where(
        np.isnan(states.ends[:, cells]), _first_known(states.ends[:, cells]), states.ends[:, cells]
    )
    present = Present(
        params=tuple(p for i in cells if (p := params[i]) is not None),
        current_efficiency=efficiency[cells],
        cell_voltage_V=volt[:, cells],
        line_current_A=amp[:, cells],
        ambient_temp_C=np.full((PAST_H, len(cells)), REFERENCE_AMBIENT_C),
        bath_past_C=ends[:, :, 0],
        superheat_past_C=ends[:, :, 1],
        alumina_past_pct=ends[:, :, 2],
        change_ago_h=tuple(tuple(sorted(h for h in ago.tolist() if 0.0 <= h < PAST_H)) for ago in ago_h),
        **newest,
    )
    return Now(at_us, cells, present, refused)


def _last_hours(files: LedgerFiles, end_us: int) -> tuple[FloatArray, FloatArray]:
    """Mean voltage [V] and current [A] of the last hours in normal operation, (PAST_H, n_cells) each."""
    energy, charge, covered = files.book.running()
    rows = np.searchsorted(files.book.hours_us, end_us + HOUR_US * np.arange(-PAST_H, 1))
    kWh, kAh, seconds = (np.diff(part[rows], axis=0) for part in (energy, charge, covered))
    nothing = np.full(kWh.shape, np.nan)
    volt = np.divide(kWh, kAh, out=nothing.copy(), where=kAh > 0.0)
    return volt, np.divide(3.6e6 * kAh, seconds, out=nothing, where=seconds > 0.0)


def _first_known(ends: FloatArray) -> FloatArray:
    """The newest value of every cell, in the place of hours without one."""
    newest = ends[-1]
    for row in ends[::-1]:
        newest = np.where(np.isnan(newest), row, newest)
    return np.broadcast_to(newest, ends.shape)
