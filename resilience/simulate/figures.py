"""Computes the figures of a run: of the whole run, and of the incidents alone.

A request counts at the instant at which it began. Requests that began within the last `soon` seconds of a run did not
have their full time, so shares and latencies leave them out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .clients import RunMonitor
from .old_names import renamed_attribute
from .outcome import Outcome, SimulatedRequest

__all__ = ["Figures", "compute_figures", "percentile"]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one policy. Times are seconds, shares from 0 to 1; None means that there is no such figure.

    The names are the keys of `resilience simulate --json`.

    Attributes:
        offered: requests that the callers made.
        counted: those of them that had their full time; all shares and latencies are of these.
        attempts: attempts that reached the service.
        attempts_per_request: attempts per request.
        success: share of the requests that were answered as they should be.
        good: share of the requests that succeeded within the scenario's `soon`.
        p50: median latency of the answers.
        p95: 95th percentile.
        p99: 99th percentile.
        recovery: from the end of the last incident until 95 % of the requests are good up to the end of the run.
        first_request: from the end of the last incident to the next request; no recovery can be seen earlier.
        good_again: how long the requests were good at the end of the run, after that incident.
        recovers: whether the last incident ends within the run, so that a recovery can be measured.
        opened: how often a breaker opened.
        exhausted: how often a budget had no retry left.
        rejected: calls that were rejected before anything was sent.
        to_fail: mean duration of the failed requests.
        deceived: requests whose caller took an error for a success, or got a fallback.
        incident: `offered`, `attempts_per_request`, `success` and `good` during the incidents alone.
    """

    offered: int
    counted: int
    attempts: int
    attempts_per_request: float
    success: float
    good: float
    p50: float | None
    p95: float | None
    p99: float | None
    recovery: float | None
    first_request: float | None
    good_again: float | None
    recovers: bool
    opened: int
    exhausted: int
    rejected: int
    to_fail: float | None
    deceived: int
    incident: dict[str, float] | None

    attempts_a_request = renamed_attribute("Figures", "attempts_a_request", "attempts_per_request")
    refused = renamed_attribute("Figures", "refused", "rejected")
    # The keys of this mapping have been renamed too, so the old attribute has the old keys.
    trouble = renamed_attribute("Figures", "trouble", "incident", lambda figures: figures and _with_old_keys(figures))


def _with_old_keys(figures: dict[str, float]) -> dict[str, float]:
    old = {"attempts_a_request": figures["attempts_per_request"], **figures}
    return {name: n for name, n in old.items() if name not in ("attempts_per_request", "offered")}


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Return the sorted value at position `share * len(ordered)`, or the last; None of no values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def compute_figures(outcome: Outcome, monitor: RunMonitor) -> Figures:
    """Return the figures of a run."""
    scenario = outcome.scenario
    # The last `soon` seconds are left out; a run that is no longer than that is taken whole.
    end = scenario.lasts - scenario.soon if scenario.lasts > scenario.soon else scenario.lasts
    requests = outcome.begun(0.0, end)
    latencies = sorted(request.duration for request in requests if request.answered)
    failed = [request.duration for request in requests if request.ended is not None and not request.answered]
    since = scenario.last_incident_end
    recovery = None if since is None else outcome.recovery_seen(since)
    return Figures(
        offered=len(outcome.requests),
        counted=len(requests),
        attempts=len(outcome.attempts),
        attempts_per_request=len(outcome.attempts) / max(1, len(outcome.requests)),
        success=_success([request for request in requests if request.ended is not None]),
        good=outcome.good(0.0, end),
        p50=percentile(latencies, 0.5),
        p95=percentile(latencies, 0.95),
        p99=percentile(latencies, 0.99),
        recovery=recovery and recovery.seconds(),
        first_request=recovery and recovery.idle,
        good_again=recovery and recovery.well,
        recovers=since is not None,
        opened=monitor.events["circuit_opened"],
        exhausted=monitor.events["budget_exhausted"],
        rejected=monitor.events["call_rejected"],
        to_fail=sum(failed) / len(failed) if failed else None,
        deceived=sum(request.deceived for request in outcome.requests),
        incident=_during_incidents(outcome, end),
    )


def _success(requests: list[SimulatedRequest]) -> float:
    return sum(request.answered for request in requests) / max(1, len(requests))


def _during_incidents(outcome: Outcome, end: float) -> dict[str, float] | None:
    scenario = outcome.scenario
    # Without incidents, surges are what the figures of the incident are about.
    periods = scenario.incident_periods or [(surge.start, surge.end) for surge in scenario.surges]
    periods = [(start, min(stop, end)) for start, stop in periods if start < end]
    requests = [request for start, stop in periods for request in outcome.begun(start, stop)]
    if not requests:
        return None
    # Attempts are in order of time, so that two bisections count them.
    sent = sum(bisect_left(outcome.attempts, stop) - bisect_left(outcome.attempts, start) for start, stop in periods)
    return {
        "offered": len(requests),
        "attempts_per_request": sent / len(requests),
        "success": _success([request for request in requests if request.ended is not None]),
        "good": sum(request.is_good(scenario.soon) for request in requests) / len(requests),
    }
