"""Builds the exchanges of the gateway table: ccxt's with a lookup by the user, and Bitget's own clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.config.loading.policy_file import load

from .gateway_clients import SESSIONS, GatewayClient, Site, policies
from .gateway_own import OWN

__all__ = ["CLIENTS"]

SYMBOL = "BTC/USDT"
_NUMBER = {"min": None, "max": None}
MARKET = {
    "id": "BTC-USDT", "symbol": SYMBOL, "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
    "type": "spot", "spot": True, "swap": False, "future": False, "option": False, "margin": False, "contract": False,
    "active": True, "precision": {"amount": 1e-6, "price": 0.01},
    "limits": dict.fromkeys(("amount", "price", "cost", "leverage"), _NUMBER), "info": {},
}  # fmt: skip


def _okx(module: Any, site: Site) -> Any:
    keys = {"apiKey": "account-0123456789", "secret": "secret", "password": "words", "timeout": 10_000}
    exchange = module.okx({**keys, "enableRateLimit": False})
    exchange.urls["api"] = {"rest": f"{site.url}/okx", "ws": ""}
    exchange.set_markets([dict(MARKET)])
    if site.inline is not None:
        exchange.session.mount("http://", site.inline.requests_adapter())
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
    exchange = wrap(_okx(ccxt, site), "gateway", operations=rules, policies=policies(site, "ccxt"))
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
    exchange = wrap(_okx(ccxt, site), "gateway", operations=rules, policies=policies(site, "ccxt"))
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
    *SESSIONS,
    *OWN,
    GatewayClient("ccxt okx", ccxt_okx, needs_reconciler=True),
    GatewayClient("async ccxt okx", async_ccxt_okx, True, needs_reconciler=True),
    GatewayClient("BitgetClient", bitget, needs_reconciler=True),
    GatewayClient("AsyncBitgetClient", async_bitget, True, needs_reconciler=True),
)
