"""Runs the lookup of a write whose call is over: where its client can be used, and for a limited time.

An async client belongs to the event loop of its call. The lookup is made there, and the asking thread waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.call.context import CONTEXT
from .._core.call.late_lookup import LateLookup, LookupResult
from .attempt_limit import limited
from .system_clock import running_trio

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["current_place", "look_up_async", "look_up_sync"]

_GRACE = 2.0  # seconds for an event loop to answer that has cancelled the lookup at its limit


def current_place() -> Any:
    """Return the event loop that runs now: asyncio's, or the token of trio's; None in a plain thread."""
    trio = running_trio()
    if trio is not None:
        return trio.lowlevel.current_trio_token()
    asyncio: Any = sys.modules.get("asyncio")
    return getattr(asyncio, "_get_running_loop", lambda: None)()


def look_up_sync(lookup: LateLookup, seconds: float) -> LookupResult:
    """Look a write up in this thread. The time is a deadline for the calls of the reconciler."""
    sent = lookup.plan.clock.monotonic()
    context, answer = lookup.context(sent, seconds), None
    token = CONTEXT.set(context)
    try:
        answer = lookup.plan.reconcile(lookup.call)
    except Exception as error:
        answer = error
    finally:
        context.clear()
        CONTEXT.reset(token)
    return lookup.judge(answer, sent)


def look_up_async(lookup: LateLookup, seconds: float) -> LookupResult:
    """Look a write up in the event loop of its client; blocks this thread.

    Raises:
        LookupError: the event loop has ended, does not run now, or runs in this thread.
    """

    async def ask() -> LookupResult:
        sent = lookup.plan.clock.monotonic()
        context, answer = lookup.context(sent, seconds), None
        CONTEXT.set(context)  # in the context of this task alone
        try:
            answer = await limited(lookup.plan.reconcile, (lookup.call,), {}, seconds)
        except Exception as error:
            answer = error
        finally:
            context.clear()
        return lookup.judge(answer, sent)

    if lookup.place is current_place():
        raise LookupError("this thread runs the event loop of the client: ask from another thread")
    is_asyncio = hasattr(lookup.place, "call_soon_threadsafe")
    return (_ask_asyncio if is_asyncio else _ask_trio)(lookup.place, ask, seconds + _GRACE)


def _ask_asyncio(loop: Any, ask: Callable[[], Any], seconds: float) -> LookupResult:
    import asyncio

    if not loop.is_running():
        raise LookupError("the event loop of its client does not run any more")
    asked: Future[LookupResult] = asyncio.run_coroutine_threadsafe(ask(), loop)
    try:
        return asked.result(seconds)
    except TimeoutError:
        asked.cancel()
        raise LookupError("the event loop of its client does not answer: something blocks it") from None


def _ask_trio(token: Any, ask: Callable[[], Any], _seconds: float) -> LookupResult:
    import trio

    try:
        return trio.from_thread.run(ask, trio_token=token)  # type: ignore[no-any-return]  # trio types it by `ask`
    except trio.RunFinishedError:
        raise LookupError("the event loop of its client does not run any more") from None
