"""Sends the live data to the pages that are open: all of it when a page comes, then what has changed each second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from .event_stream import sent_event
from .live_view import LiveView
from .refused_request import RequestRefusedError
from .row_history import INTERVAL
from .viewers import MAX_VIEWERS

__all__ = ["LiveViewers"]

_TICK = 1.0  # seconds, while somebody watches
_LEAST = 0.5  # seconds between two ticks, however many pages are opened
_MAX_BEHIND = 5  # ticks that a page may be behind; a slower one is disconnected, and comes back


class LiveViewers:
    """The open pages of one console. Used in one event loop."""

    def __init__(self, view: LiveView) -> None:
        self._view = view
        self._queues: set[asyncio.Queue[str | None]] = set()
        self._came = asyncio.Event()
        self._ticked_at = float("-inf")
        self._is_closed = False

    async def run(self) -> None:
        """Take a snapshot each second while somebody watches, and else as often as the history needs one."""
        try:
            while True:
                self._tick()
                try:
                    await asyncio.wait_for(self._came.wait(), _TICK if self._queues else INTERVAL)
                except TimeoutError:
                    pass
                self._came.clear()
        finally:
            self._view.stop()
            self.close()

    def stream(self) -> AsyncIterator[str]:
        """Return the texts for one page.

        Raises:
            RequestRefusedError: there are as many pages as there may be.
        """
        if len(self._queues) >= MAX_VIEWERS:
            raise RequestRefusedError(503, f"there are {MAX_VIEWERS} pages already; close one", Retry_After="5")
        return self._texts()

    def close(self) -> None:
        """End every stream."""
        self._is_closed = True
        for queue in tuple(self._queues):
            self._end(queue)

    async def _texts(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        await self._take_now()
        if self._is_closed or len(self._queues) >= MAX_VIEWERS:  # those that came meanwhile
            return
        queue.put_nowait(sent_event("whole", self._view.whole()))
        self._queues.add(queue)
        self._came.set()
        try:
            while (text := await queue.get()) is not None:
                yield text
        finally:
            self._queues.discard(queue)

    async def _take_now(self) -> None:
        """Let what a new page shows be of now, and not up to five seconds old; pages that come together share a tick.

        If each viewer had its own, the first ones would be behind before they had read anything.
        """
        came = monotonic()
        await asyncio.sleep(max(0.0, self._ticked_at + _LEAST - came))
        if self._ticked_at < came:
            self._tick()

    def _tick(self) -> None:
        self._ticked_at = monotonic()
        try:
            text = sent_event("change", self._view.tick(monotonic()))
        except Exception:  # a snapshot that fails once must not end the console; the page says that it is out of date
            return
        for queue in tuple(self._queues):
            if queue.qsize() >= _MAX_BEHIND:
                self._end(queue)
            else:
                queue.put_nowait(text)

    def _end(self, queue: asyncio.Queue[str | None]) -> None:
        self._queues.discard(queue)
        queue.put_nowait(None)
