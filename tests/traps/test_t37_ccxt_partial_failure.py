"""ccxt reports a batch that failed in part as a success: the failed orders are missing in what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.sandbox import Sandbox

GOOD = {
    "symbol": "BTC/USDT",
    "type": "market",
    "side": "buy",
    "amount": 1,
    "params": {"cost": 50, "clientOrderId": "a"},
}
SMALL = {**GOOD, "params": {"cost": 0.1, "clientOrderId": "b"}}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox(window=30.0) as running:
        yield running


def test_naive(bots: Any, exchange: Sandbox) -> None:
    """No error, and one order of the two; nothing says why the other is missing."""
    orders = bots.call(bots.plain(exchange).create_orders, [GOOD, SMALL])
    assert [order["clientOrderId"] for order in orders] == ["a"]
    assert [row["clientOid"] for row in exchange.ledger()["orders"]] == ["a"]


def test_ours(bots: Any, exchange: Sandbox) -> None:
    """An error of ccxt's with a failure per item; the batch may have been executed and is not sent again."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(ccxt.ExchangeError) as caught:
        bots.call(bot.create_orders, [GOOD, SMALL])
    failure = failure_of(caught.value)
    assert [(item.key, item.code, item.category.value, item.executed) for item in failure.items] == [
        ("b", "45110", "user_fixable", "no")
    ]
    assert (failure.executed, failure.attempts) == ("maybe", 1)
    assert caught.value.body["data"]["successList"][0]["clientOid"] == "a"  # type: ignore[attr-defined]  # ours
    assert exchange.requests == 1
