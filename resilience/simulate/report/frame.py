"""The frame around a drawing: title, legend, scales, the times of trouble and their names, and what each step says."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..incidents import Trouble
from ..phrases import span
from ..scenario import Scenario
from .scales import Scale, nice_steps

__all__ = ["WIDE", "absent", "frame", "trouble_words"]

WIDE = 1000.0
_LETTER = 0.034  # of a narrow chart's width


def frame(
    title: str, summary: str, drawn: Sequence[str], scale: Scale, scenario: Scenario,
    legend: Sequence[tuple[str, str]], told: Sequence[str], step: float, *, kind: str = "", labels: bool = False,
) -> str:  # fmt: skip
    """Put a drawing into its frame: title, legend, scales, the troubled times, and what each step says."""
    lasts = scenario.lasts
    shades = "".join(
        f'<rect class="shade" x="{start / lasts * WIDE:.1f}" height="100" '
        f'width="{(end - start) / lasts * WIDE:.1f}"/>'
        f'<path class="edge" d="M{start / lasts * WIDE:.1f} 0V100"/>'
        for start, end in _shaded(scenario)
    )
    grid = "".join(f'<path class="grid" d="M0 {100 - scale.at(value):.1f}H{WIDE:g}"/>' for value, _ in scale.ticks)
    hover = "".join(
        f'<rect class="hover" x="{place * step / lasts * WIDE:.1f}" width="{step / lasts * WIDE:.1f}" height="100">'
        f"<title>{place * step:g} s: {escape(words)}</title></rect>"
        for place, words in enumerate(told)
    )
    keys = "".join(f'<li><i class="key {name}"></i>{escape(words)}</li>' for name, words in legend)
    ys = "".join(f'<b style="bottom:{scale.at(value):.1f}%">{escape(words)}</b>' for value, words in scale.ticks)
    xs = "".join(f'<b style="left:{at / lasts * 100:.1f}%">{at:g} s</b>' for at in nice_steps(lasts) if at <= lasts)
    return (
        f'<figure class="chart {kind}"><figcaption>{escape(title)}</figcaption><ul class="legend">{keys}</ul>'
        f'<div class="plot">{_labels(scenario) if labels else ""}<div class="ys">{ys}</div><div class="draw">'
        f'<svg viewBox="0 0 {WIDE:g} 100" preserveAspectRatio="none" role="img" aria-label="{escape(title)}: '
        f'{escape(summary)}">{shades}{grid}{"".join(drawn)}{hover}</svg></div>'
        f'<div class="xs">{xs}</div></div></figure>'
    )


def _shaded(scenario: Scenario) -> list[tuple[float, float]]:
    spells = [spell for one in scenario.troubles for spell in one.spells()]
    spells += [(one.start, one.end) for one in scenario.surges]
    return [(start, min(end, scenario.lasts)) for start, end in spells if start < scenario.lasts]


def _labels(scenario: Scenario) -> str:
    """Name each trouble where it begins; a name that would lie on the one before it goes a row down."""
    named = [(one.start, trouble_words(one)) for one in scenario.troubles]
    named += [(one.start, f"{one.factor:g} times the load") for one in scenario.surges]
    rows: list[float] = []  # how far each row is taken
    told = ""
    for start, words in sorted(named):
        at, wide = start / scenario.lasts, _LETTER * len(words)
        fits = at + wide <= 1
        left = at if fits else max(0.0, 1 - wide)
        row = next((place for place, taken in enumerate(rows) if taken <= left), len(rows))
        rows[row : row + 1] = [left + wide]
        side = f"left:{at * 100:.1f}%" if fits else "right:0"
        told += f'<em style="top:{16 * row}px;{side}">{escape(words)}</em>'
    return f'<div class="names" style="height:{16 * len(rows) + 2}px">{told}</div>' if rows else ""


def absent(title: str, words: str) -> str:
    """Return what stands where there is nothing to draw."""
    return f'<figure class="chart absent"><figcaption>{escape(title)}</figcaption><p>{escape(words)}</p></figure>'


def trouble_words(one: Trouble) -> str:
    """Say in two or three words what a trouble does."""
    part = "" if one.share >= 1 else f"{one.share:.0%} "
    if one.kind == "squeeze":
        told = [] if one.limit is None else [f"limit {one.limit:g}/s"]
        return ", ".join(told + ([] if one.capacity is None else [f"capacity {one.capacity:g}/s"]))
    if one.kind == "slow":
        return f"{part}{'slower, to' if one.ramp else 'slow:'} {span(one.latency or 0)}"
    if one.kind == "error" and one.errors is not None:
        return f"{part}error codes"
    words = {"hang": ("hangs", "hang"), "error": ("fails", "fail"), "refuse": ("refuses", "refused")}[one.kind]
    return f"{part}{words[1]}" if part else words[0]
