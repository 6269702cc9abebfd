"""Provides an asyncio event loop whose time jumps to the next timer, so that no real time passes.

Where asyncio would wait for a timer, the loop sets its time forward instead. An hour of sleeping tasks takes as long
as their own work. Timers of the same instant fire in the order in which they were set, so that the same program runs
the same way each time.

Sockets, pipes, threads and child processes need real time and raise RuntimeError here. So does a loop on which a task
waits and no timer is left, instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextvars import Context, copy_context
from heapq import heappop, heappush
from itertools import count
from types import coroutine
from typing import Any, NoReturn, TypeVar

from .light_task import LightTask

__all__ = ["VirtualClock", "VirtualLoop", "run_virtual"]

T = TypeVar("T")
_UNIX_START = 1_700_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs tasks on virtual time, which begins at 0. Not safe across threads, as no loop is.

    Example:
        >>> loop = VirtualLoop()
        >>> loop.run_until_complete(asyncio.sleep(3600, "an hour later")), loop.time()
        ('an hour later', 3600.0)
        >>> loop.close()
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[tuple[float, int, Any]] = []  # a handle, a light task, or the future of a pause
        self._next_number = count(1).__next__
        super().__init__(_IdleSelector())

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def call_at(  # type: ignore[override]  # the callback's arguments may be of any type
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer.

        The loop has a heap of its own, of tuples: asyncio's compares handles in Python, which takes most of a run's
        time.
        """
        handle = _Handle(when, callback, args, self, context)
        heappush(self._timers, (when, self._next_number(), handle))
        return handle

    @coroutine
    def pause(self, seconds: float) -> Generator[Any, Any, None]:
        """Wait for this time, at a fraction of the cost of `asyncio.sleep`."""
        task: Any = asyncio.current_task(self)
        if task.__class__ is LightTask:
            yield self._now + seconds
            return
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heappush(self._timers, (self._now + seconds, self._next_number(), future))
        yield from future

    def start(self, main: Coroutine[Any, Any, None]) -> LightTask:
        """Run a coroutine to its first wait, and then with the loop. Only a callback of the loop may call this."""
        task = LightTask(main, self, self._timers, self._ready, self._next_number)  # type: ignore[attr-defined]
        task.step()
        return task

    def _run_once(self) -> None:
        """Run until the loop is stopped: what is ready, and when nothing is, what is due next.

        This replaces a private method of asyncio's base loop, which asks its selector at every turn. It relies on
        `_ready`, `_stopping` and the private attributes of handles, which are the same from CPython 3.11 to 3.14.
        """
        ready, timers = self._ready, self._timers  # type: ignore[attr-defined]  # what asyncio runs next
        while True:
            if not ready and not self._stopping:  # type: ignore[attr-defined]
                self._advance()
            else:
                # A cancelled timer at the top is removed here too, so that it does not keep its callback alive.
                while timers and (timers[0][0] <= self._now or not _is_set(*timers[0])):
                    self._make_ready(*heappop(timers))
                # Callbacks that these callbacks add run at the next turn, as in asyncio.
                for _ in range(len(ready)):
                    self._run(ready.popleft())
            if self._stopping:  # type: ignore[attr-defined]
                return

    def _advance(self) -> None:
        """Set the time forward to the next timer and run what is due.

        Raises:
            RuntimeError: there is no timer, and nothing else could wake a task.
        """
        timers = self._timers
        if not timers:
            raise RuntimeError("deadlock: a task waits on this virtual loop, and no timer is left that could wake it")
        when, number, due = heappop(timers)
        # Cancelled timers stay in the heap until they reach the top: removing one from a heap is linear.
        if due.timer != number if due.__class__ is LightTask else due.cancelled():  # `_is_set`, without its call
            return
        if when > self._now:  # a timer may be set for the past; time never runs backwards
            self._now = when
        if timers and timers[0][0] <= self._now:
            self._make_ready(when, number, due)  # and what is due at the same instant, before the first of them runs
        elif due.__class__ is LightTask:
            due.step()
        elif due.__class__ is _Handle:
            self._run(due)
        else:
            due.set_result(None)

    def _make_ready(self, _when: float, number: int, due: Any) -> None:
        if due.__class__ is LightTask:
            if due.timer == number:
                due.timer = 0
                self._ready.append(due)  # type: ignore[attr-defined]
        elif not due.cancelled():
            if due.__class__ is _Handle:
                self._ready.append(due)  # type: ignore[attr-defined]
            else:
                due.set_result(None)

    def _run(self, entry: Any) -> None:
        if entry.__class__ is LightTask:
            entry.step()
        elif not entry._cancelled:
            try:
                entry._context.run(entry._callback, *entry._args)
            # As in asyncio's Handle._run: these two end the loop, others go to the exception handler.
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                context = {"message": "exception in a callback", "exception": error, "handle": entry}
                self.call_exception_handler(context)

    def call_soon(  # type: ignore[override]  # the callback's arguments may be of any type
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback at the next turn."""
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        handle = _Handle(self._now, callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def _write_to_self(self) -> None:
        """Do nothing: the loop does not wait on a selector, out of which other threads would have to wake it."""

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]  # no argument is right
        """Reject: a thread needs real time.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a virtual loop cannot use threads: they need real time")


def _is_set(_when: float, number: int, due: Any) -> bool:
    """Return whether an entry of the heap has not been cancelled."""
    return bool(due.timer == number) if due.__class__ is LightTask else not due.cancelled()


class _Handle(asyncio.TimerHandle):
    """A handle that is made in a third of the time, because it does not ask for the loop's debug mode."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], loop: Any, context: Context | None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args, self._when = loop, callback, args, when
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None


class _IdleSelector(selectors.BaseSelector):
    """A selector that is never asked."""

    def __init__(self) -> None:
        self._own: selectors.SelectorKey | None = None

    def select(self, _timeout: float | None = None) -> list[Any]:
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        # asyncio registers the reading end of its self-pipe once. Any second file is a user's socket.
        if self._own is not None:
            raise RuntimeError("a virtual loop cannot use sockets: they need real time")
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._own = selectors.SelectorKey(fileobj, number, events, data)  # of the loop's own wake-up pipe, the only one
        return self._own

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key, self._own = self._own, None
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {} if self._own is None else {self._own.fd: self._own}


class VirtualClock:
    """The clock for a pipeline that runs on a virtual loop."""

    __slots__ = ("_pause", "monotonic")

    def __init__(self, loop: Any) -> None:
        self._pause = loop.pause
        self.monotonic: Callable[[], float] = loop.time

    def time(self) -> float:
        """Return Unix time, which advances with the loop's time."""
        return _UNIX_START + self.monotonic()

    def sleep(self, seconds: float) -> NoReturn:
        """Reject: a blocking sleep would stop the whole loop.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            f"a sync function tried to sleep {seconds:g} s on a virtual loop, which would block the loop"
        )

    async def asleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        if seconds > 0:
            await self._pause(seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a new virtual loop and return its result. Tasks that are left are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
