"""Batches of orders whose items are recorded in PostgreSQL: each is settled once, here or by whoever adopts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox
from tests.outbox.database import Database

ccxt = pytest.importorskip("ccxt")
pytestmark = [pytest.mark.newest_versions, pytest.mark.full]

OpenOutbox = Callable[..., Outbox]
BOUNDS = {"window": "400ms", "stamp_window": "400ms", "processing": "100ms", "lag": "100ms", "wait": "50ms"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox(venue="binance", limits=False) as running:
        yield running


def bot(exchange: Sandbox, outbox: Outbox, listener: Callable[[Any], None] = lambda _event: None) -> Any:
    """Return a client of the exchange, as each process would have one."""
    policy = {"extends": "ccxt", "reconcile": BOUNDS, "attempt_timeout": "2s", "deadline": "20s"}
    policies = Policies.from_mapping({"policies": {"short": policy}}, log=False)
    policies.subscribe(listener)
    client = exchange.point(ccxt.binance({"enableRateLimit": False}))
    wrapped = wrap(client, "short", policies=policies, outbox=outbox)
    wrapped.load_markets()
    return wrapped


def order(key: str) -> dict[str, Any]:
    """Return an order that stays open."""
    fields = {"symbol": "BTC/USDT:USDT", "type": "limit", "side": "buy", "amount": 1, "price": 50_000}
    return {**fields, "params": {"clientOrderId": key}}


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was executed."""
    exchange.settle()
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


@pytest.mark.parametrize("fault", ["accept_drop", "lose", "accept_500", "refuse_503"])
def test_every_order_is_executed_once(exchange: Sandbox, open_outbox: OpenOutbox, fault: str) -> None:
    """What did not happen is sent again: its row stays open until nothing of it is to be sent any more."""
    outbox = open_outbox()
    exchange.script("a", [fault])
    placed = bot(exchange, outbox).create_orders([order("a"), order("b")])
    assert [one["clientOrderId"] for one in placed] == ["a", "b"]
    assert executions(exchange) == {"a": 1, "b": 1}
    assert sorted((row.key, row.state) for row in outbox.rows("done")) == [("a", "done"), ("b", "done")]
    assert outbox.open == outbox.rows("failed") == []


def test_orders_that_another_process_adopted_are_not_sent_again(
    exchange: Sandbox, open_outbox: OpenOutbox, database: Database
) -> None:
    """The owner slept after the batch was lost: the other has placed the orders, and the owner sends none."""
    outbox, other = open_outbox(), open_outbox()
    adopter = bot(exchange, other)

    def adopt(event: Any) -> None:
        if event.operation == "create_orders" and event.name == "attempt_failed" and not adopted:
            database.end_leases()
            with ThreadPoolExecutor() as elsewhere:  # not inside the batch that this is an event of
                adopted.extend(elsewhere.submit(other.adopt, adopter, resend=True).result())

    adopted: list[Any] = []
    exchange.script("a", ["lose"])
    placed = bot(exchange, outbox, adopt).create_orders([order("a"), order("b")])
    assert [(one.key, one.outcome, one.error) for one in adopted] == [("a", "done", None), ("b", "done", None)]
    assert [one["clientOrderId"] for one in placed] == ["a", "b"], "it finds what the other has placed"
    assert executions(exchange) == {"a": 1, "b": 1}
