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
from .._attempt_options import AttemptOptions
from .._client_classes import concealing_methods, original_class, wrapped_class
from .._event_loops import OwnLoop
from .._http_calls import CompiledCalls
from .._http_messages import mark_redirected, mark_unbuilt
from .._rate_limit_headers import report_rate_limits
from .answers import bound_body, judge_answer, judge_answer_async
from .attempt import REJECTION_TYPES, BaseAdapter, copy_request, disable_retries, find_call
from .bounded_reads import bound_reads
from .client_attempt import ATTEMPT, ClientAttempt

__all__ = ["wrap"]

_VERBS = ("request", "stream", "get", "options", "head", "post", "put", "patch", "delete")


def wrap(client: Any, rules: OperationRules) -> Any:
    """Return a client of the same class that shares the original's state, with every request under a policy."""
    for transport in (client._transport, *client._mounts.values()):
        disable_retries(transport)
        if isinstance(client, httpx.Client):
            bound_reads(transport)
    original = original_class(client)
    methods = _ASYNC_METHODS if issubclass(original, httpx.AsyncClient) else _METHODS
    methods = concealing_methods(original, _VERBS) | methods
    wrapped: Any = object.__new__(wrapped_class(original, methods))
    wrapped.__dict__ = client.__dict__  # the same dict: cookies, headers and connections are shared
    object.__setattr__(wrapped, "_resilience", _ClientCalls(wrapped, original, rules))
    return wrapped


def _send(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.Client.send`."""
    with _rejections_with(request):
        return _with_request(find_call(self._resilience, request)(request, **options), request)


async def _send_async(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.AsyncClient.send`."""
    with _rejections_with(request):
        self._resilience.loop.check(REJECTION_TYPES)
        return _with_request(await find_call(self._resilience, request)(request, **options), request)


def _build_request(self: Any, *args: Any, **kwargs: Any) -> httpx.Request:
    """Build a request; arguments as for `httpx.Client.build_request`."""
    try:
        request: httpx.Request = self._resilience.original.build_request(self, *args, **kwargs)
    except Exception as error:
        mark_unbuilt(error, httpx.RequestError)
        raise
    return request


def _send_single_request(self: Any, request: httpx.Request) -> httpx.Response:
    """Send one finished request: the write itself, the next hop of a redirect, or an auth's own, for a token say."""
    send, attempt = self._resilience.original._send_single_request, ATTEMPT.get()
    if attempt is None or attempt.client is not self:
        response: httpx.Response = send(self, request)
        return response
    with attempt.sending(request) as is_the_write:
        response = bound_body(send(self, request))
        return judge_answer(response, attempt.options, attempt.key) if is_the_write else response


async def _send_single_request_async(self: Any, request: httpx.Request) -> httpx.Response:
    """Do as `_send_single_request` for an async client."""
    send, attempt = self._resilience.original._send_single_request, ATTEMPT.get()
    if attempt is None or attempt.client is not self:
        response: httpx.Response = await send(self, request)
        return response
    with attempt.sending(request) as is_the_write:
        response = await send(self, request)
        return await judge_answer_async(response, attempt.options, attempt.key) if is_the_write else response


_METHODS = {"send": _send, "build_request": _build_request, "_send_single_request": _send_single_request}
_ASYNC_METHODS = {
    "send": _send_async,
    "build_request": _build_request,
    "_send_single_request": _send_single_request_async,
}


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


class _ClientCalls(CompiledCalls):
    """The compiled calls of one wrapped client, its original class, and the event loop that it belongs to."""

    def __init__(self, client: Any, original: Any, rules: OperationRules) -> None:
        super().__init__(ClientAdapter(client, original), rules)
        self.original = original
        self.loop = OwnLoop()


class ClientAdapter(BaseAdapter):
    """Adapts the `send` of a client: each attempt goes through the client's auth flow and its redirects."""

    def __init__(self, client: Any, original: Any) -> None:
        super().__init__(asynchronous=issubclass(original, httpx.AsyncClient))
        self._client = client
        self._original = original

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        send, client = self._original.send, self._client
        redirects = {"follow_redirects": False} if options.stays_here else {}

        def prepare(
            request: httpx.Request, key: str | None, *, asynchronous: bool
        ) -> tuple[httpx.Request, ClientAttempt]:
            copy = copy_request(request, options, key, client.timeout, asynchronous=asynchronous)
            return copy, ClientAttempt(client, copy, options, key)

        def attempt(request: httpx.Request, *, idempotency_key: str | None = None, **arguments: Any) -> Any:
            copy, attempt = prepare(request, idempotency_key, asynchronous=False)
            with attempt.under_way():
                return mark_redirected(report_rate_limits(send(client, copy, **{**arguments, **redirects})))

        async def attempt_async(request: httpx.Request, *, idempotency_key: str | None = None, **arguments: Any) -> Any:
            copy, attempt = prepare(request, idempotency_key, asynchronous=True)
            with attempt.under_way():
                return mark_redirected(report_rate_limits(await send(client, copy, **{**arguments, **redirects})))

        return attempt_async if self.asynchronous else attempt
