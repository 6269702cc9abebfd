"""Charts over time as inline SVG, drawn by our own few lines.

The law of this file: a drawing is stretched to the room it gets, so what must keep its shape (words, the
thickness of lines) is HTML around it or does not scale. What colour says, words and dashes say too.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ..figures import Series
from ..scenario import Scenario, Trouble
from ..words import count, seconds, share, span
from .scales import Scale, linear, logarithmic, nice_steps

__all__ = ["Scales", "breaker_chart", "budget_chart", "latency_chart", "load_chart", "scales_of", "trouble_words"]

_WIDE = 1000.0
_LETTER = 0.034  # of a narrow chart's width


class Scales(NamedTuple):
    """The scales that all policies of a report share, so that their charts can be compared by eye."""

    load: Scale
    latency: Scale
    budget: Scale


def scales_of(all_series: Sequence[Series], soon: float) -> Scales:
    """Return the scales that fit all of them."""
    load = [max((*one.offered, *one.attempts), default=0.0) for one in all_series]
    took = [value for one in all_series for line in (one.p50, one.p99) for value in line if value is not None]
    left = [value for one in all_series for value in one.budget or () if value is not None]
    return Scales(linear(load, count), logarithmic([*took, soon], span), linear(left, lambda value: f"{value:g}"))


def load_chart(one: Series, scales: Scales, scenario: Scenario) -> str:
    """Draw what was asked for, what reached the service, and what was answered well."""
    scale = scales.load
    drawn = [
        _area(one.offered, one.step, scenario.lasts, scale, "offered"),
        _line(one.attempts, one.step, scenario.lasts, scale, "attempts"),
        _line(one.good, one.step, scenario.lasts, scale, "good"),
    ]
    told = [
        f"{count(offered)} requests, {count(sent)} attempts, {count(good)} good answers a second"
        for offered, sent, good in zip(one.offered, one.attempts, one.good, strict=True)
    ]
    legend = (("offered", "requests offered"), ("attempts", "attempts sent"), ("good", "good answers"))
    peak = f"Up to {count(max(one.offered, default=0))} requests and {count(max(one.attempts, default=0))} attempts"
    return _figure("Load, a second", f"{peak} a second.", drawn, scale, scenario, legend, told, one.step, labels=True)


def latency_chart(one: Series, scales: Scales, scenario: Scenario) -> str:
    """Draw how long the answers took."""
    scale, names = scales.latency, ("p50", "p95", "p99")
    lines = (one.p50, one.p95, one.p99)
    drawn = [_line(values, one.step, scenario.lasts, scale, name) for name, values in zip(names, lines, strict=True)]
    at = 100 - scale.at(scenario.soon)
    drawn.append(f'<path class="limit" d="M0 {at:.1f}H{_WIDE:g}"/>')
    told = [
        "no answers" if half is None else f"half within {seconds(half)}, 95 % {seconds(most)}, 99 % {seconds(all_)}"
        for half, most, all_ in zip(*lines, strict=True)
    ]
    legend = (("p50", "half within"), ("p95", "95 %"), ("p99", "99 %"), ("limit", f"good: {span(scenario.soon)}"))
    worst = max((value for value in one.p99 if value is not None), default=None)
    summary = f"The slowest hundredth took up to {seconds(worst)}."
    return _figure("How long answers took", summary, drawn, scale, scenario, legend, told, one.step)


def breaker_chart(one: Series, scenario: Scenario) -> str:
    """Draw which share of the breakers was open, half-open and closed, as bands."""
    if one.open is None or one.half_open is None:
        return _absent("Breakers", "No circuit breaker here.")
    half = [opened + trying for opened, trying in zip(one.open, one.half_open, strict=True)]
    scale = Scale(lambda value: 100 * value, [(0.0, "0"), (1.0, "100%")])
    drawn = [
        f'<rect class="closed" width="{_WIDE:g}" height="100"/>',
        _steps(half, one.step, scenario.lasts, "half"),
        _steps(one.open, one.step, scenario.lasts, "open"),
    ]
    told = [
        f"{share(opened)} open, {share(trying)} half-open, {share(max(0.0, 1 - opened - trying))} closed"
        for opened, trying in zip(one.open, one.half_open, strict=True)
    ]
    legend = (("open", "open: refuses"), ("half", "half-open: tries"), ("closed", "closed: lets pass"))
    summary = f"At most {share(max(one.open, default=0.0))} of the breakers were open."
    return _figure(
        "Breakers, share of the clients", summary, drawn, scale, scenario, legend, told, one.step, kind="bands"
    )


def budget_chart(one: Series, scales: Scales, scenario: Scenario) -> str:
    """Draw how many retries a client had left."""
    if one.budget is None:
        return _absent("Retry budget", "No retry budget here.")
    scale = scales.budget
    drawn = [
        _area(one.budget, one.step, scenario.lasts, scale, "budget"),
        _line(one.budget, one.step, scenario.lasts, scale, "budget"),
    ]
    told = ["" if value is None else f"{value:.1f} retries left" for value in one.budget]
    least = min((value for value in one.budget if value is not None), default=0.0)
    return _figure(
        "Retry budget, retries left a client", f"At least {least:.1f} were left.", drawn, scale, scenario,
        (("budget", "retries left"),), told, one.step, kind="low",
    )  # fmt: skip


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


def _points(values: Sequence[float | None], step: float, lasts: float, scale: Scale) -> list[list[str]]:
    """Return the runs of points between gaps."""
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{(place + 0.5) * step / lasts * _WIDE:.1f} {100 - scale.at(value):.1f}")
    return [run for run in runs if run]


def _line(values: Sequence[float | None], step: float, lasts: float, scale: Scale, name: str) -> str:
    runs = _points(values, step, lasts, scale)
    path = "".join(f"M{run[0]}L{' '.join(run[1:] or run)}" for run in runs)
    return f'<path class="line {name}" d="{path}"/>' if path else ""


def _area(values: Sequence[float | None], step: float, lasts: float, scale: Scale, name: str) -> str:
    path = ""
    for run in _points(values, step, lasts, scale):
        first, last = run[0].split()[0], run[-1].split()[0]
        path += f"M{first} 100L{' '.join(run)}L{last} 100Z"
    return f'<path class="area {name}" d="{path}"/>' if path else ""


def _steps(shares: Sequence[float], step: float, lasts: float, name: str) -> str:
    """Draw a band from the bottom, level within each step."""
    path = "M0 100" + "".join(
        f"L{place * step / lasts * _WIDE:.1f} {100 - 100 * one:.1f}H{(place + 1) * step / lasts * _WIDE:.1f}"
        for place, one in enumerate(shares)
    )
    return f'<path class="band {name}" d="{path}V100Z"/>'


def _figure(
    title: str, summary: str, drawn: Sequence[str], scale: Scale, scenario: Scenario,
    legend: Sequence[tuple[str, str]], told: Sequence[str], step: float, *, kind: str = "", labels: bool = False,
) -> str:  # fmt: skip
    """Put a drawing into its frame: title, legend, scales, the troubled times, and what each step says."""
    lasts = scenario.lasts
    shades = "".join(
        f'<rect class="shade" x="{start / lasts * _WIDE:.1f}" height="100" '
        f'width="{(end - start) / lasts * _WIDE:.1f}"/>'
        f'<path class="edge" d="M{start / lasts * _WIDE:.1f} 0V100"/>'
        for start, end in _shaded(scenario)
    )
    grid = "".join(f'<path class="grid" d="M0 {100 - scale.at(value):.1f}H{_WIDE:g}"/>' for value, _ in scale.ticks)
    hover = "".join(
        f'<rect class="hover" x="{place * step / lasts * _WIDE:.1f}" width="{step / lasts * _WIDE:.1f}" height="100">'
        f"<title>{place * step:g} s: {escape(words)}</title></rect>"
        for place, words in enumerate(told)
    )
    keys = "".join(f'<li><i class="key {name}"></i>{escape(words)}</li>' for name, words in legend)
    ys = "".join(f'<b style="bottom:{scale.at(value):.1f}%">{escape(words)}</b>' for value, words in scale.ticks)
    xs = "".join(f'<b style="left:{at / lasts * 100:.1f}%">{at:g} s</b>' for at in nice_steps(lasts) if at <= lasts)
    return (
        f'<figure class="chart {kind}"><figcaption>{escape(title)}</figcaption><ul class="legend">{keys}</ul>'
        f'<div class="plot">{_labels(scenario) if labels else ""}<div class="ys">{ys}</div><div class="draw">'
        f'<svg viewBox="0 0 {_WIDE:g} 100" preserveAspectRatio="none" role="img" aria-label="{escape(title)}: '
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
        left = min(start / scenario.lasts, max(0.0, 1 - _LETTER * len(words)))
        row = next((place for place, taken in enumerate(rows) if taken <= left), len(rows))
        rows[row : row + 1] = [left + _LETTER * len(words)]
        told += f'<em style="top:{16 * row}px;{_side(start / scenario.lasts)}">{escape(words)}</em>'
    return f'<div class="names" style="height:{16 * len(rows) + 2}px">{told}</div>' if rows else ""


def _side(at: float) -> str:
    return f"left:{at * 100:.1f}%" if at < 0.6 else f"right:{(1 - at) * 100:.1f}%"


def _absent(title: str, words: str) -> str:
    return f'<figure class="chart absent"><figcaption>{escape(title)}</figcaption><p>{escape(words)}</p></figure>'
