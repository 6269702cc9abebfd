"""Which answers confirm a write, by a venue's data."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.venues import venue
from resilience.venues.confirmed_writes import codes_in, find_problem

OKX, BYBIT, BINANCE = "privatePostTradeBatchOrders", "privatePostV5OrderCreate", "privatePostOrder"
BITGET, BITGET_REPLACES = "privateMixPostV2MixOrderPlaceOrder", "privateSpotPostV2SpotTradeCancelReplaceOrder"
BITGET_CANCELS = "privateMixPostV2MixOrderBatchCancelOrders"
BYBIT_CANCELS, BINANCE_CANCELS = "privatePostV5OrderCancelBatch", "fapiPrivateDeleteBatchOrders"


def _cancelled(*codes: int) -> Any:
    """Return Bybit's answer to a batch of cancels with these codes, which stand apart from the orders."""
    orders = [{"orderId": str(number), "orderLinkId": ""} for number, _ in enumerate(codes)]
    results = [{"code": code, "msg": ""} for code in codes]
    return {"retCode": 0, "result": {"list": orders}, "retExtInfo": {"list": results}}


def _bitget(**data: Any) -> Any:
    """Return Bitget's success with this data."""
    return {"code": "00000", "msg": "success", "requestTime": 1, "data": data}


@pytest.mark.parametrize(
    ("name", "endpoint", "body", "kind"),
    [
        ("okx", OKX, {"code": "0", "data": [{"ordId": "1", "clOrdId": "k1", "sCode": "0"}]}, None),
        ("okx", OKX, {"code": "2", "data": [{"ordId": "1", "sCode": "0"}, {"ordId": "", "sCode": "51008"}]}, "partial"),
        ("okx", OKX, {"code": "0", "data": [{"ordId": "", "clOrdId": "k1", "sCode": "51008"}]}, "partial"),
        ("okx", OKX, {"code": "0", "data": []}, "unreadable"),
        ("okx", OKX, {"code": "0", "data": [{"ordId": "1", "clOrdId": "k2", "sCode": "0"}]}, "unreadable"),
        ("okx", OKX, {"msg": "hello"}, "unreadable"),
        ("okx", OKX, None, "unreadable"),
        ("bybit", BYBIT, {"retCode": 0, "result": {"orderId": "1", "orderLinkId": "k1"}}, None),
        ("bybit", BYBIT, {"retCode": 0, "result": {}}, "unreadable"),
        ("bybit", BYBIT, {}, "unreadable"),
        ("bybit", BYBIT_CANCELS, _cancelled(0, 110001), "partial"),
        ("bybit", BYBIT_CANCELS, _cancelled(0, 0), None),
        ("binance", BINANCE_CANCELS, [{"orderId": 1}, {"code": -2011, "msg": "Unknown order sent."}], "partial"),
        ("binance", BINANCE_CANCELS, [{"orderId": 1}, {"orderId": 2}], None),
        ("binance", BINANCE, {"orderId": 1, "clientOrderId": "k1"}, None),
        ("binance", BINANCE, {}, "unreadable"),
        ("binance", BINANCE, {"orderId": 1, "clientOrderId": "k2"}, "unreadable"),
        ("binance", BINANCE, {"code": -1, "msg": "no"}, "partial"),
        ("bitget", BITGET, _bitget(orderId="1", clientOid="k1"), None),
        ("bitget", BITGET, _bitget(orderId=None, clientOid="k1"), None),
        ("bitget", BITGET, _bitget(orderId=None, clientOid=""), "unreadable"),
        ("bitget", BITGET, _bitget(orderId="1", clientOid="k2"), "unreadable"),
        ("bitget", BITGET_REPLACES, _bitget(orderId="1", clientOid="k1", success="success"), None),
        ("bitget", BITGET_REPLACES, _bitget(orderId="1", clientOid="k1", success="failure"), "unreadable"),
        ("bitget", BITGET_CANCELS, _bitget(successList=[{"orderId": "1"}], failureList=[{"orderId": "2"}]), "partial"),
        ("bitget", BITGET_CANCELS, _bitget(successList=[{"orderId": "1"}], failureList=[]), None),
    ],
)
def test_answers(name: str, endpoint: str, body: Any, kind: str | None) -> None:
    """A success has the venue's envelope, an id, no failed item, and no other order's client id."""
    data = venue(name)
    write = data.write(endpoint)
    assert write is not None
    problem = find_problem(data, write, body, "k1")
    assert (problem and problem[0]) == kind


def test_codes() -> None:
    """Those of the envelope and of its items."""
    body = {"code": "1", "data": [{"sCode": "50036"}, {"sCode": ""}]}
    assert codes_in(venue("okx"), body) == {"1", "50036"}
    assert codes_in(venue("binance"), {"code": -1021}) == {"-1021"}
    assert codes_in(venue("bybit"), "busy") == set()
    assert codes_in(venue("bybit"), _cancelled(0, 110001)) == {"0", "110001"}
