"""Fallback: what the caller gets when a call fails for good. The outermost layer around a compiled call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._core.call.plan import PLAIN, Plan
from .._core.call.steps import Call
from .._core.classify.attach import attached_failure
from .._core.policy.sections import FallbackSettings
from .._core.stages.fallback import StaleAnswers, Substitute, applies_to, find_substitute

__all__ = ["fall_back_async", "fall_back_sync"]

Sync = Callable[..., Any]
Async = Callable[..., Awaitable[Any]]
Memory = dict[str, Any]
"""What the compiled calls of one function and operation remember; a reload hands it on."""


def fall_back_sync(plan: Plan, call: Sync, memory: Memory) -> Sync:
    """Return `call` with what stands in when it fails for good."""
    rules, good = _rules(plan, memory)

    def covered(*args: Any, **kwargs: Any) -> Any:
        try:
            result = call(*args, **kwargs)
            covering = _covering(plan, rules, good, result, args, kwargs)
        except Exception as error:
            covering = _covering(plan, rules, good, error, args, kwargs)
            if covering is None:
                raise
        if covering is None:
            return result
        return rules.call(_told(plan, args, kwargs)) if covering.asked and rules.call else covering.value

    return covered


def fall_back_async(plan: Plan, call: Async, memory: Memory) -> Async:
    """Return async `call` with what stands in when it fails for good; a fallback function may be either colour."""
    rules, good = _rules(plan, memory)

    async def covered(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await call(*args, **kwargs)
            covering = _covering(plan, rules, good, result, args, kwargs)
        except Exception as error:
            covering = _covering(plan, rules, good, error, args, kwargs)
            if covering is None:
                raise
        if covering is None:
            return result
        value = rules.call(_told(plan, args, kwargs)) if covering.asked and rules.call else covering.value
        return await value if covering.asked and hasattr(value, "__await__") else value

    return covered


def _rules(plan: Plan, memory: Memory) -> tuple[FallbackSettings, StaleAnswers | None]:
    rules = plan.policy.fallback
    assert rules is not None
    if rules.stale_for is None:
        return rules, None
    good: StaleAnswers = memory.setdefault("good", StaleAnswers(rules.stale_for))
    good.longest = rules.stale_for
    return rules, good


def _covering(
    plan: Plan, rules: FallbackSettings, good: StaleAnswers | None, outcome: Any, args: Any, kwargs: Any
) -> Substitute | None:
    """Return what stands in for this outcome; a good answer is remembered, and None lets it through."""
    raised = isinstance(outcome, Exception)
    failure = (
        attached_failure(outcome)
        if raised or (plan.info.is_error_response is not None and outcome.__class__ not in PLAIN)
        else None
    )
    now = plan.clock.monotonic()
    if not raised and failure is None:
        if good is not None:
            good.keep(args, kwargs, outcome, now)
        return None
    found = (
        find_substitute(rules, good, args, kwargs, now)
        if applies_to(rules, outcome, failure, harmless=plan.idempotent)
        else None
    )
    if found is not None:
        plan.emit("fallback_used", code=None if failure is None else failure.code)
    return found


def _told(plan: Plan, args: Any, kwargs: Any) -> Call:
    return Call(plan.operation, args, kwargs, None)
