"""What Binance, OKX and Bybit answer in the sandbox: statuses, envelopes, headers, limits, batches and mistakes."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from importlib import import_module
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox
from tests.sandbox.ccxt_venues import SPOT, SWAP, Caller, executions, trading

pytestmark = pytest.mark.full

ERRORS = import_module("ccxt")
UNKNOWN = {"binance": "/api/v3/nowhere", "okx": "/api/v5/nowhere", "bybit": "/v5/nowhere"}
UNSIGNED = {
    "binance": ("/api/v3/openOrders", 401, "code", -2014),
    "okx": ("/api/v5/trade/orders-pending", 401, "code", "50103"),
    "bybit": ("/v5/order/realtime", 401, "retCode", 10003),
}
TIMES = {"binance": "/api/v3/time", "okx": "/api/v5/public/time", "bybit": "/v5/market/time"}
PLACE = {"binance": "/api/v3/order", "okx": "/api/v5/trade/order", "bybit": "/v5/order/create"}
VENUES = sorted(UNKNOWN)


@pytest.mark.parametrize("venue", VENUES)
def test_requests_that_nobody_serves(venue: str) -> None:
    """An unknown path is 404, a request without a signature is refused, and a body that cannot be read is no crash."""
    with Sandbox(venue=venue, limits=False) as exchange:
        assert requests.get(exchange.rest + UNKNOWN[venue], timeout=60).status_code == 404
        path, status, name, code = UNSIGNED[venue]
        answer = requests.get(exchange.rest + path, timeout=60)
        assert (answer.status_code, answer.json()[name]) == (status, code)
        for body in ("{", "[1]", '{"items": 5}', '{"request": 5}', "\N{SNOWMAN}"):
            answer = requests.post(exchange.rest + PLACE[venue], data=body.encode(), timeout=60)
            assert 200 <= answer.status_code < 500
            assert answer.headers["Content-Type"].startswith("application/json")
        assert executions(exchange) == {}


@pytest.mark.parametrize("venue", VENUES)
def test_a_body_that_is_too_large(venue: str) -> None:
    """It is refused before it is read."""
    with Sandbox(venue=venue) as exchange:
        connection = HTTPConnection(exchange.rest.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", PLACE[venue])
        connection.putheader("Content-Length", "2000000")
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


@pytest.mark.parametrize("venue", VENUES)
def test_the_date_is_that_of_the_exchange(venue: str) -> None:
    """The header `Date` follows the exchange's clock, because OKX's lookups have no other time."""
    with Sandbox(venue=venue) as exchange:
        exchange.clock_offset = -86_400.0 * 400
        date = requests.get(exchange.rest + TIMES[venue], timeout=60).headers["Date"]
        assert str(int(exchange.now() // 31_557_600 + 1970)) in date


@pytest.mark.parametrize("venue", VENUES)
def test_the_controls_serve_every_venue(venue: str) -> None:
    """Ledger, faults and reset are there, also for a page's request with a foreign host or origin: refused."""
    with trading(venue) as (exchange, call):
        faults = {"seed": 3, "rates": {"accept_drop": 1.0}}
        assert requests.post(exchange.rest + "/sandbox/faults", json=faults, timeout=60).json()["seed"] == 3
        with pytest.raises(ERRORS.BaseError):
            call("create_order", SPOT, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        ledger = requests.get(exchange.rest + "/sandbox/ledger", timeout=60).json()["orders"]
        assert [(row["clientOid"], row["executions"]) for row in ledger] == [("mine", 1)]
        assert requests.post(exchange.rest + "/sandbox/reset", timeout=60).status_code == 200
        assert executions(exchange) == {}
        for name, value in (("Host", "evil.example"), ("Origin", "http://evil.example")):
            answer = requests.get(exchange.rest + "/sandbox/ledger", headers={name: value}, timeout=60)
            assert answer.status_code == 403
        exchange.set_faults()
        order = {"symbol": "BTCUSDT", "side": "buy", "size": "1"}
        assert requests.post(exchange.rest + "/plain/orders", json=order, timeout=60).status_code == 201


def refusal(call: Caller, *args: Any) -> str:
    """Return the class of ccxt's error."""
    with pytest.raises(ERRORS.BaseError) as caught:
        call(*args)
    return type(caught.value).__name__


LIMITED = {"binance": (101, "DDoSProtection"), "okx": (61, "RateLimitExceeded"), "bybit": (21, "RateLimitExceeded")}


@pytest.mark.parametrize("venue", VENUES)
def test_the_limits_of_the_exchange(venue: str) -> None:
    """More orders than the exchange allows in its window are refused, and not executed."""
    with trading(venue, limits=True) as (exchange, call):
        call("load_markets")
        most, error = LIMITED[venue]
        # Both clocks stand still: the windows of the limits are fixed, and a slow machine would cross several.
        frozen = exchange.clock.now()
        exchange.clock.now = lambda: frozen  # type: ignore[method-assign]
        call.exchange.nonce = lambda: int(frozen * 1000)
        for number in range(most - 1):
            call("create_order", SPOT, "market", "buy", 0.01, None, {"clientOrderId": f"order{number}"})
        assert refusal(call, "create_order", SPOT, "market", "buy", 0.01, None, {"clientOrderId": "last"}) == error
        assert len(executions(exchange)) == most - 1


def batch(symbol: str, *keys: str, price: float = 50_000) -> list[dict[str, Any]]:
    """Return limit orders as `create_orders` takes them."""
    order = {"symbol": symbol, "type": "limit", "side": "buy", "amount": 0.01, "price": price}
    return [{**order, "params": {"clientOrderId": key}} for key in keys]


@pytest.mark.parametrize(
    ("venue", "symbol"), [("binance", SWAP), ("okx", SPOT), ("okx", SWAP), ("bybit", SPOT), ("bybit", SWAP)]
)
def test_a_batch_fails_item_by_item(venue: str, symbol: str) -> None:
    """The second order of three has the id of the first: it alone is refused, in an answer that is a success."""
    with trading(venue) as (exchange, call):
        placed = call("create_orders", batch(symbol, "one", "one", "two"))
        assert sorted(order["status"] or "open" for order in placed) == ["open", "open", "rejected"]
        assert executions(exchange) == {"one": 1, "two": 1}
        assert sorted(order["clientOrderId"] for order in call("fetch_open_orders", symbol)) == ["one", "two"]


@pytest.mark.parametrize("symbol", [SPOT, SWAP])
def test_okx_answers_one_and_two(symbol: str) -> None:
    """The envelope's code is 1 if all items fail and 2 if some do; what counts stands in the items."""
    instrument = "BTC-USDT" if symbol == SPOT else "BTC-USDT-SWAP"
    with trading("okx") as (_, call):
        call("load_markets")
        item = {"instId": instrument, "tdMode": "cash" if symbol == SPOT else "cross", "side": "buy", "sz": "0.01"}
        order = {**item, "ordType": "limit", "px": "50000"}
        answer = call("privatePostTradeBatchOrders", [{**order, "clOrdId": "a"}, {**order, "clOrdId": "a"}])
        assert (answer["code"], [row["sCode"] for row in answer["data"]]) == ("2", ["0", "51016"])
        with pytest.raises(ERRORS.InvalidOrder):
            call("privatePostTradeBatchOrders", [{**order, "clOrdId": "a"}, {**order, "clOrdId": "a"}])
        answer = json.loads(call.exchange.last_http_response)
        assert (answer["code"], [row["sCode"] for row in answer["data"]]) == ("1", ["51016", "51016"])


def test_okx_says_51149_inside_an_envelope_of_code_1() -> None:
    """The envelope says that all operations failed, the item that the outcome is unknown; the order comes later."""
    with trading("okx", window=4.0) as (exchange, call):
        call("load_markets")
        exchange.script("mine", ["unclear_late"])
        with pytest.raises(ERRORS.ExchangeError):
            call("create_order", SPOT, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        answer = json.loads(call.exchange.last_http_response)
        item = answer["data"][0]
        assert (answer["code"], item["sCode"], item["clOrdId"], item["ordId"]) == ("1", "51149", "mine", "")
        exchange.settle()
        assert executions(exchange) == {"mine": 1}


def test_binance_says_1007_and_fills() -> None:
    """The exchange gives up waiting for its own engine, and the order is filled a moment later."""
    with trading("binance", window=4.0) as (exchange, call):
        call("load_markets")
        exchange.script("mine", ["unclear_late"])
        with pytest.raises(ERRORS.RequestTimeout, match="-1007"):
            call("create_order", SPOT, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        exchange.settle()
        assert executions(exchange) == {"mine": 1}
        assert call("privateGetOrder", {"symbol": "BTCUSDT", "origClientOrderId": "mine"})["status"] == "FILLED"


def test_binances_replacement_may_be_half_done() -> None:
    """The order is cancelled and the new one refused (-2021, 409), or nothing is done (-2022, 400)."""
    with trading("binance") as (exchange, call):
        call("load_markets")
        limit = ("limit", "buy", 0.01, 50_000)
        call("create_order", SPOT, *limit, {"clientOrderId": "other"})
        placed = call("create_order", SPOT, *limit, {"clientOrderId": "mine"})
        with pytest.raises(ERRORS.BaseError):
            call("edit_order", placed["id"], SPOT, "limit", "buy", 0.02, 49_000, {"clientOrderId": "other"})
        answer = json.loads(call.exchange.last_http_response)
        results = answer["data"]["cancelResult"], answer["data"]["newOrderResult"]
        assert (answer["code"], results) == (-2021, ("SUCCESS", "FAILURE"))
        with pytest.raises(ERRORS.BaseError):
            call("edit_order", placed["id"], SPOT, "limit", "buy", 0.02, 49_000, {"clientOrderId": "new"})
        answer = json.loads(call.exchange.last_http_response)
        assert (answer["code"], answer["data"]["newOrderResult"]) == (-2022, "NOT_ATTEMPTED")
        assert executions(exchange) == {"mine": 1, "other": 1}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize(("price", "status"), [(61_000, "closed"), (50_000, "canceled")])
def test_an_order_that_does_not_rest(venue: str, price: float, status: str) -> None:
    """An IOC order fills where its price crosses the market's, and is cancelled where it does not."""
    with trading(venue) as (exchange, call):
        extra = {"clientOrderId": "mine", "timeInForce": "IOC"}
        placed = call("create_order", SPOT, "limit", "buy", 0.01, price, extra)
        found = call("fetch_order", placed["id"], SPOT, {"acknowledged": True} if venue == "bybit" else {})
        assert (found["status"] in (status, "expired"), found["filled"]) == (True, 0.01 if status == "closed" else 0)
        assert executions(exchange) == {"mine": 1}


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_may_only_rest(venue: str) -> None:
    """A post-only order that would take is refused by Binance, and accepted and cancelled by the others."""
    with trading(venue) as (exchange, call):
        order = ("create_order", SPOT, "limit", "buy", 0.01, 61_000, {"clientOrderId": "mine", "postOnly": True})
        if venue == "binance":
            with pytest.raises(ERRORS.BaseError, match=r"-2010|immediately"):
                call(*order)
            assert executions(exchange) == {}
            return
        placed = call(*order)
        found = call("fetch_order", placed["id"], SPOT, {"acknowledged": True} if venue == "bybit" else {})
        assert (found["status"], found["filled"]) == ("canceled", 0)


@pytest.mark.parametrize("other", ["second", "nobody"])
def test_the_order_id_of_okx_wins(other: str) -> None:
    """Where a request has both ids, the client id may be that of another order, or of none."""
    with trading("okx") as (_, call):
        first, second = (
            call("create_order", SPOT, "limit", "buy", 0.01, 50_000, {"clientOrderId": name})
            for name in ("first", "second")
        )
        named = {"instId": "BTC-USDT", "ordId": first["id"], "clOrdId": other}
        (item,) = call("privatePostTradeAmendOrder", {**named, "newPx": "49000"})["data"]
        assert (item["ordId"], item["sCode"]) == (first["id"], "0")
        prices = [call("fetch_order", one["id"], SPOT)["price"] for one in (first, second)]
        (row,) = call("privateGetTradeOrder", named)["data"]
        assert (prices, row["clOrdId"]) == ([49_000, 50_000], "first")
