"""The page: what happened in words, a verdict for each policy, the figures, the charts, and their tables."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from ..phrases import count, recovered, seconds, share, span
from ..real_run_comparison import Comparison, Run
from ..scenario import Scenario
from .charts import Scales, breaker_chart, budget_chart, latency_chart, load_chart, scales_of

__all__ = ["page"]

_STYLE = Path(__file__).with_name("style.css")
_MARKS = {"good": "✓", "mixed": "!", "harmful": "✕"}
_ROWS = 15  # of the tables behind the charts


def page(found: Comparison) -> str:
    """Return the report as one HTML document."""
    runs = [*found.runs, *([found.bare] if found.bare is not None else [])]
    scales = scales_of([one.series for one in runs], found.scenario.soon)
    title = escape(found.scenario.title)
    lanes = "".join(_lane(one, found, scales) for one in runs)
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{title} – resilience simulate</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{_head(found)}\n"
        f'<section aria-labelledby="verdicts"><h2 id="verdicts">Verdict</h2><div class="cards">'
        f"{''.join(_card(one, found) for one in runs)}</div></section>\n"
        f'<section aria-labelledby="charts"><h2 id="charts">Over time</h2>'
        f'<p class="note">Shaded: the time of trouble. All charts of a kind have the same scale.</p>'
        f'<div class="lanes n{min(len(runs), 4)}">{lanes}</div></section>\n'
        f'<section aria-labelledby="figures"><h2 id="figures">All figures</h2>{_table(runs, found)}</section>\n'
        f"{_guide(found.scenario)}\n</main>\n</body>\n</html>\n"
    )


def _head(found: Comparison) -> str:
    scenario = found.scenario
    load = (
        f"{count(scenario.clients)} client{'s' if scenario.clients > 1 else ''} × {scenario.rate:g} requests a second"
    )
    facts = [
        load,
        f"service: {count(scenario.capacity)} a second, {span(scenario.latency)} an answer",
        "refuses what it cannot serve" if scenario.overload == "shed" else "lets everything wait its turn",
        f"clients' own timeout: {span(scenario.patience)}",
        f"{scenario.lasts:g} s of virtual time, seed {found.seed}",
    ]
    told = "".join(f"<li>{escape(one)}</li>" for one in facts)
    about = f'<p class="about">{escape(scenario.about)}</p>' if scenario.about else ""
    return (
        f'<header><p class="kicker">resilience simulate</p><h1>{escape(scenario.title)}</h1>{about}'
        f'<ul class="facts">{told}</ul></header>'
    )


def _card(run: Run, found: Comparison) -> str:
    """Return what a person reads first about one policy."""
    figures, scenario = run.figures, found.scenario
    where = figures.trouble
    load = figures.attempts_a_request if where is None else where["attempts_a_request"]
    kept = figures.success if where is None else where["success"]
    then = "" if where is None else ", in the trouble"
    numbers = [
        (f"{load:.2f}", f"attempts a request{then}"),
        (share(kept), f"requests that succeed{then}"),
        (share(figures.good), f"answered within {span(scenario.soon)}, in all"),
        (recovered(figures), "until all is well again"),
    ]
    big = "".join(f"<div><dt>{escape(words)}</dt><dd>{escape(value)}</dd></div>" for value, words in numbers)
    if run is found.bare:
        head = '<span class="badge plain">for comparison</span>'
        words = "<li>One attempt for each request, and whatever comes of it.</li>"
    else:
        judged = found.verdict(run)
        head = f'<span class="badge {judged.grade}">{_mark(judged.grade)}{judged.grade}</span>'
        words = "".join(f'<li class="{grade}">{_mark(grade)}{escape(one)}.</li>' for grade, one in judged.reasons)
    return (
        f'<article class="card"><div class="top"><h3>{escape(run.name)}</h3>{head}</div>'
        f'<ul class="reasons">{words}</ul><dl>{big}</dl></article>'
    )


def _mark(grade: str) -> str:
    return f'<i aria-hidden="true">{_MARKS[grade]}</i>'


def _lane(run: Run, found: Comparison, scales: Scales) -> str:
    """Return the charts of one policy, and the table behind them."""
    one, scenario = run.series, found.scenario
    charts = load_chart(one, scales, scenario) + latency_chart(one, scales, scenario)
    charts += breaker_chart(one, scenario) + budget_chart(one, scales, scenario)
    return f'<section class="lane"><h3>{escape(run.name)}</h3>{charts}{_behind(run)}</section>'


_Cell = Callable[[Run], str]


def _table(runs: list[Run], found: Comparison) -> str:
    scenario = found.scenario
    rows: list[tuple[str, _Cell]] = [
        ("Requests offered", lambda one: count(one.figures.offered)),
        ("Attempts a request", lambda one: f"{one.figures.attempts_a_request:.2f}"),
        ("… in the trouble", lambda one: _trouble(one, "attempts_a_request")),
        ("Succeeded", lambda one: share(one.figures.success)),
        (f"Good: within {span(scenario.soon)}", lambda one: share(one.figures.good)),
        ("… in the trouble", lambda one: _trouble(one, "good")),
        ("Half answered within", lambda one: seconds(one.figures.p50)),
        ("95 % within", lambda one: seconds(one.figures.p95)),
        ("99 % within", lambda one: seconds(one.figures.p99)),
        ("A failure is told after", lambda one: seconds(one.figures.to_fail)),
        ("Well again after the trouble", lambda one: recovered(one.figures)),
        ("A breaker opened", lambda one: f"{count(one.figures.opened)} ×" if one.breaker else "–"),
        ("A budget was exhausted", lambda one: f"{count(one.figures.exhausted)} ×" if one.budget else "–"),
        ("Calls refused, nothing sent", lambda one: count(one.figures.refused)),
        ("Errors taken for a success", lambda one: count(one.figures.deceived)),
    ]
    head = "".join(f'<th scope="col">{escape(one.name)}</th>' for one in runs)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell(one))}</td>" for one in runs)}</tr>'
        for name, cell in rows
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All figures">'
        f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _trouble(run: Run, name: str) -> str:
    if run.figures.trouble is None:
        return "–"
    value = run.figures.trouble[name]
    return f"{value:.2f}" if name == "attempts_a_request" else share(value)


def _behind(run: Run) -> str:
    """Return a table of what the charts show, for who cannot see them, in fewer steps."""
    one = run.series
    every = max(1, -(-len(one.offered) // _ROWS))
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("from", "offered", "attempts", "good", "95 % in", "open", "budget")
    )
    rows = ""
    for place in range(0, len(one.offered), every):
        part = slice(place, place + every)
        left = None if one.budget is None else _mean(one.budget[part])
        cells = (
            count(_mean(one.offered[part]) or 0), count(_mean(one.attempts[part]) or 0),
            count(_mean(one.good[part]) or 0), seconds(_mean(one.p95[part])),
            "–" if one.open is None else share(_mean(one.open[part]) or 0), "–" if left is None else f"{left:.0f}",
        )  # fmt: skip
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows += f'<tr><th scope="row">{place * one.step:g} s</th>{row}</tr>'
    return (
        "<details><summary>The figures behind the charts</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="Figures of {escape(run.name)} over time">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _mean(values: list[float | None] | list[float]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


_GUIDE = (
    ("Good", "answered as it should be, within {soon} of the request's beginning. What comes later helps nobody."),
    (
        "Attempts a request",
        (
            "how often the service is asked for each thing that somebody wants. Above 1 it is asked again and again; "
            "below 1 it is spared."
        ),
    ),
    ("Well again", "from the end of the trouble until 95 % of the requests are good, and stay so."),
    ("Breaker", "while it is open it refuses calls at once, and nothing is sent."),
    ("Budget", "how many retries a client may still make."),
    (
        "The same for all",
        (
            "every policy gets the same requests at the same instants. The pipeline is the one that runs in "
            "production; the service and the clock are modelled."
        ),
    ),
)


def _guide(scenario: Scenario) -> str:
    told = "".join(f"<li><b>{name}</b>: {words.format(soon=span(scenario.soon))}</li>" for name, words in _GUIDE)
    return (
        f'<section class="guide" aria-labelledby="guide"><h2 id="guide">How to read this</h2><ul>{told}</ul></section>'
    )
