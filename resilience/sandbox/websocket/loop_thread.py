"""A thread that owns the state of the sockets: it sleeps until somebody comes, then runs an event loop until the end.

What is costly (asyncio, websockets) is loaded when the first connection or the first command comes.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

    from .connections import Venue

__all__ = ["Sleeper"]

T = TypeVar("T")
_PATIENCE = 10.0


class Sleeper:
    """The thread and its loop. Safe across threads."""

    def __init__(self, venue: Venue, listener: socket.socket) -> None:
        """Begin to sleep; the listening socket is closed in the end."""
        self._venue, self._listener = venue, listener
        self._bed, self._waker = socket.socketpair()
        self._lock = threading.Lock()
        self._closing, self._started = False, threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._changed: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-sockets", daemon=True)
        self._thread.start()

    def call(self, command: Callable[[], T]) -> T:
        """Carry a command out in the thread and return its result.

        Raises:
            RuntimeError: the sandbox is closed.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(command())
            except Exception as error:
                future.set_exception(error)

        if self._loop is None and not self._closing:
            self._waker.send(b".")
            self._started.wait(_PATIENCE)
        if not self.post(run):
            raise RuntimeError("the sandbox is closed")
        return future.result(_PATIENCE)

    def post(self, command: Callable[..., Any], *args: Any) -> bool:
        """Have a command carried out without waiting; False where nobody is awake to do it."""
        with self._lock:
            if self._loop is None or self._closing:
                return False
            self._loop.call_soon_threadsafe(command, *args)
        return True

    def changed(self) -> None:
        """Look anew at what is due; inside the thread alone."""
        if self._changed is not None:
            self._changed.set()

    def close(self) -> None:
        """End every connection and the thread."""
        with self._lock:
            self._closing = True
            if self._loop is not None and self._stop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop.set)
        with contextlib.suppress(OSError):
            self._waker.send(b".")
        self._thread.join(_PATIENCE)
        for one in (self._listener, self._bed, self._waker):
            one.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._bed, selectors.EVENT_READ)
            waiting.select()
        if not self._closing:
            import asyncio

            asyncio.run(self._serve())

    async def _serve(self) -> None:
        import asyncio

        from .accept_loop import serve

        with self._lock:
            self._loop, self._stop, self._changed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
            if self._closing:
                return
        self._started.set()
        try:
            await serve(self._venue, self._listener, self._stop, self._changed)
        finally:
            with self._lock:
                self._closing = True
