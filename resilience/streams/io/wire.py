"""Runs one connection: opens it, reads it to its end, writes to it, and hands every frame to the session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

from ..._core.base.clock import Clock
from ..dispatcher import Dispatcher
from ..session.request import SocketRequest
from ..session.session import Session
from ..session.steps import Emit, Step, only_update

__all__ = ["Connect", "FrameSocket", "Wire"]

_FRAMES_PER_TURN = 24
_CLOSE_TIMEOUT = 2.0  # seconds for the closing handshake


class FrameSocket(Protocol):
    """An open WebSocket. Every method raises an exception of any class once the socket is closed."""

    async def send(self, text: str) -> None:
        """Send a text frame."""

    async def receive(self) -> str | bytes:
        """Return the next frame."""

    async def close(self) -> None:
        """Close the socket; may be called while another task receives."""

    def abort(self) -> None:
        """Cut the connection: data that is buffered here and not yet transmitted is discarded."""


Connect = Callable[[], Awaitable[FrameSocket]]
"""Opens a socket, or raises."""


class Wire:
    """One connection of a session. Belongs to one event loop."""

    def __init__(
        self,
        number: int,
        session: Session,
        dispatcher: Dispatcher,
        clock: Clock,
        perform: Callable[[list[Step]], None],
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        """Prepare the connection.

        Args:
            number: number of the connection.
            session: decides.
            dispatcher: takes the events.
            clock: monotonic time.
            perform: performs steps.
            spawn: starts a task that is awaited when the stream ends.
        """
        self._number, self._session, self._dispatcher, self._clock = number, session, dispatcher, clock
        self._perform, self._spawn = perform, spawn
        self._outbox: asyncio.Queue[tuple[str, SocketRequest | None]] = asyncio.Queue()
        self._socket: FrameSocket | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._delivering = self._stopped = False

    def start(self, connect: Connect) -> None:
        """Open the connection and read it."""
        self._reader = self._spawn(self._run(connect))

    def send(self, text: str, request: SocketRequest | None = None) -> None:
        """Send a frame after those before it; skip a request whose caller no longer waits by then."""
        self._outbox.put_nowait((text, request))

    def close(self, *, at_once: bool, hard: bool = False) -> None:
        """Close the connection.

        Args:
            at_once: do not deliver an update that was read already.
            hard: cut the connection instead of closing it.
        """
        self._stopped = True
        if hard:
            self._cut()
        if self._reader is None or self._reader is asyncio.current_task():
            return
        if at_once or not self._delivering:
            self._reader.cancel()

    def _cut(self) -> None:
        """Cut the connection, if it is open."""
        if self._socket is not None:
            with suppress(Exception):
                self._socket.abort()

    async def _run(self, connect: Connect) -> None:
        """Open the connection and read it to its end."""
        socket: FrameSocket | None = None
        writer: asyncio.Task[Any] | None = None
        try:
            socket = self._socket = await connect()
            writer = self._spawn(self._write(socket))
            self._perform(self._session.connection_opened(self._number, self._clock.monotonic()))
            # A close that waits for a delivery only sets the flag; the loop then ends after that frame.
            for number in count(1):
                if self._stopped:
                    break
                await self._deliver(await socket.receive())
                # What was read ahead is received without a pause. The consumer runs now and then, so that updates do
                # not pile up: it gets them sooner, and the garbage collector need not look at them.
                if number % _FRAMES_PER_TURN == 0:
                    await asyncio.sleep(0)
        except Exception as error:
            self._perform(self._session.connection_lost(self._number, error, self._clock.monotonic()))
        finally:
            if writer is not None:
                writer.cancel()
            if socket is not None:
                # In its own task: the closing handshake must not delay the next connection.
                self._spawn(_close(socket))

    async def _deliver(self, text: str | bytes) -> None:
        """Hand one frame to the session and its events to the dispatcher; a slow consumer stops the reading here."""
        session, dispatcher = self._session, self._dispatcher
        steps = session.frame_received(self._number, text, self._clock.monotonic())
        # The hot path: an update that nobody has to wait for.
        update = only_update(steps)
        if update is not None and dispatcher.post_update(update.value, update.key, update.change):
            return
        slow = not dispatcher.has_room
        if slow:
            session.pause_reader(self._number, True, self._clock.monotonic())
        self._delivering = True
        # Steps other than events are performed first: a slow consumer must not hold up a ping or a login.
        if slow or any(not isinstance(step, Emit) or step.event != "update" for step in steps):
            self._perform([step for step in steps if not isinstance(step, Emit)])
        for step in steps:
            if isinstance(step, Emit):
                await dispatcher.put(step.event, step.value, step.key, step.change)
        self._delivering = False
        if slow:
            session.pause_reader(self._number, False, self._clock.monotonic())
            self._perform([])

    async def _write(self, socket: FrameSocket) -> None:
        while True:
            text, request = await self._outbox.get()
            if request is None or (not self._stopped and request.start_sending()):
                with suppress(Exception):  # the reader gets the same error and reports it
                    await socket.send(text)


async def _close(socket: FrameSocket) -> None:
    with suppress(Exception):
        await asyncio.wait_for(socket.close(), _CLOSE_TIMEOUT)
