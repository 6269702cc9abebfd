"""Gives every HTTP client under a policy the same interface, so that a test runs once per client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import httpx
import pytest
import requests
import trio
import urllib3

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.integrations.aiohttp import resilience_middleware
from resilience.integrations.httpx import AsyncResilientTransport, ResilientTransport
from resilience.integrations.requests import ResilientAdapter

TIMEOUT = 60.0  # seconds of silence that httpx allows, in place of its five: machines may be busy


class Ask(NamedTuple):
    """One request of a test.

    Attributes:
        body: bytes, or True for a generator, which can be read once.
        chunk: whether to stream the response and read its first piece only.
    """

    method: str = "GET"
    path: str = "/"
    headers: dict[str, str] | None = None
    body: Any = None
    chunk: bool = False


class Got(NamedTuple):
    """The response to an `Ask`."""

    status: int
    text: str


def policies(clock: Any = None, **policy: Any) -> Policies:
    """Return policies with one named `p`: three attempts, a second apart."""
    settings = {
        "codes": ["http"],
        "deadline": "60s",
        "attempt_timeout": "5s",
        "retry": {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}},
        "reconcile": {"early_checks": 1, "wait": "1s", "fence": "5s"},
        **policy,
    }
    return Policies.from_mapping({"policies": {"p": settings}}, clock=clock)


def _pieces() -> Iterator[bytes]:
    yield b"piece"


async def _pieces_async() -> AsyncIterator[bytes]:
    yield b"piece"


class HttpClient:
    """One way to put one client under a policy.

    Attributes:
        name: its test id.
        error: the error base of the client's library.
        seam: whether it is plugged into a plain client (adapter, transport, middleware) and gets finished requests.
    """

    name = ""
    error: type[Exception] = requests.RequestException
    seam = False

    def open(self, policies: Policies, operations: Any = None) -> Any:
        """Return a new client under the policy `p`."""
        raise NotImplementedError

    def plain(self) -> Any:
        """Return a new client without a policy."""
        raise NotImplementedError

    def play(self, client: Callable[[], Any], url: str, *asks: Ask) -> list[Any]:
        """Open a client and make the requests in turn; return the responses and errors."""
        raise NotImplementedError

    def run(self, policies: Policies, url: str, *asks: Ask, operations: Any = None) -> list[Any]:
        """Make the requests in turn under the policy."""
        return self.play(partial(self.open, policies, operations), url, *asks)

    def look_up(self, url: str) -> Callable[..., Any]:
        """Return a reconciler that gets /orders/KEY with a plain client."""
        raise NotImplementedError


def _lookup_result(reply: Any, status: int) -> Any:
    return NOT_FOUND if status == 404 else Found(reply)


class Sync(HttpClient):
    """Sync clients."""

    def play(self, client: Callable[[], Any], url: str, *asks: Ask) -> list[Any]:
        with client() as opened:
            return [self.outcome(opened, url, ask) for ask in asks]

    def outcome(self, client: Any, url: str, ask: Ask) -> Any:
        try:
            return self.ask(client, url + ask.path if ask.path.startswith("/") else ask.path, ask)
        except Exception as error:
            return error

    def ask(self, client: Any, url: str, ask: Ask) -> Got:
        """Make one request."""
        raise NotImplementedError

    def look_up(self, url: str) -> Callable[..., Any]:
        def reconcile(call: Any) -> Any:
            with self.plain() as client:
                reply = client.get(f"{url}/orders/{call.key}")
            return _lookup_result(reply, reply.status_code)

        return reconcile


class RequestsSession(Sync):
    """A wrapped `requests.Session`."""

    name = "requests session"

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return wrap(self.plain(), "p", policies=policies, operations=operations)

    def plain(self) -> Any:
        session = requests.Session()
        session.trust_env = False
        return session

    def ask(self, client: Any, url: str, ask: Ask) -> Got:
        body = _pieces() if ask.body is True else ask.body
        reply = client.request(ask.method, url, headers=ask.headers, data=body, stream=ask.chunk)
        with reply:
            return Got(reply.status_code, next(reply.iter_content(7)).decode() if ask.chunk else reply.text)


class RequestsAdapter(RequestsSession):
    """A `ResilientAdapter`, mounted."""

    name = "requests adapter"
    seam = True

    def open(self, policies: Policies, operations: Any = None) -> Any:
        session = self.plain()
        session.mount("http://", ResilientAdapter("p", policies=policies, operations=operations))
        return session


class HttpxClient(Sync):
    """A wrapped `httpx.Client`."""

    name = "httpx client"
    error = httpx.RequestError

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return wrap(self.plain(), "p", policies=policies, operations=operations)

    def plain(self) -> Any:
        return httpx.Client(trust_env=False, follow_redirects=True, timeout=TIMEOUT)

    def ask(self, client: Any, url: str, ask: Ask) -> Got:
        body = _pieces() if ask.body is True else ask.body
        if ask.chunk:
            with client.stream(ask.method, url, headers=ask.headers, content=body) as streamed:
                return Got(streamed.status_code, next(streamed.iter_raw()).decode())
        reply = client.request(ask.method, url, headers=ask.headers, content=body)
        return Got(reply.status_code, reply.text)


class HttpxTransport(HttpxClient):
    """A `ResilientTransport`."""

    name = "httpx transport"
    seam = True

    def open(self, policies: Policies, operations: Any = None) -> Any:
        transport = ResilientTransport("p", policies=policies, operations=operations)
        return httpx.Client(transport=transport, follow_redirects=True, timeout=TIMEOUT)


class Urllib3Pool(Sync):
    """A wrapped `urllib3.PoolManager`."""

    name = "urllib3 pool manager"
    error = urllib3.exceptions.HTTPError

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return wrap(self.plain(), "p", policies=policies, operations=operations)

    def plain(self) -> Any:
        return urllib3.PoolManager()

    def ask(self, client: Any, url: str, ask: Ask) -> Got:
        body = _pieces() if ask.body is True else ask.body
        reply = client.request(ask.method, url, headers=ask.headers, body=body, preload_content=not ask.chunk)
        return Got(reply.status, reply.read(7).decode() if ask.chunk else reply.data.decode())

    def look_up(self, url: str) -> Callable[..., Any]:
        def reconcile(call: Any) -> Any:
            with self.plain() as client:
                reply = client.request("GET", f"{url}/orders/{call.key}")
            return _lookup_result(reply, reply.status)

        return reconcile


class Async(HttpClient):
    """Async clients."""

    loop = "asyncio"

    def play(self, client: Callable[[], Any], url: str, *asks: Ask) -> list[Any]:
        async def main() -> list[Any]:
            async with client() as opened:
                return [await self.outcome(opened, url, ask) for ask in asks]

        return self.main(main)

    def main(self, main: Callable[[], Any]) -> Any:
        """Run an async function."""
        return asyncio.run(main()) if self.loop == "asyncio" else trio.run(main)

    async def outcome(self, client: Any, url: str, ask: Ask) -> Any:
        try:
            return await self.ask(client, url + ask.path if ask.path.startswith("/") else ask.path, ask)
        except Exception as error:
            return error

    async def ask(self, client: Any, url: str, ask: Ask) -> Got:
        """Make one request."""
        raise NotImplementedError


class AsyncHttpxClient(Async):
    """A wrapped `httpx.AsyncClient`."""

    error = httpx.RequestError

    def __init__(self, loop: str) -> None:
        self.loop = loop
        self.name = f"httpx async client, {loop}"

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return wrap(self.plain(), "p", policies=policies, operations=operations)

    def plain(self) -> Any:
        return httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=TIMEOUT)

    async def ask(self, client: Any, url: str, ask: Ask) -> Got:
        body = _pieces_async() if ask.body is True else ask.body
        if ask.chunk:
            async with client.stream(ask.method, url, headers=ask.headers, content=body) as streamed:
                pieces = streamed.aiter_raw()
                first = await anext(pieces)
                if self.loop == "trio":  # trio warns of generators that do not run to their end, and httpx leaves some
                    _ = [piece async for piece in pieces]
                await pieces.aclose()
                return Got(streamed.status_code, first.decode())
        reply = await client.request(ask.method, url, headers=ask.headers, content=body)
        return Got(reply.status_code, reply.text)

    def look_up(self, url: str) -> Callable[..., Any]:
        async def reconcile(call: Any) -> Any:
            async with self.plain() as client:
                reply = await client.get(f"{url}/orders/{call.key}")
            return _lookup_result(reply, reply.status_code)

        return reconcile


class AsyncHttpxTransport(AsyncHttpxClient):
    """An `AsyncResilientTransport`."""

    seam = True

    def __init__(self, loop: str) -> None:
        super().__init__(loop)
        self.name = f"httpx async transport, {loop}"

    def open(self, policies: Policies, operations: Any = None) -> Any:
        transport = AsyncResilientTransport("p", policies=policies, operations=operations)
        return httpx.AsyncClient(transport=transport, follow_redirects=True, timeout=TIMEOUT)


class AiohttpSession(Async):
    """A wrapped `aiohttp.ClientSession`."""

    name = "aiohttp session"
    error = aiohttp.ClientError

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return wrap(self.plain(), "p", policies=policies, operations=operations)

    def plain(self) -> Any:
        return aiohttp.ClientSession()

    async def ask(self, client: Any, url: str, ask: Ask) -> Got:
        body = _pieces_async() if ask.body is True else ask.body
        async with client.request(ask.method, url, headers=ask.headers, data=body) as reply:
            text = (await reply.content.readany()).decode() if ask.chunk else await reply.text()
            return Got(reply.status, text)

    def look_up(self, url: str) -> Callable[..., Any]:
        async def reconcile(call: Any) -> Any:
            async with self.plain() as client:
                reply = await client.get(f"{url}/orders/{call.key}")
                await reply.read()
            return _lookup_result(reply, reply.status)

        return reconcile


class AiohttpMiddleware(AiohttpSession):
    """A `resilience_middleware`."""

    name = "aiohttp middleware"
    seam = True

    def open(self, policies: Policies, operations: Any = None) -> Any:
        return aiohttp.ClientSession(middlewares=[resilience_middleware("p", policies=policies, operations=operations)])


CLIENTS: list[HttpClient] = [
    RequestsSession(),
    RequestsAdapter(),
    HttpxClient(),
    HttpxTransport(),
    Urllib3Pool(),
    *(AsyncHttpxClient(loop) for loop in ("asyncio", "trio")),
    *(AsyncHttpxTransport(loop) for loop in ("asyncio", "trio")),
    AiohttpSession(),
    AiohttpMiddleware(),
]


def _each(clients: list[HttpClient]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", clients, ids=lambda client: client.name)


every_client = _each(CLIENTS)
every_async_client = _each([client for client in CLIENTS if isinstance(client, Async)])
every_wrapped_client = _each([client for client in CLIENTS if not client.seam])
every_partial_reader = _each([client for client in CLIENTS if getattr(client, "loop", "") != "trio"])
"""Clients that can stop reading a body without a warning: httpx under trio cannot."""
every_streaming_aware_client = _each(
    [client for client in CLIENTS if client.name in ("requests session", "requests adapter", "httpx client")]
)
"""Clients whose integration knows whether the caller streams."""
