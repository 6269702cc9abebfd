"""Marks code whose reads must reach the API, such as that of a reconciler: none of them is answered from memory.

An answer that was kept from before the write would say "no such order", and the write would be sent twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from .._core.call.steps import FailedCall

__all__ = ["as_lookup", "fresh_reads", "needs_fresh_reads"]

# A variable of its own: the context of a call inside a call inside a lookup does not say that it is part of a lookup.
_FRESH: ContextVar[bool] = ContextVar("resilience_fresh", default=False)
# The blocks under way in all threads: a lookup may ask in a thread of a pool, which has a context of its own.
_UNDER_WAY: set[object] = set()


def needs_fresh_reads() -> bool:
    """Return whether the reads of the code that runs here must reach the API, as all do while one has to."""
    return bool(_UNDER_WAY) or _FRESH.get()


@contextmanager
def fresh_reads() -> Iterator[None]:
    """Send every read that is made inside, or meanwhile, in whichever thread."""
    before, block = _FRESH.get(), object()
    try:
        _UNDER_WAY.add(block)
        _FRESH.set(True)
        yield
    finally:
        try:
            _UNDER_WAY.discard(block)
        finally:
            _FRESH.set(before)  # not by a token: an async block may end in another task's context


def as_lookup(reconcile: Callable[..., Any], *, asynchronous: bool) -> Callable[..., Any]:
    """Return the reconciler, with fresh reads; for an async function an async one, which may call a sync one."""
    if not asynchronous:

        @wraps(reconcile, updated=())  # the event of a broken lookup names the user's function
        def look_up(call: FailedCall) -> Any:
            with fresh_reads():
                return reconcile(call)

        return look_up

    @wraps(reconcile, updated=())
    async def look_up_async(call: FailedCall) -> Any:
        with fresh_reads():
            answer = reconcile(call)
            return await answer if hasattr(answer, "__await__") else answer

    return look_up_async


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_UNDER_WAY.clear)  # the threads of these blocks are not in the child
