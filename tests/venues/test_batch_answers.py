"""The answer to a batch is read item by item, and what is not about an item settles nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.venues import venue
from resilience.venues.batch_answers import count_items, read_items

OKX, BYBIT, BINANCE = "privatePostTradeBatchOrders", "privatePostV5OrderCreateBatch", "fapiPrivatePostBatchOrders"
BITGET = "privateSpotPostV2SpotTradeBatchOrders"
OKX_CANCELS, BINANCE_CANCELS = "privatePostTradeCancelBatchOrders", "fapiPrivateDeleteBatchOrders"


def read(name: str, endpoint: str, body: Any, *ids: str) -> list[str]:
    """Return what an answer says of the orders with these ids: `done`, `refused`, or nothing."""
    data = venue(name)
    write = data.write(endpoint)
    assert write is not None
    answers = read_items(data, write, body, [[one] for one in ids])
    return ["" if one is None else "refused" if one.row is None else "done" for one in answers]


def bybit(*parts: tuple[str, str, int]) -> Any:
    """Return Bybit's answer to a batch, whose codes stand apart from the orders."""
    orders = [{"orderId": own, "orderLinkId": key} for own, key, _ in parts]
    results = [{"code": code, "msg": ""} for _, _, code in parts]
    return {"retCode": 0, "result": {"list": orders}, "retExtInfo": {"list": results}}


def bitget(done: list[tuple[str, str]], failed: list[tuple[str, str, str]]) -> Any:
    """Return Bitget's answer to a batch, which lists those that failed apart, in any order."""
    data = {
        "successList": [{"orderId": own, "clientOid": key} for own, key in done],
        "failureList": [{"orderId": own, "clientOid": key, "errorCode": code} for own, key, code in failed],
    }
    return {"code": "00000", "msg": "success", "requestTime": 7, "data": data}


@pytest.mark.parametrize(
    ("name", "endpoint", "body", "expected"),
    [
        (
            "okx", OKX, {"code": "2", "data": [{"ordId": "1", "clOrdId": "a", "sCode": "0"}, {"sCode": "51008"}]},
            ["done", "refused"],
        ),
        ("okx", OKX, {"code": "0", "data": [{"ordId": "1", "clOrdId": "b"}, {"ordId": "", "sCode": "0"}]}, ["", ""]),
        ("okx", OKX, {"code": "50011", "data": []}, ["", ""]),
        ("okx", OKX_CANCELS, {"code": "0", "data": [{"ordId": "a"}, {"ordId": "c"}]}, ["done", ""]),
        ("bybit", BYBIT, bybit(("1", "a", 0), ("", "", 10006)), ["done", "refused"]),
        ("bybit", BYBIT, bybit(("1", "a", 0)), ["", ""]),
        ("bybit", BYBIT, {"retCode": 10001, "result": {}}, ["", ""]),
        ("binance", BINANCE, [{"orderId": 1, "clientOrderId": "a"}, {"code": -1000, "msg": ""}], ["done", "refused"]),
        ("binance", BINANCE, [{"code": -1102}], ["", ""]),
        ("binance", BINANCE_CANCELS, [{"orderId": "a"}, {"orderId": "b", "clientOrderId": "x"}], ["done", "done"]),
        ("bitget", BITGET, bitget([("1", "b")], [("", "a", "45110")]), ["refused", "done"]),
        ("bitget", BITGET, bitget([("1", "a")], [("", "c", "45110")]), ["done", ""]),
        ("bitget", BITGET, bitget([("", "a")], []), ["", ""]),
        ("bitget", BITGET, "busy", ["", ""]),
        ("binance", BINANCE, "<html>", ["", ""]),
        ("binance", BINANCE, None, ["", ""]),
    ],
)  # fmt: skip
def test_items(name: str, endpoint: str, body: Any, expected: list[str]) -> None:
    """By position; a part that repeats another order's id, or none, and a list of another length prove nothing."""
    assert read(name, endpoint, body, "a", "b") == expected


@pytest.mark.parametrize(
    ("name", "endpoint", "body", "alone"),
    [
        (
            "okx", OKX, {"code": "2", "data": [{"ordId": "1", "clOrdId": "a", "sCode": "0"}, {"sCode": "51008"}]},
            {"code": "2", "data": [{"sCode": "51008"}]},
        ),
        ("bybit", BYBIT, bybit(("1", "a", 0), ("", "b", 7)), bybit(("", "b", 7))),
        ("binance", BINANCE, [{"orderId": 1, "clientOrderId": "a"}, {"code": -1}], {"code": -1}),
        (
            "bitget", BITGET, bitget([("1", "a")], [("", "b", "45110")]),
            {"code": "45110", "msg": "success", "requestTime": 7,
             "data": {"orderId": "", "clientOid": "b", "errorCode": "45110"}},
        ),
    ],
)  # fmt: skip
def test_the_answer_to_one_item_alone(name: str, endpoint: str, body: Any, alone: Any) -> None:
    """It is classified like the answer to a single order."""
    data = venue(name)
    write = data.write(endpoint)
    assert write is not None
    refused = read_items(data, write, body, [["a"], ["b"]])[1]
    assert refused is not None
    assert refused.body == alone


@pytest.mark.parametrize(
    ("name", "endpoint", "body", "count"),
    [
        ("okx", OKX, {"code": "2", "data": [{"sCode": "51008"}]}, 1),
        ("okx", OKX, {"code": "50011", "data": []}, 0),
        ("bybit", BYBIT, bybit(("1", "a", 0), ("", "", 10006)), 2),
        ("bybit", BYBIT, {"retCode": 10006, "result": {}, "retExtInfo": {}}, 0),
        ("binance", BINANCE, [{"code": -1102}], 1),
        ("binance", BINANCE, {"code": -1003}, 0),
        ("bitget", BITGET, bitget([("1", "a")], [("", "b", "45110")]), 2),
        ("bitget", BITGET, {"code": "40010", "data": None}, 0),
    ],
)
def test_how_many_items_an_answer_is_about(name: str, endpoint: str, body: Any, count: int) -> None:
    """One that refuses the batch as a whole is about none, and its code is about all of them."""
    data = venue(name)
    write = data.write(endpoint)
    assert write is not None
    assert count_items(data, write, body) == count


def test_the_refusal_of_a_batch_of_one_as_a_whole() -> None:
    """It keeps its status and headers, as it would for any other batch."""
    assert read("binance", BINANCE, {"code": -1003, "msg": "busy"}, "a") == [""]
