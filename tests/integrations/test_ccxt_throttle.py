"""Test that ccxt's wait for its own rate limit is no part of an attempt's time, and that a quota replaces it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from resilience import Policies, wrap
from resilience.testing import recorded_events

MARKET = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
TICKER = {"code": "00000", "msg": "success", "data": [{"symbol": "BTCUSDT", "lastPr": "1", "ts": "1"}]}
PACE = 40  # milliseconds between two requests, as ccxt would keep them
CALLS = 30


class Bare(ccxt.bitget):  # type: ignore[misc]  # ccxt has no types
    """An exchange that answers at once."""

    async def fetch_async(self) -> Any:
        return TICKER

    def fetch(self, *_args: Any, **_kwargs: Any) -> Any:
        return TICKER


class BareAsync(ccxt.async_support.bitget):  # type: ignore[misc]  # the same
    """The same, async."""

    async def fetch(self, *_args: Any, **_kwargs: Any) -> Any:
        return TICKER


def made(kind: type) -> Any:
    """Return such an exchange with its market loaded."""
    exchange = kind({"rateLimit": PACE, "options": {"uta": False}})
    exchange.set_markets([{**MARKET, "precision": {"amount": 1e-6, "price": 0.01}}])
    return exchange


def policies(**settings: Any) -> Policies:
    """Return policies whose attempts are shorter than the whole queue."""
    rules = {"extends": "bitget", "attempt_timeout": "300ms", "deadline": "60s", "quota": [], **settings}
    return Policies.from_mapping({"policies": {"p": rules}})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Count how often ccxt waits for its own limit."""
    counted: list[Any] = []
    original_sync, original_async = ccxt.bitget.throttle, ccxt.async_support.bitget.throttle
    monkeypatch.setattr(Bare, "throttle", lambda self, cost=None: (counted.append(cost), original_sync(self, cost)))

    async def throttle(self: Any, cost: Any = None) -> None:
        counted.append(cost)
        await original_async(self, cost)

    monkeypatch.setattr(BareAsync, "throttle", throttle)
    return counted


def test_a_burst_queues_and_nothing_fails(waits: list[Any]) -> None:
    """More calls at once than ccxt lets through in an attempt's time: each waits its turn and gets its answer."""

    async def story(mine: Policies) -> list[Any]:
        exchange = wrap(made(BareAsync), "p", policies=mine)
        try:
            return await asyncio.gather(*(exchange.fetch_ticker("BTC/USDT") for _ in range(CALLS)))
        finally:
            await exchange.close()

    mine = policies()
    with recorded_events(mine) as events:
        tickers = asyncio.run(story(mine))
    assert [ticker["symbol"] for ticker in tickers] == ["BTC/USDT"] * CALLS
    assert (events, len(waits)) == ([], CALLS)


def test_a_sync_wait_is_no_attempts_time(waits: list[Any]) -> None:
    """The request after the wait has the whole attempt."""
    left: list[Any] = []

    class Watching(Bare):
        def fetch(self, *_args: Any, **_kwargs: Any) -> Any:
            left.append(self.timeout)
            return TICKER

    exchange = made(Watching)
    exchange.rateLimit = 200
    bot = wrap(exchange, "p", policies=policies(attempt_timeout="250ms"))
    for _ in range(3):
        bot.fetch_ticker("BTC/USDT")
    assert min(left) > 60  # of 250 milliseconds; without that it would be at most 50
    assert len(waits) == 3


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_quota_replaces_ccxts_wait(waits: list[Any], asynchronous: bool) -> None:
    """The two would add up: where the policy has a quota, ccxt does not wait."""
    mine = policies(quota=[{"rate": "1000/s", "burst": 1000}])

    async def story() -> None:
        exchange = wrap(made(BareAsync), "p", policies=mine)
        await exchange.fetch_ticker("BTC/USDT")
        await exchange.close()

    if asynchronous:
        asyncio.run(story())
    else:
        wrap(made(Bare), "p", policies=mine).fetch_ticker("BTC/USDT")
    assert waits == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_markets_are_loaded_by_a_call_of_their_own(asynchronous: bool) -> None:
    """It has its own operation, its own attempts and its own time, and calls at once share it."""
    loads: list[str] = []

    def load(self: Any) -> list[Any]:
        loads.append("markets")
        if len(loads) == 1:
            raise ccxt.RequestTimeout("slow")
        return [{**MARKET, "precision": {"amount": 1e-6, "price": 0.01}}]

    async def load_async(self: Any, _params: Any = None) -> list[Any]:
        await asyncio.sleep(0.4)  # longer than an attempt of the calls that wait for it
        return load(self)

    async def nothing(self: Any, _params: Any = None) -> dict[str, Any]:
        return {}

    names = {"rateLimit": 1, "options": {"uta": False}}
    rules = {
        "policies": {
            "p": {"extends": "bitget", "attempt_timeout": "300ms", "deadline": "60s", "quota": [], "retry": None},
            "load": {"extends": "bitget", "attempt_timeout": "30s", "deadline": "60s", "quota": []},
        },
        "operations": [{"match": "load_markets", "policy": "load"}],
    }
    mine = Policies.from_mapping(rules)

    async def story() -> None:
        kind = type("Loading", (BareAsync,), {"fetch_markets": load_async, "fetch_currencies": nothing})
        exchange = wrap(kind(names), "p", policies=mine)
        await asyncio.gather(*(exchange.fetch_ticker("BTC/USDT") for _ in range(3)))
        await exchange.close()

    with recorded_events(mine) as events:
        if asynchronous:
            asyncio.run(story())
        else:
            both = {"fetch_markets": lambda self, params=None: load(self), "fetch_currencies": lambda *_: {}}
            wrap(type("Loading", (Bare,), both)(names), "p", policies=mine).fetch_ticker("BTC/USDT")
    assert loads == ["markets"] * 2
    assert {(event.operation, event.policy) for event in events} == {("load_markets", "load")}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_receive_window_begins_when_the_order_is_signed(asynchronous: bool) -> None:
    """An order that waited in ccxt's own queue is stamped after the wait: before, it was refused as too old."""
    sent: list[Any] = []

    class Queued:
        now, apiKey, secret, password = 1_800_000_000_000, "key", "secret", "words"  # noqa: N815  # ccxt's names

        def milliseconds(self) -> int:
            return self.now

        def answer(self, headers: Any, body: Any) -> Any:
            sent.append((headers["ACCESS-TIMESTAMP"], json.loads(body)["requestTime"]))
            return {
                "code": "00000",
                "msg": "success",
                "data": {"orderId": "1", "clientOid": json.loads(body)["clientOid"]},
            }

    class Sync(Queued, ccxt.bitget):  # type: ignore[misc]  # ccxt has no types
        def throttle(self, _cost: Any = None) -> None:
            self.now += 45_000

        def fetch(self, _url: str, _method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            return self.answer(headers, body)

    class Async(Queued, ccxt.async_support.bitget):  # type: ignore[misc]  # the same
        async def throttle(self, _cost: Any = None) -> None:
            self.now += 45_000

        async def fetch(self, _url: str, _method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            return self.answer(headers, body)

    order = ("BTC/USDT", "limit", "buy", 1, 50_000)
    bot = wrap(
        made(Async if asynchronous else Sync), "p", policies=policies(attempt_timeout="8s", reconcile={"window": "10s"})
    )

    async def story() -> None:
        await bot.create_order(*order)
        await bot.close()

    asyncio.run(story()) if asynchronous else bot.create_order(*order)
    assert sent == [("1800000045000", "1800000045000")]
