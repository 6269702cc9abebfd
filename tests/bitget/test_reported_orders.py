"""An order whose answer is lost and that no query shows yet is settled by the private stream that reports it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from resilience import Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.sandbox import Sandbox
from tests.bitget.listening import ORDERS, ORDERS3, client_of

SPOT = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
UTA = {"category": "SPOT", "symbol": "BTCUSDT", "side": "buy", "orderType": "market", "qty": "50"}
FENCE = 30.0  # seconds: the window of the exchange, which is waited for without a stream


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def version(request: Any) -> int:
    """The version of the sockets and of the orders."""
    return int(request.param)


@pytest.fixture
def exchange(version: int) -> Iterator[Sandbox]:
    """An exchange whose first answer to the order is lost, and whose first lookups do not see it."""
    with Sandbox(window=FENCE, unified=version == 3) as sandbox:
        sandbox.script("mine", ["accept_drop"])
        sandbox.script("query:mine", ["query_blind", "query_blind"])
        yield sandbox


def place(kind: str, exchange: Sandbox, version: int, policies: Policies) -> Any:
    """Place the order through a client of this kind, and return its result."""
    name, order = ("spot_place_order", SPOT) if version == 2 else ("uta_place_order", UTA)
    keys = exchange.key, exchange.secret, exchange.passphrase
    if kind == "sync":
        with BitgetClient(*keys, base_url=exchange.rest) as client:
            return getattr(wrap(client, "bitget", policies=policies), name)(**order, clientOid="mine")

    async def story() -> Any:
        async with AsyncBitgetClient(*keys, base_url=exchange.rest) as client:
            return await getattr(wrap(client, "bitget", policies=policies), name)(**order, clientOid="mine")

    return asyncio.run(story()) if kind == "asyncio" else trio.run(story)


@pytest.mark.parametrize("kind", ["sync", "asyncio", "trio"])
def test_a_stream_that_reports_the_order_settles_it(exchange: Sandbox, version: int, kind: str) -> None:
    """The call does not wait for the fence, returns the order, and sends it once."""
    policies, events = Policies.load(exchange.policy), []
    policies.subscribe(events.append)
    with client_of(exchange, version).blocking() as stream:
        stream.subscribe(ORDERS if version == 2 else ORDERS3)
        stream.ready(timeout=60)
        result = place(kind, exchange, version, policies)
    assert (result["clientOid"], result["status"]) == ("mine", "filled")
    (settled,) = [event for event in events if event.name == "call_reconciled"]
    assert settled.waited_so_far < FENCE
    assert [(row["clientOid"], row["executions"]) for row in exchange.ledger()["orders"]] == [("mine", 1)]
