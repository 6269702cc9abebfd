"""Replaces the methods by which ccxt sends over sockets, so that a message that writes is recorded like a request.

A message's own future says how it ended: by an answer, or because its connection has ended, which answers nothing.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from ..._core.call.context import current_call
from ..._drivers.asyncio_timeouts import innermost_limit
from .requests_sent import REQUEST, SentRequest, context_of_no_attempt
from .socket_clients import LIMIT, UNANSWERED, guard_client, sending_attempt
from .throttling import no_time_left, spare_time
from .venue_lookup import message_name

__all__ = ["socket_methods"]

_POLL = 0.1  # seconds
_TOLERANCE = 0.02  # seconds; the two clocks are read one after the other


def socket_methods(original: Any) -> dict[str, Callable[..., Any]]:
    """Return the methods of sockets, for the engine of an async exchange."""

    def client(self: Any, *args: Any, **kwargs: Any) -> Any:
        return guard_client(original.client(self, *args, **kwargs), self.id)

    def spawn(self: Any, *args: Any, **kwargs: Any) -> Any:
        return context_of_no_attempt().run(functools.partial(original.spawn, self, *args, **kwargs))

    def watch(
        self: Any,
        url: str,
        message_hash: Any,
        message: Any = None,
        subscribe_hash: Any = None,
        subscription: Any = None,
    ) -> Any:
        attempt = sending_attempt()
        arguments = (url, message_hash, message, subscribe_hash, subscription)
        if attempt is None or message is None:
            return _watch(original, self, *arguments)
        if subscribe_hash is not None and subscribe_hash in self.client(url).subscriptions:
            # ccxt would take it for a subscription that it has, send nothing, and hand out the other request's answer.
            raise self._resilience.errors.timeout(f"{self.id} {attempt.operation}: its request id is in use")
        request = SentRequest("WS", attempt.operation, message_name(message, url))
        self._resilience.finish_message(request, message)
        token = REQUEST.set(request)
        try:
            future = request.future = _watch(original, self, *arguments)
        finally:
            REQUEST.reset(token)
        future.add_done_callback(functools.partial(_record_end, request))
        _limit_wait(self, future, request)
        return future

    return {"client": client, "spawn": spawn, "watch": watch}


def _watch(original: Any, engine: Any, *arguments: Any) -> Any:
    """Let ccxt send from a task of its own, which knows the limit of the attempt that waits here."""
    token = LIMIT.set(innermost_limit())
    try:
        return original.watch(engine, *arguments)
    finally:
        LIMIT.reset(token)


def _record_end(request: SentRequest, future: asyncio.Future[Any]) -> None:
    """Record how a message ended; its error explains the call only if it is an answer to this message."""
    request.future = None  # it refers to this request
    if future.cancelled():
        return
    error = future.exception()
    request.outcome = "accepted" if error is None else "failed"
    if error is not None and not getattr(future, UNANSWERED, False):
        request.error = error


def _limit_wait(engine: Any, future: Any, request: SentRequest) -> None:
    """Let ccxt's own error end the wait shortly before the attempt is cancelled: it says whether the message left."""
    if _seconds_left() is not None:
        watch = _LimitWatch(engine, future, request)
        watch.arm()
        future.add_done_callback(watch.stop)


def _seconds_left() -> float | None:
    call = current_call()
    return None if call is None else call.timeout


class _LimitWatch:
    """Ends the wait for an answer before the attempt's limit, which moves while ccxt waits for its rate limit."""

    def __init__(self, engine: Any, future: Any, request: SentRequest) -> None:
        self._engine, self._future, self._request = engine, future, request
        self._loop = asyncio.get_running_loop()
        self._until = self._ends_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        """Begin to wait for the limit as it is now."""
        left, now = _seconds_left() or 0.0, self._loop.time()
        self._until, self._ends_at = now + left, now + left - spare_time(left)
        self._wait()

    def _wait(self) -> None:
        # A wait for the rate limit may end at any time, and the limit is then earlier than the end of the call.
        soonest = self._loop.time() + _POLL if self._request.is_throttled else self._ends_at
        self._timer = self._loop.call_at(min(self._ends_at, soonest), self._check)

    def _check(self) -> None:
        left, now = _seconds_left(), self._loop.time()
        if left is None or self._future.done():
            return
        if abs(now + left - self._until) > _TOLERANCE:
            self.arm()
        elif now < self._ends_at:
            self._wait()
        else:
            self._end()

    def _end(self) -> None:
        engine, request = self._engine, self._request
        setattr(self._future, UNANSWERED, True)
        text = f"{engine.id} {request.path}: no answer in time"
        unsent = request.is_throttled
        self._future.set_exception(no_time_left(engine) if unsent else engine._resilience.errors.timeout(text))

    def stop(self, _future: Any) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
