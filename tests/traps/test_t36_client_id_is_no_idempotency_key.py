"""A client order id is checked among pending orders only: resending a filled market order buys twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resilience import Policies, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": "mine"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange that carries the first attempt out and drops its answer."""
    with Sandbox(window=0.5, faults={"accept_drop": 1.0}) as running:
        yield running


def client(exchange: Sandbox) -> BitgetClient:
    """A plain client."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def test_naive(exchange: Sandbox) -> None:
    """Resent under the same client id because the answer was lost, the order is executed twice."""
    for _ in range(2):
        with pytest.raises(OSError, match="Connection aborted"):
            client(exchange).spot_place_order(**ORDER)
    assert exchange.ledger()["orders"][0]["executions"] == 2


def test_ours(exchange: Sandbox) -> None:
    """Ours looks first, finds the order, and returns it."""
    wrapped = wrap(client(exchange), "bitget", policies=Policies.load(exchange.policy))
    assert wrapped.spot_place_order(**ORDER)["status"] == "filled"
    assert exchange.ledger()["orders"][0]["executions"] == 1
