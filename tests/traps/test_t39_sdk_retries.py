"""An SDK that retries by itself sends an order once for each of its attempts, each one alive."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap

PLACE = "/api/v2/spot/trade/place-order"
ORDER = ("BTC/USDT", "market", "buy", 1, None)
COST = {"cost": 50, "clientOrderId": "mine"}
WAYS = pytest.mark.parametrize("way", ["options", "params"])


def asked_for(plain: Any, way: str) -> dict[str, Any]:
    """Ask ccxt to retry twice, in its options or in the call's parameters; return the parameters."""
    if way == "options":
        plain.options["maxRetriesOnFailure"] = 2
    return COST if way == "options" else {**COST, "maxRetriesOnFailure": 2}


@WAYS
def test_naive(bots: Any, api: Any, way: str) -> None:
    """`maxRetriesOnFailure=2`: a read timeout POSTs place-order three times."""
    api.on(PLACE, "hang")
    plain = bots.plain(api, timeout=200)
    with pytest.raises(ccxt.RequestTimeout):
        bots.call(plain.create_order, *ORDER, asked_for(plain, way))
    assert [one["clientOid"] for one in api.asked(PLACE)] == ["mine"] * 3


@WAYS
def test_ours(bots: Any, api: Any, way: str) -> None:
    """Switched off, and said so; whether the order happened is looked up, not tried out."""
    api.on(PLACE, "hang")
    policies = Policies.from_mapping(
        {"policies": {"short": {"extends": "bitget", "deadline": "4s", "attempt_timeout": "1s"}}}
    )
    plain = bots.plain(api, timeout=200)
    bot = wrap(plain, "short", policies=policies)
    params = asked_for(plain, way)
    with pytest.warns(UserWarning, match="ccxt would retry 2 times"), pytest.raises(ccxt.RequestTimeout) as caught:
        bots.call(bot.create_order, *ORDER, params)
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.asked(PLACE)) == 1
