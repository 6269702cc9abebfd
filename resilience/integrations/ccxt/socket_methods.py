"""Replaces the methods by which ccxt sends over sockets, so that a message that writes is recorded like a request.

A message's own future says how it ended: by an answer, or because its connection has ended, which answers nothing.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from ..._core.call.context import current_call
from .requests_sent import REQUEST, SentRequest, context_of_no_attempt
from .socket_clients import UNANSWERED, guard_client, sending_attempt
from .throttling import spare_time
from .venue_lookup import message_name

__all__ = ["socket_methods"]


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
            return original.watch(self, *arguments)
        if subscribe_hash is not None and subscribe_hash in self.client(url).subscriptions:
            # ccxt would take it for a subscription that it has, send nothing, and hand out the other request's answer.
            raise self._resilience.errors.timeout(f"{self.id} {attempt.operation}: its request id is in use")
        request = SentRequest("WS", attempt.operation, message_name(message))
        self._resilience.finish_message(request, message)
        token = REQUEST.set(request)
        try:
            future = original.watch(self, *arguments)
        finally:
            REQUEST.reset(token)
        future.add_done_callback(functools.partial(_record_end, request))
        _limit_wait(self, future, attempt.operation)
        return future

    return {"client": client, "spawn": spawn, "watch": watch}


def _record_end(request: SentRequest, future: asyncio.Future[Any]) -> None:
    """Record how a message ended; its error explains the call only if it is an answer to this message."""
    if future.cancelled():
        return
    error = future.exception()
    request.outcome = "accepted" if error is None else "failed"
    if error is not None and not getattr(future, UNANSWERED, False):
        request.error = error


def _limit_wait(engine: Any, future: Any, operation: str) -> None:
    """Let ccxt's own error end the wait shortly before the attempt is cancelled: it says whether the message left."""
    call = current_call()
    left = None if call is None else call.timeout
    if left is None:
        return

    def expire() -> None:
        if not future.done():
            setattr(future, UNANSWERED, True)
            future.set_exception(engine._resilience.errors.timeout(f"{engine.id} {operation}: no answer in time"))

    timer = asyncio.get_running_loop().call_later(max(0.0, left - spare_time(left)), expire)
    future.add_done_callback(lambda _: timer.cancel())
