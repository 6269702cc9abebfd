"""Describes what is in force at this moment among one set of policies, as data that `json.dumps` takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from .._core.stages.breaker import Breaker
from .._core.stages.duration_text import format_duration
from .shared_state import SharedState

__all__ = ["admission_rows", "budget_rows", "policy_rows", "stream_clients", "take_snapshot"]


def take_snapshot(shared: SharedState, names: Iterable[str]) -> dict[str, Any]:
    """Return the live state; `names` are those of the policies of the file.

    Nothing here takes a lock that a call waits for: what changes meanwhile may be in it or not.
    """
    breakers = shared.breakers.in_force()
    policies = list(policy_rows(shared, names, breakers))
    return {
        "at": shared.clock.time(),
        "healthy": all(policy["healthy"] for policy in policies),
        "isolated": shared.isolations.describe(),
        "policies": policies,
        "breakers": [_breaker(breaker) for breaker in breakers],
        "quotas": list(_quotas(shared)),
        "holds": shared.describe_holds(),
        "budgets": list(budget_rows(shared)),
        "admission": list(admission_rows(shared)),
        "writes_in_doubt": shared.unsettled.describe(),
        "counters": list(_counters(shared)),
        "streams": [row for client in stream_clients(shared) for row in client.describe()],
        "shared": None if shared.fleet is None else shared.fleet.describe(),
    }


def policy_rows(shared: SharedState, names: Iterable[str], breakers: Iterable[Breaker]) -> Iterator[dict[str, Any]]:
    """Yield whether each policy is isolated, and healthy."""
    # A shadow breaker rejects nothing.
    broken = {breaker.policy for breaker in breakers if breaker.state != "closed" and not breaker.shadow}
    for name in sorted({*names, *broken}):
        isolated = shared.isolations.of(name) is not None
        yield {"name": name, "isolated": isolated, "healthy": not isolated and name not in broken}


def _breaker(breaker: Breaker) -> dict[str, Any]:
    fields = ("policy", "key", "state", "counts", "consecutive_failures", "open_until", "opened_by", "shadow")
    return {name: getattr(breaker, name) for name in fields}


def _quotas(shared: SharedState) -> Iterator[dict[str, Any]]:
    now = shared.clock.monotonic()
    for policy, name, quota in shared.limits.all_quotas():
        limit = quota.settings.burst
        yield {
            "policy": policy,
            "name": name,
            "key": quota.key,
            "rate": f"{limit} per {format_duration(quota.span)}",
            "used": max(0, limit - quota.left(now)),
            "limit": limit,
            "ready_in": _finite(max(0.0, quota.common.estimate(now) - now)),
        }


def budget_rows(shared: SharedState) -> Iterator[dict[str, Any]]:
    """Yield the retries that are left of each budget."""
    now = shared.clock.monotonic()
    for policy, budget in sorted(shared.budgets().items()):
        yield {"policy": policy, "left": max(0.0, budget.left(now)), "limit": budget.limit(now)}


def admission_rows(shared: SharedState) -> Iterator[dict[str, Any]]:
    """Yield the slots of each lane."""
    for policy, admission in sorted(shared.limits.admissions().items()):
        for lane, counts in admission.counts().items():
            yield {"policy": policy, "lane": lane or "default", **counts, "limit": admission.settings.max_concurrent}


def _counters(shared: SharedState) -> Iterator[Mapping[str, Any]]:
    for (policy, operation), counts in sorted(shared.counts.all().items()):
        totals = counts.totals()
        if any(totals.values()):  # what was compiled and never called says nothing
            yield {"policy": policy, "operation": operation, **totals}


def stream_clients(shared: SharedState) -> list[Any]:
    """Return the clients of streams."""
    # `keyrefs` copies in one call into C: another thread may open a stream meanwhile.
    return [client for reference in shared.streams.keyrefs() if (client := reference()) is not None]


def _finite(seconds: float) -> float | None:
    """Return seconds, or None for never: JSON has no infinity."""
    return seconds if isfinite(seconds) else None
