"""Computes when the attempts of one call begin and end, at the earliest and at the latest, and where the deadline cuts.

From the settings alone. Earliest means that every attempt fails at once and every wait is its shortest; latest that
every attempt takes all of its time and every wait is its longest. Waits for a quota, a slot or a breaker come on top;
they stay inside the deadline as well.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..policy.backoff import bounds
from ..policy.policy import Policy
from ..policy.sections import NO_VALUE, ReconcileSettings
from .operation_info import OperationInfo, fence_of

__all__ = ["MAX_ROWS", "attempts_of", "describe_rules", "timeline", "waits_of"]

MAX_ROWS = 20
"""Attempts that are listed; a policy may allow a thousand."""


def attempts_of(policy: Policy) -> int | None:
    """Return how many attempts a call has at most; None where an object from Python decides."""
    retry = policy.retry
    return 1 if retry is None else retry.max_attempts if retry.stop is None else None


def waits_of(policy: Policy) -> list[tuple[float, float]]:
    """Return the shortest and the longest wait after each attempt but the last; empty where an object decides."""
    retry, attempts = policy.retry, attempts_of(policy)
    if retry is None or attempts is None or retry.wait is not None:
        return []
    return [bounds(retry.backoff, attempt) for attempt in range(1, min(attempts, MAX_ROWS + 1))]


def timeline(policy: Policy, *, whole: bool = False) -> list[dict[str, Any]]:
    """Return a row for each attempt that can happen at all. Seconds since the call began; None means no limit.

    Args:
        policy: the settings.
        whole: an attempt begins only where all of its time fits the deadline, as that of a write that is looked up.
    """
    end = inf if policy.deadline is None else policy.deadline
    limit = inf if policy.attempt_timeout is None else policy.attempt_timeout
    need = limit if whole and limit != inf else 0.0
    rows: list[dict[str, Any]] = []
    earliest = latest = 0.0
    for number, (shortest, longest) in enumerate([(0.0, 0.0), *waits_of(policy)], 1):
        earliest, latest = earliest + shortest, latest + longest
        if earliest >= end or earliest + need > end:
            break
        # The latest begin may be after the deadline: then this attempt happens only where earlier ones were quick.
        always_fits = latest < end and latest + need <= end
        ends_by = min(latest + limit, end) if always_fits else end
        rows.append(
            {
                "attempt": number,
                "waits": {"least": shortest, "longest": longest},
                "begins": {"earliest": earliest, "latest": _finite(latest if always_fits else end - need)},
                "ends_by": _finite(ends_by),
                "always_fits": always_fits,
                "cut_by_deadline": latest + limit > end,
            }
        )
        latest = latest + limit
    return rows


def describe_rules(policy: Policy, info: OperationInfo) -> dict[str, Any]:
    """Return the sections around the attempts as plain data: lookups, hedges, fallbacks, stages, unknown errors."""
    rules, fence = policy.reconcile or ReconcileSettings(), fence_of(policy.reconcile or ReconcileSettings(), info)
    hedge, fallback = policy.hedge, policy.fallback
    return {
        "reconcile": {
            "early_checks": rules.early_checks,
            "wait": rules.wait,
            "window": fence.window,
            "processing": fence.processing,
            "lag": fence.lag,
            "fence": fence.whole if rules.fence is None else rules.fence,
        },
        "hedge": None
        if hedge is None
        else {"delay": hedge.delay, "percentile": hedge.percentile, "max_hedges": hedge.max_hedges},
        "fallback": None
        if fallback is None
        else {
            "on": list(fallback.on),
            "stale_for": fallback.stale_for,
            "call": fallback.call is not None,
            "value": fallback.value is not NO_VALUE,
        },
        "stages": [_stage_name(use) for use in policy.stages],
        "unknown_errors": {
            "category": str(policy.unknown_errors.category),
            "executed": policy.unknown_errors.executed,
            "max_attempts": policy.unknown_errors.max_attempts,
        },
        "classify_results": policy.classify_results,
    }


def _stage_name(use: Any) -> str:
    return str(use[0]) if isinstance(use, tuple) else type(use).__name__


def _finite(seconds: float) -> float | None:
    return None if seconds == inf else round(seconds, 9)
