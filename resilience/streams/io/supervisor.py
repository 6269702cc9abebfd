"""The one place of this room that waits, with `wire.py`: it does what a session's steps say, under asyncio.

One task watches the time, one task each connection reads, one writes. Nothing is thrown out of them: an
error of a connection is reported to the session, a bug becomes an exception event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from ..._core.base.clock import Clock
from ..._drivers.system_clock import SystemClock
from ..dispatcher import Hub
from ..session.session import Session
from ..session.steps import Answer, Fetch, Open, Prime, Resync, Send, Shut, Step, Tell
from ..session.stream_failure import Gap
from .wire import Connect, Wire

__all__ = ["Supervisor"]

Fetching = Callable[[Gap], Awaitable[Iterable[Any]]]
"""Fetches what a gap swallowed, as updates."""
Priming = Callable[[Sequence[Mapping[str, Any]]], Awaitable[Iterable[Any]]]
"""Learns what there is of these subscriptions; what it returns is delivered as updates."""


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
        fetch: Fetching | None = None,
        prime: Priming | None = None,
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
            prime: learns what there is already, when a private socket is live for the first time.
            broke: is told of an error that is a bug.
            over: is told when the session has ended.
        """
        self.session = session
        self._connect, self._hub, self._clock = connect, hub, clock
        self._resync, self._fetch, self._prime, self._broke, self._over = resync, fetch, prime, broke, over
        self._wires: dict[int, Wire] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fetching: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self._changed: set[asyncio.Event] = set()

    def start(self) -> None:
        """Begin to connect; one that has ended begins anew."""
        self.do(self.session.start(self._clock.monotonic()))
        self._spawn(self._watch())

    async def stop(self) -> None:
        """End it and wait until nothing of it is left."""
        self.do(self.session.stop())
        while rest := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(rest)

    def do(self, steps: list[Step]) -> None:
        """Do what the session says; an event that comes outside a reader does not wait for room."""
        for step in steps:
            if isinstance(step, Tell):
                self._hub.post(step.event, step.value, step.key)
            else:
                self._act(step)
        self._wake.set()
        for event in self._changed:
            event.set()

    async def changed(self) -> None:
        """Wait until something happened."""
        event = asyncio.Event()
        self._changed.add(event)
        try:
            await event.wait()
        finally:
            self._changed.discard(event)

    def _act(self, step: Step) -> None:
        if isinstance(step, Send):
            if step.link in self._wires:
                self._wires[step.link].send(step.text, step.request)
        elif isinstance(step, Open):
            wire = Wire(step.link, self.session, self._hub, self._clock, self.do, self._spawn)
            self._wires[step.link] = wire
            wire.start(self._connect)
        elif isinstance(step, Shut):
            wire_or_none = self._wires.pop(step.link, None)
            if wire_or_none is not None:
                wire_or_none.shut(at_once=step.hard or self.session.over is not None, hard=step.hard)
        elif isinstance(step, Answer):
            step.request.lost() if step.message is None else step.request.answered(step.message)
        elif isinstance(step, Resync):
            self._spawn(self._measure(step.link))
        elif isinstance(step, Fetch) and self._fetch is not None:
            self._ask(partial(self._fetch, step.gap))
        elif isinstance(step, Prime) and self._prime is not None:
            self._ask(partial(self._prime, step.args))

    def _ask(self, fetch: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        fetching = self._spawn(self._missed(fetch))
        self._fetching.add(fetching)
        fetching.add_done_callback(self._fetching.discard)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began never ran
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
        for task in self._fetching:
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

    async def _measure(self, number: int) -> None:
        """Measure the venue's clock; if it cannot be, the next login goes by the clock that there is."""
        try:
            if self._resync is not None:
                await self._resync()
        except Exception:
            pass
        self.do(self.session.resynced(number, self._clock.monotonic()))

    async def _missed(self, fetch: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        """Deliver what a gap swallowed, as updates; what goes wrong is told, and tried again where that helps."""
        attempt = 1
        while True:
            try:
                for update in await fetch():
                    await self._hub.put("update", update, None)
                return
            except Exception as error:
                told = self.session.unfetched(error, attempt)
            self._hub.post("exception", told)
            if told.wait_for is None:
                return
            attempt += 1
            await self._clock.asleep(told.wait_for)
