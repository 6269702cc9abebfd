"""aiohttp under a policy: a wrapped session, and a client middleware.

A wrapped session stands in for the `aiohttp.ClientSession` it was made of (aiohttp's class is not to
be inherited from) and shares everything with it. Each attempt is a request of its own, so that
whatever signs it inside the session signs it anew. What is left of an attempt's time becomes its
`ClientTimeout`, whose `total` bounds the reading of the body too, and the attempt is cut there. An
attempt ends at the headers; only a JSON body that an envelope asks for is read within it. Sockets
(`ws_connect`) are left alone. The only importer of aiohttp.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from types import MethodType
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.payload import BytesPayload

from .._core.call.context import current_call
from .._core.policy.policy import Policy
from .._entry.configured import policies_getter
from .._entry.operation_rules import OperationRules
from .._entry.policies import Policies
from .._entry.proxy import Proxy, proxy_class
from ._http_rules import (
    Calls,
    Left,
    Way,
    header_of,
    in_doubt,
    is_json,
    redirected,
    refusals,
    shorter,
    time_left,
    with_header,
)
from ._rate_limit_headers import heard

__all__ = ["REFUSALS", "resilience_middleware", "wrap"]

REFUSALS: Mapping[type, type] = refusals(aiohttp.ClientError, __name__, "Aiohttp")
"""Our refusals as aiohttp's users catch them."""

_METHODS = frozenset({"request", "get", "options", "head", "post", "put", "patch", "delete"})
_BUFFER = 65_536


def wrap(session: Any, rules: OperationRules) -> Any:
    """Return what stands in for the session, every request under a policy."""
    _switch_off(session)
    return proxy_class(type(session), _Session)(session, rules)


class _Session(Proxy):
    """Stands in for a session: its methods end in `_request`, which is under the policy here."""

    def __init__(self, client: Any, rules: OperationRules) -> None:
        super().__init__(client, rules)
        self.__dict__["_resilience_calls"] = Calls(_Requests(client), rules)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_resilience_client"], name)
        return MethodType(value.__func__, self) if name in _METHODS and isinstance(value, MethodType) else value

    async def _request(self, method: str, str_or_url: Any, **kwargs: Any) -> aiohttp.ClientResponse:
        url = _absolute(self.__dict__["_resilience_client"], str_or_url)
        call = self.__dict__["_resilience_calls"].of(method, url, send_once=not _replayable(kwargs))
        reply: aiohttp.ClientResponse = await call(method, str_or_url, **kwargs)
        return reply


class _Requests:
    """A session's own requests, each made and signed anew."""

    asynchronous = True
    refusals = REFUSALS

    def __init__(self, session: Any) -> None:
        self.session = session

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt."""
        session = self.session

        async def request(method: str, url: Any, *, idempotency_key: str | None = None, **kwargs: Any) -> Any:
            for name, value in way.headers(idempotency_key).items():
                kwargs["headers"] = with_header(kwargs.get("headers"), name, value)
            left = time_left(asynchronous=True)
            if left is not None:
                kwargs["timeout"] = _shorter(kwargs.get("timeout", session.timeout), left)
            given = kwargs.get("middlewares")
            hops = _Hops()
            kwargs["middlewares"] = (hops, *(session._middlewares if given is None else given))
            try:
                reply = redirected(await session._request(method, url, **kwargs))
            except aiohttp.ClientError as error:
                if hops.count > 1:
                    in_doubt(error)
                raise
            return await _ended(reply, way)

        return request

    def own_key(self, header: str, _args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the headers that were given."""
        return header_of(kwargs.get("headers"), header)

    def answer_of(self, _body: bytes) -> None:
        """Return nothing: aiohttp's answers cannot be made by hand; the reconciler's value stands."""

    def bad(self, answer: Any) -> bool:
        """Tell an error status, which still comes back as a response."""
        return isinstance(answer, aiohttp.ClientResponse) and answer.status >= 400

    def discard(self, answer: aiohttp.ClientResponse) -> None:
        """Give the connection back."""
        answer.release()


