"""A decorated write that returns its client's response is not done because it returned: the status counts."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from resilience import NOT_FOUND, Found, failure_of, resilient
from resilience.testing import FakeClock
from tests.integrations.http_clients import policies
from tests.integrations.server import Server, answer


def by_requests(url: str) -> Any:
    """Send with requests."""
    return requests.post(url, allow_redirects=False, timeout=5)


def by_httpx(url: str) -> Any:
    """Send with httpx."""
    return httpx.post(url)


async def by_aiohttp(url: str) -> Any:
    """Send with aiohttp."""
    async with aiohttp.ClientSession() as session, session.post(url, allow_redirects=False) as got:
        await got.read()
        return got


SENDERS = [by_requests, by_httpx]


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("status", [302, 400, 429, 503])
def test_a_failed_status_is_looked_up(send: Any, status: int) -> None:
    """What the lookup finds is returned; if it finds nothing past the fence, the response itself is."""
    answers: list[Any] = [Found({"id": "7"}), *[NOT_FOUND] * 9]

    @resilient("p", policies=policies(FakeClock(), retry="off"), key="key", reconcile=lambda _call: answers.pop(0))
    def place(url: str, *, key: str | None = None) -> Any:
        return send(url)

    with Server(answer(status, "busy"), answer(status, "busy")) as server:
        assert place(server.url) == {"id": "7"}
        got = place(server.url)
    assert (got.status_code, failure_of(got).executed) == (status, "no")


@pytest.mark.parametrize("send", SENDERS)
def test_a_success_is_returned_as_it_is(send: Any) -> None:
    """And so is every response of a function without a lookup."""

    @resilient("p", policies=policies(FakeClock()), key="key", reconcile=lambda _call: NOT_FOUND)
    def place(url: str, *, key: str | None = None) -> Any:
        return send(url)

    @resilient("p", policies=policies(FakeClock()))
    def ask(url: str) -> Any:
        return send(url)

    with Server(answer(201, "ok"), answer(503, "busy")) as server:
        assert place(server.url).status_code == 201
        assert ask(server.url).status_code == 503


def test_aiohttp() -> None:
    """The response of an async function alike."""

    @resilient("p", policies=policies(FakeClock()), key="key", reconcile=lambda _call: Found({"id": "7"}))
    async def place(url: str, *, key: str | None = None) -> Any:
        return await by_aiohttp(url)

    with Server(answer(503, "busy")) as server:
        assert asyncio.run(place(server.url)) == {"id": "7"}
