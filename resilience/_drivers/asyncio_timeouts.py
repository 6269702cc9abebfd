"""Time limits of many attempts on one asyncio loop, kept by one timer.

The law of this file: a limit that is not reached costs no timer. An attempt enters its limit into a
mapping and takes it out again; the loop's one timer wakes at the earliest limit it knows of, cuts what is
due, and sets itself to the next. What a cut means is what it means to `asyncio.timeout`: the task is
cancelled, and the attempt counts as timed out only where nobody else has cancelled the task meanwhile.

asyncio is imported when the first limit is set.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from threading import local
from typing import TYPE_CHECKING, Any
from weakref import ref

from .system_clock import running_trio

if TYPE_CHECKING:
    import asyncio

__all__ = ["TimeLimit", "begin"]

_ALIKE = 1e-6  # seconds; limits this close to each other are due together, and a timer may wake this early
_FEW = 64  # limits that have ended are swept out of the heap when they are more than these and more than half


class TimeLimit:
    """One attempt's limit. Belongs to the task that set it.

    Attributes:
        task: whom it cuts; None when the attempt has ended.
        before: how many cancellations the task had not taken back when it was set.
        until: the instant of the loop's time.
        cut: whether it was reached.
        home: the limits of its loop.
    """

    __slots__ = ("before", "cut", "home", "task", "until")

    task: asyncio.Task[Any] | None
    before: int
    until: float
    cut: bool
    home: LoopTimeLimits

    def reached(self) -> None:
        """Cut the attempt if it still runs; what has ended in the meantime stands."""
        if self.task is not None:
            self.cut = True
            self.task.cancel()

    def end(self, error: BaseException | None = None) -> bool:
        """Take it out; tell whether `error`, with which the attempt ended, is its cut and nothing else.

        Done once; a second time changes nothing.
        """
        task = self.task
        if task is None:
            return False
        self.task = None
        if not self.cut:
            if self.home.fresh.pop(self, self) is self:
                self.home.over += 1  # or it is due, and counted by nobody: at most one sweep comes early
            return False
        ours = task.uncancel() <= self.before
        return ours and isinstance(error, _asyncio.CancelledError)


class LoopTimeLimits:
    """The limits of one loop: fresh ones unsorted, and in a heap those that were there when the timer woke.

    Attributes:
        loop: refers to it; a loop that is closed is not kept alive.
        fresh: those that the timer has not met.
        at: when it wakes.
        over: how many in the heap have ended.
        now: what the loop reads its time from.
    """

    __slots__ = ("_heap", "_next", "_timer", "at", "fresh", "loop", "now", "over")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)
        self.fresh: dict[TimeLimit, None] = {}
        self.at = inf
        self.over = 0
        own = getattr(loop.time, "__func__", None) is _asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = time.monotonic if own else loop.time
        self._heap: list[tuple[float, int, TimeLimit]] = []
        self._next = count().__next__
        self._timer: asyncio.TimerHandle | None = None

    def wake(self, at: float) -> None:
        """Set the timer to an earlier instant of the loop's time."""
        loop = self.loop()
        assert loop is not None  # it runs this
        if self._timer is not None:
            self._timer.cancel()
        self.at = at
        self._timer = loop.call_at(at, self._woken)

    def _woken(self) -> None:
        """Cut what is due, each in a step of the loop of its own, and sleep until the next limit."""
        loop = self.loop()
        assert loop is not None
        self._timer, self.at, due = None, inf, loop.time() + _ALIKE
        for limit in self.fresh:
            heappush(self._heap, (limit.until, self._next(), limit))
        self.fresh.clear()
        while self._heap and (self._heap[0][0] <= due or self._heap[0][2].task is None):
            limit = heappop(self._heap)[2]
            if limit.task is None:
                self.over -= 1
            else:
                loop.call_soon(limit.reached)
        self._sweep()
        if self._heap:
            self.wake(self._heap[0][0])

    def _sweep(self) -> None:
        if self.over > _FEW and 2 * self.over > len(self._heap):
            self._heap = [one for one in self._heap if one[2].task is not None]
            heapify(self._heap)
            self.over = 0


class _Here(local):
    """The limits of the loop that this thread ran last."""

    limits: LoopTimeLimits | None = None


_HERE = _Here()


def begin(until: float, started: float = 0.0, now: Callable[[], float] | None = None) -> TimeLimit | None:
    """Set a limit to the task that runs this; its `end` takes it out. Under trio there is none.

    Args:
        until: the instant of the limit; without the rest, the seconds until then.
        started: the present instant.
        now: the clock that both are read from: where the loop goes by the same, nobody reads it again.

    Raises:
        RuntimeError: no task runs this.
    """
    loop = _running()
    task = None if loop is None else _task(loop)
    if task is None:
        if running_trio() is None:
            raise RuntimeError("a call with a time limit must be awaited by a task")
        return None
    home = _HERE.limits
    if home is None or home.loop() is not loop:
        home = _HERE.limits = LoopTimeLimits(loop)
    limit = TimeLimit()  # without a constructor, whose call would cost more than all of this
    limit.task, limit.cut, limit.home, limit.before = task, False, home, task.cancelling()
    limit.until = at = until if now is home.now else loop.time() + (until - started)
    home.fresh[limit] = None
    if at < home.at:
        home.wake(at)
    return limit


def _first_running() -> Any:
    """Return asyncio's running loop, or None; only this first time it is imported, and not under trio."""
    global _asyncio, _running, _task
    if running_trio() is not None:
        return None
    import asyncio as _asyncio

    _running, _task = _asyncio._get_running_loop, _asyncio.current_task
    return _running()


_asyncio: Any = None
_running: Callable[[], Any] = _first_running
_task: Any = None
