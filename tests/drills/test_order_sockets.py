"""Orders over the sockets of ccxt.pro are executed exactly once, whatever becomes of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import Policies, failure_of, wrap
from resilience.sandbox import Sandbox

ccxt_pro = pytest.importorskip("ccxt.pro")
pytestmark = [pytest.mark.newest_versions, pytest.mark.full]

MARKETS = ["BTC/USDT", "BTC/USDT:USDT"]
ORDER = ("limit", "buy", 1, 50_000)
SEED = 5


@pytest.fixture(params=["binance", "okx", "bybit"])
def exchange(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A calm exchange whose times are short."""
    with Sandbox(venue=request.param, window=2.0, limits=False, seed=SEED) as running:
        yield running


def run(exchange: Sandbox, work: Any, *, bare: bool = False) -> Any:
    """Run a coroutine function with a bot at the exchange."""

    async def run_with_bot() -> Any:
        plain = exchange.point(getattr(ccxt_pro, exchange.venue)({"enableRateLimit": False}))
        try:
            bot = plain if bare else wrap(plain, "ccxt", policies=Policies.load(exchange.policy, log=False))
            await bot.load_markets()
            return await work(bot)
        finally:
            await plain.close()

    return asyncio.run(run_with_bot())


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each order was executed."""
    exchange.settle()
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


async def report(bot: Any, symbol: str, client_id: str) -> str:
    """Place an order and return what its caller is told."""
    try:
        await bot.create_order_ws(symbol, *ORDER, {"clientOrderId": client_id})
    except Exception as error:
        return "unknown" if failure_of(error).executed == "maybe" else "failed"
    return "done"


@pytest.mark.parametrize("symbol", MARKETS)
def test_orders_under_harsh_faults(exchange: Sandbox, symbol: str) -> None:
    """Many at a time share a connection, which ends again and again: none is doubled, lost or misreported."""
    exchange.set_faults(rates="harsh")
    ids = [f"w{number}" for number in range(24)]

    async def place(bot: Any) -> list[str]:
        return await asyncio.gather(*(report(bot, symbol, one) for one in ids))

    reports = dict(zip(ids, run(exchange, place), strict=True))
    assert reports == dict.fromkeys(ids, "done")
    assert executions(exchange) == dict.fromkeys(ids, 1)


@pytest.mark.parametrize(
    "fault", ["accept_drop", "accept_hang", "lose", "accept_late", "lag", "unclear_late", "refuse_429", "cut"]
)
def test_an_order_of_each_fault(exchange: Sandbox, fault: str) -> None:
    """The answer is lost, the connection ends, the order arrives late: the caller gets its one order."""
    exchange.script("w", [fault])

    async def place(bot: Any) -> Any:
        return await bot.create_order_ws(MARKETS[0], *ORDER, {"clientOrderId": "w"})

    assert run(exchange, place)["clientOrderId"] == "w"
    assert executions(exchange) == {"w": 1}


def test_bare_ccxt_says_nothing_of_an_order_that_was_placed(exchange: Sandbox) -> None:
    """It raises an error of the network; who sends the order again has two."""
    exchange.script("w", ["accept_drop"])

    async def place(bot: Any) -> str:
        return await report(bot, MARKETS[0], "w")

    assert run(exchange, place, bare=True) != "done"
    assert executions(exchange) == {"w": 1}


@pytest.mark.parametrize("symbol", MARKETS)
def test_cancels_and_amendments(exchange: Sandbox, symbol: str) -> None:
    """Their answers are lost too: the order is looked up, and what became of it is reported."""

    async def trade(bot: Any) -> list[Any]:
        one, two = [await bot.create_order_ws(symbol, *ORDER, {"clientOrderId": key}) for key in ("a", "b")]
        for name in (one["id"], "a"):
            exchange.script(f"cancel:{name}", ["accept_drop"])
        for name in (two["id"], "b"):
            exchange.script(f"amend:{name}", ["accept_drop"])
        cancelled = await bot.cancel_order_ws(one["id"], symbol)
        changed = await bot.edit_order_ws(two["id"], symbol, "limit", "buy", 1, 49_000)
        return [cancelled["id"] == one["id"], bool(changed["id"]), await bot.fetch_open_orders(symbol)]

    was_cancelled, was_changed, remaining = run(exchange, trade)
    assert (was_cancelled, was_changed, [one["price"] for one in remaining]) == (True, True, [49_000])


def test_a_wrong_login_is_refused(exchange: Sandbox) -> None:
    """Nothing is executed, and the caller is told so."""

    async def place(bot: Any) -> str:
        bot.secret = "wrong"
        return await report(bot, MARKETS[0], "w")

    assert run(exchange, place) == "failed"
    assert executions(exchange) == {}