class _Hops:
    """Counts the requests of one attempt: after the first one a redirect was followed, and the attempt is in doubt."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, request: aiohttp.ClientRequest, handler: Callable[..., Any]) -> Any:
        self.count += 1
        return await handler(request)


def resilience_middleware(
    policy: str | Policy = "http", *, operations: Mapping[str, Any] | None = None, policies: Policies | None = None
) -> Callable[..., Awaitable[aiohttp.ClientResponse]]:
    """Return a client middleware that puts every request of a session under a policy; options as for `wrap`.

    Middlewares that stand after it in the list run for every attempt: one that signs requests
    belongs there. What stands before it, and what the session itself signs, is not signed anew.
    The session's timeout cannot be changed from here: an attempt is cut at its limit.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     async with aiohttp.ClientSession(middlewares=[resilience_middleware("http")]) as session:
        ...         return session.closed
        >>> asyncio.run(main())
        False
    """
    rules = OperationRules(policy, operations, policies_getter(policies))
    calls = Calls(_Finished(), rules)
    promised = _Promised()

    async def resilience(request: aiohttp.ClientRequest, handler: Callable[..., Any]) -> aiohttp.ClientResponse:
        promised.check(request)
        send_once = not isinstance(request.body, (bytes, BytesPayload))
        try:
            reply: aiohttp.ClientResponse = await calls.of(request.method, str(request.url), send_once=send_once)(
                request, handler
            )
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            promised.failed(request, error)
            raise
        return reply

    return resilience


class _Finished(_Requests):
    """A middleware's own way: the finished request, handed on once an attempt."""

    def __init__(self) -> None:
        pass

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt."""

        async def send(
            request: aiohttp.ClientRequest, handler: Callable[..., Any], *, idempotency_key: str | None = None
        ) -> Any:
            for name, value in way.headers(idempotency_key).items():
                request.headers[name] = value
            call = current_call()
            if call is not None and call.attempt > 1:
                await request.close()  # the writer of the attempt before
            return await _ended(await handler(request), way)

        return send

    def own_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        found: str | None = args[0].headers.get(header)
        return found


class _Promised:
    """aiohttp's own second try of a request whose connection broke, made around every middleware.

    It is switched off when a session is first seen. The request under way then has been promised
    its second try already: it gets the error that it ended with. One request of aiohttp is known by
    the list of its traces, which all of its tries share.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[object, Exception | None]] = []

    def check(self, request: aiohttp.ClientRequest) -> None:
        """Switch the second try off, or raise what the first ended with."""
        traces = getattr(request, "_traces", None)
        for entry in self._ended:
            if entry[0] is traces and entry[1] is not None:
                self._ended.remove(entry)
                raise entry[1]
        if _switch_off(request.session):
            self._ended = [*self._ended[-63:], (traces, None)]

    def failed(self, request: aiohttp.ClientRequest, error: Exception) -> None:
        """Remember the error of a request that will come again."""
        traces = getattr(request, "_traces", None)
        self._ended = [(seen, error if seen is traces else was) for seen, was in self._ended]


def _switch_off(session: Any) -> bool:
    """Switch off aiohttp's own second try of an idempotent request whose connection broke; tell whether it was on.

    No warning: it is on in every session, and nobody has asked for it.
    """
    was = getattr(session, "_retry_connection", False) is True
    if was:
        session._retry_connection = False
    return was


async def _ended(reply: aiohttp.ClientResponse, way: Way) -> aiohttp.ClientResponse:
    """End an attempt: at the headers, or with the JSON body that an envelope asks for, which can be read again."""
    heard(reply)
    if is_json(reply.headers.get("Content-Type")) and way.whole():
        body = await reply.read()
        loop = reply._loop
        reply.content = aiohttp.StreamReader(BaseProtocol(loop), max(len(body), _BUFFER), loop=loop)
        reply.content.feed_data(body)
        reply.content.feed_eof()
    return reply


def _shorter(given: Any, left: Left) -> aiohttp.ClientTimeout:
    """Return the caller's timeout with no more time than is left in all, and less for the connection."""
    if not isinstance(given, aiohttp.ClientTimeout):
        given = aiohttp.ClientTimeout(total=given)
    return aiohttp.ClientTimeout(
        total=shorter(given.total or None, left.other),
        connect=shorter(given.connect or None, left.connect),
        sock_read=given.sock_read,
        sock_connect=given.sock_connect,
        ceil_threshold=inf,  # aiohttp would round longer ones up to a whole second
    )


def _absolute(session: Any, url: Any) -> str:
    """Return the whole URL of a request to a session that may have a base URL."""
    try:
        return str(session._build_url(url))
    except (AttributeError, TypeError, ValueError):
        return str(url)  # the session itself will complain


def _replayable(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether the body can be sent again: text, bytes and fields of them can; streams and forms cannot."""
    body = kwargs.get("data")
    fields = body.values() if isinstance(body, Mapping) else body if isinstance(body, (list, tuple)) else None
    if fields is None:
        return body is None or isinstance(body, (str, bytes, bytearray, BytesPayload))
    return all(isinstance(one, (str, bytes, int, float)) for field in fields for one in _parts(field))


def _parts(field: Any) -> tuple[Any, ...]:
    return tuple(field) if isinstance(field, (list, tuple)) else (field,)
