"""A client order id is checked among pending orders only: resending a filled market order buys twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from resilience import NOT_FOUND, Found, Policies, current_call, resilient, wrap
from resilience.bitget import BitgetClient
from resilience.sandbox import Sandbox

SLOW = pytest.mark.slow
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
MIX = {**ORDER, "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "0.01"}
PLAIN = {"symbol": "BTCUSDT", "side": "buy", "size": "1"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange that executes every order and drops the response."""
    with Sandbox(window=2.0, faults={"accept_drop": 1.0}) as running:
        yield running


def client(exchange: Sandbox) -> BitgetClient:
    """Return a plain client."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def post(exchange: Sandbox, key: str) -> Any:
    """Place an order at an ordinary HTTP service, with an idempotency key that it ignores."""
    headers, call = {"Idempotency-Key": key}, current_call()
    limit = 60.0 if call is None else call.timeout
    return requests.post(exchange.rest + "/plain/orders", json=PLAIN, headers=headers, timeout=limit).json()


NAIVE: dict[str, Callable[[Sandbox], Any]] = {
    "spot": lambda exchange: client(exchange).spot_place_order(**ORDER, clientOid="mine"),
    "mix": lambda exchange: client(exchange).mix_place_order(**MIX, clientOid="mine"),
    "plain": lambda exchange: post(exchange, "mine"),
}


def plain_order(exchange: Sandbox, policies: Policies) -> Any:
    """Place an order at the ordinary service through a function that can be looked up by its key."""

    def look_up(call: Any) -> Any:
        body = requests.get(exchange.rest + "/plain/orders", params={"key": call.key}, timeout=60).json()
        orders = body["orders"]
        if orders:
            return Found(orders[0], created_at=orders[0]["created_at"])
        return NOT_FOUND(server_time=body["time"])

    @resilient("bitget", key="key", reconcile=look_up, policies=policies)
    def order(*, key: str | None = None) -> Any:
        return post(exchange, str(key))

    return order(key="mine")


OURS: dict[str, Callable[[Sandbox, Policies], Any]] = {
    "spot": lambda exchange, policies: wrap(client(exchange), "bitget", policies=policies).spot_place_order(
        **ORDER, clientOid="mine"
    ),
    "mix": lambda exchange, policies: wrap(client(exchange), "bitget", policies=policies).mix_place_order(
        **MIX, clientOid="mine"
    ),
    "plain": plain_order,
}


@pytest.mark.parametrize("market", NAIVE)
def test_naive(exchange: Sandbox, market: str) -> None:
    """Resent with the same id because the response was lost, the order is executed twice."""
    for _ in range(2):
        with pytest.raises(OSError, match="Connection aborted"):
            NAIVE[market](exchange)
    assert exchange.ledger()["orders"][0]["executions"] == 2


@pytest.mark.parametrize("market", OURS)
def test_ours(exchange: Sandbox, market: str) -> None:
    """Ours looks the order up before it resends, finds it, and returns it."""
    assert OURS[market](exchange, Policies.load(exchange.policy))["status"] == "filled"
    assert exchange.ledger()["orders"][0]["executions"] == 1


@pytest.mark.parametrize("market", [pytest.param(name, marks=SLOW if name != "spot" else ()) for name in OURS])
def test_ours_when_the_first_attempt_comes_late(exchange: Sandbox, market: str) -> None:
    """Rejected, then delivered after its timeout: it is looked up after the fence, found, and executed once."""
    exchange.script("mine", ["refuse_503", "accept_late", "accept_500"])
    OURS[market](exchange, Policies.load(exchange.policy))
    exchange.settle()
    assert exchange.ledger()["orders"][0]["executions"] == 1
