"""``potline calibrate``: what a recorded history says about each cell's constants, as a table and as a file."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.alarm_rules import load_texts
from edge.calibration_file import FORMAT, CalibrationFile, entry_of, potline_version, render
from edge.config import Config
from edge.exits import BAD_DATA, NO_INPUT, OK, USAGE
from edge.pipeline import Pipeline, cell_layout, cell_params
from models.base import View
from streams.history import read_history
from streams.messages import Event, Item, Sample
from streams.plant_file import Plant, load_plant
from twin.calibration import APPLIED, FITTED_SHARE, VERDICTS, CellCalibration, calibrate
from twin.calibration_history import HandSample, History, HistoryBuilder
from twin.params import RANGES, CellParams, params_for
from twin.signals import SCALAR_READINGS, SIGNALS

_BATCH = 5000
_VOLTAGE, _CURRENT, _AMBIENT = (
    SCALAR_READINGS.index(name) for name in ("cell_voltage_V", "line_current_A", "ambient_temp_C")
)


def calibrate_history(
    folder: Path, out: Path, config: Config, *, cells: Sequence[str], say: Callable[[str], None]
) -> int:
    """Calibrate the cells of a history and write the corrections.

    Parameters
    ----------
    folder
        History by contract; its ``plant.toml`` is used, not the configuration's.
    out
        The TOML to write; replaced when all is done.
    config
        Only what the pipeline needs is used. A calibration that it names is not: corrections are of the technology.
    cells
        Ids; none for all cells.
    say
        Gets the lines for people.

    Returns
    -------
    int
        0, 2 for a cell that is not in the plant, 65 for a history without a reading of its cells, 66 where there is
        no such history.

    Raises
    ------
    HistoryError, PlantError, ParamsError
        When the history cannot be read or a technology is impossible.
    """
    if not (folder / "plant.toml").is_file():
        say(f"{folder}: no plant.toml, so this is not a recorded history")
        return NO_INPUT
    plant = load_plant(folder / "plant.toml")
    for cell in cells:
        if cell not in plant.cell_index:
            say(f"--cells {cell}: not in {folder / 'plant.toml'}")
            return USAGE
    known, without_twin = cell_params(plant)
    history = gather(folder, plant, config)
    if not history.time_s.size:
        say(f"{folder}: no reading of a cell in its plant.toml, so there is nothing to calibrate on")
        return BAD_DATA
    layout = cell_layout(plant, history.shell_temp_C.shape[2])
    results = calibrate(history, _twins(plant), layout.shell_side)
    chosen = {
        cell.id: (params, result)
        for cell, params, result in zip(plant.cells, known, results, strict=True)
        if params is not None and (not cells or cell.id in cells)
    }
    for cell in sorted(without_twin.keys() & (set(cells) or without_twin.keys())):
        say(f"{cell}: not calibrated: {without_twin[cell]}")
    for cell, (params, result) in chosen.items():
        for line in table(cell, params, result):
            say(line)
    file = CalibrationFile(
        format=FORMAT,
        potline=potline_version(),
        history=str(folder.resolve()),
        first=_instant(history.start_s),
        last=_instant(history.end_s),
        days=round((history.end_s - history.start_s) / 86400.0, 3),
        fitted_share=FITTED_SHARE,
        cell={cell: entry_of(params, result) for cell, (params, result) in chosen.items()},
    )
    unfinished = out.with_name(f".{out.name}.unfinished")
    unfinished.write_text(render(file), encoding="utf-8")
    unfinished.replace(out)
    applied = sum(c.verdict == APPLIED for _, result in chosen.values() for c in result.corrections)
    say(
        f"{out}: {len(chosen)} cells, {applied} corrections applied; fitted on the first "
        f"{100 * FITTED_SHARE:.0f} % of {file.days:g} days, judged on the rest"
    )
    return OK


def gather(folder: Path, plant: Plant, config: Config) -> History:
    """Replay a history through the pipeline and keep what calibration looks at; raises ``HistoryError``.

    Parameters
    ----------
    folder
        History by contract.
    plant
        Its plant file, with the constants of the technologies.
    config
        Only what the pipeline needs is used.
    """
    n_shell = max(1, max(cell.n_shell for cell in plant.cells))
    nominal_V = np.array([params.nominal_voltage_V for params in _twins(plant)])
    builder = HistoryBuilder(nominal_V, n_shell)

    def watch(view: View, _: NDArray[np.bool_]) -> None:
        builder.add(
            view.time_us / 1e6,
            view.estimate.assessed,
            view.scalar[_CURRENT],
            view.scalar[_VOLTAGE],
            view.scalar[_AMBIENT],
            view.shell_temp_C,
        )

    pipeline = Pipeline(plant, config, load_texts(), watch)
    source = read_history(folder)
    while batch := list(islice(source, _BATCH)):
        for item in batch:
            _note(builder, plant, item)
        pipeline.push(batch)
    pipeline.flush()
    return builder.history()


def table(cell: str, params: CellParams, result: CellCalibration) -> list[str]:
    """Lines for people: what became of every factor of a cell, and how far off held-out days were and are."""
    lines = [f"{cell}"]
    for c in result.corrections:
        change = f"{c.old:.4g} -> {c.new:.4g}" if c.verdict == APPLIED else f"{c.old:.4g} stays"
        text = (
            f"  {c.name:<24} {change:<24} {RANGES[c.name].unit:<8} sd {c.sd:<9.3g} {c.n_points:>4} points  "
        )
        text += VERDICTS[c.verdict] + (f": {c.reason}" if c.reason else "")
        if c.name == "nominal_voltage_V" and c.verdict == APPLIED:
            text += f" (resistance offset {1e6 * (c.new - c.old) / params.rated_current_A:+.3f} uOhm)"
        lines.append(text)
    for r in result.residuals:
        lines.append(
            f"  held out {r.quantity:<24} {r.before:>10.3g} -> {r.after:<10.3g} sd {r.sd:<9.3g} {r.n_points:>4} points"
        )
    old, new = result.lining_m2K_W
    lines.append(
        f"  follows: lining {old:.4f} -> {new:.4f} m2K/W, "
        f"top and bottom {result.top_bottom_kW[0]:.0f} -> {result.top_bottom_kW[1]:.0f} kW"
    )
    return lines


def _twins(plant: Plant) -> list[CellParams]:
    """Constants of every cell; a stand-in, which is not reported, where there are none."""
    return [params or params_for(None, 300e3) for params in cell_params(plant)[0]]


def _note(builder: HistoryBuilder, plant: Plant, item: Item) -> None:
    """Take note of samples and events of cells of the plant; an impossible value is no sample."""
    if not isinstance(item, Sample | Event) or item.cell not in plant.cell_index:
        return
    cell = plant.cell_index[item.cell]
    if isinstance(item, Event):
        builder.event(cell, item.event, item.attributes, item.time_us / 1e6)
    elif SIGNALS[item.signal].low <= item.value <= SIGNALS[item.signal].high:
        builder.sample(HandSample(cell, item.signal, item.time_us / 1e6, item.value))


def _instant(time_s: float) -> datetime:
    return datetime.fromtimestamp(round(time_s), UTC)
