"""Builds the clients of the gateway table that speak plain HTTP: wrapped sessions, functions, and clients of one's own.

A builder gets the address, the policies and whether to look orders up. It returns `send(key)`, which returns an
`Answer` or the order itself; it is a coroutine function for clients on an event loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from resilience import NOT_FOUND, Found, Policies, resilient, wrap
from resilience.config.loading.policy_file import from_mapping

from .gateway_orders import LAG, PROCESSING, WINDOW
from .gateway_reports import Answer

__all__ = ["PLAIN", "GatewayClient", "Site", "policies"]

BODY = {"symbol": "BTCUSDT", "side": "buy", "size": "50"}


class Site(NamedTuple):
    """The address of the gateway, the keys and the policy file of its sandbox, and whether orders are looked up."""

    url: str
    key: str
    secret: str
    passphrase: str
    policy: str
    reconciled: bool = True

    @property
    def orders(self) -> str:
        """The URL of orders in the plain dialect."""
        return f"{self.url}/plain/orders"


class GatewayClient(NamedTuple):
    """One client: its name, its builder, whether it is async, and whether it can do without a reconciler."""

    name: str
    build: Callable[..., Any]
    asynchronous: bool = False
    needs_reconciler: bool = False


def policies(base: str = "http") -> Policies:
    """Return policies with short waits, as the policy `gateway`, that never refuse an order."""
    rules = {
        "extends": base,
        "deadline": 30.0,
        "attempt_timeout": 10.0,
        "retry": {"max_attempts": 6, "backoff": {"initial": 0.01, "max": 0.05}},
        "budget": "off",
        "breaker": "off",
        "quota": "off",
        "admission": "off",
        "reconcile": {"early_checks": 2, "wait": 0.05, "window": WINDOW, "processing": PROCESSING, "lag": LAG},
    }
    return Policies(from_mapping({"version": 1, "policies": {"gateway": rules}}), log=False)


def found_in(status: int, body: bytes) -> Any:
    """Return what a lookup says."""
    if status != 200:
        raise OSError(f"the lookup was answered with {status}")
    answer = json.loads(body)
    if not answer["orders"]:
        return NOT_FOUND(server_time=answer["time"])
    row = answer["orders"][0]
    return Found(row, created_at=row["createdAt"], server_time=answer["time"])


def _rules(site: Site, look_up: Any, name: str = "post /plain/orders") -> Any:
    return {name: {"reconcile": look_up}} if site.reconciled else None


def _headers(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def requests_session(site: Site, stack: Any) -> Callable[[str], Any]:
    import requests

    session: Any = None

    def look_up(call: Any) -> Any:
        answer = session.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = stack.enter_context(requests.Session())
    session = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies())

    def send(key: str) -> Any:
        answer = session.post(site.orders, json=BODY, headers=_headers(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


def httpx_client(site: Site, stack: Any) -> Callable[[str], Any]:
    import httpx

    client: Any = None

    def look_up(call: Any) -> Any:
        answer = client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = stack.enter_context(httpx.Client(timeout=10, verify=False))
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies())

    def send(key: str) -> Any:
        answer = client.post(site.orders, json=BODY, headers=_headers(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


async def async_httpx(site: Site, stack: Any) -> Callable[[str], Any]:
    import httpx

    client: Any = None

    async def look_up(call: Any) -> Any:
        answer = await client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = await stack.enter_async_context(httpx.AsyncClient(timeout=10, verify=False))
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies())

    async def send(key: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=_headers(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


async def aiohttp_session(site: Site, stack: Any) -> Callable[[str], Any]:
    import aiohttp

    client: Any = None

    async def look_up(call: Any) -> Any:
        async with client.get(site.orders, params={"key": call.key}) as answer:
            return found_in(answer.status, await answer.read())

    raw = await stack.enter_async_context(aiohttp.ClientSession())
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies())

    async def send(key: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=_headers(key))
        if isinstance(answer, dict):
            return answer
        async with answer:
            return Answer(answer, answer.status, await answer.read())

    return send


def function(site: Site, stack: Any) -> Callable[[str], Any]:
    """Return a decorated function that sends with requests and raises as its users do."""
    import requests

    session = stack.enter_context(requests.Session())

    def look_up(call: Any) -> Any:
        answer = session.get(site.orders, params={"key": call.key}, timeout=10)
        return found_in(answer.status_code, answer.content)

    reconcile = {"key": "client_id", "reconcile": look_up} if site.reconciled else {}

    @resilient("gateway", policies=policies(), **reconcile)  # type: ignore[arg-type]
    def place_order(*, client_id: str) -> Any:
        url, headers = site.orders, _headers(client_id)
        answer = session.post(url, json=BODY, headers=headers, timeout=10, allow_redirects=False)
        answer.raise_for_status()
        return checked(answer.json(), client_id)

    return lambda key: place_order(client_id=key)


async def async_function(site: Site, stack: Any) -> Callable[[str], Any]:
    """Return a decorated coroutine function that sends with httpx."""
    import httpx

    client = await stack.enter_async_context(httpx.AsyncClient(timeout=10, verify=False))

    async def look_up(call: Any) -> Any:
        answer = await client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    reconcile = {"key": "client_id", "reconcile": look_up} if site.reconciled else {}

    @resilient("gateway", policies=policies(), **reconcile)  # type: ignore[arg-type]
    async def place_order(*, client_id: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=_headers(client_id))
        answer.raise_for_status()
        return checked(answer.json(), client_id)

    return lambda key: place_order(client_id=key)


class UnusableAnswerError(Exception):
    """Raised for a success that is not this order's, as a careful program does."""


def checked(order: Any, key: str) -> Any:
    """Return the order of an answer.

    Raises:
        UnusableAnswerError: there is none, or it is another one.
    """
    if not isinstance(order, dict) or "orderId" not in order or order.get("clientOrderId") != key:
        raise UnusableAnswerError(f"no order in {order!r}")
    return order


PLAIN = (
    GatewayClient("requests.Session", requests_session),
    GatewayClient("httpx.Client", httpx_client),
    GatewayClient("httpx.AsyncClient", async_httpx, True),
    GatewayClient("aiohttp.ClientSession", aiohttp_session, True),
    GatewayClient("function", function),
    GatewayClient("async function", async_function, True),
)
