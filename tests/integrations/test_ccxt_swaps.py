"""Futures through ccxt's bitget: one-way and hedge mode, amendments, and orders that cannot be looked up."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.testing import FakeClock

SWAP, SPOT = "BTC/USDT:USDT", "BTC/USDT"
MIX = "/api/v2/mix/order"
PLACE, DETAIL, MODIFY, CANCEL = f"{MIX}/place-order", f"{MIX}/detail", f"{MIX}/modify-order", f"{MIX}/cancel-order"
REPLACE, INFO = "/api/v2/spot/trade/cancel-replace-order", "/api/v2/spot/trade/orderInfo"
FIELDS = {"symbol": "BTCUSDT", "orderId": "7", "size": "0.01", "price": "30000", "side": "buy", "orderType": "limit"}


def good(data: Any, at: float = 1.0) -> dict[str, Any]:
    """Return the envelope of a success at this Unix time."""
    return {"code": "00000", "msg": "success", "requestTime": int(at * 1000), "data": data}


def unknown(at: float) -> tuple[int, dict[str, Any]]:
    """Return the response to a query for an unknown order."""
    return 400, {"code": "40109", "msg": "The order cannot be found", "requestTime": int(at * 1000), "data": None}


@pytest.fixture
def clock() -> FakeClock:
    """A clock on which waiting takes no time."""
    return FakeClock()


def bot_of(bots: Any, api: Any, clock: FakeClock) -> Any:
    """Return a wrapped exchange under the built-in policy."""
    return wrap(bots.plain(api), "bitget", policies=Policies.builtin(clock=clock))


@pytest.mark.parametrize(
    ("params", "side", "fields"),
    [
        ({}, "buy", {"side": "buy", "posMode": "one_way_mode", "reduceOnly": "NO"}),
        ({"reduceOnly": True}, "buy", {"side": "buy", "posMode": "one_way_mode", "reduceOnly": "YES"}),
        ({"hedged": True}, "buy", {"side": "buy", "tradeSide": "open", "posMode": "hedge_mode", "reduceOnly": "NO"}),
        (
            {"hedged": True, "reduceOnly": True},
            "sell",
            {"side": "buy", "tradeSide": "close", "posMode": "hedge_mode", "reduceOnly": "YES"},
        ),
    ],
)
def test_an_order_whose_response_is_lost(
    bots: Any, api: Any, clock: FakeClock, params: dict[str, Any], side: str, fields: dict[str, str]
) -> None:
    """It is looked up by its client id and compared in the exchange's words: a close in hedge mode swaps the side."""
    row = {**FIELDS, **fields, "clientOid": "mine", "state": "live", "cTime": str(int(clock.time() * 1000))}
    api.on(PLACE, "drop")
    api.on(DETAIL, unknown(clock.time()), good(row, clock.time()))
    bot = bot_of(bots, api, clock)
    order = bots.call(bot.create_order, SWAP, "limit", side, 0.01, 30_000, {**params, "clientOrderId": "mine"})
    assert (order["id"], order["clientOrderId"], order["side"], order["status"]) == ("7", "mine", side, "open")
    assert order["symbol"] == SWAP
    assert api.sent_to(DETAIL)[0] == {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "clientOid": "mine"}
    assert len(api.sent_to(PLACE)) == 1


def test_a_success_without_an_order_id(bots: Any, api: Any, clock: FakeClock) -> None:
    """The response to a one-way reduce-only order has its client id alone: a success all the same."""
    api.on(PLACE, good({"orderId": None, "clientOid": "mine"}))
    bot = bot_of(bots, api, clock)
    order = bots.call(
        bot.create_order, SWAP, "market", "sell", 0.01, None, {"reduceOnly": True, "clientOrderId": "mine"}
    )
    assert (order["clientOrderId"], api.sent_to(DETAIL)) == ("mine", [])


def test_the_wrong_position_mode(bots: Any, api: Any, clock: FakeClock) -> None:
    """40774 is for the user to fix, and nothing was executed."""
    api.on(PLACE, (400, {"code": "40774", "msg": "unilateral position", "requestTime": 1, "data": None}))
    with pytest.raises(ccxt.ExchangeError) as caught:
        bots.call(bot_of(bots, api, clock).create_order, SWAP, "market", "buy", 0.01)
    failure = failure_of(caught.value)
    assert (failure.code, failure.category, failure.executed) == ("40774", "user_fixable", "no")


