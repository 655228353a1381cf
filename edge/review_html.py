"""Pieces of the energy review's page: texts in two languages, tables, figures with their marks."""

import math
from collections.abc import Iterable, Sequence
from html import escape

from edge.review_texts import LEVELS, in_chinese
from twin.figures import Figure
from twin.rulebook import Row, unverified


def both(zh: str, en: str) -> str:
    """A text in both languages, of which the page shows one."""
    return f"<span lang='zh'>{escape(zh)}</span><span lang='en'>{escape(en)}</span>"


def heading(number: int, zh: str, en: str) -> str:
    """A numbered heading."""
    return f"<h2>{number}. {both(zh, en)}</h2>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: int = 1, kind: str = "") -> str:
    """A table whose columns from ``numeric`` on are numbers."""
    kinds = ["" if i < numeric else " class='n'" for i in range(len(head))]
    lines = [
        f"<table class='{kind}'><tr>",
        *(f"<th{k}>{h}</th>" for k, h in zip(kinds, head, strict=True)),
        "</tr>",
    ]
    for row in rows:
        lines.append("<tr>" + "".join(f"<td{k}>{c}</td>" for k, c in zip(kinds, row, strict=True)) + "</tr>")
    return "".join([*lines, "</table>"])


def amber(names: Sequence[str]) -> str:
    """The mark of rules that nobody verified; empty without any."""
    if not names:
        return ""
    return f" <span class='amber' title='{escape('; '.join(names), quote=True)}'>{both('未核实', 'unverified')}</span>"


def figure_text(figure: Figure, places: int = 0) -> str:
    """A figure with its error bar and marks, or why it is refused."""
    if not figure.known:
        why = both("不予给出：" + in_chinese(figure.refused), "refused: " + figure.refused)
        return f"<span class='refused'>{why}</span>"
    text = f"{figure.value:,.{places}f}"
    if math.isfinite(figure.uncertainty) and figure.uncertainty > 0.0:
        text += f" <small>&plusmn;{2 * figure.uncertainty:,.{places}f}</small>"
    if figure.provisional:
        text += f" <span class='amber'>{both('暂定', 'provisional')}</span>"
    return text + amber(figure.unverified)


def gap_text(figure: Figure, level: float) -> str:
    """Distance of a figure from a level, red above it."""
    if not figure.known:
        return "&ndash;"
    over = figure.value - level
    return f"<span class='{'over' if over > 0 else 'good'}'>{over:+,.0f}</span>"


def level_text(code: int, row: Row | None = None) -> str:
    """Name of a level, marked where its rule is not verified."""
    zh, en = LEVELS[code]
    return both(zh, en) + (amber(unverified([row])) if row is not None and code else "")
