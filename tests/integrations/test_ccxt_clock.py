"""A stamp that Bitget rejects through ccxt: the exchange's time is learned from the rejection, or asked for."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap

PLACE, TIME = "/api/v2/spot/trade/place-order", "/api/v2/public/time"
ORDER = ("BTC/USDT", "market", "buy", 1, None, {"cost": 50, "clientOrderId": "a"})
GOOD = {"code": "00000", "msg": "success", "data": {"orderId": "1", "clientOid": "a"}}
AHEAD = 40.0


def rejection(**more: Any) -> tuple[int, dict[str, Any]]:
    """Return the response to a stamp that is not accepted."""
    return 400, {"code": "40008", "msg": "Request timestamp expired", "requestTime": 0, "data": None, **more}


def ahead() -> str:
    """Return the exchange's time in milliseconds."""
    return str(int((time.time() + AHEAD) * 1000))


def off(bot: Any) -> float:
    """Return by how many seconds the next stamp is ahead of our clock."""
    return float(bot.nonce()) / 1000 - time.time()


def test_the_time_endpoint_is_asked_if_the_rejection_has_no_time(bots: Any, api: Any) -> None:
    """The next order is signed by the exchange's clock."""
    api.on(PLACE, rejection(), GOOD)
    api.on(TIME, {"code": "00000", "msg": "success", "data": {"serverTime": ahead()}})
    bot = wrap(bots.plain(api), "bitget", policies=Policies.builtin())
    assert bots.call(bot.create_order, *ORDER)["id"] == "1"
    assert (len(api.sent_to(PLACE)), len(api.sent_to(TIME))) == (2, 1)
    assert off(bot) == pytest.approx(AHEAD, abs=5)


def test_the_time_in_the_rejection_is_enough(bots: Any, api: Any) -> None:
    """The time endpoint is not asked."""
    api.on(PLACE, rejection(requestTime=int(ahead())), GOOD)
    bot = wrap(bots.plain(api), "bitget", policies=Policies.builtin())
    bots.call(bot.create_order, *ORDER)
    assert api.sent_to(TIME) == []
    assert off(bot) == pytest.approx(AHEAD, abs=5)


@pytest.mark.parametrize("response", ["drop", rejection(), {"code": "00000", "data": {}}])
def test_no_time_to_learn(bots: Any, api: Any, response: Any) -> None:
    """The caller gets the rejection of the stamp, which says that nothing was executed."""
    api.on(PLACE, rejection())
    api.on(TIME, response)
    policies = Policies.from_mapping({"policies": {"short": {"extends": "bitget", "retry": {"max_attempts": 2}}}})
    bot = wrap(bots.plain(api), "short", policies=policies)
    with pytest.raises(ccxt.InvalidNonce) as caught:
        bots.call(bot.create_order, *ORDER)
    assert failure_of(caught.value).executed == "no"
    assert (len(api.sent_to(PLACE)), len(api.sent_to(TIME))) == (2, 2)
