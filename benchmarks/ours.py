"""Our own rows: one policy, with parts taken away, compiled for a function that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import Pipeline, Policy

RETRY = {"max_attempts": 3}
BREAKER = {"failure_rate": "80%", "window": "10s", "min_calls": 20}
QUOTA = [{"rate": 1_000_000, "burst": 10_000}]  # never in the way: a round is shorter than a tenth of this
AMPLE = [{"rate": 1_000_000, "burst": 1_000_000}]  # not even for a second at full speed, where rounds are longer
EVERYTHING: dict[str, Any] = {
    "retry": RETRY,
    "budget": {"ratio": "20%"},
    "breaker": BREAKER,
    "quota": QUOTA,
    "deadline": "30s",
    "attempt_timeout": "8s",
}


def compiled(fn: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Return `fn` under a policy of its own, harmless to send twice, nobody listening."""
    call: Callable[..., Any] = Pipeline(Policy(**settings), idempotent=True).compile(fn)
    return call


def without(*parts: str) -> dict[str, Any]:
    """Return everything but these parts."""
    return {name: value for name, value in EVERYTHING.items() if name not in parts}
