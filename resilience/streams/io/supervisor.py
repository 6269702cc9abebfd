"""Performs the steps of a session under asyncio.

One task runs the timers, and each connection has a task that reads and one that writes. None of them raises: an
error of a connection is reported to the session, and a bug becomes an exception event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from ..._core.base.clock import Clock
from ..._core.call.context import clean_context
from ..._drivers.system_clock import SystemClock
from ..dispatcher import Dispatcher
from ..session.session import Session
from ..session.steps import Close, DeliverAnswer, Emit, Fetch, Open, Prime, Resync, Send, Step
from ..session.stream_failure import Gap
from .wire import Connect, Wire

__all__ = ["Supervisor"]

FetchGap = Callable[[Gap], Awaitable[Iterable[Any]]]
"""Fetches what was missed during a gap, as updates."""
LoadState = Callable[[Sequence[Mapping[str, Any]]], Awaitable[Iterable[Any]]]
"""Loads the current state of these subscriptions; what it returns is delivered as updates."""


class Supervisor:
    """Runs one session. Belongs to one event loop.

    Attributes:
        session: decides.
        waiters: are set whenever the session may have changed.
    """

    def __init__(
        self,
        session: Session,
        connect: Connect,
        dispatcher: Dispatcher,
        clock: Clock,
        *,
        resync: Callable[[], Awaitable[Any]] | None = None,
        fetch: FetchGap | None = None,
        prime: LoadState | None = None,
        on_bug: Callable[[BaseException], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Create an idle supervisor.

        Args:
            session: decides.
            connect: opens a connection.
            dispatcher: takes the events.
            clock: time and waiting.
            resync: measures the venue's clock.
            fetch: fetches what was missed during a gap.
            prime: loads the current state when a private socket is live for the first time.
            on_bug: called with an error that is a bug.
            on_end: called when the session has ended.
        """
        self.session = session
        self._connect, self._dispatcher, self._clock = connect, dispatcher, clock
        self._resync, self._fetch, self._prime, self._on_bug, self._on_end = resync, fetch, prime, on_bug, on_end
        self._wires: dict[int, Wire] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fetches: set[asyncio.Task[Any]] = set()
        self._wake = asyncio.Event()
        self.waiters: set[asyncio.Event] = set()

    def start(self) -> None:
        """Start connecting; a session that has ended starts again."""
        self.perform(self.session.start(self._clock.monotonic()))
        self._spawn(self._run_timers())

    async def stop(self) -> None:
        """End the session and wait until no task of it is left."""
        self.perform(self.session.stop())
        # Tasks may start others while they end, and one of them may have called `stop`.
        while rest := self._tasks - {asyncio.current_task()}:
            await asyncio.wait(rest)

    def perform(self, steps: list[Step]) -> None:
        """Perform steps of the session; events are queued at once, without waiting for a slow consumer."""
        for step in steps:
            if isinstance(step, Emit):
                self._dispatcher.post(step.event, step.value, step.key, step.change)
            else:
                self._act(step)
        # The steps may have changed a timer.
        self._wake.set()
        for event in self.waiters:
            event.set()

    async def wait_for_change(self) -> None:
        """Wait until the session may have changed."""
        event = asyncio.Event()
        self.waiters.add(event)
        try:
            await event.wait()
        finally:
            self.waiters.discard(event)

    def _close_wire(self, step: Close) -> None:
        wire = self._wires.pop(step.connection, None)
        if wire is not None:
            ended = self.session.inactive_state is not None
            wire.close(at_once=step.hard or ended, hard=step.hard)

    def _act(self, step: Step) -> None:
        if isinstance(step, Send):
            if step.connection in self._wires:
                self._wires[step.connection].send(step.text, step.request)
        elif isinstance(step, Open):
            wire = Wire(step.connection, self.session, self._dispatcher, self._clock, self.perform, self._spawn)
            self._wires[step.connection] = wire
            wire.start(self._connect)
        elif isinstance(step, Close):
            self._close_wire(step)
        elif isinstance(step, DeliverAnswer):
            step.request.fail() if step.message is None else step.request.resolve(step.message)
        elif isinstance(step, Resync):
            self._spawn(self._measure_clock(step.connection))
        elif isinstance(step, Fetch) and self._fetch is not None:
            self._start_fetch(partial(self._fetch, step.gap))
        elif isinstance(step, Prime) and self._prime is not None:
            self._start_fetch(partial(self._prime, step.args))

    def _start_fetch(self, fetch: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        task = self._spawn(self._fetch_updates(fetch))
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # It outlives the call in which it may be started: it is no part of it.
        task = asyncio.get_running_loop().create_task(self._guard(work), context=clean_context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before it starts never awaits `work`; closing it avoids the interpreter's warning.
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guard(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:
            if self._on_bug is not None:
                self._on_bug(error)

    async def _run_timers(self) -> None:
        """Call `tick` whenever a timer is due, until the session ends."""
        session, clock = self.session, self._clock
        while session.inactive_state is None:
            self._wake.clear()
            delay = session.wake_at() - clock.monotonic()
            if delay > 0:
                await self._sleep(delay)
            # The sleep may have ended early because the session changed.
            if session.wake_at() <= clock.monotonic():
                self.perform(session.tick(clock.monotonic()))
        # Nobody reads updates of a socket that has ended.
        for task in self._fetches:
            task.cancel()
        if self._on_end is not None:
            self._on_end()

    async def _sleep(self, delay: float) -> None:
        """Wait for `delay` seconds of the clock, or until the session changes."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if delay != inf:
            # The system clock's own sleep may be skipped by a test (`no_waits`); time would not pass, and this
            # loop would spin.
            real = isinstance(self._clock, SystemClock)
            waits.append(asyncio.ensure_future(asyncio.sleep(delay) if real else self._clock.asleep(delay)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _measure_clock(self, number: int) -> None:
        """Measure the venue's clock; if that fails or lasts, the next login uses the time known so far."""
        try:
            if self._resync is not None:
                # Half of the time in which the login must be answered, or the venue would be blamed for our silence.
                async with asyncio.timeout(self.session.limits.answer_within / 2):
                    await self._resync()
        except Exception as error:
            self._dispatcher.post("exception", self.session.resync_failed(error))
        self.perform(self.session.clock_measured(number, self._clock.monotonic()))

    async def _fetch_updates(self, fetch: Callable[[], Awaitable[Iterable[Any]]]) -> None:
        """Deliver fetched data as updates; an error is emitted, and the fetch retried if that can help."""
        attempt = 1
        while True:
            try:
                for update in await fetch():
                    await self._dispatcher.put("update", update, None)
                return
            except Exception as error:
                delay = self._report_fetch(error, attempt)
            if delay is None:
                return
            attempt += 1
            await self._clock.asleep(delay)

    def _report_fetch(self, error: Exception, attempt: int) -> float | None:
        """Emit the error of a fetch and return the seconds until the next try, or None if there is none."""
        # A function of its own: the event carries the error, whose traceback has the frame that called this one.
        failure = self.session.fetch_failed(error, attempt)
        self._dispatcher.post("exception", failure)
        return failure.wait_for
