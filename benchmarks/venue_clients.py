"""Builds ccxt's exchanges of every venue for the drills: under our policy, and plain with tenacity's retries."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from importlib import import_module
from typing import Any

import tenacity

from resilience import wrap
from resilience.sandbox.ccxt_urls import point

from .clients import Client
from .sandbox_address import SandboxAddress, policies
from .venue_writes import SYMBOLS, Writes

__all__ = ["client_of"]

ATTEMPTS = 5
# A market buy of Bitget's spot market is by its cost, and its unified accounts have an API of their own.
OPTIONS = {"bitget": {"uta": False, "createOrder": {"createMarketBuyOrderRequiresPrice": False}}}
MODULES = {"sync": "ccxt", "async": "ccxt.async_support"}


def client_of(calls: str, kind: str, ids: Sequence[str], *, ours: bool) -> Client:
    """Return a client for `drill`.

    Args:
        calls: `sync` or `async`, ccxt's two kinds of classes.
        kind: of the writes, one of `KINDS`.
        ids: the client ids of the drill; the orders of amendments and cancels are placed before the faults begin.
        ours: under the sandbox's policy; else plain, five attempts at any exception.
    """
    build, runtime = {"sync": (_sync, "threads"), "async": (_async, "asyncio")}[calls]
    return Client(MODULES[calls], partial(build, kind, ids, ours), runtime, tuple(SYMBOLS), ours)


def _sync(
    kind: str, ids: Sequence[str], ours: bool, exchange: SandboxAddress, market: str, seed: int, stack: ExitStack
) -> Callable[[str], Any]:
    client, writes = _exchange("sync", exchange, market, ours=ours), Writes(exchange, market, kind)
    stack.callback(client.session.close)
    client.load_markets()
    placing = [writes.place(one) for one in ids if writes.needs_orders]
    orders = [getattr(client, method)(*args) for method, args in placing]
    return _writing(client, writes, ids, orders, seed, ours=ours)


async def _async(
    kind: str, ids: Sequence[str], ours: bool, exchange: SandboxAddress, market: str, seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    client, writes = _exchange("async", exchange, market, ours=ours), Writes(exchange, market, kind)
    stack.push_async_callback(client.close)
    await client.load_markets()
    placing = [writes.place(one) for one in ids if writes.needs_orders]
    orders = [await getattr(client, method)(*args) for method, args in placing]
    return _writing(client, writes, ids, orders, seed, ours=ours)


def _exchange(calls: str, exchange: SandboxAddress, market: str, *, ours: bool) -> Any:
    options = {**OPTIONS.get(exchange.venue, {}), "defaultType": market}
    settings: dict[str, Any] = {"enableRateLimit": False, "options": options}
    plain: Any = getattr(import_module(MODULES[calls]), exchange.venue)(settings)
    point(plain, exchange.venue, exchange.urls, (exchange.key, exchange.secret, exchange.passphrase))
    return wrap(plain, exchange.name, policies=policies(exchange)) if ours else plain


def _writing(
    client: Any, writes: Writes, ids: Sequence[str], orders: Sequence[Any], seed: int, *, ours: bool
) -> Callable[[str], Any]:
    if not ours:  # not before the orders were placed, which must not fail
        client.timeout = int(writes.exchange.timeout * 1000)
    numbers = dict(zip(ids, (order["id"] for order in orders), strict=False))

    def write(client_id: str) -> Any:
        method, args = writes.of(client_id, numbers.get(client_id))
        send = getattr(client, method)
        return send(*args) if ours else _tenacious(send, seed)(*args)

    return write


def _tenacious(send: Callable[..., Any], seed: int) -> Callable[..., Any]:
    jitter = random.Random(seed)

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * jitter.random()

    retrying: Any = tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, reraise=True)
    tenacious: Callable[..., Any] = retrying(send)
    return tenacious
