"""Which answers of a wrapped Bitget client and of a wrapped exchange of ccxt are kept under a policy with a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

POLICIES = {"policies": {"cached": {"extends": "bitget", "cache": {"max_age": "1h"}}}}
TIME, TICKERS = "/api/v2/public/time", "/api/v2/spot/market/tickers"


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """Run a calm sandbox without limits."""
    with Sandbox(limits=False) as running:
        yield running


def hits_of(policies: Policies, calls: list[Callable[[], Any]]) -> list[bool]:
    """Make each call twice; return for each whether the second answer was kept."""
    names: list[str] = []
    unsubscribe = policies.subscribe(lambda event: names.append(event.name))
    hits = []
    for call in calls:
        first = call()
        names.clear()
        second = call()
        hits.append("cache_hit" in names)
        assert not hits[-1] or (second == first and second is not first)
    unsubscribe()
    return hits


def test_bitgets_client(exchange: Sandbox) -> None:
    """Reads are kept; the server's time is asked for each time, and orders are placed."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    policies = Policies.from_mapping(POLICIES)
    client: Any = wrap(raw, "cached", policies=policies)
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "20000", "size": "0.01"}
    calls: list[Callable[[], Any]] = [
        lambda: client.get(TICKERS, {"symbol": "BTCUSDT"}),
        client.spot_balance,
        lambda: client.get(TIME, {}),
        client.server_time,
        lambda: client.post("/api/v2/spot/trade/place-order", order)["data"]["orderId"],
    ]
    assert hits_of(policies, calls) == [True, True, False, False, False]


def test_an_exchange_of_ccxt(exchange: Sandbox) -> None:
    """Reads are kept; the time and the markets are loaded each time, and orders are placed."""
    keys = {"apiKey": exchange.key, "secret": exchange.secret, "password": exchange.passphrase}
    bot = import_module("ccxt").bitget({**keys, "enableRateLimit": False})
    bot.urls["api"] = dict.fromkeys(bot.urls["api"], exchange.rest)
    policies = Policies.from_mapping(POLICIES)
    client: Any = wrap(bot, "cached", policies=policies)
    calls: list[Callable[[], Any]] = [
        lambda: client.load_markets(True),
        lambda: client.fetch_ticker("BTC/USDT"),
        client.fetch_balance,
        client.fetch_time,
        lambda: client.create_order("BTC/USDT", "limit", "buy", 0.01, 20000)["id"],
    ]
    assert hits_of(policies, calls) == [False, True, True, False, False]


def test_two_accounts_share_nothing(exchange: Sandbox) -> None:
    """Each client asks for its own balance, although both ask the same."""
    policies = Policies.from_mapping(POLICIES)
    names: list[str] = []
    policies.subscribe(lambda event: names.append(event.name))
    for _ in range(2):
        raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        client: Any = wrap(raw, "cached", policies=policies)
        client.spot_balance()
    assert names == []
