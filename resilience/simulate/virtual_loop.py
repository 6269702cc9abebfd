"""An asyncio event loop whose time jumps to the next timer.

The law of this file: no real time passes. Where asyncio would wait for a timer, the loop's time is set
forward instead, so an hour of sleeping tasks takes as long as their own work. Timers of one instant
fire in the order in which they were set; the same program runs the same way each time.

Sockets, pipes, threads and child processes live in real time and have no place here: asking for them is
refused, and a loop on which nothing is left to happen says so instead of hanging.
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
_WALL = 1_700_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs tasks on a time of its own, which begins at 0. Belongs to one thread, as every loop does.

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
        super().__init__(_Jumps(self._jump))

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def call_at(  # type: ignore[override]  # its arguments are the callback's, whatever they are
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer. The loop keeps its own heap: asyncio's compares handles in Python, which takes most of a run."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), handle))
        return handle

    def pause(self, seconds: float) -> asyncio.Future[None]:
        """Return what is done after this time; it costs half of what `asyncio.sleep` does."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        heappush(self._timers, (self._now + seconds, next(self._numbers), future))
        return future

    def _run_once(self) -> None:
        """Run what is ready, and let the time jump where nothing is: asyncio's own asks a selector each time."""
        ready = self._ready  # type: ignore[attr-defined]  # what asyncio runs next
        if not ready:
            self._jump(0 if self._stopping else None)  # type: ignore[attr-defined]
        elif self._timers and (self._timers[0][0] <= self._now or self._timers[0][2].cancelled()):
            self._jump(0)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    told = {"message": "an exception in a callback", "exception": error, "handle": handle}
                    self.call_exception_handler(told)
        handle = None  # it refers to what it ran

    def call_soon(  # type: ignore[override]  # its arguments are the callback's, whatever they are
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback in the next turn."""
        if self._closed:  # type: ignore[attr-defined]
            raise RuntimeError("Event loop is closed")
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def _jump(self, timeout: float | None) -> None:
        """Make ready what is due; where nothing is ready already, what is due next.

        Raises:
            RuntimeError: nothing is left to happen.
        """
        timers, ready = self._timers, self._ready  # type: ignore[attr-defined]
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not timers:
            if timeout is None:
                raise RuntimeError("nothing is left to happen on this virtual loop, and a task still waits")
            return
        if timeout is None:
            self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            due = heappop(timers)[2]
            if due.cancelled():
                continue
            if isinstance(due, asyncio.Future):
                due.set_result(None)
            else:
                ready.append(due)

    def run_in_executor(self, *_: Any) -> NoReturn:  # type: ignore[override]  # nothing is a right argument
        """Refuse: a thread works in real time.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("a virtual loop has no threads: they work in real time")


class _Jumps(selectors.BaseSelector):
    """A selector that finds nothing ready and lets the time jump; None means that asyncio has nothing to do."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._jump = jump
        self._own: selectors.SelectorKey | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        self._jump(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self._own is not None:
            raise RuntimeError("a virtual loop has no sockets: they live in real time")
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._own = selectors.SelectorKey(fileobj, number, events, data)  # the loop's own wake-up pipe
        return self._own

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        key, self._own = self._own, None
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {} if self._own is None else {self._own.fd: self._own}


class VirtualClock:
    """The clock of a pipeline that runs on a virtual loop."""

    __slots__ = ("_pause", "monotonic")

    def __init__(self, loop: Any) -> None:
        self._pause = loop.pause
        self.monotonic: Callable[[], float] = loop.time

    def time(self) -> float:
        """Return Unix time, which moves with the loop's."""
        return _WALL + self.monotonic()

    def sleep(self, seconds: float) -> NoReturn:
        """Refuse: a sleep that blocks would stop the whole loop.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"nothing may block a virtual loop: a sync function slept {seconds:g} s")

    async def asleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        if seconds > 0:
            await self._pause(seconds)


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a fresh virtual loop and return what it returns; tasks left over are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
