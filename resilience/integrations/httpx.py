"""httpx under a policy: a wrapped client, transports to plug in, and what a client of our own sends through.

A wrapped client is a real `httpx.Client` or `httpx.AsyncClient` that shares its state with the
original. Each attempt sends a copy of the request through httpx's own `send`, so that an
`httpx.Auth` signs it anew, and gets what is left of the attempt's time as its timeouts (which bound
the silence between bytes, not the total; an async attempt is cut at its limit besides). A streamed
body is never read. A transport sees only the finished request: it does not sign it anew, so a
signed API is wrapped at the client. The only importer of httpx.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from .._core.policy.policy import Policy
from .._entry.configured import policies_getter
from .._entry.operation_rules import OperationRules
from .._entry.policies import Policies
from ..errors import RejectedError
from ._http_rules import (
    Answer,
    Calls,
    Way,
    in_doubt,
    is_json,
    own_class,
    redirected,
    refusals,
    shorter,
    time_left,
    wrapped_class,
)
from ._rate_limit_headers import heard

__all__ = [
    "REFUSALS",
    "AsyncResilientTransport",
    "ResilientTransport",
    "asend",
    "new_async_client",
    "new_client",
    "send",
    "wrap",
]

REFUSALS: Mapping[type, type] = refusals(httpx.RequestError, __name__, "Httpx")
"""Our refusals as httpx's users catch them."""
_NO_LIMIT = httpx.Timeout(None)


def new_client() -> httpx.Client:
    """Return a client without retries of its own."""
    return httpx.Client(limits=httpx.Limits(max_keepalive_connections=64))


def new_async_client() -> httpx.AsyncClient:
    """Return an async client without retries of its own, for asyncio or trio."""
    return httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=64))


def send(
    client: httpx.Client, method: str, url: str, *, headers: Mapping[str, str], data: bytes | None, timeout: float
) -> Answer:
    """Send one request as it is and read the answer; redirects are not followed.

    Raises:
        httpx.RequestError: nothing came back, or not all of it; the error is httpx's own.
    """
    return _answer(client.request(method, url, **_given(headers, data, timeout)))


async def asend(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    data: bytes | None,
    timeout: float,  # noqa: ASYNC109  # httpx's own: the driver cuts the attempt besides
) -> Answer:
    """Send one request as it is and read the answer; everything as for `send`."""
    return _answer(await client.request(method, url, **_given(headers, data, timeout)))


def _given(headers: Mapping[str, str], data: bytes | None, timeout: float) -> dict[str, Any]:
    return {"headers": dict(headers), "content": data, "timeout": timeout, "follow_redirects": False}


def _answer(reply: httpx.Response) -> Answer:
    heard(reply)
    return Answer(reply.status_code, reply.reason_phrase, reply.headers, reply.content)


def wrap(client: Any, rules: OperationRules) -> Any:
    """Return a client of the same class that shares the original's state, every request under a policy."""
    for transport in (client._transport, *client._mounts.values()):
        _switch_off(transport)
    original = own_class(client)
    over = _client_asend if issubclass(original, httpx.AsyncClient) else _client_send
    made: Any = object.__new__(wrapped_class(original, {"send": over}))
    made.__dict__ = client.__dict__
    object.__setattr__(made, "_resilience", Calls(_Sends(made, original), rules))
    return made


