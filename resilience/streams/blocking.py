"""A client of streams in a thread of its own, for programs without an event loop."""

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
_LOOK = 0.5  # seconds between two looks whether the thread is there at all


class BlockingStream:
    """Runs a client in a thread; safe to use from any thread.

    Handlers are called in that thread, one after the other: one that takes long holds the others up, and
    what it shares with the rest of the program is the program's to guard.
    """

    def __init__(self, client: StreamClient) -> None:
        """Start the thread; the client must not be used otherwise from now on."""
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._ending: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._serve, name="resilience-stream", daemon=True)
        self._thread.start()
        self._call(client.start)

    def on(self, event: str, handler: Handler) -> Callable[[], None]:
        """Have a handler called with each event of this name; see `StreamClient.on`."""
        return self._call(lambda: self._client.on(event, handler))

    def subscribe(self, *args: Arg) -> None:
        """Want these subscriptions; see `StreamClient.subscribe`."""
        self._call(lambda: self._client.subscribe(*args))

    def unsubscribe(self, *args: Arg) -> None:
        """Want these subscriptions no more."""
        self._call(lambda: self._client.unsubscribe(*args))

    def ready(self, timeout: float | None = None) -> None:
        """Wait until everything wanted is live, or its socket has ended.

        Raises:
            TimeoutError: it took longer than that many seconds.
        """
        self._await(asyncio.wait_for(self._client.ready(), timeout))

    def close(self) -> None:
        """End it: sockets are closed, loops end, the thread ends; from a handler, as soon as that returns."""
        if self._loop.is_closed():
            return
        if threading.current_thread() is self._thread:
            self._begin_to_end()
            return
        with suppress(_OverError):
            self._call(self._begin_to_end)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Any]:
        """Yield updates as they come, until the client is closed or every socket has ended."""
        with suppress(_OverError):
            updates = self._call(self._client.__aiter__)
            try:
                while (found := self._await(updates.next())) is not None:
                    yield found[0]
            finally:
                self._call(updates.close)

    def __repr__(self) -> str:
        return f"<BlockingStream of {self._client!r}>"

    @property
    def states(self) -> dict[str, str]:
        """Where each socket stands, by name."""
        return self._client.states

    @property
    def counts(self) -> Counts:
        """What became of the handlers' updates."""
        return self._client.counts

    def _begin_to_end(self) -> None:
        """End it once, whoever asks first: a second stop would break the thread's own end off."""
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())

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
            for work in (self._loop.shutdown_default_executor, _nothing):
                self._loop.run_until_complete(work())
                while late := asyncio.all_tasks(self._loop):  # what other threads asked for while it was ending
                    for task in late:
                        task.cancel()
                    self._loop.run_until_complete(asyncio.gather(*late, return_exceptions=True))
            self._loop.close()

    def _call(self, command: Callable[[], T]) -> T:
        """Carry a command out in the thread; what it raises is raised here."""
        if threading.current_thread() is self._thread:
            return command()

        async def called() -> T:
            return command()

        return self._await(called())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what the thread does; one that ends meanwhile will not do it any more.

        Raises:
            RuntimeError: the thread itself would wait for itself, or it has ended.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a handler cannot wait for its own thread: begin it in another one")
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise _OverError from None
        while True:
            try:
                return future.result(_LOOK)
            except CancelledError:
                raise _OverError from None
            except (KeyboardInterrupt, SystemExit):
                future.cancel()  # what nobody waits for any more is abandoned, and told so
                raise
            except TimeoutError:
                if future.done():
                    raise
                if not self._thread.is_alive():
                    work.close()
                    raise _OverError from None


async def _nothing() -> None:
    """Let what is due run."""


class _OverError(RuntimeError):
    """The thread has ended."""

    def __str__(self) -> str:
        return "the client is closed: make a new one"
