"""Renders the report: what happened, a verdict for each policy, the charts, all figures, and how to read them."""

from __future__ import annotations

from html import escape

from ...config.loading.shipped_files import package_file
from ..number_format import format_count, format_recovery, format_setting, format_share
from ..policy_comparison import Comparison, Run
from ..scenario import Scenario
from .charts import Scales, breaker_chart, budget_chart, latency_chart, load_chart, shared_scales
from .figure_tables import figures_table, series_table

__all__ = ["render_page"]

_STYLE = "simulate/report/style.css"
_MARKS = {"good": "✓", "mixed": "!", "harmful": "✕"}


def render_page(comparison: Comparison) -> str:
    """Return the report as one HTML document."""
    runs, scenario = comparison.all_runs, comparison.scenario
    scales = shared_scales([run.series for run in runs], scenario.soon)
    title = escape(scenario.title)
    lanes = "".join(_lane(run, scenario, scales) for run in runs)
    style = package_file(_STYLE).read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{title} – resilience simulate</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n{_head(comparison)}\n"
        f'<section aria-labelledby="verdicts"><h2 id="verdicts">Verdict</h2><div class="cards">'
        f"{''.join(_card(run, comparison) for run in runs)}</div></section>\n"
        f'<section aria-labelledby="charts"><h2 id="charts">Over time</h2>'
        f'<p class="note">Shaded: the incidents. Charts of the same kind have the same scale.</p>'
        f'<div class="lanes n{min(len(runs), 4)}">{lanes}</div></section>\n'
        f'<section aria-labelledby="figures"><h2 id="figures">All figures</h2>'
        f"{figures_table(runs, scenario)}</section>\n"
        f"{_guide(scenario)}\n</main>\n</body>\n</html>\n"
    )


def _head(comparison: Comparison) -> str:
    scenario = comparison.scenario
    clients = f"{format_count(scenario.clients)} client{'s' if scenario.clients > 1 else ''}"
    facts = [
        f"{clients} × {scenario.rate:g} requests per second",
        f"service: {format_count(scenario.capacity)} requests per second, latency {format_setting(scenario.latency)}",
        "above its capacity it answers 503" if scenario.overload == "shed" else "above its capacity requests queue",
        f"timeout of the clients: {format_setting(scenario.patience)}",
        f"{scenario.lasts:g} s of virtual time, seed {comparison.seed}",
    ]
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    about = f'<p class="about">{escape(scenario.about)}</p>' if scenario.about else ""
    return (
        f'<header><p class="kicker">resilience simulate</p><h1>{escape(scenario.title)}</h1>{about}'
        f'<ul class="facts">{items}</ul></header>'
    )


def _badge_and_reasons(run: Run, comparison: Comparison) -> tuple[str, str]:
    if run is comparison.baseline:
        badge = '<span class="badge plain">baseline</span>'
        return badge, "<li>One attempt per request, whatever its outcome.</li>"
    verdict = comparison.verdict(run)
    badge = f'<span class="badge {verdict.grade}">{_mark(verdict.grade)}{verdict.grade}</span>'
    reasons = (f'<li class="{grade}">{_mark(grade)}{escape(reason)}.</li>' for grade, reason in verdict.reasons)
    return badge, "".join(reasons)


def _card(run: Run, comparison: Comparison) -> str:
    """Return the verdict and the four main figures of one policy."""
    figures, scenario = run.figures, comparison.scenario
    incident = figures.incident
    load = figures.attempts_per_request if incident is None else incident["attempts_per_request"]
    success = figures.success if incident is None else incident["success"]
    when = "" if incident is None else " during the incident"
    numbers = [
        (f"{load:.2f}", f"attempts per request{when}"),
        (format_share(success), f"of the requests succeed{when}"),
        (format_share(figures.good), f"answered within {format_setting(scenario.soon)}, over the whole run"),
        (format_recovery(figures), "to recover after the incident"),
    ]
    big = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for value, label in numbers)
    badge, reasons = _badge_and_reasons(run, comparison)
    return (
        f'<article class="card"><div class="top"><h3>{escape(run.name)}</h3>{badge}</div>'
        f'<ul class="reasons">{reasons}</ul><dl>{big}</dl></article>'
    )


def _mark(grade: str) -> str:
    return f'<i aria-hidden="true">{_MARKS[grade]}</i>'


def _lane(run: Run, scenario: Scenario, scales: Scales) -> str:
    """Return the charts of one policy and the table of their values."""
    series = run.series
    charts = load_chart(series, scales, scenario) + latency_chart(series, scales, scenario)
    charts += breaker_chart(series, scenario) + budget_chart(series, scales, scenario)
    return f'<section class="lane"><h3>{escape(run.name)}</h3>{charts}{series_table(run)}</section>'


_GUIDE = (
    ("Good", "answered as it should be, within {soon} of the beginning of the request."),
    (
        "Attempts per request",
        (
            "how often the service is called for each request of a caller. Above 1 retries add load; below 1 the "
            "policy keeps load away."
        ),
    ),
    ("Recovery", "from the end of the incident until 95% of the requests are good up to the end of the run."),
    ("Breaker", "while it is open, calls are rejected at once and nothing is sent."),
    ("Budget", "how many retries a client may still make."),
    ("Baseline", "the same requests without a policy."),
    (
        "The same for all",
        (
            "every policy gets the same requests at the same instants. The pipeline is the one that runs in "
            "production; the service and the clock are modelled."
        ),
    ),
)


def _guide(scenario: Scenario) -> str:
    soon = format_setting(scenario.soon)
    items = "".join(f"<li><b>{name}</b>: {text.format(soon=soon)}</li>" for name, text in _GUIDE)
    return (
        f'<section class="guide" aria-labelledby="guide"><h2 id="guide">How to read this</h2><ul>{items}</ul></section>'
    )
