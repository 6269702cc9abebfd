"""Builds the other clients of the gateway table: of one's own, of ccxt, and Bitget's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.config.loading.policy_file import load

from .gateway_clients import BODY, PLAIN, GatewayClient, Site, checked, found_in, policies

__all__ = ["CLIENTS"]

SYMBOL = "BTC/USDT"
_NUMBER = {"min": None, "max": None}
MARKET = {
    "id": "BTC-USDT", "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
    "type": "spot", "spot": True, "swap": False, "future": False, "option": False, "margin": False, "contract": False,
    "active": True, "precision": {"amount": 1e-6, "price": 0.01},
    "limits": dict.fromkeys(("amount", "price", "cost", "leverage"), _NUMBER), "info": {},
}  # fmt: skip


class ServiceError(Exception):
    """The error of a client of one's own: the status, and the body as text."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:100]}")
        self.status_code, self.body = status, body


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


class OwnClient:
    """A client as users write them, on urllib."""

    def __init__(self, site: Site) -> None:
        self._site, self._opener = site, build_opener(_Stay())

    def place_order(self, *, client_id: str) -> Any:
        request = Request(self._site.orders, json.dumps(BODY).encode(), {"Idempotency-Key": client_id})
        return checked(json.loads(self._send(request)), client_id)

    def find_order(self, key: str) -> Any:
        return found_in(200, self._send(Request(f"{self._site.orders}?key={key}")))

    def _send(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=10) as answer:
                return answer.read()  # type: ignore[no-any-return]
        except HTTPError as error:
            with error:
                raise ServiceError(error.code, error.read().decode("utf-8", "replace")) from None


class AsyncOwnClient:
    """A client as users write them, on aiohttp."""

    def __init__(self, site: Site, session: Any) -> None:
        self._site, self._session = site, session

    async def place_order(self, *, client_id: str) -> Any:
        headers = {"Idempotency-Key": client_id}
        body = await self._send("POST", json=BODY, headers=headers)
        return checked(json.loads(body), client_id)

    async def find_order(self, key: str) -> Any:
        return found_in(200, await self._send("GET", params={"key": key}))

    async def _send(self, method: str, **options: Any) -> bytes:
        async with self._session.request(method, self._site.orders, allow_redirects=False, **options) as answer:
            body: bytes = await answer.read()
            if answer.status >= 300:
                raise ServiceError(answer.status, body.decode("utf-8", "replace"))
            return body


def own_client(site: Site, _stack: Any) -> Callable[[str], Any]:
    client: Any = None
    rules = {"place_order": {"key": "client_id", "reconcile": lambda call: client.find_order(call.key)}}
    rules |= {"find_order": {"idempotent": True}}  # type: ignore[dict-item]
    client = wrap(OwnClient(site), "gateway", operations=rules if site.reconciled else None, policies=policies())
    return lambda key: client.place_order(client_id=key)


async def async_own_client(site: Site, stack: Any) -> Callable[[str], Any]:
    import aiohttp

    client: Any = None

    async def look_up(call: Any) -> Any:
        return await client.find_order(call.key)

    session = await stack.enter_async_context(aiohttp.ClientSession())
    rules: Any = {
        "place_order": {"key": "client_id", "reconcile": look_up},
        "find_order": {"idempotent": True},
    }
    raw = AsyncOwnClient(site, session)
    client = wrap(raw, "gateway", operations=rules if site.reconciled else None, policies=policies())
    return lambda key: client.place_order(client_id=key)


def _okx(module: Any, site: Site) -> Any:
    keys = {"apiKey": "account-0123456789", "secret": "secret", "password": "words", "timeout": 10_000}
    exchange = module.okx({**keys, "enableRateLimit": False})
    exchange.urls["api"] = {"rest": f"{site.url}/okx", "ws": ""}
    exchange.set_markets([dict(MARKET)])
    return exchange


def ccxt_okx(site: Site, stack: Any) -> Callable[[str], Any]:
    import ccxt

    exchange: Any = None

    def look_up(call: Any) -> Any:
        try:
            order = exchange.fetch_order(None, SYMBOL, {"clientOrderId": call.key})
        except ccxt.OrderNotFound:
            return NOT_FOUND
        return Found(order, created_at=order["timestamp"] / 1000)

    rules = {"create_order": {"key": "clientOrderId", "reconcile": look_up}} if site.reconciled else None
    exchange = wrap(_okx(ccxt, site), "gateway", operations=rules, policies=policies("ccxt"))
    stack.callback(exchange.session.close)
    return lambda key: exchange.create_order(SYMBOL, "market", "buy", 1, None, {"clientOrderId": key})


async def async_ccxt_okx(site: Site, stack: Any) -> Callable[[str], Any]:
    import ccxt.async_support as ccxt

    exchange: Any = None

    async def look_up(call: Any) -> Any:
        try:
            order = await exchange.fetch_order(None, SYMBOL, {"clientOrderId": call.key})
        except ccxt.OrderNotFound:
            return NOT_FOUND
        return Found(order, created_at=order["timestamp"] / 1000)

    rules = {"create_order": {"key": "clientOrderId", "reconcile": look_up}} if site.reconciled else None
    exchange = wrap(_okx(ccxt, site), "gateway", operations=rules, policies=policies("ccxt"))
    stack.push_async_callback(exchange.close)
    return lambda key: exchange.create_order(SYMBOL, "market", "buy", 1, None, {"clientOrderId": key})


def _order(key: str) -> dict[str, str]:
    common = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc"}
    return {**common, "size": "50", "clientOid": key}


def bitget(site: Site, stack: Any) -> Callable[[str], Any]:
    keys = site.key, site.secret, site.passphrase
    raw = stack.enter_context(BitgetClient(*keys, base_url=f"{site.url}/bitget"))
    client = wrap(raw, "bitget", policies=Policies(load(site.policy), log=False))
    return lambda key: client.spot_place_order(**_order(key))


async def async_bitget(site: Site, stack: Any) -> Callable[[str], Any]:
    keys = site.key, site.secret, site.passphrase
    raw = await stack.enter_async_context(AsyncBitgetClient(*keys, base_url=f"{site.url}/bitget"))
    client: Any = wrap(raw, "bitget", policies=Policies(load(site.policy), log=False))
    return lambda key: client.spot_place_order(**_order(key))


CLIENTS = (
    *PLAIN,
    GatewayClient("own client", own_client),
    GatewayClient("async own client", async_own_client, True),
    GatewayClient("ccxt okx", ccxt_okx),
    GatewayClient("async ccxt okx", async_ccxt_okx, True),
    GatewayClient("BitgetClient", bitget, needs_reconciler=True),
    GatewayClient("AsyncBitgetClient", async_bitget, True, needs_reconciler=True),
)
