"""Prepares one attempt of `httpx`: a copy of the request with its key and its timeouts, sent without retries."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from .._attempt_options import AttemptOptions
from .._client_classes import rejection_types
from .._http_calls import CompiledCalls
from .._http_messages import is_marked_failure
from .._time_limits import remaining_time, shorter_timeout

__all__ = ["REJECTION_TYPES", "BaseAdapter", "check_key", "copy_request", "disable_retries", "find_call"]

REJECTION_TYPES: Mapping[type, type] = rejection_types(httpx.RequestError, __name__.rpartition(".")[0], "Httpx")
"""Our rejection classes → subclasses that also inherit `httpx.RequestError`."""


class BaseAdapter:
    """What the adapters of this package share; they differ in how they make an attempt."""

    rejection_types = REJECTION_TYPES

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self.discard = _discard_async if asynchronous else _discard

    def caller_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        key: str | None = args[0].headers.get(header)
        return key

    def is_error_response(self, response: Any) -> bool:
        """Return whether the answer is a failure, by its status or by its mark; the caller still gets the response."""
        return isinstance(response, httpx.Response) and (response.status_code >= 400 or is_marked_failure(response))

    def make_response(self, body: bytes) -> httpx.Response:
        """Return a response with status 200 and this JSON body."""
        return httpx.Response(200, headers={"Content-Type": "application/json"}, content=body)


def _discard(response: httpx.Response) -> None:
    response.close()


async def _discard_async(response: httpx.Response) -> None:
    await response.aclose()


def find_call(calls: CompiledCalls, request: httpx.Request) -> Callable[..., Any]:
    """Return the compiled call for a request. A body that is not plain bytes is sent once: reading consumes it."""
    send_once = not isinstance(request.stream, httpx.ByteStream)
    return calls.for_request(request.method, str(request.url), send_once=send_once)


def copy_request(
    request: httpx.Request, options: AttemptOptions, key: str | None, timeout: httpx.Timeout, *, asynchronous: bool
) -> httpx.Request:
    """Return a copy of a request for one attempt, with its key and no more time than is left.

    The caller's request stays as it is, without the signature that an `httpx.Auth` adds to the copy. The timeouts
    bound the silence between bytes, not the total.

    Args:
        request: the caller's request.
        options: how the attempt is made.
        key: the idempotency key.
        timeout: what holds where the request has no timeout of its own.
        asynchronous: whether the attempt is cancelled at its limit.
    """
    extensions, left = dict(request.extensions), remaining_time(asynchronous=asynchronous)
    if left is not None:
        timeouts = extensions.get("timeout", timeout.as_dict())
        limits = {"connect": left.connect, "pool": left.connect, "read": left.other, "write": left.other}
        extensions["timeout"] = {name: shorter_timeout(timeouts.get(name), limit) for name, limit in limits.items()}
    stream: Any = request.stream
    copy = httpx.Request(request.method, request.url, headers=request.headers, stream=stream, extensions=extensions)
    if isinstance(stream, httpx.ByteStream):
        copy.read()  # so that `copy.content` can be read, which many an `httpx.Auth` signs
    for name, value in options.headers(key).items():
        copy.headers[name] = value
    return copy


def check_key(request: httpx.Request, options: AttemptOptions, key: str | None) -> None:
    """Report a finished request that does not carry its key."""
    if key is not None:
        body = request.content if hasattr(request, "_content") else None
        options.check_key(key, str(request.url), request.headers, body)


def disable_retries(transport: Any) -> None:
    """Switch off the connection retries of a transport, with a warning."""
    pool: Any = getattr(transport, "_pool", None)  # httpx keeps the number in its pool and shows it nowhere
    retries = getattr(pool, "_retries", 0)
    if retries:
        message = f"httpx would connect {retries} more times beneath the policy: switched off on this transport"
        warnings.warn(message, stacklevel=4)
        pool._retries = 0
