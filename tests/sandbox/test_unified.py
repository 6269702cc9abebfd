"""A unified account's orders over REST, with V3's names and codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox

Send = Callable[..., requests.Response]
TRADE = "/api/v3/trade"
ORDER = {"category": "SPOT", "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "price": "100", "qty": "1"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange with a unified account."""
    with Sandbox(unified=True) as running:
        yield running


def test_the_life_of_an_order(exchange: Sandbox, send: Send) -> None:
    """Orders of both categories are placed, found, listed and cancelled under V3's names."""

    def listed(name: str) -> list[str]:
        rows = send(exchange, "GET", f"{TRADE}/{name}", {"category": "SPOT"}).json()["data"]["list"]
        return [row["clientOid"] for row in rows]

    for category, client_id in (("SPOT", "a"), ("usdt-futures", "b")):
        placed = send(exchange, "POST", f"{TRADE}/place-order", {**ORDER, "category": category, "clientOid": client_id})
        assert placed.json()["data"]["clientOid"] == client_id
        row = send(exchange, "GET", f"{TRADE}/order-info", {"clientOid": client_id}).json()["data"]
        assert (row["category"], row["orderStatus"], row["qty"]) == (category.upper(), "live", "1")
    assert (listed("unfilled-orders"), listed("history-orders")) == (["a"], [])
    assert send(exchange, "POST", f"{TRADE}/cancel-order", {"clientOid": "a"}).json()["code"] == "00000"
    assert (listed("unfilled-orders"), listed("history-orders")) == ([], ["a"])
    whole = send(exchange, "GET", f"{TRADE}/unfilled-orders").json()["data"]["list"]
    assert [row["clientOid"] for row in whole] == ["b"]


def test_pages(exchange: Sandbox, send: Send) -> None:
    """A list continues after its cursor."""
    for number in range(3):
        exchange.plant(f"order-{number}", status="pending")
    query, seen = {"limit": "2"}, list[str]()
    for _ in range(2):
        page = send(exchange, "GET", f"{TRADE}/unfilled-orders", query).json()["data"]
        seen += [row["clientOid"] for row in page["list"]]
        query = {**query, "cursor": page["cursor"]}
    assert seen == ["order-2", "order-1", "order-0"]


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("place-order", {"category": "moon"}, "40017"),
        ("place-order", {"qty": "99999999999"}, "25202"),
        ("place-order", {"clientOid": "taken"}, "25212"),
        ("cancel-order", {"clientOid": "nobody"}, "25204"),
        ("cancel-order", {"clientOid": "gone"}, "25204"),
    ],
)
def test_refusals(path: str, change: dict[str, Any], code: str, exchange: Sandbox, send: Send) -> None:
    """Refusals have V3's codes."""
    exchange.plant("taken", status="pending")
    exchange.plant("gone", status="cancelled")
    assert send(exchange, "POST", f"{TRADE}/{path}", {**ORDER, **change}).json()["code"] == code


def test_an_order_that_is_not_there(exchange: Sandbox, send: Send) -> None:
    """A query of an unknown order is an error, not an empty list."""
    assert send(exchange, "GET", f"{TRADE}/order-info", {"clientOid": "nobody"}).json()["code"] == "25204"
