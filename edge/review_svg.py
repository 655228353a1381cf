"""Small plots of the energy review as SVG inside the page: bars, a line, a bridge. No library, no script."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 940, 270, 62, 30, 26, 110


class Level(NamedTuple):
    """A horizontal line with its name."""

    value: float
    name: str
    colour: str


class _Scale:
    """Maps values to pixels; the range is widened to round steps."""

    def __init__(self, values: Sequence[float], n: int, floor: float | None = None) -> None:
        known = [v for v in values if math.isfinite(v)] or [0.0, 1.0]
        low, high = min(known), max(known)
        if floor is not None:
            low, high = min(low, floor), max(high, floor)
        step = _step(max(high - low, 1e-9 * abs(high), 1e-9))
        self.low, self.high, self.step = math.floor(low / step) * step, math.ceil(high / step) * step, step
        if self.high <= self.low:
            self.high = self.low + step
        self.n = max(n, 1)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (_HEIGHT - _BOTTOM - _TOP)

    def x(self, index: float) -> float:
        return _LEFT + (index + 0.5) * (_WIDTH - _LEFT - _RIGHT) / self.n

    def grid(self, unit: str) -> list[str]:
        parts = [f"<text x='4' y='11' class='axis'>{escape(unit)}</text>"]
        ticks = round((self.high - self.low) / self.step)
        for k in range(ticks + 1):
            value = self.low + k * self.step
            y = self.y(value)
            parts.append(
                f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' class='grid'/>"
            )
            parts.append(
                f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' class='axis end'>{value:,.{_places(self.step)}f}</text>"
            )
        return parts


def _step(span: float) -> float:
    raw = span / 5.0
    power = 10.0 ** math.floor(math.log10(raw))
    return next(m * power for m in (1.0, 2.0, 5.0, 10.0) if m * power >= raw)


def _places(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT}' role='img' aria-label='{escape(label, quote=True)}'>"
        + "".join(parts)
        + "</svg>"
    )


def _names(scale: _Scale, names: Sequence[str]) -> list[str]:
    every = max(1, math.ceil(len(names) / 16))
    return [
        f"<text x='{scale.x(i):.1f}' y='{_HEIGHT - 10}' class='axis mid'>{escape(name)}</text>"
        for i, name in enumerate(names)
        if i % every == 0
    ]


def _levels(scale: _Scale, levels: Sequence[Level]) -> list[str]:
    parts: list[str] = []
    for level in levels:
        y = scale.y(level.value)
        parts.append(
            f"<line x1='{_LEFT}' x2='{_WIDTH - _RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{level.colour}' "
            f"stroke-width='1.5' stroke-dasharray='5 3'/>"
            f"<text x='{_WIDTH - _RIGHT + 5}' y='{y + 4:.1f}' class='axis'>{escape(level.name)}</text>"
        )
    return parts


def bars(
    names: Sequence[str],
    values: Sequence[float],
    errors: Sequence[float],
    unit: str,
    levels: Sequence[Level],
    label: str,
) -> str:
    """Points with error bars of two standard deviations, one a name; what is NaN is left out."""
    reach = [v + s * e for v, e in zip(values, errors, strict=True) for s in (-2, 2) if math.isfinite(v + e)]
    scale = _Scale([*values, *reach, *(level.value for level in levels)], len(names))
    parts = [*scale.grid(unit), *_levels(scale, levels), *_names(scale, names)]
    for i, (value, error) in enumerate(zip(values, errors, strict=True)):
        if not math.isfinite(value):
            continue
        x = scale.x(i)
        if math.isfinite(error):
            low, high = scale.y(value - 2 * error), scale.y(value + 2 * error)
            parts.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{low:.1f}' y2='{high:.1f}' class='error'/>")
        parts.append(f"<circle cx='{x:.1f}' cy='{scale.y(value):.1f}' r='3.2' class='dot'/>")
    return _svg(parts, label)


def curve(
    names: Sequence[str], values: Sequence[float], unit: str, levels: Sequence[Level], label: str
) -> str:
    """A line over names; it breaks where a value is NaN."""
    scale = _Scale([*values, *(level.value for level in levels)], len(names))
    parts = [*scale.grid(unit), *_levels(scale, levels), *_names(scale, names)]
    run: list[str] = []
    for i, value in enumerate([*values, math.nan]):
        if math.isfinite(value):
            run.append(f"{scale.x(i):.1f},{scale.y(value):.1f}")
        elif run:
            parts.append(f"<polyline points='{' '.join(run)}' class='curve'/>")
            if len(run) == 1:
                x, y = run[0].split(",")
                parts.append(f"<circle cx='{x}' cy='{y}' r='3.2' class='dot'/>")
            run = []
    return _svg(parts, label)


def bridge(names: Sequence[str], steps: Sequence[float], unit: str, label: str) -> str:
    """A bridge of changes that sum to the last bar."""
    ends: list[float] = []
    for step in steps:
        ends.append((ends[-1] if ends else 0.0) + step)
    scale = _Scale([*ends, 0.0], len(names) + 1, floor=0.0)
    parts = [*scale.grid(unit), *_names(scale, [*names, "="])]
    width = 0.6 * (scale.x(1) - scale.x(0))
    for i, (low, high) in enumerate([*zip([0.0, *ends[:-1]], ends, strict=True), (0.0, ends[-1])]):
        top, height = min(scale.y(low), scale.y(high)), abs(scale.y(low) - scale.y(high))
        kind = "worse" if high > low else "better"
        parts.append(
            f"<rect x='{scale.x(i) - width / 2:.1f}' y='{top:.1f}' width='{width:.1f}' height='{max(height, 1.0):.1f}' "
            f"class='{kind}'/><text x='{scale.x(i):.1f}' y='{top - 3:.1f}' class='axis mid'>{high - low:+,.1f}</text>"
        )
    return _svg(parts, label)
