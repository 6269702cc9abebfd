"""How long Binance, OKX and Bybit accept a request and remember an order, in the sandbox's own time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.sandbox.ccxt_venues import LOOKUPS, SPOT, SWAP, Caller, executions, look_up, trading

pytestmark = pytest.mark.full

ERRORS = import_module("ccxt")
HOURS, DAYS = 3600.0, 86400.0
CATEGORY = {SPOT: "spot", SWAP: "linear"}
LIST = {
    ("bybit", "history"): "privateGetV5OrderHistory",
    ("bybit", "fills"): "privateGetV5ExecutionList",
    ("okx", "history"): "privateGetTradeOrdersHistory",
    ("okx", "archive"): "privateGetTradeOrdersHistoryArchive",
    ("okx", "fills"): "privateGetTradeFillsHistory",
}


def listed(call: Caller, venue: str, name: str, symbol: str = SPOT, **params: Any) -> list[str]:
    """Return the client ids of a list."""
    if venue == "bybit":
        own = {"category": CATEGORY[symbol], "symbol": "BTCUSDT"}
        return [row["orderLinkId"] for row in call(LIST[venue, name], {**own, **params})["result"]["list"]]
    own = {"instType": "SPOT" if symbol == SPOT else "SWAP"}
    return [row["clOrdId"] for row in call(LIST[venue, name], {**own, **params})["data"]]


@pytest.mark.parametrize(
    ("venue", "symbol", "status", "remembered", "forgotten"),
    [
        ("binance", SPOT, "cancelled", 89 * DAYS, 91 * DAYS),
        ("binance", SPOT, "filled", 1000 * DAYS, None),
        ("binance", SWAP, "cancelled", 2.9 * DAYS, 3.1 * DAYS),
        ("binance", SWAP, "filled", 89 * DAYS, 91 * DAYS),
        ("okx", SPOT, "cancelled", 1.9 * HOURS, 2.1 * HOURS),
        ("okx", SWAP, "filled", 1.9 * HOURS, 2.1 * HOURS),
    ],
)
def test_a_lookup_forgets(venue: str, symbol: str, status: str, remembered: float, forgotten: float | None) -> None:
    """An order that has ended is found by its client id for some time only; times scale with the window."""
    with trading(venue, window=15.0) as (exchange, call):
        market, extra = ("spot" if symbol == SPOT else "swap"), {}
        if venue == "okx" and symbol == SWAP:
            extra = {"instId": "BTC-USDT-SWAP"}
        exchange.plant("young", market, status=status, age=remembered / 2, **extra)
        exchange.plant("open", market, status="pending", age=5000 * DAYS, **extra)
        assert len(look_up(call, venue, symbol, "young")) == len(look_up(call, venue, symbol, "open")) == 1
        if forgotten is not None:
            exchange.plant("old", market, status=status, age=forgotten / 2, **extra)
            with_error = venue == "binance" and symbol == SPOT
            if with_error:
                with pytest.raises(ERRORS.BaseError, match="-2026"):
                    look_up(call, venue, symbol, "old")
            else:
                assert look_up(call, venue, symbol, "old") == []


def test_okx_has_lists_that_remember_longer() -> None:
    """A filled order that the single query has forgotten is in the history for 7 days, then in the archive."""
    with trading("okx") as (exchange, call):
        exchange.plant("hours", status="filled", age=3 * HOURS)
        exchange.plant("weeks", status="filled", age=14 * DAYS)
        exchange.plant("unfilled", status="cancelled", age=3 * HOURS)
        assert look_up(call, "okx", SPOT, "hours") == []
        assert listed(call, "okx", "history") == ["hours"]
        assert sorted(listed(call, "okx", "archive")) == ["hours", "weeks"]
        assert sorted(listed(call, "okx", "fills")) == ["hours", "weeks"]


def test_bybits_history() -> None:
    """It has orders without a fill for 24 hours and others for 7 days, longer where the request has times."""
    with trading("bybit") as (exchange, call):
        for name, status, age in (
            ("unfilled", "cancelled", 23 * HOURS),
            ("unfilled-old", "cancelled", 25 * HOURS),
            ("filled", "filled", 6 * DAYS),
            ("filled-old", "filled", 8 * DAYS),
        ):
            exchange.plant(name, status=status, age=age)
        assert sorted(listed(call, "bybit", "history")) == ["filled", "unfilled"]
        since = int((exchange.now() - 9 * DAYS) * 1000)
        assert sorted(listed(call, "bybit", "history", startTime=since)) == ["filled", "filled-old", "unfilled"]
        assert listed(call, "bybit", "history", orderLinkId="unfilled-old") == []
        assert listed(call, "bybit", "fills", orderLinkId="filled-old") == ["filled-old"]


@pytest.mark.parametrize("symbol", [SPOT, SWAP])
def test_bybits_realtime_list_forgets_at_a_restart(symbol: str) -> None:
    """After a restart it has open orders only; the history still has the closed one."""
    with trading("bybit") as (exchange, call):
        call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "done"})
        call("create_order", symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "open"})
        assert len(look_up(call, "bybit", symbol, "done")) == 1
        exchange.script("query:done", ["query_restart"])
        exchange.faults.reset_attempts()
        assert look_up(call, "bybit", symbol, "done") == []
        assert len(look_up(call, "bybit", symbol, "open")) == 1
        assert listed(call, "bybit", "history", symbol, orderLinkId="done") == ["done"]


def test_bybits_categories_are_apart() -> None:
    """A lookup under another category finds nothing, and an open order is in no history."""
    with trading("bybit") as (_, call):
        call("create_order", SPOT, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
        assert look_up(call, "bybit", SWAP, "mine") == []
        assert listed(call, "bybit", "history", orderLinkId="mine") == []


def test_an_order_of_okx_belongs_to_its_instrument() -> None:
    """A client id is unique among the pending orders of all instruments, but found on its own instrument only."""
    with trading("okx") as (exchange, call):
        call("create_order", SPOT, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
        with pytest.raises(ERRORS.InvalidOrder, match="51016"):
            call("create_order", SWAP, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
        assert look_up(call, "okx", SWAP, "mine") == []
        assert executions(exchange) == {"mine": 1}


@pytest.mark.parametrize(("venue", "symbol"), sorted(LOOKUPS))
def test_a_request_expires(venue: str, symbol: str) -> None:
    """A request that arrives after the time that it carries is refused, though the window is longer."""
    with trading(venue, window=30.0) as (exchange, call):
        call("load_markets")
        sync = call.exchange
        if venue == "okx":
            sync.headers["expTime"] = str(int((exchange.now() - 1) * 1000))
        else:
            # Bybit takes the option alone; Binance takes it too.
            sync.options["recvWindow"] = 3000
            exchange.clock_offset = 4.0
        with pytest.raises(ERRORS.BaseError, match=r"-1021|10002|50036"):
            call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "late"})
        assert executions(exchange) == {}
        sync.headers.pop("expTime", None)
        sync.options["recvWindow"] = 20_000
        call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "intime"})
        assert executions(exchange) == {"intime": 1}


@pytest.mark.parametrize(("venue", "symbol"), sorted(LOOKUPS))
def test_a_late_order_is_executed_before_the_request_expires(venue: str, symbol: str) -> None:
    """A delayed request is delivered within the time that it carries (2 s), and executed within P (2 s) after that."""
    with trading(venue, window=20.0) as (exchange, call):
        call("load_markets")
        sync = call.exchange
        sync.timeout, sync.options["recvWindow"] = 500, 2000
        if venue == "okx":
            sync.headers["expTime"] = str(int((exchange.now() + 2) * 1000))
        exchange.script("late", ["accept_late:0.5"])
        with pytest.raises(ERRORS.NetworkError):
            call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "late"})
        given_up = exchange.now()
        exchange.settle()
        sync.timeout = 60_000
        # A machine that is too busy delivers nothing at all, rather than later.
        for row in look_up(call, venue, symbol, "late"):
            (created,) = (int(row[name]) / 1000 for name in ("time", "cTime", "createdTime") if name in row)
            assert created <= given_up + 2 + 2