def _client_send(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.Client.send`."""
    with _asked(request):
        return _of(request, _call(self._resilience, request)(request, **options))


async def _client_asend(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
    """Send a request under the policy; arguments as for `httpx.AsyncClient.send`."""
    with _asked(request):
        return _of(request, await _call(self._resilience, request)(request, **options))


def _of(request: httpx.Request, reply: httpx.Response) -> httpx.Response:
    """Return the answer; one that was made of a find gets its request, without which it cannot say what it is."""
    if isinstance(reply, httpx.Response) and reply._request is None:
        reply.request = request
    return reply


@contextmanager
def _asked(request: httpx.Request) -> Iterator[None]:
    """Tell a refusal its request, as httpx does with every error."""
    try:
        yield
    except RejectedError as error:
        if isinstance(error, httpx.RequestError):
            error.request = request
        raise


@contextmanager
def _hops(request: httpx.Request) -> Iterator[None]:
    """Put an error in doubt that befell a later request than the attempt's own: a redirect was followed."""
    try:
        yield
    except httpx.RequestError as error:
        if error._request not in (None, request):
            in_doubt(error)
        raise


class ResilientTransport(httpx.BaseTransport):
    """An httpx transport that puts every request under a policy; it does not sign one anew for a retry.

    An attempt ends at the headers. Where the policy's code tables have an envelope, a JSON body is
    read within the attempt: a transport cannot see whether its caller streams.

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
        """Set it up around `transport`, by default httpx's own; the other options are those of `wrap`."""
        self._transport = transport or httpx.HTTPTransport()
        _switch_off(self._transport)
        self._calls = Calls(
            _Hands(self._transport, asynchronous=False), OperationRules(policy, operations, policies_getter(policies))
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request under the policy."""
        return _fresh(_call(self._calls, request)(request))

    def close(self) -> None:
        """Close the transport beneath."""
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
        """Set it up around `transport`, by default httpx's own; the other options are those of `wrap`."""
        self._transport = transport or httpx.AsyncHTTPTransport()
        _switch_off(self._transport)
        self._calls = Calls(
            _Hands(self._transport, asynchronous=True), OperationRules(policy, operations, policies_getter(policies))
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request under the policy."""
        return _fresh(await _call(self._calls, request)(request))

    async def aclose(self) -> None:
        """Close the transport beneath."""
        await self._transport.aclose()


class _Sends:
    """A client's own `send`: each attempt goes through its auth flow; the body is read unless the caller streams."""

    refusals = REFUSALS

    def __init__(self, client: Any, original: Any) -> None:
        self.client = client
        self.original = original
        self.asynchronous = issubclass(original, httpx.AsyncClient)
        self.discard = _adiscard if self.asynchronous else _discard

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt."""
        send, client = self.original.send, self.client

        def attempt(request: httpx.Request, *, idempotency_key: str | None = None, **options: Any) -> Any:
            anew = _anew(request, way, idempotency_key, client.timeout, asynchronous=False)
            with _hops(anew):
                return redirected(heard(send(client, anew, **options)))

        async def aattempt(request: httpx.Request, *, idempotency_key: str | None = None, **options: Any) -> Any:
            anew = _anew(request, way, idempotency_key, client.timeout, asynchronous=True)
            with _hops(anew):
                return redirected(heard(await send(client, anew, **options)))

        return aattempt if self.asynchronous else attempt

    def own_key(self, header: str, args: tuple[Any, ...], _kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key among the request's headers."""
        found: str | None = args[0].headers.get(header)
        return found

    def answer_of(self, body: bytes) -> httpx.Response:
        """Return a good answer with this JSON body."""
        return httpx.Response(200, headers={"Content-Type": "application/json"}, content=body)

    def bad(self, answer: Any) -> bool:
        """Tell an error status, which still comes back as a response."""
        return isinstance(answer, httpx.Response) and answer.status_code >= 400


class _Hands(_Sends):
    """A transport's own way: each attempt hands it a copy of the finished request."""

    def __init__(self, transport: Any, *, asynchronous: bool) -> None:
        self.transport = transport
        self.asynchronous = asynchronous
        self.discard = _adiscard if asynchronous else _discard

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return one attempt; it reads a JSON body where an envelope asks for it, and no other."""
        transport = self.transport

        def attempt(request: httpx.Request, *, idempotency_key: str | None = None) -> Any:
            anew = _anew(request, way, idempotency_key, _NO_LIMIT, asynchronous=False)
            reply = heard(transport.handle_request(anew))
            if not _wanted(reply, way):
                return reply
            try:
                return _read(reply, b"".join(reply.stream))
            finally:
                reply.close()

        async def aattempt(request: httpx.Request, *, idempotency_key: str | None = None) -> Any:
            anew = _anew(request, way, idempotency_key, _NO_LIMIT, asynchronous=True)
            reply = heard(await transport.handle_async_request(anew))
            if not _wanted(reply, way):
                return reply
            try:
                return _read(reply, b"".join([part async for part in reply.stream]))
            finally:
                await reply.aclose()

        return aattempt if self.asynchronous else attempt


def _discard(answer: httpx.Response) -> None:
    answer.close()


async def _adiscard(answer: httpx.Response) -> None:
    await answer.aclose()


def _call(calls: Calls, request: httpx.Request) -> Callable[..., Any]:
    """Return the compiled call for a request; a body that is no plain bytes may not survive its first reading."""
    return calls.of(request.method, str(request.url), send_once=not isinstance(request.stream, httpx.ByteStream))


def _anew(
    request: httpx.Request, way: Way, key: str | None, timeout: httpx.Timeout, *, asynchronous: bool
) -> httpx.Request:
    """Return a copy of the request for one attempt: unsigned as it was, with its key and no more time than is left."""
    extensions, left = dict(request.extensions), time_left(asynchronous=asynchronous)
    if left is not None:
        given = extensions.get("timeout", timeout.as_dict())
        limits = {"connect": left.connect, "pool": left.connect, "read": left.other, "write": left.other}
        extensions["timeout"] = {name: shorter(given.get(name), limit) for name, limit in limits.items()}
    stream: Any = request.stream
    made = httpx.Request(request.method, request.url, headers=request.headers, stream=stream, extensions=extensions)
    if isinstance(stream, httpx.ByteStream):
        made.read()
    for name, value in way.headers(key).items():
        made.headers[name] = value
    return made


def _wanted(reply: httpx.Response, way: Way) -> bool:
    return is_json(reply.headers.get("content-type")) and way.whole()


def _read(reply: httpx.Response, raw: bytes) -> httpx.Response:
    """Return the answer with its body read and decoded."""
    made = httpx.Response(
        reply.status_code, headers=reply.headers, stream=httpx.ByteStream(raw), extensions=reply.extensions
    )
    made.read()
    return made


def _fresh(reply: httpx.Response) -> httpx.Response:
    """Return the answer as a transport must: unread, so that it can be streamed even if it was read before."""
    if not hasattr(reply, "_content"):
        return reply
    headers, stream = reply.headers, reply.stream
    if not isinstance(stream, httpx.ByteStream):  # a reconciler's, read and decoded by another client
        headers, stream = httpx.Headers(headers), httpx.ByteStream(reply.content)
        for name in ("content-encoding", "transfer-encoding"):
            headers.pop(name, None)
    return httpx.Response(reply.status_code, headers=headers, stream=stream, extensions=reply.extensions)


def _switch_off(transport: Any) -> None:
    """Switch a connection pool's own retries off, where they can be seen."""
    pool: Any = getattr(transport, "_pool", None)
    retries = getattr(pool, "_retries", 0)
    if retries:
        told = f"httpx would connect {retries} more times beneath the policy: switched off on this transport"
        warnings.warn(told, stacklevel=4)
        pool._retries = 0
