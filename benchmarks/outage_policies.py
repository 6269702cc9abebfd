"""The alternatives to the built-in policy that were tried: `python -m benchmarks.outage --alternatives`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resilience import Policies, Policy


def policy(**changes: Any) -> Policy:
    """Return the built-in policy with some settings changed."""
    parts = {"deadline": "30s", "attempt_timeout": "8s", "retry": {"max_attempts": 3}, "budget": {"ratio": "20%"}}
    breaker = {"failure_rate": "80%", "window": "10s", "min_calls": 20, "open_for": "1s"}
    breaker |= changes.pop("breaker", {}) or {}
    return Policy(**{**parts, "breaker": breaker, **changes})


def built_in() -> Policy:
    return Policies.builtin().pipeline("default").policy


def alternatives() -> Iterator[tuple[str, Policy]]:
    """Yield the names and the policies that were tried."""
    yield "retry alone", Policy(deadline="30s", retry={"max_attempts": 3})
    yield "budget 20 %, no breaker", Policy(deadline="30s", retry={"max_attempts": 3}, budget={"ratio": "20%"})
    for rate in ("50%", "65%", "80%", "90%"):
        yield f"rate {rate}, open 1 s", policy(breaker={"failure_rate": rate, "growth": 1})
    for open_for, growth, open_max in (
        ("500ms", 1, "1s"), ("2s", 1, "2s"), ("5s", 1, "5s"), ("1s", 2, "2s"), ("1s", 2, "5s"), ("1s", 2, "30s")
    ):  # fmt: skip
        yield (
            f"rate 80 %, open {open_for}, growth {growth} to {open_max}",
            policy(breaker={"open_for": open_for, "growth": growth, "open_max": open_max}),
        )
    for calls in (5, 10, 50):
        yield f"rate 80 %, open 1 s, min_calls {calls}", policy(breaker={"min_calls": calls, "growth": 1})
    for window in ("5s", "30s"):
        yield f"rate 80 %, open 1 s, window {window}", policy(breaker={"window": window, "growth": 1})
    for ratio in ("10%", "25%", "30%", "50%"):
        yield f"rate 80 %, open 1 s, budget {ratio}", policy(budget={"ratio": ratio}, breaker={"growth": 1})
    yield (
        "rate 80 %, open 1 s, 3 permits",
        policy(breaker={"growth": 1, "half_open": {"permits": 3, "successes": 1}}),
    )
    yield (
        "5 failures in a row, open 60 s",
        policy(breaker={"failure_rate": None, "consecutive": 5, "open_for": "60s", "open_max": "60s", "growth": 1}),
    )
