"""Functions that a driver calls in place of the user's own: with stages around them, or of the other colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._core.call.stage import Stage, run_before, run_settle
from .._core.call.steps import Call

__all__ = ["async_reconciler", "stage_async", "stage_sync"]


def async_reconciler(reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async reconciler of one that may be a plain function, whose answer stands at once."""

    async def look(call: Call) -> Any:
        answer = reconcile(call)
        return await answer if hasattr(answer, "__await__") else answer

    return look


def stage_sync(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return `fn` with the user's stages around each attempt."""

    def staged(*args: Any, **kwargs: Any) -> Any:
        call, agreed = run_before(stages)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, agreed, error)
            raise
        run_settle(call, agreed, None)
        return result

    return staged


def stage_async(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return async `fn` with the user's stages around each attempt."""

    async def staged(*args: Any, **kwargs: Any) -> Any:
        call, agreed = run_before(stages)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, agreed, error)
            raise
        run_settle(call, agreed, None)
        return result

    return staged
