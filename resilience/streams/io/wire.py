"""One connection at work: it is opened, read to its end, and written to, and every frame goes to the session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from ..._core.base.clock import Clock
from ..dispatcher import Hub
from ..session.request import Request
from ..session.session import Session
from ..session.steps import Step, Tell

__all__ = ["Connect", "Connection", "Wire"]

_CLOSE_WITHIN = 2.0  # seconds that a connection has for its goodbye


class Connection(Protocol):
    """An open connection; what it raises says that it is over."""

    async def send(self, text: str) -> None:
        """Send a text frame."""

    async def receive(self) -> str | bytes:
        """Return the next frame."""

    async def close(self) -> None:
        """Close it; may be called while another task receives."""

    def abort(self) -> None:
        """Cut it: what was sent and is still here goes nowhere."""


Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection, or raises."""


class Wire:
    """One connection of a session. Belongs to one event loop."""

    def __init__(
        self,
        number: int,
        session: Session,
        hub: Hub,
        clock: Clock,
        do: Callable[[list[Step]], None],
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
    ) -> None:
        """Begin; `do` carries steps out, `spawn` starts a task that is waited for in the end."""
        self._number, self._session, self._hub, self._clock, self._do, self._spawn = (
            number, session, hub, clock, do, spawn,
        )  # fmt: skip
        self._outbox: asyncio.Queue[tuple[str, Request | None]] = asyncio.Queue()
        self._connection: Connection | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._delivering = self._over = False

    def start(self, connect: Connect) -> None:
        """Open the connection and read it."""
        self._reader = self._spawn(self._run(connect))

    def send(self, text: str, request: Request | None = None) -> None:
        """Send a frame as soon as those before it are sent; a request only if somebody still waits for it then."""
        self._outbox.put_nowait((text, request))

    def shut(self, *, at_once: bool, hard: bool = False) -> None:
        """Stop; an update that was read already is still delivered, unless it must end at once; a hard end is a cut."""
        self._over = True
        if hard and self._connection is not None:
            with suppress(Exception):
                self._connection.abort()
        if self._reader is None or self._reader is asyncio.current_task():
            return
        if at_once or not self._delivering:
            self._reader.cancel()

    async def _run(self, connect: Connect) -> None:
        """Open the connection and read it to its end."""
        connection: Connection | None = None
        writer: asyncio.Task[Any] | None = None
        try:
            connection = self._connection = await connect()
            writer = self._spawn(self._write(connection))
            self._do(self._session.opened(self._number, self._clock.monotonic()))
            while not self._over:
                await self._take(await connection.receive())
        except Exception as error:
            self._do(self._session.lost(self._number, error, self._clock.monotonic()))
        finally:
            if writer is not None:
                writer.cancel()
            if connection is not None:
                self._spawn(_goodbye(connection))

    async def _take(self, text: str | bytes) -> None:
        """Hand one frame to the session; a slow consumer stops the reading here, and nothing else."""
        session, hub = self._session, self._hub
        steps = session.frame(self._number, text, self._clock.monotonic())
        slow = not hub.room
        if slow:
            session.holding(self._number, True, self._clock.monotonic())
        self._delivering = True
        if slow or any(not isinstance(step, Tell) or step.event != "update" for step in steps):
            self._do([step for step in steps if not isinstance(step, Tell)])
        for step in steps:
            if isinstance(step, Tell):
                await hub.put(step.event, step.value, step.key)
        self._delivering = False
        if slow:
            session.holding(self._number, False, self._clock.monotonic())
            self._do([])

    async def _write(self, connection: Connection) -> None:
        while True:
            text, request = await self._outbox.get()
            if request is None or (not self._over and request.leave()):
                with suppress(Exception):  # the reader hears of it as well, and reports it
                    await connection.send(text)


async def _goodbye(connection: Connection) -> None:
    with suppress(Exception):
        await asyncio.wait_for(connection.close(), _CLOSE_WITHIN)
