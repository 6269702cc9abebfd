"""Makes the loading of the markets a call of its own: with its own policy, attempts and time.

ccxt loads them inside the first call that needs them. That call's attempt waits, and its limit does not run meanwhile.
Calls of an async exchange that need them at the same time share one loading, which none of them can cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from ..._core.call.context import clean_context
from ..._core.stages.isolation import cancels_only
from ..._drivers.untimed_wait import untimed_wait
from .attempt import as_attempt
from .requests_sent import ATTEMPT, count_as_reads

__all__ = ["load_markets_async", "load_markets_sync"]

_OPERATIONS = ("load_markets", "loadMarkets")


def load_markets_sync(original: Any) -> Callable[..., Any]:
    """Return the method for the engine of a sync exchange."""

    def load_markets(self: Any, *args: Any, **kwargs: Any) -> Any:
        load = _own_call(self, args, kwargs)
        if load is None:
            with count_as_reads():
                return original.load_markets(self, *args, **kwargs)
        with untimed_wait():
            return load(*args, **kwargs)

    return load_markets


def load_markets_async(original: Any) -> Callable[..., Any]:
    """Return the method for the engine of an async exchange."""

    async def load_markets(self: Any, *args: Any, **kwargs: Any) -> Any:
        load, state = _own_call(self, args, kwargs), self._resilience
        if load is None:
            with count_as_reads():
                loading = asyncio.ensure_future(original.load_markets(self, *args, **kwargs))
                loading.add_done_callback(_retrieve_exception)
                return await asyncio.shield(loading)  # ccxt shares it among all that wait: one must not cancel it
        loop, shared = asyncio.get_running_loop(), state.loading
        if shared is None or shared.done() or shared.get_loop() is not loop:
            # In a context of its own: it belongs to no call, and must not end with the first one's deadline.
            state.loading = loop.create_task(load(*args, **kwargs), context=clean_context())
            state.loading.add_done_callback(_retrieve_exception)
        with untimed_wait():
            return await asyncio.shield(state.loading)

    return load_markets


def _own_call(engine: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[..., Any] | None:
    """Return the call under its own policy that loads the markets; None where this is it, or they are there."""
    attempt = ATTEMPT.get()
    reloads = bool(args[0] if args else kwargs.get("reload", False))
    if attempt is None or attempt.operation in _OPERATIONS or (engine.markets and not reloads):
        return None
    state, load = engine._resilience, engine.load_markets
    if state.compile_loading is None:
        return None
    attempt_of_load = as_attempt(load, state, asynchronous=iscoroutinefunction(load))
    call: Callable[..., Any] = state.compile_loading(attempt_of_load, for_cancel=cancels_only(attempt.operation))
    return call


def _retrieve_exception(loading: asyncio.Future[Any]) -> None:
    """Retrieve the error of a loading that nobody awaits any more, which asyncio would log as never retrieved."""
    if not loading.cancelled():
        loading.exception()
