"""Compares each recorded call with the same call under changed policies, and sums up the differences.

The functions return plain data in the shape of `resilience replay --json`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .recorded_calls import Log
from .recorded_transport import ReplayedCall

__all__ = ["CANNOT_TELL", "compare_call", "compare_calls"]

_SAME_WAIT = 0.01  # seconds for each attempt: log lines round to two decimals
CANNOT_TELL = (
    "Calls that succeeded at the first attempt write no line. Breakers and budgets depend on all calls, so they are "  # noqa: ISC004
    "switched off, and rejected calls are not judged, unless you give their rate with --successes RATE.",
    "How an attempt that was never made would have ended: such a call ends as 'not recorded'.",
    "Whether an attempt that timed out would have succeeded with more time, or at another moment.",
    "When a lookup's 'not found' was accepted as proof: the replay waits for the whole fence of the changed policy.",
    "Nested and hedged calls: each is replayed as a call of its own. Fallbacks and custom stages are switched off.",
)
"""What a log does not record, and what the replay does about it."""


def compare_call(call: ReplayedCall) -> dict[str, Any]:
    """Return a call as plain data: as recorded, as replayed, and the names of the fields that differ."""
    recorded = call.recorded
    executed = recorded.last.get("executed")
    before = {
        "policy": recorded.policy,
        "attempts": recorded.total_attempts,
        "waited": round(recorded.waited, 6),
        "outcome": recorded.outcome,
        "failures": [_failure(attempt.category, attempt.code, attempt.registry) for attempt in recorded.attempts],
        "executed": executed if isinstance(executed, str) else None,
    }
    identity = {
        "call": recorded.name,
        "operation": recorded.operation,
        "at": round(recorded.began, 3),
        "retry_safety": recorded.retry_safety,
    }
    if call.outcome == "not judged":
        return {**identity, "recorded": before, "replayed": None, "different": []}
    after = {
        "policy": call.policy,
        "attempts": call.attempts,
        "waited": round(call.waited, 6),
        "outcome": call.outcome,
        "failures": [_failure(*failure) for failure in call.failures],
        "executed": call.executed,
    }
    return {**identity, "recorded": before, "replayed": after, "different": list(_differences(before, after))}


def compare_calls(log: Log, calls: Sequence[ReplayedCall]) -> dict[str, Any]:
    """Return all calls and their sums as plain data."""
    rows = [compare_call(call) for call in calls]
    judged = [row for row in rows if row["replayed"] is not None]
    return {
        "log": {
            "lines": log.lines, "events": log.events, "foreign": log.foreign, "not_json": log.broken,
            "calls": len(log.calls), "told_apart_by_operation": log.guessed,
            "without_attempts": log.without_attempts,
        },
        "summary": {
            "calls": len(rows),
            "judged": len(judged),
            "different": sum(bool(row["different"]) for row in rows),
            "attempts": _sums(judged, "attempts"),
            "waited": _sums(judged, "waited"),
            "outcomes": {
                "recorded": dict(Counter(row["recorded"]["outcome"] for row in judged)),
                "replayed": dict(Counter(row["replayed"]["outcome"] for row in judged)),
            },
            "categories": _changed_categories(judged),
            "newly_known": _newly_known_codes(judged),
            "no_such_policy": sorted({call.recorded.policy for call in calls if call.policy is None}),
        },
        "calls": rows,
        "cannot_tell": list(CANNOT_TELL),
    }  # fmt: skip


def _failure(category: str | None, code: str | None, registry: str | None) -> dict[str, str | None]:
    return {"category": category, "code": code, "registry": registry}


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterable[str]:
    for name in ("policy", "attempts", "outcome"):
        if before[name] != after[name]:
            yield name
    if abs(before["waited"] - after["waited"]) > _SAME_WAIT * max(1, before["attempts"]):
        yield "waited"
    pairs = list(zip(before["failures"], after["failures"], strict=False))  # one of the two may have more attempts
    if any(was["category"] != now["category"] for was, now in pairs):
        yield "category"
    if any(was["registry"] != now["registry"] for was, now in pairs):
        yield "registry"
    # Only a failure says whether it may have taken effect; after a success `executed` means nothing.
    if before["outcome"] == after["outcome"] == "failed" and before["executed"] != after["executed"]:
        yield "executed"


def _sums(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return {when: round(sum(row[when][name] for row in rows), 6) for when in ("recorded", "replayed")}


def _failure_pairs(rows: Sequence[dict[str, Any]]) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each failed attempt as recorded and as replayed."""
    for row in rows:
        yield from zip(row["recorded"]["failures"], row["replayed"]["failures"], strict=False)


def _changed_categories(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the failed attempts that have another category by the changed tables."""
    numbers = Counter(
        (now["registry"], now["code"], was["category"], now["category"])
        for was, now in _failure_pairs(rows)
        if was["category"] != now["category"]
    )
    names = ("registry", "code", "recorded", "replayed")
    return [{**dict(zip(names, key, strict=True)), "attempts": number} for key, number in numbers.most_common()]


def _newly_known_codes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the failed attempts whose code was in no table and is in one of the changed tables."""
    numbers = Counter(
        (now["code"], now["registry"], now["category"])
        for was, now in _failure_pairs(rows)
        if was["registry"] is None and now["registry"] is not None
    )
    names = ("code", "registry", "category")
    return [{**dict(zip(names, key, strict=True)), "attempts": number} for key, number in numbers.most_common()]
