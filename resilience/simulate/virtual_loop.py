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
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any, NoReturn, TypeVar

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
        self._timers: list[tuple[float, int, asyncio.TimerHandle | asyncio.Future[None]]] = []
        self._numbers = count()
        super().__init__(_JumpingSelector(self._jump))

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
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def pause(self, seconds: float) -> asyncio.Future[None]:
        """Return a future that is done after this time, at half the cost of `asyncio.sleep`."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heappush(self._timers, (self._now + seconds, next(self._numbers), future))
        return future

    def _run_once(self) -> None:
        """Run the callbacks that are ready, or let the time jump if there are none.

        This replaces a private method of asyncio's base loop, which asks its selector at every turn. It relies on
        `_ready`, `_stopping` and the private attributes of handles, which are the same from CPython 3.11 to 3.14.
        """
        ready = self._ready  # type: ignore[attr-defined]  # the deque of handles that asyncio runs next
        if not ready:
            self._jump(0 if self._stopping else None)  # type: ignore[attr-defined]
        # A cancelled timer at the top is removed here too, so that it does not keep its callback alive.
        elif self._timers and (self._timers[0][0] <= self._now or self._timers[0][2].cancelled()):
            self._jump(0)
        # Callbacks that these callbacks add run at the next turn, as in asyncio.
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                # As in asyncio's Handle._run: these two end the loop, others go to the exception handler.
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    context = {"message": "exception in a callback", "exception": error, "handle": handle}
                    self.call_exception_handler(context)
        handle = None  # would keep the last callback and its arguments alive until the next turn

    def call_soon(  # type: ignore[override]  # the callback's arguments may be of any type
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback at the next turn."""
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def _jump(self, timeout: float | None) -> None:
        """Make the due timers ready. With a timeout of None, set the time forward to the next timer first.

        Raises:
            RuntimeError: there is no timer, and nothing else could wake a task.
        """
        timers, ready = self._timers, self._ready  # type: ignore[attr-defined]
        # Cancelled timers stay in the heap until they reach the top: removing one from a heap is linear.
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not timers:
            if timeout is None:
                raise RuntimeError(
                    "deadlock: a task waits on this virtual loop, and no timer is left that could wake it"
                )
            return
        if timeout is None:
            # A timer may be set for the past; time never runs backwards.
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            due = heappop(timers)[2]
            if due.cancelled():
                continue
            if isinstance(due, asyncio.Future):
                due.set_result(None)
            else:
                ready.append(due)

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]  # no argument is right
        """Reject: a thread needs real time.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a virtual loop cannot use threads: they need real time")


class _JumpingSelector(selectors.BaseSelector):
    """A selector that is never ready and lets the time jump. A timeout of None means that no callback is ready."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._jump = jump
        self._own: selectors.SelectorKey | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        self._jump(timeout)
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
