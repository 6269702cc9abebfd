"""Writes of a process that ended hours ago: a query by the client id finds nothing any more, the lists do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, current_call, wrap
from resilience.bitget import BitgetClient
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

SPOT = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
MIX = {**SPOT, "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "1"}
UTA = {"category": "SPOT", "symbol": "BTCUSDT", "side": "buy", "orderType": "market", "qty": "50"}
ORDERS = {"spot_place_order": SPOT, "mix_place_order": MIX, "uta_place_order": UTA}
THREE_HOURS = 3 * 3_600.0


class Killed(BaseException):
    """Simulates the end of the process: no error handling of ours catches it."""


@pytest.fixture(params=ORDERS)
def operation(request: Any) -> str:
    """The operation that places an order in one of the markets."""
    return str(request.param)


@pytest.fixture
def exchange(operation: str) -> Iterator[Sandbox]:
    """An exchange that accepts a stamp for two seconds."""
    with Sandbox(window=2.0, unified=operation.startswith("uta")) as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox on disk."""
    with Outbox(tmp_path / "bot.db") as opened:
        yield opened


def client(exchange: Sandbox, outbox: Outbox, **over: Any) -> Any:
    """Return a wrapped client with the outbox; `over` replaces methods of the raw client."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
    vars(raw).update(over)
    return wrap(raw, "bitget", policies=Policies.load(exchange.policy), outbox=outbox)


def resume_after_three_hours(exchange: Sandbox, outbox: Outbox, operation: str, send_and_die: Any) -> tuple[str, Any]:
    """Let the process die in an order, and return the outcome and the value of its write three hours later."""
    params: Mapping[str, Any] = ORDERS[operation]
    with pytest.raises(Killed):
        getattr(client(exchange, outbox, **{operation: send_and_die}), operation)(**params, clientOid="mine")
    exchange.clock_offset = THREE_HOURS
    (write,) = outbox.resume(client(exchange, outbox))
    return write.outcome, write.value


def test_an_order_that_was_executed_is_found_in_the_lists(exchange: Sandbox, outbox: Outbox, operation: str) -> None:
    """It is done, and it is not sent again."""
    raw = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)

    def send_and_die(**params: Any) -> Any:
        getattr(BitgetClient, operation)(raw, **params)
        raise Killed

    outcome, value = resume_after_three_hours(exchange, outbox, operation, send_and_die)
    assert (outcome, value["clientOid"], value["status"]) == ("done", "mine", "filled")
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]


def test_an_order_that_is_in_no_list_was_not_executed(exchange: Sandbox, outbox: Outbox, operation: str) -> None:
    """The lists reach back to its first stamp, so its absence is proof."""

    def stamp_and_die(**_params: Any) -> Any:
        call = current_call()
        assert call is not None
        call.stamp(exchange.now())
        raise Killed

    outcome, _ = resume_after_three_hours(exchange, outbox, operation, stamp_and_die)
    assert (outcome, exchange.ledger()["orders"]) == ("failed", [])
