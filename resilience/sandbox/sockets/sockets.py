"""The handle on the sandbox's sockets, for tests and drills; and the thread behind it.

The port listens from the start. What is costly (asyncio, websockets) is loaded by the thread when the
first connection or the first command comes. All state belongs to that thread: commands are posted to it.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from .connection import Connection
from .faults import now_of, script_of
from .venue import PATHS, Venue, checked

if TYPE_CHECKING:
    import asyncio

    from ..book import Order
    from ..server import Sandbox

__all__ = ["Sockets"]

T = TypeVar("T")
_BACKLOG = 256
_PATIENCE = 10.0


class Sockets:
    """What the sandbox's WebSocket saw, and what it is to do. Safe across threads.

    Attributes:
        port: where it listens.

    Example:
        >>> from resilience.sandbox import Sandbox
        >>> with Sandbox() as exchange:
        ...     exchange.sockets.script("refuse", "", "close:1012")
        ...     exchange.sockets.connects
        0
    """

    def __init__(self, sandbox: Sandbox, host: str, pace: float) -> None:
        self._venue = Venue(sandbox, pace)
        self._listener = socket.create_server((host, 0), backlog=_BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self._sleeper, self._waker = socket.socketpair()
        self._lock = threading.Lock()
        self._closing, self._started = False, threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._changed: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="sandbox-sockets", daemon=True)
        self._thread.start()

    @property
    def connections(self) -> list[Connection]:
        """Every connection so far, in order, closed ones too."""
        return list(self._venue.connections)

    @property
    def connects(self) -> int:
        """How many handshakes there were, refused ones too."""
        return self._venue.connects

    @property
    def violations(self) -> list[str]:
        """Every limit that a client exceeded, as text."""
        return list(self._venue.shared.violations)

    def push(self, arg: Mapping[str, Any], rows: Any, *, action: str = "update", **extra: Any) -> int:
        """Tell every connection that is subscribed to an arg.

        Args:
            arg: as it was subscribed to.
            rows: the `data` of the frame.
            action: `update` or `snapshot`.
            extra: further fields of the frame.

        Returns:
            how many connections are subscribed.
        """
        return self._call(lambda: self._venue.push(action, arg, rows, **extra))

    def feed(self, arg: Mapping[str, Any], *, every: float = 1.0) -> None:
        """Begin numbered updates without a gap, whether anybody is subscribed or not.

        Args:
            arg: what they are of.
            every: seconds of sandbox time between two.

        Raises:
            ValueError: there is no such arg, or the interval is none.
        """
        if not 0 < every < float("inf"):
            raise ValueError(f"every: expected seconds above 0, got {every!r}")
        known = checked(arg)
        self._call(lambda: self._begin(known, every))

    def stop_feed(self, arg: Mapping[str, Any]) -> None:
        """End the updates of an arg; their numbers go on if they begin again."""
        self._call(lambda: self._venue.feed(arg, 0.0))

    def last(self, arg: Mapping[str, Any]) -> int:
        """Return the number of an arg's last update; 0 before the first."""
        return self._venue.shared.feeds.last(arg)

    def script(self, *faults: str, path: str | None = None) -> None:
        """Say which faults the next connections meet, one text each, in order; an empty one is none.

        Args:
            faults: one text a connection.
            path: count the connections of this path alone.

        Raises:
            FaultError: one is no fault of sockets; nothing changes.
            ValueError: there is no such path.
        """
        told = [(_path(path), entry) for entry in script_of(faults)]
        self._call(lambda: self._venue.script.extend(told))

    def fault(self, name: str, *, path: str | None = None, number: int | None = None) -> int:
        """Let a fault happen now on the open connections.

        Args:
            name: of the fault.
            path: those of one path alone.
            number: the connection of that number alone.

        Returns:
            how many connections met it.

        Raises:
            FaultError: it is no fault of open connections.
            ValueError: there is no such path.
        """
        faults = now_of(name)
        where = _path(path)
        return self._call(lambda: self._venue.fault(faults, where, number))

    def tell_order(self, order: Order, status: str) -> None:
        """Tell the private order channels what became of an order, without waiting."""
        with self._lock:
            if self._loop is not None and not self._closing:
                self._loop.call_soon_threadsafe(self._venue.tell_order, order, status)

    def close(self) -> None:
        """End every connection and the thread."""
        with self._lock:
            self._closing = True
            if self._loop is not None and self._stop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop.set)
        with contextlib.suppress(OSError):
            self._waker.send(b".")
        self._thread.join(_PATIENCE)
        for one in (self._listener, self._sleeper, self._waker):
            one.close()

    def _call(self, command: Callable[[], T]) -> T:
        """Carry a command out in the thread that owns the state."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(command())
            except Exception as error:
                future.set_exception(error)

        if self._loop is None and not self._closing:
            self._waker.send(b".")
            self._started.wait(_PATIENCE)
        with self._lock:
            if self._loop is None or self._closing:
                raise RuntimeError("the sandbox is closed")
            self._loop.call_soon_threadsafe(run)
        return future.result(_PATIENCE)

    def _begin(self, arg: dict[str, Any], every: float) -> None:
        self._venue.feed(arg, every)
        self._changed()

    def _run(self) -> None:
        """Sleep until somebody comes, then serve until the end."""
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._listener, selectors.EVENT_READ)
            waiting.register(self._sleeper, selectors.EVENT_READ)
            waiting.select()
        if not self._closing:
            import asyncio

            asyncio.run(self._serve())

    async def _serve(self) -> None:
        import asyncio

        from .serving import serve

        with self._lock:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            if self._closing:
                return
        changed = asyncio.Event()
        self._changed = changed.set
        self._started.set()
        try:
            await serve(self._venue, self._listener, self._stop, changed)
        finally:
            with self._lock:
                self._closing = True


def _path(path: str | None) -> str | None:
    if path not in (None, *PATHS):
        raise ValueError(f"path: expected one of {', '.join(PATHS)}, got {path!r}")
    return path
