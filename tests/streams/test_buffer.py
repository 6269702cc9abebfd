"""Slow consumers: bounded queues, overflow rules and counts."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from resilience import Category
from resilience.streams import StreamFailure
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


def failure_of_socket(code: str, **details: Any) -> StreamFailure:
    """Return a failure as a session emits it."""
    return StreamFailure(Category.RETRYABLE, code, socket="public", phase="read", **details)


def test_exceptions_of_one_kind_are_counted() -> None:
    """Ten of a kind wait one by one; the last of them counts the others and is the newest."""
    buffer = Buffer(10_000, "block")
    for number in range(5000):
        buffer.put("exception", failure_of_socket("malformed_frame", message=f"frame {number}"))
    buffer.put("exception", failure_of_socket("no_pong"))
    values = drained(buffer)
    assert [(one.code, one.repeated) for one in values] == [
        *[("malformed_frame", 0)] * 9, ("malformed_frame", 4990), ("no_pong", 0),
    ]  # fmt: skip
    assert values[9].message == "frame 4999"
    assert "4990 more of this kind" in str(values[9])
    assert buffer.counts.repeated == 4990


def test_counting_starts_again_once_they_were_read() -> None:
    """What a handler has read counts nothing more: the next failure of its kind is an event of its own."""
    buffer = Buffer(2, "block")
    for _ in range(3):
        buffer.put("exception", failure_of_socket("no_pong"))
    assert [one.repeated for one in drained(buffer)] == [0, 1]
    buffer.put("exception", failure_of_socket("no_pong"))
    assert [one.repeated for one in drained(buffer)] == [0]


def test_failures_of_different_subscriptions_are_not_one_kind() -> None:
    """A rejected subscription is told by its own event, however many others were rejected for the same reason."""
    buffer = Buffer(2, "block")
    for number in range(50):
        buffer.put("exception", failure_of_socket("30001", arg={"instId": str(number)}))
    assert [one.arg["instId"] for one in drained(buffer)] == [str(number) for number in range(50)]


@pytest.mark.parametrize("event", ["exception", "response"])
def test_other_events_are_bounded_too(event: str) -> None:
    """Behind a handler that never returns, events that differ are discarded too, oldest first, and counted."""
    buffer = Buffer(150, "block")
    for number in range(1000):
        buffer.put(event, failure_of_socket(str(number)) if event == "exception" else {"number": number})
    assert buffer.counts.lost == 850
    assert len(drained(buffer)) == 150


@pytest.mark.parametrize("event", ["update", "response"])
def test_what_was_discarded_takes_no_memory(event: str) -> None:
    """A discarded event is freed at once, and the place that it had does not grow without end."""

    class Value:
        pass

    buffer = Buffer(3, "drop_oldest")
    values = [Value() for _ in range(5000)]
    alive = [weakref.ref(value) for value in values]
    for number in range(5000):
        buffer.put(event, values.pop(0), number)
    gc.collect()
    assert sum(one() is not None for one in alive) <= 100
    assert len(drained(buffer)) == (3 if event == "update" else 100)
    buffer.put("update", "next")
    assert drained(buffer) == ["next"]


def put_book(buffer: Buffer, *values: str) -> None:
    """Queue updates of two books: `A` and `B` are full states, `a1` and `b1` are changes."""
    for value in values:
        buffer.put("update", value, value[0].lower(), value[0].islower())


@pytest.mark.parametrize(
    ("overflow", "values", "left", "lost"),
    [
        # The oldest change of `a` is lost, and so are the others up to its next full state.
        ("drop_oldest", ["a1", "a2", "B", "b1", "b2"], ["B", "b1", "b2"], ["a"]),
        ("drop_oldest", ["a1", "a2", "A", "a3", "B"], ["A", "a3", "B"], []),
        # A full state is lost: what it began is lost too, at once or when it comes.
        ("drop_oldest", ["A", "a1", "B", "b1", "b2", "a2"], ["B", "b1", "b2"], ["a"]),
        ("drop_oldest", ["A", "B", "b1", "b2", "b3", "a1", "a2"], ["B", "b1", "b2", "b3"], ["a"]),
        # The change that would need room is itself one of those.
        ("drop_oldest", ["A", "a1", "a2", "a3", "a4"], [], ["a"]),
        ("drop_oldest", ["A", "a1", "a2", "a3", "a4", "A", "a5"], ["A", "a5"], ["a"]),
        # A change replaces nothing; a full state replaces all before it.
        ("latest", ["A", "a1", "a2"], ["A", "a1", "a2"], []),
        ("latest", ["A", "a1", "B", "A", "a2"], ["B", "A", "a2"], []),
        ("latest", ["A", "A", "A", "a1"], ["A", "a1"], []),
    ],
)
def test_a_book_is_queued_whole_or_not_at_all(
    overflow: Overflow, values: list[str], left: list[str], lost: list[str]
) -> None:
    """Of a book that lost an update in a full queue, no change is delivered before its next full state."""
    losses: list[Any] = []
    buffer = Buffer(4, overflow, losses.append)
    put_book(buffer, *values)
    assert drained(buffer) == left
    assert losses == lost
    counts = buffer.counts
    assert counts.taken + counts.dropped + counts.replaced == len(values)
    put_book(buffer, "A", "a9")
    assert drained(buffer) == ["A", "a9"]


def test_a_book_that_overflowed_before_anybody_listened() -> None:
    """Nothing is requested while nobody listens; the first change for the first consumer reports the loss."""

    async def story() -> None:
        losses: list[Any] = []
        dispatcher = Dispatcher(2, "block", lambda *_: None, losses.append)
        for value in ("A", "a1", "a2", "a3"):
            await dispatcher.put("update", value, "a", value.islower())
        assert losses == []
        updates = dispatcher.updates()
        await dispatcher.put("update", "a4", "a", True)
        await dispatcher.put("update", "a5", "a", True)
        assert losses == ["a"]
        await dispatcher.put("update", "A", "a")
        await dispatcher.put("update", "a6", "a", True)
        dispatcher.close()
        assert [value async for value in updates] == ["A", "a6"]

    asyncio.run(story())
