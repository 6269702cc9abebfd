"""The sandbox's faults do to orders of Binance, OKX and Bybit what the ledger says, and ccxt's own classes see them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from resilience.sandbox import Sandbox
from tests.sandbox.ccxt_venues import LOOKUPS, SPOT, SWAP, Caller, executions, look_up, trading

pytestmark = pytest.mark.full

ERRORS = import_module("ccxt")
MARKETS = sorted(LOOKUPS)
VENUES = sorted({venue for venue, _ in MARKETS})
WINDOW = 4.0
"""Seconds that a timestamp lives: long enough for a busy machine, and P and L are short."""
EXECUTED = ["accept_drop", "accept_500", "accept_40725", "code_45001", "html_502", "cut", "lag"]
"""Faults after which the order exists, though the client gets an error."""
ABSENT = ["refuse_40725", "refuse_429", "refuse_503", "code_400", "http200_code", "numeric_code", "code_30032"]
"""Faults of which nothing remains."""
Trading = tuple[Sandbox, Caller]


@pytest.fixture(
    scope="module", params=MARKETS, ids=lambda market: f"{market[0]}-{'swap' if market[1] == SWAP else 'spot'}"
)
def market(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A venue and a symbol."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def traded(market: tuple[str, str]) -> Iterator[Trading]:
    """A sandbox and ccxt's blocking class, with markets loaded."""
    with trading(market[0], window=WINDOW) as (exchange, call):
        call("load_markets")
        yield exchange, call


def buy(call: Caller, symbol: str, key: str) -> Any:
    """Place a market order."""
    return call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": key})


@pytest.mark.parametrize("fault", EXECUTED)
def test_an_order_that_was_executed(traded: Trading, market: tuple[str, str], fault: str) -> None:
    """The client gets an error; the ledger has the order, and the lookup finds it."""
    exchange, call = traded
    key = fault.replace("_", "")
    exchange.script(key, ["lag:0" if fault == "lag" else fault])
    with pytest.raises(ERRORS.BaseError):
        buy(call, market[1], key)
    assert executions(exchange)[key] == 1
    assert [one[LOOKUPS[market].found_key] for one in look_up(call, *market, key)] == [key]


@pytest.mark.parametrize("fault", ["empty_body", "truncated_json", "slow_trickle"])
def test_an_answer_that_is_no_order(traded: Trading, market: tuple[str, str], fault: str) -> None:
    """The order exists; for an empty or truncated answer ccxt returns an order without an id, or raises."""
    exchange, call = traded
    key = fault.replace("_", "")
    exchange.script(key, [fault])
    try:
        placed = buy(call, market[1], key)
    except ERRORS.BaseError:
        placed = {"id": None}
    assert (placed["id"] is not None) == (fault == "slow_trickle")
    assert executions(exchange)[key] == 1


@pytest.mark.parametrize("fault", ABSENT)
def test_an_order_that_was_refused(traded: Trading, market: tuple[str, str], fault: str) -> None:
    """The client gets an error and nothing was executed; the next attempt succeeds."""
    exchange, call = traded
    key = fault.replace("_", "")
    exchange.script(key, [fault])
    with pytest.raises(ERRORS.BaseError):
        buy(call, market[1], key)
    assert key not in executions(exchange)
    assert look_up(call, *market, key) == []
    assert buy(call, market[1], key)["id"]
    assert executions(exchange)[key] == 1


def test_an_unclear_answer_and_then_the_order(traded: Trading, market: tuple[str, str]) -> None:
    """The exchange says in its own words that it does not know, and executes the order a moment later."""
    exchange, call = traded
    exchange.script("late", ["unclear_late"])
    with pytest.raises(ERRORS.BaseError, match=r"-1007|51149|10000|[Tt]imeout|timed out"):
        buy(call, market[1], "late")
    exchange.settle()
    assert executions(exchange)["late"] == 1
    assert len(look_up(call, *market, "late")) == 1


def test_a_cancel_whose_answer_is_lost(traded: Trading, market: tuple[str, str]) -> None:
    """The order is cancelled though the client got no answer."""
    exchange, call = traded
    placed = call("create_order", market[1], "limit", "buy", 0.01, 50_000, {"clientOrderId": "gone"})
    for key in ("gone", placed["id"]):
        exchange.script(f"cancel:{key}", ["accept_drop"])
    with pytest.raises(ERRORS.BaseError):
        call("cancel_order", placed["id"], market[1])
    assert call("fetch_open_orders", market[1]) == []


def test_a_change_whose_answer_is_lost(traded: Trading, market: tuple[str, str]) -> None:
    """The order is changed in place though the client got no answer; Binance's spot market replaces it instead."""
    exchange, call = traded
    placed = call("create_order", market[1], "limit", "buy", 0.01, 50_000, {"clientOrderId": "moved"})
    replaced = market == ("binance", SPOT)
    for key in ("amend:moved", f"amend:{placed['id']}", "moved2"):
        exchange.script(key, ["accept_drop"])
    extra = {"clientOrderId": "moved2"} if replaced else {}
    with pytest.raises(ERRORS.BaseError):
        call("edit_order", placed["id"], market[1], "limit", "buy", 0.02, 49_000, extra)
    (found,) = call("fetch_open_orders", market[1])
    assert (found["amount"], found["price"], found["clientOrderId"]) == (
        0.02,
        49_000,
        "moved2" if replaced else "moved",
    )
    call("cancel_order", found["id"], market[1])


def test_queries_fail_too(traded: Trading, market: tuple[str, str]) -> None:
    """A query is dropped, or finds nothing until the next attempt at the order."""
    exchange, call = traded
    buy(call, market[1], "asked")
    exchange.script("query:asked", ["query_drop", "query_500", "query_blind", ""])
    for _ in range(2):
        with pytest.raises(ERRORS.NetworkError):
            look_up(call, *market, "asked")
    assert look_up(call, *market, "asked") == []
    assert len(look_up(call, *market, "asked")) == 1


@pytest.mark.parametrize("venue", VENUES)
def test_the_same_seed_gives_the_same_ledger(venue: str) -> None:
    """Faults depend on seed, client id and attempt alone."""
    rates = {"accept_drop": 0.2, "accept_40725": 0.2, "refuse_429": 0.2, "refuse_40725": 0.2}
    with trading(venue, faults=rates, seed=7) as (exchange, call):
        call("load_markets")
        ledgers = []
        for numbers in (range(12), reversed(range(12))):
            for number in numbers:
                try:
                    buy(call, SPOT, f"order{number}")
                except ERRORS.BaseError:
                    continue
            ledgers.append(executions(exchange))
            exchange.reset()
    assert ledgers[0] == ledgers[1]
    assert 0 < len(ledgers[0]) < 12
