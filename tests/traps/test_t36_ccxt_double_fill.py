"""ccxt's clientOrderId is no idempotency key: a market order that is resent under the same id fills twice."""

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
    """An exchange that carries the first attempt out and drops its answer."""
    with Sandbox(window=0.5, faults={"accept_drop": 1.0}) as running:
        yield running


def test_naive(bots: Any, exchange: Sandbox) -> None:
    """Two tries of plain ccxt, two fills."""
    plain = bots.plain(exchange)
    for _ in range(2):
        with pytest.raises(ccxt.NetworkError):
            bots.call(plain.create_order, *ORDER)
    assert exchange.ledger()["orders"][0]["executions"] == 2


def test_ours(bots: Any, exchange: Sandbox) -> None:
    """Ours looks first, and returns the order that it finds."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    assert bots.call(bot.create_order, *ORDER)["status"] == "closed"
    assert exchange.ledger()["orders"][0]["executions"] == 1
