"""Runs a stream client in its own thread, for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .buffer import Counts
from .session.dialect import Arg

if TYPE_CHECKING:
    from .client import StreamClient
    from .dispatcher import Handler

__all__ = ["BlockingStream"]

T = TypeVar("T")
_POLL_INTERVAL = 0.5  # seconds between two checks that the thread is still alive


class BlockingStream:
    """Runs a stream client in its own thread. Safe to use from any thread.

    Handlers are called in that thread, one after the other. A slow handler delays the others, and the program must
    protect what a handler shares with other threads.
    """

    def __init__(self, client: StreamClient) -> None:
        """Start the thread; from now on the client must not be used directly."""
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._end_task: asyncio.Task[None] | None = None
        # A daemon: a program that ends without closing the client must not hang in it.
        self._thread = threading.Thread(target=self._serve, name="resilience-stream", daemon=True)
        self._thread.start()
        self._call(client.start)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Call a handler with each event of this name; see `StreamClient.on`."""
        return self._call(lambda: self._client.on(event, handler))

    def subscribe(self, *args: Arg) -> None:
        """Subscribe; see `StreamClient.subscribe`."""
        self._call(lambda: self._client.subscribe(*args))

    def unsubscribe(self, *args: Arg) -> None:
        """Remove these subscriptions."""
        self._call(lambda: self._client.unsubscribe(*args))

    def ready(self, timeout: float | None = None) -> None:
        """Wait until every subscription is live.

        Args:
            timeout: seconds to wait at most; None waits for ever.

        Raises:
            TimeoutError: the subscriptions were not live within `timeout` seconds.
            GaveUpError, ClosedClientError: as for `StreamClient.ready`.
        """
        self._await(asyncio.wait_for(self._client.ready(), timeout))

    def close(self) -> None:
        """Close the sockets, end the loops and the thread; called from a handler it returns without waiting."""
        if self._loop.is_closed():
            return
        if threading.current_thread() is self._thread:
            self._start_closing()
            return
        with suppress(_EndedError):
            self._call(self._start_closing)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """Yield updates as they come, until the client is closed or every socket has ended."""
        with suppress(_EndedError):
            updates = self._call(self._client.__aiter__)
            try:
                while (item := self._await(updates.next())) is not None:
                    yield item[0]
            finally:
                self._call(updates.close)

    def __repr__(self) -> str:
        return f"<BlockingStream of {self._client!r}>"

    @property
    def states(self) -> dict[str, str]:
        """The state of each socket, by name."""
        return self._client.states

    @property
    def counts(self) -> Counts:
        """Counts of the handlers' updates."""
        return self._client.counts

    def _start_closing(self) -> None:
        # Only the first caller starts it: a second `loop.stop` would interrupt the cleanup in `_serve`.
        if self._end_task is None:
            self._end_task = self._loop.create_task(self._end())

    async def _end(self) -> None:
        try:
            await self._client.close()
        finally:
            self._loop.stop()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            for work in (self._loop.shutdown_default_executor, _run_ready):
                self._loop.run_until_complete(work())
                while late := asyncio.all_tasks(self._loop):  # tasks that other threads submitted during the end
                    for task in late:
                        task.cancel()
                    self._loop.run_until_complete(asyncio.gather(*late, return_exceptions=True))
            self._loop.close()

    def _call(self, command: Callable[[], T]) -> T:
        """Run a command in the thread and return its result; its error is raised here."""
        if threading.current_thread() is self._thread:
            return command()

        async def run() -> T:
            return command()

        return self._await(run())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread and wait for its result.

        Raises:
            RuntimeError: the caller is that thread, which cannot wait for itself; or the thread has ended.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a handler cannot wait for its own thread: call this from another one")
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise _EndedError from None
        while True:
            # The wait is cut into intervals: a loop that has stopped never completes the future.
            try:
                return future.result(_POLL_INTERVAL)
            except CancelledError:
                raise _EndedError from None
            except (KeyboardInterrupt, SystemExit):
                future.cancel()  # nobody waits for the result any more
                raise
            except TimeoutError:
                if future.done():
                    raise
                if not self._thread.is_alive():
                    work.close()
                    raise _EndedError from None


async def _run_ready() -> None:
    """Return at once; running it lets callbacks that are due run."""


class _EndedError(RuntimeError):
    """The thread has ended."""

    def __str__(self) -> str:
        return "the client is closed: make a new one"
