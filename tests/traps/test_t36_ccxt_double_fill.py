"""ccxt's clientOrderId is not an idempotency key: a market order that is resent with the same id fills twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from resilience import Policies, wrap
from resilience.sandbox import Sandbox

ORDER = ("BTC/USDT", "market", "buy", 1, None, {"cost": 50, "clientOrderId": "mine"})


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange that executes every order and drops the response."""
    with Sandbox(window=30.0, faults={"accept_drop": 1.0}) as running:
        yield running


def test_naive(bots: Any, exchange: Sandbox) -> None:
    """Two attempts with plain ccxt, two fills."""
    plain = bots.plain(exchange)
    for _ in range(2):
        with pytest.raises(ccxt.NetworkError):
            bots.call(plain.create_order, *ORDER)
    assert exchange.ledger()["orders"][0]["executions"] == 2


def test_ours(bots: Any, exchange: Sandbox) -> None:
    """Ours looks the order up before it resends, and returns what it finds."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    assert bots.call(bot.create_order, *ORDER)["status"] == "closed"
    assert exchange.ledger()["orders"][0]["executions"] == 1
