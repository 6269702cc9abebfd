"""An accepted order may stay invisible for a while: the first "not found" is no proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50", "clientOid": "a"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange that accepts an order, drops the connection, and shows the order late."""
    with Sandbox(window=15.0, faults={"lag": 1.0}, seed=5) as running:
        yield running


def client(exchange: Sandbox) -> Any:
    """Return a plain client."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def executions(exchange: Sandbox) -> list[int]:
    """Return how often each order was executed."""
    return [row["executions"] for row in exchange.ledger()["orders"]]


def test_naive(exchange: Sandbox) -> None:
    """One lookup, taken as proof, and a resend: the order is executed twice."""
    plain = client(exchange)
    exchange.script("a", ["lag:3600"])
    with pytest.raises(requests.ConnectionError):
        plain.spot_place_order(**ORDER)
    assert plain.spot_order(clientOid="a") is None
    exchange.set_faults()
    plain.spot_place_order(**ORDER)
    assert executions(exchange) == [2]


def test_ours(exchange: Sandbox) -> None:
    """After a "not found" the lookup is repeated; one after the fence is proof, and by then the order is visible."""
    bot = wrap(client(exchange), "bitget", policies=Policies.load(exchange.policy))
    assert bot.spot_place_order(**ORDER)["status"] == "filled"
    assert executions(exchange) == [1]
