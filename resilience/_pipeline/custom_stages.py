"""Runs custom stages around each attempt, and adapts sync reconcilers to async functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from .._core.call.attempt_gate import EXPIRED
from .._core.call.context import CONTEXT, CallContext, CurrentCall
from .._core.call.plan import Plan
from .._core.call.sleep_watch import DeadlineWatch
from .._core.call.stage import Stage, run_before, run_settle
from .._core.call.steps import FailedCall
from ..errors import DeadlineExceededError

__all__ = ["async_reconciler", "stage_async", "stage_sync"]


def async_reconciler(reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async reconciler that calls this one, which may be sync or async."""

    @wraps(reconcile, updated=())  # the event of a broken lookup names the user's function
    async def reconcile_async(call: FailedCall) -> Any:
        answer = reconcile(call)
        return await answer if hasattr(answer, "__await__") else answer

    return reconcile_async


def stage_sync(plan: Plan, fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return `fn` with custom stages around each attempt."""

    def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = _enter(plan, stages)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged


def stage_async(plan: Plan, fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return async `fn` with custom stages around each attempt."""

    async def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = _enter(plan, stages)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged


def _enter(plan: Plan, stages: Sequence[Stage]) -> tuple[CurrentCall, list[Stage]]:
    """Ask the stages whether the attempt may be sent, and return those that let it through.

    Raises:
        DeadlineExceededError: a stage has waited until after the deadline, or the machine slept meanwhile.
    """
    deadline = DeadlineWatch(plan.clock, CallContext(*CONTEXT.get()).deadline)
    call, entered = run_before(stages)
    if deadline.is_over:
        rejection = plan.new_rejection(DeadlineExceededError, EXPIRED)
        run_settle(call, entered, rejection)
        raise rejection
    return call, entered
