"""``potline twin``: heat balance of a technology, the next days of a cell, and what a change would do to it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from msgspec import json
from numpy.typing import NDArray

from edge.config import Config
from edge.exits import BAD_DATA, FAILURE, NO_INPUT, OK, USAGE
from edge.outlook_history import PAST_H, UnknownCell, Watched, watch
from edge.outlook_texts import Language, table, term, word
from streams.history import HistoryError
from streams.plant_file import PlantError
from twin.balances import Balance, balance, format_balance
from twin.cell import run_cells
from twin.cell_state import SURFACES, CellStatus, nominal_inputs, start_cells
from twin.forecast import FORESEEN, Forecast, forecast, hold
from twin.forecast_present import ForecastError, Present, nominal_present
from twin.params import CellParams, ParamsError, params_for
from twin.whatif import TOLD, Change, ChangeError, WhatIf, what_if

FloatArray = NDArray[np.float64]
Say = Callable[[str], None]

_HOUR_US = 3_600_000_000
#: Hours of a forecast that the table shows.
_EVERY_H, _FINE_H = 12, 24
#: How many digits a quantity deserves, and by what it is multiplied for people.
_DIGITS = {
    "cell_voltage_V": 3,
    "alumina_pct": 2,
    "excess_alf3_pct": 2,
    "kwh_per_t": 0,
    "ledge_bath_mm": 0,
    "ledge_metal_mm": 0,
    "heat_loss_kW": 0,
}
_FACTOR = {"line_current_A": 1e-3, "efficiency_frac": 100.0}


def show_balance(
    technology: str,
    overrides: dict[str, float],
    language: Language,
    as_json: bool,
    say: Say,
) -> int:
    """Print the heat balance of a cell that stands in balance as its technology says.

    Parameters
    ----------
    technology
        A set that potline ships, or the path of a file of the same form.
    overrides
        Fields of ``CellParams`` that are otherwise.
    language, as_json, say
        How it is said, and to whom.

    Returns
    -------
    int
        0, or 2 where no cell can be like that.
    """
    try:
        params = _technology(technology, overrides)
        cells = start_cells([params])
        run_cells(cells, nominal_inputs(cells, 1, anode_changes=False), 10.0)
    except ParamsError as error:
        say(f"potline: {error}")
        return USAGE
    found = balance(cells)
    say(_balance_json(found) if as_json else _balance_table(found, language))
    return OK


def show_forecast(
    history: Path,
    cell: str,
    hours: int,
    at: datetime | None,
    config: Config,
    out: Path | None,
    language: Language,
    as_json: bool,
    say: Say,
) -> int:
    """Print, and draw, the next hours of a cell of a recorded history.

    Parameters
    ----------
    history, cell, at, config
        As in ``edge.outlook_history.watch``.
    hours
        How far, 1 to 72.
    out
        Picture to write; None for none.
    language, as_json, say
        How it is said, and to whom.

    Returns
    -------
    int
        0; 1 where only the picture failed; 2 for a cell or time that is not there; 65 and 66 for the history.
    """
    watched = _watched(history, cell, at, config, hours, say)
    if isinstance(watched, int):
        return watched
    try:
        plan = hold(watched.present, hours, [watched.change_h], [watched.tap_h])
        found = forecast(watched.present, plan)
    except ForecastError as error:
        say(f"potline: {cell}: {error}")
        return BAD_DATA
    text = _forecast_json(watched, found) if as_json else _forecast_text(watched, found, language)
    say(text)
    if out is None:
        return OK
    from edge.outlook_picture import forecast_picture

    return _draw(out, language, say, lambda: forecast_picture(out, watched, found, language, text))


def show_whatif(
    source: Path | str,
    cell: str | None,
    at: datetime | None,
    change: Change,
    config: Config,
    out: Path | None,
    language: Language,
    as_json: bool,
    say: Say,
) -> int:
    """Print, and draw, what a change would do to a cell.

    Parameters
    ----------
    source
        Folder of a recorded history, then ``cell`` and ``at`` say which cell and when; or a technology.
    cell, at
        As in ``edge.outlook_history.watch``; a technology needs neither.
    change
        What is changed.
    config, out, language, as_json, say
        As in ``show_forecast``.

    Returns
    -------
    int
        As ``show_forecast``; 2 also for a change that the twin cannot answer for.
    """
    name = str(source)
    try:
        if isinstance(source, Path):
            watched = _watched(source, cell or "", at, config, 1, say)
            if isinstance(watched, int):
                return watched
            name, present = watched.cell, watched.present
        else:
            present = nominal_present([_technology(source, {})])
        found = what_if(present, [change])
    except (ParamsError, ChangeError) as error:
        say(f"potline: {error}")
        return USAGE
    except ForecastError as error:
        say(f"potline: {name}: {error}")
        return BAD_DATA
    text = (
        _whatif_json(name, change, found) if as_json else _whatif_text(name, change, present, found, language)
    )
    say(text)
    if out is None:
        return OK
    from edge.outlook_picture import whatif_picture

    title = f"{name}  {change_text(change, language)}"

    return _draw(out, language, say, lambda: whatif_picture(out, title, found, language, text))


def _technology(technology: str, overrides: dict[str, float]) -> CellParams:
    return params_for(technology, overrides.get("rated_current_A"), overrides=overrides)


def _watched(
    history: Path, cell: str, at: datetime | None, config: Config, hours: int, say: Say
) -> Watched | int:
    """Replay a history up to an instant, or say why not and give the exit code."""
    if not (history / "plant.toml").is_file():
        say(f"potline: {history}: no plant.toml, so this is not a recorded history")
        return NO_INPUT
    try:
        return watch(history, cell, at, config, hours)
    except UnknownCell as error:
        say(f"potline: {error}")
        return USAGE
    except (ForecastError, HistoryError, PlantError, ParamsError) as error:
        say(f"potline: {error}")
        return BAD_DATA


def _draw(out: Path, language: Language, say: Say, draw: Callable[[], None]) -> int:
    """Make a picture; what it needs and is not there is said."""
    from edge.outlook_picture import NoPicture, check_picture

    try:
        check_picture(out, language)
        draw()
    except NoPicture as error:
        say(f"potline: {error}")
        return FAILURE
    return OK


def _number(name: str, value: float, sign: bool = False) -> str:
    """A figure with the digits it deserves."""
    if not np.isfinite(value):
        return "-"
    digits = _DIGITS.get(name, 1)
    # Rounded before it is printed, so that nothing is "-0.0".
    rounded = round(value * _FACTOR.get(name, 1.0), digits) + 0.0
    return f"{rounded:{'+' if sign else ''}.{digits}f}"


def _balance_table(found: Balance, language: Language) -> str:
    """The balance as ``twin.balances`` prints it, its words in the language."""
    if language == "en":
        return format_balance(found)
    head, columns, *lines = format_balance(found).splitlines()
    rows = [["", "", *columns.split()]]
    for line in lines:
        group, name, figures = line[:10].strip(), line[10:32].strip(), line[32:].split()
        rows.append([term(group, language), term(name, language), *figures])
    return head.replace("current efficiency", term("current efficiency", language)) + "\n" + table(rows, 2)


def _balance_json(found: Balance) -> str:
    return json.encode(found._asdict() | {"terms": [line._asdict() for line in found.terms]}).decode()


def _forecast_text(watched: Watched, found: Forecast, language: Language) -> str:
    """Table of a forecast: best estimate and band by the hour."""
    low, high = found.band()
    last = len(found.hour) - 1
    shown = [
        h for h in range(last + 1) if h % (_EVERY_H // 2 if h <= _FINE_H else _EVERY_H) == 0 or h == last
    ]
    rows = [[word("time", language), "h", *(word(name, language) for name in FORESEEN)]]
    for h in shown:
        row = [_when(watched, h).strftime("%m-%d %H:%M"), f"+{h}"]
        for k, name in enumerate(FORESEEN):
            best, least, most = (_number(name, float(x[h, 0, k])) for x in (found.best, low, high))
            row.append(f"{best} ({least}…{most})")
        rows.append(row)
    lines = [f"{watched.cell}  {_when(watched, 0):%Y-%m-%d %H:%M}  {word('band', language)}", table(rows), ""]
    for key, at in (("anode_change", watched.change_h), ("tap", watched.tap_h)):
        times = ", ".join(_when(watched, hour).strftime("%m-%d %H:%M") for hour in at if hour <= last)
        lines.append(f"{word(key, language)}: {times or '-'}")
    recorded = watched.present.cell_voltage_V.shape[0]
    if recorded < PAST_H:
        lines.append(f"{recorded} {word('few_hours', language)}")
    lines += _met(int(found.status[0]), language)
    if found.lost[0]:
        lines.append(f"{word('narrow', language)}: {int(found.lost[0])}")
    return "\n".join([*lines, word("assumed", language)])


def _forecast_json(watched: Watched, found: Forecast) -> str:
    low, high = found.band()
    hours: list[dict[str, object]] = []
    for h, hour in enumerate(found.hour):
        row: dict[str, object] = {"time": _when(watched, h).isoformat(), "hour": float(hour)}
        for k, name in enumerate(FORESEEN):
            named = (("", found.best), ("_low", low), ("_high", high), ("_sd", found.sd))
            row |= {name + end: _finite(float(x[h, 0, k])) for end, x in named}
        hours.append(row)
    return json.encode(
        {
            "cell": watched.cell,
            "time": _when(watched, 0).isoformat(),
            "band": 0.8,
            "anode_change_h": watched.change_h,
            "tap_h": watched.tap_h,
            "status": _names(int(found.status[0])),
            "points_lost": int(found.lost[0]),
            "hours": hours,
        }
    ).decode()


_COLUMNS = ("at_once", "after_24", "after_72", "at_rest")


def _whatif_text(name: str, change: Change, present: Present, found: WhatIf, language: Language) -> str:
    """Table of a change: before, the change after a while, and where it ends."""
    head = [
        "",
        word("before", language),
        *(word(key, language) for key in _COLUMNS),
        word("result", language),
    ]
    rows = [head]
    for k, quantity in enumerate(TOLD):
        before = float(found.before[0, k])
        row = [word(quantity, language), _sure(quantity, before, float(found.before_sd[0, k]))]
        for t in range(len(found.hour)):
            after, sd = float(found.after[t, 0, 0, k]), float(found.change_sd[t, 0, 0, k])
            row.append(_sure(quantity, after - before, sd, sign=True))
        row.append(_sure(quantity, float(found.after[-1, 0, 0, k]), float(found.after_sd[-1, 0, 0, k])))
        rows.append(row)
    losses = [[word("loss_by_surface", language), *head[1:]]]
    for k, surface in enumerate(SURFACES):
        before = float(found.loss_before_kW[0, k])
        after = [float(x) for x in found.loss_after_kW[:, 0, 0, k]]
        changes = (_number(surface, x - before, sign=True) for x in after)
        losses.append(
            [word(surface, language), _number(surface, before), *changes, _number(surface, after[-1])]
        )
    lines = [f"{name}  {change_text(change, language)}", table(rows), "", table(losses), ""]
    lines += _met(int(found.status[0, 0]), language)
    if not found.at_rest[0, 0]:
        lines.append(word("not_at_rest", language))
    if present.cell_voltage_V.shape[0] < PAST_H and present.change_ago_h[0]:
        lines.append(f"{present.cell_voltage_V.shape[0]} {word('few_hours', language)}")
    return "\n".join([*lines, word("sure", language)])


def _whatif_json(name: str, change: Change, found: WhatIf) -> str:
    def named(names: Sequence[str], values: FloatArray) -> dict[str, float | None]:
        return {key: _finite(float(value)) for key, value in zip(names, values, strict=True)}

    times = [
        {
            "when": key,
            "after": named(TOLD, found.after[t, 0, 0]),
            "after_sd": named(TOLD, found.after_sd[t, 0, 0]),
            "change": named(TOLD, found.after[t, 0, 0] - found.before[0]),
            "change_sd": named(TOLD, found.change_sd[t, 0, 0]),
            "loss_kW": named(SURFACES, found.loss_after_kW[t, 0, 0]),
        }
        for t, key in enumerate(_COLUMNS)
    ]
    return json.encode(
        {
            "cell": name,
            "change": change._asdict(),
            "before": named(TOLD, found.before[0]),
            "before_sd": named(TOLD, found.before_sd[0]),
            "loss_before_kW": named(SURFACES, found.loss_before_kW[0]),
            "times": times,
            "status": _names(int(found.status[0, 0])),
            "at_rest": bool(found.at_rest[0, 0]),
        }
    ).decode()


def change_text(change: Change, language: Language) -> str:
    """A change in words of a language."""
    parts = (
        ("voltage_V", 1e3 * change.voltage_V, "mV"),
        ("acd_mm", change.acd_mm, "mm"),
        ("cover_m", 1e3 * change.cover_m, "mm"),
        ("alf3_pct", change.alf3_pct, "%"),
        ("current", 1e-3 * change.line_current_A, "kA"),
        ("ambient_temp_C", change.ambient_temp_C, "K"),
    )
    return ", ".join(f"{word(key, language)} {value:+g} {unit}" for key, value, unit in parts if value != 0.0)


def _sure(name: str, value: float, sd: float, sign: bool = False) -> str:
    return f"{_number(name, value, sign)} ±{_number(name, sd)}"


def _met(status: int, language: Language) -> list[str]:
    return [f"{word('met', language)}: {', '.join(_names(status))}"] if status else []


def _names(status: int) -> list[str]:
    """Names of the bits of a status."""
    return [flag.name or "" for flag in CellStatus if flag.value & status]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _when(watched: Watched, hour: float) -> datetime:
    start = datetime.fromtimestamp(watched.time_us / 1e6, watched.zone)
    return start + timedelta(hours=hour)
