"""Compiles functions under one policy with everything on, or without some of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import Pipeline, Policy

RETRY = {"max_attempts": 3}
BREAKER = {"failure_rate": "80%", "window": "10s", "min_calls": 20}
QUOTA = [{"rate": 1_000_000, "burst": 10_000}]  # never delays a call: a round is shorter than a tenth of this
AMPLE = [{"rate": 1_000_000, "burst": 1_000_000}]  # never delays a call at full speed for a second either
EVERYTHING: dict[str, Any] = {
    "retry": RETRY,
    "budget": {"ratio": "20%"},
    "breaker": BREAKER,
    "quota": QUOTA,
    "deadline": "30s",
    "attempt_timeout": "8s",
}


def compiled(fn: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    """Return `fn` under a policy of its own, idempotent and without subscribers."""
    call: Callable[..., Any] = Pipeline(Policy(**settings), idempotent=True, log=False).compile(fn)
    return call


def without(*parts: str) -> dict[str, Any]:
    """Return the settings of `EVERYTHING` without these parts."""
    return {name: value for name, value in EVERYTHING.items() if name not in parts}
