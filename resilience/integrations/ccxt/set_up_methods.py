"""Replaces the methods by which ccxt prepares a write, so that what they send counts as reads.

Signing in, asking for the account or approving a fee places no order, whatever HTTP verb it uses.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextlib import nullcontext
from typing import Any

from ..._core.call.context import current_call
from .method_names import is_set_up, signs_in
from .requests_sent import ATTEMPT, count_as_reads
from .throttling import spare_time

__all__ = ["as_set_up", "set_up_methods"]


def set_up_methods(original: type, *, asynchronous: bool) -> dict[str, Callable[..., Any]]:
    """Return these methods for the engines of a class."""
    methods = {
        name: method
        for base in reversed(original.__mro__)
        for name, method in vars(base).items()
        if inspect.isfunction(method) and is_set_up(name) and method.__name__ == name
    }
    # Not where a subclass has put another function in its place, whatever that one's own name is.
    methods = {name: method for name, method in methods.items() if getattr(original, name) is method}
    return as_set_up({name: method for name, method in methods.items() if _fits(method, asynchronous)})


def as_set_up(methods: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return methods of an engine, with those among them that prepare a write counting as reads."""
    return {name: _as_set_up(method) if is_set_up(name) else method for name, method in methods.items()}


def _fits(method: Callable[..., Any], asynchronous: bool) -> bool:
    return inspect.iscoroutinefunction(method) is asynchronous


def _as_set_up(method: Callable[..., Any]) -> Callable[..., Any]:
    name = method.__name__
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def prepare_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            with nullcontext() if _is_own_call(name) else count_as_reads():
                preparing = method(self, *args, **kwargs)
                return await (_login(self, preparing) if signs_in(name) else preparing)

        return prepare_async

    @functools.wraps(method)
    def prepare(self: Any, *args: Any, **kwargs: Any) -> Any:
        with nullcontext() if _is_own_call(name) else count_as_reads():
            return method(self, *args, **kwargs)

    return prepare


async def _login(engine: Any, signing_in: Coroutine[Any, Any, Any]) -> Any:
    """Wait for a login as long as the attempt lasts; it goes on then, because all calls of a socket share it."""
    call = current_call()
    left = None if call is None else call.timeout
    signed_in = asyncio.ensure_future(signing_in)
    signed_in.add_done_callback(_retrieve_exception)
    try:
        async with asyncio.timeout(None if left is None else left - spare_time(left)) as limit:
            return await asyncio.shield(signed_in)
    except TimeoutError:
        if not limit.expired():
            raise
        raise engine._resilience.errors.timeout(f"{engine.id} the login was not answered in time") from None


def _retrieve_exception(signed_in: asyncio.Future[Any]) -> None:
    """Retrieve the error of a login that nobody awaits any more, which asyncio would log as never retrieved."""
    if not signed_in.cancelled():
        signed_in.exception()


def _is_own_call(name: str) -> bool:
    """Return whether it is the caller's own method that prepares nothing: it may have been declared a write."""
    attempt = ATTEMPT.get()
    return attempt is not None and attempt.operation == name
