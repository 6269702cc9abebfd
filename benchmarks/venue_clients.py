"""Builds ccxt's exchanges of every venue for the order drills: under our policy, and plain with tenacity's retries."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from importlib import import_module
from typing import Any

import tenacity

from resilience import wrap
from resilience.sandbox.ccxt_urls import point

from .clients import Client
from .sandbox_address import SandboxAddress, policies

__all__ = ["client_of"]

ATTEMPTS = 5
SYMBOLS = {"spot": "BTC/USDT", "swap": "BTC/USDT:USDT"}
# A market buy of Bitget's spot market is by its cost, and its unified accounts have an API of their own.
OPTIONS = {"bitget": {"uta": False, "createOrder": {"createMarketBuyOrderRequiresPrice": False}}}
MODULES = {"sync": "ccxt", "async": "ccxt.async_support"}


def client_of(calls: str, kind: str, *, ours: bool) -> Client:
    """Return a client for `drill`.

    Args:
        calls: `sync` or `async`, ccxt's two kinds of classes.
        kind: of the orders: `market` or `limit`.
        ours: under the sandbox's policy; else plain, five attempts at any exception.
    """
    build, runtime = {"sync": (_sync, "threads"), "async": (_async, "asyncio")}[calls]
    return Client(MODULES[calls], partial(build, kind, ours), runtime, tuple(SYMBOLS), ours)


def _sync(
    kind: str, ours: bool, exchange: SandboxAddress, market: str, seed: int, stack: ExitStack
) -> Callable[[str], Any]:
    client = _exchange("sync", exchange, market, ours=ours)
    stack.callback(client.session.close)
    client.load_markets()
    return _placing(client, exchange, market, kind, seed, ours=ours)


async def _async(
    kind: str, ours: bool, exchange: SandboxAddress, market: str, seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    client = _exchange("async", exchange, market, ours=ours)
    stack.push_async_callback(client.close)
    await client.load_markets()
    return _placing(client, exchange, market, kind, seed, ours=ours)


def _exchange(calls: str, exchange: SandboxAddress, market: str, *, ours: bool) -> Any:
    options = {**OPTIONS.get(exchange.venue, {}), "defaultType": market}
    settings: dict[str, Any] = {"enableRateLimit": False, "options": options}
    if not ours:
        settings["timeout"] = int(exchange.timeout * 1000)
    plain: Any = getattr(import_module(MODULES[calls]), exchange.venue)(settings)
    point(plain, exchange.venue, exchange.urls, (exchange.key, exchange.secret, exchange.passphrase))
    return wrap(plain, exchange.name, policies=policies(exchange)) if ours else plain


def _placing(
    client: Any, exchange: SandboxAddress, market: str, kind: str, seed: int, *, ours: bool
) -> Callable[[str], Any]:
    amount = 50 if (exchange.venue, market, kind) == ("bitget", "spot", "market") else 0.01
    order = (SYMBOLS[market], kind, "buy", amount, None if kind == "market" else 50_000)
    create = client.create_order if ours else _tenacious(client.create_order, seed)
    return lambda client_id: create(*order, {"clientOrderId": client_id})


def _tenacious(create: Callable[..., Any], seed: int) -> Callable[..., Any]:
    jitter = random.Random(seed)

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * jitter.random()

    retrying: Any = tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, reraise=True)
    tenacious: Callable[..., Any] = retrying(create)
    return tenacious
