"""Clients that place one order, plain and ours, through every library: what the order drills hold against each other.

A builder gets what a sandbox tells of itself, the market and the window, and returns `send(client_id)`: a function, or
a coroutine function for the clients of an event loop. Ours all use the policy of the sandbox.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import tenacity

from resilience import NOT_FOUND, Found, Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.config.load import from_mapping, load

__all__ = ["OURS", "PLAIN", "Client", "Exchange", "order"]

ATTEMPTS = 5
MARKETS = ("spot", "mix", "plain")


class Exchange(NamedTuple):
    """Where the sandbox is, how it is talked to, and its window in seconds."""

    rest: str
    key: str
    secret: str
    passphrase: str
    policy: str
    window: float

    @property
    def timeout(self) -> float:
        """Seconds for one attempt, as the sandbox's own policy has it."""
        return Policies(load(self.policy), log=False).policy("bitget").attempt_timeout or 10.0


class Client(NamedTuple):
    """One row of the table.

    Attributes:
        name: what it is.
        build: makes `send` for an exchange, a market and a seed; async builders are awaited inside their loop.
        colour: threads, asyncio or trio.
        markets: where it can trade; `plain` is an HTTP API without signatures, which takes an Idempotency-Key.
        ours: whether its errors tell what is unknown.
    """

    name: str
    build: Callable[..., Any]
    colour: str = "threads"
    markets: tuple[str, ...] = ("spot", "mix")
    ours: bool = True


def order(market: str, client_id: str, kind: str = "market") -> dict[str, str]:
    """Return one order in Bitget's words; a market order fills at once, so that its client id protects nothing."""
    price = {} if kind == "market" else {"price": "50000"}
    if market == "spot":
        size = {"size": "50" if kind == "market" else "0.01"}
        common = {"symbol": "BTCUSDT", "side": "buy", "orderType": kind, "force": "gtc", "clientOid": client_id}
        return {**common, **size, **price}
    return {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "crossed",
        "marginCoin": "USDT",
        "side": "buy",
        "orderType": kind,
        "force": "gtc",
        "size": "0.01",
        "clientOid": client_id,
        **price,
    }


def policies(exchange: Exchange) -> Policies:
    """Return the sandbox's policy, without log lines."""
    return Policies(load(exchange.policy), log=False)


def plain_policies(exchange: Exchange) -> Policies:
    """Return the same settings for an API without codes of its own, under the name `plain`."""
    told = policies(exchange).policy("bitget")
    assert told.reconcile is not None
    assert told.retry is not None
    rules = {
        "extends": "http",
        "deadline": told.deadline,
        "attempt_timeout": told.attempt_timeout,
        "retry": {"max_attempts": told.retry.max_attempts, "backoff": {"initial": 0.05, "max": exchange.window}},
        "budget": {"ratio": 1.0, "floor": 10},
        "breaker": {"wait": True},
        "reconcile": {
            "checks": 2,
            "wait": told.reconcile.wait,
            "window": exchange.window,
            "processing": exchange.window / 10,
            "lag": exchange.window / 15,
        },
    }
    return Policies(from_mapping({"version": 1, "policies": {"plain": rules}}), log=False)


# --- Bitget's own client ----------------------------------------------------------------------------


def bitget(exchange: Exchange, market: str, _seed: int) -> Callable[[str], Any]:
    """Return `BitgetClient` under the policy."""
    client = wrap(_raw(exchange), "bitget", policies=policies(exchange))
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id: place(**order(market, client_id))


async def async_bitget(exchange: Exchange, market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return `AsyncBitgetClient` under the policy."""
    raw = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    await stack.enter_async_context(raw)
    client: Any = wrap(raw, "bitget", policies=policies(exchange))
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id: place(**order(market, client_id))


def tenacious(exchange: Exchange, market: str, seed: int) -> Callable[[str], Any]:
    """Return the plain client under tenacity: five attempts, any exception, exponential backoff with jitter."""
    client, noise = _raw(exchange, exchange.timeout), random.Random(seed)
    place = client.spot_place_order if market == "spot" else client.mix_place_order

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * noise.random()

    retrying = tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, reraise=True)
    return retrying(lambda client_id: place(**order(market, client_id)))


def urllib3_retries(exchange: Exchange, market: str, _seed: int) -> Callable[[str], Any]:
    """Return the plain client on a session whose urllib3 retries every method, every error and every bad status."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    retries = Retry(ATTEMPTS - 1, allowed_methods=None, status_forcelist=[429, 500, 502, 503, 504], backoff_factor=0.05)
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries, pool_maxsize=64))
    client = _raw(exchange, exchange.timeout, session=session)
    place = client.spot_place_order if market == "spot" else client.mix_place_order
    return lambda client_id: place(**order(market, client_id))


def _raw(exchange: Exchange, timeout: float = 10.0, session: Any = None) -> BitgetClient:
    given = (exchange.key, exchange.secret, exchange.passphrase)
    return BitgetClient(*given, base_url=exchange.rest, timeout=timeout, session=session)


# --- ccxt -------------------------------------------------------------------------------------------


def ccxt_sync(exchange: Exchange, market: str, _seed: int) -> Callable[[str], Any]:
    """Return ccxt's bitget under the policy."""
    import ccxt

    client = wrap(ccxt.bitget(_options(exchange, market)), "bitget", policies=policies(exchange))
    client.load_markets()
    return lambda client_id: client.create_order(*_ccxt_order(market), {"clientOrderId": client_id})


