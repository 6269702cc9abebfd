"""Reports each call that ended well, with its duration. Compiled into a call only while somebody listens to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.base.context_variables import reset_variable
from .._core.call.plan import Plan
from .._core.call.success_mark import MARK, SuccessMark

__all__ = ["report_successes_async", "report_successes_sync"]


def report_successes_sync(plan: Plan, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` with an event for each success."""
    now = plan.clock.monotonic

    def reporting(*args: Any, **kwargs: Any) -> Any:
        began, mark = now(), SuccessMark(plan)
        token = MARK.set(mark)
        try:
            result = call(*args, **kwargs)
        finally:
            reset_variable(MARK, token)
        if mark.attempts:
            plan.emit_success(now() - began, mark.attempts, args, kwargs)
        return result

    return reporting


def report_successes_async(plan: Plan, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `call` with an event for each success; written like `report_successes_sync`."""
    now = plan.clock.monotonic

    async def reporting(*args: Any, **kwargs: Any) -> Any:
        began, mark = now(), SuccessMark(plan)
        token = MARK.set(mark)
        try:
            result = await call(*args, **kwargs)
        finally:
            reset_variable(MARK, token)
        if mark.attempts:
            plan.emit_success(now() - began, mark.attempts, args, kwargs)
        return result

    return reporting
