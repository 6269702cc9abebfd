"""Orders that a private stream missed during a gap are fetched by REST and delivered as updates."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.bitget.backfill import Backfill
from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.order_store import FUTURES, SPOT
from resilience.streams.session.stream_failure import Gap
from tests.bitget.listening import ORDERS, ORDERS3, EventLog, client_of, run


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as sandbox:
        yield sandbox


def rest_of(exchange: Sandbox) -> BitgetClient:
    """Return a REST client of the exchange."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_orders_missed_in_a_gap_are_fetched(exchange: Sandbox, kind: str) -> None:
    """An order that was filled while the private stream was down is delivered as an update."""

    async def story() -> list[Any]:
        rest: Any = rest_of(exchange)
        client_rest = rest
        if kind == "async":
            client_rest = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        try:
            async with client_of(exchange, rest=client_rest) as client:
                log = EventLog(client)
                client.subscribe(ORDERS)
                await client.ready()
                exchange.sockets.script("refuse", "refuse")
                exchange.sockets.fault("drop")
                await log.wait_for("exception")
                order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
                await asyncio.to_thread(rest.spot_place_order, **order, clientOid="missed")
                await log.wait_for("gap")
                await log.until(lambda: any(one["action"] == "missed" for one in log.of("update")))
                return log.of("update")
        finally:
            rest.close()
            if kind == "async":
                await client_rest.close()

    updates = run(story())
    missed = [one for one in updates if one["action"] == "missed"]
    assert [row["clientOid"] for row in missed[0]["data"]] == ["missed"]


def test_more_orders_than_fit_one_page_are_fetched(exchange: Sandbox) -> None:
    """250 orders that were filled during a gap are fetched page by page."""

    async def story(rest: BitgetClient) -> set[str]:
        async with client_of(exchange, rest=rest) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await client.ready()
            exchange.sockets.script("refuse", "refuse")
            exchange.sockets.fault("drop")
            await log.wait_for("exception")
            order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
            for number in range(250):
                exchange.exchange.place(SPOT, {**order, "clientOid": f"n{number}"}, exchange.now())
            await log.until(lambda: any(one["action"] == "missed" for one in log.of("update")))
            return {row["clientOid"] for one in log.of("update") for row in one["data"]}

    with rest_of(exchange) as rest:
        assert run(story(rest)) == {f"n{number}" for number in range(250)}


@pytest.mark.parametrize("kind", ["spot", "futures", "v3"])
def test_an_old_order_that_ended_in_a_gap_is_fetched(kind: str) -> None:
    """The list of past orders is by placement time, so an order that was open for long is queried by its id."""
    unified, mix = kind == "v3", kind == "futures"
    arg = ORDERS3 if unified else {**ORDERS, "instType": "USDT-FUTURES"} if mix else ORDERS
    market = FUTURES if mix else SPOT
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
    future = {"productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"} if mix else {}

    async def story(exchange: Sandbox) -> list[Any]:
        rest: Any = rest_of(exchange)
        try:
            async with client_of(exchange, 3 if unified else 2, rest=rest) as client:
                log = EventLog(client)
                client.subscribe(arg)
                await client.ready()
                old = exchange.exchange.place(market, {**order, **future, "clientOid": "old"}, exchange.now())
                await log.wait_for("update")
                old.created -= 3600
                exchange.sockets.script("refuse", "refuse")
                exchange.sockets.fault("drop")
                await log.wait_for("exception")
                exchange.exchange.cancel(market, {"clientOid": "old"}, exchange.now())
                await log.until(lambda: any(one["action"] == "missed" for one in log.of("update")))
                return log.of("update")
        finally:
            rest.close()

    with Sandbox(unified=unified) as exchange:
        (row,) = run(story(exchange))[-1]["data"]
    assert row["clientOid"] == "old"
    assert (row.get("orderStatus") or row.get("status") or row.get("state")).startswith("cancel")


@pytest.mark.parametrize("version", [2, 3])
def test_an_order_older_than_the_stream_that_ended_in_a_gap_is_fetched(version: int) -> None:
    """Orders that are open when a stream starts are queried once, because the exchange does not report them."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}

    async def story(exchange: Sandbox, rest: BitgetClient) -> list[Any]:
        old = exchange.exchange.place(SPOT, {**order, "clientOid": "older"}, exchange.now())
        old.created -= 3600
        async with client_of(exchange, version, rest=rest) as client:
            log = EventLog(client)
            client.subscribe(ORDERS if version == 2 else ORDERS3)
            await client.ready()
            remembered = (
                client._dialect.on_update.__self__._open_orders
            )  # nothing that a user sees tells that it was asked
            await log.until(lambda: any(remembered.values()))
            exchange.sockets.script("refuse", "refuse")
            exchange.sockets.fault("drop")
            await log.wait_for("exception")
            exchange.exchange.cancel(SPOT, {"clientOid": "older"}, exchange.now())
            await log.until(lambda: any(one["action"] == "missed" for one in log.of("update")))
            return log.of("update")

    with Sandbox(unified=version == 3) as exchange, rest_of(exchange) as rest:
        (update,) = run(story(exchange, rest))
    assert [row["clientOid"] for row in update["data"]] == ["older"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_cache_does_not_answer_after_a_gap(exchange: Sandbox, kind: str) -> None:
    """The client's policy keeps answers of reads; an answer from before the gap would hide what was missed."""
    policies = Policies.from_mapping({"policies": {"p": {"extends": "bitget", "cache": {"max_age": "1h"}}}})
    names: list[str] = []
    policies.subscribe(lambda event: names.append(event.name))

    async def story() -> None:
        access = {"base_url": exchange.rest}
        make: Any = BitgetClient if kind == "sync" else AsyncBitgetClient
        raw = make(exchange.key, exchange.secret, exchange.passphrase, **access)
        backfill = Backfill(wrap(raw, "p", policies=policies), "/v2/ws/private")
        gap = Gap("private", 1_700_000_000.0, 1_700_000_001.0, (ORDERS,))
        for _ in range(2):
            await backfill.prime((ORDERS,))
            await backfill.fetch(gap)
        if kind == "async":
            await raw.close()
        else:
            raw.close()

    asyncio.run(story())
    assert "cache_hit" not in names
