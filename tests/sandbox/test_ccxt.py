"""ccxt's own Bitget classes work with the sandbox as with the real exchange."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest

from resilience.sandbox import Sandbox

Do = Callable[..., Any]
SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"


def ccxt_bot(access: Mapping[str, str], kind: str = "ccxt") -> Any:
    """Return ccxt's exchange with the sandbox's URLs and nothing else changed."""
    keys = {"apiKey": access["key"], "secret": access["secret"], "password": access["passphrase"]}
    bot = import_module(kind).bitget({**keys, "enableRateLimit": False})
    bot.urls["api"] = dict.fromkeys(bot.urls["api"], access["rest"])
    return bot


def access_to(exchange: Sandbox) -> dict[str, str]:
    """Return the address and the keys of a sandbox, as the command prints them."""
    return {name: getattr(exchange, name) for name in ("rest", "key", "secret", "passphrase")}


@pytest.fixture
def process() -> Iterator[dict[str, str]]:
    """Run a sandbox in another process and return its address and keys."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--limits", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield json.loads(running.stdout.readline())
        running.terminate()


@pytest.fixture(params=["sync", "async", "process"])
def do(request: pytest.FixtureRequest) -> Iterator[Do]:
    """Call a method of ccxt by its name: blocking, in an event loop, or against another process."""
    if request.param == "process":
        bot = ccxt_bot(request.getfixturevalue("process"))
        yield lambda name, *args: getattr(bot, name)(*args)
        return
    with Sandbox(limits=False) as exchange:
        if request.param == "sync":
            bot = ccxt_bot(access_to(exchange))
            yield lambda name, *args: getattr(bot, name)(*args)
            return
        with asyncio.Runner() as runner:
            bot = ccxt_bot(access_to(exchange), "ccxt.async_support")

            async def call(name: str, *args: Any) -> Any:
                answer = getattr(bot, name)(*args)
                return await answer if isinstance(answer, Awaitable) else answer

            yield lambda name, *args: runner.run(call(name, *args))
            runner.run(bot.close())


def test_markets_prices_and_balances(do: Do) -> None:
    """Spot and USDT-margined markets load, with prices and both accounts."""
    markets = do("load_markets")
    assert (markets[SPOT]["spot"], markets[SWAP]["swap"], markets[SWAP]["linear"]) == (True, True, True)
    assert [do("fetch_ticker", symbol)["last"] for symbol in (SPOT, SWAP)] == [60_000, 60_000]
    assert do("fetch_balance")["USDT"]["free"] > 0
    assert do("fetch_balance", {"type": "swap"})["USDT"]["total"] > 0


@pytest.mark.parametrize("symbol", [SPOT, SWAP])
def test_a_resting_order(do: Do, symbol: str) -> None:
    """A resting order is created, fetched by both ids, listed, edited and cancelled."""
    placed = do("create_order", symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
    for found in (
        do("fetch_order", placed["id"], symbol),
        do("fetch_order", None if symbol == SWAP else "mine", symbol, {"clientOrderId": "mine"}),
    ):
        assert (found["id"], found["clientOrderId"], found["status"]) == (placed["id"], "mine", "open")
        assert (found["amount"], found["price"], found["symbol"]) == (0.01, 50_000, symbol)
    assert [order["id"] for order in do("fetch_open_orders", symbol)] == [placed["id"]]
    do("edit_order", placed["id"], symbol, "limit", "buy", 0.02, 49_000, {"newClientOid": "new"})
    (changed,) = do("fetch_open_orders", symbol)
    assert (changed["clientOrderId"], changed["amount"], changed["price"]) == ("new", 0.02, 49_000)
    do("cancel_order", changed["id"], symbol)
    assert do("fetch_open_orders", symbol) == []
    assert do("fetch_order", changed["id"], symbol)["status"] == "canceled"


def test_market_orders(do: Do) -> None:
    """Market orders fill at once; a spot buy is sized in the quote coin by ccxt itself."""
    spot = do("create_order", SPOT, "market", "buy", 0.01, 60_000)
    swap = do("create_order", SWAP, "market", "sell", 0.01, None, {"clientOrderId": "mine"})
    for placed, symbol in ((spot, SPOT), (swap, SWAP)):
        found = do("fetch_order", placed["id"], symbol)
        assert (found["status"], found["filled"], found["average"]) == ("closed", 0.01, 60_000)
    assert [trade["order"] for trade in do("fetch_my_trades", SPOT)] == [spot["id"]]
    assert [order["id"] for order in do("fetch_closed_orders", SWAP)] == [swap["id"]]


def test_a_reducing_order_has_no_id(do: Do) -> None:
    """In one-way mode a reduce-only order is answered without an id; a query by client id finds it."""
    placed = do("create_order", SWAP, "market", "sell", 0.01, None, {"reduceOnly": True, "clientOrderId": "mine"})
    assert (placed["id"], placed["clientOrderId"]) == (None, "mine")
    assert do("fetch_order", None, SWAP, {"clientOrderId": "mine"})["reduceOnly"] is True


def test_hedge_mode() -> None:
    """The position mode of an order must be that of the account."""
    with Sandbox(limits=False, hedge=True) as exchange:
        bot = ccxt_bot(access_to(exchange))
        with pytest.raises(import_module("ccxt").InvalidOrder, match="40774"):
            bot.create_order(SWAP, "market", "buy", 0.01)
        placed = bot.create_order(SWAP, "market", "buy", 0.01, None, {"hedged": True})
        closed = bot.create_order(SWAP, "market", "sell", 0.01, None, {"hedged": True, "reduceOnly": True})
        assert [bot.fetch_order(one["id"], SWAP)["info"]["tradeSide"] for one in (placed, closed)] == ["Open", "Close"]


def test_unknown_orders_and_duplicates(do: Do) -> None:
    """Ccxt maps the sandbox's codes to its own exceptions."""
    errors = import_module("ccxt")
    with pytest.raises(errors.OrderNotFound, match="40109"):
        do("fetch_order", "1", SWAP)
    with pytest.raises(errors.OrderNotFound):
        do("fetch_order", "1", SPOT)
    for symbol, code in ((SPOT, "43118"), (SWAP, "40786")):
        do("create_order", symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "twice"})
        with pytest.raises(errors.ExchangeError, match=code):
            do("create_order", symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "twice"})
