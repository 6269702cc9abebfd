"""What stays the same for a client under a policy, and what reaches it: state, signing, timeouts, cancellation."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import trio
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.util import Timeout

from resilience import Policies, wrap
from resilience.integrations import httpx as ours
from resilience.integrations.aiohttp import resilience_middleware
from resilience.integrations.httpx import ResilientTransport
from resilience.integrations.requests import ResilientAdapter, guard_connections
from resilience.testing import FakeClock
from tests.integrations.http_clients import (
    Ask,
    Async,
    Got,
    HttpClient,
    every_async_client,
    every_client,
    every_wrapped_client,
    policies,
)
from tests.integrations.server import Server, answer, drop_after, silent


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The timeouts that the clients' own transports get, one entry per attempt."""
    seen: list[Any] = []

    def watch(transport: type, name: str, timeout_of: Callable[..., Any]) -> None:
        real = getattr(transport, name)

        @wraps(real)
        def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
            seen.append(timeout_of(*args, **kwargs))
            return real(self, *args, **kwargs)

        monkeypatch.setattr(transport, name, watched)

    def of_request(request: httpx.Request) -> Any:
        return request.extensions["timeout"]

    watch(HTTPAdapter, "send", lambda _request, **kwargs: {"all": kwargs["timeout"]})
    watch(PoolManager, "urlopen", lambda **kwargs: {"all": kwargs["timeout"]})
    watch(httpx.HTTPTransport, "handle_request", of_request)
    watch(httpx.AsyncHTTPTransport, "handle_async_request", of_request)
    watch(
        aiohttp.TCPConnector,
        "connect",
        lambda _request, traces, timeout: {"total": timeout.total, "connect": timeout.connect},
    )
    return seen


@every_client
def test_each_attempts_time_reaches_the_client(client: HttpClient, limits: list[Any]) -> None:
    """Each attempt's limit becomes the client's own timeout; the last one is what the deadline leaves."""
    if client.name == "aiohttp middleware":
        pytest.skip("a middleware cannot change its session's timeout")
    with Server(answer(503), answer(503), answer()) as server:
        client.run(policies(FakeClock(), deadline="6s", attempt_timeout="5s"), server.url, Ask())
    if client.name == "requests adapter":
        limits = limits[1:]  # the adapter is one itself: its own `send` comes first, then the plain one
    assert [max(limit.values()) for limit in limits[:1]] == [pytest.approx(5, rel=0.06)]
    assert [max(limit.values()) for limit in limits[-1:]] == [pytest.approx(4, rel=0.06)]
    assert all(0 < value <= 5 for limit in limits for value in limit.values() if value is not None)


def test_the_callers_shorter_timeout_stays(limits: list[Any]) -> None:
    """The shorter of the caller's timeout and the attempt's limit is used, for each part."""
    rules = policies(FakeClock())
    with Server(answer()) as server:
        with wrap(requests.Session(), "p", policies=rules) as session:
            session.get(server.url, timeout=(3, None))
            session.get(server.url, timeout=Timeout(total=4))
        with wrap(httpx.Client(), "p", policies=rules) as client:
            client.get(server.url, timeout=httpx.Timeout(None, connect=3))
            client.send(httpx.Request("GET", server.url))

        async def main() -> None:
            async with wrap(aiohttp.ClientSession(), "p", policies=rules) as session:
                await session.get(server.url, timeout=aiohttp.ClientTimeout(total=3))
                await session.get(server.url, timeout=aiohttp.ClientTimeout(total=None, connect=9))

        asyncio.run(main())
    assert limits[0] == {"all": (3, 5.0)}
    assert limits[1]["all"].total == 4
    assert limits[2:4] == [{"connect": 3, "read": 5.0, "write": 5.0, "pool": 5.0}, dict.fromkeys(limits[3], 5.0)]
    assert limits[4:] == [{"total": 3, "connect": 4.0}, {"total": 4.75, "connect": 4.0}]


@every_wrapped_client
def test_it_is_still_the_client(client: HttpClient) -> None:
    """The class is the same, the context manager returns the wrapped client, and leaving it closes the original."""

    def check(plain: Any, wrapped: Any, entered: Any) -> None:
        assert isinstance(wrapped, type(plain))
        assert entered is wrapped

    def closed(plain: Any) -> Any:
        return getattr(plain, "closed", getattr(plain, "is_closed", None))

    rules = policies(FakeClock())
    if isinstance(client, Async):

        async def main() -> None:
            plain = client.plain()
            wrapped = wrap(plain, "p", policies=rules)
            async with wrapped as entered:
                check(plain, wrapped, entered)
            assert closed(plain) is True

        client.main(main)
    else:
        plain = client.plain()
        wrapped = wrap(plain, "p", policies=rules)
        with wrapped as entered:
            check(plain, wrapped, entered)
        assert closed(plain) in (True, None)


