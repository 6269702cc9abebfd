"""Limits and finishes one attempt of `aiohttp`: its timeout, where it ends, and no second try by aiohttp itself."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import aiohttp
from aiohttp.payload import BytesPayload

from .._attempt_options import AttemptOptions
from .._client_classes import rejection_types
from .._http_messages import is_json, is_marked_failure
from .._rate_limit_headers import report_rate_limits, wait_is_in_body
from .._time_limits import TimeLimits, shorter_timeout
from .made_response import full_stream, new_response

__all__ = ["REJECTION_TYPES", "BaseAdapter", "check_key", "disable_second_try", "finish_attempt", "limit_timeout"]

REJECTION_TYPES: Mapping[type, type] = rejection_types(aiohttp.ClientError, __name__.rpartition(".")[0], "Aiohttp")
"""Our rejection classes → subclasses that also inherit `aiohttp.ClientError`."""


class BaseAdapter:
    """What the adapters of this package share; they differ in how they make an attempt."""

    asynchronous = True
    rejection_types = REJECTION_TYPES

    def make_response(self, body: bytes) -> aiohttp.ClientResponse:
        """Return a response with status 200 and this JSON body."""
        return new_response(body)

    def is_error_response(self, response: Any) -> bool:
        """Return whether the answer is a failure, by its status or by its mark; the caller still gets the response."""
        return isinstance(response, aiohttp.ClientResponse) and (response.status >= 400 or is_marked_failure(response))

    def discard(self, response: aiohttp.ClientResponse) -> None:
        """Release a response, which returns its connection to the pool."""
        response.release()


async def finish_attempt(
    response: aiohttp.ClientResponse, options: AttemptOptions, key: str | None
) -> aiohttp.ClientResponse:
    """End an attempt at the headers, or after the body if asked for; mark an answer that proves nothing."""
    report_rate_limits(response)
    is_marked = options.mark_status(response, response.status)
    is_judged = not is_marked and options.judges_body(response.status, key)
    reads_body = options.reads_body() or wait_is_in_body(response.status, response.headers)
    if is_judged or (is_json(response.headers.get("Content-Type")) and reads_body):
        body = await response.read()
        if is_judged and options.mark_answer(response, response.status, response.headers, body, key):
            _close_connection(response)
        # The body is in memory now, and the stream is consumed. The caller may stream it, so it gets a new one.
        response.content = full_stream(body, response._loop)
    return response


def _close_connection(response: aiohttp.ClientResponse) -> None:
    """Close the connection of an answer that proved unreadable: the rest of it may still arrive."""
    response.close()
    protocol = getattr(response, "_protocol", None)  # the response itself has given its connection back by now
    if protocol is not None:
        protocol.close()
    response._released = False  # the caller may read the body, which is in memory


def check_key(request: aiohttp.ClientRequest, options: AttemptOptions, key: str | None) -> None:
    """Report a finished request that does not carry its key."""
    if key is None:
        return
    body = request.body
    # A payload of bytes says what it holds; all others are consumed by reading.
    content = body if isinstance(body, bytes) else body._value if isinstance(body, BytesPayload) else None
    options.check_key(key, str(request.url), request.headers, content)


def limit_timeout(timeout: Any, left: TimeLimits) -> aiohttp.ClientTimeout:
    """Return the caller's timeout, cut to the time that is left in all, and to less for the connection.

    The `total` of aiohttp also bounds the reading of the body.
    """
    if not isinstance(timeout, aiohttp.ClientTimeout):
        timeout = aiohttp.ClientTimeout(total=timeout)
    return aiohttp.ClientTimeout(
        total=shorter_timeout(timeout.total or None, left.other),
        connect=shorter_timeout(timeout.connect or None, left.connect),
        sock_read=timeout.sock_read,
        sock_connect=timeout.sock_connect,
        ceil_threshold=inf,  # aiohttp rounds timeouts above the threshold up to a whole second
    )


def disable_second_try(session: Any) -> bool:
    """Switch off aiohttp's second try of an idempotent request whose connection broke; return whether it was on.

    There is no warning: it is on in every session, and the user did not choose it.
    """
    was_on = getattr(session, "_retry_connection", False) is True
    if was_on:
        session._retry_connection = False
    return was_on
