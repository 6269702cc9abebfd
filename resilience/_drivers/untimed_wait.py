"""Takes a wait out of the time of the attempt around it, such as a client's wait for its own rate limit.

Such a wait says nothing of the service. It may last until the end of the call, and the attempt has its whole time when
it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from .._core.call.context import CONTEXT, CallContext
from .asyncio_timeouts import TimeLimit, innermost_limit

__all__ = ["untimed_wait"]

_UNTIL = CallContext._fields.index("until")


@contextmanager
def untimed_wait(limit: TimeLimit | None = None) -> Iterator[None]:
    """Let the limit of the attempt around move on by as long as the block lasts, at most to the end of the call.

    Args:
        limit: the attempt's limit, where another task than the attempt's own waits; None for the running task's.
    """
    context = CONTEXT.get()
    values = None if not context else CallContext(*context)
    if values is None or values.until == inf:
        yield
        return
    limit, now = limit or innermost_limit(), values.owner.clock.monotonic
    started, room = now(), values.deadline - values.until
    limit_until = 0.0 if limit is None else limit.until
    _move(context, values.deadline, limit, limit_until + room)
    try:
        yield
    finally:
        waited = min(now() - started, room)
        _move(context, values.until + waited, limit, limit_until + waited)


def _move(context: list[object], until: float, limit: TimeLimit | None, limit_until: float) -> None:
    if context:  # it is empty once the attempt has ended
        context[_UNTIL] = until
    if limit is not None:
        limit.move_to(limit_until)
