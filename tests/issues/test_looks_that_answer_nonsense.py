"""A lookup that returns another order, or no order, settles nothing: the write stays uncertain."""

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


def response(data: Any) -> dict[str, Any]:
    """Return a success response whose server time is past every fence."""
    return {"code": "00000", "msg": "success", "requestTime": int((time.time() + 600) * 1000), "data": data}


def row(**over: Any) -> dict[str, Any]:
    """Return an order with these fields, as the server shows it."""
    return {**WORDS, "orderId": "9", "clientOid": "a", "status": "filled", **over}


NONSENSE = [[row(clientOid="b")], [{**row(), "orderId": None}], ["busy"], [None], [{}]]


@pytest.mark.parametrize("data", NONSENSE)
def test_spot(api: Any, data: Any) -> None:
    """A spot order is neither done nor "not found": it is sent once, and its outcome is reported as unknown."""
    api.on(f"{SPOT}/place-order", "drop")
    api.on(f"{SPOT}/orderInfo", response(data))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the client's own
        bot(api).spot_place_order(**WORDS, force="gtc", clientOid="a")
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.sent_to(f"{SPOT}/place-order")) == 1


@pytest.mark.parametrize("data", [row(clientOid="b"), {"note": "busy"}, {}])
def test_mix(api: Any, data: Any) -> None:
    """A futures order is sent once, and its outcome is reported as unknown."""
    api.on(f"{MIX}/place-order", "drop")
    api.on(f"{MIX}/detail", response(data))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the client's own
        bot(api).mix_place_order(**WORDS, **FUTURES, clientOid="a")
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.sent_to(f"{MIX}/place-order")) == 1


def test_another_order_is_reported(api: Any) -> None:
    """A lookup that gets another order is a fault of something on the way, and an event says so."""
    events: list[Any] = []
    raw = BitgetClient("key-n", "secret-of-nonsense", "pass-of-nonsense", base_url=api.rest)
    policies = Policies.from_mapping(POLICIES, clock=FakeClock())
    policies.subscribe(events.append)
    api.on(f"{SPOT}/place-order", "drop")
    api.on(f"{SPOT}/orderInfo", response([row(clientOid="b")]), response([row()]))
    placed = wrap(raw, "trade", policies=policies).spot_place_order(**WORDS, force="gtc", clientOid="a")
    assert (placed["orderId"], placed["clientOid"]) == ("9", "a")
    assert [event.name for event in events].count("lookup_failed") == 1


def test_cancel(api: Any) -> None:
    """A cancel is not taken for done because another order has ended."""
    api.on(f"{SPOT}/cancel-order", (400, {"code": "22001", "msg": "No order to cancel", "data": None}))
    api.on(f"{SPOT}/orderInfo", response([row(clientOid="b", status="cancelled")]))
    with pytest.raises(Exception, match="22001"):
        bot(api).spot_cancel_order(symbol="BTCUSDT", clientOid="a")


def test_an_order_that_may_be_too_old_to_be_found_by_its_id(api: Any) -> None:
    """After empty answers without a server time, the lookup asks for past orders too."""
    empty = {"code": "00000", "msg": "success", "data": []}
    api.on(f"{SPOT}/place-order", "drop")
    api.on(f"{SPOT}/orderInfo", empty)
    api.on(f"{SPOT}/unfilled-orders", empty)
    api.on(f"{SPOT}/history-orders", response([row()]))
    assert bot(api).spot_place_order(**WORDS, force="gtc", clientOid="a")["orderId"] == "9"
