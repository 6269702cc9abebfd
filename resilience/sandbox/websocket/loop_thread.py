"""Runs the event loop of the sockets in a thread that sleeps until the first connection or command arrives.

Until then neither asyncio nor `websockets` is imported, so a sandbox that is used over HTTP alone starts quickly.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

__all__ = ["LoopThread", "Serve"]

T = TypeVar("T")
Serve = Callable[[socket.socket, "asyncio.Event", "asyncio.Event"], Coroutine[Any, Any, None]]
"""Serves a listening socket: (listener, stop, changed) -> coroutine."""
_TIMEOUT = 10.0  # seconds for the loop to start, to run a command, and to stop


class LoopThread:
    """The thread and its event loop. Safe across threads."""

    def __init__(self, listener: socket.socket, load_serve: Callable[[], Serve]) -> None:
        """Start the thread.

        Args:
            listener: a listening socket; it is closed in the end.
            load_serve: imports what serves it; called in the thread when it wakes up.
        """
        self._listener, self._load_serve = listener, load_serve
        # A selector waits for sockets only, so a socket pair wakes the thread for commands.
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._lock = threading.Lock()
        self._closing, self._started = False, threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._changed: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox-sockets", daemon=True)
        self._thread.start()

    def call(self, command: Callable[[], T]) -> T:
        """Run a command in the thread and return its result.

        Raises:
            RuntimeError: the sandbox is closed.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(command())
            except Exception as error:
                future.set_exception(error)

        # `post` drops commands while no loop runs, so a command that needs a result starts it first.
        if self._loop is None and not self._closing:
            self._wake_sender.send(b".")
            self._started.wait(_TIMEOUT)
        if not self.post(run):
            raise RuntimeError("the sandbox is closed")
        return future.result(_TIMEOUT)

    def post(self, command: Callable[..., Any], *args: Any) -> bool:
        """Schedule a command without waiting for it; False if the loop does not run."""
        with self._lock:
            if self._loop is None or self._closing:
                return False
            self._loop.call_soon_threadsafe(command, *args)
        return True

    def notify_changed(self) -> None:
        """Set the event `changed`; call it in the thread only."""
        if self._changed is not None:
            self._changed.set()

    def close(self) -> None:
        """End every connection and the thread."""
        with self._lock:
            self._closing = True
            if self._loop is not None and self._stop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop.set)
        with contextlib.suppress(OSError):
            self._wake_sender.send(b".")
        self._thread.join(_TIMEOUT)
        for each_socket in (self._listener, self._wake_receiver, self._wake_sender):
            each_socket.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            selector.select()
        if not self._closing:
            import asyncio

            asyncio.run(self._serve(self._load_serve()))

    async def _serve(self, serve: Serve) -> None:
        import asyncio

        with self._lock:
            self._loop, self._stop, self._changed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
            if self._closing:
                return
        self._started.set()
        try:
            await serve(self._listener, self._stop, self._changed)
        finally:
            with self._lock:
                self._closing = True
