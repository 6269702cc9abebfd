"""Orders of Bitget's unified accounts through ccxt, which asks once what kind of account it is."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.testing import FakeClock

SPOT, SWAP = "BTC/USDT", "BTC/USDT:USDT"
SETTINGS = "/api/v3/account/settings"
PLACE, CANCEL, INFO = "/api/v3/trade/place-order", "/api/v3/trade/cancel-order", "/api/v3/trade/order-info"


def good(data: Any, at: float) -> dict[str, Any]:
    """Return the envelope of a success at this Unix time."""
    return {"code": "00000", "msg": "success", "requestTime": int(at * 1000), "data": data}


def unknown(at: float) -> tuple[int, dict[str, Any]]:
    """Return the response to a query for an unknown order."""
    return 400, {"code": "25204", "msg": "Order does not exist", "requestTime": int(at * 1000), "data": None}


@pytest.fixture
def clock() -> FakeClock:
    """A clock on which waiting takes no time."""
    return FakeClock()


def bot_of(bots: Any, api: Any, clock: FakeClock) -> Any:
    """Return a wrapped exchange that does not know what kind of account it has."""
    api.on(SETTINGS, good({"accountMode": "hybrid"}, clock.time()))
    plain = bots.plain(api, options={})
    for market in plain.markets_by_id["BTCUSDT"]:
        market.setdefault("settle", None)  # as in markets that ccxt has loaded
    return wrap(plain, "bitget", policies=Policies.builtin(clock=clock))


def row(clock: FakeClock, symbol: str, **fields: Any) -> dict[str, Any]:
    """Return an order as a unified account reports it."""
    category = "SPOT" if symbol == SPOT else "USDT-FUTURES"
    order = {"orderId": "7", "clientOid": "mine", "symbol": "BTCUSDT", "category": category, "side": "buy"}
    order |= {"orderType": "limit", "qty": "0.01", "price": "30000", "orderStatus": "live"}
    return {
        **order,
        "createdTime": str(int(clock.time() * 1000)),
        "updatedTime": str(int(clock.time() * 1000)),
        **fields,
    }


@pytest.mark.parametrize("symbol", [SPOT, SWAP])
def test_an_order_whose_answer_is_lost_is_found(bots: Any, api: Any, clock: FakeClock, symbol: str) -> None:
    """It is looked up by the endpoint of such accounts, and the account is asked once."""
    api.on(PLACE, "drop")
    api.on(INFO, unknown(clock.time()), good(row(clock, symbol), clock.time()))
    bot = bot_of(bots, api, clock)
    order = bots.call(bot.create_order, symbol, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert (order["id"], order["clientOrderId"], order["status"], order["symbol"]) == ("7", "mine", "open", symbol)
    assert (api.sent_to(INFO)[0], len(api.sent_to(PLACE))) == ({"clientOid": "mine"}, 1)
    assert (len(api.sent_to(SETTINGS)), bot.options["uta"]) == (1, True)


def test_a_cancel_that_failed_is_answered_by_its_order(bots: Any, api: Any, clock: FakeClock) -> None:
    """It is found cancelled, by its order id."""
    api.on(CANCEL, "drop")
    api.on(INFO, good(row(clock, SPOT, orderStatus="cancelled"), clock.time()))
    order = bots.call(bot_of(bots, api, clock).cancel_order, "7", SPOT)
    assert (order["status"], api.sent_to(INFO)) == ("canceled", [{"orderId": "7"}])
