"""Hands events to the viewers of the event stream, each through a bounded queue, so that no viewer slows a call.

The policies are subscribed to only while somebody watches. An event that does not fit a viewer's queue is counted and
discarded. Everything that takes time (JSON, redaction, the socket) happens in the viewer's own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

from .._core.base.event import Event
from .._core.base.fork_safety import new_lock
from .refused_request import RequestRefusedError

__all__ = ["MAX_QUEUED", "MAX_VIEWERS", "Viewer", "Viewers"]

MAX_VIEWERS = 64
MAX_QUEUED = 1_000  # events that wait for one viewer


class Viewer:
    """One viewer's queue of events."""

    def __init__(self) -> None:
        # Its `put` takes no lock that a signal handler of the same thread could find taken.
        self._queue: SimpleQueue[Event | None] = SimpleQueue()
        self._lock = new_lock()
        self._dropped = 0
        self.closed = False

    def offer(self, event: Event) -> None:
        """Queue an event, or count it as dropped; never waits for the viewer."""
        if self._queue.qsize() < MAX_QUEUED:
            self._queue.put(event)
            return
        with self._lock:
            self._dropped += 1

    def next_event(self, timeout: float) -> Event | None:
        """Return the next event, or None when the time is over or the viewer was closed."""
        try:
            return self._queue.get(timeout=timeout)
        except Empty:
            return None

    def take_dropped(self) -> int:
        """Return how many events were dropped since the last time."""
        if not self._dropped:
            return 0
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def close(self) -> None:
        """End the stream: a waiting `next_event` returns at once."""
        self.closed = True
        self._queue.put(None)


class Viewers:
    """All viewers of one server. Safe across threads."""

    def __init__(self, subscribe: Callable[[Callable[[Event], None]], Callable[[], None]]) -> None:
        """Keep the function that subscribes a listener; it returns one that ends the subscription."""
        self._subscribe = subscribe
        self._unsubscribe: Callable[[], Any] | None = None
        self._lock = new_lock()
        self._viewers: tuple[Viewer, ...] = ()  # replaced and never changed: `_publish` reads it without a lock

    @contextmanager
    def admit(self) -> Iterator[Viewer]:
        """Add a viewer for the length of the block.

        Raises:
            RequestRefusedError: there are as many viewers as there may be.
        """
        viewer = Viewer()
        with self._lock:
            self.check_room()
            self._viewers = (*self._viewers, viewer)
            if self._unsubscribe is None:
                self._unsubscribe = self._subscribe(self._publish)
        try:
            yield viewer
        finally:
            self._remove(viewer)

    def check_room(self) -> None:
        """Check that one more viewer may come.

        Raises:
            RequestRefusedError: there are as many viewers as there may be.
        """
        if len(self._viewers) >= MAX_VIEWERS:
            message = f"there are {MAX_VIEWERS} viewers already; close one, or read /snapshot"
            raise RequestRefusedError(503, message, Retry_After="5")

    def close(self) -> None:
        """End every stream."""
        for viewer in self._viewers:
            viewer.close()

    def forget(self) -> None:
        """Have no viewers any more, without a word to them: in a forked child they are those of the parent."""
        self._viewers = ()

    def _publish(self, event: Event) -> None:
        for viewer in self._viewers:
            viewer.offer(event)

    def _remove(self, viewer: Viewer) -> None:
        with self._lock:
            self._viewers = tuple(other for other in self._viewers if other is not viewer)
            if not self._viewers and self._unsubscribe is not None:
                self._unsubscribe()
                self._unsubscribe = None
