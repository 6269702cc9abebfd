"""Draws the frame around a chart: title, legend, axis labels, shaded incidents, and the text of each step."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..incidents import Incident
from ..number_format import format_setting
from ..scenario import Scenario
from .scales import Scale, nice_steps

__all__ = ["WIDE", "describe_incident", "empty_chart", "frame"]

WIDE = 1000.0  # units of the SVG's horizontal axis
_LETTER = 0.034  # width of a letter, as a share of the narrowest chart's width


def frame(
    title: str, summary: str, shapes: Sequence[str], scale: Scale, scenario: Scenario,
    legend: Sequence[tuple[str, str]], step_texts: Sequence[str], step: float, *, kind: str = "", labels: bool = False,
) -> str:  # fmt: skip
    """Return a chart as HTML.

    Args:
        title: the caption.
        summary: one sentence for readers who do not see the chart.
        shapes: the SVG elements of the drawing.
        scale: the vertical scale.
        scenario: its incidents are shaded.
        legend: (CSS class, label) of each line.
        step_texts: shown when the pointer is over a step.
        step: seconds per step.
        kind: CSS class of the chart.
        labels: whether the incidents are named above the chart.
    """
    lasts = scenario.lasts
    shades = "".join(
        f'<rect class="shade" x="{start / lasts * WIDE:.1f}" height="100" '
        f'width="{(end - start) / lasts * WIDE:.1f}"/>'
        f'<path class="edge" d="M{start / lasts * WIDE:.1f} 0V100"/>'
        for start, end in _shaded(scenario)
    )
    grid = "".join(f'<path class="grid" d="M0 {100 - scale.at(value):.1f}H{WIDE:g}"/>' for value, _ in scale.ticks)
    hover = "".join(
        f'<rect class="hover" x="{index * step / lasts * WIDE:.1f}" width="{step / lasts * WIDE:.1f}" height="100">'
        f"<title>{index * step:g} s: {escape(text)}</title></rect>"
        for index, text in enumerate(step_texts)
    )
    keys = "".join(f'<li><i class="key {name}"></i>{escape(label)}</li>' for name, label in legend)
    ys = "".join(f'<b style="bottom:{scale.at(value):.1f}%">{escape(label)}</b>' for value, label in scale.ticks)
    seconds = [second for second in nice_steps(lasts) if second <= lasts]
    xs = "".join(f'<b style="left:{second / lasts * 100:.1f}%">{second:g} s</b>' for second in seconds)
    return (
        f'<figure class="chart {kind}"><figcaption>{escape(title)}</figcaption><ul class="legend">{keys}</ul>'
        f'<div class="plot">{_labels(scenario) if labels else ""}<div class="ys">{ys}</div><div class="draw">'
        f'<svg viewBox="0 0 {WIDE:g} 100" preserveAspectRatio="none" role="img" aria-label="{escape(title)}: '
        f'{escape(summary)}">{shades}{grid}{"".join(shapes)}{hover}</svg></div>'
        f'<div class="xs">{xs}</div></div></figure>'
    )


def _shaded(scenario: Scenario) -> list[tuple[float, float]]:
    periods = [period for incident in scenario.incidents for period in incident.periods()]
    periods += [(surge.start, surge.end) for surge in scenario.surges]
    return [(start, min(end, scenario.lasts)) for start, end in periods if start < scenario.lasts]


def _labels(scenario: Scenario) -> str:
    """Name each incident above its beginning; a name that would overlap the previous one goes a row down."""
    named = [(incident.start, describe_incident(incident)) for incident in scenario.incidents]
    named += [(surge.start, f"{surge.factor:g} times the load") for surge in scenario.surges]
    row_ends: list[float] = []  # where the last name of each row ends, as a share of the width
    labels = ""
    for start, text in sorted(named):
        begin, width = start / scenario.lasts, _LETTER * len(text)
        # A name that would leave the chart is aligned to its right edge.
        fits = begin + width <= 1
        left = begin if fits else max(0.0, 1 - width)
        row = next((index for index, end in enumerate(row_ends) if end <= left), len(row_ends))
        row_ends[row : row + 1] = [left + width]
        side = f"left:{begin * 100:.1f}%" if fits else "right:0"
        labels += f'<em style="top:{16 * row}px;{side}">{escape(text)}</em>'
    return f'<div class="names" style="height:{16 * len(row_ends) + 2}px">{labels}</div>' if row_ends else ""


def empty_chart(title: str, reason: str) -> str:
    """Return the frame of a chart that has nothing to show, with the reason."""
    return f'<figure class="chart absent"><figcaption>{escape(title)}</figcaption><p>{escape(reason)}</p></figure>'


def describe_incident(incident: Incident) -> str:
    """Say in two or three words what an incident does."""
    share = "" if incident.share >= 1 else f"{incident.share:.0%} "
    if incident.kind == "squeeze":
        limits = [] if incident.limit is None else [f"limit {incident.limit:g}/s"]
        return ", ".join(limits + ([] if incident.capacity is None else [f"capacity {incident.capacity:g}/s"]))
    if incident.kind == "slow":
        return f"{share}{'slower, up to' if incident.ramp else 'slow:'} {format_setting(incident.latency or 0)}"
    if incident.kind == "error" and incident.errors is not None:
        return f"{share}error codes"
    verbs = {"hang": ("hangs", "hang"), "error": ("fails", "fail"), "refuse": ("refuses", "refused")}[incident.kind]
    return f"{share}{verbs[1]}" if share else verbs[0]
