"""Time limits of many attempts on one asyncio loop, kept by one timer.

The law of this file: a limit that is not reached costs no timer. An attempt enters its limit into a
mapping and takes it out again; the loop's one timer wakes at the earliest limit it knows of, cuts what is
due, and sets itself to the next. What a cut means is what it means to `asyncio.timeout`: the task is
cancelled, and the attempt counts as timed out only where nobody else has cancelled the task meanwhile.

asyncio is imported when the first limit is set.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from threading import local
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    import asyncio

__all__ = ["Limit", "begin"]

_ALIKE = 1e-6  # seconds; limits this close to each other are due together, and a timer may wake this early
_FEW = 64  # limits that have ended are swept out of the heap when they are more than these and more than half


class Limit:
    """One attempt's limit. Belongs to the task that set it; ended exactly once.

    Attributes:
        task: whom it cuts; None when the attempt has ended.
        before: how many cancellations the task had not taken back when it was set.
        until: the instant of the loop's time.
        cut: whether it was reached.
    """

    __slots__ = ("before", "cut", "task", "until")

    task: asyncio.Task[Any] | None
    before: int
    until: float
    cut: bool

    def reached(self) -> None:
        """Cut the attempt if it still runs; what has ended in the meantime stands."""
        if self.task is not None:
            self.cut = True
            self.task.cancel()


class Limits:
    """The limits of one loop: fresh ones unsorted, and in a heap those that were there when the timer woke."""

    __slots__ = ("_heap", "_next", "_over", "_timer", "at", "fresh", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)  # a loop that is closed is not kept alive
        self.fresh: dict[Limit, None] = {}
        self.at = inf
        self._heap: list[tuple[float, int, Limit]] = []
        self._next = count().__next__
        self._over = 0  # how many limits in the heap have ended
        self._timer: asyncio.TimerHandle | None = None

    def end(self, limit: Limit, error: BaseException | None = None) -> bool:
        """Take a limit out; tell whether `error`, with which the attempt ended, is its cut and nothing else."""
        task, limit.task = limit.task, None
        if limit in self.fresh:
            del self.fresh[limit]
        elif not limit.cut:
            self._over += 1  # or it is due, and counted by nobody: at most one sweep comes early
        if not limit.cut or task is None:
            return False
        ours = task.uncancel() <= limit.before
        return ours and isinstance(error, _asyncio.CancelledError)

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
                self._over -= 1
            else:
                loop.call_soon(limit.reached)
        self._sweep()
        if self._heap:
            self.wake(self._heap[0][0])

    def _sweep(self) -> None:
        if self._over > _FEW and 2 * self._over > len(self._heap):
            self._heap = [one for one in self._heap if one[2].task is not None]
            heapify(self._heap)
            self._over = 0


class _Here(local):
    """The limits of the loop that this thread ran last."""

    limits: Limits | None = None


_HERE = _Here()
_asyncio: Any = None


def begin(seconds: float) -> tuple[Limits, Limit]:
    """Set a limit to the task that runs this, from now on; `Limits.end` takes it out.

    Raises:
        RuntimeError: no task runs this.
    """
    global _asyncio
    if _asyncio is None:
        import asyncio as _asyncio
    loop = _asyncio.get_running_loop()
    task = _asyncio.current_task(loop)
    if task is None:
        raise RuntimeError("a call with a time limit must be awaited by a task")
    limits = _HERE.limits
    if limits is None or limits.loop() is not loop:
        limits = _HERE.limits = Limits(loop)
    limit = Limit()  # without a constructor, whose call would cost more than all of this
    limit.task, limit.cut, limit.before = task, False, task.cancelling()
    limit.until = until = loop.time() + seconds
    limits.fresh[limit] = None
    if until < limits.at:
        limits.wake(until)
    return limits, limit
