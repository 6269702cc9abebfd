"""Conditional orders of Binance's futures and of OKX live apart: with ids and lookups of their own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.sandbox.ccxt_venues import SWAP, Caller, executions, look_up, trading

pytestmark = pytest.mark.full

ERRORS = import_module("ccxt")
KEYS = {"binance": "clientOrderId", "okx": "algoClOrdId"}
"""The parameter of ccxt that reaches the exchange; for OKX, `clientOrderId` becomes a field that is no id there."""


def stop(call: Caller, venue: str, key: str) -> Any:
    """Place an order that waits for a price."""
    return call("create_order", SWAP, "market", "sell", 0.01, None, {"triggerPrice": 50_000, KEYS[venue]: key})


def ask(call: Caller, venue: str, key: str) -> Any:
    """Return the conditional order with a client id."""
    if venue == "binance":
        return call("fapiPrivateGetAlgoOrder", {"clientAlgoId": key})
    return call("privateGetTradeOrderAlgo", {"algoClOrdId": key})["data"][0]


@pytest.mark.parametrize("venue", sorted(KEYS))
def test_it_waits_and_is_unknown_elsewhere(venue: str) -> None:
    """It is found by its own lookup and in its own list; the lookup of other orders does not know it."""
    with trading(venue) as (exchange, call):
        placed = stop(call, venue, "mine")
        found = ask(call, venue, "mine")
        assert str(found["algoId"]) == placed["id"]
        assert look_up(call, venue, SWAP, "mine") == []
        assert call("fetch_open_orders", SWAP) == []
        assert [one["id"] for one in call("fetch_open_orders", SWAP, None, None, {"trigger": True})] == [placed["id"]]
        with pytest.raises(ERRORS.OrderNotFound):
            call("cancel_order", placed["id"], SWAP)
        call("cancel_order", placed["id"], SWAP, {"trigger": True})
        assert call("fetch_open_orders", SWAP, None, None, {"trigger": True}) == []
        assert executions(exchange) == {"mine": 1}


@pytest.mark.parametrize("venue", sorted(KEYS))
def test_its_id_is_unique_while_it_waits(venue: str) -> None:
    """A second one with the same id is refused, and one that never was is not found."""
    with trading(venue) as (exchange, call):
        stop(call, venue, "mine")
        with pytest.raises(ERRORS.ExchangeError):
            stop(call, venue, "mine")
        assert any(code in call.exchange.last_http_response for code in ("-4116", "51065"))
        with pytest.raises(ERRORS.OrderNotFound):
            ask(call, venue, "never")
        assert executions(exchange) == {"mine": 1}


@pytest.mark.parametrize("venue", sorted(KEYS))
def test_its_answer_may_be_lost(venue: str) -> None:
    """The faults of orders apply to it, too."""
    with trading(venue) as (exchange, call):
        call("load_markets")
        exchange.script("mine", ["accept_drop"])
        with pytest.raises(ERRORS.NetworkError):
            stop(call, venue, "mine")
        assert executions(exchange) == {"mine": 1}
        assert ask(call, venue, "mine")