@every_wrapped_client
def test_state_is_shared(client: HttpClient) -> None:
    """A cookie that the wrapped client received is sent by the original, and a header set on it is sent by both."""
    if client.name == "urllib3 pool manager":
        pytest.skip("urllib3 keeps no cookies")
    rules = policies(FakeClock())
    asks = [Ask(), Ask()]

    def both(plain: Any) -> tuple[Any, Any]:
        plain.headers["X-Bot"] = "7"
        return wrap(plain, "p", policies=rules), plain

    with Server(answer(Set_Cookie="seat=9"), answer()) as server:
        url = server.url.replace("127.0.0.1", "localhost") if "aiohttp" in client.name else server.url
        if isinstance(client, Async):

            async def main() -> None:
                pair = both(client.plain())
                async with pair[1]:
                    for opened, ask in zip(pair, asks, strict=True):
                        await client.ask(opened, url, ask)

            client.main(main)
        else:
            pair = both(client.plain())
            with pair[1]:
                for opened, ask in zip(pair, asks, strict=True):
                    client.ask(opened, url, ask)  # type: ignore[attr-defined]
    assert [request.headers.get("cookie") for request in server.requests] == [None, "seat=9"]
    assert [request.headers["x-bot"] for request in server.requests] == ["7", "7"]


class Sign(httpx.Auth, requests.auth.AuthBase):
    """Signs each request with a new number, as a requests auth, an httpx auth and an aiohttp middleware."""

    def __init__(self) -> None:
        self.used = 0

    def __call__(self, request: Any) -> Any:
        self.used += 1
        request.headers["X-Sign"] = str(self.used)
        return request

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        """Sign an httpx request."""
        yield self(request)

    async def middleware(self, request: aiohttp.ClientRequest, handler: Any) -> Any:
        """Sign an aiohttp request."""
        return await handler(self(request))


SIGNERS: dict[str, Callable[[Any], Any]] = {
    "requests session": lambda rules: _signed(requests.Session(), rules),
    "httpx client": lambda rules: _signed(httpx.Client(), rules),
    "httpx async client": lambda rules: _signed(httpx.AsyncClient(), rules),
    "aiohttp session": lambda rules: wrap(aiohttp.ClientSession(middlewares=[Sign().middleware]), "p", policies=rules),
    "aiohttp middleware": lambda rules: aiohttp.ClientSession(
        middlewares=[resilience_middleware("p", policies=rules), Sign().middleware]
    ),
}


def _signed(client: Any, rules: Policies) -> Any:
    client.auth = Sign()
    return wrap(client, "p", policies=rules)


@pytest.mark.parametrize("name", SIGNERS)
def test_what_signs_inside_the_client_signs_every_attempt(name: str) -> None:
    """Each attempt has a signature of its own; the caller's request is not signed."""
    rules = policies(FakeClock())
    with Server(answer(503), answer(503), answer()) as server:
        if "async" in name or "aiohttp" in name:

            async def main() -> None:
                async with SIGNERS[name](rules) as client:
                    assert (await client.get(server.url)) is not None

            asyncio.run(main())
        else:
            with SIGNERS[name](rules) as client:
                assert client.get(server.url).status_code == 200
    assert [request.headers["x-sign"] for request in server.requests] == ["1", "2", "3"]


def test_httpx_requests_are_copied() -> None:
    """A request built by hand is not changed by its attempts and can be sent again."""
    with Server(answer(503), answer()) as server, httpx.Client(auth=Sign()) as plain:
        client = wrap(plain, "p", policies=policies(FakeClock()))
        request = client.build_request("PUT", server.url, json={"a": 1})
        assert client.send(request).status_code == 200
        assert json.loads(client.send(request).request.content) == {"a": 1}
    assert "x-sign" not in request.headers
    assert [json.loads(request.body) for request in server.requests] == [{"a": 1}] * len(server.requests)


def test_own_retries_are_switched_off_loudly() -> None:
    """A client's own retries are switched off, with a warning."""
    plain = httpx.HTTPTransport(retries=2)
    with pytest.warns(UserWarning, match="2 more times"), httpx.Client(transport=plain) as client:
        wrap(client, "p", policies=policies())
    with pytest.warns(UserWarning, match="2 more times"):
        ResilientTransport(transport=httpx.HTTPTransport(retries=2)).close()
    with pytest.warns(UserWarning, match="switched off"):
        assert ResilientAdapter(max_retries=3).max_retries.total == 0


