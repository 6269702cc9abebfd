"""Builds the clients that the order drills compare: through every library, with plain retries and with our policy.

A builder gets the address of a sandbox, the market, a seed and an exit stack. It returns `place(client_id)`, which is a
coroutine function for clients on an event loop. Our clients all use the policy of the sandbox.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from typing import Any, NamedTuple

import tenacity

from resilience import wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient

from .plain_http import (
    aiohttp_middleware,
    aiohttp_session,
    async_httpx,
    httpx_client,
    requests_adapter,
    requests_session,
    tenacious_http,
)
from .sandbox_address import SandboxAddress, order, policies

__all__ = ["OURS", "PLAIN", "Client"]

ATTEMPTS = 5


class Client(NamedTuple):
    """One row of the table.

    Attributes:
        name: of the row.
        build: returns `place` for a sandbox, a market and a seed; async builders are awaited inside their loop.
        runtime: threads, asyncio or trio.
        markets: where it can trade; `plain` is an HTTP API without signatures, which takes an Idempotency-Key.
        ours: whether its errors can say that an outcome is unknown.
    """

    name: str
    build: Callable[..., Any]
    runtime: str = "threads"
    markets: tuple[str, ...] = ("spot", "mix")
    ours: bool = True


# --- Bitget's own client ----------------------------------------------------------------------------


def bitget(exchange: SandboxAddress, market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return `BitgetClient` under the policy."""
    raw = stack.enter_context(_raw(exchange))
    client = wrap(raw, "bitget", policies=policies(exchange))
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id, kind="market": place(**order(market, client_id, kind))


async def async_bitget(
    exchange: SandboxAddress, market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return `AsyncBitgetClient` under the policy."""
    raw = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    await stack.enter_async_context(raw)
    client: Any = wrap(raw, "bitget", policies=policies(exchange))
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id, kind="market": place(**order(market, client_id, kind))


def tenacious(exchange: SandboxAddress, market: str, seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return the plain client under tenacity: five attempts, any exception, exponential backoff with jitter."""
    client, jitter = stack.enter_context(_raw(exchange, exchange.timeout)), random.Random(seed)
    place = client.spot_place_order if market == "spot" else client.mix_place_order

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * jitter.random()

    retrying = tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, reraise=True)
    return retrying(lambda client_id, kind="market": place(**order(market, client_id, kind)))


def urllib3_retries(exchange: SandboxAddress, market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return the plain client on a session whose urllib3 retries every method, every error and every bad status."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    retries = Retry(ATTEMPTS - 1, allowed_methods=None, status_forcelist=[429, 500, 502, 503, 504], backoff_factor=0.05)
    session = requests.Session()
    client = stack.enter_context(_raw(exchange, exchange.timeout, session=session))
    session.mount(
        "http://", HTTPAdapter(max_retries=retries, pool_maxsize=64)
    )  # mounted last: BitgetClient mounts an adapter without retries
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id, kind="market": place(**order(market, client_id, kind))


def _raw(exchange: SandboxAddress, timeout: float = 10.0, session: Any = None) -> BitgetClient:
    keys = (exchange.key, exchange.secret, exchange.passphrase)
    return BitgetClient(*keys, base_url=exchange.rest, timeout=timeout, session=session)


# --- ccxt -------------------------------------------------------------------------------------------


def ccxt_sync(exchange: SandboxAddress, market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return ccxt's bitget under the policy."""
    import ccxt

    client = wrap(ccxt.bitget(_options(exchange, market)), "bitget", policies=policies(exchange))
    stack.callback(client.session.close)
    client.load_markets()
    return lambda client_id, kind="market": client.create_order(*_ccxt_order(market, kind), _ccxt_key(client_id))


async def ccxt_async(exchange: SandboxAddress, market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return ccxt's async bitget under the policy."""
    import ccxt.async_support as ccxt

    client: Any = wrap(ccxt.bitget(_options(exchange, market)), "bitget", policies=policies(exchange))
    stack.push_async_callback(client.close)
    await client.load_markets()
    return lambda client_id, kind="market": client.create_order(*_ccxt_order(market, kind), _ccxt_key(client_id))


def ccxt_retries(exchange: SandboxAddress, market: str, _seed: int, stack: ExitStack) -> Callable[[str], Any]:
    """Return plain ccxt with its own retries on."""
    import ccxt

    options = _options(exchange, market)
    options["timeout"] = int(exchange.timeout * 1000)
    options["options"] |= {"maxRetriesOnFailure": ATTEMPTS - 1, "maxRetriesOnFailureDelay": 50}
    client: Any = ccxt.bitget(options)
    stack.callback(client.session.close)
    client.load_markets()
    return lambda client_id, kind="market": client.create_order(*_ccxt_order(market, kind), _ccxt_key(client_id))


def _options(exchange: SandboxAddress, market: str) -> dict[str, Any]:
    return {
        "apiKey": exchange.key,
        "secret": exchange.secret,
        "password": exchange.passphrase,
        "enableRateLimit": False,
        "urls": {"api": dict.fromkeys(("spot", "mix", "user", "p2p", "broker", "margin", "common", "tax",
                                       "convert", "copy", "earn", "uta"), exchange.rest)},
        "options": {"uta": False, "defaultType": "spot" if market == "spot" else "swap",
                    "createOrder": {"createMarketBuyOrderRequiresPrice": False}},
    }  # fmt: skip


def _ccxt_order(market: str, kind: str) -> tuple[Any, ...]:
    """Return symbol, type, side, amount and price; a spot market buy is by its cost."""
    price = None if kind == "market" else 50_000
    if market == "spot":
        return ("BTC/USDT", kind, "buy", 50 if kind == "market" else 0.01, price)
    return ("BTC/USDT:USDT", kind, "buy", 0.01, price)


def _ccxt_key(client_id: str) -> dict[str, str]:
    return {"clientOrderId": client_id}


HTTP = ("plain",)
PLAIN = (
    Client("BitgetClient, tenacity 5, any exception", tenacious, ours=False),
    Client("BitgetClient, urllib3 Retry(4), all methods", urllib3_retries, ours=False),
    Client("ccxt, maxRetriesOnFailure 4", ccxt_retries, ours=False),
    Client("httpx, tenacity 5, any exception", tenacious_http, markets=HTTP, ours=False),
)
OURS = (
    Client("BitgetClient", bitget),
    Client("AsyncBitgetClient, asyncio", async_bitget, "asyncio"),
    Client("AsyncBitgetClient, trio", async_bitget, "trio"),
    Client("ccxt", ccxt_sync),
    Client("ccxt.async_support", ccxt_async, "asyncio"),
    Client("requests, wrapped session", requests_session, markets=HTTP),
    Client("requests, adapter", requests_adapter, markets=HTTP),
    Client("httpx, wrapped client", httpx_client, markets=HTTP),
    Client("httpx, wrapped async client", async_httpx, "asyncio", markets=HTTP),
    Client("aiohttp, wrapped session", aiohttp_session, "asyncio", markets=HTTP),
    Client("aiohttp, middleware", aiohttp_middleware, "asyncio", markets=HTTP),
)
