"""Which successes count: those that can be read, have the order's id, and repeat the ids of the request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from resilience import failure_of, wrap
from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient
from tests.bitget.scripted import Scripted

KEYS = ("a-key", "a-secret", "some-words")
SPOT = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": "mine"}
MIX = {
    "symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "side": "buy",
    "orderType": "market", "size": "1", "clientOid": "mine",
}  # fmt: skip
UTA = {"category": "SPOT", "symbol": "BTCUSDT", "qty": "1", "side": "buy", "orderType": "market", "clientOid": "mine"}
REPLACE = {"symbol": "BTCUSDT", "orderId": "6", "price": "1", "size": "1", "newClientOid": "mine"}
MODIFY = {**REPLACE, "productType": "USDT-FUTURES", "newSize": "1", "newPrice": "1"}
CANCEL = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "orderId": "7"}
OURS = {"orderId": "7", "clientOid": "mine"}
THEIRS = {"orderId": "8", "clientOid": "another"}
PLACES = {
    "spot_place_order": SPOT,
    "mix_place_order": MIX,
    "uta_place_order": UTA,
    "spot_replace_order": REPLACE,
    "mix_modify_order": MODIFY,
}
CANCELS = dict.fromkeys(("spot_cancel_order", "mix_cancel_order", "uta_cancel_order"), CANCEL)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted server."""
    with Scripted() as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def call(request: Any, scripted: Scripted) -> Any:
    """A function that makes one attempt of a named operation on a client of either kind."""

    def call_sync(name: str, params: Mapping[str, Any]) -> Any:
        with BitgetClient(*KEYS, base_url=scripted.url) as client:
            return getattr(client, name)(**params)

    def call_async(name: str, params: Mapping[str, Any]) -> Any:
        async def story() -> Any:
            async with AsyncBitgetClient(*KEYS, base_url=scripted.url) as client:
                return await getattr(client, name)(**params)

        return asyncio.run(story())

    return call_sync if request.param == "sync" else call_async


def success(data: Any) -> bytes:
    """Return the body of a success."""
    return json.dumps({"code": "00000", "msg": "success", "requestTime": 1_700_000_000_000, "data": data}).encode()


@pytest.mark.parametrize("name", [*PLACES, *CANCELS])
def test_a_success_of_ours_is_returned(call: Any, scripted: Scripted, name: str) -> None:
    """The ids are those of the request."""
    scripted.answer = 200, success(OURS)
    assert call(name, (PLACES | CANCELS)[name]) == OURS


@pytest.mark.parametrize("name", [*PLACES, *CANCELS])
@pytest.mark.parametrize(
    ("status", "content"),
    [
        (200, success(THEIRS)),
        (200, success(None)),
        (200, success({})),
        (200, success([])),
        (200, b""),
        (200, b"<html>"),
        (200, success(OURS)[:-9]),
        (302, success(OURS)),
        (204, b""),
    ],
)
def test_a_success_that_is_not_ours_is_uncertain(
    call: Any, scripted: Scripted, name: str, status: int, content: bytes
) -> None:
    """The answer of another order, and one that cannot be read, may hide that the request was executed."""
    scripted.answer = status, content
    with pytest.raises(BitgetApiError) as caught:
        call(name, (PLACES | CANCELS)[name])
    assert failure_of(caught.value).executed == "maybe"


@pytest.mark.parametrize(
    ("name", "changes", "data", "message"),
    [
        ("spot_place_order", {}, {"clientOid": "mine"}, "without orderId"),
        ("mix_place_order", {}, {"orderId": None, "clientOid": "mine"}, "without orderId"),
        ("mix_place_order", {"reduceOnly": "YES"}, {"orderId": None, "clientOid": "mine"}, None),
        ("mix_place_order", {"reduceOnly": "YES"}, {"orderId": None, "clientOid": "another"}, "another order"),
        ("mix_modify_order", {}, {"orderId": None, "clientOid": "mine"}, None),
        ("mix_modify_order", {}, {"orderId": None, "clientOid": "another"}, "another order"),
        ("spot_place_order", {}, {"orderId": "7"}, None),
        ("spot_cancel_order", {"orderId": None, "clientOid": "a"}, {"orderId": "9", "clientOid": "b"}, "another order"),
        ("spot_cancel_order", {"orderId": None, "clientOid": "a"}, {"orderId": "9", "clientOid": "a"}, None),
    ],
)
def test_which_id_confirms_an_order(
    call: Any, scripted: Scripted, name: str, changes: Mapping[str, Any], data: Any, message: str | None
) -> None:
    """The order's id must be there, except where Bitget leaves it out; then our own id takes its place."""
    scripted.answer = 200, success(data)
    params = {**(PLACES | CANCELS)[name], **changes}
    if message is None:
        assert call(name, params) == data
        return
    with pytest.raises(BitgetApiError, match=message):
        call(name, params)


