"""How an async driver cuts an attempt at its limit, in asyncio and in trio alike.

Imported by the drivers alone. Neither library is imported before it runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import Any

from ._clock import running_trio
from ._limits import begin

__all__ = ["limited"]


async def limited(
    send: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any], seconds: float
) -> Any:
    """Await one attempt for at most these seconds.

    Raises:
        TimeoutError: the attempt was cut at its limit; it may have taken effect.
    """
    if seconds == inf:
        return await send(*args, **kwargs)
    trio = running_trio()
    if trio is not None:
        cut = True
        with trio.move_on_after(max(0.0, seconds)):
            result = await send(*args, **kwargs)
            cut = False
        if cut:
            raise TimeoutError(_cut(seconds))
        return result
    limit: Any
    limits, limit = begin(seconds)
    try:
        result = await send(*args, **kwargs)
    except BaseException as error:
        if limits.end(limit, error):
            raise TimeoutError(_cut(seconds)) from None
        raise
    else:
        limits.end(limit)
        return result
    finally:
        limit = None  # it refers to the task, and a task that failed refers to this frame


def _cut(seconds: float) -> str:
    return f"cut at the attempt's limit of {seconds:.3g} s"
