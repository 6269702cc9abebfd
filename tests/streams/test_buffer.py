"""Slow consumers: bounded queues, overflow rules and counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resilience.streams.buffer import Buffer, Overflow
from resilience.streams.dispatcher import Dispatcher


def drained(buffer: Buffer) -> list[Any]:
    """Return the values that are queued."""
    found = []
    while (one := buffer.get()) is not None:
        found.append(one[1])
    return found


@pytest.mark.parametrize(
    ("overflow", "left", "dropped", "replaced"),
    [("drop_oldest", [3, "problem", 4, 5], 3, 0), ("latest", [4, 5, "problem"], 0, 4)],
)
def test_what_a_full_queue_does(overflow: Overflow, left: list[Any], dropped: int, replaced: int) -> None:
    """The oldest update is dropped, or each subscription keeps its latest; an exception event is never dropped."""
    buffer = Buffer(3, overflow)
    for number in range(3):
        buffer.put("update", number, number % 2)
    buffer.put("update", 3, 1)
    buffer.put("exception", "problem")
    buffer.put("update", 4, 0)
    buffer.put("update", 5, 1)
    assert drained(buffer) == left
    assert (buffer.counts.dropped, buffer.counts.replaced) == (dropped, replaced)
    assert buffer.counts.taken == len(left) - 1


def test_latest_of_more_subscriptions_than_fit() -> None:
    """With `latest` and too many subscriptions the oldest update is dropped, so memory stays bounded."""
    buffer = Buffer(2, "latest")
    for number in range(5):
        buffer.put("update", number, number)
    assert drained(buffer) == [3, 4]
    assert buffer.counts.dropped == 3


def test_block_stops_the_reader_until_there_is_room() -> None:
    """With `block` the producer waits for the consumer, no update is lost, and the waits are counted."""

    async def story() -> None:
        dispatcher = Dispatcher(2, "block", lambda *_: None)
        updates = dispatcher.updates()
        put: list[int] = []

        async def reader() -> None:
            for number in range(5):
                await dispatcher.put("update", number, None)
                put.append(number)
            dispatcher.close()

        task = asyncio.create_task(reader())
        for _ in range(10):
            await asyncio.sleep(0)
        assert updates.counts.blocked == 1
        assert put == [0, 1]
        assert not dispatcher.has_room
        assert [number async for number in updates] == [0, 1, 2, 3, 4]
        await task
        assert updates.counts.most == 2

    asyncio.run(story())


def test_an_abandoned_loop_does_not_block() -> None:
    """After a `break` out of `async for` the loop's queue is removed and blocks no one."""

    async def story() -> None:
        dispatcher = Dispatcher(1, "block", lambda *_: None)

        async def listen() -> int:
            async for number in dispatcher.updates():
                return int(number)
            return -1

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        for number in range(5):
            await asyncio.wait_for(dispatcher.put("update", number, None), 5)
        assert await listening == 0

    asyncio.run(story())


def test_handlers_are_called_in_order_and_awaited() -> None:
    """Handlers may be plain or async; a removed handler is not called again."""

    async def story() -> list[Any]:
        dispatcher = Dispatcher(10, "block", lambda *_: None)
        received: list[Any] = []

        async def slow(value: Any) -> None:
            await asyncio.sleep(0)
            received.append(("slow", value))

        off = dispatcher.on("update", lambda value: received.append(("plain", value)))
        dispatcher.on("update", slow)
        running = asyncio.create_task(dispatcher.run())
        await dispatcher.put("update", 1, None)
        await dispatcher.put("update", 2, None)
        for _ in range(20):
            await asyncio.sleep(0)
        off()
        await dispatcher.put("update", 3, None)
        dispatcher.close()
        await running
        return received

    assert asyncio.run(story()) == [("plain", 1), ("slow", 1), ("plain", 2), ("slow", 2), ("slow", 3)]


def test_the_first_consumer_gets_earlier_updates() -> None:
    """Updates that arrived before the first consumer, such as a snapshot, go to it; the newest are kept."""

    async def story() -> None:
        dispatcher = Dispatcher(3, "block", lambda *_: None)
        for number in range(5):
            await dispatcher.put("update", number, None)
        first, second = dispatcher.updates(), dispatcher.updates()
        assert not dispatcher.has_room
        dispatcher.close()
        assert [number async for number in first] == [2, 3, 4]
        assert [number async for number in second] == []

    asyncio.run(story())