BATCH = {"symbol": "BTCUSDT", "orderList": [{"side": "buy", "clientOid": "a"}, {"side": "buy", "clientOid": "b"}]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"orderId": "1", "clientOid": "a"}, {"orderId": "2", "clientOid": "b"}], None),
        ([{"orderId": "1", "clientOid": "a"}], "every order"),
        ([{"orderId": "1", "clientOid": "a"}, {"orderId": None, "clientOid": "b"}], "every order"),
        ([{"orderId": "1", "clientOid": "c"}, {"orderId": "2", "clientOid": "d"}], "other orders"),
        (None, "every order"),
    ],
)
def test_a_batch_confirms_each_of_its_orders(call: Any, scripted: Scripted, rows: Any, message: str | None) -> None:
    """A batch whose answer lists other orders, or not all, is uncertain."""
    data = {"successList": rows, "failureList": []}
    scripted.answer = 200, success(data)
    if message is None:
        assert call("spot_place_orders", BATCH) == data
        return
    with pytest.raises(BitgetApiError, match=message) as caught:
        call("spot_place_orders", BATCH)
    assert failure_of(caught.value).executed == "maybe"


def test_an_endpoint_without_a_row_is_compared_too(scripted: Scripted) -> None:
    """A transfer repeats its client id; another one is another request's."""
    scripted.answer = 200, success({"transferId": "1", "clientOid": "another"})
    with BitgetClient(*KEYS, base_url=scripted.url) as client, pytest.raises(BitgetApiError, match="another order"):
        client.post("/api/v2/spot/wallet/transfer", {"coin": "USDT", "clientOid": "mine"})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("spot_place_order", "x" * 51),
        ("spot_place_order", "a\nb"),
        ("spot_place_order", "é"),
        ("mix_place_order", "a&b"),
        ("uta_place_order", "x" * 33),
        ("uta_place_order", "a#b"),
    ],
)
def test_a_client_id_that_bitget_would_reject_is_not_sent(call: Any, scripted: Scripted, name: str, key: str) -> None:
    """The error names the parameter and says that nothing was executed."""
    with pytest.raises(ValueError, match="clientOid: Bitget would reject") as caught:
        call(name, {**PLACES[name], "clientOid": key})
    assert (failure_of(caught.value).executed, scripted.seen) == ("no", [])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("spot_place_order", "x" * 50),
        ("spot_place_order", "strategy_1:BTC#7+x-y"),
        ("spot_place_order", 123),
        ("uta_place_order", "bot.1/A:b_c-d"),
    ],
)
def test_a_client_id_that_bitget_accepts_is_sent(call: Any, scripted: Scripted, name: str, key: Any) -> None:
    """Every character that one of Bitget's documents allows is allowed, and a number as well."""
    scripted.answer = 200, success({"orderId": "7", "clientOid": str(key)})
    assert call(name, {**PLACES[name], "clientOid": key})["orderId"] == "7"


def test_a_key_under_another_name_is_looked_up_by_nothing(scripted: Scripted) -> None:
    """Bitget ignores parameters that it does not know, so an order with such a key is sent once and not looked up."""
    scripted.answer = 502, b"<html>"
    with BitgetClient(*KEYS, base_url=scripted.url) as client:
        bot = wrap(client, "bitget", operations={"spot_place_order": {"key": "myId"}})
        with pytest.raises(BitgetApiError) as caught:
            bot.spot_place_order(**{**SPOT, "clientOid": None}, myId="mine")
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key) == ("maybe", None)
    assert [method for method, *_ in scripted.seen] == ["POST"]
