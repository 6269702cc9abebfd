"""A write that a lookup found returns what users of the client expect: a response with the result as its body."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import httpx
import pytest
import requests

from resilience import Found, Policies, wrap
from resilience.integrations.aiohttp import resilience_middleware
from resilience.integrations.httpx import AsyncResilientTransport, ResilientTransport
from resilience.integrations.requests import ResilientAdapter

ORDER = {"id": "7", "status": "filled"}
RULES = {"post /orders": {"reconcile": lambda _call: Found(ORDER)}}
URL = "http://127.0.0.1:9/orders"


class Lost(requests.adapters.HTTPAdapter):
    """An adapter on which every request times out."""

    def send(self, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Time out."""
        raise requests.ReadTimeout


class LostAdapter(ResilientAdapter, Lost):
    """Our adapter, on which every request times out."""


def lost(_request: httpx.Request) -> httpx.Response:
    """Time out."""
    raise httpx.ReadTimeout("lost")


def test_requests() -> None:
    """A wrapped session and our adapter alike."""
    plain = requests.Session()
    plain.mount("http://", Lost())
    mounted = requests.Session()
    mounted.mount("http://", LostAdapter("http", operations=RULES, policies=Policies.builtin()))
    for session in (wrap(plain, "http", operations=RULES, policies=Policies.builtin()), mounted):
        answer = session.post(URL, json={}, timeout=5)
        answer.raise_for_status()
        assert (answer.status_code, answer.json()) == (200, ORDER)


def test_httpx() -> None:
    """A wrapped client and our transport alike."""
    transport = httpx.MockTransport(lost)
    plain = httpx.Client(transport=transport)
    inner = ResilientTransport("http", transport=transport, operations=RULES, policies=Policies.builtin())
    wrapped = wrap(plain, "http", operations=RULES, policies=Policies.builtin())
    for client in (wrapped, httpx.Client(transport=inner)):
        answer = client.post(URL, json={})
        assert (answer.raise_for_status().status_code, answer.json()) == (200, ORDER)


def test_async_httpx() -> None:
    """A wrapped async client and our async transport alike."""

    async def story() -> None:
        transport = httpx.MockTransport(lost)
        inner = AsyncResilientTransport("http", transport=transport, operations=RULES, policies=Policies.builtin())
        async with httpx.AsyncClient(transport=transport) as plain, httpx.AsyncClient(transport=inner) as through:
            for client in (wrap(plain, "http", operations=RULES, policies=Policies.builtin()), through):
                answer = await client.post(URL, json={})
                assert (answer.raise_for_status().status_code, answer.json()) == (200, ORDER)

    asyncio.run(story())


async def lost_by_aiohttp(_request: aiohttp.ClientRequest, _handler: Any) -> aiohttp.ClientResponse:
    """Time out."""
    raise aiohttp.SocketTimeoutError


@pytest.mark.parametrize("seam", [False, True])
def test_aiohttp(seam: bool) -> None:
    """A wrapped session and our middleware alike: the response is read, entered, streamed and released."""

    async def story() -> None:
        inner = resilience_middleware("http", operations=RULES, policies=Policies.builtin())
        async with aiohttp.ClientSession(middlewares=[inner, lost_by_aiohttp] if seam else [lost_by_aiohttp]) as plain:
            session = plain if seam else wrap(plain, "http", operations=RULES, policies=Policies.builtin())
            answer = await session.post(URL, json={})
            answer.raise_for_status()
            assert isinstance(answer, aiohttp.ClientResponse)
            assert (answer.status, answer.ok, answer.content_type) == (200, True, "application/json")
            assert (answer.method, str(answer.url), str(answer.request_info.url)) == ("POST", URL, URL)
            assert await answer.json() == ORDER
            assert await answer.read() == (await answer.text()).encode()
            answer.release()
            async with session.post(URL, json={}) as entered:
                assert await entered.json() == ORDER
            async with session.post(URL, json={}) as streamed:
                assert b"".join([part async for part in streamed.content.iter_any()]) == json.dumps(ORDER).encode()
            assert "200" in repr(answer)

    asyncio.run(story())
