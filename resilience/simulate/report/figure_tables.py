"""Renders the tables of the report: all figures of all policies, and the values behind the charts of one policy."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from ..number_format import format_count, format_recovery, format_seconds, format_setting, format_share
from ..policy_comparison import Run
from ..scenario import Scenario

__all__ = ["figures_table", "series_table"]

_MAX_ROWS = 15  # of the table behind the charts
_Cell = Callable[[Run], str]


def figures_table(runs: tuple[Run, ...], scenario: Scenario) -> str:
    """Return the table of all figures, one column per run."""
    rows: list[tuple[str, _Cell]] = [
        ("Requests offered", lambda run: format_count(run.figures.offered)),
        ("Attempts per request", lambda run: f"{run.figures.attempts_per_request:.2f}"),
        ("… during the incident", lambda run: _incident_figure(run, "attempts_per_request")),
        ("Succeeded", lambda run: format_share(run.figures.success)),
        (f"Good: within {format_setting(scenario.soon)}", lambda run: format_share(run.figures.good)),
        ("… during the incident", lambda run: _incident_figure(run, "good")),
        ("Half answered within", lambda run: format_seconds(run.figures.p50)),
        ("95% within", lambda run: format_seconds(run.figures.p95)),
        ("99% within", lambda run: format_seconds(run.figures.p99)),
        ("Time until a failure is reported", lambda run: format_seconds(run.figures.to_fail)),
        ("Recovered after the incident in", lambda run: format_recovery(run.figures)),
        ("Breaker opened", lambda run: f"{format_count(run.figures.opened)} ×" if run.breaker else "–"),
        ("Budget exhausted", lambda run: f"{format_count(run.figures.exhausted)} ×" if run.budget else "–"),
        ("Calls rejected, nothing sent", lambda run: format_count(run.figures.rejected)),
        ("Errors taken for a success", lambda run: format_count(run.figures.deceived)),
    ]
    head = "".join(f'<th scope="col">{escape(run.name)}</th>' for run in runs)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell(run))}</td>" for run in runs)}</tr>'
        for name, cell in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All figures">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _incident_figure(run: Run, name: str) -> str:
    if run.figures.incident is None:
        return "–"
    value = run.figures.incident[name]
    return f"{value:.2f}" if name == "attempts_per_request" else format_share(value)


def series_table(run: Run) -> str:
    """Return the values that the charts show, averaged over fewer steps, for readers who do not see the charts."""
    series = run.series
    steps = max(1, -(-len(series.offered) // _MAX_ROWS))  # per row, rounded up
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("from", "offered", "attempts", "good", "95% in", "open", "budget")
    )
    rows = ""
    for first in range(0, len(series.offered), steps):
        part = slice(first, first + steps)
        left = None if series.budget is None else _mean(series.budget[part])
        cells = (
            format_count(_mean(series.offered[part]) or 0), format_count(_mean(series.attempts[part]) or 0),
            format_count(_mean(series.good[part]) or 0), format_seconds(_mean(series.p95[part])),
            "–" if series.open is None else format_share(_mean(series.open[part]) or 0),
            "–" if left is None else f"{left:.0f}",
        )  # fmt: skip
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows += f'<tr><th scope="row">{first * series.step:g} s</th>{row}</tr>'
    return (
        "<details><summary>The figures behind the charts</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Figures of {escape(run.name)} over time">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _mean(values: list[float | None] | list[float]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