@every_client
def test_nothing_is_tried_beneath_the_policy(client: HttpClient) -> None:
    """Aiohttp's second try of a GET whose connection broke is off too, from the first request on."""
    with Server(drop_after) as server:
        errors = client.run(policies(FakeClock()), server.url, Ask(), Ask())
    assert len(server.requests) == 6
    assert all(isinstance(error, client.error) for error in errors)


@every_async_client
def test_a_cancelled_request_is_not_tried_again(client: Any) -> None:
    """Cancellation is passed on at once, and the write is reported as abandoned."""
    events: list[str] = []
    rules = policies()
    rules.subscribe(lambda event: events.append(event.name))

    async def main() -> None:
        async with client.open(rules) as opened:
            ask = partial(client.ask, opened, server.url, Ask("POST"))
            if client.loop == "trio":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    await trio.to_thread.run_sync(server.received.wait, 60)
                    nursery.cancel_scope.cancel()
                return
            task = asyncio.create_task(ask())
            await asyncio.to_thread(server.received.wait, 60)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with Server(silent) as server:
        client.main(main)
    assert len(server.requests) == 1
    assert events == ["call_abandoned"]


@every_async_client
def test_a_call_that_is_cancelled_while_it_waits_holds_no_connection(client: Any) -> None:
    """The response that a retry would have discarded is closed."""
    ended = threading.Event()

    def busy(connection: Any) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 10\r\n\r\nhalf")
        if connection.ended():
            ended.set()

    async def main() -> None:
        rules, waits = policies(), asyncio.Event() if client.loop == "asyncio" else trio.Event()
        rules.subscribe(lambda event: waits.set() if event.wait_for is not None else None)
        async with client.open(rules) as opened:
            ask = partial(client.ask, opened, server.url, Ask(chunk=True))
            if client.loop == "trio":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    await waits.wait()
                    nursery.cancel_scope.cancel()
                assert await trio.to_thread.run_sync(ended.wait, 60)
                return
            task = asyncio.create_task(ask())
            await waits.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(ended.wait, 60)

    with Server(busy) as server:
        client.main(main)


def test_both_ways_to_use_an_aiohttp_request() -> None:
    """A wrapped session's request can be awaited and entered; sockets are not wrapped; relative URLs work."""

    async def main(url: str) -> None:
        async with wrap(aiohttp.ClientSession(base_url=url), "p", policies=policies(FakeClock())) as session:
            reply = await session.get("/a")
            assert await reply.text() == "fine"
            async with session.request("GET", "/b") as reply, session.post("/c", json={"x": 1}) as other:
                assert (reply.status, other.status) == (200, 200)
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect("/ws")

    with Server(answer()) as server:
        asyncio.run(main(server.url))
    assert [request.path for request in server.requests] == ["/a", "/b", "/c", "/ws"]


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_single_requests(loop: str) -> None:
    """`send` and `send_async` send once, follow no redirect, and return status, reason, headers and body."""
    arguments: dict[str, Any] = {"headers": {"X-A": "1"}, "data": b"x", "timeout": 60}

    async def main() -> Any:
        async with ours.new_async_client() as client:
            return await ours.send_async(client, "POST", server.url + "/a?b=%2C", **arguments)

    with Server(answer(303, "there", Location="/")) as server:
        with ours.new_client() as client:
            blocking = ours.send(client, "POST", server.url + "/a?b=%2C", **arguments)
        awaited = asyncio.run(main()) if loop == "asyncio" else trio.run(main)
    assert blocking[:2] == awaited[:2] == (303, "Scripted")
    assert (blocking.content, awaited.headers["location"]) == (b"there", "/")
    assert [(request.path, request.body, request.headers["x-a"]) for request in server.requests] == [
        ("/a?b=%2C", b"x", "1")
    ] * 2


def test_a_reused_class_is_made_once() -> None:
    """Two wrapped clients of one class are of one class, and a wrapped client can be wrapped again."""
    with httpx.Client() as one, httpx.Client() as two:
        first, second = wrap(one, policies=policies()), wrap(two, policies=policies())
        assert type(first) is type(second)
    with Server(answer()) as server, requests.Session() as plain:
        session = wrap(wrap(plain, "p", policies=policies()), "p", policies=policies())
        assert Got(session.get(server.url).status_code, "") == Got(200, "")


def test_an_adapter_with_pools_of_another_kind() -> None:
    """urllib3-future takes the place of urllib3 once niquests is installed: its pools are left as they are."""
    adapter = HTTPAdapter()
    before = dict(adapter.poolmanager.pool_classes_by_scheme)
    adapter.poolmanager.pools = object()
    guard_connections(adapter)
    assert adapter.poolmanager.pool_classes_by_scheme == before
