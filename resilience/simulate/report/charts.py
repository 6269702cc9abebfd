"""Charts over time as inline SVG, drawn by our own few lines.

The law of this file: a drawing is stretched to the room it gets, so what must keep its shape (words, the
thickness of lines) is HTML around it or does not scale. What colour says, words and dashes say too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..figures import Series
from ..phrases import count, seconds, share, span
from ..scenario import Scenario
from .frame import WIDE, absent, frame
from .scales import Scale, linear, logarithmic

__all__ = ["Scales", "breaker_chart", "budget_chart", "latency_chart", "load_chart", "scales_of"]


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
    return frame("Load, a second", f"{peak} a second.", drawn, scale, scenario, legend, told, one.step, labels=True)


def latency_chart(one: Series, scales: Scales, scenario: Scenario) -> str:
    """Draw how long the answers took."""
    scale, names = scales.latency, ("p50", "p95", "p99")
    lines = (one.p50, one.p95, one.p99)
    drawn = [_line(values, one.step, scenario.lasts, scale, name) for name, values in zip(names, lines, strict=True)]
    at = 100 - scale.at(scenario.soon)
    drawn.append(f'<path class="limit" d="M0 {at:.1f}H{WIDE:g}"/>')
    told = [
        "no answers" if half is None else f"half within {seconds(half)}, 95 % {seconds(most)}, 99 % {seconds(all_)}"
        for half, most, all_ in zip(*lines, strict=True)
    ]
    legend = (("p50", "half within"), ("p95", "95 %"), ("p99", "99 %"), ("limit", f"good: {span(scenario.soon)}"))
    worst = max((value for value in one.p99 if value is not None), default=None)
    summary = f"The slowest hundredth took up to {seconds(worst)}."
    return frame("How long answers took", summary, drawn, scale, scenario, legend, told, one.step)


def breaker_chart(one: Series, scenario: Scenario) -> str:
    """Draw which share of the breakers was open, half-open and closed, as bands."""
    if one.open is None or one.half_open is None:
        return absent("Breakers", "No circuit breaker here.")
    half = [opened + trying for opened, trying in zip(one.open, one.half_open, strict=True)]
    scale = Scale(lambda value: 100 * value, [(0.0, "0"), (1.0, "100%")])
    drawn = [
        f'<rect class="closed" width="{WIDE:g}" height="100"/>',
        _steps(half, one.step, scenario.lasts, "half"),
        _steps(one.open, one.step, scenario.lasts, "open"),
    ]
    told = [
        f"{share(opened)} open, {share(trying)} half-open, {share(max(0.0, 1 - opened - trying))} closed"
        for opened, trying in zip(one.open, one.half_open, strict=True)
    ]
    legend = (("open", "open: refuses"), ("half", "half-open: tries"), ("closed", "closed: lets pass"))
    summary = f"At most {share(max(one.open, default=0.0))} of the breakers were open."
    return frame(
        "Breakers, share of the clients", summary, drawn, scale, scenario, legend, told, one.step, kind="bands"
    )


def budget_chart(one: Series, scales: Scales, scenario: Scenario) -> str:
    """Draw how many retries a client had left."""
    if one.budget is None:
        return absent("Retry budget", "No retry budget here.")
    scale = scales.budget
    drawn = [
        _area(one.budget, one.step, scenario.lasts, scale, "budget"),
        _line(one.budget, one.step, scenario.lasts, scale, "budget"),
    ]
    told = ["" if value is None else f"{value:.1f} retries left" for value in one.budget]
    least = min((value for value in one.budget if value is not None), default=0.0)
    return frame(
        "Retry budget, retries left a client", f"At least {least:.1f} were left.", drawn, scale, scenario,
        (("budget", "retries left"),), told, one.step, kind="low",
    )  # fmt: skip


def _points(values: Sequence[float | None], step: float, lasts: float, scale: Scale) -> list[list[str]]:
    """Return the runs of points between gaps."""
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{(place + 0.5) * step / lasts * WIDE:.1f} {100 - scale.at(value):.1f}")
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
        f"L{place * step / lasts * WIDE:.1f} {100 - 100 * one:.1f}H{(place + 1) * step / lasts * WIDE:.1f}"
        for place, one in enumerate(shares)
    )
    return f'<path class="band {name}" d="{path}V100Z"/>'
