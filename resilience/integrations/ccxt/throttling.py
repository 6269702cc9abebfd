"""Replaces the method by which ccxt waits for its own rate limit, so that the wait is no part of an attempt's time.

Where the policy has a quota, the quota rules, and ccxt does not wait: the two would add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ..._core.call.context import current_call
from ..._drivers.untimed_wait import untimed_wait

__all__ = ["MAX_SPARE", "no_time_left", "spare_time", "throttle_async", "throttle_sync"]

MAX_SPARE = 0.05  # seconds, and the share of the time left


def spare_time(left: float) -> float:
    """Return by how many seconds ccxt has to finish before an async attempt is cancelled.

    ccxt's own error says whether the request was sent, and the cancellation does not.
    """
    return min(MAX_SPARE, left * MAX_SPARE)


def throttle_sync(original: Any) -> Callable[..., Any]:
    """Return the method for the engine of a sync exchange."""

    def throttle(self: Any, *args: Any, **kwargs: Any) -> None:
        call = current_call()
        if call is not None and call.has_quota:
            return
        with untimed_wait():
            original.throttle(self, *args, **kwargs)
        if call is not None:
            if call.deadline == 0.0:
                raise no_time_left(self)
            call.check_isolation()

    return throttle


def throttle_async(original: Any) -> Callable[..., Any]:
    """Return the method for the engine of an async exchange."""

    async def throttle(self: Any, *args: Any, **kwargs: Any) -> None:
        call = current_call()
        if call is not None and call.has_quota:
            return
        left = None if call is None else call.deadline
        try:  # a call that still waits has sent nothing, and its error has to say so
            async with asyncio.timeout(None if left is None else left - spare_time(left)) as limit:
                with untimed_wait():
                    await original.throttle(self, *args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            raise no_time_left(self) from None
        if call is not None:
            call.check_isolation()

    return throttle


def no_time_left(exchange: Any) -> Exception:
    """Return the error of a call whose time was over before ccxt's rate limit let it send."""
    text = f"{exchange.id} ccxt's own rate limit left no time to send"
    error: Exception = exchange._resilience.errors.rate_limit(text)
    return error
