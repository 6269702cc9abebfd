"""Runs custom stages around each attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._core.call.stage import Stage, run_before, run_settle

__all__ = ["stage_async", "stage_sync"]


def stage_sync(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return `fn` with custom stages around each attempt."""

    def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = run_before(stages)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged


def stage_async(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return async `fn` with custom stages around each attempt."""

    async def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = run_before(stages)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged
