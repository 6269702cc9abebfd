"""Wraps an `httpx.Client` or `httpx.AsyncClient`: every request that it sends is under a policy.

A wrapped client is a real client of httpx that shares its state with the original. Each attempt sends a copy of
the request through httpx's own `send`, so that an `httpx.Auth` signs it again. The body is read unless the
caller streams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ..._entry.operation_rules import OperationRules
from ...errors import RejectedError
from .._client_classes import original_class, wrapped_class
from .._http_calls import AttemptOptions, CompiledCalls
from .._http_messages import mark_redirected, mark_uncertain
from .._rate_limit_headers import report_rate_limits
from .attempt import BaseAdapter, copy_request, disable_retries, find_call

__all__ = ["wrap"]


def wrap(client: Any, rules: OperationRules) -> Any:
    """Return a client of the same class that shares the original's state, with every request under a policy."""
    for transport in (client._transport, *client._mounts.values()):
        disable_retries(transport)
    original = original_class(client)
    send = _send_async if issubclass(original, httpx.AsyncClient) else _send
    wrapped: Any = object.__new__(wrapped_class(original, {"send": send}))
    wrapped.__dict__ = client.__dict__  # the same dict: cookies, headers and connections are shared
    object.__setattr__(wrapped, "_resilience", CompiledCalls(ClientAdapter(wrapped, original), rules))
    return wrapped


def _send(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.Client.send`."""
    with _rejections_with(request):
        return _with_request(find_call(self._resilience, request)(request, **options), request)


async def _send_async(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.AsyncClient.send`."""
    with _rejections_with(request):
        return _with_request(await find_call(self._resilience, request)(request, **options), request)


def _with_request(response: httpx.Response, request: httpx.Request) -> httpx.Response:
    """Return the response. One that a lookup made gets its request: httpx's `raise_for_status` needs it."""
    if isinstance(response, httpx.Response) and response._request is None:
        response.request = request
    return response


@contextmanager
def _rejections_with(request: httpx.Request) -> Iterator[None]:
    """Set the request of a rejection, as httpx does for each of its errors."""
    try:
        yield
    except RejectedError as error:
        if isinstance(error, httpx.RequestError):
            error.request = request
        raise


@contextmanager
def _marking_redirects(request: httpx.Request) -> Iterator[None]:
    """Mark an error of a later request than this one as uncertain: a redirect was followed."""
    try:
        yield
    except httpx.RequestError as error:
        # Not `error.request`, which raises if it is not set.
        if error._request not in (None, request):
            mark_uncertain(error)
        raise


class ClientAdapter(BaseAdapter):
    """Adapts the `send` of a client: each attempt goes through the client's auth flow and its redirects."""

    def __init__(self, client: Any, original: Any) -> None:
        super().__init__(asynchronous=issubclass(original, httpx.AsyncClient))
        self._client = client
        self._original = original

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        send, client = self._original.send, self._client

        def attempt(request: httpx.Request, *, idempotency_key: str | None = None, **arguments: Any) -> Any:
            copy = copy_request(request, options, idempotency_key, client.timeout, asynchronous=False)
            with _marking_redirects(copy):
                return mark_redirected(report_rate_limits(send(client, copy, **arguments)))

        async def attempt_async(request: httpx.Request, *, idempotency_key: str | None = None, **arguments: Any) -> Any:
            copy = copy_request(request, options, idempotency_key, client.timeout, asynchronous=True)
            with _marking_redirects(copy):
                return mark_redirected(report_rate_limits(await send(client, copy, **arguments)))

        return attempt_async if self.asynchronous else attempt
