"""Pictures of ``potline twin``; matplotlib comes with the extra ``plot`` and is loaded here only."""

import html
import io
import logging
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edge.outlook_history import Watched
from edge.outlook_texts import Language, word
from twin.cell_state import SURFACES
from twin.forecast import FORESEEN, Forecast
from twin.whatif import TOLD, WhatIf

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FloatArray = NDArray[np.float64]

#: Fonts with Chinese characters, as found on Windows, macOS and Linux; the last one is always there.
_FONTS = (
    "Noto Sans CJK SC",
    "Microsoft YaHei",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "SimHei",
    "DejaVu Sans",
)
#: Hours of the past that are drawn.
_PAST_H = 24
_BLUE, _ORANGE, _GREY = "#1f5f99", "#c05a00", "#777777"


class NoPicture(RuntimeError):
    """A picture that cannot be made; says what to do."""


def check_picture(out: Path, language: Language) -> None:
    """Refuse a picture that cannot be made.

    Raises
    ------
    NoPicture
        Matplotlib is not installed, or there is no Chinese font for a bitmap.
    """
    try:
        import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise NoPicture("pictures need matplotlib: pip install 'potline[plot]'") from error
    if language == "zh" and out.suffix == ".png" and not chinese_font():
        raise NoPicture(f"{out}: no Chinese font on this machine; take .svg, which uses the reader's fonts")


def chinese_font() -> bool:
    """Whether this machine can draw Chinese characters into a bitmap."""
    from matplotlib.font_manager import get_font_names

    return not set(_FONTS[:-1]).isdisjoint(get_font_names())


def forecast_picture(out: Path, watched: Watched, found: Forecast, language: Language, text: str) -> None:
    """Draw bath temperature, superheat, ledge and energy with their bands, and what led there."""
    low, high = found.band()

    def draw(figure: "Figure") -> None:
        shown = ("bath_temp_C", "superheat_C", "ledge_bath_mm", "kwh_per_t")
        for axes, name in zip(_panels(figure, len(shown)), shown, strict=True):
            k = FORESEEN.index(name)
            axes.fill_between(
                found.hour,
                low[:, 0, k],
                high[:, 0, k],
                color=_BLUE,
                alpha=0.18,
                lw=0,
                label=word("band", language),
            )
            axes.plot(found.hour, found.best[:, 0, k], color=_BLUE, label=word("forecast", language))
            _past(axes, watched, name, language)
            _events(axes, watched, language)
            axes.axvline(0.0, color=_GREY, lw=0.8)
            axes.set_ylabel(word(name, language))
        axes = figure.axes[0]
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=8, ncols=5, frameon=False)
        figure.axes[-1].set_xlabel(word("hours", language))
        when = datetime.fromtimestamp(watched.time_us / 1e6, watched.zone)
        axes.set_title(f"{watched.cell}  {word('forecast', language)}  {when:%Y-%m-%d %H:%M}", loc="left")

    _save(out, draw, text, (9.0, 9.5))


def whatif_picture(out: Path, title: str, found: WhatIf, language: Language, text: str) -> None:
    """Draw the course after the change beside that without it, and the loss of every surface before and at rest."""

    def draw(figure: "Figure") -> None:
        grid = figure.add_gridspec(4, 2, width_ratios=(3, 2))
        shown = ("bath_temp_C", "superheat_C", "ledge_bath_mm", "kwh_per_t")
        first: Any = None
        for row, quantity in enumerate(shown):
            axes = figure.add_subplot(grid[row, 0], sharex=first)
            first = first or axes
            k = TOLD.index(quantity)
            hour = np.concatenate([[0.0], found.trace_h])
            for which, key, colour in ((0, "unchanged", _GREY), (1, "changed", _BLUE)):
                course = np.concatenate([found.before[0, k : k + 1], found.trace[:, 0, which, k]])
                axes.plot(hour, course, color=colour, label=word(key, language))
            _sure(axes, found, k)
            axes.set_ylabel(word(quantity, language))
            axes.margins(x=0.01)
            if row < len(shown) - 1:
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel(word("hours_after", language))
        first.legend(loc="best", fontsize=8)
        first.set_title(title, loc="left")
        _losses(figure.add_subplot(grid[:, 1]), found, language)

    _save(out, draw, text, (12.0, 8.5))


def _panels(figure: "Figure", n: int) -> Sequence["Axes"]:
    made = figure.subplots(n, 1, sharex=True)
    for axes in made:
        axes.margins(x=0.01)
    return list(made)


def _past(axes: "Axes", watched: Watched, name: str, language: Language) -> None:
    """What led to now, as far as it was estimated."""
    present = watched.present
    past = {"bath_temp_C": present.bath_past_C, "superheat_C": present.superheat_past_C}.get(name)
    if past is not None:
        last = past[-_PAST_H:, 0]
        axes.plot(np.arange(1 - len(last), 1), last, color=_GREY, lw=1.2, label=word("estimate", language))


def _events(axes: "Axes", watched: Watched, language: Language) -> None:
    """Mark what is planned."""
    for key, at, colour, style in (
        ("anode_change", watched.change_h, _ORANGE, "--"),
        ("tap", watched.tap_h, _GREY, ":"),
    ):
        for k, hour in enumerate(at):
            axes.axvline(hour, color=colour, ls=style, lw=0.9, label=word(key, language) if k == 0 else None)


def _sure(axes: "Axes", found: WhatIf, k: int) -> None:
    """Bars of one standard deviation of the change at the times that are told."""
    for t, hour in enumerate(found.hour):
        if 1.0 < hour < np.inf:
            axes.errorbar(
                hour,
                found.after[t, 0, 0, k],
                yerr=found.change_sd[t, 0, 0, k],
                color=_BLUE,
                capsize=3,
                fmt="o",
                ms=4,
            )


def _losses(axes: "Axes", found: WhatIf, language: Language) -> None:
    at = np.arange(len(SURFACES))
    axes.barh(at - 0.2, found.loss_before_kW[0], 0.4, color=_GREY, label=word("before", language))
    axes.barh(at + 0.2, found.loss_after_kW[-1, 0, 0], 0.4, color=_BLUE, label=word("at_rest", language))
    axes.set_yticks(at, [word(name, language) for name in SURFACES])
    axes.invert_yaxis()
    axes.set_title(word("loss_by_surface", language), loc="left", fontsize=10)
    axes.legend(fontsize=8)


def _save(out: Path, draw: "Callable[[Figure], None]", text: str, size_in: tuple[float, float]) -> None:
    """Write a picture; in a page the table stands below it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.font_manager import get_font_names

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    known = set(get_font_names())
    # Text stays text in SVG, in the first of these fonts that the reader has.
    vector = out.suffix != ".png"
    fonts = [font for font in _FONTS if vector or font in known]
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "potline",
        "font.family": fonts,
        "axes.unicode_minus": False,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        # Widths are measured with the fonts at hand; the reader's may be others.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=size_in, layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        kind = "png" if out.suffix == ".png" else "svg"
        figure.savefig(buffer, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
    data = buffer.getvalue()
    if out.suffix == ".html":
        drawn = data.decode()[data.decode().index("<svg") :]
        page = f"<!doctype html><html><meta charset='utf-8'><title>potline</title><body>{drawn}\n"
        data = (page + f"<pre>{html.escape(text)}</pre></body></html>\n").encode()
    out.write_bytes(data)
