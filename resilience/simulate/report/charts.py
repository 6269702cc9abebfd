"""Draws the charts of a run over time as inline SVG.

A drawing is stretched to the width it gets. Labels are therefore HTML around it, and lines have a width that does not
scale (`vector-effect` in style.css). Whatever a colour shows is shown by a label or by dashes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..number_format import format_count, format_seconds, format_setting, format_share
from ..scenario import Scenario
from ..time_series import TimeSeries
from .frame import WIDE, empty_chart, frame
from .scales import Scale, linear, logarithmic

__all__ = ["Scales", "breaker_chart", "budget_chart", "latency_chart", "load_chart", "shared_scales"]


class Scales(NamedTuple):
    """The scales that all policies of a report share, so that their charts can be compared by eye."""

    load: Scale
    latency: Scale
    budget: Scale


def shared_scales(all_series: Sequence[TimeSeries], soon: float) -> Scales:
    """Return the scales that fit all series; the latency scale includes `soon`, in seconds."""
    loads = [max((*series.offered, *series.attempts), default=0.0) for series in all_series]
    lines = [line for series in all_series for line in (series.p50, series.p99)]
    latencies = [value for line in lines for value in line if value is not None]
    budgets = [value for series in all_series for value in series.budget or () if value is not None]
    return Scales(
        linear(loads, format_count),
        logarithmic([*latencies, soon], format_setting),
        linear(budgets, lambda value: f"{value:g}"),
    )


def load_chart(series: TimeSeries, scales: Scales, scenario: Scenario) -> str:
    """Draw the requests offered, the attempts that reached the service, and the good answers."""
    scale = scales.load
    shapes = [
        _area(series.offered, series.step, scenario.lasts, scale, "offered"),
        _line(series.attempts, series.step, scenario.lasts, scale, "attempts"),
        _line(series.good, series.step, scenario.lasts, scale, "good"),
    ]
    texts = [
        f"{format_count(offered)} requests, {format_count(sent)} attempts, {format_count(good)} good answers per second"
        for offered, sent, good in zip(series.offered, series.attempts, series.good, strict=True)
    ]
    legend = (("offered", "requests offered"), ("attempts", "attempts sent"), ("good", "good answers"))
    requests, attempts = (format_count(max(line, default=0)) for line in (series.offered, series.attempts))
    summary = f"Up to {requests} requests and {attempts} attempts per second."
    return frame("Load, per second", summary, shapes, scale, scenario, legend, texts, series.step, labels=True)


def latency_chart(series: TimeSeries, scales: Scales, scenario: Scenario) -> str:
    """Draw the median, the 95th and the 99th percentile of the answers' latencies."""
    scale, step, lasts = scales.latency, series.step, scenario.lasts
    lines = {"p50": series.p50, "p95": series.p95, "p99": series.p99}
    shapes = [_line(values, step, lasts, scale, name) for name, values in lines.items()]
    height = 100 - scale.at(scenario.soon)
    shapes.append(f'<path class="limit" d="M0 {height:.1f}H{WIDE:g}"/>')
    texts = [
        "no answers"
        if p50 is None
        else f"half within {format_seconds(p50)}, 95% {format_seconds(p95)}, 99% {format_seconds(p99)}"
        for p50, p95, p99 in zip(*lines.values(), strict=True)
    ]
    soon = format_setting(scenario.soon)
    legend = (("p50", "half within"), ("p95", "95%"), ("p99", "99%"), ("limit", f"good: {soon}"))
    worst = max((value for value in series.p99 if value is not None), default=None)
    summary = f"The slowest 1% took up to {format_seconds(worst)}."
    return frame("Time to an answer", summary, shapes, scale, scenario, legend, texts, step)


def breaker_chart(series: TimeSeries, scenario: Scenario) -> str:
    """Draw the shares of the breakers that were open, half-open and closed, as bands."""
    if series.open is None or series.half_open is None:
        return empty_chart("Breakers", "No circuit breaker.")
    # Bands are drawn from the bottom, the higher one first, so that the lower one covers it.
    stacked = [open_ + half_open for open_, half_open in zip(series.open, series.half_open, strict=True)]
    scale = Scale(lambda value: 100 * value, [(0.0, "0"), (1.0, "100%")])
    shapes = [
        f'<rect class="closed" width="{WIDE:g}" height="100"/>',
        _steps(stacked, series.step, scenario.lasts, "half"),
        _steps(series.open, series.step, scenario.lasts, "open"),
    ]
    texts = [
        f"{format_share(open_)} open, {format_share(half_open)} half-open, "
        f"{format_share(max(0.0, 1 - open_ - half_open))} closed"
        for open_, half_open in zip(series.open, series.half_open, strict=True)
    ]
    legend = (("open", "open: rejects"), ("half", "half-open: tries"), ("closed", "closed: lets pass"))
    summary = f"At most {format_share(max(series.open, default=0.0))} of the breakers were open."
    return frame(
        "Breakers, share of the clients", summary, shapes, scale, scenario, legend, texts, series.step, kind="bands"
    )


def budget_chart(series: TimeSeries, scales: Scales, scenario: Scenario) -> str:
    """Draw how many retries the budget of a client had left."""
    if series.budget is None:
        return empty_chart("Retry budget", "No retry budget.")
    scale = scales.budget
    shapes = [
        _area(series.budget, series.step, scenario.lasts, scale, "budget"),
        _line(series.budget, series.step, scenario.lasts, scale, "budget"),
    ]
    texts = ["" if value is None else f"{value:.1f} retries left" for value in series.budget]
    least = min((value for value in series.budget if value is not None), default=0.0)
    return frame(
        "Retry budget, retries left per client", f"At least {least:.1f} were left.", shapes, scale, scenario,
        (("budget", "retries left"),), texts, series.step, kind="low",
    )  # fmt: skip


def _points(values: Sequence[float | None], step: float, lasts: float, scale: Scale) -> list[list[str]]:
    """Return the points as runs, which gaps (None) separate."""
    runs: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{(index + 0.5) * step / lasts * WIDE:.1f} {100 - scale.at(value):.1f}")
    return [run for run in runs if run]


def _line(values: Sequence[float | None], step: float, lasts: float, scale: Scale, name: str) -> str:
    runs = _points(values, step, lasts, scale)
    # M moves, L draws: a gap begins a new run. A single point is drawn as a line to itself.
    path = "".join(f"M{run[0]}L{' '.join(run[1:] or run)}" for run in runs)
    return f'<path class="line {name}" d="{path}"/>' if path else ""


def _area(values: Sequence[float | None], step: float, lasts: float, scale: Scale, name: str) -> str:
    path = ""
    for run in _points(values, step, lasts, scale):
        first, last = run[0].split()[0], run[-1].split()[0]
        path += f"M{first} 100L{' '.join(run)}L{last} 100Z"
    return f'<path class="area {name}" d="{path}"/>' if path else ""


def _steps(shares: Sequence[float], step: float, lasts: float, name: str) -> str:
    """Draw a band from the bottom up, of constant height within each step."""
    path = "M0 100" + "".join(
        f"L{index * step / lasts * WIDE:.1f} {100 - 100 * share:.1f}H{(index + 1) * step / lasts * WIDE:.1f}"
        for index, share in enumerate(shares)
    )
    return f'<path class="band {name}" d="{path}V100Z"/>'