def test_a_cancel_of_an_order_that_is_gone(bots: Any, api: Any, clock: FakeClock) -> None:
    """The order was filled or canceled: a lookup finds out which."""
    api.on(CANCEL, (400, {"code": "40768", "msg": "Order does not exist", "requestTime": 1, "data": None}))
    api.on(DETAIL, good({**FIELDS, "state": "filled", "posSide": "long", "baseVolume": "0.01"}))
    order = bots.call(bot_of(bots, api, clock).cancel_order, "7", SWAP)
    assert (order["id"], order["status"], order["filled"]) == ("7", "closed", 0.01)
    assert api.sent_to(DETAIL) == [{"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "orderId": "7"}]


def test_an_amendment_is_looked_up_by_its_new_id(bots: Any, api: Any, clock: FakeClock) -> None:
    """The order that is found has the id that the amendment was sent with."""
    api.on(MODIFY, "drop")
    row = {**FIELDS, "orderId": "8", "clientOid": "new", "state": "live", "posSide": "long", "price": "31000"}
    api.on(DETAIL, good({**row, "cTime": str(int(clock.time() * 1000))}, clock.time()))
    bot = bot_of(bots, api, clock)
    order = bots.call(bot.edit_order, "7", SWAP, "limit", "buy", 0.01, 31_000, {"newClientOrderId": "new"})
    assert (order["id"], order["price"], order["clientOrderId"]) == ("8", 31_000, "new")
    assert (api.sent_to(MODIFY)[0]["newClientOid"], api.sent_to(DETAIL)[0]["clientOid"]) == ("new", "new")


def test_an_amendment_is_not_settled_by_an_order_without_our_id(bots: Any, api: Any, clock: FakeClock) -> None:
    """The lookup asked for the new id, which is made here, and a row without it may be any order."""
    api.on(MODIFY, "drop")
    row = {**FIELDS, "orderId": "8", "state": "live", "posSide": "long", "price": "31000"}
    api.on(DETAIL, good({**row, "cTime": str(int(clock.time() * 1000))}, clock.time()))
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot_of(bots, api, clock).edit_order, "7", SWAP, "limit", "buy", 0.01, 31_000)
    (sent,) = api.sent_to(MODIFY)
    assert {query["clientOid"] for query in api.sent_to(DETAIL)} == {sent["newClientOid"]}
    assert failure_of(caught.value).executed == "maybe"


def test_a_spot_amendment_too(bots: Any, api: Any, clock: FakeClock) -> None:
    """The key is sent under Bitget's name; under ccxt's name for it, ccxt would send it as it is."""
    api.on(REPLACE, "drop")
    row = {**FIELDS, "orderId": "8", "status": "live", "clientOid": "new", "price": "31000"}
    api.on(INFO, good([{**row, "cTime": str(int(clock.time() * 1000))}], clock.time()))
    bot = bot_of(bots, api, clock)
    order = bots.call(bot.edit_order, "7", SPOT, "limit", "buy", 0.01, 31_000, {"newClientOrderId": "new"})
    assert (order["id"], order["clientOrderId"]) == ("8", "new")
    sent = api.sent_to(REPLACE)[0]
    assert (sent["newClientOid"], "newClientOrderId" in sent) == ("new", False)


@pytest.mark.slow
def test_an_amendment_that_cancelled_and_placed_nothing(bots: Any, api: Any, clock: FakeClock) -> None:
    """The response has the code of a success; it is not taken for one."""
    api.on(REPLACE, good({"orderId": "7", "clientOid": "new", "success": "failure", "msg": "Insufficient balance"}))
    api.on(INFO, (500, "oops"))
    with pytest.raises(ccxt.BadResponse):
        bots.call(bot_of(bots, api, clock).edit_order, "7", SPOT, "limit", "buy", 0.01, 31_000)
    assert len(api.sent_to(REPLACE)) == 1


def test_orders_that_cannot_be_looked_up(bots: Any, api: Any, clock: FakeClock) -> None:
    """A trigger order cannot be looked up by its client id: it is unknown at once, and never sent again."""
    api.on(f"{MIX}/place-plan-order", "drop")
    bot = bot_of(bots, api, clock)
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SWAP, "market", "buy", 0.01, None, {"triggerPrice": 31_000})
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.seen) == 1


def test_an_order_that_was_not_executed_is_sent_after_the_fence(bots: Any, api: Any, clock: FakeClock) -> None:
    """The fence depends on the stamp that ccxt signed, and on the server's time in the response that finds no order."""
    api.on(PLACE, "drop", good({"orderId": "7", "clientOid": "mine"}))
    signed = time.time()  # ccxt signs by the machine's clock
    api.on(DETAIL, *(unknown(signed + 1) for _ in range(2)), unknown(signed + 60))
    bot = bot_of(bots, api, clock)
    order = bots.call(bot.create_order, SWAP, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert order["id"] == "7"
    assert [order["clientOid"] for order in api.sent_to(PLACE)] == ["mine", "mine"]
    assert sum(clock.sleeps) > 30
