"""A batch that failed in part answers with the code of a success."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import ApiError, Policies, failure_of, wrap
from resilience.bitget import BitgetApiError, BitgetClient
from resilience.bitget.envelope import read_envelope
from resilience.integrations._http_rules import Answer
from resilience.sandbox import Sandbox

GOOD = {"side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
SMALL = {**GOOD, "size": "0.1"}
BATCH = {"symbol": "BTCUSDT", "orderList": [{**GOOD, "clientOid": "a"}, {**SMALL, "clientOid": "b"}]}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox(window=1.0) as running:
        yield running


def client(exchange: Sandbox) -> BitgetClient:
    """Return a plain client."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def test_naive(exchange: Sandbox) -> None:
    """Whoever looks at status and top-level code sees a success."""
    raw = client(exchange)
    request = raw._prepare_request("POST", "/api/v2/spot/trade/batch-orders", BATCH)
    answer = raw._session.post(request.url, data=request.data, headers=request.headers, timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (200, "00000")
    assert [one["clientOid"] for one in answer.json()["data"]["failureList"]] == ["b"]


def test_ours_reports_item_by_item(exchange: Sandbox) -> None:
    """The error says of each item what it means; the batch as a whole may have been carried out, and is not resent."""
    seen = exchange.requests
    bot = wrap(client(exchange), "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(BitgetApiError) as caught:
        bot.spot_place_orders(**BATCH)
    failure = failure_of(caught.value)
    assert [(one.key, one.code, one.category.value, one.executed) for one in failure.items] == [
        ("b", "45110", "user_fixable", "no")
    ]
    assert failure.items[0].remedy
    assert (failure.executed, failure.attempts, exchange.requests - seen) == ("maybe", 1, 1)
    assert [row["clientOid"] for row in exchange.ledger()["orders"]] == ["a"]


def test_ours_sees_it_in_a_returned_body(driver: Any) -> None:
    """A client that returns dicts is covered too; an item without a code is a failure like any other unknown one."""
    body = {
        "code": "00000",
        "msg": "success",
        "data": {
            "successList": [{"orderId": "1"}],
            "failureList": [{"clientOid": "b", "errorCode": "43012", "errorMsg": "funds"}, {"clientOid": "c"}],
        },
    }
    with pytest.raises(ApiError) as caught:
        driver.call(Policies.builtin().resilient("bitget")(driver.transport([body])))
    failure = failure_of(caught.value)
    assert (caught.value.code, caught.value.body, failure.executed) == ("43012", body, "maybe")
    assert [(one.key, one.code, one.executed) for one in failure.items] == [("b", "43012", "no"), ("c", None, "maybe")]


def test_ours_sees_it_among_the_good_ones(driver: Any) -> None:
    """V3 tells each item's code in one list with those that went well."""
    body = {
        "code": "00000",
        "data": [
            {"orderId": "1", "clientOid": "a", "code": "00000", "msg": "success"},
            {"orderId": "", "clientOid": "b", "code": "25202", "msg": "Insufficient balance"},
        ],
    }
    with pytest.raises(ApiError) as caught:
        driver.call(Policies.builtin().resilient("bitget")(driver.transport([body])))
    items = failure_of(caught.value).items
    assert [(one.key, one.code, one.executed) for one in items] == [("b", "25202", "no")]


def test_the_client_sees_it_among_the_good_ones() -> None:
    """The same from Bitget's own client; a list without codes, and one of successes, are answers."""
    rows = [{"clientOid": "a", "code": "0", "msg": ""}, {"clientOid": "b", "code": "25202", "msg": "no funds"}]
    with pytest.raises(BitgetApiError, match="25202: no funds") as caught:
        read_envelope(Answer(200, "OK", {}, json.dumps({"code": "00000", "data": rows}).encode()), {})
    assert [one.key for one in failure_of(caught.value).items] == ["b"]
    for fine in (rows[:1], [{"code": "BTC"}], ["x"], []):
        content = json.dumps({"code": "00000", "data": fine}).encode()
        assert read_envelope(Answer(200, "OK", {}, content), {})["data"] == fine
