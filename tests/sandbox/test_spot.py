"""Spot orders in the sandbox: lists with filters, trades, and replaced orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox

Send = Callable[..., requests.Response]
TRADE = "/api/v2/spot/trade"
MARKET = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "60"}
LIMIT = {**MARKET, "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange without limits."""
    with Sandbox(limits=False) as running:
        yield running


@pytest.fixture
def listed(exchange: Sandbox, send: Send) -> Callable[..., list[str]]:
    """Return the client ids that a list shows."""

    def ask(name: str, **params: Any) -> list[str]:
        answer = send(exchange, "GET", f"{TRADE}/{name}", params).json()
        return [row["clientOid"] for row in answer["data"]]

    return ask


def place(exchange: Sandbox, send: Send, client_id: str, **change: str) -> dict[str, Any]:
    """Place a resting order and return the answer."""
    answer = send(exchange, "POST", f"{TRADE}/place-order", {**LIMIT, "clientOid": client_id, **change})
    return dict(answer.json()["data"])


@pytest.mark.parametrize("name", ["unfilled-orders", "history-orders"])
def test_pages(exchange: Sandbox, send: Send, listed: Callable[..., list[str]], name: str) -> None:
    """Lists come newest first, in pages that go on after an id."""
    kind = {"orderType": "limit" if name.startswith("unfilled") else "market", "size": "60"}
    ids = {one: place(exchange, send, one, **kind)["orderId"] for one in "abcde"}
    assert listed(name) == list("edcba")
    assert listed(name, limit=2) == ["e", "d"]
    assert listed(name, limit=2, idLessThan=ids["d"]) == ["c", "b"]
    assert listed(name, limit=2, idLessThan=ids["b"]) == ["a"]
    assert listed(name, orderId=ids["c"]) == ["c"]


def test_filters(exchange: Sandbox, send: Send, listed: Callable[..., list[str]]) -> None:
    """By symbol and by time of creation, both ends included."""
    place(exchange, send, "a")
    exchange.clock_offset = 0.5
    place(exchange, send, "b", symbol="ETHUSDT")
    row = send(exchange, "GET", f"{TRADE}/orderInfo", {"clientOid": "b"}).json()["data"][0]
    assert listed("unfilled-orders", symbol="ETHUSDT") == ["b"]
    assert listed("unfilled-orders", startTime=row["cTime"]) == ["b"]
    assert listed("unfilled-orders", endTime=int(row["cTime"]) - 1) == ["a"]
    for wrong in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"startTime": "x"}):
        assert send(exchange, "GET", f"{TRADE}/unfilled-orders", wrong).json()["code"] == "40017"


def test_trades(exchange: Sandbox, send: Send) -> None:
    """A filled order has one trade; a market buy is sized in the quote coin."""
    placed = send(exchange, "POST", f"{TRADE}/place-order", {**MARKET, "clientOid": "a"}).json()["data"]
    place(exchange, send, "b")
    rows = send(exchange, "GET", f"{TRADE}/fills", {"symbol": "BTCUSDT"}).json()["data"]
    assert [(row["orderId"], row["priceAvg"], row["size"], row["amount"]) for row in rows] == [
        (placed["orderId"], "60000", "0.00100000", "60")
    ]


def test_replace(exchange: Sandbox, send: Send, listed: Callable[..., list[str]]) -> None:
    """The old order is cancelled, the new one rests under its own id with the new price."""
    old = place(exchange, send, "a")
    body = {"symbol": "BTCUSDT", "orderId": old["orderId"], "price": "110", "size": "2", "newClientOid": "b"}
    done = send(exchange, "POST", f"{TRADE}/cancel-replace-order", body).json()["data"]
    assert (done["success"], done["clientOid"], done["orderId"] != old["orderId"]) == ("success", "b", True)
    assert (listed("unfilled-orders"), listed("history-orders")) == (["b"], ["a"])
    found = send(exchange, "GET", f"{TRADE}/orderInfo", {"clientOid": "b"}).json()["data"][0]
    assert (found["price"], found["size"], found["side"]) == ("110", "2", "buy")


def test_a_replacement_that_fails_half_way(exchange: Sandbox, send: Send, listed: Callable[..., list[str]]) -> None:
    """Under a taken id the old order is gone and there is no new one, in a successful answer."""
    place(exchange, send, "a")
    place(exchange, send, "b")
    body = {"symbol": "BTCUSDT", "clientOid": "a", "price": "110", "size": "2", "newClientOid": "b"}
    answer = send(exchange, "POST", f"{TRADE}/cancel-replace-order", body).json()
    assert (answer["code"], answer["data"]["success"], answer["data"]["orderId"]) == ("00000", "failure", None)
    assert (listed("unfilled-orders"), listed("history-orders")) == (["b"], ["a"])


@pytest.mark.parametrize(
    ("change", "code"),
    [({"clientOid": "z"}, "43001"), ({"price": "x"}, "40017"), ({"price": ""}, "400172"), ({"size": "0.001"}, "45110")],
)
def test_a_replacement_that_is_refused(
    exchange: Sandbox, send: Send, listed: Callable[..., list[str]], change: dict[str, str], code: str
) -> None:
    """What is wrong from the start leaves the old order as it is."""
    place(exchange, send, "a")
    body = {"symbol": "BTCUSDT", "clientOid": "a", "price": "110", "size": "2", "newClientOid": "b", **change}
    assert send(exchange, "POST", f"{TRADE}/cancel-replace-order", body).json()["code"] == code
    assert listed("unfilled-orders") == ["a"]


def test_queries_by_client_id_go_blind(exchange: Sandbox, send: Send, listed: Callable[..., list[str]]) -> None:
    """After two hours an order is found by its id and in the lists, not by its client id."""
    number = exchange.plant("a", age=2 * 3600 + 1)
    assert send(exchange, "GET", f"{TRADE}/orderInfo", {"clientOid": "a"}).json()["data"] == []
    assert len(send(exchange, "GET", f"{TRADE}/orderInfo", {"orderId": number}).json()["data"]) == 1
    assert listed("history-orders") == ["a"]
