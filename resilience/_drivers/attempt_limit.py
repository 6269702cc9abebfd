"""Cancels one async attempt at its time limit, under asyncio or trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Any

from .asyncio_timeouts import begin
from .system_clock import running_trio

__all__ = ["limited", "limited_by_trio", "timed_out"]


async def limited(
    send: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any], seconds: float
) -> Any:
    """Await one attempt for at most these seconds.

    Raises:
        TimeoutError: the attempt was cancelled at its limit; it may have taken effect.
    """
    if seconds == inf:
        return await send(*args, **kwargs)
    limit = begin(seconds)
    if limit is None:
        return await limited_by_trio(send, args, kwargs, seconds)
    try:
        return await send(*args, **kwargs)
    except BaseException as error:
        if limit.end(error):
            raise timed_out(seconds) from None
        raise
    finally:
        limit.end()


async def limited_by_trio(
    send: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any], seconds: float
) -> Any:
    """Await one attempt under trio for at most these seconds; errors as for `limited`."""
    cancelled = True
    with running_trio().move_on_after(max(0.0, seconds)):
        result = await send(*args, **kwargs)
        cancelled = False
    if cancelled:
        raise timed_out(seconds)
    return result


def timed_out(seconds: float) -> TimeoutError:
    """Return the error of an attempt that was cancelled at its limit."""
    return TimeoutError(f"cancelled at the attempt's limit of {seconds:.3g} s")
