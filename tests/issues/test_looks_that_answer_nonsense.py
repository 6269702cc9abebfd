"""A query that answers about another order, or about none, settles nothing: an order in doubt stays in doubt."""

from __future__ import annotations

import time
from typing import Any

import pytest

from resilience import Policies, failure_of, wrap
from resilience.bitget import BitgetClient
from resilience.testing import FakeClock

SPOT, MIX = "/api/v2/spot/trade", "/api/v2/mix/order"
WORDS = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
FUTURES = {"productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
POLICIES = {
    "version": 1,
    "policies": {"trade": {"extends": "bitget", "deadline": "60s", "reconcile": {"wait": "5s"}}},
}


def bot(api: Any) -> Any:
    """Return a wrapped client of the scripted server."""
    raw = BitgetClient("key-n", "secret-of-nonsense", "pass-of-nonsense", base_url=api.rest)
    return wrap(raw, "trade", policies=Policies.from_mapping(POLICIES, clock=FakeClock()))


def told(data: Any) -> dict[str, Any]:
    """Return a success that is told long past every fence."""
    return {"code": "00000", "msg": "success", "requestTime": int((time.time() + 600) * 1000), "data": data}


def row(**over: Any) -> dict[str, Any]:
    """Return an order as it is shown, with the fields that were asked for."""
    return {**WORDS, "orderId": "9", "clientOid": "a", "status": "filled", **over}


NONSENSE = [[row(clientOid="b")], [{**row(), "orderId": None}], ["busy"], [None], [{}]]


@pytest.mark.parametrize("data", NONSENSE)
def test_spot(api: Any, data: Any) -> None:
    """Neither done nor "not found": it is sent once, and its end is told as unknown."""
    api.on(f"{SPOT}/place-order", "drop")
    api.on(f"{SPOT}/orderInfo", told(data))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the client's own
        bot(api).spot_place_order(**WORDS, force="gtc", clientOid="a")
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.asked(f"{SPOT}/place-order")) == 1


@pytest.mark.parametrize("data", [row(clientOid="b"), {"note": "busy"}, {}])
def test_mix(api: Any, data: Any) -> None:
    """The same of a futures order."""
    api.on(f"{MIX}/place-order", "drop")
    api.on(f"{MIX}/detail", told(data))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the client's own
        bot(api).mix_place_order(**WORDS, **FUTURES, clientOid="a")
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.asked(f"{MIX}/place-order")) == 1


def test_cancel(api: Any) -> None:
    """A cancel is not taken for done because another order is over."""
    api.on(f"{SPOT}/cancel-order", (400, {"code": "22001", "msg": "No order to cancel", "data": None}))
    api.on(f"{SPOT}/orderInfo", told([row(clientOid="b", status="cancelled")]))
    with pytest.raises(Exception, match="22001"):
        bot(api).spot_cancel_order(symbol="BTCUSDT", clientOid="a")


def test_an_order_that_may_be_too_old_to_be_found_by_its_id(api: Any) -> None:
    """An empty answer that does not tell the time may be blind: the past orders are asked too."""
    api.on(f"{SPOT}/place-order", "drop")
    api.on(f"{SPOT}/orderInfo", {"code": "00000", "msg": "success", "data": []})
    api.on(f"{SPOT}/unfilled-orders", told([]))
    api.on(f"{SPOT}/history-orders", told([row()]))
    assert bot(api).spot_place_order(**WORDS, force="gtc", clientOid="a")["orderId"] == "9"
