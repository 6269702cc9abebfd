"""What differs between a recorded call and the same call under changed policies, call by call and summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .log_reader import Log
from .rerun import Replayed

__all__ = ["CANNOT_TELL", "compared", "row"]

_ALIKE = 0.002  # seconds; logs round
CANNOT_TELL = (
    "Calls that succeeded at once: they are silent. Breakers and budgets go by all calls, so they are left out, and "  # noqa: ISC004
    "refused calls are not judged, unless you say how many there were (--successes RATE).",
    "What an attempt that was never made would have answered: such a call ends as 'not recorded'.",
    "Whether an attempt that ran into its limit would have succeeded with more time, or at another moment.",
    "When a look's 'not found' was believed: the whole fence of the changed policy is waited for.",
    "Calls inside calls and hedged ones: each is replayed as a call of its own; fallbacks and stages are left out.",
)
"""What no log of ours says, and what is done about it."""


def row(one: Replayed) -> dict[str, Any]:
    """Return a call as plain data: what was recorded, what would have been, and which of it differs."""
    call = one.recorded
    first = [(attempt.category, attempt.code, attempt.registry) for attempt in call.attempts]
    before = {
        "policy": call.policy,
        "attempts": call.made,
        "waited": round(call.waited, 6),
        "outcome": call.outcome,
        "failures": [_failure(told) for told in first],
        "executed": executed if isinstance(executed := call.last.get("executed"), str) else None,
    }
    after = {
        "policy": one.policy,
        "attempts": one.attempts,
        "waited": round(one.waited, 6),
        "outcome": one.outcome,
        "failures": [_failure(told) for told in one.failures],
        "executed": one.executed,
    }
    if one.outcome == "not judged":
        return {**_named(one), "recorded": before, "replayed": None, "different": []}
    return {**_named(one), "recorded": before, "replayed": after, "different": list(_different(before, after))}


def compared(log: Log, found: Sequence[Replayed]) -> dict[str, Any]:
    """Return all calls and their sums as plain data."""
    rows = [row(one) for one in found]
    judged = [one for one in rows if one["replayed"] is not None]
    return {
        "log": {
            "lines": log.lines, "events": log.events, "foreign": log.foreign, "not_json": log.broken,
            "calls": len(log.calls), "told_apart_by_operation": log.guessed,
        },
        "summary": {
            "calls": len(rows),
            "judged": len(judged),
            "different": sum(bool(one["different"]) for one in rows),
            "attempts": _both(judged, "attempts"),
            "waited": _both(judged, "waited"),
            "outcomes": {
                "recorded": dict(Counter(one["recorded"]["outcome"] for one in judged)),
                "replayed": dict(Counter(one["replayed"]["outcome"] for one in judged)),
            },
            "categories": _moved(judged),
            "newly_known": _newly_known(judged),
            "no_such_policy": sorted({one.recorded.policy for one in found if one.policy is None}),
        },
        "calls": rows,
        "cannot_tell": list(CANNOT_TELL),
    }  # fmt: skip


def _named(one: Replayed) -> dict[str, Any]:
    call = one.recorded
    return {
        "call": call.name,
        "operation": call.operation,
        "at": round(call.began, 3),
        "retry_safety": call.retry_safety,
    }


def _failure(told: tuple[str | None, str | None, str | None]) -> dict[str, str | None]:
    return dict(zip(("category", "code", "registry"), told, strict=True))


def _different(before: dict[str, Any], after: dict[str, Any]) -> Iterable[str]:
    for name in ("policy", "attempts", "outcome"):
        if before[name] != after[name]:
            yield name
    if abs(before["waited"] - after["waited"]) > _ALIKE:
        yield "waited"
    both = list(zip(before["failures"], after["failures"], strict=False))
    if any(was["category"] != now["category"] for was, now in both):
        yield "category"
    if any(was["registry"] != now["registry"] for was, now in both):
        yield "registry"
    if before["outcome"] == after["outcome"] == "failed" and before["executed"] != after["executed"]:
        yield "executed"


def _both(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    return {when: round(sum(one[when][name] for one in rows), 6) for when in ("recorded", "replayed")}


def _pairs(rows: Sequence[dict[str, Any]]) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    for one in rows:
        yield from zip(one["recorded"]["failures"], one["replayed"]["failures"], strict=False)


def _moved(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the attempts whose category is another one by the new tables."""
    told = Counter(
        (now["registry"], now["code"], was["category"], now["category"])
        for was, now in _pairs(rows)
        if was["category"] != now["category"]
    )
    names = ("registry", "code", "recorded", "replayed")
    return [{**dict(zip(names, key, strict=True)), "attempts": number} for key, number in told.most_common()]


def _newly_known(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the attempts whose code stood in no table, and stands in one now."""
    told = Counter(
        (now["code"], now["registry"], now["category"])
        for was, now in _pairs(rows)
        if was["registry"] is None and now["registry"] is not None
    )
    names = ("code", "registry", "category")
    return [{**dict(zip(names, key, strict=True)), "attempts": number} for key, number in told.most_common()]
