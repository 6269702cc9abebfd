"""A batch that failed in part has the code of a success in its response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from resilience import ApiError, Policies, failure_of, wrap
from resilience.bitget import BitgetApiError, BitgetClient
from resilience.sandbox import Sandbox
from tests.conftest import ScriptedApi

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
    """By its status and its top-level code, which are all that a naive client reads, the response is a success."""
    with pytest.raises(BitgetApiError) as caught:
        client(exchange).post("/api/v2/spot/trade/batch-orders", BATCH)
    answer: Any = caught.value
    assert (answer.code, answer.body["code"]) == (200, "00000")
    assert [item["clientOid"] for item in answer.body["data"]["failureList"]] == ["b"]


def test_ours_reports_item_by_item(exchange: Sandbox) -> None:
    """The error has a failure per item; the batch as a whole may have been executed, and is not resent."""
    seen = exchange.requests
    bot = wrap(client(exchange), "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(BitgetApiError) as caught:
        bot.spot_place_orders(**BATCH)
    failure = failure_of(caught.value)
    assert [(item.key, item.code, item.category.value, item.executed) for item in failure.items] == [
        ("b", "45110", "user_fixable", "no")
    ]
    assert failure.items[0].remedy
    assert (failure.executed, failure.attempts, exchange.requests - seen) == ("maybe", 1, 1)
    assert [row["clientOid"] for row in exchange.ledger()["orders"]] == ["a"]


def test_ours_sees_it_in_a_returned_body(driver: Any) -> None:
    """A client that returns dicts is covered too; an item without a code is a failure with an unknown code."""
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
    assert [(item.key, item.code, item.executed) for item in failure.items] == [
        ("b", "43012", "no"),
        ("c", None, "maybe"),
    ]


def test_ours_sees_it_among_the_good_ones(driver: Any) -> None:
    """V3 lists each item with its code, the successful ones among them."""
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
    assert [(item.key, item.code, item.executed) for item in items] == [("b", "25202", "no")]


def test_the_client_sees_it_among_the_good_ones(api: ScriptedApi) -> None:
    """The same from Bitget's own client; a list without codes, and one of successes, are returned."""
    path = "/api/v2/spot/trade/batch-orders"
    rows = [{"clientOid": "a", "code": "0", "msg": ""}, {"clientOid": "b", "code": "25202", "msg": "no funds"}]
    good: list[list[Any]] = [rows[:1], [{"code": "BTC"}], ["x"], []]
    api.on(path, *({"code": "00000", "data": data} for data in (rows, *good)))
    bot = BitgetClient("key", "secret", "passphrase", base_url=api.rest)
    with pytest.raises(BitgetApiError, match="25202: no funds") as caught:
        bot.get(path)
    assert [item.key for item in failure_of(caught.value).items] == ["b"]
    assert [bot.get(path)["data"] for _ in good] == good
    bot.close()
