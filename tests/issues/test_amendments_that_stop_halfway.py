"""An amendment cancels an order and places another one: if the second half fails, the outcome is unknown, not "no"."""

from __future__ import annotations

import time
from typing import Any

import pytest

from resilience import Policies, failure_of, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

SPOT, MIX = "/api/v2/spot/trade", "/api/v2/mix/order"
SHORT = {
    "extends": "bitget",
    "deadline": "1s",
    "attempt_timeout": "100ms",
    "reconcile": {"wait": "20ms", "window": "100ms", "processing": "20ms", "lag": "20ms"},
}
CHANGES = {
    "spot": ("spot_replace_order", {"symbol": "BTCUSDT", "orderId": "7", "price": "90", "size": "1"}),
    "mix": (
        "mix_modify_order",
        {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "orderId": "7", "newPrice": "90", "newSize": "1"},
    ),
}
PATHS = {
    "spot": (f"{SPOT}/cancel-replace-order", f"{SPOT}/orderInfo"),
    "mix": (f"{MIX}/modify-order", f"{MIX}/detail"),
}


def response(data: Any) -> dict[str, Any]:
    """Return a success response with this data."""
    return {"code": "00000", "msg": "success", "requestTime": int((time.time() + 60) * 1000), "data": data}


@pytest.mark.parametrize("market", ["spot", "mix"])
@pytest.mark.parametrize("ago", [0, 120], ids=["just now", "long enough ago"])
def test_the_old_order_is_cancelled_and_there_is_no_new_one(api: Any, market: str, ago: int) -> None:
    """The amendment may be half done: it is reported as unknown and not sent again."""
    change, query = PATHS[market]
    api.on(change, "drop")
    old = {"orderId": "7", "clientOid": "old", "symbol": "BTCUSDT", "status": "cancelled", "state": "canceled"}
    old |= {"uTime": str(int((time.time() + 60 - ago) * 1000))}
    answers = [response([] if market == "spot" else None), response([old] if market == "spot" else old)]
    if market == "mix":
        answers[0] = (400, {**answers[0], "code": "40109"})
    api.on(query, *answers * 200)
    raw = BitgetClient("key-a", "secret-of-amends", "pass-of-amends", base_url=api.rest)
    bot = wrap(raw, "trade", policies=Policies.from_mapping({"version": 1, "policies": {"trade": SHORT}}))
    name, params = CHANGES[market]
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the client's own
        getattr(bot, name)(**params, newClientOid="new")
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.sent_to(change)) == 1


def test_the_old_order_lives() -> None:
    """The amendment never arrived: past the fence it is sent again, once."""
    with Sandbox(window=0.5) as exchange:
        raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        bot = wrap(raw, "bitget", policies=Policies.load(exchange.policy))
        order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
        bot.spot_place_order(**order, clientOid="old")
        exchange.script("new", ["lose"])
        bot.spot_replace_order(symbol="BTCUSDT", clientOid="old", price="90", size="1", newClientOid="new")
        rows = {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
    assert rows == {"old": 1, "new": 1}
