"""Cuts a run into steps of equal length and computes what the charts show of each step."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from .clients import RunMonitor
from .figures import percentile
from .outcome import Outcome

__all__ = ["TimeSeries", "compute_series"]

_MAX_STEPS = 90
_STEPS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One value per step; None means that there is no value. Rates are per second, shares from 0 to 1, times seconds.

    The names are the keys of `series` in `resilience simulate --json`.
    """

    step: float
    offered: list[float]
    attempts: list[float]
    good: list[float]
    p50: list[float | None]
    p95: list[float | None]
    p99: list[float | None]
    open: list[float] | None
    half_open: list[float] | None
    budget: list[float | None] | None


def _step(lasts: float) -> float:
    """Return the shortest of the usual steps that are not too many for a run of these seconds."""
    return min(next((step for step in _STEPS if lasts / step <= _MAX_STEPS), lasts / _MAX_STEPS), lasts)


def compute_series(outcome: Outcome, monitor: RunMonitor, *, breaker: bool) -> TimeSeries:
    """Return a run's series; `breaker` says whether its policy has a breaker."""
    step = _step(outcome.scenario.lasts)
    edges = [n * step for n in range(int(outcome.scenario.lasts / step + 1e-9) + 1)]
    spans = list(pairwise(edges))
    groups = [outcome.begun(*span) for span in spans]
    latencies = [sorted(request.duration for request in group if request.answered) for group in groups]
    sent = [bisect_left(outcome.attempts, edge) for edge in edges]
    p50, p95, p99 = ([percentile(ordered, share) for ordered in latencies] for share in (0.5, 0.95, 0.99))
    open_, half_open = _breaker_shares(monitor, spans) if breaker and monitor.clients else (None, None)
    return TimeSeries(
        step=step,
        offered=[len(group) / step for group in groups],
        attempts=[(after - before) / step for before, after in pairwise(sent)],
        # The sorted latencies up to `soon` are the good ones; 1e-9 makes up for float sums.
        good=[bisect_left(ordered, outcome.scenario.soon + 1e-9) / step for ordered in latencies],
        p50=p50,
        p95=p95,
        p99=p99,
        open=open_,
        half_open=half_open,
        budget=_budget_levels(monitor, spans),
    )


def _breaker_shares(monitor: RunMonitor, spans: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the shares of the breakers that are open and half-open, averaged over the time of each step."""
    states = ["closed"] * monitor.clients
    numbers = {"closed": monitor.clients, "open": 0, "half-open": 0}
    changes, index = monitor.breaker_changes, 0
    shares: dict[str, list[float]] = {"open": [], "half-open": []}
    for start, end in spans:
        spent, since = {"open": 0.0, "half-open": 0.0}, start  # breaker-seconds within this step
        while index < len(changes) and changes[index][0] < end:
            now, client, state = changes[index]
            index += 1
            # The integral of a step function: number of breakers in a state times the seconds since the last change.
            for name in spent:
                spent[name] += numbers[name] * (now - since)
            since = now
            numbers[states[client]] -= 1
            numbers[state] += 1
            states[client] = state
        for name, total in spent.items():
            shares[name].append((total + numbers[name] * (end - since)) / (end - start) / monitor.clients)
    return shares["open"], shares["half-open"]


def _budget_levels(monitor: RunMonitor, spans: list[tuple[float, float]]) -> list[float | None] | None:
    if not monitor.budget_levels:
        return None
    times = [when for when, _ in monitor.budget_levels]
    means: list[float | None] = []
    for start, end in spans:
        levels = [level for _, level in monitor.budget_levels[bisect_left(times, start) : bisect_left(times, end)]]
        means.append(sum(levels) / len(levels) if levels else None)
    return means
