"""Which answers prove that a keyed write succeeded: readable, with an id, and not those of another request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.integrations._write_answers import answer_defect, is_complete_json

KEY = "4f1c0a93b7d24e5f8c6a1b2d3e4f5a6b"
UUID = "4F1C0A93-B7D2-4E5F-8C6A-1B2D3E4F5A6B"
NO_ID = "the answer has no id"
EMPTY = "the answer is empty"
UNREADABLE = "the answer is not readable JSON"
ANOTHERS = "the answer is to another request: it repeats another key"


def defect(body: Any, status: int = 200, headers: Any = (), field: str = "Idempotency-Key", **options: Any) -> Any:
    """Judge the answer with this body, JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer_defect(status, headers, raw, KEY, field, **options)


@pytest.mark.parametrize(
    "body",
    [
        {"id": 7},
        {"id": "7", "clientOrderId": KEY},
        {"order_id": "a-1"},
        {"data": {"orderId": "123", "clientOid": KEY}},
        {"code": "0", "data": [{"ordId": "312269865356374016", "clOrdId": KEY, "tag": ""}]},
        {"result": {"txid": ["OUF4EM-FRGI2-MQMWZD"]}, "error": []},
        {"response": {"data": {"statuses": [{"resting": {"oid": 77738308}}]}}},
        {"orderID": "o", "text": "Submitted via API."},
        {"id": 1, "text": f"t-{KEY}"},
        {"id": 1, "clientOrderId": f"x-prefix{KEY}"},
        {"id": 1, "idempotency_key": UUID},
        [{"order-id": "59378"}],
        {"accountId": 5, "userId": 6, "tradeId": 9},
        b'\xef\xbb\xbf{"id": "7"}',
    ],
)
def test_success(body: Any) -> None:
    """An id, and no other key."""
    assert defect(body) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", EMPTY),
        (b" \r\n", EMPTY),
        (b"<html>fine</html>", UNREADABLE),
        (b'{"id": "7"', UNREADABLE),
        (b"\xff\xfe\x00", UNREADABLE),
        (b"[" * 100_000, UNREADABLE),
        ({}, NO_ID),
        ([], NO_ID),
        (None, NO_ID),
        ("7", NO_ID),
        (7, NO_ID),
        ({"id": None}, NO_ID),
        ({"id": ""}, NO_ID),
        ({"id": 0}, NO_ID),
        ({"id": True}, NO_ID),
        ({"id": "null"}, NO_ID),
        ({"id": "00000000-0000-0000-0000-000000000000"}, NO_ID),
        ({"requestId": "r-1", "trace_id": "t", "accountId": 5, "instId": "BTC-USDT", "product_id": "BTC"}, NO_ID),
        ({"clientOid": KEY}, NO_ID),
        ({"data": {"ordId": ""}}, NO_ID),
        ({"width": 5, "paid": "yes", "Grid": "g"}, NO_ID),
        ({"id": 1, "clientOrderId": "of another"}, ANOTHERS),
        ({"id": 1, "x_ref": "of another"}, ANOTHERS),
        ({"data": [{"id": 1, "orderLinkId": "of another"}]}, ANOTHERS),
        ({"id": 1, "text": "t-0123456789abcdef"}, ANOTHERS),
    ],
)
def test_no_success(body: Any, expected: str) -> None:
    """Everything that is not certain."""
    assert defect(body, field="X-Ref") == expected


@pytest.mark.parametrize(
    ("key", "echo"),
    [
        ("strategy-order-1", "strategy-order-12"),
        ("grid-btcusdt-1", "grid-btcusdt-1-2"),
        ("grid-btcusdt-12", "grid-btcusdt-1-2"),
        ("1-strategy-order", "11-strategy-order"),
        ("order-1", "my-order-1"),
        ("12", "7-12"),
        ("1234", "12345"),
    ],
)
def test_keys_that_are_counted(key: str, echo: str) -> None:
    """The answer to `order-12` is not the one to `order-1`."""
    assert answer_defect(200, {}, json.dumps({"id": 1, "clientOrderId": echo}).encode(), key, "X-Ref") == ANOTHERS


