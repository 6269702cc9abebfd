"""Provides `resilience_middleware`, which puts the requests of an `aiohttp` session under a policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from aiohttp.payload import BytesPayload
from multidict import CIMultiDict, CIMultiDictProxy

from ..._core.call.context import current_call
from ..._core.policy.policy import Policy
from ..._entry.configured import new_rules
from ..._entry.policies import Policies
from .._attempt_options import AttemptOptions
from .._event_loops import check_loop
from .._http_calls import CompiledCalls
from .._http_messages import REDIRECT_HEADER
from .attempt import REJECTION_TYPES, BaseAdapter, check_key, disable_second_try, finish_attempt
from .last_check import checked_before_sending
from .made_response import describe_request

__all__ = ["resilience_middleware"]

MAX_SECOND_TRIES = 64  # requests remembered that aiohttp will try again


def resilience_middleware(
    policy: str | Policy = "http", *, operations: Mapping[str, Any] | None = None, policies: Policies | None = None
) -> Callable[..., Awaitable[aiohttp.ClientResponse]]:
    """Return a client middleware that puts every request of a session under a policy.

    Middlewares after it in the session's list run for each attempt: one that signs requests belongs there.
    Middlewares before it, and the session's own `auth`, run once per call. A middleware cannot change the
    session's timeout, so an attempt is cancelled when its time is over. It belongs to the event loop of its session.

    Args:
        policy: a policy's name, or a `Policy`, for requests that no glob matches.
        operations: for each glob of requests, such as `post /v1/orders/*`, options as `wrap` takes them.
        policies: the policies to use instead of the configured ones.

    Raises:
        TypeError: `operations` has an unknown option.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     middlewares = [resilience_middleware("http")]
        ...     async with aiohttp.ClientSession(middlewares=middlewares) as session:
        ...         return session.closed
        >>> asyncio.run(main())
        False
    """
    calls = CompiledCalls(TransportAdapter(), new_rules(policy, operations, policies))
    second_tries = _SecondTries()

    async def resilience(request: aiohttp.ClientRequest, handler: Callable[..., Any]) -> aiohttp.ClientResponse:
        check_loop(request.loop, REJECTION_TYPES)
        second_tries.check(request)
        send_once = not isinstance(request.body, (bytes, BytesPayload))
        try:
            call = calls.for_request(request.method, str(request.url), send_once=send_once)
            response: aiohttp.ClientResponse = await call(request, handler)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:  # what aiohttp would try again
            second_tries.record_error(request, error)
            raise
        return describe_request(response, request.method, request.url, request.headers)  # type: ignore[no-any-return]

    return resilience


class TransportAdapter(BaseAdapter):
    """Adapts the handler of a middleware: each attempt gives it the finished request."""

    def compile_attempt(self, options: AttemptOptions) -> Callable[..., Any]:
        """Return the function that makes one attempt."""

        async def send(
            request: aiohttp.ClientRequest, handler: Callable[..., Any], *, idempotency_key: str | None = None
        ) -> Any:
            for name, value in options.headers(idempotency_key).items():
                request.headers[name] = value
            call = current_call()
            if call is not None and call.attempt > 1:
                await request.close()  # ends the task that was writing the body of the attempt before
            try:
                with checked_before_sending(request):
                    response = await handler(request)
            finally:
                check_key(request, options, idempotency_key)  # middlewares after this one have finished it by now
            if not options.passes_on(response.status, str(request.url), response.headers.get("Location")):
                response = await finish_attempt(response, options, idempotency_key)
            return _staying_here(response) if options.stays_here else response

        return send

    def caller_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        key: str | None = args[0].headers.get(header)
        return key


def _staying_here(response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
    """Rename the headers by which the session would follow a redirect of a write: a middleware cannot forbid it."""
    if 300 <= response.status < 400:
        headers = CIMultiDict(response.headers)
        for name in ("Location", "URI"):
            if name in headers:
                headers[REDIRECT_HEADER] = headers.pop(name)
        response._headers = CIMultiDictProxy(headers)
        response._cache.pop("headers", None)
    return response


class _SecondTries:
    """Prevents aiohttp's own second try of a request whose connection broke, which it makes around all middlewares.

    It is switched off when a session is first seen. aiohttp has decided on the second try of the request under
    way by then, so that try raises the error that the first one ended with. All tries of a request share the
    list of its traces, by which it is recognised.
    """

    def __init__(self) -> None:
        self._requests: list[tuple[object, Exception | None]] = []
        """Traces of the requests that aiohttp may try again, with the error of the first try."""

    def check(self, request: aiohttp.ClientRequest) -> None:
        """Switch off the second try, or raise the error of the first one."""
        traces = getattr(request, "_traces", None)
        for entry in self._requests:
            if entry[0] is traces and entry[1] is not None:
                self._requests.remove(entry)
                raise entry[1]
        if disable_second_try(request.session):
            self._requests = [*self._requests[1 - MAX_SECOND_TRIES :], (traces, None)]

    def record_error(self, request: aiohttp.ClientRequest, error: Exception) -> None:
        """Remember the error of a request that aiohttp will try again."""
        traces = getattr(request, "_traces", None)
        self._requests = [(seen, error if seen is traces else known) for seen, known in self._requests]
