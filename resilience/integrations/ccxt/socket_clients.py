"""Guards ccxt's socket clients: each message that leaves is recorded, and what outlives a call belongs to no call.

ccxt sends a message from a task of its own, when the connection is open and its rate limit allows. By then the call
may have ended, and would have been reported as not executed: such a message is dropped.
"""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Any

from ..._core.call.context import current_call
from ..._drivers.asyncio_timeouts import TimeLimit
from ..._drivers.untimed_wait import untimed_wait
from .exchange_facts import KEY_NAMES
from .method_names import is_read, is_watch
from .requests_sent import ATTEMPT, REQUEST, SentRequest, SentRequests, context_of_no_attempt, is_set_up_under_way

__all__ = ["LIMIT", "UNANSWERED", "guard_client", "sending_attempt"]

LIMIT: ContextVar[TimeLimit | None] = ContextVar("resilience_ccxt_limit", default=None)
"""The time limit of the attempt whose message is sent by another task."""
_GUARDED = "resilience_guarded"
UNANSWERED = "resilience_unanswered"
"""An attribute of the futures that were rejected for another reason than an answer to their own request."""


def guard_client(client: Any, exchange_id: str) -> Any:
    """Return a socket client of ccxt, guarded; it is guarded once, whoever has made it."""
    if getattr(client, _GUARDED, False):
        return client
    client.send = functools.partial(_send, client, client.send, exchange_id)
    client.connect = functools.partial(_connect, client.connect)
    client.reject = functools.partial(_reject, client, client.reject)
    client.throttle = functools.partial(_throttle, client.throttle)
    setattr(client, _GUARDED, True)
    return client


def sending_attempt() -> SentRequests | None:
    """Return the attempt whose own messages are sent here; None for a subscription, a login, and calls of nobody."""
    attempt = ATTEMPT.get()
    return None if attempt is None or is_set_up_under_way() or is_watch(attempt.operation) else attempt


async def _send(client: Any, send: Any, exchange_id: str, message: Any) -> Any:
    attempt = sending_attempt()
    if attempt is not None:
        if attempt.is_over:
            return None
        if not client.closed():  # else ccxt raises before anything has left
            request = REQUEST.get() or SentRequest("WS", attempt.operation)
            if _is_isolated(request):
                return None
            attempt.record(request, reads=is_read(attempt.operation))
            if request.takes_key:
                request.check_key("", None, message, KEY_NAMES.get(exchange_id))
    return await send(message)


def _is_isolated(request: SentRequest) -> bool:
    """Return whether the policy was isolated since the attempt began; the call that waits for an answer gets the error.

    Raised here, it would be an error of the connection, and all that wait for it would get it.
    """
    call, future = current_call(), request.future
    try:
        if call is not None:
            call.check_isolation()
    except Exception as error:
        if future is not None and not future.done():
            setattr(future, UNANSWERED, True)
            future.set_exception(error)
        return True
    return False


def _connect(connect: Any, *args: Any, **kwargs: Any) -> Any:
    # The loops that receive and ping start here, and inherit the context.
    return context_of_no_attempt().run(functools.partial(connect, *args, **kwargs))


def _reject(client: Any, reject: Any, result: Any, message_hash: Any = None) -> Any:
    if message_hash is None:  # everything that waits for this connection is rejected, by one error
        for future in tuple(client.futures.values()):
            setattr(future, UNANSWERED, True)
    return reject(result, message_hash)


async def _throttle(throttle: Any, *args: Any, **kwargs: Any) -> None:
    call = current_call()
    if call is not None and call.has_quota:  # the two would add up
        return
    request = REQUEST.get() or SentRequest("WS", None)
    request.is_throttled = True
    with untimed_wait(LIMIT.get()):  # it says nothing of the service, and is no attempt's time
        await throttle(*args, **kwargs)
    request.is_throttled = False
