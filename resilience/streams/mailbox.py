"""Queues events between the connections and one consumer: the handlers, or one `async for` loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Self

from .buffer import Buffer, Counts, OnLoss, Overflow

__all__ = ["Mailbox", "Updates"]


class Mailbox:
    """A buffer that can be awaited. Belongs to one event loop.

    Attributes:
        buffer: the queued events.
        closed: True once no more events are taken.
    """

    def __init__(self, size: int, overflow: Overflow, on_loss: OnLoss | None = None) -> None:
        self.buffer = Buffer(size, overflow, on_loss)
        self._filled, self._drained = asyncio.Event(), asyncio.Event()
        self.closed = False

    async def put(self, event: str, value: Any, key: Hashable, change: bool = False) -> None:
        """Queue an event; an update waits for room if the overflow rule is `block`."""
        if event == "update" and self.buffer.full:
            self.buffer.counts.blocked += 1
            # A loop, because another producer may have taken the room before this one runs.
            while self.buffer.full and not self.closed:
                self._drained.clear()
                await self._drained.wait()
        self.post(event, value, key, change)

    def post(self, event: str, value: Any, key: Hashable = None, change: bool = False) -> None:
        """Queue an event at once."""
        if not self.closed:
            self.buffer.put(event, value, key, change)
            self._filled.set()

    def take(self) -> tuple[str, Any] | None:
        """Return the next event, or None if there is none now."""
        event = self.buffer.get()
        if event is not None:
            self._drained.set()
        return event

    async def get(self) -> tuple[str, Any] | None:
        """Return the next event, or None once the mailbox is closed and empty."""
        while True:
            event = self.buffer.get()
            if event is not None or self.closed:
                self._drained.set()
                return event
            self._filled.clear()
            await self._filled.wait()

    def close(self) -> None:
        """Take no more events; queued ones can still be read."""
        self.closed = True
        self._filled.set()
        self._drained.set()


class Updates:
    """The updates of a client, for `async for`. Each loop has its own queue, which ends with the client."""

    def __init__(self, mailbox: Mailbox, on_close: Callable[[Mailbox], None]) -> None:
        self._mailbox, self._on_close = mailbox, on_close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        event = self._mailbox.take() or await self._mailbox.get()
        if event is None:
            raise StopAsyncIteration
        return event[1]

    async def next(self) -> tuple[Any] | None:
        """Return the next update in a tuple, or None if no more will come."""
        event = await self._mailbox.get()
        # In a tuple, because None is a valid update.
        return None if event is None else (event[1],)

    def close(self) -> None:
        """Take no more updates."""
        self._on_close(self._mailbox)

    @property
    def counts(self) -> Counts:
        """Counts of this loop's updates."""
        return self._mailbox.buffer.counts

    def __del__(self) -> None:
        self.close()  # a loop that ended with `break` must not block the reader for ever
