"""Futures orders in the sandbox: position modes, client ids, modifications, and the real exchange's codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox

Send = Callable[..., requests.Response]
ORDER = "/api/v2/mix/order"
MARKET: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "productType": "USDT-FUTURES",
    "marginMode": "crossed",
    "marginCoin": "USDT",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
}
LIMIT = {**MARKET, "orderType": "limit", "price": "50000"}
AT = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a one-way futures account."""
    with Sandbox() as running:
        yield running


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was accepted."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


def test_an_order_from_its_placing_to_its_end(exchange: Sandbox, send: Send) -> None:
    """An order is placed, listed as pending, cancelled, and listed in the history."""
    placed = send(exchange, "POST", f"{ORDER}/place-order", {**LIMIT, "clientOid": "a"}).json()["data"]
    seen = send(exchange, "GET", f"{ORDER}/detail", {**AT, "clientOid": "a"}).json()["data"]
    assert (seen["orderId"], seen["state"], seen["posMode"]) == (placed["orderId"], "live", "one_way_mode")
    pending = send(exchange, "GET", f"{ORDER}/orders-pending", {"productType": "USDT-FUTURES"}).json()["data"]
    assert [row["clientOid"] for row in pending["entrustedList"]] == ["a"]
    send(exchange, "POST", f"{ORDER}/cancel-order", {**AT, "orderId": placed["orderId"]})
    past = send(exchange, "GET", f"{ORDER}/orders-history", AT).json()["data"]
    assert [(row["clientOid"], row["state"]) for row in past["entrustedList"]] == [("a", "canceled")]


def test_an_unknown_order(exchange: Sandbox, send: Send) -> None:
    """A query is answered 40109 with HTTP 400 and the server's time, a cancel 40768, of a finished order 22001."""
    answer = send(exchange, "GET", f"{ORDER}/detail", {**AT, "clientOid": "a"})
    assert (answer.status_code, answer.json()["code"]) == (400, "40109")
    assert answer.json()["requestTime"] > 0
    assert send(exchange, "POST", f"{ORDER}/cancel-order", {**AT, "clientOid": "a"}).json()["code"] == "40768"
    send(exchange, "POST", f"{ORDER}/place-order", {**MARKET, "clientOid": "a"})
    assert send(exchange, "POST", f"{ORDER}/cancel-order", {**AT, "clientOid": "a"}).json()["code"] == "22001"
    assert send(exchange, "GET", f"{ORDER}/orders-pending", AT).json()["data"]["entrustedList"] is None


@pytest.mark.parametrize(
    ("hedge", "change", "code"),
    [
        (False, {}, "00000"),
        (False, {"tradeSide": "open"}, "40774"),
        (True, {}, "40774"),
        (True, {"tradeSide": "Open"}, "00000"),
        (True, {"tradeSide": "up"}, "40017"),
        (False, {"productType": None}, "400172"),
        (False, {"productType": "COIN-FUTURES"}, "40017"),
        (False, {"marginMode": "cross"}, "40017"),
        (False, {"marginCoin": "BTC"}, "40017"),
        (False, {"symbol": "XXXUSDT"}, "40034"),
        (False, {"size": "0.000001"}, "45110"),
        (False, {"size": "99999999"}, "43012"),
    ],
)
def test_what_an_order_must_be(hedge: bool, change: dict[str, Any], code: str, send: Send) -> None:
    """The position mode, the product type and the margin are checked; a refused order is not executed."""
    params = {key: value for key, value in {**MARKET, **change, "clientOid": "a"}.items() if value is not None}
    with Sandbox(hedge=hedge) as exchange:
        assert send(exchange, "POST", f"{ORDER}/place-order", params).json()["code"] == code
        assert executions(exchange) == ({"a": 1} if code == "00000" else {})


def test_hedge_positions_are_shown(send: Send) -> None:
    """In hedge mode an order opens or closes a side."""
    with Sandbox(hedge=True) as exchange:
        closing = {**MARKET, "side": "sell", "tradeSide": "close", "clientOid": "a"}
        send(exchange, "POST", f"{ORDER}/place-order", closing)
        seen = send(exchange, "GET", f"{ORDER}/detail", {**AT, "clientOid": "a"}).json()["data"]
    assert (seen["posMode"], seen["posSide"], seen["tradeSide"]) == ("hedge_mode", "long", "close")


def test_a_reducing_order_is_answered_without_its_id(exchange: Sandbox, send: Send) -> None:
    """In one-way mode the answer to a reduce-only order has no order id, and the order exists."""
    placed = send(exchange, "POST", f"{ORDER}/place-order", {**MARKET, "reduceOnly": "YES", "clientOid": "a"})
    assert placed.json()["data"] == {"orderId": None, "clientOid": "a"}
    assert executions(exchange) == {"a": 1}


def test_client_ids(exchange: Sandbox, send: Send) -> None:
    """A pending client id is refused with 40786; after the fill it buys again; spot and futures do not share ids."""
    for body, code in ((LIMIT, "00000"), (LIMIT, "40786"), (MARKET, "40786")):
        assert send(exchange, "POST", f"{ORDER}/place-order", {**body, "clientOid": "a"}).json()["code"] == code
    for _ in range(2):
        assert send(exchange, "POST", f"{ORDER}/place-order", {**MARKET, "clientOid": "b"}).json()["code"] == "00000"
    spot = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": "a"}
    assert send(exchange, "POST", "/api/v2/spot/trade/place-order", spot).json()["code"] == "00000"
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [1, 1, 2]


def test_modify(exchange: Sandbox, send: Send) -> None:
    """A modification needs a new, unused client id; it cancels the old order and places a changed one."""
    send(exchange, "POST", f"{ORDER}/place-order", {**LIMIT, "clientOid": "a"})
    change = {**AT, "clientOid": "a", "newPrice": "49000"}
    modify = f"{ORDER}/modify-order"
    assert send(exchange, "POST", modify, change).json()["code"] == "400172"
    assert send(exchange, "POST", modify, {**change, "newClientOid": "a"}).json()["code"] == "40786"
    done = send(exchange, "POST", modify, {**change, "newClientOid": "b"}).json()
    assert done["data"] == {"orderId": None, "clientOid": "b"}
    seen = {one: send(exchange, "GET", f"{ORDER}/detail", {**AT, "clientOid": one}).json()["data"] for one in "ab"}
    assert [(row["state"], row["price"]) for row in seen.values()] == [("canceled", "50000"), ("live", "49000")]
    assert send(exchange, "POST", modify, {**change, "newClientOid": "b"}).json()["code"] == "40786"
    assert send(exchange, "POST", modify, {**change, "newClientOid": "c"}).json()["code"] == "22001"
    assert executions(exchange) == {"a": 1, "b": 1}


def test_prices_and_account(exchange: Sandbox, send: Send) -> None:
    """The ticker needs no key; the account needs one."""
    ticker = requests.get(exchange.rest + "/api/v2/mix/market/ticker", params=AT, timeout=60).json()["data"]
    assert [row["lastPr"] for row in ticker] == ["60000"]
    account = send(exchange, "GET", "/api/v2/mix/account/accounts", {"productType": "USDT-FUTURES"}).json()["data"]
    assert [row["marginCoin"] for row in account] == ["USDT"]
