"""Describes what is in force at this moment among one set of policies, as data that `json.dumps` takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._core.stages.breaker import Breaker
from .._core.stages.duration_text import format_duration
from .shared_state import SharedState

__all__ = ["take_snapshot"]


def take_snapshot(shared: SharedState, names: Iterable[str]) -> dict[str, Any]:
    """Return the live state; `names` are those of the policies of the file."""
    breakers = shared.breakers.all()
    policies = list(_policies(shared, names, breakers))
    return {
        "at": shared.clock.time(),
        "healthy": all(policy["healthy"] for policy in policies),
        "isolated": shared.isolations.describe(),
        "policies": policies,
        "breakers": [_breaker(breaker) for breaker in breakers],
        "quotas": list(_quotas(shared)),
        "holds": shared.describe_holds(),
        "budgets": list(_budgets(shared)),
        "admission": list(_admission(shared)),
        "writes_in_doubt": shared.unsettled.describe(),
        "counters": list(_counters(shared)),
        "streams": [row for client in tuple(shared.streams) for row in client.describe()],
        "shared": None,
    }


def _policies(shared: SharedState, names: Iterable[str], breakers: Iterable[Breaker]) -> Iterator[dict[str, Any]]:
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
            "used": limit - quota.left(now),
            "limit": limit,
            "ready_in": max(0.0, quota.common.ready_at(now, 1) - now),
        }


def _budgets(shared: SharedState) -> Iterator[dict[str, Any]]:
    now = shared.clock.monotonic()
    for policy, budget in sorted(shared.budgets().items()):
        yield {"policy": policy, "left": budget.left(now), "limit": budget.limit(now)}


def _admission(shared: SharedState) -> Iterator[dict[str, Any]]:
    for policy, admission in sorted(shared.limits.admissions().items()):
        for lane, counts in admission.counts().items():
            yield {"policy": policy, "lane": lane or "default", **counts, "limit": admission.settings.max_concurrent}


def _counters(shared: SharedState) -> Iterator[Mapping[str, Any]]:
    for (policy, operation), counts in sorted(shared.counts.copy().items()):
        totals = counts.totals()
        if any(totals.values()):  # what was compiled and never called says nothing
            yield {"policy": policy, "operation": operation, **totals}
