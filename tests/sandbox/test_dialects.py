"""ccxt's own classes of Binance, OKX and Bybit load markets and trade against the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from resilience.sandbox import Sandbox
from tests.sandbox.ccxt_venues import LOOKUPS, SPOT, SWAP, Caller, executions, look_up, trading

ERRORS = import_module("ccxt")
MARKETS = sorted(LOOKUPS)
VENUES = sorted({venue for venue, _ in MARKETS})
Trading = tuple[Sandbox, Caller]


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Ccxt's blocking classes, or those for asyncio."""
    return str(request.param)


@pytest.fixture(params=MARKETS, ids=lambda market: f"{market[0]}-{'swap' if market[1] == SWAP else 'spot'}")
def market(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A venue and a symbol."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def traded(market: tuple[str, str]) -> Iterator[Trading]:
    """A sandbox and ccxt's blocking class."""
    with trading(market[0]) as pair:
        yield pair


@pytest.mark.parametrize("venue", VENUES)
def test_markets_and_balances(venue: str, kind: str) -> None:
    """Markets and currencies load, with prices, the balance and the exchange's time."""
    with trading(venue, kind) as (exchange, call):
        markets = call("load_markets")
        assert (markets[SPOT]["spot"], markets[SWAP]["swap"], markets[SWAP]["linear"]) == (True, True, True)
        assert {"BTC", "USDT"} <= set(call("fetch_currencies"))
        assert call("fetch_ticker", SPOT)["last"] == 60_000
        assert call("fetch_balance")["USDT"]["free"] > 0
        assert abs(call("fetch_time") / 1000 - exchange.now()) < 60


def test_a_resting_order(market: tuple[str, str], kind: str) -> None:
    """A resting order is found by its client id and in the list, and is gone from the list when it is cancelled."""
    venue, symbol = market
    with trading(venue, kind) as (exchange, call):
        placed = call("create_order", symbol, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
        (found,) = look_up(call, venue, symbol, "mine")
        assert found[LOOKUPS[market].found_key] == "mine"
        assert [one["id"] for one in call("fetch_open_orders", symbol)] == [placed["id"]]
        call("cancel_order", placed["id"], symbol)
        assert call("fetch_open_orders", symbol) == []
        assert executions(exchange) == {"mine": 1}


def test_market_orders_and_history(traded: Trading, market: tuple[str, str]) -> None:
    """A market order fills at once; its fill and its history are listed. The same id buys again."""
    exchange, call = traded
    _, symbol = market
    first = call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
    second = call("create_order", symbol, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
    assert executions(exchange) == {"mine": 2}
    assert {trade["order"] for trade in call("fetch_my_trades", symbol)} == {first["id"], second["id"]}
    history = "fetch_orders" if call.exchange.has["fetchOrders"] else "fetch_closed_orders"
    closed = call(history, symbol)
    assert {one["id"]: (one["status"], one["filled"], one["average"]) for one in closed} == {
        first["id"]: ("closed", 0.01, 60_000),
        second["id"]: ("closed", 0.01, 60_000),
    }


def test_an_order_is_changed(traded: Trading, market: tuple[str, str]) -> None:
    """Size and price of a resting order are changed; Binance's spot market replaces it by a new one."""
    exchange, call = traded
    placed = call("create_order", market[1], "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
    replaced = market == ("binance", SPOT)
    changed = call(
        "edit_order",
        placed["id"],
        market[1],
        "limit",
        "buy",
        0.02,
        49_000,
        {"clientOrderId": "new"} if replaced else {},
    )
    (found,) = call("fetch_open_orders", market[1])
    assert (found["id"], found["amount"], found["price"]) == (changed["id"], 0.02, 49_000)
    assert (found["id"] == placed["id"], found["clientOrderId"]) == ((False, "new") if replaced else (True, "mine"))
    assert executions(exchange) == ({"mine": 1, "new": 1} if replaced else {"mine": 1})


def refusal(call: Caller, *args: Any) -> str:
    """Return the class of ccxt's error."""
    with pytest.raises(ERRORS.BaseError) as caught:
        call(*args)
    return type(caught.value).__name__


REFUSALS = {
    ("binance", SPOT): ("-2010", "-2010", "-1100", "-1013"),
    ("binance", SWAP): ("-4116", "-2019", "-1100", "-4164"),
    ("bybit", SPOT): ("170141", "170131", "10001", "170140"),
    ("bybit", SWAP): ("110072", "110007", "10001", "110094"),
    ("okx", SPOT): ("51016", "51008", "51000", "51020"),
    ("okx", SWAP): ("51016", "51008", "51000", "51020"),
}
"""The codes for a duplicate id, missing funds, an id of the wrong shape, and an order that is too small."""


def test_refused_orders(traded: Trading, market: tuple[str, str]) -> None:
    """A duplicate of a pending id, missing funds, an id of the wrong shape and a tiny order are refused."""
    exchange, call = traded
    order = ("create_order", market[1], "limit", "buy")
    call(*order, 0.01, 50_000, {"clientOrderId": "mine"})
    duplicate, poor, shape, small = REFUSALS[market]
    for code, amount, price, key in (
        (duplicate, 0.01, 50_000, "mine"),
        (poor, 90_000_000, 50_000, "rich"),
        (shape, 0.01, 50_000, "not an id"),
        (shape, 0.01, 50_000, "x" * 60),
        (small, 0.01, 0.01, "tiny"),
    ):
        refusal(call, *order, amount, price, {"clientOrderId": key})
        # The class is no measure: ccxt chooses some of Binance's by the address of the real exchange.
        assert code in call.exchange.last_http_response
    assert executions(exchange) == {"mine": 1}


def test_an_unknown_order(traded: Trading, market: tuple[str, str]) -> None:
    """An order that never was is neither found nor cancelled."""
    _, call = traded
    assert look_up(call, *market, "never") == []
    assert refusal(call, "cancel_order", "1", market[1]) == "OrderNotFound"


@pytest.mark.parametrize("venue", VENUES)
def test_bad_credentials(venue: str) -> None:
    """A wrong key, secret or passphrase is refused, and nothing is executed."""
    for name in ("apiKey", "secret", "password"):
        with trading(venue) as (exchange, call):
            call("load_markets")
            if name == "password" and not call.exchange.requiredCredentials["password"]:
                continue
            setattr(call.exchange, name, "another-value-0123456789")
            assert refusal(call, "create_order", SPOT, "market", "buy", 0.01) in (
                "AuthenticationError",
                "PermissionDenied",
                "BadRequest",
            )
            assert executions(exchange) == {}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("ahead", [-120.0, 120.0])
def test_a_wrong_clock(venue: str, ahead: float) -> None:
    """A timestamp outside the window is refused, in either direction."""
    with trading(venue) as (exchange, call):
        call("load_markets")
        exchange.clock_offset = -ahead
        assert refusal(call, "create_order", SPOT, "market", "buy", 0.01) in ("InvalidNonce", "BadRequest")
        assert executions(exchange) == {}


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_that_may_only_read(venue: str) -> None:
    """Orders are refused, queries are answered."""
    with trading(venue, can_trade=False) as (_, call):
        assert call("fetch_open_orders", SPOT) == []
        with pytest.raises(ERRORS.BaseError, match=r"-2015|50120|10005"):
            call("create_order", SPOT, "market", "buy", 0.01)


@pytest.mark.parametrize("venue", VENUES)
def test_the_urls_are_those_of_ccxt(venue: str) -> None:
    """Every URL of ccxt's class has its counterpart, so that no request can reach the real exchange."""
    with Sandbox(venue=venue) as exchange:
        own = getattr(ERRORS, venue)().urls["api"]
        assert {key: url.partition("://")[2].partition("/")[2] for key, url in own.items()} == {
            key: url.partition("://")[2].partition("/")[2] for key, url in exchange.urls.items()
        }
        assert {url.partition("://")[2].partition("/")[0] for url in exchange.urls.values()} == {exchange.rest[7:]}


def test_bitget_is_pointed_here_too() -> None:
    """`point` serves ccxt's Bitget as well, and returns the exchange."""
    with Sandbox(limits=False) as exchange:
        bot = exchange.point(ERRORS.bitget())
        assert bot.create_order(SWAP, "market", "buy", 0.01, None, {"clientOrderId": "mine"})["id"]
        assert executions(exchange) == {"mine": 1}


def test_mistakes_are_named() -> None:
    """An unknown venue, an account that only Bitget has, and an exchange of another venue are refused."""
    with pytest.raises(ValueError, match="venue: expected bitget, binance"):
        Sandbox(venue="nowhere")
    with pytest.raises(ValueError, match="hedge: only the sandbox of bitget"):
        Sandbox(venue="okx", hedge=True)
    with Sandbox(venue="okx") as exchange:
        with pytest.raises(ValueError, match="expected an exchange of ccxt with the id 'okx'"):
            exchange.point(ERRORS.bitget())
        with pytest.raises(ValueError, match="expected an exchange of ccxt"):
            exchange.point(object())
        with pytest.raises(LookupError, match="no WebSocket of okx"):
            _ = exchange.ws
        with pytest.raises(ValueError, match="market: expected spot, swap, conditional, plain"):
            exchange.plant("id", market="mix")
