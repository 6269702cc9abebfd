"""Limits and finishes one attempt of `aiohttp`: its timeout, where it ends, and no second try by aiohttp itself."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol

from .._client_classes import rejection_types
from .._http_calls import AttemptOptions
from .._http_messages import is_json
from .._rate_limit_headers import report_rate_limits, wait_is_in_body
from .._time_limits import TimeLimits, shorter_timeout

__all__ = ["REJECTION_TYPES", "BaseAdapter", "disable_second_try", "finish_attempt", "limit_timeout"]

REJECTION_TYPES: Mapping[type, type] = rejection_types(aiohttp.ClientError, __name__.rpartition(".")[0], "Aiohttp")
"""Our rejection classes → subclasses that also inherit `aiohttp.ClientError`."""
BUFFER_SIZE = 65_536  # bytes that a stream reader buffers before it pauses its transport: aiohttp's own default


class BaseAdapter:
    """What the adapters of this package share; they differ in how they make an attempt."""

    asynchronous = True
    rejection_types = REJECTION_TYPES

    def make_response(self, _body: bytes) -> None:
        """Return None: a `ClientResponse` cannot be built by hand. The caller gets the reconciler's own value."""

    def is_error_response(self, response: Any) -> bool:
        """Return whether the status is 4xx or 5xx; the caller still gets the response, as users of aiohttp expect."""
        return isinstance(response, aiohttp.ClientResponse) and response.status >= 400

    def discard(self, response: aiohttp.ClientResponse) -> None:
        """Release a response, which returns its connection to the pool."""
        response.release()


async def finish_attempt(response: aiohttp.ClientResponse, options: AttemptOptions) -> aiohttp.ClientResponse:
    """End an attempt at the headers, or after a JSON body if the options ask for it."""
    report_rate_limits(response)
    reads_body = options.reads_body() or wait_is_in_body(response.status, response.headers)
    if is_json(response.headers.get("Content-Type")) and reads_body:
        body = await response.read()
        # The body is in memory now, and the stream is consumed. The caller may stream it, so it gets a new one.
        loop = response._loop
        response.content = aiohttp.StreamReader(BaseProtocol(loop), max(len(body), BUFFER_SIZE), loop=loop)
        response.content.feed_data(body)
        response.content.feed_eof()
    return response


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
