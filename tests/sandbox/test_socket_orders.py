"""Orders on the sandbox's sockets: updates, trade frames, and their faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from resilience.sandbox import Sandbox
from tests.sandbox.raw_frames import ORDERS, V3_ORDER, Login, OpenSocket, ask, close_code, next_frame, open_logged_in

MARKET = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
LIMIT = {**MARKET, "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
ORDER = {"orderType": "market", "side": "buy", "size": "50", "clientOid": "a"}
TRADE = {"id": "7", "instType": "SPOT", "instId": "BTCUSDT", "channel": "place-order", "params": ORDER}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange whose sockets run in real time."""
    with Sandbox() as running:
        yield running


def test_orders_are_pushed_as_they_change(exchange: Sandbox, open_socket: OpenSocket, login: Login, send: Any) -> None:
    """Orders placed and cancelled over REST are pushed, without a snapshot; futures have another channel."""
    connection = open_socket(exchange, "/v2/ws/private")
    ask(connection, "login", login(exchange))
    ask(connection, "subscribe", ORDERS)
    send(exchange, "POST", "/api/v2/spot/trade/place-order", {**MARKET, "clientOid": "a"})
    send(exchange, "POST", "/api/v2/spot/trade/place-order", {**LIMIT, "clientOid": "b"})
    future = {"productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
    send(exchange, "POST", "/api/v2/mix/order/place-order", {**MARKET, **future, "size": "1"})
    send(exchange, "POST", "/api/v2/spot/trade/cancel-order", {"symbol": "BTCUSDT", "clientOid": "b"})
    rows = [next_frame(connection)["data"][0] for _ in range(4)]
    assert [(row["clientOid"], row["status"]) for row in rows] == [
        ("a", "live"),
        ("a", "filled"),
        ("b", "live"),
        ("b", "cancelled"),
    ]
    assert rows[1]["accBaseVolume"] == "0.00083333"


def test_orders_of_v3(exchange: Sandbox, open_socket: OpenSocket, login: Login, send: Any) -> None:
    """V3 pushes orders of every category under its own field names."""
    connection = open_socket(exchange, "/v3/ws/private")
    ask(connection, "login", login(exchange))
    ask(connection, "subscribe", V3_ORDER)
    send(exchange, "POST", "/api/v2/spot/trade/place-order", {**LIMIT, "clientOid": "a"})
    row = next_frame(connection)["data"][0]
    assert (row["clientOid"], row["category"], row["orderStatus"], row["qty"]) == ("a", "SPOT", "live", "1")


def test_an_order_over_the_socket(exchange: Sandbox, open_socket: OpenSocket, login: Login, send: Any) -> None:
    """V2 trade frames place and cancel in the same ledger as REST, and answers carry their id."""
    connection = open_socket(exchange, "/v2/ws/private")
    ask(connection, "login", login(exchange))
    head = {"id": "7", "instType": "SPOT", "instId": "BTCUSDT"}
    params = {"orderType": "limit", "side": "buy", "size": "1", "price": "100", "force": "gtc", "clientOid": "a"}
    placed = ask(connection, "trade", {**head, "channel": "place-order", "params": params})
    assert (placed["event"], placed["code"], placed["arg"][0]["id"]) == ("trade", 0, "7")
    again = ask(connection, "trade", {**head, "channel": "place-order", "params": params})
    assert (again["event"], again["code"], again["arg"][0]["id"]) == ("error", 25212, "7")
    found = send(exchange, "GET", "/api/v2/spot/trade/orderInfo", {"clientOid": "a"}).json()["data"][0]
    assert placed["arg"][0]["params"] == {"orderId": found["orderId"], "clientOid": "a"}
    gone = {"orderId": found["orderId"]}
    assert ask(connection, "trade", {**head, "channel": "cancel-order", "params": gone})["code"] == 0
    assert ask(connection, "trade", {**head, "channel": "cancel-order", "params": gone})["code"] == 25204
    poor = {**params, "size": "99999999999", "clientOid": "b"}
    assert ask(connection, "trade", {**head, "channel": "place-order", "params": poor})["code"] == 43012
    assert ask(connection, "trade")["code"] == 30016
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]


def test_an_order_over_the_socket_of_v3(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """V3 trade frames have their own names and codes."""
    connection = open_socket(exchange, "/v3/ws/private")
    ask(connection, "login", login(exchange))
    order = {"symbol": "BTCUSDT", "qty": "1", "side": "buy", "orderType": "limit", "price": "100", "clientOid": "a"}
    for category in ("spot", "usdt-futures"):
        placed = ask(connection, "trade", order, id="7", category=category, topic="place-order")
        assert (placed["event"], placed["code"], placed["id"]) == ("trade", "0", "7")
        assert placed["args"][0]["clientOid"] == "a"
    again = ask(connection, "trade", order, id="8", category="spot", topic="place-order")
    assert (again["event"], again["code"], again["id"]) == ("error", "25212", "8")
    assert ask(connection, "trade", {"clientOid": "a"}, id="9", category="spot", topic="cancel-order")["code"] == "0"
    assert ask(connection, "trade", order, id="10", category="spot", topic="dance")["code"] == "30001"
    assert ask(connection, "trade", order, id="11", category="moon", topic="place-order")["code"] == "40017"


def test_trading_needs_the_login_and_the_permission(open_socket: OpenSocket, login: Login) -> None:
    """An order before the login, or with a key that may not trade, is refused."""
    with Sandbox(can_trade=False) as exchange:
        connection = open_socket(exchange, "/v2/ws/private")
        frame = {"id": "1", "instType": "SPOT", "instId": "BTCUSDT", "channel": "place-order", "params": MARKET}
        assert ask(connection, "trade", frame)["code"] == 30004
        ask(connection, "login", login(exchange))
        assert ask(connection, "trade", frame)["code"] == 40014
        assert exchange.ledger() == {"orders": []}


@pytest.mark.parametrize(("fault", "executions"), [("trade_lost", 1), ("trade_unseen", 0)])
def test_an_uncertain_order(
    fault: str, executions: int, exchange: Sandbox, open_socket: OpenSocket, login: Login
) -> None:
    """The connection ends before the answer, with or without an execution; the client cannot tell which."""
    connection = open_logged_in(exchange, open_socket, login)
    exchange.sockets.fault(fault)
    connection.send(json.dumps({"op": "trade", "args": [TRADE]}))
    assert close_code(connection) is None
    assert len(exchange.ledger()["orders"]) == executions


def test_a_refused_order(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A scripted refusal carries the id of its frame, and nothing is executed."""
    connection = open_logged_in(exchange, open_socket, login)
    exchange.sockets.fault("trade_error:40725")
    frame = ask(connection, "trade", TRADE)
    assert (frame["event"], frame["code"], frame["arg"][0]["id"]) == ("error", 40725, "7")
    assert exchange.ledger() == {"orders": []}
    assert ask(connection, "trade", TRADE)["code"] == 0


def test_a_lost_push(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """One private push is lost and the next one arrives; only REST still shows the lost one."""
    connection = open_logged_in(exchange, open_socket, login)
    ask(connection, "subscribe", ORDERS)
    exchange.sockets.fault("lose_push")
    ask(connection, "trade", TRADE)
    row = next_frame(connection)["data"][0]
    assert (row["clientOid"], row["status"]) == ("a", "filled")
