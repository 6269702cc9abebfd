"""The one place of this room that waits: it does what a session's steps say, under asyncio.

One task watches the time, one task each connection reads, one writes. Nothing is thrown out of them: an
error of a connection is reported to the session, a bug becomes an exception event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from math import inf
from typing import Any, Protocol

from .._clock import SystemClock
from .._core.clock import Clock
from .failure import Gap
from .hub import Hub
from .session import Session
from .steps import Fetch, Open, Resync, Send, Shut, Step, Tell

__all__ = ["Connect", "Connection", "Supervisor"]

_CLOSE_WITHIN = 2.0  # seconds that a connection has for its goodbye


class Connection(Protocol):
    """An open connection; what it raises says that it is over."""

    async def send(self, text: str) -> None:
        """Send a text frame."""

    async def receive(self) -> str | bytes:
        """Return the next frame."""

    async def close(self) -> None:
        """Close it; may be called while another task receives."""


Connect = Callable[[], Awaitable[Connection]]
"""Opens a connection, or raises."""


class Supervisor:
    """Runs one session. Belongs to one event loop."""

    def __init__(
        self,
        session: Session,
        connect: Connect,
        hub: Hub,
        clock: Clock,
        *,
        resync: Callable[[], Awaitable[Any]] | None = None,
        fetch: Callable[[Gap], Awaitable[Iterable[Any]]] | None = None,
        broke: Callable[[BaseException], None] | None = None,
        over: Callable[[], None] | None = None,
    ) -> None:
        """Begin idle.

        Args:
            session: what decides.
            connect: opens a connection.
            hub: takes the events.
            clock: time and waiting.
            resync: measures the venue's clock.
            fetch: fetches what a gap swallowed.
            broke: is told of an error that is a bug.
            over: is told when the session has ended.
        """
        self.session = session
        self._connect, self._hub, self._clock = connect, hub, clock
        self._resync, self._fetch, self._broke, self._over = resync, fetch, broke, over
        self._outboxes: dict[int, asyncio.Queue[str | None]] = {}
        self._readers: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self._changed: set[asyncio.Event] = set()
        self._fetching: set[asyncio.Task[Any]] = set()
        self._delivering: set[int] = set()

    def start(self) -> None:
        """Begin to connect."""
        self.do(self.session.start(self._clock.monotonic()))
        self._spawn(self._watch())

    async def stop(self) -> None:
        """End it and wait until nothing of it is left."""
        self.do(self.session.stop())
        while rest := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(rest)

    def do(self, steps: list[Step]) -> None:
        """Do what the session says; an update that comes outside a reader does not wait for room."""
        for step in steps:
            if isinstance(step, Tell):
                self._hub.post(step.event, step.value, step.key)
            else:
                self._act(step)
        self._turn()

    async def changed(self) -> None:
        """Wait until something happened."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            await event.wait()
        finally:
            self._changed.discard(event)

    def _turn(self) -> None:
        self._wake.set()
        for event in self._changed:
            event.set()

    def _act(self, step: Step) -> None:
        if isinstance(step, Send):
            if step.link in self._outboxes:
                self._outboxes[step.link].put_nowait(step.text)
        elif isinstance(step, Open):
            self._outboxes[step.link] = asyncio.Queue()
            self._readers[step.link] = self._spawn(self._run(step.link))
        elif isinstance(step, Shut):
            self._shut(step.link)
        elif isinstance(step, Resync):
            self._spawn(self._measure(step.link))
        elif isinstance(step, Fetch) and self._fetch is not None:
            fetching = self._spawn(self._missed(self._fetch, step.gap))
            self._fetching.add(fetching)
            fetching.add_done_callback(self._fetching.discard)

    def _shut(self, number: int) -> None:
        """Stop reading a connection; an update that it has brought already is still delivered."""
        self._outboxes.pop(number, None)
        reader = self._readers.pop(number, None)
        if reader is None or reader is asyncio.current_task():
            return
        if number not in self._delivering or self.session.over is not None:
            reader.cancel()

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:
            if self._broke is not None:
                self._broke(error)

    async def _watch(self) -> None:
        """Tick when it is time, until the session is over."""
        session, clock = self.session, self._clock
        while session.over is None:
            self._wake.clear()
            delay = session.wake_at() - clock.monotonic()
            if delay > 0:
                await self._sleep(delay)
            if session.wake_at() <= clock.monotonic():
                self.do(session.tick(clock.monotonic()))
        for task in (*self._readers.values(), *self._fetching):
            task.cancel()
        if self._over is not None:
            self._over()

    async def _sleep(self, delay: float) -> None:
        """Wait for this long on the clock, or until something changes the session."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if delay != inf:
            real = isinstance(self._clock, SystemClock)  # whose waits a test may skip: time would not pass
            waits.append(asyncio.ensure_future(asyncio.sleep(delay) if real else self._clock.asleep(delay)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _run(self, number: int) -> None:
        """Open a connection and read it to its end."""
        connection: Connection | None = None
        writer: asyncio.Task[Any] | None = None
        try:
            connection = await self._connect()
            writer = self._spawn(self._write(number, connection))
            self.do(self.session.opened(number, self._clock.monotonic()))
            while number in self._readers:
                await self._read(number, await connection.receive())
        except Exception as error:
            self.do(self.session.lost(number, error, self._clock.monotonic()))
        finally:
            self._readers.pop(number, None)
            if writer is not None:
                writer.cancel()
            if connection is not None:
                self._spawn(self._goodbye(connection))

    async def _read(self, number: int, text: str | bytes) -> None:
        """Hand one frame to the session; a slow consumer stops the reading here, and nothing else."""
        session, clock = self.session, self._clock
        steps = session.frame(number, text, clock.monotonic())
        slow = not self._hub.room
        if slow:
            session.holding(number, True, clock.monotonic())
        self._delivering.add(number)
        self.do([step for step in steps if not isinstance(step, Tell)])
        for step in steps:
            if isinstance(step, Tell):
                await self._hub.put(step.event, step.value, step.key)
        self._delivering.discard(number)
        if slow:
            session.holding(number, False, clock.monotonic())
            self._turn()

    async def _write(self, number: int, connection: Connection) -> None:
        outbox = self._outboxes.get(number)
        while outbox is not None:
            text = await outbox.get()
            with suppress(Exception):  # the reader hears of it as well, and reports it
                await connection.send(text or "")

    async def _goodbye(self, connection: Connection) -> None:
        with suppress(Exception):
            await asyncio.wait_for(connection.close(), _CLOSE_WITHIN)

    async def _measure(self, number: int) -> None:
        """Measure the venue's clock; if it cannot be, the next login goes by the clock that there is."""
        try:
            if self._resync is not None:
                await self._resync()
        except Exception:
            pass
        self.do(self.session.resynced(number, self._clock.monotonic()))

    async def _missed(self, fetch: Callable[[Gap], Awaitable[Iterable[Any]]], gap: Gap) -> None:
        """Deliver what a gap swallowed, as updates; what goes wrong is told, and tried again where that helps."""
        attempt = 1
        while True:
            try:
                for update in await fetch(gap):
                    await self._hub.put("update", update, None)
                return
            except Exception as error:
                told = self.session.unfetched(error, attempt)
            self._hub.post("exception", told)
            if told.wait_for is None:
                return
            attempt += 1
            await self._clock.asleep(told.wait_for)
