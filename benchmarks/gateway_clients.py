"""Builds the wrapped HTTP sessions of the gateway table, and what all its clients share.

A builder gets a `Site` and an exit stack. It returns `send(key)`, which returns an `Answer` or the order itself; it is
a coroutine function for clients on an event loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.config.loading.policy_file import from_mapping

from .gateway_inline import Inline
from .gateway_orders import LAG, PROCESSING, WINDOW
from .gateway_reports import Answer

__all__ = ["BODY", "SESSIONS", "GatewayClient", "Site", "found_in", "key_header", "policies"]

BODY = {"symbol": "BTCUSDT", "side": "buy", "size": "50"}


class Site(NamedTuple):
    """Where the clients send their orders.

    Attributes:
        url: the address of the gateway.
        key: the key of the sandbox behind it, with `secret` and `passphrase`.
        policy: the policy file of the sandbox.
        reconciled: whether orders are looked up.
        inline: the gateway itself, where requests do not go over sockets.
        bounds: W, P and L, as the policy of the clients has them.
    """

    url: str = "http://gateway.test"
    key: str = ""
    secret: str = ""
    passphrase: str = ""
    policy: str = ""
    reconciled: bool = True
    inline: Inline | None = None
    bounds: tuple[float, float, float] = (WINDOW, PROCESSING, LAG)

    @property
    def orders(self) -> str:
        """The URL of orders in the plain dialect."""
        return f"{self.url}/plain/orders"

    def requests(self) -> Any:
        """Return a new session of requests."""
        import requests

        session = requests.Session()
        if self.inline is not None:
            session.mount("http://", self.inline.requests_adapter())
        return session

    def httpx(self, *, asynchronous: bool = False) -> Any:
        """Return a new client of httpx."""
        import httpx

        transport = None if self.inline is None else self.inline.httpx_transport()
        kind = httpx.AsyncClient if asynchronous else httpx.Client
        return kind(timeout=10, verify=False, transport=transport)


class GatewayClient(NamedTuple):
    """One client: its name, its builder, whether it is async, and whether its orders are always looked up."""

    name: str
    build: Callable[..., Any]
    asynchronous: bool = False
    needs_reconciler: bool = False


def policies(site: Site, base: str = "http") -> Policies:
    """Return policies with short waits, as the policy `gateway`, that never refuse an order."""
    window, processing, lag = site.bounds
    rules = {
        "extends": base,
        "deadline": 30.0,
        "attempt_timeout": 10.0,
        "retry": {"max_attempts": 6, "backoff": {"initial": 0.01, "max": 0.05}},
        "budget": "off",
        "breaker": "off",
        "quota": "off",
        "admission": "off",
        "reconcile": {"early_checks": 2, "wait": 0.05, "window": window, "processing": processing, "lag": lag},
    }
    clock = None if site.inline is None else site.inline.clock
    return Policies(from_mapping({"version": 1, "policies": {"gateway": rules}}), clock=clock, log=False)


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


def key_header(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def requests_session(site: Site, stack: Any) -> Callable[[str], Any]:
    session: Any = None

    def look_up(call: Any) -> Any:
        answer = session.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = stack.enter_context(site.requests())
    session = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies(site))

    def send(key: str) -> Any:
        answer = session.post(site.orders, json=BODY, headers=key_header(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


def httpx_client(site: Site, stack: Any) -> Callable[[str], Any]:
    client: Any = None

    def look_up(call: Any) -> Any:
        answer = client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = stack.enter_context(site.httpx())
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies(site))

    def send(key: str) -> Any:
        answer = client.post(site.orders, json=BODY, headers=key_header(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


async def async_httpx(site: Site, stack: Any) -> Callable[[str], Any]:
    client: Any = None

    async def look_up(call: Any) -> Any:
        answer = await client.get(site.orders, params={"key": call.key})
        return found_in(answer.status_code, answer.content)

    raw = await stack.enter_async_context(site.httpx(asynchronous=True))
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies(site))

    async def send(key: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=key_header(key))
        return Answer(answer, answer.status_code, answer.content)

    return send


async def aiohttp_session(site: Site, stack: Any) -> Callable[[str], Any]:
    import aiohttp

    client: Any = None

    async def look_up(call: Any) -> Any:
        async with client.get(site.orders, params={"key": call.key}) as answer:
            return found_in(answer.status, await answer.read())

    raw = await stack.enter_async_context(aiohttp.ClientSession())
    client = wrap(raw, "gateway", operations=_rules(site, look_up), policies=policies(site))

    async def send(key: str) -> Any:
        answer = await client.post(site.orders, json=BODY, headers=key_header(key))
        if isinstance(answer, dict):
            return answer
        async with answer:
            return Answer(answer, answer.status, await answer.read())

    return send


SESSIONS = (
    GatewayClient("requests.Session", requests_session),
    GatewayClient("httpx.Client", httpx_client),
    GatewayClient("httpx.AsyncClient", async_httpx, True),
    GatewayClient("aiohttp.ClientSession", aiohttp_session, True),
)
