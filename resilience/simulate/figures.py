"""What came of a run in figures: of the whole run, of its troubled times, and over time.

A request counts where it began. What began within the last `soon` of a run has not had its time yet, so
that shares and latencies leave it out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .clients import Watch
from .outcome import Outcome, Request

__all__ = ["Figures", "Series", "figures", "percentile", "series"]

_BUCKETS = 90


@dataclass(frozen=True, slots=True)
class Figures:
    """One policy's figures. Times are seconds, shares from 0 to 1; None: there is nothing to say.

    Attributes:
        offered: requests that the callers made.
        attempts: attempts that reached the service.
        attempts_a_request: the same for each request.
        success: share of the requests that were answered as they should be.
        good: share that were answered so, and soon enough.
        p50: half of the answers took no longer.
        p95: 95 % of them.
        p99: 99 % of them.
        recovery: from the end of the last trouble until 95 % of the requests are good, and stay so.
        recovers: whether the scenario has an end of trouble from which that could be counted.
        opened: how often a breaker opened.
        exhausted: how often a budget had no retry left.
        refused: calls that were refused before anything was sent.
        to_fail: how long a request that failed took to do so, on average.
        deceived: requests whose caller took an error for a success, or was given a fallback.
        trouble: attempts a request, success and good in the troubled times alone.
    """

    offered: int
    attempts: int
    attempts_a_request: float
    success: float
    good: float
    p50: float | None
    p95: float | None
    p99: float | None
    recovery: float | None
    recovers: bool
    opened: int
    exhausted: int
    refused: int
    to_fail: float | None
    deceived: int
    trouble: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Series:
    """What happened over time, a value a step; None: nothing to say. Rates are a second, shares from 0 to 1."""

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


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the least value that this share of the values does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def figures(outcome: Outcome, watch: Watch) -> Figures:
    """Count a run."""
    scenario = outcome.scenario
    end = scenario.lasts - scenario.soon if scenario.lasts > scenario.soon else scenario.lasts
    seen = outcome.begun(0.0, end)
    took = sorted(_took(one) for one in seen if one.answered)
    failed = [_took(one) for one in seen if one.ended is not None and not one.answered]
    since = scenario.last_trouble
    return Figures(
        offered=len(outcome.requests),
        attempts=len(outcome.attempts),
        attempts_a_request=len(outcome.attempts) / max(1, len(outcome.requests)),
        success=_share([one for one in seen if one.ended is not None]),
        good=outcome.good(0.0, end),
        p50=percentile(took, 0.5),
        p95=percentile(took, 0.95),
        p99=percentile(took, 0.99),
        recovery=None if since is None else outcome.recovery(since),
        recovers=since is not None,
        opened=watch.events["circuit_opened"],
        exhausted=watch.events["budget_exhausted"],
        refused=watch.events["call_rejected"],
        to_fail=sum(failed) / len(failed) if failed else None,
        deceived=sum(one.deceived for one in outcome.requests),
        trouble=_troubled(outcome, end),
    )


def _took(one: Request) -> float:
    return 0.0 if one.ended is None else one.ended - one.begun


def _share(requests: list[Request]) -> float:
    return sum(one.answered for one in requests) / max(1, len(requests))


def _troubled(outcome: Outcome, end: float) -> dict[str, float] | None:
    scenario = outcome.scenario
    spells = scenario.troubled or [(one.start, one.end) for one in scenario.surges]
    spells = [(start, min(stop, end)) for start, stop in spells if start < end]
    requests = [one for start, stop in spells for one in outcome.begun(start, stop)]
    if not requests:
        return None
    sent = sum(bisect_left(outcome.attempts, stop) - bisect_left(outcome.attempts, start) for start, stop in spells)
    good = [one for one in requests if one.answered and _took(one) <= scenario.soon]
    return {
        "attempts_a_request": sent / len(requests),
        "success": _share([one for one in requests if one.ended is not None]),
        "good": len(good) / len(requests),
    }


def series(outcome: Outcome, watch: Watch, *, breaker: bool) -> Series:
    """Cut a run into steps."""
    lasts = outcome.scenario.lasts
    step = next((one for one in (0.5, 1.0, 2.0, 5.0, 10.0, 30.0) if lasts / one <= _BUCKETS), lasts / _BUCKETS)
    step = min(step, lasts)
    edges = [n * step for n in range(int(lasts / step + 1e-9) + 1)]
    spans = list(pairwise(edges))
    groups = [outcome.begun(*span) for span in spans]
    took = [sorted(_took(one) for one in group if one.answered) for group in groups]
    sent = [bisect_left(outcome.attempts, edge) for edge in edges]
    open_, half = _bands(watch, spans) if breaker and watch.clients else (None, None)
    return Series(
        step=step,
        offered=[len(group) / step for group in groups],
        attempts=[(after - before) / step for before, after in pairwise(sent)],
        good=[bisect_left(one, outcome.scenario.soon + 1e-9) / step for one in took],
        p50=[percentile(one, 0.5) for one in took],
        p95=[percentile(one, 0.95) for one in took],
        p99=[percentile(one, 0.99) for one in took],
        open=open_,
        half_open=half,
        budget=_levels(watch, spans),
    )


def _bands(watch: Watch, spans: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the shares of the breakers that are open and half-open, each averaged over its step."""
    state = ["closed"] * watch.clients
    count = {"closed": watch.clients, "open": 0, "half-open": 0}
    turns, place = watch.turns, 0
    shares: dict[str, list[float]] = {"open": [], "half-open": []}
    for start, end in spans:
        spent, at = {"open": 0.0, "half-open": 0.0}, start
        while place < len(turns) and turns[place][0] < end:
            now, number, new = turns[place]
            place += 1
            for name in spent:
                spent[name] += count[name] * (now - at)
            at = now
            count[state[number]] -= 1
            count[new] += 1
            state[number] = new
        for name, total in spent.items():
            shares[name].append((total + count[name] * (end - at)) / (end - start) / watch.clients)
    return shares["open"], shares["half-open"]


def _levels(watch: Watch, spans: list[tuple[float, float]]) -> list[float | None] | None:
    if not watch.levels:
        return None
    times = [at for at, _ in watch.levels]
    found: list[float | None] = []
    for start, end in spans:
        seen = [level for _, level in watch.levels[bisect_left(times, start) : bisect_left(times, end)]]
        found.append(sum(seen) / len(seen) if seen else None)
    return found