async def ccxt_async(exchange: Exchange, market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return ccxt's async bitget under the policy."""
    import ccxt.async_support as ccxt

    client: Any = wrap(ccxt.bitget(_options(exchange, market)), "bitget", policies=policies(exchange))
    stack.push_async_callback(client.close)
    await client.load_markets()
    return lambda client_id: client.create_order(*_ccxt_order(market), {"clientOrderId": client_id})


def ccxt_retries(exchange: Exchange, market: str, _seed: int) -> Callable[[str], Any]:
    """Return plain ccxt with its own retries on."""
    import ccxt

    options = _options(exchange, market)
    options["timeout"] = int(exchange.timeout * 1000)
    options["options"] |= {"maxRetriesOnFailure": ATTEMPTS - 1, "maxRetriesOnFailureDelay": 50}
    client: Any = ccxt.bitget(options)
    client.load_markets()
    return lambda client_id: client.create_order(*_ccxt_order(market), {"clientOrderId": client_id})


def _options(exchange: Exchange, market: str) -> dict[str, Any]:
    return {
        "apiKey": exchange.key,
        "secret": exchange.secret,
        "password": exchange.passphrase,
        "enableRateLimit": False,
        "urls": {"api": dict.fromkeys(("spot", "mix", "user", "p2p", "broker", "margin", "common", "tax",
                                       "convert", "copy", "earn", "uta"), exchange.rest)},
        "options": {"uta": False, "defaultType": "spot" if market == "spot" else "swap",
                    "createMarketBuyOrderRequiresPrice": False},
    }  # fmt: skip


def _ccxt_order(market: str) -> tuple[Any, ...]:
    if market == "spot":
        return ("BTC/USDT", "market", "buy", 50, None)
    return ("BTC/USDT:USDT", "market", "buy", 0.01, None)


# --- plain HTTP: an API without signatures -------------------------------------------------------------

_BODY = {"symbol": "BTCUSDT", "side": "buy", "size": "50"}


def _keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def requests_session(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a wrapped requests session."""
    import requests

    session: Any = None

    def look(call: Any) -> Any:
        return _told(session.get(f"{exchange.rest}/plain/orders", params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    session = wrap(requests.Session(), "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key: _good(session.post(f"{exchange.rest}/plain/orders", json=_BODY, headers=_keyed(key)))


def requests_adapter(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a plain session with our adapter mounted."""
    import requests

    from resilience.integrations.requests import ResilientAdapter

    session = requests.Session()

    def look(call: Any) -> Any:
        return _told(session.get(f"{exchange.rest}/plain/orders", params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    adapter = ResilientAdapter("plain", operations=rules, policies=plain_policies(exchange), pool_maxsize=64)
    session.mount("http://", adapter)
    return lambda key: _good(session.post(f"{exchange.rest}/plain/orders", json=_BODY, headers=_keyed(key)))


def httpx_client(exchange: Exchange, _market: str, _seed: int) -> Callable[[str], Any]:
    """Return a wrapped httpx client."""
    import httpx

    client: Any = None

    def look(call: Any) -> Any:
        return _told(client.get(f"{exchange.rest}/plain/orders", params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(httpx.Client(), "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key: _good(client.post(f"{exchange.rest}/plain/orders", json=_BODY, headers=_keyed(key)))


async def async_httpx(exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return a wrapped async httpx client."""
    import httpx

    raw = await stack.enter_async_context(httpx.AsyncClient())
    client: Any = None

    async def look(call: Any) -> Any:
        return _told(await client.get(f"{exchange.rest}/plain/orders", params={"key": call.key}))

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))

    async def send(key: str) -> Any:
        headers = _keyed(key)
        return _good(await client.post(f"{exchange.rest}/plain/orders", json=_BODY, headers=headers))

    return send


async def aiohttp_session(exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack) -> Callable[[str], Any]:
    """Return a wrapped aiohttp session."""
    import aiohttp

    raw = await stack.enter_async_context(aiohttp.ClientSession())
    client: Any = None

    async def look(call: Any) -> Any:
        async with client.get(f"{exchange.rest}/plain/orders", params={"key": call.key}) as answer:
            return _found(answer.status, await answer.json())

    rules = {"post /plain/orders": {"reconcile": look}}
    client = wrap(raw, "plain", operations=rules, policies=plain_policies(exchange))
    return lambda key: _posted(client, exchange, key)


async def aiohttp_middleware(
    exchange: Exchange, _market: str, _seed: int, stack: AsyncExitStack
) -> Callable[[str], Any]:
    """Return a plain aiohttp session with our middleware."""
    import aiohttp
    from resilience.integrations.aiohttp import resilience_middleware

    client: Any = None

    async def look(call: Any) -> Any:
        async with client.get(f"{exchange.rest}/plain/orders", params={"key": call.key}) as answer:
            return _found(answer.status, await answer.json())

    rules = {"post /plain/orders": {"reconcile": look}}
    middleware = resilience_middleware("plain", operations=rules, policies=plain_policies(exchange))
    client = await stack.enter_async_context(aiohttp.ClientSession(middlewares=[middleware]))
    return lambda key: _posted(client, exchange, key)


async def _posted(client: Any, exchange: Exchange, key: str) -> Any:
    url, headers = f"{exchange.rest}/plain/orders", _keyed(key)
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

    def send(key: str) -> Any:
        headers = _keyed(key)
        return client.post(f"{exchange.rest}/plain/orders", json=_BODY, headers=headers).raise_for_status()

    def wait(state: tenacity.RetryCallState) -> float:
        return min(2.0, 0.05 * 2**state.attempt_number) * noise.random()

    return tenacity.retry(stop=tenacity.stop_after_attempt(ATTEMPTS), wait=wait, sleep=time.sleep, reraise=True)(send)


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
