"""An SDK that retries by itself sends an order once per attempt, and each may be executed."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap

PLACE = "/api/v2/spot/trade/place-order"
ORDER = ("BTC/USDT", "market", "buy", 1, None)
COST = {"cost": 50, "clientOrderId": "mine"}
RETRIES_SET_IN = pytest.mark.parametrize("where", ["options", "params"])


def enable_retries(plain: Any, where: str) -> dict[str, Any]:
    """Make ccxt retry twice, by its options or by the call's parameters; return the parameters."""
    if where == "options":
        plain.options["maxRetriesOnFailure"] = 2
    return COST if where == "options" else {**COST, "maxRetriesOnFailure": 2}


@RETRIES_SET_IN
def test_naive(bots: Any, api: Any, where: str) -> None:
    """`maxRetriesOnFailure=2`: a read timeout POSTs place-order three times."""
    api.on(PLACE, "hang")
    plain = bots.plain(api, timeout=200)
    with pytest.raises(ccxt.RequestTimeout):
        bots.call(plain.create_order, *ORDER, enable_retries(plain, where))
    assert [order["clientOid"] for order in api.sent_to(PLACE)] == ["mine"] * 3


@RETRIES_SET_IN
def test_ours(bots: Any, api: Any, where: str) -> None:
    """Switched off, with a warning; the order is looked up instead of sent again."""
    api.on(PLACE, "hang")
    policies = Policies.from_mapping(
        {"policies": {"short": {"extends": "bitget", "deadline": "4s", "attempt_timeout": "1s"}}}
    )
    plain = bots.plain(api, timeout=200)
    bot = wrap(plain, "short", policies=policies)
    params = enable_retries(plain, where)
    with pytest.warns(UserWarning, match="ccxt would retry 2 times"), pytest.raises(ccxt.RequestTimeout) as caught:
        bots.call(bot.create_order, *ORDER, params)
    assert failure_of(caught.value).executed == "maybe"
    assert len(api.sent_to(PLACE)) == 1
