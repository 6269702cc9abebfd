"""Delivers a client's events to its handlers and loops: in order, bounded, and without raising a handler's error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any

from .._core.base.abstract_classes import is_awaitable
from .buffer import Buffer, Counts, OnLoss, Overflow
from .mailbox import Mailbox, Updates
from .session.stream_failure import EVENTS

__all__ = ["Dispatcher", "Handler"]

Handler = Callable[[Any], Awaitable[Any] | Any]
"""Takes the value of an event: a plain function or a coroutine function."""


class Dispatcher:
    """A client's handlers and loops. Belongs to one event loop, but `on` may be called before it runs."""

    def __init__(
        self,
        size: int,
        overflow: Overflow,
        on_handler_error: Callable[[str, Handler, BaseException], Any],
        on_loss: OnLoss | None = None,
    ) -> None:
        """Create a dispatcher without handlers.

        Args:
            size: the number of updates that each consumer's queue holds.
            overflow: what a full queue does.
            on_handler_error: takes an event's name, its handler and the error that it raised; returns the value of an
                exception event, or None for no event.
            on_loss: called with a subscription of which a full queue has discarded a change.
        """
        self._on_loss = on_loss
        self._size, self._overflow, self._on_handler_error = size, overflow, on_handler_error
        self._handlers: dict[str, tuple[partial[Any], ...]] = {}
        self._loops: tuple[Mailbox, ...] = ()
        self._unclaimed: Buffer | None = Buffer(size, "drop_oldest" if overflow == "block" else overflow)
        self._mailbox: Mailbox | None = None  # of the handlers
        self._closed = False

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call a handler with each event of this name; the returned function removes it.

        Raises:
            ValueError: there is no such event.
            TypeError: the handler cannot be called.
        """
        if event not in EVENTS:
            raise ValueError(f"no event {event!r} (available: {', '.join(EVENTS)})")
        if not callable(handler):
            raise TypeError(f"a handler is a function of one value, not a {type(handler).__name__}")
        registration = partial(handler)  # a new object: the same handler may be registered twice and removed once
        self._handlers[event] = (*self._handlers.get(event, ()), registration)
        if event == "update":
            self._claim(self._handler_mailbox())
        # The tuples are replaced and never changed, so a handler may add or remove handlers while `run` iterates.
        return lambda: self._off(event, registration)

    def _off(self, event: str, registration: partial[Any]) -> None:
        self._handlers[event] = tuple(item for item in self._handlers.get(event, ()) if item is not registration)

    @property
    def counts(self) -> Counts:
        """Counts of the handlers' updates."""
        return Counts() if self._mailbox is None else self._mailbox.buffer.counts

    def updates(self) -> Updates:
        """Return a new queue of updates for one loop."""
        mailbox = Mailbox(self._size, self._overflow, self._on_loss)
        self._loops = (*self._loops, mailbox)
        self._claim(mailbox)
        if self._closed:
            mailbox.close()
        return Updates(mailbox, self._remove)

    def _remove(self, mailbox: Mailbox) -> None:
        """Close a loop's queue and deliver no more to it."""
        self._loops = tuple(item for item in self._loops if item is not mailbox)
        mailbox.close()

    @property
    def has_room(self) -> bool:
        """True if an update can be put without waiting."""
        return not any(mailbox.buffer.full for mailbox in self._mailboxes("update"))

    async def put(self, event: str, value: Any, key: Hashable, change: bool = False) -> None:
        """Deliver an event; an update waits for slow consumers if the overflow rule is `block`."""
        if self._unclaimed is not None and event == "update":
            self._unclaimed.put(event, value, key, change)
        # One after the other: the slowest consumer decides, as with a single queue.
        for mailbox in self._mailboxes(event):
            await mailbox.put(event, value, key, change)

    def post_update(self, value: Any, key: Hashable, change: bool) -> bool:
        """Deliver an update at once; return False, and deliver nothing, where a slow consumer has to be waited for."""
        mailboxes = self._mailboxes("update")
        for mailbox in mailboxes:
            if mailbox.buffer.full:
                return False
        if self._unclaimed is not None:
            self._unclaimed.put("update", value, key, change)
        for mailbox in mailboxes:
            mailbox.post("update", value, key, change)
        return True

    def post(self, event: str, value: Any, key: Hashable = None, change: bool = False) -> None:
        """Deliver an event at once."""
        for mailbox in self._mailboxes(event):
            mailbox.post(event, value, key, change)

    def _mailboxes(self, event: str) -> tuple[Mailbox, ...]:
        """Return the queues that take an event."""
        loops = self._loops if event == "update" else ()
        if not self._handlers.get(event):
            return loops
        return (*loops, self._handler_mailbox())

    def _handler_mailbox(self) -> Mailbox:
        if self._mailbox is None:
            self._mailbox = Mailbox(self._size, self._overflow, self._on_loss)
            if self._closed:
                self._mailbox.close()
        return self._mailbox

    def _claim(self, mailbox: Mailbox) -> None:
        """Give the first consumer the updates that arrived before it, such as the snapshot of an order book."""
        unclaimed, self._unclaimed = self._unclaimed, None
        if unclaimed is not None:
            mailbox.buffer.take_over(unclaimed)

    async def run(self) -> None:
        """Call handlers, one event after the other, until `close`."""
        mailbox = self._handler_mailbox()
        while (item := await mailbox.get()) is not None:
            event, value = item
            for handler in self._handlers.get(event, ()):
                await self._call(event, handler, value)

    async def _call(self, event: str, handler: partial[Any], value: Any) -> None:
        """Call one handler; its error becomes an exception event, except for a handler of exception events."""
        try:
            result = handler(value)
            if is_awaitable(result):
                await result
        except (Exception, asyncio.CancelledError) as error:
            # A `CancelledError` of something that the handler awaited is an error like any other.
            if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                raise
            self._report(event, handler.func, error)

    def _report(self, event: str, handler: Handler, error: BaseException) -> None:
        # A function of its own: the event carries the error, whose traceback has the frame that called this one.
        failure = self._on_handler_error(event, handler, error)
        if failure is not None:
            self.post("exception", failure)

    def end_loops(self) -> None:
        """End the loops once they have read what is queued: no more updates will come."""
        for mailbox in self._loops:
            mailbox.close()

    def close(self) -> None:
        """Take no more events; handlers and loops still get what is queued."""
        self._closed = True
        self.end_loops()
        if self._mailbox is not None:
            self._mailbox.close()


def _is_cancelled() -> bool:
    """Return True if the current task itself is being cancelled, and not only something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
