"""A stamp that Bitget refuses through ccxt: the exchange's clock is learned from whatever tells it."""

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


def refused(**more: Any) -> tuple[int, dict[str, Any]]:
    """Return the answer to a stamp that is not accepted."""
    return 400, {"code": "40008", "msg": "Request timestamp expired", "data": None, **more}


def ahead() -> str:
    """Return the exchange's time in milliseconds."""
    return str(int((time.time() + AHEAD) * 1000))


def off(bot: Any) -> float:
    """Return by how many seconds the next stamp is ahead of our clock."""
    return float(bot.nonce()) / 1000 - time.time()


def test_the_time_endpoint_is_asked_when_the_refusal_does_not_tell(bots: Any, api: Any) -> None:
    """One order more is signed, by the exchange's clock."""
    api.on(PLACE, refused(), GOOD)
    api.on(TIME, {"code": "00000", "msg": "success", "data": {"serverTime": ahead()}})
    bot = wrap(bots.plain(api), "bitget", policies=Policies.builtin())
    assert bots.call(bot.create_order, *ORDER)["id"] == "1"
    assert (len(api.asked(PLACE)), len(api.asked(TIME))) == (2, 1)
    assert off(bot) == pytest.approx(AHEAD, abs=5)


def test_the_time_in_the_refusal_is_enough(bots: Any, api: Any) -> None:
    """Nothing else is asked."""
    api.on(PLACE, refused(requestTime=int(ahead())), GOOD)
    bot = wrap(bots.plain(api), "bitget", policies=Policies.builtin())
    bots.call(bot.create_order, *ORDER)
    assert api.asked(TIME) == []
    assert off(bot) == pytest.approx(AHEAD, abs=5)


@pytest.mark.parametrize("told", ["drop", refused(), {"code": "00000", "data": {}}])
def test_nobody_tells_the_time(bots: Any, api: Any, told: Any) -> None:
    """The refusal of the stamp is what the caller gets, and it says that nothing happened."""
    api.on(PLACE, refused())
    api.on(TIME, told)
    policies = Policies.from_mapping({"policies": {"short": {"extends": "bitget", "retry": {"max_attempts": 2}}}})
    bot = wrap(bots.plain(api), "short", policies=policies)
    with pytest.raises(ccxt.InvalidNonce) as caught:
        bots.call(bot.create_order, *ORDER)
    assert failure_of(caught.value).executed == "no"
    assert (len(api.asked(PLACE)), len(api.asked(TIME))) == (2, 2)
