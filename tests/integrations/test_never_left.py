"""What fails before any byte of a request has left is reported as not executed, for every client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter

from resilience import RejectedError, failure_of, wrap
from resilience.integrations.httpx import AsyncResilientTransport
from resilience.testing import FakeClock
from tests.integrations.http_clients import AiohttpSession, AsyncHttpxClient, policies
from tests.integrations.server import Server, answer, drop_after, silent

MAKERS: dict[str, Callable[[], Any]] = {
    "requests": requests.Session,
    "httpx": lambda: httpx.Client(trust_env=False),
    "httpx async": lambda: httpx.AsyncClient(trust_env=False),
    "aiohttp": aiohttp.ClientSession,
}
every_library = pytest.mark.parametrize("library", MAKERS)


def close(client: Any) -> Any:
    """Close a client; the result is awaited if it is async."""
    return (client.aclose if isinstance(client, httpx.AsyncClient) else client.close)()


def post(library: str, url: str, *, prepare: Callable[[Any], Any] | None = None, **arguments: Any) -> Any:
    """Send one POST through a wrapped client; return the response or the error."""

    async def main() -> Any:
        plain = MAKERS[library]()
        client = wrap(plain, "p", policies=policies(FakeClock(), retry=None))
        try:
            if prepare is not None and (waiting := prepare(plain)) is not None:
                await waiting
            answered = client.post(url, **arguments)
            return await answered if library in ("httpx async", "aiohttp") else answered
        except Exception as error:
            return error
        finally:
            closed = close(plain)
            if closed is not None:
                await closed

    return asyncio.run(main())


BAD: dict[str, dict[str, Any]] = {
    "a header with a line break": {"headers": {"X-Bot": "a\r\nb"}},
    "a header that is no text": {"headers": {"X-Bot": object()}},
    "a body that is no JSON": {"json": {"size": object()}},
    "a number that JSON has not": {"json": {"size": {1, 2}}},
    "a parameter of no kind": {"params": 7.5j},
}


@every_library
@pytest.mark.parametrize("name", BAD)
def test_a_request_that_cannot_be_built(library: str, name: str) -> None:
    """Whatever error the client raises for it, nothing was executed."""
    with Server(answer()) as server:
        error = post(library, server.url, **BAD[name])
    if isinstance(error, Exception):
        assert failure_of(error).executed == "no", error
        assert server.requests == []
    else:
        assert len(server.requests) == 1  # this client makes something of it


@pytest.mark.parametrize("library", [name for name in MAKERS if name != "requests"])
def test_a_closed_client(library: str) -> None:
    """A client that says itself that it is closed has sent nothing. Sessions of requests are never closed."""
    error = post(library, "http://127.0.0.1:9", prepare=close)
    assert isinstance(error, RuntimeError)
    assert (failure_of(error).executed, failure_of(error).code) == ("no", "client_closed")


@every_library
@pytest.mark.parametrize("status", [400, 403, 407, 429, 500, 502, 503, 504])
def test_a_proxy_that_refuses_to_connect(library: str, status: int) -> None:
    """The proxy has seen nothing of the request, whatever status it refuses with."""
    with Server(answer(status, "no")) as server:
        if library == "requests":
            error = post(library, "https://127.0.0.1:9/", proxies={"https": server.url})
        elif library == "aiohttp":
            error = post(library, "https://127.0.0.1:9/", proxy=server.url)
        else:
            kind = httpx.Client if library == "httpx" else httpx.AsyncClient
            error = post_through(kind(proxy=server.url))
    assert failure_of(error).executed == "no", error
    assert {request.method for request in server.requests} == {"CONNECT"}


def post_through(plain: Any) -> Any:
    """Send one POST to an https address through this client, wrapped."""

    async def main() -> Any:
        client = wrap(plain, "p", policies=policies(FakeClock(), retry=None))
        try:
            answered = client.post("https://127.0.0.1:9/")
            return await answered if isinstance(plain, httpx.AsyncClient) else answered
        except Exception as error:
            return error

    return asyncio.run(main())


class NeverAnswers(HTTPAdapter):
    """A stand-in of the kind that tests of bots use: it replaces `send`, and no connection is made."""

    def send(self, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Time out."""
        raise requests.ReadTimeout


def test_an_adapter_without_connections_proves_nothing() -> None:
    """Where no connection was seen, an error says what its class says."""
    error = post("requests", "http://127.0.0.1:9/", prepare=lambda plain: plain.mount("http://", NeverAnswers()))
    assert failure_of(error).executed == "maybe"


@every_library
@pytest.mark.parametrize("behaviour", [drop_after, silent])
def test_what_left_is_uncertain(library: str, behaviour: Any) -> None:
    """The same write whose answer is lost may have been executed."""
    with Server(behaviour) as server:
        timeout = aiohttp.ClientTimeout(total=0.5) if library == "aiohttp" else 0.5
        error = post(library, server.url, json={}, timeout=timeout)
    assert failure_of(error).executed == "maybe"


class Rebuilding(httpx.Auth):
    """An auth that asks for a token first, and then builds the request anew."""

    def __init__(self, token_url: str, **changes: Any) -> None:
        self.token_url = token_url
        self.changes = changes

    def auth_flow(self, request: httpx.Request) -> Any:
        """Yield the request for a token, then the write."""
        yield httpx.Request("POST", self.token_url)
        yield httpx.Request(request.method, request.url, headers=request.headers, content=request.content)


@pytest.mark.parametrize("library", ["httpx", "httpx async"])
def test_a_request_that_an_auth_builds_anew_is_the_write(library: str) -> None:
    """Its loss is uncertain, although httpx was given another request."""
    with Server(answer(), drop_after) as server:
        auth = Rebuilding(f"{server.url}/token")
        error = post(library, f"{server.url}/orders", auth=auth)
    assert failure_of(error).executed == "maybe"
    assert [request.path for request in server.requests] == ["/token", "/orders"]


@pytest.mark.parametrize("client", [AsyncHttpxClient("asyncio"), AiohttpSession()], ids=lambda client: client.name)
def test_a_client_in_another_event_loop(client: Any) -> None:
    """It is refused before the send, with an error of its own library that says what to do."""
    made: list[Any] = []

    async def first(url: str) -> None:
        made.append(client.open(policies(FakeClock())))
        assert (await made[0].get(url)) is not None

    async def second(url: str) -> None:
        with pytest.raises(client.error, match="make the client in the loop that uses it") as caught:
            await made[0].post(url)
        assert isinstance(caught.value, RejectedError)
        assert failure_of(caught.value).executed == "no"

    async def close() -> None:
        closed = made[0].close if hasattr(made[0], "close") else made[0].aclose
        await closed()

    with Server(answer()) as server, asyncio.Runner() as runner:
        runner.run(first(server.url))
        asyncio.run(second(server.url))
        runner.run(close())
    assert len(server.requests) == 1


def test_a_transport_in_another_event_loop() -> None:
    """The same for an `AsyncResilientTransport`."""
    transport = AsyncResilientTransport("p", policies=policies(FakeClock()))

    async def get(url: str) -> Any:
        request = httpx.Request("GET", url)
        response = await transport.handle_async_request(request)
        await response.aclose()

    with Server(answer()) as server, asyncio.Runner() as runner:
        runner.run(get(server.url))
        with pytest.raises(httpx.RequestError, match="another event loop"):
            asyncio.run(get(server.url))
        runner.run(transport.aclose())
    assert len(server.requests) == 1
