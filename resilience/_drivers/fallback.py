"""Returns a substitute when a call has failed for good: the outermost layer around a compiled call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._core.call.plan import PLAIN, Plan
from .._core.call.steps import FailedCall
from .._core.classify.attach import attached_failure
from .._core.policy.sections import FallbackSettings
from .._core.stages.fallback import StaleAnswers, Substitute, applies_to, find_substitute

__all__ = ["fall_back_async", "fall_back_sync"]

Sync = Callable[..., Any]
Async = Callable[..., Awaitable[Any]]
Memory = dict[str, Any]
"""What the compiled calls of one function and operation remember; it outlives a reload."""


def fall_back_sync(plan: Plan, call: Sync, memory: Memory) -> Sync:
    """Return `call` with a fallback."""
    settings, stale = _settings(plan, memory)

    def with_fallback(*args: Any, **kwargs: Any) -> Any:
        try:
            result = call(*args, **kwargs)
            substitute = _substitute(plan, settings, stale, result, args, kwargs)
        except Exception as error:
            substitute = _substitute(plan, settings, stale, error, args, kwargs)
            if substitute is None:
                raise
        if substitute is None:
            return result
        if substitute.from_function and settings.call:
            return settings.call(FailedCall(plan.operation, args, kwargs, None))
        return substitute.value

    return with_fallback


def fall_back_async(plan: Plan, call: Async, memory: Memory) -> Async:
    """Return async `call` with a fallback; a fallback function may be sync or async."""
    settings, stale = _settings(plan, memory)

    async def with_fallback(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await call(*args, **kwargs)
            substitute = _substitute(plan, settings, stale, result, args, kwargs)
        except Exception as error:
            substitute = _substitute(plan, settings, stale, error, args, kwargs)
            if substitute is None:
                raise
        if substitute is None:
            return result
        if substitute.from_function and settings.call:
            value = settings.call(FailedCall(plan.operation, args, kwargs, None))
            return await value if hasattr(value, "__await__") else value
        return substitute.value

    return with_fallback


def _settings(plan: Plan, memory: Memory) -> tuple[FallbackSettings, StaleAnswers | None]:
    settings = plan.policy.fallback
    assert settings is not None
    if settings.stale_for is None:
        return settings, None
    stale: StaleAnswers = memory.setdefault("good", StaleAnswers(settings.stale_for))
    stale.longest = settings.stale_for  # a reload may have changed it
    return settings, stale


def _substitute(
    plan: Plan, settings: FallbackSettings, stale: StaleAnswers | None, outcome: Any, args: Any, kwargs: Any
) -> Substitute | None:
    """Return the substitute for an outcome, or None to let it through; a good answer is stored."""
    raised = isinstance(outcome, Exception)
    if raised and plan.control_flow.includes(outcome):
        return None
    failure = None
    if raised or (plan.info.is_error_response is not None and outcome.__class__ not in PLAIN):
        failure = attached_failure(outcome)
    now = plan.clock.monotonic()
    if not raised and failure is None:
        if stale is not None:
            stale.keep(args, kwargs, outcome, now)
        return None
    if not applies_to(settings, outcome, failure, harmless=plan.idempotent):
        return None
    substitute = find_substitute(settings, stale, args, kwargs, now)
    if substitute is not None:
        plan.emit("fallback_used", code=None if failure is None else failure.code)
    return substitute
