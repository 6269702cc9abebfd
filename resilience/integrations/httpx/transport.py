"""Provides `ResilientTransport` and `AsyncResilientTransport`, which put requests of `httpx` under a policy.

A transport gets the finished request: a retry sends it with the signature that it has. Wrap the client of a
signed API instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from ..._core.policy.policy import Policy
from ..._entry.configured import new_rules
from ..._entry.policies import Policies
from .._attempt_options import AttemptOptions
from .._event_loops import OwnLoop
from .._http_calls import CompiledCalls
from .._http_messages import REDIRECT_HEADER, is_json, is_marked_failure, mark_open
from .._rate_limit_headers import report_rate_limits, wait_is_in_body
from .answers import bound_body, judge_answer, judge_answer_async
from .attempt import REJECTION_TYPES, BaseAdapter, check_key, copy_request, disable_retries, find_call
from .bounded_reads import bound_reads
from .last_check import check_before_sending

__all__ = ["AsyncResilientTransport", "ResilientTransport"]

_NO_LIMIT = httpx.Timeout(None)


class ResilientTransport(httpx.BaseTransport):
    """A transport that puts every request under a policy. Safe across threads if the inner transport is.

    An attempt ends at the headers. If the policy's code tables have an envelope, a JSON body is read within the
    attempt, even if the caller streams, because a transport cannot see that.

    Example:
        >>> client = httpx.Client(transport=ResilientTransport("http"))
    """

    def __init__(
        self,
        policy: str | Policy = "http",
        *,
        transport: httpx.BaseTransport | None = None,
        operations: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
    ) -> None:
        """Make a transport.

        Args:
            policy: a policy's name, or a `Policy`, for requests that no glob matches.
            transport: the inner transport, which sends; by default httpx's own.
            operations: for each glob of requests, such as `post /v1/orders/*`, options as `wrap` takes them.
            policies: the policies to use instead of the configured ones.

        Raises:
            TypeError: `operations` has an unknown option.
        """
        self._transport = transport or httpx.HTTPTransport()
        disable_retries(self._transport)
        bound_reads(self._transport)
        adapter = TransportAdapter(self._transport, asynchronous=False)
        self._calls = CompiledCalls(adapter, new_rules(policy, operations, policies))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request under the policy."""
        return _unread(find_call(self._calls, request)(request))

    def close(self) -> None:
        """Close the inner transport."""
        self._transport.close()


class AsyncResilientTransport(httpx.AsyncBaseTransport):
    """A `ResilientTransport` for `httpx.AsyncClient`, under asyncio or trio."""

    def __init__(
        self,
        policy: str | Policy = "http",
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        operations: Mapping[str, Any] | None = None,
        policies: Policies | None = None,
    ) -> None:
        """Make a transport.

        Args:
            policy: a policy's name, or a `Policy`, for requests that no glob matches.
            transport: the inner transport, which sends; by default httpx's own.
            operations: for each glob of requests, such as `post /v1/orders/*`, options as `wrap` takes them.
            policies: the policies to use instead of the configured ones.

        Raises:
            TypeError: `operations` has an unknown option.
        """
        self._transport = transport or httpx.AsyncHTTPTransport()
        disable_retries(self._transport)
        self._loop = OwnLoop()
        adapter = TransportAdapter(self._transport, asynchronous=True)
        self._calls = CompiledCalls(adapter, new_rules(policy, operations, policies))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request under the policy."""
        self._loop.check(REJECTION_TYPES)
        return _unread(await find_call(self._calls, request)(request))

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._transport.aclose()


class TransportAdapter(BaseAdapter):
    """Adapts an inner transport: each attempt gives it a copy of the request, and may read a JSON body."""

    def __init__(self, transport: Any, *, asynchronous: bool) -> None:
        super().__init__(asynchronous=asynchronous)
        self._transport = transport

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""
        transport = self._transport

        def attempt(request: httpx.Request, *, idempotency_key: str | None = None) -> Any:
            copy = copy_request(request, options, idempotency_key, _NO_LIMIT, asynchronous=False)
            check_key(copy, options, idempotency_key)
            check_before_sending(copy, asynchronous=False)
            response = bound_body(report_rate_limits(transport.handle_request(copy)))
            if not options.passes_on(response.status_code, str(request.url), response.headers.get("location")):
                response = _staying_here(judge_answer(response, options, idempotency_key), options)
            if not _reads_body(response, options):
                return response
            stream: Any = response.stream
            try:
                return _with_body(response, b"".join(stream))
            finally:  # the connection goes back to the pool, also if the body breaks off
                response.close()

        async def attempt_async(request: httpx.Request, *, idempotency_key: str | None = None) -> Any:
            copy = copy_request(request, options, idempotency_key, _NO_LIMIT, asynchronous=True)
            check_key(copy, options, idempotency_key)
            check_before_sending(copy, asynchronous=True)
            response = report_rate_limits(await transport.handle_async_request(copy))
            if not options.passes_on(response.status_code, str(request.url), response.headers.get("location")):
                response = _staying_here(await judge_answer_async(response, options, idempotency_key), options)
            if not _reads_body(response, options):
                return response
            stream: Any = response.stream
            try:
                return _with_body(response, b"".join([part async for part in stream]))
            finally:
                await response.aclose()

        return attempt_async if self.asynchronous else attempt


def _reads_body(response: httpx.Response, options: AttemptOptions) -> bool:
    reads_body = options.reads_body() or wait_is_in_body(response.status_code, response.headers)
    return is_json(response.headers.get("content-type")) and reads_body


def _staying_here(response: httpx.Response, options: AttemptOptions) -> httpx.Response:
    """Rename the header by which the client would follow a redirect of a write: a transport cannot forbid it."""
    if options.stays_here and 300 <= response.status_code < 400 and "location" in response.headers:
        response.headers[REDIRECT_HEADER] = response.headers.pop("location")
    return response


def _with_body(response: httpx.Response, raw: bytes) -> httpx.Response:
    """Return the response with this body, read and decoded."""
    stream = httpx.ByteStream(raw)
    copy = httpx.Response(response.status_code, headers=response.headers, stream=stream, extensions=response.extensions)
    copy.read()
    if is_marked_failure(response):
        mark_open(copy, response.resilience_code)  # type: ignore[attr-defined]  # set by `mark_open`
    return copy


def _unread(response: httpx.Response) -> httpx.Response:
    """Return the response unread, as httpx requires of a transport, so that its caller can stream it."""
    if not hasattr(response, "_content"):
        return response
    headers, stream = response.headers, response.stream
    if not isinstance(stream, httpx.ByteStream):  # a reconciler's response, read and decoded by another client
        headers, stream = httpx.Headers(headers), httpx.ByteStream(response.content)
        for name in ("content-encoding", "transfer-encoding"):  # true of the bytes on the wire, not of these
            headers.pop(name, None)
    copy = httpx.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)
    # Its marks and its `Failure`: httpx gives this very object to the caller.
    vars(copy).update({name: value for name, value in vars(response).items() if "resilience" in name})
    return copy
