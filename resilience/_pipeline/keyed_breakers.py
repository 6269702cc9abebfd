"""Finds the breaker of each call where a policy's function returns its key, so that a key costs a breaker and no more.

The key is found from the call's own arguments, before anything else is done with it. Where something is compiled around
the driver, such as the claim of an idempotency key, which adds an argument, the breaker is found first and handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from .._core.call.driver_plan import FindBreaker
from .._core.stages.breaker import NEW, USED, USED_ONCE, Breaker

__all__ = ["breaker_finder", "found_before", "with_breaker_async", "with_breaker_sync"]

MAX_FOUND = 512  # breakers that one compiled call refers to; the pool has all of them, and more
_Found = tuple[Breaker | None]
"""What one call has found: a tuple of its own, by identity, because other calls find the same breaker."""
_NOTHING: _Found = (None,)
_FOUND: ContextVar[_Found] = ContextVar("resilience_breaker", default=_NOTHING)
"""The breaker of the call that is about to begin. It is read before anything is awaited."""


def breaker_finder(key_of: Callable[..., Any], skip: int, get: Callable[[str], Breaker | None]) -> FindBreaker:
    """Return a function that finds the breakers of one compiled call. Safe across threads and tasks.

    Args:
        key_of: the policy's function.
        skip: how many of the first positional arguments it does not get.
        get: returns the one breaker of a key; None where the policy has no breaker.
    """
    found: dict[str, Breaker] = {}
    known = found.get

    def find(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Breaker | None:
        key = str(key_of(*args[skip:], **kwargs))
        breaker = known(key)
        if breaker is None:
            breaker = get(key)
            if breaker is not None and breaker.use is NEW:
                breaker.use = USED_ONCE  # its key may never come again
            elif breaker is not None:
                breaker.use = USED
                if len(found) >= MAX_FOUND:
                    found.clear()  # one step, and it costs less than to find the oldest
                found[key] = breaker
        return breaker

    return find


def found_before(_args: tuple[Any, ...], _kwargs: Mapping[str, Any]) -> Breaker | None:
    """Return the breaker that `with_breaker_sync` or `with_breaker_async` has found for the call."""
    return _FOUND.get()[0]


def with_breaker_sync(find: FindBreaker, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return `call` so that its driver, compiled with `found_before`, gets the breaker that is found here."""

    def keyed(*args: Any, **kwargs: Any) -> Any:
        around = _FOUND.get()
        found = (find(args, kwargs),)
        try:
            _FOUND.set(found)
            return call(*args, **kwargs)
        finally:
            _FOUND.set(around)

    return keyed


def with_breaker_async(find: FindBreaker, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `call` with the breaker that is found here; written like `with_breaker_sync`."""

    async def keyed(*args: Any, **kwargs: Any) -> Any:
        around = _FOUND.get()
        found = (find(args, kwargs),)
        try:
            _FOUND.set(found)
            return await call(*args, **kwargs)
        finally:
            # A coroutine that nobody awaits any more ends wherever it is collected: in the context of another call,
            # which may be about to read what it has found.
            if _FOUND.get() is found:
                _FOUND.set(around)

    return keyed
