"""Marks the code that a reconciler runs: its reads must reach the API.

An answer that was kept from before the write would say "no such order", and the write would be sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from .._core.call.steps import FailedCall

__all__ = ["as_lookup", "is_in_lookup"]

# A variable of its own: the context of a call inside a call inside a lookup does not say that it is part of a lookup.
_IN_LOOKUP: ContextVar[bool] = ContextVar("resilience_lookup", default=False)
is_in_lookup: Callable[[], bool] = _IN_LOOKUP.get
"""Return whether a reconciler runs this code."""


def as_lookup(reconcile: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """Return the reconciler, marked while it runs; for an async function an async one, which may call a sync one."""
    if not asynchronous:

        @wraps(reconcile, updated=())  # the event of a broken lookup names the user's function
        def look_up(call: FailedCall) -> Any:
            before = _IN_LOOKUP.get()
            _IN_LOOKUP.set(True)
            try:
                return reconcile(call)
            finally:
                _IN_LOOKUP.set(before)

        return look_up

    @wraps(reconcile, updated=())
    async def look_up_async(call: FailedCall) -> Any:
        before = _IN_LOOKUP.get()
        _IN_LOOKUP.set(True)
        try:
            answer = reconcile(call)
            return await answer if hasattr(answer, "__await__") else answer
        finally:
            _IN_LOOKUP.set(before)

    return look_up_async
