"""An order whose answer is lost and that no query shows yet is settled by the private stream that reports it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from resilience import Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.bitget.dialect import BitgetDialect
from resilience.bitget.dialect_v2 import DialectV2
from resilience.bitget.dialect_v3 import DialectV3
from resilience.bitget.order_reports import reporting
from resilience.sandbox import Sandbox
from resilience.streams import Gap
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


LIMIT = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "price": "50000", "size": "1"}
MIX = {**LIMIT, "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"}
FUTURES = {**ORDERS, "instType": "USDT-FUTURES"}
AMENDMENTS: dict[str, Any] = {
    "spot": (ORDERS, "spot_place_order", {**LIMIT, "force": "gtc"}, "spot_replace_order",
             {"symbol": "BTCUSDT", "price": "51000", "size": "1"}),
    "mix": (FUTURES, "mix_place_order", MIX, "mix_modify_order",
            {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "newPrice": "51000", "newSize": "1"}),
}  # fmt: skip


@pytest.mark.parametrize("market", list(AMENDMENTS))
def test_an_amendment_is_settled_by_its_new_order(market: str) -> None:
    """The stream reports the order that replaces the old one by its own client id."""
    arg, place_name, order, amend_name, changes = AMENDMENTS[market]
    events: list[Any] = []
    with Sandbox(window=FENCE) as exchange:
        policies = Policies.load(exchange.policy)
        policies.subscribe(events.append)
        keys = exchange.key, exchange.secret, exchange.passphrase
        with client_of(exchange).blocking() as stream, BitgetClient(*keys, base_url=exchange.rest) as plain:
            client = wrap(plain, "bitget", policies=policies)
            stream.subscribe(arg)
            stream.ready(timeout=60)
            getattr(client, place_name)(**order, clientOid="old")
            exchange.script("new", ["accept_drop"])
            exchange.script("query:new", ["query_blind"])
            result = getattr(client, amend_name)(**changes, clientOid="old", newClientOid="new")
        assert (result["clientOid"], result["status"]) == ("new", "live")
        assert [row["executions"] for row in exchange.ledger()["orders"] if row["clientOid"] == "new"] == [1]
    (settled,) = [event for event in events if event.name == "call_reconciled"]
    assert settled.waited_so_far < FENCE


@pytest.mark.parametrize("dialect", [DialectV2(), DialectV3()], ids=["v2", "v3"])
def test_the_stream_of_another_account_settles_nothing(dialect: BitgetDialect) -> None:
    """It may use the same client id: the order of this account is sent again once it is certain that it was lost."""
    dialect.account = "another"
    arg = ORDERS if isinstance(dialect, DialectV2) else ORDERS3
    frame = json.dumps({"action": "update", "arg": arg, "data": [{"clientOid": "mine", "status": "filled"}]})
    stopped = threading.Event()

    def report() -> None:
        while not stopped.wait(0.05):
            dialect.read(frame)

    with Sandbox(window=1.0) as exchange:
        exchange.script("mine", ["lose"])
        reports = threading.Thread(target=report)
        reports.start()
        try:
            result = place("sync", exchange, 2, Policies.load(exchange.policy))
        finally:
            stopped.set()
            reports.join()
        assert result["clientOid"] == "mine"
        assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]


def waits_for(exchange: Sandbox, version: int, report: Any) -> float:
    """Place an order that is lost on its way back while `report` is called; return how long the call waited."""
    policies, events = Policies.load(exchange.policy), []
    policies.subscribe(events.append)
    stopped = threading.Event()

    def keep_reporting() -> None:
        while not stopped.wait(0.05):
            if exchange.ledger()["orders"]:
                report()

    reports = threading.Thread(target=keep_reporting)
    reports.start()
    try:
        place("sync", exchange, version, policies)
    finally:
        stopped.set()
        reports.join()
    return float(next(event.waited_so_far for event in events if event.name == "call_reconciled"))


@pytest.mark.parametrize("how", ["fill", "fetch_missed"])
def test_other_reports_of_an_order(exchange: Sandbox, version: int, how: str) -> None:
    """A fill names the client id of its order too, and so does what a function of the user fetches after a gap."""
    exchange.script("query:mine", ["query_blind"] * 3)
    dialect: BitgetDialect = DialectV2() if version == 2 else DialectV3()
    arg = ORDERS if version == 2 else ORDERS3
    row = {"clientOid": "mine"}
    if how == "fill":
        arg = {name: "fill" if name == dialect.name else value for name, value in arg.items()}
        frame = json.dumps({"action": "snapshot", "arg": arg, "data": [row]})
        assert waits_for(exchange, version, lambda: dialect.read(frame)) < FENCE
        return

    async def fetch(_gap: Gap) -> Any:
        return ["anything", {"arg": {dialect.name: "account"}, "data": [row]}, {"arg": arg, "data": [row]}]

    gap = Gap("private", 0.0, 1.0)
    assert waits_for(exchange, version, lambda: asyncio.run(reporting(fetch, None)(gap))) < FENCE
    assert len(asyncio.run(reporting(fetch, None)(gap))) == 3
