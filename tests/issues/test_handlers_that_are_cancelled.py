"""An error in one handler of a stream must not end the others."""

from __future__ import annotations

import asyncio
from typing import Any

from resilience.sandbox import Sandbox
from tests.bitget.listening import TICKER, EventLog, client_of, run


def test_a_cancelled_handler_emits_an_exception_and_the_next_event_comes() -> None:
    """Its `CancelledError` is emitted as an exception event like any other error, and handlers go on."""

    async def story(exchange: Sandbox) -> Any:
        async with client_of(exchange) as client:
            log = EventLog(client)

            async def waits_for_what_is_cancelled(_update: Any) -> None:
                over = asyncio.get_running_loop().create_future()
                over.cancel()
                await over

            client.on("update", waits_for_what_is_cancelled)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.push(TICKER, [{"lastPr": "1"}])
            exchange.sockets.push(TICKER, [{"lastPr": "2"}])
            return await log.wait_for("exception", 2)

    with Sandbox() as exchange:
        failures = run(story(exchange))
    assert [(failure.phase, failure.caused_by.rpartition(".")[2]) for failure in failures[:2]] == [
        ("handler", "CancelledError"), ("handler", "CancelledError"),
    ]  # fmt: skip


def test_a_handler_registered_twice_is_removed_once() -> None:
    """Each registration is removed by its own function only, however often that is called."""

    async def story(exchange: Sandbox) -> list[Any]:
        async with client_of(exchange) as client:
            log, updates = EventLog(client), []
            leave = client.on("update", updates.append)
            client.on("update", updates.append)
            leave()
            leave()
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.push(TICKER, [{"lastPr": "1"}])
            exchange.sockets.push(TICKER, [{"lastPr": "2"}])
            await log.wait_for("update", 2)
            return updates

    with Sandbox() as exchange:
        assert len(run(story(exchange))) in (1, 2)  # the last may be under way
