"""Builds clients of an HTTP API without signatures, whose orders carry an Idempotency-Key header."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from typing import Any

import tenacity

from resilience import NOT_FOUND, Found, wrap

from .sandbox_address import SandboxAddress, plain_policies

ATTEMPTS = 5
_BODY = {"symbol": "BTCUSDT", "side": "buy", "size": "50"}


def _key_header(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def requests_session(exchange: SandboxAddress, _market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return a wrapped requests session."""
    import requests

    session: Any = None

    def look_up(call: Any) -> Any:
        return _find_order(session.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look_up}}
    session = wrap(
        stack.enter_context(requests.Session()), "plain", operations=rules, policies=plain_policies(exchange)
    )
    return lambda key, _kind="market": _order_of(session.post(exchange.orders, json=_BODY, headers=_key_header(key)))


def requests_adapter(exchange: SandboxAddress, _market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return a plain session with our adapter mounted."""
    import requests

    from resilience.integrations.requests import ResilientAdapter

    session = stack.enter_context(requests.Session())

    def look_up(call: Any) -> Any:
        return _find_order(session.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look_up}}
    adapter = ResilientAdapter("plain", operations=rules, policies=plain_policies(exchange), pool_maxsize=64)
    session.mount("http://", adapter)
    return lambda key, _kind="market": _order_of(session.post(exchange.orders, json=_BODY, headers=_key_header(key)))


def httpx_client(exchange: SandboxAddress, _market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return a wrapped httpx client."""
    import httpx

    client: Any = None

    def look_up(call: Any) -> Any:
        return _find_order(client.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look_up}}
    client = wrap(stack.enter_context(httpx.Client()), "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key, _kind="market": _order_of(client.post(exchange.orders, json=_BODY, headers=_key_header(key)))


async def async_httpx(
    exchange: SandboxAddress, _market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return a wrapped async httpx client."""
    import httpx

    raw = await stack.enter_async_context(httpx.AsyncClient())
    client: Any = None

    async def look_up(call: Any) -> Any:
        return _find_order(await client.get(exchange.orders, params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look_up}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))

    async def send(key: str, _kind: str = "market") -> Any:
        headers = _key_header(key)
        return _order_of(await client.post(exchange.orders, json=_BODY, headers=headers))

    return send


async def aiohttp_session(
    exchange: SandboxAddress, _market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return a wrapped aiohttp session."""
    import aiohttp

    raw = await stack.enter_async_context(aiohttp.ClientSession())
    client: Any = None

    async def look_up(call: Any) -> Any:
        async with client.get(exchange.orders, params={"key": call.key}) as answer:
            return _parse_orders(answer.status, await answer.json())

    rules = {"post /plain/orders": {"reconcile": look_up}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key, _kind="market": _post(client, exchange, key)


async def aiohttp_middleware(
    exchange: SandboxAddress, _market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return a plain aiohttp session with our middleware."""
    import aiohttp

    from resilience.integrations.aiohttp import resilience_middleware

    client: Any = None

    async def look_up(call: Any) -> Any:
        answer = await client.get(exchange.orders, params={"key": call.key})
        result = _parse_orders(answer.status, await answer.json())
        return replace(result, value=answer) if isinstance(result, Found) else result  # a middleware returns an answer

    rules = {"post /plain/orders": {"reconcile": look_up}}
    middleware = resilience_middleware("plain", operations=rules, policies=plain_policies(exchange))
    client = await stack.enter_async_context(aiohttp.ClientSession(middlewares=[middleware]))
    return lambda key, _kind="market": _post(client, exchange, key)


async def _post(client: Any, exchange: SandboxAddress, key: str) -> Any:
    url, headers = exchange.orders, _key_header(key)
    answer = await client.post(url, json=_BODY, headers=headers)
    if isinstance(answer, Mapping):
        return answer
    async with answer:
        if answer.status >= 400:
            raise StatusError(answer)
        return await answer.json()


class StatusError(Exception):
    """Raised by the drills for an answer with an error status; `failure_of(error.answer)` is its failure."""

    def __init__(self, answer: Any) -> None:
        super().__init__("error status")
        self.answer = answer


def _order_of(answer: Any) -> Any:
    """Return the order in an answer; a reconciler returns the order itself."""
    if isinstance(answer, Mapping):
        return answer
    if answer.status_code >= 400:
        raise StatusError(answer)
    return answer.json()


def _find_order(answer: Any) -> Any:
    return _parse_orders(answer.status_code, answer.json() if answer.status_code == 200 else {})


def _parse_orders(status: int, body: Mapping[str, Any]) -> Any:
    if status != 200:
        raise LookupError(f"the query was answered with {status}")
    if not body["orders"]:
        return NOT_FOUND
    row = body["orders"][0]
    ours = all(str(row.get(name)) == value for name, value in _BODY.items())
    return Found(row, created_at=row["created_at"], matches=ours, server_time=body["time"])


def tenacious_http(exchange: SandboxAddress, _market: str, seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return a plain httpx client under tenacity."""
    import httpx

    client, jitter = stack.enter_context(httpx.Client(timeout=exchange.timeout)), random.Random(seed)

    def send(key: str, _kind: str = "market") -> Any:
        headers = _key_header(key)
        return client.post(exchange.orders, json=_BODY, headers=headers).raise_for_status()

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * jitter.random()

    return tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, sleep=time.sleep, reraise=True)(send)