@pytest.mark.parametrize(
    ("key", "echo"),
    [("t-a1", "T-A1"), ("a1", "t-a1"), ("order-1-2", "order12"), ("strategy-order-1", "x-40strategy-order-1")],
)
def test_keys_that_an_api_spells_in_its_way(key: str, echo: str) -> None:
    """In another case, without hyphens, or behind a prefix."""
    assert answer_defect(200, {}, json.dumps({"id": 1, "clientOrderId": echo}).encode(), key, "X-Ref") is None


@pytest.mark.parametrize(
    "body",
    [
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "busy"}},
        {"jsonrpc": "2.0", "id": 1, "result": None},
        {"error": "upstream", "id": "E-77"},
        {"errors": [{"id": "e1"}]},
        {"success": False, "id": "e1"},
        {"message": "blocked", "rayId": "8f"},
        {"message": "maintenance", "incident_id": "i-1", "error_id": "e-1", "eventId": "v"},
        {"trace": {"id": "t"}, "request": {"uuid": "r"}, "user": {"id": 5}, "accounts": [{"id": 6}]},
    ],
)
def test_ids_of_an_error(body: Any) -> None:
    """The id of an error, of a request or of a user is not that of an order."""
    assert defect(body) in (NO_ID, "the answer says that it failed")


@pytest.mark.parametrize(
    "body",
    [
        {"id": 1, "error": None, "errors": [], "success": True},
        {"error": [], "result": {"txid": ["O1"]}},
        {"jsonrpc": "2.0", "id": 1, "result": {"order": {"order_id": "7"}}},
        {"data": {"uuid": "u-1"}, "error": "0"},
        {"order": {"id": 7}, "user": {"id": 5}},
    ],
)
def test_no_error(body: Any) -> None:
    """Fields that say that there is no error, and an order's id beside those of others."""
    assert defect(body) is None


def test_headers() -> None:
    """A repeated key in a header, and the address of what was created."""
    assert defect({"id": 1}, headers={"idempotency-key": "of another"}) == ANOTHERS
    assert defect({"id": 1}, headers=[("X-Ref", "of another")], field="X-Ref") == ANOTHERS
    assert defect({"id": 1}, headers={"Idempotency-Key": KEY}) is None
    assert defect(b"", 201, {"location": "/orders/7"}) is None
    assert defect(b"", 200, {"location": "/orders/7"}) == EMPTY
    assert defect({}, 201, {"Location": "/orders/7"}) is None
    assert defect(b"<html>", 201, {"Location": "/orders/7"}) == UNREADABLE


def test_without_a_lookup_an_id_is_not_needed() -> None:
    """Only what is certainly wrong counts then."""
    assert defect({"status": "ok"}, needs_id=False) is None
    assert defect(b"ok", needs_id=False) == UNREADABLE
    assert defect({"clientOrderId": "of another"}, needs_id=False) == ANOTHERS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.integers(1, 10**18))
def test_an_id_anywhere_near_the_top_is_found(content: Any, number: int) -> None:
    """Whatever else the answer holds, an id and our key make it ours."""
    assert defect({"other": content, "data": {"orderId": number, "clientOid": KEY}}) is None


@given(JSON, st.text("abcdef0123456789", min_size=32, max_size=32).filter(lambda other: other != KEY))
def test_another_key_is_never_ours(content: Any, other: str) -> None:
    """An answer that repeats another key alone never counts."""
    judged = defect({"data": {"orderId": 1, "client_order_id": other}, "list": [7]})
    assert judged == ANOTHERS
    assert defect({"x": content}) in (None, NO_ID, ANOTHERS)


@given(st.binary(max_size=40))
def test_any_bytes_are_judged(body: bytes) -> None:
    """Nothing raises."""
    assert isinstance(defect(body), str)


@given(JSON)
def test_a_cut_body_is_not_complete(content: Any) -> None:
    """JSON in an object is complete only with its last byte."""
    whole = json.dumps({"data": content}).encode()
    assert is_complete_json(whole)
    assert not any(is_complete_json(whole[:size]) for size in range(len(whole)))
