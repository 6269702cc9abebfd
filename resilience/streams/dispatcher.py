"""From a client's sockets to its handlers and loops: in order, bounded, and never an error thrown back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from inspect import isawaitable
from typing import Any, Self

from .buffer import Buffer, Counts, Overflow
from .session.stream_failure import EVENTS

__all__ = ["Handler", "Hub", "Updates"]

Handler = Callable[[Any], Awaitable[Any] | Any]
"""Takes the one value of an event: a plain function or a coroutine function."""


class _Mailbox:
    """A buffer that can be waited for."""

    def __init__(self, size: int, overflow: Overflow) -> None:
        self.buffer = Buffer(size, overflow)
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self.over = False

    async def put(self, event: str, value: Any, key: Hashable) -> None:
        """Take an event in; an update waits for room where every update is wanted."""
        if event == "update" and self.buffer.full:
            self.buffer.counts.blocked += 1
            while self.buffer.full and not self.over:
                self._room.clear()
                await self._room.wait()
        self.post(event, value, key)

    def post(self, event: str, value: Any, key: Hashable = None) -> None:
        """Take an event in at once."""
        if not self.over:
            self.buffer.put(event, value, key)
            self._filled.set()

    async def get(self) -> tuple[str, Any] | None:
        """Return the next event; None once it is over and empty."""
        while True:
            found = self.buffer.get()
            if found is not None or self.over:
                self._room.set()
                return found
            self._filled.clear()
            await self._filled.wait()

    def close(self) -> None:
        """Take nothing more in; what waits can still be got."""
        self.over = True
        self._filled.set()
        self._room.set()


class Updates:
    """The updates of a client, for `async for`; each loop has a queue of its own, which ends with the client."""

    def __init__(self, hub: Hub, box: _Mailbox) -> None:
        self._hub, self._box = hub, box

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        found = await self.next()
        if found is None:
            raise StopAsyncIteration
        return found[0]

    async def next(self) -> tuple[Any] | None:
        """Return the next update, or None when none will come any more."""
        found = await self._box.get()
        return None if found is None else (found[1],)

    def close(self) -> None:
        """Take no more updates."""
        self._hub.leave(self._box)

    @property
    def counts(self) -> Counts:
        """What became of this loop's updates."""
        return self._box.buffer.counts

    def __del__(self) -> None:
        self.close()  # a loop that was left holds nobody up


class Hub:
    """A client's handlers and loops. Belongs to one event loop, but `on` may be called before it runs."""

    def __init__(self, size: int, overflow: Overflow, broke: Callable[[str, BaseException], Any]) -> None:
        """Begin without handlers; `broke` makes the exception event of a handler that raised, or None."""
        self._size, self._overflow, self._broke = size, overflow, broke
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._loops: tuple[_Mailbox, ...] = ()
        self._unclaimed: deque[tuple[Any, Hashable]] | None = deque(maxlen=size)
        self._box: _Mailbox | None = None
        self._over = False

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Have a handler called with each event of this name; the function returned ends that.

        Raises:
            ValueError: there is no such event.
            TypeError: the handler cannot be called.
        """
        if event not in EVENTS:
            raise ValueError(f"no event {event!r}; there are {', '.join(EVENTS)}")
        if not callable(handler):
            raise TypeError(f"a handler is a function of one value, not a {type(handler).__name__}")
        its_own = partial(handler)  # the same handler may be there twice, and leaves once
        self._handlers[event] = (*self._handlers.get(event, ()), its_own)
        if event == "update":
            self._claim(self._calls())
        return lambda: self._off(event, its_own)

    def _off(self, event: str, handler: Handler) -> None:
        self._handlers[event] = tuple(one for one in self._handlers.get(event, ()) if one is not handler)

    @property
    def counts(self) -> Counts:
        """What became of the handlers' updates."""
        return Counts() if self._box is None else self._box.buffer.counts

    def updates(self) -> Updates:
        """Return a loop's own queue."""
        box = _Mailbox(self._size, self._overflow)
        self._loops = (*self._loops, box)
        self._claim(box)
        if self._over:
            box.close()
        return Updates(self, box)

    def leave(self, box: _Mailbox) -> None:
        """Forget a loop's queue."""
        self._loops = tuple(one for one in self._loops if one is not box)
        box.close()

    @property
    def room(self) -> bool:
        """Tell whether an update can be put without waiting."""
        return not any(box.buffer.full for box in self._boxes("update"))

    async def put(self, event: str, value: Any, key: Hashable) -> None:
        """Hand an event on; waits where a consumer wants every update and is slow."""
        if self._unclaimed is not None and event == "update":
            self._unclaimed.append((value, key))
        for box in self._boxes(event):
            await box.put(event, value, key)

    def post(self, event: str, value: Any, key: Hashable = None) -> None:
        """Hand an event on at once."""
        for box in self._boxes(event):
            box.post(event, value, key)

    def _boxes(self, event: str) -> tuple[_Mailbox, ...]:
        """Return who hears of an event."""
        loops = self._loops if event == "update" else ()
        if not self._handlers.get(event):
            return loops
        return (*loops, self._calls())

    def _calls(self) -> _Mailbox:
        """Return the queue of the handlers."""
        if self._box is None:
            self._box = _Mailbox(self._size, self._overflow)
            if self._over:
                self._box.close()
        return self._box

    def _claim(self, box: _Mailbox) -> None:
        """Give the updates that came before anybody listened to the first who does."""
        unclaimed, self._unclaimed = self._unclaimed, None
        for value, key in unclaimed or ():
            box.post("update", value, key)

    async def run(self) -> None:
        """Call handlers, one event after the other, until `close`."""
        box = self._calls()
        while (found := await box.get()) is not None:
            for handler in self._handlers.get(found[0], ()):
                await self._call(found[0], handler, found[1])

    async def _call(self, event: str, handler: Handler, value: Any) -> None:
        """Call one handler; what it raises becomes an exception event, unless it listens to those."""
        try:
            waiting = handler(value)
            if isawaitable(waiting):
                await waiting
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _cancelled():
                raise
            told = self._broke(event, error)
            if told is not None:
                self.post("exception", told)

    def end_loops(self) -> None:
        """Let the loops end once they have what waits for them: nothing more will come."""
        for box in self._loops:
            box.close()

    def close(self) -> None:
        """Take nothing more in; handlers and loops still get what waits."""
        self._over = True
        self.end_loops()
        if self._box is not None:
            self._box.close()


def _cancelled() -> bool:
    """Tell whether it is this task that is cancelled, and not something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
