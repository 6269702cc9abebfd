"""What a lookup of an HTTP client returns is compared as everywhere, and a reconciler that cannot work is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from resilience import NOT_FOUND, Found, failure_of, resilient, wrap
from resilience.testing import FakeClock
from tests.integrations.http_clients import CLIENTS, Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Server, answer

KEY = {"Idempotency-Key": "mine-1", "Content-Type": "application/json"}
BODY = json.dumps({"symbol": "BTC/USDT", "side": "buy", "clientOrderId": "beside-1"}).encode()


def post(client: HttpClient, found: Any, **order: Any) -> Any:
    """Place an order whose outcome a lookup has to settle; return what the caller gets."""
    rules: Any = {"post": {"reconcile": lambda call: Found(found(call) if callable(found) else found)}}
    with Server(answer(503, "busy")) as server:
        (got,) = client.run(policies(FakeClock()), server.url, Ask("POST", "/", KEY, BODY), operations=rules)
    return got


@every_client
@pytest.mark.parametrize(
    "found",
    [
        {"id": 7, "clientOrderId": "mine-12"},
        {"data": {"id": 7, "clientOid": "of another"}},
        [{"id": 7, "clOrdId": "of another"}],
        {"id": 7, "clientOrderId": "mine-1", "side": "sell"},
        {"result": [{"id": 7, "clientOrderId": "mine-1", "symbol": "ETHUSDT"}]},
    ],
)
def test_another_order_is_not_found(client: HttpClient, found: Any) -> None:
    """Another client id, or our own with another side or symbol: the caller gets the API's own answer."""
    assert post(client, found) == Got(503, "busy")


@every_client
@pytest.mark.parametrize(
    "found",
    [
        {"id": 7, "clientOrderId": "mine-1", "symbol": "BTCUSDT", "side": "BUY"},
        {"id": 7, "clientOrderId": "beside-1"},
        [{"id": 6, "clientOrderId": "of another"}, {"id": 7, "clientOrderId": "mine-1"}],
        {"id": 7},
    ],
)
def test_the_callers_order_is_found(client: HttpClient, found: Any) -> None:
    """By the key, or by the client id that the caller has put into the body beside the key."""
    got = post(client, found)
    assert (got.status, json.loads(got.text)) == (200, found)


@every_client
def test_a_response_that_a_lookup_returns_is_compared(client: HttpClient) -> None:
    """A reconciler may return the response of its own request: its body is read."""
    with Server(answer(503, "busy"), answer(body={"id": 7, "clientOrderId": "of another"})) as server:
        rules = {"post": {"reconcile": client.look_up(server.url)}}
        (got,) = client.run(policies(FakeClock()), server.url, Ask("POST", "/", KEY, BODY), operations=rules)
    assert got == Got(503, "busy")


@every_client
@pytest.mark.parametrize("reconcile", [lambda: NOT_FOUND, lambda _call, _more: NOT_FOUND, Found])
def test_a_reconciler_that_cannot_be_called(client: HttpClient, reconcile: Any) -> None:
    """It is refused where it is given; `Found` itself would make a success of every call."""

    async def open_client() -> None:
        if client.name != "aiohttp session":
            client.open(policies(FakeClock()), {"post": {"reconcile": reconcile}})
            return
        async with aiohttp.ClientSession() as plain:
            wrap(plain, "p", policies=policies(FakeClock()), operations={"post": {"reconcile": reconcile}})

    with pytest.raises(TypeError, match="reconcile"):
        asyncio.run(open_client())


@pytest.mark.parametrize("name", ["aiohttp session", "aiohttp middleware", "httpx async client, asyncio"])
def test_a_lambda_that_returns_a_coroutine(name: str) -> None:
    """Its answer becomes a response of the client, as that of an async function does."""

    async def look_up(key: str) -> Any:
        return Found({"id": key})

    client = next(one for one in CLIENTS if one.name == name)
    with Server(answer(503, "busy")) as server:
        rules = {"post": {"reconcile": lambda call: look_up(call.key)}}
        got = client.run(policies(FakeClock()), server.url, Ask("POST", "/", KEY, BODY), operations=rules)
    assert got == [Got(200, '{"id": "mine-1"}')]


def test_a_lookup_that_returns_nothing() -> None:
    """The `Failure` says so, although there is no value to show."""

    class Client:
        def place(self, *, key: str | None = None) -> Any:
            raise TimeoutError

    rules: Any = {"place": {"key": "key", "reconcile": lambda _call: None}}
    with pytest.raises(TimeoutError) as caught:
        wrap(Client(), "p", operations=rules, policies=policies(FakeClock())).place()
    assert "not NoneType" in str(failure_of(caught.value).lookup_error)


def test_an_async_lookup_that_runs_out() -> None:
    """`next()` without a default is a bug, although a coroutine turns its error into a `RuntimeError`."""
    clock = FakeClock()

    async def look_up(_call: Any) -> Any:
        return next(iter(()))

    @resilient("p", policies=policies(clock), key="key", reconcile=look_up)
    async def place(*, key: str | None = None) -> Any:
        raise TimeoutError

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(place())
    assert isinstance(failure_of(caught.value).lookup_error, RuntimeError)
    assert sum(clock.sleeps) == 1.0
