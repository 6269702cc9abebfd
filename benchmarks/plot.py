"""Draws charts of time series below each other as an SVG, in the colours of the documentation's other pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

__all__ = ["Chart", "Line", "Points", "picture"]

Points = Sequence[tuple[float, float]]
"""Seconds and values."""
LEFT, WIDTH, RIGHT, HEIGHT, GAP, TOP = 44.0, 620.0, 110.0, 62.0, 34.0, 40.0
_STYLE = Path(__file__).parent.parent / "docs" / "images" / "retry-waits.svg"
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" class="pic" viewBox="0 0 {width:g} {height:g}"'
    ' style="max-width:{width:g}px" role="img" aria-labelledby="{name}-title">\n'
    '<title id="{name}-title">{title}</title>'
)


class Line(NamedTuple):
    """One line of a chart: the series with this name (`*` for any), a colour, and the words for it."""

    series: str
    colour: str
    label: str = ""


class Chart(NamedTuple):
    """One chart: its title, the query of its lines, the lines, a query whose times are shaded, and its top value."""

    title: str
    query: str
    lines: tuple[Line, ...]
    band: str = ""
    top: float = 0.0


def picture(
    name: str,
    title: str,
    charts: Sequence[tuple[Chart, Mapping[str, Points], Sequence[float]]],
    phases: Sequence[tuple[float, str]],
    seconds: float,
) -> str:
    """Return the charts below each other, with the phases above and behind all of them.

    Args:
        name: of the file, for the ids in it.
        title: for readers who do not see it.
        charts: each with its series and the instants that are shaded.
        phases: when each began, and its name.
        seconds: how long all of it lasts.
    """
    height = TOP + len(charts) * (HEIGHT + GAP)
    parts = [_HEAD.format(name=name, title=escape(title), width=LEFT + WIDTH + RIGHT, height=height), _style()]
    for index, (began, phase) in enumerate(phases):
        x = _x(began, seconds)
        parts.append(f'<text class="soft" x="{x + 3:.1f}" y="14">{escape(phase)}</text>')
        if index:
            parts.append(f'<path class="way dash" d="M{x:.1f} 4V{height - GAP + 6:g}"/>')
    for index, (chart, series, shaded) in enumerate(charts):
        parts += _chart(chart, series, shaded, TOP + index * (HEIGHT + GAP), seconds)
    bottom = height - GAP + 16
    for share in (0.0, 0.5, 1.0):
        anchor = ("", "mid", "end")[int(share * 2)]
        x = LEFT + WIDTH * share
        parts.append(f'<text class="soft {anchor}" x="{x:g}" y="{bottom:g}">{seconds * share:.0f} s</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _style() -> str:
    """Return the style that all pictures share."""
    text = _STYLE.read_text(encoding="utf-8")
    return text[text.index("<style>") : text.index("</style>") + len("</style>")]


def _x(second: float, seconds: float) -> float:
    return LEFT + WIDTH * min(1.0, max(0.0, second / seconds))


def _chart(chart: Chart, series: Mapping[str, Points], shaded: Sequence[float], y: float, seconds: float) -> list[str]:
    values = [value for points in series.values() for _, value in points if value == value]
    top = chart.top or max([1.0, *values])
    parts = [
        f'<text class="head" x="{LEFT:g}" y="{y - 6:g}">{escape(chart.title)}</text>',
        f'<path class="way" d="M{LEFT:g} {y:g}V{y + HEIGHT:g}H{LEFT + WIDTH:g}"/>',
        f'<text class="soft end" x="{LEFT - 4:g}" y="{y + 10:g}">{top:.0f}</text>',
        f'<text class="soft end" x="{LEFT - 4:g}" y="{y + HEIGHT:g}">0</text>',
    ]
    if shaded:
        begin, end = _x(min(shaded), seconds), _x(max(shaded), seconds)
        parts.append(
            f'<rect class="band red" x="{begin:.1f}" y="{y:g}" width="{end - begin:.1f}" height="{HEIGHT:g}"/>'
        )
    for number, line in enumerate(chart.lines):
        names = list(series) if line.series == "*" else [name for name in series if name == line.series]
        parts += [_path(series[name], line.colour, top, y, seconds) for name in names]
        label = escape(line.label or line.series.replace("_", " "))
        x, below = LEFT + WIDTH + 8, y + 10 + number * 16
        parts.append(f'<text class="{line.colour}" x="{x:g}" y="{below:g}">{label}</text>')
    return parts


def _path(points: Points, colour: str, top: float, y: float, seconds: float) -> str:
    """Return a line that is broken where values are missing."""
    words, last = [], None
    for second, value in points:
        is_new = last is None or second - last > seconds / 20
        words.append(
            f"{'M' if is_new else 'L'}{_x(second, seconds):.1f} {y + HEIGHT * (1 - min(1.0, value / top)):.1f}"
        )
        last = second
    return f'<path class="way {colour}" d="{"".join(words)}"/>'
