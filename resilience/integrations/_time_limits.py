"""Computes the timeouts that an HTTP client gets from the time that is left for the attempt."""

from __future__ import annotations

from typing import NamedTuple

from .._core.call.context import current_call

__all__ = ["TimeLimits", "remaining_time", "shorter_timeout"]

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
