"""A hook of the client fails once the write is accepted: its error says nothing about the write, which is sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from resilience import Found, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.http_clients import policies
from tests.integrations.server import Server, answer

FOUND = {"post": {"reconcile": lambda _call: Found({"id": "7"})}}
NO_CONNECTION = (ConnectionRefusedError, requests.ConnectTimeout, httpx.ConnectTimeout, httpx.PoolTimeout)


class Notifier(httpx.Auth):
    """An auth that tells somebody else of each answer."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def auth_flow(self, request: httpx.Request) -> Iterator[Any]:
        yield request
        raise self.kind("nobody listens")


def hook(kind: type[Exception]) -> Any:
    """Return a hook that raises an error of this class."""

    def notify(response: Any, **_options: Any) -> None:
        response.close()
        raise kind("nobody listens")

    return notify


def by_requests(kind: type[Exception], url: str, rules: Any) -> Any:
    """Post with a hook of requests."""
    with requests.Session() as plain:
        plain.hooks["response"].append(hook(kind))
        return wrap(plain, "p", policies=policies(FakeClock()), operations=rules).post(url)


def by_httpx(kind: type[Exception], url: str, rules: Any) -> Any:
    """Post with an event hook of httpx."""
    with httpx.Client(event_hooks={"response": [hook(kind)]}, trust_env=False) as plain:
        return wrap(plain, "p", policies=policies(FakeClock()), operations=rules).post(url)


def by_auth(kind: type[Exception], url: str, rules: Any) -> Any:
    """Post with an auth of httpx."""
    with httpx.Client(auth=Notifier(kind), trust_env=False) as plain:
        return wrap(plain, "p", policies=policies(FakeClock()), operations=rules).post(url)


def by_async_httpx(kind: type[Exception], url: str, rules: Any) -> Any:
    """Post with an event hook of the async client."""

    async def notify(_response: Any) -> None:
        raise kind("nobody listens")

    async def story() -> Any:
        async with httpx.AsyncClient(event_hooks={"response": [notify]}, trust_env=False) as plain:
            return await wrap(plain, "p", policies=policies(FakeClock()), operations=rules).post(url)

    return asyncio.run(story())


def by_aiohttp(kind: type[Exception], url: str, rules: Any) -> Any:
    """Post with a middleware of aiohttp."""

    async def notify(request: aiohttp.ClientRequest, handler: Any) -> Any:
        await (await handler(request)).read()
        raise kind("nobody listens")

    async def story() -> Any:
        async with aiohttp.ClientSession(middlewares=[notify]) as plain:
            try:
                return await wrap(plain, "p", policies=policies(FakeClock()), operations=rules).post(url)
            finally:
                await asyncio.sleep(0.01)  # aiohttp closes its socket in a later round of the loop

    return asyncio.run(story())


each_way = pytest.mark.parametrize("post", [by_requests, by_httpx, by_auth, by_async_httpx, by_aiohttp])


@each_way
@pytest.mark.parametrize("kind", NO_CONNECTION)
def test_it_is_sent_once(post: Any, kind: type[Exception]) -> None:
    """The hook's own connection was refused: the write has been accepted all the same."""
    with Server(answer(body={"id": "7"}), answer(body={"id": "8"})) as server:
        # aiohttp makes an error of its own of an OSError.
        with pytest.raises((kind, aiohttp.ClientOSError)) as caught:
            post(kind, server.url, None)
        assert (failure_of(caught.value).executed, len(server.requests)) == ("maybe", 1)


@each_way
def test_it_is_looked_up(post: Any) -> None:
    """With a reconciler the order is found."""
    with Server(answer(body={"id": "7"}), answer(body={"id": "8"})) as server:
        got = post(ConnectionRefusedError, server.url, FOUND)
        assert ((getattr(got, "status_code", None) or got.status), len(server.requests)) == (200, 1)


def test_a_hook_that_raises_for_status() -> None:
    """Its error is made of the answer itself, so the status counts."""

    def check(response: Any, **_options: Any) -> None:
        response.close()
        response.raise_for_status()

    with Server(answer(400, "bad")) as server, requests.Session() as plain:
        plain.hooks["response"].append(check)
        with pytest.raises(requests.HTTPError) as caught:
            wrap(plain, "p", policies=policies(FakeClock())).post(server.url)
        assert failure_of(caught.value).executed == "no"
    with (
        Server(answer(400, "bad")) as server,
        httpx.Client(event_hooks={"response": [check]}, trust_env=False) as plain_httpx,
    ):
        with pytest.raises(httpx.HTTPStatusError) as caught_httpx:
            wrap(plain_httpx, "p", policies=policies(FakeClock())).post(server.url)
        assert failure_of(caught_httpx.value).executed == "no"


def test_an_aiohttp_session_that_raises_for_status() -> None:
    """Alike, in aiohttp's way."""

    async def story(url: str) -> Any:
        async with aiohttp.ClientSession(raise_for_status=True) as plain:
            with pytest.raises(aiohttp.ClientResponseError) as caught:
                await wrap(plain, "p", policies=policies(FakeClock())).post(url)
            await asyncio.sleep(0.01)
            return failure_of(caught.value).executed

    with Server(answer(400, "bad")) as server:
        assert asyncio.run(story(server.url)) == "no"
