"""Clients of an HTTP API without signatures, plain and ours: the key travels in the Idempotency-Key header."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import tenacity

from resilience import NOT_FOUND, Found, wrap

from .exchange import Exchange, plain_policies

ATTEMPTS = 5
_BODY = {"symbol": "BTCUSDT", "side": "buy", "size": "50"}


def _keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def requests_session(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a wrapped requests session."""
    import requests

    session: Any = None

    def look(call: Any) -> Any:
        return _told(session.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    session = wrap(requests.Session(), "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key, _kind="market": _good(session.post(exchange.orders, json=_BODY, headers=_keyed(key)))


def requests_adapter(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a plain session with our adapter mounted."""
    import requests

    from resilience.integrations.requests import ResilientAdapter

    session = requests.Session()

    def look(call: Any) -> Any:
        return _told(session.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    adapter = ResilientAdapter("plain", operations=rules, policies=plain_policies(exchange), pool_maxsize=64)
    session.mount("http://", adapter)
    return lambda key, _kind="market": _good(session.post(exchange.orders, json=_BODY, headers=_keyed(key)))


def httpx_client(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a wrapped httpx client."""
    import httpx

    client: Any = None

    def look(call: Any) -> Any:
        return _told(client.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(httpx.Client(), "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key, _kind="market": _good(client.post(exchange.orders, json=_BODY, headers=_keyed(key)))


async def async_httpx(exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return a wrapped async httpx client."""
    import httpx

    raw = await stack.enter_async_context(httpx.AsyncClient())
    client: Any = None

    async def look(call: Any) -> Any:
        return _told(await client.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))

    async def send(key: str, _kind: str = "market") -> Any:
        headers = _keyed(key)
        return _good(await client.post(exchange.orders, json=_BODY, headers=headers))

    return send


async def aiohttp_session(exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return a wrapped aiohttp session."""
    import aiohttp

    raw = await stack.enter_async_context(aiohttp.ClientSession())
    client: Any = None

    async def look(call: Any) -> Any:
        async with client.get(exchange.orders, params={"key": call.key}) as answer:
            return _found(answer.status, await answer.json())

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key, _kind="market": _posted(client, exchange, key)


async def aiohttp_middleware(
    exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return a plain aiohttp session with our middleware."""
    import aiohttp

    from resilience.integrations.aiohttp import resilience_middleware

    client: Any = None

    async def look(call: Any) -> Any:
        answer = await client.get(exchange.orders, params={"key": call.key})
        found = _found(answer.status, await answer.json())
        return replace(found, value=answer) if isinstance(found, Found) else found  # a middleware returns an answer

    rules = {"post /plain/orders": {"reconcile": look}}
    middleware = resilience_middleware("plain", operations=rules, policies=plain_policies(exchange))
    client = await stack.enter_async_context(aiohttp.ClientSession(middlewares=[middleware]))
    return lambda key, _kind="market": _posted(client, exchange, key)


async def _posted(client: Any, exchange: Exchange, key: str) -> Any:
    url, headers = exchange.orders, _keyed(key)
    answer = await client.post(url, json=_BODY, headers=headers)
    if isinstance(answer, Mapping):
        return answer
    async with answer:
        if answer.status >= 400:
            raise StatusError(answer)
        return await answer.json()


class StatusError(Exception):
    """An answer with an error status, as the drills raise it; its failure is the answer's own."""

    def __init__(self, answer: Any) -> None:
        super().__init__("error status")
        self.answer = answer


def _good(answer: Any) -> Any:
    """Return the order in a good answer; the reconciler's find is one already."""
    if isinstance(answer, Mapping):
        return answer
    if answer.status_code >= 400:
        raise StatusError(answer)
    return answer.json()


def _told(answer: Any) -> Any:
    return _found(answer.status_code, answer.json() if answer.status_code == 200 else {})


def _found(status: int, body: Mapping[str, Any]) -> Any:
    if status != 200:
        raise LookupError(f"the query was answered with {status}")
    if not body["orders"]:
        return NOT_FOUND
    row = body["orders"][0]
    return Found(row, created_at=row["created_at"], server_time=body["time"])


def tenacious_http(exchange: Exchange, _market: str, seed: int) -> Callable[[str], Any]:
    """Return a plain httpx client under tenacity."""
    import httpx

    client, noise = httpx.Client(timeout=exchange.timeout), random.Random(seed)

    def send(key: str, _kind: str = "market") -> Any:
        headers = _keyed(key)
        return client.post(exchange.orders, json=_BODY, headers=headers).raise_for_status()

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * noise.random()

    return tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, sleep=time.sleep, reraise=True)(send)
