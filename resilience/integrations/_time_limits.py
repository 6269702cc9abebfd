"""Computes the timeouts that an HTTP client gets from the time that is left for the attempt."""

from __future__ import annotations

from typing import NamedTuple

from .._core.call.context import CONTEXT, CallContext, CurrentCall, current_call

__all__ = ["AttemptEnd", "TimeLimits", "remaining_time", "shorter_timeout"]

MIN_TIMEOUT = 0.001  # seconds; clients reject a timeout of 0, or read it as "no limit"
ASYNC_SHARE, ASYNC_CONNECT_SHARE = 0.95, 0.8  # of the attempt's time


class TimeLimits(NamedTuple):
    """Seconds that a client may spend on the current attempt: to connect, and on everything else."""

    connect: float
    other: float


def remaining_time(*, asynchronous: bool = False) -> TimeLimits | None:
    """Return the time that is left for the current attempt, or None if it has no limit."""
    call = current_call()
    left = None if call is None else call.timeout
    if left is None:
        return None
    # The driver cancels an async attempt at its limit, and a cancellation does not say whether the request
    # was sent. The client's own timeout does, so it has to fire earlier, and earliest while it connects.
    return TimeLimits(ASYNC_CONNECT_SHARE * left, ASYNC_SHARE * left) if asynchronous else TimeLimits(left, left)


def shorter_timeout(timeout: float | None, left: float) -> float:
    """Return the shorter of the caller's timeout (None for no limit) and the seconds left, at least 1 ms."""
    left = max(left, MIN_TIMEOUT)
    return left if timeout is None else min(timeout, left)


class AttemptEnd:
    """Knows when the attempt that is under way must end. Used by one thread."""

    __slots__ = ("_call", "_context")

    def __init__(self) -> None:
        self._context = CONTEXT.get()
        self._call = None if self._context is None else CurrentCall(CallContext(*self._context))

    @property
    def is_over(self) -> bool:
        """Return whether the attempt is under way and its time is over; False once it has ended."""
        return self._call is not None and self._call.timeout == 0 and CONTEXT.get() is self._context
